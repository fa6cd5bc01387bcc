//! From bytes at offsets to pieces: chunks, zero runs, unreadable ranges.
//!
//! Invariants
//! 1. The pieces, in order, cover exactly `0..size`; nothing is skipped in silence.
//! 2. A block of [`BLOCK`] bytes at a multiple of [`BLOCK`] that is all zeros is never stored.
//! 3. A read error is narrowed to [`SECTOR`] bytes and becomes an unreadable range, not zeros.
//! 4. Pieces depend on the bytes only, not on how reads were divided or where holes lie.
//!
//! Out of scope: hashing, compression, storage.

use std::io;

use crate::chunker::{Cutter, MAX};

/// Granularity of zero elision.
pub(crate) const BLOCK: usize = 64 * 1024;
/// Granularity of unreadable ranges.
pub(crate) const SECTOR: usize = 4096;
/// Bytes asked for at once.
const READ: usize = 1024 * 1024;

static ZEROS: [u8; BLOCK] = [0; BLOCK];

/// Where bytes come from: a file, a device, or a test's failing medium.
pub(crate) trait ReadAt {
    /// Reads some bytes at `offset`; 0 means the end.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
}

impl ReadAt for std::fs::File {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(self, buffer, offset)
    }
}

/// A piece, in order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Data(Vec<u8>),
    Zeros(u64),
    Unreadable(u64),
}

/// What takes the pieces; `Err` stops the split at once.
pub(crate) type Sink<'a, E> = dyn FnMut(Piece) -> Result<(), E> + 'a;

/// Splits `size` bytes of `source`. Returns how many there were: fewer if it ends early.
pub(crate) fn split<E>(
    source: &dyn ReadAt,
    size: u64,
    cutter: &Cutter,
    buffer: &mut Vec<u8>,
    sink: &mut Sink<'_, E>,
) -> Result<u64, E> {
    buffer.resize(READ, 0);
    let mut splitter = Splitter::new(cutter, sink);
    let mut offset = 0;
    while offset < size {
        let want = usize::try_from(size - offset).unwrap_or(READ).min(READ);
        match fill(source, &mut buffer[..want], offset) {
            Ok(0) => break,
            Ok(n) => {
                splitter.data(&buffer[..n])?;
                offset += n as u64;
            }
            Err(_) => offset += by_sector(source, &mut buffer[..want], offset, &mut splitter)?,
        }
    }
    splitter.finish()?;
    Ok(offset)
}

/// Reads until the buffer is full, the end, or an error after nothing was read.
fn fill(source: &dyn ReadAt, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut done = 0;
    while done < buffer.len() {
        match source.read_at(&mut buffer[done..], offset + done as u64) {
            Ok(0) => break,
            Ok(n) => done += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(_) if done > 0 => break,
            Err(e) => return Err(e),
        }
    }
    Ok(done)
}

/// Reads a range that failed sector by sector.
fn by_sector<E>(
    source: &dyn ReadAt,
    buffer: &mut [u8],
    offset: u64,
    splitter: &mut Splitter<'_, '_, E>,
) -> Result<u64, E> {
    let (end, mut at) = (offset + buffer.len() as u64, offset);
    while at < end {
        let to_boundary = SECTOR - usize::try_from(at % SECTOR as u64).unwrap_or(0);
        let want = to_boundary.min(usize::try_from(end - at).unwrap_or(SECTOR));
        match fill(source, &mut buffer[..want], at) {
            Ok(0) => break,
            Ok(n) => {
                splitter.data(&buffer[..n])?;
                at += n as u64;
            }
            Err(_) => {
                splitter.unreadable(want as u64)?;
                at += want as u64;
            }
        }
    }
    Ok(at - offset)
}

struct Splitter<'c, 's, E> {
    cutter: &'c Cutter,
    sink: &'c mut Sink<'s, E>,
    /// Offset of the next byte.
    offset: u64,
    /// Bytes not yet cut: `run[start..]`.
    run: Vec<u8>,
    start: usize,
    zeros: u64,
    unreadable: u64,
}

impl<'c, 's, E> Splitter<'c, 's, E> {
    fn new(cutter: &'c Cutter, sink: &'c mut Sink<'s, E>) -> Self {
        Self { cutter, sink, offset: 0, run: Vec::new(), start: 0, zeros: 0, unreadable: 0 }
    }

    fn data(&mut self, mut bytes: &[u8]) -> Result<(), E> {
        while !bytes.is_empty() {
            let into = usize::try_from(self.offset % BLOCK as u64).unwrap_or(0);
            let (block, rest) = bytes.split_at((BLOCK - into).min(bytes.len()));
            if block == ZEROS {
                self.flush_run()?;
                self.flush_unreadable()?;
                self.zeros += BLOCK as u64;
            } else {
                self.flush_gaps()?;
                self.append(block)?;
            }
            self.offset += block.len() as u64;
            bytes = rest;
        }
        Ok(())
    }

    fn unreadable(&mut self, len: u64) -> Result<(), E> {
        self.flush_run()?;
        self.flush_zeros()?;
        self.unreadable += len;
        self.offset += len;
        Ok(())
    }

