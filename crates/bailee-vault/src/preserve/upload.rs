//! Uploading: a pack goes to the store while it is being built.
//!
//! Invariants
//! 1. The parts of a pack go in order to one uploader. A pack whose builder stops early ends in an
//!    error of the stream, never as an object that is too short.
//! 2. A pack is announced only after its put returned, which is after its last part.
//!
//! Why not whole packs: several of 16 MiB for each core are in hand at any time, and where memory
//! is touched for the first time that costs more than sealing what is put into it.

use std::io::{self, Read};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::stage::{Laps, Stage};
use super::work::Session;
use super::{Event, Stop};
use crate::error::VaultError;
use crate::index::{PackHash, PackRow};
use crate::pack::{Pack, Slot};
use crate::seal::Place;

/// A part is sent once it has this many bytes.
pub(super) const PART: usize = 1024 * 1024;
/// Sheets that may wait for one uploader.
const WAITING: usize = 4;

/// Part of a pack's bytes.
enum Part {
    More(Vec<u8>),
    /// The end of the pack, and what is in it.
    Last(Vec<u8>, Vec<Slot>),
}

/// A pack that is under way.
pub(super) struct Upload {
    place: Place,
    parts: Receiver<Part>,
}

/// One worker's way to the store.
pub(super) struct Uploads<'a> {
    session: &'a Session<'a>,
    uploaders: &'a Sender<Upload>,
    open: Option<Sender<Part>>,
}

impl<'a> Uploads<'a> {
    pub(super) fn new(session: &'a Session<'a>, uploaders: &'a Sender<Upload>) -> Self {
        Self { session, uploaders, open: None }
    }

    /// Sends the next bytes of the pack at `place`.
    pub(super) fn more(&mut self, place: Place, bytes: Vec<u8>) -> Result<(), Stop> {
        let to = self.line(place)?;
        to.send(Part::More(bytes))?;
        self.open = Some(to);
        Ok(())
    }

    /// Sends the end of a pack; how many parts wait says whether the store keeps up.
    pub(super) fn last(&mut self, pack: Pack) -> Result<(), Stop> {
        let to = self.line(pack.place)?;
        self.session.adapt(&to);
        Ok(to.send(Part::Last(pack.bytes, pack.slots))?)
    }

    fn line(&mut self, place: Place) -> Result<Sender<Part>, Stop> {
        if let Some(open) = self.open.take() {
            return Ok(open);
        }
        let (to, parts) = bounded(WAITING);
        self.uploaders.send(Upload { place, parts })?;
        Ok(to)
    }
}

/// An uploader thread.
pub(super) fn upload(
    session: &Session<'_>,
    uploads: &Receiver<Upload>,
    events: &Sender<Event>,
) -> Result<(), Stop> {
    let mut laps = Laps::new(&session.meter);
    for upload in uploads {
        laps.begin();
        let (row, slots) = upload.put(session)?;
        laps.end(Stage::Put);
        events.send(Event::Packed { row, slots })?;
    }
    Ok(())
}

impl Upload {
    /// Puts the pack as it comes; durable on return.
    fn put(self, session: &Session<'_>) -> Result<(PackRow, Vec<Slot>), Stop> {
        let (unit, kind, id) = (session.unit, self.place.kind, self.place.object);
        let name = unit.object(kind, &id);
        unit.stays.writes(id, &session.alive);
        let mut stream = Stream::new(session, self.parts);
        let put = unit.objects.put_stream(&name, &mut stream);
        if stream.cut {
            return Err(Stop::Gone); // whoever built it says why
        }
        put.map_err(VaultError::from)?;
        session.recycle(stream.part);
        let taken = || VaultError::damaged(&name, "something else has its name");
        let slots = stream.slots.ok_or_else(taken)?;
        let hash = PackHash::Blake3(*stream.hash.finalize().as_bytes());
        Ok((PackRow { id, kind, size: stream.size, hash }, slots))
    }
}

/// The bytes of a pack as its parts come.
struct Stream<'a> {
    session: &'a Session<'a>,
    parts: Receiver<Part>,
    part: Vec<u8>,
    /// So much of the part is read.
    at: usize,
    hash: blake3::Hasher,
    size: u64,
    /// Known once the last part has come.
    slots: Option<Vec<Slot>>,
    /// The builder has stopped before its last part.
    cut: bool,
}

impl<'a> Stream<'a> {
    fn new(session: &'a Session<'a>, parts: Receiver<Part>) -> Self {
        let (part, hash) = (Vec::new(), blake3::Hasher::new());
        Self { session, parts, part, at: 0, hash, size: 0, slots: None, cut: false }
    }

    fn next(&mut self) -> io::Result<()> {
        let next = match self.parts.recv() {
            Ok(Part::More(bytes)) => bytes,
            Ok(Part::Last(bytes, slots)) => {
                self.slots = Some(slots);
                bytes
            }
            Err(_) => {
                self.cut = true;
                return Err(io::Error::other("what builds the pack has stopped"));
            }
        };
        self.hash.update(&next);
        self.size += next.len() as u64;
        self.at = 0;
        self.session.recycle(std::mem::replace(&mut self.part, next));
        Ok(())
    }
}

impl Read for Stream<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.at == self.part.len() && self.slots.is_none() {
            self.next()?;
        }
        let n = into.len().min(self.part.len() - self.at);
        into[..n].copy_from_slice(&self.part[self.at..][..n]);
        self.at += n;
        Ok(n)
    }
}
