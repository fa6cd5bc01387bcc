//! A disk of the house's own, from proposal to certificate; and data into the vault and out.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::keys::shell;
use crate::room::{LETTER, Room, text};

/// A house whose A-1 is bound to an image file, with X-1 approved by three persons.
pub(crate) fn approved() -> (Room, std::path::PathBuf) {
    let room = Room::with_house();
    let disk = room.file("disk.img", &vec![0xA5; 4 << 20]);
    room.run_as("P-2", &["asset", "add", "spare", "--kind", "drive", "--device", text(&disk)]).ok();
    let propose = ["disposition", "propose", "sanitize", "A-1", "--note", "Out of use"];
    room.run_as("P-2", &propose).ok();
    let own = room.run_as("P-2", &["disposition", "approve", "X-1"]);
    assert_eq!(own.code, 1, "{own:?}");
    assert!(own.err.contains("approver_is_proposer"), "{own:?}");
    room.run_as("P-3", &["disposition", "approve", "X-1"]).ok();
    room.run_as("P-1", &["disposition", "approve", "X-1"]).ok();
    (room, disk)
}

#[test]
fn a_reservation_is_something_new() {
    let (room, disk) = approved();
    let reserve = ["clearance", "reserve", "X-1", "A-1", "--device", text(&disk)];
    let said = room.run_as("P-2", &reserve);
    assert!(said.code == 0 && said.out.starts_with("bailee/clearance/"), "{said:?}");
    assert!(said.err.contains("C-1") && !said.err.contains("nothing to record"), "{said:?}");
}

#[test]
fn a_disk_is_overwritten_under_a_clearance_and_its_certificate_verifies() {
    let (room, disk) = approved();
    assert_eq!(room.run(&["gate", "check", "A-1"]).code, 0);
    let json = room.path("certificate.json");
    let said = room.run_as(
        "P-2",
        &[
            "--json",
            "sanitize",
            "A-1",
            "--device",
            text(&disk),
            "--disposition",
            "X-1",
            "--log",
            text(&room.path("run.log")),
            "--certificate",
            text(&json),
        ],
    );
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(said.json()["clearance"], "C-1");
    let gone = fs::read(&disk).unwrap();
    assert_eq!(gone.len(), 4 << 20);
    assert!(!gone.windows(16).any(|window| window == [0xA5; 16]), "no old byte is left");
    let certificate: serde_json::Value = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();
    assert_eq!(certificate["format"], "bailee/certificate/v1");

    let bundle = room.path("C-1.bailee.zip");
    room.run(&["certificate", "C-1", "-o", text(&bundle)]).ok();
    let status = room.run(&["--json", "status"]).json();
    let key = status["log_key"].as_str().unwrap().to_owned();
    let verified = room.run(&["verify", text(&bundle), "--key", &key]).ok();
    assert!(verified.contains("certificate of log"), "{verified}");
    let again = room.run(&["gate", "check", "A-1"]);
    assert_eq!(again.code, 1);
    assert!(again.out.contains("already_gone"), "{again:?}");
    assert_eq!(room.run(&["check"]).code, 0);
}

#[test]
fn a_letter_between_approval_and_wipe_keeps_the_disk() {
    let (room, disk) = approved();
    let letter = LETTER.replace("Vos Photography", "the disk spare");
    let letter = room.file("letter.eml", letter.as_bytes());
    room.run(&["intake", text(&letter)]).ok();
    let log = room.path("run.log");
    let order = ["sanitize", "A-1", "--device", text(&disk), "--disposition", "X-1", "--log"];
    let order: Vec<&str> = order.into_iter().chain([text(&log)]).collect();
    let said = room.run_as("P-2", &order);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.contains("hold_provisional"), "{said:?}");
    assert_eq!(fs::read(&disk).unwrap(), vec![0xA5; 4 << 20], "not one byte was written");
}

