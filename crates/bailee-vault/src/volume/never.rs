//! What the medium never gave, and what changed meanwhile, on its way out and back in: said by
//! every reader, never taken for content.

use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use bailee_store::MemoryObjects;

use super::made::{export, interpreter, key, key_file, reader};
use super::{Given, check_volumes, read_volumes, restore_volumes};
use crate::error::VaultError;
use crate::key::Kek;
use crate::manifest::{Content, Entry, Extent, Node, Stored};
use crate::pattern::Pattern;
use crate::preserve::{Input, SnapshotReport, Source};
use crate::vault::Vault;

const HOLE: u64 = 64 << 10;

/// A letter, and an image of which the middle was never given: at its start a hole stays one.
fn tree(dir: &Path) -> PathBuf {
    let tree = dir.join("tree");
    std::fs::create_dir(&tree).unwrap();
    std::fs::write(tree.join("letter"), "Keep this. ".repeat(40)).unwrap();
    let mut image = vec![0; usize::try_from(3 * HOLE).unwrap()];
    image[..5].copy_from_slice(b"begin");
    image.extend_from_slice(b"end");
    std::fs::write(tree.join("image"), image).unwrap();
    tree
}

fn content(stored: &mut Stored) -> &mut Content {
    match &mut stored.entry.node {
        Node::File { content, .. } => content,
        other => panic!("{other:?} is no file"),
    }
}

/// As they would be, had the medium failed at the image's second block, and the letter moved.
fn torn(entries: &mut Vec<Stored>) {
    let [_, image, letter] = &mut entries[..] else { panic!("{entries:?}") };
    content(letter).changed = true;
    content(image).unreadable = vec![(HOLE, HOLE)];
    let zeros = image.extents.iter().position(|e| matches!(e, Extent::Zeros(_))).unwrap();
    assert_eq!(image.extents[zeros], Extent::Zeros(2 * HOLE));
    image.extents[zeros] = Extent::Unreadable(HOLE);
    image.extents.insert(zeros + 1, Extent::Zeros(HOLE));
}

fn said(given: &Given) -> Vec<String> {
    given.not_restored.iter().map(|p| format!("{}: {}", p.path.display(), p.what)).collect()
}

/// Keeps an archive.
fn take_in(vault: &Vault, archive: Vec<u8>) -> Result<SnapshotReport, VaultError> {
    let source = Source::Tar(Input::new("archive", Cursor::new(archive)));
    vault.preserve("t", "A-1", &source, &mut ())
}

/// What the reader in Python says, whose exit code has to be 1.
fn told_by_python(dir: &Path, to: &str, paths: &[PathBuf]) -> String {
    let mut python = Command::new(interpreter());
    python.arg(reader()).arg(key_file(dir)).arg("--to").arg(dir.join(to)).args(paths);
    let out = python.output().unwrap();
    let told = String::from_utf8(out.stderr).unwrap();
    assert_eq!(out.status.code(), Some(1), "{told}");
    told
}

/// What is said of them by whoever reads them.
fn check_they_are_named(dir: &Path, paths: &[PathBuf]) {
    let never = format!("S/image: bytes {HOLE}..{} were unreadable when preserved", 2 * HOLE);
    let moved = "S/letter: it changed while it was preserved: the copy may mix states";
    let checked = check_volumes(paths, Some(&key()), &mut ()).unwrap();
    assert_eq!(said(&checked), [never.as_str(), moved]);
    assert_eq!((checked.files, checked.never_read, checked.is_complete()), (2, HOLE, false));
    let into = dir.join("rust");
    let given = restore_volumes(paths, &key(), (&into, None), &mut ()).unwrap();
    assert_eq!((given.damaged.len(), given.never_read, given.is_complete()), (0, HOLE, false));
    assert!(said(&given).contains(&never), "{given:?}");
    let told = told_by_python(dir, "python", paths);
    assert!(told.contains("S/image: never read, zeros (offset,length): 65536,65536\n"), "{told}");
    assert!(told.contains("S/letter': it changed while it was preserved"), "{told}");
    for to in ["rust", "python"] {
        let image = std::fs::read(dir.join(to).join("S/image")).unwrap();
        assert!(image.starts_with(b"begin") && image.ends_with(b"end"), "what was read is there");
    }
}

