//! From the log's signature to the list of all files: note, tag manifest, manifest.
//!
//! Invariant: a list is parsed only after its SHA-256 is the one that stands above it, so a
//! stranger's list is never even looked at.

use std::io::{Read, Seek};

use super::VerifyError;
use crate::bundle::{List, MAX_STATEMENT, Manifest, NOTE, Statement};
use crate::error::Error;
use crate::hash::{Hash, sha256};
use crate::key::Verifier;
use crate::note::Note;
use crate::policy::Policy;
use crate::zip::Archive;

/// What the log signed about the bundle.
pub(super) struct Chain {
    pub(super) statement: Statement,
    pub(super) key: Verifier,
    pub(super) tags: Manifest,
    pub(super) payload: Manifest,
}

impl Chain {
    pub(super) fn follow(
        archive: &mut Archive<impl Read + Seek>,
        policy: &Policy,
    ) -> Result<Self, VerifyError> {
        let note = archive.read(NOTE, MAX_STATEMENT)?;
        let opened = open_statement(&note, policy);
        let (statement, key) = opened.map_err(|error| in_member(NOTE, error))?;
        let (list, by) = (List::Tags, NOTE);
        let tags = manifest(archive, list, &statement.tagmanifest, by)?;
        let (list, by) = (List::Payload, list.member());
        let unlisted = || in_member(by, Error::malformed(NAME, "it lists no manifest-sha256.txt"));
        let digest = tags.get(list.path()).ok_or_else(unlisted)?;
        let payload = manifest(archive, list, digest, by)?;
        Ok(Self { statement, key, tags, payload })
    }
}

const NAME: &str = "tagmanifest-sha256.txt";

fn in_member(member: &'static str, error: Error) -> VerifyError {
    VerifyError::Member { member, error }
}

fn manifest(
    archive: &mut Archive<impl Read + Seek>,
    list: List,
    wanted: &Hash,
    by: &'static str,
) -> Result<Manifest, VerifyError> {
    let member = list.member();
    let bytes = archive.read(member, List::limit(archive.members().len()))?;
    if sha256(&bytes) != *wanted {
        return Err(VerifyError::NotTheOne { member, by });
    }
    Manifest::parse(list, &bytes).map_err(|error| in_member(member, error))
}

/// The statement, after its one signature by the log key of its origin.
fn open_statement(bytes: &[u8], policy: &Policy) -> Result<(Statement, Verifier), Error> {
    let note = Note::parse(bytes)?;
    if note.signatures().len() != 1 {
        return Err(Error::malformed("bundle.note", "it does not carry exactly one signature"));
    }
    let keys: Vec<Verifier> = policy.logs().iter().map(|log| log.key.clone()).collect();
    let signed = note.verify(&keys)?;
    let key = keys[signed[0].key].clone();
    let statement = Statement::parse(note.text())?;
    if statement.origin != key.name() {
        let (found, wanted) = (statement.origin, key.name().to_owned());
        return Err(Error::WrongOrigin { found, wanted });
    }
    Ok((statement, key))
}
