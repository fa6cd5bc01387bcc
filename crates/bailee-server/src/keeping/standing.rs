//! Whether the vault still stands where the log says that something is kept.
//!
//! Invariant: where the log has a copy as here, neither a vault nor the key of its tenant or unit
//! is made. A new key has the name of the one that is away (a disk that is not mounted, a folder
//! that was lost): whichever of the two comes to lie there, the copies under the other are lost.
//!
//! Out of scope: whether all of a copy is there (`look.rs`, scrubbing, probing).

use bailee_core::State;
use bailee_core::id::SnapshotId;
use bailee_vault::{Vault, VaultError};

use super::{KeepError, UnitPlace, let_go, tenant, unit};
use crate::house::House;

/// What of the vault is away if none opens.
const ALL: &str = "vault/kek/";

/// Every copy that the log has as here, or does not know to be gone.
fn here(s: &State) -> impl Iterator<Item = (SnapshotId, &bailee_core::asset::Snapshot)> {
    s.snapshots.iter().filter(|(_, one)| let_go(s, one.asset).is_none())
}

/// What is said where no vault opens: that something was kept in it, or that nothing was.
pub(super) fn no_vault(house: &House) -> KeepError {
    match house.with_state(|s| here(s).next().map(|(id, _)| id)) {
        Ok(None) => KeepError::Vault(VaultError::NoVault),
        Ok(Some(snapshot)) => KeepError::VaultAway { snapshot, object: ALL.to_owned() },
        Err(failure) => failure.into(),
    }
}

/// That the way to a unit is there, as far as the log has copies on it.
///
/// # Errors
/// [`KeepError::VaultAway`] names the first object that is not; the store or the house does not
/// answer.
pub(crate) fn stands(house: &House, vault: &Vault, place: &UnitPlace) -> Result<(), KeepError> {
    let (of_tenant, of_unit) = house.with_state(|s| {
        let mut of_tenant = here(s).filter(|(_, one)| tenant(s, one.asset) == place.tenant);
        let mut of_unit = here(s).filter(|(_, one)| {
            unit(one.source, one.unit) == place.unit && tenant(s, one.asset) == place.tenant
        });
        (of_tenant.next().map(|(id, _)| id), of_unit.next().map(|(id, _)| id))
    })?;
    let unit = of_unit.map(|_| place.unit.as_str());
    let Some(snapshot) = of_unit.or(of_tenant) else { return Ok(()) };
    match vault.lacks(&place.tenant, unit)? {
        Some(object) => Err(KeepError::VaultAway { snapshot, object }),
        None => Ok(()),
    }
}
