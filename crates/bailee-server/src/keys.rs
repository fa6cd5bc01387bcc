//! Keys of a house: log, clearances, vault. Files of mode 0600 for now, one secret each.
//!
//! Invariants: a key file is created new, durable, readable by its owner only, and never
//! replaced; one that others can read is refused; no secret is in any error or debug output.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use bailee_ledger::Signer;
use bailee_ledger::hash::sha256;
use zeroize::Zeroizing;

use crate::house::HouseError;

/// The keys a house works with.
pub struct Keys {
    /// Signs checkpoints and bundles.
    pub log: Signer,
    /// Signs clearance tokens.
    pub clearance: Signer,
    /// Makes message ids unguessable.
    mail: Zeroizing<[u8; 32]>,
    /// Authenticates the image of the state.
    image: Zeroizing<[u8; 32]>,
}

impl Keys {
    /// Keys from seeds: for tests and simulations.
    pub fn from_seeds(
        origin: &str,
        log: &[u8; 32],
        clearance: &[u8; 32],
    ) -> Result<Keys, HouseError> {
        let bad = |e: bailee_ledger::Error| HouseError::Key(e.to_string());
        let name = bailee_ledger::clearance::key_name(origin);
        let derived =
            |purpose: &[u8]| Zeroizing::new(sha256(&Zeroizing::new([purpose, clearance].concat())));
        Ok(Keys {
            log: Signer::from_seed(origin, log).map_err(bad)?,
            clearance: Signer::from_seed(&name, clearance).map_err(bad)?,
            mail: derived(b"bailee/mail/v1"),
            image: derived(b"bailee/image/v1"),
        })
    }

    /// The secret in message ids, derived from the clearance key.
    pub(crate) fn mail(&self) -> &[u8; 32] {
        &self.mail
    }

    /// The secret that authenticates images of the state, derived from the clearance key.
    pub(crate) fn image(&self) -> &[u8; 32] {
        &self.image
    }

    /// Creates the key files of a new house in `dir`.
    pub(crate) fn create(dir: &Path) -> Result<(), HouseError> {
        for name in ["log.key", "clearance.key", "vault.key"] {
            create(&dir.join(name))?;
        }
        sync_dir(dir)
    }

    /// Reads the key files.
    pub(crate) fn open(dir: &Path, origin: &str) -> Result<Keys, HouseError> {
        let log = read(&dir.join("log.key"))?;
        let clearance = read(&dir.join("clearance.key"))?;
        Keys::from_seeds(origin, &log, &clearance)
    }
}

fn create(path: &Path) -> Result<(), HouseError> {
    let io = |e: &std::io::Error| HouseError::io(format!("create the key {}", path.display()), e);
    let mut seed = Zeroizing::new([0u8; 32]);
    getrandom::fill(&mut *seed).map_err(|e| HouseError::Key(e.to_string()))?;
    let mut options = OpenOptions::new();
    let mut file =
        options.write(true).create_new(true).mode(0o600).open(path).map_err(|e| io(&e))?;
    file.write_all(&*seed).and_then(|()| file.sync_all()).map_err(|e| io(&e))
}

/// The 32 bytes of a key file.
pub(crate) fn read(path: &Path) -> Result<Zeroizing<[u8; 32]>, HouseError> {
    let io = |e: &std::io::Error| HouseError::io(format!("read the key {}", path.display()), e);
    let mut file = File::open(path).map_err(|e| io(&e))?;
    let meta = file.metadata().map_err(|e| io(&e))?;
    if meta.mode() & 0o077 != 0 {
        let shown = path.display();
        return Err(HouseError::Key(format!("{shown} can be read by others; chmod 600 it")));
    }
    let mut seed = Zeroizing::new([0u8; 32]);
    if meta.len() != 32 || file.read_exact(&mut *seed).is_err() {
        return Err(HouseError::Key(format!("{} does not have 32 bytes", path.display())));
    }
    Ok(seed)
}

/// Makes new names in a directory durable.
pub(crate) fn sync_dir(dir: &Path) -> Result<(), HouseError> {
    let synced = File::open(dir).and_then(|dir| dir.sync_all());
    synced.map_err(|e| HouseError::io(format!("sync {}", dir.display()), &e))
}
