//! The vault's key: changed without rewriting what is kept, and copied for counsel.
//!
//! Order of a change, and what a crash after each leaves
//! ```text
//! 1. vault.next.key durable            nothing uses it; the same again takes it (where it lives is
//!                                      what the settings said then)
//! 2. roots and configuration wrapped   both keys open everything
//! 3. counsel's copy durable            if one is asked for
//! 4. vault.next.key renamed            the new key is the house's; the old one still opens
//! 5. copies under the old key gone     the old key opens nothing
//! ```
//! Invariants: `vault.key` opens the whole vault at every moment; after a crash the same again goes
//! on and never begins a second change. Out of scope: old key files in backups (docs/keys.md).

use std::path::Path;
use std::sync::Arc;

use bailee_store::{DiskObjects, Objects};
use bailee_vault::{Kek, RewrapReport, Vault, VaultError};

use super::escrow::Recipient;
use super::file::{KeyDir, KeyFile, rename, sync_dir, write_new};
use super::{KeyError, Keys, Secrets};
use crate::config::Config;
use crate::house::HouseError;
use crate::keeping::KeepError;

/// Changes the vault's key, or finishes a change; counsel's copy first, if one is asked for. The
/// caller holds the [`bailee_store::DirLock`] of the house.
///
/// # Errors
/// A key file that cannot be read or made; the vault's own. The old key works until the new one
/// opened everything.
pub fn rotate(
    house: &Path,
    secrets: &Secrets,
    counsel: Option<(&Recipient, &Path)>,
) -> Result<RewrapReport, KeepError> {
    let dir = Keys::dir(house, secrets);
    let now = kek(&dir, KeyFile::Vault)?;
    let own: Arc<dyn Objects> =
        Arc::new(DiskObjects::open(&house.join("objects")).map_err(HouseError::from)?);
    let config = Config::read(house)?;
    let packs: Arc<dyn Objects> = match config.vault.open(house)? {
        None => own.clone(),
        Some(bucket) => Arc::new(bucket),
    };
    let opened = |kek: &Kek| Vault::open_with_keys(packs.clone(), own.clone(), kek);
    let next = dir.find(KeyFile::NextVault).map_err(HouseError::from)?;
    let old = match opened(&now) {
        Err(VaultError::NoVault) => Vault::create_with_keys(packs.clone(), own.clone(), &now)?,
        opened => opened?,
    };
    if next.is_some() || old.keks()?.len() < 2 {
        if next.is_none() {
            // A file is made under the passphrase that the others are under, if they are.
            dir.read(KeyFile::Clearance).map_err(HouseError::from)?;
            dir.create_in(KeyFile::NextVault, &config.keys.vault).map_err(HouseError::from)?;
        }
        // As it is read back from its file, so that the file is known to be good.
        match old.add_kek(&kek(&dir, KeyFile::NextVault)?) {
            Err(VaultError::SameKek) => {}
            added => drop(added?),
        }
        if let Some((to, path)) = counsel {
            copy(&dir, KeyFile::NextVault, to, path).map_err(HouseError::from)?;
        }
        take(&dir).map_err(HouseError::from)?;
    } else if let Some((to, path)) = counsel {
        copy(&dir, KeyFile::Vault, to, path).map_err(HouseError::from)?;
    }
    let vault = opened(&kek(&dir, KeyFile::Vault)?)?;
    Ok(vault.retire_other_keks()?)
}

/// Writes the vault's key to a new file, encrypted to `counsel`. The caller holds the lock of the
/// house.
///
/// # Errors
/// A key file that cannot be read; a copy that is there already or cannot be written.
pub fn escrow(
    house: &Path,
    secrets: &Secrets,
    counsel: &Recipient,
    path: &Path,
) -> Result<(), KeepError> {
    let dir = Keys::dir(house, secrets);
    Ok(copy(&dir, KeyFile::Vault, counsel, path).map_err(HouseError::from)?)
}

fn kek(dir: &KeyDir<'_>, file: KeyFile) -> Result<Kek, HouseError> {
    Ok(Kek::from_bytes(*dir.read(file)?.0))
}

fn copy(dir: &KeyDir<'_>, file: KeyFile, to: &Recipient, path: &Path) -> Result<(), KeyError> {
    let sealed = to.seal(&dir.read(file)?.0[..])?;
    write_new(path, &sealed)?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    sync_dir(parent.unwrap_or_else(|| Path::new(".")))
}

fn take(dir: &KeyDir<'_>) -> Result<(), KeyError> {
    rename(&dir.path(KeyFile::NextVault), &dir.path(KeyFile::Vault))?;
    sync_dir(dir.dir())
}
