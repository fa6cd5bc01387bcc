//! The gate's word that the run may go on, for a while.
//!
//! Invariants
//! 1. A lease is counted from *before* the request was sent, so a slow answer shortens it; it ends
//!    a tenth early, so that a write issued at the last moment is done in time.
//! 2. Once the time is over no write is issued and no renewal is asked for: a process that was
//!    frozen through its lease does not get it back.
//! 3. The first stop stands. A refusal stops at once; an unreachable gate is asked again while the
//!    old lease lasts.
//!
//! Why it is safe with several writers: each passes [`Gate::pass`] before each write, under one
//! lock, and a renewal happens inside it; nobody writes while the answer is out.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bailee_ledger::clearance::Clearance;

use crate::clock::{Clock, Moment};

/// The longest lease that is believed.
pub const LONGEST_LEASE: Duration = Duration::from_secs(60);

/// How long a lease lasts, counted from when it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Until {
    length: Duration,
}

impl Until {
    /// A lease of `length` after the request was sent; [`LONGEST_LEASE`] at most.
    pub fn after(length: Duration) -> Until {
        Until { length: length.min(LONGEST_LEASE) }
    }
}

/// Why a run must not go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The gate said no (a demand arrived, the clearance was used or revoked).
    Refused {
        /// The gate's reason.
        reason: String,
    },
    /// The gate did not answer.
    Unreachable {
        /// What was tried.
        detail: String,
    },
    /// The lease ran out.
    Expired,
    /// Whoever runs it wants it stopped (`Options::interrupt`).
    Interrupted,
    /// The device went away or does not take writes any more.
    DeviceGone {
        /// The system's words.
        detail: String,
    },
    /// The device is not the one any more that was begun with.
    DeviceChanged {
        /// What it is now, or why that cannot be told.
        detail: String,
    },
    /// More blocks failed than the caller bears.
    TooManyBadBlocks {
        /// How many are borne.
        limit: u64,
    },
    /// The medium did not confirm that written bytes are durable; any of them may be lost.
    SyncFailed {
        /// The system's words.
        detail: String,
    },
    /// The log of the run cannot be written any more.
    LogLost {
        /// The system's words.
        detail: String,
    },
}

impl Stop {
    /// Stable code for answers and logs.
    pub fn code(&self) -> &'static str {
        match self {
            Stop::Refused { .. } => "lease_refused",
            Stop::Unreachable { .. } => "gate_unreachable",
            Stop::Expired => "lease_expired",
            Stop::Interrupted => "interrupted",
            Stop::DeviceGone { .. } => "device_gone",
            Stop::DeviceChanged { .. } => "device_changed",
            Stop::TooManyBadBlocks { .. } => "too_many_bad_blocks",
            Stop::SyncFailed { .. } => "sync_failed",
            Stop::LogLost { .. } => "log_lost",
        }
    }
}

impl Stop {
    /// What to do next about a device of which a part is gone.
    pub fn next(&self) -> &'static str {
        match self {
            Stop::Refused { .. } => {
                "keep the device as it is: ask `bailee gate check` what came, and explain the loss \
                 (`bailee duty list`)"
            }
            Stop::Unreachable { .. } | Stop::Expired => {
                "keep the device as it is until the gate answers; ask it with `bailee gate check`, \
                 and only if it is clear, propose the rest again"
            }
            Stop::DeviceChanged { .. } => {
                "find out who changed it, bind the asset to it again (`bailee asset relabel`, with \
                 --device), and propose it again"
            }
            Stop::DeviceGone { .. } | Stop::TooManyBadBlocks { .. } | Stop::SyncFailed { .. } => {
                "inspect the device: what does not take writes is to be destroyed by hand"
            }
            Stop::LogLost { .. } => "make room for the log, and propose the rest again",
            Stop::Interrupted => "give the command again: it overwrites the device from its start",
        }
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stop::Refused { reason } => write!(f, "the gate refused: {reason}"),
            Stop::Unreachable { detail } => write!(f, "the gate did not answer: {detail}"),
            Stop::Expired => f.write_str("the lease ran out"),
            Stop::Interrupted => f.write_str("it was told to stop"),
            Stop::DeviceGone { detail } => write!(f, "the device takes no writes: {detail}"),
            Stop::DeviceChanged { detail } => {
                write!(f, "the device changed while it was overwritten: {detail}")
            }
            Stop::TooManyBadBlocks { limit } => write!(f, "more than {limit} blocks failed"),
            Stop::SyncFailed { detail } => write!(f, "writes were not made durable: {detail}"),
            Stop::LogLost { detail } => write!(f, "the log could not be written: {detail}"),
        }
    }
}

