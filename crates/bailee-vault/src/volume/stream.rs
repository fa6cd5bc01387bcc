//! The archive of a set as one stream, with what is lost of it.
//!
//! Invariants
//! 1. Bytes that leave are authentic, at their place in the archive; in the place of what is lost
//!    [`LOST`] is given, and that it was is told. No header of an archive consists of it.
//! 2. After a gap of unknown length the stream goes on at another place than it says; whoever reads
//!    it is told of a loss before, and takes nothing for whole that lies across.
//!
//! Out of scope: naming what is wrong with a volume, see `read.rs`.

use std::cell::Cell;
use std::io::{Read, Write};
use std::rc::Rc;

use super::layout::{Cipher, Description, END, Head, NONE_STARTS};
use super::read::{LEAD, Place, Tape};
use crate::key::Kek;
use crate::seal::TAG;

/// What is given for a byte that is lost.
const LOST: u8 = 0xff;

/// The archive, read from front to back.
pub(super) struct Stream<'a> {
    key: &'a Kek,
    places: std::slice::Iter<'a, Place>,
    open: Option<Open<'a>>,
    /// The ordinal that comes next.
    next: u32,
    /// The present frame, and how far it was read.
    plain: Vec<u8>,
    at: usize,
    /// Where in the archive the frame starts.
    from: u64,
    /// Where in the archive the next byte that is given lies.
    position: u64,
    /// Lost bytes to be given before the frame.
    gap: u64,
    /// Set when lost bytes are given.
    lost: Rc<Cell<bool>>,
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
            next: 1,
            plain: Vec::new(),
            at: 0,
            from: 0,
            position: 0,
            gap: 0,
            lost: Rc::default(),
        }
    }

    /// Whether lost bytes were given; whoever asks sets it back.
    pub(super) fn lost(&self) -> Rc<Cell<bool>> {
        Rc::clone(&self.lost)
    }

    /// Sends it to `out`, up to the first gap. Gives how many bytes left.
    pub(super) fn send(mut self, out: &mut dyn Write) -> std::io::Result<u64> {
        let (mut room, mut sent) = (vec![0; 64 << 10], 0);
        loop {
            let n = self.read(&mut room)?;
            if n == 0 || self.lost.get() {
                out.flush()?;
                return Ok(sent);
            }
            out.write_all(&room[..n])?;
            sent += n as u64;
        }
    }

    /// Goes to where the next member starts, in the present frame or after it.
    pub(super) fn resync(&mut self) -> bool {
        self.gap = 0;
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
            self.gap = 0;
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
                self.open = None;
                continue;
            };
            let Some(position) = frame else { continue };
            (self.at, self.from) = (LEAD, position);
            self.gap += position.saturating_sub(self.position + self.gap);
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
            if start.is_none() && place.ordinal != self.next {
                self.gap += 1; // nobody knows how much
            }
            let start = start.unwrap_or(self.position + self.gap);
            self.next = place.ordinal.saturating_add(1);
            self.open = Some(Open { tape, head, cipher, start, frames: 0 });
            return true;
        }
        false
    }
}

impl Open<'_> {
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
            self.lost.set(true);
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
