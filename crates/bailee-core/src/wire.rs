//! Wire v1: the bytes of an entry's sections, written once and read for ever.
//!
//! Deterministic CBOR (RFC 8949, 4.2): integers, bytes, text and arrays; no floats, no maps. The
//! `what` section is `[1, at in microseconds, by, event]`; `who` and `papers` are arrays of their
//! own. Stored bytes are what proofs are about: they are never encoded again to be verified.
//! Format fixtures in `fixtures/formats/v1` are only ever added to.

use crate::demand::Papers;
use crate::event::{By, Event, Fact, Record};
use crate::party::Who;
use crate::time::Time;

/// Version of the `what` section written.
pub const VERSION: u8 = 1;

/// Sections of an entry: what, who, papers.
pub type Sections<T> = [Option<T>; 3];

/// The bytes are not an entry that this version can read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("entry {seq}: {detail}")]
pub struct BadEntry {
    /// Log position.
    pub seq: u64,
    /// What is wrong.
    pub detail: String,
}

#[derive(minicbor::Decode)]
struct What {
    #[n(0)]
    version: u8,
    #[n(1)]
    at: Time,
    #[n(2)]
    by: By,
    #[n(3)]
    event: Event,
}

/// What is written: the same, borrowed.
#[derive(minicbor::Encode)]
struct WhatRef<'a> {
    #[n(0)]
    version: u8,
    #[n(1)]
    at: Time,
    #[n(2)]
    by: By,
    #[n(3)]
    event: &'a Event,
}

/// The sections of a fact at a time.
pub fn encode(at: Time, by: By, fact: &Fact) -> Sections<Vec<u8>> {
    let what = WhatRef { version: VERSION, at, by, event: &fact.event };
    [Some(to_vec(&what)), fact.who.as_ref().map(to_vec), fact.papers.as_ref().map(to_vec)]
}

fn to_vec<T: minicbor::Encode<()>>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    match minicbor::encode(value, &mut bytes) {
        Ok(()) => bytes,
        Err(error) => unreachable!("a vector takes every byte: {error}"),
    }
}

/// Reads a record back. Erased sections are `None`; the `what` section is never erased.
pub fn decode(seq: u64, sections: Sections<&[u8]>) -> Result<Record, BadEntry> {
    let bad = |detail: String| BadEntry { seq, detail };
    let [what, who, papers] = sections;
    let what = what.ok_or_else(|| bad("the `what` section is missing".into()))?;
    let what: What = from_slice(what).map_err(|e| bad(format!("`what`: {e}")))?;
    if what.version != VERSION {
        let version = what.version;
        return Err(bad(format!("version {version} is newer than this program; update it")));
    }
    let who: Option<Who> =
        who.map(from_slice).transpose().map_err(|e| bad(format!("`who`: {e}")))?;
    let papers: Option<Papers> =
        papers.map(from_slice).transpose().map_err(|e| bad(format!("`papers`: {e}")))?;
    let fact = Fact { event: what.event, who, papers };
    Ok(Record { seq, at: what.at, by: what.by, fact })
}

/// Only what this format writes: integers, bytes, text, arrays, booleans and null, each in its
/// shortest form and of definite length. The decoder is more lenient; one value, one encoding.
fn plain(bytes: &[u8]) -> Result<(), String> {
    let mut at = 0;
    while let Some(head) = bytes.get(at) {
        let (major, info) = (head >> 5, head & 31);
        let start = at;
        let bad = |what: &str| Err(format!("{what} at byte {start}"));
        let width = match info {
            0..24 => 0,
            24..28 => 1 << (info - 24),
            _ => return bad("an indefinite length"),
        };
        let Some(rest) = bytes.get(at + 1..at + 1 + width) else { return bad("a cut value") };
        let argument = match width {
            0 => u64::from(info),
            _ => rest.iter().fold(0, |n, byte| n << 8 | u64::from(*byte)),
        };
        let least = [24, 1 << 8, 1 << 16, 1 << 32];
        if width > 0 && (major == 7 || argument < least[usize::from(info - 24)]) {
            return bad("a value not in its shortest form");
        }
        if matches!(major, 5 | 6) || (major == 7 && !matches!(info, 20..=22)) {
            return bad("a map, tag, float or unknown simple value");
        }
        at += 1 + width;
        if matches!(major, 2 | 3) {
            let length = usize::try_from(argument).ok();
            match length.and_then(|length| at.checked_add(length)) {
                Some(end) => at = end,
                None => return bad("a length out of range"),
            }
        }
    }
    Ok(())
}

/// One value and nothing after it.
fn from_slice<'b, T: minicbor::Decode<'b, ()>>(bytes: &'b [u8]) -> Result<T, String> {
    plain(bytes)?;
    let mut decoder = minicbor::Decoder::new(bytes);
    let value = decoder.decode().map_err(|e| e.to_string())?;
    match decoder.position() == bytes.len() {
        true => Ok(value),
        false => Err(format!("{} bytes too many", bytes.len() - decoder.position())),
    }
}
