//! The index: which packs there are, with their hashes, and where each chunk lies.
//!
//! Segments are immutable objects. Those written now are looked up on disk (`sorted.rs`); those of
//! kind 5, written first and read for ever, are read whole:
//!
//! ```text
//! header 128 | packs u32 | per pack: id 16, kind u8, size u64, SHA-256 32 | sealed entries, tag
//! entry 40: chunk id 24 | pack u32 (position in this table) | offset u32 | stored length u32
//!           with the codec in the top bit | plain length u32
//! ordinals: entries of a pack are in ordinal order, so the ordinal is counted, not stored
//! ```
//!
//! Invariants
//! 1. A segment is put only after every pack it names is durable: a chunk it names can be
//!    deduplicated against at once, even if the snapshot that caused it never came to be.
//! 2. The pack table is in clear, so that a scrub needs no key; it is bound to the sealed part.
//! 3. A table is what the store held when it was made; segments it shares with the one before are
//!    not opened again.
//! 4. That a segment names a pack does not mean that it is there: segments are authentic, but need
//!    not be fresh. A pack is looked for once, before its chunks are counted on.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use bailee_ledger::to_hex;
use bailee_store::{ObjectError, Objects};

use crate::doubt::Doubts;
use crate::error::VaultError;
use crate::key::Secret;
use crate::names::{self, Tag};
use crate::pack::{ChunkId, RAW, Slot, ZSTD};
use crate::seal::{HEADER, Kind, Place, RecordInfo, Seal, open_body};
use crate::sorted::{self, Sorted};
use crate::stay::lock;
use crate::wire::{Reader, Writer};

/// Bytes of one pack row in clear in segments of kind 5.
pub(crate) const OLD_ROW: usize = 57;
/// The same in sorted segments.
pub(crate) const PACK_ROW: usize = 58;
const ZSTD_BIT: u32 = 1 << 31;

/// What the bytes of a pack give, and by which function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PackHash {
    Sha256([u8; 32]),
    Blake3([u8; 32]),
}

/// What is known of a pack without a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PackRow {
    pub(crate) id: Tag,
    pub(crate) kind: Kind,
    pub(crate) size: u64,
    pub(crate) hash: PackHash,
}

/// A decoded or growing segment.
#[derive(Default, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) packs: Vec<(PackRow, Vec<Slot>)>,
}

impl Segment {
    /// Encodes and seals, as a sorted segment.
    pub(crate) fn seal(&self, master: &Secret, place: &Place) -> Result<Vec<u8>, VaultError> {
        sorted::seal(self, &Seal::create(master, place)?)
    }

    /// Opens and decodes.
    pub(crate) fn open(
        master: &Secret,
        place: &Place,
        name: &str,
        mut object: Vec<u8>,
    ) -> Result<Self, VaultError> {
        let seal = Seal::open(master, place, name, &object)?;
        let rows = read_rows(name, &object)?;
        let open_len = 4 + rows.len() * OLD_ROW;
        let (open, sealed) = object[HEADER..].split_at_mut(open_len);
        let plain = open_body(&seal, name, open, sealed)?;
        let mut packs: Vec<(PackRow, Vec<Slot>)> =
            rows.into_iter().map(|row| (row, Vec::new())).collect();
        let mut r = Reader(plain);
        while !r.0.is_empty() {
            read_entry(&mut r, &mut packs).map_err(|e| VaultError::damaged(name, e))?;
        }
        Ok(Self { packs })
    }
}

fn read_entry(r: &mut Reader<'_>, packs: &mut [(PackRow, Vec<Slot>)]) -> Result<(), &'static str> {
    let (id, number, offset) = (r.array()?, r.u32()? as usize, r.u32()?);
    let (stored, plain_len) = (r.u32()?, r.u32()?);
    let (_, slots) = packs.get_mut(number).ok_or("an entry names no pack of the table")?;
    let codec = if stored & ZSTD_BIT == 0 { RAW } else { ZSTD };
    let stored_len = stored & !ZSTD_BIT;
    let ordinal = slots.len() as u64;
    slots.push(Slot { offset, info: RecordInfo { ordinal, id, plain_len, stored_len, codec } });
    Ok(())
}

/// The pack table of a segment of kind 5, readable without a key.
pub(crate) fn read_rows(name: &str, object: &[u8]) -> Result<Vec<PackRow>, VaultError> {
    let body = object
        .get(HEADER..)
        .ok_or_else(|| VaultError::damaged(name, "it is shorter than a header"))?;
    let mut r = Reader(body);
    let rows = r.count(OLD_ROW).and_then(|count| {
        let row = |r: &mut Reader<'_>| {
            let (id, kind, size) = (r.array()?, read_kind(r)?, r.u64()?);
            Ok(PackRow { id, kind, size, hash: PackHash::Sha256(r.array()?) })
        };
        (0..count).map(|_| row(&mut r)).collect()
    });
    rows.map_err(|detail| VaultError::damaged(name, detail))
}

