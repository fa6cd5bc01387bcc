//! Applies refusals: what of today is kept already.

use super::{Applied, row};
use crate::event::{Event, Record};
use crate::refused::Refused;
use crate::state::State;

pub(super) fn apply(s: &mut State, r: &Record) -> Applied {
    let Event::RequestRefused { by, asked, asset, disposition, hold, codes, thing, .. } =
        &r.fact.event
    else {
        return Err(format!("{} is not of refusals", r.fact.event.name()));
    };
    row(&mut s.parties, *by)?;
    if s.refusals.day != r.at.day() {
        s.refusals.kept.clear();
        s.refusals.day = r.at.day();
    }
    let (asked, asset, disposition) = (*asked, *asset, *disposition);
    let (hold, thing) = (*hold, *thing);
    let refused = Refused { asked, asset, disposition, hold, thing, codes: codes.clone() };
    s.refusals.kept.entry(*by).or_default().insert(refused);
    Ok(())
}
