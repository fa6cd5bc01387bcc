//! Nobody reads what is printed: the exit code is still the answer, and data that was not taken
//! whole was not handed over.

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::letting_go::packs_below;
use crate::room::{BAILEE, LETTER, Room, Said, text};
use crate::wire::{Server, token};

/// Runs it with a reader that has left already.
fn left(mut command: Command) -> Said {
    let (reader, writer) = std::io::pipe().expect("a test can");
    drop(reader);
    Said::of(command.stdin(Stdio::null()).stdout(writer).output().expect("a test can"))
}

/// Types a line whose standard output is closed.
fn closed(room: &Room, args: &[&str]) -> Said {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", "exec \"$0\" \"$@\" >&-", BAILEE]).args(args).stdin(Stdio::null());
    shell.current_dir(room.path(".")).env_clear().env("BAILEE_DIR", room.house());
    Said::of(shell.output().expect("a test can"))
}

/// A house with a blocked A-1, its receipt whole and forged, and S-1 with a file of 3 MB.
fn furnished() -> Room {
    let room = Room::with_house();
    room.furnish();
    room.run_as("P-2", &["account", "terminate", "AC-1"]).ok();
    let letter = room.file("letter.eml", LETTER.as_bytes());
    let receipt = room.path("good.zip");
    room.run(&["intake", text(&letter), "--receipt", text(&receipt)]).ok();
    let mut bytes = fs::read(&receipt).expect("a test can");
    let at = bytes.windows(10).position(|words| words == b"Receipt of").expect("a test can");
    bytes[at] ^= 1;
    room.file("bad.zip", &bytes);
    fs::create_dir_all(room.path("data")).expect("a test can");
    let bytes: Vec<u8> = (0..3_000_000u32).map(|n| (n.wrapping_mul(n) >> 7) as u8).collect();
    room.file("data/a.raw", &bytes);
    room.run_as("P-2", &["preserve", "A-1", text(&room.path("data"))]).ok();
    room
}

/// Types each line to a reader, to one that left, and to nobody, in words and as JSON. `NEW`
/// stands for a name that nothing has yet.
fn check_answers(room: &Room, lines: &[(u8, &str)]) {
    let mut made = 0;
    for (code, line) in lines {
        for form in [&["--as", "P-2"][..], &["--as", "P-2", "--json"]] {
            let mut typed = || -> Vec<String> {
                made += 1;
                let words = line.split(' ').map(|word| word.replace("NEW", &format!("new-{made}")));
                form.iter().map(ToString::to_string).chain(words).collect()
            };
            let args = [typed(), typed(), typed()];
            let [heard, unheard, nobody] =
                args.each_ref().map(|args| args.iter().map(String::as_str).collect::<Vec<&str>>());
            let heard = room.run(&heard);
            assert!(heard.code == i32::from(*code) && !heard.out.is_empty(), "{line}: {heard:?}");
            let unheard = left(room.command(&unheard));
            assert_eq!(unheard.code, heard.code, "nobody reads it: {line}: {unheard:?}");
            assert!(!unheard.err.contains("failed"), "{line}: {unheard:?}");
            let nobody = closed(room, &nobody);
            assert_eq!(nobody.code, heard.code, "closed: {line}: {nobody:?}");
        }
    }
}

#[test]
fn an_answer_keeps_its_exit_code_whoever_reads_it() {
    let room = furnished();
    let lines = [
        (1, "gate check A-1"),
        (1, "verify bad.zip"),
        (1, "verify bad.zip good.zip"),
        (0, "verify good.zip"),
        (0, "check"),
        (0, "scrub"),
        (0, "probe"),
        (0, "prune"),
        (0, "settle"),
        (0, "status"),
        (0, "timestamps"),
        (0, "keys show"),
        (0, "policy show"),
        (0, "instruments list"),
        (0, "hold list"),
        (0, "demand show D-1"),
        (0, "snapshot verify S-1"),
        (0, "preserve A-1 data"),
        (0, "restore S-1 NEW"),
        (0, "export S-1 --form tar --to NEW.tar"),
        (0, "export S-1 --form bag --to NEW"),
        (0, "receipt D-1 -o NEW.zip"),
        (0, "intake letter.eml"),
        (0, "matter open NEW"),
        (0, "clearance list"),
        (0, "version"),
    ];
    check_answers(&room, &lines);

    // A byte of the packs turns.
    let size = |pack: &PathBuf| fs::metadata(pack).expect("a test can").len();
    let pack =
        packs_below(&room.path("house/objects")).into_iter().max_by_key(size).expect("a test can");
    let mut damaged = fs::read(&pack).expect("a test can");
    damaged[1000] ^= 1;
    fs::set_permissions(&pack, fs::Permissions::from_mode(0o600)).expect("a test can");
    fs::write(&pack, damaged).expect("a test can");
    check_answers(&room, &[(1, "scrub"), (1, "snapshot verify S-1"), (1, "restore S-1 NEW")]);
}

#[test]
fn what_is_itself_on_standard_output_was_not_handed_over_to_a_reader_that_left() {
    let room = furnished();
    let products: [&[&str]; 7] = [
        &["cat", "S-1", "a.raw"],
        &["export", "S-1", "--form", "tar", "--to", "-"],
        &["snapshot", "map", "S-1", "a.raw"],
        &["receipt", "D-1", "-o", "-"],
        &["intake", "letter.eml", "--receipt", "-"],
        &["keys", "policy"],
        &["completions", "bash"],
    ];
    for line in products {
        let said = left(room.command(line));
        assert_eq!((said.code, said.err.as_str()), (3, ""), "{line:?}");
    }
    // That there is a token now is said; the token itself was not handed over.
    let issue = ["--as", "P-1", "token", "issue", "P-2", "--scope", "agent"];
    for line in [&issue[..], &[&["--json"], &issue[..]].concat()] {
        let said = left(room.command(line));
        assert!(said.code == 3 && !said.err.contains("bailee_"), "{said:?}");
    }
    let operator = token(&room, "P-2", "operator");
    let server = Server::start(&room);
    for line in [products[1], products[2], products[3], products[5]] {
        let said = left(server.command(server.url(), &operator, line));
        assert_eq!((said.code, said.err.as_str()), (3, ""), "{line:?}");
    }
    let gate = left(server.command(server.url(), &operator, &["gate", "check", "A-1"]));
    assert_eq!((gate.code, gate.err.as_str()), (1, ""));
}

#[test]
fn a_reader_of_a_part_ends_it_quietly_and_has_to_ask_for_that_part_to_hear_yes() {
    let room = furnished();
    let head = |args: &[&str], most: u64| -> (Option<i32>, String) {
        let mut command = room.command(args);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("a test can");
        let (mut read, mut said) = (Vec::new(), String::new());
        child.stdout.take().expect("a test can").take(most).read_to_end(&mut read).unwrap();
        assert_eq!(read.len() as u64, most);
        child.stderr.take().expect("a test can").read_to_string(&mut said).unwrap();
        (child.wait().expect("a test can").code(), said)
    };
    assert_eq!(head(&["cat", "S-1", "a.raw"], 500), (Some(3), String::new()));
    assert_eq!(head(&["cat", "S-1", "a.raw", "--range", "0-499"], 500), (Some(0), String::new()));
    assert_eq!(head(&["cat", "S-1", "a.raw"], 3_000_000), (Some(0), String::new()));
    let tar = ["export", "S-1", "--form", "tar", "--to", "-"];
    assert_eq!(head(&tar, 500), (Some(3), String::new()));
}
