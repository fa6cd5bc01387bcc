//! The journal: one dense, append-only table of entries, and the compare-and-swap that carries
//! all consistency of Bailee.
//!
//! Invariants
//! 1. Sequence numbers are dense from 0. `append` succeeds only if `expected` is the head.
//! 2. A batch is atomic: all of its entries and exhibits are durable, or none is.
//! 3. `append` returns only after the batch survives power loss (fsync). An error may mean
//!    "failed" or "failed, but persisted": the caller reads the head again, never assumes.
//! 4. An entry's leaf never changes. A section may be erased, with its salt; nothing else.
//! 5. An erased exhibit is absent; the same bytes received again are stored again.
//! 6. Any number of handles and processes may hold one journal; the compare-and-set decides.
//!
//! Synchronous on purpose: one writer thread groups all commits, so an asynchronous trait would
//! buy nothing (docs/decisions). A PostgreSQL journal blocks on its own small runtime.

use crate::medium::Unwritable;

/// Number of independently opened sections of an entry: what, who, papers.
pub const SECTIONS: usize = 3;

/// SHA-256 of an exhibit's exact bytes.
pub type Digest = [u8; 32];

/// One journal row. `leaf` is what the Merkle tree commits to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Exact leaf bytes (see bailee-ledger `leaf`), never altered.
    pub leaf: Vec<u8>,
    /// `None`: never present, or erased.
    pub sections: [Option<Section>; SECTIONS],
}

/// The bytes of a section and the salt of its commitment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// 32 random bytes, kept secret until the section is opened to someone.
    pub salt: [u8; 32],
    /// Exact section bytes (see bailee-core `wire`).
    pub bytes: Vec<u8>,
}

/// A small exhibit that rides in the same commit as the entry that names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exhibit {
    /// SHA-256 of `bytes`; the store verifies it before it writes.
    pub digest: Digest,
    /// The exact bytes received or sent.
    pub bytes: Vec<u8>,
}

/// What one group commit writes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Entries, in order; the first gets sequence number `expected`.
    pub entries: Vec<Entry>,
    /// Exhibits; one that is already there is left as it is.
    pub exhibits: Vec<Exhibit>,
}

/// Why the journal did not answer.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Somebody else appended first: read from your position to `head`, apply, decide again.
    #[error("the journal's head is {head}, not {expected}: another process appended first")]
    Conflict {
        /// What the caller believed.
        expected: u64,
        /// What the journal holds.
        head: u64,
    },
    /// A cell held something else than the caller expected.
    #[error("cell {name:?} changed underfoot: read it again")]
    CellConflict {
        /// The cell's name.
        name: String,
    },
    /// Stored bytes contradict themselves.
    #[error("the journal is damaged at {place}: {detail}")]
    Damaged {
        /// Row, cell or exhibit.
        place: String,
        /// What does not fit.
        detail: String,
    },
    /// The caller's exhibit is not what it claims to be; nothing of the batch was written.
    #[error("exhibit {digest} has other bytes than its digest says: nothing was written")]
    WrongDigest {
        /// The digest claimed, lower-case hex.
        digest: String,
    },
    /// The caller named an entry or a section that does not exist; nothing was changed.
    #[error("the journal has no {thing}: nothing was changed")]
    NotThere {
        /// For example "section 3 of entry 17".
        thing: String,
    },
    /// No space is left. Nothing already acknowledged is lost; the call may be repeated later.
    #[error("the journal could not {doing}: the disk is full; free space there and try again")]
    Full {
        /// The operation, as a verb.
        doing: String,
    },
    /// The medium can only be read; nothing was changed.
    #[error("the journal could not {doing}: the disk can only be read")]
    ReadOnly {
        /// The operation, as a verb.
        doing: String,
    },
    /// The medium failed; whether a pending append persisted is unknown.
    #[error("the journal could not {doing}: {detail}")]
    Io {
        /// The operation, as a verb.
        doing: String,
        /// The medium's own words.
        detail: String,
    },
}

impl JournalError {
    /// The medium takes no more.
    pub fn unwritable(&self) -> Option<Unwritable> {
        match self {
            JournalError::Full { .. } => Some(Unwritable::Full),
            JournalError::ReadOnly { .. } => Some(Unwritable::ReadOnly),
            _ => None,
        }
    }
}

/// The truth. Everything else is a projection of it.
pub trait Journal: Send + Sync {
    /// Number of entries, which is the sequence number the next one gets.
    fn head(&self) -> Result<u64, JournalError>;
    /// Appends a batch if the head is `expected`; returns the new head. A batch may be without
    /// entries: its exhibits are then stored, and the head stays.
    fn append(&self, expected: u64, batch: &Batch) -> Result<u64, JournalError>;
    /// Up to `limit` entries from `from` on; fewer only at the head. All from one moment.
    fn read(&self, from: u64, limit: usize) -> Result<Vec<Entry>, JournalError>;
    /// Destroys the bytes and salts of `(sequence number, section)` pairs and of exhibits, so that
    /// no byte of them is left in the store's files. Idempotent; durable on return. All or
    /// none: an entry or section that does not exist is `NotThere`; an exhibit may be absent.
    fn erase(&self, sections: &[(u64, usize)], exhibits: &[Digest]) -> Result<(), JournalError>;
    /// The bytes of a small exhibit, verified against its digest.
    fn exhibit(&self, digest: &Digest) -> Result<Option<Vec<u8>>, JournalError>;
    /// A named cell (the signed checkpoint is one).
    fn cell(&self, name: &str) -> Result<Option<Vec<u8>>, JournalError>;
    /// Replaces a cell if it holds `expected` (`None`: absent). Durable on return.
    fn swap_cell(
        &self,
        name: &str,
        expected: Option<&[u8]>,
        new: &[u8],
    ) -> Result<(), JournalError>;
}
