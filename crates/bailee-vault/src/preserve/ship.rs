//! Shipping: a pack goes to the store while it is being built.
//!
//! Invariants
//! 1. The sheets of a pack go in order to one uploader. A pack whose builder stops early ends in
//!    an error of the stream, never as an object that is too short.
//! 2. A pack is announced only after its put returned, which is after its last sheet.
//!
//! Why not whole packs: several of 16 MiB for each core are in hand at any time, and where memory
//! is touched for the first time that costs more than sealing what is put into it.

use std::io::{self, Read};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::work::Session;
use super::{Event, Stage, Stop};
use crate::error::VaultError;
use crate::index::{PackHash, PackRow};
use crate::pack::{Pack, Slot};
use crate::seal::Place;

/// A sheet is sent once it has this many bytes.
pub(super) const SHEET: usize = 1024 * 1024;
/// Sheets that may wait for one uploader.
const WAITING: usize = 4;

/// Part of a pack's bytes.
enum Sheet {
    More(Vec<u8>),
    /// The end of the pack, and what is in it.
    Last(Vec<u8>, Vec<Slot>),
}

/// A pack that is under way.
pub(super) struct Shipment {
    place: Place,
    sheets: Receiver<Sheet>,
}

/// One worker's way to the store.
pub(super) struct Shipping<'a> {
    session: &'a Session<'a>,
    uploaders: &'a Sender<Shipment>,
    open: Option<Sender<Sheet>>,
}

impl<'a> Shipping<'a> {
    pub(super) fn new(session: &'a Session<'a>, uploaders: &'a Sender<Shipment>) -> Self {
        Self { session, uploaders, open: None }
    }

    /// Sends the next bytes of the pack at `place`.
    pub(super) fn more(&mut self, place: Place, bytes: Vec<u8>) -> Result<(), Stop> {
        let to = self.line(place)?;
        to.send(Sheet::More(bytes))?;
        self.open = Some(to);
        Ok(())
    }

    /// Sends the end of a pack, and says to the session whether the store keeps up.
    pub(super) fn last(&mut self, pack: Pack) -> Result<(), Stop> {
        let to = self.line(pack.place)?;
        self.session.adapt(to.is_full(), to.is_empty());
        Ok(to.send(Sheet::Last(pack.bytes, pack.slots))?)
    }

    fn line(&mut self, place: Place) -> Result<Sender<Sheet>, Stop> {
        if let Some(open) = self.open.take() {
            return Ok(open);
        }
        let (to, sheets) = bounded(WAITING);
        self.uploaders.send(Shipment { place, sheets })?;
        Ok(to)
    }
}

/// An uploader thread.
pub(super) fn upload(
    session: &Session<'_>,
    shipments: &Receiver<Shipment>,
    events: &Sender<Event>,
) -> Result<(), Stop> {
    for shipment in shipments {
        let (row, slots) = session.meter.run(Stage::Put, || shipment.put(session))?;
        events.send(Event::Packed { row, slots })?;
    }
    Ok(())
}

impl Shipment {
    /// Puts the pack as it comes; durable on return.
    fn put(self, session: &Session<'_>) -> Result<(PackRow, Vec<Slot>), Stop> {
        let (unit, kind, id) = (session.unit, self.place.kind, self.place.object);
        let name = unit.object(kind, &id);
        unit.stays.writes(id, &session.alive);
        let mut stream = Stream::new(session, self.sheets);
        let put = unit.objects.put_stream(&name, &mut stream);
        if stream.cut {
            return Err(Stop::Gone); // whoever built it says why
        }
        put.map_err(VaultError::from)?;
        session.recycle(stream.sheet);
        let taken = || VaultError::damaged(&name, "something else has its name");
        let slots = stream.slots.ok_or_else(taken)?;
        let hash = PackHash::Blake3(*stream.hash.finalize().as_bytes());
        Ok((PackRow { id, kind, size: stream.size, hash }, slots))
    }
}

/// The bytes of a pack as its sheets come.
struct Stream<'a> {
    session: &'a Session<'a>,
    sheets: Receiver<Sheet>,
    sheet: Vec<u8>,
    /// So much of the sheet is read.
    at: usize,
    hash: blake3::Hasher,
    size: u64,
    /// Known once the last sheet has come.
    slots: Option<Vec<Slot>>,
    /// The builder has stopped before its last sheet.
    cut: bool,
}

impl<'a> Stream<'a> {
    fn new(session: &'a Session<'a>, sheets: Receiver<Sheet>) -> Self {
        let (sheet, hash) = (Vec::new(), blake3::Hasher::new());
        Self { session, sheets, sheet, at: 0, hash, size: 0, slots: None, cut: false }
    }

    fn next(&mut self) -> io::Result<()> {
        let next = match self.sheets.recv() {
            Ok(Sheet::More(bytes)) => bytes,
            Ok(Sheet::Last(bytes, slots)) => {
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
        self.session.recycle(std::mem::replace(&mut self.sheet, next));
        Ok(())
    }
}

impl Read for Stream<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.at == self.sheet.len() && self.slots.is_none() {
            self.next()?;
        }
        let n = into.len().min(self.sheet.len() - self.at);
        into[..n].copy_from_slice(&self.sheet[self.at..][..n]);
        self.at += n;
        Ok(n)
    }
}
