//! Holds: placed, given further bases, extended, satisfied by a copy, released with four eyes.
//!
//! Invariants (rules 2, 7, 8): nothing here unblocks anything at once: a release needs two persons
//! besides the proposer, counsel among them, and then cools; the end of a basis leaves the hold.
//! What persons decided of a hold (that a copy will do, that it may go) they decided of the reasons
//! it had: a further one voids both, and is silent for as long as any reason is.

use super::demand::{names_something, open_matter, resolve, revoke_reached};
use super::disposition::{Approvals, hold_radius};
use super::{Decision, find, reasoned, says};
use crate::command::Reason;
use crate::counted;
use crate::demand::Scope;
use crate::event::{Event, Fact};
use crate::hold::{Basis, EndReason, Hold, HoldStatus};
use crate::id::{HoldId, MatterId, PartyId};
use crate::instrument::{Ends, Instrument, Privacy};
use crate::policy::DutyKind;
use crate::refusal::{Code, Refusal};
use crate::state::State;
use crate::time::Time;

pub(super) fn place(
    s: &State,
    scope: &Scope,
    instrument: &str,
    (matter, silent): (Option<MatterId>, Option<bool>),
    reason: &Reason,
    now: Time,
) -> Decision {
    let instrument = known(s, instrument)?;
    names_something(s, scope)?;
    if let Some(matter) = matter {
        open_matter(s, matter)?;
    }
    let scope = resolve(s, scope);
    if scope.matches_nothing() && scope.identifiers.is_empty() {
        let text = "needs an account, an asset or an identifier";
        return Err(Refusal::new(Code::BadValue, "the hold", text));
    }
    let hold = s.holds.next();
    let revoked = revoke_reached(s, hold, &scope);
    let silent = silent.unwrap_or(instrument.privacy == Privacy::Silent);
    let event = Event::HoldPlaced {
        hold,
        provisional: false,
        scope,
        instrument: instrument.code.clone(),
        due: due(instrument, now),
        silent,
        matter,
        demand: None,
        gag_until: instrument.gag_until(silent, now),
    };
    let mut facts = vec![reasoned(event, reason)];
    facts.extend(revoked);
    Ok(facts)
}

fn known<'a>(s: &'a State, code: &str) -> Result<&'a Instrument, Refusal> {
    s.catalogue.get(code).ok_or_else(|| {
        Refusal::new(Code::NotFound, format!("instrument {code:?}"), "is not in the catalogue")
    })
}

fn due(instrument: &Instrument, now: Time) -> Option<Time> {
    instrument.days.and_then(|days| instrument.rule.due(now, days))
}

/// A hold that is neither released nor on its way there.
fn standing(s: &State, hold: HoldId) -> Result<&Hold, Refusal> {
    let found = find(&s.holds, hold)?;
    match found.status {
        HoldStatus::Provisional | HoldStatus::Active => Ok(found),
        HoldStatus::Cooling(_) => Err(Refusal::new(Code::HoldNotInForce, hold, "is cooling")),
        HoldStatus::Released => Err(Refusal::new(Code::HoldNotInForce, hold, "is released")),
    }
}

pub(super) fn add_basis(
    s: &State,
    hold: HoldId,
    instrument: &str,
    reason: &Reason,
    now: Time,
) -> Decision {
    let found = standing(s, hold)?;
    if found.bases.len() >= usize::from(u8::MAX) {
        return Err(Refusal::new(Code::BadValue, hold, "has too many bases; place another hold"));
    }
    let instrument = known(s, instrument)?;
    if instrument.privacy == Privacy::Silent && !found.silent {
        let text = "is open; its owner would see it vanish: place another hold for a silent basis";
        return Err(Refusal::new(Code::BadValue, hold, text));
    }
    let event = Event::BasisAdded {
        hold,
        instrument: instrument.code.clone(),
        due: due(instrument, now),
        silent: found.silent || instrument.privacy == Privacy::Silent,
    };
    let mut facts = vec![reasoned(event, reason)];
    facts.extend(longer_gag(hold, found, instrument, now));
    // What was decided of the hold was decided without this reason.
    facts.extend(revoke_reached(s, hold, &found.scope));
    Ok(facts)
}

/// The silence lasts as long as the longest of its reasons: a clock that the new one outlasts is
/// replaced, or goes if the new one has none.
fn longer_gag(hold: HoldId, found: &Hold, instrument: &Instrument, now: Time) -> Option<Fact> {
    let clock = found.gag_until.filter(|_| instrument.privacy == Privacy::Silent)?;
    let until = instrument.gag_until(true, now);
    let longer = until.is_none_or(|until| until > clock);
    longer.then(|| Event::GagSet { hold, until }.into())
}

fn basis(hold: HoldId, found: &Hold, basis: u8) -> Result<&Basis, Refusal> {
    let missing = || Refusal::not_found(format!("basis {basis} of {hold}"));
    found.bases.get(usize::from(basis)).ok_or_else(missing)
}

pub(super) fn extend(s: &State, hold: HoldId, n: u8, reason: &Reason, now: Time) -> Decision {
    let found = basis(hold, standing(s, hold)?, n)?;
    let about = format!("basis {n} of {hold}");
    if !found.stands(s.sure(now)) {
        return Err(Refusal::new(Code::BasisEnded, about, "has ended"));
    }
    let instrument = known(s, &found.instrument)?;
    let (Some(days), Some(due)) = (instrument.extension_days, found.due) else {
        return Err(Refusal::new(Code::NotExtendable, about, "has no extension"));
    };
    if found.extensions >= instrument.max_extensions {
        let text = format!("was extended {}, the most there is", counted(found.extensions, "time"));
        return Err(Refusal::new(Code::ExtensionExhausted, about, text));
    }
    // The clock runs on from the start, so that day counting does not drift at each extension.
    let extensions = u32::from(found.extensions) + 1;
    let total = instrument.days.unwrap_or(0).saturating_add(days.saturating_mul(extensions));
    let longer = instrument.rule.due(found.since, total).filter(|longer| *longer > due);
    let Some(due) = longer else {
        let text = format!("stands until {due} as it is, and would not end later");
        return Err(Refusal::new(Code::NotExtendable, about, text));
    };
    Ok(vec![reasoned(Event::BasisExtended { hold, basis: n, due }, reason)])
}

