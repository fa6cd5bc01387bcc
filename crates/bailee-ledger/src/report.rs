//! What the verifier says: four claims kept apart, and every problem with the member it is in.
//!
//! Invariant: there is no single "valid". A claim is proven, not shown, or failed, in words that
//! name what it rests on; whoever needs an exit code asks [`Report::failed`], which only says that
//! something contradicts the bundle, never that the rest convinces.

mod claims;

pub(crate) use claims::{
    documents, log_signed, no_quorum, quorum_missing, quorum_saw, timestamped,
};

use std::fmt;

use crate::bundle::Kind;
use crate::encoding::{to_hex, utc};
use crate::hash::Hash;
use crate::leaf::SECTION_NAMES;
use crate::policy::SecondKey;
use crate::timestamp::Token;

/// State of one claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimState {
    /// The bundle proves it, under the key and policy named in the text.
    Proven,
    /// The bundle says nothing about it.
    NotShown,
    /// The bundle contradicts it.
    Failed,
}

/// One of the four claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// What is claimed, in a few words.
    pub title: &'static str,
    /// Whether it is shown.
    pub state: ClaimState,
    /// What it rests on, or what is missing.
    pub text: String,
}

/// Something that does not fit, and where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Member name.
    pub member: String,
    /// What is wrong with it.
    pub what: String,
}

/// Where a log key, or the anchors of timestamp authorities, came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The reader named it beforehand.
    Pinned,
    /// It was read from the bundle itself.
    Bundle,
}

/// One entry of a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryReport {
    /// Leaf index in the log.
    pub index: u64,
    /// Event type code; `None` when the leaf is unreadable.
    pub type_code: Option<u16>,
    /// Unix hours in the leaf; `None` when the leaf is unreadable.
    pub hours: Option<u32>,
    /// Does the proof lead to the signed root?
    pub included: bool,
    /// Sections (what, who, papers) shown and opening their commitment.
    pub opened: [bool; 3],
}

/// What one timestamp authority says in a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StampReport {
    /// The issuer's name for the authority: its directory in the bundle.
    pub name: String,
    /// Whether its tokens hold; not shown when they lead to no root that the reader pinned.
    pub state: ClaimState,
    /// What they say, or why they do not count.
    pub text: String,
    /// When they hold: the token over the checkpoint, then each renewal.
    pub tokens: Vec<Token>,
}

/// The verifier's answer about a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What the bundle is for.
    pub kind: Kind,
    /// The log.
    pub origin: String,
    /// Where the key came from.
    pub key_source: Source,
    /// Id of the key that signed the bundle.
    pub key_id: u32,
    /// Size and root of the signed tree, when the checkpoint holds.
    pub tree: Option<(u64, Hash)>,
    /// Did the log sign with its second key too? `None` when the checkpoint does not hold.
    pub second_key: Option<SecondKey>,
    /// Entries by index.
    pub entries: Vec<EntryReport>,
    /// SHA-256 of the exhibits that an opened papers section names.
    pub exhibits: Vec<Hash>,
    /// Timestamp authorities by name.
    pub stamps: Vec<StampReport>,
    /// Documents, log, quorum, timestamp: in this order.
    pub claims: [Claim; 4],
    /// Everything that does not fit; empty when nothing contradicts the bundle.
    pub problems: Vec<Problem>,
}

impl Report {
    /// Does anything contradict the bundle? `false` does not mean that every claim is proven.
    pub fn failed(&self) -> bool {
        let failed = |claim: &Claim| claim.state == ClaimState::Failed;
        !self.problems.is_empty() || self.claims.iter().any(failed)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = match self.key_source {
            Source::Pinned => "pinned by you",
            Source::Bundle => "read from this bundle, NOT pinned: compare it with the log's",
        };
        writeln!(f, "{} of log {}", self.kind.name(), self.origin)?;
        writeln!(f, "key {:08x}, {source}", self.key_id)?;
        for entry in &self.entries {
            let shown = SECTION_NAMES.iter().zip(entry.opened).filter(|(_, open)| *open);
            let shown: Vec<&str> = shown.map(|(name, _)| *name).collect();
            let shown = if shown.is_empty() { "nothing".to_owned() } else { shown.join(", ") };
            let hour = entry.hours.map_or("?".to_owned(), |hours| utc(u64::from(hours) * 3_600));
            writeln!(f, "entry {} recorded in the hour from {hour}, opens {shown}", entry.index)?;
        }
        for digest in &self.exhibits {
            writeln!(f, "exhibit {}", to_hex(digest))?;
        }
        for claim in &self.claims {
            let state = match claim.state {
                ClaimState::Proven => "PROVEN   ",
                ClaimState::NotShown => "NOT SHOWN",
                ClaimState::Failed => "FAILED   ",
            };
            writeln!(f, "{state} {}: {}", claim.title, claim.text)?;
        }
        for problem in &self.problems {
            writeln!(f, "PROBLEM   {}: {}", problem.member, problem.what)?;
        }
        Ok(())
    }
}
