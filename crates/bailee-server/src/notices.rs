//! What notices say, and what goes with them.
//!
//! Invariants
//! 1. A notice names dates and the assets that are its reader's to know of, never the reasons of a
//!    hold and never what is others'. What is to become of data that the reader does not know by
//!    name is said in one word for all kinds of destruction: the kind would tell of a copy, and a
//!    copy of a silent hold.
//! 2. A decision goes to whom it is about with the words and documents it was made with, read from
//!    its entry. Words that name somebody else, or what is not the reader's to know of (the net is
//!    that of bundles), stay out of the letter, and a person has to deliver it; so do documents
//!    that are too large for a letter.
//! 3. What was erased is in no letter that is written afterwards.
//! 4. Each ends with who wrote it and where an answer goes (provider.rs); a proposal says how to
//!    object, and until when.
//!
//! Out of scope: where a letter goes, and when (steward.rs).

use std::fmt::Write as _;

use bailee_core::demand::{DemandStatus, Papers};
use bailee_core::disposition::{Disposition, DispositionKind};
use bailee_core::hold::HoldStatus;
use bailee_core::id::{AssetId, DemandId, DispositionId, NoticeId, ObjectionId, PartyId};
use bailee_core::notice::{About, Notice};
use bailee_core::{Event, Record, State, coming_with, coverage, disclosure, view};
use bailee_post::{Attachment, Mailbox};

use crate::house::{House, HouseError};
use crate::provider::Provider;
use crate::receipt;

/// Most bytes of documents in one letter; mail systems refuse much more.
const MOST_PAPERS: u64 = 8 << 20;
/// Longest file name of a document, characters.
const LONGEST_NAME: usize = 200;

/// A notice in words.
pub(crate) struct Said {
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) papers: Vec<Attachment>,
    /// Where answers go, if not to the sender of the letter.
    pub(crate) reply_to: Option<Mailbox>,
    /// Why a person has to deliver it, if one has to.
    pub(crate) by_hand: Option<&'static str>,
}

/// What the notice says to its reader.
pub(crate) fn say(house: &House, id: NoticeId, notice: &Notice) -> Result<Said, HouseError> {
    let (to, config) = (notice.to, house.config());
    let (provider, about) = house.with_state(|s| match notice.about {
        About::Disposition(of) => (Provider::of(s, config, to), of.to_string()),
        About::Objection(of) => (Provider::of(s, config, to), of.to_string()),
        About::Decision(of) => {
            let entity = s.demands.get(of).and_then(|demand| demand.entity);
            (Provider::addressed(s, config, entity), of.to_string())
        }
    })?;
    let reference = format!("{id} ({about})");
    let record = notice.rests_on.map(|position| receipt::record(house, position));
    let record = record.transpose()?.flatten();
    let event = record.as_ref().map(|record| &record.fact.event);
    let (subject, text) = house.with_state(|s| match notice.about {
        About::Disposition(of) => {
            (format!("proposal {of}"), proposal(s, (id, to), of, &provider, &reference))
        }
        About::Decision(of) => (format!("decision on {of}"), decision(s, of, event)),
        About::Objection(of) => (format!("decision on {of}"), answer(s, of, event)),
    })?;
    let reply_to = provider.reply_to(config);
    let mut said = Said { subject, text, papers: Vec::new(), reply_to, by_hand: None };
    if let Some(record) = record.filter(|record| is_written(&record.fact.event)) {
        reasons(house, to, &record, &mut said)?;
    }
    said.text.push_str(&provider.signature(&reference));
    Ok(said)
}

/// True for decisions whose words are written for the reader of the notice. What goes with an
/// acceptance is a note of the house.
fn is_written(event: &Event) -> bool {
    match event {
        Event::DemandDecided { status, .. } => *status != DemandStatus::Accepted,
        Event::ObjectionDecided { .. } => true,
        _ => false,
    }
}

