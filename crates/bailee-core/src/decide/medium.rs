//! How a demand came in, where a person at the desk recorded it wrongly.
//!
//! Invariants: what was recorded stays in its entry, and the correction is one of its own, with who
//! made it and how it is known. No receipt says how a letter came (it shows the letter, decision
//! 7), so no correction falsifies one, before or after it left. Nothing that blocks changes.

use super::{Decision, find, reasoned, says};
use crate::command::Reason;
use crate::demand::Medium;
use crate::event::Event;
use crate::id::DemandId;
use crate::refusal::{Code, Refusal};
use crate::state::State;

pub(super) fn correct(s: &State, demand: DemandId, medium: Medium, reason: &Reason) -> Decision {
    if find(&s.demands, demand)?.medium == medium {
        let text = "is recorded as having come so";
        return Err(Refusal::new(Code::AlreadyDone, demand, text));
    }
    if !says(reason) {
        let text = "cannot be corrected without words for how it is known";
        return Err(Refusal::new(Code::BadValue, demand, text));
    }
    Ok(vec![reasoned(Event::MediumCorrected { demand, medium }, reason)])
}
