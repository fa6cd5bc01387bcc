//! Object identifiers: those that timestamps use, and dotted text for all others.
//!
//! Invariant: an identifier is compared as it is encoded; its text is for people and settings.

use super::error::TimestampError;

/// id-signedData, 1.2.840.113549.1.7.2 (RFC 5652).
pub(super) const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
/// id-ct-TSTInfo, 1.2.840.113549.1.9.16.1.4 (RFC 3161).
pub(super) const TST_INFO: &[u8] =
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01, 0x04];
/// id-contentType, 1.2.840.113549.1.9.3.
pub(super) const CONTENT_TYPE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x03];
/// id-messageDigest, 1.2.840.113549.1.9.4.
pub(super) const MESSAGE_DIGEST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x04];
/// id-aa-signingCertificate, 1.2.840.113549.1.9.16.2.12 (RFC 2634, SHA-1).
pub(super) const SIGNING_CERTIFICATE: &[u8] =
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x02, 0x0c];
/// id-aa-signingCertificateV2, 1.2.840.113549.1.9.16.2.47 (RFC 5035).
pub(super) const SIGNING_CERTIFICATE_V2: &[u8] =
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x02, 0x2f];

/// id-sha256, 2.16.840.1.101.3.4.2.1; SHA-384 and SHA-512 end in 2 and 3.
pub(super) const SHA256: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
pub(super) const SHA384: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02];
pub(super) const SHA512: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03];

/// rsaEncryption, 1.2.840.113549.1.1.1: in a signature, PKCS #1 v1.5 with the signer's digest.
pub(super) const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
/// id-mgf1, 1.2.840.113549.1.1.8.
pub(super) const MGF1: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08];
/// id-RSASSA-PSS, 1.2.840.113549.1.1.10.
pub(super) const RSA_PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a];
/// sha256WithRSAEncryption, 1.2.840.113549.1.1.11; with SHA-384 and SHA-512 it is 12 and 13.
pub(super) const RSA_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b];
pub(super) const RSA_SHA384: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0c];
pub(super) const RSA_SHA512: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0d];
/// ecdsa-with-SHA256, 1.2.840.10045.4.3.2; with SHA-384 and SHA-512 it is 3 and 4.
pub(super) const ECDSA_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
pub(super) const ECDSA_SHA384: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03];
pub(super) const ECDSA_SHA512: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x04];

/// id-ce-subjectKeyIdentifier, 2.5.29.14.
pub(super) const KEY_IDENTIFIER: &[u8] = &[0x55, 0x1d, 0x0e];
/// id-ce-keyUsage, 2.5.29.15.
pub(super) const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
/// id-ce-extKeyUsage, 2.5.29.37.
pub(super) const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];
/// anyExtendedKeyUsage, 2.5.29.37.0.
pub(super) const ANY_PURPOSE: &[u8] = &[0x55, 0x1d, 0x25, 0x00];
/// id-kp-timeStamping, 1.3.6.1.5.5.7.3.8.
pub(super) const TIME_STAMPING: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x08];

/// `1.2.840.…`; octets that are no identifier come out in hex.
pub(super) fn to_text(oid: &[u8]) -> String {
    arcs(oid).map_or_else(
        || format!("0x{}", crate::to_hex(oid)),
        |arcs| arcs.iter().map(u128::to_string).collect::<Vec<_>>().join("."),
    )
}

fn arcs(oid: &[u8]) -> Option<Vec<u128>> {
    let mut arcs = Vec::new();
    let mut arc: u128 = 0;
    let mut begins = true;
    for octet in oid {
        if begins && *octet == 0x80 || arc >> 120 != 0 {
            return None;
        }
        arc = arc << 7 | u128::from(octet & 0x7f);
        begins = octet & 0x80 == 0;
        if begins {
            if arcs.is_empty() {
                let first = (arc / 40).min(2);
                arcs.push(first);
                arc -= 40 * first;
            }
            arcs.push(arc);
            arc = 0;
        }
    }
    (begins && !arcs.is_empty()).then_some(arcs)
}

/// The encoding of dotted text, at least two arcs.
pub(super) fn from_text(text: &str) -> Result<Vec<u8>, TimestampError> {
    let bad = || TimestampError::BadPolicy(text.to_owned());
    let arcs: Option<Vec<u64>> = text.split('.').map(crate::encoding::decimal).collect();
    let arcs = arcs.ok_or_else(bad)?;
    let [first, second, rest @ ..] = arcs.as_slice() else { return Err(bad()) };
    if *first > 2 || (*first < 2 && *second > 39) || *second > u64::from(u32::MAX) {
        return Err(bad());
    }
    let mut oid = Vec::new();
    for arc in std::iter::once(40 * first + second).chain(rest.iter().copied()) {
        let groups = (64 - arc.leading_zeros()).div_ceil(7).max(1);
        for group in (0..groups).rev() {
            let more = if group == 0 { 0 } else { 0x80 };
            oid.push(more | (arc >> (7 * group) & 0x7f) as u8);
        }
    }
    Ok(oid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_encoding_agree() {
        for (oid, text) in [
            (SIGNED_DATA, "1.2.840.113549.1.7.2"),
            (TST_INFO, "1.2.840.113549.1.9.16.1.4"),
            (CONTENT_TYPE, "1.2.840.113549.1.9.3"),
            (MESSAGE_DIGEST, "1.2.840.113549.1.9.4"),
            (SIGNING_CERTIFICATE, "1.2.840.113549.1.9.16.2.12"),
            (SIGNING_CERTIFICATE_V2, "1.2.840.113549.1.9.16.2.47"),
            (SHA256, "2.16.840.1.101.3.4.2.1"),
            (SHA384, "2.16.840.1.101.3.4.2.2"),
            (SHA512, "2.16.840.1.101.3.4.2.3"),
            (RSA, "1.2.840.113549.1.1.1"),
            (MGF1, "1.2.840.113549.1.1.8"),
            (RSA_PSS, "1.2.840.113549.1.1.10"),
            (RSA_SHA256, "1.2.840.113549.1.1.11"),
            (RSA_SHA384, "1.2.840.113549.1.1.12"),
            (RSA_SHA512, "1.2.840.113549.1.1.13"),
            (ECDSA_SHA256, "1.2.840.10045.4.3.2"),
            (ECDSA_SHA384, "1.2.840.10045.4.3.3"),
            (ECDSA_SHA512, "1.2.840.10045.4.3.4"),
            (KEY_IDENTIFIER, "2.5.29.14"),
            (KEY_USAGE, "2.5.29.15"),
            (EXTENDED_KEY_USAGE, "2.5.29.37"),
            (ANY_PURPOSE, "2.5.29.37.0"),
            (TIME_STAMPING, "1.3.6.1.5.5.7.3.8"),
        ] {
            assert_eq!(to_text(oid), text);
            assert_eq!(from_text(text).unwrap(), oid, "{text}");
        }
    }

    #[test]
    fn what_is_no_identifier_is_refused() {
        for bad in ["", "1", "1.", ".1", "3.1", "1.40", "1.2.x", "1.2.03", "1.2 .3", "-1.2"] {
            assert!(from_text(bad).is_err(), "{bad}");
        }
        assert_eq!(to_text(&[0x2a, 0x80, 0x01]), "0x2a8001");
        assert_eq!(to_text(&[0x2a, 0x86]), "0x2a86");
        assert_eq!(to_text(&[]), "0x");
        assert_eq!(to_text(&[0xff; 24]), format!("0x{}", "ff".repeat(24)));
        assert_eq!(from_text("2.4294967295").map(|oid| to_text(&oid)).unwrap(), "2.4294967295");
    }
}
