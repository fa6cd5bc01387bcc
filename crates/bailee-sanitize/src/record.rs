//! What a run did, whole or not.
//!
//! Invariants
//! 1. Requested, achieved and verified are three fields. [`Achieved`] has no word beyond clear.
//! 2. `achieved` is clear only if every byte was accepted and synced, nothing was unwritable, the
//!    run was not stopped, the medium writes in place, and reading back (if done) found no fault.
//! 3. Every byte of the device is in `written`, in `unwritable`, or untouched by this run.
//!
//! Not a wire format: the certificate is.

use std::fmt;

use bailee_ledger::clearance::Terms;

use crate::identity::Identity;
use crate::lease::Stop;
use crate::span::{Span, Spans};

/// What was asked for (NIST SP 800-88r2, categories of sanitization).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// All addressable locations, by ordinary writes.
    Clear,
    /// Infeasible to recover with laboratory techniques; beyond this crate.
    Purge,
    /// The medium cannot hold data any more; beyond this crate.
    Destroy,
}

impl Level {
    /// The standard's word.
    pub fn word(self) -> &'static str {
        match self {
            Level::Clear => "clear",
            Level::Purge => "purge",
            Level::Destroy => "destroy",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Achieved {
    /// No level at all; data may be readable.
    Nothing,
    /// Clear.
    Clear,
}

impl Achieved {
    /// The word in certificates.
    pub fn word(self) -> &'static str {
        match self {
            Achieved::Nothing => "nothing",
            Achieved::Clear => "clear",
        }
    }
}

/// What reading back said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verified {
    /// Every byte was read and is the pattern.
    Whole,
    /// Bytes differ or could not be read.
    Failed,
    /// Nothing was read back.
    NotDone,
}

impl Verified {
    /// The word in certificates.
    pub fn word(self) -> &'static str {
        match self {
            Verified::Whole => "whole",
            Verified::Failed => "failed",
            Verified::NotDone => "not done",
        }
    }
}

/// How the pass ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The end was reached and every byte was accepted and synced.
    Complete,
    /// The end was reached, but the medium refused some ranges (`Record::unwritable`).
    Incomplete,
    /// The pass was stopped before its end.
    Stopped {
        /// What is gone; everything else was not touched or is in `Record::unwritable`.
        written: Vec<Span>,
        /// Why.
        reason: Stop,
    },
}

impl Outcome {
    /// The word in certificates.
    pub fn word(&self) -> &'static str {
        match self {
            Outcome::Complete => "complete",
            Outcome::Incomplete => "incomplete",
            Outcome::Stopped { .. } => "stopped",
        }
    }
}

/// How bytes travelled between memory and medium.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IoPath {
    /// Past the page cache (O_DIRECT).
    Direct,
    /// Through the page cache, which was dropped before reading back.
    Buffered {
        /// Why direct transfers were not possible.
        reason: String,
    },
}

impl fmt::Display for IoPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            IoPath::Direct => f.write_str("direct"),
            IoPath::Buffered { reason } => write!(f, "buffered ({reason})"),
        }
    }
}

/// What reading back found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Readback {
    /// Compared and equal.
    pub matching: Spans,
    /// Compared and different.
    pub mismatched: Spans,
    /// The medium did not answer.
    pub unreadable: Spans,
}

impl Readback {
    /// Whether all of `size` bytes were read and are the pattern.
    pub fn is_whole(&self, size: u64) -> bool {
        self.matching == Spans::whole(size)
    }
}

/// Invariant 2, in code.
pub(crate) fn achieved(
    outcome: &Outcome,
    synced: &Spans,
    size: u64,
    verified: Verified,
    reach: Reach,
) -> Achieved {
    let reached = *outcome == Outcome::Complete
        && *synced == Spans::whole(size)
        && verified != Verified::Failed
        && reach == Reach::InPlace;
    if reached { Achieved::Clear } else { Achieved::Nothing }
}

/// Whether a write lands on the bytes it is meant to replace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// It does.
    InPlace,
    /// It may land elsewhere.
    Elsewhere,
}

/// One run on one device, from its first write on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The terms it was done under.
    pub terms: Terms,
    /// The device, as read right before the first write.
    pub identity: Identity,
    /// Level asked for.
    pub requested: Level,
    /// Level reached.
    pub achieved: Achieved,
    /// What reading back said.
    pub verified: Verified,
    /// How the pass ended.
    pub outcome: Outcome,
    /// Bytes the medium accepted. After a stop these are gone, too.
    pub written: Spans,
    /// Bytes known to be durable.
    pub synced: Spans,
    /// Bytes the medium refused, or did not confirm before a stop; their content is unknown.
    pub unwritable: Spans,
    /// What reading back found; `None` if it was not done.
    pub readback: Option<Readback>,
    /// The gate stopped renewing while reading back (nothing was written any more).
    pub lease_lost_reading: Option<Stop>,
    /// How bytes travelled.
    pub io_path: IoPath,
    /// Seed of the pattern; not secret, so that anybody can read back again.
    pub seed: [u8; 32],
    /// First write, Unix seconds by the agent's clock.
    pub started: i64,
    /// End of the run, Unix seconds by the agent's clock.
    pub finished: i64,
    /// SHA-256 of the log lines of this run.
    pub log_sha256: [u8; 32],
    /// Machine it ran on, as the caller named it.
    pub host: String,
    /// Agent, as the caller named it.
    pub agent: String,
    /// What the overwrite did not reach; sentences.
    pub limits: Vec<String>,
}

impl Record {
    /// Bytes whose old content cannot be counted on any more: accepted by the medium, or in a
    /// write that was issued and not confirmed. Zero only if no write was ever issued.
    pub fn gone(&self) -> u64 {
        let mut gone = self.written.clone();
        gone.extend(&self.unwritable);
        gone.total()
    }

    /// How it ended, in words: a run that stopped, by why.
    pub fn ending(&self) -> String {
        let verified = self.verified.word();
        match &self.outcome {
            Outcome::Stopped { reason, .. } => {
                format!("stopped ({}: {reason}), verified: {verified}", reason.code())
            }
            whole => format!("{}, verified: {verified}", whole.word()),
        }
    }

    /// What to do next about a device that was not overwritten whole.
    pub fn next(&self) -> &'static str {
        match &self.outcome {
            Outcome::Stopped { reason, .. } => reason.next(),
            Outcome::Complete | Outcome::Incomplete => "inspect the device and propose it again",
        }
    }
}
