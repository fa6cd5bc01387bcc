//! Intake: raw bytes of a letter become a demand, and the answer names its place in the log.
//!
//! Invariants (rule 1): the bytes themselves are the exhibit, whatever can be read out of them; a
//! letter that cannot be read at all is still a demand; a letter sent twice is one demand. A report
//! of a mail system about one of our notices is evidence, and only if it names the notice's
//! unguessable message id; anything else is a demand, and so is a report that asks for something
//! (`report.rs`). A mail program's reply names what it answers.

mod report;

use std::collections::BTreeSet;

use bailee_core::demand::{Exhibit as Paper, Medium};
use bailee_core::id::{DemandId, DutyId, NoticeId};
use bailee_core::notice::Evidence;
use bailee_core::party::{Channel, ChannelKind, Who};
use bailee_core::{Action, By, Code, Command, Event, Intent, NewDemand, names_something};
use bailee_post::{Letter, Report};
use bailee_store::{Exhibit, digest};

use crate::house::House;
use crate::intake::report::About;
use crate::runner::Failure;
use crate::steward::intent_of_message_id;

/// Largest message taken, bytes.
pub const LARGEST_MESSAGE: usize = 128 << 20;

/// Text of a letter that is matched, bytes; the core reads less.
const MATCHED_TEXT: usize = 1 << 20;

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is this demand, recorded at this log position.
    Demand {
        /// `D-n`.
        demand: DemandId,
        /// Log position of its entry.
        position: u64,
        /// True if this very letter was received before.
        again: bool,
    },
    /// It is a mail system's report about this notice.
    Report {
        /// `N-n`.
        notice: NoticeId,
        /// What it is evidence of.
        evidence: Evidence,
    },
    /// It is a mail system's report about a page to operations; nothing is recorded.
    Page {
        /// `Y-n`.
        duty: DutyId,
    },
}

/// What the sender of an upload says about it beyond the letter itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cover {
    /// The instrument it claims to be.
    pub instrument: Option<String>,
    /// Whether the owner may know.
    pub silent: Option<bool>,
    /// How it came in.
    pub medium: Option<Medium>,
    /// Who handed it in, if that is known better than the letter says.
    pub from: Option<Who>,
    /// What it names, as filled in a form.
    pub scope: bailee_core::demand::Scope,
}

/// Refuses a form that names what is not there, by its name: for people who can say it again.
/// From everybody else a form is taken as it is, and flagged: a demand is never lost, and whoever
/// may only hand letters in is not told what is here.
pub fn check_form(house: &House, scope: &bailee_core::demand::Scope) -> Result<(), Failure> {
    Ok(house.with_state(|s| names_something(s, scope))??)
}

/// Takes a raw RFC 5322 message, or any other bytes.
pub fn take(house: &House, raw: Vec<u8>, cover: Cover, by: By) -> Result<Taken, Failure> {
    if raw.len() > LARGEST_MESSAGE {
        let most = LARGEST_MESSAGE;
        return Err(Failure::Unavailable(format!("a message has at most {most} bytes; split it")));
    }
    let Some(report) = Report::read(&raw) else { return take_letter(house, raw, cover, by) };
    let found = match report::about(house, &report)? {
        None => return take_letter(house, raw, cover, by),
        Some(About::Page(duty)) => return Ok(Taken::Page { duty }),
        Some(About::Notice(found)) => found,
    };
    if report::asks(house, &raw, &report, found.notice)? {
        // The demand first: what is recorded of a message that is handed in again must block.
        let taken = take_letter(house, raw.clone(), cover, by)?;
        report::record(house, raw, &found)?;
        return Ok(taken);
    }
    match report::record(house, raw.clone(), &found)? {
        true => Ok(Taken::Report { notice: found.notice, evidence: found.evidence }),
        // The log does not take it as evidence: then it is kept as whatever else it may be.
        false => take_letter(house, raw, cover, by),
    }
}

/// Takes it as what somebody wrote.
fn take_letter(house: &House, raw: Vec<u8>, cover: Cover, by: By) -> Result<Taken, Failure> {
    let mut letter = Letter::read(&raw);
    let mut media = document(&raw);
    if media.is_some() {
        // A scan is whole, and for a person to read. What looks like words in it still counts.
        (letter.is_broken, letter.has_unread) = (false, true);
    } else if let Some(text) = plain(&raw, &letter, cover.medium) {
        letter = Letter { text: text.to_owned(), ..Letter::default() };
        media = Some("text/plain");
    }
    let exhibit = Exhibit { digest: digest(&raw), bytes: raw };
    let media = media.unwrap_or("message/rfc822");
    let demand = demand(house, &letter, (&exhibit, media), cover);
    submit(house, Command { by, action: Action::ReceiveDemand(demand) }, exhibit)
}

