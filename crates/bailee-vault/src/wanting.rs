//! What snapshots are seen to be wanting, by the names of objects and one header each.
//!
//! Invariants
//! 1. Needs no key and reads no pack: whoever holds the stores can do it each day. So it proves
//!    that something is gone, never that anything is whole.
//! 2. A header is read only where the names of its tenant show that something is the matter.
//! 3. Keys are listed after packs: a unit that came in between has its key before its first pack.
//!    What a list of keys does not have is asked for by its name before it counts as gone.

use std::collections::{BTreeMap, BTreeSet};

use bailee_ledger::from_hex;
use bailee_store::Objects;

use crate::error::VaultError;
use crate::names::{self, SnapshotId, Tag};
use crate::seal::Kind;
use crate::vault::{get, size};

/// What a snapshot is seen to be wanting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanting {
    /// There is no snapshot of its name.
    Snapshot,
    /// Its header is not one.
    Header(String),
    /// The vault's key is in no key file; for whoever knows of those.
    VaultKey,
    /// No vault key is there that its tenant's key is wrapped by, under this prefix.
    TenantKey(String),
    /// The key of its unit is not there, under this name.
    UnitKey(String),
    /// Its unit was erased: tombstone, and no key.
    Erased,
    /// Its unit has no packs of this sort.
    Packs(&'static str),
    /// Its unit has no index.
    Index,
    /// Nothing yet: a tombstone lies on its unit and its key is there.
    Tombstone,
}

impl Wanting {
    /// Whether it cannot be read for that.
    pub fn is_loss(&self) -> bool {
        !matches!(self, Wanting::Tombstone)
    }
}

impl std::fmt::Display for Wanting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Wanting::Snapshot => f.write_str("the store has no snapshot of this name"),
            Wanting::Header(object) => write!(f, "{object} is no snapshot any more"),
            Wanting::VaultKey => f.write_str("the vault's key is in no key file"),
            Wanting::TenantKey(prefix) => {
                write!(f, "the key of its owner is missing: {prefix}… or vault/kek/…")
            }
            Wanting::UnitKey(object) => {
                write!(f, "the key of its custody unit is missing: {object}")
            }
            Wanting::Erased => f.write_str("its custody unit has a tombstone and no key"),
            Wanting::Packs(sort) => write!(f, "no {sort} pack of its custody unit is there"),
            Wanting::Index => f.write_str(
                "no index of its custody unit is there: `bailee reindex` makes it again",
            ),
            Wanting::Tombstone => f.write_str(
                "its custody unit is half erased: an erasure was cut off before its key was \
                 destroyed; `bailee prune` takes the tombstone back, or erasing it again under a \
                 clearance goes on",
            ),
        }
    }
}

/// What the names in the stores say.
#[derive(Default)]
pub struct Census {
    snapshots: BTreeMap<SnapshotId, Tag>,
    keks: BTreeSet<Tag>,
    tenants: BTreeMap<Tag, BTreeMap<Tag, Unit>>,
    /// The keys that a tenant's key is wrapped by.
    wraps: BTreeMap<Tag, BTreeSet<Tag>>,
}

/// What of a unit there is.
#[derive(Clone, Copy, Default)]
struct Unit {
    key: bool,
    tombstone: bool,
    data: bool,
    meta: bool,
    index: bool,
}

impl Unit {
    /// Nothing is the matter with a snapshot of it, as far as names tell: all of it there is, or a
    /// tombstone and nothing else.
    fn is_fine(&self) -> bool {
        let Unit { key, tombstone, data, meta, index } = *self;
        // Without any data pack it is looked at more closely: what is kept may be empty.
        let whole = key && !tombstone && data && meta && index;
        whole || tombstone && !(key || data || meta || index)
    }
}

impl Census {
    /// Lists both stores: where packs are, and where keys are.
    ///
    /// # Errors
    /// Store failures.
    pub fn take(packs: &dyn Objects, keys: &dyn Objects) -> Result<Census, VaultError> {
        let mut census = Census::default();
        let same = std::ptr::addr_eq(packs, keys);
        packs.list(names::ROOT)?.iter().for_each(|name| census.add(name, same));
        if !same {
            keys.list(names::ROOT)?.iter().for_each(|name| census.add(name, true));
        }
        Ok(census)
    }

