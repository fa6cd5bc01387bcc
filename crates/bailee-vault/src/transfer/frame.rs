//! Frames: what a transfer is made of.
//!
//! Invariants: a frame has at most [`most`] bytes for its kind; the end frame counts the frames
//! before it, and nothing follows it.

use std::io::{self, Read, Write};

use crate::error::VaultError;
use crate::tar::fill;

const MAGIC: &[u8; 18] = b"bailee transfer 1\n";
/// The most bytes of content in one frame.
pub(crate) const MOST: usize = 1 << 20;
/// The most bytes of one entry: a name, and attributes as many as an archive of anybody may have.
const MOST_ENTRY: usize = 16 << 20;

/// What a frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// What the snapshot is.
    Head = 1,
    /// A piece of its manifest.
    Manifest = 2,
    /// A thing that was found, as its evidence; content and hash of a file are still unknown.
    Entry = 3,
    /// The content of this path begins.
    File = 4,
    /// Bytes.
    Data = 5,
    /// So many zeros.
    Zeros = 6,
    /// So many bytes that the medium does not give.
    Unreadable = 7,
    /// The file is at its end; 1 if it changed while it was read.
    Done = 8,
    /// The file cannot be given, and why.
    Damaged = 9,
    /// A piece of what is to be said about an archive or a file.
    Report = 10,
    /// All there is; counts the frames before it.
    End = 11,
}

impl Kind {
    const ALL: [Self; 11] = [
        Self::Head,
        Self::Manifest,
        Self::Entry,
        Self::File,
        Self::Data,
        Self::Zeros,
        Self::Unreadable,
        Self::Done,
        Self::Damaged,
        Self::Report,
        Self::End,
    ];

    /// The most bytes of one frame.
    pub(crate) fn most(self) -> usize {
        if self == Self::Entry { MOST_ENTRY } else { MOST }
    }
}

/// Frames on their way out.
pub(crate) struct FrameWriter<'a> {
    out: &'a mut dyn Write,
    count: u64,
}

impl<'a> FrameWriter<'a> {
    pub(crate) fn new(out: &'a mut dyn Write) -> Self {
        Self { out, count: 0 }
    }

    /// One frame. `bytes` is within the bound of its kind.
    pub(crate) fn put(&mut self, kind: Kind, bytes: &[u8]) -> io::Result<()> {
        if bytes.len() > kind.most() {
            return Err(io::Error::other(format!("a {kind:?} of {} bytes", bytes.len())));
        }
        if self.count == 0 {
            self.out.write_all(MAGIC)?;
        }
        self.count += 1;
        let len = u32::try_from(bytes.len()).map_err(io::Error::other)?;
        let [a, b, c, d] = len.to_be_bytes();
        self.out.write_all(&[kind as u8, a, b, c, d])?;
        self.out.write_all(bytes)
    }

    /// Content of any length; what is all zeros goes as their number.
    pub(crate) fn content(&mut self, bytes: &[u8]) -> io::Result<()> {
        bytes.chunks(MOST).try_for_each(|piece| {
            if piece.iter().all(|byte| *byte == 0) {
                return self.number(Kind::Zeros, piece.len() as u64);
            }
            self.put(Kind::Data, piece)
        })
    }

    pub(crate) fn number(&mut self, kind: Kind, n: u64) -> io::Result<()> {
        self.put(kind, &n.to_be_bytes())
    }

    /// The end. Without it, nobody takes the stream for whole.
    pub(crate) fn end(mut self) -> io::Result<()> {
        let before = self.count;
        self.number(Kind::End, before)?;
        self.out.flush()
    }
}

/// Frames that come in.
pub(crate) struct Frames<R> {
    from: R,
    name: String,
    /// Bytes read.
    at: u64,
    count: u64,
    room: Vec<u8>,
}

impl<R: Read> Frames<R> {
    /// `name`: what people call what comes.
    pub(crate) fn new(from: R, name: &str) -> Self {
        Self { from, name: name.to_owned(), at: 0, count: 0, room: Vec::new() }
    }

    pub(crate) fn flaw(&self, detail: impl Into<String>) -> VaultError {
        VaultError::Transfer { name: self.name.clone(), at: self.at, detail: detail.into() }
    }

