//! The ring: every log key that is here, and which of them sign a tree.
//!
//! Invariants
//! 1. Which pairs sign follows from the entries (`bailee_core::rotation`), not from settings or
//!    file names: a key is looked for by its public half. A house that never rotated goes by its
//!    first policy file, and before there is one by its settings.
//! 2. A checkpoint leaves with at least one Ed25519 signature, each verified. While two pairs
//!    overlap, one that does not answer does not stop the other; what is missing is named.
//! 3. The ML-DSA signature states no time: it is the log's own, which is no witness of time, and
//!    the same tree gets the same bytes.

use std::sync::{Arc, Mutex, PoisonError};

use bailee_core::rotation::{LogKeys, Ring};
use bailee_ledger::checkpoint::parse_note;
use bailee_ledger::hash::sha256;
use bailee_ledger::{Checkpoint, KeyKind, Note, Policy, PqSigner, Signer, Verifier};

use super::agent::fingerprint;
use super::error::KeyError;
use super::file::{Kept, KeyDir, KeyFile};
use super::holder::{Got, Holder, Place};
use super::policies::Record;
use super::secrets::Secrets;
use super::source::{KeySettings, Source};

/// Every Ed25519 key that the log or its first policy names as one of its own.
pub(crate) fn named(origin: &str, ring: &Ring, recorded: Option<&Record>) -> Vec<Verifier> {
    let rotations = ring.rotations.iter().flat_map(|(_, rotation)| [&rotation.from, &rotation.to]);
    let keys = ring.current().into_iter().chain(rotations);
    let keys = keys.filter_map(|k| Verifier::new(origin, KeyKind::Note, &k.ed25519[..]).ok());
    recorded.map(|recorded| recorded.log.clone()).into_iter().chain(keys).collect()
}

/// An ML-DSA-44 key; always in a file.
struct Second {
    file: KeyFile,
    kept: Kept,
    key: Arc<PqSigner>,
}

/// A pair that must sign.
pub(crate) struct Pair {
    /// The Ed25519 key, or why it is not to be had.
    pub(crate) first: Got,
    /// The ML-DSA-44 key; `Ok(None)` if there never was one.
    pub(crate) second: Result<Option<Arc<PqSigner>>, KeyError>,
}

/// A checkpoint of this log, or of the log that it goes on from.
pub(crate) enum Own {
    /// Signed under the name that the log has now.
    Now(Checkpoint, Note),
    /// Signed under a name that it had; its key is lost, its root still binds the entries.
    Before(Checkpoint),
}

/// Every log key that is here.
pub(crate) struct KeyRing {
    origin: String,
    firsts: Vec<Holder>,
    seconds: Vec<Second>,
    /// What the first policy file says, of a house that never rotated.
    recorded: Option<Record>,
    /// What did not sign the last checkpoint, although it should have.
    missing: Mutex<Vec<String>>,
}

impl KeyRing {
    /// A ring of one key in memory.
    pub(crate) fn of(origin: &str, log: Signer) -> KeyRing {
        let firsts = vec![Holder::here(Place::File(KeyFile::Log, Kept::Plain), log)];
        let (seconds, missing) = (Vec::new(), Mutex::default());
        KeyRing { origin: origin.to_owned(), firsts, seconds, recorded: None, missing }
    }

    /// With an ML-DSA-44 key in memory.
    pub(crate) fn with_second(mut self, key: PqSigner) -> KeyRing {
        let (file, kept, key) = (KeyFile::Second, Kept::Plain, Arc::new(key));
        self.seconds.push(Second { file, kept, key });
        self
    }

    /// Every key that the settings name and every file there is. An agent or token that does not
    /// answer is no error yet.
    pub(crate) fn open(
        origin: &str,
        settings: &KeySettings,
        dir: &KeyDir<'_>,
        recorded: Option<Record>,
    ) -> Result<KeyRing, KeyError> {
        let (mut firsts, mut seconds) = (Vec::new(), Vec::new());
        for source in [&settings.log, &settings.next] {
            if *source != Source::File {
                firsts.push(Holder::elsewhere(source));
            }
        }
        for file in [KeyFile::Log, KeyFile::NextLog] {
            if let Some((seed, kept)) = dir.find(file)? {
                let first =
                    Holder::here(Place::File(file, kept), Signer::from_seed(origin, &seed)?);
                // What the settings name as `log` comes first, in a house that has no record yet.
                let at = if file == KeyFile::Log && settings.log == Source::File {
                    0
                } else {
                    firsts.len()
                };
                firsts.insert(at, first);
            }
        }
        for file in [KeyFile::Second, KeyFile::NextSecond] {
            if let Some((seed, kept)) = dir.find(file)? {
                let key = Arc::new(PqSigner::from_seed(origin, &seed)?);
                seconds.push(Second { file, kept, key });
            }
        }
        let missing = Mutex::default();
        Ok(KeyRing { origin: origin.to_owned(), firsts, seconds, recorded, missing })
    }

