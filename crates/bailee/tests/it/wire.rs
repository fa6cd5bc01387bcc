//! The same commands against a running `bailee serve`.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::letting_go::{approved, packs_below};
use crate::room::{LETTER, Room, Said, text};

/// A server over a room's house.
pub(crate) struct Server<'a> {
    room: &'a Room,
    child: Child,
    url: String,
}

impl<'a> Server<'a> {
    pub(crate) fn start(room: &'a Room) -> Server<'a> {
        let mut command = room.command(&["serve", "--listen", "127.0.0.1:0"]);
        let mut child = command.stderr(Stdio::piped()).spawn().expect("the binary starts");
        let err = BufReader::new(child.stderr.take().expect("piped"));
        let mut lines = err.lines();
        let url = loop {
            let line = lines.next().and_then(Result::ok).expect("it says where it answers");
            if let Some(at) = line.find("http://") {
                break line[at..].split(';').next().unwrap_or_default().trim().to_owned();
            }
        };
        // Its further words have to go somewhere, or it waits for a reader.
        std::thread::spawn(move || lines.for_each(drop));
        Server { room, child, url }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, when it has.
    pub(crate) fn ended(&mut self) -> std::process::ExitStatus {
        self.child.wait().expect("it can be waited for")
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The most memory it has had, KiB.
    pub(crate) fn peak(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.expect("a process that runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        number.expect("a peak")
    }

    pub(crate) fn run(&self, token: &str, args: &[&str]) -> Said {
        Said::of(self.command(&self.url, token, args).stdin(Stdio::null()).output().expect("runs"))
    }

    /// The binary, asked to speak to `url`.
    pub(crate) fn command(&self, url: &str, token: &str, args: &[&str]) -> Command {
        let file = self.room.file("a.token", token.as_bytes());
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("it is ours");
        let head = ["--server", url, "--token-file", text(&file)];
        let all: Vec<&str> = head.iter().chain(args).copied().collect();
        self.room.command(&all)
    }
}

impl Drop for Server<'_> {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

pub(crate) fn token(room: &Room, party: &str, scope: &str) -> String {
    room.run_as("P-1", &["token", "issue", party, "--scope", scope]).ok()
}

#[test]
fn a_server_is_asked_in_the_same_words() {
    let room = Room::with_house();
    room.furnish();
    room.run_as("P-2", &["account", "terminate", "AC-1"]).ok();
    let (operator, intake) = (token(&room, "P-2", "operator"), token(&room, "P-2", "intake"));
    let server = Server::start(&room);

    let local = room.run(&["party", "list"]);
    assert_ne!(local.code, 0, "the server has the directory: {local:?}");
    assert!(local.err.contains("--server"), "{local:?}");

    let letter = room.file("letter.eml", LETTER.as_bytes());
    let receipt = room.path("r.zip");
    let mine = room.path("mine.zip");
    let said = server.run(&intake, &["--json", "intake", text(&letter), "--receipt", text(&mine)]);
    assert_eq!(said.json()["received"]["demand"], "D-1", "{said:?}");
    room.run(&["verify", text(&mine)]).ok();
    let said = server.run(&operator, &["receipt", "D-1", "-o", text(&receipt)]);
    assert_eq!(said.code, 0, "{said:?}");
    room.run(&["verify", text(&receipt)]).ok();
    let gate = server.run(&operator, &["gate", "check", "A-1"]);
    assert_eq!(gate.code, 1, "{gate:?}");
    assert!(gate.out.contains("hold_provisional"), "{gate:?}");
    let opened = server.run(&operator, &["matter", "open", "Vos v. Example Host"]);
    assert!(opened.out.contains("M-1"), "{opened:?}");

    let outside = server.run(&intake, &["matter", "open", "Not mine to open"]);
    assert_eq!(outside.code, 1, "{outside:?}");
    let nobody = server.run("bailee_nonsense", &["party", "list"]);
    assert_eq!(nobody.code, 1, "{nobody:?}");
    fs::create_dir(room.path("on")).unwrap();
    let mount = server.run(&operator, &["mount", "S-1", text(&room.path("on"))]);
    assert_eq!(mount.code, 2, "{mount:?}");
    assert!(mount.err.contains("data directory"), "{mount:?}");
}

#[test]
fn what_is_done_every_day_is_done_while_the_server_runs() {
    let (room, disk) = approved();
    let reserve = ["clearance", "reserve", "X-1", "A-1", "--device", text(&disk)];
    let reserved = room.run_as("P-2", &reserve).ok();
    fs::create_dir_all(room.path("data")).unwrap();
    let bytes: Vec<u8> = (0..700_000u32).map(|n| (n.wrapping_mul(n) >> 7) as u8).collect();
    room.file("data/a.raw", &bytes);
    room.run_as("P-2", &["preserve", "A-1", text(&room.path("data"))]).ok();
    let (operator, reader) = (token(&room, "P-2", "operator"), token(&room, "P-2", "reader"));
    let server = Server::start(&room);
    let ask = |args: &[&str]| server.run(&operator, &[&["--json"], args].concat());

    assert_eq!(server.run(&operator, &["clearance", "token", "C-1"]).ok(), reserved);
    assert_eq!(ask(&["clearance", "token", "C-9"]).code, 1);
    let listed = ask(&["clearance", "list"]);
    assert_eq!(listed.json()["items"][0]["id"], "C-1", "{listed:?}");
    let checked = ask(&["check"]);
    assert_eq!((checked.code, &checked.json()["good"]), (0, &true.into()), "{checked:?}");
    let read = ask(&["snapshot", "verify", "S-1"]);
    assert_eq!((read.code, &read.json()["intact"]), (0, &true.into()), "{read:?}");
    assert_eq!(ask(&["snapshot", "verify", "S-9"]).code, 1);
    let part = ask(&["scrub", "--budget", "1"]);
    assert_eq!((part.code, &part.json()["packs"]), (0, &1.into()), "{part:?}");
    let probed = ask(&["probe"]);
    assert_eq!((probed.code, &probed.json()["bad"]), (0, &serde_json::json!([])), "{probed:?}");
    let mended = ask(&["scrub", "--repair-from", text(&room.path("copy"))]);
    assert_eq!(mended.code, 2, "a copy is on the server's machine: {mended:?}");
    for args in [&["check"][..], &["scrub"], &["probe"], &["snapshot", "verify", "S-1"]] {
        let refused = server.run(&reader, args);
        assert!(refused.code == 1 && refused.err.contains("scope"), "{args:?}: {refused:?}");
    }

    // A byte of the packs turns: each of them says so, and by its exit code too.
    let size = |pack: &PathBuf| fs::metadata(pack).unwrap().len();
    let packs = packs_below(&room.path("house/objects"));
    let pack = packs.into_iter().max_by_key(size).unwrap();
    let mut damaged = fs::read(&pack).unwrap();
    damaged[1000] ^= 1;
    fs::set_permissions(&pack, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&pack, damaged).unwrap();
    assert_eq!(ask(&["scrub"]).code, 1);
    let read = ask(&["snapshot", "verify", "S-1"]);
    assert_eq!((read.code, &read.json()["intact"]), (1, &false.into()), "{read:?}");
}

#[test]
fn what_others_pin_is_had_from_a_running_service() {
    let room = Room::with_house();
    let old = room.run(&["keys", "policy"]).ok();
    let rotate = ["keys", "rotate", "--overlap-days", "30", "--note", "Yearly"];
    room.run_as("P-2", &rotate).ok();
    room.run_as("P-1", &["keys", "approve", "R-1"]).ok();
    let here = room.run(&["keys", "policy"]).ok();
    assert_ne!(here, old, "a new key counts");
    assert_eq!(room.run(&["--json", "keys", "policy"]).json()["policy"], here);
    let (reader, intake) = (token(&room, "P-2", "reader"), token(&room, "P-2", "intake"));
    let server = Server::start(&room);
    assert_eq!(server.run(&reader, &["keys", "policy"]).ok(), here);
    let (old, out) = (room.file("old.policy", old.as_bytes()), room.path("R-1.zip"));
    server.run(&reader, &["keys", "announce", "R-1", "-o", text(&out)]).ok();
    room.run(&["verify", text(&out), "--policy", text(&old)]).ok();
    let none = server.run(&reader, &["keys", "announce", "log", "-o", text(&room.path("n"))]);
    assert!(none.code == 1 && none.err.contains("not_found"), "{none:?}");
    let wrong = server.run(&reader, &["keys", "announce", "A-1", "-o", text(&room.path("n"))]);
    assert_eq!(wrong.code, 2, "{wrong:?}");
    let refused = server.run(&intake, &["keys", "policy"]);
    assert!(refused.code == 1 && refused.err.contains("scope"), "{refused:?}");
}

#[test]
fn a_form_is_filled_in_at_the_command_line_and_through_the_server() {
    let room = Room::with_house();
    room.furnish();
    let intake = token(&room, "P-2", "intake");
    let form = ["--account", "AC-1", "--identifier", "WD 77-A & more", "--category", "photos"];
    let times = ["--from", "2026-01-01T00:00:00Z", "--to", "2026-02-01T00:00:00Z"];
    let letters = ["here", "there"].map(|name| {
        let text = LETTER.replace("Vos Photography", "what the form names");
        room.file(name, text.replace("<1@", &format!("<{name}@")).as_bytes())
    });
    let args = |file| [&["--json", "intake", file][..], &form, &times].concat();
    room.run(&args(text(&letters[0]))).ok();
    let server = Server::start(&room);
    server.run(&intake, &args(text(&letters[1]))).ok();
    let wrong = server.run(&intake, &["intake", text(&letters[1]), "--account", "Vos"]);
    assert!(wrong.code == 2 && wrong.err.contains("account"), "{wrong:?}");
    drop(server);
    let holds = room.run(&["--json", "hold", "list"]).json();
    assert_eq!(holds["items"].as_array().unwrap().len(), 2, "{holds}");
    for hold in holds["items"].as_array().unwrap() {
        let scope = &hold["scope"];
        assert_eq!(scope["accounts"], serde_json::json!(["AC-1"]), "{hold}");
        assert_eq!(scope["identifiers"], serde_json::json!(["wd77amore"]), "{hold}");
        assert_eq!(scope["categories"], serde_json::json!(["photos"]), "{hold}");
        assert!(scope["from"].as_str().unwrap().starts_with("2026-01-01"), "{hold}");
        assert!(scope["to"].as_str().unwrap().starts_with("2026-02-01"), "{hold}");
    }
}

#[test]
fn an_agent_overwrites_a_disk_here_under_a_gate_there() {
    let room = Room::with_house();
    let disk = room.file("disk.img", &vec![0xA5; 4 << 20]);
    room.run_as("P-2", &["asset", "add", "spare", "--kind", "drive", "--device", text(&disk)]).ok();
    let propose = ["disposition", "propose", "sanitize", "A-1", "--note", "Out of use"];
    room.run_as("P-2", &propose).ok();
    room.run_as("P-3", &["disposition", "approve", "X-1"]).ok();
    room.run_as("P-1", &["disposition", "approve", "X-1"]).ok();
    let status = room.run(&["--json", "status"]).json();
    let agent = token(&room, "P-2", "agent");
    let server = Server::start(&room);
    let log = room.path("run.log");
    let order = [
        "--json",
        "sanitize",
        "A-1",
        "--device",
        text(&disk),
        "--disposition",
        "X-1",
        "--log",
        text(&log),
    ];
    let without = server.run(&agent, &order);
    assert_eq!(without.code, 2, "{without:?}");
    let with = |key: &str| {
        let all: Vec<&str> = order.iter().copied().chain(["--clearance-key", key]).collect();
        server.run(&agent, &all)
    };
    let false_key = with(status["log_key"].as_str().unwrap());
    assert_eq!(false_key.code, 1, "{false_key:?}");
    assert_eq!(fs::read(&disk).unwrap(), vec![0xA5; 4 << 20], "not one byte was written");
    let done = with(status["clearance_key"].as_str().unwrap());
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(done.json()["clearance"], "C-2", "the first was given back");
    assert!(!fs::read(&disk).unwrap().windows(16).any(|window| window == [0xA5; 16]));
}

#[test]
fn a_server_that_is_not_there_is_a_failure_and_no_url_is_wrong_use() {
    let room = Room::empty();
    // Port 9 of this machine: discard, served by nobody.
    let said = room.run(&["--server", "http://127.0.0.1:9", "party", "list"]);
    assert_eq!(said.code, 3, "{said:?}");
    assert!(said.err.contains("server_unreachable"), "{said:?}");
    let said = room.run(&["--server", "custody.example.org", "party", "list"]);
    assert_eq!(said.code, 2, "{said:?}");
}
