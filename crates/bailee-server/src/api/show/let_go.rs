//! Notices, objections, dispositions and clearances: the way out.

use bailee_core::disposition::{Clearance, ClearanceStatus, Disposition, Objection, Radius};
use bailee_core::id::{ClearanceId, DispositionId, NoticeId, ObjectionId};
use bailee_core::notice::{About, Notice};
use bailee_core::{State, radius};
use serde_json::{Value, json};

use super::{at, ids, maybe};
use crate::api::words;

pub(super) fn notice(_: &State, id: NoticeId, notice: &Notice) -> Value {
    let about = match notice.about {
        About::Disposition(id) => id.to_string(),
        About::Decision(id) => id.to_string(),
        About::Objection(id) => id.to_string(),
    };
    let attempts = notice.attempts.iter().map(|attempt| {
        let evidence = attempt.evidence.iter().map(|(when, evidence)| {
            json!({ "at": at(*when), "evidence": words::Evidence::from(*evidence) })
        });
        json!({
            "channel": attempt.channel,
            "at": at(attempt.at),
            "sent": attempt.sent,
            "due": at(attempt.due),
            "evidence": evidence.collect::<Vec<_>>(),
        })
    });
    json!({
        "id": id.to_string(),
        "to": notice.to.to_string(),
        "about": about,
        "attempts": attempts.collect::<Vec<_>>(),
        "proven": maybe(notice.proven.map(|(when, _)| when)),
        "proven_by": notice.proven.map(|(_, evidence)| words::Evidence::from(evidence)),
        "escalated": notice.escalated,
    })
}

pub(super) fn objection(_: &State, id: ObjectionId, objection: &Objection) -> Value {
    json!({
        "id": id.to_string(),
        "disposition": objection.disposition.to_string(),
        "by": objection.by.to_string(),
        "upheld": objection.upheld,
    })
}

pub(super) fn disposition(_: &State, id: DispositionId, disposition: &Disposition) -> Value {
    let approvals = disposition.approvals.iter().map(|approval| {
        json!({
            "by": approval.by.to_string(),
            "at": at(approval.at),
            "radius": radius_of(&approval.radius),
        })
    });
    json!({
        "id": id.to_string(),
        "kind": words::DispositionKind::from(disposition.kind),
        "assets": ids(&disposition.assets),
        "proposer": disposition.proposer.to_string(),
        "to": maybe(disposition.to),
        "notices": ids(&disposition.notices),
        "objections": ids(&disposition.objections),
        "approvals": approvals.collect::<Vec<_>>(),
        "accepted": ids(&disposition.accepted),
        "done": ids(&disposition.done),
        "cancelled": disposition.cancelled,
    })
}

/// With what an approver would approve now.
pub(super) fn disposition_in_full(s: &State, id: DispositionId, found: &Disposition) -> Value {
    let mut value = disposition(s, id, found);
    value["radius"] = radius_of(&radius(s, found.kind, &found.assets));
    value
}

fn radius_of(radius: &Radius) -> Value {
    json!({
        "assets": radius.assets,
        "bytes": radius.bytes,
        "owners": ids(&radius.owners),
        "holds": ids(&radius.holds),
        "copies": ids(&radius.copies),
    })
}

/// Never the signed token: it is given to whoever reserves, and asked for by its own door.
pub(super) fn clearance(_: &State, id: ClearanceId, clearance: &Clearance) -> Value {
    let (status, until) = match clearance.status {
        ClearanceStatus::Reserved(until) => ("reserved", Some(until)),
        ClearanceStatus::Begun(until) => ("begun", Some(until)),
        ClearanceStatus::Stopping(until) => ("stopping", Some(until)),
        ClearanceStatus::Finished => ("finished", None),
        ClearanceStatus::Aborted => ("aborted", None),
        ClearanceStatus::Revoked => ("revoked", None),
        ClearanceStatus::Expired => ("expired", None),
        ClearanceStatus::Lost => ("lost", None),
    };
    json!({
        "id": id.to_string(),
        "disposition": clearance.disposition.to_string(),
        "asset": clearance.asset.to_string(),
        "subject": bailee_ledger::to_hex(&clearance.subject),
        "status": status,
        "until": maybe(until),
        "reserved": at(clearance.reserved),
        "position_reserved": clearance.position,
        "position_certificate": clearance.certificate,
    })
}
