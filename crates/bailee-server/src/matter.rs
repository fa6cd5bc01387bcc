//! The bundle of a matter: what its reader may see, proven, with papers for people.
//!
//! Invariants
//! 1. What is shown is decided by the core ([`Disclosure`]) and by nothing here. The papers are
//!    made from what is shown, so none of them says more than the bundle opens.
//! 2. The journal is read a page at a time and never under the state's lock; documents are opened
//!    one after the other when the archive is written, and closed again. What stays in memory is
//!    the opened sections, the papers, and a few hundred bytes for each document.
//! 3. An entry that was recorded after the first page was read is not in the bundle.
//!
//! Order: shown entries are found -> a checkpoint over them, with what others said of it -> entries
//! into the builder, each held against its leaf and the tree -> documents are read and measured ->
//! papers -> the archive is written; a document that changed since stops it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use bailee_core::disclosure::{Audience, Disclosure, Shown};
use bailee_core::id::{MatterId, PartyId};
use bailee_core::timeline::{Line, Teller, Whom};
use bailee_ledger::bundle::{BundleBuilder, Kind, Opened};
use bailee_ledger::hash::sha256;
use bailee_ledger::{Policy, to_hex};
use bailee_store::{Digest, Entry};

use crate::attest::Attested;
use crate::documents;
use crate::house::House;
use crate::paper::form::{Facts, certification};
use crate::paper::timeline::{About, timeline};
use crate::paper::{html, pdf, text};
use crate::receipt::{ReceiptError, read};

/// Entries read at once while a matter is searched.
const PAGE: usize = 1024;

/// Writes what somebody may see of a matter.
///
/// # Errors
/// `NothingToSee` if there is no such matter or nothing in it is the party's to see: the two are
/// not told apart. Others name what could not be read or written.
pub fn bundle(
    house: &House,
    matter: MatterId,
    audience: Audience,
    out: &mut dyn Write,
) -> Result<(), ReceiptError> {
    let found = gather(house, matter, audience)?;
    let size = found.entries.last().map_or(0, |(last, _)| last + 1);
    let (attested, policy) = (house.attested_over(size, house.patience())?, house.policy()?);
    let mut builder = BundleBuilder::new(Kind::Matter, &attested.note, &policy)?;
    builder = builder.identifier(&identifier(house, matter, audience, attested.size));
    for stamp in &attested.stamps {
        let (roots, tokens) = (stamp.roots.clone(), stamp.tokens.clone());
        builder = builder.stamp(&stamp.authority, roots, tokens)?;
    }
    let mut digests: BTreeMap<Digest, Vec<u64>> = BTreeMap::new();
    for (position, shown) in &found.entries {
        let entry = house.entries(*position, 1)?.pop();
        let entry = entry.ok_or_else(|| ReceiptError::NotFound(format!("entry {position}")))?;
        builder = house.with_projection(|projection| {
            builder.entry_of(&projection.tree, *position, &entry.leaf, opened(&entry, *shown))
        })??;
        if shown.papers {
            let papers = read(*position, &entry)?.fact.papers.unwrap_or_default();
            for paper in papers.exhibits {
                digests.entry(paper.digest).or_default().push(*position);
            }
        }
    }
    let mut rode = Vec::new();
    for (digest, positions) in digests {
        let (grown, size) = documents::into_bundle(house, builder, digest, &positions)?;
        builder = grown;
        rode.extend(size.map(|size| (to_hex(&digest), size)));
    }
    let about = About {
        matter: matter.to_string(),
        reader: reader(house, audience)?,
        origin: house.config().origin.clone(),
        size: attested.size,
        people: found.people,
    };
    let facts = facts(&about, &attested, &policy, found.entries.len() as u64, rode);
    for (name, bytes) in papers(&about, &found.lines, &facts) {
        builder = builder.text(name, bytes)?;
    }
    builder.write(&*house.signer()?, out)?;
    Ok(())
}

/// What was found in the journal.
struct Found {
    /// Places of the entries shown, in order, and which sections.
    entries: Vec<(u64, Shown)>,
    lines: Vec<Line>,
    /// Names of the parties that the lines speak of, as far as the reader may read them.
    people: BTreeMap<String, String>,
}

/// Looks through the whole journal, as it is now.
fn gather(house: &House, matter: MatterId, audience: Audience) -> Result<Found, ReceiptError> {
    let made = house.with_state(|s| (s.head, Disclosure::of(s, matter, audience)))?;
    let (head, Some(mut disclosure)) = made else {
        return Err(match audience {
            Audience::Counsel => ReceiptError::NotFound(matter.to_string()),
            Audience::Party(party) => ReceiptError::NothingToSee { party, matter },
        });
    };
    let mut teller = Teller::of(audience);
    let mut found = Found { entries: Vec::new(), lines: Vec::new(), people: BTreeMap::new() };
    let mut from = 0;
    while from < head {
        let most = usize::try_from(head - from).unwrap_or(PAGE).min(PAGE);
        let page = house.entries(from, most)?;
        let mut records = Vec::with_capacity(page.len());
        for (n, entry) in page.iter().enumerate() {
            records.push(read(from + n as u64, entry)?);
        }
        let shown = house.with_state(|s| {
            let looked = records.iter().map(|record| disclosure.look(s, record));
            looked.collect::<Vec<_>>()
        })?;
        for (record, shown) in records.iter().zip(shown) {
            let Some(shown) = shown else { continue };
            found.entries.push((record.seq, shown));
            found.lines.extend(teller.tell(record, shown));
        }
        if page.is_empty() {
            break;
        }
        from += page.len() as u64;
    }
    found.lines.extend(teller.end());
    found.people = house.with_state(|s| {
        let knew = found.lines.iter().flat_map(|line| &line.knew);
        let parties: BTreeSet<PartyId> = knew.filter_map(|(whom, _)| party(*whom)).collect();
        let named = parties
            .into_iter()
            .filter_map(|party| Some((party.to_string(), disclosure.name(s, party)?.to_owned())));
        named.collect()
    })?;
    Ok(found)
}

