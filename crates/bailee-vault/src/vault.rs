//! The vault: its keys, tenants and custody units.
//!
//! Invariants
//! 1. A key object is durable before the first object under that key.
//! 2. A missing key is never replaced by a new one while objects under it exist, and never taken
//!    for an erasure: only a tombstone, sealed with the tenant's key, is one.
//! 3. One process writes to a vault (its owner holds the directory lock); within it, preserving,
//!    reading and pruning a unit go on together (`prune.rs`), erasing and reindexing it go alone.
//!
//! Out of scope: who may ask. Holds and approvals are the gate's; here only pins and clearances.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bailee_store::{ObjectError, Objects, Put};

use crate::erasure::{self, DestroyedKey};
use crate::error::VaultError;
use crate::key::{Kek, Secret, random};
use crate::names::{self, SnapshotId, Tag, check_name, tag};
use crate::seal::{Kind, Place, open_whole, seal_whole};
use crate::snapshot::{Snapshot, SnapshotInfo};
use crate::unit::Unit;
use crate::wire::{Malformed, Reader, Writer};

/// An open vault. Cheap to share behind an `Arc`; every method takes `&self`.
pub struct Vault {
    pub(crate) objects: Arc<dyn Objects>,
    pub(crate) keys: Arc<dyn Objects>,
    pub(crate) kek: Kek,
    pub(crate) id: Tag,
    pub(crate) naming: Secret,
    units: Mutex<HashMap<(Tag, Tag), Arc<Unit>>>,
    /// Held from before a tombstone is put until all of its unit is deleted.
    pub(crate) burying: Mutex<()>,
}

/// A tenant's root key.
pub(crate) struct Tenant {
    pub(crate) name: String,
    pub(crate) tag: Tag,
    pub(crate) root: Secret,
}

/// What to do about a key that is not there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Absent {
    Create,
    Refuse,
}

impl Vault {
    /// Creates a vault whose wrapped keys lie in the same store as its packs.
    ///
    /// # Errors
    /// [`VaultError::AlreadyAVault`] if the store holds one; store failures.
    pub fn create(objects: Arc<dyn Objects>, kek: &Kek) -> Result<Self, VaultError> {
        Self::create_with_keys(Arc::clone(&objects), objects, kek)
    }

    /// Opens a vault whose wrapped keys lie in the same store as its packs.
    ///
    /// # Errors
    /// [`VaultError::NoVault`], [`VaultError::WrongKek`]; damage; store failures.
    pub fn open(objects: Arc<dyn Objects>, kek: &Kek) -> Result<Self, VaultError> {
        Self::open_with_keys(Arc::clone(&objects), objects, kek)
    }

    /// Like [`Vault::create`], with wrapped keys in a store of their own: one that keeps no old
    /// versions, so that erasing a unit destroys its key even if the packs' store keeps copies.
    ///
    /// # Errors
    /// As [`Vault::create`].
    pub fn create_with_keys(
        objects: Arc<dyn Objects>,
        keys: Arc<dyn Objects>,
        kek: &Kek,
    ) -> Result<Self, VaultError> {
        if !objects.list(names::ROOT)?.is_empty() || !keys.list(names::ROOT)?.is_empty() {
            return Err(VaultError::AlreadyAVault);
        }
        let (id, naming) = (random()?, Secret::random()?);
        let mut w = Writer::default();
        w.raw(&id);
        w.raw(naming.expose());
        let sealed = seal_whole(kek.secret(), &config_place(kek), &w.0)?;
        match keys.put(&names::config(&kek.id()), &sealed)? {
            Put::Stored => Ok(Self::assemble(objects, keys, kek, id, naming)),
            Put::AlreadyThere => Err(VaultError::AlreadyAVault),
        }
    }

