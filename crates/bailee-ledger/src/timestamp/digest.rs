//! Digests of a token, and the algorithm identifiers that name them.
//!
//! Invariant: SHA-256, SHA-384 and SHA-512 sign; SHA-1 does nothing but find a certificate that an
//! old ESSCertID names, under a signature by one of the others.

use aws_lc_rs::digest;

use super::der::{Der, Element, NULL, SEQUENCE};
use super::error::TimestampError;
use super::oid;

/// `AlgorithmIdentifier`: an object identifier and what goes with it.
pub(super) struct Algorithm<'a> {
    pub(super) oid: &'a [u8],
    pub(super) parameters: Option<Element<'a>>,
}

impl<'a> Algorithm<'a> {
    /// The next element, an `AlgorithmIdentifier`.
    pub(super) fn read(der: &mut Der<'a>) -> Result<Self, TimestampError> {
        let mut inside = der.inside(SEQUENCE)?;
        let oid = inside.oid()?;
        let parameters = if inside.is_empty() { None } else { Some(inside.any()?) };
        inside.end()?;
        Ok(Self { oid, parameters })
    }

    /// Are the parameters absent or NULL? Authorities write either.
    pub(super) fn is_plain(&self) -> bool {
        self.parameters.is_none_or(|found| found.tag == NULL && found.value.is_empty())
    }

    /// A named error about this algorithm.
    pub(super) fn unsupported(&self, what: &'static str) -> TimestampError {
        TimestampError::UnsupportedAlgorithm { what, oid: oid::to_text(self.oid) }
    }
}

/// A digest that may sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Digest {
    Sha256,
    Sha384,
    Sha512,
}

impl Digest {
    /// The next element, an `AlgorithmIdentifier` of a digest.
    pub(super) fn read(der: &mut Der) -> Result<Self, TimestampError> {
        Self::named(&Algorithm::read(der)?)
    }

    /// The digest that this names.
    pub(super) fn named(algorithm: &Algorithm) -> Result<Self, TimestampError> {
        let digest = match algorithm.oid {
            oid::SHA256 => Digest::Sha256,
            oid::SHA384 => Digest::Sha384,
            oid::SHA512 => Digest::Sha512,
            _ => return Err(algorithm.unsupported("digest")),
        };
        if algorithm.is_plain() { Ok(digest) } else { Err(algorithm.unsupported("digest")) }
    }

    /// The digest of `bytes`.
    pub(super) fn of(self, bytes: &[u8]) -> digest::Digest {
        let algorithm = match self {
            Digest::Sha256 => &digest::SHA256,
            Digest::Sha384 => &digest::SHA384,
            Digest::Sha512 => &digest::SHA512,
        };
        digest::digest(algorithm, bytes)
    }

    /// Its length in bytes.
    pub(super) fn length(self) -> u64 {
        match self {
            Digest::Sha256 => 32,
            Digest::Sha384 => 48,
            Digest::Sha512 => 64,
        }
    }
}

/// SHA-1, for ESSCertID only.
pub(super) fn sha1(bytes: &[u8]) -> digest::Digest {
    digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, bytes)
}
