//! Verifying: a snapshot by reading all of it back, packs by their hashes without any key.
//!
//! Invariants: `verify` recomputes the manifest root and every file's SHA-256 from packs; one bad
//! file never hides another. A scrub proves that packs are what the index says, not that the
//! index is authentic: that takes the key, hence `verify`.

use std::io::Read;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use aws_lc_rs::digest::{Context, SHA256};
use bailee_store::direct::Room;
use bailee_store::{ObjectError, Objects};

use crate::chunk::Desk;
use crate::damage::{Damage, locate};
use crate::error::VaultError;
use crate::index::{PackHash, PackRow, Table};
use crate::manifest::{Content, Stored};
use crate::names::SnapshotId;
use crate::proof::Proof;
use crate::read::{Fetch, read_file, spread};
use crate::root::finish;
use crate::scrub::{check, rows_and_doubts};
use crate::segment::{Segment, apart, read_segment, segments};
use crate::unit::Unit;
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
    /// Files that did not, in tree order, each with the bytes that are lost.
    pub problems: Vec<Damage>,
    /// A tombstone lies on its custody unit: an erasure was begun and did not come to its end.
    pub half_erased: bool,
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
    /// [`VaultError::UnknownSnapshot`]; damage of the snapshot's own objects and keys (damage of
    /// content is in the report); store failures while finding it.
    pub fn verify(&self, tenant: &str, id: &SnapshotId) -> Result<VerifyReport, VaultError> {
        let began = Instant::now();
        let tenant = self.tenant(tenant, Absent::Refuse)?;
        let (unit, snapshot) = self.snapshot(&tenant, id)?;
        self.keys_are_there(&tenant, &unit)?;
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
                let at = (&*unit, &*table);
                let read = read_through(at, (stored, content), (fetch, &mut *desk));
                let place = |e| locate((&unit, &table), (stored, content), &e, desk);
                let read = read.map_err(place);
                let mut outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner);
                outcome.0 += 1;
                match read {
                    Ok(()) => outcome.1 += content.size,
                    Err(damage) => outcome.2.push((i, damage)),
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
            half_erased: self.is_erased(&tenant, unit.tag())?,
            seconds: began.elapsed().as_secs_f64(),
        })
    }
}

/// Reads a file and keeps nothing of it: a large one in segments, by all threads.
fn read_through(
    at: (&Unit, &Table),
    (stored, content): (&Stored, &Content),
    (fetch, desk): (Fetch, &mut Desk),
) -> Result<(), VaultError> {
    let (segments, file) = (segments(&stored.extents), (stored, content, Proof::Sha256));
    let one = |segment: &Segment<'_>, desk: &mut Desk| {
        read_segment(at, file, segment, desk, &mut |_| Ok(()))
    };
    match fetch {
        Fetch::Together(threads) if segments.len() > 1 => apart(&segments, threads, one),
        _ => read_file(at.0, at.1, stored, content, (fetch, desk), &mut |_| Ok(())),
    }
}

/// Hashes every pack that an index object names. Needs no key: whoever holds the store can do it.
///
/// # Errors
/// Store failures while listing; what is wrong with single objects is in the report.
pub fn scrub_packs(objects: &dyn Objects) -> Result<ScrubReport, VaultError> {
    let mut report = ScrubReport { packs: 0, bytes: 0, problems: Vec::new() };
    let (rows, doubted) = rows_and_doubts(objects, &mut report.problems)?;
    for (name, row) in rows {
        check(objects, (&name, &row), &doubted, &mut report)?;
    }
    Ok(report)
}

/// Whether these bytes are the pack of that row.
pub(crate) fn is_hash(pack: &[u8], row: &PackRow) -> bool {
    let mut hash = Hasher::of(row);
    hash.update(pack);
    pack.len() as u64 == row.size && hash.finish() == row.hash
}

/// A hash of either kind that grows.
enum Hasher {
    Sha256(Context),
    Blake3(Box<blake3::Hasher>),
}

impl Hasher {
    /// Of the kind the row has.
    fn of(row: &PackRow) -> Self {
        match row.hash {
            PackHash::Sha256(_) => Self::Sha256(Context::new(&SHA256)),
            PackHash::Blake3(_) => Self::Blake3(Box::default()),
        }
    }

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
pub(crate) fn hash_object(
    objects: &dyn Objects,
    name: &str,
    row: &PackRow,
) -> Result<bool, String> {
    let mut hash = Hasher::of(row);
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
