//! One file of a snapshot, open for reading at any place.
//!
//! Invariants
//! 1. The manifest is authentic and matches its root before a file is opened; each chunk is before
//!    any byte of it leaves.
//! 2. A read touches only chunks that hold bytes asked for: what is read beyond them is less than
//!    one chunk on each side. Holes touch no store. The chunk read last is kept, so that small
//!    reads in order open each chunk once.
//! 3. A read that meets damage, or bytes the medium never gave, gives no bytes at all: the error
//!    says which file and which range.
//!
//! Out of scope: reading ahead, and the flat SHA-256: only a whole file has one (`verify`).

use std::io;
use std::ops::Range;
use std::sync::Arc;

use bailee_store::ObjectError;

use crate::chunk::Desk;
use crate::error::VaultError;
use crate::manifest::{Content, Extent, Node, Stored, tree_order};
use crate::names::SnapshotId;
use crate::unit::Unit;
use crate::vault::{Absent, Vault};

/// A regular file of a snapshot. Opening reads the manifest, once; reading reads chunks only.
pub struct FileReader {
    unit: Arc<Unit>,
    path: String,
    content: Content,
    extents: Vec<Extent>,
    /// Where each extent ends in the file.
    ends: Vec<u64>,
    desk: Desk,
    /// The extent whose bytes lie on the desk.
    ready: Option<usize>,
    /// Where `io::Read` goes on.
    at: u64,
}

impl Vault {
    /// Opens one regular file of a snapshot; a hard link opens the file it names.
    ///
    /// # Errors
    /// [`VaultError::UnknownSnapshot`], [`VaultError::UnknownPath`]; damage; store failures.
    pub fn open_file(
        &self,
        tenant: &str,
        id: &SnapshotId,
        path: &[u8],
    ) -> Result<FileReader, VaultError> {
        let tenant = self.tenant(tenant, Absent::Refuse)?;
        let (unit, snapshot) = self.snapshot(&tenant, id)?;
        let mut entries = {
            let _stay = unit.enter();
            unit.manifest(&snapshot)?
        };
        let shown = String::from_utf8_lossy(path).into_owned();
        let unknown = || VaultError::UnknownPath { id: id.to_string(), path: shown.clone() };
        let mut at = find(&entries, path).ok_or_else(unknown)?;
        if let Node::HardLink { target } = &entries[at].entry.node {
            at = find(&entries, target).ok_or_else(unknown)?;
        }
        let Stored { entry, extents } = entries.swap_remove(at);
        let Node::File { content, .. } = entry.node else { return Err(unknown()) };
        let ends = extents.iter().scan(0, |end, extent| {
            *end += extent.len();
            Some(*end)
        });
        let (ends, desk) = (ends.collect(), Desk::default());
        Ok(FileReader { unit, path: shown, content, extents, ends, desk, ready: None, at: 0 })
    }

    /// Bytes `range` of one file, each authenticated. For many ranges: [`Vault::open_file`].
    ///
    /// # Errors
    /// As [`Vault::open_file`] and [`FileReader::read_at`]; [`VaultError::BadRange`].
    pub fn read_range(
        &self,
        tenant: &str,
        id: &SnapshotId,
        path: &[u8],
        range: Range<u64>,
    ) -> Result<Vec<u8>, VaultError> {
        let mut file = self.open_file(tenant, id, path)?;
        let (Range { start, end }, size) = (range, file.content.size);
        if start > end || end > size {
            return Err(VaultError::BadRange { path: file.path, size, start, end });
        }
        file.read_at(start, to_index(end - start))
    }
}

impl FileReader {
    /// What is recorded of the content: size, SHA-256, ranges that were never read.
    pub fn content(&self) -> &Content {
        &self.content
    }

