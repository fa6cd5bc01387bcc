//! What no index names: keys and snapshots, each a sealed object of its own. Can they be opened?
//! Those that cannot are put right from a copy of the store.
//!
//! Order of writes: the copy's object is tried first, in the place of the damaged one, without
//! being there; only if it opens, the damaged one is deleted and it is put. A crash in between
//! leaves nothing under the name: a key is put by the next repair; a snapshot is named as missing,
//! and the copy has it still.
//!
//! Invariants: what opens is not touched; a snapshot that is not there is not put, for it may have
//! been let go of since the copy was made; nor is the key of a unit with a tombstone. Indexes and
//! packs are others' business (`scrub.rs`, `repair/`).

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Cursor, Read};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use bailee_store::{ObjectError, Objects, Put};

use crate::error::VaultError;
use crate::key::Kek;
use crate::names::{self, Tag};
use crate::seal::Kind;
use crate::snapshot::Snapshot;
use crate::vault::{Absent, Vault, get};
use crate::verify::Problem;

/// What a repair of sealed objects did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SealedRepair {
    /// Objects put back from the copy, by their names.
    pub put_back: Vec<String>,
    /// Those that stay as they are, and why they cannot be opened.
    pub problems: Vec<Problem>,
}

/// Keys and snapshots of these tenants that cannot be opened, and keys that are missing, each once.
/// `packs` and `keys` may be one store.
///
/// # Errors
/// Store failures; [`VaultError::NoVault`].
pub fn unopened(
    (packs, keys): (&Arc<dyn Objects>, &Arc<dyn Objects>),
    kek: &Kek,
    tenants: &BTreeSet<String>,
) -> Result<Vec<Problem>, VaultError> {
    let mut problems = Vec::new();
    let vault = match Vault::open_with_keys(Arc::clone(packs), Arc::clone(keys), kek) {
        Ok(vault) => vault,
        Err(error) => {
            noted(error, &mut problems)?;
            return Ok(problems);
        }
    };
    for tenant in tenants {
        vault.unopened_of(tenant, &mut problems)?;
    }
    problems.sort_by(|a, b| a.path.cmp(&b.path));
    problems.dedup();
    Ok(problems)
}

/// Puts back what cannot be opened and opens in the copy.
///
/// # Errors
/// As [`unopened`]; failures to write.
pub fn repair_sealed(
    (packs, keys): (&Arc<dyn Objects>, &Arc<dyn Objects>),
    copy: &dyn Objects,
    kek: &Kek,
    tenants: &BTreeSet<String>,
) -> Result<SealedRepair, VaultError> {
    let mut done = SealedRepair::default();
    // With a key put back, what it opens is seen for the first time.
    loop {
        done.problems = unopened((packs, keys), kek, tenants)?;
        let before = done.put_back.len();
        for problem in &done.problems {
            let name = problem.path.to_string_lossy().into_owned();
            let own = if keys.size(&name).is_ok() { keys } else { packs };
            let Some(bytes) = better((packs, keys), copy, (kek, tenants), &name)? else { continue };
            own.delete(&name)?;
            own.put(&name, &bytes)?;
            done.put_back.push(name);
        }
        if done.put_back.len() == before {
            return Ok(done);
        }
    }
}

/// The copy's bytes of the object, if with them it can be opened.
fn better(
    (packs, keys): (&Arc<dyn Objects>, &Arc<dyn Objects>),
    copy: &dyn Objects,
    (kek, tenants): (&Kek, &BTreeSet<String>),
    name: &str,
) -> Result<Option<Vec<u8>>, VaultError> {
    let Some(bytes) = get(copy, name)? else { return Ok(None) };
    let instead = |under: &Arc<dyn Objects>| -> Arc<dyn Objects> {
        let (under, name, bytes) = (Arc::clone(under), name.to_owned(), bytes.clone());
        Arc::new(Instead { under, name, bytes })
    };
    let left = unopened((&instead(packs), &instead(keys)), kek, tenants)?;
    let opens = !left.iter().any(|problem| problem.path.to_string_lossy() == name);
    Ok(opens.then_some(bytes))
}

