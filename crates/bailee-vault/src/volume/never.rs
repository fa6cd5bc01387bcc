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
use crate::manifest::{Content, Extent, Node, Stored};
use crate::preserve::{Input, Source};
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
    let mut python = Command::new(interpreter());
    python.arg(reader()).arg(key_file(dir)).arg("--to").arg(dir.join("python")).args(paths);
    let out = python.output().unwrap();
    let told = String::from_utf8(out.stderr).unwrap();
    assert_eq!(out.status.code(), Some(1), "{told}");
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
    let taken = |archive: Vec<u8>| {
        let source = Source::Tar(Input::new("archive", Cursor::new(archive)));
        vault.preserve("t", "A-1", &source, &mut ())
    };
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

/// As it was written once and must be readable for ever. `BAILEE_NEW_FIXTURE` writes it anew.
#[test]
fn the_first_volumes_that_say_it_are_read() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/formats/v1/volumes");
    let (frozen, dir) = (fixtures.join("never-read"), tempfile::tempdir().unwrap());
    if std::env::var_os("BAILEE_NEW_FIXTURE").is_some() {
        let (paths, _) = export(dir.path(), &tree(dir.path()), torn);
        std::fs::create_dir_all(&frozen).unwrap();
        paths.iter().for_each(|path| {
            std::fs::copy(path, frozen.join(path.file_name().unwrap())).unwrap();
        });
    }
    let items = std::fs::read_dir(frozen).unwrap();
    let paths: Vec<PathBuf> = items.map(|item| item.unwrap().path()).collect();
    check_they_are_named(dir.path(), &paths);
}
