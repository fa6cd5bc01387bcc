//! A custody unit: its keys and its chunk table. Reading its chunks is in `chunk.rs`.
//!
//! Invariants
//! 1. Deduplication never leaves a unit (docs/decisions/0010): destroying the unit's key destroys
//!    all of its data and nothing of any other unit.
//! 2. The table is replaced whole; readers keep the one they have.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use bailee_store::Objects;

use crate::chunk::{Desk, OpenPack};
use crate::chunker::Cutter;
use crate::doubt::Doubts;
use crate::error::VaultError;
use crate::index::{PackRow, Segment, Table};
use crate::key::Secret;
use crate::manifest::{Stored, check, read_all};
use crate::names::{self, SnapshotId, Tag};
use crate::pack::ChunkId;
use crate::seal::{Kind, Place};
use crate::snapshot::Snapshot;
use crate::sorted::Sorted;
use crate::stay::{Stay, Stays, lock};

/// A segment, or why it cannot be used.
type Read = Result<Segment, VaultError>;
type Opened = Result<Arc<Sorted>, VaultError>;

pub(crate) struct Unit {
    pub(crate) objects: Arc<dyn Objects>,
    pub(crate) tenant: String,
    pub(crate) name: String,
    place: Place,
    dek: Secret,
    chunk_key: Secret,
    pub(crate) cutter: Cutter,
    table: RwLock<Arc<Table>>,
    /// Packs that are being read from.
    pub(crate) open: Mutex<HashMap<Tag, Arc<OpenPack>>>,
    /// Shared by preserving, reading and pruning; exclusive for erasing, reindexing and merging.
    pub(crate) gate: RwLock<()>,
    /// Held by whoever prunes.
    pub(crate) pruning: Mutex<()>,
    /// Held where a snapshot is put or deleted, and where packs are condemned. Never for long.
    pub(crate) switch: Mutex<()>,
    /// Snapshots that this process has put, whether a store lists them yet or not.
    pub(crate) taken: Mutex<BTreeSet<SnapshotId>>,
    pub(crate) stays: Stays,
    /// Packs that tables leave out: a prune deletes them once nobody can look into them.
    pub(crate) condemned: Mutex<HashMap<Tag, PackRow>>,
    /// Names of segments that tables leave out, for the same reason.
    pub(crate) retired: Mutex<HashSet<String>>,
    /// Packs that gave wrong bytes.
    pub(crate) doubts: Doubts,
    /// Packs that snapshots name and a prune has rewritten.
    rewritten: Mutex<HashSet<Tag>>,
    /// A table is made by one thread at a time, so that an older one never comes last.
    reloading: Mutex<()>,
}

impl Unit {
    pub(crate) fn load(
        objects: Arc<dyn Objects>,
        place: Place,
        tenant: String,
        name: String,
        dek: Secret,
    ) -> Result<Self, VaultError> {
        let mut cut_key = [0; 16];
        let derived = dek.derive(b"", &[b"bailee/vault/v1 cut key"]);
        cut_key.copy_from_slice(&derived.expose()[..16]);
        let unit = Self {
            tenant,
            name,
            place,
            chunk_key: dek.derive(b"", &[b"bailee/vault/v1 chunk id"]),
            cutter: Cutter::new(&cut_key),
            dek,
            table: RwLock::new(Arc::new(Table::new(Arc::clone(&objects)))),
            open: Mutex::default(),
            gate: RwLock::default(),
            pruning: Mutex::default(),
            switch: Mutex::default(),
            taken: Mutex::default(),
            stays: Stays::default(),
            condemned: Mutex::default(),
            retired: Mutex::default(),
            doubts: Doubts::default(),
            rewritten: Mutex::default(),
            reloading: Mutex::default(),
            objects,
        };
        unit.reload()?;
        Ok(unit)
    }

    pub(crate) fn place(&self, kind: Kind, object: Tag) -> Place {
        Place { kind, object, ..self.place }
    }

    pub(crate) fn key(&self) -> &Secret {
        &self.dek
    }

    pub(crate) fn tag(&self) -> Tag {
        self.place.unit
    }

    pub(crate) fn tenant_tag(&self) -> Tag {
        self.place.tenant
    }

    /// The store's name of one of the unit's objects.
    pub(crate) fn object(&self, kind: Kind, id: &Tag) -> String {
        names::object(&self.place.tenant, &self.place.unit, kind, id)
    }

    /// The prefix of the unit's objects of one kind.
    pub(crate) fn prefix(&self, kind: Kind) -> String {
        names::of_kind(&self.place.tenant, &self.place.unit, kind)
    }

    pub(crate) fn chunk_id(&self, plain: &[u8]) -> ChunkId {
        let mut id = [0; 24];
        id.copy_from_slice(&blake3::keyed_hash(self.chunk_key.expose(), plain).as_bytes()[..24]);
        id
    }

