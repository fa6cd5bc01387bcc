//! Sets of volumes for tests: of entries that were changed, of any archive, and who reads them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bailee_store::{Kernel, MemoryObjects};

use super::layout::{Description, Follows};
use super::{SetId, write};
use crate::export::{END, ExportReport, Take, members};
use crate::key::Kek;
use crate::manifest::Stored;
use crate::preserve::Source;
use crate::vault::{Absent, Vault};

/// No secret: that of the fixtures.
const KEY: [u8; 32] = *b"the key of a shelf, no secret..!";

pub(super) fn key() -> Kek {
    Kek::from_bytes(KEY)
}

/// The same as a file.
pub(super) fn key_file(dir: &Path) -> PathBuf {
    let path = dir.join("key");
    std::fs::write(&path, format!("{}\n", bailee_ledger::to_hex(&KEY))).unwrap();
    path
}

pub(super) fn reader() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/read-volumes.py")
}

/// The interpreter with the packages that `cargo xtask setup` installed.
pub(super) fn interpreter() -> PathBuf {
    let exe = std::env::current_exe().unwrap();
    let python = exe.ancestors().nth(3).unwrap().join("tools/python/bin/python");
    assert!(python.exists(), "no {}: run `cargo xtask setup`", python.display());
    python
}

/// Volumes of whatever `fill` writes, with its end.
pub(super) fn seal(dir: &Path, fill: impl FnOnce(&mut write::Set<'_, Kernel>)) -> Vec<PathBuf> {
    let out = dir.join("volumes");
    std::fs::create_dir(&out).unwrap();
    let (tenant, unit, snapshots) = ("t".to_owned(), "A-1".to_owned(), vec![[7; 16]]);
    let mut set = write::Set {
        moves: &Kernel,
        directory: &out,
        key: &key(),
        most: 300_000,
        id: SetId([3; 16]),
        origin: "example.org/log",
        description: Description { start: 0, tenant, unit, snapshots },
        written: Vec::new(),
        members: 0,
        open: None,
    };
    fill(&mut set);
    set.member().unwrap();
    set.write(&END).unwrap();
    set.end(Follows::Nothing).unwrap();
    set.written.into_iter().map(|v| v.path).collect()
}

/// Volumes of a tree as they would be if its entries were others.
pub(super) fn export(
    dir: &Path,
    from: &Path,
    change: impl FnOnce(&mut Vec<Stored>),
) -> (Vec<PathBuf>, ExportReport) {
    let vault = Vault::create(Arc::new(MemoryObjects::new()), &Kek::from_bytes([7; 32])).unwrap();
    let kept = vault.preserve("t", "A-1", &Source::Tree(from.into()), &mut ()).unwrap();
    let tenant = vault.tenant("t", Absent::Refuse).unwrap();
    let (unit, snapshot) = vault.snapshot(&tenant, &kept.id).unwrap();
    let mut entries = unit.manifest(&snapshot).unwrap();
    change(&mut entries);
    let mut report = ExportReport::default();
    let paths = seal(dir, |set| {
        members(&unit, &entries, b"S/", (set, &mut report, &mut ())).unwrap();
    });
    (paths, report)
}
