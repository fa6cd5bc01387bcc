//! The house itself: its policy, its instruments, and how it is.

use bailee_core::engine::Finding;
use bailee_core::{State, Until, Weekend, plan};
use bailee_ledger::{Checkpoint, Verifier};
use serde_json::{Value, json};

use super::{at, maybe};
use crate::api::parts;
use crate::api::problem::Problem;
use crate::api::words;
use crate::house::House;
use crate::secrecy::swap_in_clear;

/// Intents counted before "at least" is good enough.
const COUNTED: usize = 10_000;

pub(super) fn policy(s: &State) -> Value {
    json!(parts::Policy::from(&s.policy))
}

pub(super) fn instruments(s: &State) -> Value {
    let instruments = s.catalogue.instruments.iter().map(|one| {
        json!({
            "code": one.code,
            "title": one.title,
            "citation": one.citation,
            "days": one.days,
            "extension_days": one.extension_days,
            "max_extensions": one.max_extensions,
            "gag_days": one.gag_days,
            "keeps": one.keeps != Some(false),
            "ends": words::Ends::from(one.ends),
            "privacy": words::Privacy::from(one.privacy),
            "zone": one.rule.zone,
            "until": match one.rule.until {
                Until::SameTime => "same-time",
                Until::EndOfDay => "end-of-day",
            },
            "weekend": match one.rule.weekend {
                Weekend::Counts => "counts",
                Weekend::RollsToMonday => "rolls-to-monday",
            },
            "duties": one.duties,
        })
    });
    json!({ "version": s.catalogue.version, "instruments": instruments.collect::<Vec<_>>() })
}

pub(super) fn status(house: &House) -> Result<Value, Problem> {
    let note = house.checkpoint();
    let signed = note.as_ref().and_then(|note| Checkpoint::parse(note.text()).ok());
    let key = house.log_keys()?.first().map(Verifier::to_vkey);
    let clearance_key = house.keys().clearance.verifier().to_vkey();
    let quorum = house.policy()?.quorum_name().to_owned();
    let witnesses: Vec<String> = house.watched().iter().map(ToString::to_string).collect();
    let engine = house.config().vault.place();
    let swap = swap_in_clear()
        .map_err(|e| Problem::failure("machine_failed", "the list of swap areas", e.to_string()))?;
    Ok(house.with_state(|s| {
        let probed = s.engines.get(&engine);
        let open = s.demands.iter().filter(|(_, demand)| demand.is_open()).count();
        let in_force = s.holds.iter().filter(|(_, hold)| hold.in_force()).count();
        let duties = s.open_duties().len();
        let clearances = s.clearances.iter().filter(|(_, one)| one.is_open()).count();
        json!({
            "origin": house.config().origin,
            "log_key": key,
            "clearance_key": clearance_key,
            "position": s.head,
            "signed_to": signed.as_ref().map(|checkpoint| checkpoint.size),
            "quorum": quorum,
            "witnesses": witnesses,
            "last_entry": at(s.clock),
            "next_due": maybe(s.next_due()),
            "pending": plan(s, COUNTED).len(),
            "parties": s.parties.len(),
            "accounts": s.accounts.len(),
            "assets": s.assets.len(),
            "demands": s.demands.len(),
            "demands_open": open,
            "holds": s.holds.len(),
            "holds_in_force": in_force,
            "duties_open": duties,
            "clearances_open": clearances,
            "snapshots": s.snapshots.len(),
            "engine": engine,
            "engine_probed": maybe(probed.map(|found| found.at)),
            "engine_bad": probed.map(Finding::bad).unwrap_or_default(),
            "swap_in_clear": swap,
        })
    })?)
}
