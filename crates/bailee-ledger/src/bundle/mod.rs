//! Bundles (`*.bailee.zip`): everything one party needs to prove its entries, in one file.
//!
//! Invariants: `bundle.note`, signed by the log key with exactly one signature, lists every other
//! member with size and SHA-256; the ZIP has one encoding (zip/); so every byte of the file is
//! covered by that signature. All proofs in a bundle lead to its one `checkpoint` member. A
//! builder issues only what the verifier accepts.
//!
//! An exhibit is tied to an entry by containment: the opened papers section, which the leaf
//! commits to, holds the exhibit's 32-byte SHA-256 somewhere in its bytes. Nobody can choose
//! committed bytes after the fact, nor find a file for a digest, so where it stands is irrelevant.

mod build;
mod guide;

pub use build::{BundleBuilder, BundleError, Opened};
pub use guide::VERIFY_MD;

use std::collections::BTreeSet;

use crate::checkpoint::check_origin;
use crate::encoding::{decimal, hash_from_hex, to_hex};
use crate::error::Error;
use crate::hash::Hash;
use crate::leaf::SECTION_NAMES;
use crate::zip::check_name;

const WHAT: &str = "bundle.note";
const HEADER: &str = "bailee/bundle/v1";
/// The signed list of members.
pub const NOTE: &str = "bundle.note";
/// The policy the issuer offers.
pub const POLICY: &str = "policy.tlog-policy";
/// The signed checkpoint all proofs lead to.
pub const CHECKPOINT: &str = "checkpoint";
/// Steps for people without this program.
pub const VERIFY: &str = "VERIFY.md";
/// What the bundle is, for people.
pub const README: &str = "README.txt";
/// A certificate whose SHA-256 stands in an opened papers section.
pub const CERTIFICATE: &str = "certificate.json";
/// Largest section read, in bytes.
pub const MAX_SECTION: u64 = 16 << 20;

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

/// One member as `bundle.note` lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// SHA-256 of the content.
    pub sha256: Hash,
    /// Bytes.
    pub size: u64,
    /// Member name.
    pub name: String,
}

/// The text of `bundle.note`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// What the bundle is for.
    pub kind: Kind,
    /// Log origin.
    pub origin: String,
    /// All other members, by name.
    pub members: Vec<Listed>,
}

impl Listing {
    /// The text that is signed. `members` must be in strict name order.
    pub fn to_text(&self) -> String {
        let mut text = format!("{HEADER}\n{}\n{}\n", self.kind.name(), self.origin);
        for Listed { sha256, size, name } in &self.members {
            text.push_str(&format!("{} {size} {name}\n", to_hex(sha256)));
        }
        text
    }

    /// Parses the text; strict.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let bad = |why| Error::malformed(WHAT, why);
        let body = text.strip_suffix('\n').ok_or(bad("it does not end in a newline"))?;
        let mut lines = body.split('\n');
        if lines.next() != Some(HEADER) {
            return Err(bad("the first line is not bailee/bundle/v1"));
        }
        let kind = lines.next().and_then(Kind::from_name).ok_or(bad("an unknown kind"))?;
        let origin = lines.next().unwrap_or_default().to_owned();
        check_origin(&origin)?;
        let mut members: Vec<Listed> = Vec::new();
        for line in lines {
            let listed = parse_line(line).ok_or(bad("a line is not `sha256 size name`"))?;
            if members.last().is_some_and(|before| before.name >= listed.name) {
                return Err(bad("the members are not in order"));
            }
            members.push(listed);
        }
        Ok(Self { kind, origin, members })
    }
}

fn parse_line(line: &str) -> Option<Listed> {
    let mut words = line.splitn(3, ' ');
    let sha256 = hash_from_hex(words.next()?)?;
    let size = decimal(words.next()?)?;
    let name = words.next()?;
    check_name(name).ok()?;
    Some(Listed { sha256, size, name: name.to_owned() })
}

/// What a member is, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// `bundle.note`, `policy.tlog-policy`.
    Frame,
    /// `checkpoint`.
    Checkpoint,
    /// `certificate.json`.
    Certificate,
    /// Top-level text for people; the verifier only checks that it is as listed.
    ForPeople,
    /// `entries/<index>/leaf.bin`.
    Leaf(u64),
    /// `entries/<index>/proof.tlog-proof`.
    Proof(u64),
    /// `entries/<index>/opened/<section>.cbor` or `.salt`.
    Section(u64),
    /// `exhibits/<sha256>`.
    Exhibit(Hash),
}

impl Part {
    /// `None` for a name that has no place in a bundle.
    pub(crate) fn of(name: &str) -> Option<Part> {
        if let Some(rest) = name.strip_prefix("entries/") {
            let (index, file) = rest.split_once('/')?;
            let number = decimal(index.trim_start_matches('0')).unwrap_or(0);
            if entry_dir(number) != format!("entries/{index}") {
                return None;
            }
            return match file {
                "leaf.bin" => Some(Part::Leaf(number)),
                "proof.tlog-proof" => Some(Part::Proof(number)),
                file => {
                    let (section, kind) = file.strip_prefix("opened/")?.split_once('.')?;
                    let known =
                        SECTION_NAMES.contains(&section) && ["cbor", "salt"].contains(&kind);
                    known.then_some(Part::Section(number))
                }
            };
        }
        if let Some(digest) = name.strip_prefix("exhibits/") {
            return hash_from_hex(digest).map(Part::Exhibit);
        }
        match name {
            NOTE | POLICY => Some(Part::Frame),
            CHECKPOINT => Some(Part::Checkpoint),
            CERTIFICATE => Some(Part::Certificate),
            name if is_for_people(name) => Some(Part::ForPeople),
            _ => None,
        }
    }
}

/// Top-level names for people end in .txt, .md, .html or .pdf.
pub(crate) fn is_for_people(name: &str) -> bool {
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    !name.contains('/') && ["txt", "md", "html", "pdf"].contains(&ending)
}

/// `entries/000000007`: nine digits, more when the log has grown past them.
pub(crate) fn entry_dir(index: u64) -> String {
    format!("entries/{index:09}")
}

/// Removes from `wanted` every digest that occurs in `papers`.
pub(crate) fn strike_found(wanted: &mut BTreeSet<Hash>, papers: &[u8]) {
    for window in papers.windows(32) {
        if wanted.is_empty() {
            return;
        }
        if let Ok(digest) = <&Hash>::try_from(window) {
            wanted.remove(digest);
        }
    }
}
