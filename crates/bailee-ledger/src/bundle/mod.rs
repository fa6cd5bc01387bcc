//! Bundles (`*.bailee.zip`): everything one party needs to prove its entries, in one file: a BagIt
//! 1.0 bag (RFC 8493) in a ZIP.
//!
//! Invariants: `bundle.note`, signed by the log key with exactly one signature, names the SHA-256
//! of the tag manifest, which names that of the payload manifest, which names that of every other
//! file; the ZIP has one encoding (zip/); so every byte of the file is covered by that signature.
//! All proofs in a bundle lead to its one `checkpoint`. A builder issues only what the verifier
//! accepts.
//!
//! An exhibit is tied to an entry by containment: the opened papers section, which the leaf
//! commits to, holds the exhibit's 32-byte SHA-256 somewhere in its bytes. Nobody can choose
//! committed bytes after the fact, nor find a file for a digest, so where it stands is irrelevant.

mod bag;
mod build;
mod guide;
mod layout;
mod manifest;
mod statement;

pub(crate) use bag::MAX_BAG_INFO;
pub use bag::{BAG_INFO, BAGIT, BagInfo, DECLARATION};
pub use build::{BundleBuilder, BundleError, Opened};
pub use guide::{GUIDES, VERIFY_MD};
pub use layout::{CERTIFICATE, CHECKPOINT, MAX_SECTION, POLICY, README, ROOT, check_authority};
pub(crate) use layout::{
    Part, TimestampFile, entry_dir, is_payload, path_in_bag, roots_name, token_name,
};
pub use manifest::{List, Listed, Manifest};
pub(crate) use statement::MAX_STATEMENT;
pub use statement::{Kind, NOTE, Statement};

use std::collections::BTreeSet;

use crate::hash::Hash;

/// Removes from `wanted` every digest that occurs in `papers`.
pub(crate) fn strike_found(wanted: &mut BTreeSet<Hash>, papers: &[u8]) {
    for window in papers.windows(32) {
        if wanted.is_empty() {
            return;
        }
        if let Ok(digest) = <&Hash>::try_from(window) {
            wanted.remove(digest);
        }
    }
}
