//! Notices, objections, dispositions and clearances: the way out.

use bailee_core::disposition::{
    Clearance, ClearanceStatus, Disposition, DispositionKind, Objection, Radius,
};
use bailee_core::id::{
    AssetId, ClearanceId, DispositionId, HoldId, NoticeId, ObjectionId, PartyId, SnapshotId,
};
use bailee_core::notice::{About, Notice};
use bailee_core::{State, coming_with, gate, radius, unnotified, verb};
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

/// What the party is to take over, with the holds that it has to accept by name for that.
pub(super) fn coming_to(s: &State, party: PartyId) -> Vec<Value> {
    let open = s.dispositions.iter().filter(|(_, found)| {
        let transfer = found.kind == DispositionKind::Transfer && found.to == Some(party);
        transfer && !found.cancelled && found.done.len() < found.assets.len()
    });
    let one = |(id, found): (DispositionId, &Disposition)| {
        let label = |asset: &AssetId| s.assets.get(*asset).map(|asset| asset.label.clone());
        let assets = found.assets.iter();
        let assets = assets.map(|id| json!({ "id": id.to_string(), "label": label(id) }));
        json!({
            "disposition": id.to_string(),
            "assets": assets.collect::<Vec<_>>(),
            "holds": ids(&coming_with(s, found, party)),
            "accepted": ids(&found.accepted),
        })
    };
    open.map(one).collect()
}

/// With what an approver would approve now, and who is still to be told.
pub(super) fn disposition_in_full(s: &State, id: DispositionId, found: &Disposition) -> Value {
    let mut value = disposition(s, id, found);
    let radius = radius(s, found.kind, &found.assets);
    value["radius"] = radius_of(&radius);
    let open = !found.cancelled && found.done.len() < found.assets.len();
    value["not_told"] = json!(ids(&if open { unnotified(s, found) } else { Vec::new() }));
    value["satisfied"] = match radius.holds.is_empty() {
        true => json!([]),
        false => json!(
            found.assets.iter().flat_map(|id| satisfied(s, *id, found.kind)).collect::<Vec<_>>()
        ),
    };
    value
}

/// Each hold over the asset that a copy satisfies, with what there is to know of that copy.
fn satisfied(s: &State, asset: AssetId, kind: DispositionKind) -> Vec<Value> {
    let verdict = gate::verdict(s, asset, verb(kind), s.clock, None);
    let all = verdict.into_iter().flat_map(|verdict| verdict.satisfied);
    let one = |(hold, by): (HoldId, SnapshotId)| {
        let copy = s.snapshots.get(by)?;
        Some(json!({
            "asset": asset.to_string(), "hold": hold.to_string(), "by": by.to_string(),
            "source": copy.source.to_string(), "bytes": copy.bytes, "taken": at(copy.taken),
        }))
    };
    all.filter_map(one).collect()
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
        "ended": maybe(clearance.ended),
        "gone": clearance.gone,
        "position_report": clearance.report,
    })
}
