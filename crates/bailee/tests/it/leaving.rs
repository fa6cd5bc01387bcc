//! On the way out: what a medium never gave is said by every form, damage is told to the byte, and
//! what a killed process leaves is not taken for whole.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::member::member;
use crate::room::{BAILEE, Room, Said, text};
use crate::wire::{Server, token};

const HOLE: usize = 64 << 10;

/// An archive with an image of which the second 64 KiB were never given.
fn archive() -> Vec<u8> {
    let mut image = vec![7; HOLE];
    image.resize(3 * HOLE, 0);
    image.push(7);
    let record = member("pax", b'x', "", b"33 BAILEE.unreadable=65536,65536\n");
    [record, member("disk", b'0', "", &image), vec![0; 1024]].concat()
}

fn says(said: &Said, what: &str) {
    assert_eq!(said.code, 1, "{said:?}");
    let told = format!("{}{}", said.out, said.err);
    assert!(told.contains("bytes 65536..131072 were unreadable when preserved"), "{what}: {told}");
}

#[test]
fn what_was_never_read_is_said_by_every_way_out() {
    let room = Room::with_house();
    room.furnish();
    let tar = room.file("in.tar", &archive());
    let kept = room.run_as("P-2", &["--json", "preserve", "A-1", text(&tar), "--tar"]);
    assert_eq!((kept.code, &kept.json()["problems"][0]["path"]), (1, &json!("disk")), "{kept:?}");
    let (out, bag, tape, key) = ("out.tar", "bag", "tape", "shelf.key");
    let export = |form, to| ["--json", "export", "S-1", "--form", form, "--to", to];
    let sealed = [&export("volumes", tape)[..], &["--key", key]].concat();
    for line in
        [&export("tar", out)[..], &export("bag", bag), &sealed, &["--json", "restore", "S-1", "to"]]
    {
        let said = room.run_as("P-2", line);
        says(&said, &line.join(" "));
        let json = said.json();
        assert_eq!((&json["complete"], &json["never_read"]), (&json!(false), &json!(HOLE)));
    }
    let piped = room.command(&["export", "S-1", "--form", "tar", "--to", "-"]).output().unwrap();
    assert_eq!(piped.stdout, fs::read(room.path(out)).unwrap());
    let told = String::from_utf8(piped.stderr).unwrap();
    assert_eq!(told, "disk: bytes 65536..131072 were unreadable when preserved\n");
    assert_eq!(piped.status.code(), Some(1));
    for line in [
        &["--json", "volumes", "check", tape, "--key", key][..],
        &["--json", "volumes", "restore", tape, "--key", key, "--into", "back"],
    ] {
        let said = room.run(line);
        says(&said, &line.join(" "));
        assert_eq!(said.json()["complete"], json!(false));
    }
    // What left is taken in again, and is no more whole than before.
    let again = room.run_as("P-2", &["--json", "preserve", "A-1", out, "--tar"]);
    assert_eq!(
        (again.code, again.json()["problems"].clone()),
        (1, kept.json()["problems"].clone())
    );

    let operator = token(&room, "P-2", "operator");
    let server = Server::start(&room);
    for line in [export("tar", "there.tar"), export("bag", "there-bag")] {
        says(&server.run(&operator, &line), &line.join(" "));
    }
    assert_eq!(fs::read(room.path("there.tar")).unwrap(), fs::read(room.path(out)).unwrap());
}

/// Turns a byte of each data pack.
fn turn(room: &Room) {
    let mut below = vec![room.house().join("objects")];
    while let Some(dir) = below.pop() {
        for item in fs::read_dir(dir).expect("a directory") {
            let path = item.expect("an item").path();
            if path.is_dir() {
                below.push(path);
            } else if text(&path).contains("/data/") {
                let mut bytes = fs::read(&path).expect("a pack");
                bytes[1000] ^= 1;
                fs::write(&path, bytes).expect("it can be written");
            }
        }
    }
}

/// Three megabytes that nothing makes smaller, kept.
fn filmed(room: &Room) -> PathBuf {
    let mut state = 1u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    })
    .take(3 << 20)
    .collect();
    let film = room.file("film", &noise);
    room.run_as("P-2", &["preserve", "A-1", text(&film)]).ok();
    film
}

