//! Leap: a step of the clock that nobody watched, and how long it is not believed.
//!
//! Invariants
//! 1. Nothing that was frozen thaws by a leap. After a step of more than [`LONGEST_STEP`] between
//!    two entries, waits, cooling periods, silences, retentions and bases of holds end by the time
//!    of the last entry before it, until the log has watched the clock run on for [`WATCH`] in all,
//!    in steps of a day at most. A machine that wakes with its clock years ahead frees nothing,
//!    provided it is put right within that time.
//! 2. What only ever stops something (the end of a lease or of a reservation) believes every clock.
//! 3. A house that is served never leaps: it makes an entry on each day that has no other.
//! 4. A leap is a function of the times of the records, so that a replay finds it again.
//!
//! Out of scope: a clock that is wrong by less, or for longer; it cannot be told from one that is
//! right by the log alone. Timestamps and witnesses tell others.

use crate::time::Time;

/// Longest step between two entries that needs no watching: a house that is not served is looked at
/// once a week.
pub(crate) const LONGEST_STEP: u32 = 8 * DAY;
/// Longest step in which the clock counts as seen running: from one day to the next.
pub(crate) const SEEN_STEP: u32 = DAY + 2 * 3_600;
/// How long the clock has to be seen running before a leap is believed.
pub(crate) const WATCH: u32 = 2 * DAY;
/// A house that is served makes an entry after so long without one.
pub(crate) const QUIET: u32 = DAY;
/// Seconds.
const DAY: u32 = 86_400;

/// A leap that is not believed yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leap {
    /// Time of the last entry before it: what is believed meanwhile.
    pub before: Time,
    /// Position of the first entry after it.
    pub entry: u64,
    /// Time of that entry.
    pub to: Time,
    /// Microseconds for which the clock was seen running since.
    pub watched: i64,
    /// True once a person was called to look at the clock.
    pub told: bool,
}

/// What is doubted once entry `entry` follows at `at` on one of the time `before`.
pub(crate) fn step(doubted: Option<Leap>, before: Time, at: Time, entry: u64) -> Option<Leap> {
    let leaps = at > before.plus_seconds(LONGEST_STEP);
    match doubted {
        None if entry == 0 || !leaps => None,
        None => Some(Leap { before, entry, to: at, watched: 0, told: false }),
        // What was believed before the first of several leaps is all that is sure.
        Some(leap) if leaps => Some(Leap { to: at, ..leap }),
        Some(_) if at > before.plus_seconds(SEEN_STEP) => doubted,
        Some(leap) => {
            let watched = leap.watched.saturating_add(at.0 - before.0);
            (watched < i64::from(WATCH) * 1_000_000).then_some(Leap { watched, ..leap })
        }
    }
}
