//! The collector: puts the threads' results together and makes the snapshot visible.
//!
//! Invariants: a segment is put only from packs announced as durable; the snapshot is put last,
//! and only if every entry is complete. A segment is put for each eighth of what is there, with a
//! draft of the files whose chunks are all durable: an interrupted copy is neither stored nor, but
//! for its last eighth and the file it stopped in, read twice.

use std::collections::{BTreeSet, HashSet};
use std::path::PathBuf;
use std::thread;

use crossbeam_channel::Receiver;

use super::archive::Tree;
use super::carry::carry;
use super::previous::{Draft, Previous};
use super::work::{Session, Storer, put_pack};
use super::{Event, Source, path_of};
use crate::error::VaultError;
use crate::index::{PackRow, Segment};
use crate::key::random;
use crate::manifest::{Extent, Node, Stored, write_all};
use crate::names::{self, SnapshotId};
use crate::pack::ChunkId;
use crate::pack::Slot;
use crate::progress::Progress;
use crate::seal::Kind;
use crate::snapshot::Snapshot;
use crate::stay::lock;
use crate::unit::Unit;

/// Packs per segment at most: 8 GiB of data.
const SEGMENT_PACKS: usize = 256;
/// Manifests are stored in pieces of this size.
const MANIFEST_PIECE: usize = 1024 * 1024;

pub(super) struct Collector<'a> {
    session: &'a Session<'a>,
    unit: &'a Unit,
    source: (&'a Source, i64),
    progress: &'a mut dyn Progress,
    entries: Vec<Stored>,
    /// Pieces and hashes of large files, which may come before their extents.
    pieces: Vec<(usize, usize, Extent)>,
    hashes: Vec<(usize, [u8; 32])>,
    segment: Segment,
    stored_bytes: u64,
    files: u64,
    bytes: u64,
    unchanged: (u64, u64),
    /// Packs this session has made durable, and what is in them.
    packs: Vec<names::Tag>,
    durable: HashSet<ChunkId>,
    /// Files in no draft yet, and the drafts put so far.
    undrafted: Vec<usize>,
    drafts: Vec<String>,
    /// Where entries stand that did not come in tree order.
    tree: Option<Tree>,
    /// What of an archive was replaced by what came later.
    replaced: Vec<PathBuf>,
}

