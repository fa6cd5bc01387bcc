//! Where the processor time of a preservation goes, per stage.
//!
//! Invariant: times are of the measuring thread's own clock, so other threads and other programs
//! do not show. Of small files a sample is timed, and counts for the rest. Out of scope: waiting.

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
    fn add(&self, stage: Stage, nanos: u64) {
        self.0[stage as usize].fetch_add(nanos, Ordering::Relaxed);
    }

    pub(super) fn costs(&self) -> Costs {
        Costs(std::array::from_fn(|i| self.0[i].load(Ordering::Relaxed)))
    }
}

/// One thread's way through the stages: where one ends, the next begins. To ask for the time of a
/// thread is a call into the system, and a small file is done in forty times as long: who does many
/// of them times some, see [`Laps::weigh`].
pub(super) struct Laps<'a> {
    meter: &'a Meter,
    since: u64,
    /// How often what is timed counts; 0: nothing is timed.
    weight: u64,
}

impl<'a> Laps<'a> {
    pub(super) fn new(meter: &'a Meter) -> Self {
        Self { meter, since: now(), weight: 1 }
    }

    /// What follows counts so often.
    pub(super) fn weigh(&mut self, weight: u64) {
        self.weight = weight;
    }

    /// What follows is counted; what came before, since the last stage ended, is not.
    pub(super) fn begin(&mut self) {
        if self.weight > 0 {
            self.since = now();
        }
    }

    /// What came before was this stage.
    pub(super) fn end(&mut self, stage: Stage) {
        if self.weight > 0 {
            let now = now();
            self.meter.add(stage, self.weight * now.saturating_sub(self.since));
            self.since = now;
        }
    }
}

/// This thread's processor time, nanoseconds.
fn now() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
}
