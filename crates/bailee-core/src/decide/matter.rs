//! Matters and their correspondence.
//!
//! Invariant: a matter with holds in force cannot be closed; what was filed in it stays.

use super::{Decision, find, reasoned, says};
use crate::command::Reason;
use crate::event::Event;
use crate::hold::Hold;
use crate::id::{MatterId, PartyId};
use crate::refusal::{Code, Refusal};
use crate::state::State;

pub(super) fn open(s: &State, title: &str) -> Decision {
    if title.trim().is_empty() || title.len() > 1024 || title.contains(['\n', '\r', '\0']) {
        let text = "must be one line of 1 to 1024 bytes";
        return Err(Refusal::new(Code::BadValue, "the title", text));
    }
    let matter = s.matters.next();
    Ok(vec![Event::MatterOpened { matter, title: title.to_owned() }.into()])
}

pub(super) fn close(s: &State, matter: MatterId) -> Decision {
    if find(&s.matters, matter)?.closed {
        return Err(Refusal::new(Code::AlreadyDone, matter, "is closed"));
    }
    let holds = |hold: &Hold| hold.matter == Some(matter) && hold.in_force();
    if let Some((hold, _)) = s.holds.iter().find(|(_, hold)| holds(hold)) {
        let text = format!("still has {hold}");
        return Err(Refusal::new(Code::MatterNeedsHolds, matter, text));
    }
    Ok(vec![Event::MatterClosed { matter }.into()])
}

pub(super) fn file(s: &State, matter: MatterId, from: PartyId, reason: &Reason) -> Decision {
    find(&s.matters, matter)?;
    find(&s.parties, from)?;
    if !says(reason) {
        return Err(Refusal::new(Code::BadValue, "the letter", "is empty"));
    }
    Ok(vec![reasoned(Event::CorrespondenceFiled { matter, from }, reason)])
}
