//! Reads delivery status notifications (RFC 3464): what a mail system says became of a letter.
//!
//! Invariants
//! 1. Only the letter's own `message/delivery-status` part is read, never one of a letter that
//!    it merely forwards.
//! 2. An action that is not one of the five of RFC 3464 is [`Action::Unknown`]: nothing follows.
//! 3. `Relayed` and `Expanded` are not `Delivered`: the letter left the world of confirmations.
//!
//! A report is a claim. Anybody can write one, so the caller believes it only if it names an
//! envelope id or Message-ID of ours that a stranger could not guess, and keeps the raw bytes.
//! Out of scope: reading confirmations (RFC 8098), which prove nothing either way, and bounces
//! in free text (they are letters; a person reads them).

use mail_parser::HeaderName;

use crate::mime::{Part, Parts, parse_head, values};
use crate::text::{decode, from_html, one_line};

/// Recipients that are read.
pub const MAX_RECIPIENTS: usize = 1_000;

/// What happened to the letter for one recipient (RFC 3464, 2.3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// Could not be delivered; no further attempt.
    Failed,
    /// Not yet delivered; attempts go on.
    Delayed,
    /// Delivered to the recipient's mailbox.
    Delivered,
    /// Handed to a system that does not confirm delivery. Proves nothing.
    Relayed,
    /// Delivered to an alias that forwards to several; their delivery is not confirmed.
    Expanded,
    /// Missing, or none of the above.
    Unknown,
}

impl Action {
    fn read(value: &str) -> Action {
        match value.to_ascii_lowercase().as_str() {
            "failed" => Action::Failed,
            "delayed" => Action::Delayed,
            "delivered" => Action::Delivered,
            "relayed" => Action::Relayed,
            "expanded" => Action::Expanded,
            _ => Action::Unknown,
        }
    }
}

/// One recipient's part of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecipientStatus {
    /// The address the reporting system acted on.
    pub recipient: String,
    /// The address we wrote to, if the system says so.
    pub original_recipient: Option<String>,
    /// What happened.
    pub action: Action,
    /// RFC 3463 code, for example `5.1.1`.
    pub status: Option<String>,
    /// The remote system's own words.
    pub diagnostic: Option<String>,
    /// The system that gave the diagnostic.
    pub remote: Option<String>,
}

/// A delivery report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The ENVID given when the letter was handed over (RFC 3461).
    pub envelope_id: Option<String>,
    /// Message-ID of the letter reported on, from the returned copy, without angle brackets.
    pub original_message_id: Option<String>,
    /// The system that reports.
    pub reporter: Option<String>,
    /// One entry per recipient.
    pub recipients: Vec<RecipientStatus>,
    /// What it says to people: neither the status nor anything of the letter returned.
    pub said: String,
    /// What could not be read.
    pub problems: Vec<String>,
}

impl Report {
    /// Reads a letter as a report; `None` if it is none.
    pub fn read(raw: &[u8]) -> Option<Report> {
        let mut parts = Parts::of(raw);
        let mut own = std::mem::take(&mut parts.parts);
        own.retain(|part| part.inside == 0);
        let said = said(&own);
        let mut own = own.into_iter();
        let status = own.find(|part| {
            matches!(
                part.media_type.as_str(),
                "message/delivery-status" | "message/global-delivery-status"
            )
        })?;
        let mut report = read_status(&status.bytes, &mut parts);
        // The copy of the letter, or of its header, follows the status (RFC 6522).
        let copy = own.find(|part| {
            matches!(
                part.media_type.as_str(),
                "message/rfc822" | "text/rfc822-headers" | "message/global-headers"
            )
        });
        report.said = said;
        report.original_message_id = copy.and_then(|copy| message_id(&copy.bytes));
        if report.recipients.is_empty() {
            parts.problem("the report names no recipient".to_owned());
        }
        report.problems = parts.problems;
        Some(report)
    }
}

