//! Receipts and bundles: what a party takes away and anyone can verify offline.
//!
//! Invariants: a receipt opens to its holder what the holder sent, and nothing of the house: the
//! `papers` section with the letter, never `what` or `who`, which would tell a stranger whether an
//! account exists. The leaf's type code says in the clear that it is a demand. The bundle of a
//! whole matter is made in matter.rs.

use std::collections::BTreeSet;
use std::io::Write;
use std::str::FromStr;

use bailee_core::counted;
use bailee_core::id::{BadId, ClearanceId, DemandId, MatterId, PartyId, RotationId};
use bailee_core::{Event, Record, wire};
use bailee_ledger::Policy;
use bailee_ledger::bundle::{BundleBuilder, Kind, Opened};
use bailee_store::Entry;

use crate::attest::Attested;
use crate::documents;
use crate::erasing;
use crate::house::{House, HouseError};
use crate::runner::Failure;

/// Entries read at once while a change of keys is searched.
const PAGE: usize = 4096;

/// Why a bundle was not written.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptError {
    /// There is no such thing.
    #[error("{0} does not exist")]
    NotFound(String),
    /// Nothing in the matter is the party's to see, or there is no such matter: one answer, so that
    /// it tells nothing.
    #[error("{party} has no part in {matter} that it may see")]
    NothingToSee {
        /// For whom it was asked.
        party: PartyId,
        /// The matter.
        matter: MatterId,
    },
    /// The thing has no certificate yet.
    #[error("{0} has no certificate: it is not finished")]
    NoCertificate(ClearanceId),
    /// The house does not answer.
    #[error(transparent)]
    House(#[from] HouseError),
    /// The state does not answer.
    #[error(transparent)]
    State(#[from] Failure),
    /// The parts do not fit.
    #[error(transparent)]
    Bundle(#[from] bailee_ledger::bundle::BundleError),
    /// An entry cannot be read.
    #[error(transparent)]
    Entry(#[from] wire::BadEntry),
}

/// Which sections of an entry are shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Show {
    /// Only the papers: the holder's own documents.
    Papers,
    /// Everything that is not erased.
    All,
}

/// Writes the receipt of a demand.
pub fn demand(house: &House, id: DemandId, out: &mut dyn Write) -> Result<(), ReceiptError> {
    let found = house.with_state(|s| s.demands.get(id).map(|d| (d.position, d.received)))?;
    let (position, received) = found.ok_or_else(|| ReceiptError::NotFound(id.to_string()))?;
    let text = format!(
        "Receipt of {id}\n\nYour letter was received on {received} and recorded at position \
         {position} of the log\n{origin}.\n\nFrom that entry on, whatever it asks to keep is \
         frozen until a person has decided and\nyou have been told. This receipt says nothing \
         about whether such data is here.\n\nKeep the file as it is. To verify: \
         bailee verify FILE, or the steps in VERIFY.md.\n",
        origin = house.config().origin,
    );
    let parts = Parts { positions: [position].into(), show: Show::Papers, certificate: None };
    write(house, Kind::Receipt, &parts, ("receipt.txt", text), out)
}

/// Writes the certificate of a finished clearance.
pub fn certificate(
    house: &House,
    id: ClearanceId,
    out: &mut dyn Write,
) -> Result<(), ReceiptError> {
    let found = house.with_state(|s| s.clearances.get(id).map(|c| (c.certificate, c.asset)))?;
    let (position, asset) = found.ok_or_else(|| ReceiptError::NotFound(id.to_string()))?;
    let position = position.ok_or(ReceiptError::NoCertificate(id))?;
    let text = format!(
        "Certificate of {id} on {asset}\n\ncertificate.json is the certificate; entry {position} \
         of the log {origin}\ncommits to its SHA-256.\n",
        origin = house.config().origin,
    );
    let parts =
        Parts { positions: [position].into(), show: Show::All, certificate: Some(position) };
    write(house, Kind::Certificate, &parts, ("certificate.txt", text), out)
}

/// A change of the log's keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyChange {
    /// New keys beside the old ones.
    Rotation(RotationId),
    /// The log went on under another name; the last time it did.
    Continuation,
}

impl FromStr for KeyChange {
    type Err = BadId;

    /// `R-1`, or `log` for the last time it went on under another name.
    fn from_str(text: &str) -> Result<KeyChange, BadId> {
        match text {
            "log" => Ok(KeyChange::Continuation),
            id => Ok(KeyChange::Rotation(id.parse()?)),
        }
    }
}

/// Writes the proof of a change of keys, for those who know the log by its old ones.
pub fn key_change(
    house: &House,
    change: KeyChange,
    out: &mut dyn Write,
) -> Result<(), ReceiptError> {
    let mut from = 0;
    let mut positions = BTreeSet::new();
    loop {
        let page = house.entries(from, PAGE)?;
        for (n, entry) in page.iter().enumerate() {
            let record = read(from + n as u64, entry)?;
            match (&record.fact.event, change) {
                (Event::LogContinued { .. }, KeyChange::Continuation) => {
                    positions = [record.seq].into();
                }
                (event, KeyChange::Rotation(id)) => {
                    let about = event.mentions().contains(&id.to_string());
                    positions.extend(about.then_some(record.seq));
                }
                _ => {}
            }
        }
        from += page.len() as u64;
        if page.len() < PAGE {
            break;
        }
    }
    if positions.is_empty() {
        let what = match change {
            KeyChange::Rotation(id) => id.to_string(),
            KeyChange::Continuation => "an entry that lets the log go on".to_owned(),
        };
        return Err(ReceiptError::NotFound(what));
    }
    let text = format!(
        "The keys of the log {} have changed\n\nThe entries in this bundle say how: who proposed \
         it, who approved it, which key takes over.\nTheir papers have the policy, or the last \
         checkpoint of the log before. Verify them with the key\nthat you have.\n",
        house.config().origin,
    );
    let parts = Parts { positions, show: Show::All, certificate: None };
    write(house, Kind::Matter, &parts, ("keys.txt", text), out)
}

struct Parts {
    positions: BTreeSet<u64>,
    show: Show,
    /// The entry whose first exhibit is the certificate.
    certificate: Option<u64>,
}

fn write(
    house: &House,
    kind: Kind,
    parts: &Parts,
    (name, text): (&str, String),
    out: &mut dyn Write,
) -> Result<(), ReceiptError> {
    let size = parts.positions.last().map_or(0, |last| last + 1);
    let (attested, policy) = (house.attested_over(size, house.patience())?, house.policy()?);
    let text = text + &said_of(&attested, &policy) + &stamped_by(house, &attested);
    let mut builder = BundleBuilder::new(kind, &attested.note, &policy)?;
    builder = builder.text(name, text.into_bytes())?;
    for stamp in &attested.stamps {
        builder = builder.stamp(&stamp.authority, stamp.roots.clone(), stamp.tokens.clone())?;
    }
    let mut shown = BTreeSet::new();
    for position in &parts.positions {
        let entry = house.entries(*position, 1)?.pop();
        let entry = entry.ok_or_else(|| ReceiptError::NotFound(format!("entry {position}")))?;
        builder = house.with_projection(|projection| {
            builder.entry_of(&projection.tree, *position, &entry.leaf, opened(&entry, parts.show))
        })??;
        let papers = read(*position, &entry)?.fact.papers.unwrap_or_default();
        for (n, paper) in papers.exhibits.iter().enumerate() {
            if !shown.insert(paper.digest) {
                continue;
            }
            if n > 0 || parts.certificate != Some(*position) {
                builder = documents::into_bundle(house, builder, paper.digest, &[*position])?.0;
            } else if let Some(bytes) = house.exhibit(&paper.digest)? {
                builder = builder.certificate(bytes);
            } else {
                erasing::excuse(house, &paper.digest, *position)?;
            }
        }
    }
    builder.write(&house.signer()?, out)?;
    Ok(())
}

/// What others have said of the checkpoint, and what is missing.
fn said_of(attested: &Attested, policy: &Policy) -> String {
    let (size, missing) = (attested.size, attested.missing(policy));
    let quorum = policy.quorum_name();
    if quorum == "none" {
        return "\nNo witness is asked to cosign this log: that others see the same one rests on \
                its word.\n"
            .to_owned();
    }
    if missing.is_empty() {
        return format!(
            "\nThe quorum {quorum} of its witnesses has cosigned {}.\n",
            counted(size, "entry")
        );
    }
    format!(
        "\nMISSING: the quorum {quorum} of witnesses. Not cosigned by {} when this was written.\n\
         Ask for this file again later: the next one carries what they have said since.\n",
        missing.join(", ")
    )
}

/// Whose tokens are there, and whose are missing.
fn stamped_by(house: &House, attested: &Attested) -> String {
    let given: Vec<&str> = attested.stamps.iter().map(|stamp| stamp.authority.as_str()).collect();
    let asked = &house.config().timestamp;
    let missing = asked.iter().map(|one| one.name.as_str()).filter(|name| !given.contains(name));
    let missing: Vec<&str> = missing.collect();
    let mut text = match given.as_slice() {
        [] if asked.is_empty() => {
            "\nNo independent authority is asked for the time: it rests on this log's word.\n"
                .to_owned()
        }
        [] => String::new(),
        given => format!("\nThe time is attested by {}.\n", given.join(", ")),
    };
    if !missing.is_empty() {
        text.push_str(&format!(
            "\nMISSING: a timestamp of {}. Ask for this file again later.\n",
            missing.join(", ")
        ));
    }
    text
}

/// The sections of an entry that are shown.
fn opened(entry: &Entry, show: Show) -> [Option<Opened>; 3] {
    [0, 1, 2].map(|n: usize| {
        let section = entry.sections[n].as_ref().filter(|_| show == Show::All || n == 2);
        section.map(|section| Opened { bytes: section.bytes.clone(), salt: section.salt })
    })
}

/// An entry as a record.
pub(crate) fn read(position: u64, entry: &Entry) -> Result<Record, wire::BadEntry> {
    let sections = [0, 1, 2].map(|n: usize| entry.sections[n].as_ref().map(|s| s.bytes.as_slice()));
    wire::decode(position, sections)
}

/// The record at that position, if there is one; what was erased is not in it.
pub(crate) fn record(house: &House, position: u64) -> Result<Option<Record>, HouseError> {
    let entry = house.entries(position, 1)?.pop();
    entry.map(|entry| read(position, &entry)).transpose().map_err(|e| HouseError::Io {
        doing: format!("read entry {position}"),
        detail: e.to_string(),
    })
}
