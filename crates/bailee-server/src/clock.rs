//! The one place where time enters.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use bailee_core::Time;

/// Where the time comes from.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's clock.
    Wall,
    /// A clock that is told the time: scenarios and the demo replay years in seconds.
    Told(Arc<AtomicI64>),
}

impl Clock {
    /// A told clock that stands at `time`.
    pub fn told(time: Time) -> Clock {
        Clock::Told(Arc::new(AtomicI64::new(time.0)))
    }

    /// Now. A wall clock before 1970 counts as 1970; the core never goes back behind the log.
    pub fn now(&self) -> Time {
        match self {
            Clock::Wall => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Time(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
            }
            Clock::Told(time) => Time(time.load(Ordering::SeqCst)),
        }
    }

    /// Unix seconds now; `None` for a told clock, which others' clocks cannot be held against.
    pub(crate) fn unix_if_real(&self) -> Option<u64> {
        match self {
            Clock::Wall => u64::try_from(self.now().unix()).ok(),
            Clock::Told(_) => None,
        }
    }

    /// Moves a told clock; a wall clock is not moved. Never backwards.
    pub fn tell(&self, time: Time) {
        if let Clock::Told(told) = self {
            told.fetch_max(time.0, Ordering::SeqCst);
        }
    }
}
