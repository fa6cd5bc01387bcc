//! CMS `SignedData` (RFC 5652 5) around a timestamp, and everything about its one signature.
//!
//! Invariants
//! 1. Exactly one signer; the certificate it names is in the token.
//! 2. The three places for an algorithm (`digestAlgorithms`, the signer's digest, the signature's)
//!    agree; the signature is over the signed attributes as a DER set, they hold the digest of the
//!    contents, the type of the contents, and the digest of the certificate.
//! 3. What no signature covers is refused (revocation lists, unsigned attributes), so that no octet
//!    of a token can change unnoticed, but in certificates that no chain needs.
//!
//! Certificates may come in any order: authorities that run OpenSSL send them unsorted, which DER
//! does not allow in a set. That is the only liberty taken with DER here.

use rustls_pki_types::CertificateDer;
use webpki::EndEntityCert;

use super::attributes::Attributes;
use super::certificate::Certificate;
use super::der::{Der, INTEGER, OCTET_STRING, SEQUENCE, SET, field, plain_field};
use super::digest::{Algorithm, Digest};
use super::error::TimestampError;
use super::{ess, oid, signature};

/// Most certificates in one token: they cost time in the search for a chain.
const MAX_CERTIFICATES: usize = 8;

const WHAT: &str = "timestamp token";

/// A token taken apart; nothing is checked yet.
pub(super) struct SignedData<'a> {
    /// What is signed.
    pub(super) content: &'a [u8],
    content_type: &'a [u8],
    digest: Digest,
    /// Certificates, in the order of the token.
    pub(super) certificates: Vec<&'a [u8]>,
    signer: SignerInfo<'a>,
}

struct SignerInfo<'a> {
    id: SignerId<'a>,
    digest: Digest,
    attributes: Attributes<'a>,
    algorithm: Algorithm<'a>,
    signature: &'a [u8],
}

/// How the signer's certificate is found.
#[derive(Clone, Copy)]
enum SignerId<'a> {
    Issuer { name: &'a [u8], serial: &'a [u8] },
    Key(&'a [u8]),
}

impl<'a> SignedData<'a> {
    /// Reads a `ContentInfo` with a `SignedData` in it.
    pub(super) fn parse(token: &'a [u8]) -> Result<Self, TimestampError> {
        let mut info = Der::only(token, SEQUENCE, WHAT)?;
        let kind = info.oid()?;
        if kind != oid::SIGNED_DATA {
            return Err(TimestampError::NotATimestamp(oid::to_text(kind)));
        }
        let mut explicit = info.inside(field(0))?;
        info.end()?;
        let mut data = explicit.inside(SEQUENCE)?;
        explicit.end()?;
        // Version 3: the contents are not plain data.
        if data.unsigned(INTEGER)? != 3 {
            return Err(data.wrong("its version is not 3"));
        }
        let mut digests = data.inside(SET)?;
        let digest = Digest::read(&mut digests)?;
        if !digests.is_empty() {
            return Err(TimestampError::AlgorithmMismatch { slot: "list of digests" });
        }
        let (content_type, content) = read_content(&mut data)?;
        let certificates = read_certificates(&mut data)?;
        if data.next_is(field(1)) {
            return Err(data.wrong("it carries revocation lists, which nothing in it covers"));
        }
        let signer = read_signer(&mut data.inside(SET)?)?;
        data.end()?;
        Ok(Self { content, content_type, digest, certificates, signer })
    }

