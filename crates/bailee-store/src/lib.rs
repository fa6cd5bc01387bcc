//! The I/O seam of Bailee: a [`Journal`] that is the truth, [`Objects`] that are put once, and a
//! [`Slot`] for the one file that lies outside of both.
//!
//! | store | journal | objects | for |
//! |---|---|---|---|
//! | [`memory`] | [`MemoryJournal`] | [`MemoryObjects`] | simulation, tests of callers |
//! | embedded | [`SqliteJournal`] | [`DiskObjects`] | one data directory, nothing to install |
//! | [`s3`] | | [`s3::S3Objects`] | packs of the vault in a bucket |
//! | [`faulty`] | [`FaultyJournal`] | [`FaultyObjects`] | fault matrices, [`FaultySlot`] too |
//! | | | [`LaggingObjects`] | lists that are not all there is |
//!
//! Every implementation passes the same suites of [`conformance`]; so must any that is added.
//! Out of scope: what the bytes mean (bailee-core, bailee-ledger), grouping of commits (the
//! runner), encryption (the vault).

pub mod conformance;
pub mod direct;
mod disk;
mod durable;
pub mod faulty;
pub mod https;
mod journal;
mod lagging;
mod lock;
mod medium;
pub mod memory;
mod objects;
pub mod s3;
mod slot;
mod sqlite;

pub use disk::DiskObjects;
pub use durable::{Kernel, Moves, Placed};
pub use faulty::{Fault, FaultPlan, FaultyJournal, FaultyObjects, FaultySlot};
pub use journal::{Batch, Digest, Entry, Exhibit, Journal, JournalError, SECTIONS, Section};
pub use lagging::LaggingObjects;
pub use lock::{DirLock, LockError, Patience};
pub use medium::Unwritable;
pub use memory::{MemoryJournal, MemoryObjects};
pub use objects::{MAX_NAME, MAX_SEGMENT, ObjectError, Objects, Put, Ranges, check_name};
pub use slot::{DiskSlot, Slot, SlotError};
pub use sqlite::{OpenError, SqliteJournal};

use sha2::{Digest as _, Sha256};

/// SHA-256 of `bytes`, the name an exhibit goes by.
pub fn digest(bytes: &[u8]) -> Digest {
    Sha256::digest(bytes).into()
}

/// Lower-case hex, as digests are shown to people.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Refuses an exhibit whose bytes are not what its digest says.
pub(crate) fn verify_exhibits(exhibits: &[Exhibit]) -> Result<(), JournalError> {
    match exhibits.iter().find(|exhibit| digest(&exhibit.bytes) != exhibit.digest) {
        None => Ok(()),
        Some(wrong) => Err(JournalError::WrongDigest { digest: hex(&wrong.digest) }),
    }
}

/// Refuses a section that no entry below `head` has.
pub(crate) fn verify_sections(sections: &[(u64, usize)], head: u64) -> Result<(), JournalError> {
    match sections.iter().find(|(seq, section)| *seq >= head || *section >= SECTIONS) {
        None => Ok(()),
        Some((seq, section)) => {
            Err(JournalError::NotThere { thing: format!("section {section} of entry {seq}") })
        }
    }
}
