//! The words of the four claims.

use super::{Claim, ClaimState, Source, StampReport};
use crate::encoding::utc;
use crate::policy::{Policy, Quorum, SecondKey, Seen};

/// Claim 1: the leaves commit to the documents shown.
pub(crate) fn documents(opened: usize, exhibits: usize, broken: bool) -> Claim {
    let (state, text) = if broken {
        let text = "a part shown is not what the log committed to; see the problems".to_owned();
        (ClaimState::Failed, text)
    } else if opened == 0 {
        (ClaimState::NotShown, "no section of any entry is opened in this bundle".to_owned())
    } else {
        let text = format!(
            "sections opened: {opened}, documents: {exhibits}; each is exactly what the leaves \
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
    source: Source,
) -> Claim {
    let title = "log";
    let Some((size, second)) = signed else {
        let text = "the log's signature or a proof does not hold; see the problems".to_owned();
        return Claim { title, state: ClaimState::Failed, text };
    };
    let key = match source {
        Source::Pinned => "by the key you pinned",
        Source::Bundle => "by a key that came out of this bundle",
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
pub(crate) fn quorum_saw(policy: &Policy, seen: &Seen) -> Claim {
    let name = |(index, _): &(usize, u64)| policy.witnesses()[*index].name.as_str();
    let names: Vec<&str> = seen.cosigned.iter().map(name).collect();
    let (state, text) = match seen.quorum {
        Quorum::NotAsked => {
            let text = format!(
                "the policy asks for no witness ({} known ones cosigned): that others saw the \
                 same tree rests on the log's word",
                names.len()
            );
            (ClaimState::NotShown, text)
        }
        Quorum::Reached { by } => {
            let text = format!(
                "quorum {} saw this tree by {} (cosigned by {})",
                policy.quorum_name(),
                utc(by),
                names.join(", ")
            );
            (ClaimState::Proven, text)
        }
    };
    Claim { title: "witnesses", state, text }
}

/// Claim 3 when the bundle falls short of what its own policy asks for.
pub(crate) fn quorum_missing(quorum: &str, have: usize) -> Claim {
    let text = format!(
        "quorum {quorum}, which the policy in this bundle asks for, is not reached ({have} of its \
         witnesses cosigned): ask for this bundle again"
    );
    Claim { title: "witnesses", state: ClaimState::NotShown, text }
}

/// Claim 3 when the checkpoint contradicts it, or the reader's own policy is not met.
pub(crate) fn no_quorum(why: &str) -> Claim {
    Claim { title: "witnesses", state: ClaimState::Failed, text: why.to_owned() }
}

/// Claim 4: a timestamp authority saw the checkpoint. `broken`: a file of it contradicts that, or
/// the checkpoint does not hold.
pub(crate) fn timestamped(stamps: &[StampReport], source: Source, broken: bool) -> Claim {
    let title = "timestamp";
    let texts: Vec<&str> = stamps.iter().map(|stamp| stamp.text.as_str()).collect();
    let texts = texts.join("; ");
    let proven = stamps.iter().any(|stamp| stamp.state == ClaimState::Proven);
    let (state, text) = match source {
        _ if stamps.is_empty() && !broken => {
            let text = "this bundle carries no timestamp of an independent authority".to_owned();
            (ClaimState::NotShown, text)
        }
        _ if broken => (ClaimState::Failed, format!("does not hold, see the problems: {texts}")),
        Source::Pinned if proven => (ClaimState::Proven, format!("{texts} (roots pinned by you)")),
        Source::Bundle if proven => {
            let text = format!("{texts} (roots read from this bundle, NOT pinned)");
            (ClaimState::Proven, text)
        }
        _ => (ClaimState::NotShown, texts),
    };
    Claim { title, state, text }
}
