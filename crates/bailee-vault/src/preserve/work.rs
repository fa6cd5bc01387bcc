//! Workers: where the processor time goes.
//!
//! Invariants: each worker builds its own pack, so nonces need no agreement; a chunk is stored by
//! whoever marks its id first, and all packs are durable before the snapshot is put.
//! Out of scope: how packs reach the store (`upload.rs`); hashes of large files (`hasher.rs`).

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bailee_store::direct::Room;
use crossbeam_channel::{Receiver, Sender};

use super::feed::{Job, Small, Tally, has_moved};
use super::lot;
use super::rest::Rest;
use super::stage::{Laps, Meter, Stage};
use super::upload::{PART, Upload, Uploads};
use super::{Done, Event, Stop};
use crate::chunker::MAX;
use crate::error::VaultError;
use crate::flat::{Flat, digests};
use crate::index::{PackHash, PackRow, Table};
use crate::key::random;
use crate::manifest::Extent;
use crate::pack::{ChunkId, PACK_TARGET, Pack, PackBuilder};
use crate::packer::{Origin, Packer};
use crate::seal::{Kind, Place};
use crate::split::{Piece, chunks, split};
use crate::unit::Unit;

/// Room beyond a part for the chunk that crosses its end, and for most directories.
const PART_ROOM: usize = PART + MAX + 64 * 1024;
/// zstd levels between which back-pressure moves: from its fastest ordinary one, which gives up
/// early on what cannot be compressed, to what is worth it when a core would only wait.
const LEVELS: [i32; 2] = [1, 7];
/// Of so many lots of small files one is timed.
const SAMPLE: usize = 8;

/// What all threads of one preservation share.
pub(super) struct Session<'a> {
    pub(super) unit: &'a Unit,
    /// Lives as long as the session: its packs are fresh until then.
    pub(super) alive: Arc<()>,
    /// Chunks stored before.
    pub(super) table: Arc<Table>,
    /// What of the source is at rest.
    pub(super) rest: Rest,
    pub(super) meter: Meter,
    /// How hard to compress: harder while packs wait for the store, see [`Session::adapt`].
    level: AtomicI32,
    /// Buffers of chunks of large files.
    chunks: Mutex<Vec<Vec<u8>>>,
    /// Chunks this session has taken on.
    taken: [Mutex<HashSet<ChunkId>>; 16],
    /// Buffers of parts that are put, to be filled again: fresh memory costs page faults.
    spare: Mutex<Vec<Vec<u8>>>,
    /// Whether something failed, so that what is still done is done for nobody.
    pub(super) stopped: AtomicBool,
}

impl<'a> Session<'a> {
    pub(super) fn new(unit: &'a Unit, rest: Rest) -> Self {
        Self {
            unit,
            alive: unit.stays.session(),
            table: unit.table(),
            rest,
            meter: Meter::default(),
            level: AtomicI32::new(LEVELS[0]),
            chunks: Mutex::default(),
            taken: Default::default(),
            spare: Mutex::default(),
            stopped: AtomicBool::new(false),
        }
    }

    /// Back-pressure: a level up if the store cannot keep up, a level down if it waits for us.
    pub(super) fn adapt<T>(&self, waiting: &Sender<T>) {
        let level = self.level.load(Ordering::Relaxed);
        let next = match (waiting.is_full(), waiting.is_empty()) {
            (true, _) => level + 1,
            (_, true) => level - 1,
            _ => level,
        };
        self.level.store(next.clamp(LEVELS[0], LEVELS[1]), Ordering::Relaxed);
    }

    pub(super) fn chunk_buffer(&self) -> Vec<u8> {
        let spare = self.chunks.lock().unwrap_or_else(PoisonError::into_inner).pop();
        spare.unwrap_or_else(|| Vec::with_capacity(MAX))
    }

    /// Takes the buffer back from whoever is the last to need it.
    pub(super) fn done_with(&self, data: Arc<Vec<u8>>) {
        if let Ok(mut buffer) = Arc::try_unwrap(data) {
            buffer.clear();
            self.chunks.lock().unwrap_or_else(PoisonError::into_inner).push(buffer);
        }
    }

    fn buffer(&self) -> Vec<u8> {
        let spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop();
        spare.unwrap_or_else(|| Vec::with_capacity(PART_ROOM))
    }

    pub(super) fn recycle(&self, mut buffer: Vec<u8>) {
        if buffer.capacity() < PART {
            return;
        }
        buffer.clear();
        self.spare.lock().unwrap_or_else(PoisonError::into_inner).push(buffer);
    }

    /// Whether the caller must store this chunk.
    fn take(&self, id: &ChunkId) -> bool {
        if self.table.trusts(id) {
            return false;
        }
        let shard = &self.taken[usize::from(id[0]) % self.taken.len()];
        shard.lock().unwrap_or_else(PoisonError::into_inner).insert(*id)
    }
}

