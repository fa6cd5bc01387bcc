//! The offline verifier: bundles, and checkpoints and proofs as single files.
//!
//! Invariants: nothing is believed before the chain note, tag manifest, manifest has been verified
//! (chain.rs); every member is read once in full and compared with its list (files.rs); a problem
//! never hides another, so verification goes on after one and names each member; a claim fails
//! when a member it rests on has a problem. What stops it is only what leaves nothing to believe:
//! an archive that is not canonical, or a list that the log did not sign ([`VerifyError`]).
//!
//! Memory: exhibits are streamed; other members are bounded by their format's limit, lists by the
//! directory. Out of scope: meaning of the sections (core's wire format), the freshness of keys.

mod chain;
mod entries;
mod files;
mod stamps;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Seek};

use crate::bundle::{CHECKPOINT, POLICY, Part};
use crate::checkpoint::{Checkpoint, MAX_CHECKPOINT, parse_note};
use crate::error::Error;
use crate::hash::{Hash, leaf_hash};
use crate::key::Verifier;
use crate::note::Note;
use crate::policy::{MAX_POLICY, Policy, SecondKey, Seen};
use crate::report::{
    Claim, Problem, Report, Source, documents, log_signed, no_quorum, quorum_missing, quorum_saw,
};
use crate::timestamp::Roots;
use crate::tlog_proof::TlogProof;
use crate::zip::{Archive, ZipError};

use chain::Chain;

/// What the reader believes before opening a bundle.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// `None`: the policy in the bundle.
    policy: Option<Policy>,
    /// Anchors of timestamp authorities. `None`: those in the bundle.
    roots: Option<Roots>,
    /// The reader's clock, Unix seconds.
    now: Option<u64>,
}

impl Trust {
    /// Trusts the reader's own policy. The one in the bundle is then only a listed file.
    pub fn pinned(policy: Policy) -> Self {
        Trust { policy: Some(policy), ..Trust::default() }
    }

    /// Trusts the policy in the bundle; the report says so.
    pub fn from_bundle() -> Self {
        Trust::default()
    }

    /// Trusts one log key, given as vkey, and asks for no witness.
    pub fn pinned_key(vkey: &str) -> Result<Self, Error> {
        Ok(Trust::pinned(Policy::for_log(Verifier::parse(vkey)?)?))
    }

    /// Trusts these anchors of timestamp authorities and no others. The ones in the bundle are then
    /// only listed files.
    pub fn with_roots(self, roots: Roots) -> Self {
        Trust { roots: Some(roots), ..self }
    }

    /// Adds the reader's clock (Unix seconds), so that the report can say what has expired.
    pub fn at(self, now: u64) -> Self {
        Trust { now: Some(now), ..self }
    }
}

/// Why there is no report at all.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// Not a canonical archive, or unreadable.
    #[error("not an unaltered bundle: {0}")]
    Zip(#[from] ZipError),
    /// The signed statement, a manifest or the policy cannot be believed.
    #[error("{member}: {error}")]
    Member {
        /// Member name.
        member: &'static str,
        /// What is wrong with it.
        error: Error,
    },
    /// A manifest is not the one that the log's signature leads to.
    #[error("{member}: it is not the one that {by} names; the file was altered, ask for it again")]
    NotTheOne {
        /// Member name of the manifest.
        member: &'static str,
        /// Member name of what names its SHA-256.
        by: &'static str,
    },
}

