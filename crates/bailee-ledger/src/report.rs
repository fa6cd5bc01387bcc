//! What the verifier says: four claims kept apart, and every problem with the member it is in.
//!
//! Invariant: there is no single "valid". A claim is proven, not shown, or failed, in words that
//! name what it rests on; whoever needs an exit code asks [`Report::failed`], which only says that
//! something contradicts the bundle, never that the rest convinces.

use std::fmt;

use crate::bundle::Kind;
use crate::encoding::{to_hex, utc};
use crate::hash::Hash;
use crate::leaf::SECTION_NAMES;
use crate::policy::{Policy, Quorum, SecondKey, Seen};

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

/// Where the log key came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeySource {
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

/// The verifier's answer about a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What the bundle is for.
    pub kind: Kind,
    /// The log.
    pub origin: String,
    /// Where the key came from.
    pub key_source: KeySource,
    /// Id of the key that signed the bundle.
    pub key_id: u32,
    /// Size and root of the signed tree, when the checkpoint holds.
    pub tree: Option<(u64, Hash)>,
    /// Entries by index.
    pub entries: Vec<EntryReport>,
    /// SHA-256 of the exhibits that an opened papers section names.
    pub exhibits: Vec<Hash>,
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
            KeySource::Pinned => "pinned by you",
            KeySource::Bundle => "read from this bundle, NOT pinned: compare it with the log's",
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

/// Claim 1: the leaves commit to the documents shown.
pub(crate) fn documents(opened: usize, exhibits: usize, broken: bool) -> Claim {
    let (state, text) = if broken {
        let text = "a part shown is not what the log committed to; see the problems".to_owned();
        (ClaimState::Failed, text)
    } else if opened == 0 {
        (ClaimState::NotShown, "no section of any entry is opened in this bundle".to_owned())
    } else {
        let text = format!(
            "{opened} opened section(s) and {exhibits} document(s) are exactly what the leaves \
             commit to"
        );
        (ClaimState::Proven, text)
    };
    Claim { title: "documents", state, text }
}

/// Claim 2: the log signed the entries at their index. `signed`: size of the tree and what the
/// log's second key says, when signature and proofs hold.
pub(crate) fn log_signed(
    indices: &[u64],
    signed: Option<(u64, SecondKey)>,
    source: KeySource,
) -> Claim {
    let title = "log";
    let Some((size, second)) = signed else {
        let text = "the log's signature or a proof does not hold; see the problems".to_owned();
        return Claim { title, state: ClaimState::Failed, text };
    };
    let key = match source {
        KeySource::Pinned => "by the key you pinned",
        KeySource::Bundle => "by a key that came out of this bundle",
    };
    let second = match second {
        SecondKey::Signed => "also signed with ML-DSA-44",
        SecondKey::Absent => "NOT signed with the ML-DSA-44 key that the policy lists",
        SecondKey::NotListed => "not shown to be signed with ML-DSA-44: no such key is listed",
    };
    let (state, tree) = match indices {
        [] => {
            let text = format!("a tree of {size} leaves is signed {key}, but no entry is shown");
            (ClaimState::NotShown, text)
        }
        some => {
            let text = format!("{} in the tree of {size} leaves signed {key}", list(some));
            (ClaimState::Proven, text)
        }
    };
    Claim { title, state, text: format!("{tree}; {second}") }
}

/// `entry 3 is`, `entries 3, 5 are`, `40 entries from 3 to 99 are`.
fn list(indices: &[u64]) -> String {
    const NAMED: usize = 8;
    match indices {
        [one] => format!("entry {one} is"),
        [first, .., last] if indices.len() > NAMED => {
            format!("{} entries from {first} to {last} are", indices.len())
        }
        few => {
            let few: Vec<String> = few.iter().map(u64::to_string).collect();
            format!("entries {} are", few.join(", "))
        }
    }
}

/// Claim 3: a quorum of witnesses saw the tree.
pub(crate) fn quorum_saw(policy: &Policy, seen: Result<&Seen, String>) -> Claim {
    let (state, text) = match seen {
        Err(why) => (ClaimState::Failed, why),
        Ok(Seen { quorum: Quorum::NotAsked, cosigned, .. }) => {
            let text = format!(
                "the policy asks for no witness ({} known ones cosigned): that others saw the \
                 same tree rests on the log's word",
                cosigned.len()
            );
            (ClaimState::NotShown, text)
        }
        Ok(Seen { quorum: Quorum::Reached { by }, cosigned, .. }) => {
            let names: Vec<&str> = cosigned
                .iter()
                .map(|(index, _)| policy.witnesses()[*index].name.as_str())
                .collect();
            let text = format!(
                "quorum {} saw this tree by {} (cosigned by {})",
                policy.quorum_name(),
                utc(*by),
                names.join(", ")
            );
            (ClaimState::Proven, text)
        }
    };
    Claim { title: "witnesses", state, text }
}

/// Claim 4: a timestamp authority saw the checkpoint. Bundles of this version carry no token.
pub(crate) fn timestamped() -> Claim {
    let text = "this bundle carries no timestamp of an independent authority".to_owned();
    Claim { title: "timestamp", state: ClaimState::NotShown, text }
}