#[test]
fn another_disk_than_the_bound_one_is_refused() {
    let (room, _) = approved();
    let other = room.file("other.img", &vec![1; 4 << 20]);
    let log = room.path("run.log");
    let order = ["sanitize", "A-1", "--device", text(&other), "--disposition", "X-1", "--log"];
    let order: Vec<&str> = order.into_iter().chain([text(&log)]).collect();
    let said = room.run_as("P-2", &order);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.contains("wrong_subject"), "{said:?}");
    assert_eq!(fs::read(&other).unwrap(), vec![1; 4 << 20]);
}

#[test]
fn the_steps_of_a_clearance_can_be_gone_one_by_one() {
    let (room, disk) = approved();
    let reserve = ["clearance", "reserve", "X-1", "A-1", "--device", text(&disk)];
    let reserved = room.run_as("P-2", &reserve);
    assert_eq!(reserved.code, 0, "{reserved:?}");
    assert!(reserved.out.starts_with("bailee/clearance/v1\n"), "{reserved:?}");
    assert!(reserved.err.contains("C-1"), "{reserved:?}");
    assert_eq!(room.run(&["clearance", "token", "C-1"]).ok(), reserved.out);
    let token = room.file("token", reserved.out.as_bytes());
    let status = room.run(&["--json", "status"]).json();
    let key = status["clearance_key"].as_str().unwrap().to_owned();
    let shown = room.run(&["verify", text(&token), "--key", &key]).ok();
    assert!(shown.contains("permits to sanitize asset A-1"), "{shown}");
    room.run_as("P-2", &["clearance", "begin", "C-1"]).ok();
    room.run_as("P-2", &["clearance", "renew", "C-1"]).ok();
    let bare = room.run_as("P-2", &["clearance", "finish", "C-1"]);
    assert!(bare.code == 1 && bare.err.contains("certificate_missing"), "{bare:?}");
    room.run_as("P-2", &["clearance", "abort", "C-1", "--gone", "512", "--note", "Broke"]).ok();
    let duties = room.run(&["duty", "list"]).ok();
    assert!(duties.contains("explain-loss"), "{duties}");
    let shown = room.run(&["--json", "clearance", "show", "C-1"]).json();
    assert_eq!(
        (&shown["gone"], &shown["report"]["note"]),
        (&512.into(), &"Broke".into()),
        "{shown}"
    );
    let fate = room.run(&["--json", "asset", "show", "A-1"]).json()["fate"].take();
    assert_eq!((&fate["is"], &fate["gone"]), (&"partial".into(), &512.into()), "{fate}");
    let bytes =
        room.run(&["--json", "disposition", "show", "X-1"]).json()["radius"]["bytes"].take();
    assert_eq!(bytes, 4 << 20, "the device's own size");
}

#[test]
fn data_goes_into_the_vault_and_comes_out_the_same() {
    let room = Room::with_house();
    room.furnish();
    fs::create_dir_all(room.path("data/photos")).unwrap();
    room.file("data/photos/a.raw", &[7; 100_000]);
    room.file("data/notes.txt", b"notes");
    let kept = room.run_as("P-2", &["--json", "preserve", "A-1", text(&room.path("data"))]);
    assert_eq!(kept.code, 0, "{kept:?}");
    assert_eq!(kept.json()["snapshot"], "S-1");
    assert_eq!(kept.json()["verified"], true);
    room.run_as("P-2", &["snapshot", "verify", "S-1"]).ok();
    let into = room.path("out");
    let back = room.run_as("P-2", &["restore", "S-1", text(&into), "--only", "photos/*"]);
    assert_eq!(back.code, 0, "{back:?}");
    assert_eq!(fs::read(into.join("photos/a.raw")).unwrap(), vec![7; 100_000]);
    assert!(!into.join("notes.txt").exists(), "only what was asked for");
    assert!(!back.err.contains("restoring"), "no progress into a pipe: {back:?}");
    let typed = shell(&room, "script -qec 'bailee --as P-2 restore S-1 all' typed").ok();
    assert!(typed.contains("restoring") && typed.contains(" % of 100"), "{typed}");
}

