//! The steward: carries out intents and tells the core that time has passed. It has no choices.
//!
//! Invariants: every intent is done before it is reported, so a crash between the two does it
//! again; the outbox keeps what was put first under a key, so doing it again is harmless; an intent
//! that cannot be done stays pending and is named, and keeps no other waiting. Each receipt and
//! notice is a letter in the outbox before the log says that it left; what no program may deliver
//! is addressed to operations, who hand it over.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use bailee_core::id::{DemandId, DutyId, NoticeId};
use bailee_core::notice::Evidence;
use bailee_core::party::ChannelKind;
use bailee_core::{Action, Code, Command, Intent, Reason, State, plan};
use bailee_ledger::hash::sha256;
use bailee_post::{ComposeError, Head, Mailbox, Outbox, notice, receipt as compose_receipt};

use crate::erasing;
use crate::house::{House, HouseError};
use crate::notices;
use crate::pages;
use crate::provider::Provider;
use crate::receipt;
use crate::runner::Failure;

/// Intents looked at in one round.
const ROUND: usize = 256;

/// Tells the core that time has passed, if something fell due or a day went by without an entry;
/// true if something came of it.
pub(crate) fn tick(house: &House) -> Result<bool, Failure> {
    let now = house.clock().now();
    let due = house.with_state(|s| s.next_tick().is_some_and(|due| due <= now))?;
    if !due {
        return Ok(false);
    }
    let done = house.submit(Command::system(Action::Tick), Vec::new())?;
    Ok(!done.records.is_empty())
}

/// Carries out everything that is due and pending; returns what could not be done.
pub(crate) fn settle(house: &House) -> Vec<HouseError> {
    let mut failed = Vec::new();
    let mut given_up: BTreeSet<Intent> = BTreeSet::new();
    loop {
        let erased = house.erased();
        // What is done or given up stays pending and comes first; it must not starve the rest.
        let most = ROUND + given_up.len() + erased.len();
        let intents = match house.with_state(|s| plan(s, most)) {
            Ok(found) => found,
            Err(failure) => return vec![failure.into()],
        };
        let ticked = match tick(house) {
            Ok(ticked) => ticked,
            Err(failure) => {
                failed.push(failure.into());
                return failed;
            }
        };
        let done = |intent: &Intent| matches!(intent, Intent::Erase(seq) if erased.contains(seq));
        let fresh = intents.into_iter().filter(|i| !given_up.contains(i) && !done(i));
        let fresh: Vec<Intent> = fresh.collect();
        if fresh.is_empty() && !ticked {
            return failed;
        }
        for intent in fresh {
            if let Err(error) = carry_out(house, intent) {
                failed.push(error);
                given_up.insert(intent);
            }
        }
    }
}

