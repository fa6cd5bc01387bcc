//! Holes on the way out: what GNU tar and the reader in Python make of them, room and bytes.

use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bailee_vault::{Input, Kek, SetReport, Source, VaultError, read_volumes, tar_members};

use crate::support::{describe, memory_vault, noise};
use crate::volumes::{ORIGIN, Shelf, interpreter, reader};

const HOLE: u64 = 64 << 10;

/// A file of `size` bytes with data at the given places.
fn sparse(path: &Path, size: u64, data: &[(u64, usize)]) {
    let file = File::create(path).unwrap();
    file.set_len(size).unwrap();
    for (offset, len) in data {
        file.write_all_at(&noise(offset + 7, *len), *offset).unwrap();
    }
}

/// Files with holes at their start, within, at their end, in many pieces, and nothing else.
fn images(root: &Path) {
    let block = usize::try_from(HOLE).unwrap();
    sparse(&root.join("middle"), 40 * HOLE, &[(0, block), (17 * HOLE, 2 * block)]);
    sparse(&root.join("start"), 9 * HOLE, &[(8 * HOLE, block)]);
    sparse(&root.join("nothing"), 30 * HOLE, &[]);
    let pieces: Vec<(u64, usize)> = (0..200).map(|n| (2 * n * HOLE, block)).collect();
    sparse(&root.join("pieces"), 401 * HOLE, &pieces);
    sparse(&root.join("odd end"), 12 * HOLE + 5, &[(12 * HOLE, 5)]);
    std::fs::hard_link(root.join("start"), root.join("z other name")).unwrap();
    let deep = root.join("d".repeat(120));
    std::fs::create_dir(&deep).unwrap();
    sparse(&deep.join("ü".repeat(60)), 33 * HOLE, &[(HOLE, block)]);
    std::fs::write(root.join("plain"), noise(5, 10_000)).unwrap();
}

/// Holes' worth of room that each file takes: the file system's own blocks do not count.
fn blocks(root: &Path) -> Vec<(PathBuf, u64)> {
    let mut out = Vec::new();
    for path in describe(root).keys() {
        use std::os::unix::ffi::OsStrExt;
        let path = PathBuf::from(std::ffi::OsStr::from_bytes(path));
        let meta = root.join(&path).symlink_metadata().unwrap();
        if meta.is_file() {
            out.push((path, meta.blocks() * 512 / HOLE));
        }
    }
    out
}

fn extract(archive: impl Into<Stdio>, to: &Path) {
    std::fs::create_dir(to).unwrap();
    let mut tar = Command::new("tar");
    tar.args(["-xp", "--xattrs", "--xattrs-include=*", "-f", "-", "-C"]).arg(to);
    let said = tar.stdin(archive).output().unwrap();
    assert!(said.status.success());
    assert_eq!(String::from_utf8_lossy(&said.stderr), "", "it passes over nothing");
}

#[test]
fn gnu_tar_gives_back_bytes_and_holes() {
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    std::fs::create_dir(&from).unwrap();
    images(&from);
    let (_, vault) = memory_vault();
    let kept = vault.preserve("t", "A-1", &Source::Tree(from.clone()), &mut ()).unwrap();
    let archive = dir.path().join("tar");
    let mut out = File::create(&archive).unwrap();
    let report = vault.export_tar("t", &kept.id, &mut out, &mut ()).unwrap();
    assert_eq!((report.files, report.bytes), (kept.files, kept.bytes));
    let size = archive.metadata().unwrap().len();
    assert!(size < 210 * HOLE, "holes take no room: {size}");
    extract(File::open(&archive).unwrap(), &to);
    assert_eq!(describe(&to), describe(&from));
    assert_eq!(blocks(&to), blocks(&from));
    // And in again: the same bytes, from a map that this program reads, too.
    let mut again = File::open(&archive).unwrap();
    let sizes: u64 = tar_members("tar", &mut again).unwrap().iter().map(|(_, size)| size).sum();
    assert_eq!(sizes, kept.bytes);
    let input = Input::new("tar", File::open(&archive).unwrap());
    let back = vault.preserve("t", "A-1", &Source::Tar(input), &mut ()).unwrap();
    let out = dir.path().join("back");
    vault.restore("t", &back.id, &out, None).unwrap();
    assert_eq!(describe(&out), describe(&from));
}

