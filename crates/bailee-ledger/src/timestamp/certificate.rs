//! What of an X.509 certificate (RFC 5280) a timestamp needs, and whether it may stamp.
//!
//! Invariant: a certificate may stamp if its extended key usage is critical and names timestamps
//! and nothing else (RFC 3161 2.3), and its key usage, if there is one, only signs.
//!
//! Out of scope: signatures and paths (`chain`, by rustls-webpki, which reads the same bytes
//! again), revocation.

use super::der::{BIT_STRING, Der, Flag, INTEGER, OCTET_STRING, SEQUENCE, field, plain_field};
use super::error::TimestampError;
use super::{name, oid, time};

/// Bits of key usage (RFC 5280 4.2.1.3), first octet first.
const DIGITAL_SIGNATURE: u16 = 0x8000;
const NON_REPUDIATION: u16 = 0x4000;
const CERT_SIGN: u16 = 0x0400;

/// A certificate, its parts as they are encoded.
pub(super) struct Certificate<'a> {
    /// All of it.
    pub(super) der: &'a [u8],
    /// Contents of the serial number.
    pub(super) serial: &'a [u8],
    /// The issuer's `Name`.
    pub(super) issuer: &'a [u8],
    /// The subject's `Name`.
    pub(super) subject: &'a [u8],
    /// First second of validity, Unix time.
    pub(super) from: u64,
    /// Last second of validity, Unix time.
    pub(super) until: u64,
    /// Contents of the subject key identifier.
    pub(super) key_identifier: Option<&'a [u8]>,
    key_usage: Option<u16>,
    purposes: Option<(Flag, Vec<&'a [u8]>)>,
}

impl<'a> Certificate<'a> {
    /// Reads the one certificate that `der` must be.
    pub(super) fn parse(der: &'a [u8]) -> Result<Self, TimestampError> {
        let mut outer = Der::only(der, SEQUENCE, "certificate")?;
        let mut tbs = outer.inside(SEQUENCE)?;
        outer.element(SEQUENCE)?;
        outer.octets_of_bits()?;
        outer.end()?;
        if let Some(mut version) = tbs.optional_inside(field(0))? {
            version.unsigned(INTEGER)?;
            version.end()?;
        }
        // Serial numbers longer or shorter than the standard's exist, also in roots.
        let serial = tbs.value(INTEGER)?;
        tbs.element(SEQUENCE)?;
        let issuer = tbs.element(SEQUENCE)?.whole;
        let mut validity = tbs.inside(SEQUENCE)?;
        let (from, until) =
            (time::of_certificate(&mut validity)?, time::of_certificate(&mut validity)?);
        validity.end()?;
        let subject = tbs.element(SEQUENCE)?.whole;
        tbs.element(SEQUENCE)?;
        tbs.optional(plain_field(1))?;
        tbs.optional(plain_field(2))?;
        let mut certificate = Self {
            der,
            serial,
            issuer,
            subject,
            from,
            until,
            key_identifier: None,
            key_usage: None,
            purposes: None,
        };
        if let Some(mut extensions) = tbs.optional_inside(field(3))? {
            certificate.read_extensions(&mut extensions.inside(SEQUENCE)?)?;
            extensions.end()?;
        }
        tbs.end()?;
        Ok(certificate)
    }

    fn read_extensions(&mut self, extensions: &mut Der<'a>) -> Result<(), TimestampError> {
        while !extensions.is_empty() {
            let mut extension = extensions.inside(SEQUENCE)?;
            let id = extension.oid()?;
            let critical = extension.flag()?;
            let value = extension.value(OCTET_STRING)?;
            extension.end()?;
            let twice = match id {
                oid::KEY_IDENTIFIER => {
                    let mut inside = Der::new(value, "certificate's key identifier");
                    self.key_identifier.replace(inside.value(OCTET_STRING)?).is_some()
                }
                oid::KEY_USAGE => self.key_usage.replace(key_usage(value)?).is_some(),
                oid::EXTENDED_KEY_USAGE => {
                    self.purposes.replace((critical, purposes(value)?)).is_some()
                }
                _ => false,
            };
            if twice {
                return Err(extensions.wrong("an extension is there twice"));
            }
        }
        Ok(())
    }

    /// The subject, for people.
    pub(super) fn subject_text(&self) -> Result<String, TimestampError> {
        name::to_text(self.subject)
    }

    /// Is it made out by its own subject?
    pub(super) fn is_self_issued(&self) -> bool {
        self.issuer == self.subject
    }

    /// May it sign certificates, as far as its key usage says?
    pub(super) fn may_issue(&self) -> bool {
        self.key_usage.is_none_or(|bits| bits & CERT_SIGN != 0)
    }

    /// May it stamp?
    pub(super) fn may_stamp(&self) -> Result<(), TimestampError> {
        let signs = DIGITAL_SIGNATURE | NON_REPUDIATION;
        let why = match &self.purposes {
            None => "it has no extended key usage",
            Some((_, purposes)) if !purposes.contains(&oid::TIME_STAMPING) => {
                "its extended key usage does not name them"
            }
            Some((_, purposes)) if purposes.len() > 1 => {
                "its extended key usage names other purposes too"
            }
            Some((Flag::No, _)) => "its extended key usage is not critical",
            Some((Flag::Yes, _)) => match self.key_usage {
                Some(bits) if bits & signs == 0 || bits & !signs != 0 => {
                    "its key usage is not signing, or not only"
                }
                _ => return Ok(()),
            },
        };
        Err(TimestampError::WrongPurpose { authority: self.subject_text()?, why })
    }
}

/// The first 16 bits of a `KeyUsage`.
fn key_usage(value: &[u8]) -> Result<u16, TimestampError> {
    let mut der = Der::new(value, "certificate's key usage");
    let bits = der.value(BIT_STRING)?;
    der.end()?;
    match bits {
        [unused, first] if *unused < 8 => Ok(u16::from(*first) << 8),
        [unused, first, second] if *unused < 8 => Ok(u16::from_be_bytes([*first, *second])),
        _ => Err(der.wrong("it is no set of bits")),
    }
}

fn purposes(value: &[u8]) -> Result<Vec<&[u8]>, TimestampError> {
    let mut list = Der::only(value, SEQUENCE, "certificate's extended key usage")?;
    let mut purposes = Vec::new();
    while !list.is_empty() {
        purposes.push(list.oid()?);
    }
    Ok(purposes)
}
