//! A job: all that a probe needs, taken from the house once, so that it is carried out without it.
//!
//! Invariants: whatever an engine does or does not do is in what was seen, so that it is recorded,
//! and so is what keeps this house from asking it: settings, credentials, the vault's key. What was
//! lost before and cannot be read now is not in it: the state remembers. No path of this machine is
//! in it.

use std::path::PathBuf;
use std::sync::Arc;

use bailee_core::Time;
use bailee_core::engine::{Canaries, Finding, Outcome, Trial};
use bailee_store::Objects;
use bailee_store::s3::{LOCKING, Locks};
use bailee_vault::{Kek, Vault, VaultError};

use super::canaries::{self, Pick};
use super::{of_bucket, of_disk, silent, trial};
use crate::house::{House, HouseError};
use crate::keeping::KeepError;
use crate::keys::KeyError;
use crate::opened::Opened;
use crate::packs;

/// Where the packs are, if they can be reached.
type Packs = Arc<dyn Objects>;

/// Seconds after which trials that lock are made again: credentials that may not take away what is
/// locked leave one object each time.
const PERIOD: i64 = 30 * 86_400;
/// How a trial that was not made again begins.
const SEEN_IN: &str = "seen in entry";

/// Who wants to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// A person, now: all is tried.
    ByPerson,
    /// The service, each day: what locks is tried once in each 30 days.
    ByService,
}

/// What is to be tried and read back.
pub(super) struct Job {
    engine: String,
    settings: packs::Packs,
    dir: PathBuf,
    own: Arc<dyn Objects>,
    /// Where the vault is, if somebody has it open.
    opened: Arc<Opened>,
    /// Trials that lock, as they went before; empty: they are to be made.
    locking: Vec<Trial>,
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
    pub(super) fn of(house: &House, asked: Asked) -> Result<Job, KeepError> {
        let dir = house.dir().ok_or(KeepError::NoVault)?;
        let mut seed = [0; 32];
        let drawn = |e| HouseError::Key(KeyError::io("draw which packs to read back", e));
        getrandom::fill(&mut seed).map_err(drawn)?;
        let mut from = [0; 8];
        from.copy_from_slice(&seed[..8]);
        let settings = house.config().vault.clone();
        let engine = settings.place();
        let now = house.clock().now();
        let (locking, picks) = house.with_state(|s| {
            let before = s.engines.get(&engine);
            let picks = canaries::pick(s, before, u64::from_be_bytes(from));
            (locking(before, s.now(now), asked), picks)
        })?;
        let kek = house.keys().vault(dir).ok().map(|key| Kek::from_bytes(*key));
        let mark = format!("{}-{}", now.0, std::process::id());
        let (dir, own) = (dir.to_owned(), house.objects().clone());
        let opened = house.inner.opened.clone();
        Ok(Job { engine, settings, dir, own, opened, locking, picks, kek, seed, mark })
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
            Some(Err(Shut::Lost(what))) => canaries = canaries::all_lost(&self.picks, what),
            Some(Err(Shut::Other(why))) => unread = Some(why),
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
                let locks = if self.locking.is_empty() { Locks::Try } else { Locks::Leave };
                let mut trials = of_bucket(bucket.probe(&self.mark, locks));
                let answers = trials.iter().all(|trial| trial.outcome != Outcome::Silent);
                if answers {
                    trials.extend(self.locking.iter().cloned());
                }
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

    fn vault(&self, packs: Packs) -> Result<Arc<Vault>, Shut> {
        let missing = || Shut::Other("the vault's key is missing: it is in no key file".into());
        let kek = self.kek.as_ref().ok_or_else(missing)?;
        let open = || Vault::open_with_keys(packs, self.own.clone(), kek);
        self.opened.get(kek, open).map_err(|error| match error {
            VaultError::NoVault => Shut::Lost("vault/kek/"),
            error => Shut::Other(error.to_string()),
        })
    }
}

/// Why the vault does not open.
enum Shut {
    /// This is not there.
    Lost(&'static str),
    Other(String),
}

/// The trials that lock as they went, each with the entry where that was seen, if it was in these
/// 30 days and a person does not want to know; else none, and they are made.
fn locking(before: Option<&Finding>, now: Time, asked: Asked) -> Vec<Trial> {
    let period = |at: Time| at.unix().div_euclid(PERIOD);
    let before = before.filter(|before| period(before.at) == period(now));
    let Some(before) = before.filter(|_| asked == Asked::ByService) else { return Vec::new() };
    let made = before.trials.iter().filter(|was| LOCKING.contains(&was.what.as_str()));
    let one = |was: &Trial| match was.saw.starts_with(SEEN_IN) {
        true => was.clone(),
        false => {
            trial(&was.what, was.outcome, &format!("{SEEN_IN} {}: {}", before.position, was.saw))
        }
    };
    let all: Vec<Trial> = made.map(one).collect();
    if all.len() == LOCKING.len() { all } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use bailee_core::{Action, Command, State, run};

    use super::*;

    const PLACE: &str = "https://s3.example.org/kept";

    fn find(s: &mut State, at: i64, trials: Vec<Trial>) {
        let (engine, canaries) = (PLACE.to_owned(), Canaries::default());
        let action = Action::RecordProbe { engine, trials, canaries };
        run(s, &Command::system(action), Time::from_unix(at)).unwrap();
    }

    #[test]
    fn what_locks_is_tried_once_in_thirty_days_and_its_outcome_lasts() {
        let mut s = State::default();
        let asked =
            |s: &State, at, asked| locking(s.engines.get(PLACE), Time::from_unix(at), asked);
        let day = 86_400;
        assert!(asked(&s, 0, Asked::ByService).is_empty(), "never made");
        let made = LOCKING.map(|what| trial(what, Outcome::Broken, "204: locked, and deleted"));
        find(&mut s, PERIOD, made.to_vec());
        let first = s.engines[PLACE].position;
        let known = asked(&s, PERIOD + day, Asked::ByService);
        let saw = format!("seen in entry {first}: 204: locked, and deleted");
        let same = LOCKING.map(|what| trial(what, Outcome::Broken, &saw));
        assert_eq!(known, same);
        assert!(asked(&s, PERIOD + day, Asked::ByPerson).is_empty());
        // The day after it is said the same way, and it is an alarm still.
        find(&mut s, PERIOD + day, known);
        assert_eq!(s.engines[PLACE].bad().len(), 2);
        assert_eq!(asked(&s, PERIOD + 2 * day, Asked::ByService), same);
        assert!(asked(&s, 2 * PERIOD, Asked::ByService).is_empty(), "30 days are over");
        // An engine that did not answer in between has said nothing of it.
        find(&mut s, PERIOD + 3 * day, vec![silent("no route")]);
        assert!(asked(&s, PERIOD + 4 * day, Asked::ByService).is_empty());
    }
}