#[test]
fn what_was_never_read_leaves_as_such_and_comes_back_as_such() {
    let dir = tempfile::tempdir().unwrap();
    let (paths, report) = export(dir.path(), &tree(dir.path()), torn);
    assert_eq!((report.files, report.never_read, report.is_complete()), (2, HOLE, false));
    let left_out: Vec<&str> = report.left_out.iter().map(|p| p.what.as_str()).collect();
    assert_eq!(left_out[0], "bytes 65536..131072 were unreadable when preserved");
    assert!(left_out[1].starts_with("it changed"), "{left_out:?}");
    check_they_are_named(dir.path(), &paths);

    // The archive in them is taken in again with all that it says.
    let mut archive = Vec::new();
    read_volumes(&paths, &key(), Some(&mut archive)).unwrap();
    let vault = Vault::create(Arc::new(MemoryObjects::new()), &Kek::from_bytes([7; 32])).unwrap();
    let taken = |archive| take_in(&vault, archive);
    let kept = taken(archive.clone()).unwrap();
    assert_eq!((kept.unreadable.len(), kept.changed.len()), (1, 1), "{kept:?}");
    assert!(vault.verify("t", &kept.id).unwrap().is_intact());
    let entries = vault.manifest("t", &kept.id).unwrap();
    let mut contents = entries.iter().filter_map(|entry| entry.content());
    assert_eq!(contents.next().unwrap().unreadable, [(HOLE, HOLE)]);
    assert!(contents.next().unwrap().changed);

    // A record that speaks of bytes that are there is not believed.
    let (record, lie) = (b"BAILEE.unreadable=65536,65536", b"BAILEE.unreadable=00000,65536");
    let at = archive.windows(record.len()).position(|w| w == record).unwrap();
    archive[at..at + lie.len()].copy_from_slice(lie);
    let refused = taken(archive).unwrap_err();
    assert!(matches!(refused, VaultError::Archive { .. }), "{refused}");
    assert!(refused.to_string().contains("none were ever read"), "{refused}");
}

fn freeze(frozen: &Path, dir: &Path, change: impl FnOnce(&mut Vec<Stored>)) {
    if std::env::var_os("BAILEE_NEW_FIXTURE").is_none() {
        return;
    }
    let (paths, _) = export(dir, &tree(dir), change);
    std::fs::create_dir_all(frozen).unwrap();
    paths.iter().for_each(|path| {
        std::fs::copy(path, frozen.join(path.file_name().unwrap())).unwrap();
    });
}

fn volumes_in(frozen: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(frozen).unwrap().map(|item| item.unwrap().path()).collect()
}

/// As it was written once and must be readable for ever. `BAILEE_NEW_FIXTURE` writes it anew.
#[test]
fn the_first_volumes_that_say_it_are_read() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/formats/v1/volumes");
    let (frozen, dir) = (fixtures.join("never-read"), tempfile::tempdir().unwrap());
    freeze(&frozen, dir.path(), torn);
    check_they_are_named(dir.path(), &volumes_in(&frozen));
}

/// As they would be, had there been a directory that nobody may enter, and in another a name like a
/// record's, of a kind that the vault does not know.
fn closed(entries: &mut Vec<Stored>) {
    let [root, .., letter] = &entries[..] else { panic!("{entries:?}") };
    assert_eq!(letter.entry.path, b"letter");
    let of =
        |path: &str, node| Stored { entry: Entry { path: path.into(), node }, extents: Vec::new() };
    let unread = |reason: &str| Node::Unreadable { reason: reason.into() };
    let open = root.entry.node.clone();
    let more = [
        of("locked", unread("permission denied")),
        of("open", open),
        of("open/a=b\n", unread("it is of a kind the vault does not know")),
    ];
    entries.extend(more);
}

