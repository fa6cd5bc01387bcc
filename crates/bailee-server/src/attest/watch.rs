//! What the house knows of each witness: how far it has come, and what it did wrong.
//!
//! Invariants: a contradiction (it says that it has seen another tree) stays until the house is
//! opened again, whatever it answers later, because it never goes away by itself; nothing here
//! keeps an operation from going on; the log tells a change once, not every round.

use std::collections::BTreeMap;
use std::fmt;

/// Why a question to a witness led to no cosignature.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lapse {
    /// No connection, or no HTTP.
    #[error("cannot be reached: {0}")]
    Unreachable(String),
    /// It did not answer in time.
    #[error("did not answer in time")]
    Late,
    /// It refuses, by this status.
    #[error("refuses with status {status}: {why}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// What that means.
        why: &'static str,
    },
    /// Its answer is not what a witness may answer.
    #[error("answered wrongly: {0}")]
    Wrong(String),
    /// It has less on record than it had: an old copy of it was restored.
    #[error("was set back from {was} to {now} leaves: its operator should give it up")]
    SetBack {
        /// Leaves it had cosigned.
        was: u64,
        /// Leaves it says it has cosigned.
        now: u64,
    },
    /// It says that it has cosigned what is not in this log.
    #[error("contradicts this log: {0}")]
    Contradicts(String),
}

impl Lapse {
    /// Stable word for metrics.
    pub fn word(&self) -> &'static str {
        match self {
            Lapse::Unreachable(_) => "unreachable",
            Lapse::Late => "late",
            Lapse::Refused { .. } => "refused",
            Lapse::Wrong(_) => "wrong",
            Lapse::SetBack { .. } => "set_back",
            Lapse::Contradicts(_) => "contradicts",
        }
    }
}

/// What is known of one witness.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watched {
    /// Its name in the policy.
    pub name: String,
    /// Leaves of the largest tree it is known to have cosigned.
    pub size: u64,
    /// Cosignatures it gave since the house was opened.
    pub cosigned: u64,
    /// Lapses since then, by their word.
    pub lapses: BTreeMap<&'static str, u64>,
    /// The last question's lapse; `None` if it was answered.
    pub lapse: Option<Lapse>,
    /// The first contradiction since the house was opened.
    pub contradiction: Option<Lapse>,
}

impl Watched {
    pub(crate) fn named(name: &str) -> Watched {
        Watched { name: name.to_owned(), ..Watched::default() }
    }

    /// Has it said that it saw another tree?
    pub fn contradicts(&self) -> bool {
        self.contradiction.is_some()
    }

    /// It cosigned a tree of this size.
    pub(crate) fn cosigned(&mut self, size: u64) {
        if self.lapse.take().is_some() {
            tracing::info!(witness = self.name, size, "cosigns again");
        }
        self.cosigned += 1;
        self.size = self.size.max(size);
    }

    /// It did not.
    pub(crate) fn lapsed(&mut self, lapse: Lapse) {
        *self.lapses.entry(lapse.word()).or_default() += 1;
        if let Lapse::Contradicts(_) = lapse {
            if self.contradiction.is_none() {
                tracing::error!(witness = self.name, %lapse, "two trees; find out why");
                self.contradiction = Some(lapse.clone());
            }
        } else if self.lapse.as_ref() != Some(&lapse) {
            tracing::warn!(witness = self.name, %lapse, "a witness lapsed");
        }
        self.lapse = Some(lapse);
    }
}

impl fmt::Display for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Watched { name, size, .. } = self;
        write!(f, "witness {name} has cosigned up to {size}")?;
        let said = self.contradiction.iter().chain(self.lapse.as_ref());
        let mut told: Vec<String> = said.map(ToString::to_string).collect();
        told.dedup();
        if told.is_empty() { Ok(()) } else { write!(f, ", but {}", told.join("; ")) }
    }
}