/// Puts chunks into packs of one kind.
pub(super) struct Storer<'a> {
    session: &'a Session<'a>,
    pub(super) laps: Laps<'a>,
    kind: Kind,
    packer: Packer,
    open: Option<PackBuilder>,
}

impl<'a> Storer<'a> {
    pub(super) fn new(session: &'a Session<'a>, kind: Kind) -> Result<Self, VaultError> {
        let (laps, packer) = (Laps::new(&session.meter), Packer::new()?);
        Ok(Self { session, laps, kind, packer, open: None })
    }

    /// The chunk's id, and a finished pack if this one filled it. The caller has begun a lap.
    pub(super) fn store(&mut self, plain: &[u8]) -> Result<(ChunkId, Option<Pack>), VaultError> {
        let unit = self.session.unit;
        let id = unit.chunk_id(plain);
        self.laps.end(Stage::Id);
        if !self.session.take(&id) {
            return Ok((id, None));
        }
        let mut pack = match self.open.take() {
            Some(pack) => pack,
            None => {
                let place = unit.place(self.kind, random()?);
                PackBuilder::new(unit.key(), place, self.session.buffer())?
            }
        };
        let level = self.session.level.load(Ordering::Relaxed);
        pack.add(&mut self.packer, level, id, plain)?;
        let full = if pack.len() >= PACK_TARGET {
            Some(pack.finish()?)
        } else {
            self.open = Some(pack);
            None
        };
        self.laps.end(Stage::Seal);
        Ok((id, full))
    }

    /// Bytes of the open pack, and where it belongs, once there are enough to send.
    fn part(&mut self) -> Option<(Place, Vec<u8>)> {
        let pack = self.open.as_mut().filter(|pack| pack.waiting() >= PART)?;
        Some((pack.place(), pack.part_with(self.session.buffer())))
    }

    /// The last pack.
    pub(super) fn finish(self) -> Result<Option<Pack>, VaultError> {
        self.open.map(PackBuilder::finish).transpose()
    }
}

/// One worker thread.
pub(super) struct Worker<'a> {
    storer: Storer<'a>,
    uploads: Uploads<'a>,
    events: &'a Sender<Event>,
    /// What a lot is read into, and a file that is not read with others.
    rooms: (Room, Room),
}

impl<'a> Worker<'a> {
    pub(super) fn new(
        session: &'a Session<'a>,
        uploaders: &'a Sender<Upload>,
        events: &'a Sender<Event>,
    ) -> Result<Self, Stop> {
        let storer = Storer::new(session, Kind::DataPack)?;
        let uploads = Uploads::new(session, uploaders);
        Ok(Self { storer, uploads, events, rooms: Default::default() })
    }

    pub(super) fn run(mut self, jobs: &Receiver<Job>) -> Result<(), Stop> {
        for (turn, job) in jobs.iter().enumerate() {
            match job {
                Job::Whole(files) => {
                    self.storer.laps.weigh(if turn % SAMPLE == 0 { SAMPLE as u64 } else { 0 });
                    self.storer.packer.turn_to(Origin::Small);
                    let done = self.lot(&files)?;
                    self.events.send(Event::Whole(done))?;
                }
                Job::Chunk { index, piece, data } => {
                    self.storer.laps.weigh(1);
                    self.storer.packer.turn_to(Origin::Large);
                    self.storer.laps.begin();
                    let id = self.store(&data)?;
                    let len = u32::try_from(data.len()).expect("chunks have at most 1 MiB");
                    let extent = Extent::Data(id, len);
                    self.storer.session.done_with(data);
                    self.events.send(Event::Piece { index, piece, extent })?;
                }
            }
        }
        match self.storer.finish()? {
            Some(pack) => self.uploads.last(pack),
            None => Ok(()),
        }
    }

    fn store(&mut self, plain: &[u8]) -> Result<ChunkId, Stop> {
        let (id, full) = self.storer.store(plain)?;
        if let Some(pack) = full {
            self.uploads.last(pack)?;
        } else if let Some((place, bytes)) = self.storer.part() {
            self.uploads.more(place, bytes)?;
        }
        Ok(id)
    }

    /// Small files, read together: their digests go side by side.
    fn lot(&mut self, files: &[Small]) -> Result<Vec<Done>, Stop> {
        let mut room = std::mem::take(&mut self.rooms.0);
        self.storer.laps.begin();
        let runs = lot::read(files, &mut room);
        self.storer.laps.end(Stage::ReadCut);
        let mut digests = digests(&runs.iter().flatten().copied().collect::<Vec<_>>()).into_iter();
        self.storer.laps.end(Stage::Sha256);
        let mut done = Vec::with_capacity(files.len());
        for (small, run) in files.iter().zip(runs) {
            done.push(match run {
                Some(run) => self.run_of(small, run, digests.next().unwrap_or_default())?,
                None => self.split(small)?,
            });
        }
        self.rooms.0 = room;
        Ok(done)
    }

