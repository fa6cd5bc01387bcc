//! Reading ahead in objects of a bucket: whoever reads on gets what comes next before asking.
//!
//! Invariants
//! 1. Bytes come from the engine under the same checks as any range; what is kept of an object ends
//!    with its handle, so that whoever opens it anew reads anew.
//! 2. Memory: at most [`BUDGET`] bytes in blocks, of all handles of a store together. Beyond it the
//!    block used longest ago goes, or nothing is fetched ahead.
//! 3. A read that is not near the one before costs exactly its range: a reader of one chunk fetches
//!    one chunk. How far is fetched ahead grows with each read that goes on.
//! 4. A fetch ahead that fails is nobody's error: whoever needs the block asks for it.
//!
//! Threads fetch, at most [`THREADS`] at a time, and end by themselves. Out of scope: what the
//! bytes mean, and reading ahead from one object into the next.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;

use super::S3Objects;
use crate::direct::Room;
use crate::{ObjectError, Ranges};

/// Bytes of a block.
pub(super) const BLOCK: u64 = 2 << 20;
/// Bytes in blocks, of all handles together.
const BUDGET: usize = 64 << 20;
/// Blocks fetched ahead of a reader.
const AHEAD: u64 = 4;
/// Fetches ahead at a time.
const THREADS: usize = 8;
/// How far from the read before a read is that goes on: several threads share a file.
const NEAR: u64 = 2 << 20;
/// The same after a read that ended below this: a header was read, and one chunk may be all that
/// follows.
const BEGINNING: u64 = 4096;

/// A handle and a block of it.
type Key = (u64, u64);

enum Slot {
    /// Somebody fetches it.
    Coming,
    /// Here, last used at this count.
    Here(Arc<Vec<u8>>, u64),
}

#[derive(Default)]
struct Blocks {
    slots: HashMap<Key, Slot>,
    /// Bytes that are here, and room for those that are coming.
    bytes: usize,
    /// Threads that fetch ahead.
    threads: usize,
    /// Counts uses.
    clock: u64,
}

/// The blocks of a store.
#[derive(Default)]
pub(super) struct Ahead {
    blocks: Mutex<Blocks>,
    changed: Condvar,
    handles: AtomicU64,
}

impl Ahead {
    fn lock(&self) -> MutexGuard<'_, Blocks> {
        self.blocks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Blocks {
    /// Makes room for one block more; false if what is coming fills it all.
    fn make_room(&mut self) -> bool {
        while self.bytes + BLOCK as usize > BUDGET {
            let here = self.slots.iter().filter_map(|(key, slot)| match slot {
                Slot::Here(_, used) => Some((*used, *key)),
                Slot::Coming => None,
            });
            let Some((_, oldest)) = here.min() else { return false };
            self.forget(oldest);
        }
        true
    }

    fn forget(&mut self, key: Key) {
        if let Some(Slot::Here(..)) = self.slots.remove(&key) {
            self.bytes -= BLOCK as usize;
        }
    }
}

/// One object that is read.
pub(super) struct Handle {
    objects: S3Objects,
    name: String,
    id: u64,
    /// Known from the first read on.
    size: OnceLock<u64>,
    /// The read before, once there was one.
    last: Mutex<Option<Last>>,
}

/// Where a read ended, and how many before it went on.
#[derive(Clone, Copy)]
struct Last {
    end: u64,
    run: u64,
}

/// What became of the wish for a block.
enum Got {
    Bytes(Arc<Vec<u8>>),
    /// It is whoever asked who fetches it.
    Yours,
    /// There is no room for it.
    NoRoom,
}

impl Handle {
    /// Asks the engine nothing: whether the object is there shows at the first read.
    pub(super) fn open(objects: &S3Objects, name: &str) -> Handle {
        let id = objects.inner.ahead.handles.fetch_add(1, Ordering::Relaxed);
        let (objects, name) = (objects.clone(), name.to_owned());
        Handle { objects, name, id, size: OnceLock::new(), last: Mutex::new(None) }
    }

    /// How many reads, this one too, went on where others ended; 0: this one does not.
    fn run(&self, range: &Range<u64>) -> u64 {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let run = last.map_or(0, |last| {
            let near = if last.end <= BEGINNING { BEGINNING } else { NEAR };
            if range.start.abs_diff(last.end) <= near { last.run + 1 } else { 0 }
        });
        *last = Some(Last { end: range.end, run });
        run
    }

    /// Exactly this range, from the engine.
    fn exactly(&self, range: &Range<u64>) -> Result<Vec<u8>, ObjectError> {
        let (bytes, size) = self.objects.bytes_and_size(&self.name, range)?;
        // Put once: it has one size.
        _ = self.size.set(size);
        Ok(bytes)
    }

    /// Waits for a block that is coming; says so if nobody fetches it.
    fn wish(&self, block: u64) -> Got {
        let ahead = &self.objects.inner.ahead;
        let (key, mut blocks) = ((self.id, block), ahead.lock());
        loop {
            blocks.clock += 1;
            let now = blocks.clock;
            match blocks.slots.get_mut(&key) {
                Some(Slot::Here(bytes, used)) => {
                    *used = now;
                    return Got::Bytes(Arc::clone(bytes));
                }
                Some(Slot::Coming) => {
                    blocks = ahead.changed.wait(blocks).unwrap_or_else(PoisonError::into_inner);
                }
                None => break,
            }
        }
        if !blocks.make_room() {
            return Got::NoRoom;
        }
        blocks.bytes += BLOCK as usize;
        blocks.slots.insert(key, Slot::Coming);
        Got::Yours
    }

