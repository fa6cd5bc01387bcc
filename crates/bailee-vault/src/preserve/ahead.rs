//! Reading a large file ahead of whoever goes through it.
//!
//! Why: one thread reads a large file and cuts it; while it cut, the disk had nothing to do, and
//! while the disk read, nobody cut.
//!
//! Invariants
//! 1. Whoever reads gets what the file gives for the same offset and length, errors too.
//! 2. What was read ahead and was not asked for is thrown away.
//! 3. A file that is in memory is not read ahead: it would only change processors on its way.
//! 4. At most [`DEPTH`] reads are under way; their memory is used again for the next file.

use std::cell::{OnceCell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::thread::{self, Scope};

use bailee_store::direct::{BLOCK, Reader, Room};
use crossbeam_channel::{Receiver, Sender, bounded};

use crate::split::ReadAt;

/// Reads that are under way or wait to be taken.
const DEPTH: usize = 2;

/// Has `go` read `source`, with somebody who reads ahead of it where that helps.
pub(super) fn ahead<T>(
    source: &Reader,
    size: u64,
    rooms: &mut Vec<Room>,
    go: impl FnOnce(&dyn ReadAt) -> T,
) -> T {
    thread::scope(|scope| {
        let spare = RefCell::new(std::mem::take(rooms));
        let ahead =
            Ahead { source, size, scope, line: OnceCell::new(), due: RefCell::default(), spare };
        let gone = go(&ahead);
        ahead.discard();
        *rooms = ahead.spare.take();
        gone
    })
}

/// A read: where, how much, and the memory for it.
struct Ask {
    offset: u64,
    len: usize,
    room: Room,
}

/// What it gave: how many bytes.
struct Got {
    room: Room,
    read: io::Result<usize>,
}

struct Ahead<'s, 'e> {
    source: &'e Reader,
    size: u64,
    scope: &'s Scope<'s, 'e>,
    /// To and from the thread that reads ahead, once there is one.
    line: OnceCell<(Sender<Ask>, Receiver<Got>)>,
    /// What was asked for and not taken yet.
    due: RefCell<VecDeque<(u64, usize)>>,
    spare: RefCell<Vec<Room>>,
}

impl Ahead<'_, '_> {
    fn line(&self) -> &(Sender<Ask>, Receiver<Got>) {
        self.line.get_or_init(|| {
            let (asks_in, asks) = bounded::<Ask>(DEPTH);
            let (got_in, got) = bounded(DEPTH);
            let source = self.source;
            self.scope.spawn(move || {
                for Ask { offset, len, mut room } in asks {
                    let read = source.read_at(offset, len, &mut room).map(|bytes| bytes.len());
                    if got_in.send(Got { room, read }).is_err() {
                        return;
                    }
                }
            });
            (asks_in, got)
        })
    }

    /// The next read that was asked for; `None` if there is none, or nobody reads any more.
    fn take(&self) -> Option<((u64, usize), Got)> {
        let due = self.due.borrow_mut().pop_front()?;
        Some((due, self.line().1.recv().ok()?))
    }

    fn discard(&self) {
        while let Some((_, got)) = self.take() {
            self.spare.borrow_mut().push(got.room);
        }
    }

    /// Asks for what comes behind `offset`, in reads of `len` bytes.
    fn ask(&self, mut offset: u64, len: usize) {
        if let Some((last, len)) = self.due.borrow().back() {
            offset = last + *len as u64;
        }
        while self.due.borrow().len() < DEPTH && offset < self.size && self.source.is_cold() {
            let len = usize::try_from(self.size - offset).unwrap_or(len).min(len);
            if self.source.next_data(offset) != offset {
                return; // a hole: whoever reads passes over it
            }
            let room = self.spare.borrow_mut().pop().unwrap_or_default();
            if self.line().0.send(Ask { offset, len, room }).is_err() {
                return;
            }
            self.due.borrow_mut().push_back((offset, len));
            offset += len as u64;
        }
    }
}

impl ReadAt for Ahead<'_, '_> {
    fn read<'r>(&self, offset: u64, len: usize, room: &'r mut Room) -> io::Result<&'r [u8]> {
        if self.due.borrow().front() != Some(&(offset, len)) {
            self.discard();
            let read = self.source.read_at(offset, len, room)?.len();
            self.ask(offset + read as u64, len);
            return Ok(within(room, offset, read));
        }
        let Some((_, mut got)) = self.take() else {
            return Ok(self.source.read_at(offset, len, room)?);
        };
        std::mem::swap(room, &mut got.room);
        self.spare.borrow_mut().push(got.room);
        let read = got.read?;
        self.ask(offset + read as u64, len);
        Ok(within(room, offset, read))
    }

    fn next_data(&self, offset: u64) -> u64 {
        if self.due.borrow().front().is_some_and(|(due, _)| *due == offset) {
            return offset; // it was asked when that was read
        }
        self.source.next_data(offset)
    }
}