    /// A file that was read whole.
    fn run_of(&mut self, small: &Small, run: &[u8], sha256: [u8; 32]) -> Result<Done, Stop> {
        let mut tally = Tally::new(self.storer.session.rest.rested(&small.stat));
        let cutter = &self.storer.session.unit.cutter;
        for chunk in chunks(run, cutter) {
            self.storer.laps.end(Stage::ReadCut);
            tally.data(self.store(chunk)?, chunk.len());
        }
        let (mut content, extents) = tally.finish(has_moved(small.file.file(), &small.stat));
        content.sha256 = sha256;
        Ok((small.index, content, extents))
    }

    /// A file with holes, or a larger one, or one that changes.
    fn split(&mut self, Small { index, file, stat }: &Small) -> Result<Done, Stop> {
        let mut hash = Flat::default();
        let mut tally = Tally::new(self.storer.session.rest.rested(stat));
        let mut room = std::mem::take(&mut self.rooms.1);
        let session = self.storer.session;
        self.storer.laps.begin();
        let mut sink = |piece: Piece<'_>| -> Result<(), Stop> {
            self.storer.laps.end(Stage::ReadCut);
            match piece {
                Piece::Data(data) => {
                    hash.update(data);
                    self.storer.laps.end(Stage::Sha256);
                    tally.data(self.store(data)?, data.len());
                }
                Piece::Zeros(n) => {
                    hash.zeros(n);
                    tally.zeros(n);
                }
                Piece::Unreadable(n) => {
                    hash.zeros(n);
                    tally.unreadable(n);
                }
            }
            Ok(())
        };
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        let read = split(file, size, &session.unit.cutter, &mut room, &mut sink)?;
        let changed = read != size || has_moved(file.file(), stat);
        let (mut content, extents) = tally.finish(changed);
        content.sha256 = hash.finish();
        self.rooms.1 = room;
        Ok((*index, content, extents))
    }
}

/// Puts a pack of a session; durable on return.
pub(crate) fn put_pack(unit: &Unit, pack: &Pack, session: &Arc<()>) -> Result<PackRow, VaultError> {
    let (kind, id) = (pack.place.kind, pack.place.object);
    let hash = PackHash::Blake3(*blake3::hash(&pack.bytes).as_bytes());
    let row = PackRow { id, kind, size: pack.bytes.len() as u64, hash };
    unit.stays.writes(id, session);
    unit.objects.put(&unit.object(kind, &id), &pack.bytes)?;
    Ok(row)
}

#[cfg(test)]
mod tests {
    use bailee_store::MemoryObjects;
    use bailee_store::direct::Reader;
    use crossbeam_channel::unbounded;

    use super::*;
    use crate::key::Kek;
    use crate::vault::{Absent, Vault};

    #[test]
    fn a_file_that_changes_underfoot_is_recorded_as_changed() {
        let kek = Kek::from_bytes([1; 32]);
        let vault = Vault::create(Arc::new(MemoryObjects::new()), &kek).unwrap();
        let tenant = vault.tenant("t", Absent::Create).unwrap();
        let unit = vault.unit(&tenant, "A-1", Absent::Create).unwrap();
        let session = Session::new(&unit, Rest::begin());
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        for (before, after) in [("abc", "abc"), ("abc", "ab"), ("abc", "abcd")] {
            std::fs::write(&path, before).unwrap();
            let file = std::fs::File::open(&path).unwrap();
            let stat = rustix::fs::fstat(&file).unwrap();
            if before != after {
                std::fs::write(&path, after).unwrap();
            }
            let (jobs_in, jobs) = unbounded();
            let (packs_in, _packs) = unbounded();
            let (events_in, events) = unbounded();
            let file = Reader::new(file);
            let small = Small { index: 0, file, stat };
            jobs_in.send(Job::Whole(vec![small])).unwrap();
            drop(jobs_in);
            let worker = Worker::new(&session, &packs_in, &events_in).ok().unwrap();
            assert!(worker.run(&jobs).is_ok());
            let Ok(Event::Whole(done)) = events.try_recv() else {
                panic!("a worker reports what it was given")
            };
            let [(0, content, _)] = &done[..] else { panic!("{} files", done.len()) };
            assert_eq!(content.changed, before != after, "{before} became {after}");
            assert_eq!(content.size, after.len().min(before.len()) as u64);
        }
    }
}
