//! Buried units: those with a tombstone, of which a crash may have left something.
//!
//! Invariants
//! 1. The keys are the point of no return, not the tombstone: while each key that it lists is there
//!    as it lists it, nothing of the unit is gone, for keys go first. Such a unit is **half
//!    erased**. It can be read; nothing is added to it.
//! 2. From a buried unit nothing goes but under a clearance for exactly this unit and this list of
//!    keys, with the answer that the erasure's would have been, or once the catalogue has nothing
//!    of it as here (`sweep.rs`).
//! 3. A tombstone is taken back only while 1. holds, in one deletion: before it the unit is half
//!    erased, after it as it was. Whoever erases it then begins anew.

use bailee_ledger::clearance::{Act, Clearance};

use crate::erasure::{self, DestroyedKey, Erasure, Tombstone};
use crate::error::VaultError;
use crate::expire::permits;
use crate::names::{self, Tag};
use crate::root::sha256;
use crate::seal::Kind;
use crate::stay::lock;
use crate::vault::{Absent, Tenant, Vault, get};
use crate::wire::Writer;

impl Vault {
    /// What a clearance to finish the erasure of a buried unit must have as its subject: SHA-256
    /// over tenant, unit and the tombstone's list of keys. `None` if there is no tombstone.
    ///
    /// # Errors
    /// [`VaultError::UnknownTenant`]; damage; store failures.
    pub fn buried_subject(&self, tenant: &str, unit: &str) -> Result<Option<[u8; 32]>, VaultError> {
        let keys = self.erased_keys(tenant, unit)?;
        Ok(keys.map(|keys| subject(tenant, unit, &keys)))
    }

    /// Finishes what a crash left of an erasure: the wrapped keys that are still there, then all
    /// else of the unit. Doing it again is harmless. The clearance must be for [`Act::Erase`] with
    /// [`Vault::buried_subject`] as subject, and for asset `n` if the unit is `A-n`.
    ///
    /// # Errors
    /// [`VaultError::NotErased`] without a tombstone; [`VaultError::WrongClearance`];
    /// [`VaultError::KeyKept`]; damage; store failures.
    pub fn finish_erased(
        &self,
        tenant: &str,
        unit: &str,
        clearance: Clearance,
    ) -> Result<Erasure, VaultError> {
        let buried = self.erased_keys(tenant, unit)?;
        let keys = buried.ok_or_else(|| VaultError::NotErased { unit: unit.to_owned() })?;
        let subject = subject(tenant, unit, &keys);
        permits(&clearance, Act::Erase, unit, &subject)?;
        let tenant = self.tenant(tenant, Absent::Refuse)?;
        let tag = names::tag(&tenant.root, b"unit", unit);
        let _one = lock(&self.burying);
        let let_go = self.finish_erasure(&tenant, tag)?;
        Ok(Erasure { tenant: tenant.name, unit: unit.to_owned(), subject, keys, let_go })
    }

    /// Takes the tombstone of a half erased unit back: it is as it was before. Whether there was
    /// one. Only for who knows that no erasure of it is under way.
    ///
    /// # Errors
    /// [`VaultError::HalfErased`] if a key is gone already: nothing was changed; damage; store
    /// failures.
    pub fn take_back(&self, tenant: &str, unit: &str) -> Result<bool, VaultError> {
        let tenant = self.tenant(tenant, Absent::Refuse)?;
        let tag = names::tag(&tenant.root, b"unit", unit);
        let _one = lock(&self.burying);
        let Some(stone) = self.tombstone(&tenant, tag)? else { return Ok(false) };
        match self.keys_are_whole(&tenant, tag, &stone)? {
            true => self.lift(&tenant, tag).map(|()| true),
            false => Err(VaultError::half_erased(unit, KEYS_GONE)),
        }
    }

    /// Whether each key that the tombstone lists is there, as it lists it.
    pub(crate) fn keys_are_whole(
        &self,
        tenant: &Tenant,
        unit: Tag,
        stone: &Tombstone,
    ) -> Result<bool, VaultError> {
        let there = self.key_copies(tenant, unit)?;
        Ok(!there.is_empty() && stone.keys.iter().all(|key| there.contains(key)))
    }

    /// Deletes the tombstone. The caller holds `burying`, and has seen that the keys are whole.
    pub(crate) fn lift(&self, tenant: &Tenant, unit: Tag) -> Result<(), VaultError> {
        let object = names::object(&tenant.tag, &unit, Kind::Tombstone, &[0; 16]);
        self.keys.delete(&object)?;
        match get(&*self.keys, &object)? {
            Some(_) => Err(VaultError::KeyKept { object }),
            None => Ok(()),
        }
    }
}

/// What is said of a unit whose erasure was cut off too late.
pub(crate) const KEYS_GONE: &str = "an erasure of it was cut off after its key was destroyed, and \
    the log has snapshots of it as here: erase it again under a clearance, which finishes \
    that, or bring its key object back from a copy";

fn subject(tenant: &str, unit: &str, keys: &[DestroyedKey]) -> [u8; 32] {
    let mut w = Writer::default();
    w.bytes(tenant.as_bytes());
    w.bytes(unit.as_bytes());
    erasure::write(&mut w, keys);
    sha256(&[b"bailee/vault/v1 finish erasing unit\n", &w.0])
}