#[test]
fn to_preserve_again_makes_every_copy_whole() {
    let room = Room::with_house();
    room.furnish();
    let film = filmed(&room);
    turn(&room);
    let again = || room.run_as("P-2", &["--json", "preserve", "A-1", text(&film), "--rehash"]);
    let found = again();
    assert_eq!((found.code, &found.json()["verified"]), (1, &json!(false)), "{found:?}");
    assert!(found.err.contains("give the same command again"), "{found:?}");
    assert_eq!(again().json()["verified"], true);
    for snapshot in ["S-1", "S-2", "S-3"] {
        room.run_as("P-2", &["snapshot", "verify", snapshot]).ok();
    }
}

#[test]
fn damage_is_told_by_file_and_bytes_here_and_there() {
    let room = Room::with_house();
    room.furnish();
    filmed(&room);
    turn(&room);
    let verify = ["--json", "snapshot", "verify", "S-1"];
    let said = room.run_as("P-2", &verify);
    let problem = said.json()["problems"][0].clone();
    let bytes = problem["bytes"][0].as_str().unwrap().to_owned();
    let (start, end) = bytes.split_once("..").unwrap();
    let len = end.parse::<u64>().unwrap() - start.parse::<u64>().unwrap();
    assert!(said.code == 1 && problem["path"] == "film" && len <= 1 << 20, "{problem}");
    let words = room.run_as("P-2", &["snapshot", "verify", "S-1"]);
    let what = problem["what"].as_str().unwrap();
    assert!(words.out.contains(&bytes) && words.out.contains(what), "none of it is cut: {words:?}");
    let named = format!("bytes {bytes} of it cannot be given");
    let tar = ["export", "S-1", "--form", "tar", "--to", "film.tar"];
    let bag = ["export", "S-1", "--form", "bag", "--to", "film.bag"];
    let restored = room.run(&["restore", "S-1", "back"]);
    assert!(restored.code == 1 && restored.out.contains(&named), "{restored:?}");
    for line in [&tar[..], &bag] {
        let said = room.run(line);
        assert!(said.code == 3 && said.err.contains(&named), "{line:?}: {said:?}");
    }
    assert!(!room.path("film.tar").exists() && !room.path("film.tar.part").exists());
    let operator = token(&room, "P-2", "operator");
    let server = Server::start(&room);
    let there = server.run(&operator, &verify);
    assert_eq!(there.json()["problems"][0], problem);
    let restored = server.run(&operator, &["restore", "S-1", "there"]);
    assert!(restored.code == 1 && restored.out.contains(&named), "{restored:?}");
    for (form, to) in [("bag", "there-bag"), ("tar", "there.tar"), ("tar", "-")] {
        let args = ["export", "S-1", "--form", form, "--to", to];
        let out = server.command(server.url(), &operator, &args).output().unwrap();
        let told = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.code() == Some(3) && told.contains(&named), "{form} {to}: {told}");
    }
    assert!(!room.path("there.tar").exists() && !room.path("there.tar.part").exists());
}

/// A process that may write no file of over 4 MiB is killed when it does.
fn killed(room: &Room, args: &[&str]) {
    let mut command = Command::new("bash");
    command.args(["-c", "ulimit -c 0 -f 4096; exec \"$0\" \"$@\"", BAILEE]).args(args);
    command.current_dir(room.path("")).env("BAILEE_DIR", room.house());
    let said = command.output().expect("a shell starts");
    assert_eq!(said.status.code(), None, "it was killed: {said:?}");
}

#[test]
fn what_a_killed_export_or_restore_leaves_is_not_taken_for_whole() {
    let room = Room::with_house();
    room.furnish();
    let film = room.file("film", &vec![7; 6 << 20]);
    room.run_as("P-2", &["preserve", "A-1", text(&film)]).ok();
    let export = ["export", "S-1", "--form", "tar", "--to", "film.tar"];
    killed(&room, &export);
    assert!(!room.path("film.tar").exists(), "it has no name");
    let again = room.run(&export);
    assert!(again.code == 2 && again.err.contains("film.tar.part: is there already"), "{again:?}");
    fs::remove_file(room.path("film.tar.part")).unwrap();
    room.run(&export).ok();
    assert!(room.path("film.tar").exists() && !room.path("film.tar.part").exists());

    let restore = ["restore", "S-1", "back"];
    killed(&room, &restore);
    let again = room.run(&restore);
    assert!(again.code == 2 && again.err.contains("interrupted restore"), "{again:?}");
    fs::remove_dir_all(room.path("back")).unwrap();
    room.run(&restore).ok();
    let left: Vec<_> =
        fs::read_dir(room.path("back")).unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!(left, [room.path("back/film")]);
    let complete: Value = room.run(&["--json", "restore", "S-1", "again"]).json();
    assert_eq!(complete["complete"], json!(true));
}

