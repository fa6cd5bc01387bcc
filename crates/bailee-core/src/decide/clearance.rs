//! Clearances: reserve -> begin -> renew … -> finish or abort (rule 5).
//!
//! Invariants: `reserve` checks everything in the decision that grants; `begin` and `renew` ask
//! again the gate, who was told, who takes over and for objections, `begin` for the approvals too;
//! a lease is at most sixty seconds, and a reservation ends with the day it is counted on;
//! no lease is counted by a clock that stands still; `finish` needs a verified sanitization with
//! its certificate. What is checked here is checked nowhere else.

use super::disposition::{Approvals, check_receiver, open, radius, unaccepted};
use super::{Decision, find, owed, reasoned, shows, subject};
use crate::command::{Action, Reason};
use crate::counted;
use crate::coverage;
use crate::demand::Digest;
use crate::disposition::{Clearance, ClearanceStatus, Disposition, DispositionKind};
use crate::event::{By, Event};
use crate::gate::{self, Verb};
use crate::id::{AssetId, ClearanceId, DispositionId, HoldId};
use crate::policy::{DutyKind, LONGEST_LEASE};
use crate::refusal::{Code, Refusal};
use crate::state::State;
use crate::time::Time;

/// The verb under which the gate is asked.
pub fn verb(kind: DispositionKind) -> Verb {
    match kind {
        DispositionKind::Transfer => Verb::Transfer,
        DispositionKind::Erase => Verb::Erase,
        DispositionKind::Sanitize | DispositionKind::Expire | DispositionKind::Return => {
            Verb::LetGo
        }
    }
}

/// While the log is ahead of the clock its time stands still, and no lease would ever end: nothing
/// is reserved, begun or renewed. `told`: the time as the clock has it.
pub(super) fn clock_runs(s: &State, action: &Action, told: Time) -> Result<(), Refusal> {
    use Action::{Begin, Renew, Reserve, ReserveDevice};
    let leased =
        matches!(action, Reserve { .. } | ReserveDevice { .. } | Begin { .. } | Renew { .. });
    if !leased || told.plus_seconds(LONGEST_LEASE) >= s.clock {
        return Ok(());
    }
    let text = format!("was at {} before, and is at {told} now", s.clock);
    let refusal = Refusal::new(Code::ClockInDoubt, "the clock", text);
    Err(refusal.with_change("put the clock right, or wait until it has caught up with the log"))
}

pub(super) fn reserve(
    s: &State,
    disposition: DispositionId,
    asset: AssetId,
    subject: Digest,
    now: Time,
) -> Decision {
    let found = open(s, disposition)?;
    if !found.assets.contains(&asset) {
        let text = format!("does not name {asset}");
        return Err(Refusal::new(Code::AssetNotInDisposition, disposition, text));
    }
    may_go(s, (disposition, found), asset, now, None)?;
    check_approvals(s, disposition, found)?;
    check_canary(s, found, asset)?;
    check_rate(s, asset, now)?;
    subject::check(s, found.kind, asset, &subject)?;
    let clearance = s.clearances.next();
    // What is begun tomorrow is counted tomorrow.
    let expires = now.plus_seconds(s.policy.reservation_seconds).min(now.next_day());
    let subject = subject.into();
    Ok(vec![Event::ClearanceReserved { clearance, disposition, asset, subject, expires }.into()])
}

/// What is asked again at each step: the gate, who was told and took over, and objections.
fn may_go(
    s: &State,
    (id, found): (DispositionId, &Disposition),
    asset: AssetId,
    now: Time,
    mine: Option<ClearanceId>,
) -> Result<(), Refusal> {
    ask_gate(s, found.kind, asset, now, mine)?;
    owed::taker_told(s, id, found)?;
    if let Some(hold) = unaccepted_in_transfer(s, found, asset) {
        let text = format!("is not accepted by the transferee of {id}");
        return Err(Refusal::new(Code::HoldNotAccepted, hold, text));
    }
    check_objections(s, id, found)?;
    check_notices(s, id, found, now)?;
    check_receiver(s, found.kind, &found.assets, found.to)
}

/// The first reason of the gate, as a refusal; the caller can ask the gate for all of them.
fn ask_gate(
    s: &State,
    kind: DispositionKind,
    asset: AssetId,
    now: Time,
    mine: Option<ClearanceId>,
) -> Result<(), Refusal> {
    let verdict = gate::verdict(s, asset, verb(kind), now, mine);
    let verdict = verdict.ok_or_else(|| Refusal::not_found(asset))?;
    match verdict.reasons.first() {
        None => Ok(()),
        Some(reason) => {
            let more = match verdict.reasons.len() - 1 {
                0 => String::new(),
                n => format!(" (and {} against {asset})", counted(n, "more reason")),
            };
            let text = format!("{}{more}", reason.text);
            Err(Refusal::new(reason.code, &reason.about, text).with_change(reason.change))
        }
    }
}

fn unaccepted_in_transfer(s: &State, found: &Disposition, asset: AssetId) -> Option<HoldId> {
    let transfer = found.kind == DispositionKind::Transfer;
    transfer.then(|| unaccepted(s, found, asset).first().copied()).flatten()
}