    /// Asks every holder once, while there may be somebody at the terminal.
    pub(crate) fn ask_all(&self, ring: &Ring, secrets: &Secrets) {
        let known = self.recorded_keys(ring);
        for first in &self.firsts {
            // Why not is kept, and told when the key is needed.
            _ = first.get(&self.origin, &known, secrets);
        }
    }

    /// The pairs that must sign now: the one in force, and while a rotation runs the new one.
    pub(crate) fn pairs(&self, ring: &Ring) -> Vec<Pair> {
        let current = match ring.current() {
            Some(keys) => self.pair(ring, keys),
            None => self.unrotated(ring),
        };
        let next = ring.overlap().map(|rotation| self.pair(ring, &rotation.to));
        std::iter::once(current).chain(next).collect()
    }

    /// The pair with those public halves.
    pub(crate) fn pair(&self, ring: &Ring, wanted: &LogKeys) -> Pair {
        let second =
            wanted.ml_dsa.as_ref().map(|digest| self.second(|key| sha256(key) == **digest));
        Pair { first: self.first(ring, &wanted.ed25519[..]), second: second.transpose() }
    }

    fn unrotated(&self, ring: &Ring) -> Pair {
        let Some(recorded) = &self.recorded else {
            let first = self.firsts.first().ok_or_else(|| self.not_here("none", Vec::new()));
            let secrets = Secrets::unattended();
            let first = first.and_then(|first| first.get(&self.origin, &[], &secrets));
            let second = self.seconds.iter().find(|second| second.file == KeyFile::Second);
            return Pair { first, second: Ok(second.map(|second| second.key.clone())) };
        };
        let wanted = recorded.second.as_ref();
        let second = wanted.map(|wanted| self.second(|key| key == wanted.public()));
        Pair { first: self.first(ring, recorded.log.public()), second: second.transpose() }
    }

    fn first(&self, ring: &Ring, wanted: &[u8]) -> Got {
        let (known, secrets) = (self.recorded_keys(ring), Secrets::unattended());
        let mut tried = Vec::new();
        for first in &self.firsts {
            match first.get(&self.origin, &known, &secrets) {
                Ok(key) if key.verifier().public() == wanted => return Ok(key),
                Ok(_) => tried.push(format!("{} is another key", first.place.word())),
                Err(error) => tried.push(format!("{}: {error}", first.place.word())),
            }
        }
        Err(self.not_here(&fingerprint(wanted), tried))
    }

    fn not_here(&self, wanted: &str, tried: Vec<String>) -> KeyError {
        let tried = match tried.is_empty() {
            true => "the settings and keys/ name none".to_owned(),
            false => tried.join("; "),
        };
        KeyError::NotHere { wanted: wanted.to_owned(), tried }
    }

    fn second(&self, fits: impl Fn(&[u8]) -> bool) -> Result<Arc<PqSigner>, KeyError> {
        let found = self.seconds.iter().find(|second| fits(second.key.verifier().public()));
        found.map(|second| second.key.clone()).ok_or(KeyError::SecondGone)
    }

    /// Is an agent or token among the holders? Then a key may come back by itself.
    pub(crate) fn lives_elsewhere(&self) -> bool {
        self.firsts.iter().any(|first| matches!(first.place, Place::Elsewhere(_)))
    }