/// What the bytes are, if they are the scan of a document and no message.
fn document(raw: &[u8]) -> Option<&'static str> {
    let begins: [(&[u8], &str); 5] = [
        (b"%PDF-", "application/pdf"),
        (b"\x89PNG\r\n", "image/png"),
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"II*\0", "image/tiff"),
        (b"MM\0*", "image/tiff"),
    ];
    begins.into_iter().find(|(begin, _)| raw.starts_with(begin)).map(|(_, media)| media)
}

/// The whole of it, if it is the text of no message, and said to be none: the note of a call, what
/// somebody filled in.
fn plain<'a>(raw: &'a [u8], letter: &Letter, medium: Option<Medium>) -> Option<&'a str> {
    let mail = medium.is_none_or(|medium| medium == Medium::Email);
    let headed = !letter.from.is_empty() || letter.message_id.is_some();
    if mail || headed {
        return None;
    }
    let text = std::str::from_utf8(raw).ok()?;
    let strange = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    (!text.contains(strange)).then_some(text)
}

/// The demand that a letter is.
fn demand(
    house: &House,
    letter: &Letter,
    (exhibit, media): (&Exhibit, &str),
    cover: Cover,
) -> NewDemand {
    let paper = Paper {
        digest: exhibit.digest,
        size: exhibit.bytes.len() as u64,
        media: media.into(),
        name: one_line(&letter.subject, "letter"),
    };
    let mut text = format!("{}\n{}{}", letter.subject, answered(house, letter), letter.text);
    if text.len() > MATCHED_TEXT {
        text.truncate((0..=MATCHED_TEXT).rev().find(|n| text.is_char_boundary(*n)).unwrap_or(0));
    }
    let addressed = letter.to.iter().chain(&letter.cc).map(|address| address.email.to_lowercase());
    let mut entities = addressed.filter_map(|address| house.config().entities.get(&address));
    NewDemand {
        from: cover.from.unwrap_or_else(|| sender(letter)),
        entity: entities.find_map(|entity| entity.parse().ok()),
        instrument: cover.instrument,
        medium: cover.medium.unwrap_or(Medium::Email),
        scope: cover.scope,
        text,
        exhibits: vec![paper],
        silent: cover.silent,
        damaged: letter.is_broken,
        unread: letter.has_unread,
        automatic: letter.is_automatic,
    }
}

/// The notices that a mail program says it answers, a line for each, as its writer may name them.
fn answered(house: &House, letter: &Letter) -> String {
    let ids = letter.in_reply_to.iter().chain(&letter.references);
    let notices: BTreeSet<NoticeId> = ids
        .filter_map(|id| match intent_of_message_id(house, id)? {
            Intent::SendNotice(notice, _) => Some(notice),
            _ => None,
        })
        .collect();
    notices.iter().map(|notice| format!("{notice}\n")).collect()
}

fn sender(letter: &Letter) -> Who {
    let Some(first) = letter.from.first() else {
        return Who { name: "(sender not readable)".into(), channels: Vec::new() };
    };
    let address = one_line(&first.email, "(address not readable)");
    let name = one_line(first.name.as_deref().unwrap_or_default(), &address);
    Who { name, channels: vec![Channel { kind: ChannelKind::Email, address }] }
}

/// One line of at most 1024 bytes, or the stand-in if nothing is left.
fn one_line(text: &str, stand_in: &str) -> String {
    let mut line: String = text.chars().filter(|c| !c.is_control()).collect();
    if line.len() > 1024 {
        line.truncate((0..=1024).rev().find(|n| line.is_char_boundary(*n)).unwrap_or(0));
    }
    if line.trim().is_empty() { stand_in.to_owned() } else { line }
}

fn submit(house: &House, command: Command, exhibit: Exhibit) -> Result<Taken, Failure> {
    match house.submit(command, vec![exhibit]) {
        Ok(done) => {
            let received = done.records.iter().find_map(|record| match record.fact.event {
                Event::DemandReceived { demand, .. } => Some((demand, record.seq)),
                _ => None,
            });
            let missing = || Failure::Unavailable("the demand left no entry".into());
            let (demand, position) = received.ok_or_else(missing)?;
            Ok(Taken::Demand { demand, position, again: false })
        }
        Err(Failure::Refused(refusal)) if refusal.code == Code::AlreadyDone => {
            let demand: Option<DemandId> = refusal.about.parse().ok();
            let demand = demand.ok_or(Failure::Refused(refusal))?;
            let position = house.with_state(|s| s.demands.get(demand).map(|d| d.position))?;
            Ok(Taken::Demand { demand, position: position.unwrap_or_default(), again: true })
        }
        Err(failure) => Err(failure),
    }
}