fn check_objections(s: &State, id: DispositionId, found: &Disposition) -> Result<(), Refusal> {
    let open = |o: &&crate::id::ObjectionId| {
        s.objections.get(**o).is_some_and(|objection| objection.upheld.is_none())
    };
    match found.objections.iter().find(open) {
        None => Ok(()),
        Some(objection) => {
            let text = format!("against {id} is not decided");
            Err(Refusal::new(Code::ObjectionOpen, *objection, text))
        }
    }
}

/// Every party owed a notice has one, delivery of each is proven, and the wait after the last proof
/// is over.
fn check_notices(
    s: &State,
    id: DispositionId,
    found: &Disposition,
    now: Time,
) -> Result<(), Refusal> {
    if let Some(party) = owed::unnotified(s, found).first() {
        return Err(Refusal::new(Code::NoticeMissing, *party, format!("has no notice of {id}")));
    }
    let mut last = None;
    for notice_id in &found.notices {
        let notice = find(&s.notices, *notice_id)?;
        match notice.proven {
            None => {
                let text = format!("to {} has no proof of delivery", notice.to);
                return Err(Refusal::new(Code::NoticeNotDelivered, *notice_id, text));
            }
            Some((at, _)) => last = last.max(Some(at)),
        }
    }
    let days = found.waiting_days.max(s.policy.waiting_days);
    let until = last.map_or(now, |at| at.plus_days(days));
    if until > now {
        return Err(Refusal::new(Code::WaitingPeriod, id, format!("waits until {until}")));
    }
    if let Some(leap) = s.doubt(now).filter(|leap| until > leap.before) {
        let text = format!("waits until {until}, and the clock leapt there from {}", leap.before);
        return Err(Refusal::new(Code::ClockInDoubt, id, text));
    }
    Ok(())
}

/// It went under another proposal, which says nothing of how this one goes.
const FIRST_IS_GONE: &str = "cancel the proposal (`bailee disposition cancel`), and propose what \
                             is left of it anew: its first asset is gone already";

/// The first asset goes alone, and is verified, before any other.
fn check_canary(s: &State, found: &Disposition, asset: AssetId) -> Result<(), Refusal> {
    match found.assets.first() {
        Some(first) if *first != asset && !found.done.contains(first) => {
            let refusal = Refusal::new(Code::CanaryPending, *first, "goes first, alone");
            let here = s.assets.get(*first).is_some_and(|first| first.fate.is_here());
            Err(if here { refusal } else { refusal.with_change(FIRST_IS_GONE) })
        }
        _ => Ok(()),
    }
}

fn check_rate(s: &State, asset: AssetId, now: Time) -> Result<(), Refusal> {
    let today: &[AssetId] = s.let_go.get(&now.day()).map_or(&[], Vec::as_slice);
    if today.contains(&asset) {
        return Ok(());
    }
    let limit = s.policy.daily_limit;
    if today.len() >= limit as usize {
        let text = format!("has reached {}", counted(limit, "asset"));
        return Err(Refusal::new(Code::RateLimited, "today", text));
    }
    let limit = s.policy.daily_limit_per_owner;
    if today.len() < limit as usize {
        return Ok(());
    }
    for owner in coverage::owners(s, asset) {
        let theirs = today.iter().filter(|id| coverage::owners(s, **id).contains(&owner));
        if theirs.count() >= limit as usize {
            let text = format!("has lost {} today", counted(limit, "asset"));
            return Err(Refusal::new(Code::RateLimited, owner, text));
        }
    }
    Ok(())
}

/// A clearance in the state wanted, or the name of why not.
fn current(s: &State, id: ClearanceId) -> Result<&Clearance, Refusal> {
    let found = find(&s.clearances, id)?;
    match found.status {
        ClearanceStatus::Reserved(_) | ClearanceStatus::Begun(_) => Ok(found),
        ClearanceStatus::Revoked | ClearanceStatus::Stopping(_) => Err(Refusal::new(
            Code::ClearanceRevoked,
            id,
            "was revoked: what it rested on is not so any more",
        )),
        ClearanceStatus::Expired => Err(Refusal::new(Code::ClearanceExpired, id, "has expired")),
        ClearanceStatus::Lost => Err(Refusal::new(Code::LeaseLapsed, id, "was given up as lost")),
        ClearanceStatus::Finished | ClearanceStatus::Aborted => {
            Err(Refusal::new(Code::ClearanceUsed, id, "was used"))
        }
    }
}

/// What may have changed since the reservation.
fn still_good(s: &State, id: ClearanceId, found: &Clearance, now: Time) -> Result<(), Refusal> {
    let disposition = (found.disposition, open(s, found.disposition)?);
    may_go(s, disposition, found.asset, now, Some(id))
}

/// The approvals, for the radius as it is now.
fn check_approvals(s: &State, id: DispositionId, found: &Disposition) -> Result<(), Refusal> {
    let approvals = Approvals::of(s, found);
    approvals.complete(s, id, &radius(s, found.kind, &found.assets))
}