fn proposal(
    s: &State,
    (notice, to): (NoticeId, PartyId),
    id: DispositionId,
    provider: &Provider,
    reference: &str,
) -> String {
    let Some(found) = s.dispositions.get(id) else { return String::new() };
    let takes = found.kind == DispositionKind::Transfer && found.to == Some(to);
    let known = match takes {
        true => found.assets.clone(),
        false => theirs_to_know(s, to, &found.assets),
    };
    let days = found.waiting_days.max(s.policy.waiting_days);
    let mut text = format!(
        "{}It is proposed to end the keeping of the assets listed below ({id}).\n\n{}\n\nNothing \
         happens before delivery of this notice is proven to everyone owed one, and {days} days \
         after that.\n\n{}\n\n",
        instead_of(s, found, notice, to),
        becomes(s, found, to, known.is_empty()),
        provider.objections(reference, days)
    );
    if known.len() < found.assets.len() {
        text.push_str("Only what concerns you is listed.\n\n");
    }
    for asset in known {
        let label = s.assets.get(asset).map(|a| a.label.to_string()).unwrap_or_default();
        _ = writeln!(text, "{asset}  {label}");
    }
    if takes {
        text.push_str(&comes_along(s, to, id, found));
    }
    text
}

/// Why a transferee is told again: the words are the same whatever hold it is that came.
fn instead_of(s: &State, found: &Disposition, id: NoticeId, to: PartyId) -> String {
    let before = |earlier: &&NoticeId| {
        **earlier < id && s.notices.get(**earlier).is_some_and(|notice| notice.to == to)
    };
    found.notices.iter().rfind(before).map_or_else(String::new, |earlier| {
        format!(
            "This notice takes the place of {earlier}: since then more has come onto what is to be \
             handed over, and you have to accept that as well.\n\n"
        )
    })
}

/// What a transferee takes over with the goods. The words are the same whether one of the holds is
/// silent or none, so that they tell of none.
fn comes_along(s: &State, to: PartyId, id: DispositionId, found: &Disposition) -> String {
    let holds = coming_with(s, found, to);
    if holds.is_empty() {
        return "\nNo hold comes with it as of now; what comes later you would have to accept.\n"
            .into();
    }
    let mut text =
        "\nThese holds come with it. Each is yours to accept by name before anything is \
                    handed over; until then nothing is:\n\n"
            .to_owned();
    for hold in holds {
        let accepted = if found.accepted.contains(&hold) { "  accepted" } else { "" };
        _ = writeln!(text, "{hold}{accepted}");
    }
    _ = write!(
        text,
        "\nTo accept one: `bailee disposition accept-hold {id} H-n`, or the same over the API, in \
         your name. What is held, and why, is between you and us: say nothing of it to the owner \
         of the data or to anybody else.\n"
    );
    text
}

/// What is to become of the data. `unnamed`: the reader knows none of the assets.
fn becomes(s: &State, found: &Disposition, reader: PartyId, unnamed: bool) -> String {
    match found.kind {
        DispositionKind::Return if found.to == Some(reader) => {
            "The data is to be returned to you.".into()
        }
        DispositionKind::Return => "The data is to be returned to its owner.".into(),
        DispositionKind::Transfer => {
            let receiver = match found.to {
                Some(to) if to == reader => "you".into(),
                to => to.and_then(|id| s.parties.get(id)).map_or_else(String::new, |party| {
                    party.name().chars().filter(|c| !c.is_control()).collect()
                }),
            };
            format!("Custody of the data is to be transferred to {receiver}.")
        }
        DispositionKind::Sanitize | DispositionKind::Expire | DispositionKind::Erase if unnamed => {
            "The data is to be destroyed, and cannot be had back afterwards.".into()
        }
        DispositionKind::Sanitize => "The data is to be wiped: overwritten where it lies, and not \
                                      to be had back from there."
            .into(),
        DispositionKind::Expire => {
            "Each preserved copy listed is to be expired: deleted for good.".into()
        }
        DispositionKind::Erase => "Every preserved copy of the source of what is listed is to be \
                                   erased: the key they are kept under is destroyed, and they \
                                   cannot be had back."
            .into(),
    }
}

