//! What there is to see of the keys: public halves, where they live, and what is not as it should.

use bailee_core::rotation::{Ring, RotationStatus};
use bailee_ledger::{Checkpoint, Verifier};
use serde_json::{Value, json};

use super::agent::fingerprint;
use super::file::{Kept, KeyFile};
use super::holder::Place;
use super::policies::Record;
use super::{KeyError, Keys, Source};
use crate::api::Problem;
use crate::house::{House, HouseError};

/// Keys, rotations, and remarks, as JSON.
///
/// # Errors
/// Only if the house does not answer.
pub fn show(house: &House) -> Result<Value, Problem> {
    let log = house.with_state(|s| s.ring.clone())?;
    let keys = house.keys();
    let mut rows = Vec::new();
    for (place, key) in keys.ring.firsts() {
        rows.push(match key {
            Ok(key) => row("log", role(&log, keys, &key), &key, place),
            Err(why) => json!({
                "key": "log", "signs": "no", "kind": "Ed25519", "id": null, "fingerprint": null,
                "source": place.word(), "vkey": null, "trouble": why,
            }),
        });
    }
    for (place, key) in keys.ring.seconds() {
        rows.push(row("log, second", role(&log, keys, key), key, &place));
    }
    for (file, kept) in &keys.kept {
        let place = Place::File(*file, *kept);
        rows.push(match file {
            KeyFile::Clearance => row("clearance", "yes", keys.clearance.verifier(), &place),
            _ => json!({
                "key": "vault", "signs": "no", "kind": "AES-256", "id": null, "fingerprint": null,
                "source": place.word(), "vkey": null,
            }),
        });
    }
    let rotations: Vec<Value> = log.rotations.iter().map(|(id, _)| rotation(&log, id)).collect();
    let continued: Vec<Value> = log.continued.iter().map(|c| {
        json!({
            "position": c.position, "origin": c.origin, "before": c.before, "size": c.size,
            "root": bailee_ledger::to_hex(&c.root), "checkpoint": bailee_ledger::to_hex(&c.note),
        })
    }).collect();
    Ok(json!({
        "origin": house.config().origin, "keys": rows, "rotations": rotations,
        "continued": continued, "remarks": remarks(house)?,
    }))
}

fn row(name: &str, signs: &str, key: &Verifier, place: &Place) -> Value {
    let kind = if key.public().len() == 32 { "Ed25519" } else { "ML-DSA-44" };
    let print = match key.public().len() {
        32 => fingerprint(key.public()),
        _ => {
            format!("sha256:{}", bailee_ledger::to_hex(&bailee_ledger::hash::sha256(key.public())))
        }
    };
    json!({
        "key": name, "signs": signs, "kind": kind, "id": format!("{:08x}", key.id()),
        "fingerprint": print, "source": place.word(), "vkey": key.to_vkey(),
    })
}

/// Does this key sign the log now?
fn role(log: &Ring, keys: &Keys, key: &Verifier) -> &'static str {
    let pairs = keys.ring.public(log).unwrap_or_default();
    let is = |pair: &Record| pair.log == *key || pair.second.as_ref() == Some(key);
    match pairs.iter().position(is) {
        Some(0) => "yes",
        Some(_) => "yes, as the next one",
        None if log.open().is_some_and(|(_, r)| proposed(r, key)) => "no, proposed",
        None => "no",
    }
}

fn proposed(rotation: &bailee_core::rotation::Rotation, key: &Verifier) -> bool {
    let second = rotation.to.ml_dsa.as_ref().map(|digest| **digest);
    *rotation.to.ed25519 == *key.public()
        || second == Some(bailee_ledger::hash::sha256(key.public()))
}

