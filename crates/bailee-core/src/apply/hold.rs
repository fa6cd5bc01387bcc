//! Applies what happens to holds, and keeps their clocks on the agenda.

use super::demand::widen;
use super::index::remove_letter;
use super::{Applied, person, push, row};
use crate::demand::{Digest, Scope};
use crate::disposition::Approval;
use crate::event::{Event, Record};
use crate::hold::{Basis, EndReason, Hold, HoldStatus, Release};
use crate::id::HoldId;
use crate::state::{Due, State};

pub(super) fn apply(s: &mut State, r: &Record) -> Applied {
    match &r.fact.event {
        Event::HoldPlaced { .. } => placed(s, r),
        Event::BasisAdded { hold, instrument, due, silent } => {
            let found = row(&mut s.holds, *hold)?;
            found.silent |= silent;
            (found.copy_allowed, found.release) = (None, None);
            let n = u8::try_from(found.bases.len()).map_err(|_| format!("{hold} is full"))?;
            found.bases.push(basis(instrument, r, *due));
            s.agenda.extend(due.map(|due| (due, Due::Basis(*hold, n))));
            Ok(())
        }
        Event::BasisExtended { hold, basis, due } => extended(s, r, (*hold, *basis), *due),
        Event::BasisEnded { hold, basis, reason } => ended(s, r, *hold, *basis, *reason),
        Event::CopyAllowed { hold } => {
            let by = person(r)?;
            row(&mut s.holds, *hold)?.copy_allowed = Some(by);
            Ok(())
        }
        Event::ReleaseProposed { hold } => {
            let proposer = person(r)?;
            let release = Release { proposer, approvals: Vec::new() };
            row(&mut s.holds, *hold)?.release = Some(release);
            Ok(())
        }
        Event::ReleaseApproved { hold, radius } => {
            let (by, at, radius) = (person(r)?, r.at, radius.clone());
            let approval = Approval { by, at, radius, position: r.seq };
            let found = row(&mut s.holds, *hold)?;
            let release = found.release.as_mut().ok_or(format!("{hold} is not proposed"))?;
            release.approvals.push(approval);
            Ok(())
        }
        Event::HoldCooling { hold, until } => {
            row(&mut s.holds, *hold)?.status = HoldStatus::Cooling(*until);
            s.agenda.insert((*until, Due::Cooling(*hold)));
            Ok(())
        }
        Event::HoldReleased { hold } => released(s, *hold),
        Event::GagSet { hold, until } => gag(s, *hold, *until),
        Event::GagEnded { hold } => {
            row(&mut s.holds, *hold)?.silent = false;
            gag(s, *hold, None)
        }
        other => Err(format!("{} is not of holds", other.name())),
    }
}

/// What was decided of it was decided of less: no copy will do, its release is not approved, and
/// what was to thaw it does not.
pub(super) fn means_more(s: &mut State, hold: HoldId) -> Applied {
    let found = row(&mut s.holds, hold)?;
    found.copy_allowed = None;
    found.release.iter_mut().for_each(|release| release.approvals.clear());
    if let HoldStatus::Cooling(until) = found.status {
        found.status = HoldStatus::Active;
        s.agenda.remove(&(until, Due::Cooling(hold)));
    }
    Ok(())
}

fn basis(instrument: &str, r: &Record, due: Option<crate::time::Time>) -> Basis {
    let (instrument, document) = (instrument.to_owned(), document(r));
    Basis { instrument, since: r.at, due, extensions: 0, ended: None, document }
}

fn document(r: &Record) -> Option<Digest> {
    r.fact.papers.as_ref()?.exhibits.first().map(|paper| paper.digest)
}

fn placed(s: &mut State, r: &Record) -> Applied {
    let Event::HoldPlaced {
        hold,
        provisional,
        scope,
        instrument,
        due,
        silent,
        matter,
        demand,
        gag_until,
    } = &r.fact.event
    else {
        return Err("not a hold".into());
    };
    let new = Hold {
        matter: *matter,
        demands: demand.iter().copied().collect(),
        scope: Scope { from: scope.from, to: scope.to, ..Scope::default() },
        bases: vec![basis(instrument, r, *due)],
        status: if *provisional { HoldStatus::Provisional } else { HoldStatus::Active },
        silent: *silent,
        gag_until: *gag_until,
        copy_allowed: None,
        position: r.seq,
        placed: r.at,
        release: None,
    };
    push(&mut s.holds, *hold, new)?;
    widen(s, *hold, scope)?;
    s.agenda.extend(due.map(|due| (due, Due::Basis(*hold, 0))));
    s.agenda.extend(gag_until.map(|until| (until, Due::Gag(*hold))));
    Ok(())
}

fn basis_mut(s: &mut State, hold: HoldId, n: u8) -> Result<&mut Basis, String> {
    let bases = &mut row(&mut s.holds, hold)?.bases;
    bases.get_mut(usize::from(n)).ok_or(format!("{hold} has no basis {n}"))
}

fn extended(s: &mut State, r: &Record, (hold, n): (HoldId, u8), due: crate::time::Time) -> Applied {
    let found = basis_mut(s, hold, n)?;
    let old = found.due.replace(due);
    found.extensions = found.extensions.saturating_add(1);
    found.document = found.document.or_else(|| document(r));
    s.agenda.extend([(due, Due::Basis(hold, n))]);
    if let Some(old) = old.filter(|old| *old != due) {
        s.agenda.remove(&(old, Due::Basis(hold, n)));
    }
    // Who approved its release did so before it was asked for anew.
    let found = row(&mut s.holds, hold)?;
    if found.in_force() {
        found.release.iter_mut().for_each(|release| release.approvals.clear());
    }
    Ok(())
}

fn ended(s: &mut State, r: &Record, hold: HoldId, n: u8, reason: EndReason) -> Applied {
    let found = basis_mut(s, hold, n)?;
    found.ended = Some((r.at, reason));
    if let Some(due) = found.due {
        s.agenda.remove(&(due, Due::Basis(hold, n)));
    }
    Ok(())
}

/// Replaces the clock of the silence.
fn gag(s: &mut State, hold: HoldId, until: Option<crate::time::Time>) -> Applied {
    let old = std::mem::replace(&mut row(&mut s.holds, hold)?.gag_until, until);
    if let Some(old) = old {
        s.agenda.remove(&(old, Due::Gag(hold)));
    }
    s.agenda.extend(until.map(|until| (until, Due::Gag(hold))));
    Ok(())
}

/// The hold stays in every index: requesters past and present are owed notices.
fn released(s: &mut State, id: HoldId) -> Applied {
    let found = row(&mut s.holds, id)?;
    let cooling = found.status;
    found.status = HoldStatus::Released;
    let demands = found.demands.clone();
    let clocks: Vec<_> = found.bases.iter().map(|basis| basis.due).collect();
    if let HoldStatus::Cooling(until) = cooling {
        s.agenda.remove(&(until, Due::Cooling(id)));
    }
    for (n, due) in clocks.into_iter().enumerate() {
        if let (Some(due), Ok(n)) = (due, u8::try_from(n)) {
            s.agenda.remove(&(due, Due::Basis(id, n)));
        }
    }
    for demand in demands {
        remove_letter(s, demand);
    }
    Ok(())
}