    /// Like [`Vault::open`], with wrapped keys in a store of their own.
    ///
    /// # Errors
    /// As [`Vault::open`].
    pub fn open_with_keys(
        objects: Arc<dyn Objects>,
        keys: Arc<dyn Objects>,
        kek: &Kek,
    ) -> Result<Self, VaultError> {
        let name = names::config(&kek.id());
        let Some(sealed) = get(&*keys, &name)? else {
            let none = keys.list(names::KEKS)?.is_empty();
            return Err(if none { VaultError::NoVault } else { VaultError::WrongKek });
        };
        let plain = open_whole(kek.secret(), &config_place(kek), &name, sealed)?;
        let mut r = Reader(&plain);
        let mut read = || Ok::<_, Malformed>((r.array()?, Secret::new(r.array()?)));
        let (id, naming) = read().map_err(|e| VaultError::damaged(&name, e))?;
        Ok(Self::assemble(objects, keys, kek, id, naming))
    }

    fn assemble(
        objects: Arc<dyn Objects>,
        keys: Arc<dyn Objects>,
        kek: &Kek,
        id: Tag,
        naming: Secret,
    ) -> Self {
        let (units, burying) = (Mutex::default(), Mutex::default());
        Self { objects, keys, kek: kek.clone(), id, naming, units, burying }
    }

    /// Whether `key` is the one that opened this vault.
    pub fn has_key(&self, key: &Kek) -> bool {
        self.kek.id() == key.id()
    }

    pub(crate) fn place(&self, kind: Kind, tenant: Tag, unit: Tag, object: Tag) -> Place {
        Place { kind, vault: self.id, tenant, unit, object }
    }

    /// A tenant's root key, made on first use if `absent` says so.
    pub(crate) fn tenant(&self, name: &str, absent: Absent) -> Result<Tenant, VaultError> {
        check_name("tenant", name)?;
        let tenant = tag(&self.naming, b"tenant", name);
        let object = names::tenant_key(&tenant, &self.kek.id());
        let place = self.place(Kind::TenantKey, tenant, [0; 16], self.kek.id());
        if let Some(sealed) = get(&*self.keys, &object)? {
            let (root, stored) = self.unwrap_key(self.kek.secret(), &place, &object, sealed)?;
            if stored != name {
                return Err(VaultError::damaged(&object, "it holds another tenant's key"));
            }
            return Ok(Tenant { name: stored, tag: tenant, root });
        }
        let prefix = names::tenant(&tenant);
        if !self.objects.list(&prefix)?.is_empty() || !self.keys.list(&prefix)?.is_empty() {
            return Err(VaultError::KeyMissing { unit: name.to_owned(), object });
        }
        if absent == Absent::Refuse {
            return Err(VaultError::UnknownTenant { tenant: name.to_owned() });
        }
        self.wrap_new_key(self.kek.secret(), &place, &object, name)?;
        self.tenant(name, Absent::Refuse)
    }

    fn wrap_new_key(
        &self,
        under: &Secret,
        place: &Place,
        object: &str,
        name: &str,
    ) -> Result<(), VaultError> {
        let mut w = Writer::default();
        w.raw(Secret::random()?.expose());
        w.bytes(name.as_bytes());
        self.keys.put(object, &seal_whole(under, place, &w.0)?)?;
        Ok(())
    }

    pub(crate) fn unwrap_key(
        &self,
        under: &Secret,
        place: &Place,
        object: &str,
        sealed: Vec<u8>,
    ) -> Result<(Secret, String), VaultError> {
        self.read_key(object, &zeroize::Zeroizing::new(open_whole(under, place, object, sealed)?))
    }

    /// A key and the name of what it is for.
    pub(crate) fn read_key(
        &self,
        object: &str,
        plain: &[u8],
    ) -> Result<(Secret, String), VaultError> {
        let mut r = Reader(plain);
        let mut read = || Ok::<_, Malformed>((Secret::new(r.array()?), r.text()?));
        read().map_err(|e| VaultError::damaged(object, e))
    }

