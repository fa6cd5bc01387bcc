//! Bytes that come once and have no place: pipes, sockets, standard input.
//!
//! Invariants: they are read once, from front to back, by one reader; an error ends them and is
//! kept, so that what came before is never taken for all there was.

use std::cell::RefCell;
use std::io::{self, BufReader, Read};
use std::sync::{Arc, Mutex, PoisonError};

use bailee_store::direct::Room;

use crate::error::VaultError;
use crate::manifest::Content;
use crate::split::{ReadAt, Runs, runs};
use crate::tar::{Archive, Body, Flaw, fill};

/// How much is asked for at once where a reader wants less.
const BUFFER: usize = 1024 * 1024;

/// An open stream and what people call it. Clones share the stream.
#[derive(Clone)]
pub struct Input {
    name: String,
    from: Arc<Mutex<dyn Read + Send>>,
}

impl std::fmt::Debug for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Input").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Input {
    /// `name`: what the snapshot says it was taken of, and what a plain stream's file is called.
    pub fn new(name: impl Into<String>, from: impl Read + Send + 'static) -> Self {
        Self { name: name.into(), from: Arc::new(Mutex::new(from)) }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Reads it.
    pub(super) fn read(&self) -> impl Read + use<> {
        BufReader::with_capacity(BUFFER, Shared(Arc::clone(&self.from)))
    }

    /// Refuses what came if it is no tree.
    pub(super) fn agrees(&self, checked: Result<(), String>) -> Result<(), VaultError> {
        let refuse = |detail| VaultError::Transfer { name: self.name.clone(), at: 0, detail };
        checked.map_err(refuse)
    }
}

struct Shared(Arc<Mutex<dyn Read + Send>>);

impl Read for Shared {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).read(room)
    }
}

/// A stream as what is split into pieces. Offsets come in order, so they are not looked at.
pub(super) struct Once<R> {
    from: RefCell<R>,
    failed: RefCell<Option<io::Error>>,
}

impl<R: Read> Once<R> {
    pub(super) fn new(from: R) -> Self {
        Self { from: RefCell::new(from), failed: RefCell::new(None) }
    }

    /// Why it ended before its end.
    pub(super) fn failure(self) -> Option<io::Error> {
        self.failed.into_inner()
    }
}

impl<R: Read> ReadAt for Once<R> {
    fn read<'r>(&self, _offset: u64, len: usize, room: &'r mut Room) -> io::Result<&'r [u8]> {
        let room = room.bytes(len);
        match fill(&mut *self.from.borrow_mut(), room) {
            Ok(n) => Ok(&room[..n]),
            Err(e) => {
                *self.failed.borrow_mut() = Some(e);
                Ok(&[])
            }
        }
    }
}

/// One member of an archive, in the same way.
pub(super) struct MemberBytes<'a, R> {
    from: RefCell<(&'a mut Archive<R>, Body)>,
    flaw: RefCell<Option<Flaw>>,
}

impl<'a, R: Read> MemberBytes<'a, R> {
    pub(super) fn new(archive: &'a mut Archive<R>, body: Body) -> Self {
        Self { from: RefCell::new((archive, body)), flaw: RefCell::new(None) }
    }

    pub(super) fn flaw(self) -> Option<Flaw> {
        self.flaw.into_inner()
    }

    /// Hands out all of it; what was never read, as the archive says, as that.
    pub(super) fn runs<E>(
        &self,
        said: &Content,
        room: &mut Room,
        to: &mut dyn Runs<E>,
    ) -> Result<(), E> {
        let mut at = 0;
        for (offset, len) in &said.unreadable {
            let data = offset - at;
            if runs(self, data, room, to)? < data || !self.pass_zeros(*len, room) {
                return Ok(()); // the flaw is known
            }
            to.unreadable(*len)?;
            at = offset + len;
        }
        runs(self, said.size - at, room, to).map(drop)
    }

    /// Passes over zeros that stand for bytes; whether they are all there.
    fn pass_zeros(&self, mut len: u64, room: &mut Room) -> bool {
        while len > 0 {
            let step = len.min(BUFFER as u64);
            match self.read(0, usize::try_from(step).unwrap_or(BUFFER), room) {
                Ok([]) | Err(_) => return false,
                Ok(bytes) if bytes.iter().any(|byte| *byte != 0) => {
                    let (archive, _) = &*self.from.borrow();
                    let what = "there are bytes where a record says that none were ever read";
                    *self.flaw.borrow_mut() = Some(archive.flaw(what));
                    return false;
                }
                Ok(bytes) => len -= bytes.len() as u64,
            }
        }
        true
    }
}

impl<R: Read> ReadAt for MemberBytes<'_, R> {
    fn read<'r>(&self, _offset: u64, len: usize, room: &'r mut Room) -> io::Result<&'r [u8]> {
        let room = room.bytes(len);
        let (archive, body) = &mut *self.from.borrow_mut();
        match body.read(archive, room) {
            Ok(()) => Ok(room),
            Err(flaw) => {
                *self.flaw.borrow_mut() = Some(flaw);
                Ok(&[])
            }
        }
    }
}
