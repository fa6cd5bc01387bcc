//! `TimeStampResp` (RFC 3161 2.4.2): a status, and the token if it was granted.
//!
//! Invariant: only status 0 grants. "Granted with modifications" is a refusal here, for a request
//! asks for nothing that could be modified. The authority's words are kept short and harmless.

use super::der::{BIT_STRING, Der, INTEGER, SEQUENCE, UTF8_STRING};
use super::error::TimestampError;
use super::name::{readable, shortened};

const WHAT: &str = "authority's answer";

/// PKIFailureInfo: bit and meaning.
const REASONS: &[(usize, &str)] = &[
    (0, "unknown algorithm"),
    (2, "request not permitted"),
    (5, "request malformed"),
    (14, "its source of time is not available"),
    (15, "policy not supported"),
    (16, "extension not supported"),
    (17, "additional information not available"),
    (25, "system failure"),
];

/// The token (a `ContentInfo`) of a response that grants one.
pub(super) fn granted(response: &[u8]) -> Result<&[u8], TimestampError> {
    let mut outer = Der::only(response, SEQUENCE, WHAT)?;
    let mut status_info = outer.inside(SEQUENCE)?;
    let status = status_info.unsigned(INTEGER)?;
    let mut said = Vec::new();
    if let Some(mut texts) = status_info.optional_inside(SEQUENCE)? {
        while !texts.is_empty() {
            said.push(readable(&String::from_utf8_lossy(texts.value(UTF8_STRING)?)));
        }
    }
    let failures = status_info.optional(BIT_STRING)?;
    status_info.end()?;
    if status != 0 {
        said.extend(reasons(failures.unwrap_or_default()));
        if said.is_empty() {
            said.push("without a reason".to_owned());
        }
        let words = shortened(&said.join(", "));
        return Err(TimestampError::Refused { status, words });
    }
    if failures.is_some() {
        return Err(outer.wrong("it grants a token and names a failure"));
    }
    let token = outer.element(SEQUENCE)?.whole;
    outer.end()?;
    Ok(token)
}

/// The reasons in a bit string, whose first octet counts unused bits.
fn reasons(bits: &[u8]) -> Vec<String> {
    let octets = bits.get(1..).unwrap_or_default();
    let set =
        |bit: usize| octets.get(bit / 8).is_some_and(|octet| octet & (0x80 >> (bit % 8)) != 0);
    let named = REASONS.iter().filter(|(bit, _)| set(*bit));
    named.map(|(_, meaning)| (*meaning).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `{ status, [text], [failure bits] }`, no token.
    fn refusal(status: u8, text: &[u8], bits: &[u8]) -> Vec<u8> {
        use super::super::der::encode;
        let mut parts = vec![encode(INTEGER, &[&[status]])];
        if !text.is_empty() {
            parts.push(encode(SEQUENCE, &[&encode(UTF8_STRING, &[text])]));
        }
        if !bits.is_empty() {
            parts.push(encode(BIT_STRING, &[bits]));
        }
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        encode(SEQUENCE, &[&encode(SEQUENCE, &parts)])
    }

    fn words(response: &[u8]) -> Result<(u64, String), TimestampError> {
        match granted(response) {
            Err(TimestampError::Refused { status, words }) => Ok((status, words)),
            Err(other) => Err(other),
            Ok(_) => panic!("granted"),
        }
    }

    #[test]
    fn a_refusal_says_why() {
        let said = |status, text: &[u8], bits: &[u8]| words(&refusal(status, text, bits)).unwrap();
        assert_eq!(said(2, b"", b""), (2, "without a reason".to_owned()));
        assert_eq!(said(1, b"", b"").0, 1);
        assert_eq!(said(2, b"no\x1b[1m", &[5, 0x20]).1, "no\u{fffd}[1m, request not permitted");
        let all = [6, 0xa4, 0x03, 0xc0, 0x40];
        assert_eq!(said(2, b"", &all).1.split(", ").count(), REASONS.len());
        assert_eq!(said(2, &[b'x'; 5_000], b"").1.chars().count(), 301);
    }

    #[test]
    fn granting_needs_a_token_and_nothing_against_it() {
        assert!(matches!(words(&refusal(0, b"", b"")), Err(TimestampError::Malformed { .. })));
        assert!(matches!(
            words(&refusal(0, b"", &[6, 0x20])),
            Err(TimestampError::Malformed { .. })
        ));
        let response = [0x30, 0x07, 0x30, 0x03, 0x02, 0x01, 0x00, 0x30, 0x00];
        assert_eq!(granted(&response).unwrap(), [0x30, 0x00]);
        assert!(granted(&response[..7]).is_err());
    }
}
