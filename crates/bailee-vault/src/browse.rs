//! A whole snapshot, open for reading: many files, by many readers at the same time.
//!
//! Invariants
//! 1. The manifest is authentic and matches its root before anything is opened; each chunk is
//!    before any byte of it leaves.
//! 2. Memory beyond the manifest is bounded, whatever is read: at most [`KEPT`] chunks of plain
//!    text, and a desk for each reader of that moment.
//! 3. A read that meets damage, or bytes the medium never gave, gives no bytes at all: the error
//!    says which file and where.
//!
//! Out of scope: names and directories (whoever browses has the entries), the flat SHA-256.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use crate::chunk::Desk;
use crate::error::VaultError;
use crate::manifest::{Entry, Extent, Stored};
use crate::names::SnapshotId;
use crate::open::located;
use crate::pack::ChunkId;
use crate::stay::lock;
use crate::unit::Unit;
use crate::vault::{Absent, Vault};

/// Chunks of plain text that are kept, the last used: at most 16 MiB.
const KEPT: usize = 16;

/// A chunk's plain text.
type Plain = Arc<Vec<u8>>;

/// The bytes of all files of a snapshot.
pub struct Contents {
    unit: Arc<Unit>,
    extents: Vec<Vec<Extent>>,
    /// The last one used is at the end.
    kept: Mutex<VecDeque<(ChunkId, Plain)>>,
    /// Desks nobody sits at.
    desks: Mutex<Vec<Desk>>,
}

/// One file, open: what it is called, and where each of its extents ends.
#[derive(Clone, Debug)]
pub struct OpenFile {
    which: usize,
    path: String,
    ends: Vec<u64>,
}

impl Vault {
    /// Opens a snapshot: what was found in its source, in tree order, and the bytes. The n-th entry
    /// is file n of the contents.
    ///
    /// # Errors
    /// [`VaultError::UnknownSnapshot`]; damage; store failures.
    pub fn browse(
        &self,
        tenant: &str,
        id: &SnapshotId,
    ) -> Result<(Vec<Entry>, Contents), VaultError> {
        let tenant = self.tenant(tenant, Absent::Refuse)?;
        let (unit, snapshot) = self.snapshot(&tenant, id)?;
        let manifest = {
            let _stay = unit.enter();
            unit.manifest(&snapshot)?
        };
        let both = manifest.into_iter().map(|Stored { entry, extents }| (entry, extents));
        let (entries, extents) = both.unzip();
        let (kept, desks) = (Mutex::default(), Mutex::default());
        Ok((entries, Contents { unit, extents, kept, desks }))
    }
}

impl Contents {
    /// Bytes of a file that are stored, before compression: the rest are holes.
    pub fn stored_bytes(&self, which: usize) -> u64 {
        let extents = self.extents.get(which).map_or(&[][..], Vec::as_slice);
        extents.iter().filter(|e| matches!(e, Extent::Data(..))).map(Extent::len).sum()
    }

    /// Of all files.
    pub fn all_stored_bytes(&self) -> u64 {
        (0..self.extents.len()).map(|which| self.stored_bytes(which)).sum()
    }

    /// Opens file `which`; `path` is what errors call it.
    pub fn open(&self, which: usize, path: &[u8]) -> OpenFile {
        let extents = self.extents.get(which).map_or(&[][..], Vec::as_slice);
        let ends = extents.iter().scan(0, |end, extent| {
            *end += extent.len();
            Some(*end)
        });
        let ends = ends.collect();
        OpenFile { which, path: String::from_utf8_lossy(path).into_owned(), ends }
    }

    /// Up to `len` bytes from `offset` on; fewer only at the end of the file.
    ///
    /// # Errors
    /// [`VaultError::DamagedRange`]; [`VaultError::NeverRead`] with the start of the range that the
    /// medium did not give; store failures.
    pub fn read(&self, file: &OpenFile, offset: u64, len: usize) -> Result<Vec<u8>, VaultError> {
        let end = offset.saturating_add(len as u64).min(file.size());
        let mut out = Vec::with_capacity(to_index(end.saturating_sub(offset)));
        let mut next = file.at(offset);
        let mut at = offset;
        while at < end {
            let extent = &self.extents[file.which][next];
            let begin = file.ends[next] - extent.len();
            let upto = end.min(file.ends[next]);
            let inside = to_index(at - begin)..to_index(upto - begin);
            match extent {
                Extent::Data(id, len) => {
                    let read = self.chunk(*id, *len);
                    let range = begin..file.ends[next];
                    let plain = read.map_err(|why| located(&file.path, range, why))?;
                    out.extend_from_slice(&plain[inside]);
                }
                Extent::Zeros(_) => out.resize(out.len() + inside.len(), 0),
                Extent::Unreadable(_) => {
                    return Err(VaultError::NeverRead { path: file.path.clone(), offset: begin });
                }
                Extent::Identity(..) | Extent::Waypoint(_) => {}
            }
            (at, next) = (upto, next + 1);
        }
        Ok(out)
    }

    /// The first place from `offset` on that has bytes, or none. What the medium never
    /// gave counts as bytes, so that whoever copies meets the error.
    pub fn next_data(&self, file: &OpenFile, offset: u64) -> Option<u64> {
        self.seek(file, offset, |e| !matches!(e, Extent::Zeros(_)))
    }

    /// The first place from `offset` on that lies in a hole; the end of the file is one.
    pub fn next_hole(&self, file: &OpenFile, offset: u64) -> Option<u64> {
        let hole = self.seek(file, offset, |e| matches!(e, Extent::Zeros(_)));
        (offset < file.size()).then(|| hole.unwrap_or(file.size()))
    }

