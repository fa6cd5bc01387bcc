//! Keys of a house: two that sign the log, one for clearances, one for the vault.
//!
//! Where they live: source.rs (settings), file.rs, protected.rs and in_token.rs (files), agent.rs,
//! token.rs;
//! holder.rs asks them. Which of them sign: ring.rs. How they change: rotate.rs, lost.rs, vault.rs.
//! What counsel gets: escrow.rs. What is published: policies.rs. An operator reads docs/keys.md.
//!
//! Invariants: no secret is in any error or debug output; passphrases are asked for when a house is
//! opened and not kept; what is kept is the key made of one, so that new files get the same
//! protection. The ML-DSA key is in a file always: no agent and no token holds such keys yet.

mod agent;
mod error;
pub mod escrow;
mod file;
mod holder;
mod house;
mod in_token;
pub mod lost;
pub mod parse;
mod policies;
mod protected;
mod ring;
pub mod rotate;
mod secrets;
pub mod show;
mod source;
mod token;
pub mod vault;

use std::path::Path;
use std::sync::Arc;

use bailee_core::rotation::Ring;
use bailee_ledger::hash::sha256;
use bailee_ledger::{Checkpoint, Note, Policy, PqSigner, Sign, Signer, Verifier};
use zeroize::Zeroizing;

use crate::config::Config;

pub use error::KeyError;
pub(crate) use file::KeyDir;
pub(crate) use file::sync_dir;
use file::{Kept, KeyFile};
use protected::{Lock, Seed};
use ring::KeyRing;
pub(crate) use ring::Own;
pub use secrets::{Secret, Secrets, new_passphrase};
pub use source::{BadSource, KeySettings, Source, TokenUri};

/// What the secret of images is for.
const IMAGE: &[u8] = b"bailee/image/v1";
/// The directory of key files, in the house's own.
const DIR: &str = "keys";

/// The keys a house works with.
pub struct Keys {
    ring: KeyRing,
    /// Signs clearance tokens.
    pub clearance: Signer,
    /// Makes message ids unguessable.
    mail: Seed,
    /// Authenticates images of the state.
    image: Seed,
    /// Wraps the keys in the vault; `None` if its file is not there, an error if its token is not.
    vault: Option<Result<Seed, KeyError>>,
    /// Protects further files as those that are there.
    lock: Option<Arc<Lock>>,
    /// How clearance and vault key are kept.
    kept: Vec<(KeyFile, Kept)>,
}

impl Keys {
    /// Keys from seeds, without a second log key and without a vault: for tests and simulations.
    pub fn from_seeds(
        origin: &str,
        log: &[u8; 32],
        clearance: &[u8; 32],
    ) -> Result<Keys, KeyError> {
        let ring = KeyRing::of(origin, Signer::from_seed(origin, log)?);
        Keys::of(origin, ring, clearance)
    }

    /// With a second log key from a seed.
    pub fn with_second(mut self, origin: &str, seed: &[u8; 32]) -> Result<Keys, KeyError> {
        self.ring = self.ring.with_second(PqSigner::from_seed(origin, seed)?);
        Ok(self)
    }

