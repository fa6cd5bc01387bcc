//! Building a bundle out of ready data.
//!
//! Invariant: whatever [`BundleBuilder::write`] returns `Ok` for passes the verifier under the
//! policy it carries. Every check (signatures, inclusion, openings, exhibits named in papers) is
//! made before the first byte is written; only streamed exhibits can still fail by changing.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};

use super::{
    CERTIFICATE, CHECKPOINT, Kind, Listed, Listing, NOTE, POLICY, README, VERIFY, VERIFY_MD,
    entry_dir, guide, is_for_people, strike_found,
};
use crate::checkpoint::Checkpoint;
use crate::encoding::to_hex;
use crate::error::Error;
use crate::hash::{Hash, leaf_hash, sha256};
use crate::leaf::{Leaf, SECTION_NAMES, SECTIONS};
use crate::note::Note;
use crate::policy::Policy;
use crate::proof::verify_inclusion;
use crate::sign::Sign;
use crate::tlog_proof::TlogProof;
use crate::tree::Tree;
use crate::zip::{self, Input, Measure, ZipError};

/// A section shown in the bundle: its exact bytes and salt.
#[derive(Clone, PartialEq, Eq)]
pub struct Opened {
    /// The committed bytes.
    pub bytes: Vec<u8>,
    /// The salt they were committed with.
    pub salt: [u8; 32],
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Opened({} bytes)", self.bytes.len())
    }
}

/// Why a bundle was not built.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// Checkpoint, policy, proof or leaf do not fit together, or whoever holds the key did not sign.
    #[error("bundle not built: {0}")]
    Unfit(#[from] Error),
    /// The archive could not be written.
    #[error("bundle not written: {0}")]
    Zip(#[from] ZipError),
    /// The key is not the log's.
    #[error("bundle not built: the signer is {signer}, the log is {origin}")]
    WrongSigner {
        /// Name of the signer.
        signer: String,
        /// Origin of the checkpoint.
        origin: String,
    },
    /// Two entries with one index.
    #[error("bundle not built: entry {0} was added twice")]
    EntryTwice(u64),
    /// A section does not open its leaf's commitment.
    #[error("bundle not built: section {section} of entry {index} is not what its leaf commits to")]
    NotOpening {
        /// Leaf index.
        index: u64,
        /// Name of the section.
        section: &'static str,
    },
    /// An exhibit or certificate that no opened papers section names.
    #[error("bundle not built: no opened papers section holds SHA-256 {}", to_hex(.0))]
    NotInPapers(Hash),
    /// A text whose name is not for people, or belongs to something else.
    #[error("bundle not built: {0} is not a top-level .txt, .md, .html or .pdf name")]
    TextName(String),
}

/// Collects the parts of a bundle.
pub struct BundleBuilder<'a> {
    kind: Kind,
    note: Note,
    checkpoint: Checkpoint,
    policy: Policy,
    members: BTreeMap<String, Input<'a>>,
    entries: BTreeSet<u64>,
    unnamed: BTreeSet<Hash>,
    papers: Vec<Vec<u8>>,
}

impl<'a> BundleBuilder<'a> {
    /// Starts a bundle over a signed checkpoint that `policy` accepts.
    pub fn new(kind: Kind, checkpoint: &Note, policy: &Policy) -> Result<Self, BundleError> {
        let seen = policy.evaluate(checkpoint)?;
        let mut builder = Self {
            kind,
            note: checkpoint.clone(),
            checkpoint: seen.checkpoint,
            policy: policy.clone(),
            members: BTreeMap::new(),
            entries: BTreeSet::new(),
            unnamed: BTreeSet::new(),
            papers: Vec::new(),
        };
        let readme = guide::readme(kind, &builder.checkpoint.origin);
        builder.put(README.to_owned(), readme.into_bytes());
        builder.put(VERIFY.to_owned(), VERIFY_MD.as_bytes().to_vec());
        builder.put(CHECKPOINT.to_owned(), checkpoint.to_string().into_bytes());
        builder.put(POLICY.to_owned(), policy.to_string().into_bytes());
        Ok(builder)
    }

    /// Adds an entry of `tree`, which must have at least the checkpoint's size.
    pub fn entry_of(
        self,
        tree: &Tree,
        index: u64,
        leaf: &[u8],
        opened: [Option<Opened>; SECTIONS],
    ) -> Result<Self, BundleError> {
        let path = tree.inclusion(index, self.checkpoint.size)?;
        self.entry(index, leaf, path, opened)
    }

