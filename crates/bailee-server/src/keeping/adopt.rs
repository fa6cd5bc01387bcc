//! Snapshots that the vault has and the log does not: a kill, or a refusal, came between the two.
//!
//! Invariants: none is ever freed by itself, for it may be somebody's only copy; one is adopted
//! into the log as if it had been recorded then, with what it says of itself under its unit's key,
//! and is read back like any other. Then it is let go of like any other, too.
//!
//! Out of scope: those of a custody unit that the log has closed since; they are named only.

use std::collections::BTreeSet;

use bailee_core::id::{AssetId, PartyId, SnapshotId};
use bailee_core::{Action, By, Command, Event, State, Time};
use bailee_vault::{Census, Oddities, SnapshotId as VaultId, Vault, VaultError};

use super::look::read_back;
use super::{KeepError, UnitPlace, count, place, standing, vault_if_any};
use crate::house::House;

/// A snapshot that the log has now.
#[derive(Debug)]
pub struct Adopted {
    /// `S-n`.
    pub snapshot: SnapshotId,
    /// The vault's name for it.
    pub vault_id: VaultId,
    /// Its bytes.
    pub bytes: u64,
    /// When it was begun.
    pub taken: Time,
    /// Whether it was read back whole.
    pub intact: bool,
}

/// The vault's names of snapshots that no entry of the log records. One that is being preserved at
/// this moment is among them. Needs no key.
///
/// # Errors
/// The store or the house does not answer.
pub fn unrecorded(house: &House) -> Result<Vec<VaultId>, KeepError> {
    match house.dir() {
        None => Ok(Vec::new()),
        Some(_) => unrecorded_in(house, &Census::take(&**house.packs()?, &**house.objects())?),
    }
}

/// Of the snapshots in a census that was taken before.
pub(super) fn unrecorded_in(house: &House, census: &Census) -> Result<Vec<VaultId>, KeepError> {
    // The log after the store: what was recorded in between is known.
    let known = house.with_state(recorded)?;
    Ok(census.snapshots().filter(|id| !known.contains(&id.to_string())).collect())
}

fn recorded(s: &State) -> BTreeSet<String> {
    s.snapshots.iter().map(|(_, one)| one.vault_id.clone()).collect()
}

/// That nothing would go with a unit that the log could have and does not, before it is erased.
/// What lies in a unit that the log has closed can be adopted no more, and goes with it.
///
/// # Errors
/// [`KeepError::Unrecorded`]; damage; store failures.
pub(crate) fn all_recorded(
    house: &House,
    vault: &Vault,
    unit: &UnitPlace,
) -> Result<(), KeepError> {
    if place(house, unit.source)? != *unit {
        return Ok(());
    }
    let known = house.with_state(recorded)?;
    let of_it = vault.list(&unit.tenant)?.into_iter().filter(|found| found.unit == unit.unit);
    let others: Vec<String> = of_it.map(|found| found.id.to_string()).collect();
    let others: Vec<String> = others.into_iter().filter(|id| !known.contains(id)).collect();
    match others.is_empty() {
        true => Ok(()),
        false => {
            let (source_asset, snapshots) = (unit.source, others.join(", "));
            Err(KeepError::Unrecorded { source_asset, snapshots })
        }
    }
}

/// Records what the vault has of an asset and the log does not, oldest first, and reads it back.
///
/// # Errors
/// As preserving; damage of the vault's own objects.
pub fn adopt(house: &House, asset: AssetId, by: PartyId) -> Result<Vec<Adopted>, KeepError> {
    let UnitPlace { tenant, unit, source } = place(house, asset)?;
    let vault = vault_if_any(house)?.ok_or_else(|| standing::no_vault(house))?;
    let by = By::Party(by);
    let known = house.with_state(recorded)?;
    let all = match vault.list(&tenant) {
        Err(VaultError::UnknownTenant { .. }) => Vec::new(),
        all => all?,
    };
    let mut adopted = Vec::new();
    for found in all {
        if found.unit != unit || known.contains(&found.id.to_string()) {
            continue;
        }
        let odd = Oddities::of(&vault.manifest(&tenant, &found.id)?);
        let taken = Time::from_unix(found.taken_at).min(house.clock().now());
        let record = Action::RecordSnapshot {
            source,
            root: found.root,
            vault_id: found.id.to_string(),
            bytes: found.bytes,
            unreadable: count(odd.unreadable.len()),
            changed: count(odd.changed.len()),
            taken,
        };
        let done = house.submit(Command { by, action: record }, Vec::new())?;
        let snapshot = done.records.iter().find_map(|record| match record.fact.event {
            Event::SnapshotRecorded { snapshot, .. } => Some(snapshot),
            _ => None,
        });
        let snapshot = snapshot.ok_or_else(|| KeepError::NotFound("the snapshot".into()))?;
        let (report, recorded) = read_back(house, &vault, &tenant, snapshot, found.id, by)?;
        recorded?;
        let (vault_id, bytes, intact) = (found.id, found.bytes, report.is_intact());
        adopted.push(Adopted { snapshot, vault_id, bytes, taken, intact });
    }
    Ok(adopted)
}
