//! Scrubbing: hashing packs without a key, all of them or some a day.
//!
//! Invariants
//! 1. Packs are taken in the order of their names. The **place** is the name of the pack checked
//!    last and LF; it is kept after each [`KEPT_EVERY`] bytes and at the end, so a killed scrub
//!    repeats little. A place that says nothing is the beginning: too much is checked, never too
//!    little.
//! 2. One run checks no pack twice and, unless there is none, at least one: each comes to its turn.
//! 3. A pack that a prune took out of the index meanwhile is not missing.
//!
//! A scrub proves that packs are what the index says, not that the index is authentic: that takes
//! the key (`verify.rs`). Damage is put right by `repair.rs`.

use std::collections::{BTreeMap, HashSet};
use std::ops::Bound;
use std::path::PathBuf;

use bailee_ledger::to_hex;
use bailee_store::{ObjectError, Objects, Slot, SlotError};

use crate::doubt;
use crate::error::VaultError;
use crate::index::{self, PackRow};
use crate::names::{self, Tag};
use crate::seal::Kind;
use crate::sorted;
use crate::verify::{Problem, ScrubReport, hash_object};

/// Bytes between two writes of the place.
const KEPT_EVERY: u64 = 1 << 30;

/// How much one run checks. The pack that crosses the line is checked whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Budget {
    /// All packs, once.
    Everything,
    /// So many bytes of packs.
    Bytes(u64),
    /// So many hundredths of all bytes: a tenth a day is 10.
    Percent(u8),
}

/// What one run of a scrub with a budget saw.
#[derive(Clone, Debug, PartialEq)]
pub struct ScrubRun {
    /// What was checked.
    pub report: ScrubReport,
    /// Bytes of all packs there are.
    pub of_bytes: u64,
    /// How often the last pack was passed: 0, or 1.
    pub rounds_ended: u64,
}

/// Every pack that an index object names, by its own name.
pub(crate) fn rows(
    objects: &dyn Objects,
    problems: &mut Vec<Problem>,
) -> Result<BTreeMap<String, PackRow>, VaultError> {
    Ok(rows_and_doubts(objects, problems)?.0)
}

/// The same, and the packs that are doubted.
pub(crate) fn rows_and_doubts(
    objects: &dyn Objects,
    problems: &mut Vec<Problem>,
) -> Result<(BTreeMap<String, PackRow>, HashSet<Tag>), VaultError> {
    let (mut out, mut doubted) = (BTreeMap::new(), HashSet::new());
    for index in objects.list(names::TENANTS)? {
        if names::is_doubt(&index) {
            doubted.extend(names::last_id(&index));
        }
        let old = index.rsplit_once("/index/");
        let Some((unit, _)) = old.or_else(|| index.rsplit_once("/sorted/")) else { continue };
        let read = if old.is_some() { index::read_rows } else { sorted::read_rows };
        let object = match objects.get(&index) {
            Err(ObjectError::NotFound { .. }) => continue, // merged or rewritten
            object => object.map_err(VaultError::from),
        };
        match object.and_then(|object| read(&index, &object)) {
            Ok(rows) => out.extend(rows.into_iter().map(|row| (pack_name(unit, &row), row))),
            Err(e) => problems.push(Problem { path: PathBuf::from(&index), what: e.to_string() }),
        }
    }
    Ok((out, doubted))
}

fn pack_name(unit: &str, row: &PackRow) -> String {
    let folder = if row.kind == Kind::DataPack { "data" } else { "meta" };
    format!("{unit}/{folder}/{}", to_hex(&row.id))
}

/// Hashes packs from where the last run stopped, as far as the budget goes. Needs no key.
///
/// # Errors
/// Store failures while listing; a place that cannot be kept. Damage is in the report.
pub fn scrub_some(
    objects: &dyn Objects,
    place: &dyn Slot,
    budget: Budget,
) -> Result<ScrubRun, VaultError> {
    let mut report = ScrubReport { packs: 0, bytes: 0, problems: Vec::new() };
    let (rows, doubted) = rows_and_doubts(objects, &mut report.problems)?;
    let of_bytes: u64 = rows.values().map(|row| row.size).sum();
    let most = match budget {
        Budget::Everything => u64::MAX,
        Budget::Bytes(bytes) => bytes,
        Budget::Percent(percent) => of_bytes.div_ceil(100).saturating_mul(u64::from(percent)),
    };
    let from = place.read().map_err(kept)?.and_then(|p| read_place(&p)).unwrap_or_default();
    let after = rows.range::<String, _>((Bound::Excluded(&from), Bound::Unbounded));
    let round = after.chain(rows.range::<String, _>(..=&from));
    let (mut spent, mut unsaved, mut last, mut rounds_ended) = (0, 0, None, 0);
    for (name, row) in round {
        if spent >= most && last.is_some() {
            break;
        }
        check(objects, (name, row), &doubted, &mut report)?;
        rounds_ended += u64::from(rows.last_key_value().is_some_and(|(end, _)| end == name));
        (spent, unsaved, last) = (spent + row.size, unsaved + row.size, Some(name));
        if unsaved >= KEPT_EVERY {
            unsaved = 0;
            place.replace(format!("{name}\n").as_bytes()).map_err(kept)?;
        }
    }
    if let Some(name) = last {
        place.replace(format!("{name}\n").as_bytes()).map_err(kept)?;
    }
    Ok(ScrubRun { report, of_bytes, rounds_ended })
}

/// Hashes one pack, and says in the store whether it is to be doubted. One that is missing is
/// looked for in the index again: a prune may be at work.
pub(crate) fn check(
    objects: &dyn Objects,
    (name, row): (&str, &PackRow),
    doubted: &HashSet<Tag>,
    report: &mut ScrubReport,
) -> Result<(), VaultError> {
    let what = match hash_object(objects, name, row) {
        Ok(true) => {
            if doubted.contains(&row.id) {
                doubt::clear(objects, name)?;
            }
            report.packs += 1;
            report.bytes += row.size;
            return Ok(());
        }
        Ok(_) => "its bytes do not give the hash recorded when it was put".to_owned(),
        Err(what) => what,
    };
    let missing = matches!(objects.size(name), Err(ObjectError::NotFound { .. }));
    if missing && !rows(objects, &mut Vec::new())?.contains_key(name) {
        return Ok(());
    }
    report.packs += 1;
    if !missing && !doubted.contains(&row.id) {
        // One that cannot be written down is found again by the next who reads.
        drop(doubt::put(objects, name, &what));
    }
    report.problems.push(Problem { path: PathBuf::from(name), what });
    Ok(())
}

fn read_place(bytes: &[u8]) -> Option<String> {
    let name = std::str::from_utf8(bytes).ok()?.strip_suffix('\n')?;
    (name.starts_with(names::TENANTS) && name.len() < 512).then(|| name.to_owned())
}

fn kept(e: SlotError) -> VaultError {
    VaultError::Place { detail: e.to_string() }
}