    /// Adds an entry: leaf bytes, its path to the checkpoint's root, the sections to show.
    pub fn entry(
        mut self,
        index: u64,
        leaf: &[u8],
        path: Vec<Hash>,
        opened: [Option<Opened>; SECTIONS],
    ) -> Result<Self, BundleError> {
        let decoded = Leaf::decode(leaf)?;
        let Checkpoint { size, root, .. } = &self.checkpoint;
        verify_inclusion(&leaf_hash(leaf), index, *size, &path, root)?;
        if !self.entries.insert(index) {
            return Err(BundleError::EntryTwice(index));
        }
        let proof = TlogProof { extra: None, index, path, checkpoint: self.note.clone() };
        let dir = entry_dir(index);
        self.put(format!("{dir}/leaf.bin"), leaf.to_vec());
        self.put(format!("{dir}/proof.tlog-proof"), proof.to_string().into_bytes());
        for (number, section) in opened.into_iter().enumerate() {
            let Some(Opened { bytes, salt }) = section else { continue };
            let name = SECTION_NAMES[number];
            let fits = bytes.len() as u64 <= super::MAX_SECTION;
            if !fits || !decoded.opens(number, &bytes, &salt) {
                return Err(BundleError::NotOpening { index, section: name });
            }
            if name == "papers" {
                self.papers.push(bytes.clone());
            }
            self.put(format!("{dir}/opened/{name}.cbor"), bytes);
            self.put(format!("{dir}/opened/{name}.salt"), salt.to_vec());
        }
        Ok(self)
    }

    /// Adds an exhibit held in memory.
    pub fn exhibit(mut self, bytes: Vec<u8>) -> Self {
        let digest = sha256(&bytes);
        self.unnamed.insert(digest);
        self.put(format!("exhibits/{}", to_hex(&digest)), bytes);
        self
    }

    /// Adds an exhibit streamed when the bundle is written; measure it with
    /// [`crate::zip::measure`] first.
    pub fn exhibit_from(mut self, measure: Measure, content: impl Read + 'a) -> Self {
        let name = format!("exhibits/{}", to_hex(&measure.sha256));
        self.unnamed.insert(measure.sha256);
        self.members.insert(name.clone(), Input::from_reader(&name, measure, content));
        self
    }

    /// Adds `certificate.json`; its SHA-256 must stand in an opened papers section.
    pub fn certificate(mut self, json: Vec<u8>) -> Self {
        self.unnamed.insert(sha256(&json));
        self.put(CERTIFICATE.to_owned(), json);
        self
    }

    /// Adds (or, for `README.txt`, replaces) a text for people: a top-level .txt, .md, .html, .pdf.
    pub fn text(mut self, name: &str, bytes: Vec<u8>) -> Result<Self, BundleError> {
        if !is_for_people(name) || name == VERIFY || zip::check_name(name).is_err() {
            return Err(BundleError::TextName(name.to_owned()));
        }
        self.put(name.to_owned(), bytes);
        Ok(self)
    }

    /// Signs the list with the log key and writes the bundle; returns its length in bytes.
    pub fn write(mut self, signer: &dyn Sign, out: &mut dyn Write) -> Result<u64, BundleError> {
        let origin = self.checkpoint.origin.clone();
        let trusted = self.policy.logs().iter().any(|log| log.key == *signer.verifier());
        let signer_name = signer.verifier().name();
        if signer_name != origin || !trusted {
            return Err(BundleError::WrongSigner { signer: signer_name.to_owned(), origin });
        }
        for papers in &self.papers {
            strike_found(&mut self.unnamed, papers);
        }
        if let Some(digest) = self.unnamed.first() {
            return Err(BundleError::NotInPapers(*digest));
        }
        let listed = |input: &Input<'_>| {
            let Measure { size, sha256, .. } = input.measure;
            Listed { sha256, size, name: input.name.clone() }
        };
        let members = self.members.values().map(listed).collect();
        let listing = Listing { kind: self.kind, origin, members };
        let note = Note::new(listing.to_text())?.sign_by(signer)?;
        self.put(NOTE.to_owned(), note.to_string().into_bytes());
        Ok(zip::write(out, self.members.into_values().collect())?)
    }

    fn put(&mut self, name: String, bytes: Vec<u8>) {
        let input = Input::from_bytes(&name, bytes);
        self.members.insert(name, input);
    }
}
