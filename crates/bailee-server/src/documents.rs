//! Documents too large to ride in a commit: streamed among the objects ahead of the entry that
//! names them.
//!
//! Order: noted as handed in -> hashed while it is written, durable with its folder -> a command
//! names it, and it is there -> append. Invariants
//! 1. A piece of it is in memory at a time, when it comes and when it is checked.
//! 2. It counts only if its bytes are those of the digest it was announced by; else nothing is
//!    left.
//! 3. A command may name it only for the party that handed it in to its last byte, to this process,
//!    within a day: a digest that somebody read is no way to the papers of somebody else. One that
//!    is still coming in is no document yet, whatever lies under its digest; one that came in whole
//!    stays so, whatever becomes of the next attempt.
//! 4. What no entry names and nobody is about to name is removed by [`sweep`].
//!
//! | a crash after …  | leaves |
//! |------------------|--------|
//! | bytes arrive     | a temporary file, swept when the objects are opened |
//! | it is durable    | an object that nobody names: handed in again, or swept |
//! | append           | the entry and its document |

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Cursor, Read};
use std::sync::{Mutex, MutexGuard, PoisonError};

use aws_lc_rs::digest::{Context, SHA256};
use bailee_core::id::PartyId;
use bailee_core::{By, Time};
use bailee_ledger::bundle::BundleBuilder;
use bailee_ledger::zip::{self, Measure};
use bailee_ledger::{hash_from_hex, to_hex};
use bailee_store::{Digest, ObjectError, Put};
use bailee_vault::Sweep;
use serde::{Deserialize, Serialize};

use crate::api::Problem;
use crate::erasing;
use crate::house::{House, HouseError, object_name};
use crate::projection::PAPERS;
use crate::receipt;
use crate::steward::post;

/// Seconds that what was handed in may wait for the command that names it.
const WAITS: i64 = 86_400;
/// Entries read at once while names are searched.
const PAGE: usize = 4096;
/// Where large documents lie.
const BELOW: &str = "exhibits/";
/// Largest document unless the settings say otherwise.
const LARGEST: u64 = 4 << 30;

/// `[documents]` of the settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Documents {
    /// Bytes that a document may have which is handed in by itself.
    pub largest_bytes: u64,
}

impl Default for Documents {
    fn default() -> Documents {
        Documents { largest_bytes: LARGEST }
    }
}

impl Documents {
    /// As in `bailee.toml`; nothing if it is the usual.
    pub(crate) fn to_text(&self) -> String {
        match *self == Documents::default() {
            true => String::new(),
            false => format!("\n[documents]\nlargest_bytes = {}\n", self.largest_bytes),
        }
    }
}

/// A document that a command names and that lies among the objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its SHA-256.
    pub digest: Digest,
    /// Its size, as the command says.
    pub size: u64,
}

/// Why a document was not taken.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// It is another one.
    #[error("has the SHA-256 {0}, which is not the one it was announced by")]
    Other(String),
    /// It is too large.
    #[error("has more than {0} bytes, the most a document may have here")]
    TooLarge(u64),
    /// Its bytes did not come to their end.
    #[error("could not be read to its end: {0}")]
    Unread(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] ObjectError),
}

impl From<DocumentError> for Problem {
    fn from(error: DocumentError) -> Problem {
        let detail = error.to_string();
        let no = |status, code, change| {
            Problem::new(status, code, "the document", detail.clone(), change)
        };
        match error {
            DocumentError::Other(_) => no(422, "wrong_digest", "hand it in under its own SHA-256"),
            DocumentError::TooLarge(_) => {
                no(413, "body_too_large", "split it, or raise documents.largest_bytes")
            }
            DocumentError::Unread(_) => no(400, "bad_request", "hand it in again, to its end"),
            DocumentError::Store(error) => HouseError::from(error).into(),
        }
    }
}

/// Who handed in what, and when.
#[derive(Debug, Default)]
pub(crate) struct Arrivals(Mutex<BTreeMap<(PartyId, Digest), Arrival>>);

/// How one document comes in for one party.
#[derive(Debug)]
struct Arrival {
    /// When that was begun last, or came to its end.
    at: Time,
    /// How many times it is coming in now.
    under_way: u32,
    /// Whether it has come to its last byte.
    whole: bool,
}

