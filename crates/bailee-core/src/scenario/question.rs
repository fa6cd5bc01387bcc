//! Questions: what a line asks, with the answer that the state gives, for a house with a door.
//!
//! Invariant: an answer is what was read from the state at the time of the line; a house that is
//! also asked from outside must be given the very same one.

use std::fmt;

use crate::gate::{Verb, Verdict};
use crate::id::PartyId;
use crate::view::OwnerView;

/// Something that a line asks, and what is so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// May this asset be let go of?
    Gate(Verb, Verdict),
    /// Which words are true of the thing with this id?
    Thing(String, Vec<&'static str>),
    /// How many rows has the list of this name?
    Count(String, usize),
    /// What does this owner see?
    Owner(PartyId, OwnerView),
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Question::Gate(_, verdict) if verdict.is_clear() => {
                write!(f, "{} may be let go of", verdict.asset)
            }
            Question::Gate(_, verdict) => {
                write!(f, "{} may not be let go of:", verdict.asset)?;
                let mut reasons = verdict.reasons.iter();
                reasons.try_for_each(|one| write!(f, " {} {}", one.code.as_str(), one.about))
            }
            Question::Thing(id, words) => write!(f, "{id} is {}", words.join(", ")),
            Question::Count(list, rows) => write!(f, "{rows} in the list of {list}"),
            Question::Owner(owner, seen) => {
                write!(f, "what {owner} sees: {} holds", seen.holds.len())?;
                seen.holds.iter().try_for_each(|hold| write!(f, " {hold}"))
            }
        }
    }
}
