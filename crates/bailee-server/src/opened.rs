//! The one open vault of a process.
//!
//! Invariant: as long as somebody has it, whoever else asks for it gets the same one, because who
//! reads, who prunes and who erases know of each other by it (`bailee-vault`, vault.rs). When
//! nobody has it, no key of it is in memory.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use bailee_vault::{Kek, Vault, VaultError};

/// Where it is found.
#[derive(Default)]
pub(crate) struct Opened(Mutex<Weak<Vault>>);

impl Opened {
    /// The vault that somebody has, if `kek` opened it; else it is opened.
    pub(crate) fn get(
        &self,
        kek: &Kek,
        open: impl FnOnce() -> Result<Vault, VaultError>,
    ) -> Result<Arc<Vault>, VaultError> {
        let mut shared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(vault) = shared.upgrade().filter(|vault| vault.has_key(kek)) {
            return Ok(vault);
        }
        let vault = Arc::new(open()?);
        *shared = Arc::downgrade(&vault);
        Ok(vault)
    }
}