    /// The bytes of a block, from what is kept, what is coming, or the engine.
    fn block(&self, block: u64, size: u64) -> Result<Option<Arc<Vec<u8>>>, ObjectError> {
        match self.wish(block) {
            Got::Bytes(bytes) => Ok(Some(bytes)),
            Got::NoRoom => Ok(None),
            Got::Yours => {
                let range = block_range(block, size);
                fetch(&self.objects, &self.name, (self.id, block), range).map(Some)
            }
        }
    }

    /// Sends for what comes after a block.
    fn look_ahead(&self, block: u64, most: u64, size: u64) {
        let end = size.div_ceil(BLOCK).min(block + 1 + most);
        for next in block + 1..end {
            let key = (self.id, next);
            let mut blocks = self.objects.inner.ahead.lock();
            if blocks.slots.contains_key(&key) {
                continue;
            }
            if blocks.threads >= THREADS || !blocks.make_room() {
                return;
            }
            blocks.threads += 1;
            blocks.bytes += BLOCK as usize;
            blocks.slots.insert(key, Slot::Coming);
            drop(blocks);
            let (objects, name, range) =
                (self.objects.clone(), self.name.clone(), block_range(next, size));
            let run = move || {
                // Invariant 4.
                _ = fetch(&objects, &name, key, range);
                objects.inner.ahead.lock().threads -= 1;
            };
            if thread::Builder::new().name("read-ahead".into()).spawn(run).is_err() {
                let mut blocks = self.objects.inner.ahead.lock();
                blocks.threads -= 1;
                give_up(&self.objects.inner.ahead, &mut blocks, key);
                return;
            }
        }
    }
}

/// A block's place in an object of that size.
fn block_range(block: u64, size: u64) -> Range<u64> {
    block * BLOCK..size.min((block + 1) * BLOCK)
}

/// Nobody fetches it any more.
fn give_up(ahead: &Ahead, blocks: &mut Blocks, key: Key) {
    if matches!(blocks.slots.remove(&key), Some(Slot::Coming)) {
        blocks.bytes -= BLOCK as usize;
    }
    ahead.changed.notify_all();
}

/// Asks the engine for a block that is marked as coming.
fn fetch(
    objects: &S3Objects,
    name: &str,
    key: Key,
    range: Range<u64>,
) -> Result<Arc<Vec<u8>>, ObjectError> {
    let read = objects.bytes_and_size(name, &range).map(|(bytes, _)| bytes);
    let ahead = &objects.inner.ahead;
    let mut blocks = ahead.lock();
    match read {
        Ok(bytes) => {
            let bytes = Arc::new(bytes);
            blocks.clock += 1;
            let here = Slot::Here(Arc::clone(&bytes), blocks.clock);
            // Its handle may be gone: then nobody keeps it.
            if let Some(slot) = blocks.slots.get_mut(&key) {
                *slot = here;
            }
            ahead.changed.notify_all();
            Ok(bytes)
        }
        Err(error) => {
            give_up(ahead, &mut blocks, key);
            Err(error)
        }
    }
}

impl Ranges for Handle {
    fn read<'r>(&self, range: Range<u64>, room: &'r mut Room) -> Result<&'r mut [u8], ObjectError> {
        let run = self.run(&range);
        let fits = |size: &u64| run > 0 && !range.is_empty() && range.end <= *size;
        let Some(size) = self.size.get().copied().filter(fits) else {
            // What does not fit is refused there.
            let bytes = self.exactly(&range)?;
            let out = room.bytes(bytes.len());
            out.copy_from_slice(&bytes);
            return Ok(out);
        };
        let at = |n: u64, from: u64| usize::try_from(n - from).unwrap_or(usize::MAX);
        let out = room.bytes(at(range.end, range.start));
        let last = (range.end - 1) / BLOCK;
        // Sent for before this reader waits for its own.
        self.look_ahead(last, AHEAD.min(run - 1), size);
        for block in range.start / BLOCK..=last {
            let whole = block_range(block, size);
            let part = range.start.max(whole.start)..range.end.min(whole.end);
            let into = &mut out[at(part.start, range.start)..at(part.end, range.start)];
            match self.block(block, size)? {
                Some(bytes) => {
                    let from = at(part.start, whole.start);
                    into.copy_from_slice(&bytes[from..from + into.len()]);
                }
                None => into.copy_from_slice(&self.exactly(&part)?),
            }
        }
        Ok(out)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let mut blocks = self.objects.inner.ahead.lock();
        let mine: Vec<Key> =
            blocks.slots.keys().filter(|(id, _)| *id == self.id).copied().collect();
        for key in mine {
            // Also what is coming: its thread finds no place for it.
            if blocks.slots.remove(&key).is_some() {
                blocks.bytes -= BLOCK as usize;
            }
        }
    }
}
