//! The steward: carries out intents and tells the core that time has passed. It has no choices.
//!
//! Invariants: every intent is done before it is reported, so a crash between the two does it
//! again; the outbox keeps what was put first under a key, so doing it again is harmless; an intent
//! that cannot be done stays pending and is named, and keeps no other waiting.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use bailee_core::id::{AssetId, DemandId, DutyId, NoticeId, PartyId};
use bailee_core::notice::{About, Evidence};
use bailee_core::party::ChannelKind;
use bailee_core::{Action, Code, Command, Intent, Reason, State, coverage, plan, view};
use bailee_ledger::hash::sha256;
use bailee_post::{Head, Mailbox, Outbox, notice, receipt as compose_receipt};

use crate::erasing;
use crate::house::{House, HouseError};
use crate::receipt;
use crate::runner::Failure;

/// Intents looked at in one round.
const ROUND: usize = 256;

/// Carries out everything that is due and pending; returns what could not be done.
pub(crate) fn settle(house: &House) -> Vec<HouseError> {
    let mut failed = Vec::new();
    let mut given_up: BTreeSet<Intent> = BTreeSet::new();
    loop {
        let now = house.clock().now();
        let erased = house.erased();
        // What is done or given up stays pending and comes first; it must not starve the rest.
        let most = ROUND + given_up.len() + erased.len();
        let look =
            house.with_state(|s| (s.next_due().is_some_and(|due| due <= now), plan(s, most)));
        let (due, intents) = match look {
            Ok(found) => found,
            Err(failure) => return vec![failure.into()],
        };
        let ticked = match due {
            true => match house.submit(Command::system(Action::Tick), Vec::new()) {
                Ok(done) => !done.records.is_empty(),
                Err(failure) => {
                    failed.push(failure.into());
                    return failed;
                }
            },
            false => false,
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
    // A letter written by a program is never answered by one (RFC 3834): its receipt waits here.
    let answer = !written_by_a_program(house, id)?;
    if let (true, Some(outbox), Some(to)) = (answer, outbox(house)?, to) {
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
        let to = addressee(s, notice.to, usize::from(channel));
        Some((to, notice_text(s, notice.to, notice.about)))
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

/// What a notice says to its recipient. It names dates and the assets that are the recipient's to
/// know of, never reasons and never what is others'.
fn notice_text(s: &State, to: PartyId, about: About) -> (String, String) {
    match about {
        About::Disposition(id) => {
            let recorded = s.dispositions.get(id).map_or(0, |found| found.waiting_days);
            let mut text = format!(
                "It is proposed to end the keeping of the assets listed below ({id}).\n\nNothing \
                 happens before delivery of this notice is proven to everyone owed one, and {} \
                 days after that.\nYou may object, with reasons; an objection stops it until it is \
                 decided in writing.\n\n",
                recorded.max(s.policy.waiting_days)
            );
            let assets = s.dispositions.get(id).map(|d| d.assets.as_slice()).unwrap_or_default();
            let known = theirs_to_know(s, to, assets);
            if known.len() < assets.len() {
                text.push_str("Only what concerns you is listed.\n\n");
            }
            for asset in known {
                let label = s.assets.get(asset).map(|a| a.label.to_string()).unwrap_or_default();
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

/// Of these assets, an owner knows its own (without the house's snapshots), a requester what its
/// own demands reach.
fn theirs_to_know(s: &State, to: PartyId, assets: &[AssetId]) -> Vec<AssetId> {
    let own = view::owner(s, to).assets;
    let asked = |asset: AssetId| {
        let mut holds = coverage::holds(s, asset).into_keys().filter_map(|id| s.holds.get(id));
        holds.any(|hold| {
            let mut demands = hold.demands.iter().filter_map(|id| s.demands.get(*id));
            demands.any(|demand| demand.from == to)
        })
    };
    assets.iter().copied().filter(|asset| own.contains(asset) || asked(*asset)).collect()
}

fn page(house: &House, intent: Intent, id: DutyId) -> Result<(), HouseError> {
    let kind = house.with_state(|s| s.duties.get(id).map(|duty| duty.kind))?;
    if let (Some(outbox), Some(kind)) = (outbox(house)?, kind) {
        let to = Mailbox { name: None, email: house.config().operations.clone() };
        let head = head(house, intent, to, format!("{id}: a human has to act"));
        // No names: a page outlives the people it is for.
        let text = format!("{id}: {kind:?}\n\nFor: staff and counsel\n");
        let mail = notice(&head, &text, &[]).map_err(|e| post("compose a page", &e))?;
        outbox.put(&intent.to_string(), &mail).map_err(|e| post("put a page", &e))?;
    }
    report(house, Action::DutyPaged { duty: id })
}
