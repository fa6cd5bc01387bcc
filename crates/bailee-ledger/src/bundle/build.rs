//! Building a bundle out of ready data.
//!
//! Invariant: nothing contradicts what [`BundleBuilder::write`] returns `Ok` for, when it is
//! verified under the policy and roots it carries. Every check (signatures, inclusion, openings,
//! exhibits named in papers, timestamps) is made before the first byte is written; only streamed
//! exhibits can still fail by changing.
//!
//! Memory: opened sections and the lists of names. Streamed exhibits are opened one after the
//! other when the bundle is written; proofs, which repeat the checkpoint, are made again then.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::sync::Arc;

use super::layout::{MAX_TOKENS, exhibit_name, text_name};
use super::{
    BAG_INFO, BAGIT, BagInfo, CERTIFICATE, CHECKPOINT, DECLARATION, GUIDES, Kind, List, Listed,
    Manifest, NOTE, POLICY, README, ROOT, Statement, check_authority, entry_dir, guide,
    path_in_bag, roots_name, strike_found, token_name,
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
use crate::timestamp::{Roots, verify_series};
use crate::tlog_proof::TlogProof;
use crate::tree::Tree;
use crate::zip::{self, Input, Measure, ZipError};

/// What `bag-info.txt` names as the writer.
const AGENT: &str = concat!("bailee ", env!("CARGO_PKG_VERSION"));

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
    /// Checkpoint, policy, proof or leaf do not fit together, or whoever holds the key did not
    /// sign.
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
    /// Tokens of a timestamp authority that a verifier would not accept.
    #[error("bundle not built: timestamps of {authority} are unfit: {why}")]
    UnfitStamp {
        /// The authority as the caller names it.
        authority: String,
        /// What is wrong with them.
        why: String,
    },
}

/// Collects the parts of a bundle.
pub struct BundleBuilder<'a> {
    kind: Kind,
    note: Arc<Note>,
    checkpoint: Checkpoint,
    policy: Policy,
    identifier: Option<String>,
    /// The payload, by member name.
    payload: BTreeMap<String, Input<'a>>,
    entries: BTreeSet<u64>,
    unnamed: BTreeSet<Hash>,
    papers: Vec<Arc<[u8]>>,
}

impl<'a> BundleBuilder<'a> {
    /// Starts a bundle over a checkpoint that a log of `policy` signed. Error: it did not, or a key
    /// of the policy has a signature on it that does not verify.
    pub fn new(kind: Kind, checkpoint: &Note, policy: &Policy) -> Result<Self, BundleError> {
        // A quorum that is not reached yet keeps nobody waiting: the verifier tells of it.
        policy.cosignatures(checkpoint)?;
        let (_, opened) = policy.open_log(checkpoint)?;
        let mut builder = Self {
            kind,
            note: Arc::new(checkpoint.clone()),
            checkpoint: opened,
            policy: policy.clone(),
            identifier: None,
            payload: BTreeMap::new(),
            entries: BTreeSet::new(),
            unnamed: BTreeSet::new(),
            papers: Vec::new(),
        };
        let readme = guide::readme(kind, &builder.checkpoint.origin);
        builder.put(README, readme);
        builder.put(CHECKPOINT, checkpoint.to_string());
        builder.put(POLICY, policy.to_string());
        Ok(builder)
    }

    /// What the issuer calls the bundle (`External-Identifier` of the bag); if not said, it is made
    /// of origin, kind, size of the tree and first entry.
    pub fn identifier(mut self, identifier: &str) -> Self {
        self.identifier = Some(identifier.to_owned());
        self
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
        let dir = entry_dir(index);
        self.put(&format!("{dir}/leaf.bin"), Vec::from(leaf));
        self.put_proof(&format!("{dir}/proof.tlog-proof"), index, path);
        for (number, section) in opened.into_iter().enumerate() {
            let Some(Opened { bytes, salt }) = section else { continue };
            let name = SECTION_NAMES[number];
            let fits = bytes.len() as u64 <= super::MAX_SECTION;
            if !fits || !decoded.opens(number, &bytes, &salt) {
                return Err(BundleError::NotOpening { index, section: name });
            }
            let bytes: Arc<[u8]> = bytes.into();
            if name == "papers" {
                self.papers.push(Arc::clone(&bytes));
            }
            self.put(&format!("{dir}/opened/{name}.cbor"), bytes);
            self.put(&format!("{dir}/opened/{name}.salt"), salt);
        }
        Ok(self)
    }

    /// Adds an exhibit held in memory.
    pub fn exhibit(mut self, bytes: Vec<u8>) -> Self {
        let digest = sha256(&bytes);
        self.unnamed.insert(digest);
        self.put(&exhibit_name(&digest), bytes);
        self
    }

    /// Adds an exhibit streamed when the bundle is written; measure it with
    /// [`crate::zip::measure`] first.
    pub fn exhibit_from(self, measure: Measure, content: impl Read + 'a) -> Self {
        self.exhibit_opened(measure, move || Ok(content))
    }

