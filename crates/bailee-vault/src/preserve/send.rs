//! Sending: a source is read here and preserved on another machine.
//!
//! Invariants: it is read with the walk, the descriptors and the sector reads of a preservation
//! here; what cannot be read, and what changed while it was, travels by name; one file is open at
//! a time and at most a megabyte of it in memory. A source that fails ends the stream without its
//! end, so that nothing of it becomes a snapshot.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::BorrowedFd;

use bailee_store::direct::{Reader, Room};
use rustix::fs::Stat;

use super::ahead::ahead;
use super::feed::{Origin, has_moved};
use super::rest::Rest;
use super::walk::{Found, Known};
use super::{Input, Source, path_of};
use crate::error::VaultError;
use crate::manifest::{Content, Entry, Meta, Node, Stored, evidence};
use crate::progress::Progress;
use crate::split::{Runs, runs};
use crate::tar::unread;
use crate::transfer::{FrameWriter, Kind, unsent};

/// Bytes of a pipe that are sent at once.
const PIECE: usize = 1 << 20;

/// Reads `source` and writes it to `out` as a transfer; `Source::Sent` on the other side takes it.
///
/// # Errors
/// [`VaultError::Source`] if the source as a whole cannot be read; [`VaultError::Destination`] if
/// `out` takes no more. The stream has no end then.
pub fn send(
    source: &Source,
    out: &mut dyn Write,
    progress: &mut dyn Progress,
) -> Result<(), VaultError> {
    let origin = Origin::open(source, &Rest::begin())?;
    let frames = FrameWriter::new(out);
    let mut sender = Sender::new(frames, progress);
    match origin {
        Origin::File { name, meta, file, stat, size, live } => {
            sender.live = live;
            sender.file(name, meta, file, (&stat, size))?;
        }
        Origin::Tree(mut walk) => {
            while let Some(found) = walk.step(&Nothing) {
                match found {
                    Found::Entry(entry) => sender.entry(&entry)?,
                    Found::File { path, meta, file, stat } => {
                        let size = u64::try_from(stat.st_size).unwrap_or(0);
                        sender.file(path, meta, file, (&stat, size))?;
                    }
                    Found::Same(stored) => sender.entry(&stored.entry)?,
                }
            }
        }
        Origin::Stream(input) | Origin::Tar(input) | Origin::Sent(input) => {
            sender.bytes(&input)?;
        }
    }
    sender.frames.end().map_err(|e| unsent(&e))
}

/// What another machine keeps is not known here.
struct Nothing;

impl Known for Nothing {
    fn enter(&self, _: BorrowedFd<'_>, _: u64) {}

    fn any(&self) -> bool {
        false
    }

    fn same(&self, _: &[u8], _: &Stat) -> Option<Stored> {
        None
    }
}

struct Sender<'a> {
    frames: FrameWriter<'a>,
    progress: &'a mut dyn Progress,
    files: u64,
    bytes: u64,
    room: Room,
    /// Memory to read ahead into.
    rooms: Vec<Room>,
    /// Whether the source is written to meanwhile.
    live: bool,
}

impl<'a> Sender<'a> {
    fn new(frames: FrameWriter<'a>, progress: &'a mut dyn Progress) -> Self {
        let (room, rooms) = (Room::default(), Vec::new());
        Self { frames, progress, files: 0, bytes: 0, room, rooms, live: false }
    }

    fn entry(&mut self, entry: &Entry) -> Result<(), VaultError> {
        let evidence = evidence(entry);
        if evidence.len() > Kind::Entry.most() {
            let path = path_of(&entry.path).display().to_string();
            let detail = format!("its name and attributes have {} bytes", evidence.len());
            return Err(VaultError::Source { path, doing: "send it", detail });
        }
        self.frames.put(Kind::Entry, &evidence).map_err(|e| unsent(&e))
    }

    fn file(
        &mut self,
        path: Vec<u8>,
        meta: Meta,
        file: File,
        (stat, size): (&Stat, u64),
    ) -> Result<(), VaultError> {
        self.entry(&Entry { path, node: Node::File { meta, content: Content::default() } })?;
        let file = Reader::new(file);
        let (mut room, mut rooms) =
            (std::mem::take(&mut self.room), std::mem::take(&mut self.rooms));
        let read = ahead(&file, size, &mut rooms, |from| runs(from, size, &mut room, self))?;
        (self.room, self.rooms) = (room, rooms);
        let changed = self.live || read != size || has_moved(file.file(), stat);
        self.frames.put(Kind::Done, &[u8::from(changed)]).map_err(|e| unsent(&e))?;
        self.files += 1;
        self.progress.advance(self.files, self.bytes);
        Ok(())
    }

    fn bytes(&mut self, input: &Input) -> Result<(), VaultError> {
        let (mut from, mut room) = (input.read(), vec![0; PIECE]);
        loop {
            // As they come: a slow pipe is not held back, a fast one fills the piece.
            let n = match from.read(&mut room) {
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
                read => read.map_err(|e| unread(input.name(), &e))?,
            };
            if n == 0 {
                return Ok(());
            }
            self.data(&room[..n])?;
        }
    }

    fn advance(&mut self, len: u64) {
        self.bytes += len;
        self.progress.advance(self.files, self.bytes);
    }
}

impl Runs<VaultError> for Sender<'_> {
    fn data(&mut self, bytes: &[u8]) -> Result<(), VaultError> {
        self.frames.content(bytes).map_err(|e| unsent(&e))?;
        self.advance(bytes.len() as u64);
        Ok(())
    }

    fn zeros(&mut self, len: u64) -> Result<(), VaultError> {
        self.frames.number(Kind::Zeros, len).map_err(|e| unsent(&e))?;
        self.advance(len);
        Ok(())
    }

    fn unreadable(&mut self, len: u64) -> Result<(), VaultError> {
        self.frames.number(Kind::Unreadable, len).map_err(|e| unsent(&e))?;
        self.advance(len);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_too_large_to_travel_is_named() {
        let (mut out, mut nobody) = (Vec::new(), ());
        let frames = FrameWriter::new(&mut out);
        let mut sender = Sender::new(frames, &mut nobody);
        let value = |n: u32| (format!("user.{n}").into_bytes(), vec![7; 64 << 10]);
        let meta = Meta { xattrs: (0..300).map(value).collect(), ..Meta::default() };
        let entry = Entry { path: b"photos/a".to_vec(), node: Node::Fifo { meta } };
        let error = sender.entry(&entry).unwrap_err();
        assert!(matches!(error, VaultError::Source { .. }), "{error}");
        assert!(error.to_string().contains("photos/a"), "{error}");
    }
}
