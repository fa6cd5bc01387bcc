//! The decisions of a monitor: what somebody who follows a log concludes from what it is shown.
//!
//! Invariants: an alarm is raised on what contradicts something seen before, never on what is
//! merely late; what was seen before is only replaced by a tree that extends it. A fork is told
//! apart from files that were served wrongly: the hashes that the log serves either lead to the
//! root it signed, or nothing it serves does.
//!
//! Out of scope: fetching, clocks, storage, whom to tell.

use crate::checkpoint::{Checkpoint, parse_note};
use crate::error::Error;
use crate::frontier::Frontier;
use crate::hash::Hash;
use crate::note::Note;
use crate::policy::Policy;

/// Something that a log or a witness must not do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Alarm {
    /// The checkpoint is not by a key of the log, or a known signature on it fails.
    #[error("the checkpoint is not what the log signs: {0}")]
    Signature(Error),
    /// Two trees.
    #[error(
        "FORK: the signed tree of {shown} leaves does not extend the one of {seen} seen before"
    )]
    Fork {
        /// Leaves of the tree seen before.
        seen: u64,
        /// Leaves of the tree shown now.
        shown: u64,
    },
    /// A smaller tree than before.
    #[error("ROLLBACK: the log shows {shown} leaves and has shown {seen} before")]
    Rollback {
        /// Seen before.
        seen: u64,
        /// Shown now.
        shown: u64,
    },
    /// The files do not fit the signed tree.
    #[error("the log serves files that do not fit what it signed: {0}")]
    Files(String),
    /// The policy's quorum has not cosigned what is shown.
    #[error("the quorum {quorum} has not cosigned the checkpoint over {size} leaves")]
    Quorum {
        /// Its name.
        quorum: String,
        /// Leaves.
        size: u64,
    },
    /// A witness has cosigned another tree of this log.
    #[error(
        "SPLIT VIEW: witness {witness} has cosigned a tree of {size} leaves that is not this log"
    )]
    SplitView {
        /// Its name in the policy.
        witness: String,
        /// Leaves of its tree.
        size: u64,
    },
    /// A witness has long cosigned more than the log shows.
    #[error("the log shows {shown} leaves, and witness {witness} has cosigned {size} before")]
    Behind {
        /// Its name in the policy.
        witness: String,
        /// Leaves of its tree.
        size: u64,
        /// Leaves the log shows.
        shown: u64,
    },
    /// No new checkpoint for too long.
    #[error("SILENCE: no new checkpoint for {seconds} s")]
    Silence {
        /// Since the last one.
        seconds: u64,
    },
}

impl Alarm {
    /// Stable word for programs.
    pub fn word(&self) -> &'static str {
        match self {
            Alarm::Signature(_) => "bad_signature",
            Alarm::Fork { .. } => "fork",
            Alarm::Rollback { .. } => "rollback",
            Alarm::Files(_) => "bad_files",
            Alarm::Quorum { .. } => "quorum_missing",
            Alarm::SplitView { .. } => "split_view",
            Alarm::Behind { .. } => "behind",
            Alarm::Silence { .. } => "silence",
        }
    }
}

/// Reads a checkpoint that is shown: a log of the policy must have signed it. Whether the quorum
/// cosigned it is [`quorum`]'s question.
pub fn open(bytes: &[u8], policy: &Policy) -> Result<(Note, Checkpoint), Alarm> {
    let note = parse_note(bytes).map_err(Alarm::Signature)?;
    let (_, checkpoint) = policy.open_log(&note).map_err(Alarm::Signature)?;
    policy.cosignatures(&note).map_err(Alarm::Signature)?;
    Ok((note, checkpoint))
}

/// Has the quorum cosigned it?
pub fn quorum(note: &Note, size: u64, policy: &Policy) -> Result<(), Alarm> {
    match policy.evaluate(note) {
        Ok(_) => Ok(()),
        Err(Error::QuorumNotReached { quorum, .. }) => Err(Alarm::Quorum { quorum, size }),
        Err(error) => Err(Alarm::Signature(error)),
    }
}

/// What a checkpoint is beside the tree seen before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The same tree.
    Same,
    /// A larger one, if the entries from there on lead to it.
    Grown,
}

/// Compares a checkpoint with the tree seen before.
pub fn compare(seen: &Frontier, shown: &Checkpoint) -> Result<Step, Alarm> {
    let (before, now) = (seen.size(), shown.size);
    if now < before {
        return Err(Alarm::Rollback { seen: before, shown: now });
    }
    if now > before {
        return Ok(Step::Grown);
    }
    match seen.root() == shown.root {
        true => Ok(Step::Same),
        false => Err(Alarm::Fork { seen: before, shown: now }),
    }
}

/// The tree seen before, grown twice: by the entries that are served, and by the leaf hashes.
#[derive(Clone, Debug)]
pub struct Growing {
    from: u64,
    /// By the entries.
    edge: Frontier,
    /// By the hashes; `None` as long as both are the same.
    hashes: Option<Frontier>,
    /// The first position where they differ.
    differs: Option<u64>,
    /// Hashes above the leaves that the entries give: tile level, position.
    above: Vec<(u8, u64, Hash)>,
}