fn read_kind(r: &mut Reader<'_>) -> Result<Kind, &'static str> {
    match r.u8()? {
        k if k == Kind::DataPack as u8 => Ok(Kind::DataPack),
        k if k == Kind::MetaPack as u8 => Ok(Kind::MetaPack),
        _ => Err("it names a pack of unknown kind"),
    }
}

/// One row of a sorted segment.
pub(crate) fn write_row(w: &mut Writer, row: &PackRow) {
    w.raw(&row.id);
    w.u8(row.kind as u8);
    w.u64(row.size);
    let (algorithm, hash) = match &row.hash {
        PackHash::Sha256(hash) => (1, hash),
        PackHash::Blake3(hash) => (2, hash),
    };
    w.u8(algorithm);
    w.raw(hash);
}

/// The rows of a sorted segment.
pub(crate) fn parse_rows(bytes: &[u8], count: usize) -> Result<Vec<PackRow>, &'static str> {
    let mut r = Reader(bytes);
    let mut row = || {
        let (id, kind, size) = (r.array()?, read_kind(&mut r)?, r.u64()?);
        let hash = match r.u8()? {
            1 => PackHash::Sha256(r.array()?),
            2 => PackHash::Blake3(r.array()?),
            _ => return Err("it names a hash function this program does not know"),
        };
        Ok(PackRow { id, kind, size, hash })
    };
    (0..count).map(|_| row()).collect()
}

/// Packs that were looked for, and whether they are there.
#[derive(Default)]
struct Looked {
    packs: HashMap<Tag, bool>,
    /// How many were asked for one by one.
    asked: usize,
    /// All that were there have been listed.
    listed: bool,
}

/// Questions for single packs before all are listed, at least.
const ASKED: usize = 16;

/// All chunks of a unit.
pub(crate) struct Table {
    objects: Arc<dyn Objects>,
    /// Every pack that is indexed, and its length.
    known: HashMap<Tag, u64>,
    /// Packs whose chunks do not count as there.
    condemned: HashSet<Tag>,
    /// Packs that gave wrong bytes.
    doubts: Doubts,
    /// Tenant and unit, once they are said: packs are looked for before they are counted on.
    unit: Option<(Tag, Tag)>,
    /// Packs that were looked for, and whether they are there.
    looked: Mutex<Looked>,
    sorted: Vec<Arc<Sorted>>,
    /// Packs and entries of segments of kind 5, sorted by id.
    old: Vec<PackRow>,
    entries: Vec<(u32, Slot)>,
    /// Segments that are damaged and not in the table.
    unread: Vec<String>,
}

impl Table {
    pub(crate) fn new(objects: Arc<dyn Objects>) -> Self {
        let (known, condemned, sorted) = (HashMap::new(), HashSet::new(), Vec::new());
        let (unit, looked, old, entries) = (None, Mutex::default(), Vec::new(), Vec::new());
        let (doubts, unread) = (Doubts::default(), Vec::new());
        Self { objects, known, condemned, doubts, unit, looked, sorted, old, entries, unread }
    }

    /// Names a segment that is damaged and left out.
    pub(crate) fn leave_out(&mut self, name: String) {
        self.unread.push(name);
    }

    /// Says that no segment names a chunk, and which might have.
    pub(crate) fn missing(&self, id: &ChunkId, unit: &str) -> VaultError {
        let (chunk, unit, unread) = (to_hex(id), unit.to_owned(), self.unread.clone());
        VaultError::MissingChunk { chunk, unit, unread }
    }

    /// Says whose packs these are, and which of them are doubted.
    pub(crate) fn in_unit(&mut self, (tenant, unit): (Tag, Tag), doubts: Doubts) {
        self.unit = Some((tenant, unit));
        self.doubts = doubts;
    }

    /// Leaves these packs out.
    pub(crate) fn without(&mut self, condemned: HashSet<Tag>) {
        self.condemned = condemned;
    }

    /// Adds a segment.
    pub(crate) fn add(&mut self, sorted: Arc<Sorted>) {
        self.known.extend(sorted.rows.iter().map(|row| (row.id, row.size)));
        self.sorted.push(sorted);
    }

    /// Adds a segment of kind 5.
    pub(crate) fn add_old(&mut self, segment: &Segment) {
        for (row, slots) in &segment.packs {
            let number = u32::try_from(self.old.len()).expect("2^32 packs are 128 PiB");
            if self.known.insert(row.id, row.size).is_none() {
                self.old.push(*row);
                self.entries.extend(slots.iter().map(|slot| (number, *slot)));
            }
        }
        self.entries.sort_unstable_by(|a, b| (&a.1.info.id, a.0).cmp(&(&b.1.info.id, b.0)));
    }