impl<'a> Collector<'a> {
    pub(super) fn new(
        session: &'a Session<'a>,
        source: (&'a Source, i64),
        progress: &'a mut dyn Progress,
    ) -> Self {
        Self {
            session,
            unit: session.unit,
            source,
            progress,
            entries: Vec::new(),
            pieces: Vec::new(),
            hashes: Vec::new(),
            segment: Segment::default(),
            stored_bytes: 0,
            files: 0,
            bytes: 0,
            unchanged: (0, 0),
            packs: Vec::new(),
            durable: HashSet::new(),
            undrafted: Vec::new(),
            drafts: Vec::new(),
            tree: None,
            replaced: Vec::new(),
        }
    }

    /// Takes events until all threads are done, or one failed.
    pub(super) fn collect(&mut self, events: Receiver<Event>) -> Result<(), VaultError> {
        for event in events {
            match event {
                Event::Found { index, entries } => {
                    debug_assert_eq!(index, self.entries.len(), "one feeder, one order");
                    let stored = |entry| Stored { entry, extents: Vec::new() };
                    self.entries.extend(entries.into_iter().map(stored));
                }
                Event::Same { index, stored } => {
                    debug_assert_eq!(index, self.entries.len(), "one feeder, one order");
                    let size = stored.entry.content().map_or(0, |c| c.size);
                    self.advance(1, size);
                    self.unchanged = (self.unchanged.0 + 1, self.unchanged.1 + size);
                    self.entries.push(stored);
                }
                Event::Whole(files) => {
                    for (index, content, extents) in files {
                        self.advance(1, content.size);
                        self.fill(index, content, extents);
                    }
                }
                Event::Streamed { index, content, extents } => {
                    let gap = |e: &&Extent| !matches!(e, Extent::Data(..));
                    self.advance(1, extents.iter().filter(gap).map(Extent::len).sum());
                    self.fill(index, content, extents);
                }
                Event::Piece { index, piece, extent } => {
                    self.advance(0, extent.len());
                    self.pieces.push((index, piece, extent));
                }
                Event::Hashed { index, sha256 } => self.hashes.push((index, sha256)),
                Event::Arranged(tree) => self.tree = Some(tree),
                Event::Packed { row, slots } => self.packed(row, slots)?,
                Event::Failed(e) => {
                    if of_source(&e) {
                        // What is durable already is found by the next attempt if it is named.
                        drop(self.flush_segment());
                    }
                    return Err(e);
                }
            }
        }
        self.flush_segment()
    }

    /// See [`super::SnapshotReport::replaced`].
    pub(super) fn replaced(&mut self) -> Vec<PathBuf> {
        std::mem::take(&mut self.replaced)
    }

    /// Files taken over, and their bytes.
    pub(super) fn unchanged(&self) -> (u64, u64) {
        self.unchanged
    }

    /// Removes what this snapshot supersedes. What stays after a failure is swept one day.
    pub(super) fn drop_drafts(&self, previous: &Previous) {
        let drafts = [self.drafts.as_slice(), &previous.drafts].concat();
        drop(self.unit.objects.delete_all(&drafts));
    }

    fn advance(&mut self, files: u64, bytes: u64) {
        self.files += files;
        self.bytes += bytes;
        self.progress.advance(self.files, self.bytes);
    }

    fn fill(&mut self, index: usize, new: crate::manifest::Content, extents: Vec<Extent>) {
        self.undrafted.push(index);
        let stored = &mut self.entries[index];
        stored.extents = extents;
        if let Node::File { content, .. } = &mut stored.entry.node {
            *content = new;
        }
    }

    fn packed(&mut self, row: PackRow, slots: Vec<Slot>) -> Result<(), VaultError> {
        self.stored_bytes += row.size;
        self.packs.push(row.id);
        self.durable.extend(slots.iter().map(|slot| slot.info.id));
        self.segment.packs.push((row, slots));
        if self.segment.packs.len() < (self.packs.len() / 8).clamp(2, SEGMENT_PACKS) {
            return Ok(());
        }
        self.flush_segment()?;
        self.draft()
    }

    /// Writes down which files need not be read again if this is interrupted.
    fn draft(&mut self) -> Result<(), VaultError> {
        self.settle();
        if matches!(self.source.0, Source::Stream(_) | Source::Tar(_) | Source::Sent(..)) {
            return Ok(()); // they come once: nothing is taken up again
        }
        let (durable, table) = (&self.durable, &self.session.table);
        let held =
            |e: &Extent| e.chunk().is_none_or(|(id, _)| durable.contains(&id) || table.has(&id));
        let whole = |s: &Stored| {
            let hashed = s.entry.content().is_some_and(|c| c.sha256 != [0; 32]);
            hashed && s.extents.iter().all(held)
        };
        let (ready, rest): (Vec<usize>, Vec<usize>) =
            self.undrafted.iter().partition(|index| whole(&self.entries[**index]));
        self.undrafted = rest;
        if ready.is_empty() {
            return Ok(());
        }
        let entries = ready.iter().map(|index| self.entries[*index].clone()).collect();
        let (source, taken_at) = self.source;
        let draft = Draft { kind: source.kind(), source: source.name(), taken_at, entries };
        self.drafts.push(draft.put(self.unit)?);
        Ok(())
    }

    fn flush_segment(&mut self) -> Result<(), VaultError> {
        if self.segment.packs.is_empty() {
            return Ok(());
        }
        let segment = std::mem::take(&mut self.segment);
        let id = random()?;
        let object = segment.seal(self.unit.key(), &self.unit.place(Kind::Sorted, id))?;
        self.unit.objects.put(&self.unit.object(Kind::Sorted, &id), &object)?;
        self.stored_bytes += object.len() as u64;
        Ok(())
    }

    /// Puts pieces and hashes of large files where they belong, if their extents have come.
    fn settle(&mut self) {
        let entries = &mut self.entries;
        self.pieces.retain(|(index, piece, extent)| {
            match entries[*index].extents.get_mut(*piece) {
                Some(slot) => {
                    *slot = extent.clone();
                    false
                }
                None => true,
            }
        });
        self.hashes.retain(|(index, sha256)| match &mut entries[*index] {
            Stored { extents, .. } if extents.is_empty() => true,
            Stored { entry, .. } => {
                if let Node::File { content, .. } = &mut entry.node {
                    content.sha256 = *sha256;
                }
                false
            }
        });
    }

    /// The complete entries, in tree order.
    pub(super) fn entries(&mut self) -> Result<Vec<Stored>, VaultError> {
        self.settle();
        // A large file that turned out empty has a hash and no extents.
        for (index, sha256) in self.hashes.drain(..) {
            if let Node::File { content, .. } = &mut self.entries[index].entry.node {
                content.sha256 = sha256;
            }
        }
        let entries = std::mem::take(&mut self.entries);
        Ok(match self.tree.take() {
            Some(tree) => {
                self.replaced = tree.replaced().iter().map(|path| path_of(path)).collect();
                tree.arrange(entries)
            }
            None => entries,
        })
    }

    /// Stores the manifest and its index, computes its root beside it, then puts the snapshot.
    pub(super) fn commit(
        &mut self,
        session: &Session<'_>,
        snapshot: &mut Snapshot,
        entries: &[Stored],
    ) -> Result<(), VaultError> {
        let (manifest, root) = thread::scope(|scope| {
            let root = scope.spawn(|| snapshot.root_over(entries));
            let manifest = self.put_manifest(session, entries);
            (manifest, root.join().expect("hashing does not panic"))
        });
        (snapshot.manifest, snapshot.info.root) = (manifest?, root);
        snapshot.info.id = SnapshotId::of_root(&root);
        self.unit.reload()?;
        carry(session, snapshot, entries)?;
        let _switch = lock(&self.unit.switch);
        carry(session, snapshot, entries)?; // what was condemned meanwhile
        snapshot.packs = self.packs_of(snapshot, entries)?;
        let id = snapshot.info.id;
        let object = snapshot.seal(self.unit.key(), &self.unit.place(Kind::Snapshot, id.0))?;
        lock(&self.unit.taken).insert(id); // before: the store may put it and not say so
        self.unit.objects.put(&names::snapshot(&self.unit.tenant_tag(), &id), &object)?;
        self.stored_bytes += object.len() as u64;
        Ok(())
    }

    /// The chunks of the manifest, stored and indexed.
    fn put_manifest(
        &mut self,
        session: &Session<'_>,
        entries: &[Stored],
    ) -> Result<Vec<(ChunkId, u32)>, VaultError> {
        let (mut storer, mut chunks) = (Storer::new(session, Kind::MetaPack)?, Vec::new());
        for piece in write_all(entries).chunks(MANIFEST_PIECE) {
            storer.laps.begin();
            let (id, full) = storer.store(piece)?;
            let len = u32::try_from(piece.len()).expect("a piece has at most 1 MiB");
            chunks.push((id, len));
            if let Some(pack) = full {
                self.packed(put_pack(self.unit, &pack, &session.alive)?, pack.slots)?;
            }
        }
        if let Some(pack) = storer.finish()? {
            self.packed(put_pack(self.unit, &pack, &session.alive)?, pack.slots)?;
        }
        self.flush_segment()?;
        Ok(chunks)
    }

    /// Every pack the snapshot's manifest and content lie in, sorted: those of this session, and
    /// where the table has what was stored before.
    fn packs_of(
        &self,
        snapshot: &Snapshot,
        entries: &[Stored],
    ) -> Result<Vec<names::Tag>, VaultError> {
        let table = self.unit.table();
        let data =
            entries.iter().flat_map(|s| &s.extents).filter_map(Extent::chunk).map(|(id, _)| id);
        let mut packs: BTreeSet<names::Tag> = self.packs.iter().copied().collect();
        let all = data.chain(snapshot.manifest.iter().map(|(id, _)| *id));
        for id in all.filter(|id| !self.durable.contains(id)) {
            let (row, _) = table.find(&id)?.ok_or_else(|| table.missing(&id, &self.unit.name))?;
            packs.insert(row.id);
        }
        Ok(packs.into_iter().collect())
    }

    pub(super) fn stored_bytes(&self) -> u64 {
        self.stored_bytes
    }
}

/// Whether what comes in broke, and not what takes it.
fn of_source(e: &VaultError) -> bool {
    use VaultError::{Archive, Source, Transfer};
    matches!(e, Archive { .. } | Source { .. } | Transfer { .. })
}