pub(super) fn end_basis(s: &State, hold: HoldId, n: u8, reason: &Reason, now: Time) -> Decision {
    let found = find(&s.holds, hold)?;
    if basis(hold, found, n)?.ended.is_some() {
        let about = format!("basis {n} of {hold}");
        return Err(Refusal::new(Code::BasisEnded, about, "has ended"));
    }
    let event = Event::BasisEnded { hold, basis: n, reason: EndReason::Withdrawn };
    let mut facts = vec![reasoned(event, reason)];
    facts.extend(last_basis_duty(s, hold, found, n, s.sure(now), 0));
    Ok(facts)
}

/// The duty that the end of a basis raises if no other stands that is a ground to keep data by
/// itself. `ahead`: duties already decided.
pub(super) fn last_basis_duty(
    s: &State,
    id: HoldId,
    hold: &Hold,
    ending: u8,
    now: Time,
    ahead: usize,
) -> Option<Fact> {
    let another = |(n, basis): (usize, &Basis)| {
        n != usize::from(ending) && basis.stands(now) && s.catalogue.keeps(&basis.instrument)
    };
    if !hold.in_force() || hold.bases.iter().enumerate().any(another) {
        return None;
    }
    // A person was called when the last ground ended; what is none adds nothing to that.
    let about = |kind| kind == DutyKind::NoBasisLeft(id) || kind == DutyKind::ReviewHold(id);
    let called = |duty| s.duties.get(duty).is_some_and(|open| about(open.kind));
    let ground =
        hold.bases.get(usize::from(ending)).is_some_and(|b| s.catalogue.keeps(&b.instrument));
    if !ground && s.open_duties().any(called) {
        return None;
    }
    // What the catalogue does not know any more may have been one.
    let ceiling =
        |basis: &Basis| s.catalogue.get(&basis.instrument).is_none_or(|i| i.ends == Ends::Ceiling);
    let kind = match hold.bases.iter().any(ceiling) {
        true => DutyKind::NoBasisLeft(id),
        false => DutyKind::ReviewHold(id),
    };
    Some(Event::DutyRaised { duty: s.duties.next_after(ahead), kind }.into())
}

pub(super) fn allow_copy(s: &State, hold: HoldId, reason: &Reason) -> Decision {
    let found = standing(s, hold)?;
    if found.copy_allowed.is_some() {
        return Err(Refusal::new(Code::AlreadyDone, hold, "may be satisfied by a copy"));
    }
    if !says(reason) {
        let text = "needs the terms on which a copy satisfies it, in words";
        return Err(Refusal::new(Code::BadValue, hold, text));
    }
    Ok(vec![reasoned(Event::CopyAllowed { hold }, reason)])
}

/// A gag has its own clock (rule 9): it may end before the hold does, and after.
pub(super) fn set_gag(
    s: &State,
    hold: HoldId,
    until: Option<Time>,
    reason: &Reason,
    now: Time,
) -> Decision {
    if !find(&s.holds, hold)?.silent {
        return Err(match until {
            None => Refusal::new(Code::AlreadyDone, hold, "is not silent"),
            // Its owner would see it vanish, which tells more than the hold did.
            Some(_) => {
                let text = "is open, and its owner may know of it: it cannot be made silent";
                Refusal::new(Code::NotSilent, hold, text)
            }
        });
    }
    match until {
        None => Ok(vec![reasoned(Event::GagEnded { hold }, reason)]),
        Some(time) if time > now => Ok(vec![reasoned(Event::GagSet { hold, until }, reason)]),
        Some(until) => {
            let text = format!("cannot be silent until {until}, which is past");
            Err(Refusal::new(Code::BadValue, hold, text))
        }
    }
}

pub(super) fn propose_release(s: &State, hold: HoldId, reason: &Reason) -> Decision {
    let found = standing(s, hold)?;
    if found.status == HoldStatus::Provisional {
        let text = "rests on a demand that nobody has decided";
        return Err(Refusal::new(Code::HoldProvisional, hold, text));
    }
    let here = |id| s.parties.get(id).is_some_and(|party| party.erased.is_none());
    if found.release.as_ref().is_some_and(|release| here(release.proposer)) {
        return Err(Refusal::new(Code::AlreadyDone, hold, "is proposed for release"));
    }
    if !says(reason) {
        return Err(Refusal::new(Code::BadValue, hold, "cannot be released without a reason"));
    }
    Ok(vec![reasoned(Event::ReleaseProposed { hold }, reason)])
}

pub(super) fn approve_release(s: &State, hold: HoldId, by: PartyId, now: Time) -> Decision {
    let found = standing(s, hold)?;
    let Some(release) = &found.release else {
        return Err(Refusal::new(Code::NotProposed, hold, "is not proposed for release"));
    };
    let (radius, since) = hold_radius(s, found);
    let approvals = Approvals { proposer: release.proposer, given: &release.approvals, since };
    let complete = approvals.with(s, hold, by, &radius)?;
    let mut facts = vec![Event::ReleaseApproved { hold, radius }.into()];
    if complete {
        let until = now.plus_days(s.policy.cooling_days);
        facts.push(Event::HoldCooling { hold, until }.into());
    }
    Ok(facts)
}
