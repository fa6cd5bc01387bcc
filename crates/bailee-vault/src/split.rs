//! From bytes at offsets to pieces: chunks, zero runs, unreadable ranges.
//!
//! Invariants
//! 1. The pieces, in order, cover exactly `0..size`; nothing is skipped in silence.
//! 2. A block of [`BLOCK`] bytes at a multiple of [`BLOCK`] that is all zeros is never stored.
//! 3. A read error is narrowed to [`SECTOR`] bytes and becomes an unreadable range, not zeros.
//! 4. Pieces depend on the bytes only, not on where holes lie: a source gives fewer bytes than it
//!    was asked for only at its end and before what cannot be read, and of a hole only whole blocks
//!    are passed over unread.
//!
//! Out of scope: hashing, compression, storage.

use std::io;

use bailee_store::direct::{BLOCK as ALIGNED, Reader, Room};

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
    /// Up to `len` bytes at `offset`; fewer at the end, or before what cannot be read.
    fn read<'r>(&self, offset: u64, len: usize, room: &'r mut Room) -> io::Result<&'r [u8]>;
    /// Where the next bytes that need reading begin: all from `offset` to there are zeros.
    fn next_data(&self, offset: u64) -> u64 {
        offset
    }
}

impl ReadAt for Reader {
    fn read<'r>(&self, offset: u64, len: usize, room: &'r mut Room) -> io::Result<&'r [u8]> {
        Ok(self.read_at(offset, len, room)?)
    }
    fn next_data(&self, offset: u64) -> u64 {
        Reader::next_data(self, offset)
    }
}

/// A piece, in order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    Data(&'a [u8]),
    Zeros(u64),
    Unreadable(u64),
}

/// What takes the pieces; `Err` stops the split at once.
pub(crate) type Sink<'a, E> = dyn FnMut(Piece<'_>) -> Result<(), E> + 'a;

/// What takes a file as it is read, in order.
pub(crate) trait Runs<E> {
    fn data(&mut self, bytes: &[u8]) -> Result<(), E>;
    fn zeros(&mut self, len: u64) -> Result<(), E>;
    fn unreadable(&mut self, len: u64) -> Result<(), E>;
}

/// Splits `size` bytes of `source`. Returns how many there were: fewer if it ends early.
pub(crate) fn split<E>(
    source: &dyn ReadAt,
    size: u64,
    cutter: &Cutter,
    room: &mut Room,
    sink: &mut Sink<'_, E>,
) -> Result<u64, E> {
    split_runs(cutter, sink, |to| runs(source, size, room, to))
}

/// Aligned bytes that [`whole`] takes for a file of that size; none if it is not for it.
pub(crate) fn room_for(size: u64) -> Option<usize> {
    let len = usize::try_from(size).ok().filter(|len| (1..=READ).contains(len))?;
    Some(len.next_multiple_of(ALIGNED))
}

/// All of a file that is one run of at most one read, as most are: it is cut where it lies. None
/// if it is not, or cannot be read: what [`split`] says of it counts.
pub(crate) fn whole<'r>(source: &Reader, size: u64, room: &'r mut [u8]) -> Option<&'r [u8]> {
    let len = usize::try_from(size).ok()?;
    if source.next_data(0) > 0 {
        return None;
    }
    let bytes: &[u8] = source.read_start(len, room).ok()?;
    let sound = bytes.len() == len && !bytes.chunks_exact(BLOCK).any(|block| block == ZEROS);
    sound.then_some(bytes)
}

/// The chunks of a run that is whole.
pub(crate) fn chunks<'r>(mut run: &'r [u8], cutter: &Cutter) -> impl Iterator<Item = &'r [u8]> {
    std::iter::from_fn(move || {
        let (chunk, rest) = run.split_at(if run.is_empty() { 0 } else { cutter.cut(run) });
        run = rest;
        (!chunk.is_empty()).then_some(chunk)
    })
}

/// Splits what `feed` gives; its answer is the answer.
pub(crate) fn split_runs<E, T>(
    cutter: &Cutter,
    sink: &mut Sink<'_, E>,
    feed: impl FnOnce(&mut dyn Runs<E>) -> Result<T, E>,
) -> Result<T, E> {
    let mut splitter = Splitter::new(cutter, sink);
    let fed = feed(&mut splitter)?;
    splitter.finish()?;
    Ok(fed)
}

/// Zeros that were not read, at `offset`: of a hole only whole blocks are passed over.
pub(crate) fn zeros_at<E>(offset: u64, len: u64, to: &mut dyn Runs<E>) -> Result<(), E> {
    let block = BLOCK as u64;
    let (start, end) = (offset.next_multiple_of(block), (offset + len) / block * block);
    let rest = |n: u64| &ZEROS[..usize::try_from(n).unwrap_or(0)];
    if start >= end {
        let first = (start - offset).min(len);
        to.data(rest(first))?;
        return to.data(rest(len - first));
    }
    to.data(rest(start - offset))?;
    to.zeros(end - start)?;
    to.data(rest(offset + len - end))
}

