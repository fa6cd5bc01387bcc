//! Looking at a snapshot: it is read back whole, and the log hears what that showed.
//!
//! Invariants: what the log is told was seen. A snapshot that cannot be read for want of something
//! the vault itself has to have is not intact, however early that shows: from the same append on no
//! hold is satisfied by it. What could not be looked at changes no record, and that is said.

use bailee_core::id::{PartyId, SnapshotId};
use bailee_core::{Action, By, Command};
use bailee_vault::{Closely, SnapshotId as VaultId, Vault, VerifyReport};

use super::{KeepError, Why, locate, reading};
use crate::house::{House, HouseError};
use crate::keys::KeyError;
use crate::runner::Failure;

/// Reads a snapshot back whole and records what that showed.
pub fn verify(house: &House, snapshot: SnapshotId, by: PartyId) -> Result<VerifyReport, KeepError> {
    let (report, recorded) = look(house, snapshot, by)?;
    recorded?;
    Ok(report)
}

/// As [`verify`], for who wants to know what was seen though it could not be recorded.
pub fn look(
    house: &House,
    snapshot: SnapshotId,
    by: PartyId,
) -> Result<(VerifyReport, Result<(), Failure>), KeepError> {
    let (tenant, id) = locate(house, snapshot)?;
    let by = By::Party(by);
    match reading(house) {
        Ok(vault) => read_back(house, &vault, &tenant, snapshot, id, by),
        Err(error) => Err(unread(house, snapshot, error, by)),
    }
}

pub(super) fn read_back(
    house: &House,
    vault: &Vault,
    tenant: &str,
    snapshot: SnapshotId,
    id: VaultId,
    by: By,
) -> Result<(VerifyReport, Result<(), Failure>), KeepError> {
    match vault.verify(tenant, &id) {
        Ok(report) => {
            let recorded = record(house, snapshot, report.is_intact(), by);
            Ok((report, recorded))
        }
        Err(error) => Err(unread(house, snapshot, error.into(), by)),
    }
}

fn record(house: &House, snapshot: SnapshotId, intact: bool, by: By) -> Result<(), Failure> {
    let action = Action::VerifySnapshot { snapshot, intact };
    house.submit(Command { by, action }, Vec::new()).map(drop)
}

/// Whether it says that the vault is without something that it has to have.
pub(super) fn is_loss(error: &KeepError) -> bool {
    match error {
        KeepError::Vault(error) => error.is_loss(),
        KeepError::House(HouseError::Key(KeyError::Missing(_))) => true,
        _ => false,
    }
}

/// What is said of a snapshot that was not read; if it is lost, the log hears it.
fn unread(house: &House, snapshot: SnapshotId, error: KeepError, by: By) -> KeepError {
    if !is_loss(&error) {
        return KeepError::Unread { snapshot, why: Why::NotLooked, error: Box::new(error) };
    }
    match lost(house, snapshot, by) {
        Ok(()) => KeepError::Unread { snapshot, why: Why::Lost, error: Box::new(error) },
        Err(failure) => failure.into(),
    }
}

/// Records that nobody can read a snapshot, unless the log counts on it for nothing anyway.
pub(super) fn lost(house: &House, snapshot: SnapshotId, by: By) -> Result<(), Failure> {
    let counts =
        house.with_state(|s| s.snapshots.get(snapshot).is_some_and(|s| s.verified.is_some()))?;
    if counts { record(house, snapshot, false, by) } else { Ok(()) }
}

/// Whether all that a snapshot needs is there; if it is not, the log hears it.
///
/// # Errors
/// What is missing ([`Why::Lost`]), or why that could not be looked at.
pub(super) fn is_there(
    house: &House,
    snapshot: SnapshotId,
    closely: Closely,
) -> Result<(), KeepError> {
    let (tenant, id) = locate(house, snapshot)?;
    let there = reading(house).and_then(|vault| Ok(vault.is_there(&tenant, &id, closely)?));
    there.map_err(|error| unread(house, snapshot, error, By::System))
}
