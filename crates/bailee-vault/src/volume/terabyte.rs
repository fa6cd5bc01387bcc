//! A terabyte of which nearly all is a hole: out to volumes, and back by two strangers.
//!
//! The hole is put into the manifest of a small file: preserving hashes every zero, which takes
//! ten minutes.

use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::made::{export, interpreter, key, key_file, reader};
use super::{check_volumes, read_volumes};
use crate::export::ExportReport;
use crate::manifest::{Entry, Extent, Meta, Node, Stored};

const HOLE: u64 = 1 << 40;
const DATA: usize = 1 << 20;

/// The file's bytes, none of them zero.
fn bytes() -> Vec<u8> {
    (0..DATA).map(|n| u8::try_from(n % 251).unwrap() + 1).collect()
}

/// Gives each file a hole before and after its first chunk.
fn with_holes(entries: &mut [Stored], hole: u64) {
    for stored in entries {
        let Node::File { content, .. } = &mut stored.entry.node else { continue };
        content.size += hole;
        let data = stored.extents.iter().position(|e| matches!(e, Extent::Data(..))).unwrap();
        stored.extents.insert(data + 1, Extent::Zeros(hole / 2));
        stored.extents.push(Extent::Zeros(hole / 2));
    }
}

/// Volumes of one file of a megabyte, after its entries were changed.
fn image(dir: &Path, change: impl FnOnce(&mut Vec<Stored>)) -> (Vec<PathBuf>, ExportReport) {
    let from = dir.join("from");
    std::fs::create_dir(&from).unwrap();
    std::fs::write(from.join("image"), bytes()).unwrap();
    export(dir, &from, change)
}

fn is_whole(image: &Path) {
    let (file, meta) = (File::open(image).unwrap(), image.metadata().unwrap());
    assert_eq!(meta.size(), HOLE + DATA as u64);
    assert!(meta.blocks() * 512 < 3 << 20, "{}", meta.blocks());
    // The first chunk, the hole, the other chunks, the hole.
    let mut start = vec![0; DATA + 1];
    file.read_exact_at(&mut start, 0).unwrap();
    let first = start.iter().position(|byte| *byte == 0).unwrap();
    assert!(first > 100_000 && start[..first] == bytes()[..first]);
    let mut rest = vec![0; DATA - first + 1];
    file.read_exact_at(&mut rest, HOLE / 2 + first as u64).unwrap();
    assert!(rest[..DATA - first] == bytes()[first..] && rest[DATA - first] == 0);
}

#[test]
fn a_terabyte_with_a_megabyte_of_data_leaves_and_comes_back_in_moments() {
    let dir = tempfile::tempdir().unwrap();
    let began = Instant::now();
    let (volumes, report) = image(dir.path(), |entries| with_holes(entries, HOLE));
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert_eq!(report.by_chunks, [PathBuf::from("image")], "it says what it did not hash");
    let mut run = Command::new(interpreter());
    run.arg(reader()).arg(key_file(dir.path()));
    run.arg("--to").arg(dir.path().join("python")).args(&volumes);
    let said = run.output().unwrap();
    let told = String::from_utf8_lossy(&said.stderr);
    assert!(said.status.success(), "{told}");
    assert!(told.ends_with("S/image': over 4 GiB of holes: SHA-256 not compared\n"), "{told}");
    is_whole(&dir.path().join("python/S/image"));
    let tar = dir.path().join("tar");
    let mut out = File::create(&tar).unwrap();
    let read = read_volumes(&volumes, &key(), Some(&mut out)).unwrap();
    assert_eq!(read.problems, []);
    let mut run = Command::new("tar");
    let said = run.arg("-xf").arg(&tar).arg("-C").arg(dir.path()).output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    is_whole(&dir.path().join("S/image"));
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
}

/// More holes than a stranger's archive may have; more attributes; a path that the system does not
/// take at once. What is kept leaves, and what left is read.
#[test]
fn what_is_written_is_read_whatever_its_size() {
    let dir = tempfile::tempdir().unwrap();
    let (volumes, report) = image(dir.path(), |entries| {
        with_holes(entries, 17 << 40);
        let attribute = |n| (format!("user.{n:03}").into_bytes(), vec![b'v'; 60_000]);
        let meta = Meta {
            xattrs: (0..300).map(attribute).collect(),
            mtime: (i64::MIN, 0),
            ..Meta::default()
        };
        let path = [&b"d/"[..]; 3_000].concat()[..5_999].to_vec();
        let node = Node::Directory { meta };
        entries.insert(1, Stored { entry: Entry { path, node }, extents: Vec::new() });
    });
    let given = check_volumes(&volumes, Some(&key()), &mut ()).unwrap();
    assert_eq!((&given.damaged[..], &given.volumes.problems[..]), (&[][..], &[][..]));
    assert_eq!((given.files, given.bytes), (report.files, report.bytes));
    assert_eq!(given.bytes, (17 << 40) + DATA as u64);
}