impl std::error::Error for Stop {}

/// The line to the gate. Implemented by who talks to the server; give calls a timeout well below
/// the lease's length.
pub trait Lease: Send {
    /// Uses the clearance up: the point of no return is recorded before this answers `Ok`.
    fn begin(&mut self, clearance: &Clearance) -> Result<Until, Stop>;
    /// Asks for more time.
    fn renew(&mut self) -> Result<Until, Stop>;
}

/// For [`Options::interrupt`](crate::Options::interrupt) of a run that nobody stops.
pub static NEVER: AtomicBool = AtomicBool::new(false);

/// What each write passes.
pub(crate) struct Gate<'a> {
    clock: &'a dyn Clock,
    interrupt: &'a AtomicBool,
    state: Mutex<State<'a>>,
}

struct State<'a> {
    lease: &'a mut dyn Lease,
    ends: Moment,
    renew_at: Moment,
    stop: Option<Stop>,
}

impl<'a> Gate<'a> {
    /// Begins; `Err` if the gate does not let it.
    pub(crate) fn begin(
        (clock, interrupt): (&'a dyn Clock, &'a AtomicBool),
        lease: &'a mut dyn Lease,
        clearance: &Clearance,
    ) -> Result<Gate<'a>, Stop> {
        let asked = clock.moment();
        let until = lease.begin(clearance)?;
        Ok(Gate { interrupt, ..Gate::granted(clock, lease, asked, until) })
    }

    pub(crate) fn granted(
        clock: &'a dyn Clock,
        lease: &'a mut dyn Lease,
        asked: Moment,
        until: Until,
    ) -> Gate<'a> {
        let state = State { lease, ends: asked, renew_at: asked, stop: None };
        let gate = Gate { clock, interrupt: &NEVER, state: Mutex::new(state) };
        gate.lock().grant(asked, until);
        gate
    }

    /// Leave for one more write; renews when half of the lease is gone.
    pub(crate) fn pass(&self) -> Result<(), Stop> {
        let mut state = self.lock();
        if let Some(stop) = &state.stop {
            return Err(stop.clone());
        }
        if self.interrupt.load(Ordering::Relaxed) {
            return Err(state.stopped(Stop::Interrupted));
        }
        let now = self.clock.moment();
        if now >= state.ends {
            return Err(state.stopped(Stop::Expired));
        }
        if now < state.renew_at {
            return Ok(());
        }
        match state.lease.renew() {
            Ok(until) => state.grant(now, until),
            Err(Stop::Unreachable { .. }) => {
                state.renew_at = now + state.ends.since(now) / 4;
            }
            Err(stop) => return Err(state.stopped(stop)),
        }
        match self.clock.moment() < state.ends {
            true => Ok(()),
            false => Err(state.stopped(Stop::Expired)),
        }
    }

    /// Stops the run for all writers.
    pub(crate) fn halt(&self, stop: Stop) {
        self.lock().stopped(stop);
    }

    /// Why the run was stopped, if it was.
    pub(crate) fn stop(&self) -> Option<Stop> {
        self.lock().stop.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State<'a>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State<'_> {
    fn grant(&mut self, asked: Moment, until: Until) {
        self.ends = asked + until.length * 9 / 10;
        self.renew_at = asked + until.length / 2;
    }

    fn stopped(&mut self, stop: Stop) -> Stop {
        self.stop.get_or_insert(stop).clone()
    }
}

#[cfg(test)]
pub(crate) mod tests;
