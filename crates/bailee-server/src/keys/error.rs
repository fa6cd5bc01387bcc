//! What can be wrong with a key: each error names the key or its holder, and what to do next.
//!
//! Invariant: no seed, passphrase or PIN, and no part of one, is in any of them.

use std::path::PathBuf;

use bailee_ledger::SignError;

/// Why a key cannot be had, or does not sign.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The file is not there.
    #[error("{0} is not there: put it back, or see docs/keys.md about a lost key")]
    Missing(PathBuf),
    /// Others can read it.
    #[error("{0} can be read by others; chmod 600 it")]
    Readable(PathBuf),
    /// It is no key file.
    #[error("{path} is no key file: {why}")]
    Unfit {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The passphrase does not open it.
    #[error("{0} does not open: the passphrase is wrong, or the file was altered")]
    WrongPassphrase(PathBuf),
    /// Nobody said the secret.
    #[error(
        "{about} needs a {what}, and there is no terminal to ask on: name a file in \
         ${variable}_FILE"
    )]
    Unsaid {
        /// What needs it.
        about: String,
        /// `passphrase` or `PIN`.
        what: &'static str,
        /// Begin of the variables' names.
        variable: &'static str,
    },
    /// What was said cannot be used.
    #[error("the {what} {why}")]
    Unusable {
        /// `passphrase` or `PIN`.
        what: &'static str,
        /// Why not.
        why: String,
    },
    /// The settings name a key that nobody has.
    #[error("the log's key {wanted} is not here ({tried}); docs/keys.md says what to do")]
    NotHere {
        /// Fingerprint of the public key.
        wanted: String,
        /// What was tried, and what it answered.
        tried: String,
    },
    /// There is a second key on record, and it is not here.
    #[error("the log's second key (ML-DSA-44) is not here: rotate, and say why")]
    SecondGone,
    /// The new keys of a rotation do not sign.
    #[error("the new keys of {rotation} do not sign here: {why}")]
    NotReady {
        /// Which rotation.
        rotation: String,
        /// Why.
        why: String,
    },
    /// A key that cannot be one of this log's.
    #[error(transparent)]
    Ledger(#[from] bailee_ledger::Error),
    /// Whoever holds the key did not sign.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The system has no randomness, or its file system says no.
    #[error("could not {doing}: {detail}")]
    Io {
        /// The operation.
        doing: String,
        /// The system's words.
        detail: String,
    },
    /// A token is there and does not open the file.
    #[error(
        "{holder} does not open {path} ({detail}): another key has the name of the one that sealed \
         it, or the file was altered"
    )]
    WrongTokenKey {
        /// The file.
        path: PathBuf,
        /// The token.
        holder: String,
        /// Its words.
        detail: String,
    },
    /// A token is there and does not do what is asked.
    #[error("{holder} refuses ({detail})")]
    TokenRefuses {
        /// The token.
        holder: String,
        /// Why.
        detail: String,
    },
}

fn signing(error: &SignError) -> (u16, &'static str, &'static str) {
    let (code, change) = match error {
        SignError::Locked { .. } => ("key_locked", "unlock it: `ssh-add -X`, or the token's PIN"),
        SignError::KeyGone { .. } => ("key_gone", "add the key again: `ssh-add`"),
        SignError::TokenGone { .. } => ("token_gone", "put the token back"),
        SignError::WrongPin { .. } => ("wrong_pin", "correct it before the token locks itself"),
        SignError::Unreachable { .. } => ("holder_unreachable", "start it, or correct its name"),
        SignError::Refused { .. } => ("holder_refused", "look at what it says"),
        SignError::WrongSignature { .. } => ("wrong_signature", "look at which key it holds"),
    };
    (409, code, change)
}

/// After a killed `keys protect` some files are under the old passphrase, some under the new one.
const ANOTHER_PASSPHRASE: &str = "give the passphrase that it was protected with; if `keys \
                                  protect` was interrupted, the same command again finishes it";

impl KeyError {
    /// HTTP status, stable code, and what would change the answer.
    pub(crate) fn told(&self) -> (u16, &'static str, &'static str) {
        let (status, code, change) = match self {
            KeyError::Missing(_) => (500, "key_missing", "put it back, or see docs/keys.md"),
            KeyError::Readable(_) => (500, "key_readable", "chmod 600 it, and ask who read it"),
            KeyError::Unfit { .. } => (500, "key_unfit", "put the right file back"),
            KeyError::WrongPassphrase(_) => (409, "wrong_passphrase", ANOTHER_PASSPHRASE),
            KeyError::Unsaid { .. } => {
                (409, "secret_not_given", "name a file, or run it in a terminal")
            }
            KeyError::Unusable { .. } => (400, "secret_unusable", "give another one"),
            KeyError::NotHere { .. } => (500, "key_not_here", "bring it back, or see docs/keys.md"),
            KeyError::SecondGone => (500, "second_key_gone", "rotate, and say why"),
            KeyError::NotReady { .. } => {
                (409, "keys_not_ready", "open the house again where the new keys are")
            }
            KeyError::Sign(error) => return signing(error),
            KeyError::Ledger(bailee_ledger::Error::NotSigned(error)) => return signing(error),
            KeyError::Ledger(_) => (500, "key_contradicted", "look at docs/keys.md"),
            KeyError::WrongTokenKey { .. } => {
                (409, "wrong_token_key", "bring back the key or the file; docs/keys.md")
            }
            KeyError::TokenRefuses { .. } => (409, "holder_refused", "look at what it says"),
            KeyError::Io { .. } => (500, "key_failed", "remove the cause and try again"),
        };
        (status, code, change)
    }

    pub(crate) fn io(doing: impl Into<String>, error: impl ToString) -> KeyError {
        KeyError::Io { doing: doing.into(), detail: error.to_string() }
    }
}
