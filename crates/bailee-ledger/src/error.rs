//! Every way in which bytes handed to the ledger can be wrong.
//!
//! Invariant: bad input ends here, never in a panic. A message names the thing and what to do next;
//! it never repeats secret bytes (salts, seeds), so it may be logged and shown.
//!
//! Out of scope: refusals of the domain (core), failures of disks and networks (callers).

use crate::sign::SignError;

/// Why a log structure, note, key, leaf, tile, proof or policy was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The bytes do not follow the format.
    #[error("{what} is malformed: {why}; fetch it again from whoever issued it")]
    Malformed {
        /// Which format.
        what: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A line of a text file does not follow the format.
    #[error("{what} line {line}: {why}")]
    Line {
        /// Which format.
        what: &'static str,
        /// 1-based line number.
        line: usize,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Larger than this implementation reads.
    #[error("{what} has {got} bytes, more than the {limit} this program reads")]
    TooLarge {
        /// Which format.
        what: &'static str,
        /// The limit in bytes.
        limit: u64,
        /// The size found.
        got: u64,
    },
    /// A known key's signature does not verify: the text or the signature was altered.
    #[error("the signature by {name} does not verify; the text was altered after signing")]
    BadSignature {
        /// Key name of the signature line.
        name: String,
    },
    /// None of the signatures is by a key we know.
    #[error("no signature by a known key (wanted {wanted}); check which key you pinned")]
    NoKnownSignature {
        /// The key names that would have counted.
        wanted: String,
    },
    /// The note speaks for another log than the key that signed it.
    #[error("this is about log {found}, not about {wanted}")]
    WrongOrigin {
        /// The origin in the text.
        found: String,
        /// The origin of the key.
        wanted: String,
    },
    /// A key of a signature type that is unknown, or belongs elsewhere (known: 0x01, 0x04, 0x06).
    #[error("key {name} has signature type {kind:#04x}, which has no place here")]
    UnknownKeyType {
        /// Key name.
        name: String,
        /// Signature type byte.
        kind: u8,
    },
    /// The key id written in an encoded key is not the one its bytes give.
    #[error("key {name} has id {found:08x} but its bytes give {computed:08x}; copy it again")]
    KeyIdMismatch {
        /// Key name.
        name: String,
        /// The id written down.
        found: u32,
        /// The id of the bytes.
        computed: u32,
    },
    /// An index or size outside the tree.
    #[error("{what} {got} is outside a tree of {size} leaves")]
    OutOfRange {
        /// Which number.
        what: &'static str,
        /// Its value.
        got: u64,
        /// Leaves in the tree.
        size: u64,
    },
    /// A Merkle proof with too many or too few hashes.
    #[error("the {what} proof has {got} hashes where {wanted} are needed")]
    ProofLength {
        /// `inclusion` or `consistency`.
        what: &'static str,
        /// Hashes given.
        got: usize,
        /// Hashes needed.
        wanted: usize,
    },
    /// A Merkle proof that leads to another root.
    #[error("the {what} proof leads to another root: the leaf or the tree is not the one claimed")]
    RootMismatch {
        /// `inclusion` or `consistency`.
        what: &'static str,
    },
    /// Whoever holds the key did not sign.
    #[error("not signed: {0}")]
    NotSigned(#[from] SignError),
    /// The policy's quorum of witnesses did not cosign.
    #[error("quorum {quorum} is not reached: {have} witnesses cosigned")]
    QuorumNotReached {
        /// Name of the quorum in the policy.
        quorum: String,
        /// Known witnesses whose cosignatures verified.
        have: usize,
    },
}

impl Error {
    /// Shorthand used by the parsers.
    pub(crate) fn malformed(what: &'static str, why: &'static str) -> Self {
        Error::Malformed { what, why }
    }
}
