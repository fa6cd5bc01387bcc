//! The entries of a bundle: leaves, proofs, opened sections, and the exhibits tied to them.

use std::collections::BTreeSet;
use std::io::{Read, Seek};

use super::{Check, Signed};
use crate::bundle::{MAX_SECTION, Part, entry_dir, strike_found};
use crate::error::Error;
use crate::hash::{Hash, leaf_hash};
use crate::leaf::{Leaf, MAX_LEAF, SECTION_NAMES, SECTIONS};
use crate::proof::verify_inclusion;
use crate::report::EntryReport;
use crate::tlog_proof::{MAX_PROOF, TlogProof};

/// What was found in the entries.
#[derive(Default)]
pub(super) struct Entries {
    pub(super) reports: Vec<EntryReport>,
    pub(super) opened: usize,
    /// Exhibits and certificate not yet named by a papers section.
    unnamed: BTreeSet<Hash>,
    /// Those that are.
    pub(super) named: Vec<Hash>,
}

impl<R: Read + Seek> Check<'_, R> {
    pub(super) fn entries(&mut self, signed: Option<&Signed>) -> Entries {
        let mut indices = BTreeSet::new();
        for member in self.archive.members() {
            if let Some(Part::Leaf(n) | Part::Proof(n) | Part::Section(n)) = Part::of(&member.name)
            {
                indices.insert(n);
            }
        }
        let exhibits = self.exhibits();
        let unnamed = exhibits.iter().map(|(_, digest)| *digest).collect();
        let mut entries = Entries { unnamed, ..Entries::default() };
        for index in indices {
            self.entry(index, signed, &mut entries);
        }
        for (name, digest) in exhibits {
            if entries.unnamed.contains(&digest) {
                self.problem(&name, "no opened papers section of an entry names its SHA-256");
            } else {
                entries.named.push(digest);
            }
        }
        entries
    }

    fn entry(&mut self, index: u64, signed: Option<&Signed>, entries: &mut Entries) {
        let dir = entry_dir(index);
        let name = format!("{dir}/leaf.bin");
        let bytes = self.read(&name, MAX_LEAF as u64);
        let leaf = bytes
            .as_deref()
            .and_then(|bytes| Leaf::decode(bytes).map_err(|error| self.problem(&name, error)).ok());
        let included = self.included(&dir, index, bytes.as_deref(), signed);
        let mut opened = [false; SECTIONS];
        for (number, slot) in opened.iter_mut().enumerate() {
            let Some(bytes) = self.section(&dir, number, leaf.as_ref()) else { continue };
            *slot = true;
            entries.opened += 1;
            if included && SECTION_NAMES[number] == "papers" {
                strike_found(&mut entries.unnamed, &bytes);
            }
        }
        let (type_code, hours) =
            leaf.map_or((None, None), |leaf| (Some(leaf.type_code), Some(leaf.hours)));
        entries.reports.push(EntryReport { index, type_code, hours, included, opened });
    }

    fn included(
        &mut self,
        dir: &str,
        index: u64,
        leaf: Option<&[u8]>,
        signed: Option<&Signed>,
    ) -> bool {
        let name = format!("{dir}/proof.tlog-proof");
        let proof = self.read(&name, MAX_PROOF as u64);
        let (Some(proof), Some(leaf), Some(signed)) = (proof, leaf, signed) else {
            return false;
        };
        let checked = TlogProof::parse(&proof).and_then(|proof| {
            if proof.index != index {
                return Err(Error::malformed("tlog-proof", "it is about another index"));
            }
            if proof.checkpoint != signed.note {
                return Err(Error::malformed("tlog-proof", "it holds another checkpoint"));
            }
            let tree = &signed.checkpoint;
            verify_inclusion(&leaf_hash(leaf), index, tree.size, &proof.path, &tree.root)
        });
        checked.map_err(|error| self.problem(&name, error)).is_ok()
    }

    /// The bytes of a section that opens its commitment. `None`: not shown, or a problem.
    fn section(&mut self, dir: &str, number: usize, leaf: Option<&Leaf>) -> Option<Vec<u8>> {
        let stem = format!("{dir}/opened/{}", SECTION_NAMES[number]);
        let (content, salt) = (format!("{stem}.cbor"), format!("{stem}.salt"));
        if self.archive.member(&content).is_none() && self.archive.member(&salt).is_none() {
            return None;
        }
        let bytes = self.read(&content, MAX_SECTION);
        let salt_bytes = self.read(&salt, 32);
        let (bytes, salt_bytes, leaf) = (bytes?, salt_bytes?, leaf?);
        let Ok(salt_bytes) = <[u8; 32]>::try_from(salt_bytes) else {
            self.problem(&salt, "a salt has 32 bytes");
            return None;
        };
        if !leaf.opens(number, &bytes, &salt_bytes) {
            self.problem(&content, "it is not what the leaf commits to");
            return None;
        }
        Some(bytes)
    }

    /// Exhibits and the certificate, with the SHA-256 of their contents.
    fn exhibits(&mut self) -> Vec<(String, Hash)> {
        let mut found = Vec::new();
        for (name, digest) in self.digests.clone() {
            let named = match Part::of(&name) {
                Some(Part::Exhibit(named)) => named,
                Some(Part::Certificate) => digest,
                _ => continue,
            };
            if named != digest {
                self.problem(&name, "its name is not its SHA-256");
            }
            found.push((name, digest));
        }
        found
    }
}
