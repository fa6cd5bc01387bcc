//! Clearance tokens: signed, short-lived permissions to let go of one thing.
//!
//! Invariants: a [`Clearance`] can only be built by [`verify`], and is consumed by value by whoever
//! destroys; the token has exactly one spelling (it re-encodes to itself and carries one
//! signature); the key is named `<origin>/clearance`, so neither a checkpoint nor a bundle can be
//! passed off as one. (Single use is enforced by the gate's begin; this file proves authenticity,
//! object and freshness.)
//!
//! Order of checks: signature, spelling, origin, then asset, act, subject, time. A forged token
//! therefore learns nothing about what was expected.

use crate::encoding::{decimal, hash_from_hex, signed_decimal, to_hex};
use crate::error::Error;
use crate::hash::Hash;
use crate::key::{KeyKind, Signer, Verifier};
use crate::note::Note;

const HEADER: &str = "bailee/clearance/v1";
const KEY_SUFFIX: &str = "/clearance";
/// Longest token read, in bytes.
pub const MAX_TOKEN: usize = 4 << 10;

/// What may be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Overwrite a device (vault copies stay).
    Sanitize,
    /// Expire a snapshot.
    Expire,
    /// Give the asset back to its owner.
    Return,
    /// Hand custody to a transferee.
    Transfer,
    /// Erase a custody unit cryptographically.
    Erase,
}

impl Act {
    /// The word in the token.
    pub fn name(self) -> &'static str {
        match self {
            Act::Sanitize => "sanitize",
            Act::Expire => "expire",
            Act::Return => "return",
            Act::Transfer => "transfer",
            Act::Erase => "erase",
        }
    }

    /// The act of a token word.
    pub fn from_name(name: &str) -> Option<Self> {
        let all = [Act::Sanitize, Act::Expire, Act::Return, Act::Transfer, Act::Erase];
        all.into_iter().find(|act| act.name() == name)
    }
}

/// The terms a clearance is signed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Log origin that granted it.
    pub origin: String,
    /// `C-n`.
    pub clearance: u32,
    /// `X-n`, the disposition carried out.
    pub disposition: u32,
    /// `A-n`, the asset.
    pub asset: u32,
    /// What may be done.
    pub act: Act,
    /// SHA-256 of the identity of the thing itself (device identity, snapshot manifest root).
    pub subject: Hash,
    /// Log position of the reservation.
    pub position: u64,
    /// Unix seconds after which the token is void.
    pub not_after: i64,
}

/// What the one who is about to act has in front of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expect {
    /// `A-n`, the asset.
    pub asset: u32,
    /// What is about to be done.
    pub act: Act,
    /// SHA-256 of the identity read from the thing itself.
    pub subject: Hash,
}

/// A verified permission. No public constructor but [`verify`].
#[derive(Debug)]
pub struct Clearance {
    terms: Terms,
}

impl Clearance {
    /// The terms it was granted under.
    pub fn terms(&self) -> &Terms {
        &self.terms
    }
}

/// Why a token does not permit the act.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClearanceError {
    /// The note cannot be parsed, or its signature fails.
    #[error("clearance refused: {0}")]
    Note(#[from] Error),
    /// The token has another spelling than the one this program writes.
    #[error("clearance refused: {0}; ask the gate for a new token")]
    Malformed(&'static str),
    /// The key is not a clearance key of the origin in the terms.
    #[error("clearance refused: it is for {origin} but the key is named {key}")]
    WrongKey {
        /// Origin in the terms.
        origin: String,
        /// Name of the key.
        key: String,
    },
    /// It is for another asset.
    #[error("clearance C-{clearance} is for asset A-{found}, this is A-{wanted}")]
    WrongAsset {
        /// The token's number.
        clearance: u32,
        /// Asset in the token.
        found: u32,
        /// Asset at hand.
        wanted: u32,
    },
    /// It permits something else.
    #[error("clearance C-{clearance} permits to {}, not to {}", found.name(), wanted.name())]
    WrongAct {
        /// The token's number.
        clearance: u32,
        /// Act in the token.
        found: Act,
        /// Act about to be done.
        wanted: Act,
    },
    /// The thing at hand is not the thing it was granted for.
    #[error(
        "clearance C-{clearance} was granted for another device or snapshot (identity {}); \
         stop and compare the serial number",
        to_hex(found)
    )]
    WrongSubject {
        /// The token's number.
        clearance: u32,
        /// Subject in the token.
        found: Hash,
    },
    /// Too late.
    #[error("clearance C-{clearance} was valid until {not_after}, now is {now}; reserve again")]
    Expired {
        /// The token's number.
        clearance: u32,
        /// Unix seconds in the token.
        not_after: i64,
        /// Unix seconds given by the caller.
        now: i64,
    },
}

