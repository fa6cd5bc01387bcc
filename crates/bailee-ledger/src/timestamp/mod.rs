//! Timestamps of independent authorities (RFC 3161 with RFC 5816): what to ask, and whether an
//! answer holds.
//!
//! Invariants
//! 1. A [`Token`] exists only after every check: status, imprint, exactly one signer, content type
//!    and digest under the signature, ESSCertID, the three places for an algorithm, the signature,
//!    a certificate for timestamps and nothing else, a chain to the given roots that is valid when
//!    the token was made and at the moment asked about. [`accept`] adds nonce, policy and clock.
//! 2. Each check has its own name in [`TimestampError`].
//! 3. DER only; the one liberty is the order of certificates (see `signed`).
//! 4. No clock, no randomness, no network: moments and nonces come from the caller.
//!
//! Out of scope: revocation (see `chain`); the order of tokens of one authority; algorithms that
//! [`signature`] does not list.

mod attributes;
mod certificate;
mod chain;
mod der;
mod digest;
mod error;
mod ess;
mod info;
mod name;
mod oid;
mod request;
mod response;
mod roots;
mod series;
mod signature;
mod signed;
mod time;

pub use error::TimestampError;
pub use request::Request;
pub use roots::{MAX_ROOTS, Roots};
pub use series::verify_series;

use crate::hash::Hash;
use crate::to_hex;
use info::TokenInfo;
use signed::SignedData;

/// Largest answer of an authority that is read, in bytes. Real ones have 1 to 10 KiB.
pub const MAX_RESPONSE: usize = 256 << 10;

/// How far an authority's clock and ours may differ when a token is accepted, in seconds.
pub const MAX_CLOCK_DIFFERENCE: u64 = 300;

/// What an authority said, after every check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// When the authority saw the hash: genTime, Unix seconds.
    pub time: u64,
    /// How far the true time may be from it, in microseconds, if the authority says so.
    pub accuracy_micros: Option<u64>,
    /// The authority's policy, an object identifier.
    pub policy: String,
    /// Serial number of the token, hex.
    pub serial: String,
    /// Subject of the signing certificate.
    pub authority: String,
    /// Last second at which the signing certificate is valid, Unix time.
    pub expires: u64,
    /// Last second at which the whole chain, root included, is valid, Unix time.
    pub chain_expires: u64,
}

/// Checks a raw `TimeStampResp` over what has the SHA-256 `imprint`. Its chain must lead to one of
/// `roots`, and be valid at the token's own time and `at` Unix seconds if that is later.
///
/// Errors: one for each check, see [`TimestampError`].
pub fn verify(
    response: &[u8],
    imprint: &Hash,
    roots: &Roots,
    at: u64,
) -> Result<Token, TimestampError> {
    check(response, imprint, roots, at).map(|(token, _)| token)
}

/// Checks the answer to `request` that has just come in, at the time `now` (Unix seconds).
///
/// Errors: those of [`verify`] at `now`, and a nonce, policy or time that does not fit.
pub fn accept(
    response: &[u8],
    request: &Request,
    roots: &Roots,
    now: u64,
) -> Result<Token, TimestampError> {
    let (token, info) = check(response, request.imprint(), roots, now)?;
    if info.nonce != Some(&*request.nonce()) {
        return Err(TimestampError::WrongNonce);
    }
    if let Some(wanted) = request.policy()
        && info.policy != wanted
    {
        let (found, wanted) = (token.policy, oid::to_text(wanted));
        return Err(TimestampError::WrongPolicy { found, wanted });
    }
    if token.time.abs_diff(now) > MAX_CLOCK_DIFFERENCE {
        return Err(TimestampError::ClocksApart { theirs: token.time, ours: now });
    }
    Ok(token)
}

fn check<'r>(
    response: &'r [u8],
    imprint: &Hash,
    roots: &Roots,
    at: u64,
) -> Result<(Token, TokenInfo<'r>), TimestampError> {
    if response.len() > MAX_RESPONSE {
        let (what, got) = ("authority's answer", response.len());
        return Err(TimestampError::TooLarge { what, limit: MAX_RESPONSE, got });
    }
    let signed = SignedData::parse(response::granted(response)?)?;
    let signer = signed.check(roots.certificates())?;
    let info = TokenInfo::parse(signed.content)?;
    info.is_over(imprint)?;
    let mut chain_expires = chain::check(&signer, &signed.certificates, roots, info.time)?;
    if at > info.time {
        chain_expires = chain::check(&signer, &signed.certificates, roots, at)?;
    }
    let token = Token {
        time: info.time,
        accuracy_micros: info.accuracy_micros,
        policy: oid::to_text(info.policy),
        serial: to_hex(info.serial),
        authority: signer.subject_text()?,
        expires: signer.until,
        chain_expires,
    };
    Ok((token, info))
}
