//! A house with something taken away, or on a medium that takes no more: each has its own name and
//! its own next step, what can be read is read, and nothing is signed twice.
//!
//! File systems are real and need root; without it those tests say that they did not run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::room::{LETTER, Room, Said, text};
use crate::wire::Server;

fn sh(program: &str, args: &[&str]) -> String {
    let out = Command::new(program).args(args).output().expect("the program is there");
    assert!(out.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).expect("it prints text").trim().to_owned()
}

/// A file system of its own with a house in it, gone when dropped.
struct Disk {
    room: Room,
    device: Option<String>,
}

impl Disk {
    /// An ext4 of 64 MB on a loop device.
    fn ext4() -> Option<Disk> {
        let room = room_of_root()?;
        let image = room.path("image");
        let file = fs::File::create_new(&image).expect("there is room");
        file.set_len(64 << 20).expect("a sparse file");
        sh("mkfs.ext4", &["-q", "-m", "0", text(&image)]);
        let device = sh("losetup", &["--find", "--show", text(&image)]);
        sh("mount", &[&device, text(&room.house())]);
        Some(Disk { room, device: Some(device) }.furnished())
    }

    /// Eight MB of memory.
    fn tmpfs() -> Option<Disk> {
        let room = room_of_root()?;
        sh("mount", &["-t", "tmpfs", "-o", "size=8m", "tmpfs", text(&room.house())]);
        Some(Disk { room, device: None }.furnished())
    }

    fn furnished(self) -> Disk {
        let room = &self.room;
        room.init();
        room.furnish();
        let data = room.file("data", &vec![7; 1 << 20]);
        room.run_as("P-2", &["preserve", "A-1", text(&data)]).ok();
        self
    }

    /// Not a block is left but what is freed again.
    fn fill(&self) -> PathBuf {
        let path = self.room.house().join("ballast");
        let mut file = fs::File::create(&path).expect("the last name");
        let many = vec![1; 1 << 20];
        for size in [1 << 20, 4096, 1] {
            while std::io::Write::write_all(&mut file, &many[..size]).is_ok() {}
        }
        path
    }

    fn read_only(&self, yes: bool) {
        let how = if yes { "remount,ro" } else { "remount,rw" };
        sh("mount", &["-o", how, text(&self.room.house())]);
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        _ = Command::new("umount").arg(self.room.house()).status();
        if let Some(device) = &self.device {
            _ = Command::new("losetup").args(["-d", device]).status();
        }
    }
}

/// A room with a place for a house to be mounted, for root alone.
fn room_of_root() -> Option<Room> {
    if !rustix::process::geteuid().is_root() {
        _ = std::io::Write::write_all(&mut std::io::stderr(), b"NOT RUN: needs root\n");
        return None;
    }
    let room = Room::empty();
    fs::create_dir(room.house()).expect("there is room");
    Some(room)
}

/// Everything that only reads, and prune, which frees.
fn reads_all(room: &Room, what: &str) {
    for line in [
        &["status"][..],
        &["snapshot", "list"],
        &["snapshot", "show", "S-1"],
        &["snapshot", "verify", "S-1"],
        &["gate", "check", "A-2"],
        &["scrub"],
        &["check"],
        &["prune"],
        &["restore", "S-1", "back"],
        &["cat", "S-1", "data"],
    ] {
        let said = room.run_as("P-2", line);
        // A gate that is shut is an answer.
        let answer = if line[0] == "gate" { 1 } else { 0 };
        assert_eq!(said.code, answer, "{what}: {line:?}: {said:?}");
    }
    assert_eq!(fs::read(room.path("back/data")).expect("it is back"), vec![7; 1 << 20]);
    fs::remove_dir_all(room.path("back")).expect("it is ours");
}

fn named(said: &Said, code: &str) {
    assert!(said.code == 3 && said.err.contains(&format!("({code})")), "{code}: {said:?}");
}

#[test]
fn on_a_full_disk_everything_is_read_and_the_rest_says_that_it_is_full() {
    for disk in [Disk::ext4(), Disk::tmpfs()].into_iter().flatten() {
        check_while_full(&disk);
    }
}

fn check_while_full(disk: &Disk) {
    let room = &disk.room;
    let ballast = disk.fill();
    reads_all(room, "full");
    let seen = room.run_as("P-2", &["snapshot", "verify", "S-1"]);
    assert!(seen.code == 0 && seen.err.starts_with("not recorded: "), "{seen:?}");
    let letter = room.file("letter", LETTER.as_bytes());
    let full = room.run(&["intake", text(&letter)]);
    named(&full, "disk_full");
    assert!(full.err.contains("free space"), "{full:?}");
    fs::remove_file(ballast).expect("it is ours");
    room.run(&["intake", text(&letter)]).ok();
    room.run(&["check"]).ok();
}

