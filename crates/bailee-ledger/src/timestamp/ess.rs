//! ESSCertID: the signed attribute that names the signing certificate (RFC 2634 5.4, RFC 5035).
//!
//! Why it matters: issuer and serial number stand outside of the signature. Without this attribute
//! a token could be shown with another certificate for the same key.
//!
//! Invariant: at least one of the two versions is there; the first certificate that each names is
//! the signer's, by digest and, where it is written, by issuer and serial number.

use super::attributes::Attributes;
use super::certificate::Certificate;
use super::der::{Der, INTEGER, OCTET_STRING, SEQUENCE, field};
use super::digest::{Digest, sha1};
use super::error::TimestampError;

/// Checks that the attributes name `signer`, and that further certificates they name are `known`.
pub(super) fn check(
    attributes: &Attributes,
    signer: &Certificate,
    known: &[&[u8]],
) -> Result<(), TimestampError> {
    if attributes.certificate.is_none() && attributes.certificate_v2.is_none() {
        return Err(TimestampError::UnnamedCertificate);
    }
    for (attribute, version) in
        [(attributes.certificate, Version::Sha1), (attributes.certificate_v2, Version::Two)]
    {
        let Some(attribute) = attribute else { continue };
        check_version(attribute, version, signer, known)?;
    }
    Ok(())
}

#[derive(Clone, Copy)]
enum Version {
    Sha1,
    Two,
}

fn check_version(
    attribute: &[u8],
    version: Version,
    signer: &Certificate,
    known: &[&[u8]],
) -> Result<(), TimestampError> {
    let mut outer = Der::only(attribute, SEQUENCE, "ESSCertID")?;
    let mut names = outer.inside(SEQUENCE)?;
    // Policies of the authority's certificate: informative.
    outer.optional(SEQUENCE)?;
    outer.end()?;
    let first = Named::read(&mut names, version)?;
    if !first.is(signer.der) || !first.issued(signer)? {
        return Err(TimestampError::OtherCertificate);
    }
    while !names.is_empty() {
        let further = Named::read(&mut names, version)?;
        if !known.iter().any(|der| further.is(der)) {
            return Err(TimestampError::OtherCertificate);
        }
    }
    Ok(())
}

struct Named<'a> {
    digest: Option<Digest>,
    hash: &'a [u8],
    issuer_serial: Option<Der<'a>>,
}

impl<'a> Named<'a> {
    fn read(names: &mut Der<'a>, version: Version) -> Result<Self, TimestampError> {
        let mut name = names.inside(SEQUENCE)?;
        let digest = match version {
            Version::Sha1 => None,
            Version::Two if name.next_is(SEQUENCE) => Some(Digest::read(&mut name)?),
            Version::Two => Some(Digest::Sha256),
        };
        let hash = name.value(OCTET_STRING)?;
        let issuer_serial = name.optional_inside(SEQUENCE)?;
        name.end()?;
        Ok(Self { digest, hash, issuer_serial })
    }

    fn is(&self, der: &[u8]) -> bool {
        let digest = self.digest.map_or_else(|| sha1(der), |digest| digest.of(der));
        self.hash == digest.as_ref()
    }

    /// Are issuer and serial number, if they are written, the certificate's?
    fn issued(&self, certificate: &Certificate) -> Result<bool, TimestampError> {
        let Some(mut both) = self.issuer_serial else { return Ok(true) };
        let mut names = both.inside(SEQUENCE)?;
        // GeneralName, directoryName [4].
        let issuer = names.value(field(4))?;
        names.end()?;
        let serial = both.value(INTEGER)?;
        both.end()?;
        Ok(issuer == certificate.issuer && serial == certificate.serial)
    }
}