impl VerifyError {
    /// The member (or bracketed part of the archive) the error is about.
    pub fn member(&self) -> &str {
        match self {
            VerifyError::Zip(error) => error.member(),
            VerifyError::Member { member, .. } | VerifyError::NotTheOne { member, .. } => member,
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
    verify_archive(Archive::open(reader)?, trust)
}

pub(crate) fn verify_archive(
    mut archive: Archive<impl Read + Seek>,
    trust: &Trust,
) -> Result<Report, VerifyError> {
    let (policy, source) = match &trust.policy {
        Some(policy) => (policy.clone(), Source::Pinned),
        None => {
            let bytes = archive.read(POLICY, MAX_POLICY as u64)?;
            let policy = Policy::parse(&bytes);
            let policy = policy.map_err(|error| VerifyError::Member { member: POLICY, error })?;
            (policy, Source::Bundle)
        }
    };
    let chain = Chain::follow(&mut archive, &policy)?;
    let (digests, problems) = (BTreeMap::new(), BTreeSet::new());
    let mut check = Check { archive, trust, policy, source, digests, problems };
    check.files(&chain);
    Ok(check.report(chain))
}

/// Members that claim 1 rests on.
const DOCUMENTS: fn(Part) -> bool =
    |part| matches!(part, Part::Leaf(_) | Part::Section(_) | Part::Exhibit(_) | Part::Certificate);
/// Members that claim 2 rests on.
const LOG: fn(Part) -> bool =
    |part| matches!(part, Part::Leaf(_) | Part::Proof(_) | Part::Checkpoint);

/// The checkpoint under the log's signatures.
struct Signed {
    note: Note,
    /// Which log of the policy.
    log: usize,
    checkpoint: Checkpoint,
    second: SecondKey,
}

struct Check<'t, R> {
    archive: Archive<R>,
    trust: &'t Trust,
    /// The policy that counts, and where it is from.
    policy: Policy,
    source: Source,
    /// SHA-256 of every member read in full, by name.
    digests: BTreeMap<String, Hash>,
    problems: BTreeSet<Problem>,
}

impl<R: Read + Seek> Check<'_, R> {
    fn report(mut self, chain: Chain) -> Report {
        let statement = chain.statement;
        let signed = self.checkpoint(&statement.origin);
        let entries = self.entries(signed.as_ref());
        let tree = signed.as_ref().map(|signed| (signed.checkpoint.size, signed.checkpoint.root));
        // Before the quorum is looked at, whose problems are the checkpoint's but not the log's.
        let broken = [DOCUMENTS, LOG].map(|parts| self.problem_in(parts));
        let witnesses = self.witnesses(signed.as_ref());
        let (stamps, timestamp) = self.timestamps(signed.is_some());
        let indices: Vec<u64> = entries.reports.iter().map(|entry| entry.index).collect();
        let second = signed.as_ref().map(|signed| signed.second);
        let signed = signed.filter(|_| !broken[1]);
        let signed = signed.map(|signed| (signed.checkpoint.size, signed.second));
        let claims = [
            documents(entries.opened, entries.named.len(), broken[0]),
            log_signed(&indices, signed, self.source),
            witnesses,
            timestamp,
        ];
        Report {
            kind: statement.kind,
            origin: statement.origin,
            key_source: self.source,
            key_id: chain.key.id(),
            tree,
            second_key: second,
            entries: entries.reports,
            exhibits: entries.named,
            stamps,
            claims,
            problems: self.problems.into_iter().collect(),
        }
    }

    /// Claim 3.
    fn witnesses(&mut self, signed: Option<&Signed>) -> Claim {
        let Some(signed) = signed else { return no_quorum("the checkpoint does not hold") };
        let (log, checkpoint) = (signed.log, signed.checkpoint.clone());
        match self.policy.witnessed(&signed.note, log, checkpoint) {
            Ok(seen) => quorum_saw(&self.policy, &seen),
            // Whoever wrote this policy also wrote what falls short of it, and hides nothing.
            Err(Error::QuorumNotReached { quorum, have }) if self.source == Source::Bundle => {
                quorum_missing(&quorum, have)
            }
            Err(error) => {
                self.problem(CHECKPOINT, &error);
                no_quorum(&error.to_string())
            }
        }
    }

    /// The checkpoint under the log's signature alone.
    fn checkpoint(&mut self, origin: &str) -> Option<Signed> {
        let bytes = self.read(CHECKPOINT, MAX_CHECKPOINT as u64)?;
        let opened = parse_note(&bytes).and_then(|note| {
            let (log, checkpoint) = self.policy.open_log(&note)?;
            if checkpoint.origin != origin {
                let (found, wanted) = (checkpoint.origin, origin.to_owned());
                return Err(Error::WrongOrigin { found, wanted });
            }
            let second = self.policy.second_key(&note, origin)?;
            Ok(Signed { note, log, checkpoint, second })
        });
        opened.map_err(|error| self.problem(CHECKPOINT, error)).ok()
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