    /// The segments looked up on disk.
    pub(crate) fn segments(&self) -> impl Iterator<Item = &Arc<Sorted>> {
        self.sorted.iter()
    }

    /// Whether every one of these packs is indexed.
    pub(crate) fn knows(&self, packs: &[Tag]) -> bool {
        packs.iter().all(|pack| self.known.contains_key(pack))
    }

    /// Bytes that a pack has, if it is indexed.
    pub(crate) fn length(&self, pack: &Tag) -> Option<u64> {
        self.known.get(pack).copied()
    }

    /// Where a chunk lies. A segment that fails on the way is an error only if no other knows. An
    /// old segment that somebody put back may name packs that are gone: one that is there comes
    /// before them, one that is not doubted before one that is, and if none is there, what comes is
    /// the first, so that reading says which is missing.
    pub(crate) fn find(&self, id: &ChunkId) -> Result<Option<(PackRow, Slot)>, VaultError> {
        let first = self.look(id, &self.condemned)?;
        if first.is_none_or(|(row, _)| self.is_sound(&row)) {
            return Ok(first);
        }
        let places = self.places(id)?;
        let sound = places.iter().find(|(row, _)| self.is_sound(row));
        let there = || places.iter().find(|(row, _)| self.is_there(row));
        Ok(sound.or_else(there).copied().or(first))
    }

    /// Everywhere a chunk lies.
    pub(crate) fn places(&self, id: &ChunkId) -> Result<Vec<(PackRow, Slot)>, VaultError> {
        let (mut places, mut without) = (Vec::new(), self.condemned.clone());
        while let Some((row, slot)) = self.look(id, &without)? {
            places.push((row, slot));
            without.insert(row.id);
        }
        Ok(places)
    }

    /// Whether a pack is there and never gave wrong bytes.
    fn is_sound(&self, row: &PackRow) -> bool {
        self.is_there(row) && !self.doubts.has(&row.id)
    }

    /// Whether the store has a pack: asked once. After some questions all packs are listed, which
    /// costs one for a thousand; one that is not in the list is asked for all the same. A store
    /// that does not answer counts as a yes, so that the error is told by whoever reads.
    fn is_there(&self, row: &PackRow) -> bool {
        let Some((tenant, unit)) = &self.unit else { return true };
        if let Some(known) = lock(&self.looked).packs.get(&row.id) {
            return *known;
        }
        if self.list_packs(tenant, unit) && lock(&self.looked).packs.contains_key(&row.id) {
            return true;
        }
        let size = self.objects.size(&names::object(tenant, unit, row.kind, &row.id));
        let there = !matches!(size, Err(ObjectError::NotFound { .. }));
        let mut looked = lock(&self.looked);
        looked.asked += 1;
        looked.packs.insert(row.id, there);
        there
    }

    /// Lists the packs if it is time to; false if it is not, or if the store does not answer.
    fn list_packs(&self, tenant: &Tag, unit: &Tag) -> bool {
        let mut looked = lock(&self.looked);
        if looked.listed || looked.asked < ASKED.max(self.known.len() / 100) {
            return looked.listed;
        }
        looked.listed = true;
        for kind in [Kind::DataPack, Kind::MetaPack] {
            let Ok(names) = self.objects.list(&names::of_kind(tenant, unit, kind)) else {
                return false;
            };
            let ids = names.iter().filter_map(|name| names::last_id(name));
            looked.packs.extend(ids.filter(|id| self.known.contains_key(id)).map(|id| (id, true)));
        }
        true
    }

    fn look(
        &self,
        id: &ChunkId,
        without: &HashSet<Tag>,
    ) -> Result<Option<(PackRow, Slot)>, VaultError> {
        let at = self.entries.partition_point(|(_, slot)| slot.info.id < *id);
        for (pack, slot) in self.entries[at..].iter().take_while(|(_, s)| s.info.id == *id) {
            let row = self.old[*pack as usize];
            if !without.contains(&row.id) {
                return Ok(Some((row, *slot)));
            }
        }
        let mut failed = Ok(None);
        for sorted in self.sorted.iter().rev() {
            match sorted.find(&*self.objects, id, without) {
                Ok(None) => {}
                Ok(found) => return Ok(found),
                Err(e) => failed = Err(e),
            }
        }
        failed
    }

    /// Whether a chunk is known to be there; one that cannot be looked up, or whose packs are gone,
    /// counts as absent: it is stored again.
    pub(crate) fn has(&self, id: &ChunkId) -> bool {
        self.find(id).is_ok_and(|found| found.is_some_and(|(row, _)| self.is_there(&row)))
    }

    /// The same, and in a pack that is not doubted.
    pub(crate) fn trusts(&self, id: &ChunkId) -> bool {
        self.find(id).is_ok_and(|found| found.is_some_and(|(row, _)| self.is_sound(&row)))
    }
}
