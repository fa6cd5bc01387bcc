//! Inclusion proofs as files (c2sp.org/tlog-proof@v1): index, path, signed checkpoint.
//!
//! Invariants: the checkpoint is kept verbatim; parsing and formatting are exact inverses; `extra`
//! is not authenticated by anything and this crate never reads it.

use std::fmt;

use crate::checkpoint::{Checkpoint, parse_note};
use crate::encoding::{decimal, from_base64, hash_from_base64, to_base64};
use crate::error::Error;
use crate::hash::Hash;
use crate::note::Note;
use crate::policy::{Policy, Seen};
use crate::proof::verify_inclusion;
use crate::tree::Tree;

const WHAT: &str = "tlog-proof";
const HEADER: &str = "c2sp.org/tlog-proof@v1";
/// Largest proof file read, in bytes.
pub const MAX_PROOF: usize = 512 << 10;
/// A path in a tree of at most 2^64 leaves.
const MAX_PATH: usize = 64;

/// A parsed proof file, not yet verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlogProof {
    /// Opaque and unauthenticated.
    pub extra: Option<Vec<u8>>,
    /// Leaf index, 0-based.
    pub index: u64,
    /// From the leaf's sibling to the root's child.
    pub path: Vec<Hash>,
    /// The signed checkpoint the path leads to.
    pub checkpoint: Note,
}

impl TlogProof {
    /// The proof of leaf `index` of `tree` under `checkpoint` (signed, of at most the tree's size).
    pub fn of(tree: &Tree, index: u64, checkpoint: &Note) -> Result<Self, Error> {
        let size = Checkpoint::parse(checkpoint.text())?.size;
        let path = tree.inclusion(index, size)?;
        Ok(Self { extra: None, index, path, checkpoint: checkpoint.clone() })
    }

    /// Parses a proof file; strict, without verifying anything.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let bad = |why| Error::malformed(WHAT, why);
        if bytes.len() > MAX_PROOF {
            let (limit, got) = (MAX_PROOF as u64, bytes.len() as u64);
            return Err(Error::TooLarge { what: WHAT, limit, got });
        }
        let text = std::str::from_utf8(bytes).map_err(|_| bad("it is not UTF-8"))?;
        let (head, note) = text.split_once("\n\n").ok_or(bad("no blank line after the path"))?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(HEADER) {
            return Err(bad("the first line is not c2sp.org/tlog-proof@v1"));
        }
        let extra = match lines.peek().and_then(|line| line.strip_prefix("extra ")) {
            Some(encoded) => {
                lines.next();
                let data = from_base64(encoded).filter(|data| !data.is_empty());
                Some(data.ok_or(bad("extra is not base64"))?)
            }
            None => None,
        };
        let index = lines
            .next()
            .and_then(|line| decimal(line.strip_prefix("index ")?))
            .ok_or(bad("there is no index line"))?;
        let mut path = Vec::new();
        for line in lines {
            if path.len() == MAX_PATH {
                return Err(bad("the path is longer than any tree"));
            }
            path.push(hash_from_base64(line).ok_or(bad("a path line is not base64 of 32 bytes"))?);
        }
        Ok(Self { extra, index, path, checkpoint: parse_note(note.as_bytes())? })
    }

    /// Is the leaf with hash `leaf` at [`Self::index`] under a checkpoint that `policy` accepts?
    pub fn verify(&self, leaf: &Hash, policy: &Policy) -> Result<Seen, Error> {
        let seen = policy.evaluate(&self.checkpoint)?;
        let tree = &seen.checkpoint;
        verify_inclusion(leaf, self.index, tree.size, &self.path, &tree.root)?;
        Ok(seen)
    }
}

impl fmt::Display for TlogProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", to_base64(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        for hash in &self.path {
            writeln!(f, "{}", to_base64(hash))?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}
