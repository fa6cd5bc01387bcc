//! Writes the letters that go out: receipts (with the receipt attached) and notices.
//!
//! Invariants
//! 1. Deterministic: the same input gives the same bytes, so that a repeated intent writes the
//!    same letter. Date and Message-ID come from the caller; the boundary comes from the
//!    Message-ID.
//! 2. No input can add a header field, a recipient or a part: control characters in anything
//!    that stands in a header are refused by name, not cleaned.
//! 3. Lines end with CRLF and have at most 998 bytes; everything is 7-bit (RFC 5322, 2.1.1).
//!
//! Every letter says that a program wrote it (RFC 3834), so that programs do not answer it.
//! Out of scope: signing (DKIM), the envelope, what a letter says.

use mail_builder::MessageBuilder;
use mail_builder::headers::HeaderType;
use mail_builder::headers::address::Address as BuilderAddress;
use mail_builder::headers::content_type::ContentType;
use mail_builder::headers::raw::Raw;
use mail_builder::mime::{BodyPart, MimePart};

use crate::letter::Attachment;

/// Longest address, bytes (RFC 5321, 4.5.3.1.3, without the brackets).
pub const MAX_ADDRESS: usize = 254;
/// Longest name, subject or id, bytes.
pub const MAX_FIELD: usize = 900;
/// Latest date: the end of year 2999, which every reader takes for a date.
const MAX_DATE: i64 = 32_503_679_999;

/// Why a letter could not be written. Nothing was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ComposeError {
    /// A value cannot stand where it should.
    #[error("{field} {value:?} cannot stand in a letter: {detail}")]
    BadField {
        /// Which value, for example "the subject".
        field: &'static str,
        /// The value.
        value: String,
        /// What is wrong with it.
        detail: &'static str,
    },
    /// A letter goes to somebody.
    #[error("the letter has no recipient")]
    NoRecipient,
}

/// Somebody's mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    /// Display name, any script.
    pub name: Option<String>,
    /// `local@domain` in ASCII.
    pub email: String,
}

/// The header of a letter that goes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Seconds since 1970-01-01T00:00:00Z; written as `+0000`.
    pub date_unix: i64,
    /// Without angle brackets, `local@domain`. Must be unique, and hard to guess where a delivery
    /// report is to be believed.
    pub message_id: String,
    /// The sender.
    pub from: Mailbox,
    /// Where answers go, if not to the sender.
    pub reply_to: Option<Mailbox>,
    /// The recipients.
    pub to: Vec<Mailbox>,
    /// Any script, one line.
    pub subject: String,
    /// Message-ID of the letter answered, without angle brackets.
    pub in_reply_to: Option<String>,
}

/// Writes a notice: text, and attachments if there are any (the proposal, a form).
pub fn notice(
    head: &Head,
    text: &str,
    attachments: &[Attachment],
) -> Result<Vec<u8>, ComposeError> {
    write(head, text, attachments, "auto-generated")
}

/// Writes the receipt of a letter: text for people, and the receipt itself, which is attached as
/// `application/octet-stream` so that no mail system takes it for text and reflows it.
pub fn receipt(
    head: &Head,
    text: &str,
    receipt_name: &str,
    receipt: &[u8],
) -> Result<Vec<u8>, ComposeError> {
    let attachment = Attachment {
        name: Some(receipt_name.to_owned()),
        media_type: "application/octet-stream".to_owned(),
        bytes: receipt.to_vec(),
    };
    write(head, text, std::slice::from_ref(&attachment), "auto-replied")
}

