//! Bytes as text people can read: charsets, HTML, control characters.
//!
//! Invariants
//! 1. Nothing that comes out of here can steer a terminal or break a line it stands in.
//! 2. What could not be decoded is said, never dropped in silence.
//!
//! Out of scope: how text is shown (direction, fonts, look-alike letters).

use std::borrow::Cow;

use mail_parser::decoders::charsets::map::charset_decoder;
use mail_parser::decoders::html::html_to_text;

/// Longest header value that is kept, bytes.
const MAX_LINE: usize = 4 << 10;

/// Decoded text, and what went wrong.
pub(crate) struct Decoded {
    pub(crate) text: String,
    pub(crate) problem: Option<String>,
}

/// A header value on one line: controls become spaces, ends are trimmed, length is bounded.
pub(crate) fn one_line(value: &str) -> String {
    let value = cut(value.trim(), MAX_LINE);
    let line: String = value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    line.trim().to_owned()
}

/// The longest beginning of `text` with at most `limit` bytes.
pub(crate) fn cut(text: &str, limit: usize) -> &str {
    text.get(..text.floor_char_boundary(limit)).unwrap_or(text)
}

/// Decodes the bytes of a text part. Without a charset they are UTF-8 or, failing that, Latin-1.
pub(crate) fn decode(bytes: &[u8], charset: Option<&str>) -> Decoded {
    let declared = charset.map(str::trim).filter(|charset| !charset.is_empty());
    let is_utf8 = declared.is_none_or(|name| {
        matches!(name.to_ascii_lowercase().as_str(), "utf-8" | "utf8" | "us-ascii" | "ascii")
    });
    if is_utf8 {
        return match std::str::from_utf8(bytes) {
            Ok(text) => Decoded { text: printable(text), problem: None },
            Err(_) => Decoded {
                text: latin1(bytes),
                problem: Some("is not in the charset it declares; read as Latin-1".to_owned()),
            },
        };
    }
    let name = declared.unwrap_or_default();
    let Some(decoder) = charset_decoder(name.as_bytes()) else {
        let name = one_line(name);
        return Decoded {
            text: latin1(bytes),
            problem: Some(format!("has an unknown charset {name:?}; read as Latin-1")),
        };
    };
    let text = decoder(bytes);
    let problem = text
        .contains(char::REPLACEMENT_CHARACTER)
        .then(|| format!("has characters that are not {}", one_line(name)));
    Decoded { text: printable(&text), problem }
}

fn latin1(bytes: &[u8]) -> String {
    let decoder = charset_decoder(b"windows-1252");
    let text = decoder.map_or_else(
        || bytes.iter().map(|byte| char::from(*byte)).collect(),
        |decoder| decoder(bytes),
    );
    printable(&text)
}

/// A header block in UTF-8: what is not is taken for Latin-1, a line at a time. RFC 2047 asks for
/// other words there; programs that write letters of tickets and forms do not always know.
pub(crate) fn legible(head: &[u8]) -> Cow<'_, [u8]> {
    if std::str::from_utf8(head).is_ok() {
        return Cow::Borrowed(head);
    }
    let decoder = charset_decoder(b"windows-1252");
    let line = |line: &[u8]| match (std::str::from_utf8(line), decoder) {
        (Ok(text), _) => text.to_owned(),
        (Err(_), Some(decoder)) => decoder(line),
        (Err(_), None) => line.iter().map(|byte| char::from(*byte)).collect(),
    };
    Cow::Owned(head.split_inclusive(|byte| *byte == b'\n').map(line).collect::<String>().into())
}

/// Line ends become `\n`; every other control character but the tab is shown as unreadable.
fn printable(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    text.chars()
        .map(|c| match c {
            '\n' | '\t' => c,
            c if c.is_control() => char::REPLACEMENT_CHARACTER,
            c => c,
        })
        .collect()
}

/// Elements that may stand within a word. All others end one, as they do on a screen: the cells of
/// a row, the items of a list, the number of a footnote.
const WITHIN: [&str; 23] = [
    "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "data", "dfn", "em", "font",
    "i", "kbd", "mark", "samp", "small", "span", "strong", "tt", "u", "wbr",
];

