//! Transfer encodings undone: base64 and quoted-printable (RFC 2045, section 6).
//!
//! Both decode as far as they can and say whether that was everything: half an attachment is
//! evidence too, if it is called half. Linear, no input fails.
//! Out of scope: which part has which encoding (`mime`).

use mail_parser::decoders::base64::base64_decode;

/// Decodes what can be decoded, and says whether that was everything.
pub(crate) fn decode_base64(body: &[u8]) -> (Vec<u8>, bool) {
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let mut letters: Vec<u8> = Vec::with_capacity(body.len());
    let mut rest = body.iter().filter(|byte| !byte.is_ascii_whitespace());
    let mut is_clean = true;
    for byte in rest.by_ref() {
        match byte {
            b'=' => break,
            byte if is_letter(byte) => letters.push(*byte),
            _ => is_clean = false,
        }
    }
    is_clean &= rest.all(|byte| *byte == b'=');
    if letters.len() % 4 == 1 {
        is_clean = false;
        letters.pop();
    }
    let padding = (4 - letters.len() % 4) % 4;
    letters.extend(std::iter::repeat_n(b'=', padding));
    match base64_decode(&letters) {
        Some(bytes) => (bytes, is_clean),
        None => (body.to_vec(), false),
    }
}

/// As `decode_base64`. What is no escape stands for itself.
pub(crate) fn decode_quoted_printable(body: &[u8]) -> (Vec<u8>, bool) {
    let mut bytes = Vec::with_capacity(body.len());
    let mut is_clean = true;
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        let text = line.trim_ascii_end();
        let (text, end) = match text.strip_suffix(b"=") {
            Some(text) => (text, &b""[..]), // a soft line break
            None if line.ends_with(b"\r\n") => (text, &b"\r\n"[..]),
            None if line.ends_with(b"\n") => (text, &b"\n"[..]),
            None => (text, &b""[..]),
        };
        let mut rest = text;
        while let [byte, after @ ..] = rest {
            rest = after;
            let escape = after.first_chunk::<2>().and_then(|digits| hex_byte(*digits));
            match (byte, escape) {
                (b'=', Some(value)) => {
                    bytes.push(value);
                    rest = after.get(2..).unwrap_or_default();
                }
                (byte, _) => {
                    is_clean &= *byte != b'=';
                    bytes.push(*byte);
                }
            }
        }
        bytes.extend_from_slice(end);
    }
    (bytes, is_clean)
}

fn hex_byte(digits: [u8; 2]) -> Option<u8> {
    let [high, low] = digits.map(|digit| char::from(digit).to_digit(16));
    u8::try_from(high? * 16 + low?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_decoded_as_far_as_it_goes() {
        for (body, wanted, is_clean) in [
            ("aGVsbG8=", "hello", true),
            ("aGVs\r\nbG8=\r\n", "hello", true),
            ("aGVsbG8", "hello", true),
            ("aGV*sbG8=", "hello", false),
            ("aGVsbG8=trailing", "hello", false),
            ("aGVsb", "hel", false),
            ("", "", true),
        ] {
            let (bytes, clean) = decode_base64(body.as_bytes());
            assert_eq!((bytes.as_slice(), clean), (wanted.as_bytes(), is_clean), "{body:?}");
        }
    }

    #[test]
    fn quoted_printable_is_decoded_as_far_as_it_goes() {
        for (body, wanted, is_clean) in [
            ("a=3Db", "a=b", true),
            ("soft =\r\nbreak", "soft break", true),
            ("trailing \t\r\nspace", "trailing\r\nspace", true),
            ("bad =zz", "bad =zz", false),
            ("cut =4", "cut =4", false),
            ("=e2=82=AC\n", "\u{20ac}\n", true),
        ] {
            let (bytes, clean) = decode_quoted_printable(body.as_bytes());
            assert_eq!((bytes.as_slice(), clean), (wanted.as_bytes(), is_clean), "{body:?}");
        }
    }
}