fn write(
    head: &Head,
    text: &str,
    attachments: &[Attachment],
    submitted: &'static str,
) -> Result<Vec<u8>, ComposeError> {
    check(head)?;
    for attachment in attachments {
        check_attachment(attachment)?;
    }
    let mut builder = MessageBuilder::new()
        .from(address(&head.from))
        .to(head.to.iter().map(address).collect::<Vec<BuilderAddress<'_>>>())
        .subject(head.subject.as_str())
        .date(head.date_unix)
        .message_id(head.message_id.as_str());
    if let Some(reply_to) = &head.reply_to {
        builder = builder.reply_to(address(reply_to));
    }
    if let Some(id) = &head.in_reply_to {
        builder = builder.in_reply_to(id.as_str()).references(id.as_str());
    }
    builder = builder.header("Auto-Submitted", HeaderType::from(Raw::new(submitted)));
    builder = builder.body(body(&head.message_id, text, attachments));
    let mut bytes = Vec::new();
    builder.serialize(&mut bytes);
    Ok(bytes)
}

fn body<'x>(message_id: &str, text: &str, attachments: &'x [Attachment]) -> MimePart<'x> {
    // A letter ends with a line end, whatever encoding the text gets.
    let end = if text.ends_with('\n') { "" } else { "\n" };
    let text_part = MimePart::new("text/plain", BodyPart::Text(format!("{text}{end}").into()));
    if attachments.is_empty() {
        return text_part;
    }
    let mut parts = vec![text_part];
    for attachment in attachments {
        let part = MimePart::new(
            attachment.media_type.as_str(),
            BodyPart::Binary(attachment.bytes.as_slice().into()),
        );
        parts.push(match &attachment.name {
            Some(name) => part.attachment(name.as_str()),
            None => part.attachment("attachment"),
        });
    }
    let kind =
        ContentType::new("multipart/mixed").attribute("boundary", boundary(message_id, text));
    MimePart::new(kind, BodyPart::Multipart(parts))
}

/// A delimiter that stands nowhere in the letter: `=_` is in no base64 and no quoted-printable,
/// and plain text that holds it makes it longer.
fn boundary(message_id: &str, text: &str) -> String {
    let word = |byte: u8| if byte.is_ascii_alphanumeric() { char::from(byte) } else { '.' };
    let mut boundary: String = "=_".chars().chain(message_id.bytes().take(40).map(word)).collect();
    while text.contains(&boundary) {
        boundary.push('_');
    }
    boundary
}

fn address(mailbox: &Mailbox) -> BuilderAddress<'_> {
    BuilderAddress::new_address(mailbox.name.as_deref(), mailbox.email.as_str())
}

fn check(head: &Head) -> Result<(), ComposeError> {
    if head.to.is_empty() {
        return Err(ComposeError::NoRecipient);
    }
    if !(0..=MAX_DATE).contains(&head.date_unix) {
        let value = head.date_unix.to_string();
        let detail = "it is not between the years 1970 and 2999";
        return Err(ComposeError::BadField { field: "the date", value, detail });
    }
    for mailbox in [&head.from].into_iter().chain(&head.reply_to).chain(&head.to) {
        check_address("the address", &mailbox.email)?;
        if let Some(name) = &mailbox.name {
            check_line("the name", name)?;
        }
    }
    for id in [&head.message_id].into_iter().chain(&head.in_reply_to) {
        check_address("the Message-ID", id)?;
    }
    check_line("the subject", &head.subject)
}

fn check_attachment(attachment: &Attachment) -> Result<(), ComposeError> {
    if let Some(name) = &attachment.name {
        check_line("the file name", name)?;
    }
    let is_token = |text: &str| {
        !text.is_empty()
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'+' | b'-'))
    };
    match attachment.media_type.split_once('/') {
        Some((main, sub)) if is_token(main) && is_token(sub) && main != "multipart" => Ok(()),
        _ => bad("the media type", &attachment.media_type, "it is not like application/pdf"),
    }
}

fn check_line(field: &'static str, value: &str) -> Result<(), ComposeError> {
    if value.chars().any(char::is_control) {
        return bad(field, value, "it has control characters or line breaks");
    }
    if value.len() > MAX_FIELD {
        return bad(field, value, "it is longer than 900 bytes");
    }
    Ok(())
}

/// Addresses and ids: the dot-atom form of RFC 5322, which is all that is met in practice.
fn check_address(field: &'static str, value: &str) -> Result<(), ComposeError> {
    if value.len() > MAX_ADDRESS {
        return bad(field, value, "it is longer than 254 bytes");
    }
    let is_atom = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b))
    };
    let is_dot_atom = |text: &str| text.split('.').all(is_atom);
    match value.split_once('@') {
        Some((local, domain)) if is_dot_atom(local) && is_dot_atom(domain) => Ok(()),
        _ => bad(field, value, "it is not like name@example.org, in ASCII"),
    }
}

fn bad(field: &'static str, value: &str, detail: &'static str) -> Result<(), ComposeError> {
    let value = value.chars().take(MAX_ADDRESS).collect();
    Err(ComposeError::BadField { field, value, detail })
}
