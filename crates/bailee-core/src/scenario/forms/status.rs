//! Statuses: every word that is true of a thing, for `expect … is …`.
//!
//! Invariant: of each thing exactly one word of its life is true, and further words beside it
//! (`silent`, `held`) may be.

use super::super::form::{Scene, Unclear};
use super::super::names::Thing;
use crate::asset::{Account, Asset, Fate};
use crate::demand::{AccessStatus, DemandStatus};
use crate::disposition::{ClearanceStatus, Disposition};
use crate::gate::{self, Verb};
use crate::hold::{Hold, HoldStatus};
use crate::id::AssetId;
use crate::notice::Notice;

/// The words that are true of the thing.
pub(super) fn of(scene: &Scene<'_>, thing: Thing) -> Result<Vec<&'static str>, Unclear> {
    let s = scene.state;
    let words = match thing {
        Thing::Account(id) => s.accounts.get(id).map(account),
        Thing::Asset(id) => s.assets.get(id).map(|found| asset(scene, id, found)),
        Thing::Matter(id) => s.matters.get(id).map(|m| vec![pick(m.closed, "closed", "open")]),
        Thing::Demand(id) => s.demands.get(id).map(|found| {
            let receipt = pick(found.receipted, "receipted", "unreceipted");
            vec![demand(found.status), receipt]
        }),
        Thing::Hold(id) => s.holds.get(id).map(hold),
        Thing::Notice(id) => s.notices.get(id).map(notice),
        Thing::Objection(id) => s.objections.get(id).map(|objection| match objection.upheld {
            None => vec!["open"],
            Some(upheld) => vec![pick(upheld, "upheld", "rejected")],
        }),
        Thing::Disposition(id) => s.dispositions.get(id).map(disposition),
        Thing::Clearance(id) => s.clearances.get(id).map(|found| vec![clearance(found.status)]),
        Thing::Snapshot(id) => s.snapshots.get(id).map(|snapshot| {
            let verified = pick(snapshot.verified.is_some(), "verified", "unverified");
            vec![verified, pick(snapshot.unreadable == 0, "whole", "incomplete")]
        }),
        Thing::Access(id) => s.accesses.get(id).map(|access| {
            vec![match access.status {
                AccessStatus::Open => "open",
                AccessStatus::Granted => "granted",
                AccessStatus::Denied => "denied",
                AccessStatus::Fulfilled => "fulfilled",
            }]
        }),
        Thing::Meter(id) => s.meters.get(id).map(|m| vec![pick(m.running, "running", "stopped")]),
        Thing::Duty(id) => s.duties.get(id).map(|duty| {
            let told = pick(duty.paged, "paged", "unpaged");
            vec![pick(duty.discharged, "discharged", "open"), told]
        }),
    };
    words.ok_or_else(|| {
        Unclear::new("a thing that exists", format!("{}: no such thing", thing.id()))
    })
}

fn pick(first: bool, yes: &'static str, no: &'static str) -> &'static str {
    if first { yes } else { no }
}

fn account(account: &Account) -> Vec<&'static str> {
    vec![pick(account.terminated.is_some(), "ended", "active")]
}

fn asset(scene: &Scene<'_>, id: AssetId, asset: &Asset) -> Vec<&'static str> {
    let fate = match asset.fate {
        Fate::Kept => "kept",
        Fate::Unknown(_) => "unknown",
        Fate::Partial(_) => "partial",
        Fate::Destroyed(_) => "destroyed",
        Fate::HandedOver(..) => "handed-over",
    };
    let verdict = gate::verdict(scene.state, id, Verb::LetGo, scene.now, None);
    let clear = verdict.is_some_and(|verdict| verdict.is_clear());
    vec![fate, pick(clear, "clear", "blocked")]
}

fn demand(status: DemandStatus) -> &'static str {
    match status {
        DemandStatus::Received => "received",
        DemandStatus::Clarifying => "clarifying",
        DemandStatus::Accepted => "accepted",
        DemandStatus::Refused => "refused",
    }
}

fn hold(hold: &Hold) -> Vec<&'static str> {
    let status = match hold.status {
        HoldStatus::Provisional => "provisional",
        HoldStatus::Active => "active",
        HoldStatus::Cooling(_) => "cooling",
        HoldStatus::Released => "released",
    };
    vec![status, pick(hold.silent, "silent", "open")]
}

fn notice(notice: &Notice) -> Vec<&'static str> {
    let mut words = vec![pick(notice.proven.is_some(), "proven", "unproven")];
    if notice.escalated {
        words.push("escalated");
    }
    words
}

fn disposition(found: &Disposition) -> Vec<&'static str> {
    let done = found.done.len() == found.assets.len();
    vec![pick(found.cancelled, "cancelled", pick(done, "done", "open"))]
}

fn clearance(status: ClearanceStatus) -> &'static str {
    match status {
        ClearanceStatus::Reserved(_) => "reserved",
        ClearanceStatus::Begun(_) => "begun",
        ClearanceStatus::Finished => "finished",
        ClearanceStatus::Aborted => "aborted",
        ClearanceStatus::Stopping(_) => "stopping",
        ClearanceStatus::Revoked => "revoked",
        ClearanceStatus::Expired => "expired",
        ClearanceStatus::Lost => "lost",
    }
}
