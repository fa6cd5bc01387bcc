//! Where things lie in a bundle: every name that may occur, and what it is the name of.
//!
//! Invariant: a thing has one name; what has no name here has no place in a bundle.

use crate::encoding::{decimal, hash_from_hex, to_hex};
use crate::hash::Hash;
use crate::leaf::SECTION_NAMES;

use super::{BAG_INFO, BAGIT, List, NOTE};

/// The one top directory.
pub const ROOT: &str = "bag/";
/// The payload.
const DATA: &str = "bag/data/";
const ENTRIES: &str = "bag/data/entries/";
const EXHIBITS: &str = "bag/data/exhibits/";
const TIMESTAMPS: &str = "bag/data/timestamps/";
/// The policy the issuer offers.
pub const POLICY: &str = "bag/data/policy.tlog-policy";
/// The signed checkpoint all proofs lead to.
pub const CHECKPOINT: &str = "bag/data/checkpoint";
/// What the bundle is, for people.
pub const README: &str = "bag/data/README.txt";
/// A certificate whose SHA-256 stands in an opened papers section.
pub const CERTIFICATE: &str = "bag/data/certificate.json";
/// Largest section read, in bytes.
pub const MAX_SECTION: u64 = 16 << 20;
/// Longest name of a timestamp authority, in bytes.
const MAX_AUTHORITY: usize = 64;
/// Most tokens of one authority: yearly renewals for longer than anybody will ask.
pub(crate) const MAX_TOKENS: usize = 100;

/// What a member is, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The bag's own files, `bundle.note`, the policy.
    Frame,
    /// `checkpoint`.
    Checkpoint,
    /// `certificate.json`.
    Certificate,
    /// A text or verifier for people; ours only checks that it is as listed.
    ForPeople,
    /// `entries/<index>/leaf.bin`.
    Leaf(u64),
    /// `entries/<index>/proof.tlog-proof`.
    Proof(u64),
    /// `entries/<index>/opened/<section>.cbor` or `.salt`.
    Section(u64),
    /// `exhibits/<sha256>`.
    Exhibit(Hash),
    /// `timestamps/<authority>/<n>.tsr` or `roots.pem`.
    Timestamp,
}

impl Part {
    /// `None` for a name that has no place in a bundle.
    pub(crate) fn of(name: &str) -> Option<Part> {
        let Some(payload) = name.strip_prefix(DATA) else { return tag_file(name) };
        if let Some(rest) = name.strip_prefix(ENTRIES) {
            return entry_file(rest);
        }
        if let Some(digest) = name.strip_prefix(EXHIBITS) {
            return hash_from_hex(digest).map(Part::Exhibit);
        }
        if name.starts_with(TIMESTAMPS) {
            return TimestampFile::of(name).map(|_| Part::Timestamp);
        }
        match name {
            POLICY => Some(Part::Frame),
            CHECKPOINT => Some(Part::Checkpoint),
            CERTIFICATE => Some(Part::Certificate),
            _ if is_for_people(payload) => Some(Part::ForPeople),
            _ => None,
        }
    }
}

fn tag_file(name: &str) -> Option<Part> {
    let frame = [NOTE, BAGIT, BAG_INFO, List::Payload.member(), List::Tags.member()];
    if frame.contains(&name) {
        return Some(Part::Frame);
    }
    let guide = name.starts_with(ROOT) && GUIDE_NAMES.contains(&path_in_bag(name));
    guide.then_some(Part::ForPeople)
}

/// Verifiers for people that a bundle may hold beside the bag's own files.
const GUIDE_NAMES: [&str; 3] = ["VERIFY.md", "verify.html", "verify.py"];

/// Below `entries/`.
fn entry_file(rest: &str) -> Option<Part> {
    let (index, file) = rest.split_once('/')?;
    let number = decimal(index.trim_start_matches('0')).unwrap_or(0);
    if entry_dir(number).strip_prefix(ENTRIES) != Some(index) {
        return None;
    }
    match file {
        "leaf.bin" => Some(Part::Leaf(number)),
        "proof.tlog-proof" => Some(Part::Proof(number)),
        file => {
            let (section, kind) = file.strip_prefix("opened/")?.split_once('.')?;
            let known = SECTION_NAMES.contains(&section) && ["cbor", "salt"].contains(&kind);
            known.then_some(Part::Section(number))
        }
    }
}

