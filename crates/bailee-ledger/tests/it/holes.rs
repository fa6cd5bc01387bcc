//! A file in memory that takes no room for zeros, and a bundle of more than 4 GiB in it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use bailee_ledger::hash_from_hex;
use bailee_ledger::zip::Measure;

/// Bytes of the large exhibit: zeros, five more than a field of four bytes can count.
pub(crate) const LARGE: u64 = (4 << 30) + 5;
static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// What [`LARGE`] zeros measure. Writing measures them again, so a slip here would be found.
pub(crate) fn large() -> Measure {
    let sha256 = "709fc0b74f7c916cedccb212d681c035f36ffbb31ebfe806eb40c31592744eb5";
    Measure { size: LARGE, crc: 0xb1c2_a1a3, sha256: hash_from_hex(sha256).unwrap() }
}

/// Zeros written in large pieces are only counted.
#[derive(Clone, Default)]
pub(crate) struct Holes {
    /// What is not a hole, by position.
    pieces: BTreeMap<u64, Vec<u8>>,
    pub(crate) length: u64,
    position: u64,
}

impl Holes {
    /// The same as a sparse file.
    pub(crate) fn save(&self, path: &Path) {
        let mut file = File::create(path).unwrap();
        for (position, piece) in &self.pieces {
            file.seek(SeekFrom::Start(*position)).unwrap();
            file.write_all(piece).unwrap();
        }
        file.set_len(self.length).unwrap();
    }

    /// Everything from a place on that is less than a GiB away from the end.
    pub(crate) fn tail(&self, from: u64) -> Vec<u8> {
        let mut tail = vec![0; (self.length - from) as usize];
        let mut reader = self.clone();
        reader.seek(SeekFrom::Start(from)).unwrap();
        reader.read_exact(&mut tail).unwrap();
        tail
    }

    /// Other bytes in a place, within one piece or as a new one in a hole.
    pub(crate) fn patched(mut self, at: u64, bytes: &[u8]) -> Holes {
        let before = self.pieces.range_mut(..=at).next_back();
        let found = before.and_then(|(start, piece)| {
            let from = usize::try_from(at - start).ok()?;
            piece.get_mut(from..from + bytes.len())
        });
        found.expect("the place is no hole").copy_from_slice(bytes);
        self
    }

    /// What follows from a place on, replaced.
    pub(crate) fn ending(mut self, from: u64, tail: &[u8]) -> Holes {
        self.pieces.split_off(&from);
        if let Some((start, piece)) = self.pieces.iter_mut().next_back() {
            piece.truncate(usize::try_from(from - start).unwrap_or(usize::MAX));
        }
        self.length = from;
        self.pieces.insert(from, tail.to_vec());
        self.length += tail.len() as u64;
        self
    }
}

impl Write for Holes {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if bytes.len() < ZEROS.len() || ZEROS != bytes {
            self.pieces.insert(self.length, bytes.to_vec());
        }
        self.length += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Read for Holes {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let before = self.pieces.range(..=self.position).next_back();
        let inside =
            before.and_then(|(start, piece)| piece.get((self.position - start) as usize..));
        let read = match inside.filter(|rest| !rest.is_empty()) {
            Some(mut rest) => rest.read(buffer)?,
            None => {
                let next = self.pieces.range(self.position..).next();
                let end = next.map_or(self.length, |(start, _)| *start);
                let size = buffer.len().min((end - self.position) as usize);
                buffer[..size].fill(0);
                size
            }
        };
        self.position += read as u64;
        Ok(read)
    }
}

impl Seek for Holes {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.position = match to {
            SeekFrom::Start(position) => position,
            SeekFrom::End(back) => self.length.saturating_add_signed(back),
            SeekFrom::Current(step) => self.position.saturating_add_signed(step),
        };
        Ok(self.position)
    }
}
