//! Sign: what is asked of whoever holds a log key. It may be in memory, in an agent or in a token.
//!
//! Invariants: whoever implements [`Sign`] answers with an Ed25519 signature over exactly the
//! message, or with a named error; the ledger verifies each answer under the public key before it
//! goes into a note, so that a swapped key or a faulty token spoils nothing; no secret crosses this
//! line. Out of scope: ML-DSA keys, which no agent or token holds yet ([`crate::PqSigner`]).

use std::sync::Arc;

use crate::key::Verifier;

/// Whoever signs with an Ed25519 key.
pub trait Sign: Send + Sync {
    /// The public half.
    fn verifier(&self) -> &Verifier;

    /// An Ed25519 signature over `message`. May ask a person or a device, so it may take long.
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError>;
}

impl<T: Sign + ?Sized> Sign for Arc<T> {
    fn verifier(&self) -> &Verifier {
        (**self).verifier()
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError> {
        (**self).sign(message)
    }
}

/// Why there is no signature. `holder` names the agent, token or file, never what is in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// It is there and answers nobody before it is unlocked.
    #[error("{holder} is locked or empty: unlock it or add the key, then try again")]
    Locked {
        /// Who holds the key.
        holder: String,
    },
    /// It is there, and the key is not.
    #[error("{holder} does not have the key: add it again, or look at which key is configured")]
    KeyGone {
        /// Who holds the key.
        holder: String,
    },
    /// The token is not there.
    #[error("{holder} was taken out or is not initialised: put it back, then try again")]
    TokenGone {
        /// Who holds the key.
        holder: String,
    },
    /// The PIN is not the right one.
    #[error("{holder} refuses the PIN: correct it before it locks itself")]
    WrongPin {
        /// Who holds the key.
        holder: String,
    },
    /// Nobody answers.
    #[error("{holder} does not answer ({detail}): start it, then try again")]
    Unreachable {
        /// Who holds the key.
        holder: String,
        /// The system's words.
        detail: String,
    },
    /// It answers no.
    #[error("{holder} refuses to sign ({detail})")]
    Refused {
        /// Who holds the key.
        holder: String,
        /// Its words.
        detail: String,
    },
    /// It answers with something else than a signature by this key.
    #[error("{holder} answered with a signature that is not by its key: nothing was signed")]
    WrongSignature {
        /// Who holds the key.
        holder: String,
    },
}
