//! Ledger: proofs that anyone can check offline.
//!
//! PURE: bytes in, bytes out. No files, sockets, clock or randomness; time, seeds and salts come
//! from the caller. Formats are the C2SP family (signed-note, tlog-checkpoint, tlog-tiles,
//! tlog-proof, tlog-policy, tlog-cosignature) over RFC 6962, so that software we did not write can
//! check us; `docs/format.md` describes them to the byte.
//!
//! Every parser here takes bytes from strangers: it returns a named error, never panics, and
//! accepts one spelling of each value.

pub mod bundle;
pub mod checkpoint;
pub mod clearance;
mod encoding;
mod error;
pub mod frontier;
pub mod hash;
pub mod key;
pub mod leaf;
pub mod monitor;
pub mod note;
pub mod policy;
pub mod pq;
pub mod proof;
pub mod report;
pub mod sign;
pub mod tile;
pub mod tile_reader;
pub mod timestamp;
pub mod tlog_proof;
pub mod tree;
pub mod verify;
pub mod witness;
pub mod zip;

pub use bundle::BundleBuilder;
pub use checkpoint::Checkpoint;
pub use encoding::{from_hex, hash_from_hex, to_hex};
pub use error::Error;
pub use hash::Hash;
pub use key::{KeyKind, Signer, Verifier};
pub use leaf::Leaf;
pub use note::Note;
pub use policy::{Policy, SecondKey};
pub use pq::PqSigner;
pub use report::Report;
pub use sign::{Sign, SignError};
pub use tile::TileId;
pub use tlog_proof::TlogProof;
pub use tree::Tree;
pub use verify::{Trust, verify_bundle};