/// The text of its own parts for people.
fn said(own: &[Part]) -> String {
    let texts = own.iter().filter_map(|part| {
        let text = decode(&part.bytes, part.charset.as_deref()).text;
        match part.media_type.as_str() {
            "text/html" => Some(from_html(&text)),
            "text/rfc822-headers" => None,
            other => other.starts_with("text/").then_some(text),
        }
    });
    texts.collect::<Vec<_>>().join("\n\n")
}

fn message_id(head: &[u8]) -> Option<String> {
    let message = parse_head(head)?;
    let fields = values(&message, &HeaderName::MessageId);
    let id = fields.first().and_then(|value| value.as_text())?;
    Some(one_line(id)).filter(|id| !id.is_empty())
}

fn read_status(bytes: &[u8], parts: &mut Parts) -> Report {
    let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n");
    let mut groups = groups(&text).into_iter();
    let message = groups.next().unwrap_or_default();
    let mut report = Report {
        envelope_id: message.get("original-envelope-id"),
        reporter: message.get("reporting-mta").map(untyped),
        ..Report::default()
    };
    for group in groups {
        if report.recipients.len() == MAX_RECIPIENTS {
            parts.problem(format!("only the first {MAX_RECIPIENTS} recipients were read"));
            break;
        }
        match read_recipient(&group) {
            Some(status) => report.recipients.push(status),
            None => parts.problem("a recipient's entry names no address".to_owned()),
        }
    }
    report
}

fn read_recipient(group: &Group) -> Option<RecipientStatus> {
    let original_recipient = group.get("original-recipient").map(untyped);
    let recipient = group.get("final-recipient").map(untyped).or(original_recipient.clone())?;
    Some(RecipientStatus {
        recipient,
        original_recipient,
        action: group.get("action").map_or(Action::Unknown, |value| Action::read(&value)),
        status: group.get("status").and_then(status_code),
        diagnostic: group.get("diagnostic-code").map(untyped),
        remote: group.get("remote-mta").map(untyped),
    })
}

/// `5.1.1 (no such mailbox)` is `5.1.1`.
fn status_code(value: String) -> Option<String> {
    let code = value.split_whitespace().next()?;
    let numbers: Vec<&str> = code.split('.').collect();
    let is_number = |text: &&str| {
        (1..=3).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    let is_code = numbers.len() == 3
        && matches!(numbers.first(), Some(&"2" | &"4" | &"5"))
        && numbers.iter().all(is_number);
    is_code.then(|| code.to_owned())
}

/// `rfc822; anna@example.org` is `anna@example.org`.
fn untyped(value: String) -> String {
    match value.split_once(';') {
        Some((kind, rest)) if !kind.contains(char::is_whitespace) => rest.trim().to_owned(),
        _ => value,
    }
}

/// Fields of one block, names in lower case.
#[derive(Default)]
struct Group {
    fields: Vec<(String, String)>,
}

impl Group {
    fn get(&self, name: &str) -> Option<String> {
        let found = self.fields.iter().find(|(field, _)| field == name);
        let value = found.map(|(_, value)| without_comment(&one_line(value)))?;
        (!value.is_empty()).then_some(value)
    }
}

/// Some systems put a comment before the value: `Action: (final) failed`.
fn without_comment(value: &str) -> String {
    match value.strip_prefix('(').and_then(|rest| rest.split_once(')')) {
        Some((_, rest)) => rest.trim().to_owned(),
        None => value.to_owned(),
    }
}

/// Blocks are separated by blank lines; a line that begins with a space continues its field.
fn groups(text: &str) -> Vec<Group> {
    let mut groups = Vec::new();
    let mut group = Group::default();
    for line in text.split('\n') {
        if line.trim().is_empty() {
            if !group.fields.is_empty() {
                groups.push(std::mem::take(&mut group));
            }
        } else if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = group.fields.last_mut() {
                value.push(' ');
                value.push_str(line.trim());
            }
        } else if let Some((name, value)) = line.split_once(':') {
            let name = name.trim().to_ascii_lowercase();
            group.fields.push((name, value.trim().to_owned()));
        }
    }
    if !group.fields.is_empty() {
        groups.push(group);
    }
    groups
}
