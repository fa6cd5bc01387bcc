//! A job: all that a probe needs, taken from the house once, so that it is carried out without it.
//!
//! Invariants: whatever an engine does or does not do is in what was seen, so that it is recorded;
//! an error is one of this house's own settings; what was lost before stays lost while the engine
//! does not answer.

use std::path::PathBuf;
use std::sync::Arc;

use bailee_core::engine::{Canaries, Finding, Outcome, Trial};
use bailee_store::Objects;
use bailee_vault::{Kek, Vault, VaultError};

use super::canaries::{self, Pick};
use super::{of_bucket, of_disk, silent, trial};
use crate::house::{House, HouseError};
use crate::keeping::KeepError;
use crate::keys::KeyError;
use crate::packs;

/// Where the packs are, if they can be reached.
type Packs = Arc<dyn Objects>;

/// What is to be tried and read back.
pub(super) struct Job {
    engine: String,
    settings: packs::Packs,
    dir: PathBuf,
    own: Arc<dyn Objects>,
    before: Option<Finding>,
    picks: Vec<Pick>,
    /// What opens the vault, if something is to be read back.
    kek: Option<Kek>,
    seed: [u8; 32],
    /// What names of this probe have in them.
    mark: String,
}

/// What was seen.
pub(super) struct Seen {
    pub(super) engine: String,
    pub(super) trials: Vec<Trial>,
    pub(super) canaries: Canaries,
}

impl Job {
    /// Takes from the house what is needed.
    pub(super) fn of(house: &House) -> Result<Job, KeepError> {
        let dir = house.dir().ok_or(KeepError::NoVault)?;
        let mut seed = [0; 32];
        let drawn = |e| HouseError::Key(KeyError::io("draw which packs to read back", e));
        getrandom::fill(&mut seed).map_err(drawn)?;
        let mut from = [0; 8];
        from.copy_from_slice(&seed[..8]);
        let settings = house.config().vault.clone();
        let engine = settings.place();
        let (before, picks) = house.with_state(|s| {
            let before = s.engines.get(&engine).cloned();
            let picks = canaries::pick(s, before.as_ref(), u64::from_be_bytes(from));
            (before, picks)
        })?;
        let kek = match picks.is_empty() {
            true => None,
            false => Some(Kek::from_bytes(*house.keys().vault(dir).map_err(HouseError::from)?)),
        };
        let mark = format!("{}-{}", house.clock().now().0, std::process::id());
        let (dir, own) = (dir.to_owned(), house.objects().clone());
        Ok(Job { engine, settings, dir, own, before, picks, kek, seed, mark })
    }

    /// Tries and reads back.
    pub(super) fn carry_out(self) -> Result<Seen, HouseError> {
        let (mut trials, packs) = self.try_out()?;
        let mut canaries = Canaries::default();
        let mut unread = None;
        match (packs, &self.kek) {
            (Some(packs), Some(kek)) => match self.vault(packs, kek) {
                Ok(vault) => {
                    (canaries, unread) = canaries::read_back(&vault, &self.picks, self.seed);
                }
                Err(error) => unread = Some(error),
            },
            (None, _) => canaries::keep_known(self.before.as_ref(), &mut canaries),
            (Some(_), None) => {}
        }
        if let Some(error) = unread {
            trials.push(trial("read held data", Outcome::Silent, &error.to_string()));
            canaries::keep_known(self.before.as_ref(), &mut canaries);
        }
        Ok(Seen { engine: self.engine, trials, canaries })
    }

    /// The trials, and the packs if they can be reached.
    fn try_out(&self) -> Result<(Vec<Trial>, Option<Packs>), HouseError> {
        match self.settings.open(&self.dir) {
            Ok(None) => {
                let name = format!("probe/{}", self.mark);
                Ok((of_disk(&*self.own, &name), Some(self.own.clone())))
            }
            Ok(Some(bucket)) => {
                let trials = of_bucket(bucket.probe(&self.mark));
                let answers = trials.iter().all(|trial| trial.outcome != Outcome::Silent);
                Ok((trials, answers.then(|| -> Packs { Arc::new(bucket) })))
            }
            Err(HouseError::Engine { detail }) => Ok((vec![silent(&detail)], None)),
            Err(error) => Err(error),
        }
    }

    fn vault(&self, packs: Packs, kek: &Kek) -> Result<Vault, VaultError> {
        Vault::open_with_keys(packs, self.own.clone(), kek)
    }
}