pub(super) fn begin(s: &State, id: ClearanceId, now: Time) -> Decision {
    let found = current(s, id)?;
    match found.status {
        ClearanceStatus::Reserved(expires) if expires > now => {}
        ClearanceStatus::Reserved(_) => {
            return Err(Refusal::new(Code::ClearanceExpired, id, "has expired"));
        }
        _ => return Err(Refusal::new(Code::ClearanceUsed, id, "was begun before")),
    }
    still_good(s, id, found, now)?;
    check_approvals(s, found.disposition, open(s, found.disposition)?)?;
    let lease = now.plus_seconds(s.policy.lease_seconds);
    Ok(vec![Event::ClearanceBegun { clearance: id, lease }.into()])
}

/// The lease of a clearance that is begun and runs.
fn running(s: &State, id: ClearanceId, now: Time) -> Result<&Clearance, Refusal> {
    let found = current(s, id)?;
    match found.status {
        ClearanceStatus::Begun(lease) if lease > now => Ok(found),
        ClearanceStatus::Begun(_) => Err(Refusal::new(Code::LeaseLapsed, id, "was not renewed")),
        _ => Err(Refusal::new(Code::ClearanceNotBegun, id, "is only reserved")),
    }
}

pub(super) fn renew(s: &State, id: ClearanceId, by: By, now: Time) -> Decision {
    let found = running(s, id, now)?;
    still_good(s, id, found, now)?;
    check_began(id, found, by)?;
    let lease = now.plus_seconds(s.policy.lease_seconds);
    Ok(vec![Event::ClearanceRenewed { clearance: id, lease }.into()])
}

/// What is done is recorded as done, even if a demand came in the last lease: the log says so, and
/// a human has to explain it. A lapsed lease is another matter: the asset is unknown.
pub(super) fn finish(
    s: &State,
    (id, by): (ClearanceId, By),
    verified: bool,
    reason: &Reason,
    now: Time,
) -> Decision {
    let found = find(&s.clearances, id)?;
    let late = matches!(found.status, ClearanceStatus::Stopping(lease) if lease > now);
    if !late {
        running(s, id, now)?;
    }
    if !verified {
        return Err(Refusal::new(Code::NotVerified, id, "is not verified"));
    }
    if !shows(reason) {
        return Err(Refusal::new(Code::CertificateMissing, id, "has no certificate"));
    }
    check_began(id, found, by)?;
    let mut facts = vec![reasoned(Event::ClearanceFinished { clearance: id, verified }, reason)];
    if late {
        let kind = DutyKind::ExplainLoss(id);
        facts.push(Event::DutyRaised { duty: s.duties.next(), kind }.into());
    }
    Ok(facts)
}

/// How it ended, told by whoever began it: somebody else who believes it hangs does not know. What
/// is gone can be told after any end, and corrected upwards; what is not gone cannot.
pub(super) fn abort(s: &State, id: ClearanceId, by: By, gone: u64, reason: &Reason) -> Decision {
    let found = find(&s.clearances, id)?;
    let touched = !matches!(found.status, ClearanceStatus::Reserved(_));
    match found.status {
        ClearanceStatus::Aborted if found.begun.is_some() && gone > found.gone => {}
        ClearanceStatus::Finished | ClearanceStatus::Aborted => {
            return Err(Refusal::new(Code::ClearanceUsed, id, "was used"));
        }
        ClearanceStatus::Expired | ClearanceStatus::Revoked => {
            return Err(Refusal::new(Code::AlreadyDone, id, "never touched anything"));
        }
        ClearanceStatus::Begun(_) | ClearanceStatus::Stopping(_) => check_began(id, found, by)?,
        _ if gone > 0 && !touched => {
            let text = "was not begun, so nothing can be gone under it";
            return Err(Refusal::new(Code::ClearanceNotBegun, id, text));
        }
        _ => {}
    }
    let mut facts = vec![reasoned(Event::ClearanceAborted { clearance: id, gone }, reason)];
    if gone > 0 && found.gone == 0 {
        let kind = DutyKind::ExplainLoss(id);
        facts.push(Event::DutyRaised { duty: s.duties.next(), kind }.into());
    }
    Ok(facts)
}

/// Whoever began it, and nobody else, keeps it running and says how it ended.
fn check_began(id: ClearanceId, found: &Clearance, by: By) -> Result<(), Refusal> {
    let (begun, lease) = match (found.begun, found.status) {
        (Some(begun), ClearanceStatus::Begun(lease) | ClearanceStatus::Stopping(lease))
            if begun != by =>
        {
            (begun, lease)
        }
        _ => return Ok(()),
    };
    let who = match begun {
        By::Party(party) => party.to_string(),
        By::System => "this program".to_owned(),
    };
    let text = format!("is carried out by {who}, whose lease ends at {lease}");
    let refusal = Refusal::new(Code::NotPermitted, id, text);
    Err(refusal.with_change(
        "let that one report how it ended; if nobody does, it is given up as lost when the lease \
         is over, and what is gone can be told then",
    ))
}