/// The text of a page. Entities can spell controls, hence the second cleaning.
pub(crate) fn from_html(html: &str) -> String {
    let mut apart = String::with_capacity(html.len() + html.len() / 8);
    let mut parts = html.split('<');
    apart.push_str(parts.next().unwrap_or_default());
    for tag in parts {
        let is_tag = tag.starts_with(|c: char| c.is_ascii_alphabetic() || "/!?".contains(c));
        apart.push_str(match is_tag {
            true if ends_word(tag) => " <",
            true => "<",
            false => "&lt;", // as browsers take it
        });
        apart.push_str(tag);
    }
    printable(&html_to_text(&apart))
}

/// Whether what begins behind `<` is an element that no word goes through.
fn ends_word(tag: &str) -> bool {
    let tag = tag.strip_prefix('/').unwrap_or(tag);
    let name = tag.split(|c: char| !c.is_ascii_alphanumeric() && c != ':').next();
    let name = name.filter(|name| name.starts_with(|c: char| c.is_ascii_alphabetic()));
    name.is_some_and(|name| !WITHIN.iter().any(|within| name.eq_ignore_ascii_case(within)))
}

/// Whether two texts say the same, spaces aside: a letter's two alternatives.
pub(crate) fn says_the_same(one: &str, other: &str) -> bool {
    one.split_whitespace().flat_map(str::chars).eq(other.split_whitespace().flat_map(str::chars))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charsets_are_decoded_or_named() {
        for (bytes, charset, wanted, problem) in [
            (&b"caf\xc3\xa9"[..], Some("utf-8"), "café", None),
            (b"caf\xc3\xa9", None, "café", None),
            (b"caf\xe9", Some("iso-8859-1"), "café", None),
            (b"\x81\x40", Some("shift_jis"), "\u{3000}", None),
            (b"caf\xe9", None, "café", Some("not in the charset")),
            (b"caf\xe9", Some("UTF-8"), "café", Some("not in the charset")),
            (b"caf\xe9", Some("klingon"), "café", Some("unknown charset")),
            (b"ab\x1b[2Jc\r\nd\re\0", None, "ab\u{fffd}[2Jc\nd\ne\u{fffd}", None),
        ] {
            let decoded = decode(bytes, charset);
            assert_eq!(decoded.text, wanted, "{bytes:?} {charset:?}");
            match problem {
                None => assert_eq!(decoded.problem, None),
                Some(words) => assert!(decoded.problem.unwrap().contains(words), "{bytes:?}"),
            }
        }
    }

    #[test]
    fn html_becomes_text_without_controls() {
        let html =
            "<html><head><title>x</title></head><body><p>Server <b>12</b></p>&#27;[2J</body>";
        assert_eq!(from_html(html).trim(), "Server 12\n\u{fffd}[2J");
    }

    #[test]
    fn words_end_where_they_end_on_a_screen() {
        let words = |html: &str| from_html(html).split_whitespace().collect::<Vec<_>>().join(" ");
        for html in [
            "<ul><li>srv-2</li><li>srv-4</li></ul>",
            "<table><tr><td>srv-2</td><td>srv-4</td></tr></table>",
            "<DIV>srv-2</DIV><DIV>srv-4</DIV>",
            "<div>srv-2<div>srv-4</div></div>",
            "srv-2<br>srv-4",
            "<h1>srv-2</h1>srv-4",
            "<dl><dt>srv-2<dd>srv-4</dl>",
            "<p>srv-2<p>srv-4",
            "<option>srv-2<option>srv-4",
            "<section>srv-2</section><span>srv-4</span>",
            "srv-2<hr/>s<b>rv</b>-<a href='x'>4</a>",
        ] {
            assert_eq!(words(html), "srv-2 srv-4", "{html}");
        }
        assert_eq!(words("srv-1<sup>2</sup> 1 < 2"), "srv-1 2 1 < 2");
    }

    #[test]
    fn a_line_is_one_line() {
        assert_eq!(one_line(" a\r\nBcc: b\u{7f}\u{9b}c "), "a  Bcc: b  c");
        assert_eq!(one_line(&"ä".repeat(5_000)).len(), 4 << 10);
    }
}
