//! Holders of the log's Ed25519 keys: a file, an agent or a token, asked when a key is needed.
//!
//! Invariants: a holder that did not answer is asked again at the next signature; a PIN that was
//! refused is not tried again before the next start; nobody is asked at a terminal but when a house
//! is opened.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bailee_ledger::{Sign, SignError, Signer, Verifier};

use super::agent::AgentKey;
use super::error::KeyError;
use super::file::{Kept, KeyFile};
use super::secrets::Secrets;
use super::source::Source;
use super::token::TokenKey;

/// Where an Ed25519 key lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In a file of `keys/`, or in memory.
    File(KeyFile, Kept),
    /// In an agent or token.
    Elsewhere(Source),
}

impl Place {
    /// For people.
    pub(crate) fn word(&self) -> String {
        match self {
            Place::File(file, kept) => format!("{}: {}", file.name(), kept.word()),
            Place::Elsewhere(source) => source.to_string(),
        }
    }
}

/// A key that signs, or why it is not to be had.
pub(crate) type Got = Result<Arc<dyn Sign>, KeyError>;

/// An Ed25519 key, or where to ask for it.
pub(crate) struct Holder {
    pub(crate) place: Place,
    key: OnceLock<Arc<dyn Sign>>,
    /// Why it could not be had, the last time.
    failed: Mutex<Option<KeyError>>,
}

impl Holder {
    pub(crate) fn elsewhere(source: &Source) -> Holder {
        let place = Place::Elsewhere(source.clone());
        Holder { place, key: OnceLock::new(), failed: Mutex::new(None) }
    }

    pub(crate) fn here(place: Place, key: Signer) -> Holder {
        Holder {
            place,
            key: OnceLock::from(Arc::new(key) as Arc<dyn Sign>),
            failed: Mutex::default(),
        }
    }

    /// The key; asked for if it was not had yet.
    pub(crate) fn get(&self, origin: &str, known: &[Verifier], secrets: &Secrets) -> Got {
        if let Some(key) = self.key.get() {
            return Ok(key.clone());
        }
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(error @ KeyError::Sign(SignError::WrongPin { .. })) = &*failed {
            return Err(error.clone());
        }
        let asked: Result<Arc<dyn Sign>, KeyError> = match &self.place {
            Place::Elsewhere(Source::Agent(wanted)) => {
                AgentKey::find(origin, wanted, known).map(|key| Arc::new(key) as _)
            }
            Place::Elsewhere(Source::Token(uri)) => {
                TokenKey::find(origin, uri, secrets).map(|key| Arc::new(key) as _)
            }
            Place::Elsewhere(Source::File) | Place::File(..) => {
                Err(KeyError::io("read a key", "it is in a file that was not read"))
            }
        };
        let key = asked.inspect_err(|error| *failed = Some(error.clone()))?;
        *failed = None;
        Ok(self.key.get_or_init(|| key).clone())
    }

    /// The public half of a key that was had, or why it was not.
    pub(crate) fn had(&self) -> Result<Verifier, String> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        let why = failed.as_ref().map_or("not asked yet".to_owned(), ToString::to_string);
        self.key.get().map(|key| key.verifier().clone()).ok_or(why)
    }
}

/// The public half of a key that lives elsewhere.
pub(crate) fn ask(origin: &str, source: &Source) -> Result<Verifier, KeyError> {
    let key = Holder::elsewhere(source).get(origin, &[], &Secrets::from_environment())?;
    Ok(key.verifier().clone())
}
