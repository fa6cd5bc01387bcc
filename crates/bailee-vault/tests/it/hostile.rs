//! Transfers that nobody honest sends, and transfers that break in bad places.

use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bailee_store::{MemoryObjects, Objects};
use bailee_vault::{Plain, Progress, SnapshotId, Source, SourceKind, Vault, VaultError, receive};

use crate::support::{memory_vault, noise};
use crate::transfer::{given, sent, take_in};

const MAGIC: &[u8] = b"bailee transfer 1\n";

fn frame(kind: u8, bytes: &[u8]) -> Vec<u8> {
    let len = u32::try_from(bytes.len()).unwrap().to_be_bytes();
    [&[kind][..], &len, bytes].concat()
}

/// Frames with their end.
fn stream(frames: &[Vec<u8>]) -> Vec<u8> {
    let end = frame(11, &(frames.len() as u64).to_be_bytes());
    [MAGIC, &frames.concat(), &end].concat()
}

/// The frames that a file is sent as: its entry, and so on, without an end.
fn frames_of(file: &Path) -> Vec<u8> {
    let whole = sent(&Source::File(file.to_owned()));
    whole[MAGIC.len()..whole.len() - 13].to_vec()
}

/// What lies in the destination of a restore that did not come to its end.
const MARKER: &str = ".bailee-restore-incomplete";

fn names(dir: &Path) -> Vec<String> {
    let all = std::fs::read_dir(dir).unwrap();
    let mut names: Vec<String> =
        all.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name != MARKER);
    names.sort();
    names
}

/// A vault with a snapshot of files of 300 kB that are called so.
fn some(below: &Path, files: &[&str]) -> (Arc<MemoryObjects>, Vault, SnapshotId) {
    let from = below.join("from");
    std::fs::create_dir(&from).unwrap();
    for name in files {
        std::fs::write(from.join(name), content(name)).unwrap();
    }
    std::fs::hard_link(from.join("a"), from.join("a-again")).unwrap();
    let (objects, vault) = memory_vault();
    let kept = vault.preserve("t", "A-1", &Source::Tree(from), &mut ()).unwrap();
    (objects, vault, kept.id)
}

fn content(name: &str) -> Vec<u8> {
    noise(u64::from(name.as_bytes()[0]), 300_000)
}

/// Where a file's content begins in what is given.
fn at(whole: &[u8], name: &str) -> usize {
    let begin = &content(name)[..32];
    whole.windows(begin.len()).position(|window| window == begin).unwrap()
}

#[test]
fn a_damaged_file_does_not_stay_when_the_stream_breaks_behind_it() {
    let dir = tempfile::tempdir().unwrap();
    let (_, vault, id) = some(dir.path(), &["a", "b", "c"]);
    let mut whole = given(&vault, &id, None);
    let turned = at(&whole, "a") + 100_000;
    whole[turned] ^= 1;
    whole.truncate(at(&whole, "c") + 100_000);
    let to = dir.path().join("to");
    let broke = receive((&mut whole.as_slice(), "the service"), &to, None, &mut ()).unwrap_err();
    assert_eq!(names(&to), ["b"], "what did not give its SHA-256 is removed");
    assert!(to.join(MARKER).exists(), "and it is marked as what it is");
    let again = receive((&mut whole.as_slice(), "the service"), &to, None, &mut ()).unwrap_err();
    assert!(matches!(again, VaultError::CutOff { .. }), "{again}");
    let said = broke.to_string();
    assert!(said.contains("\"c\"") && said.contains("\"a\""), "and named: {said}");
    assert!(matches!(broke, VaultError::Transfer { .. }));
}

/// Somebody else who makes a file in the destination.
struct Intruder(PathBuf);

impl Progress for Intruder {
    fn begin(&mut self, _: &'static str, _: u64) {
        std::fs::write(&self.0, b"theirs").unwrap();
    }
    fn advance(&mut self, _: u64, _: u64) {}
}

/// On the spot, where the threads that write make the files.
#[test]
fn a_file_that_cannot_be_made_ends_the_restore_and_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let (_, vault, id) = some(dir.path(), &["a", "b", "c"]);
    let (to, there) = (dir.path().join("to"), dir.path().join("to/b"));
    let mut intruder = Intruder(there.clone());
    let refused = vault.restore_with("t", &id, &to, None, &mut intruder).unwrap_err();
    let VaultError::Destination { path, doing, .. } = &refused else { panic!("{refused}") };
    assert_eq!((path.as_str(), *doing), ("b", "create the file"));
    assert_eq!(std::fs::read(there).unwrap(), b"theirs", "it is not ours to remove");
    assert_eq!(std::fs::read(to.join("a")).unwrap(), content("a"), "what came before stays");
}

