//! The one place where time enters.
//!
//! Invariant: the core never goes back behind its log, so an entry that was made under a clock that
//! ran ahead sets the time of all that follow until the clock has caught up. Nothing can put that
//! right afterwards; [`remark`] says it wherever operators look, and a leap that the core does not
//! believe yet.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use bailee_core::Time;
use bailee_core::counted;

use crate::house::House;
use crate::runner::Failure;

/// Seconds that clocks may differ by without a word.
const TOLD: u64 = 3_600;

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

/// Seconds by which the log's last entry is ahead of the clock of this machine; 0 if it is not.
pub(crate) fn ahead(house: &House) -> Result<u64, Failure> {
    let last = house.with_state(|s| s.clock)?;
    let ahead = last.unix().saturating_sub(house.clock().now().unix());
    Ok(u64::try_from(ahead).unwrap_or(0))
}

/// What an operator should know, if the log is ahead by more than clocks differ, or in doubt.
pub(crate) fn remark(house: &House) -> Result<Option<String>, Failure> {
    let ahead = ahead(house)?;
    if ahead <= TOLD {
        let doubt = house.with_state(|s| s.doubt(s.now(house.clock().now())))?;
        return Ok(doubt.map(|leap| {
            format!(
                "the log saw nothing between {} and {}: no wait ends by that leap until the clock \
                 was seen running for two days; if it is wrong, put it right at once",
                leap.before, leap.to
            )
        }));
    }
    let far = match ahead / 86_400 {
        0 | 1 => counted(ahead.div_ceil(3_600), "hour"),
        days => format!("{days} days"),
    };
    Ok(Some(format!(
        "the log's last entry is {far} ahead of this machine's clock: new entries carry that time \
         until the clock has caught up; look at the clock"
    )))
}
