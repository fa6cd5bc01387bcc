//! What comes with a command: a thing as it is registered, a demand as it arrives, why and how.
//!
//! Out of scope: whether it is allowed; `decide` says.

use crate::asset::{AssetKind, Identifier};
use crate::demand::{Digest, Exhibit, Medium, Scope};
use crate::id::{AccountId, AssetId, EntityId, MatterId};
use crate::party::Who;
use crate::rotation::LogKeys;

/// An asset as it is registered.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the fields of Asset")]
pub struct NewAsset {
    pub kind: AssetKind,
    pub label: String,
    pub accounts: Vec<AccountId>,
    pub identifiers: Vec<Identifier>,
    pub part_of: Option<AssetId>,
    pub copy_of: Vec<AssetId>,
    pub place: String,
    pub bytes: u64,
}

/// A demand as it arrives.
#[derive(Clone, Debug, PartialEq)]
pub struct NewDemand {
    /// The sender as it names itself; matched to a known party by address.
    pub from: Who,
    /// The legal entity it is addressed to, if one was named.
    pub entity: Option<EntityId>,
    /// Instrument code; unknown or `None` is a letter.
    pub instrument: Option<String>,
    /// How it came in.
    pub medium: Medium,
    /// What the sender named in a form (empty for a letter).
    pub scope: Scope,
    /// Readable text of the letter, matched against what is kept here.
    pub text: String,
    /// Letter and attachments.
    pub exhibits: Vec<Exhibit>,
    /// `Some(true)`: the sender forbids telling the owner; `None`: as the instrument says.
    pub silent: Option<bool>,
    /// Parts of the letter are broken.
    pub damaged: bool,
    /// Something is enclosed that was not read, such as a PDF.
    pub unread: bool,
    /// A program wrote it, as an answer to some letter or to many: nobody objects by it.
    pub automatic: bool,
}

/// Under which name and keys a log goes on whose key was lost, and where it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields of Continuation")]
pub struct Continue {
    pub origin: String,
    pub keys: LogKeys,
    pub before: String,
    pub key: [u8; 32],
    pub size: u64,
    pub root: Digest,
    pub note: Digest,
}

/// Free text and exhibits that go with an act of a person.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Reason {
    /// In words.
    pub note: String,
    /// The document.
    pub exhibits: Vec<Exhibit>,
}

/// How a demand is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Triage {
    /// Its hold becomes active.
    Accept(Option<MatterId>),
    /// The requester is asked; the hold stays.
    Clarify,
    /// In writing; the hold cools.
    Refuse,
}
