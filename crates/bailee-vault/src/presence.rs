//! Presence: is all there that a snapshot needs? Asked before something rests on it.
//!
//! Invariants: keys and the snapshot itself are opened, and each pack that they lead to is asked
//! for its length, up to a number from which on they are listed; no pack of content is read, so it
//! may be damaged all the same. What a prune has rewritten
//! is looked for where it lies now. A key that only this process remembers does not count.

use std::collections::{HashMap, HashSet};

use bailee_store::ObjectError;

use crate::error::VaultError;
use crate::index::PackRow;
use crate::manifest::Extent;
use crate::names::{self, SnapshotId, Tag, last_id, tag};
use crate::pack::ChunkId;
use crate::seal::Kind;
use crate::snapshot::Snapshot;
use crate::unit::Unit;
use crate::vault::{Absent, Tenant, Vault, get, size};

/// From so many packs on a unit's packs are listed instead of asked for one by one.
const LISTED: usize = 1024;

/// How closely it is looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closely {
    /// The packs that the snapshot names; its chunks only if those are not where they were.
    Packs,
    /// Each chunk, and not in a pack that gave wrong bytes.
    Chunks,
}

impl Vault {
    /// Whether all that a snapshot needs is there.
    ///
    /// # Errors
    /// What is not, as [`Vault::verify`] would say it ([`VaultError::is_loss`] tells that it is
    /// gone or damaged); store failures.
    pub fn is_there(
        &self,
        tenant: &str,
        id: &SnapshotId,
        closely: Closely,
    ) -> Result<(), VaultError> {
        let tenant = self.tenant(tenant, Absent::Refuse)?;
        let (unit, snapshot) = self.snapshot(&tenant, id)?;
        self.keys_are_there(&tenant, &unit)?;
        let _stay = unit.enter();
        unit.reload()?;
        if closely == Closely::Packs {
            let missing = named_but_missing(&unit, &snapshot)?;
            if missing == 0 && unit.table().knows(&snapshot.packs) {
                return Ok(());
            }
        }
        each_chunk(&unit, &snapshot, closely)
    }

    /// The first object on the way to a unit, or only to a tenant, that the store does not have:
    /// the vault's own, the tenant's key, the unit's. Whoever knows that something was kept there
    /// asks before anything is made: a new key would have the name of the one that is away. An
    /// erased unit lacks nothing.
    ///
    /// # Errors
    /// [`VaultError::KeyMissing`] if the key alone is away; damage; store failures.
    pub fn lacks(&self, tenant: &str, unit: Option<&str>) -> Result<Option<String>, VaultError> {
        let config = names::config(&self.kek.id());
        if size(&*self.keys, &config)?.is_none() {
            return Ok(Some(config));
        }
        let tenant = match self.tenant(tenant, Absent::Refuse) {
            Err(VaultError::UnknownTenant { .. }) => {
                let tenant = tag(&self.naming, b"tenant", tenant);
                return Ok(Some(names::tenant_key(&tenant, &self.kek.id())));
            }
            tenant => tenant?,
        };
        let Some(name) = unit else { return Ok(None) };
        let unit = tag(&tenant.root, b"unit", name);
        if self.is_erased(&tenant, unit)? {
            return Ok(None);
        }
        let key = names::object(&tenant.tag, &unit, Kind::UnitKey, &[0; 16]);
        Ok(size(&*self.keys, &key)?.is_none().then_some(key))
    }

    /// That the keys on the way to a unit lie in the store, and are those this process has.
    pub(crate) fn keys_are_there(&self, tenant: &Tenant, unit: &Unit) -> Result<(), VaultError> {
        let missing = |object| VaultError::KeyMissing { unit: unit.name.clone(), object };
        let config = names::config(&self.kek.id());
        if size(&*self.keys, &config)?.is_none() {
            return Err(missing(config));
        }
        let object = names::object(&tenant.tag, &unit.tag(), Kind::UnitKey, &[0; 16]);
        let Some(sealed) = get(&*self.keys, &object)? else { return Err(missing(object)) };
        let place = self.place(Kind::UnitKey, tenant.tag, unit.tag(), [0; 16]);
        let (key, _) = self.unwrap_key(&tenant.root, &place, &object, sealed)?;
        match key.expose() == unit.key().expose() {
            true => Ok(()),
            false => Err(VaultError::damaged(&object, "it holds another key than the unit's")),
        }
    }
}

/// How many of the packs that a snapshot names are not there, or are cut off.
fn named_but_missing(unit: &Unit, snapshot: &Snapshot) -> Result<usize, VaultError> {
    let mut listed = HashSet::new();
    if snapshot.packs.len() >= LISTED {
        for kind in [Kind::DataPack, Kind::MetaPack] {
            let names = unit.objects.list(&unit.prefix(kind))?;
            listed.extend(names.iter().filter_map(|name| last_id(name)));
        }
    }
    let (mut missing, table) = (0, unit.table());
    for id in snapshot.packs.iter().filter(|id| !listed.contains(*id)) {
        let mut there = false;
        let length = table.length(id);
        for kind in [Kind::DataPack, Kind::MetaPack] {
            let has = size(&*unit.objects, &unit.object(kind, id))?;
            there = there || has.is_some() && (length.is_none() || has == length);
        }
        missing += usize::from(!there);
    }
    Ok(missing)
}

/// Looks for the pack of each chunk: the table finds one that is there and sound before any other.
fn each_chunk(unit: &Unit, snapshot: &Snapshot, closely: Closely) -> Result<(), VaultError> {
    let (entries, table) = (unit.manifest(snapshot)?, unit.table());
    let content = entries.iter().flat_map(|stored| &stored.extents).filter_map(Extent::chunk);
    let (mut found, mut lengths) = (HashSet::<ChunkId>::new(), HashMap::<Tag, u64>::new());
    for (id, _) in snapshot.manifest.iter().copied().chain(content) {
        if !found.insert(id) {
            continue;
        }
        let place = table.find(&id)?;
        let (row, slot) = place.ok_or_else(|| table.missing(&id, &unit.name))?;
        let name = unit.object(row.kind, &row.id);
        let length = match lengths.get(&row.id) {
            Some(length) => *length,
            None => look_at(unit, &row, &name, closely)?,
        };
        lengths.insert(row.id, length);
        if length < slot.range().end {
            let what = format!("it has {length} bytes of {}", row.size);
            return Err(VaultError::damaged(&name, what));
        }
    }
    Ok(())
}

/// The length of a pack that is there.
fn look_at(unit: &Unit, row: &PackRow, name: &str, closely: Closely) -> Result<u64, VaultError> {
    let missing = || VaultError::Store(ObjectError::NotFound { name: name.to_owned() });
    let length = size(&*unit.objects, name)?.ok_or_else(missing)?;
    if closely == Closely::Chunks && unit.doubts.has(&row.id) {
        return Err(VaultError::damaged(name, "it gave wrong bytes"));
    }
    Ok(length)
}
