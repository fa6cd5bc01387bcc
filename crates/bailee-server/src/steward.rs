//! The steward: carries out intents and tells the core that time has passed. It has no choices.
//!
//! Invariants: every intent is done before it is reported, so a crash between the two does it
//! again; the outbox keeps what was put first under a key, so doing it again is harmless; an intent
//! that cannot be done stays pending and is named.

use std::fmt::Write as _;

use bailee_core::id::{DemandId, DutyId, NoticeId};
use bailee_core::notice::{About, Evidence};
use bailee_core::party::{ChannelKind, Role};
use bailee_core::{Action, Code, Command, Event, Intent, Reason, State, plan};
use bailee_ledger::hash::sha256;
use bailee_post::{Head, Mailbox, Outbox, notice, receipt as compose_receipt};

use crate::house::{House, HouseError, object_name};
use crate::receipt;
use crate::runner::Failure;

/// Intents looked at in one round.
const ROUND: usize = 256;

/// Carries out everything that is due and pending; returns what could not be done.
pub(crate) fn settle(house: &House) -> Vec<HouseError> {
    let mut failed = Vec::new();
    let mut given_up: Vec<Intent> = Vec::new();
    loop {
        let now = house.clock().now();
        let look =
            house.with_state(|s| (s.next_due().is_some_and(|due| due <= now), plan(s, ROUND)));
        let (due, intents) = match look {
            Ok(found) => found,
            Err(failure) => return vec![failure.into()],
        };
        if due && let Err(failure) = house.submit(Command::system(Action::Tick), Vec::new()) {
            failed.push(failure.into());
            return failed;
        }
        let fresh: Vec<Intent> = intents.into_iter().filter(|i| !given_up.contains(i)).collect();
        if fresh.is_empty() && !due {
            return failed;
        }
        for intent in fresh {
            if let Err(error) = carry_out(house, intent) {
                failed.push(error);
                given_up.push(intent);
            } else if matches!(intent, Intent::Erase(_)) {
                given_up.push(intent);
            }
        }
    }
}

fn carry_out(house: &House, intent: Intent) -> Result<(), HouseError> {
    match intent {
        Intent::Erase(position) => erase(house, position),
        Intent::SendReceipt(demand) => send_receipt(house, intent, demand),
        Intent::SendNotice(id, attempt) => send_notice(house, intent, id, attempt),
        Intent::PageHuman(duty) => page(house, intent, duty),
    }
}

/// Reports an intent done. Reported before is as good.
fn report(house: &House, action: Action) -> Result<(), HouseError> {
    match house.submit(Command::system(action), Vec::new()) {
        Ok(_) => Ok(()),
        Err(Failure::Refused(refusal)) if refusal.code == Code::AlreadyDone => Ok(()),
        Err(failure) => Err(failure.into()),
    }
}

fn outbox(house: &House) -> Result<Option<Outbox>, HouseError> {
    let Some(dir) = house.dir() else { return Ok(None) };
    Outbox::open(&dir.join("outbox")).map(Some).map_err(|e| post("open the outbox", &e))
}

fn post(doing: &str, error: &dyn std::fmt::Display) -> HouseError {
    HouseError::Io { doing: doing.into(), detail: error.to_string() }
}

/// Where a message goes.
struct Addressee {
    name: String,
    channel: Option<(ChannelKind, String)>,
}

fn addressee(state: &State, party: bailee_core::id::PartyId, channel: usize) -> Addressee {
    let found = state.parties.get(party);
    let channel = found.and_then(|party| party.channels().get(channel));
    Addressee {
        name: found.map_or_else(String::new, |party| party.name().to_owned()),
        channel: channel.map(|channel| (channel.kind, channel.address.clone())),
    }
}

/// Message ids of notices cannot be guessed, so that a forged delivery report proves nothing.
fn message_id(house: &House, key: &str) -> String {
    let secret = house.keys().mail();
    let inner = sha256(&[secret.as_slice(), key.as_bytes()].concat());
    let mac = sha256(&[secret.as_slice(), &inner].concat());
    let host = house.config().origin.split('/').next().unwrap_or("localhost").to_owned();
    format!("{key}.{}@{host}", bailee_ledger::to_hex(&mac)[..32].to_owned())
}