impl Arrivals {
    fn table(&self) -> MutexGuard<'_, BTreeMap<(PartyId, Digest), Arrival>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begins(&self, by: PartyId, digest: Digest, at: Time) {
        let mut table = self.table();
        let new = Arrival { at, under_way: 0, whole: false };
        let arrival = table.entry((by, digest)).or_insert(new);
        arrival.under_way += 1;
        arrival.at = at;
    }

    fn ends(&self, by: PartyId, digest: Digest, at: Option<Time>) {
        let mut table = self.table();
        let Some(arrival) = table.get_mut(&(by, digest)) else { return };
        arrival.under_way = arrival.under_way.saturating_sub(1);
        if let Some(at) = at {
            (arrival.at, arrival.whole) = (at, true);
        }
        if arrival.under_way == 0 && !arrival.whole {
            table.remove(&(by, digest));
        }
    }

    /// Those that may still be named; older ones are forgotten.
    fn fresh(&self, now: Time) -> BTreeSet<Digest> {
        let mut table = self.table();
        table.retain(|_, arrival| {
            arrival.under_way > 0 || now.unix().saturating_sub(arrival.at.unix()) < WAITS
        });
        table.keys().map(|(_, digest)| *digest).collect()
    }
}

/// Takes a document in, durable on return: its size.
///
/// # Errors
/// Its bytes are not those of `digest`, too many, or end in an error; the store fails. Nothing may
/// be named then.
pub fn hand_in(
    house: &House,
    by: PartyId,
    digest: &Digest,
    from: &mut dyn Read,
) -> Result<u64, DocumentError> {
    let arrivals = &house.inner.arrivals;
    arrivals.begins(by, *digest, house.clock().now());
    let mut measured = Measured {
        from,
        wanted: *digest,
        most: house.config().documents.largest_bytes,
        hash: Context::new(&SHA256),
        size: 0,
        ended: false,
        why: None,
    };
    let put = house.objects().put_stream(&object_name(digest), &mut measured);
    // One that was there before is read all the same: whoever names it has to have it.
    let read = put.map_err(DocumentError::from).and_then(|_: Put| {
        let rest = io::copy(&mut measured, &mut io::sink());
        rest.map(drop).map_err(|e| DocumentError::Unread(e.to_string()))
    });
    let size = measured.size;
    arrivals.ends(by, *digest, read.is_ok().then(|| house.clock().now()));
    read.map(|()| size).map_err(|error| measured.why.take().unwrap_or(error))
}

/// A reader that ends well only after the bytes of a digest, and not too many.
struct Measured<'a> {
    from: &'a mut dyn Read,
    wanted: Digest,
    most: u64,
    hash: Context,
    size: u64,
    ended: bool,
    why: Option<DocumentError>,
}

impl Read for Measured<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        if self.ended || room.is_empty() {
            return Ok(0);
        }
        let n = match self.from.read(room) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            read => read.map_err(|e| self.no(DocumentError::Unread(e.to_string())))?,
        };
        self.size += n as u64;
        if self.size > self.most {
            return Err(self.no(DocumentError::TooLarge(self.most)));
        }
        self.hash.update(&room[..n]);
        if n == 0 {
            let found = self.hash.clone().finish();
            if found.as_ref() != self.wanted {
                return Err(self.no(DocumentError::Other(to_hex(found.as_ref()))));
            }
            self.ended = true;
        }
        Ok(n)
    }
}

impl Measured<'_> {
    fn no(&mut self, why: DocumentError) -> io::Error {
        let error = io::Error::other(why.to_string());
        self.why = Some(why);
        error
    }
}

/// Each of these was handed in by this party and is there. Whoever asks keeps exhibits from being
/// destroyed until the entry is appended.
pub(crate) fn there(house: &House, by: By, stored: &[Stored]) -> Result<(), Problem> {
    let fresh = |digest: &Digest| {
        let now = house.clock().now().unix();
        let at = match by {
            By::System => None,
            By::Party(party) => {
                let table = house.inner.arrivals.table();
                table.get(&(party, *digest)).filter(|one| one.whole).map(|one| one.at)
            }
        };
        at.is_some_and(|at| now.saturating_sub(at.unix()) < WAITS)
    };
    for one in stored {
        let missing = |detail: &str| {
            let change =
                "hand it in first: `POST /v1/exhibits/{sha256}`, then name it within a day";
            Problem::new(422, "document_missing", to_hex(&one.digest), detail, change)
        };
        if !fresh(&one.digest) {
            return Err(missing("was not handed in by this party"));
        }
        match house.objects().size(&object_name(&one.digest)) {
            Ok(size) if size == one.size => {}
            Ok(_) => return Err(missing("has another size")),
            Err(ObjectError::NotFound { .. }) => return Err(missing("is not here")),
            Err(error) => return Err(HouseError::from(error).into()),
        }
    }
    Ok(())
}

