//! The archive of a set as one stream, with what is lost of it.
//!
//! Invariants
//! 1. Bytes that leave are authentic, at their place in the archive; in the place of what is lost
//!    [`LOST`] is given, and that it was is told. No header of an archive consists of it.
//! 2. After a gap of unknown length the stream goes on at another place than it says; whoever reads
//!    it is told ([`Loss::Place`]), and believes nothing before it is at a member's start again.
//!
//! Out of scope: naming what is wrong with a volume, see `read.rs`.

use std::cell::Cell;
use std::io::{Read, Write};
use std::rc::Rc;

use super::VolumeFacts;
use super::layout::{Cipher, Description, END, Head, NONE_STARTS};
use super::read::{LEAD, Place, Tape};
use crate::key::Kek;
use crate::seal::TAG;

/// What is given for a byte that is lost.
const LOST: u8 = 0xff;

/// What is lost of what was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Loss {
    Nothing,
    /// Bytes; those after them are at their place.
    Bytes,
    /// Nobody knows how much: what follows may be anything.
    Place,
}

/// The archive, read from front to back.
pub(super) struct Stream<'a> {
    key: &'a Kek,
    places: std::slice::Iter<'a, Place>,
    open: Option<Open<'a>>,
    /// The volumes that were read from start to end.
    read: Vec<VolumeFacts>,
    /// The present frame, and how far it was read.
    plain: Vec<u8>,
    at: usize,
    /// Where in the archive the frame starts.
    from: u64,
    /// Where in the archive the next byte that is given lies.
    position: u64,
    /// Lost bytes to be given before the frame.
    gap: u64,
    /// Nobody knows how long the gap is.
    astray: bool,
    /// Set when lost bytes are given.
    loss: Rc<Cell<Loss>>,
}

/// The volume being read.
struct Open<'a> {
    tape: Tape<'a>,
    head: Head,
    cipher: Cipher,
    start: u64,
    frames: u64,
}

impl<'a> Stream<'a> {
    pub(super) fn new(places: &'a [Place], key: &'a Kek) -> Self {
        Self {
            key,
            places: places.iter(),
            open: None,
            read: Vec::new(),
            plain: Vec::new(),
            at: 0,
            from: 0,
            position: 0,
            gap: 0,
            astray: false,
            loss: Rc::new(Cell::new(Loss::Nothing)),
        }
    }

    /// Whether lost bytes were given; whoever asks sets it back.
    pub(super) fn loss(&self) -> Rc<Cell<Loss>> {
        Rc::clone(&self.loss)
    }

    /// Where in the archive the next byte lies.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Whether every frame was read.
    pub(super) fn is_over(&self) -> bool {
        self.gap == 0 && self.at >= self.plain.len() && self.open.is_none()
    }

    /// The volumes that were read from start to end, with what was read.
    pub(super) fn into_read(self) -> Vec<VolumeFacts> {
        self.read
    }

    /// Sends it to `out`, up to the first gap. Gives how many bytes left.
    pub(super) fn send(mut self, out: &mut dyn Write) -> std::io::Result<u64> {
        let (mut room, mut sent) = (vec![0; 64 << 10], 0);
        loop {
            let n = self.read(&mut room)?;
            if n == 0 || self.loss.get() != Loss::Nothing {
                out.flush()?;
                return Ok(sent);
            }
            out.write_all(&room[..n])?;
            sent += n as u64;
        }
    }

    /// Goes to where the next member starts, in the present frame or after it.
    pub(super) fn resync(&mut self) -> bool {
        (self.gap, self.astray) = (0, false);
        loop {
            let first = self.plain.first_chunk().map_or(NONE_STARTS, |n| u32::from_be_bytes(*n));
            let start = usize::try_from(first).unwrap_or(usize::MAX).saturating_add(LEAD);
            if first != NONE_STARTS && start >= self.at && start < self.plain.len() {
                self.position = self.from + (start - LEAD) as u64;
                self.at = start;
                return true;
            }
            if !self.refill() {
                return false;
            }
            (self.gap, self.astray) = (0, false);
        }
    }

