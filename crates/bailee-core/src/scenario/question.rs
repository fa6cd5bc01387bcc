//! Questions: what a line asks, with the answer that the state gives, for a house with a door.
//!
//! Invariant: an answer is what was read from the state at the time of the line; a house that is
//! also asked from outside must be given the very same one.

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
