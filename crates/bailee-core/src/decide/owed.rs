//! Who is owed a notice of a disposition, and the notices of it.
//!
//! Invariants (rule 6): who is owed one is computed from the log, never typed. Who is to take
//! custody over is owed another one when a hold comes that no notice told them of. An owner who was
//! erased is owed none for what has no data of theirs any more. Who is owed one only because of a
//! silent hold comes after all others: number and place of an owner's notice are those without that
//! hold.

use std::collections::BTreeSet;

use super::Decision;
use super::disposition::open;
use crate::coverage;
use crate::custody;
use crate::disposition::{Disposition, DispositionKind};
use crate::event::{Event, Fact};
use crate::hold::Hold;
use crate::id::{AssetId, DispositionId, HoldId, NoticeId, PartyId};
use crate::notice::About;
use crate::refusal::{Code, Refusal};
use crate::state::State;

/// Everyone owed a notice: owners, requesters past and present, and who is to take custody over
/// and has to accept what comes with it.
pub fn owed(s: &State, disposition: &Disposition) -> BTreeSet<PartyId> {
    let owed = owed_by(s, &custody::going(s, disposition.kind, &disposition.assets), |_| true);
    owed.into_iter().chain(custody::taker(disposition.kind, disposition.to)).collect()
}

/// Those of them who would be owed one without any silent hold.
pub(super) fn owed_openly(s: &State, disposition: &Disposition) -> BTreeSet<PartyId> {
    let going = custody::going(s, disposition.kind, &disposition.assets);
    owed_by(s, &going, |hold| !hold.silent)
}

/// Those owed a notice if only these holds were.
fn owed_by(s: &State, assets: &[AssetId], counts: impl Fn(&Hold) -> bool) -> BTreeSet<PartyId> {
    let (mut parties, holds) = coverage::of_all(s, assets);
    parties.retain(|owner| !custody::is_gone(s, assets, *owner));
    let holds = holds.into_iter().filter_map(|id| s.holds.get(id)).filter(|hold| counts(hold));
    let demands = holds.flat_map(|hold| &hold.demands).filter_map(|id| s.demands.get(*id));
    parties.extend(demands.map(|demand| demand.from));
    parties
}

/// Those of a disposition that is proposed in the same decision.
pub(super) fn first_notices(
    s: &State,
    disposition: DispositionId,
    (kind, to): (DispositionKind, Option<PartyId>),
    assets: &[AssetId],
) -> Vec<Fact> {
    let (going, taker) = (custody::going(s, kind, assets), custody::taker(kind, to));
    let mut open = owed_by(s, &going, |hold| !hold.silent);
    let mut owed = owed_by(s, &going, |_| true);
    open.extend(taker);
    owed.extend(taker);
    notices(s, disposition, &open, owed)
}

/// `open`: who would be owed one without any silent hold.
fn notices(
    s: &State,
    disposition: DispositionId,
    open: &BTreeSet<PartyId>,
    owed: impl IntoIterator<Item = PartyId>,
) -> Vec<Fact> {
    let about = About::Disposition(disposition);
    let (first, last): (Vec<_>, Vec<_>) = owed.into_iter().partition(|to| open.contains(to));
    let queue = |(n, to)| Event::NoticeQueued { notice: s.notices.next_after(n), to, about };
    first.into_iter().chain(last).enumerate().map(queue).map(Fact::of).collect()
}

/// Parties owed a notice that have none; and who is to take custody over, if a hold came that no
/// notice told them of.
pub fn unnotified(s: &State, found: &Disposition) -> Vec<PartyId> {
    let late = !custody::untold(s, found).is_empty();
    let late = custody::taker(found.kind, found.to).filter(|_| late);
    let missing = |to: &PartyId| late == Some(*to) || !has_notice(s, found, *to);
    owed(s, found).into_iter().filter(missing).collect()
}

fn has_notice(s: &State, found: &Disposition, to: PartyId) -> bool {
    found.notices.iter().filter_map(|id: &NoticeId| s.notices.get(*id)).any(|n| n.to == to)
}

pub(super) fn queue(s: &State, disposition: DispositionId) -> Decision {
    let found = open(s, disposition)?;
    let missing = unnotified(s, found);
    if missing.is_empty() {
        let text = "has a notice to every party owed one";
        return Err(Refusal::new(Code::AlreadyDone, disposition, text));
    }
    let going = custody::going(s, found.kind, &found.assets);
    let mut open = owed_by(s, &going, |hold| !hold.silent);
    if let Some(taker) = custody::taker(found.kind, found.to) {
        let is_open = |id: &HoldId| s.holds.get(*id).is_some_and(|hold| !hold.silent);
        match has_notice(s, found, taker) && !custody::untold(s, found).iter().any(is_open) {
            true => open.remove(&taker),
            false => open.insert(taker),
        };
    }
    Ok(notices(s, disposition, &open, missing))
}

/// Who is to take custody over was told of every hold that they have to accept.
pub(super) fn taker_told(s: &State, id: DispositionId, found: &Disposition) -> Result<(), Refusal> {
    let late = custody::untold(s, found).first().copied();
    let Some((to, hold)) = custody::taker(found.kind, found.to).zip(late) else { return Ok(()) };
    let text = format!("has no notice of {hold}, which came after it was told of {id}");
    Err(Refusal::new(Code::NoticeMissing, to, text))
}
