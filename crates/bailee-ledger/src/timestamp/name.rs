//! Distinguished names, as a person reads them: `C=NL, O=Example, CN=Timestamps 7`.
//!
//! Invariant: the text is for people and is never compared; control characters are replaced, and
//! a comma inside a value is escaped, so that a name cannot pass itself off as another.

use super::der::{Der, SEQUENCE, SET};
use super::error::TimestampError;
use super::oid;

const LONGEST: usize = 300;

/// Attribute types with a short name (RFC 4514 3, and what qualified authorities add).
const SHORT: &[(&str, &str)] = &[
    ("2.5.4.3", "CN"),
    ("2.5.4.5", "serialNumber"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.97", "organizationIdentifier"),
];

/// The text of an encoded `Name`, in the order of the certificate.
pub(super) fn to_text(name: &[u8]) -> Result<String, TimestampError> {
    let mut names = Der::only(name, SEQUENCE, "certificate's name")?;
    let mut parts = Vec::new();
    while !names.is_empty() {
        let mut set = names.inside(SET)?;
        while !set.is_empty() {
            let mut pair = set.inside(SEQUENCE)?;
            let kind = oid::to_text(pair.oid()?);
            let value = pair.any()?;
            pair.end()?;
            let short = SHORT.iter().find(|(oid, _)| *oid == kind).map_or(&*kind, |(_, it)| it);
            parts.push(format!("{short}={}", escaped(&decode(value.tag, value.value))));
        }
    }
    Ok(shortened(&parts.join(", ")))
}

fn decode(tag: u8, value: &[u8]) -> String {
    match tag {
        // BMPString: UTF-16, big-endian.
        0x1e => {
            let units = value
                .chunks(2)
                .map(|pair| u16::from_be_bytes([pair[0], *pair.last().unwrap_or(&0)]));
            char::decode_utf16(units).map(|unit| unit.unwrap_or('\u{fffd}')).collect()
        }
        // TeletexString: in practice ISO 8859-1.
        0x14 => value.iter().copied().map(char::from).collect(),
        _ => String::from_utf8_lossy(value).into_owned(),
    }
}

fn escaped(value: &str) -> String {
    readable(value).replace('\\', "\\\\").replace(',', "\\,")
}

/// Text of a stranger without control characters or marks that turn the direction of writing.
pub(super) fn readable(text: &str) -> String {
    let turns = |c: char| {
        ('\u{200e}'..='\u{200f}').contains(&c)
            || ('\u{2028}'..='\u{202e}').contains(&c)
            || ('\u{2066}'..='\u{2069}').contains(&c)
    };
    text.chars().map(|c| if c.is_control() || turns(c) { '\u{fffd}' } else { c }).collect()
}

/// At most as much of a text as fits into a message.
pub(super) fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::super::der::{OID, UTF8_STRING, encode};
    use super::*;

    fn name(parts: &[(&[u8], u8, &[u8])]) -> Vec<u8> {
        let sets: Vec<Vec<u8>> = parts
            .iter()
            .map(|(oid, tag, value)| {
                let pair = encode(SEQUENCE, &[&encode(OID, &[oid]), &encode(*tag, &[value])]);
                encode(SET, &[&pair])
            })
            .collect();
        let sets: Vec<&[u8]> = sets.iter().map(Vec::as_slice).collect();
        encode(SEQUENCE, &sets)
    }

    #[test]
    fn a_name_reads_in_the_order_of_the_certificate() {
        let text = to_text(&name(&[
            (&[0x55, 0x04, 0x06], 0x13, b"NL"),
            (&[0x55, 0x04, 0x0a], UTF8_STRING, "Möbel, Söhne".as_bytes()),
            (&[0x55, 0x04, 0x0b], 0x14, b"Z\xfcrich"),
            (&[0x55, 0x04, 0x03], 0x1e, &[0x00, 0x54, 0x00, 0x31]),
            (&[0x2a, 0x03], UTF8_STRING, b"a\nCN=b"),
        ]));
        let wanted = "C=NL, O=Möbel\\, Söhne, OU=Zürich, CN=T1, 1.2.3=a\u{fffd}CN=b";
        assert_eq!(text.as_deref(), Ok(wanted));
        assert_eq!(to_text(&name(&[])).as_deref(), Ok(""));
    }

    #[test]
    fn odd_names_are_shortened_or_refused() {
        let long = name(&[(&[0x55, 0x04, 0x03], UTF8_STRING, "é".repeat(400).as_bytes())]);
        assert_eq!(to_text(&long).unwrap().chars().count(), LONGEST + 1);
        assert_eq!(decode(0x1e, &[0xd8, 0x00, 0x41]), "\u{fffd}\u{4141}");
        assert_eq!(readable("a\u{202e}b"), "a\u{fffd}b");
        assert!(to_text(&[0x30, 0x02, 0x31, 0x01]).is_err());
        assert!(to_text(&[0x31, 0x00]).is_err());
    }
}
