//! A file that is written in stretches, by one thread or by several at once.
//!
//! Invariants
//! 1. Whole blocks of a stretch go past the cache, through a descriptor that does nothing else. Its
//!    edges, which may share a block with a neighbour's, go through the cache: no block goes both
//!    ways, so neither can undo the other.
//! 2. Stretches that do not overlap give the same file in every order. What none of them wrote is a
//!    hole. The length of the file is the caller's.
//! 3. A file system that refuses direct transfers, and a small file, get ordinary calls.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::{BLOCK, Room, WORTH, past_the_cache, refused};

/// Bytes of one write. While one thread waits for the disk, the others wait for the file.
const WRITE: usize = 4 * 1024 * 1024;

/// A file that may be written by several.
#[derive(Debug)]
pub struct Shared<'f> {
    file: &'f File,
    direct: Option<File>,
}

impl<'f> Shared<'f> {
    /// Takes a file that is open for writing and is going to have about `size` bytes.
    pub fn new(file: &'f File, size: u64) -> Self {
        let direct = || past_the_cache(file, File::options().write(true));
        Self { file, direct: if size >= WORTH { direct() } else { None } }
    }

    /// What writes from `offset` on, with memory that may have been used before.
    pub fn stretch(&self, offset: u64, room: Room) -> Stretch<'_> {
        let mut stretch = Stretch { to: self, room, block: 0, from: 0, filled: 0 };
        stretch.seek(offset);
        stretch
    }

    fn blocks(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        match self.direct.as_ref().map(|direct| direct.write_all_at(bytes, at)) {
            Some(Err(e)) if !refused(&e) => Err(e),
            Some(Ok(())) => Ok(()),
            _ => self.file.write_all_at(bytes, at),
        }
    }
}

/// A part of a file, as one thread writes it.
#[derive(Debug)]
pub struct Stretch<'s> {
    to: &'s Shared<'s>,
    room: Room,
    /// Where the room lies in the file: at a block.
    block: u64,
    /// What of the room is to be written: from here to here.
    from: usize,
    filled: usize,
}

impl Stretch<'_> {
    fn seek(&mut self, offset: u64) {
        self.block = offset / BLOCK as u64 * BLOCK as u64;
        self.from = usize::try_from(offset - self.block).unwrap_or(0);
        self.filled = self.from;
    }

    /// Where the next byte goes.
    fn position(&self) -> u64 {
        self.block + self.filled as u64
    }

    /// Appends.
    ///
    /// # Errors
    /// The medium's.
    pub fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        if self.to.direct.is_none() {
            let at = self.position();
            self.to.file.write_all_at(bytes, at)?;
            self.seek(at + bytes.len() as u64);
            return Ok(());
        }
        while !bytes.is_empty() {
            let (head, tail) = bytes.split_at(bytes.len().min(WRITE - self.filled));
            self.room.bytes(WRITE)[self.filled..][..head.len()].copy_from_slice(head);
            self.filled += head.len();
            bytes = tail;
            if self.filled == WRITE {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Leaves out `len` bytes.
    ///
    /// # Errors
    /// The medium's.
    pub fn skip(&mut self, len: u64) -> io::Result<()> {
        self.flush()?;
        self.seek(self.position() + len);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.from == self.filled {
            return Ok(());
        }
        let (from, end, at) = (self.from, self.filled, self.block);
        let first = from.next_multiple_of(BLOCK).min(end);
        let last = (end / BLOCK * BLOCK).max(first);
        let bytes = &self.room.bytes(WRITE)[..end];
        self.to.file.write_all_at(&bytes[from..first], at + from as u64)?;
        if first < last {
            self.to.blocks(&bytes[first..last], at + first as u64)?;
        }
        self.to.file.write_all_at(&bytes[last..], at + last as u64)?;
        self.seek(at + end as u64);
        Ok(())
    }

    /// Writes what is waiting; gives the memory back.
    ///
    /// # Errors
    /// The medium's.
    pub fn finish(mut self) -> io::Result<Room> {
        self.flush()?;
        Ok(self.room)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_written_at_once_give_one_file() {
        let bytes: Vec<u8> = (0..5 * WRITE + 12_345).map(|i| (i * 7 + i / 251) as u8).collect();
        for cuts in [vec![1, 2, 4095, 4097, 8192], vec![WRITE + 5, 3 * WRITE - 1], vec![]] {
            let file = tempfile::NamedTempFile::new().unwrap();
            let (shared, mut edges) = (Shared::new(file.as_file(), WORTH), cuts);
            edges.insert(0, 0);
            edges.push(bytes.len());
            std::thread::scope(|scope| {
                for edge in edges.windows(2) {
                    let (shared, part) = (&shared, &bytes[edge[0]..edge[1]]);
                    let at = edge[0] as u64;
                    scope.spawn(move || {
                        let mut to = shared.stretch(at, Room::default());
                        part.chunks(70_001).for_each(|piece| to.write(piece).unwrap());
                        to.finish().unwrap();
                    });
                }
            });
            assert!(std::fs::read(file.path()).unwrap() == bytes, "{edges:?}");
        }
    }

    #[test]
    fn what_is_left_out_is_a_hole() {
        let cases = [(65_536, 1 << 20), (10, 5), (4096, 4097), (300_000, 0)];
        for ((lead, gap), size) in cases.iter().flat_map(|case| [(*case, 0), (*case, WORTH)]) {
            let file = tempfile::NamedTempFile::new().unwrap();
            let shared = Shared::new(file.as_file(), size);
            let mut to = shared.stretch(3, Room::default());
            to.write(&vec![1; lead]).unwrap();
            to.skip(gap as u64).unwrap();
            to.write(&[2; 9000]).unwrap();
            to.finish().unwrap();
            let wanted = [&[0; 3][..], &vec![1; lead], &vec![0; gap], &[2; 9000]].concat();
            assert!(std::fs::read(file.path()).unwrap() == wanted, "{lead}, {gap} of {size}");
        }
    }
}