impl Vault {
    fn unopened_of(&self, tenant: &str, problems: &mut Vec<Problem>) -> Result<(), VaultError> {
        let tenant = match self.tenant(tenant, Absent::Refuse) {
            Ok(tenant) => tenant,
            Err(VaultError::UnknownTenant { .. }) => return Ok(()),
            Err(error) => return noted(error, problems),
        };
        let mut keys = BTreeMap::new();
        for unit in self.unit_tags(&tenant)? {
            let object = names::object(&tenant.tag, &unit, Kind::UnitKey, &[0; 16]);
            let Some(sealed) = get(&*self.keys, &object)? else {
                // One of an erased unit is destroyed, and stays so.
                if !self.is_erased(&tenant, unit)? {
                    let unit = tenant.name.clone();
                    noted(VaultError::KeyMissing { unit, object }, problems)?;
                }
                continue;
            };
            let place = self.place(Kind::UnitKey, tenant.tag, unit, [0; 16]);
            match self.unwrap_key(&tenant.root, &place, &object, sealed) {
                Ok((key, _)) => drop(keys.insert(unit, key)),
                Err(error) => noted(error, problems)?,
            }
        }
        for name in self.objects.list(&names::snapshots(&tenant.tag))? {
            let Some(id) = names::last_id(&name) else { continue };
            let Some(object) = get(&*self.objects, &name)? else { continue };
            let Some(unit) = object.get(32..48).and_then(|unit| Tag::try_from(unit).ok()) else {
                noted(VaultError::damaged(&name, "too short"), problems)?;
                continue;
            };
            // What it takes to open it is a matter of its own; a unit that nobody knows is none.
            let Some(key) = keys.get(&unit) else {
                if self.objects.list(&names::unit(&tenant.tag, &unit))?.is_empty() {
                    let what = "its header names a unit of which nothing is here";
                    noted(VaultError::damaged(&name, what), problems)?;
                }
                continue;
            };
            let place = self.place(Kind::Snapshot, tenant.tag, unit, id);
            if let Err(error) = Snapshot::open(key, &place, &name, object) {
                noted(error, problems)?;
            }
        }
        Ok(())
    }
}

/// Keeps the damage of a key or snapshot; what else fails ends the look.
fn noted(error: VaultError, problems: &mut Vec<Problem>) -> Result<(), VaultError> {
    match error {
        VaultError::Damaged { object, detail } => {
            problems.push(Problem { path: PathBuf::from(object), what: detail });
            Ok(())
        }
        // Its repair was killed before it was put.
        VaultError::KeyMissing { ref object, .. } => {
            let path = PathBuf::from(object);
            problems.push(Problem { path, what: "it is not there".into() });
            Ok(())
        }
        // A newer program wrote it, or two of its bytes are not what they were.
        VaultError::UnknownFormat { ref object, .. } => {
            let path = PathBuf::from(object);
            problems.push(Problem { path, what: error.to_string() });
            Ok(())
        }
        error => Err(error),
    }
}

/// A store in which one object has other bytes; nothing is written through it.
struct Instead {
    under: Arc<dyn Objects>,
    name: String,
    bytes: Vec<u8>,
}

impl Objects for Instead {
    fn put(&self, name: &str, _: &[u8]) -> Result<Put, ObjectError> {
        Err(only_looked_at(name))
    }

    fn put_stream(&self, name: &str, _: &mut dyn Read) -> Result<Put, ObjectError> {
        Err(only_looked_at(name))
    }

    fn get(&self, name: &str) -> Result<Vec<u8>, ObjectError> {
        if name == self.name { Ok(self.bytes.clone()) } else { self.under.get(name) }
    }

    fn get_range(&self, name: &str, range: Range<u64>) -> Result<Vec<u8>, ObjectError> {
        if name != self.name {
            return self.under.get_range(name, range);
        }
        let Range { start, end } = range;
        let part = usize::try_from(start).ok().zip(usize::try_from(end).ok());
        let part = part.and_then(|(start, end)| self.bytes.get(start..end));
        let size = self.bytes.len() as u64;
        part.map(<[u8]>::to_vec).ok_or(ObjectError::BadRange {
            name: name.into(),
            size,
            start,
            end,
        })
    }

    fn open(&self, name: &str) -> Result<Box<dyn Read + Send>, ObjectError> {
        match name == self.name {
            true => Ok(Box::new(Cursor::new(self.bytes.clone()))),
            false => self.under.open(name),
        }
    }

    fn size(&self, name: &str) -> Result<u64, ObjectError> {
        if name == self.name { Ok(self.bytes.len() as u64) } else { self.under.size(name) }
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, ObjectError> {
        self.under.list(prefix)
    }

    fn delete(&self, name: &str) -> Result<(), ObjectError> {
        Err(only_looked_at(name))
    }
}

fn only_looked_at(name: &str) -> ObjectError {
    ObjectError::Io { doing: "write", name: name.into(), detail: "it is only looked at".into() }
}