    /// A custody unit with its keys and chunk table, loaded once.
    pub(crate) fn unit(
        &self,
        tenant: &Tenant,
        name: &str,
        absent: Absent,
    ) -> Result<Arc<Unit>, VaultError> {
        check_name("custody unit", name)?;
        let unit_tag = tag(&tenant.root, b"unit", name);
        if let Some(unit) = self.cached(tenant.tag, unit_tag) {
            return Ok(unit);
        }
        if self.is_erased(tenant, unit_tag)? {
            return Err(VaultError::UnitErased { unit: name.to_owned() });
        }
        if let Some(unit) = self.unit_by_tag(tenant, unit_tag)? {
            return Ok(unit);
        }
        let object = names::object(&tenant.tag, &unit_tag, Kind::UnitKey, &[0; 16]);
        if !self.objects.list(&names::unit(&tenant.tag, &unit_tag))?.is_empty() {
            return Err(VaultError::KeyMissing { unit: name.to_owned(), object });
        }
        if absent == Absent::Refuse {
            let (tenant, unit) = (tenant.name.clone(), name.to_owned());
            return Err(VaultError::UnknownUnit { tenant, unit });
        }
        let place = self.place(Kind::UnitKey, tenant.tag, unit_tag, [0; 16]);
        self.wrap_new_key(&tenant.root, &place, &object, name)?;
        self.unit_by_tag(tenant, unit_tag)?
            .ok_or(VaultError::KeyMissing { unit: name.to_owned(), object })
    }

    fn cached(&self, tenant: Tag, unit: Tag) -> Option<Arc<Unit>> {
        let units = self.units.lock().unwrap_or_else(PoisonError::into_inner);
        units.get(&(tenant, unit)).cloned()
    }

    /// The unit behind a tag; `None` if its key is gone.
    pub(crate) fn unit_by_tag(
        &self,
        tenant: &Tenant,
        unit_tag: Tag,
    ) -> Result<Option<Arc<Unit>>, VaultError> {
        if let Some(unit) = self.cached(tenant.tag, unit_tag) {
            return Ok(Some(unit));
        }
        let object = names::object(&tenant.tag, &unit_tag, Kind::UnitKey, &[0; 16]);
        let Some(sealed) = get(&*self.keys, &object)? else { return Ok(None) };
        let place = self.place(Kind::UnitKey, tenant.tag, unit_tag, [0; 16]);
        let (dek, name) = self.unwrap_key(&tenant.root, &place, &object, sealed)?;
        let place = Place { kind: Kind::DataPack, ..place };
        let unit = Unit::load(Arc::clone(&self.objects), place, tenant.name.clone(), name, dek)?;
        let mut units = self.units.lock().unwrap_or_else(PoisonError::into_inner);
        let unit = units.entry((tenant.tag, unit_tag)).or_insert_with(|| Arc::new(unit));
        Ok(Some(Arc::clone(unit)))
    }

    /// Whether an authentic tombstone lies on the unit.
    pub(crate) fn is_erased(&self, tenant: &Tenant, unit: Tag) -> Result<bool, VaultError> {
        let name = names::object(&tenant.tag, &unit, Kind::Tombstone, &[0; 16]);
        let Some(sealed) = get(&*self.keys, &name)? else { return Ok(false) };
        let place = self.place(Kind::Tombstone, tenant.tag, unit, [0; 16]);
        open_whole(&tenant.root, &place, &name, sealed).map(|_| true)
    }

    /// Puts the tombstone, with the copies of the key that are to go: from here on the unit is
    /// erased, whatever is left of it.
    pub(crate) fn bury(
        &self,
        tenant: &Tenant,
        unit: &Unit,
        keys: &[DestroyedKey],
    ) -> Result<(), VaultError> {
        let name = names::object(&tenant.tag, &unit.tag(), Kind::Tombstone, &[0; 16]);
        let place = self.place(Kind::Tombstone, tenant.tag, unit.tag(), [0; 16]);
        let mut w = Writer::default();
        w.bytes(unit.name.as_bytes());
        erasure::write(&mut w, keys);
        self.keys.put(&name, &seal_whole(&tenant.root, &place, &w.0)?)?;
        Ok(())
    }