    fn seek(&self, file: &OpenFile, offset: u64, is: impl Fn(&Extent) -> bool) -> Option<u64> {
        let first = file.at(offset);
        let rest = self.extents[file.which].get(first..)?;
        let found = rest.iter().position(|e| e.len() > 0 && is(e))? + first;
        let begin = file.ends[found] - self.extents[file.which][found].len();
        Some(begin.max(offset))
    }

    /// A chunk, authenticated, from those that are kept or from its pack.
    fn chunk(&self, id: ChunkId, len: u32) -> Result<Plain, VaultError> {
        if let Some(plain) = self.recall(&id) {
            return Ok(plain);
        }
        let mut desk = lock(&self.desks).pop().unwrap_or_default();
        let read = {
            // Entered anew for each chunk: a prune does not wait for a snapshot that stays open.
            let _stay = self.unit.enter();
            self.unit.chunk(&self.unit.table(), &id, len, &mut desk)
        };
        let plain = Arc::new(std::mem::take(&mut desk.plain));
        lock(&self.desks).push(desk);
        read?;
        let mut kept = lock(&self.kept);
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back((id, Arc::clone(&plain)));
        Ok(plain)
    }

    fn recall(&self, id: &ChunkId) -> Option<Plain> {
        let mut kept = lock(&self.kept);
        let at = kept.iter().position(|(kept, _)| kept == id)?;
        let found = kept.remove(at)?;
        let plain = Arc::clone(&found.1);
        kept.push_back(found);
        Some(plain)
    }
}

impl OpenFile {
    fn size(&self) -> u64 {
        self.ends.last().copied().unwrap_or(0)
    }

    /// The extent that has this byte.
    fn at(&self, offset: u64) -> usize {
        self.ends.partition_point(|end| *end <= offset)
    }
}

fn to_index(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::unix::fs::FileExt;

    use bailee_store::MemoryObjects;

    use super::*;
    use crate::{Kek, Source};

    /// 3 MiB of bytes, 8 MiB of hole, 100 000 bytes.
    fn sparse() -> (Vec<Entry>, Contents, Vec<u8>) {
        let dir = tempfile::tempdir().unwrap();
        let file = File::create(dir.path().join("f")).unwrap();
        let mut seed = 1_u32;
        let mut bytes: Vec<u8> = (0..3 << 20)
            .map(|_| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                seed.to_be_bytes()[0]
            })
            .collect();
        file.write_all_at(&bytes, 0).unwrap();
        file.write_all_at(&[9; 100_000], 11 << 20).unwrap();
        bytes.resize(11 << 20, 0);
        bytes.resize((11 << 20) + 100_000, 9);
        let vault = Vault::create(Arc::new(MemoryObjects::new()), &Kek::from_bytes([1; 32]));
        let vault = vault.unwrap();
        let source = Source::Tree(dir.path().into());
        let kept = vault.preserve("t", "u", &source, &mut ()).unwrap();
        let (entries, contents) = vault.browse("t", &kept.id).unwrap();
        assert_eq!(entries[1].path, b"f");
        (entries, contents, bytes)
    }

    #[test]
    fn every_range_is_what_was_preserved_and_little_is_kept() {
        let (_, contents, bytes) = sparse();
        let file = contents.open(1, b"f");
        let mut at = 0;
        while at < bytes.len() {
            let end = bytes.len().min(at + 77_777);
            assert!(contents.read(&file, at as u64, 77_777).unwrap() == bytes[at..end], "{at}");
            at = end;
        }
        assert!(contents.read(&file, 0, usize::MAX).unwrap() == bytes);
        assert!(contents.read(&file, bytes.len() as u64, 5).unwrap().is_empty());
        assert!(contents.read(&file, u64::MAX, 5).unwrap().is_empty());
        let kept = lock(&contents.kept);
        assert!(!kept.is_empty() && kept.len() <= KEPT);
        assert!(kept.iter().map(|(_, plain)| plain.len()).sum::<usize>() <= KEPT << 20);
    }

    #[test]
    fn holes_are_told_and_what_was_never_read_is_none() {
        let (_, mut contents, bytes) = sparse();
        let file = contents.open(1, b"f");
        let size = bytes.len() as u64;
        assert_eq!(contents.next_data(&file, 5), Some(5));
        let hole = contents.next_hole(&file, 0).unwrap();
        assert!((3 << 20..4 << 20).contains(&hole), "{hole}");
        let data = contents.next_data(&file, hole).unwrap();
        assert!((10 << 20..=11 << 20).contains(&data), "{data}");
        assert_eq!(contents.next_hole(&file, data), Some(size));
        assert_eq!(
            (contents.next_data(&file, size), contents.next_hole(&file, size)),
            (None, None)
        );
        assert_eq!(contents.stored_bytes(1), size - (data - hole));
        for extent in &mut contents.extents[1] {
            if let Extent::Zeros(n) = *extent {
                *extent = Extent::Unreadable(n);
            }
        }
        assert_eq!(contents.next_hole(&file, 0), Some(size));
        match contents.read(&file, hole + 10, 1) {
            Err(VaultError::NeverRead { path, offset }) => {
                assert_eq!((path.as_str(), offset), ("f", hole));
            }
            other => panic!("served: {other:?}"),
        }
        assert!(contents.read(&file, hole - 10, 10).is_ok());
    }
}
