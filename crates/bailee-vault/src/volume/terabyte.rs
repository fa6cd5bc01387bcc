//! A terabyte of which nearly all is a hole: out to volumes, and back by two strangers.
//!
//! The hole is put into the manifest of a small file: preserving hashes every zero, which takes
//! ten minutes.

use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bailee_store::MemoryObjects;

use super::layout::{Description, Follows};
use super::{SetId, read_volumes, write};
use crate::export::{END, ExportReport, Take, members};
use crate::key::Kek;
use crate::manifest::{Extent, Node, Stored};
use crate::preserve::Source;
use crate::vault::{Absent, Vault};

const HOLE: u64 = 1 << 40;
const DATA: usize = 1 << 20;

/// The file's bytes, none of them zero.
fn bytes() -> Vec<u8> {
    (0..DATA).map(|n| u8::try_from(n % 251).unwrap() + 1).collect()
}

/// Volumes of the entries as they would be if the file had a hole before and after its first chunk.
fn export(dir: &Path) -> (Vec<PathBuf>, ExportReport) {
    let objects = Arc::new(MemoryObjects::new());
    let vault = Vault::create(objects, &Kek::from_bytes([7; 32])).unwrap();
    std::fs::write(dir.join("image"), bytes()).unwrap();
    let kept = vault.preserve("t", "A-1", &Source::Tree(dir.into()), &mut ()).unwrap();
    let tenant = vault.tenant("t", Absent::Refuse).unwrap();
    let (unit, snapshot) = vault.snapshot(&tenant, &kept.id).unwrap();
    let mut entries: Vec<Stored> = unit.manifest(&snapshot).unwrap();
    for stored in &mut entries {
        let Node::File { content, .. } = &mut stored.entry.node else { continue };
        content.size += HOLE;
        let data = stored.extents.iter().position(|e| matches!(e, Extent::Data(..))).unwrap();
        stored.extents.insert(data + 1, Extent::Zeros(HOLE / 2));
        stored.extents.push(Extent::Zeros(HOLE / 2));
    }
    let out = dir.join("volumes");
    std::fs::create_dir(&out).unwrap();
    let (tenant, unit_name) = ("t".to_owned(), "A-1".to_owned());
    let snapshots = vec![kept.id.0];
    let mut set = write::Set {
        directory: &out,
        key: &Kek::from_bytes([9; 32]),
        most: 300_000,
        id: SetId([3; 16]),
        origin: "example.org/log",
        description: Description { start: 0, tenant, unit: unit_name, snapshots },
        written: Vec::new(),
        open: None,
    };
    let mut report = ExportReport::default();
    members(&unit, &entries, b"S/", (&mut set, &mut report, &mut ())).unwrap();
    set.member().unwrap();
    set.write(&END).unwrap();
    set.end(Follows::Nothing).unwrap();
    (set.written.into_iter().map(|v| v.path).collect(), report)
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
    let (volumes, report) = export(dir.path());
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert_eq!(report.by_chunks, [PathBuf::from("image")], "it says what it did not hash");
    let key = dir.path().join("key");
    std::fs::write(&key, format!("{}\n", "09".repeat(32))).unwrap();
    let exe = std::env::current_exe().unwrap();
    let python = exe.ancestors().nth(3).unwrap().join("tools/python/bin/python");
    assert!(python.exists(), "no {}: run `cargo xtask setup`", python.display());
    let reader = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/read-volumes.py");
    let mut run = Command::new(python);
    run.arg(reader).arg(key).arg("--to").arg(dir.path().join("python")).args(&volumes);
    let said = run.output().unwrap();
    let told = String::from_utf8_lossy(&said.stderr);
    assert!(said.status.success(), "{told}");
    assert!(told.ends_with("S/image': over 4 GiB of holes: SHA-256 not compared\n"), "{told}");
    is_whole(&dir.path().join("python/S/image"));
    let tar = dir.path().join("tar");
    let mut out = File::create(&tar).unwrap();
    let read = read_volumes(&volumes, &Kek::from_bytes([9; 32]), Some(&mut out)).unwrap();
    assert_eq!(read.problems, []);
    let mut run = Command::new("tar");
    let said = run.arg("-xf").arg(&tar).arg("-C").arg(dir.path()).output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    is_whole(&dir.path().join("S/image"));
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
}
