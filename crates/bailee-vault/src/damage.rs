//! Locating damage: which bytes of which files of a snapshot cannot be read; and reading files out
//! so that it is told.
//!
//! Invariants: every chunk of a file is read and authenticated, one that fails hides no other;
//! ranges are of the file, in order, merged where they touch. Ranges the medium never gave are no
//! damage. A file is looked at chunk by chunk only after it did not come as it was kept; one whose
//! chunks are all authentic then is damaged as a whole. Out of scope: putting it right
//! (`repair.rs`).

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

use bailee_store::ObjectError;

use crate::chunk::Desk;
use crate::error::VaultError;
use crate::index::Table;
use crate::manifest::{Content, Extent, Stored};
use crate::names::SnapshotId;
use crate::preserve::path_of;
use crate::proof::Proof;
use crate::read::{Bytes, Fetch, Take, read_proven};
use crate::unit::Unit;
use crate::vault::{Absent, Vault};

/// Chunks in a row that a store fails to give before no more are asked for: each may take minutes.
const SILENT: u32 = 64;

/// A file that is hit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Its path in the snapshot.
    pub path: PathBuf,
    /// The bytes that cannot be given back.
    pub ranges: Vec<Range<u64>>,
    /// Why the first of them cannot.
    pub what: String,
}

impl Damage {
    /// The ranges in words: first byte, and one past the last.
    pub fn spans(&self) -> Vec<String> {
        self.ranges.iter().map(|range| format!("{}..{}", range.start, range.end)).collect()
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bytes {} of it cannot be given: {}", self.spans().join(", "), self.what)
    }
}

impl Vault {
    /// The files and byte ranges of a snapshot that damaged or missing packs hit.
    ///
    /// # Errors
    /// [`VaultError::UnknownSnapshot`]; damage of the manifest itself.
    pub fn damage(&self, tenant: &str, id: &SnapshotId) -> Result<Vec<Damage>, VaultError> {
        let tenant = self.tenant(tenant, Absent::Refuse)?;
        let (unit, snapshot) = self.snapshot(&tenant, id)?;
        let _stay = unit.enter();
        let (entries, table) = (unit.manifest(&snapshot)?, unit.table());
        let mut desk = Desk::default();
        let hit = |stored: &Stored| {
            let (ranges, what) = hits((&unit, &table), stored, &mut desk)?;
            Some(Damage { path: path_of(&stored.entry.path), ranges, what })
        };
        Ok(entries.iter().filter_map(hit).collect())
    }
}

/// Why a file was not read out.
pub(crate) enum Unread {
    /// Whoever took it takes no more: this is not the vault's to look into.
    Untaken(VaultError),
    /// It cannot be given.
    Lost(Damage),
}

impl From<Unread> for VaultError {
    fn from(unread: Unread) -> VaultError {
        match unread {
            Unread::Untaken(error) => error,
            Unread::Lost(damage) => VaultError::Lost {
                path: damage.path.display().to_string(),
                detail: damage.to_string(),
            },
        }
    }
}

/// Reads a file out to `take`, as [`read_proven`]; what cannot be given of it is located.
pub(crate) fn read_out(
    (unit, table): (&Unit, &Table),
    (stored, content, proof): (&Stored, &Content, Proof),
    (fetch, desk): (Fetch, &mut Desk),
    take: &mut Take<'_>,
) -> Result<(), Unread> {
    let mut untaken = false;
    let mut take = |bytes: Bytes<'_>| take(bytes).inspect_err(|_| untaken = true);
    let with = (fetch, &mut *desk);
    match read_proven(unit, table, (stored, content, proof), with, &mut take) {
        Ok(()) => Ok(()),
        Err(error) if untaken => Err(Unread::Untaken(error)),
        Err(error) => Err(Unread::Lost(locate((unit, table), (stored, content), &error, desk))),
    }
}

/// What of a file that could not be given, because of `error`, is the matter.
pub(crate) fn locate(
    at: (&Unit, &Table),
    (stored, content): (&Stored, &Content),
    error: &VaultError,
    desk: &mut Desk,
) -> Damage {
    let whole = || (std::iter::once(0..content.size).collect(), error.to_string());
    let (ranges, what) = hits(at, stored, desk).unwrap_or_else(whole);
    Damage { path: path_of(&stored.entry.path), ranges, what }
}

/// Which bytes of a file cannot be read, and why the first of them cannot; `None`: all can.
fn hits(
    (unit, table): (&Unit, &Table),
    stored: &Stored,
    desk: &mut Desk,
) -> Option<(Vec<Range<u64>>, String)> {
    let (mut at, mut ranges, mut what) = (0, Vec::<Range<u64>>::new(), None);
    let (size, mut silent) = (stored.extents.iter().map(Extent::len).sum(), 0);
    for extent in &stored.extents {
        let mut range = at..at + extent.len();
        at = range.end;
        let Extent::Data(id, len) = extent else { continue };
        let Err(e) = unit.chunk(table, id, *len, desk) else {
            silent = 0;
            continue;
        };
        let failed = matches!(e, VaultError::Store(ObjectError::Io { .. }));
        silent = if failed { silent + 1 } else { 0 };
        let what: &mut String = what.get_or_insert_with(|| e.to_string());
        if silent == SILENT {
            range.end = size;
            what.push_str("; the store did not answer many times, the rest was not asked for");
        }
        match ranges.last_mut().filter(|last| last.end == range.start) {
            Some(last) => last.end = range.end,
            None => ranges.push(range),
        }
        if silent == SILENT {
            break;
        }
    }
    Some((ranges, what?))
}
