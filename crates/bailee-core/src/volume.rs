//! Archive volumes that left: what is on a shelf, as the log has it.
//!
//! Invariants: an entry names a snapshot and commits size and SHA-256 of each volume, in the order
//! of the set, so that a tape found years later is known; a set is in the log once; nothing rests
//! on it, and it keeps nothing from being let go. Volumes are written by the shell, which says so
//! once they were read back.
//!
//! Out of scope: where tapes lie, their keys, whether they can still be read.

use minicbor::bytes::ByteArray;

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