#[test]
fn a_damaged_file_does_not_stay_when_the_destination_fails_behind_it() {
    let dir = tempfile::tempdir().unwrap();
    let (objects, vault, id) = some(dir.path(), &["a", "b", "z"]);
    let mut whole = given(&vault, &id, None);
    let turned = at(&whole, "a") + 100_000;
    whole[turned] ^= 1;
    let to = dir.path().join("to");
    let mut intruder = Intruder(to.join("z"));
    let from = (&mut whole.as_slice() as &mut (dyn Read + Send), "the service");
    let failed = receive(from, &to, None, &mut intruder).unwrap_err();
    assert!(matches!(failed, VaultError::Destination { .. }), "{failed}");
    assert!(failed.to_string().contains("\"a\""), "{failed}");
    assert_eq!(names(&to), ["b", "z"]);
    assert_eq!(std::fs::read(to.join("z")).unwrap(), b"theirs", "nothing of others is touched");
    // And on the directory itself, where every pack has a byte that turned.
    let packs = objects.list("").unwrap().into_iter().filter(|name| name.contains("/data/"));
    for name in packs {
        let mut pack = objects.get(&name).unwrap();
        let middle = pack.len() / 2;
        pack[middle] ^= 1;
        objects.delete(&name).unwrap();
        objects.put(&name, &pack).unwrap();
    }
    let here = dir.path().join("here");
    let mut intruder = Intruder(here.join("z"));
    let failed = vault.restore_with("t", &id, &here, None, &mut intruder).unwrap_err();
    assert!(matches!(failed, VaultError::Destination { .. }), "{failed}");
    let left = names(&here);
    assert!(left.len() < 4 && left.contains(&"z".to_owned()), "{left:?}");
    for name in left.iter().filter(|name| *name != "z") {
        assert!(std::fs::read(here.join(name)).unwrap() == content(name), "{name} is not whole");
    }
}

#[test]
fn a_stream_without_what_its_kind_has_is_no_snapshot() {
    let dir = tempfile::tempdir().unwrap();
    let [a, b] = ["a", "b"].map(|name| dir.path().join(name));
    std::fs::write(&a, b"a").unwrap();
    std::fs::write(&b, b"b").unwrap();
    let (_, vault) = memory_vault();
    for kind in [SourceKind::Tree, SourceKind::File, SourceKind::Device] {
        let nothing = take_in(&vault, stream(&[]), kind);
        assert!(matches!(nothing, Err(VaultError::Transfer { .. })), "{kind:?}: {nothing:?}");
    }
    for kind in [SourceKind::File, SourceKind::Device] {
        let both = [frames_of(&a), frames_of(&b)].concat();
        let end = frame(11, &6u64.to_be_bytes());
        let two = take_in(&vault, [MAGIC, &both, &end].concat(), kind);
        assert!(matches!(two, Err(VaultError::Transfer { .. })), "{kind:?}: {two:?}");
    }
    assert_eq!(vault.list("t").unwrap(), []);
    // Nor is it one on its way out: a restore of nothing is not complete.
    let head = [&[0u8][..], &[7; 16], &0u32.to_be_bytes()].concat();
    let empty = stream(&[frame(1, &head), frame(2, &0u32.to_be_bytes())]);
    let to = dir.path().join("to");
    let refused = receive((&mut empty.as_slice(), "the service"), &to, None, &mut ());
    assert!(matches!(refused, Err(VaultError::Transfer { .. })), "{refused:?}");
}

#[test]
fn a_stream_that_breaks_behind_a_hole_without_bounds_is_let_go_of() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a");
    std::fs::write(&file, b"a").unwrap();
    let (_, vault) = memory_vault();
    // To hash so many zeros takes a century. The client is gone: nobody waits for it.
    for kind in [6, 7] {
        let hole = frame(kind, &(1u64 << 62).to_be_bytes());
        let entry = frames_of(&file);
        let entry = &entry[..entry.len() - 6 - 6]; // without its byte and its end
        let cut = [MAGIC, entry, &hole, &frame(8, &[0])].concat();
        let refused = take_in(&vault, cut, SourceKind::File);
        assert!(matches!(refused, Err(VaultError::Transfer { .. })), "{refused:?}");
    }
}

#[test]
fn nothing_but_the_end_comes_behind_a_report() {
    let read = |frames: &[Vec<u8>]| {
        let mut plain = Plain::new(Cursor::new(stream(frames)), "t");
        plain.read_to_end(&mut Vec::new()).map(|_| plain.report().unwrap())
    };
    assert_eq!(read(&[frame(5, b"a"), frame(10, b"r")]).unwrap(), b"r");
    let behind = read(&[frame(5, b"a"), frame(10, b"r"), frame(5, b"b")]).unwrap_err();
    assert!(behind.to_string().contains("behind"), "{behind}");
    assert!(read(&[frame(10, b"r"), frame(6, &1u64.to_be_bytes())]).is_err());
}

#[test]
fn a_report_of_any_length_comes_whole() {
    let mut wire = Vec::new();
    let report = noise(5, 65 << 20);
    bailee_vault::PlainWriter::new(&mut wire).end(&report).unwrap();
    let mut plain = Plain::new(wire.as_slice(), "t");
    assert_eq!(plain.read_to_end(&mut Vec::new()).unwrap(), 0);
    assert!(plain.report().unwrap() == report);
}
