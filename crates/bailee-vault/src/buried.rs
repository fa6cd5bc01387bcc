//! Buried units: those with a tombstone, of which a crash may have left something.
//!
//! Invariant: the tombstone is the point of no return. From it on nobody reads the unit, so nothing
//! can be pinned in it any more; what is left is destroyed under a clearance for exactly this
//! unit and this list of keys, and the answer is what the erasure's would have been.

use bailee_ledger::clearance::{Act, Clearance};

use crate::erasure::{self, DestroyedKey, Erasure};
use crate::error::VaultError;
use crate::expire::permits;
use crate::names;
use crate::root::sha256;
use crate::stay::lock;
use crate::vault::{Absent, Vault};
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
}

fn subject(tenant: &str, unit: &str, keys: &[DestroyedKey]) -> [u8; 32] {
    let mut w = Writer::default();
    w.bytes(tenant.as_bytes());
    w.bytes(unit.as_bytes());
    erasure::write(&mut w, keys);
    sha256(&[b"bailee/vault/v1 finish erasing unit\n", &w.0])
}
