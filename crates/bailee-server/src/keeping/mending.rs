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
use bailee_vault::{Problem, ReindexReport, RepairReport, VaultError, repair_packs, repair_sealed};

use super::{KeepError, kek, tenant, vault};
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

/// Keys and snapshots, of everyone whose data the log says is kept, that cannot be opened.
pub(super) fn unopened(house: &House) -> Result<Vec<Problem>, KeepError> {
    let stores = (house.packs()?, house.objects());
    Ok(bailee_vault::unopened(stores, &kek(house)?, &tenants(house)?)?)
}

/// Puts keys and snapshots right from a copy.
fn repair_unopened(
    house: &House,
    copy: &DiskObjects,
    report: &mut RepairReport,
) -> Result<(), KeepError> {
    let stores = (house.packs()?, house.objects());
    let done = repair_sealed(stores, copy, &kek(house)?, &tenants(house)?)?;
    let gone = |problem: &Problem| done.put_back.iter().any(|name| problem.path == Path::new(name));
    report.problems.retain(|problem| !gone(problem));
    let told: BTreeSet<_> = report.problems.iter().map(|problem| problem.path.clone()).collect();
    report.problems.extend(done.problems.into_iter().filter(|p| !told.contains(&p.path)));
    report.sealed = done.put_back;
    Ok(())
}

/// Puts damaged packs, keys and snapshots right from a copy of the data directory, which is only
/// read. Packs of which that is damaged as well, keys and snapshots take the vault's key.
pub fn repair(house: &House, copy: &Path, all: &[Problem]) -> Result<RepairReport, KeepError> {
    let copy = DiskObjects::read_only(&copy.join("objects")).map_err(VaultError::from)?;
    let mut report = repair_packs(&**house.packs()?, &copy, all)?;
    let is_sealed = |problem: &Problem| bailee_vault::is_sealed(&problem.path.to_string_lossy());
    if all.iter().any(is_sealed) {
        repair_unopened(house, &copy, &mut report)?;
    }
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
