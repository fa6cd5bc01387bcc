//! Parties, entities, accounts; duties, tokens and meters. Rows for people and programs.

use bailee_core::asset::{Account, Entity};
use bailee_core::demand::Meter;
use bailee_core::id::{AccountId, DutyId, EntityId, MeterId, PartyId, TokenId};
use bailee_core::party::Party;
use bailee_core::{Duty, DutyKind, State, Token};
use serde_json::{Value, json};

use super::{at, ids, maybe};
use crate::api::words;

pub(super) fn party(_: &State, id: PartyId, party: &Party) -> Value {
    let roles: Vec<words::Role> = party.roles.iter().map(|role| (*role).into()).collect();
    let channels = party.channels().iter().map(|channel| {
        json!({ "kind": words::ChannelKind::from(channel.kind), "address": channel.address })
    });
    json!({
        "id": id.to_string(),
        "name": party.name(),
        "roles": roles,
        "channels": channels.collect::<Vec<_>>(),
        "same_person_as": maybe(party.same_person_as),
        "erased": maybe(party.erased),
    })
}

pub(super) fn entity(_: &State, id: EntityId, entity: &Entity) -> Value {
    json!({ "id": id.to_string(), "name": entity.name, "country": entity.country })
}

pub(super) fn account(_: &State, id: AccountId, account: &Account) -> Value {
    json!({
        "id": id.to_string(),
        "owner": account.owner.to_string(),
        "entity": account.entity.to_string(),
        "label": account.label,
        "law": account.law,
        "retention_days": account.retention_days,
        "terminated": maybe(account.terminated),
        "holds": ids(&account.holds),
    })
}

pub(super) fn meter(_: &State, id: MeterId, meter: &Meter) -> Value {
    json!({
        "id": id.to_string(),
        "matter": meter.matter.to_string(),
        "what": meter.what,
        "units": meter.units,
        "daily_minor": meter.daily,
        "currency": meter.currency,
        "booked_until": at(meter.until),
        "running": meter.running,
    })
}

pub(super) fn duty(_: &State, id: DutyId, duty: &Duty) -> Value {
    let (what, about) = match duty.kind {
        DutyKind::Triage(id) => ("triage", id.to_string()),
        DutyKind::Unmatched(id) => ("unmatched", id.to_string()),
        DutyKind::NoBasisLeft(id) => ("no-basis-left", id.to_string()),
        DutyKind::ReviewHold(id) => ("review-hold", id.to_string()),
        DutyKind::ReachParty(id) => ("reach-party", id.to_string()),
        DutyKind::InspectAsset(id) => ("inspect-asset", id.to_string()),
        DutyKind::ExplainLoss(id) => ("explain-loss", id.to_string()),
        DutyKind::RepairSnapshot(id) => ("repair-snapshot", id.to_string()),
        DutyKind::InspectEngine(position) => ("inspect-engine", format!("entry {position}")),
        DutyKind::CheckClock(position) => ("check-clock", format!("entry {position}")),
    };
    json!({
        "id": id.to_string(),
        "what": what,
        "about": about,
        "paged": duty.paged,
        "discharged": duty.discharged,
    })
}

/// Never the hash: whoever reads this has no use for it.
pub(super) fn token(_: &State, id: TokenId, token: &Token) -> Value {
    json!({
        "id": id.to_string(),
        "party": token.party.to_string(),
        "scope": words::TokenScope::from(token.scope),
        "revoked": token.revoked,
    })
}
