//! The offline verifier: bundles, and checkpoints and proofs as single files.
//!
//! Invariants: nothing is believed before the signed list has been verified; every member is read
//! once in full and compared with the list; a problem never hides another, so verification goes on
//! after one and names each member; a claim fails when a member it rests on has a problem. What
//! stops it is only what leaves nothing to believe: an archive that is not canonical, or a list
//! without a valid signature ([`VerifyError`]).
//!
//! Memory: exhibits are streamed; other members are bounded by their format's limit.
//! Out of scope: meaning of the sections (core's wire format), timestamps, the freshness of keys.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Seek};

use crate::bundle::{
    CHECKPOINT, Listing, MAX_SECTION, NOTE, POLICY, Part, entry_dir, strike_found,
};
use crate::checkpoint::{MAX_CHECKPOINT, parse_note};
use crate::error::Error;
use crate::hash::{Hash, leaf_hash};
use crate::key::Verifier;
use crate::leaf::{Leaf, MAX_LEAF, SECTION_NAMES, SECTIONS};
use crate::note::{MAX_NOTE, Note};
use crate::policy::{MAX_POLICY, Policy, Seen};
use crate::proof::verify_inclusion;
use crate::report::{
    EntryReport, KeySource, Problem, Report, documents, log_signed, quorum_saw, timestamped,
};
use crate::tlog_proof::{MAX_PROOF, TlogProof};
use crate::zip::{Archive, ZipError};

/// Whose keys count.
#[derive(Clone, Debug)]
pub enum Trust {
    /// The reader's own policy. The one in the bundle is then only a listed file.
    Pinned(Policy),
    /// The policy in the bundle; the report says so.
    FromBundle,
}

impl Trust {
    /// Trusts one log key, given as vkey, and asks for no witness.
    pub fn pinned_key(vkey: &str) -> Result<Self, Error> {
        Ok(Trust::Pinned(Policy::for_log(Verifier::parse(vkey)?)?))
    }
}

/// Why there is no report at all.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// Not a canonical archive, or unreadable.
    #[error("not an unaltered bundle: {0}")]
    Zip(#[from] ZipError),
    /// The signed list or the policy cannot be believed.
    #[error("{member}: {error}")]
    Member {
        /// Member name.
        member: &'static str,
        /// What is wrong with it.
        error: Error,
    },
}

impl VerifyError {
    /// The member (or bracketed part of the archive) the error is about.
    pub fn member(&self) -> &str {
        match self {
            VerifyError::Zip(error) => error.member(),
            VerifyError::Member { member, .. } => member,
        }
    }
}

/// Verifies a signed checkpoint file under a policy.
pub fn verify_checkpoint(bytes: &[u8], policy: &Policy) -> Result<Seen, Error> {
    policy.evaluate(&parse_note(bytes)?)
}

/// Verifies a tlog-proof file: is `leaf` (the leaf's bytes) in the log? Answers its index too.
pub fn verify_tlog_proof(proof: &[u8], leaf: &[u8], policy: &Policy) -> Result<(u64, Seen), Error> {
    let proof = TlogProof::parse(proof)?;
    let seen = proof.verify(&leaf_hash(leaf), policy)?;
    Ok((proof.index, seen))
}

/// Verifies a bundle. `Ok` is a report to be read, not a verdict.
pub fn verify_bundle(reader: impl Read + Seek, trust: &Trust) -> Result<Report, VerifyError> {
    let mut archive = Archive::open(reader)?;
    let (policy, source) = match trust {
        Trust::Pinned(policy) => (policy.clone(), KeySource::Pinned),
        Trust::FromBundle => {
            let bytes = archive.read(POLICY, MAX_POLICY as u64)?;
            (Policy::parse(&bytes).map_err(in_member(POLICY))?, KeySource::Bundle)
        }
    };
    let note = archive.read(NOTE, MAX_NOTE as u64)?;
    let (listing, key) = open_listing(&note, &policy).map_err(in_member(NOTE))?;
    let (digests, problems) = (BTreeMap::new(), BTreeSet::new());
    let mut check = Check { archive, policy, source, digests, problems };
    check.members(&listing);
    Ok(check.report(listing, key))
}

fn in_member(member: &'static str) -> impl Fn(Error) -> VerifyError {
    move |error| VerifyError::Member { member, error }
}

/// The list, after its one signature by the log key of its origin.
fn open_listing(bytes: &[u8], policy: &Policy) -> Result<(Listing, Verifier), Error> {
    let note = Note::parse(bytes)?;
    if note.signatures().len() != 1 {
        return Err(Error::malformed(NOTE, "it does not carry exactly one signature"));
    }
    let keys: Vec<Verifier> = policy.logs().iter().map(|log| log.key.clone()).collect();
    let signed = note.verify(&keys)?;
    let key = keys[signed[0].key].clone();
    let listing = Listing::parse(note.text())?;
    if listing.origin != key.name() {
        let (found, wanted) = (listing.origin, key.name().to_owned());
        return Err(Error::WrongOrigin { found, wanted });
    }
    Ok((listing, key))
}

/// Members that claim 1 rests on.
const DOCUMENTS: fn(Part) -> bool =
    |part| matches!(part, Part::Leaf(_) | Part::Section(_) | Part::Exhibit(_) | Part::Certificate);