/// A file of a timestamp authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimestampFile<'a> {
    /// `<authority>/<n>.tsr`.
    Token(&'a str, usize),
    /// `<authority>/roots.pem`.
    Roots(&'a str),
}

impl<'a> TimestampFile<'a> {
    /// The file with this member name.
    pub(crate) fn of(name: &'a str) -> Option<Self> {
        let (authority, file) = name.strip_prefix(TIMESTAMPS)?.split_once('/')?;
        check_authority(authority).ok()?;
        if file == "roots.pem" {
            return Some(TimestampFile::Roots(authority));
        }
        let number = file.strip_suffix(".tsr").and_then(decimal)?;
        let number = usize::try_from(number).ok().filter(|number| *number < MAX_TOKENS)?;
        Some(TimestampFile::Token(authority, number))
    }
}

/// Accepts what may name a timestamp authority in settings and bundles: 1 to 64 bytes of
/// `a-z 0-9 . _ -`, the first a letter or digit.
pub fn check_authority(name: &str) -> Result<(), &'static str> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let starts_well = name.bytes().next().is_some_and(plain);
    let fits = name.len() <= MAX_AUTHORITY;
    if starts_well && fits && name.bytes().all(|byte| plain(byte) || b"._-".contains(&byte)) {
        Ok(())
    } else {
        Err("an authority has 1 to 64 of a-z, 0-9, dot, dash, underscore; first a letter or digit")
    }
}

/// `timestamps/<authority>/<n>.tsr`.
pub(crate) fn token_name(authority: &str, number: usize) -> String {
    format!("{TIMESTAMPS}{authority}/{number}.tsr")
}

/// `timestamps/<authority>/roots.pem`.
pub(crate) fn roots_name(authority: &str) -> String {
    format!("{TIMESTAMPS}{authority}/roots.pem")
}

/// `entries/000000007`: nine digits, more when the log has grown past them.
pub(crate) fn entry_dir(index: u64) -> String {
    format!("{ENTRIES}{index:09}")
}

/// `exhibits/<sha256>`.
pub(crate) fn exhibit_name(digest: &Hash) -> String {
    format!("{EXHIBITS}{}", to_hex(digest))
}

/// Member name of a top-level text for people; `None` when the name does not end in .txt, .md,
/// .html or .pdf, or is that of a verifier.
pub(crate) fn text_name(name: &str) -> Option<String> {
    let guide = GUIDE_NAMES.iter().any(|guide| guide.eq_ignore_ascii_case(name));
    (is_for_people(name) && !guide).then(|| format!("{DATA}{name}"))
}

fn is_for_people(name: &str) -> bool {
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    !name.contains('/') && ["txt", "md", "html", "pdf"].contains(&ending)
}

/// A member's path as the manifests write it; the name itself when it lies outside of the bag.
pub(crate) fn path_in_bag(name: &str) -> &str {
    name.strip_prefix(ROOT).unwrap_or(name)
}

/// Is the member part of the payload?
pub(crate) fn is_payload(name: &str) -> bool {
    name.starts_with(DATA)
}

#[cfg(test)]
mod tests {
    use super::super::GUIDES;
    use super::*;

    #[test]
    fn every_guide_has_its_place() {
        for (name, _) in GUIDES {
            assert_eq!(Part::of(&format!("{ROOT}{name}")), Some(Part::ForPeople), "{name}");
        }
    }

    #[test]
    fn a_thing_has_one_name() {
        assert_eq!(Part::of("bag/data/entries/000000007/leaf.bin"), Some(Part::Leaf(7)));
        assert_eq!(Part::of("bag/data/entries/1234567890/leaf.bin"), Some(Part::Leaf(1234567890)));
        assert_eq!(Part::of("bag/data/timestamps/tsa.example/0.tsr"), Some(Part::Timestamp));
        assert_eq!(Part::of("bag/data/timestamps/a/roots.pem"), Some(Part::Timestamp));
        for name in [
            "bag/data/entries/7/leaf.bin",
            "bag/data/entries/0000000007/leaf.bin",
            "bag/data/entries/00000000a/leaf.bin",
            "bag/data/entries/000000007/opened/why.cbor",
            "bag/data/entries/000000007/opened/what.txt",
            "bag/data/timestamps/a/00.tsr",
            "bag/data/timestamps/a/100.tsr",
            "bag/data/timestamps/a/+1.tsr",
            "bag/data/timestamps/A/0.tsr",
            "bag/data/timestamps/.a/0.tsr",
            "bag/data/timestamps/0.tsr",
            "bag/data/timestamps/a/b/0.tsr",
            "bag/data/exhibits/00",
            "bag/data/bundle.note",
            "bag/data/x/y.txt",
            "bag/checkpoint",
            "bag/README.txt",
            "bag/fetch.txt",
            "bundle.note",
            "data/checkpoint",
            "bag2/data/checkpoint",
        ] {
            assert_eq!(Part::of(name), None, "{name}");
        }
    }
}
