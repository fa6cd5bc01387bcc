//! Locating damage: which bytes of which files of a snapshot cannot be read.
//!
//! Invariants: every chunk of every file is read and authenticated, one that fails hides no other;
//! ranges are of the file, in order, merged where they touch. Ranges the medium never gave are no
//! damage. Out of scope: putting it right (`repair.rs`).

use std::ops::Range;
use std::path::PathBuf;

use crate::chunk::Desk;
use crate::error::VaultError;
use crate::manifest::{Extent, Stored};
use crate::names::SnapshotId;
use crate::preserve::path_of;
use crate::vault::{Absent, Vault};

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
            let (mut at, mut ranges, mut what) = (0, Vec::<Range<u64>>::new(), None);
            for extent in &stored.extents {
                let range = at..at + extent.len();
                at = range.end;
                let Extent::Data(id, len) = extent else { continue };
                let Err(e) = unit.chunk(&table, id, *len, &mut desk) else { continue };
                what.get_or_insert_with(|| e.to_string());
                match ranges.last_mut().filter(|last| last.end == range.start) {
                    Some(last) => last.end = range.end,
                    None => ranges.push(range),
                }
            }
            Some(Damage { path: path_of(&stored.entry.path), ranges, what: what? })
        };
        Ok(entries.iter().filter_map(hit).collect())
    }
}
