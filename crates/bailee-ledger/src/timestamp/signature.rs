//! Which signatures count: RSA PKCS #1 v1.5 and PSS (2048 bits and more), ECDSA on P-256, P-384 and
//! P-521, each with SHA-256, SHA-384 or SHA-512. The mathematics is AWS-LC's.
//!
//! Invariant: the signature algorithm fits the digest that the signer names elsewhere, and the type
//! of the key in the certificate; a PSS salt is as long as the digest.

use rustls_pki_types::SignatureVerificationAlgorithm;
use webpki::{EndEntityCert, aws_lc_rs};

use super::der::{Der, INTEGER, SEQUENCE, field};
use super::digest::{Algorithm, Digest};
use super::error::TimestampError;
use super::oid;

type Verification = &'static dyn SignatureVerificationAlgorithm;

const SLOT: &str = "signature algorithm";

/// The ways to verify such a signature, one of which fits the key.
pub(super) fn candidates(
    algorithm: &Algorithm,
    digest: Digest,
) -> Result<Vec<Verification>, TimestampError> {
    let (named, family) = match algorithm.oid {
        oid::RSA => (digest, Family::Rsa),
        oid::RSA_SHA256 => (Digest::Sha256, Family::Rsa),
        oid::RSA_SHA384 => (Digest::Sha384, Family::Rsa),
        oid::RSA_SHA512 => (Digest::Sha512, Family::Rsa),
        oid::RSA_PSS => (pss_digest(algorithm)?, Family::Pss),
        oid::ECDSA_SHA256 => (Digest::Sha256, Family::Ecdsa),
        oid::ECDSA_SHA384 => (Digest::Sha384, Family::Ecdsa),
        oid::ECDSA_SHA512 => (Digest::Sha512, Family::Ecdsa),
        _ => return Err(algorithm.unsupported(SLOT)),
    };
    if named != digest {
        return Err(TimestampError::AlgorithmMismatch { slot: SLOT });
    }
    if family != Family::Pss && !algorithm.is_plain() {
        return Err(algorithm.unsupported(SLOT));
    }
    Ok(family.with(digest))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    Rsa,
    Pss,
    Ecdsa,
}

impl Family {
    fn with(self, digest: Digest) -> Vec<Verification> {
        use Digest::{Sha256, Sha384, Sha512};
        match (self, digest) {
            (Family::Rsa, Sha256) => vec![aws_lc_rs::RSA_PKCS1_2048_8192_SHA256],
            (Family::Rsa, Sha384) => vec![aws_lc_rs::RSA_PKCS1_2048_8192_SHA384],
            (Family::Rsa, Sha512) => vec![aws_lc_rs::RSA_PKCS1_2048_8192_SHA512],
            (Family::Pss, Sha256) => vec![aws_lc_rs::RSA_PSS_2048_8192_SHA256_LEGACY_KEY],
            (Family::Pss, Sha384) => vec![aws_lc_rs::RSA_PSS_2048_8192_SHA384_LEGACY_KEY],
            (Family::Pss, Sha512) => vec![aws_lc_rs::RSA_PSS_2048_8192_SHA512_LEGACY_KEY],
            (Family::Ecdsa, Sha256) => vec![
                aws_lc_rs::ECDSA_P256_SHA256,
                aws_lc_rs::ECDSA_P384_SHA256,
                aws_lc_rs::ECDSA_P521_SHA256,
            ],
            (Family::Ecdsa, Sha384) => vec![
                aws_lc_rs::ECDSA_P256_SHA384,
                aws_lc_rs::ECDSA_P384_SHA384,
                aws_lc_rs::ECDSA_P521_SHA384,
            ],
            (Family::Ecdsa, Sha512) => vec![
                aws_lc_rs::ECDSA_P256_SHA512,
                aws_lc_rs::ECDSA_P384_SHA512,
                aws_lc_rs::ECDSA_P521_SHA512,
            ],
        }
    }
}

/// The digest of `RSASSA-PSS-params` (RFC 4055 3.1), whose four fields must all be in accord.
fn pss_digest(algorithm: &Algorithm) -> Result<Digest, TimestampError> {
    let unsupported = || algorithm.unsupported(SLOT);
    let parameters = algorithm.parameters.ok_or_else(unsupported)?;
    let mut der = Der::only(parameters.whole, SEQUENCE, "signature algorithm")?;
    // The defaults of the first three fields are SHA-1's: absent means unsupported.
    let mut hash = der.optional_inside(field(0))?.ok_or_else(unsupported)?;
    let digest = Digest::read(&mut hash)?;
    hash.end()?;
    let mut mask = der.optional_inside(field(1))?.ok_or_else(unsupported)?;
    let mask_algorithm = Algorithm::read(&mut mask)?;
    mask.end()?;
    let mut salt = der.optional_inside(field(2))?.ok_or_else(unsupported)?;
    let salt_length = salt.unsigned(INTEGER)?;
    salt.end()?;
    if let Some(mut trailer) = der.optional_inside(field(3))? {
        if trailer.unsigned(INTEGER)? != 1 {
            return Err(unsupported());
        }
        trailer.end()?;
    }
    der.end()?;
    let inner = mask_algorithm.parameters.ok_or_else(unsupported)?;
    let mut inner = Der::new(inner.whole, "signature algorithm");
    let fits = mask_algorithm.oid == oid::MGF1
        && Digest::read(&mut inner)? == digest
        && salt_length == digest.length();
    if fits { Ok(digest) } else { Err(unsupported()) }
}

/// Does one of the ways accept the signature over `message`?
pub(super) fn verify(
    certificate: &EndEntityCert,
    ways: &[Verification],
    message: &[u8],
    signature: &[u8],
    authority: &str,
) -> Result<(), TimestampError> {
    for way in ways {
        match certificate.verify_signature(*way, message, signature) {
            Ok(()) => return Ok(()),
            Err(webpki::Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_)) => {}
            Err(_) => {
                return Err(TimestampError::BadSignature { authority: authority.to_owned() });
            }
        }
    }
    Err(TimestampError::AlgorithmMismatch { slot: "key of the signing certificate" })
}