#[test]
fn a_disk_that_can_only_be_read_is_read_with_what_a_killed_server_left() {
    let Some(disk) = Disk::ext4() else { return };
    let room = &disk.room;
    disk.read_only(true);
    reads_all(room, "read only");
    let letter = room.file("letter", LETTER.as_bytes());
    named(&room.run(&["intake", text(&letter)]), "read_only");
    disk.read_only(false);
    // What the server recorded last is in the write-ahead log alone.
    let token = room.run_as("P-1", &["token", "issue", "P-2", "--scope", "operator"]).ok();
    let server = Server::start(room);
    server.run(token.trim(), &["matter", "open", "the newest"]).ok();
    sh("kill", &["-9", &server.id().to_string()]);
    drop(server);
    let wal = fs::metadata(room.house().join("journal.sqlite-wal")).expect("it was killed");
    assert!(wal.len() > 0);
    disk.read_only(true);
    reads_all(room, "read only, with a log");
    let matter = room.run(&["matter", "list"]).ok();
    assert!(matter.contains("the newest"), "{matter}");
    disk.read_only(false);
    room.run(&["check"]).ok();
}

#[test]
fn a_server_on_a_full_disk_is_not_ready_until_it_can_record_again() {
    let Some(disk) = Disk::ext4() else { return };
    let room = &disk.room;
    let server = Server::start(room);
    let ready = |code: &str| {
        let url = format!("{}/readyz", server.url());
        let out = Command::new("curl").args(["-s", "-w", "%{http_code}", &url]).output();
        let out = String::from_utf8(out.expect("curl is there").stdout).expect("text");
        assert!(out.ends_with(code), "{out}");
        out
    };
    ready("200");
    let ballast = disk.fill();
    let full = ready("503");
    assert!(full.contains("disk_full") && full.contains("`df`"), "{full}");
    fs::remove_file(ballast).expect("it is ours");
    ready("200");
}

/// The files of a house by name, put back over what is there now.
fn put_back(house: &Path, kept: &[(&str, Vec<u8>)]) {
    kept.iter().for_each(|(name, bytes)| {
        fs::write(house.join(name), bytes).expect("it is ours");
    });
}

#[test]
fn an_old_journal_whose_checkpoint_was_taken_away_signs_nothing() {
    let room = Room::with_house();
    let (house, letter) = (room.house(), room.file("letter", LETTER.as_bytes()));
    let old = fs::read(house.join("journal.sqlite")).expect("it is there");
    room.run(&["intake", text(&letter)]).ok();
    let newest: Vec<_> = ["journal.sqlite", "checkpoint"]
        .map(|name| (name, fs::read(house.join(name)).expect("it is there")))
        .into();
    put_back(&house, &[("journal.sqlite", old)]);
    named(&room.run(&["intake", text(&letter)]), "log_contradicts_checkpoint");
    fs::remove_file(house.join("checkpoint")).expect("it is there");
    for line in [&["intake", text(&letter)][..], &["status"], &["settle"]] {
        let said = room.run(line);
        named(&said, "checkpoint_missing");
        assert!(said.err.contains("/checkpoint") && said.err.contains("No option"), "{said:?}");
    }
    assert!(!house.join("checkpoint").exists(), "nothing was signed");
    put_back(&house, &newest);
    room.run(&["check"]).ok();
}

#[test]
fn a_house_that_lost_its_settings_is_not_made_anew() {
    let room = Room::with_house();
    let settings = room.house().join("bailee.toml");
    let kept = fs::read(&settings).expect("it is there");
    fs::remove_file(&settings).expect("it is there");
    let init = ["--origin", "x.example/1", "--entity", "X", "--country", "NL"];
    let init = [&["init", "--counsel", "C <c@x.example>"], &init[..]].concat();
    for line in [&["status"][..], &init] {
        let said = room.run(line);
        assert!(said.code == 1 && said.err.contains("(settings_missing)"), "{line:?}: {said:?}");
        assert!(said.err.contains("log.example.org/2026"), "{said:?}");
        assert!(said.err.contains("Keep keys/"), "{said:?}");
    }
    let by_hand = "origin = \"log.example.org/2026\"\nmail_from = \"custody@log.example.org\"\n\
                   operations = \"operations@log.example.org\"\n";
    fs::write(&settings, by_hand).expect("it is ours");
    room.run(&["check"]).ok();
    fs::write(&settings, kept).expect("it is ours");
}