    /// The next frame. After [`Kind::End`] there is none, and asking is an error.
    ///
    /// # Errors
    /// The stream is cut off, or is none of this form.
    pub(crate) fn next(&mut self) -> Result<(Kind, &[u8]), VaultError> {
        if self.count == 0 {
            let mut magic = [0; MAGIC.len()];
            self.exactly(&mut magic)?;
            if magic != *MAGIC {
                return Err(self.flaw("it is no transfer of this version of Bailee"));
            }
        }
        let mut head = [0; 5];
        self.exactly(&mut head)?;
        let kind = Kind::ALL.into_iter().find(|kind| *kind as u8 == head[0]);
        let kind = kind.ok_or_else(|| self.flaw("a frame is of an unknown kind"))?;
        let len = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        if len > kind.most() {
            return Err(self.flaw(format!("a {kind:?} of {len} bytes is more than one can have")));
        }
        self.room.clear();
        while self.room.len() < len {
            // No more memory than came: a header may lie.
            let (had, step) = (self.room.len(), (len - self.room.len()).min(MOST));
            let mut room = std::mem::take(&mut self.room);
            room.resize(had + step, 0);
            let read = self.exactly(&mut room[had..]);
            self.room = room;
            read?;
        }
        if kind == Kind::End {
            self.is_last()?;
        }
        self.count += 1;
        Ok((kind, &self.room))
    }

    /// The bytes of the last frame. Whoever takes them leaves room for others there.
    pub(crate) fn content(&mut self) -> &mut Vec<u8> {
        &mut self.room
    }

    /// The number that a frame says.
    pub(crate) fn number(&self) -> Result<u64, VaultError> {
        let bytes = self.room.as_slice().try_into();
        bytes.map(u64::from_be_bytes).map_err(|_| self.flaw("a number is malformed"))
    }

    fn is_last(&mut self) -> Result<(), VaultError> {
        if self.number()? != self.count {
            return Err(self.flaw("frames are missing before its end"));
        }
        let mut more = [0];
        match fill(&mut self.from, &mut more) {
            Ok(0) => Ok(()),
            Ok(_) => Err(self.flaw("something follows its end")),
            Err(e) => Err(self.flaw(e.to_string())),
        }
    }

    fn exactly(&mut self, room: &mut [u8]) -> Result<(), VaultError> {
        let n = fill(&mut self.from, room).map_err(|e| self.flaw(format!("it broke off: {e}")))?;
        self.at += n as u64;
        if n < room.len() { Err(self.flaw("it is cut off before its end")) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Vec<u8> {
        let mut out = Vec::new();
        let mut frames = FrameWriter::new(&mut out);
        frames.put(Kind::Entry, &vec![7; 3 * MOST]).unwrap();
        frames.content(&vec![1; MOST + 5]).unwrap();
        frames.content(&[0; 9]).unwrap();
        frames.end().unwrap();
        out
    }

    fn drained(bytes: &[u8]) -> Result<Vec<(Kind, usize)>, VaultError> {
        let (mut frames, mut out) = (Frames::new(bytes, "t"), Vec::new());
        loop {
            let (kind, bytes) = frames.next()?;
            out.push((kind, bytes.len()));
            if kind == Kind::End {
                return Ok(out);
            }
        }
    }

    #[test]
    fn frames_come_as_they_went_and_every_cut_is_an_error() {
        let whole = some();
        let came = drained(&whole).unwrap();
        let kinds = [Kind::Entry, Kind::Data, Kind::Data, Kind::Zeros, Kind::End];
        assert_eq!(came.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), kinds);
        assert_eq!(came[0].1, 3 * MOST);
        let tail = whole.len() - 40..whole.len();
        for at in (0..64).chain(tail) {
            let cut = drained(&whole[..at]).unwrap_err();
            assert!(matches!(cut, VaultError::Transfer { .. }), "{at}: {cut}");
        }
        assert!(drained(&[&whole[..], b"x"].concat()).is_err(), "something follows");
    }

    #[test]
    fn a_frame_that_is_left_out_and_one_without_bound_are_named() {
        let (mut first, mut second) = (Vec::new(), Vec::new());
        let mut frames = FrameWriter::new(&mut first);
        frames.content(b"a").unwrap();
        let mut short = FrameWriter::new(&mut second);
        short.content(b"a").unwrap();
        short.content(b"b").unwrap();
        short.end().unwrap();
        // The first stream's frame with the second's end: one frame short.
        let end = &second[second.len() - 13..];
        let torn = drained(&[&first[..], end].concat()).unwrap_err();
        assert!(torn.to_string().contains("frames are missing"), "{torn}");
        let huge = [&MAGIC[..], &[Kind::Data as u8, 255, 255, 255, 255]].concat();
        assert!(drained(&huge).unwrap_err().to_string().contains("more than one can have"));
        assert!(FrameWriter::new(&mut Vec::new()).put(Kind::Data, &vec![0; MOST + 1]).is_err());
    }
}