/// Members that claim 2 rests on.
const LOG: fn(Part) -> bool =
    |part| matches!(part, Part::Leaf(_) | Part::Proof(_) | Part::Checkpoint);

/// What was found in the entries.
#[derive(Default)]
struct Entries {
    reports: Vec<EntryReport>,
    opened: usize,
    /// Exhibits and certificate not yet named by a papers section.
    unnamed: BTreeSet<Hash>,
    /// Those that are.
    named: Vec<Hash>,
}

/// The checkpoint note, and the size and root that the log signed.
type Signed = (Note, (u64, Hash));

struct Check<R> {
    archive: Archive<R>,
    policy: Policy,
    source: KeySource,
    /// SHA-256 of every member read in full, by name.
    digests: BTreeMap<String, Hash>,
    problems: BTreeSet<Problem>,
}

impl<R: Read + Seek> Check<R> {
    /// Compares every member with the list.
    fn members(&mut self, listing: &Listing) {
        let names: Vec<String> = self.archive.members().iter().map(|m| m.name.clone()).collect();
        for name in &names {
            if Part::of(name).is_none() {
                self.problem(name, "a bundle has no such file");
            }
            if name == NOTE {
                continue;
            }
            let listed = listing.members.binary_search_by(|m| m.name.cmp(name));
            let Ok(listed) = listed.map(|index| &listing.members[index]) else {
                self.problem(name, "it is not on the signed list");
                continue;
            };
            match self.archive.copy(name, &mut std::io::sink()) {
                Err(error) => self.problem(name, error),
                Ok(found) => {
                    if found.sha256 != listed.sha256 || found.size != listed.size {
                        self.problem(name, "its content is not the one on the signed list");
                    }
                    self.digests.insert(name.clone(), found.sha256);
                }
            }
        }
        for listed in &listing.members {
            if self.archive.member(&listed.name).is_none() {
                self.problem(&listed.name, "it is on the signed list but not in the bundle");
            }
        }
    }

    fn report(mut self, listing: Listing, key: Verifier) -> Report {
        let checkpoint = self.checkpoint(&listing.origin);
        let entries = self.entries(checkpoint.as_ref());
        let tree = checkpoint.as_ref().map(|(_, tree)| *tree);
        // Before the quorum is looked at, whose problems are the checkpoint's but not the log's.
        let broken = [DOCUMENTS, LOG].map(|parts| self.problem_in(parts));
        let quorum = match &checkpoint {
            Some((note, _)) => self.policy.evaluate(note).map_err(|error| {
                self.problem(CHECKPOINT, &error);
                error.to_string()
            }),
            None => Err("the checkpoint does not hold".to_owned()),
        };
        let indices: Vec<u64> = entries.reports.iter().map(|entry| entry.index).collect();
        let claims = [
            documents(entries.opened, entries.named.len(), broken[0]),
            log_signed(&indices, tree.map(|(size, _)| size), self.source, broken[1]),
            quorum_saw(&self.policy, quorum.as_ref().map_err(String::clone)),
            timestamped(),
        ];
        Report {
            kind: listing.kind,
            origin: listing.origin,
            key_source: self.source,
            key_id: key.id(),
            tree,
            entries: entries.reports,
            exhibits: entries.named,
            claims,
            problems: self.problems.into_iter().collect(),
        }
    }

    /// The checkpoint under the log's signature alone, with its size and root.
    fn checkpoint(&mut self, origin: &str) -> Option<Signed> {
        let bytes = self.read(CHECKPOINT, MAX_CHECKPOINT as u64)?;
        let opened = parse_note(&bytes).and_then(|note| {
            let (_, checkpoint) = self.policy.open_log(&note)?;
            if checkpoint.origin != origin {
                let (found, wanted) = (checkpoint.origin, origin.to_owned());
                return Err(Error::WrongOrigin { found, wanted });
            }
            Ok((note, (checkpoint.size, checkpoint.root)))
        });
        opened.map_err(|error| self.problem(CHECKPOINT, error)).ok()
    }

    fn entries(&mut self, signed: Option<&Signed>) -> Entries {
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
        let (Some(proof), Some(leaf), Some((note, (size, root)))) = (proof, leaf, signed) else {
            return false;
        };
        let checked = TlogProof::parse(&proof).and_then(|proof| {
            if proof.index != index {
                return Err(Error::malformed("tlog-proof", "it is about another index"));
            }
            if proof.checkpoint != *note {
                return Err(Error::malformed("tlog-proof", "it holds another checkpoint"));
            }
            verify_inclusion(&leaf_hash(leaf), index, *size, &proof.path, root)
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

    /// A member's content, or a problem.
    fn read(&mut self, name: &str, limit: u64) -> Option<Vec<u8>> {
        self.archive.read(name, limit).map_err(|error| self.problem(name, error)).ok()
    }

    /// Is there a problem in a member that a claim rests on?
    fn problem_in(&self, parts: fn(Part) -> bool) -> bool {
        self.problems.iter().any(|problem| Part::of(&problem.member).is_some_and(parts))
    }

    fn problem(&mut self, member: &str, what: impl ToString) {
        let problem = Problem { member: member.to_owned(), what: what.to_string() };
        self.problems.insert(problem);
    }
}
