//! The vault's key at the command line: changed while data is kept, copied for counsel, lost and
//! brought back by `age` from counsel's copy alone.

#![allow(clippy::unwrap_used)] // helpers of tests are tests

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::room::{Room, text};

/// A house with data of A-1 in its vault, and counsel's public key; the private one is in the file
/// `counsel`.
fn kept() -> (Room, String) {
    let room = Room::with_house();
    room.furnish();
    fs::create_dir(room.path("data")).unwrap();
    room.file("data/letters", b"Letters of Vos Photography");
    room.run_as("P-2", &["preserve", "A-1", text(&room.path("data"))]).ok();
    let age = |args: &[&str]| Command::new("age-keygen").args(args).output().unwrap();
    let counsel = room.path("counsel");
    assert!(age(&["-o", text(&counsel)]).status.success());
    let public = String::from_utf8(age(&["-y", text(&counsel)]).stdout).unwrap();
    (room, public.trim().to_owned())
}

/// Every file of the vault but wrapped tenants' roots and the configuration.
fn untouched(dir: &Path, all: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
        let name = entry.to_str().unwrap().to_owned();
        if entry.is_dir() {
            untouched(&entry, all);
        } else if name.contains("/vault/") && (name.contains("/u/") || name.contains("/s/")) {
            all.insert(name, fs::read(entry).unwrap());
        }
    }
}

fn objects(room: &Room) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    untouched(&room.house().join("objects"), &mut all);
    assert!(all.len() > 3, "packs, an index, a snapshot, the unit's key");
    all
}

fn readable(room: &Room) {
    let said = room.run_as("P-2", &["snapshot", "verify", "S-1"]);
    assert_eq!(said.code, 0, "{said:?}");
}

#[test]
fn the_key_changes_under_what_is_kept_and_counsels_copy_brings_it_back() {
    let (room, counsel) = kept();
    let (key, before) = (room.house().join("keys/vault.key"), objects(&room));
    let old = fs::read(&key).unwrap();
    room.run(&["keys", "vault", "escrow", "--to", &counsel, "-o", "first.age"]).ok();
    let rotate = ["--json", "keys", "vault", "rotate", "--escrow-to", &counsel, "-o", "second.age"];
    let said = room.run(&rotate);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(said.json()["tenants"], 1);
    assert_eq!(said.json()["destroyed"].as_array().unwrap().len(), 2, "{said:?}");
    assert_eq!(objects(&room), before, "not one byte of a pack, index, snapshot or unit key");
    assert_ne!(fs::read(&key).unwrap(), old);
    readable(&room);

    fs::remove_file(&key).unwrap();
    let blind = room.run_as("P-2", &["snapshot", "verify", "S-1"]);
    assert!(blind.code != 0 && blind.err.contains("vault.key"), "{blind:?}");
    for (copy, opens) in [("first.age", false), ("second.age", true)] {
        let opened = opened(&room, copy);
        fs::write(&key, opened).unwrap();
        fs::set_permissions(&key, PermissionsExt::from_mode(0o600)).unwrap();
        let said = room.run_as("P-2", &["snapshot", "verify", "S-1"]);
        assert_eq!(said.code == 0, opens, "{copy}: {said:?}");
        assert!(opens || said.err.contains("does not open the vault"), "{said:?}");
    }
    assert_eq!(room.run(&["check"]).code, 0);
}

/// What counsel gets out of a copy, with `age`.
fn opened(room: &Room, copy: &str) -> Vec<u8> {
    let mut age = Command::new("age");
    age.args(["-d", "-i"]).arg(room.path("counsel")).arg(room.path(copy));
    let opened = age.output().unwrap();
    assert!(opened.status.success(), "{opened:?}");
    opened.stdout
}

#[test]
fn a_change_that_a_crash_cut_off_is_finished_and_not_begun_again() {
    let (room, counsel) = kept();
    let (key, next) =
        (room.house().join("keys/vault.key"), room.house().join("keys/vault.next.key"));
    let old = fs::read(&key).unwrap();
    // Counsel's copy cannot be written: the vault is wrapped for both keys, and nothing is taken.
    let blocked = ["keys", "vault", "rotate", "--escrow-to", &counsel, "-o", "counsel"];
    assert_ne!(room.run(&blocked).code, 0);
    assert_eq!(fs::read(&key).unwrap(), old);
    let new = fs::read(&next).unwrap();
    readable(&room);
    // What lies between the rename and the end.
    fs::rename(&next, &key).unwrap();
    readable(&room);
    let said = room.run(&["--json", "keys", "vault", "rotate"]);
    assert_eq!(said.json()["destroyed"].as_array().unwrap().len(), 2, "{said:?}");
    assert_eq!(fs::read(&key).unwrap(), new, "the change was finished; no third key was made");
    readable(&room);
    fs::write(&key, old).unwrap();
    let refused = room.run(&["keys", "vault", "rotate"]);
    assert!(refused.err.contains("does not open the vault"), "{refused:?}");
    assert!(!next.exists(), "no key is made for a vault that does not open");
}

#[test]
fn a_key_that_is_no_recipient_is_refused_before_anything_happens() {
    let (room, counsel) = kept();
    let other = if &counsel[10..11] == "q" { "p" } else { "q" };
    let wrong = format!("{}{other}{}", &counsel[..10], &counsel[11..]);
    let said = room.run(&["keys", "vault", "escrow", "--to", &wrong, "-o", "copy.age"]);
    assert!(said.code == 2 && said.err.contains("checksum"), "{said:?}");
    assert!(!room.path("copy.age").exists());
    room.run(&["keys", "vault", "escrow", "--to", &counsel, "-o", "copy.age"]).ok();
    let again = room.run(&["keys", "vault", "escrow", "--to", &counsel, "-o", "copy.age"]);
    assert!(again.code != 0 && again.err.contains("copy.age"), "a copy is never overwritten");
}

/// Every file below a directory that has `needle` in it.
fn holders(dir: &Path, needle: &[u8], found: &mut Vec<std::path::PathBuf>, seen: &mut u32) {
    for path in fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            holders(&path, needle, found, seen);
        } else {
            *seen += 1;
            let bytes = fs::read(&path).unwrap();
            if bytes.windows(needle.len()).any(|window| window == needle) {
                found.push(path);
            }
        }
    }
}

#[test]
fn what_is_kept_is_in_no_file_of_the_house_in_clear_nor_is_a_retired_key() {
    let (room, _) = kept();
    let key = room.house().join("keys/vault.key");
    let old = fs::read(&key).unwrap();
    readable(&room);
    room.run(&["keys", "vault", "rotate"]).ok();
    readable(&room);
    for needle in [b"Letters of Vos Photography".to_vec(), old] {
        let (mut found, mut seen) = (Vec::new(), 0);
        holders(&room.house(), &needle, &mut found, &mut seen);
        assert!(found.is_empty(), "journal, image, packs, index, keys: {found:?}");
        assert!(seen > 10, "only {seen} files were read");
    }
    let (mut found, mut seen) = (Vec::new(), 0);
    holders(&room.house(), &fs::read(&key).unwrap(), &mut found, &mut seen);
    assert_eq!(found, [key], "the control: the key is in its file, and nowhere else");
}