/// The notice and attempt that a message id names, if it is one of ours.
pub(crate) fn notice_of_message_id(house: &House, id: &str) -> Option<(NoticeId, u8)> {
    let id = id.trim().trim_start_matches('<').trim_end_matches('>');
    let key = id.split_once('.')?.0;
    let (notice, attempt) = key.strip_prefix("notice-")?.rsplit_once('-')?;
    let (notice, attempt) = (notice.parse().ok()?, attempt.parse().ok()?);
    (message_id(house, &Intent::SendNotice(notice, attempt).to_string()) == id)
        .then_some((notice, attempt))
}

fn head(house: &House, intent: Intent, to: Mailbox, subject: String) -> Head {
    Head {
        date_unix: house.clock().now().unix(),
        message_id: message_id(house, &intent.to_string()),
        from: Mailbox { name: None, email: house.config().mail_from.clone() },
        reply_to: None,
        to: vec![to],
        subject,
        in_reply_to: None,
    }
}

fn send_receipt(house: &House, intent: Intent, id: DemandId) -> Result<(), HouseError> {
    let mut bundle = Vec::new();
    receipt::demand(house, id, &mut bundle).map_err(|e| post("build a receipt", &e))?;
    let to = house.with_state(|s| s.demands.get(id).map(|d| addressee(s, d.from, 0)))?;
    if let (Some(outbox), Some(to)) = (outbox(house)?, to) {
        let text = format!(
            "We have received your letter and recorded it as {id}.\n\nThe attached file proves it. \
             Keep it as it is; anyone can verify it offline.\n"
        );
        let email = match to.channel {
            Some((ChannelKind::Email, address)) => address,
            // Nobody to mail it to: it waits in the outbox for the person who has the address.
            _ => house.config().operations.clone(),
        };
        let to = Mailbox { name: Some(to.name), email };
        let head = head(house, intent, to, format!("Receipt of {id}"));
        let name = format!("{id}.bailee.zip");
        let mail = compose_receipt(&head, &text, &name, &bundle);
        let mail = mail.or_else(|_| {
            // The sender's own address cannot stand in a letter: a person has to deliver it.
            let to = Mailbox { name: None, email: house.config().operations.clone() };
            compose_receipt(&Head { to: vec![to], ..head.clone() }, &text, &name, &bundle)
        });
        let mail = mail.map_err(|e| post("compose a receipt", &e))?;
        outbox.put(&intent.to_string(), &mail).map_err(|e| post("put a receipt", &e))?;
    }
    report(house, Action::ReceiptSent { demand: id })
}

fn send_notice(house: &House, intent: Intent, id: NoticeId, attempt: u8) -> Result<(), HouseError> {
    let found = house.with_state(|s| {
        let notice = s.notices.get(id)?;
        let channel = notice.attempts.get(usize::from(attempt))?.channel;
        Some((addressee(s, notice.to, usize::from(channel)), notice_text(s, notice.about)))
    })?;
    let Some((to, (subject, text))) = found else { return Ok(()) };
    let Some((kind, address)) = to.channel else {
        // Nothing to reach the party by: that is a failed attempt, and a human's turn.
        report(house, Action::NoticeSent { notice: id, attempt })?;
        let reason = Reason { note: "no channel to this party".into(), exhibits: Vec::new() };
        let evidence = Evidence::Bounced;
        return report(house, Action::RecordEvidence { notice: id, attempt, evidence, reason });
    };
    if let Some(outbox) = outbox(house)? {
        let (email, text) = match kind {
            ChannelKind::Email => (address, text),
            ChannelKind::Post | ChannelKind::Portal | ChannelKind::Service => {
                let how = format!("{kind:?}").to_lowercase();
                let operations = house.config().operations.clone();
                (
                    operations,
                    format!("To be delivered by {how} to {address}, with proof.\n\n{text}"),
                )
            }
        };
        let to = Mailbox { name: Some(to.name), email };
        let head = head(house, intent, to, format!("{id}: {subject}"));
        let mail = notice(&head, &text, &[]).map_err(|e| post("compose a notice", &e))?;
        outbox.put(&intent.to_string(), &mail).map_err(|e| post("put a notice", &e))?;
    }
    report(house, Action::NoticeSent { notice: id, attempt })
}