    /// Every snapshot there is, whosever it is.
    pub fn snapshots(&self) -> impl Iterator<Item = SnapshotId> + '_ {
        self.snapshots.keys().copied()
    }

    /// Only what lies among the keys is a key: elsewhere it opens nothing.
    fn add(&mut self, name: &str, among_keys: bool) {
        if let Some(kek) = name.strip_prefix(names::KEKS).and_then(from_hex) {
            self.keks.extend(Some(kek).filter(|_| among_keys));
            return;
        }
        let rest = name.strip_prefix(names::TENANTS).and_then(|rest| rest.split_once('/'));
        let Some((tenant, rest)) = rest else { return };
        let Some(tenant) = from_hex(tenant) else { return };
        if let Some(id) = rest.strip_prefix("s/").and_then(|id| id.parse().ok()) {
            self.snapshots.insert(id, tenant);
        } else if let Some(kek) = rest.strip_prefix("key/").and_then(from_hex) {
            self.wraps.entry(tenant).or_default().extend(Some(kek).filter(|_| among_keys));
        } else if let Some((unit, kind)) = rest.strip_prefix("u/").and_then(|r| r.split_once('/')) {
            let Some(unit) = from_hex(unit) else { return };
            let unit = self.tenants.entry(tenant).or_default().entry(unit).or_default();
            match kind.split('/').next() {
                Some("key") => unit.key |= among_keys,
                Some("erased") => unit.tombstone |= among_keys,
                Some("data") => unit.data = true,
                Some("meta") => unit.meta = true,
                Some("index" | "sorted") => unit.index = true,
                _ => {}
            }
        }
    }

    /// What these snapshots are wanting; those of which nothing is seen to be are not named.
    ///
    /// # Errors
    /// Store failures.
    pub fn wanting(
        &self,
        (packs, keys): (&dyn Objects, &dyn Objects),
        of: &BTreeSet<SnapshotId>,
    ) -> Result<BTreeMap<SnapshotId, Wanting>, VaultError> {
        let mut found = BTreeMap::new();
        for id in of {
            let wanting = match self.snapshots.get(id) {
                None => Some(Wanting::Snapshot),
                Some(tenant) => self.of_tenant((packs, keys), tenant, id)?,
            };
            found.extend(wanting.map(|wanting| (*id, wanting)));
        }
        Ok(found)
    }

    /// Of these snapshots, those in a custody unit that has one of these objects, those that are
    /// one, and those that one is a key above.
    ///
    /// # Errors
    /// Store failures.
    pub fn beside<'a>(
        &self,
        packs: &dyn Objects,
        objects: impl Iterator<Item = &'a str>,
        of: &BTreeSet<SnapshotId>,
    ) -> Result<BTreeSet<SnapshotId>, VaultError> {
        let unit = |name: &str| {
            let (tenant, rest) = name.strip_prefix(names::TENANTS)?.split_once("/u/")?;
            Some((from_hex::<16>(tenant)?, from_hex::<16>(rest.split('/').next()?)?))
        };
        let names: BTreeSet<&str> = objects.collect();
        let units: BTreeSet<(Tag, Tag)> = names.iter().copied().filter_map(unit).collect();
        let above = |tenant: &Tag| {
            let keys = names::tenant_keys(tenant);
            let is = |name: &&str| name.starts_with(&keys) || name.starts_with(names::KEKS);
            names.iter().any(is)
        };
        let mut found = BTreeSet::new();
        for (id, tenant) in self.snapshots.iter().filter(|(id, _)| of.contains(id)) {
            if above(tenant) || names.contains(names::snapshot(tenant, id).as_str()) {
                found.insert(*id);
            }
            if !units.iter().any(|(of, _)| of == tenant) {
                continue;
            }
            let header = get(packs, &names::snapshot(tenant, id))?;
            let tag = header.and_then(|bytes| <Tag>::try_from(bytes.get(32..48)?).ok());
            if tag.is_some_and(|tag| units.contains(&(*tenant, tag))) {
                found.insert(*id);
            }
        }
        Ok(found)
    }

    fn of_tenant(
        &self,
        (packs, keys): (&dyn Objects, &dyn Objects),
        tenant: &Tag,
        id: &SnapshotId,
    ) -> Result<Option<Wanting>, VaultError> {
        let known = self.wraps.get(tenant);
        let mut opens = known.is_some_and(|known| !known.is_disjoint(&self.keks));
        for kek in &self.keks {
            opens = opens || size(keys, &names::tenant_key(tenant, kek))?.is_some();
        }
        if !opens {
            return Ok(Some(Wanting::TenantKey(names::tenant_keys(tenant))));
        }
        let units = self.tenants.get(tenant);
        if units.is_some_and(|units| units.values().all(Unit::is_fine)) {
            return Ok(None);
        }
        let name = names::snapshot(tenant, id);
        let Some(object) = get(packs, &name)? else { return Ok(Some(Wanting::Snapshot)) };
        let Some(tag) = object.get(32..48).and_then(|tag| <Tag>::try_from(tag).ok()) else {
            return Ok(Some(Wanting::Header(name)));
        };
        let unit = units.and_then(|units| units.get(&tag)).copied().unwrap_or_default();
        let key = names::object(tenant, &tag, Kind::UnitKey, &[0; 16]);
        let key_there = unit.key || size(keys, &key)?.is_some();
        Ok(match (key_there, unit.tombstone) {
            (false, true) => Some(Wanting::Erased),
            (false, false) => Some(Wanting::UnitKey(key)),
            (true, _) if !unit.meta => Some(Wanting::Packs("meta")),
            (true, _) if !unit.index => Some(Wanting::Index),
            (true, true) => Some(Wanting::Tombstone),
            (true, false) => None,
        })
    }
}