    /// The next frame that is whole; `false` after the last.
    fn refill(&mut self) -> bool {
        loop {
            if self.open.is_none() && !self.begin() {
                self.plain.clear();
                self.at = 0;
                return false;
            }
            let Some(open) = &mut self.open else { continue };
            let Some(frame) = open.next(&mut self.plain) else {
                self.read.extend(self.open.take().and_then(Open::finish));
                continue;
            };
            let Some(position) = frame else { continue };
            (self.at, self.from) = (LEAD, position);
            let expected = self.position.saturating_add(self.gap);
            self.gap = self.gap.saturating_add(position.saturating_sub(expected));
            if position < expected {
                self.stray();
            }
            return true;
        }
    }

    /// Opens the next volume; `false` after the last.
    fn begin(&mut self) -> bool {
        for place in self.places.by_ref() {
            let Ok(mut tape) = Tape::open(&place.path) else { continue };
            let Ok(Ok((head, cipher))) = tape.head(self.key) else { continue };
            if head.ordinal != place.ordinal {
                continue; // it was changed since it was checked
            }
            let mut sealed = Vec::new();
            let description = head.description as usize + TAG;
            let read = tape.take(description, &mut sealed);
            let plain = read.ok().and_then(|()| cipher.open(0, &mut sealed));
            let described = plain.and_then(|plain| Description::parse(plain).ok());
            let start = described.map(|d| d.start).or(place.start);
            if start.is_none() {
                self.stray();
            }
            let start = start.unwrap_or(self.position.saturating_add(self.gap));
            self.open = Some(Open { tape, head, cipher, start, frames: 0 });
            return true;
        }
        false
    }

    /// Something is lost before what comes next, nobody knows how much.
    fn stray(&mut self) {
        self.astray = true;
        self.gap = self.gap.saturating_add(1);
    }
}

impl Open<'_> {
    /// What the volume is, if all of it could be read.
    fn finish(mut self) -> Option<VolumeFacts> {
        let rest = usize::try_from(self.tape.left).unwrap_or(usize::MAX);
        self.tape.take(rest, &mut Vec::new()).ok()?;
        self.tape.facts(&self.head)
    }

    /// Reads the next frame: its position in the archive, `Some(None)` if it is damaged, `None`
    /// after the last.
    fn next(&mut self, plain: &mut Vec<u8>) -> Option<Option<u64>> {
        let end = (END + TAG) as u64;
        if self.tape.left <= end {
            return None;
        }
        let room = usize::try_from(self.tape.left - end).unwrap_or(usize::MAX);
        let each = u64::from(self.head.frame).saturating_sub(LEAD as u64);
        let position = self.start.saturating_add(each.saturating_mul(self.frames));
        self.frames += 1;
        let read = self.tape.take(room.min(self.head.frame as usize + TAG), plain);
        let opened = read.ok().and_then(|()| self.cipher.open(self.frames, plain));
        let len = opened.map(<[u8]>::len).filter(|len| *len > LEAD);
        plain.truncate(len.unwrap_or(0));
        Some(len.map(|_| position))
    }
}

impl Read for Stream<'_> {
    fn read(&mut self, room: &mut [u8]) -> std::io::Result<usize> {
        while self.gap == 0 && self.at >= self.plain.len() {
            if !self.refill() {
                return Ok(0);
            }
        }
        let n = if self.gap > 0 {
            let n = usize::try_from(self.gap).map_or(room.len(), |gap| gap.min(room.len()));
            room[..n].fill(LOST);
            self.gap -= n as u64;
            let loss = if self.astray { Loss::Place } else { Loss::Bytes };
            self.loss.set(self.loss.get().max(loss));
            n
        } else {
            let n = room.len().min(self.plain.len() - self.at);
            room[..n].copy_from_slice(&self.plain[self.at..self.at + n]);
            self.at += n;
            n
        };
        self.position += n as u64;
        Ok(n)
    }
}