#[test]
fn a_file_of_a_snapshot_is_written_out_whole_or_by_range() {
    let room = Room::with_house();
    room.furnish();
    fs::create_dir_all(room.path("data/sub")).unwrap();
    let bytes: Vec<u8> = (0..3_000_000u32).map(|n| (n % 251) as u8).collect();
    room.file("data/sub/big.bin", &bytes);
    room.run_as("P-2", &["preserve", "A-1", text(&room.path("data"))]).ok();
    let cat = |more: &[&str]| {
        let all: Vec<&str> = ["cat", "S-1", "sub/big.bin"].iter().chain(more).copied().collect();
        room.pipe(&all, b"")
    };
    let whole = cat(&[]);
    assert!(whole.status.success() && whole.stdout == bytes, "{:?}", whole.stderr);
    for (range, want) in [
        ("0-0", &bytes[..1]),
        ("999999-2500000", &bytes[999_999..=2_500_000]),
        ("2999990-", &bytes[2_999_990..]),
        ("-7", &bytes[2_999_993..]),
    ] {
        let part = cat(&["--range", range]);
        assert!(part.status.success() && part.stdout == want, "{range}");
    }
    let map = room.run(&["snapshot", "map", "S-1", "sub/big.bin"]).ok();
    assert!(map.ends_with("\n0x00000000  0x002DC6C0  +\n"), "all of it was read: {map}");
    let map = room.run(&["--json", "snapshot", "map", "S-1", "sub/big.bin"]).json();
    assert_eq!((&map["size"], &map["unreadable"]), (&3_000_000.into(), &serde_json::json!([])));
    let beyond = cat(&["--range", "0-3000000"]);
    assert_eq!((beyond.status.code(), beyond.stdout.len()), (Some(2), 0));
    let absent = room.run(&["cat", "S-1", "sub/none"]);
    assert!(absent.code == 1 && absent.err.contains("sub/none"), "{absent:?}");
    let mut child = room
        .command(&["cat", "S-1", "sub/big.bin"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take()); // nobody reads any more
    let gone = child.wait_with_output().unwrap();
    assert!(gone.status.code() == Some(3) && gone.stderr.is_empty(), "quiet, and no yes: {gone:?}");
}

#[test]
fn a_second_copy_skips_what_is_at_rest_and_a_rehash_reads_it() {
    let room = Room::with_house();
    room.furnish();
    let old = fs::canonicalize("/usr/bin/env").unwrap(); // nobody has touched it for a while
    let size = fs::metadata(&old).unwrap().len();
    let preserve = |more: &[&str]| {
        let line = ["--json", "preserve", "A-1", text(&old)];
        let all: Vec<&str> = line.iter().chain(more).copied().collect();
        let kept = room.run_as("P-2", &all);
        assert_eq!(kept.code, 0, "{kept:?}");
        kept.json()["unchanged_bytes"].as_u64()
    };
    assert_eq!(preserve(&[]), Some(0), "the first reads it");
    assert_eq!(preserve(&[]), Some(size), "the second need not");
    assert_eq!(preserve(&["--rehash"]), Some(0), "a rehash does");
}

#[test]
fn a_snapshot_leaves_as_archive_bag_and_volumes() {
    let room = Room::with_house();
    room.furnish();
    fs::create_dir_all(room.path("data")).unwrap();
    fs::create_dir_all(room.path("tape")).unwrap();
    room.file("data/a.raw", &[7; 100_000]);
    room.run_as("P-2", &["preserve", "A-1", text(&room.path("data"))]).ok();
    let export = |form: &str, to: &str, more: &[&str]| {
        let to = room.path(to);
        let args = ["--json", "export", "S-1", "--form", form, "--to", text(&to)];
        room.run_as("P-2", &[&args[..], more].concat())
    };
    assert_eq!(export("tar", "a.tar", &[]).json()["files"], 1);
    assert!(fs::read(room.path("a.tar")).unwrap().ends_with(&[0; 1024]));
    assert_eq!(export("tar", "a.tar", &[]).code, 2, "nothing is overwritten");
    assert_eq!(export("bag", "bag", &[]).json()["bytes"], 100_000);
    assert!(room.path("bag/bagit.txt").exists());
    assert_eq!(export("volumes", "tape", &[]).code, 2, "volumes need a key file");
    let key = room.path("shelf.key");
    let said = export("volumes", "tape", &["--key", text(&key), "--size", "65536"]).json();
    assert_eq!(said["volumes"].as_array().unwrap().len(), 2, "{said}");
    let first = said["volumes"][0]["file"].as_str().unwrap();
    assert_eq!(fs::metadata(first).unwrap().len(), 65_536);
    assert_eq!(fs::read(&key).unwrap().len(), 65, "the key was made");
}

#[test]
fn a_scrub_goes_on_where_it_stopped_and_a_copy_puts_right_what_it_found() {
    let room = Room::with_house();
    room.furnish();
    fs::create_dir_all(room.path("data")).unwrap();
    let bytes: Vec<u8> = (0..200_000u32).map(|n| (n % 241) as u8).collect();
    room.file("data/a.raw", &bytes);
    room.run_as("P-2", &["preserve", "A-1", text(&room.path("data"))]).ok();
    let scrub = |more: &[&str]| room.run(&[&["--json", "scrub"][..], more].concat());
    let whole = scrub(&[]).json();
    let packs = whole["packs"].as_u64().unwrap();
    assert!(packs >= 2 && whole["problems"] == serde_json::json!([]), "{whole}");
    let part = scrub(&["--budget", "1"]).json();
    assert_eq!((&part["packs"], &part["of_bytes"]), (&1.into(), &whole["bytes"]));
    // A copy of the house, and then a byte of the first one's data turns.
    let (house, copy) = (room.path("house"), room.path("copy"));
    assert!(Command::new("cp").arg("-a").args([&house, &copy]).status().unwrap().success());
    let pack = packs_below(&house.join("objects")).into_iter().next().unwrap();
    let mut damaged = fs::read(&pack).unwrap();
    let sound = damaged.clone();
    damaged[200] ^= 1;
    fs::set_permissions(&pack, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&pack, damaged).unwrap();
    let found = scrub(&[]);
    assert_eq!((found.code, found.json()["problems"].as_array().unwrap().len()), (1, 1));
    let nowhere = scrub(&["--repair-from", text(&room.path("nowhere"))]);
    assert!(nowhere.code != 0 && nowhere.err.contains("nowhere"), "{nowhere:?}");
    let mended = scrub(&["--repair-from", text(&copy)]);
    assert_eq!((mended.code, &mended.json()["repaired"]["packs"]), (0, &1.into()), "{mended:?}");
    assert!(fs::read(&pack).unwrap() == sound);
    assert_eq!(scrub(&[]).json()["problems"], serde_json::json!([]));
    assert_eq!(scrub(&["--budget", "0%"]).code, 2);
    // Both are damaged: in the same place, and then in different ones.
    let of_copy = copy.join(pack.strip_prefix(&house).unwrap());
    let spoiled = |at: usize| {
        let mut damaged = sound.clone();
        damaged[at] ^= 1;
        damaged
    };
    for path in [&pack, &of_copy] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(path, spoiled(200)).unwrap();
    }
    let lost = scrub(&["--repair-from", text(&copy)]);
    let said = &lost.json()["repaired"]["lost"][0];
    assert_eq!((lost.code, &said["snapshot"]), (1, &"S-1".into()), "{lost:?}");
    assert!(said["path"].is_string() && said["bytes"][0].is_string(), "{lost:?}");
    fs::write(&of_copy, spoiled(sound.len() - 20)).unwrap();
    let mended = scrub(&["--repair-from", text(&copy)]);
    assert_eq!((mended.code, &mended.json()["repaired"]["packs"]), (0, &1.into()), "{mended:?}");
    assert!(fs::read(&pack).unwrap() == sound);
}

/// Files of the vault that hold data.
pub(crate) fn packs_below(dir: &Path) -> Vec<PathBuf> {
    let inside = fs::read_dir(dir).expect("a directory").map(|entry| entry.expect("a name").path());
    let below = |path: PathBuf| if path.is_dir() { packs_below(&path) } else { vec![path] };
    let is_pack = |path: &PathBuf| path.parent().is_some_and(|above| above.ends_with("data"));
    inside.flat_map(below).filter(is_pack).collect()
}