    /// To be held by whoever reads chunks or deduplicates against them, before taking the table.
    pub(crate) fn enter(&self) -> Stay<'_> {
        let gate = self.gate.read().unwrap_or_else(PoisonError::into_inner);
        Stay { _gate: gate, _turn: self.stays.enter() }
    }

    /// Makes sure that the table is no older than a snapshot that names these packs.
    pub(crate) fn catch_up(&self, packs: &[Tag]) -> Result<(), VaultError> {
        let unknown = |id: &&Tag| !self.table().knows(std::slice::from_ref(*id));
        if packs.iter().filter(unknown).all(|id| lock(&self.rewritten).contains(id)) {
            return Ok(());
        }
        self.reload()?; // another process wrote it since the table was read
        let gone = packs.iter().filter(unknown).copied();
        lock(&self.rewritten).extend(gone);
        Ok(())
    }

    /// Names of the segments of a kind that tables take in.
    fn segment_names(&self, kind: Kind) -> Result<Vec<String>, VaultError> {
        let mut names = self.objects.list(&self.prefix(kind))?;
        let retired = lock(&self.retired);
        names.retain(|name| !retired.contains(name));
        Ok(names)
    }

    /// One segment, by its name.
    pub(crate) fn segment(&self, name: &str) -> Result<Segment, VaultError> {
        if name.starts_with(&self.prefix(Kind::Index)) {
            return self.old_segment(name)?.1;
        }
        let id = names::last_id(name)
            .ok_or_else(|| VaultError::damaged(name, "it is not named as an index"))?;
        let place = self.place(Kind::Sorted, id);
        Sorted::open(&*self.objects, &self.dek, &place, name)?.load(&*self.objects)
    }

    /// All segments, one after the other. One that cannot be read is an error.
    pub(crate) fn each_segment(
        &self,
        take: &mut dyn FnMut(Segment) -> Result<(), VaultError>,
    ) -> Result<(), VaultError> {
        for kind in [Kind::Index, Kind::Sorted] {
            for name in self.segment_names(kind)? {
                take(self.segment(&name)?)?;
            }
        }
        Ok(())
    }

    /// The packs each segment names. A segment that cannot be read is an error.
    pub(crate) fn each_rows(
        &self,
        take: &mut dyn FnMut(&str, &[PackRow]),
    ) -> Result<(), VaultError> {
        for name in self.segment_names(Kind::Index)? {
            let segment = self.old_segment(&name)?.1?;
            take(&name, &segment.packs.iter().map(|(row, _)| *row).collect::<Vec<_>>());
        }
        for (name, opened) in self.sorted(&self.table())? {
            take(&name, &opened?.rows);
        }
        Ok(())
    }

    /// The chunks known now.
    pub(crate) fn table(&self) -> Arc<Table> {
        Arc::clone(&self.table.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// All segments, with the names of their objects. One that is damaged comes as its error.
    pub(crate) fn segments(&self) -> Result<Vec<(String, Read)>, VaultError> {
        let mut out = Vec::new();
        for name in self.segment_names(Kind::Index)? {
            out.push(self.old_segment(&name)?);
        }
        for (name, opened) in self.sorted(&Table::new(Arc::clone(&self.objects)))? {
            out.push((name, opened.and_then(|sorted| sorted.load(&*self.objects))));
        }
        Ok(out)
    }

    fn old_segment(&self, name: &str) -> Result<(String, Read), VaultError> {
        let id = names::last_id(name)
            .ok_or_else(|| VaultError::damaged(name, "it is not named as an index"))?;
        let place = self.place(Kind::Index, id);
        match Segment::open(&self.dek, &place, name, self.objects.get(name)?) {
            Err(e @ VaultError::UnknownFormat { .. }) => Err(e),
            read => Ok((name.to_owned(), read)),
        }
    }

    /// Sorted segments, taken from `before` where it has them open.
    fn sorted(&self, before: &Table) -> Result<Vec<(String, Opened)>, VaultError> {
        let mut out = Vec::new();
        for name in self.segment_names(Kind::Sorted)? {
            if let Some(open) = before.segments().find(|s| s.name == name) {
                out.push((name, Ok(Arc::clone(open))));
                continue;
            }
            let id = names::last_id(&name)
                .ok_or_else(|| VaultError::damaged(&name, "it is not named as an index"))?;
            let place = self.place(Kind::Sorted, id);
            match Sorted::open(&*self.objects, &self.dek, &place, &name) {
                Err(e @ VaultError::UnknownFormat { .. }) => return Err(e),
                opened => out.push((name, opened.map(Arc::new))),
            }
        }
        Ok(out)
    }

    /// Reads the table anew from the store. Damaged segments are left out: what they alone name
    /// shows as [`VaultError::MissingChunk`], which names them; the rest of the unit stays
    /// readable.
    pub(crate) fn reload(&self) -> Result<(), VaultError> {
        let _one = lock(&self.reloading);
        let mut table = Table::new(Arc::clone(&self.objects));
        let Place { tenant, unit, .. } = self.place;
        self.doubts.load(&*self.objects, &names::doubts(&tenant, &unit))?;
        table.in_unit((tenant, unit), self.doubts.clone());
        table.without(lock(&self.condemned).keys().copied().collect());
        for (name, opened) in self.sorted(&self.table())? {
            match opened {
                Ok(sorted) => table.add(sorted),
                Err(_) => table.leave_out(name),
            }
        }
        for name in self.segment_names(Kind::Index)? {
            match self.old_segment(&name)?.1 {
                Ok(segment) => table.add_old(&segment),
                Err(_) => table.leave_out(name),
            }
        }
        *self.table.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(table);
        self.open.lock().unwrap_or_else(PoisonError::into_inner).clear();
        Ok(())
    }

    /// The manifest of a snapshot: authentic, checked, and matching the root.
    pub(crate) fn manifest(&self, snapshot: &Snapshot) -> Result<Vec<Stored>, VaultError> {
        let table = self.table();
        let name = names::snapshot(&self.place.tenant, &snapshot.info.id);
        let (mut bytes, mut desk) = (Vec::new(), Desk::default());
        for (id, len) in &snapshot.manifest {
            self.chunk(&table, id, *len, &mut desk)?;
            bytes.extend_from_slice(&desk.plain);
        }
        let entries = read_all(&bytes).map_err(|e| VaultError::damaged(&name, e))?;
        check(&entries, snapshot.info.kind.shape()).map_err(|e| VaultError::damaged(&name, e))?;
        if snapshot.root_over(&entries) != snapshot.info.root {
            return Err(VaultError::damaged(&name, "its manifest does not give its root"));
        }
        Ok(entries)
    }
}