    fn of(origin: &str, ring: KeyRing, clearance: &[u8; 32]) -> Result<Keys, KeyError> {
        let name = bailee_ledger::clearance::key_name(origin);
        Ok(Keys {
            ring,
            clearance: Signer::from_seed(&name, clearance)?,
            mail: derived(b"bailee/mail/v1", clearance),
            image: derived(IMAGE, clearance),
            vault: None,
            lock: None,
            kept: Vec::new(),
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

    /// The same, before anything but the clearance key is open.
    pub(crate) fn image_secret(dir: &KeyDir<'_>) -> Result<Seed, KeyError> {
        let (clearance, _) = dir.read(KeyFile::Clearance)?;
        Ok(derived(IMAGE, &clearance))
    }

    /// The key files of a house, and who opens those that are protected.
    pub(crate) fn dir<'a>(house: &Path, secrets: &'a Secrets) -> KeyDir<'a> {
        KeyDir::new(&house.join(DIR), secrets, None)
    }

    /// The vault's key.
    pub(crate) fn vault(&self, house: &Path) -> Result<Seed, KeyError> {
        let missing = || KeyError::Missing(house.join(DIR).join(KeyFile::Vault.name()));
        self.vault.clone().ok_or_else(missing)?
    }

    /// Makes the key files of a new house, under `passphrase` if there is one.
    pub(crate) fn create(
        house: &Path,
        settings: &KeySettings,
        passphrase: Option<&Secret>,
    ) -> Result<(), KeyError> {
        let lock = passphrase.map(|passphrase| Lock::new(passphrase).map(Arc::new)).transpose()?;
        let nobody = Secrets::unattended();
        let dir = KeyDir::new(&house.join(DIR), &nobody, lock);
        // First what may fail for want of a token or its PIN.
        dir.create_in(KeyFile::Vault, &settings.vault)?;
        if settings.log == Source::File {
            dir.create(KeyFile::Log)?;
        }
        for file in [KeyFile::Second, KeyFile::Clearance] {
            dir.create(file)?;
        }
        Ok(())
    }

    /// Opens what is in `keys/` and in the settings; finishes what a crash left of a rotation.
    ///
    /// # Errors
    /// A file that is missing, unfit, or not opened by the passphrase. An agent or token that does
    /// not answer is an error only if nothing says which key it holds.
    pub(crate) fn open(
        house: &Path,
        dir: &KeyDir<'_>,
        config: &Config,
        log: &Ring,
    ) -> Result<Keys, KeyError> {
        let Config { origin, keys: settings, .. } = config;
        rotate::settle(dir, log)?;
        let recorded = policies::first(house, origin)?;
        let ring = KeyRing::open(origin, settings, dir, recorded)?;
        ring.ask_all(log, dir.secrets());
        let known = ring.public(log)?;
        if let Err(error) = ring.pairs(log).swap_remove(0).first
            && !ring.lives_elsewhere()
        {
            return Err(error);
        }
        let (clearance, kept) = dir.read(KeyFile::Clearance)?;
        let mut keys = Keys::of(origin, ring, &clearance)?;
        keys.kept.push((KeyFile::Clearance, kept));
        match dir.find(KeyFile::Vault) {
            Ok(None) => {}
            Ok(Some((seed, kept))) => {
                keys.vault = Some(Ok(seed));
                keys.kept.push((KeyFile::Vault, kept));
            }
            // Letters are taken and freeze what they name while the vault's token is out.
            Err(error) if dir.is_in_token(KeyFile::Vault) => {
                keys.vault = Some(Err(error));
                keys.kept.push((KeyFile::Vault, Kept::Token));
            }
            Err(error) => return Err(error),
        }
        keys.lock = dir.lock();
        policies::put(house, log.since(), &policies::policy(&known)?)?;
        Ok(keys)
    }

    /// Signs a checkpoint as every pair must that the log says signs it.
    pub(crate) fn sign(
        &self,
        house: Option<&Path>,
        checkpoint: &Checkpoint,
        log: &Ring,
    ) -> Result<Note, KeyError> {
        if let Some(house) = house {
            // Before anything is signed with new keys, what they are can be read.
            policies::put(house, log.since(), &policies::policy(&self.ring.public(log)?)?)?;
        }
        self.ring.sign(checkpoint, log)
    }

    /// The key that signs bundles: the one that readers have known for longest.
    pub(crate) fn signer(&self, log: &Ring) -> Result<Arc<dyn Sign>, KeyError> {
        let pairs = self.ring.pairs(log).into_iter().map(|pair| pair.first);
        let signing = pairs.reduce(|old, new| old.or_else(|error| new.map_err(|_| error)));
        signing.unwrap_or(Err(KeyError::SecondGone))
    }

    /// The Ed25519 keys whose signatures count now, the one that signs bundles first.
    pub(crate) fn verifiers(&self, log: &Ring) -> Result<Vec<Verifier>, KeyError> {
        Ok(self.ring.public(log)?.into_iter().map(|pair| pair.log).collect())
    }

    /// A policy of witnesses with the lines of the log itself: whose signatures count now.
    pub(crate) fn policy(&self, log: &Ring, others: Policy) -> Result<Policy, KeyError> {
        policies::with(others, &self.ring.public(log)?)
    }

    /// A policy of witnesses, with every key that the log has, had, or may get.
    pub(crate) fn known(&self, log: &Ring, others: Policy) -> Policy {
        self.ring.known(log, others)
    }

    /// Reads a checkpoint that this house signed.
    pub(crate) fn own(&self, log: &Ring, bytes: &[u8]) -> Result<Own, KeyError> {
        self.ring.own(log, bytes)
    }
}

/// A secret for one purpose, from a key.
fn derived(purpose: &[u8], key: &[u8; 32]) -> Seed {
    Zeroizing::new(sha256(&Zeroizing::new([purpose, key].concat())))
}

/// Puts every key file of the house in `dir` under a passphrase; the names of those there are. The
/// house must not be open. After a crash the same again finishes it.
pub fn protect(dir: &Path, secrets: &Secrets, new: &Secret) -> Result<Vec<&'static str>, KeyError> {
    KeyDir::new(&dir.join(DIR), secrets, None).or(new).protect(&Lock::new(new)?)
}