fn carry_out(house: &House, intent: Intent) -> Result<(), HouseError> {
    match intent {
        Intent::Erase(position) => erasing::erase(house, position),
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

pub(crate) fn outbox(house: &House) -> Result<Option<Outbox>, HouseError> {
    let Some(dir) = house.dir() else { return Ok(None) };
    Outbox::open(&dir.join("outbox")).map(Some).map_err(|e| post("open the outbox", &e))
}

pub(crate) fn post(doing: &str, error: &dyn std::fmt::Display) -> HouseError {
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

/// What we sent under a message id, if it is one of ours.
pub(crate) fn intent_of_message_id(house: &House, id: &str) -> Option<Intent> {
    let id = id.trim().trim_start_matches('<').trim_end_matches('>');
    let key = id.split_once('.')?.0;
    let (kind, of) = key.split_once('-')?;
    let intent = match kind {
        "notice" => {
            let (notice, attempt) = of.rsplit_once('-')?;
            Intent::SendNotice(notice.parse().ok()?, attempt.parse().ok()?)
        }
        "receipt" => Intent::SendReceipt(of.parse().ok()?),
        "page" => Intent::PageHuman(of.parse().ok()?),
        _ => return None,
    };
    (message_id(house, &intent.to_string()) == id).then_some(intent)
}

fn head(
    house: &House,
    intent: Intent,
    to: Mailbox,
    reply_to: Option<Mailbox>,
    subject: String,
) -> Head {
    Head {
        date_unix: house.clock().now().unix(),
        message_id: message_id(house, &intent.to_string()),
        from: Mailbox { name: None, email: house.config().mail_from.clone() },
        reply_to,
        to: vec![to],
        subject,
        in_reply_to: None,
    }
}

fn send_receipt(house: &House, intent: Intent, id: DemandId) -> Result<(), HouseError> {
    let mut bundle = Vec::new();
    receipt::demand(house, id, &mut bundle).map_err(|e| post("build a receipt", &e))?;
    let to = house.with_state(|s| {
        let demand = s.demands.get(id)?;
        let provider = Provider::addressed(s, house.config(), demand.entity);
        Some((addressee(s, demand.from, 0), provider))
    })?;
    if let (Some(outbox), Some((to, provider))) = (outbox(house)?, to) {
        let by_hand = by_hand(&to, written_by_a_program(house, id)?);
        let mail = receipt_mail(house, (intent, id), (&to, &provider), by_hand, &bundle)
            // The sender's own address cannot stand in a letter: a person has to deliver it.
            .or_else(|_| {
                let nameless = Addressee { name: String::new(), channel: None };
                let why = Some("its sender's address cannot stand in a letter");
                receipt_mail(house, (intent, id), (&nameless, &provider), why, &bundle)
            });
        let mail = mail.map_err(|e| post("compose a receipt", &e))?;
        outbox.put(&intent.to_string(), &mail).map_err(|e| post("put a receipt", &e))?;
    }
    report(house, Action::ReceiptSent { demand: id })
}

/// Why a person has to deliver a receipt, if one has to. A letter written by a program is never
/// answered by one (RFC 3834), and its sender is owed its receipt all the same.
fn by_hand(to: &Addressee, automatic: bool) -> Option<&'static str> {
    match &to.channel {
        Some((ChannelKind::Email, _)) if automatic => {
            Some("a program wrote the letter, and programs do not answer each other")
        }
        Some((ChannelKind::Email, _)) => None,
        Some(_) => Some("its sender is not reached by mail"),
        None => Some("its sender gave no address"),
    }
}

fn receipt_mail(
    house: &House,
    (intent, id): (Intent, DemandId),
    (to, provider): (&Addressee, &Provider),
    by_hand: Option<&str>,
    bundle: &[u8],
) -> Result<Vec<u8>, ComposeError> {
    let mut text = String::new();
    let name = (!to.name.is_empty()).then(|| to.name.clone());
    let mailbox = match (by_hand, &to.channel) {
        (None, Some((_, address))) => Mailbox { name, email: address.clone() },
        (why, channel) => {
            let why = why.unwrap_or_default();
            let address = channel.as_ref().map_or("", |(_, address)| address.as_str());
            let address: String = address.chars().filter(|c| !c.is_control()).collect();
            _ = write!(
                text,
                "For a person to hand over to the sender of {id}: {why}.\nAddress: {address}\n\n"
            );
            Mailbox { name, email: house.config().operations.clone() }
        }
    };
    _ = write!(
        text,
        "We have received your letter and recorded it as {id}.\n\nThe attached file proves it. \
         Keep it as it is; anyone can verify it offline.\n{}",
        provider.signature(&id.to_string())
    );
    let reply_to = provider.reply_to(house.config());
    let head = head(house, intent, mailbox, reply_to, format!("Receipt of {id}"));
    compose_receipt(&head, &text, &format!("{id}.bailee.zip"), bundle)
}

fn written_by_a_program(house: &House, id: DemandId) -> Result<bool, HouseError> {
    let letter = house.with_state(|s| {
        let papers = s.demands.get(id)?.papers.as_ref()?;
        papers.exhibits.first().map(|exhibit| exhibit.digest)
    })?;
    let Some(digest) = letter else { return Ok(false) };
    let raw = house.exhibit(&digest)?;
    Ok(raw.is_some_and(|raw| bailee_post::Letter::read(&raw).is_automatic))
}

fn send_notice(house: &House, intent: Intent, id: NoticeId, attempt: u8) -> Result<(), HouseError> {
    let found = house.with_state(|s| {
        let notice = s.notices.get(id)?;
        let channel = notice.attempts.get(usize::from(attempt))?.channel;
        Some((addressee(s, notice.to, usize::from(channel)), notice.clone()))
    })?;
    let Some((to, found)) = found else { return Ok(()) };
    let Some((kind, address)) = to.channel else {
        // Nothing to reach the party by: that is a failed attempt, and a human's turn.
        report(house, Action::NoticeSent { notice: id, attempt })?;
        let reason = Reason { note: "no channel to this party".into(), exhibits: Vec::new() };
        let evidence = Evidence::Bounced;
        return report(house, Action::RecordEvidence { notice: id, attempt, evidence, reason });
    };
    if let Some(outbox) = outbox(house)? {
        let said = notices::say(house, id, &found)?;
        let how = match kind {
            ChannelKind::Email => said.by_hand.map(|_| "mail".to_owned()),
            ChannelKind::Phone => Some("fax or telephone".to_owned()),
            ChannelKind::Post | ChannelKind::Portal | ChannelKind::Service => {
                Some(format!("{kind:?}").to_lowercase())
            }
        };
        let why = said.by_hand.map_or_else(String::new, |why| format!("A person has to: {why}.\n"));
        let (email, text) = match how {
            None => (address, said.text),
            Some(how) => (
                house.config().operations.clone(),
                format!("To be delivered by {how} to {address}, with proof.\n{why}\n{}", said.text),
            ),
        };
        let to = Mailbox { name: Some(to.name), email };
        let head = head(house, intent, to, said.reply_to, format!("{id}: {}", said.subject));
        let mail = notice(&head, &text, &said.papers);
        let mail = mail.map_err(|e| post("compose a notice", &e))?;
        outbox.put(&intent.to_string(), &mail).map_err(|e| post("put a notice", &e))?;
    }
    report(house, Action::NoticeSent { notice: id, attempt })
}

fn page(house: &House, intent: Intent, id: DutyId) -> Result<(), HouseError> {
    let said = house.with_state(|s| s.duties.get(id).map(|duty| pages::say(s, id, duty)))?;
    if let (Some(outbox), Some(pages::Said { subject, text })) = (outbox(house)?, said) {
        let to = Mailbox { name: None, email: house.config().operations.clone() };
        let head = head(house, intent, to, None, subject);
        let mail = notice(&head, &text, &[]).map_err(|e| post("compose a page", &e))?;
        outbox.put(&intent.to_string(), &mail).map_err(|e| post("put a page", &e))?;
    }
    report(house, Action::DutyPaged { duty: id })
}