    fn append(&mut self, block: &[u8]) -> Result<(), E> {
        if self.start > 0 && self.run.len() + block.len() > self.run.capacity() {
            self.run.drain(..self.start);
            self.start = 0;
        }
        if self.run.capacity() < block.len() {
            self.run.reserve(if block.len() < BLOCK { block.len() } else { 4 * MAX });
        }
        self.run.extend_from_slice(block);
        while self.run.len() - self.start >= MAX {
            self.cut_one()?;
        }
        Ok(())
    }

    fn cut_one(&mut self) -> Result<(), E> {
        let rest = &self.run[self.start..];
        let n = self.cutter.cut(rest);
        let chunk = rest[..n].to_vec();
        self.start += n;
        (self.sink)(Piece::Data(chunk))
    }

    fn flush_run(&mut self) -> Result<(), E> {
        while self.start < self.run.len() {
            self.cut_one()?;
        }
        self.run.clear();
        self.start = 0;
        Ok(())
    }

    fn flush_zeros(&mut self) -> Result<(), E> {
        match std::mem::take(&mut self.zeros) {
            0 => Ok(()),
            n => (self.sink)(Piece::Zeros(n)),
        }
    }

    fn flush_unreadable(&mut self) -> Result<(), E> {
        match std::mem::take(&mut self.unreadable) {
            0 => Ok(()),
            n => (self.sink)(Piece::Unreadable(n)),
        }
    }

    fn flush_gaps(&mut self) -> Result<(), E> {
        self.flush_zeros()?;
        self.flush_unreadable()
    }

    fn finish(mut self) -> Result<(), E> {
        self.flush_run()?;
        self.flush_gaps()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails on the given sectors, reads at most `step` bytes at a time.
    struct Medium {
        bytes: Vec<u8>,
        bad: Vec<u64>,
        step: usize,
    }

    impl ReadAt for Medium {
        fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
            let at = usize::try_from(offset).unwrap().min(self.bytes.len());
            let n = buffer.len().min(self.step).min(self.bytes.len() - at);
            let sectors = offset / SECTOR as u64..(offset + n as u64).div_ceil(SECTOR as u64);
            if self.bad.iter().any(|b| sectors.contains(b)) {
                return Err(io::Error::other("medium"));
            }
            buffer[..n].copy_from_slice(&self.bytes[at..at + n]);
            Ok(n)
        }
    }

    fn pieces(medium: &Medium, size: u64) -> Vec<Piece> {
        let mut out = Vec::new();
        let mut sink = |piece| {
            out.push(piece);
            Ok::<(), ()>(())
        };
        let cutter = Cutter::new(&[1; 16]);
        split(medium, size, &cutter, &mut Vec::new(), &mut sink).unwrap();
        out
    }

    fn noise(len: usize) -> Vec<u8> {
        let mut out = vec![0; len];
        blake3::Hasher::new().finalize_xof().fill(&mut out);
        out
    }

    #[test]
    fn pieces_do_not_depend_on_how_reads_fall() {
        let mut bytes = noise(3 << 20);
        bytes[BLOCK * 5 + 9..BLOCK * 9].fill(0);
        let size = bytes.len() as u64;
        let whole = pieces(&Medium { bytes: bytes.clone(), bad: vec![], step: usize::MAX }, size);
        assert_eq!(pieces(&Medium { bytes: bytes.clone(), bad: vec![], step: 7777 }, size), whole);
        assert!(whole.contains(&Piece::Zeros(3 * BLOCK as u64)), "three whole blocks are zero");
        let again: Vec<u8> = whole
            .into_iter()
            .flat_map(|p| match p {
                Piece::Data(d) => d,
                Piece::Zeros(n) | Piece::Unreadable(n) => vec![0; usize::try_from(n).unwrap()],
            })
            .collect();
        assert!(again == bytes);
    }

    #[test]
    fn bad_sectors_are_named_exactly_and_their_neighbours_read() {
        let bytes = noise(300_000);
        let bad = vec![3, 4, 40];
        let got = pieces(&Medium { bytes: bytes.clone(), bad, step: usize::MAX }, 300_000);
        let mut at = 0;
        let mut unreadable = Vec::new();
        for piece in got {
            match piece {
                Piece::Data(d) => {
                    assert_eq!(d, bytes[at..at + d.len()]);
                    at += d.len();
                }
                Piece::Zeros(_) => panic!("nothing is zero here"),
                Piece::Unreadable(n) => {
                    let n = usize::try_from(n).unwrap();
                    unreadable.push((at / SECTOR, n / SECTOR));
                    at += n;
                }
            }
        }
        assert_eq!((at, unreadable), (300_000, vec![(3, 2), (40, 1)]));
    }

    #[test]
    fn a_source_that_ends_early_gives_what_it_had() {
        let medium = Medium { bytes: noise(1000), bad: vec![], step: usize::MAX };
        assert_eq!(pieces(&medium, 5000), [Piece::Data(noise(1000))]);
        assert_eq!(pieces(&medium, 0), []);
    }
}
