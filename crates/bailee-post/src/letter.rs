//! Reads a letter: who, to whom, when, about what, its text, its attachments.
//!
//! Invariants
//! 1. [`Letter::read`] takes any bytes and always answers. No limit of it loses a letter: the raw
//!    bytes are the exhibit, stored before they are read.
//! 2. What could not be read stands in `problems`. Not empty means: somebody may have asked for
//!    more than the text shows, so the caller freezes the widest plausible scope.
//! 3. All text counts: plain, HTML beside it where it says something else, text attachments,
//!    forwarded letters with their subjects.
//!
//! Not proven here: that the sender is who `from` says, or that `date_unix` is true.
//! Out of scope: authentication, meaning (which accounts a letter names).

use std::borrow::Cow;

use mail_parser::{Address as ParsedAddress, HeaderName, HeaderValue, Message};

use crate::block;
use crate::mime::{Part, Parts, describe, parse_head, split_head, values};
use crate::text::{cut, decode, from_html, legible, one_line, says_the_same};

/// Bytes of text that are kept.
pub const MAX_TEXT: usize = 1 << 20;
/// Addresses that are kept per field.
pub const MAX_ADDRESSES: usize = 1_000;

/// Media types that add nothing to what a letter says.
const SILENT: [&str; 3] =
    ["application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature"];

/// A mailbox as a letter names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Display name, on one line.
    pub name: Option<String>,
    /// `local@domain`, as written.
    pub email: String,
}

/// A part that was sent along.
#[derive(Clone, PartialEq, Eq)]
pub struct Attachment {
    /// File name as the sender gave it: for people, never for a path.
    pub name: Option<String>,
    /// Lower case, for example `application/pdf`.
    pub media_type: String,
    /// The bytes, transfer encoding undone.
    pub bytes: Vec<u8>,
}

impl std::fmt::Debug for Attachment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Attachment { name, media_type, bytes } = self;
        write!(f, "Attachment({name:?}, {media_type}, {} bytes)", bytes.len())
    }
}

/// What could be read of a letter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Letter {
    /// Without angle brackets.
    pub message_id: Option<String>,
    /// Seconds since 1970-01-01T00:00:00Z, as the sender claims.
    pub date_unix: Option<i64>,
    /// Authors.
    pub from: Vec<Address>,
    /// Recipients.
    pub to: Vec<Address>,
    /// Recipients of a copy.
    pub cc: Vec<Address>,
    /// Decoded, on one line; empty if there is none.
    pub subject: String,
    /// All readable text, line ends `\n`, at most [`MAX_TEXT`] bytes.
    pub text: String,
    /// Parts sent along, text attachments among them.
    pub attachments: Vec<Attachment>,
    /// Message-IDs this letter answers, without angle brackets.
    pub in_reply_to: Vec<String>,
    /// Message-IDs of the letters before it in the exchange, without angle brackets.
    pub references: Vec<String>,
    /// Written by a program (RFC 3834): never answer such a letter automatically.
    pub is_automatic: bool,
    /// What could not be read, in words. Empty: everything was.
    pub problems: Vec<String>,
    /// Something is broken, cut off or left out; true only with a line in `problems`.
    pub is_broken: bool,
    /// Something was sent along that is no text, such as a PDF; it stands in `problems` too.
    pub has_unread: bool,
}

impl Letter {
    /// Reads the bytes of an RFC 5322 message, or whatever they are.
    pub fn read(raw: &[u8]) -> Letter {
        let mut parts = Parts::of(raw);
        let mut letter = Letter::default();
        let (head, _) = split_head(raw);
        let readable = legible(head);
        match parse_head(&readable) {
            Some(message) => letter.read_head(&message, &mut parts),
            None => parts.problem("the letter has no header".to_owned()),
        }
        // Which charset it is, is a guess: what the subject names may be another word.
        let unsaid = |head| parse_head(head).is_some_and(|message| is_garbled(&message));
        if matches!(readable, Cow::Owned(_)) && unsaid(head) {
            parts.problem("the subject does not say its charset; read as Latin-1".to_owned());
        }
        for part in std::mem::take(&mut parts.parts) {
            letter.read_part(part, &mut parts);
        }
        (letter.is_broken, letter.has_unread) = (parts.broken, parts.unread);
        letter.problems = parts.problems;
        letter
    }

