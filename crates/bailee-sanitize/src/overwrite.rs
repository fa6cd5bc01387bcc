//! One pass of writing, by several writers.
//!
//! Invariants
//! 1. Each write passes the gate immediately before it is issued, also each retry of a block.
//! 2. A chunk belongs to one writer; chunks are handed out in ascending order.
//! 3. A byte is `written` only if a write that covered it was answered with success, `synced` only
//!    if it was written before a sync that succeeded began.
//! 4. A block the medium refuses is `unwritable`, and the pass goes on; after `bad_block_limit` of
//!    them it stops. A failed sync stops: which bytes it lost cannot be known.
//! 5. A byte that a write was issued for is `written` or `unwritable`, also when the pass stops
//!    between a failed or short write and its retry: half of it may have reached the medium.
//!
//! Out of scope: io_uring. Writers are threads, because several large direct writes in flight keep
//! a disk busy as well, and the lease check stays in plain sight.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use rustix::io::Errno;

use crate::device::{AlignedBuffer, BlockDevice};
use crate::keystream::Pattern;
use crate::lease::{Gate, Stop};
use crate::span::{Span, Spans};

/// How a pass is run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// Bytes per transfer.
    pub(crate) buffer: usize,
    /// Transfers in flight.
    pub(crate) queue: usize,
    /// Bytes after which a sync is due.
    pub(crate) sync_every: u64,
    /// Failing blocks borne.
    pub(crate) bad_block_limit: u64,
}

/// Who listens to a pass. `Err` from [`Watch::synced`] stops it.
pub(crate) trait Watch: Sync {
    /// `done` bytes are dealt with, `bad` of them badly.
    fn moved(&self, done: u64, bad: u64);
    /// These bytes are durable.
    fn synced(&self, spans: &Spans) -> io::Result<()>;
}

/// What became of the bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) written: Spans,
    pub(crate) synced: Spans,
    pub(crate) unwritable: Spans,
    unsynced: u64,
    bad_blocks: u64,
}

struct Pass<'a, 'g> {
    device: &'a dyn BlockDevice,
    pattern: &'a Pattern,
    gate: &'a Gate<'g>,
    watch: &'a dyn Watch,
    shape: Shape,
    next: AtomicU64,
    tally: Mutex<Tally>,
}

/// Writes the pattern over the whole device. Whether it was stopped, the gate knows.
pub(crate) fn overwrite(
    device: &dyn BlockDevice,
    pattern: &Pattern,
    gate: &Gate<'_>,
    watch: &dyn Watch,
    shape: Shape,
) -> Tally {
    let tally = Mutex::new(Tally::default());
    let pass = Pass { device, pattern, gate, watch, shape, next: AtomicU64::new(0), tally };
    thread::scope(|scope| {
        for _ in 1..shape.queue {
            scope.spawn(|| pass.work());
        }
        pass.work();
    });
    // Also after a stop: it issues no write, and what the record calls gone should be gone.
    pass.sync();
    pass.tally.into_inner().unwrap_or_else(PoisonError::into_inner)
}

impl Pass<'_, '_> {
    fn work(&self) {
        let mut buffer = AlignedBuffer::new(self.shape.buffer);
        while let Some(chunk) = self.take() {
            let data = buffer.first(chunk.len() as usize);
            self.pattern.fill(chunk.start, data);
            if self.write_chunk(chunk, data).is_err() {
                return;
            }
            if self.lock().unsynced >= self.shape.sync_every {
                self.sync();
            }
        }
    }

    fn take(&self) -> Option<Span> {
        let step = self.shape.buffer as u64;
        let start = self.next.fetch_add(step, Ordering::Relaxed);
        let size = self.device.size();
        (start < size).then(|| Span { start, end: size.min(start + step) })
    }

    /// Writes one chunk. If that ends early, what was tried and not answered with success is told.
    fn write_chunk(&self, chunk: Span, data: &[u8]) -> Result<(), Stop> {
        let mut tried = Span { start: chunk.start, end: chunk.start };
        let result = self.write_blocks(chunk, data, &mut tried);
        if result.is_err() {
            self.lock().unwritable.insert(tried);
        }
        result
    }

    /// Writes one chunk; after a failure goes on block by block. `tried` is kept at the bytes that
    /// a write was issued for and that are not accounted for yet.
    fn write_blocks(&self, chunk: Span, data: &[u8], tried: &mut Span) -> Result<(), Stop> {
        let granule = self.device.granule();
        let mut step = chunk.len();
        while tried.start < chunk.end {
            let at = tried.start;
            let end = chunk.end.min(at + step);
            let part = &data[(at - chunk.start) as usize..(end - chunk.start) as usize];
            self.gate.pass()?;
            tried.end = tried.end.max(end);
            match whole_blocks(self.device.write_at(at, part), part.len(), granule) {
                Ok(count) => {
                    tried.start += count;
                    self.wrote(Span { start: at, end: at + count });
                }
                Err(e) if is_gone(&e) => {
                    let stop = Stop::DeviceGone { detail: e.to_string() };
                    self.gate.halt(stop.clone());
                    return Err(stop);
                }
                Err(_) if step > granule => step = granule,
                Err(_) => {
                    tried.start = end;
                    self.refused(Span { start: at, end })?;
                }
            }
        }
        Ok(())
    }

    fn wrote(&self, span: Span) {
        let mut tally = self.lock();
        tally.written.insert(span);
        tally.unsynced += span.len();
        self.watch.moved(tally.done(), tally.unwritable.total());
    }

    fn refused(&self, span: Span) -> Result<(), Stop> {
        let mut tally = self.lock();
        tally.unwritable.insert(span);
        tally.bad_blocks += 1;
        self.watch.moved(tally.done(), tally.unwritable.total());
        if tally.bad_blocks <= self.shape.bad_block_limit {
            return Ok(());
        }
        let stop = Stop::TooManyBadBlocks { limit: self.shape.bad_block_limit };
        self.gate.halt(stop.clone());
        Err(stop)
    }

    fn sync(&self) {
        let before = {
            let mut tally = self.lock();
            tally.unsynced = 0;
            tally.written.clone()
        };
        if let Err(e) = self.device.sync() {
            return self.gate.halt(Stop::SyncFailed { detail: e.to_string() });
        }
        let mut tally = self.lock();
        tally.synced.extend(&before);
        if let Err(e) = self.watch.synced(&tally.synced) {
            self.gate.halt(Stop::LogLost { detail: e.to_string() });
        }
    }

    fn lock(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tally {
    fn done(&self) -> u64 {
        self.written.total() + self.unwritable.total()
    }
}

/// Bytes transferred, as whole blocks; less than one block is a failure.
pub(crate) fn whole_blocks(
    answer: io::Result<usize>,
    asked: usize,
    granule: u64,
) -> io::Result<u64> {
    let count = answer?.min(asked);
    let whole = match count == asked {
        true => count as u64,
        false => count as u64 / granule * granule,
    };
    match whole {
        0 => Err(io::ErrorKind::WriteZero.into()),
        _ => Ok(whole),
    }
}

/// Errors that say the device is no more, rather than that a block is bad.
pub(crate) fn is_gone(e: &io::Error) -> bool {
    let gone = [
        Errno::NODEV,
        Errno::NXIO,
        Errno::BADF,
        Errno::ROFS,
        Errno::PERM,
        Errno::NOMEDIUM,
        Errno::SHUTDOWN,
        Errno::FBIG,
    ];
    gone.iter().any(|errno| e.raw_os_error() == Some(errno.raw_os_error()))
}

#[cfg(test)]
pub(crate) mod tests;
