//! The skeleton of a message: its leaf parts, decoded, in the order they stand in.
//!
//! Why the walk is ours and only header fields and charsets are the library's: depth,
//! number of parts and work are bounded *before* anything is built (a library that nests values
//! as deep as its input does can be made to exhaust the stack), and whatever is left out is
//! named, which the intake relies on to freeze the widest scope.
//!
//! Invariants
//! 1. Linear: every byte is looked at once per level of nesting, of which there are `MAX_DEPTH`.
//! 2. Nothing is left out silently: an entry in `problems` says what and why.
//! 3. No input panics, and none fails: a message that cannot be taken apart is one text part.
//!
//! Sources: RFC 2045, 2046 (multipart, message), 2183 (disposition), 6532 (message/global).
//! Out of scope: signatures and encryption (named as unread), message/partial.

use std::borrow::Cow;

use mail_parser::{HeaderName, HeaderValue, Message, MessageParser, MimeHeaders};

use crate::text::legible;
use crate::transfer::{decode_base64, decode_quoted_printable};

/// Bytes of a letter that are read; the rest is named as unread. The exhibit keeps all.
pub(crate) const MAX_READ: usize = 32 << 20;
/// Bytes of one header block that are read.
const MAX_HEAD: usize = 256 << 10;
/// Leaf parts that are read, forwarded letters included.
const MAX_PARTS: usize = 1_000;
/// Levels of multipart and forwarded letters that are entered.
const MAX_DEPTH: usize = 20;
/// Problems that are kept.
const MAX_PROBLEMS: usize = 50;

/// One leaf, or (with `message/rfc822`) the header block of a forwarded letter.
#[derive(Debug)]
pub(crate) struct Part {
    /// Lower case, for example `text/plain`.
    pub(crate) media_type: String,
    pub(crate) charset: Option<String>,
    pub(crate) name: Option<String>,
    /// Shown within the text, such as a logo, rather than sent along with it.
    pub(crate) is_inline: bool,
    /// Forwarded letters this part lies in; 0 for parts of the letter itself.
    pub(crate) inside: usize,
    /// Transfer encoding undone.
    pub(crate) bytes: Vec<u8>,
}

/// A message taken apart.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    pub(crate) parts: Vec<Part>,
    pub(crate) problems: Vec<String>,
    /// One of them is not that a part is no text.
    pub(crate) broken: bool,
    /// One of them is.
    pub(crate) unread: bool,
}

impl Parts {
    /// Takes a message apart.
    pub(crate) fn of(raw: &[u8]) -> Parts {
        let mut parts = Parts::default();
        let read = raw.get(..MAX_READ).unwrap_or(raw);
        if read.len() < raw.len() {
            parts.problem(format!(
                "the letter has {} bytes; only the first {MAX_READ} were read",
                raw.len()
            ));
        }
        if !has_blank_line(read) {
            parts.problem("the letter ends within its header".to_owned());
        }
        parts.enter(read, Place { default: "text/plain", inside: 0, depth: 0 });
        parts
    }

    /// Notes what is broken, left out or closed to everybody but its sender.
    pub(crate) fn problem(&mut self, problem: String) {
        self.broken = true;
        self.note(problem);
    }

    /// Notes a part that is whole and is no text, such as a PDF.
    pub(crate) fn not_text(&mut self, problem: String) {
        self.unread = true;
        self.note(problem);
    }