    /// Checks everything but the chain; returns the signer's certificate. `known` certificates are
    /// those that an ESSCertID may name besides the signer's and the token's own.
    pub(super) fn check<'k>(
        &self,
        known: impl Iterator<Item = &'k [u8]>,
    ) -> Result<Certificate<'a>, TimestampError> {
        let SignerInfo { digest, attributes, algorithm, signature, .. } = &self.signer;
        for found in [self.content_type, attributes.content_type] {
            if found != oid::TST_INFO {
                return Err(TimestampError::NotATimestamp(oid::to_text(found)));
            }
        }
        if self.digest != *digest {
            return Err(TimestampError::AlgorithmMismatch { slot: "list of digests" });
        }
        let ways = signature::candidates(algorithm, *digest)?;
        if digest.of(self.content).as_ref() != attributes.message_digest {
            return Err(TimestampError::WrongDigest);
        }
        let certificate = self.signing_certificate()?;
        let authority = certificate.subject_text()?;
        let mut known: Vec<&[u8]> = known.collect();
        for own in &self.certificates {
            known.push(own);
        }
        ess::check(attributes, &certificate, &known)?;
        certificate.may_stamp()?;
        let der = CertificateDer::from(certificate.der);
        let end = EndEntityCert::try_from(&der).map_err(|error| TimestampError::NoChain {
            authority: authority.clone(),
            why: super::name::shortened(&error.to_string()),
        })?;
        signature::verify(&end, &ways, &attributes.signed, signature, &authority)?;
        Ok(certificate)
    }

    fn signing_certificate(&self) -> Result<Certificate<'a>, TimestampError> {
        let mut found = None;
        for der in &self.certificates {
            let certificate = Certificate::parse(der)?;
            let fits = match self.signer.id {
                SignerId::Issuer { name, serial } => {
                    certificate.issuer == name && certificate.serial == serial
                }
                SignerId::Key(key) => certificate.key_identifier == Some(key),
            };
            if fits && found.is_none() {
                found = Some(certificate);
            }
        }
        found.ok_or(TimestampError::MissingCertificate)
    }
}

/// `EncapsulatedContentInfo`: type and octets.
fn read_content<'a>(data: &mut Der<'a>) -> Result<(&'a [u8], &'a [u8]), TimestampError> {
    let mut info = data.inside(SEQUENCE)?;
    let kind = info.oid()?;
    let mut explicit = info.inside(field(0))?;
    info.end()?;
    let content = explicit.value(OCTET_STRING)?;
    explicit.end()?;
    Ok((kind, content))
}

fn read_certificates<'a>(data: &mut Der<'a>) -> Result<Vec<&'a [u8]>, TimestampError> {
    let Some(mut set) = data.optional_inside(field(0))? else {
        return Err(TimestampError::MissingCertificate);
    };
    let mut certificates = Vec::new();
    while !set.is_empty() {
        if certificates.len() == MAX_CERTIFICATES {
            return Err(set.wrong("it carries more than 8 certificates"));
        }
        certificates.push(set.element(SEQUENCE)?.whole);
    }
    Ok(certificates)
}

/// The one element of `signerInfos`.
fn read_signer<'a>(signers: &mut Der<'a>) -> Result<SignerInfo<'a>, TimestampError> {
    let mut all = Vec::new();
    while !signers.is_empty() {
        all.push(signers.element(SEQUENCE)?.value);
    }
    let [signer] = all[..] else { return Err(TimestampError::Signers(all.len())) };
    let mut info = Der::new(signer, WHAT);
    let version = info.unsigned(INTEGER)?;
    let id = read_signer_id(&mut info, version)?;
    let digest = Digest::read(&mut info)?;
    let attributes = Attributes::parse(info.value(field(0))?)?;
    let algorithm = Algorithm::read(&mut info)?;
    let signature = info.value(OCTET_STRING)?;
    if info.next_is(field(1)) {
        return Err(info.wrong("it has unsigned attributes, which nothing in it covers"));
    }
    info.end()?;
    Ok(SignerInfo { id, digest, attributes, algorithm, signature })
}

fn read_signer_id<'a>(info: &mut Der<'a>, version: u64) -> Result<SignerId<'a>, TimestampError> {
    match version {
        1 => {
            let mut id = info.inside(SEQUENCE)?;
            let name = id.element(SEQUENCE)?.whole;
            let serial = id.value(INTEGER)?;
            id.end()?;
            Ok(SignerId::Issuer { name, serial })
        }
        3 => Ok(SignerId::Key(info.value(plain_field(0))?)),
        _ => Err(info.wrong("the version of its signer is neither 1 nor 3")),
    }
}