    /// As [`Self::exhibit_from`], opened only when its turn comes and closed after it, so that
    /// thousands of files can ride along.
    pub fn exhibit_opened<R: Read + 'a>(
        mut self,
        measure: Measure,
        open: impl FnOnce() -> std::io::Result<R> + 'a,
    ) -> Self {
        self.unnamed.insert(measure.sha256);
        self.put_input(Input::from_opener(&exhibit_name(&measure.sha256), measure, open));
        self
    }

    /// Adds `certificate.json`; its SHA-256 must stand in an opened papers section.
    pub fn certificate(mut self, json: Vec<u8>) -> Self {
        self.unnamed.insert(sha256(&json));
        self.put(CERTIFICATE, json);
        self
    }

    /// Adds (or, for `README.txt`, replaces) a text for people: a top-level .txt, .md, .html, .pdf.
    pub fn text(mut self, name: &str, bytes: Vec<u8>) -> Result<Self, BundleError> {
        let member = text_name(name).filter(|member| zip::check_name(member).is_ok());
        let member = member.ok_or_else(|| BundleError::TextName(name.to_owned()))?;
        self.put(&member, bytes);
        Ok(self)
    }

    /// Adds what a timestamp authority said (RFC 3161): raw responses, the first over the
    /// checkpoint as it stands in this bundle, each later one over the one before; and the
    /// certificates, in PEM, that the issuer offers as anchors.
    pub fn stamp(
        mut self,
        authority: &str,
        roots_pem: Vec<u8>,
        tokens: Vec<Vec<u8>>,
    ) -> Result<Self, BundleError> {
        let unfit = |why: String| BundleError::UnfitStamp { authority: authority.to_owned(), why };
        check_authority(authority).map_err(|why| unfit(why.to_owned()))?;
        let roots_name = roots_name(authority);
        if self.payload.contains_key(&roots_name) {
            return Err(unfit("they were added before".to_owned()));
        }
        if tokens.is_empty() || tokens.len() > MAX_TOKENS {
            return Err(unfit(format!("{} tokens, not 1 to {MAX_TOKENS}", tokens.len())));
        }
        let imprint = sha256(self.note.to_string().as_bytes());
        Roots::from_pem(&roots_pem)
            .and_then(|roots| verify_series(&tokens, &imprint, &roots, 0))
            .map_err(|error| unfit(error.to_string()))?;
        self.put(&roots_name, roots_pem);
        for (number, token) in tokens.into_iter().enumerate() {
            self.put(&token_name(authority, number), token);
        }
        Ok(self)
    }

    /// Signs with the log key and writes the bundle; returns its length in bytes.
    pub fn write(mut self, signer: &dyn Sign, out: &mut dyn Write) -> Result<u64, BundleError> {
        let origin = &self.checkpoint.origin;
        let trusted = self.policy.logs().iter().any(|log| log.key == *signer.verifier());
        let signer_name = signer.verifier().name();
        if signer_name != origin || !trusted {
            let (signer, origin) = (signer_name.to_owned(), origin.clone());
            return Err(BundleError::WrongSigner { signer, origin });
        }
        for papers in &self.papers {
            strike_found(&mut self.unnamed, papers);
        }
        if let Some(digest) = self.unnamed.first() {
            return Err(BundleError::NotInPapers(*digest));
        }
        let mut members = self.tag_files()?;
        let tags = list(List::Tags, &members)?.to_text();
        let (kind, origin) = (self.kind, self.checkpoint.origin.clone());
        let statement = Statement { kind, origin, tagmanifest: sha256(tags.as_bytes()) };
        let note = Note::new(statement.to_text())?.sign_by(signer)?;
        members.push(Input::from_bytes(List::Tags.member(), tags));
        members.push(Input::from_bytes(NOTE, note.to_string()));
        members.extend(self.payload.into_values());
        Ok(zip::write(out, members)?)
    }

    /// What the tag manifest lists.
    fn tag_files(&self) -> Result<Vec<Input<'a>>, BundleError> {
        let info = BagInfo {
            origin: self.checkpoint.origin.clone(),
            identifier: self.identifier.clone().unwrap_or_else(|| self.own_identifier()),
            agent: AGENT.to_owned(),
            octets: self
                .payload
                .values()
                .fold(0, |sum, input| input.measure.size.saturating_add(sum)),
            files: self.payload.len() as u64,
        };
        let payload = list(List::Payload, self.payload.values())?.to_text();
        let mut files = vec![
            Input::from_bytes(BAGIT, DECLARATION),
            Input::from_bytes(BAG_INFO, info.to_text()?),
            Input::from_bytes(List::Payload.member(), payload),
        ];
        let guide = |(path, text): &(&str, &'static str)| {
            Input::from_bytes(&format!("{ROOT}{path}"), *text)
        };
        files.extend(GUIDES.iter().map(guide));
        Ok(files)
    }

    fn own_identifier(&self) -> String {
        let Checkpoint { origin, size, .. } = &self.checkpoint;
        let first = self.entries.first().map_or(String::new(), |index| format!("/{index}"));
        format!("{origin}/{}/{size}{first}", self.kind.name())
    }

    fn put(&mut self, name: &str, bytes: impl AsRef<[u8]> + 'a) {
        self.put_input(Input::from_bytes(name, bytes));
    }

    fn put_proof(&mut self, name: &str, index: u64, path: Vec<Hash>) {
        let note = Arc::clone(&self.note);
        let make = move || {
            let (path, checkpoint) = (path.clone(), Note::clone(&note));
            TlogProof { extra: None, index, path, checkpoint }.to_string().into_bytes()
        };
        self.put_input(Input::from_maker(name, make));
    }

    fn put_input(&mut self, input: Input<'a>) {
        self.payload.insert(input.name.clone(), input);
    }
}

fn list<'i, 'a: 'i>(
    list: List,
    inputs: impl IntoIterator<Item = &'i Input<'a>>,
) -> Result<Manifest, Error> {
    let listed = |input: &Input<'_>| {
        let path = path_in_bag(&input.name).to_owned();
        Listed { path, sha256: input.measure.sha256 }
    };
    Manifest::new(list, inputs.into_iter().map(listed).collect())
}
