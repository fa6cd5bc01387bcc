//! The outbox: once per key, whole or absent, whatever is left behind.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use bailee_post::{Outbox, OutboxError, Put};

#[test]
fn twice_is_harmless() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = Outbox::open(&dir.path().join("outbox")).unwrap();
    assert_eq!(outbox.put("receipt-D-1", b"letter").unwrap(), Put::Stored);
    assert_eq!(outbox.put("receipt-D-1", b"letter").unwrap(), Put::AlreadyThere);
    assert_eq!(outbox.put("receipt-D-1", b"another").unwrap(), Put::OtherKept);
    assert_eq!(outbox.get("receipt-D-1").unwrap(), b"letter");
    assert_eq!(outbox.put("N-204.1_a", b"").unwrap(), Put::Stored);
    let again = Outbox::open(&dir.path().join("outbox")).unwrap();
    assert_eq!(again.keys().unwrap(), ["N-204.1_a", "receipt-D-1"]);
    assert!(matches!(again.get("x"), Err(OutboxError::NotFound { key }) if key == "x"));
}

#[test]
fn files_are_private_and_leftovers_go() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("outbox");
    let outbox = Outbox::open(&path).unwrap();
    outbox.put("a", b"letter").unwrap();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(&path.join("a.eml"))), (0o700, 0o600));
    fs::write(path.join("b-1-1~part"), "half").unwrap();
    fs::write(path.join("notes.txt"), "not ours").unwrap();
    assert_eq!(outbox.keys().unwrap(), ["a"]);
    Outbox::open(&path).unwrap();
    let mut left: Vec<_> = fs::read_dir(&path).unwrap().map(|e| e.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["a.eml", "notes.txt"]);
}

#[test]
fn keys_are_names_of_files_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = Outbox::open(&dir.path().join("outbox")).unwrap();
    for key in
        ["", ".", "..", ".hidden", "a/b", "../a", "a b", "ä", "a~part", "a\0", &"k".repeat(129)]
    {
        assert!(matches!(outbox.put(key, b"x"), Err(OutboxError::BadKey { .. })), "{key:?}");
        assert!(matches!(outbox.get(key), Err(OutboxError::BadKey { .. })), "{key:?}");
    }
    assert_eq!(outbox.put(&"k".repeat(128), b"x").unwrap(), Put::Stored);
}

#[test]
fn a_race_keeps_one_letter() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = Outbox::open(&dir.path().join("outbox")).unwrap();
    for round in 0..20 {
        let key = &format!("k-{round}");
        let stored = std::thread::scope(|scope| {
            let racers: Vec<_> = [b"one", b"two"]
                .map(|letter| scope.spawn(|| outbox.put(key, letter).unwrap()))
                .into_iter()
                .collect();
            racers
                .into_iter()
                .map(|racer| racer.join().unwrap())
                .filter(|p| *p == Put::Stored)
                .count()
        });
        assert_eq!(stored, 1, "{key}");
        assert_eq!(outbox.get(key).unwrap().len(), 3);
    }
}

#[test]
fn what_is_in_the_way_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let missing = Outbox::open(&dir.path().join("no/such")).unwrap_err().to_string();
    assert!(missing.contains("no/such"), "{missing}");
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(Outbox::open(&file).unwrap_err().to_string().contains("file"));
}