fn party(whom: Whom) -> Option<PartyId> {
    match whom {
        Whom::House => None,
        Whom::Party(party) => Some(party),
    }
}

/// The sections of an entry that are shown, as far as they are not erased.
fn opened(entry: &Entry, shown: Shown) -> [Option<Opened>; 3] {
    let open = shown.sections();
    [0, 1, 2].map(|n: usize| {
        let section = entry.sections[n].as_ref().filter(|_| open[n]);
        section.map(|section| Opened { bytes: section.bytes.clone(), salt: section.salt })
    })
}

/// Whom the bundle is for, in words.
fn reader(house: &House, audience: Audience) -> Result<String, ReceiptError> {
    let Audience::Party(party) = audience else { return Ok("the house's counsel".into()) };
    let name = house.with_state(|s| s.parties.get(party).map(|found| found.name().to_owned()))?;
    Ok(format!("{party} {}", name.unwrap_or_default()).trim_end().to_owned())
}

/// `log.example.org/2026/M-1/P-5/1234`: the same question at the same size has the same name.
fn identifier(house: &House, matter: MatterId, audience: Audience, size: u64) -> String {
    let whom = match audience {
        Audience::Counsel => "counsel".to_owned(),
        Audience::Party(party) => party.to_string(),
    };
    format!("{}/{matter}/{whom}/{size}", house.config().origin)
}

fn facts(
    about: &About,
    attested: &Attested,
    policy: &Policy,
    entries: u64,
    documents: Vec<(String, u64)>,
) -> Facts {
    let note = attested.note.to_string();
    let list: String =
        documents.iter().map(|(hex, _)| format!("{hex}  data/exhibits/{hex}\n")).collect();
    let missing = attested.missing(policy);
    let witnesses = match (policy.quorum_name(), missing.as_slice()) {
        ("none", _) => "none is asked".to_owned(),
        (quorum, []) => format!("the quorum {quorum} has cosigned"),
        (quorum, missing) => format!("quorum {quorum} MISSING: {}", missing.join(", ")),
    };
    let stamps: Vec<&str> = attested.stamps.iter().map(|stamp| stamp.authority.as_str()).collect();
    let key = policy.logs().first().map(|log| format!("{:08x}", log.key.id())).unwrap_or_default();
    Facts {
        matter: about.matter.clone(),
        reader: about.reader.clone(),
        origin: about.origin.clone(),
        key,
        size: about.size,
        root: attested.note.text().lines().nth(2).unwrap_or_default().to_owned(),
        checkpoint: to_hex(&sha256(note.as_bytes())),
        entries,
        documents,
        list: to_hex(&sha256(list.as_bytes())),
        witnesses,
        timestamps: if stamps.is_empty() { "none".into() } else { stamps.join(", ") },
        program: concat!("bailee ", env!("CARGO_PKG_VERSION")).to_owned(),
    }
}

/// The papers of a bundle, by name.
fn papers(about: &About, lines: &[Line], facts: &Facts) -> [(&'static str, Vec<u8>); 5] {
    let told = timeline(about, lines);
    let form = certification(facts);
    [
        ("README.txt", readme(about).into_bytes()),
        ("timeline.html", html(&told).into_bytes()),
        ("timeline.pdf", pdf(&told)),
        ("certification-form.txt", text(&form).into_bytes()),
        ("certification-form.pdf", pdf(&form)),
    ]
}

fn readme(about: &About) -> String {
    let About { matter, reader, origin, size, .. } = about;
    format!(
        "Matter {matter}, for {reader}\n\nThis is what {reader} may see of matter {matter} in \
         the log\n{origin}, as of {size} entries. Other parties' papers are not in it, and that \
         something\nis not in it says nothing about whether it happened.\n\n\
         timeline.html, .pdf      what was known, to whom, when: made from what is opened here\n\
         certification-form.*     a form for a person to sign; unsigned it certifies nothing\n\
         entries/                 entries of the log, with proofs, and the parts opened to you\n\
         exhibits/                exact copies of documents, named by their SHA-256\n\
         checkpoint, timestamps/  the log's signed state, and what others say of it\n\n\
         Keep the file exactly as you received it. To check it, without asking anybody:\n\
         bailee verify FILE, or the steps in VERIFY.md. It is a bag (BagIt 1.0): sha256sum -c\n\
         manifest-sha256.txt works in the unpacked folder too.\n"
    )
}