impl Growing {
    /// From the tree seen before.
    pub fn new(seen: &Frontier) -> Self {
        let edge = seen.clone();
        Self { from: seen.size(), edge, hashes: None, differs: None, above: Vec::new() }
    }

    /// Leaves so far.
    pub fn size(&self) -> u64 {
        self.edge.size()
    }

    /// The next leaf: the hash of the entry that is served, and the one that is served as its hash.
    pub fn push(&mut self, entry: Hash, hash: Hash) {
        if entry != hash && self.differs.is_none() {
            self.differs = Some(self.edge.size());
            self.hashes = Some(self.edge.clone());
        }
        if let Some(hashes) = &mut self.hashes {
            hashes.push(hash, |_, _, _| ());
        }
        let above = &mut self.above;
        self.edge.push(entry, |level, position, hash| {
            if level > 0 {
                above.push((level, position, *hash));
            }
        });
    }

    /// Hashes above the leaves that the entries give, to be held against the tiles.
    pub fn above(&self) -> &[(u8, u64, Hash)] {
        &self.above
    }

    /// Is this the tree that was signed? Then it is the one seen from now on.
    pub fn finish(self, shown: &Checkpoint) -> Result<Frontier, Alarm> {
        let signed = |edge: &Frontier| edge.size() == shown.size && edge.root() == shown.root;
        if signed(&self.edge) {
            return match self.differs {
                None => Ok(self.edge),
                Some(at) => Err(Alarm::Files(format!("the hash tile is wrong at leaf {at}"))),
            };
        }
        match (self.differs, &self.hashes) {
            (Some(at), Some(hashes)) if signed(hashes) => {
                Err(Alarm::Files(format!("entry {at} is not the one that was signed")))
            }
            _ => Err(Alarm::Fork { seen: self.from, shown: shown.size }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::leaf_hash;
    use crate::tree::Tree;

    fn leaves(range: std::ops::Range<u64>) -> impl Iterator<Item = Hash> {
        range.map(|n| leaf_hash(&n.to_be_bytes()))
    }

    fn edge(size: u64) -> Frontier {
        let mut edge = Frontier::default();
        leaves(0..size).for_each(|leaf| edge.push(leaf, |_, _, _| ()));
        edge
    }

    fn shown(leaves: impl Iterator<Item = Hash>) -> Checkpoint {
        let mut tree = Tree::new();
        leaves.for_each(|leaf| _ = tree.push_hash(leaf));
        Checkpoint::of("log.example.org/2026", &tree)
    }

    #[test]
    fn what_is_shown_is_held_against_what_was_seen() {
        let seen = edge(5);
        assert_eq!(compare(&seen, &shown(leaves(0..5))), Ok(Step::Same));
        assert_eq!(compare(&seen, &shown(leaves(0..6))), Ok(Step::Grown));
        let back = Alarm::Rollback { seen: 5, shown: 4 };
        assert_eq!(compare(&seen, &shown(leaves(0..4))), Err(back));
        let fork = Alarm::Fork { seen: 5, shown: 5 };
        assert_eq!(compare(&seen, &shown(leaves(1..6))), Err(fork));
    }

    #[test]
    fn a_fork_and_wrong_files_are_told_apart() {
        let (seen, right) = (edge(5), shown(leaves(0..9)));
        let grown = |pairs: &mut dyn Iterator<Item = (Hash, Hash)>, shown: &Checkpoint| {
            let mut growing = Growing::new(&seen);
            pairs.for_each(|(entry, hash)| growing.push(entry, hash));
            growing.finish(shown)
        };
        let pairs = || leaves(5..9).zip(leaves(5..9));
        assert_eq!(grown(&mut pairs(), &right), Ok(edge(9)));
        let wrong = |n: usize| {
            move |(at, pair): (usize, (Hash, Hash))| match at == n {
                true => ([9; 32], pair.1),
                false => pair,
            }
        };
        let bad_entry = grown(&mut pairs().enumerate().map(wrong(2)), &right).unwrap_err();
        assert_eq!(bad_entry.to_string().matches("entry 7").count(), 1, "{bad_entry}");
        let mut swapped = pairs().enumerate().map(wrong(2)).map(|(entry, hash)| (hash, entry));
        let bad_tile = grown(&mut swapped, &right).unwrap_err();
        assert!(bad_tile.to_string().contains("leaf 7"), "{bad_tile}");
        // Another history, served consistently with itself.
        let other = shown(leaves(100..105).chain(leaves(5..9)));
        let fork = Alarm::Fork { seen: 5, shown: 9 };
        assert_eq!(grown(&mut pairs(), &other), Err(fork.clone()));
        // Too few or too many entries are no excuse.
        assert_eq!(grown(&mut pairs().take(3), &right), Err(fork.clone()));
        assert_eq!(grown(&mut pairs().chain(pairs()), &right), Err(fork));
    }
}
