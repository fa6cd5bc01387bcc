//! Expiring a snapshot: the vault forgets it under a clearance, and the log gets a certificate.
//!
//! Order: reserve -> token -> begin -> the vault holds what it has against what the log has as
//! kept, asks the gate once more, forgets the snapshot and prunes, the lease renewed beside it ->
//! finish. Invariant: what cannot be seen any more after an error is reported as gone, so that it
//! counts as nobody's copy.

use bailee_core::id::{AssetId, ClearanceId, DispositionId, PartyId};
use bailee_core::{Action, By, Command};
use bailee_ledger::clearance::Act;

use super::lease::Leased;
use super::{LetGoError, abort, certificate, finished, open_token, reserve, shelved};
use crate::house::House;
use crate::keeping::{self, KeepError};
use crate::pruning;

/// Expires a snapshot from the vault under a clearance, and certifies it. `begun` is called when
/// the log has the beginning; the lease is renewed from before that until the vault has pruned.
pub fn expire(
    house: &House,
    disposition: DispositionId,
    asset: AssetId,
    by: PartyId,
    begun: &mut dyn FnMut(),
) -> Result<(ClearanceId, bailee_vault::ExpireReport), LetGoError> {
    let by = By::Party(by);
    let missing = || LetGoError::NotFound(format!("a snapshot {asset}"));
    let found = house.with_state(|s| {
        let snapshot = s.assets.get(asset)?.snapshot?;
        let found = s.snapshots.get(snapshot)?;
        Some((snapshot, found.root, found.bytes))
    })?;
    let (snapshot, root, bytes) = found.ok_or_else(missing)?;
    // Whatever can fail without touching anything fails before there is a clearance.
    let (tenant, vault_id) = keeping::locate(house, snapshot)?;
    let vault = keeping::vault(house)?;
    let left = house.with_state(|s| shelved::of_snapshot(s, snapshot))?;
    let reserved = reserve(house, disposition, asset, root, by)?;
    let id = reserved.clearance;
    let clearance = open_token(house, reserved.token.as_bytes(), asset, Act::Expire, root)?;
    house.submit(Command { by, action: Action::Begin { clearance: id } }, Vec::new())?;
    let lease = Leased { house, id, by };
    let pins = |_: &bailee_vault::SnapshotId| lease.renew().err().map(|no| no.to_string());
    let expired = lease.during(|| {
        begun();
        vault.expire(&tenant, &vault_id, clearance, &pins, &pruning::catalogue(house))
    });
    let report = match expired {
        Ok(report) => report,
        Err(error) => {
            // What cannot be seen any more must not count as a copy: it is reported as gone.
            let there = vault.has_snapshot(&tenant, &vault_id);
            let gone = if there.unwrap_or(false) { 0 } else { bytes.max(1) };
            abort(house, id, gone, error.to_string(), by)?;
            return Err(KeepError::from(error).into());
        }
    };
    let left = house.with_state(|s| shelved::of_snapshot(s, snapshot)).unwrap_or(left);
    let json = format!(
        "{{\"format\":\"bailee/expiry/v1\",\"clearance\":\"{id}\",\"asset\":\"{asset}\",\
         \"snapshot\":\"{snapshot}\",\"root\":\"{}\",\"packs\":{},\"freed_bytes\":{},\
         \"volumes_not_reached\":{}}}\n",
        bailee_ledger::to_hex(&root),
        report.packs,
        report.freed_bytes,
        serde_json::json!(left)
    )
    .into_bytes();
    let (reason, exhibit) = certificate(json);
    finished(house, id, by, reason, exhibit)?;
    Ok((id, report))
}