    /// Signs as every pair must.
    pub(crate) fn sign(&self, checkpoint: &Checkpoint, ring: &Ring) -> Result<Note, KeyError> {
        let unsigned = Note::new(checkpoint.to_text()?)?;
        let (mut signatures, mut seconds, mut missing) = (Vec::new(), Vec::new(), Vec::new());
        for Pair { first, second } in self.pairs(ring) {
            let signed = first.and_then(|key| Ok(checkpoint.sign(&key)?));
            match signed {
                Ok(note) => signatures.extend_from_slice(note.signatures()),
                Err(error) => missing.push(error),
            }
            let cosigned = |key: Arc<PqSigner>| {
                let signature = key.cosign(checkpoint, 0)?;
                // A false one would make readers refuse the whole note.
                key.verifier().verify(unsigned.text(), &signature.bytes)?;
                Ok::<_, KeyError>(signature)
            };
            match second.and_then(|key| key.map(cosigned).transpose()) {
                Ok(signature) => seconds.extend(signature),
                Err(error) => missing.push(error),
            }
        }
        let said = missing.iter().map(ToString::to_string).collect();
        *self.missing.lock().unwrap_or_else(PoisonError::into_inner) = said;
        if signatures.is_empty() {
            return Err(missing.into_iter().next().unwrap_or(KeyError::SecondGone));
        }
        let mut note = unsigned;
        note.add_signatures(signatures.into_iter().chain(seconds));
        Ok(note)
    }

    /// What did not sign the last checkpoint, although it should have.
    pub(crate) fn missing(&self) -> Vec<String> {
        self.missing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The public halves of the pairs that must sign, Ed25519 first, whether they are here or not.
    pub(crate) fn public(&self, ring: &Ring) -> Result<Vec<Record>, KeyError> {
        let recorded: Vec<Option<&LogKeys>> =
            std::iter::once(ring.current()).chain(ring.overlap().map(|r| Some(&r.to))).collect();
        let pairs = self.pairs(ring).into_iter().zip(recorded);
        let public = pairs.map(|(pair, wanted)| {
            let second = pair.second.ok().flatten().map(|key| key.verifier().clone());
            match (wanted, &self.recorded, pair.first) {
                (Some(keys), ..) => Ok(Record { log: self.verifier(&keys.ed25519[..])?, second }),
                (None, Some(recorded), _) => Ok(recorded.clone()),
                (None, None, first) => Ok(Record { log: first?.verifier().clone(), second }),
            }
        });
        public.collect()
    }

    /// A policy of witnesses, with every key that the log has, had, or may get.
    pub(crate) fn known(&self, ring: &Ring, mut policy: Policy) -> Policy {
        let here = self.firsts.iter().filter_map(|first| first.had().ok());
        let before = ring.continued.iter();
        let before = before.filter_map(|c| Verifier::new(&c.before, KeyKind::Note, &c.key).ok());
        for key in self.recorded_keys(ring).into_iter().chain(here).chain(before) {
            // Only a key that is in it already is refused.
            _ = policy.add_log(key, None);
        }
        policy
    }

    fn verifier(&self, public: &[u8]) -> Result<Verifier, KeyError> {
        Ok(Verifier::new(&self.origin, KeyKind::Note, public)?)
    }

    /// Ed25519 keys that the log or its first policy names.
    fn recorded_keys(&self, ring: &Ring) -> Vec<Verifier> {
        named(&self.origin, ring, self.recorded.as_ref())
    }

    /// Reads a checkpoint that this house signed. Error: a signature by a key of the log, first or
    /// second, that does not verify.
    pub(crate) fn own(&self, ring: &Ring, bytes: &[u8]) -> Result<Own, KeyError> {
        let note = parse_note(bytes)?;
        let checkpoint = Checkpoint::parse(note.text())?;
        let before = |name: &str| ring.continued.iter().any(|c| c.before == name);
        if checkpoint.origin != self.origin && before(&checkpoint.origin) {
            return Ok(Own::Before(checkpoint));
        }
        let (_, checkpoint) = self.known(ring, Policy::default()).open_log(&note)?;
        let seconds: Vec<Verifier> = self.seconds().map(|(_, key)| key.clone()).collect();
        match note.verify(&seconds) {
            Ok(_) | Err(bailee_ledger::Error::NoKnownSignature { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(Own::Now(checkpoint, note))
    }

    /// Each Ed25519 key: where it lives, and the key or why it is not to be had.
    pub(crate) fn firsts(&self) -> impl Iterator<Item = (&Place, Result<Verifier, String>)> {
        self.firsts.iter().map(|first| (&first.place, first.had()))
    }

    /// Each ML-DSA-44 key, with its file.
    pub(crate) fn seconds(&self) -> impl Iterator<Item = (Place, &Verifier)> {
        let place = |second: &Second| Place::File(second.file, second.kept);
        self.seconds.iter().map(move |second| (place(second), second.key.verifier()))
    }
}