    /// Up to `len` bytes from `offset` on; fewer only at the end of the file.
    ///
    /// # Errors
    /// [`VaultError::DamagedRange`]; [`VaultError::NeverRead`]; store failures.
    pub fn read_at(&mut self, offset: u64, len: usize) -> Result<Vec<u8>, VaultError> {
        let end = offset.saturating_add(len as u64).min(self.content.size);
        let mut out = Vec::with_capacity(to_index(end.saturating_sub(offset)));
        let mut next = self.ends.partition_point(|e| *e <= offset);
        let mut at = offset;
        while at < end {
            let extent = &self.extents[next];
            let begin = self.ends[next] - extent.len();
            let upto = end.min(self.ends[next]);
            let inside = to_index(at - begin)..to_index(upto - begin);
            match extent {
                Extent::Data(..) => out.extend_from_slice(&self.chunk(next)?[inside]),
                Extent::Zeros(_) => out.resize(out.len() + inside.len(), 0),
                Extent::Unreadable(_) => {
                    return Err(VaultError::NeverRead { path: self.path.clone(), offset: at });
                }
                Extent::Identity(..) | Extent::Waypoint(_) => {}
            }
            (at, next) = (upto, next + 1);
        }
        Ok(out)
    }

    /// The bytes of a stored extent.
    fn chunk(&mut self, which: usize) -> Result<&[u8], VaultError> {
        if let Extent::Data(id, len) = self.extents[which]
            && self.ready != Some(which)
        {
            self.ready = None;
            // Entered anew for each chunk: a prune does not wait for a file that stays open.
            let _stay = self.unit.enter();
            let read = self.unit.chunk(&self.unit.table(), &id, len, &mut self.desk);
            read.map_err(|why| self.located(which, why))?;
            self.ready = Some(which);
        }
        Ok(&self.desk.plain)
    }

    fn located(&self, which: usize, why: VaultError) -> VaultError {
        let end = self.ends[which];
        located(&self.path, end - self.extents[which].len()..end, why)
    }
}

/// Damage, said of the file and its bytes; other failures of a store stay as they are.
pub(crate) fn located(path: &str, range: Range<u64>, why: VaultError) -> VaultError {
    let damage = match &why {
        VaultError::Damaged { .. } | VaultError::MissingChunk { .. } => true,
        VaultError::Store(e) => {
            matches!(e, ObjectError::NotFound { .. } | ObjectError::BadRange { .. })
        }
        _ => false,
    };
    if !damage {
        return why;
    }
    let Range { start, end } = range;
    VaultError::DamagedRange { path: path.to_owned(), start, end, why: Box::new(why) }
}

/// In order from the place last sought to, or the start.
impl io::Read for FileReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let bytes = self.read_at(self.at, buf.len()).map_err(io::Error::other)?;
        buf[..bytes.len()].copy_from_slice(&bytes);
        self.at += bytes.len() as u64;
        Ok(bytes.len())
    }
}

fn to_index(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

fn find(entries: &[Stored], path: &[u8]) -> Option<usize> {
    entries.binary_search_by(|s| tree_order(&s.entry.path, path)).ok()
}

#[cfg(test)]
mod tests {
    use bailee_store::MemoryObjects;

    use super::*;
    use crate::{Kek, Source};

    #[test]
    fn what_was_never_read_is_not_served_as_zeros() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        std::fs::write(&path, [&[7; 65536][..], &[0; 131_072], &[8; 10]].concat()).unwrap();
        let vault = Vault::create(Arc::new(MemoryObjects::new()), &Kek::from_bytes([1; 32]));
        let vault = vault.unwrap();
        let kept = vault.preserve("t", "u", &Source::File(path), &mut ()).unwrap();
        let mut file = vault.open_file("t", &kept.id, b"f").unwrap();
        for extent in &mut file.extents {
            if let Extent::Zeros(n) = *extent {
                *extent = Extent::Unreadable(n);
            }
        }
        assert_eq!(file.read_at(65_000, 536).unwrap(), [7; 536]);
        assert_eq!(file.read_at(196_608, 99).unwrap(), [8; 10]);
        for (offset, len, first) in [(65_535, 2, 65_536), (100_000, 1, 100_000)] {
            match file.read_at(offset, len) {
                Err(VaultError::NeverRead { offset, .. }) => assert_eq!(offset, first),
                other => panic!("served: {other:?}"),
            }
        }
    }
}
