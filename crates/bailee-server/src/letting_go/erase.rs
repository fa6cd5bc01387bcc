//! Erasing a custody unit: its key is destroyed under a clearance, and the log gets a certificate.
//!
//! Order: subject read from the vault -> reserve -> token -> begin -> the gate once more -> the
//! vault's tombstone -> keys, the point of no return, then all else -> finish with the
//! certificate. A crash before the tombstone leaves everything; after it, the lease lapses, the
//! snapshots are `unknown`, and erasing again under a new clearance finishes what was begun, with
//! the same list of keys. While no key is gone, pruning takes the tombstone back instead, and
//! erasing again begins anew. Nobody else lets anything of it go. Invariants: the lease is renewed
//! while the vault deletes; an error is reported as what the vault then shows, and if it shows
//! nothing, nothing is reported: the lease lapses.

use std::cell::RefCell;

use bailee_core::id::{AssetId, ClearanceId, DispositionId, PartyId};
use bailee_core::{Action, By, Command, State, custody};
use bailee_ledger::clearance::{Act, Clearance};
use bailee_ledger::to_hex;
use bailee_sanitize::{Erased, ErasureCertificate, GoneCopy, GoneKey};
use bailee_vault::{Erasure, Vault, VaultError};

use super::lease::Leased;
use super::{LetGoError, abort, certificate, finished, open_token, reserve, shelved};
use crate::house::House;
use crate::keeping::{self, KeepError, UnitPlace};
use crate::runner::Failure;

/// How far an erasure is; for whoever watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EraseStep {
    /// The log has the beginning; nothing is destroyed yet.
    Begun,
    /// The vault has destroyed it; the log does not have the end yet.
    Destroyed,
}

/// An erased custody unit.
#[derive(Debug)]
pub struct ErasedUnit {
    /// Under which clearance.
    pub clearance: ClearanceId,
    /// What the vault did.
    pub erasure: Erasure,
    /// Its certificate, which is an exhibit of the finish.
    pub certificate: ErasureCertificate,
}

/// Erases the custody unit that a snapshot, named as the asset it is, belongs to: all of it.
///
/// # Errors
/// The refusals of the core, of the token and of the vault, with nothing destroyed; store failures.
pub fn erase(
    house: &House,
    disposition: DispositionId,
    asset: AssetId,
    by: PartyId,
    step: &mut dyn FnMut(EraseStep),
) -> Result<ErasedUnit, LetGoError> {
    let place = keeping::unit_place(house, asset)?;
    let vault = keeping::vault(house)?;
    keeping::stands(house, &vault, &place)?;
    let subject = match subject(&vault, &place) {
        Ok((subject, resumed)) => {
            // An erasure that was begun is finished: what it hits is decided.
            if !resumed {
                keeping::all_recorded(house, &vault, &place)?;
            }
            subject
        }
        // The core says why, and grants nothing for a blank subject.
        Err(KeepError::Vault(
            VaultError::UnknownTenant { .. } | VaultError::UnknownUnit { .. },
        )) => [0; 32],
        Err(error) => return Err(error.into()),
    };
    let reserved = reserve(house, disposition, asset, subject, By::Party(by))?;
    erase_under(house, &reserved.token, asset, by, step)
}

/// What the clearance has to be for, and whether an erasure is only to be finished.
fn subject(vault: &Vault, place: &UnitPlace) -> Result<([u8; 32], bool), KeepError> {
    match vault.buried_subject(&place.tenant, &place.unit)? {
        Some(subject) => Ok((subject, true)),
        None => Ok((vault.erase_subject(&place.tenant, &place.unit)?, false)),
    }
}

