//! `bundle.note`: what the log signs about a bundle. Four lines, whatever the bundle's size.

use crate::checkpoint::check_origin;
use crate::encoding::{hash_from_hex, to_hex};
use crate::error::Error;
use crate::hash::Hash;

const WHAT: &str = "bundle.note";
const HEADER: &str = "bailee/bundle/v1";
/// The signed statement.
pub const NOTE: &str = "bag/bundle.note";
/// Largest signed statement read, in bytes.
pub(crate) const MAX_STATEMENT: u64 = 4096;

/// What a bundle is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Of one demand, notice or answer.
    Receipt,
    /// Of a whole matter, or a party's part of it.
    Matter,
    /// Of a sanitization or transfer.
    Certificate,
}

impl Kind {
    /// The word in `bundle.note`.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Receipt => "receipt",
            Kind::Matter => "matter",
            Kind::Certificate => "certificate",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Kind::Receipt, Kind::Matter, Kind::Certificate].into_iter().find(|k| k.name() == name)
    }
}

/// The text of `bundle.note`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// What the bundle is for.
    pub kind: Kind,
    /// Log origin.
    pub origin: String,
    /// SHA-256 of `tagmanifest-sha256.txt`.
    pub tagmanifest: Hash,
}

impl Statement {
    /// The text that is signed.
    pub fn to_text(&self) -> String {
        let Self { kind, origin, tagmanifest } = self;
        format!("{HEADER}\n{}\n{origin}\n{}\n", kind.name(), to_hex(tagmanifest))
    }

    /// Parses the text; strict.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let bad = |why| Error::malformed(WHAT, why);
        let lines: Vec<&str> = text.splitn(6, '\n').collect();
        let [header, kind, origin, tagmanifest, ""] = lines.as_slice() else {
            return Err(bad("it does not have four lines"));
        };
        if *header != HEADER {
            return Err(bad("the first line is not bailee/bundle/v1"));
        }
        let kind = Kind::from_name(kind).ok_or(bad("an unknown kind"))?;
        check_origin(origin)?;
        let tagmanifest =
            hash_from_hex(tagmanifest).ok_or(bad("the fourth line is not a SHA-256 in hex"))?;
        Ok(Self { kind, origin: (*origin).to_owned(), tagmanifest })
    }
}