fn rotation(log: &Ring, id: bailee_core::id::RotationId) -> Value {
    let Some(found) = log.rotations.get(id) else { return Value::Null };
    let (status, until) = match found.status {
        RotationStatus::Proposed => ("proposed", None),
        RotationStatus::Overlap { until, .. } => ("overlap", Some(until.to_string())),
        RotationStatus::Ended { why, .. } => match why {
            bailee_core::rotation::KeyEnd::Retired => ("retired", None),
            bailee_core::rotation::KeyEnd::Stolen => ("stolen", None),
        },
        RotationStatus::Cancelled => ("cancelled", None),
    };
    json!({
        "id": id.to_string(), "status": status, "until": until,
        "from": fingerprint(&found.from.ed25519[..]), "to": fingerprint(&found.to.ed25519[..]),
        "overlap_days": found.overlap_days, "proposer": found.proposer.to_string(),
        "approver": found.approver.map(|party| party.to_string()),
    })
}

/// What an operator should know; empty is best. None of it breaks a rule.
pub(crate) fn remarks(house: &House) -> Result<Vec<String>, HouseError> {
    let log = house.with_state(|s| s.ring.clone())?;
    let keys = house.keys();
    let head = house.with_state(|s| s.head)?;
    // Signs what is not signed yet, or learns why not.
    let unsigned_yet = house.checkpoint_over(head).err().map(|error| error.to_string());
    let mut remarks = keys.ring.missing();
    if remarks.is_empty() {
        remarks.extend(unsigned_yet);
    }
    for pair in keys.ring.pairs(&log) {
        remarks.extend(pair.first.err().map(|error| error.to_string()));
        remarks.extend(pair.second.err().map(|error| error.to_string()));
    }
    remarks.sort();
    remarks.dedup();
    remarks.extend(unsigned(house, &keys.ring.public(&log)?, log.since()));
    let plain = |place: &Place| matches!(place, Place::File(_, Kept::Plain));
    let firsts = keys.ring.firsts().map(|(place, _)| place.clone());
    let seconds = keys.ring.seconds().map(|(place, _)| place);
    let others = keys.kept.iter().map(|(file, kept)| Place::File(*file, *kept));
    for place in firsts.chain(seconds).chain(others).filter(plain) {
        remarks.push(format!("{}; `bailee keys protect` puts it under a passphrase", place.word()));
    }
    let pairs = keys.ring.public(&log)?;
    if pairs.iter().any(|pair| pair.second.is_none()) {
        remarks.push("the log is signed with Ed25519 alone; a rotation brings ML-DSA-44".into());
    }
    if let Some((id, rotation)) = log.open() {
        let ready = super::rotate::ready(house, id);
        remarks.extend(ready.err().map(|error| error.to_string()));
        if let RotationStatus::Overlap { until, .. } = rotation.status {
            let now = house.clock().now();
            let due = if now < until { "may end from" } else { "could have ended on" };
            remarks.push(format!("{id} {due} {until}: until it ends the old keys sign too"));
        }
    }
    remarks.extend(settings(keys, &log, house)?);
    Ok(remarks)
}

/// Keys that the log says sign it, and that have not signed the published checkpoint.
fn unsigned(house: &House, pairs: &[Record], since: u64) -> Vec<String> {
    let Some(note) = house.checkpoint() else { return Vec::new() };
    let size = Checkpoint::parse(note.text()).map_or(0, |checkpoint| checkpoint.size);
    let keys = pairs.iter().flat_map(|pair| std::iter::once(&pair.log).chain(&pair.second));
    let missing = keys.filter(|key| size >= since && note.verify(&[(*key).clone()]).is_err());
    let said = |key: &Verifier| {
        format!("the published checkpoint is not signed by key {:08x} yet", key.id())
    };
    missing.map(said).collect()
}

/// Settings that name a key which the log has retired.
fn settings(keys: &Keys, log: &Ring, house: &House) -> Result<Option<String>, KeyError> {
    let current = keys.ring.public(log)?.swap_remove(0).log;
    let place = keys.ring.firsts().find(|(_, key)| key.as_ref() == Ok(&current));
    let settings = &house.config().keys;
    let source = match place {
        Some((Place::Elsewhere(source), _)) => source.clone(),
        Some((Place::File(..), _)) => Source::File,
        None => return Ok(None),
    };
    Ok((source != settings.log).then(|| {
        format!(
            "the key in force is {source}: say so in bailee.toml, `log = {:?}`",
            source.to_string()
        )
    }))
}