    fn read_head(&mut self, message: &Message<'_>, parts: &mut Parts) {
        let mut addresses = |name: HeaderName<'_>| {
            let fields = values(message, &name);
            let read = addresses(&fields);
            if let Some(problem) = address_problem(name.as_str(), fields.len(), &read) {
                parts.problem(problem);
            }
            read.addresses
        };
        self.from = addresses(HeaderName::From);
        self.to = addresses(HeaderName::To);
        self.cc = addresses(HeaderName::Cc);
        self.message_id = ids(message, &HeaderName::MessageId).pop();
        self.in_reply_to = ids(message, &HeaderName::InReplyTo);
        self.references = ids(message, &HeaderName::References);
        self.subject = one_line(message.subject().unwrap_or_default());
        self.is_automatic = is_automatic(message);
        self.date_unix = message.date().filter(|date| date.is_valid()).map(|d| d.to_timestamp());
        if self.from.is_empty() {
            parts.problem("the letter names no sender".to_owned());
        }
        if self.subject.contains(char::REPLACEMENT_CHARACTER) {
            parts.problem("the subject has characters that could not be decoded".to_owned());
        }
    }

    fn read_part(&mut self, part: Part, parts: &mut Parts) {
        let media_type = part.media_type.as_str();
        match media_type.split_once('/') {
            Some(("message", "rfc822")) => self.read_forwarded(&part.bytes, parts),
            Some(("text", _) | ("message", "delivery-status" | "global-delivery-status")) => {
                self.read_text(&part, parts);
            }
            _ if SILENT.contains(&media_type) => {}
            Some(("image", _)) if part.is_inline => {}
            _ => parts.not_text(format!(
                "{} with {} bytes is not text and was not read",
                describe(part.name.as_deref(), media_type),
                part.bytes.len()
            )),
        }
        let is_text = part.name.is_none() && media_type.starts_with("text/");
        if !is_text && media_type != "message/rfc822" {
            self.attachments.push(Attachment {
                name: part.name.as_deref().map(one_line),
                media_type: one_line(media_type),
                bytes: part.bytes,
            });
        }
    }

    /// A forwarded letter: its parts follow by themselves, its header is shown here.
    fn read_forwarded(&mut self, head: &[u8], parts: &mut Parts) {
        let head = legible(head);
        let Some(message) = parse_head(&head) else { return };
        let from = addresses(&values(&message, &HeaderName::From)).addresses;
        let from: Vec<String> = from.into_iter().map(|address| address.email).collect();
        let subject = one_line(message.subject().unwrap_or_default());
        let lines = format!("Forwarded letter from {}\nSubject: {subject}\n", from.join(", "));
        self.add_text(&lines, parts);
    }

    fn read_text(&mut self, part: &Part, parts: &mut Parts) {
        let decoded = decode(&part.bytes, part.charset.as_deref());
        let name = || describe(part.name.as_deref(), &part.media_type);
        if let Some(problem) = decoded.problem {
            parts.problem(format!("{} {problem}", name()));
        }
        let text = match part.media_type.as_str() {
            "text/html" => from_html(&decoded.text),
            _ => decoded.text,
        };
        if let Some(block) = block::unread(&text) {
            parts.not_text(format!("{} has {block}, which was not read", name()));
        }
        if part.media_type == "text/html" {
            if text.trim().is_empty() && !part.bytes.trim_ascii().is_empty() {
                parts.problem(format!("{} shows no text", name()));
            }
            if says_the_same(&text, &self.text) {
                return; // the same letter once more, as the usual two alternatives
            }
        }
        self.add_text(&text, parts);
    }

    fn add_text(&mut self, text: &str, parts: &mut Parts) {
        if text.trim().is_empty() {
            return;
        }
        if !self.text.is_empty() {
            self.text.push_str("\n\n");
        }
        self.text.push_str(text.trim_end());
        if self.text.len() > MAX_TEXT {
            let kept = cut(&self.text, MAX_TEXT).len();
            self.text.truncate(kept);
            parts
                .problem(format!("the text is longer than {MAX_TEXT} bytes; the rest is left out"));
        }
    }
}

/// What address fields say.
struct Addresses {
    addresses: Vec<Address>,
    /// Entries without an address, or beyond the limit.
    left_out: usize,
}

fn addresses(fields: &[&HeaderValue<'_>]) -> Addresses {
    let mut read = Addresses { addresses: Vec::new(), left_out: 0 };
    let all = fields.iter().filter_map(|value| value.as_address()).flat_map(ParsedAddress::iter);
    for entry in all {
        let email = entry.address().map(one_line).filter(|email| !email.is_empty());
        match email {
            Some(email) if read.addresses.len() < MAX_ADDRESSES => {
                let name = entry.name().map(one_line).filter(|name| !name.is_empty());
                read.addresses.push(Address { name, email });
            }
            _ => read.left_out += 1,
        }
    }
    read
}

fn is_garbled(message: &Message<'_>) -> bool {
    message.subject().is_some_and(|subject| subject.contains(char::REPLACEMENT_CHARACTER))
}

/// RFC 5322, 3.6: each of these fields at most once.
fn address_problem(name: &str, fields: usize, read: &Addresses) -> Option<String> {
    if fields > 1 {
        return Some(format!("the letter has {fields} fields {name}, of which one is allowed"));
    }
    (read.left_out > 0).then(|| format!("{name} has {} entries that were not read", read.left_out))
}

fn ids(message: &Message<'_>, name: &HeaderName<'_>) -> Vec<String> {
    let mut ids = Vec::new();
    for value in values(message, name) {
        ids.extend(value.as_text_list().unwrap_or_default().iter().map(|id| one_line(id)));
    }
    ids.retain(|id| !id.is_empty());
    ids.truncate(MAX_ADDRESSES);
    ids
}

/// RFC 3834 section 5, and the older `Precedence`.
fn is_automatic(message: &Message<'_>) -> bool {
    let field = |name: &'static str| {
        let value = message.header_raw(name).unwrap_or_default();
        value.trim().to_ascii_lowercase()
    };
    let submitted = field("Auto-Submitted");
    let precedence = field("Precedence");
    (!submitted.is_empty() && !submitted.starts_with("no"))
        || matches!(precedence.as_str(), "bulk" | "junk" | "list" | "auto_reply")
}
