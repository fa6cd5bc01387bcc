//! Verifying: a snapshot by reading all of it back, packs by their hashes without any key.
//!
//! Invariants: `verify` recomputes the manifest root and every file's SHA-256 from packs; one bad
//! file never hides another. A scrub proves that packs are what the index says, not that the
//! index is authentic: that takes the key, hence `verify`.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use aws_lc_rs::digest::{Context, SHA256};
use bailee_store::direct::Room;
use bailee_store::{ObjectError, Objects};

use crate::error::VaultError;
use crate::index::{self, PackHash, PackRow};
use crate::names::{self, SnapshotId};
use crate::preserve::path_of;
use crate::read::{read_file, spread};
use crate::root::finish;
use crate::seal::Kind;
use crate::sorted;
use crate::unit::Desk;
use crate::vault::{Absent, Vault};

/// Bytes hashed at a time.
const STEP: u64 = 1024 * 1024;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Path in the snapshot, or object name.
    pub path: PathBuf,
    /// What is wrong with it.
    pub what: String,
}

/// What reading everything back showed.
#[derive(Clone, Debug, PartialEq)]
pub struct VerifyReport {
    /// The root, recomputed; equal to the snapshot's.
    pub root: [u8; 32],
    /// Files read back.
    pub files: u64,
    /// Bytes of them that gave the recorded SHA-256.
    pub bytes: u64,
    /// Files that did not, in tree order.
    pub problems: Vec<Problem>,
    /// How long it took.
    pub seconds: f64,
}

impl VerifyReport {
    /// Everything is there and is what was preserved.
    pub fn is_intact(&self) -> bool {
        self.problems.is_empty()
    }
}

/// What hashing every pack showed.
#[derive(Clone, Debug, PartialEq)]
pub struct ScrubReport {
    /// Packs named by index objects.
    pub packs: u64,
    /// Bytes hashed.
    pub bytes: u64,
    /// Packs missing or changed, and index objects that cannot be read.
    pub problems: Vec<Problem>,
}

impl Vault {
    /// Reads every file of a snapshot back from packs and compares its SHA-256.
    ///
    /// # Errors
    /// [`VaultError::UnknownSnapshot`]; damage of the snapshot's own objects (damage of content is
    /// in the report); store failures while finding it.
    pub fn verify(&self, tenant: &str, id: &SnapshotId) -> Result<VerifyReport, VaultError> {
        let began = Instant::now();
        let tenant = self.tenant(tenant, Absent::Refuse)?;
        let (unit, snapshot) = self.snapshot(&tenant, id)?;
        let _shared = unit.enter();
        unit.reload()?;
        let entries = unit.manifest(&snapshot)?;
        let table = unit.table();
        let outcome = Mutex::new((0, 0, Vec::new()));
        let files =
            entries.iter().enumerate().filter_map(|(i, s)| Some((i, s, s.entry.content()?)));
        spread(
            |hand_over| files.for_each(|(i, stored, content)| hand_over((i, content), stored)),
            |(i, content), stored, fetch, desk: &mut Desk| {
                let with = (fetch, desk);
                let read = read_file(&unit, &table, stored, content, with, &mut |_| Ok(()));
                let mut outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner);
                outcome.0 += 1;
                match read {
                    Ok(()) => outcome.1 += content.size,
                    Err(e) => {
                        let path = path_of(&stored.entry.path);
                        outcome.2.push((i, Problem { path, what: e.to_string() }));
                    }
                }
            },
        );
        let (files, bytes, mut problems) =
            outcome.into_inner().unwrap_or_else(PoisonError::into_inner);
        problems.sort_by_key(|(i, _)| *i);
        Ok(VerifyReport {
            root: snapshot.info.root,
            files,
            bytes,
            problems: problems.into_iter().map(|(_, p)| p).collect(),
            seconds: began.elapsed().as_secs_f64(),
        })
    }
}

/// Hashes every pack that an index object names. Needs no key: whoever holds the store can do it.
///
/// # Errors
/// Store failures while listing; what is wrong with single objects is in the report.
pub fn scrub_packs(objects: &dyn Objects) -> Result<ScrubReport, VaultError> {
    let mut report = ScrubReport { packs: 0, bytes: 0, problems: Vec::new() };
    let mut done = BTreeSet::new();
    for index in objects.list(names::TENANTS)? {
        let old = index.rsplit_once("/index/");
        let Some((unit, _)) = old.or_else(|| index.rsplit_once("/sorted/")) else { continue };
        let read = if old.is_some() { index::read_rows } else { sorted::read_rows };
        let rows = objects.get(&index).map_err(VaultError::from);
        let rows = match rows.and_then(|object| read(&index, &object)) {
            Ok(rows) => rows,
            Err(e) => {
                report.problems.push(Problem { path: PathBuf::from(&index), what: e.to_string() });
                continue;
            }
        };
        for row in rows {
            let folder = if row.kind == Kind::DataPack { "data" } else { "meta" };
            let name = format!("{unit}/{folder}/{}", crate::wire::hex(&row.id));
            if !done.insert(name.clone()) {
                continue;
            }
            report.packs += 1;
            match hash_object(objects, &name, &row) {
                Ok(true) => report.bytes += row.size,
                Ok(_) => report.problems.push(Problem {
                    path: PathBuf::from(&name),
                    what: "its bytes do not give the hash recorded when it was put".to_owned(),
                }),
                Err(what) => report.problems.push(Problem { path: PathBuf::from(&name), what }),
            }
        }
    }
    Ok(report)
}

/// A hash of either kind that grows.
enum Hasher {
    Sha256(Context),
    Blake3(Box<blake3::Hasher>),
}

impl Hasher {
    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(context) => context.update(bytes),
            Self::Blake3(hasher) => drop(hasher.update(bytes)),
        }
    }

    fn finish(self) -> PackHash {
        match self {
            Self::Sha256(context) => PackHash::Sha256(finish(context)),
            Self::Blake3(hasher) => PackHash::Blake3(*hasher.finalize().as_bytes()),
        }
    }
}

/// Whether an object is what its row says.
fn hash_object(objects: &dyn Objects, name: &str, row: &PackRow) -> Result<bool, String> {
    let mut hash = match row.hash {
        PackHash::Sha256(_) => Hasher::Sha256(Context::new(&SHA256)),
        PackHash::Blake3(_) => Hasher::Blake3(Box::default()),
    };
    let told = |e: ObjectError| e.to_string();
    if let Some(ranges) = objects.ranges(name).map_err(told)? {
        let (size, mut at, mut room) = (objects.size(name).map_err(told)?, 0, Room::default());
        while at < size {
            let end = size.min(at + STEP);
            hash.update(ranges.read(at..end, &mut room).map_err(told)?);
            at = end;
        }
        return Ok(size == row.size && hash.finish() == row.hash);
    }
    let mut reader = objects.open(name).map_err(told)?;
    let (mut size, mut buffer) = (0, vec![0; 1 << 20]);
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(size == row.size && hash.finish() == row.hash),
            Ok(n) => {
                hash.update(&buffer[..n]);
                size += n as u64;
            }
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e.to_string()),
        }
    }
}