/// The name of the key that signs clearances of the log `origin`.
pub fn key_name(origin: &str) -> String {
    format!("{origin}{KEY_SUFFIX}")
}

/// Signs a token. Error: the signer is not named [`key_name`] of the origin.
pub fn sign(terms: &Terms, signer: &Signer) -> Result<String, ClearanceError> {
    check_key(terms, signer.verifier())?;
    Ok(Note::new(encode(terms))?.sign(signer, 0).to_string())
}

/// Verifies a token at `now_unix` (Unix seconds) for exactly what is `expect`ed.
pub fn verify(
    token: &[u8],
    key: &Verifier,
    expect: &Expect,
    now_unix: i64,
) -> Result<Clearance, ClearanceError> {
    let terms = open(token, key)?;
    let clearance = terms.clearance;
    if terms.asset != expect.asset {
        let (found, wanted) = (terms.asset, expect.asset);
        return Err(ClearanceError::WrongAsset { clearance, found, wanted });
    }
    if terms.act != expect.act {
        let (found, wanted) = (terms.act, expect.act);
        return Err(ClearanceError::WrongAct { clearance, found, wanted });
    }
    if terms.subject != expect.subject {
        return Err(ClearanceError::WrongSubject { clearance, found: terms.subject });
    }
    if now_unix > terms.not_after {
        let not_after = terms.not_after;
        return Err(ClearanceError::Expired { clearance, not_after, now: now_unix });
    }
    Ok(Clearance { terms })
}

/// Reads authentic terms, to show them. Gives no [`Clearance`]: it does not say they apply here.
pub fn open(token: &[u8], key: &Verifier) -> Result<Terms, ClearanceError> {
    if token.len() > MAX_TOKEN {
        return Err(ClearanceError::Malformed("it is longer than a clearance"));
    }
    let note = Note::parse(token)?;
    note.verify(std::slice::from_ref(key))?;
    if note.signatures().len() != 1 {
        return Err(ClearanceError::Malformed("it does not carry exactly one signature"));
    }
    let terms = decode(note.text())
        .filter(|terms| encode(terms) == note.text())
        .ok_or(ClearanceError::Malformed("the terms are not a clearance of version 1"))?;
    check_key(&terms, key)?;
    Ok(terms)
}

fn check_key(terms: &Terms, key: &Verifier) -> Result<(), ClearanceError> {
    if key.kind() == KeyKind::Note && key.name() == key_name(&terms.origin) {
        return Ok(());
    }
    let (origin, key) = (terms.origin.clone(), key.name().to_owned());
    Err(ClearanceError::WrongKey { origin, key })
}

fn encode(terms: &Terms) -> String {
    let Terms { origin, clearance, disposition, asset, act, subject, position, not_after } = terms;
    format!(
        "{HEADER}\norigin {origin}\nclearance {clearance}\ndisposition {disposition}\n\
         asset {asset}\nact {}\nsubject {}\nposition {position}\nnot_after {not_after}\n",
        act.name(),
        to_hex(subject)
    )
}

fn decode(text: &str) -> Option<Terms> {
    let mut lines = text.strip_suffix('\n')?.split('\n');
    if lines.next()? != HEADER {
        return None;
    }
    let mut field = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(' ');
    let origin = field("origin")?.to_owned();
    let number = |text: &str| u32::try_from(decimal(text)?).ok();
    let terms = Terms {
        origin,
        clearance: number(field("clearance")?)?,
        disposition: number(field("disposition")?)?,
        asset: number(field("asset")?)?,
        act: Act::from_name(field("act")?)?,
        subject: hash_from_hex(field("subject")?)?,
        position: decimal(field("position")?)?,
        not_after: signed_decimal(field("not_after")?)?,
    };
    if lines.next().is_some() { None } else { Some(terms) }
}
