//! Reading the whole device and comparing it with the pattern made anew.
//!
//! Invariants
//! 1. Nothing here writes.
//! 2. Every byte ends up in exactly one of matching, mismatched, unreadable, unless it is
//!    interrupted.
//! 3. What the medium does not answer is unreadable, never taken for equal.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::device::{AlignedBuffer, BlockDevice};
use crate::keystream::Pattern;
use crate::overwrite::{Shape, whole_blocks};
use crate::record::Readback;
use crate::span::Span;

/// Called with (bytes compared, bytes not equal to the pattern) after each chunk.
pub(crate) type Moved<'a> = &'a (dyn Fn(u64, u64) + Sync);

struct Pass<'a> {
    device: &'a dyn BlockDevice,
    pattern: &'a Pattern,
    shape: Shape,
    next: AtomicU64,
    found: Mutex<Readback>,
    moved: Moved<'a>,
    interrupt: &'a AtomicBool,
}

/// Compares the whole device with the pattern; what was not come to before an interrupt is in none
/// of the three.
pub(crate) fn readback(
    device: &dyn BlockDevice,
    pattern: &Pattern,
    shape: Shape,
    (moved, interrupt): (Moved<'_>, &AtomicBool),
) -> Readback {
    let found = Mutex::new(Readback::default());
    let pass = Pass { device, pattern, shape, next: AtomicU64::new(0), found, moved, interrupt };
    thread::scope(|scope| {
        for _ in 1..shape.queue {
            scope.spawn(|| pass.work());
        }
        pass.work();
    });
    pass.found.into_inner().unwrap_or_else(PoisonError::into_inner)
}

impl Pass<'_> {
    fn work(&self) {
        let mut read = AlignedBuffer::new(self.shape.buffer);
        let mut expected = AlignedBuffer::new(self.shape.buffer);
        let step = self.shape.buffer as u64;
        loop {
            let start = self.next.fetch_add(step, Ordering::Relaxed);
            if start >= self.device.size() || self.interrupt.load(Ordering::Relaxed) {
                return;
            }
            let chunk = Span { start, end: self.device.size().min(start + step) };
            let len = chunk.len() as usize;
            self.pattern.fill(start, expected.first(len));
            self.compare_chunk(chunk, read.first(len), expected.first(len));
        }
    }

    /// Reads one chunk; after a failure goes on block by block.
    fn compare_chunk(&self, chunk: Span, read: &mut [u8], expected: &[u8]) {
        let granule = self.device.granule();
        let mut at = chunk.start;
        let mut step = chunk.len();
        while at < chunk.end {
            let end = chunk.end.min(at + step);
            let part = (at - chunk.start) as usize..(end - chunk.start) as usize;
            let into = &mut read[part.clone()];
            let asked = into.len();
            match whole_blocks(self.device.read_at(at, into), asked, granule) {
                Ok(count) => {
                    let part = part.start..part.start + count as usize;
                    self.compare(at, &read[part.clone()], &expected[part], granule);
                    at += count;
                }
                Err(_) if step > granule => step = granule,
                Err(_) => {
                    self.lock().unreadable.insert(Span { start: at, end });
                    at = end;
                }
            }
        }
        let (done, bad) = {
            let found = self.lock();
            let bad = found.mismatched.total() + found.unreadable.total();
            (found.matching.total() + bad, bad)
        };
        (self.moved)(done, bad);
    }

    fn compare(&self, at: u64, read: &[u8], expected: &[u8], granule: u64) {
        let mut found = self.lock();
        if read == expected {
            return found.matching.insert(Span { start: at, end: at + read.len() as u64 });
        }
        let blocks = read.chunks(granule as usize).zip(expected.chunks(granule as usize));
        let mut start = at;
        for (ours, theirs) in blocks {
            let span = Span { start, end: start + ours.len() as u64 };
            match ours == theirs {
                true => found.matching.insert(span),
                false => found.mismatched.insert(span),
            }
            start = span.end;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Readback> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
