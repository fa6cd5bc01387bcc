//! Checkpoints (c2sp.org/tlog-checkpoint): what the log signs about a tree.
//!
//! Invariants: the key that signs has the origin as its name; the text is origin, size, root and
//! non-empty extension lines, with one spelling each. A log must never sign two checkpoints that
//! are inconsistent; that rule lives with whoever holds the journal, not here.

use crate::encoding::{decimal, hash_from_base64, to_base64};
use crate::error::Error;
use crate::hash::Hash;
use crate::key::{Verifier, check_name};
use crate::note::Note;
use crate::sign::Sign;
use crate::tree::Tree;

const WHAT: &str = "checkpoint";
/// Largest signed checkpoint read, in bytes.
pub const MAX_CHECKPOINT: usize = 256 << 10;

/// Origin, size and root of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's identity, a URL without scheme.
    pub origin: String,
    /// Leaves in the tree.
    pub size: u64,
    /// RFC 6962 root hash.
    pub root: Hash,
    /// Opaque lines after the root; not recommended by the format.
    pub extensions: Vec<String>,
}

impl Checkpoint {
    /// The checkpoint of `tree` as it is now.
    pub fn of(origin: &str, tree: &Tree) -> Self {
        let origin = origin.to_owned();
        Self { origin, size: tree.size(), root: tree.root(), extensions: Vec::new() }
    }

    /// Parses a note text; strict.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let bad = |why| Error::malformed(WHAT, why);
        let body = text.strip_suffix('\n').ok_or(bad("it does not end in a newline"))?;
        let mut lines = body.split('\n');
        let origin = lines.next().unwrap_or_default();
        check_origin(origin)?;
        let size = lines.next().and_then(decimal).ok_or(bad("the size is not a plain decimal"))?;
        let root = lines
            .next()
            .and_then(hash_from_base64)
            .ok_or(bad("the root is not base64 of 32 bytes"))?;
        let extensions: Vec<String> = lines.map(str::to_owned).collect();
        let parsed = Self { origin: origin.to_owned(), size, root, extensions };
        parsed.check()?;
        Ok(parsed)
    }

    /// The note text: what is signed.
    pub fn to_text(&self) -> Result<String, Error> {
        self.check()?;
        let mut text = format!("{}\n{}\n{}\n", self.origin, self.size, to_base64(&self.root));
        for line in &self.extensions {
            text.push_str(line);
            text.push('\n');
        }
        Ok(text)
    }

    /// Signs as the log. Errors: the signer's name is not the origin; its holder does not sign.
    pub fn sign(&self, signer: &dyn Sign) -> Result<Note, Error> {
        let name = signer.verifier().name();
        if name != self.origin {
            return Err(self.wrong_origin(name));
        }
        Note::new(self.to_text()?)?.sign_by(signer)
    }

    /// Parses and verifies a signed checkpoint by the log `key`. Other signatures are not looked
    /// at; [`crate::policy::Policy::evaluate`] does that.
    pub fn open(bytes: &[u8], key: &Verifier) -> Result<(Self, Note), Error> {
        let note = parse_note(bytes)?;
        let parsed = Self::open_note(&note, key)?;
        Ok((parsed, note))
    }

    /// As [`Checkpoint::open`], for a note already parsed.
    pub fn open_note(note: &Note, key: &Verifier) -> Result<Self, Error> {
        note.verify(std::slice::from_ref(key))?;
        let parsed = Self::parse(note.text())?;
        if parsed.origin != key.name() {
            return Err(parsed.wrong_origin(key.name()));
        }
        Ok(parsed)
    }

    fn wrong_origin(&self, wanted: &str) -> Error {
        Error::WrongOrigin { found: self.origin.clone(), wanted: wanted.to_owned() }
    }

    fn check(&self) -> Result<(), Error> {
        check_origin(&self.origin)?;
        let unfit = |line: &String| line.is_empty() || line.chars().any(char::is_control);
        if self.extensions.iter().any(unfit) {
            return Err(Error::malformed(WHAT, "an extension line is empty or not plain text"));
        }
        Ok(())
    }
}

/// Parses a signed checkpoint without verifying it, under the checkpoint's size limit.
pub fn parse_note(bytes: &[u8]) -> Result<Note, Error> {
    if bytes.len() > MAX_CHECKPOINT {
        let (limit, got) = (MAX_CHECKPOINT as u64, bytes.len() as u64);
        return Err(Error::TooLarge { what: WHAT, limit, got });
    }
    Note::parse(bytes)
}

/// Our origins are key names too, so they follow the stricter rule for names.
pub(crate) fn check_origin(origin: &str) -> Result<(), Error> {
    check_name(origin).map_err(|_| Error::malformed(WHAT, "the origin is not a usable key name"))
}
