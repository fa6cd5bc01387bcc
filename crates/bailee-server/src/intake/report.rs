//! Reports of mail systems: evidence of what became of a notice, and what they ask for besides.
//!
//! Invariants (rules 1, 6): a report is evidence only if it names a notice's unguessable message
//! id and the address it went to. Whoever has our notice can write one: a report that no mail
//! system wrote, or whose words name something of ours that the notice does not, is a demand as
//! well.

use bailee_core::demand::{Exhibit as Paper, Scope};
use bailee_core::id::{DutyId, NoticeId};
use bailee_core::matching;
use bailee_core::notice::Evidence;
use bailee_core::party::ChannelKind;
use bailee_core::{Action, Command, Intent, Reason, State};
use bailee_post::{Letter, RecipientStatus, Report, dsn};
use bailee_store::{Exhibit, digest};

use crate::house::House;
use crate::notices;
use crate::runner::Failure;
use crate::steward::intent_of_message_id;

/// What of ours a report is about.
pub(super) enum About {
    /// A notice: what it is evidence of.
    Notice(Found),
    /// A page to operations, whose id only they know: nobody's demand.
    Page(DutyId),
}

/// Evidence of an attempt to deliver a notice.
pub(super) struct Found {
    pub(super) notice: NoticeId,
    attempt: u8,
    pub(super) evidence: Evidence,
}

/// What it is about, if it names a letter of ours by its message id.
pub(super) fn about(house: &House, report: &Report) -> Result<Option<About>, Failure> {
    let named = report.original_message_id.as_deref().or(report.envelope_id.as_deref());
    let (notice, attempt) = match named.and_then(|id| intent_of_message_id(house, id)) {
        Some(Intent::SendNotice(notice, attempt)) => (notice, attempt),
        Some(Intent::PageHuman(duty)) => return Ok(Some(About::Page(duty))),
        Some(Intent::SendReceipt(_) | Intent::Erase(_)) | None => return Ok(None),
    };
    // A notice that goes by post is mailed to operations: a report on that mail proves nothing.
    let Some(address) = house.with_state(|s| mailed_to(s, notice, attempt))? else {
        return Ok(None);
    };
    let of_it = |recipient: &&RecipientStatus| {
        let original = recipient.original_recipient.as_deref();
        address.eq_ignore_ascii_case(original.unwrap_or(&recipient.recipient))
            || address.eq_ignore_ascii_case(&recipient.recipient)
    };
    let actions = report.recipients.iter().filter(of_it).map(|recipient| recipient.action);
    let evidence = actions.filter_map(evidence).next();
    Ok(evidence.map(|evidence| About::Notice(Found { notice, attempt, evidence })))
}

/// True if it is a demand as well.
pub(super) fn asks(
    house: &House,
    raw: &[u8],
    report: &Report,
    notice: NoticeId,
) -> Result<bool, Failure> {
    if !is_of_a_mail_system(&Letter::read(raw)) {
        return Ok(true);
    }
    let found = house.with_state(|s| s.notices.get(notice).cloned())?;
    let Some(found) = found else { return Ok(true) };
    // What cannot be compared may ask for anything.
    let Ok(ours) = notices::say(house, notice, &found) else { return Ok(true) };
    house.with_state(|s| {
        let to = s.parties.get(found.to);
        let mut own = format!("{}\n{}\n", ours.subject, ours.text);
        if let Some(party) = to {
            let addresses = party.channels().iter().map(|channel| channel.address.as_str());
            own.extend(addresses.chain([party.name()]).flat_map(|name| [name, "\n"]));
        }
        let named = |text: &str| matching::named(s, &matching::letter(text));
        let mut both = named(&own);
        let before: Scope = both.clone();
        both.widen(&named(&report.said));
        both != before
    })
}

/// By its author. Its own word that no person wrote it (RFC 3834) is anybody's to write.
fn is_of_a_mail_system(letter: &Letter) -> bool {
    let system = |address: &bailee_post::Address| {
        let name = address.email.split('@').next().unwrap_or_default().to_ascii_lowercase();
        // Exchange writes as `MicrosoftExchange` and a number.
        ["mailer-daemon", "postmaster"].contains(&&*name) || name.starts_with("microsoftexchange")
    };
    letter.from.iter().all(system)
}

/// Records it. False if the log does not take it as evidence.
pub(super) fn record(house: &House, raw: Vec<u8>, found: &Found) -> Result<bool, Failure> {
    let Found { notice, attempt, evidence } = *found;
    let exhibit = Exhibit { digest: digest(&raw), bytes: raw };
    let paper = Paper {
        digest: exhibit.digest,
        size: exhibit.bytes.len() as u64,
        media: "multipart/report".into(),
        name: format!("delivery report on {notice}"),
    };
    let reason = Reason { note: String::new(), exhibits: vec![paper] };
    let action = Action::RecordEvidence { notice, attempt, evidence, reason };
    match house.submit(Command::system(action), vec![exhibit]) {
        Ok(_) => Ok(true),
        Err(Failure::Refused(_)) => Ok(false),
        Err(failure) => Err(failure),
    }
}

/// The address an attempt was mailed to, if it went by mail.
fn mailed_to(s: &State, notice: NoticeId, attempt: u8) -> Option<String> {
    let notice = s.notices.get(notice)?;
    let channel = notice.attempts.get(usize::from(attempt))?.channel;
    let channel = s.parties.get(notice.to)?.channels().get(usize::from(channel))?;
    (channel.kind == ChannelKind::Email).then(|| channel.address.clone())
}

fn evidence(action: dsn::Action) -> Option<Evidence> {
    match action {
        dsn::Action::Failed => Some(Evidence::Bounced),
        dsn::Action::Delivered => Some(Evidence::Delivered),
        dsn::Action::Relayed | dsn::Action::Expanded => Some(Evidence::Relayed),
        dsn::Action::Delayed | dsn::Action::Unknown => None,
    }
}
