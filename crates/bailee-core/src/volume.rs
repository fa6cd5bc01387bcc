//! Archive volumes that left: what is on a shelf, as the log has it.
//!
//! Invariants: an entry names a snapshot and commits size and SHA-256 of each volume, in the order
//! of the set, so that a tape found years later is known; a set is in the log once. It keeps
//! nothing from being let go: the key of volumes is not the vault's, so what an erasure does not
//! reach is told by [`Shelved`]. Volumes are written by the shell, which says so once they were
//! read back.
//!
//! Out of scope: where tapes lie, their keys, whether they can still be read.

use minicbor::bytes::ByteArray;

use crate::time::Time;

/// The most volumes that one entry names; a set of more has more entries.
pub const MOST: usize = 256;

/// One volume of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub struct Written {
    /// Its bytes.
    #[n(0)]
    pub size: u64,
    /// SHA-256 of the whole file.
    #[n(1)]
    pub sha256: ByteArray<32>,
}

/// A set of volumes in which a snapshot left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shelved {
    /// The set's name, which its volumes bear.
    pub set: [u8; 16],
    /// Log position of its first entry, which has the volumes' digests.
    pub position: u64,
    /// When the log heard of it.
    pub at: Time,
    /// How many volumes it has.
    pub volumes: u32,
    /// Their bytes.
    pub bytes: u64,
}
