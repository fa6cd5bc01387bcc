//! Applies dispositions and clearances.
//!
//! Invariant: an asset's `clearance` is set exactly while its clearance is open, or that of its
//! custody unit; its fate changes only here, and only to what the clearance's end says.

use super::{Applied, person, push, row};
use crate::asset::Fate;
use crate::custody;
use crate::disposition::{Approval, Clearance, ClearanceStatus, Disposition, DispositionKind};
use crate::event::{Event, Record};
use crate::id::ClearanceId;
use crate::state::{Due, State};
use crate::time::Time;

pub(super) fn apply(s: &mut State, r: &Record) -> Applied {
    match &r.fact.event {
        Event::DispositionProposed { disposition, kind, assets, to } => {
            let new = Disposition {
                kind: *kind,
                assets: assets.clone(),
                proposer: person(r)?,
                to: *to,
                notices: Vec::new(),
                told: Vec::new(),
                objections: Vec::new(),
                approvals: Vec::new(),
                accepted: Vec::new(),
                done: Vec::new(),
                waiting_days: s.policy.waiting_days,
                cancelled: false,
            };
            push(&mut s.dispositions, *disposition, new)
        }
        Event::DispositionApproved { disposition, radius } => {
            let (by, at, radius) = (person(r)?, r.at, radius.clone());
            let approval = Approval { by, at, radius, position: r.seq };
            row(&mut s.dispositions, *disposition)?.approvals.push(approval);
            Ok(())
        }
        Event::DispositionCancelled { disposition } => {
            row(&mut s.dispositions, *disposition)?.cancelled = true;
            Ok(())
        }
        Event::HoldAccepted { disposition, hold } => {
            row(&mut s.dispositions, *disposition)?.accepted.push(*hold);
            Ok(())
        }
        Event::ClearanceReserved { .. } => reserved(s, r),
        Event::ClearanceBegun { clearance, lease } => {
            row(&mut s.clearances, *clearance)?.begun = Some(r.by);
            lease_until(s, *clearance, *lease)
        }
        Event::ClearanceRenewed { clearance, lease } => lease_until(s, *clearance, *lease),
        Event::ClearanceFinished { clearance, .. } => finished(s, r, *clearance),
        Event::ClearanceAborted { clearance, gone } => {
            let fate = (*gone > 0).then_some(Fate::Partial(*clearance));
            let found = row(&mut s.clearances, *clearance)?;
            (found.gone, found.report) = (*gone, Some(r.seq));
            close(s, (*clearance, r.at), ClearanceStatus::Aborted, fate)
        }
        Event::ClearanceRevoked { clearance, .. } => revoked(s, *clearance, r.at),
        Event::ClearanceExpired { clearance } => {
            close(s, (*clearance, r.at), ClearanceStatus::Expired, None)
        }
        Event::ClearanceLost { clearance } => {
            let fate = Some(Fate::Unknown(*clearance));
            close(s, (*clearance, r.at), ClearanceStatus::Lost, fate)
        }
        other => Err(format!("{} is not of dispositions", other.name())),
    }
}

fn reserved(s: &mut State, r: &Record) -> Applied {
    let Event::ClearanceReserved { clearance, disposition, asset, subject, expires } =
        &r.fact.event
    else {
        return Err("not a reservation".into());
    };
    let untold = crate::check::untold(s, *disposition, *asset);
    let new = Clearance {
        disposition: *disposition,
        asset: *asset,
        subject: **subject,
        status: ClearanceStatus::Reserved(*expires),
        position: r.seq,
        reserved: r.at,
        begun: None,
        against: Vec::new(),
        untold,
        certificate: None,
        ended: None,
        gone: 0,
        report: None,
    };
    push(&mut s.clearances, *clearance, new)?;
    let kind = row(&mut s.dispositions, *disposition)?.kind;
    for going in custody::going(s, kind, &[*asset]) {
        row(&mut s.assets, going)?.clearance = Some(*clearance);
    }
    s.open_clearances.insert(*clearance);
    s.agenda.insert((*expires, Due::Clearance(*clearance)));
    let today = s.let_go.entry(r.at.day()).or_default();
    // An asset that is tried again is the same asset.
    if !today.contains(asset) {
        today.push(*asset);
    }
    Ok(())
}

fn lease_until(s: &mut State, id: ClearanceId, lease: Time) -> Applied {
    forget_due(s, id)?;
    let against = crate::check::against(s, id);
    let clearance = row(&mut s.clearances, id)?;
    clearance.status = ClearanceStatus::Begun(lease);
    clearance.against.extend(against);
    s.agenda.insert((lease, Due::Clearance(id)));
    Ok(())
}

/// Takes the clearance's current due time off the agenda.
fn forget_due(s: &mut State, id: ClearanceId) -> Applied {
    let status = row(&mut s.clearances, id)?.status;
    use ClearanceStatus::{Begun, Reserved, Stopping};
    if let Reserved(due) | Begun(due) | Stopping(due) = status {
        s.agenda.remove(&(due, Due::Clearance(id)));
    }
    Ok(())
}

/// A demand came first. One that had begun keeps its due time: the agent reports, or is lost.
fn revoked(s: &mut State, id: ClearanceId, at: Time) -> Applied {
    match row(&mut s.clearances, id)?.status {
        ClearanceStatus::Begun(lease) => {
            row(&mut s.clearances, id)?.status = ClearanceStatus::Stopping(lease);
            Ok(())
        }
        ClearanceStatus::Reserved(_) => close(s, (id, at), ClearanceStatus::Revoked, None),
        _ => Ok(()),
    }
}

fn finished(s: &mut State, r: &Record, id: ClearanceId) -> Applied {
    let clearance = row(&mut s.clearances, id)?;
    clearance.certificate = Some(r.seq);
    let (disposition, asset) = (clearance.disposition, clearance.asset);
    let disposition = row(&mut s.dispositions, disposition)?;
    disposition.done.push(asset);
    let fate = match (disposition.kind, disposition.to) {
        (DispositionKind::Return | DispositionKind::Transfer, Some(to)) => Fate::HandedOver(id, to),
        _ => Fate::Destroyed(id),
    };
    let kind = disposition.kind;
    let whole = custody::going(s, kind, &[asset]);
    let parts = whole.iter().flat_map(|asset| crate::coverage::subtree(s, *asset));
    let parts: Vec<_> = parts.map(|(id, _)| id).collect();
    close(s, (id, r.at), ClearanceStatus::Finished, None)?;
    for part in parts {
        let part = row(&mut s.assets, part)?;
        if part.fate.is_here() {
            part.fate = fate.clone();
        }
    }
    Ok(())
}

/// Ends a clearance; `fate` is the asset's new one, if it changes.
fn close(
    s: &mut State,
    (id, at): (ClearanceId, Time),
    status: ClearanceStatus,
    fate: Option<Fate>,
) -> Applied {
    forget_due(s, id)?;
    let clearance = row(&mut s.clearances, id)?;
    clearance.status = status;
    clearance.ended = Some(at);
    let clearance = clearance.clone();
    for asset in custody::under(s, &clearance) {
        let asset = row(&mut s.assets, asset)?;
        // A lost clearance may be reported on late, when another is open or has carried it out.
        if asset.clearance == Some(id) {
            asset.clearance = None;
        }
        if let Some(fate) = fate.clone().filter(|_| asset.fate.is_here()) {
            asset.fate = fate;
        }
    }
    s.open_clearances.remove(&id);
    Ok(())
}
