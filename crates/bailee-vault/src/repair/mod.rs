//! Repairing packs from a second copy: another store that holds the same objects.
//!
//! Order of writes: the copy is read whole and hashed; only if it is what the index says, the
//! damaged pack is deleted, the copy put in its place and hashed again there. A crash in between
//! leaves a pack missing, which the next scrub tells and the next repair puts right. A pack that
//! was put together of two damaged ones (`splice.rs`) is whole nowhere else: it is put beside
//! first, as `…/mended/<id>`, and goes from there when it is in its place. What a crash leaves
//! there is put in its place by the next repair.
//!
//! Invariants: nothing is changed for a pack whose copy is absent or damaged as well, but by
//! `splice.rs`; a pack that is whole is not touched. Needs no key, so it trusts the index: verify
//! afterwards.

mod lost;
mod splice;

use std::collections::BTreeMap;
use std::path::PathBuf;

use bailee_store::{ObjectError, Objects};

use crate::doubt;
use crate::error::VaultError;
use crate::index::PackRow;
use crate::names;
use crate::scrub::rows;
use crate::verify::{Problem, hash_object, is_hash};
pub use lost::Loss;

/// What a repair did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RepairReport {
    /// Packs put back, and their bytes.
    pub packs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Keys and snapshots put back, by their objects' names (`repair_sealed`).
    pub sealed: Vec<String>,
    /// Chunks that were stored again, of packs that could not be put back.
    pub stored_again: u64,
    /// Packs that stay damaged, and why; and what is no pack and was found wanting.
    pub problems: Vec<Problem>,
    /// What is lost with them, as far as that is known: by file and bytes.
    pub lost: Vec<Loss>,
    /// How many files follow on these.
    pub lost_more: u64,
}

/// Puts right the packs that a scrub found wanting, from `copy`. Packs that no index names any
/// more, and those that are whole, are passed over; what is no pack stays a problem.
///
/// # Errors
/// Failures of the damaged store; what the copy lacks is in the report.
pub fn repair_packs(
    objects: &dyn Objects,
    copy: &dyn Objects,
    damaged: &[Problem],
) -> Result<RepairReport, VaultError> {
    let mut report = RepairReport::default();
    let rows = rows(objects, &mut Vec::new())?;
    go_on(objects, &rows, &mut report)?;
    for problem in damaged {
        let name = problem.path.to_string_lossy();
        let Some(row) = rows.get(&*name) else {
            report.problems.extend((!names::is_pack(&name)).then(|| problem.clone()));
            continue;
        };
        if hash_object(objects, &name, row) == Ok(true) {
            continue;
        }
        match fetch(copy, &name, row) {
            Ok(pack) => put_back(objects, (&name, row), &pack, &mut report)?,
            Err(what) => report.problems.push(Problem { path: PathBuf::from(&*name), what }),
        }
    }
    Ok(report)
}

/// Puts a pack in the place of a damaged one. It must be whole elsewhere as well.
fn put_back(
    objects: &dyn Objects,
    (name, row): (&str, &PackRow),
    pack: &[u8],
    report: &mut RepairReport,
) -> Result<(), VaultError> {
    objects.delete(name)?;
    objects.put(name, pack)?;
    if hash_object(objects, name, row) == Ok(true) {
        doubt::clear(objects, name)?;
        report.packs += 1;
        report.bytes += row.size;
        return Ok(());
    }
    let what = "it was put back and is not what was put: distrust this store".to_owned();
    report.problems.push(Problem { path: PathBuf::from(name), what });
    Ok(())
}

/// Puts a pack in its place that is whole nowhere else.
fn put_mended(
    objects: &dyn Objects,
    (name, row): (&str, &PackRow),
    pack: &[u8],
    report: &mut RepairReport,
) -> Result<(), VaultError> {
    let beside = names::mended(name);
    objects.put(&beside, pack)?;
    if hash_object(objects, &beside, row) != Ok(true) {
        objects.delete(&beside)?; // nothing else was touched
        let what = "what was put beside it is not what was put: distrust this store".to_owned();
        report.problems.push(Problem { path: PathBuf::from(name), what });
        return Ok(());
    }
    let before = report.packs;
    put_back(objects, (name, row), pack, report)?;
    if report.packs > before {
        objects.delete(&beside)?;
    }
    Ok(())
}

/// Ends what a repair that was killed has left.
fn go_on(
    objects: &dyn Objects,
    rows: &BTreeMap<String, PackRow>,
    report: &mut RepairReport,
) -> Result<(), VaultError> {
    for beside in objects.list(names::TENANTS)?.into_iter().filter(|name| names::is_mended(name)) {
        let pack =
            names::packs_beside(&beside).into_iter().find_map(|name| rows.get_key_value(&name));
        let wanted = pack.filter(|(name, row)| hash_object(objects, name, row) != Ok(true));
        if let Some((name, row)) = wanted {
            let mended = objects.get(&beside)?;
            if is_hash(&mended, row) {
                put_back(objects, (name, row), &mended, report)?;
                if hash_object(objects, name, row) != Ok(true) {
                    continue;
                }
            }
        }
        objects.delete(&beside)?;
    }
    Ok(())
}

/// The pack as the copy has it, if that is what the index says.
fn fetch(copy: &dyn Objects, name: &str, row: &PackRow) -> Result<Vec<u8>, String> {
    match copy.size(name) {
        Ok(size) if size == row.size => {}
        Ok(_) => return Err("the second copy of it has another length".to_owned()),
        Err(ObjectError::NotFound { .. }) => {
            return Err("the second copy does not hold it either".to_owned());
        }
        Err(e) => return Err(format!("the second copy: {e}")),
    }
    let pack = copy.get(name).map_err(|e| format!("the second copy: {e}"))?;
    if is_hash(&pack, row) {
        Ok(pack)
    } else {
        Err("the second copy of it is damaged, too".to_owned())
    }
}