/// A letter beside a name that nobody could read.
fn archive_with_a_name() -> Vec<u8> {
    let record = member("pax", b'x', "", b"44 BAILEE.missing=locked\0permission denied\0\n");
    let letter = member("box/letter", b'0', "", b"Keep this.");
    [record, member("box/", b'5', "", b""), letter, vec![0; 1024]].concat()
}

#[test]
fn a_name_that_was_never_read_is_said_by_every_way_out() {
    let room = Room::with_house();
    room.furnish();
    let tar = room.file("in.tar", &archive_with_a_name());
    let kept = room.run_as("P-2", &["--json", "preserve", "A-1", text(&tar), "--tar"]);
    assert_eq!((kept.code, &kept.json()["problems"][0]["path"]), (1, &json!("box/locked")));
    let (out, tape, key) = ("out.tar", "tape", "shelf.key");
    let export = |form, to| ["--json", "export", "S-1", "--form", form, "--to", to];
    let restore = |to| ["--json", "restore", "S-1", to];
    let sealed = [&export("volumes", tape)[..], &["--key", key]].concat();
    let told = |said: &Said, names: u64| {
        assert_eq!(said.code, 1, "{said:?}");
        let whole = format!("{}{}", said.out, said.err);
        assert!(whole.contains("it was unreadable when preserved: permission denied"), "{whole}");
        let json = said.json();
        assert_eq!((&json["complete"], &json["unreadable"]), (&json!(false), &json!(names)));
    };
    for line in [&export("tar", out)[..], &export("bag", "bag"), &sealed, &restore("to")] {
        told(&room.run_as("P-2", line), 1);
    }
    told(&room.run(&["--json", "volumes", "check", tape, "--key", key]), 1);
    told(&room.run(&["--json", "volumes", "restore", tape, "--key", key, "--into", "back"]), 1);
    let part = [&restore("part")[..], &["--only", "box/letter"]].concat();
    assert_eq!(room.run_as("P-2", &part).code, 0, "nobody asked for the other name");

    let operator = token(&room, "P-2", "operator");
    let server = Server::start(&room);
    for line in [&export("tar", "there.tar")[..], &export("bag", "there-bag"), &restore("there")] {
        told(&server.run(&operator, line), 1);
    }
    assert_eq!(fs::read(room.path("there.tar")).unwrap(), fs::read(room.path(out)).unwrap());
}

/// What the destination does not take: named, here and by the service and of volumes, and a 1.
#[test]
fn what_a_destination_does_not_take_is_named() {
    let room = Room::with_house();
    room.furnish();
    room.file("letter", b"Keep this.");
    let mut tar = Command::new("tar");
    tar.args(["--format=pax", "--pax-option=SCHILY.xattr.strange.own:=of no file system", "-c"]);
    let made = tar.arg("-C").arg(room.path(".")).arg("letter").output().unwrap();
    room.pipe(&["--as", "P-2", "preserve", "A-1", "-", "--tar"], &made.stdout);
    let what = "attribute strange.own: Operation not supported (os error 95)";
    let told = |said: &Said, path: &str| {
        assert_eq!((said.code, &said.json()["complete"]), (1, &json!(false)), "{said:?}");
        assert_eq!(said.json()["not_made"], json!([{ "path": path, "what": what }]), "{said:?}");
        assert_eq!(said.json()["not_made_more"], 0);
    };
    told(&room.run(&["--json", "restore", "S-1", "to"]), "letter");
    let said = room.run(&["restore", "S-1", "again"]);
    let line = format!("  {what}  letter\n");
    assert!(
        said.code == 1 && said.out.contains("not made\n") && said.out.contains(&line),
        "{said:?}"
    );
    assert_eq!(fs::read(room.path("again/letter")).unwrap(), b"Keep this.");
    let shelf = ["export", "S-1", "--form", "volumes", "--to", "tape", "--key", "shelf.key"];
    room.run_as("P-2", &shelf).ok();
    let back = ["--json", "volumes", "restore", "tape", "--key", "shelf.key", "--into", "back"];
    let back = room.run(&back);
    let path = back.json()["not_made"][0]["path"].as_str().map(str::to_owned).unwrap();
    told(&back, &path);
    assert!(path.ends_with("/letter"), "{path}");
    let operator = token(&room, "P-2", "operator");
    let server = Server::start(&room);
    told(&server.run(&operator, &["--json", "restore", "S-1", "there"]), "letter");
}