    fn note(&mut self, problem: String) {
        if self.problems.len() < MAX_PROBLEMS && !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    fn enter(&mut self, raw: &[u8], place: Place) {
        let (head, body) = split_head(raw);
        if head.len() > MAX_HEAD {
            self.problem(format!("a header has {} bytes; the first {MAX_HEAD} count", head.len()));
        }
        let fields = Fields::of(head, place.default);
        match fields.media_type.split_once('/') {
            Some(("multipart", kind)) => self.multipart(&fields, kind, body, place),
            Some(("message", "rfc822" | "global")) => self.forwarded(fields, body, place),
            _ => self.leaf(fields, body, place),
        }
    }

    fn multipart(&mut self, fields: &Fields, kind: &str, body: &[u8], place: Place) {
        let Some(boundary) = fields.boundary.as_deref().filter(|text| !text.is_empty()) else {
            self.problem("a multipart without a boundary was read as text".to_owned());
            return self.leaf(fields.as_text(), body, place);
        };
        if kind == "encrypted" {
            self.problem("an encrypted part was not read".to_owned());
        }
        let Some(inner) = self.deeper(place) else { return };
        let split = split_multipart(body, boundary);
        if split.parts.is_empty() {
            self.problem("a multipart without its boundary was read as text".to_owned());
            return self.leaf(fields.as_text(), body, place);
        }
        if !split.is_closed {
            self.problem("the letter is cut off: a multipart has no end".to_owned());
        }
        let default = if kind == "digest" { "message/rfc822" } else { "text/plain" };
        for part in split.parts {
            if self.is_full() {
                return;
            }
            self.enter(part, Place { default, ..inner });
        }
    }

    fn forwarded(&mut self, fields: Fields, body: &[u8], place: Place) {
        let Some(inner) = self.deeper(place) else { return };
        let body = self.decode(&fields, body);
        let (head, _) = split_head(&body);
        let head = head.get(..MAX_HEAD).unwrap_or(head).to_vec();
        self.push(Part { bytes: head, ..fields.into_part("message/rfc822", place) });
        self.enter(&body, Place { default: "text/plain", inside: place.inside + 1, ..inner });
    }

    fn leaf(&mut self, fields: Fields, body: &[u8], place: Place) {
        let bytes = self.decode(&fields, body).into_owned();
        let media_type = fields.media_type.clone();
        self.push(Part { bytes, ..fields.into_part(&media_type, place) });
    }

    fn push(&mut self, part: Part) {
        if !self.is_full() {
            self.parts.push(part);
        }
    }

    fn is_full(&mut self) -> bool {
        let full = self.parts.len() >= MAX_PARTS;
        if full {
            self.problem(format!("only the first {MAX_PARTS} parts were read"));
        }
        full
    }

    fn deeper(&mut self, place: Place) -> Option<Place> {
        if place.depth == MAX_DEPTH {
            self.problem(format!("parts nested deeper than {MAX_DEPTH} were not read"));
            return None;
        }
        Some(Place { depth: place.depth + 1, ..place })
    }

    /// Undoes the transfer encoding (RFC 2045, section 6).
    ///
    /// Borrowed where there is none, so that deep nesting does not multiply memory.
    fn decode<'b>(&mut self, fields: &Fields, body: &'b [u8]) -> Cow<'b, [u8]> {
        match fields.encoding.as_str() {
            "" | "7bit" | "8bit" | "binary" => body.into(),
            "base64" => {
                let (bytes, is_clean) = decode_base64(body);
                if !is_clean {
                    self.problem(format!("{} is base64 with errors", fields.describe()));
                }
                bytes.into()
            }
            "quoted-printable" => {
                let (bytes, is_clean) = decode_quoted_printable(body);
                if !is_clean {
                    self.problem(format!("{} is quoted-printable with errors", fields.describe()));
                }
                bytes.into()
            }
            other => {
                let encoding = crate::text::one_line(other);
                let part = fields.describe();
                self.problem(format!("{part} has an unknown transfer encoding {encoding:?}"));
                body.into()
            }
        }
    }
}

/// Where in the tree a part stands.
#[derive(Clone, Copy)]
struct Place {
    /// What a part is that does not say so.
    default: &'static str,
    inside: usize,
    depth: usize,
}

/// The header fields of a part that say how to read it.
struct Fields {
    media_type: String,
    charset: Option<String>,
    boundary: Option<String>,
    name: Option<String>,
    encoding: String,
    is_inline: bool,
}

impl Fields {
    fn of(head: &[u8], default: &str) -> Fields {
        let head = legible(head);
        let message = parse_head(&head);
        let part = message.as_ref().map(Message::root_part);
        let content = part.and_then(|part| part.content_type());
        let media_type = match content.map(|content| (content.ctype(), content.subtype())) {
            Some((main, Some(sub))) => format!("{main}/{sub}").to_ascii_lowercase(),
            // RFC 2045, 5.2: what cannot be read is the default.
            _ => default.to_owned(),
        };
        let attribute =
            |name: &str| content.and_then(|content| content.attribute(name)).map(str::to_owned);
        let encoding = part.and_then(|part| part.content_transfer_encoding()).unwrap_or("");
        let disposition = part.and_then(|part| part.content_disposition());
        let has_id = part.is_some_and(|part| part.content_id().is_some());
        Fields {
            media_type,
            charset: attribute("charset"),
            boundary: attribute("boundary"),
            name: part.and_then(|part| part.attachment_name()).map(str::to_owned),
            encoding: encoding.trim().to_ascii_lowercase(),
            is_inline: has_id && !disposition.is_some_and(|value| value.is_attachment()),
        }
    }

    /// The same part, read as text because its structure cannot be.
    fn as_text(&self) -> Fields {
        Fields {
            media_type: "text/plain".to_owned(),
            charset: self.charset.clone(),
            boundary: None,
            name: self.name.clone(),
            encoding: self.encoding.clone(),
            is_inline: false,
        }
    }

