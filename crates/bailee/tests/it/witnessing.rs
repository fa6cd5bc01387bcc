//! A house, a witness and a monitor, each typed at as its own people would.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use crate::room::{LETTER, Room, text};

/// Something of the room that serves, and its address.
struct Serving {
    child: Child,
    url: String,
}

impl Serving {
    fn start(room: &Room, args: &[&str]) -> Serving {
        let mut command = room.command(args);
        let mut child = command.stderr(Stdio::piped()).spawn().expect("the binary starts");
        let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        let url = loop {
            let line = lines.next().and_then(Result::ok).expect("it says where it answers");
            if let Some(at) = line.find("answers on http://") {
                let rest = &line[at + "answers on ".len()..];
                break rest.split(';').next().unwrap_or_default().trim().to_owned();
            }
        };
        // Its further words have to go somewhere, or it waits for a reader.
        std::thread::spawn(move || lines.for_each(drop));
        Serving { child, url }
    }

    /// Ends it in peace; it must say yes.
    fn end(mut self) {
        let pid = self.child.id().to_string();
        let told = std::process::Command::new("kill").args(["-s", "TERM", &pid]).status();
        assert!(told.expect("kill runs").success());
        assert!(self.child.wait().expect("it ends").success());
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

#[test]
fn counsel_runs_a_witness_and_the_receipt_proves_it() {
    let room = Room::with_house();
    let log = room.run(&["--json", "status"]).json()["log_key"].as_str().unwrap().to_owned();
    let dir = room.path("witness");
    let init = ["--json", "witness", "init", text(&dir), "--name", "witness.example.com"];
    let made = room.run(&init).json();
    let key = made["keys"][0].as_str().unwrap();
    let line = made["policy"][0].as_str().unwrap();
    assert_eq!(line, format!("witness witness.example.com {key} https://URL"));
    let again = room.run(&init);
    assert_eq!(again.code, 1, "{again:?}");
    assert!(again.err.contains("nothing was changed"), "{again:?}");
    for secret in fs::read_dir(dir.join("keys")).unwrap() {
        let meta = secret.unwrap().metadata().unwrap();
        assert_eq!(std::os::unix::fs::MetadataExt::mode(&meta) & 0o777, 0o600);
    }
    let wrong = room.run(&["witness", "watch", text(&dir), key]);
    assert_eq!(wrong.code, 2, "a witness's key is no log's: {wrong:?}");
    let watched = room.run(&["witness", "watch", text(&dir), &log]).ok();
    assert!(watched.contains("log.example.org/2026: nothing cosigned yet"), "{watched}");

    let serving =
        Serving::start(&room, &["witness", "serve", text(&dir), "--listen", "127.0.0.1:0"]);
    let policy =
        format!("{}\nquorum witness.example.com\n", line.replace("https://URL", &serving.url));
    fs::write(room.house().join("witnesses.tlog-policy"), policy).unwrap();
    let settings = room.house().join("bailee.toml");
    let before = fs::read_to_string(&settings).unwrap();
    let section = "\n[witnesses]\npolicy = \"witnesses.tlog-policy\"\ntimeout_ms = 60000\n";
    fs::write(&settings, before + section).unwrap();
    let letter = room.file("letter.eml", LETTER.as_bytes());
    let receipt = room.path("receipt.zip");
    room.run(&["intake", text(&letter), "--receipt", text(&receipt)]).ok();
    let report = room.run(&["--json", "verify", text(&receipt), "--key", &log]).json();
    let claims = report[0]["report"]["claims"].as_array().unwrap().clone();
    let witnesses = claims.iter().find(|claim| claim["claim"] == "witnesses").unwrap();
    // A pinned key asks for no witness; the policy in the bundle does.
    assert_eq!(witnesses["state"], "not-shown", "{report}");
    let own = room.run(&["verify", text(&receipt)]).ok();
    assert!(own.contains("PROVEN    witnesses: quorum witness.example.com saw this tree"), "{own}");
    serving.end();

    let status = room.run(&["--json", "witness", "status", text(&dir)]).json();
    assert!(status["logs"][0]["size"].as_u64().unwrap() > 0, "{status}");
    assert_eq!(status["logs"][0]["fork"], serde_json::Value::Null);
    let words = room.run(&["witness", "status", text(&dir)]).ok();
    assert!(words.contains(" cosigned, at 20") && words.contains("Z\n"), "{words}");
    fs::remove_file(dir.join("witness.sqlite")).unwrap();
    let lost = room.run(&["witness", "status", text(&dir)]);
    assert_eq!(lost.code, 1, "{lost:?}");
    assert!(lost.err.contains("give it up"), "{lost:?}");
}

#[test]
fn a_monitor_follows_a_log_and_tells_what_is_wrong() {
    let room = Room::with_house();
    let log = room.run(&["--json", "status"]).json()["log_key"].as_str().unwrap().to_owned();
    let serving = Serving::start(&room, &["serve", "--listen", "127.0.0.1:0"]);
    let told = room.path("told");
    let command = format!("cat >> {0}; echo $BAILEE_ALARM >> {0}", told.display());
    let look = |url: &str, more: &[&str]| {
        let head = ["--json", "monitor", url, "--key", &log, "--state", "seen", "--once"];
        let all: Vec<&str> = head.iter().chain(more).copied().collect();
        room.run(&all)
    };
    let first = look(&serving.url, &["--on-alarm", &command]);
    assert_eq!(first.code, 0, "{first:?}");
    let line = first.json();
    assert_eq!(line["log"], "log.example.org/2026");
    assert!(
        line["size"].as_u64().unwrap() > 0 && line["alarms"] == serde_json::json!([]),
        "{line}"
    );
    let words = room.run(&["monitor", &serving.url, "--key", &log, "--state", "seen", "--once"]);
    assert!(words.ok().contains("log.example.org/2026: "));
    serving.end();

    // Away, and not yet for too long: a failure, not an alarm.
    let gone = look("http://127.0.0.1:9", &["--silence", "1d", "--on-alarm", &command]);
    assert_eq!(gone.code, 3, "{gone:?}");
    assert!(gone.json()["failed"].as_str().unwrap().contains("127.0.0.1:9"));
    assert!(!told.exists(), "an alarm was told");

    // Another house under the same name and key: a fork. It is told once, and said each time.
    let other = another_history(&room);
    let serving = Serving::start(&other, &["serve", "--listen", "127.0.0.1:0"]);
    for _ in 0..2 {
        let forked = look(&serving.url, &["--on-alarm", &command]);
        assert_eq!(forked.code, 1, "{forked:?}");
        assert_eq!(forked.json()["alarms"][0]["alarm"], "fork", "{forked:?}");
    }
    let told = fs::read_to_string(&told).unwrap();
    assert_eq!(told.matches("\nfork\n").count(), 1, "{told}");
    assert!(told.contains("\"alarm\":\"fork\""), "{told}");
    let proofs = fs::read_dir(room.path("seen")).unwrap();
    let named =
        |entry: &fs::DirEntry| entry.file_name().to_string_lossy().starts_with("proof-fork");
    assert!(proofs.flatten().any(|entry| named(&entry)), "the proof was not kept");
}

/// Another house, whose log has the name and the key of this room's, and other entries.
fn another_history(room: &Room) -> Room {
    let other = Room::empty();
    let init = [
        "init",
        "--origin",
        "log.example.org/2026",
        "--entity",
        "Other B.V.",
        "--country",
        "NL",
        "--counsel",
        "Olga Other <olga@example.org>",
    ];
    other.run(&init).ok();
    for name in ["checkpoint", "journal.sqlite", "journal.sqlite-wal", "journal.sqlite-shm"] {
        _ = fs::remove_file(other.house().join(name));
    }
    for key in ["keys/log.key", "keys/log-ml-dsa.key"] {
        fs::copy(room.house().join(key), other.house().join(key)).expect("the key is copied");
    }
    fs::remove_dir_all(other.house().join("policies")).expect("what named its own keys goes");
    for n in 0..12 {
        let letter = other.file("letter.eml", format!("{LETTER}Again, {n}.\r\n").as_bytes());
        other.run(&["intake", text(&letter)]).ok();
    }
    other
}

#[test]
fn a_monitor_is_told_which_log_and_its_state_is_of_one() {
    let room = Room::with_house();
    let log = room.run(&["--json", "status"]).json()["log_key"].as_str().unwrap().to_owned();
    let neither = room.run(&["monitor", "http://127.0.0.1:9", "--once"]);
    assert_eq!(neither.code, 2, "{neither:?}");
    let bad = room.run(&["monitor", "http://127.0.0.1:9", "--key", "nonsense", "--once"]);
    assert_eq!(bad.code, 2, "{bad:?}");
    let unit = room.run(&["monitor", "x", "--key", &log, "--silence", "90", "--once"]);
    assert!(unit.code == 2 && unit.err.contains("90s"), "{unit:?}");
    let two = format!("log {log}\nlog {}\nquorum none\n", other_key());
    let policy = room.file("two.tlog-policy", two.as_bytes());
    let which = room.run(&["monitor", "http://127.0.0.1:9", "--policy", text(&policy), "--once"]);
    assert_eq!(which.code, 2, "{which:?}");
    let first = ["monitor", "http://127.0.0.1:9", "--key", &log, "--state", "seen", "--once"];
    assert_eq!(room.run(&first).code, 3);
    let key = other_key();
    let other = ["monitor", "http://127.0.0.1:9", "--key", &key, "--state", "seen", "--once"];
    let refused = room.run(&other);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.err.contains("another directory"), "{refused:?}");
}

/// The key of another log, by the same program.
fn other_key() -> String {
    let room = Room::empty();
    let init = [
        "--json",
        "init",
        "--origin",
        "other.example/log",
        "--entity",
        "O",
        "--country",
        "NL",
        "--counsel",
        "C <c@o.example>",
    ];
    room.run(&init).json()["log_key"].as_str().expect("a key").to_owned()
}