#[test]
fn volumes_have_no_room_for_holes_and_the_reader_in_python_makes_them_again() {
    let shelf = Shelf::new(images);
    let from = shelf.dir.path().join("from");
    let size: u64 = shelf.report.volumes.iter().map(|v| v.size).sum();
    assert!(size < 215 * HOLE && shelf.paths().len() > 40, "{size}");
    assert_eq!(shelf.python("python", &shelf.paths()), (Some(0), String::new()));
    assert_eq!(describe(&shelf.restored("python")), describe(&from));
    assert_eq!(blocks(&shelf.restored("python")), blocks(&from));
}

/// Volumes with sparse members, as they were written once and must be readable for ever.
fn frozen() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/formats/v1/volumes/sparse")
}

fn frozen_tree(tree: &Path) {
    std::fs::create_dir_all(tree.join("dir")).unwrap();
    std::fs::write(tree.join("dir/letter.txt"), "Keep this. ".repeat(40)).unwrap();
    sparse(&tree.join("image"), 20 * HOLE, &[(0, 4096), (9 * HOLE, 70_000)]);
    sparse(&tree.join("zeros"), 70 * HOLE, &[]);
    std::os::unix::fs::symlink("dir/letter.txt", tree.join("link")).unwrap();
}

fn frozen_key() -> Kek {
    Kek::from_bytes(*b"the key of a shelf, no secret..!")
}

#[test]
fn sparse_volumes_of_version_1_are_read() {
    let files = std::fs::read_dir(frozen()).unwrap().map(|item| item.unwrap().path());
    let paths: Vec<PathBuf> = files.collect();
    let dir = tempfile::tempdir().unwrap();
    let (tree, key, to) = (dir.path().join("tree"), dir.path().join("key"), dir.path().join("to"));
    frozen_tree(&tree);
    let report = read_volumes(&paths, &frozen_key(), None).unwrap();
    assert_eq!((report.volumes.len(), report.problems), (4, vec![]));
    let hex = bailee_ledger::to_hex(b"the key of a shelf, no secret..!");
    std::fs::write(&key, format!("{hex}\n")).unwrap();
    let mut run = Command::new(interpreter());
    let run = run.arg(reader()).arg(key).arg("--to").arg(&to).args(paths).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let snapshot = std::fs::read_dir(to).unwrap().next().unwrap().unwrap().path();
    for name in ["dir/letter.txt", "image", "zeros"] {
        let read = |root: &Path| std::fs::read(root.join(name)).unwrap();
        assert!(read(&snapshot) == read(&tree), "{name}");
    }
    let room: u64 = blocks(&snapshot).iter().map(|(_, holes)| holes).sum();
    assert_eq!(room, 3, "of 90: the image's data, in whole blocks");
}

/// Writes the fixture where there is none: once per format version, by hand.
#[test]
fn the_fixture_of_sparse_volumes_can_be_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let tree = dir.path().join("tree");
    frozen_tree(&tree);
    let out = std::env::var_os("BAILEE_NEW_VOLUMES").map(PathBuf::from);
    let out = out.unwrap_or_else(|| dir.path().to_owned());
    let (_, vault) = memory_vault();
    let kept = vault.preserve("tenant-1", "A-1", &Source::Tree(tree), &mut ()).unwrap();
    let to = ((ORIGIN, &frozen_key()), (&*out, 65_536));
    let report: SetReport =
        vault.export_volumes(("tenant-1", &[kept.id]), to.0, to.1, &mut ()).unwrap();
    assert_eq!((report.volumes.len(), report.export.bytes), (4, 90 * HOLE + 440));
}

/// A customer may make it, and whoever is to keep that customer's data must come to an end.
#[test]
fn a_file_of_exabytes_of_holes_is_named_and_what_is_beside_it_is_kept() {
    let dir = tempfile::tempdir_in("/dev/shm").unwrap(); // ext4 has no files so long
    let from = dir.path().join("from");
    std::fs::create_dir(&from).unwrap();
    let holes = |name| std::fs::File::create(from.join(name)).unwrap();
    holes("hollow").set_len(1 << 62).unwrap();
    std::fs::write(from.join("letter"), b"kept").unwrap();
    let (_, vault) = memory_vault();
    let report = vault.preserve("t", "A-1", &Source::Tree(from.clone()), &mut ()).unwrap();
    let [(path, why)] = &report.unreadable[..] else { panic!("{:?}", report.unreadable) };
    assert_eq!((path.as_os_str(), report.files), ("hollow".as_ref(), 1));
    assert!(why.starts_with("it says that it has 4194304 TiB, and the file system keeps"), "{why}");
    let alone = vault.preserve("t", "A-1", &Source::File(from.join("hollow")), &mut ());
    assert!(matches!(alone, Err(VaultError::Source { doing: "hash it", .. })), "{alone:?}");
}