/// Reads `size` bytes of `source`, as [`split`] does, without cutting them.
pub(crate) fn runs<E>(
    source: &dyn ReadAt,
    size: u64,
    room: &mut Room,
    to: &mut dyn Runs<E>,
) -> Result<u64, E> {
    let mut offset = 0;
    while offset < size {
        let hole = whole_blocks(offset, source.next_data(offset).min(size));
        if hole > 0 {
            to.zeros(hole)?;
            offset += hole;
            continue;
        }
        let want = usize::try_from(size - offset).unwrap_or(READ).min(READ);
        match source.read(offset, want, room) {
            Ok([]) => break,
            Ok(bytes) => {
                to.data(bytes)?;
                offset += bytes.len() as u64;
            }
            Err(_) => offset += by_sector(source, want, offset, room, to)?,
        }
    }
    Ok(offset)
}

/// Bytes of the whole blocks in `from..to`, if a block begins at `from`.
fn whole_blocks(from: u64, to: u64) -> u64 {
    let block = BLOCK as u64;
    if from.is_multiple_of(block) { (to / block * block).saturating_sub(from) } else { 0 }
}

/// Reads a range that failed sector by sector.
fn by_sector<E>(
    source: &dyn ReadAt,
    len: usize,
    offset: u64,
    room: &mut Room,
    to: &mut dyn Runs<E>,
) -> Result<u64, E> {
    let (end, mut at) = (offset + len as u64, offset);
    while at < end {
        let to_boundary = SECTOR - usize::try_from(at % SECTOR as u64).unwrap_or(0);
        let want = to_boundary.min(usize::try_from(end - at).unwrap_or(SECTOR));
        match source.read(at, want, room) {
            Ok([]) => break,
            Ok(bytes) => {
                to.data(bytes)?;
                at += bytes.len() as u64;
            }
            Err(_) => {
                to.unreadable(want as u64)?;
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
        self.start += n;
        (self.sink)(Piece::Data(&rest[..n]))
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

impl<E> Runs<E> for Splitter<'_, '_, E> {
    fn data(&mut self, mut bytes: &[u8]) -> Result<(), E> {
        while !bytes.is_empty() {
            let into = usize::try_from(self.offset % BLOCK as u64).unwrap_or(0);
            let (block, rest) = bytes.split_at((BLOCK - into).min(bytes.len()));
            if block == ZEROS {
                self.zeros(BLOCK as u64)?;
            } else {
                self.flush_gaps()?;
                self.append(block)?;
                self.offset += block.len() as u64;
            }
            bytes = rest;
        }
        Ok(())
    }

    fn zeros(&mut self, len: u64) -> Result<(), E> {
        self.flush_run()?;
        self.flush_unreadable()?;
        self.zeros += len;
        self.offset += len;
        Ok(())
    }

    fn unreadable(&mut self, len: u64) -> Result<(), E> {
        self.flush_run()?;
        self.flush_zeros()?;
        self.unreadable += len;
        self.offset += len;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;

    /// Gives what comes before the first bad sector, or fails there.
    struct Medium {
        bytes: Vec<u8>,
        bad: Vec<u64>,
    }

    impl ReadAt for Medium {
        fn read<'r>(&self, offset: u64, len: usize, room: &'r mut Room) -> io::Result<&'r [u8]> {
            let at = usize::try_from(offset).unwrap().min(self.bytes.len());
            let mut n = len.min(self.bytes.len() - at);
            let first = usize::try_from(offset).unwrap() / SECTOR;
            for bad in self.bad.iter().map(|b| usize::try_from(*b).unwrap()) {
                if bad == first && n > 0 {
                    return Err(io::Error::other("medium"));
                } else if bad > first {
                    n = n.min((bad * SECTOR).saturating_sub(at));
                }
            }
            let room = room.bytes(n);
            room.copy_from_slice(&self.bytes[at..at + n]);
            Ok(room)
        }
    }

    /// A piece that outlives the split.
    #[derive(Debug, PartialEq, Eq)]
    enum Kept {
        Data(Vec<u8>),
        Zeros(u64),
        Unreadable(u64),
    }

    impl Kept {
        fn of(piece: &Piece<'_>) -> Self {
            match *piece {
                Piece::Data(data) => Self::Data(data.to_vec()),
                Piece::Zeros(n) => Self::Zeros(n),
                Piece::Unreadable(n) => Self::Unreadable(n),
            }
        }
    }

    fn pieces(medium: &dyn ReadAt, size: u64) -> Vec<Kept> {
        let mut out = Vec::new();
        let mut sink = |piece: Piece<'_>| {
            out.push(Kept::of(&piece));
            Ok::<(), ()>(())
        };
        let cutter = Cutter::new(&[1; 16]);
        split(medium, size, &cutter, &mut Room::default(), &mut sink).unwrap();
        out
    }

    fn noise(len: usize) -> Vec<u8> {
        let mut out = vec![0; len];
        blake3::Hasher::new().finalize_xof().fill(&mut out);
        out
    }

    #[test]
    fn zero_blocks_are_left_out_and_everything_else_comes_back() {
        let mut bytes = noise(3 << 20);
        bytes[BLOCK * 5 + 9..BLOCK * 9].fill(0);
        let size = bytes.len() as u64;
        let whole = pieces(&Medium { bytes: bytes.clone(), bad: vec![] }, size);
        assert!(whole.contains(&Kept::Zeros(3 * BLOCK as u64)), "three whole blocks are zero");
        let again: Vec<u8> = whole
            .into_iter()
            .flat_map(|p| match p {
                Kept::Data(d) => d,
                Kept::Zeros(n) | Kept::Unreadable(n) => vec![0; usize::try_from(n).unwrap()],
            })
            .collect();
        assert!(again == bytes);
    }

    /// Also one that is not as long as it was, or has a block of zeros.
    #[test]
    fn a_small_file_is_cut_as_a_large_one_is() {
        let zeros = |at: usize, len: usize| {
            let mut bytes = noise(READ);
            bytes[at..at + len].fill(0);
            bytes
        };
        let (block, across) = (zeros(3 * BLOCK, BLOCK), zeros(3 * BLOCK + 1, BLOCK));
        for bytes in [noise(1), noise(BLOCK), noise(READ), noise(READ + 1), block, across] {
            let file = Reader::new(tempfile::tempfile().unwrap());
            file.file().write_all_at(&bytes, 0).unwrap();
            for size in [bytes.len() as u64, bytes.len() as u64 + 1] {
                let (mut room, cutter) = (Room::default(), Cutter::new(&[1; 16]));
                let room = room_for(size).map(|len| room.bytes(len));
                let run = room.and_then(|room| whole(&file, size, room));
                let kept = pieces(&Medium { bytes: bytes.clone(), bad: vec![] }, size);
                let zeros = kept.iter().any(|kept| matches!(kept, Kept::Zeros(_)));
                let fits = size == bytes.len() as u64 && bytes.len() <= READ && !zeros;
                assert_eq!(run.is_some(), fits, "{size}");
                if let Some(run) = run {
                    let cut = chunks(run, &cutter).map(|chunk| Kept::Data(chunk.to_vec()));
                    assert!(cut.collect::<Vec<_>>() == kept, "{size}");
                }
            }
        }
    }

    #[test]
    fn a_file_with_holes_gives_the_pieces_of_one_without() {
        let bytes = noise(3 << 20);
        let written = [
            (0, 100),
            (4096, 70_000),
            (9 * BLOCK + 4096, BLOCK),
            (20 * BLOCK, 8192),
            (2_999_000, 7),
        ];
        let ends = [20 * BLOCK + 8192, 40 * BLOCK + 77, 3_145_728];
        for end in ends {
            let sparse = Reader::new(tempfile::tempfile().unwrap());
            sparse.file().set_len(end as u64).unwrap();
            let mut plain = vec![0; end];
            for (at, len) in written.into_iter().filter(|(at, len)| at + len <= end) {
                sparse.file().write_all_at(&bytes[at..at + len], at as u64).unwrap();
                plain[at..at + len].copy_from_slice(&bytes[at..at + len]);
            }
            assert!(sparse.next_data(12 * BLOCK as u64) > 12 * BLOCK as u64, "it has holes");
            let whole = pieces(&Medium { bytes: plain, bad: vec![] }, end as u64);
            assert_eq!(pieces(&sparse, end as u64), whole, "{end}");
            assert_eq!(pieces(&sparse, end as u64 + 5 * BLOCK as u64), whole, "it ends early");
        }
    }

    #[test]
    fn bad_sectors_are_named_exactly_and_their_neighbours_read() {
        let bytes = noise(300_000);
        let bad = vec![3, 4, 40];
        let got = pieces(&Medium { bytes: bytes.clone(), bad }, 300_000);
        let mut at = 0;
        let mut unreadable = Vec::new();
        for piece in got {
            match piece {
                Kept::Data(d) => {
                    assert_eq!(d, bytes[at..at + d.len()]);
                    at += d.len();
                }
                Kept::Zeros(_) => panic!("nothing is zero here"),
                Kept::Unreadable(n) => {
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
        let medium = Medium { bytes: noise(1000), bad: vec![] };
        assert_eq!(pieces(&medium, 5000), [Kept::Data(noise(1000))]);
        assert_eq!(pieces(&medium, 0), []);
    }
}
