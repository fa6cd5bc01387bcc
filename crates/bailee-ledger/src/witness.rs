//! The decision of a witness (c2sp.org/tlog-witness): may this checkpoint be cosigned?
//!
//! Invariants: a checkpoint is cosigned only when a watched log signed it and it is proven to
//! extend the tree that was cosigned last, or is that very tree; what is compared is what was
//! recorded, not what the request says of it. The order of the checks is that of the document, so
//! that a request with several faults has one answer. Parsing and formatting are exact inverses.
//!
//! Out of scope: storage, and that check and record are one step. The caller brings the record of
//! the origin, swaps it for the new one only if it is still what was decided on, and answers after.

use std::fmt;

use crate::checkpoint::{Checkpoint, MAX_CHECKPOINT, parse_note};
use crate::encoding::{decimal, hash_from_base64, to_base64};
use crate::error::Error;
use crate::hash::{EMPTY_ROOT, Hash};
use crate::key::Verifier;
use crate::note::Note;
use crate::proof::verify_consistency;

const WHAT: &str = "add-checkpoint request";
/// Most lines of a consistency proof.
pub const MAX_LINES: usize = 63;
/// Largest request read, in bytes: old size, proof, blank line, checkpoint.
pub const MAX_REQUEST: usize = MAX_CHECKPOINT + 32 + (MAX_LINES + 1) * 45;
/// Media type of the size that a conflict answers.
pub const SIZE_MEDIA: &str = "text/x.tlog.size";

/// A checkpoint offered to a witness.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// Size of the tree the witness is believed to have cosigned last; 0 for none.
    pub old: u64,
    /// Consistency proof from there.
    pub proof: Vec<Hash>,
    /// The signed checkpoint, not yet verified.
    pub note: Note,
}

impl AddCheckpoint {
    /// Parses a request body; strict, without verifying anything.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let bad = |why| Error::malformed(WHAT, why);
        if bytes.len() > MAX_REQUEST {
            let (limit, got) = (MAX_REQUEST as u64, bytes.len() as u64);
            return Err(Error::TooLarge { what: WHAT, limit, got });
        }
        let text = std::str::from_utf8(bytes).map_err(|_| bad("it is not UTF-8"))?;
        let (head, note) = text.split_once("\n\n").ok_or(bad("no blank line after the proof"))?;
        let mut lines = head.split('\n');
        let old = lines.next().and_then(|line| decimal(line.strip_prefix("old ")?));
        let old = old.ok_or(bad("the first line is not `old` and a size"))?;
        let mut proof = Vec::new();
        for line in lines {
            if proof.len() == MAX_LINES {
                return Err(bad("the proof has more than 63 lines"));
            }
            let hash = hash_from_base64(line);
            proof.push(hash.ok_or(bad("a proof line is not base64 of 32 bytes"))?);
        }
        Ok(Self { old, proof, note: parse_note(note.as_bytes())? })
    }
}

impl fmt::Display for AddCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old)?;
        for hash in &self.proof {
            writeln!(f, "{}", to_base64(hash))?;
        }
        write!(f, "\n{}", self.note)
    }
}

/// The tree of a log that a witness cosigned last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Leaves in it.
    pub size: u64,
    /// Its root.
    pub root: Hash,
}

impl Default for Record {
    /// Nothing was cosigned yet.
    fn default() -> Self {
        Self { size: 0, root: EMPTY_ROOT }
    }
}

/// Why a checkpoint is not cosigned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The note is no checkpoint.
    #[error("{0}")]
    NoCheckpoint(Error),
    /// No key of this log is known.
    #[error("log {origin} is not watched here; its operator may ask to be added")]
    UnknownLog {
        /// The first line of the checkpoint.
        origin: String,
    },
    /// No key of the log signed it, or one did whose signature fails.
    #[error("{0}")]
    NotSigned(Error),
    /// The old size is beyond the checkpoint's.
    #[error("the old size {old} is larger than the checkpoint's {size}")]
    Backwards {
        /// As sent.
        old: u64,
        /// Of the checkpoint.
        size: u64,
    },
    /// The old size is not the one cosigned last.
    #[error("the tree cosigned last has {last} leaves: send a proof from there")]
    Stale {
        /// Size cosigned last.
        last: u64,
    },
    /// The same size with another root: the log has signed two trees.
    #[error("a tree of {size} leaves with another root was cosigned: the log has forked")]
    Forked {
        /// The size.
        size: u64,
    },
    /// The proof does not lead from the recorded tree to this one.
    #[error("{0}")]
    BadProof(Error),
}

impl Refusal {
    /// The status that the document asks for.
    pub fn status(&self) -> u16 {
        match self {
            Refusal::NoCheckpoint(_) | Refusal::Backwards { .. } => 400,
            Refusal::NotSigned(_) => 403,
            Refusal::UnknownLog { .. } => 404,
            Refusal::Stale { .. } | Refusal::Forked { .. } => 409,
            Refusal::BadProof(_) => 422,
        }
    }
}

/// Which log is this about? Nothing is verified yet.
pub fn origin(request: &AddCheckpoint) -> &str {
    request.note.text().split('\n').next().unwrap_or_default()
}

/// May it be cosigned? `keys` are those of watched logs, `last` is the record of this origin.
pub fn decide(
    keys: &[Verifier],
    last: &Record,
    request: &AddCheckpoint,
) -> Result<Checkpoint, Refusal> {
    let origin = origin(request);
    let keys: Vec<Verifier> = keys.iter().filter(|key| key.name() == origin).cloned().collect();
    if keys.is_empty() {
        return Err(Refusal::UnknownLog { origin: origin.to_owned() });
    }
    request.note.verify(&keys).map_err(Refusal::NotSigned)?;
    let checkpoint = Checkpoint::parse(request.note.text()).map_err(Refusal::NoCheckpoint)?;
    let (old, size) = (request.old, checkpoint.size);
    if old > size {
        return Err(Refusal::Backwards { old, size });
    }
    if old != last.size {
        return Err(Refusal::Stale { last: last.size });
    }
    if old == size && last.root != checkpoint.root {
        return Err(Refusal::Forked { size });
    }
    verify_consistency(old, &last.root, size, &checkpoint.root, &request.proof)
        .map_err(Refusal::BadProof)?;
    Ok(checkpoint)
}

/// The size that a conflict answers: a decimal and a newline.
pub fn parse_size(body: &[u8]) -> Option<u64> {
    decimal(std::str::from_utf8(body).ok()?.strip_suffix('\n')?)
}
