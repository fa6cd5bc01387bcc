//! The content of a member: stored bytes, and zeros where a sparse file has holes.
//!
//! Invariant: pieces lie in order within the file and make up exactly the bytes stored.

use std::io::Read;

use super::sparse::Map;
use super::{Archive, Flaw};

/// Content, read from front to back.
#[derive(Debug)]
pub(crate) struct Body {
    pub(crate) size: u64,
    at: u64,
    holes: u64,
    /// Last first.
    pieces: Vec<(u64, u64)>,
}

impl Body {
    pub(super) fn whole(size: u64) -> Self {
        Self { size, at: 0, holes: 0, pieces: vec![(0, size)] }
    }

    pub(super) fn sparse(map: Map, stored: u64) -> Result<Self, &'static str> {
        let (mut end, mut sum) = (0u64, 0u64);
        for (offset, len) in &map.pieces {
            let next = offset.checked_add(*len).filter(|next| *next <= map.size);
            let next = next.ok_or("has a map that leaves the file")?;
            if *offset < end {
                return Err("has a map that goes back");
            }
            (end, sum) = (next, sum + len);
        }
        if sum != stored {
            return Err("has a map that does not fit what is stored");
        }
        let mut pieces = map.pieces;
        pieces.reverse();
        Ok(Self { size: map.size, at: 0, holes: map.size - sum, pieces })
    }

    /// Bytes of it that are not stored.
    pub(super) fn holes(&self) -> u64 {
        self.holes
    }

    /// Fills `room`, which must not reach past the end.
    pub(crate) fn read<R: Read>(
        &mut self,
        archive: &mut Archive<R>,
        mut room: &mut [u8],
    ) -> Result<(), Flaw> {
        while !room.is_empty() {
            let (offset, len) = self.pieces.last().copied().unwrap_or((self.size, 0));
            let end = offset + len;
            if self.at >= end && self.pieces.pop().is_some() {
                continue;
            }
            let (data, until) = if self.at < offset { (false, offset) } else { (true, end) };
            let n = usize::try_from(until - self.at).unwrap_or(room.len()).min(room.len());
            if n == 0 {
                return Err(archive.flaw("a member was read past its end"));
            }
            let (now, rest) = std::mem::take(&mut room).split_at_mut(n);
            if data {
                archive.content(now)?;
            } else {
                now.fill(0);
            }
            self.at += n as u64;
            room = rest;
        }
        Ok(())
    }
}
