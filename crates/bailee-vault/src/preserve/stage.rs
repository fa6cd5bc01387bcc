//! Where the processor time of a preservation goes, per stage.
//!
//! Invariant: times are of the measuring thread's own clock, so other threads and other programs
//! do not show. Out of scope: waiting.

use std::sync::atomic::{AtomicU64, Ordering};

use rustix::time::{ClockId, clock_gettime};

/// What a thread does with bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Stage {
    /// Reading the source, and finding where chunks end.
    ReadCut,
    /// Flat SHA-256 of files.
    Sha256,
    /// Chunk ids: keyed BLAKE3.
    Id,
    /// Compressing and sealing into packs.
    Seal,
    /// Hashing packs and putting them, durably.
    Put,
}

impl Stage {
    /// All of them, in order of the data's way.
    pub const ALL: [Self; 5] = [Self::ReadCut, Self::Sha256, Self::Id, Self::Seal, Self::Put];
}

/// Nanoseconds of processor time per stage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Costs([u64; 5]);

impl Costs {
    /// Nanoseconds a stage took, all threads together.
    pub fn of(&self, stage: Stage) -> u64 {
        self.0[stage as usize]
    }
}

/// Adds up.
#[derive(Default)]
pub(super) struct Meter([AtomicU64; 5]);

impl Meter {
    /// Runs `work` and counts it.
    pub(super) fn run<T>(&self, stage: Stage, work: impl FnOnce() -> T) -> T {
        let before = now();
        let done = work();
        self.add(stage, now().saturating_sub(before));
        done
    }

    pub(super) fn add(&self, stage: Stage, nanos: u64) {
        self.0[stage as usize].fetch_add(nanos, Ordering::Relaxed);
    }

    pub(super) fn costs(&self) -> Costs {
        Costs(std::array::from_fn(|i| self.0[i].load(Ordering::Relaxed)))
    }
}

/// This thread's processor time, nanoseconds.
pub(super) fn now() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
}
