//! The signed attributes of a token: what exactly its signature is over.
//!
//! Invariants: they are in the order that DER gives a set, and are signed as that set (RFC 5652
//! 5.4); each that is read here is there once, with one value. Unknown ones are signed too, and
//! mean nothing here.

use super::der::{Der, OCTET_STRING, OID, SEQUENCE, SET};
use super::error::TimestampError;
use super::oid;

const WHAT: &str = "token's signed attributes";

/// The attributes that decide, as they are encoded.
pub(super) struct Attributes<'a> {
    /// What is signed: the attributes under the tag of a set.
    pub(super) signed: Vec<u8>,
    /// The type of the contents.
    pub(super) content_type: &'a [u8],
    /// The digest of the contents.
    pub(super) message_digest: &'a [u8],
    /// `SigningCertificate` (SHA-1), if it is there.
    pub(super) certificate: Option<&'a [u8]>,
    /// `SigningCertificateV2`, if it is there.
    pub(super) certificate_v2: Option<&'a [u8]>,
}

impl<'a> Attributes<'a> {
    /// Reads the contents of `signedAttrs`.
    pub(super) fn parse(contents: &'a [u8]) -> Result<Self, TimestampError> {
        let mut list = Der::new(contents, WHAT);
        let (mut kind, mut digest, mut certificate, mut certificate_v2) = (None, None, None, None);
        let mut before: &[u8] = &[];
        while !list.is_empty() {
            let attribute = list.element(SEQUENCE)?;
            if attribute.whole <= before {
                return Err(list.wrong("they are not in the order of a set, or one is there twice"));
            }
            before = attribute.whole;
            let mut attribute = Der::new(attribute.value, WHAT);
            let name = attribute.oid()?;
            let values = attribute.value(SET)?;
            attribute.end()?;
            let place = match name {
                oid::CONTENT_TYPE => &mut kind,
                oid::MESSAGE_DIGEST => &mut digest,
                oid::SIGNING_CERTIFICATE => &mut certificate,
                oid::SIGNING_CERTIFICATE_V2 => &mut certificate_v2,
                _ => continue,
            };
            if place.replace(values).is_some() {
                return Err(list.wrong("one is there twice"));
            }
        }
        let only = |values: Option<&'a [u8]>, tag, why| {
            let mut values = Der::new(values.ok_or_else(|| list.wrong(why))?, WHAT);
            let value = values.element(tag)?;
            values.end()?;
            Ok::<_, TimestampError>(value)
        };
        let one = |values: Option<&'a [u8]>| match values {
            None => Ok(None),
            Some(_) => only(values, SEQUENCE, "").map(|element| Some(element.whole)),
        };
        Ok(Self {
            signed: super::der::encode(SET, &[contents]),
            content_type: only(kind, OID, "the content type is missing")?.value,
            message_digest: only(digest, OCTET_STRING, "the digest is missing")?.value,
            certificate: one(certificate)?,
            certificate_v2: one(certificate_v2)?,
        })
    }
}