/// Where [`Reader::read_at`] has put so many bytes.
fn within(room: &mut Room, offset: u64, len: usize) -> &[u8] {
    let lead = usize::try_from(offset % BLOCK as u64).unwrap_or(0);
    &room.bytes(lead + len)[lead..]
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::unix::fs::FileExt;

    use rustix::fs::{Advice, fadvise};

    use super::*;

    const READ: usize = 65_536;

    /// Everything that going through it gives, with jumps where there is a hole.
    fn through(source: &dyn ReadAt, size: u64) -> Vec<(u64, Vec<u8>)> {
        let (mut all, mut at, mut room) = (Vec::new(), 0, Room::default());
        while at < size {
            at = source.next_data(at).min(size);
            let len = READ.min(usize::try_from(size - at).unwrap());
            let bytes = source.read(at, len, &mut room).unwrap().to_vec();
            let n = bytes.len() as u64;
            all.push((at, bytes));
            if n == 0 {
                break;
            }
            at += n;
        }
        all
    }

    #[test]
    fn what_is_read_ahead_is_what_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        let file = File::create(&path).unwrap();
        let bytes: Vec<u8> = (0..700_001).map(|i| (i * 7 + i / 251) as u8).collect();
        file.write_all_at(&bytes, 0).unwrap();
        file.write_all_at(&bytes, 3 << 20).unwrap();
        file.sync_all().unwrap();
        let size = file.metadata().unwrap().len();
        for (said, cached) in [(size, false), (size + 5, false), (size, true), (0, false)] {
            if !cached {
                fadvise(&file, 0, None, Advice::DontNeed).unwrap();
            }
            let source = Reader::new(File::open(&path).unwrap());
            let mut rooms = Vec::new();
            let got = ahead(&source, said, &mut rooms, |ahead| through(ahead, size + 9));
            let plain = through(&Reader::new(File::open(&path).unwrap()), size + 9);
            assert!(got == plain, "{said}, cached: {cached}");
            assert!(rooms.len() <= DEPTH + 1, "{}", rooms.len());
        }
    }

    #[test]
    fn who_jumps_back_gets_what_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        let bytes: Vec<u8> = (0..900_000).map(|i| (i * 7 + i / 251) as u8).collect();
        std::fs::write(&path, &bytes).unwrap();
        let file = File::open(&path).unwrap();
        file.sync_all().unwrap();
        fadvise(&file, 0, None, Advice::DontNeed).unwrap();
        let source = Reader::new(file);
        ahead(&source, bytes.len() as u64, &mut Vec::new(), |ahead| {
            let mut room = Room::default();
            for (at, len) in
                [(0, READ), (READ, READ), (5, 3), (8, READ), (READ + 8, 9), (880_000, READ)]
            {
                let got = ahead.read(at as u64, len, &mut room).unwrap();
                assert!(got == &bytes[at..(at + len).min(bytes.len())], "{at}, {len}");
            }
        });
    }
}
