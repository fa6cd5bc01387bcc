//! Repairing packs from a second copy: another store that holds the same objects.
//!
//! Order of writes: the copy is read whole and hashed; only if it is what the index says, the
//! damaged pack is deleted, the copy put in its place and hashed again there. A crash in between
//! leaves a pack missing, which the next scrub tells and the next repair puts right.
//!
//! Invariants: nothing is changed for a pack whose copy is absent or damaged as well; a pack that
//! is whole is not touched. Needs no key, so it trusts the index: verify afterwards.

use std::path::PathBuf;

use bailee_store::{ObjectError, Objects};

use crate::doubt;
use crate::error::VaultError;
use crate::index::PackRow;
use crate::scrub::rows;
use crate::verify::{Problem, hash_object, is_hash};

/// What a repair did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RepairReport {
    /// Packs put back, and their bytes.
    pub packs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Packs that stay damaged, and why.
    pub problems: Vec<Problem>,
}

/// Puts right the packs that a scrub found wanting, from `copy`. Names that no index names, and
/// packs that are whole, are passed over.
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
    for problem in damaged {
        let name = problem.path.to_string_lossy();
        let Some(row) = rows.get(&*name) else { continue };
        if hash_object(objects, &name, row) == Ok(true) {
            continue;
        }
        match fetch(copy, &name, row) {
            Ok(pack) => {
                objects.delete(&name)?;
                objects.put(&name, &pack)?;
                if hash_object(objects, &name, row) == Ok(true) {
                    doubt::clear(objects, &name)?;
                    report.packs += 1;
                    report.bytes += row.size;
                    continue;
                }
                let what = "it was put back and is not what was put: distrust this store";
                report.problems.push(Problem { path: problem.path.clone(), what: what.to_owned() });
            }
            Err(what) => report.problems.push(Problem { path: PathBuf::from(&*name), what }),
        }
    }
    Ok(report)
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
