//! What reading an archive may cost: of anybody's, and of our own.

/// What reading an archive may cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// The most bytes of names and attributes before one member, without its names never read.
    pub(super) records: u64,
    /// The most bytes of one extended header.
    pub(super) header: u64,
    /// The most bytes of holes in all members.
    pub(super) holes: u64,
    /// The most bytes that names never read take, in all members.
    pub(super) missing: u64,
}

/// Of anybody's archive. Header: records, and all names never read that there may be. Holes: a file
/// of the largest size that ext4 has, with nothing in it. A header that claims more would keep the
/// processor for days.
pub(super) const FOREIGN: Limits =
    Limits { records: 16 << 20, header: 80 << 20, holes: 16 << 40, missing: 64 << 20 };

/// Of our own. Records: more than all attributes that Linux can list of one file (64 KiB of names,
/// each with a value of 64 KiB).
pub(super) const AUTHENTIC: Limits =
    Limits { records: 1 << 30, header: 1 << 30, holes: u64::MAX, missing: u64::MAX };

/// What an entry takes besides its path.
pub(super) const ENTRY: u64 = 128;
