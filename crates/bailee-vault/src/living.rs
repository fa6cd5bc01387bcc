//! What the catalogue says is kept, and the marks of what that needs.
//!
//! Invariants
//! 1. A store's list says what is there, never that something is not: each snapshot the catalogue
//!    names, and each that this process has put, is asked for by its name.
//! 2. A snapshot that is kept by the catalogue and not there stops all letting go in its unit.
//! 3. The catalogue is asked while nobody else lets go of anything in the unit.
//!
//! Out of scope: who keeps the catalogue; for a house it is the log.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::error::VaultError;
use crate::manifest::Extent;
use crate::names::{self, SnapshotId, Tag};
use crate::pack::ChunkId;
use crate::seal::Kind;
use crate::snapshot::Snapshot;
use crate::stay::lock;
use crate::unit::Unit;
use crate::vault::{Tenant, Vault, get};

/// Snapshots of one custody unit, in the words of whoever keeps the catalogue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Living {
    /// These are kept. If one of them is not in the store, nothing of the unit is let go of.
    pub kept: BTreeSet<SnapshotId>,
    /// Letting go of these was begun and its end is not known. What is there counts as kept.
    pub unsure: BTreeSet<SnapshotId>,
    /// These were let go of. One that is there again, in a copy of the store that was brought back,
    /// needs nothing, and goes with the next prune.
    pub gone: BTreeSet<SnapshotId>,
}

/// Says what is kept in a custody unit, given tenant and unit; an error if it cannot be known.
pub type Catalogue<'a> = dyn Fn(&str, &str) -> Result<Living, String> + 'a;

/// Where there is no catalogue: what the store lists, and what this process has put, is all.
///
/// # Errors
/// None.
pub fn no_catalogue(_tenant: &str, _unit: &str) -> Result<Living, String> {
    Ok(Living::default())
}

/// Which unit a tenant's snapshot is in: it is in one for ever.
pub(crate) type Homes = HashMap<SnapshotId, Tag>;

/// What snapshots need. A chunk counts by eight bytes of its keyed id: if two share them, a dead
/// one is kept, and no live one is lost.
pub(crate) struct Mark<'a> {
    living: Living,
    homes: &'a mut Homes,
    seen: BTreeSet<SnapshotId>,
    prints: Vec<u64>,
    /// Packs that these snapshots lay in when they were taken.
    pub(crate) packs: HashSet<Tag>,
}

fn print(id: &ChunkId) -> u64 {
    let mut first = [0; 8];
    first.copy_from_slice(&id[..8]);
    u64::from_be_bytes(first)
}

impl<'a> Mark<'a> {
    /// Of a unit, and without a snapshot that is being let go of. The caller holds `pruning`.
    pub(crate) fn new(
        unit: &Unit,
        catalogue: &Catalogue<'_>,
        leaving: Option<SnapshotId>,
        homes: &'a mut Homes,
    ) -> Result<Self, VaultError> {
        let living = catalogue(&unit.tenant, &unit.name);
        let named = |detail| VaultError::NoCatalogue { unit: unit.name.clone(), detail };
        let living = living.map_err(named)?;
        let seen = leaving.into_iter().chain(living.gone.iter().copied()).collect();
        Ok(Self { living, homes, seen, prints: Vec::new(), packs: HashSet::new() })
    }

    /// Which of the marks it is, if it is one.
    pub(crate) fn find(&self, id: &ChunkId) -> Option<usize> {
        self.prints.binary_search(&print(id)).ok()
    }

    pub(crate) fn has(&self, id: &ChunkId) -> bool {
        self.find(id).is_some()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.prints.len()
    }

    /// Sorts, and drops what is there twice. Stable sorting is quick where most is sorted.
    fn tidy(&mut self) {
        self.prints.sort();
        self.prints.dedup();
    }

    fn take(&mut self, unit: &Unit, snapshot: &Snapshot) -> Result<(), VaultError> {
        for stored in unit.manifest(snapshot)? {
            let chunks = stored.extents.iter().filter_map(Extent::chunk);
            self.prints.extend(chunks.map(|(id, _)| print(&id)));
        }
        self.prints.extend(snapshot.manifest.iter().map(|(id, _)| print(id)));
        self.packs.extend(&snapshot.packs);
        Ok(())
    }
}

impl Vault {
    /// Marks what snapshots need that were not there when it was called before.
    pub(crate) fn mark(
        &self,
        tenant: &Tenant,
        unit: &Unit,
        mark: &mut Mark<'_>,
    ) -> Result<(), VaultError> {
        let mut ids = lock(&unit.taken).clone();
        ids.extend(mark.living.kept.iter().chain(&mark.living.unsure));
        for name in self.objects.list(&names::snapshots(&tenant.tag))? {
            let id = names::last_id(&name)
                .ok_or_else(|| VaultError::damaged(&name, "it is not named as a snapshot"))?;
            ids.insert(SnapshotId(id));
        }
        let mut tidied = mark.prints.len();
        for id in ids {
            let elsewhere = mark.homes.get(&id).is_some_and(|home| *home != unit.tag());
            if mark.seen.contains(&id) || (elsewhere && !mark.living.kept.contains(&id)) {
                continue;
            }
            let Some(snapshot) = self.of_unit(tenant, unit, mark, id)? else { continue };
            mark.take(unit, &snapshot)?;
            mark.seen.insert(id);
            if mark.prints.len() > 2 * tidied {
                mark.tidy();
                tidied = mark.prints.len();
            }
        }
        mark.tidy();
        Ok(())
    }

    /// Deletes what was let go of and is there again; says how many there were.
    pub(crate) fn drop_gone(
        &self,
        tenant: &Tenant,
        unit: &Unit,
        mark: &Mark<'_>,
    ) -> Result<u64, VaultError> {
        let mut dropped = 0;
        if mark.living.gone.is_empty() {
            return Ok(dropped);
        }
        for name in self.objects.list(&names::snapshots(&tenant.tag))? {
            let gone = |id| mark.living.gone.contains(&SnapshotId(id));
            if !names::last_id(&name).is_some_and(gone) {
                continue;
            }
            let header = get(&*self.objects, &name)?;
            if header.and_then(|object| object.get(32..48).map(|home| home == unit.tag()))
                == Some(true)
            {
                self.objects.delete(&name)?;
                dropped += 1;
            }
        }
        Ok(dropped)
    }

    /// A snapshot by its name; `None` if it is not there and need not be, or is of another unit.
    fn of_unit(
        &self,
        tenant: &Tenant,
        unit: &Unit,
        mark: &mut Mark<'_>,
        id: SnapshotId,
    ) -> Result<Option<Snapshot>, VaultError> {
        let (name, kept) = (names::snapshot(&tenant.tag, &id), mark.living.kept.contains(&id));
        let Some(object) = get(&*self.objects, &name)? else {
            let missing = || VaultError::SnapshotMissing {
                id: id.to_string(),
                unit: unit.name.clone(),
                object: name,
            };
            return if kept { Err(missing()) } else { Ok(None) };
        };
        let mut home = [0; 16];
        let stored = object.get(32..48).ok_or_else(|| VaultError::damaged(&name, "too short"))?;
        home.copy_from_slice(stored);
        if home != unit.tag() && !kept {
            mark.homes.insert(id, home);
            return Ok(None);
        }
        // One that the catalogue has here and that says it is elsewhere does not open.
        Snapshot::open(unit.key(), &unit.place(Kind::Snapshot, id.0), &name, object).map(Some)
    }
}
