//! Refusals that are kept: one for a person, act, thing and codes, and so many a day.

use super::{Decision, find};
use crate::event::Event;
use crate::id::{HoldId, PartyId};
use crate::refused::{MOST_A_DAY, Refused};
use crate::state::State;
use crate::time::Time;

pub(super) fn record(
    s: &State,
    by: PartyId,
    refused: &Refused,
    holds: &[HoldId],
    now: Time,
) -> Decision {
    find(&s.parties, by)?;
    let kept = s.refusals.of(now.day(), by);
    let count = kept.map_or(0, |kept| kept.len());
    if count >= MOST_A_DAY || kept.is_some_and(|kept| kept.contains(refused)) {
        return Ok(Vec::new());
    }
    let Refused { asked, asset, disposition, hold, thing, codes } = refused.clone();
    let last = count + 1 == MOST_A_DAY;
    let holds = holds.to_vec();
    let event =
        Event::RequestRefused { by, asked, asset, disposition, hold, codes, holds, last, thing };
    Ok(vec![event.into()])
}