/// What is said of them by whoever reads them.
fn check_names_are_named(dir: &Path, paths: &[PathBuf]) {
    let locked = "S/locked: it was unreadable when preserved: permission denied";
    let checked = check_volumes(paths, Some(&key()), &mut ()).unwrap();
    assert_eq!(said(&checked)[0], locked);
    assert_eq!((checked.unreadable, checked.is_complete()), (2, false));
    let into = dir.join("names");
    let given = restore_volumes(paths, &key(), (&into, None), &mut ()).unwrap();
    assert_eq!((given.damaged.len(), given.unreadable, given.is_complete()), (0, 2, false));
    assert!(into.join("S/letter").exists() && !into.join("S/locked").exists());
    let only = Pattern::new("open/**").unwrap();
    let part = (&*dir.join("part"), Some(&only));
    let part = restore_volumes(paths, &key(), part, &mut ()).unwrap();
    assert_eq!((part.unreadable, part.not_restored.len()), (1, 1), "{part:?}");
    for (only, names) in [("locked/deep/file", 1), ("**.pdf", 2), ("letter", 0), ("open", 1)] {
        let (to, pattern) = (dir.join(format!("only {names}{}", only.len())), Pattern::new(only));
        let part = restore_volumes(paths, &key(), (&to, pattern.as_ref().ok()), &mut ()).unwrap();
        assert_eq!((part.unreadable, part.is_complete()), (names, names == 0), "{only}: {part:?}");
    }
    let told = told_by_python(dir, "names-python", paths);
    assert!(told.contains("S/locked: never read: permission denied\n"), "{told}");
    assert!(told.contains("S/open/a=b\n: never read: it is of a kind"), "{told}");
}

#[test]
fn names_never_read_leave_as_such_and_come_back_as_such() {
    let dir = tempfile::tempdir().unwrap();
    let (paths, report) = export(dir.path(), &tree(dir.path()), closed);
    assert_eq!((report.unreadable, report.left_out.len(), report.is_complete()), (2, 2, false));
    check_names_are_named(dir.path(), &paths);

    let mut archive = Vec::new();
    read_volumes(&paths, &key(), Some(&mut archive)).unwrap();
    let vault = Vault::create(Arc::new(MemoryObjects::new()), &Kek::from_bytes([7; 32])).unwrap();
    let taken = |archive| take_in(&vault, archive);
    let kept = taken(archive.clone()).unwrap();
    let names: Vec<_> = kept.unreadable.iter().map(|(path, why)| (path.to_str(), &**why)).collect();
    let kind = "it is of a kind the vault does not know";
    assert_eq!(names, [(Some("S/locked"), "permission denied"), (Some("S/open/a=b\n"), kind)]);
    let restored = vault.restore("t", &kept.id, &dir.path().join("again"), None).unwrap();
    assert_eq!((restored.unreadable, restored.is_complete()), (2, false), "{restored:?}");
    let only = Pattern::new("S/letter").unwrap();
    let part = vault.restore("t", &kept.id, &dir.path().join("letter"), Some(&only)).unwrap();
    assert!(part.is_complete(), "nobody asked for the others: {part:?}");
    // What was asked for may lie below a name that was never read: whether it is a directory is not
    // known of it.
    for (only, names) in [("S/locked/deep/file", 1), ("**.pdf", 2), ("S/open/**", 1), ("S/im*", 0)]
    {
        let (to, pattern) = (dir.path().join(format!("{}", only.len())), Pattern::new(only));
        let part = vault.restore("t", &kept.id, &to, pattern.as_ref().ok()).unwrap();
        assert_eq!((part.unreadable, part.is_complete()), (names, names == 0), "{only}: {part:?}");
        assert_eq!(part.not_restored.len() as u64, names, "each is named: {part:?}");
    }

    // Other readers make nothing of them.
    let file = dir.path().join("archive.tar");
    std::fs::write(&file, &archive).unwrap();
    let list = "import sys, tarfile; print(tarfile.open(sys.argv[1]).getnames())";
    let python = Command::new(interpreter()).args(["-c", list]).arg(&file).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&python.stdout), "['S', 'S/image', 'S/letter', 'S/open']\n");
    let tar = Command::new("tar").arg("-tf").arg(&file).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&tar.stdout), "S/\nS/image\nS/letter\nS/open/\n");
    assert!(tar.status.success());

    // A name that would leave its directory is no name.
    let (name, lie) = (b"BAILEE.missing=locked", b"BAILEE.missing=../ked");
    let at = archive.windows(name.len()).position(|w| w == name).unwrap();
    archive[at..at + lie.len()].copy_from_slice(lie);
    let refused = taken(archive).unwrap_err();
    assert!(matches!(refused, VaultError::Archive { .. }), "{refused}");
}

/// As it was written once and must be readable for ever. `BAILEE_NEW_FIXTURE` writes it anew.
#[test]
fn the_first_volumes_that_name_them_are_read() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/formats/v1/volumes");
    let (frozen, dir) = (fixtures.join("missing"), tempfile::tempdir().unwrap());
    freeze(&frozen, dir.path(), closed);
    check_names_are_named(dir.path(), &volumes_in(&frozen));
}
