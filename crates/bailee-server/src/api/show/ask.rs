//! Demands, holds and matters: who asked for what to be kept, and why it is.

use std::collections::BTreeMap;

use bailee_core::State;
use bailee_core::demand::{Demand, Matter, Papers, Scope};
use bailee_core::hold::{Hold, HoldStatus};
use bailee_core::id::{DemandId, HoldId, MatterId};
use serde_json::{Value, json};

use super::{at, ids, maybe};
use crate::api::words;

pub(super) fn demand(_: &State, id: DemandId, demand: &Demand) -> Value {
    let flags: Vec<words::Flag> = demand.flags.iter().map(|flag| (*flag).into()).collect();
    json!({
        "id": id.to_string(),
        "from": demand.from.to_string(),
        "entity": maybe(demand.entity),
        "instrument": demand.instrument,
        "medium": words::Medium::from(demand.medium),
        "medium_corrected": maybe(demand.corrected.map(|(when, _)| when)),
        "medium_recorded_at_first": demand.corrected.map(|(_, first)| words::Medium::from(first)),
        "hold": demand.hold.to_string(),
        "flags": flags,
        "status": words::DemandStatus::from(demand.status),
        "received": at(demand.received),
        "position_received": demand.position,
        "receipt_sent": demand.receipted,
        "exhibits": demand.papers.as_ref().map(exhibits),
    })
}

/// Documents by digest; their words and bytes stay where they are.
pub(super) fn exhibits(papers: &Papers) -> Vec<Value> {
    let one = |exhibit: &bailee_core::demand::Exhibit| {
        json!({
            "sha256": bailee_ledger::to_hex(&exhibit.digest),
            "size": exhibit.size,
            "media": exhibit.media,
            "name": exhibit.name,
        })
    };
    papers.exhibits.iter().map(one).collect()
}

pub(super) fn hold(_: &State, id: HoldId, hold: &Hold) -> Value {
    let bases = hold.bases.iter().map(|basis| {
        json!({
            "instrument": basis.instrument,
            "since": at(basis.since),
            "due": maybe(basis.due),
            "extensions": basis.extensions,
            "ended": maybe(basis.ended.map(|(at, _)| at)),
            "document": basis.document.map(|digest| bailee_ledger::to_hex(&digest)),
            "end_reason": basis.ended.map(|(_, why)| words::EndReason::from(why)),
        })
    });
    let release = hold.release.as_ref().map(|release| {
        let approvals = release.approvals.iter().map(|a| a.by.to_string());
        json!({
            "proposer": release.proposer.to_string(),
            "approvals": approvals.collect::<Vec<_>>(),
        })
    });
    json!({
        "id": id.to_string(),
        "matter": maybe(hold.matter),
        "demands": ids(&hold.demands),
        "scope": scope(&hold.scope),
        "bases": bases.collect::<Vec<_>>(),
        "status": hold_status(hold),
        "cools_until": match hold.status {
            HoldStatus::Cooling(until) => Some(at(until)),
            _ => None,
        },
        "in_force": hold.in_force(),
        "silent": hold.silent,
        "silent_until": maybe(hold.gag_until),
        "copy_allowed_by": maybe(hold.copy_allowed),
        "placed": at(hold.placed),
        "position_placed": hold.position,
        "release": release,
    })
}

pub(super) fn hold_status(hold: &Hold) -> &'static str {
    match hold.status {
        HoldStatus::Provisional => "provisional",
        HoldStatus::Active => "active",
        HoldStatus::Cooling(_) => "cooling",
        HoldStatus::Released => "released",
    }
}

fn scope(scope: &Scope) -> Value {
    json!({
        "accounts": ids(&scope.accounts),
        "assets": ids(&scope.assets),
        "identifiers": scope.identifiers,
        "categories": scope.categories,
        "from": maybe(scope.from),
        "to": maybe(scope.to),
    })
}

pub(super) fn matter(s: &State, id: MatterId, matter: &Matter) -> Value {
    let mut totals: BTreeMap<&str, u64> = BTreeMap::new();
    for cost in &matter.costs {
        let total = totals.entry(&cost.currency).or_default();
        *total = total.saturating_add(cost.amount);
    }
    let holds = s.holds.iter().filter(|(_, hold)| hold.matter == Some(id));
    json!({
        "id": id.to_string(),
        "title": matter.title,
        "demands": ids(&matter.demands),
        "holds": holds.map(|(id, _)| id.to_string()).collect::<Vec<_>>(),
        "costs_minor": totals,
        "closed": matter.closed,
    })
}

/// With each cost and where its correspondence is.
pub(super) fn matter_in_full(s: &State, id: MatterId, found: &Matter) -> Value {
    let items = found.costs.iter().map(|cost| {
        json!({
            "what": cost.what,
            "milli_units": cost.milli_units,
            "amount_minor": cost.amount,
            "currency": cost.currency,
            "at": at(cost.at),
        })
    });
    let mut value = matter(s, id, found);
    value["cost_items"] = items.collect();
    value["correspondence"] = json!(found.correspondence);
    value
}
