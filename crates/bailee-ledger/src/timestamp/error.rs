//! Every way in which an authority's answer can be wrong, one name for each check.
//!
//! Invariant: bad input ends here, never in a panic. A message says what was found and what to do
//! next; text that came from an authority is shortened and freed of control characters first.

use crate::encoding::utc;

/// Why a timestamp was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimestampError {
    /// Larger than any timestamp.
    #[error("the {what} has {got} bytes, more than the {limit} this program reads")]
    TooLarge {
        /// What was to be read.
        what: &'static str,
        /// The limit in bytes.
        limit: usize,
        /// The size found.
        got: usize,
    },
    /// The bytes do not follow the standard's encoding.
    #[error("the {what} is malformed: {why}; ask the authority again")]
    Malformed {
        /// Which structure.
        what: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The authority did not grant a token (status other than 0).
    #[error("the authority refused with status {status} ({words}); see its conditions of use")]
    Refused {
        /// PKIStatus of the response.
        status: u64,
        /// What the authority said, and which of the standard's reasons it named.
        words: String,
    },
    /// The token is over something else.
    #[error("the token is over another file: it says {found}, the file has {wanted}")]
    WrongImprint {
        /// Hex of the hashed message in the token.
        found: String,
        /// Hex of the hash it should have.
        wanted: String,
    },
    /// The answer is not the one to this request.
    #[error("the answer does not repeat the request's nonce: it may be an old one; ask again")]
    WrongNonce,
    /// The token was made under another policy than the one asked for.
    #[error("the token is under policy {found}, asked for was {wanted}")]
    WrongPolicy {
        /// Policy in the token.
        found: String,
        /// Policy in the request.
        wanted: String,
    },
    /// The authority's clock and ours are too far apart.
    #[error(
        "the authority says it is {}, this machine says {}: set the clock, or change the authority",
        utc(*.theirs), utc(*.ours)
    )]
    ClocksApart {
        /// genTime of the token.
        theirs: u64,
        /// The time that the caller told.
        ours: u64,
    },
    /// A timestamp token has exactly one signer.
    #[error("the token has {0} signers where exactly one is allowed")]
    Signers(usize),
    /// The signing certificate is not in the answer.
    #[error("the token does not contain the certificate of its signer; the request asked for it")]
    MissingCertificate,
    /// No attribute names the signing certificate (ESSCertID).
    #[error("the token does not say which certificate signed it (no ESSCertID)")]
    UnnamedCertificate,
    /// The signed attribute names another certificate than the one that signed.
    #[error("the token names another certificate than the one it is signed with (ESSCertID)")]
    OtherCertificate,
    /// What is signed is not a timestamp.
    #[error("what is signed is not a timestamp (content type {0})")]
    NotATimestamp(String),
    /// The signed digest is not the one of the token's contents.
    #[error("the token's contents were altered: their digest is not the signed one")]
    WrongDigest,
    /// The places that name an algorithm do not agree.
    #[error("the {slot} of the token does not agree with the digest its signer uses")]
    AlgorithmMismatch {
        /// Which place.
        slot: &'static str,
    },
    /// An algorithm that is too weak or unknown.
    #[error("{what} {oid} is too weak or unknown; take another authority or policy")]
    UnsupportedAlgorithm {
        /// What it is used for.
        what: &'static str,
        /// Its object identifier.
        oid: String,
    },
    /// The signature does not verify.
    #[error("the signature by {authority} does not verify: the token was altered")]
    BadSignature {
        /// Subject of the signing certificate.
        authority: String,
    },
    /// The certificate was not issued for timestamps and nothing else.
    #[error("the certificate of {authority} is not for timestamps: {why}")]
    WrongPurpose {
        /// Subject of the signing certificate.
        authority: String,
        /// What is wrong with its extensions.
        why: &'static str,
    },
    /// A certificate of the chain had expired.
    #[error(
        "a certificate between {authority} and the roots expired at {}, which is before {}",
        utc(*.until), utc(*.at)
    )]
    Expired {
        /// Subject of the signing certificate.
        authority: String,
        /// The moment asked about.
        at: u64,
        /// End of its validity.
        until: u64,
    },
    /// A certificate of the chain was not valid yet.
    #[error(
        "a certificate between {authority} and the roots is valid from {}, which is after {}",
        utc(*.from), utc(*.at)
    )]
    NotYetValid {
        /// Subject of the signing certificate.
        authority: String,
        /// The moment asked about.
        at: u64,
        /// Begin of its validity.
        from: u64,
    },
    /// No path of certificates leads to a root.
    #[error("no chain of certificates leads from {authority} to a given root ({why})")]
    NoChain {
        /// Subject of the signing certificate.
        authority: String,
        /// What the last attempt failed on.
        why: String,
    },
    /// The file of roots cannot be used.
    #[error("the roots cannot be used: {0}; give PEM certificates, self-signed ones among them")]
    BadRoots(&'static str),
    /// A policy that is no object identifier.
    #[error("{0:?} is no policy: write an object identifier such as 1.2.3.4.1")]
    BadPolicy(String),
    /// A renewal that claims to be older than what it renews.
    #[error("token {0} of the series is older than the one it covers")]
    Backwards(usize),
    /// An error in one token of a series.
    #[error("token {number} of the series: {error}")]
    InSeries {
        /// Its number, from 0.
        number: usize,
        /// What is wrong with it.
        error: Box<TimestampError>,
    },
}