/// Erases under a token that was reserved before.
///
/// # Errors
/// As [`erase`].
pub fn erase_under(
    house: &House,
    token: &str,
    asset: AssetId,
    by: PartyId,
    step: &mut dyn FnMut(EraseStep),
) -> Result<ErasedUnit, LetGoError> {
    let by = By::Party(by);
    // Whatever can fail without touching anything fails before the clearance is begun.
    let place = keeping::unit_place(house, asset)?;
    let vault = keeping::vault(house)?;
    let (subject, resumed) = subject(&vault, &place)?;
    let clearance = open_token(house, token.as_bytes(), asset, Act::Erase, subject)?;
    let (terms, id) = (clearance.terms().clone(), ClearanceId(clearance.terms().clearance));
    let (copies, left) = house.with_state(|s| (copies(s, asset), shelved::of_unit(s, asset)))?;
    let started = house.clock().now().unix();
    house.submit(Command { by, action: Action::Begin { clearance: id } }, Vec::new())?;
    step(EraseStep::Begun);
    let run = Run { lease: Leased { house, id, by }, vault: &vault, place: &place };
    let erasure = match run.destroy(clearance, resumed) {
        Ok(erasure) => erasure,
        Err(error) => return Err(run.failed(error, &copies)?),
    };
    step(EraseStep::Destroyed);
    // Volumes may have left meanwhile. A log that does not answer now keeps no certificate back.
    let left = house.with_state(|s| shelved::of_unit(s, asset)).unwrap_or(left);
    let mut not_reached = Erasure::not_reached();
    not_reached.push(shelved::sentence(&left));
    let certificate = ErasureCertificate::issue(Erased {
        terms,
        tenant: place.tenant,
        unit: place.unit,
        source: place.source.to_string(),
        keys: erasure.keys.iter().map(gone_key).collect(),
        copies,
        snapshots: erasure.let_go.snapshots,
        packs: erasure.let_go.packs,
        freed_bytes: erasure.let_go.freed_bytes,
        resumed,
        not_reached,
        shelved: left,
        started,
        finished: house.clock().now().unix(),
    });
    let (reason, exhibit) = self::certificate(certificate.to_json().into_bytes());
    finished(house, id, by, reason, exhibit)?;
    Ok(ErasedUnit { clearance: id, erasure, certificate })
}

fn gone_key(key: &bailee_vault::DestroyedKey) -> GoneKey {
    GoneKey { object: key.object.clone(), sha256: to_hex(&key.sha256) }
}

/// Every snapshot of the unit that the log has as here.
fn copies(s: &State, asset: AssetId) -> Vec<GoneCopy> {
    let here = custody::unit(s, asset).into_iter().filter_map(|id| Some((id, s.assets.get(id)?)));
    let known = here.filter_map(|(id, copy)| {
        let snapshot = copy.snapshot?;
        let found = s.snapshots.get(snapshot)?;
        let (snapshot, asset, root) = (snapshot.to_string(), id.to_string(), to_hex(&found.root));
        Some(GoneCopy { snapshot, asset, root, bytes: found.bytes })
    });
    known.collect()
}

/// A begun clearance, and what it is for.
struct Run<'a> {
    lease: Leased<'a>,
    vault: &'a Vault,
    place: &'a UnitPlace,
}

/// Why it did not come to its end.
enum Stop {
    /// The gate says no, or does not answer.
    Gate(Failure),
    Vault(VaultError),
}

impl Run<'_> {
    /// Destroys, or finishes destroying, while the lease is renewed.
    fn destroy(&self, clearance: Clearance, resumed: bool) -> Result<Erasure, Stop> {
        // Once more, also for a unit in which the vault finds no snapshot to ask about.
        self.lease.renew().map_err(Stop::Gate)?;
        let no = RefCell::new(None);
        let pins = |_: &bailee_vault::SnapshotId| {
            let failure = self.lease.renew().err()?;
            let text = failure.to_string();
            *no.borrow_mut() = Some(failure);
            Some(text)
        };
        let UnitPlace { tenant, unit, .. } = self.place;
        let done = self.lease.during(|| match resumed {
            true => self.vault.finish_erased(tenant, unit, clearance),
            false => self.vault.erase_unit(tenant, unit, clearance, &pins),
        });
        done.map_err(|error| match (error, no.take()) {
            (VaultError::Pinned { .. }, Some(failure)) => Stop::Gate(failure),
            (error, _) => Stop::Vault(error),
        })
    }

    /// Reports what is gone: nothing before the tombstone, all of it after. If the vault does not
    /// say which, the log is told nothing.
    fn failed(&self, stop: Stop, copies: &[GoneCopy]) -> Result<LetGoError, LetGoError> {
        let error = match stop {
            Stop::Gate(failure) => LetGoError::Command(failure),
            Stop::Vault(error) => LetGoError::Keep(error.into()),
        };
        let Ok(buried) = self.vault.erased_keys(&self.place.tenant, &self.place.unit) else {
            return Ok(error);
        };
        let bytes: u64 = copies.iter().map(|copy| copy.bytes).sum();
        let gone = if buried.is_some() { bytes.max(1) } else { 0 };
        let Leased { house, id, by } = self.lease;
        abort(house, id, gone, error.to_string(), by)?;
        Ok(error)
    }
}