fn decision(s: &State, id: DemandId, event: Option<&Event>) -> String {
    let demand = s.demands.get(id);
    let status = match event {
        Some(Event::DemandDecided { status, .. }) => Some(*status),
        _ => demand.map(|demand| demand.status),
    };
    let cooling = demand.and_then(|demand| match s.holds.get(demand.hold)?.status {
        HoldStatus::Cooling(until) => Some(until),
        _ => None,
    });
    match (status, cooling) {
        (Some(DemandStatus::Accepted), _) => format!("Your demand {id} is accepted.\n"),
        (Some(DemandStatus::Refused), Some(until)) => format!(
            "Your demand {id} is refused.\n\nWhatever it asks to keep stays frozen until {until}.\n"
        ),
        (Some(DemandStatus::Refused), None) => format!("Your demand {id} is refused.\n"),
        _ => format!(
            "Your demand {id} is not clear to us: please answer, and write what it covers.\n\n\
             Whatever it asks to keep stays frozen until it is decided.\n"
        ),
    }
}

fn answer(s: &State, id: ObjectionId, event: Option<&Event>) -> String {
    let against = s.objections.get(id).map(|found| found.disposition);
    let against = against.map_or_else(String::new, |id| format!(" against {id}"));
    match event {
        Some(Event::ObjectionDecided { upheld: true, .. }) => {
            format!("Your objection {id}{against} is upheld: what was proposed does not happen.\n")
        }
        _ => format!(
            "Your objection {id}{against} is dismissed: it does not stop what was proposed any \
             more.\n"
        ),
    }
}

/// Adds the words and documents of a decision, or says who brings them.
fn reasons(house: &House, to: PartyId, record: &Record, said: &mut Said) -> Result<(), HouseError> {
    let Some(papers) = &record.fact.papers else { return Ok(()) };
    if !house.with_state(|s| disclosure::may_read(s, to, record.by, papers))? {
        said.by_hand = Some(
            "what was written with the decision names others, or what is not the reader's to know \
             of; it is not in this letter, so add reasons written for its reader",
        );
        return Ok(());
    }
    if !papers.note.is_empty() {
        _ = write!(said.text, "\n{}\n", papers.note.trim_end());
    }
    if papers.exhibits.iter().map(|paper| paper.size).sum::<u64>() > MOST_PAPERS {
        said.by_hand = Some("its documents are too large for a letter; add them");
        return Ok(());
    }
    said.papers = documents(house, papers)?;
    Ok(())
}

fn documents(house: &House, papers: &Papers) -> Result<Vec<Attachment>, HouseError> {
    let mut found = Vec::new();
    for paper in &papers.exhibits {
        if let Some(bytes) = house.exhibit(&paper.digest)? {
            let name: String = paper.name.chars().filter(|c| !c.is_control()).collect();
            let name = Some(name.chars().take(LONGEST_NAME).collect());
            found.push(Attachment { name, media_type: plain(&paper.media), bytes });
        }
    }
    Ok(found)
}

/// The media type as it can stand in a letter; of letters and of what is strange, that it is bytes.
fn plain(media: &str) -> String {
    let kind = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let token = |text: &str| {
        let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'+' | b'-');
        !text.is_empty() && text.bytes().all(good)
    };
    match kind.split_once('/') {
        Some(("message" | "multipart", _)) | None => "application/octet-stream".into(),
        Some((main, sub)) if token(main) && token(sub) => kind,
        Some(_) => "application/octet-stream".into(),
    }
}

/// Of these assets, an owner knows its own and their parts (without the house's snapshots), a
/// requester what its own demands reach.
fn theirs_to_know(s: &State, to: PartyId, assets: &[AssetId]) -> Vec<AssetId> {
    let seen = view::owner(s, to);
    let own: Vec<AssetId> = seen.assets.into_iter().chain(seen.parts).collect();
    let asked = |asset: AssetId| {
        let mut holds = coverage::holds(s, asset).into_keys().filter_map(|id| s.holds.get(id));
        holds.any(|hold| {
            let mut demands = hold.demands.iter().filter_map(|id| s.demands.get(*id));
            demands.any(|demand| demand.from == to)
        })
    };
    assets.iter().copied().filter(|asset| own.contains(asset) || asked(*asset)).collect()
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn a_media_type_that_cannot_stand_in_a_letter_is_bytes() {
        assert_eq!(plain("application/pdf"), "application/pdf");
        assert_eq!(plain("Text/Plain; charset=utf-8"), "text/plain");
        for strange in ["", "pdf", "a/b c", "message/rfc822", "multipart/mixed", "a/\r\nb: c"] {
            assert_eq!(plain(strange), "application/octet-stream", "{strange}");
        }
    }
}
