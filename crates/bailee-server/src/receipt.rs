//! Receipts and bundles: what a party takes away and anyone can verify offline.
//!
//! Invariants: a receipt opens to its holder what the holder sent, and nothing of the house: the
//! `papers` section with the letter, never `what` or `who`, which would tell a stranger whether an
//! account exists. The leaf's type code says in the clear that it is a demand. A matter bundle is
//! for the house's counsel and opens everything that is left.

use std::collections::BTreeSet;
use std::io::Write;

use bailee_core::hold::Hold;
use bailee_core::id::{ClearanceId, DemandId, HoldId, MatterId};
use bailee_core::{Record, State, coverage, wire};
use bailee_ledger::Policy;
use bailee_ledger::bundle::{BundleBuilder, Kind, Opened};
use bailee_store::Entry;

use crate::attest::Attested;
use crate::house::{House, HouseError};
use crate::runner::Failure;

/// Entries read at once while a matter is searched.
const PAGE: usize = 4096;

/// Why a bundle was not written.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptError {
    /// There is no such thing.
    #[error("{0} does not exist")]
    NotFound(String),
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

/// Writes everything about a matter, for the house's counsel.
pub fn matter(house: &House, id: MatterId, out: &mut dyn Write) -> Result<(), ReceiptError> {
    let keys = house.with_state(|s| s.matters.get(id).map(|_| keys_of(s, id)))?;
    let keys = keys.ok_or_else(|| ReceiptError::NotFound(id.to_string()))?;
    let mut positions = BTreeSet::new();
    let mut timeline = format!("Matter {id}: what was recorded, when\n\n");
    let mut from = 0;
    loop {
        let page = house.entries(from, PAGE)?;
        for (n, entry) in page.iter().enumerate() {
            let record = read(from + n as u64, entry)?;
            let event = &record.fact.event;
            let about: Vec<String> =
                event.mentions().into_iter().filter(|id| keys.contains(id)).collect();
            if !about.is_empty() {
                positions.insert(record.seq);
                let (at, seq, name) = (record.at, record.seq, event.name());
                timeline.push_str(&format!("{at}  entry {seq:>6}  {name}  {}\n", about.join(" ")));
            }
        }
        from += page.len() as u64;
        if page.len() < PAGE {
            break;
        }
    }
    let parts = Parts { positions, show: Show::All, certificate: None };
    write(house, Kind::Matter, &parts, ("timeline.txt", timeline), out)
}

/// Everything that belongs to a matter, by id.
fn keys_of(s: &State, id: MatterId) -> BTreeSet<String> {
    let mut keys: BTreeSet<String> = [id.to_string()].into();
    let belongs = |hold: &Hold| {
        let demands = s.matters.get(id).map(|matter| &matter.demands);
        hold.matter == Some(id)
            || demands.is_some_and(|d| hold.demands.iter().any(|demand| d.contains(demand)))
    };
    let holds: BTreeSet<HoldId> =
        s.holds.iter().filter(|(_, hold)| belongs(hold)).map(|(id, _)| id).collect();
    let demands = holds.iter().filter_map(|id| s.holds.get(*id)).flat_map(|hold| &hold.demands);
    keys.extend(demands.map(ToString::to_string));
    keys.extend(holds.iter().map(ToString::to_string));
    let reached = |asset| coverage::holds(s, asset).keys().any(|hold| holds.contains(hold));
    for (disposition_id, disposition) in s.dispositions.iter() {
        if disposition.assets.iter().any(|asset| reached(*asset)) {
            keys.insert(disposition_id.to_string());
            keys.extend(disposition.notices.iter().map(ToString::to_string));
            keys.extend(disposition.objections.iter().map(ToString::to_string));
        }
    }
    for (clearance_id, clearance) in s.clearances.iter() {
        if keys.contains(&clearance.disposition.to_string()) {
            keys.insert(clearance_id.to_string());
        }
    }
    for (snapshot_id, snapshot) in s.snapshots.iter() {
        if reached(snapshot.source) {
            keys.insert(snapshot_id.to_string());
        }
    }
    keys.extend(s.meters.iter().filter(|(_, m)| m.matter == id).map(|(id, _)| id.to_string()));
    keys.extend(s.accesses.iter().filter(|(_, a)| reached(a.asset)).map(|(id, _)| id.to_string()));
    let decided = |notice: &bailee_core::notice::Notice| match notice.about {
        bailee_core::notice::About::Decision(demand) => keys.contains(&demand.to_string()),
        bailee_core::notice::About::Disposition(_) => false,
    };
    let decisions: Vec<String> =
        s.notices.iter().filter(|(_, n)| decided(n)).map(|(id, _)| id.to_string()).collect();
    keys.extend(decisions);
    keys
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
            let Some(bytes) = house.exhibit(&paper.digest)? else { continue };
            builder = match n == 0 && parts.certificate == Some(*position) {
                true => builder.certificate(bytes),
                false => builder.exhibit(bytes),
            };
        }
    }
    builder.write(&house.keys().log, out)?;
    Ok(())
}

/// What others have said of the checkpoint, and what is missing.
fn said_of(attested: &Attested, policy: &Policy) -> String {
    let (size, missing) = (attested.size, attested.missing(policy));
    let quorum = policy.quorum_name();
    if quorum == "none" {
        return "\nNo witness is asked to cosign this log: that others see the same log rests on its \
                word.\n"
            .to_owned();
    }
    if missing.is_empty() {
        return format!("\nThe quorum {quorum} of its witnesses has cosigned {size} entries.\n");
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