    /// Drops a unit's key from memory; whoever still reads the unit drops the last of it.
    pub(crate) fn forget(&self, tenant: &Tenant, unit: Tag) {
        let mut units = self.units.lock().unwrap_or_else(PoisonError::into_inner);
        units.remove(&(tenant.tag, unit));
    }

    /// Names of objects in the key store.
    pub(crate) fn key_objects(&self, prefix: &str) -> Result<Vec<String>, VaultError> {
        Ok(self.keys.list(prefix)?)
    }

    /// All snapshots of a tenant, oldest first.
    ///
    /// # Errors
    /// [`VaultError::UnknownTenant`]; damage; store failures.
    pub fn list(&self, tenant: &str) -> Result<Vec<SnapshotInfo>, VaultError> {
        let tenant = self.tenant(tenant, Absent::Refuse)?;
        let mut infos = Vec::new();
        for name in self.objects.list(&names::snapshots(&tenant.tag))? {
            let id = names::last_id(&name)
                .ok_or_else(|| VaultError::damaged(&name, "it is not named as a snapshot"))?;
            if let Some((_, snapshot)) = self.find_snapshot(&tenant, &SnapshotId(id))? {
                infos.push(snapshot.info);
            }
        }
        infos.sort_by_key(|info| (info.taken_at, info.id));
        Ok(infos)
    }

    /// A snapshot and its unit.
    pub(crate) fn snapshot(
        &self,
        tenant: &Tenant,
        id: &SnapshotId,
    ) -> Result<(Arc<Unit>, Snapshot), VaultError> {
        let found = self.find_snapshot(tenant, id)?;
        let (unit, snapshot) = found.ok_or_else(|| VaultError::UnknownSnapshot {
            tenant: tenant.name.clone(),
            id: id.to_string(),
        })?;
        unit.catch_up(&snapshot.packs)?;
        Ok((unit, snapshot))
    }

    /// `None`: there is none, or its unit was erased.
    fn find_snapshot(
        &self,
        tenant: &Tenant,
        id: &SnapshotId,
    ) -> Result<Option<(Arc<Unit>, Snapshot)>, VaultError> {
        let name = names::snapshot(&tenant.tag, id);
        let Some(object) = get(&*self.objects, &name)? else { return Ok(None) };
        let mut unit_tag = [0; 16];
        let stored = object.get(32..48).ok_or_else(|| VaultError::damaged(&name, "too short"))?;
        unit_tag.copy_from_slice(stored);
        let Some(unit) = self.unit_by_tag(tenant, unit_tag)? else {
            return if self.is_erased(tenant, unit_tag)? {
                Ok(None)
            } else if self.objects.list(&names::unit(&tenant.tag, &unit_tag))?.is_empty() {
                Err(VaultError::damaged(&name, "its header names a unit of which nothing is here"))
            } else {
                let object = names::object(&tenant.tag, &unit_tag, Kind::UnitKey, &[0; 16]);
                let unit = format!("(snapshot {id})");
                Err(VaultError::KeyMissing { unit, object })
            };
        };
        let place = unit.place(Kind::Snapshot, id.0);
        let snapshot = Snapshot::open(unit.key(), &place, &name, object)?;
        Ok(Some((unit, snapshot)))
    }
}

pub(crate) fn config_place(kek: &Kek) -> Place {
    Place { kind: Kind::Config, vault: [0; 16], tenant: [0; 16], unit: [0; 16], object: kek.id() }
}

/// The size of an object that a list has, and that may be gone by now.
pub(crate) fn size(objects: &dyn Objects, name: &str) -> Result<Option<u64>, VaultError> {
    match objects.size(name) {
        Ok(size) => Ok(Some(size)),
        Err(ObjectError::NotFound { .. }) => Ok(None),
        Err(e) => Err(e.into()),
    }
}

/// An object that may be absent.
pub(crate) fn get(objects: &dyn Objects, name: &str) -> Result<Option<Vec<u8>>, VaultError> {
    match objects.get(name) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(ObjectError::NotFound { .. }) => Ok(None),
        Err(e) => Err(e.into()),
    }
}