    fn into_part(self, media_type: &str, place: Place) -> Part {
        Part {
            media_type: media_type.to_owned(),
            charset: self.charset,
            name: self.name,
            is_inline: self.is_inline,
            inside: place.inside,
            bytes: Vec::new(),
        }
    }

    fn describe(&self) -> String {
        describe(self.name.as_deref(), &self.media_type)
    }
}

/// How a part is called in a problem.
pub(crate) fn describe(name: Option<&str>, media_type: &str) -> String {
    let media_type = crate::text::one_line(media_type);
    match name {
        Some(name) => format!("attachment {:?} ({media_type})", crate::text::one_line(name)),
        None => format!("a part ({media_type})"),
    }
}

/// The fields of a header block, `None` if there are none.
pub(crate) fn parse_head(head: &[u8]) -> Option<Message<'_>> {
    MessageParser::new().parse_headers(head.get(..MAX_HEAD).unwrap_or(head))
}

/// Every value of a field, in order of appearance.
pub(crate) fn values<'m>(
    message: &'m Message<'_>,
    name: &HeaderName<'_>,
) -> Vec<&'m HeaderValue<'m>> {
    let headers = message.headers().iter();
    headers.filter(|header| header.name == *name).map(|header| &header.value).collect()
}

fn has_blank_line(raw: &[u8]) -> bool {
    let (head, body) = split_head(raw);
    head.len() < raw.len() || !body.is_empty()
}

/// Header block and body. The blank line belongs to neither.
pub(crate) fn split_head(raw: &[u8]) -> (&[u8], &[u8]) {
    let mut at = 0;
    for line in raw.split_inclusive(|byte| *byte == b'\n') {
        let end = at + line.len();
        if matches!(line, b"\n" | b"\r\n") {
            return (raw.get(..at).unwrap_or(raw), raw.get(end..).unwrap_or_default());
        }
        at = end;
    }
    (raw, &[])
}

struct Split<'x> {
    parts: Vec<&'x [u8]>,
    is_closed: bool,
}

/// The parts between delimiter lines (RFC 2046, 5.1.1). Preamble and epilogue are no parts.
fn split_multipart<'x>(body: &'x [u8], boundary: &str) -> Split<'x> {
    let mut split = Split { parts: Vec::new(), is_closed: false };
    let mut start = None;
    let mut at = 0;
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        let delimiter = delimiter(line, boundary.as_bytes());
        if delimiter != Delimiter::No {
            if let Some(start) = start {
                split.parts.push(part_before(body, start, at));
            }
            start = Some(at + line.len());
            if delimiter == Delimiter::Close {
                split.is_closed = true;
                return split;
            }
        }
        at += line.len();
        if split.parts.len() > MAX_PARTS {
            return split;
        }
    }
    if let Some(start) = start {
        split.parts.push(body.get(start..).unwrap_or_default());
    }
    split
}

/// The line break before a delimiter belongs to the delimiter.
fn part_before(body: &[u8], start: usize, end: usize) -> &[u8] {
    let part = body.get(start..end).unwrap_or_default();
    let part = part.strip_suffix(b"\n").unwrap_or(part);
    part.strip_suffix(b"\r").unwrap_or(part)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Delimiter {
    No,
    Open,
    Close,
}

fn delimiter(line: &[u8], boundary: &[u8]) -> Delimiter {
    let rest = line.strip_prefix(b"--").and_then(|rest| rest.strip_prefix(boundary));
    match rest.map(<[u8]>::trim_ascii_end) {
        Some(b"") => Delimiter::Open,
        Some(b"--") => Delimiter::Close,
        _ => Delimiter::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delimiters_stand_alone_on_a_line() {
        let body = b"preamble\r\n--b\r\nA\r\n--bb\r\n --b\r\n--b \r\nB\n--b--\r\nepilogue";
        let split = split_multipart(body, "b");
        assert_eq!(split.parts, [&b"A\r\n--bb\r\n --b"[..], b"B"]);
        assert!(split.is_closed);
        assert!(!split_multipart(b"--b\r\nA", "b").is_closed);
    }

    #[test]
    fn heads_end_at_the_first_blank_line() {
        assert_eq!(split_head(b"a: b\r\n\r\nc\n\nd"), (&b"a: b\r\n"[..], &b"c\n\nd"[..]));
        assert_eq!(split_head(b"\nbody"), (&b""[..], &b"body"[..]));
        assert_eq!(split_head(b"a: b"), (&b"a: b"[..], &b""[..]));
    }
}
