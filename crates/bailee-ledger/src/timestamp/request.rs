//! `TimeStampReq` (RFC 3161 2.4.1): all that an authority is told is a SHA-256 and a random number.
//!
//! Invariant: the request asks for the signer's certificate and has a nonce, so that an answer can
//! be checked alone and cannot be an old one.

use super::der::{
    BOOLEAN, NULL, OCTET_STRING, OID, SEQUENCE, encode, encode_unsigned, integer_octets,
};
use super::error::TimestampError;
use super::oid;
use crate::hash::Hash;

/// A question to a timestamp authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    imprint: Hash,
    nonce: u64,
    policy: Option<Vec<u8>>,
}

impl Request {
    /// Asks for a token over what has this SHA-256. The nonce is 64 random bits that were never
    /// used before.
    pub fn new(imprint: Hash, nonce: u64) -> Self {
        Self { imprint, nonce, policy: None }
    }

    /// Asks for this policy, an object identifier in dotted text. Error: it is none.
    pub fn under(mut self, policy: &str) -> Result<Self, TimestampError> {
        self.policy = Some(oid::from_text(policy)?);
        Ok(self)
    }

    /// What the token is to be over.
    pub fn imprint(&self) -> &Hash {
        &self.imprint
    }

    /// The body to send, of type `application/timestamp-query`.
    pub fn to_der(&self) -> Vec<u8> {
        let algorithm = encode(SEQUENCE, &[&encode(OID, &[oid::SHA256]), &encode(NULL, &[])]);
        let imprint = encode(SEQUENCE, &[&algorithm, &encode(OCTET_STRING, &[&self.imprint])]);
        let policy = self.policy.as_deref().map(|policy| encode(OID, &[policy]));
        encode(
            SEQUENCE,
            &[
                &encode_unsigned(1),
                &imprint,
                policy.as_deref().unwrap_or_default(),
                &encode_unsigned(self.nonce),
                &encode(BOOLEAN, &[&[0xff]]),
            ],
        )
    }

    /// The nonce as a token repeats it.
    pub(super) fn nonce(&self) -> Vec<u8> {
        integer_octets(self.nonce)
    }

    /// The policy asked for, as it is encoded.
    pub(super) fn policy(&self) -> Option<&[u8]> {
        self.policy.as_deref()
    }
}
