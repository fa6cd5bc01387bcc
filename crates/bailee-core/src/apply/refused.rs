//! Applies refusals: what of today is kept already.

use super::{Applied, row};
use crate::event::{Event, Record};
use crate::refused::Refused;
use crate::state::State;

pub(super) fn apply(s: &mut State, r: &Record) -> Applied {
    let Event::RequestRefused { by, asked, asset, disposition, hold, codes, .. } = &r.fact.event
    else {
        return Err(format!("{} is not of refusals", r.fact.event.name()));
    };
    row(&mut s.parties, *by)?;
    if s.refusals.day != r.at.day() {
        s.refusals.kept.clear();
        s.refusals.day = r.at.day();
    }
    let (asked, asset, disposition, hold) = (*asked, *asset, *disposition, *hold);
    let refused = Refused { asked, asset, disposition, hold, codes: codes.clone() };
    s.refusals.kept.entry(*by).or_default().insert(refused);
    Ok(())
}
