//! Mending what is kept: an index of the packs, packs of a copy.
//!
//! Invariants: a copy is only read; what cannot be mended is named. The vault's key is asked for
//! only if there is something that takes it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use bailee_core::asset::Snapshot;
use bailee_core::id::SnapshotId;
use bailee_store::DiskObjects;
use bailee_vault::SnapshotId as VaultId;
use bailee_vault::{Problem, ReindexReport, RepairReport, VaultError, repair_packs};

use super::{KeepError, tenant, vault};
use crate::house::House;

/// Everyone whose data the log says is kept.
fn tenants(house: &House) -> Result<BTreeSet<String>, KeepError> {
    let all =
        house.with_state(|s| s.snapshots.iter().map(|(_, kept)| tenant(s, kept.asset)).collect());
    Ok(all?)
}

/// Makes the index again from the packs, for everyone whose data the log says is kept.
///
/// # Errors
/// Store failures; damage of key objects. Damaged packs are in the report.
pub fn reindex(house: &House) -> Result<ReindexReport, KeepError> {
    let (vault, mut all) = (vault(house)?, ReindexReport::default());
    for tenant in tenants(house)? {
        match vault.reindex(&tenant) {
            Err(VaultError::UnknownTenant { .. }) => {} // nothing of it is in the vault
            report => {
                let report = report?;
                all.packs += report.packs;
                all.problems.extend(report.problems);
            }
        }
    }
    Ok(all)
}

/// Puts damaged packs right from a copy of the data directory, which is only read. Packs of which
/// that is damaged as well take the vault's key.
pub fn repair(house: &House, copy: &Path, all: &[Problem]) -> Result<RepairReport, KeepError> {
    let copy = DiskObjects::read_only(&copy.join("objects")).map_err(VaultError::from)?;
    let mut report = repair_packs(&**house.packs()?, &copy, all)?;
    let is_pack = |problem: &Problem| {
        problem.path.parent().is_some_and(|of| of.ends_with("data") || of.ends_with("meta"))
    };
    if !report.problems.iter().any(is_pack) {
        return Ok(report);
    }
    let vault = match vault(house) {
        Ok(vault) => vault,
        Err(e) => {
            let how = format!("; to put it together of both takes the vault's key: {e}");
            let packs = report.problems.iter_mut().filter(|problem| is_pack(problem));
            packs.for_each(|problem| problem.what.push_str(&how));
            return Ok(report);
        }
    };
    for tenant in tenants(house)? {
        match vault.splice_packs(&tenant, &copy, &mut report) {
            Err(VaultError::UnknownTenant { .. }) => {} // nothing of it is in the vault
            done => done?,
        }
    }
    Ok(report)
}

/// What the vault's snapshots are called in the log.
pub fn called(house: &House) -> Result<BTreeMap<VaultId, String>, KeepError> {
    let name =
        |(id, kept): (SnapshotId, &Snapshot)| Some((kept.vault_id.parse().ok()?, id.to_string()));
    Ok(house.with_state(|s| s.snapshots.iter().filter_map(name).collect())?)
}
