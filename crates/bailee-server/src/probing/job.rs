//! A job: all that a probe needs, taken from the house once, so that it is carried out without it.
//!
//! Invariants: whatever an engine does or does not do is in what was seen, so that it is recorded,
//! and so is what keeps this house from asking it: settings, credentials, the vault's key. What was
//! lost before and cannot be read now is not in it: the state remembers. No path of this machine is
//! in it.

use std::path::PathBuf;
use std::sync::Arc;

use bailee_core::engine::{Canaries, Outcome, Trial};
use bailee_store::Objects;
use bailee_vault::{Kek, Vault};

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
    picks: Vec<Pick>,
    /// What opens the vault, if there is such a key.
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
        let from = u64::from_be_bytes(from);
        let picks = house.with_state(|s| canaries::pick(s, s.engines.get(&engine), from))?;
        let kek = house.keys().vault(dir).ok().map(|key| Kek::from_bytes(*key));
        let mark = format!("{}-{}", house.clock().now().0, std::process::id());
        let (dir, own) = (dir.to_owned(), house.objects().clone());
        Ok(Job { engine, settings, dir, own, picks, kek, seed, mark })
    }

    /// Tries and reads back.
    pub(super) fn carry_out(self) -> Seen {
        let (mut trials, packs) = self.try_out();
        let (mut canaries, mut unread) = (Canaries::default(), None);
        match packs.map(|packs| self.vault(packs)) {
            Some(_) if self.picks.is_empty() => {}
            Some(Ok(vault)) => {
                let read = canaries::read_back(&vault, &self.picks, self.seed);
                (canaries, unread) = (read.0, read.1.map(|error| error.to_string()));
            }
            Some(Err(why)) => unread = Some(why),
            None => {}
        }
        if let Some(why) = unread {
            trials.push(trial("read held data", Outcome::Silent, &why));
        }
        Seen { engine: self.engine, trials, canaries }
    }

    /// The trials, and the packs if they can be reached.
    fn try_out(&self) -> (Vec<Trial>, Option<Packs>) {
        match self.settings.open(&self.dir) {
            Ok(None) => {
                let name = format!("probe/{}", self.mark);
                (of_disk(&*self.own, &name), Some(self.own.clone()))
            }
            Ok(Some(bucket)) => {
                let trials = of_bucket(bucket.probe(&self.mark));
                let answers = trials.iter().all(|trial| trial.outcome != Outcome::Silent);
                (trials, answers.then(|| -> Packs { Arc::new(bucket) }))
            }
            Err(HouseError::Engine { detail } | HouseError::Config { detail, .. }) => {
                (vec![silent(&detail)], None)
            }
            Err(HouseError::Io { detail, .. }) => {
                let why = format!("its credentials or certificates cannot be read: {detail}");
                (vec![silent(&why)], None)
            }
            Err(_) => (vec![silent("its settings cannot be used")], None),
        }
    }

    fn vault(&self, packs: Packs) -> Result<Vault, String> {
        let kek = self.kek.as_ref().ok_or("the vault's key is missing: it is in no key file")?;
        Vault::open_with_keys(packs, self.own.clone(), kek).map_err(|error| error.to_string())
    }
}
