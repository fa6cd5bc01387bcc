//! Two clocks: one for leases, one for the record.
//!
//! Invariant: a lease is measured by CLOCK_BOOTTIME, which goes on while the machine is suspended
//! and cannot be set; a laptop that slept through its lease must not wake up believing in it.
//! The wall clock is written into records and compared with a token's end, nothing more.

use std::ops::Add;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

/// A point on the boot clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(Duration);

impl Moment {
    /// The moment `since_boot` after the machine started.
    pub fn at(since_boot: Duration) -> Moment {
        Moment(since_boot)
    }

    /// Time from `earlier` to this moment, zero if it is later.
    pub fn since(self, earlier: Moment) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Moment {
    type Output = Moment;
    fn add(self, length: Duration) -> Moment {
        Moment(self.0.saturating_add(length))
    }
}

/// Where time comes from; tests bring their own.
pub trait Clock: Sync {
    /// Now, on a clock that never goes back and goes on during suspend.
    fn moment(&self) -> Moment;
    /// Now, Unix seconds.
    fn unix(&self) -> i64;
}

/// The machine's clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn moment(&self) -> Moment {
        let t = clock_gettime(ClockId::Boottime);
        let seconds = u64::try_from(t.tv_sec).unwrap_or(0);
        Moment(Duration::new(seconds, u32::try_from(t.tv_nsec).unwrap_or(0)))
    }

    fn unix(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::{Clock, SystemClock};

    #[test]
    fn boot_clock_does_not_go_back() {
        let first = SystemClock.moment();
        assert!(SystemClock.moment() >= first);
        assert!(SystemClock.unix() > 1_700_000_000);
    }
}