#[test]
fn each_thing_that_is_damaged_has_its_own_name_and_next_step() {
    let room = Room::with_house();
    let house = room.house();
    let read = |name: &str| fs::read(house.join(name)).expect("it is there");
    let (settings, checkpoint) = (read("bailee.toml"), read("checkpoint"));
    let journal = read("journal.sqlite");
    let other = String::from_utf8(settings.clone()).expect("text").replace("/2026", "/2027");
    let mut renamed = checkpoint.clone();
    renamed[0] ^= 0x20;
    let mut flipped = journal;
    flipped[8192..].iter_mut().for_each(|byte| *byte ^= 0x5a);
    for (name, bytes, code, next) in [
        ("bailee.toml", b"origin = \"\xff\"".to_vec(), "bad_settings", "correct the file"),
        ("bailee.toml", other.into_bytes(), "wrong_origin", "the log's own name"),
        ("checkpoint", checkpoint[..40].to_vec(), "checkpoint_damaged", "newest checkpoint"),
        ("checkpoint", Vec::new(), "checkpoint_damaged", "newest checkpoint"),
        ("checkpoint", renamed, "checkpoint_damaged", "newest checkpoint"),
        ("journal.sqlite", vec![0xaa; 9000], "journal_damaged", "restore journal.sqlite"),
        ("journal.sqlite", flipped, "journal_damaged", "restore journal.sqlite"),
    ] {
        let good = read(name);
        fs::write(house.join(name), bytes).expect("it is ours");
        let said = room.run(&["status"]);
        assert!(said.err.contains(&format!("({code})")), "{name}: {said:?}");
        assert!(said.err.contains(next) && !said.err.contains("log of the service"), "{said:?}");
        fs::write(house.join(name), good).expect("it is ours");
    }
    room.run(&["check"]).ok();
}

#[test]
fn commands_at_once_wait_for_each_other_and_none_waits_for_a_server() {
    let room = Room::with_house();
    let children: Vec<_> = (0..12)
        .map(|n| {
            let letter = LETTER.replace("<1@", &format!("<{n}@"));
            let path = room.file(&format!("letter-{n}"), letter.as_bytes());
            let mut command = room.command(&["--wait", "600", "intake", text(&path)]);
            command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts")
        })
        .collect();
    for mut child in children {
        assert!(child.wait().expect("it ends").success());
    }
    let demands = room.run(&["--json", "demand", "list"]).json();
    assert_eq!(demands["items"].as_array().map(Vec::len), Some(12));
    let server = Server::start(&room);
    // An hour of patience, and the answer comes all the same.
    let said = room.run(&["--wait", "3600", "status"]);
    named(&said, "house_in_use");
    assert!(said.err.contains("--server"), "{said:?}");
    drop(server);
}

#[test]
fn what_cannot_be_taken_or_given_is_answered_with_what_to_do() {
    let room = Room::with_house();
    room.furnish();
    let data = room.file("data", b"letters");
    room.run_as("P-2", &["preserve", "A-1", text(&data)]).ok();
    let gzip = room.file("vos.tar.gz", &[&[0x1f, 0x8b, 8, 0][..], &[7; 900]].concat());
    let short = room.file("short.tar.gz", &[0x1f, 0x8b, 8, 0, 1]);
    let bad = room.file("mine.toml", b"version = \n");
    for (line, code, next) in [
        (&["preserve", "A-1", text(&gzip), "--tar"][..], 1, "zcat FILE | bailee preserve"),
        (&["preserve", "A-1", text(&short), "--tar"], 1, "zcat FILE | bailee preserve"),
        (&["preserve", "A-1", "/dev/zero", "--tar"], 1, "nothing but zeros"),
        (&["preserve", "A-1", "/dev/zero"], 3, "comes on standard input"),
        (&["volumes", "check", "nowhere"], 3, "nowhere: is not there"),
        (&["instruments", "load", text(&bad)], 2, "mine.toml"),
    ] {
        let said = room.run_as("P-2", line);
        assert_eq!(said.code, code, "{line:?}: {said:?}");
        assert!(said.err.contains(next), "{line:?}: {said:?}");
        assert!(!said.err.contains("act on what the vault says"), "{said:?}");
    }
    let key = room.house().join("keys/vault.key");
    let right = fs::read(&key).expect("it is there");
    fs::write(&key, [9; 32]).expect("it is ours");
    let said = room.run(&["restore", "S-1", "back"]);
    assert!(said.code == 3 && said.err.contains("keys/vault.key from a copy"), "{said:?}");
    fs::write(&key, right).expect("it is ours");
    for pack in sh("find", &[text(&room.house()), "-path", "*/data/*", "-type", "f"]).lines() {
        fs::write(pack, b"other bytes").expect("it is ours");
    }
    let said = room.run(&["cat", "S-1", "data"]);
    assert!(said.code == 3 && said.err.contains("--repair-from"), "{said:?}");
}
