//! The collector: puts the threads' results together and makes the snapshot visible.
//!
//! Invariants: a segment is put only from packs announced as durable; the snapshot is put last,
//! and only if every entry is complete. Segments are put every [`SEGMENT_PACKS`] packs, so that an
//! interrupted copy of many terabytes is not stored twice.

use crossbeam_channel::Receiver;

use super::work::{Session, Storer, put_pack};
use super::{Event, Progress};
use crate::error::VaultError;
use crate::index::{PackRow, Segment};
use crate::key::random;
use crate::manifest::{Extent, Node, Stored, write_all};
use crate::names;
use crate::pack::Slot;
use crate::seal::Kind;
use crate::snapshot::Snapshot;
use crate::unit::Unit;

/// Packs per segment: 8 GiB of data.
const SEGMENT_PACKS: usize = 256;
/// Manifests are stored in pieces of this size.
const MANIFEST_PIECE: usize = 1024 * 1024;

pub(super) struct Collector<'a> {
    unit: &'a Unit,
    progress: &'a mut dyn Progress,
    entries: Vec<Stored>,
    /// Ids and hashes of large files, which may come before their extents.
    chunks: Vec<(usize, usize, Extent)>,
    hashes: Vec<(usize, [u8; 32])>,
    segment: Segment,
    stored_bytes: u64,
    files: u64,
    bytes: u64,
}

impl<'a> Collector<'a> {
    pub(super) fn new(unit: &'a Unit, progress: &'a mut dyn Progress) -> Self {
        Self {
            unit,
            progress,
            entries: Vec::new(),
            chunks: Vec::new(),
            hashes: Vec::new(),
            segment: Segment::default(),
            stored_bytes: 0,
            files: 0,
            bytes: 0,
        }
    }

    /// Takes events until all threads are done, or one failed.
    pub(super) fn collect(&mut self, events: Receiver<Event>) -> Result<(), VaultError> {
        for event in events {
            match event {
                Event::Found { index, entry } => {
                    debug_assert_eq!(index, self.entries.len(), "one feeder, one order");
                    self.entries.push(Stored { entry, extents: Vec::new() });
                }
                Event::Whole { index, content, extents } => {
                    self.advance(1, content.size);
                    self.fill(index, content, extents);
                }
                Event::Streamed { index, content, extents } => {
                    let gap = |e: &&Extent| !matches!(e, Extent::Data(..));
                    self.advance(1, extents.iter().filter(gap).map(Extent::len).sum());
                    self.fill(index, content, extents);
                }
                Event::Chunk { index, piece, extent } => {
                    self.advance(0, extent.len());
                    self.chunks.push((index, piece, extent));
                }
                Event::Hashed { index, sha256 } => self.hashes.push((index, sha256)),
                Event::Packed { row, slots } => self.packed(row, slots)?,
                Event::Failed(e) => return Err(e),
            }
        }
        self.flush_segment()
    }

    fn advance(&mut self, files: u64, bytes: u64) {
        self.files += files;
        self.bytes += bytes;
        self.progress.advance(self.files, self.bytes);
    }

    fn fill(&mut self, index: usize, new: crate::manifest::Content, extents: Vec<Extent>) {
        let stored = &mut self.entries[index];
        stored.extents = extents;
        if let Node::File { content, .. } = &mut stored.entry.node {
            *content = new;
        }
    }

    fn packed(&mut self, row: PackRow, slots: Vec<Slot>) -> Result<(), VaultError> {
        self.stored_bytes += row.size;
        self.segment.packs.push((row, slots));
        if self.segment.packs.len() >= SEGMENT_PACKS { self.flush_segment() } else { Ok(()) }
    }

    fn flush_segment(&mut self) -> Result<(), VaultError> {
        if self.segment.packs.is_empty() {
            return Ok(());
        }
        let segment = std::mem::take(&mut self.segment);
        let id = random()?;
        let object = segment.seal(self.unit.key(), &self.unit.place(Kind::Index, id))?;
        self.unit.objects.put(&self.unit.object(Kind::Index, &id), &object)?;
        self.stored_bytes += object.len() as u64;
        Ok(())
    }

    /// The complete entries, in tree order.
    pub(super) fn entries(&mut self) -> Result<Vec<Stored>, VaultError> {
        let mut entries = std::mem::take(&mut self.entries);
        for (index, piece, extent) in self.chunks.drain(..) {
            entries[index].extents[piece] = extent;
        }
        for (index, sha256) in self.hashes.drain(..) {
            if let Node::File { content, .. } = &mut entries[index].entry.node {
                content.sha256 = sha256;
            }
        }
        Ok(entries)
    }

    /// Stores the manifest and its index, then puts the snapshot.
    pub(super) fn commit(
        &mut self,
        session: &Session<'_>,
        snapshot: &mut Snapshot,
        entries: &[Stored],
    ) -> Result<(), VaultError> {
        let mut storer = Storer::new(session, Kind::MetaPack)?;
        for piece in write_all(entries).chunks(MANIFEST_PIECE) {
            let (id, full) = storer.store(piece)?;
            let len = u32::try_from(piece.len()).expect("a piece has at most 1 MiB");
            snapshot.manifest.push((id, len));
            if let Some(pack) = full {
                self.packed(put_pack(self.unit, &pack)?, pack.slots)?;
            }
        }
        if let Some(pack) = storer.finish()? {
            self.packed(put_pack(self.unit, &pack)?, pack.slots)?;
        }
        self.flush_segment()?;
        self.unit.reload()?;
        snapshot.packs = packs_of(self.unit, snapshot, entries)?;
        let id = snapshot.info.id;
        let object = snapshot.seal(self.unit.key(), &self.unit.place(Kind::Snapshot, id.0))?;
        self.unit.objects.put(&names::snapshot(&self.unit.tenant_tag(), &id), &object)?;
        self.stored_bytes += object.len() as u64;
        Ok(())
    }

    pub(super) fn stored_bytes(&self) -> u64 {
        self.stored_bytes
    }
}

/// Every pack the snapshot's manifest and content lie in, sorted.
fn packs_of(
    unit: &Unit,
    snapshot: &Snapshot,
    entries: &[Stored],
) -> Result<Vec<names::Tag>, VaultError> {
    let table = unit.table();
    let data = entries.iter().flat_map(|s| &s.extents).filter_map(|e| match e {
        Extent::Data(id, _) => Some(id),
        Extent::Zeros(_) | Extent::Unreadable(_) => None,
    });
    let mut packs = std::collections::BTreeSet::new();
    for id in data.chain(snapshot.manifest.iter().map(|(id, _)| id)) {
        let (row, _) = table.find(id).ok_or_else(|| VaultError::MissingChunk {
            chunk: crate::wire::hex(id),
            unit: unit.name.clone(),
        })?;
        packs.insert(row.id);
    }
    Ok(packs.into_iter().collect())
}
