//! From the first write to the record: overwrite, read back, judge.
//!
//! Invariants
//! 1. Nothing here returns an error: whatever happens after the first write is in the record.
//! 2. Reading back follows a pass that reached its end, also one with unwritable ranges. It goes on
//!    when the gate stops renewing, because it destroys nothing and says what is gone; the loss of
//!    the lease is recorded.
//! 3. A device that is not the same any more when it was overwritten, or read back, is not clear.
//! 4. The judgement (achieved, verified) is made by pure functions of what was counted.
//!
//! Order: overwrite -> `stopped`, or read back -> `finished`. Out of scope: looking at the device
//! before the first write (`run`).

use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bailee_ledger::clearance::Terms;

use crate::clock::Clock;
use crate::device::BlockDevice;
use crate::identity::Identity;
use crate::keystream::Pattern;
use crate::lease::{Gate, Stop};
use crate::log::{Event, Log};
use crate::medium::Medium;
use crate::overwrite::{Tally, Watch, overwrite};
use crate::readback::readback;
use crate::record::{IoPath, Outcome, Readback, Record, Verified, achieved};
use crate::run::{Check, Options, Phase, Progress};
use crate::span::Spans;

const THROUGH_CACHE: &str = "read back through the page cache, after the kernel was asked to drop \
                             it; it may have answered from memory";

/// A run whose lease has begun.
pub(crate) struct Run<'a> {
    pub(crate) terms: Terms,
    pub(crate) identity: Identity,
    pub(crate) medium: Medium,
    pub(crate) options: &'a Options<'a>,
    pub(crate) log: Log,
    /// Whether the device is still the one that was begun with.
    pub(crate) still: &'a dyn Fn() -> Result<(), Stop>,
}

type Sink<'a> = &'a mut (dyn FnMut(Progress) + Send);

impl Run<'_> {
    /// Destroys, reads back, and says what was done.
    pub(crate) fn carry_out(
        self,
        device: &dyn BlockDevice,
        gate: &Gate<'_>,
        progress: Sink<'_>,
    ) -> Record {
        let Run { terms, identity, medium, options, log, still } = self;
        let started = options.clock.unix();
        let pattern = Pattern::from_seed(options.seed);
        let listener = Listener {
            total: device.size(),
            clock: options.clock,
            log: Mutex::new(log),
            sink: Mutex::new(progress),
        };
        let tally = overwrite(device, &pattern, gate, &listener, options.shape());
        still().unwrap_or_else(|stop| gate.halt(stop));
        let mut outcome = judge(gate.stop(), &tally, device.size());
        let mut limits = medium.limits;
        let (readback, lease_lost_reading) = match (&outcome, options.check) {
            (Outcome::Stopped { .. }, _) | (_, Check::Skip) => (None, None),
            (_, Check::Whole) => match device.drop_cache() {
                Ok(()) => read_back(device, &pattern, gate, &listener, options),
                Err(e) => {
                    limits.push(format!("not read back, the cache could not be dropped: {e}"));
                    (None, None)
                }
            },
        };
        if let (Some(_), Err(stop)) = (&readback, still()) {
            outcome = judge(Some(stop), &tally, device.size());
        }
        limits.extend(limit_of_reading(device, readback.is_some(), lease_lost_reading.as_ref()));
        let verified = match &readback {
            None => Verified::NotDone,
            Some(found) if found.is_whole(device.size()) => Verified::Whole,
            Some(_) => Verified::Failed,
        };
        let achieved = achieved(&outcome, &tally.synced, device.size(), verified, medium.reach);
        let mut record = Record {
            terms,
            identity,
            requested: options.requested,
            achieved,
            verified,
            outcome,
            written: tally.written,
            synced: tally.synced,
            unwritable: tally.unwritable,
            readback,
            lease_lost_reading,
            io_path: device.io_path(),
            seed: options.seed,
            started,
            finished: options.clock.unix(),
            log_sha256: [0; 32],
            host: options.host.into(),
            agent: options.agent.into(),
            limits,
        };
        let mut log = listener.log();
        if let Err(e) = log.append(record.finished, &last_line(&record)) {
            record.limits.push(format!("the log could not be completed: {e}"));
        }
        record.log_sha256 = log.sha256();
        record
    }
}

fn judge(stop: Option<Stop>, tally: &Tally, size: u64) -> Outcome {
    match stop {
        Some(reason) => Outcome::Stopped { written: tally.written.as_slice().to_vec(), reason },
        None if tally.written == Spans::whole(size) => Outcome::Complete,
        None => Outcome::Incomplete,
    }
}

fn read_back(
    device: &dyn BlockDevice,
    pattern: &Pattern,
    gate: &Gate<'_>,
    listener: &Listener<'_>,
    options: &Options<'_>,
) -> (Option<Readback>, Option<Stop>) {
    let lost = Mutex::new(None);
    let moved = |done, bad| {
        if let Err(stop) = gate.pass() {
            lost.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(stop);
        }
        listener.tell(Phase::Reading, done, bad);
    };
    let found = readback(device, pattern, options.shape(), (&moved, options.interrupt));
    // A part of it tells nothing.
    let whole = !options.interrupt.load(Ordering::Relaxed) || found.is_whole(device.size());
    (whole.then_some(found), lost.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// What the reading back does not say, if anything.
fn limit_of_reading(device: &dyn BlockDevice, read: bool, stop: Option<&Stop>) -> Option<String> {
    match (read, device.io_path(), stop) {
        (true, IoPath::Buffered { .. }, _) => Some(THROUGH_CACHE.into()),
        (false, _, Some(Stop::Interrupted)) => {
            Some("not read back to the end: it was told to stop".into())
        }
        _ => None,
    }
}

fn last_line(record: &Record) -> Event {
    let unwritable = record.unwritable.clone().into_vec();
    match &record.outcome {
        Outcome::Stopped { written, reason } => Event::Stopped {
            code: reason.code(),
            detail: reason.to_string(),
            written: written.clone(),
            unwritable,
        },
        Outcome::Complete | Outcome::Incomplete => {
            let found = record.readback.clone().unwrap_or_default();
            Event::Finished {
                achieved: record.achieved.word(),
                verified: record.verified.word(),
                unwritable,
                mismatched: found.mismatched.into_vec(),
                unreadable: found.unreadable.into_vec(),
            }
        }
    }
}

struct Listener<'a> {
    total: u64,
    clock: &'a dyn Clock,
    log: Mutex<Log>,
    sink: Mutex<Sink<'a>>,
}

impl Listener<'_> {
    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, phase: Phase, done: u64, bad: u64) {
        let mut sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
        sink(Progress { phase, done, bad, total: self.total });
    }
}

impl Watch for Listener<'_> {
    fn moved(&self, done: u64, bad: u64) {
        self.tell(Phase::Writing, done, bad);
    }

    fn synced(&self, spans: &Spans) -> io::Result<()> {
        let event = Event::Synced { spans: spans.as_slice().to_vec() };
        self.log().append(self.clock.unix(), &event)
    }
}

#[cfg(test)]
pub(crate) mod tests;