/// A document's bytes, from the first on, wherever they lie; `None` if it was erased.
pub(crate) fn open(
    house: &House,
    digest: &Digest,
) -> Result<Option<Box<dyn Read + Send>>, HouseError> {
    if let Some(bytes) = house.journal().exhibit(digest)? {
        return Ok(Some(Box::new(Cursor::new(bytes))));
    }
    match house.objects().open(&object_name(digest)) {
        Ok(content) => Ok(Some(content)),
        Err(ObjectError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Reads it to its end; `None` if it was erased.
fn measure(house: &House, digest: &Digest) -> Result<Option<Measure>, HouseError> {
    let content = open(house, digest)?;
    let measured = content.map(zip::measure).transpose();
    measured.map_err(|e| unread(digest, &e.to_string()))
}

/// Whether its bytes are those of its digest, read a piece at a time; `None` if it was erased.
pub(crate) fn is_itself(house: &House, digest: &Digest) -> Result<Option<bool>, HouseError> {
    Ok(measure(house, digest)?.map(|measure| measure.sha256 == *digest))
}

/// Has it ride along in a bundle, opened when its turn comes: its size, or `None` if it was erased
/// from all `entries` that name it.
pub(crate) fn into_bundle<'a>(
    house: &'a House,
    builder: BundleBuilder<'a>,
    digest: Digest,
    entries: &[u64],
) -> Result<(BundleBuilder<'a>, Option<u64>), HouseError> {
    let Some(measure) = measure(house, &digest)? else {
        entries.iter().try_for_each(|position| erasing::excuse(house, &digest, *position))?;
        return Ok((builder, None));
    };
    if measure.sha256 != digest {
        return Err(unread(&digest, "its bytes are not what its name says"));
    }
    let size = measure.size;
    let builder = builder.exhibit_opened(measure, move || {
        let gone = || io::Error::other("it was erased while the bundle was written");
        open(house, &digest).map_err(io::Error::other)?.ok_or_else(gone)
    });
    Ok((builder, Some(size)))
}

fn unread(digest: &Digest, detail: &str) -> HouseError {
    let doing = format!("read exhibit {}", to_hex(digest));
    HouseError::Io { doing, detail: detail.to_owned() }
}

/// Removes documents that no entry names and nobody is about to name: how many.
///
/// # Errors
/// The journal or the objects do not answer; what was removed before is counted next time.
pub fn sweep(house: &House, how: Sweep) -> Result<u64, HouseError> {
    let fresh = house.inner.arrivals.fresh(house.clock().now());
    let names = house.objects().list(BELOW)?;
    let digests = names.iter().filter_map(|name| hash_from_hex(name.rsplit('/').next()?));
    let mut unnamed: BTreeSet<Digest> = digests.filter(|one| !fresh.contains(one)).collect();
    let mut next = 0;
    strike_named(house, &mut unnamed, &mut next)?;
    if unnamed.is_empty() || how == Sweep::Rehearse {
        return Ok(unnamed.len() as u64);
    }
    // Nobody names a document from here on: what came meanwhile is looked at, then it is final.
    let _alone = house.no_new_exhibits();
    strike_named(house, &mut unnamed, &mut next)?;
    let fresh = house.inner.arrivals.fresh(house.clock().now());
    unnamed.retain(|digest| !fresh.contains(digest));
    for digest in &unnamed {
        house.objects().delete(&object_name(digest))?;
    }
    Ok(unnamed.len() as u64)
}

/// Strikes what entries from `next` on name.
fn strike_named(
    house: &House,
    unnamed: &mut BTreeSet<Digest>,
    next: &mut u64,
) -> Result<(), HouseError> {
    while !unnamed.is_empty() {
        let page = house.entries(*next, PAGE)?;
        for entry in &page {
            let position = *next;
            *next += 1;
            if entry.sections[PAPERS].is_none() {
                continue;
            }
            let record = receipt::read(position, entry).map_err(|e| post("read papers", &e))?;
            for paper in record.fact.papers.iter().flat_map(|papers| &papers.exhibits) {
                unnamed.remove(&paper.digest);
            }
        }
        if page.len() < PAGE {
            break;
        }
    }
    Ok(())
}
