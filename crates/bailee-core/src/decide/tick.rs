//! Tick: everything that has fallen due, in the order it fell due.
//!
//! Invariants (rule 8): clocks lapse bases, not data; no tick can turn a blocked asset clear but by
//! ending a cooling period that persons started; by a leap of the clock nothing ends but leases and
//! reservations, and a person is called (leap.rs); a tick with nothing due gives no facts, but on a
//! day without any entry the fact that it passed.

use std::collections::BTreeSet;

use super::Decision;
use super::cost::accrued;
use super::hold::last_basis_duty;
use super::notice::next_channel;
use crate::disposition::ClearanceStatus;
use crate::event::{Event, Fact};
use crate::hold::{Basis, EndReason, HoldStatus};
use crate::id::{ClearanceId, HoldId, NoticeId};
use crate::leap::QUIET;
use crate::notice::Evidence;
use crate::policy::DutyKind;
use crate::state::{Due, State};
use crate::time::Time;

/// Most clocks one tick settles; the next tick takes the rest.
const MOST: usize = 10_000;

pub(super) fn tick(s: &State, now: Time) -> Decision {
    let sure = s.sure(now);
    let mut facts: Vec<Fact> = Vec::new();
    let mut duties = 0;
    let mut released: BTreeSet<HoldId> = BTreeSet::new();
    for (_, due) in due(s, now).take(MOST) {
        let new = match *due {
            Due::Clearance(id) => clearance(s, id, duties),
            // The release before it took this clock off the agenda.
            Due::Basis(id, _) if released.contains(&id) => Vec::new(),
            Due::Basis(id, n) => basis(s, id, n, sure, duties),
            Due::Cooling(id) => {
                released.insert(id);
                cooling(s, id)
            }
            Due::Gag(hold) => vec![Event::GagEnded { hold }.into()],
            Due::Notice(id, n) => notice(s, id, n, duties),
            Due::Meter(id) => {
                let meter = s.meters.get(id);
                meter.and_then(|meter| accrued(id, meter, sure)).into_iter().collect()
            }
        };
        duties += new.iter().filter(|f| matches!(f.event, Event::DutyRaised { .. })).count();
        facts.extend(new);
    }
    facts.extend(leapt(s, now, duties));
    if facts.is_empty() && s.head > 0 && now >= s.clock.plus_seconds(QUIET) {
        facts.push(Event::TimePassed {}.into());
    }
    Ok(facts)
}

/// What is due, in order: by a clock that leapt, only what stops something.
fn due(s: &State, now: Time) -> impl Iterator<Item = &(Time, Due)> {
    let sure = s.sure(now);
    let fallen = s.agenda.iter().take_while(move |(at, _)| *at <= now);
    fallen.filter(move |(at, due)| *at <= sure || matches!(due, Due::Clearance(_)))
}

/// The duty to look at a clock that leapt, once for a leap.
fn leapt(s: &State, now: Time, duties: usize) -> Option<Fact> {
    let leap = s.doubt(now).filter(|leap| !leap.told)?;
    let (duty, kind) = (s.duties.next_after(duties), DutyKind::CheckClock(leap.entry));
    Some(Event::DutyRaised { duty, kind }.into())
}

fn clearance(s: &State, id: ClearanceId, duties: usize) -> Vec<Fact> {
    let Some(found) = s.clearances.get(id) else { return Vec::new() };
    match found.status {
        ClearanceStatus::Reserved(_) => vec![Event::ClearanceExpired { clearance: id }.into()],
        ClearanceStatus::Begun(_) | ClearanceStatus::Stopping(_) => {
            let (duty, kind) = (s.duties.next_after(duties), DutyKind::InspectAsset(id));
            vec![
                Event::ClearanceLost { clearance: id }.into(),
                Event::DutyRaised { duty, kind }.into(),
            ]
        }
        _ => Vec::new(),
    }
}

fn basis(s: &State, hold: HoldId, n: u8, now: Time, duties: usize) -> Vec<Fact> {
    let Some(found) = s.holds.get(hold) else { return Vec::new() };
    let event = Event::BasisEnded { hold, basis: n, reason: EndReason::Lapsed };
    let mut facts = vec![Fact::of(event)];
    // Of several bases that lapse in one tick, the last one to lapse raises the duty; one that is
    // no ground by itself outlasts none.
    let last = found.bases.iter().enumerate().filter(|(_, b)| b.ended.is_none());
    let keeps = |b: &Basis| s.catalogue.keeps(&b.instrument);
    let last = last.max_by_key(|(i, b)| (keeps(b), b.due, *i)).map(|(i, _)| i);
    if last == Some(usize::from(n)) {
        facts.extend(last_basis_duty(s, hold, found, n, now, duties));
    }
    facts
}

fn cooling(s: &State, hold: HoldId) -> Vec<Fact> {
    match s.holds.get(hold).map(|found| found.status) {
        Some(HoldStatus::Cooling(_)) => vec![Event::HoldReleased { hold }.into()],
        _ => Vec::new(),
    }
}

fn notice(s: &State, id: NoticeId, n: u8, duties: usize) -> Vec<Fact> {
    let Some(found) = s.notices.get(id) else { return Vec::new() };
    let event = Event::NoticeEvidence { notice: id, attempt: n, evidence: Evidence::Silence };
    let mut facts = vec![Fact::of(event)];
    if found.proven.is_none() && found.attempts.len() == usize::from(n) + 1 {
        facts.extend(next_channel(s, id, found, duties));
    }
    facts
}