/// What a notice says. Silent holds are never in it: it names assets and dates, not reasons.
fn notice_text(s: &State, about: About) -> (String, String) {
    match about {
        About::Disposition(id) => {
            let mut text = format!(
                "It is proposed to end the keeping of the assets listed below ({id}).\n\nNothing \
                 happens before delivery of this notice is proven to everyone owed one, and {} days \
                 after that.\nYou may object, with reasons; an objection stops it until it is \
                 decided in writing.\n\n",
                s.policy.waiting_days
            );
            let assets = s.dispositions.get(id).map(|d| d.assets.as_slice()).unwrap_or_default();
            for asset in assets {
                let label = s.assets.get(*asset).map(|a| a.label.to_string()).unwrap_or_default();
                _ = writeln!(text, "{asset}  {label}");
            }
            (format!("proposal {id}"), text)
        }
        About::Decision(id) => {
            let status = s.demands.get(id).map(|demand| demand.status);
            let word = match status {
                Some(bailee_core::demand::DemandStatus::Accepted) => "accepted",
                Some(bailee_core::demand::DemandStatus::Refused) => "refused",
                _ => "not clear to us: please write what it covers",
            };
            (format!("decision on {id}"), format!("Your demand {id} is {word}.\n"))
        }
    }
}

fn page(house: &House, intent: Intent, id: DutyId) -> Result<(), HouseError> {
    let kind = house.with_state(|s| s.duties.get(id).map(|duty| duty.kind))?;
    if let (Some(outbox), Some(kind)) = (outbox(house)?, kind) {
        let people = house.with_state(|s| {
            let house = |p: &bailee_core::party::Party| p.is(Role::Staff) || p.is(Role::Counsel);
            let people = s.parties.iter().filter(|(_, party)| house(party));
            people.map(|(_, party)| party.name().to_owned()).collect::<Vec<_>>().join(", ")
        })?;
        let to = Mailbox { name: None, email: house.config().operations.clone() };
        let head = head(house, intent, to, format!("{id}: a human has to act"));
        let text = format!("{id}: {kind:?}\n\nFor: {people}\n");
        let mail = notice(&head, &text, &[]).map_err(|e| post("compose a page", &e))?;
        outbox.put(&intent.to_string(), &mail).map_err(|e| post("put a page", &e))?;
    }
    report(house, Action::DutyPaged { duty: id })
}

/// Destroys the bytes and salts that an erasure names. Exhibits that others' papers name stay.
fn erase(house: &House, position: u64) -> Result<(), HouseError> {
    let entry = house.entries(position, 1)?.pop();
    let record = entry.map(|entry| receipt::read(position, &entry)).transpose();
    let record = record.map_err(|e| post("read an erasure", &e))?;
    let Some(Event::DetailsErased { positions, papers, .. }) = record.map(|r| r.fact.event) else {
        return Ok(());
    };
    let mut exhibits = Vec::new();
    for position in &papers {
        let Some(entry) = house.entries(*position, 1)?.pop() else { continue };
        let record = receipt::read(*position, &entry).map_err(|e| post("read papers", &e))?;
        let papers = record.fact.papers.unwrap_or_default();
        exhibits.extend(papers.exhibits.iter().map(|exhibit| exhibit.digest));
    }
    let kept = house.with_state(|s| {
        let papers = s.demands.iter().filter_map(|(_, demand)| demand.papers.as_ref());
        let exhibits = papers.flat_map(|papers| &papers.exhibits);
        exhibits.map(|exhibit| exhibit.digest).collect::<std::collections::BTreeSet<_>>()
    })?;
    exhibits.retain(|digest| !kept.contains(digest));
    for digest in &exhibits {
        house.objects().delete(&object_name(digest))?;
    }
    let who = positions.iter().map(|seq| (*seq, 1));
    let sections: Vec<(u64, usize)> = who.chain(papers.iter().map(|seq| (*seq, 2))).collect();
    Ok(house.journal().erase(&sections, &exhibits)?)
}
