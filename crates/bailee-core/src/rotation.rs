//! The log's keys, as the log itself tells of them: rotations, and a log that goes on after its key
//! was lost.
//!
//! Invariants: while two pairs of keys overlap both sign; from the end of an overlap only the new
//! pair does; a key that was replaced never comes back; a rotation carries two persons' names,
//! counsel among them. Which pairs sign the tree of a size follows from the entries below it alone.
//! A house that never rotated has no keys on record: its own settings name them.
//!
//! Out of scope: private keys and where they live; the core knows public halves only.

use minicbor::bytes::ByteArray;

use crate::demand::Digest;
use crate::id::{PartyId, RotationId};
use crate::table::Table;
use crate::time::Time;

/// The public halves of a pair that signs the log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, minicbor::Encode, minicbor::Decode)]
pub struct LogKeys {
    /// The Ed25519 key itself.
    #[n(0)]
    pub ed25519: ByteArray<32>,
    /// SHA-256 of the ML-DSA-44 key, which is long; `None` if there is none.
    #[n(1)]
    pub ml_dsa: Option<ByteArray<32>>,
}

/// Why the old pair ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
#[cbor(index_only)]
pub enum KeyEnd {
    /// As planned: what it signed stays as good as it was.
    #[n(0)]
    Retired,
    /// Somebody else may sign with it: what only it says since then says nothing.
    #[n(1)]
    Stolen,
}

/// How far a rotation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RotationStatus {
    /// One person wants it.
    Proposed,
    /// Both pairs sign, from the entry at this position on.
    Overlap {
        /// Position of the entry that began it.
        since: u64,
        /// A planned end comes no earlier.
        until: Time,
    },
    /// Only the new pair signs, from the entry at this position on.
    Ended {
        /// Position of the entry that ended it.
        since: u64,
        /// Why.
        why: KeyEnd,
    },
    /// The new pair is dropped; the old one goes on.
    Cancelled,
}

/// The way from one pair of keys to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// The old pair.
    pub from: LogKeys,
    /// The new pair.
    pub to: LogKeys,
    /// Days that both sign.
    pub overlap_days: u32,
    /// Who proposed.
    pub proposer: PartyId,
    /// Who approved, once somebody has.
    pub approver: Option<PartyId>,
    /// How far it is.
    pub status: RotationStatus,
}

/// Where the log of an earlier name ended, and this one goes on with the same entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Continuation {
    /// Position of the entry that says so.
    pub position: u64,
    /// The new name.
    pub origin: String,
    /// The new pair.
    pub keys: LogKeys,
    /// The old name.
    pub before: String,
    /// The old Ed25519 key, under which the last checkpoint verified.
    pub key: [u8; 32],
    /// Leaves under the last checkpoint that others have seen.
    pub size: u64,
    /// Its root.
    pub root: Digest,
    /// SHA-256 of the signed checkpoint, which is in the papers.
    pub note: Digest,
}

/// What the log tells about its own keys.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ring {
    /// Every rotation.
    pub rotations: Table<RotationId, Rotation>,
    /// Every continuation, oldest first.
    pub continued: Vec<Continuation>,
    /// The pair that must sign, with the position of the entry that made it so.
    pub(crate) current: Option<(u64, LogKeys)>,
}

impl Ring {
    /// The pair that must sign; `None` in a house that never rotated.
    pub fn current(&self) -> Option<&LogKeys> {
        self.current.as_ref().map(|(_, keys)| keys)
    }

    /// The rotation that is proposed or under way.
    pub fn open(&self) -> Option<(RotationId, &Rotation)> {
        let open = |rotation: &Rotation| {
            matches!(rotation.status, RotationStatus::Proposed | RotationStatus::Overlap { .. })
        };
        self.rotations.iter().next_back().filter(|(_, rotation)| open(rotation))
    }

    /// The rotation whose two pairs both sign now.
    pub fn overlap(&self) -> Option<&Rotation> {
        let begun =
            |rotation: &&Rotation| matches!(rotation.status, RotationStatus::Overlap { .. });
        self.open().map(|(_, rotation)| rotation).filter(begun)
    }

    /// The name under which the log goes on; `None` if it never had another.
    pub fn origin(&self) -> Option<&str> {
        self.continued.last().map(|last| last.origin.as_str())
    }

    /// Number of the first tree that the pairs which sign now have to sign.
    pub fn since(&self) -> u64 {
        let begun = self.overlap().map(|rotation| match rotation.status {
            RotationStatus::Overlap { since, .. } => since + 1,
            _ => 0,
        });
        let current = self.current.as_ref().map(|(position, _)| position + 1);
        begun.max(current).unwrap_or(0)
    }

    /// Did this Ed25519 key sign the log, and does it no more?
    pub fn retired(&self, ed25519: &[u8; 32]) -> bool {
        let ended = |r: &Rotation| matches!(r.status, RotationStatus::Ended { .. });
        self.rotations.iter().any(|(_, r)| ended(r) && *r.from.ed25519 == *ed25519)
            || self.continued.iter().any(|c| c.key == *ed25519)
    }

    /// Was this Ed25519 key ever one of the log's, or is it meant to be?
    pub fn knows(&self, ed25519: &[u8; 32]) -> bool {
        let named = |keys: &LogKeys| *keys.ed25519 == *ed25519;
        // A pair that nobody approved before it was cancelled has signed nothing.
        let counts = |r: &Rotation| r.approver.is_some() || r.status == RotationStatus::Proposed;
        self.rotations.iter().any(|(_, r)| named(&r.from) || (named(&r.to) && counts(r)))
            || self.continued.iter().any(|c| named(&c.keys) || c.key == *ed25519)
    }
}
