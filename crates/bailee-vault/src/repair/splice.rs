//! Putting a pack together of two copies that are damaged in different places, record by record.
//!
//! Order of writes: see the head of `mod.rs` for a pack that comes out whole. Of one that does not,
//! the damaged object stays as it is, and the chunks that only the copy gives are stored again in a
//! new pack, which is put before the segment that names it.
//!
//! Invariants
//! 1. A record counts only if it is authentic and gives the chunk it is named for; a whole pack
//!    only if it gives the hash that the index has.
//! 2. No byte of a damaged pack goes before all of it is whole elsewhere in the same store.
//! 3. What neither copy gives is named by file and bytes; a chunk that lies in another pack as well
//!    is not lost, and is not stored again.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;
use std::sync::{Arc, PoisonError};

use bailee_ledger::from_hex;
use bailee_store::Objects;

use super::{RepairReport, put_mended};
use crate::chunk::Desk;
use crate::error::VaultError;
use crate::forward::Forward;
use crate::index::{PackRow, Table};
use crate::names::{self, Tag};
use crate::pack::{ChunkId, Slot, TRAILER, directory_at, open_directory, open_record};
use crate::scrub::rows;
use crate::seal::{HEADER, Kind, Place, RecordInfo, Seal};
use crate::stay::lock;
use crate::unit::Unit;
use crate::vault::{Absent, Tenant, Vault};
use crate::verify::{Problem, is_hash};

impl Vault {
    /// Puts right what [`crate::repair_packs`] could not, of a tenant: packs of which `copy` has
    /// what is damaged here, though it is damaged itself. `report` is what that said.
    ///
    /// # Errors
    /// [`VaultError::UnknownTenant`]; failures of the damaged store; damage of key objects.
    pub fn splice_packs(
        &self,
        tenant: &str,
        copy: &dyn Objects,
        report: &mut RepairReport,
    ) -> Result<(), VaultError> {
        let tenant = self.tenant(tenant, Absent::Refuse)?;
        let rows = rows(&*self.objects, &mut Vec::new())?;
        // Lists of files first: they say what is needed of the others.
        let mut units: BTreeMap<(Tag, bool), Vec<_>> = BTreeMap::new();
        let all = std::mem::take(&mut report.problems);
        for problem in all {
            let name = problem.path.to_string_lossy();
            match unit_of(&tenant, &name).zip(rows.get_key_value(&*name)) {
                Some((unit, (name, row))) => {
                    let of = (unit, row.kind == Kind::DataPack);
                    units.entry(of).or_default().push((problem, (name, row)));
                }
                None => report.problems.push(problem),
            }
        }
        for ((tag, _), damaged) in units {
            match self.unit_by_tag(&tenant, tag)? {
                Some(unit) => {
                    let damaged: Vec<_> = damaged.into_iter().map(|(_, pack)| pack).collect();
                    self.splice_unit((&tenant, &unit), copy, &damaged, report)?;
                }
                None => report.problems.extend(damaged.into_iter().map(|(problem, _)| problem)),
            }
        }
        Ok(())
    }

    fn splice_unit(
        &self,
        (tenant, unit): (&Tenant, &Unit),
        copy: &dyn Objects,
        damaged: &[(&String, &PackRow)],
        report: &mut RepairReport,
    ) -> Result<(), VaultError> {
        let _alone = unit.gate.write().unwrap_or_else(PoisonError::into_inner);
        unit.reload()?;
        let (session, table) = (Arc::new(()), unit.table());
        let (mut forward, mut lost) = (Forward::new(unit, &session)?, HashSet::new());
        let mut indexed = None;
        for (name, row) in damaged {
            let copies = Copies::of(unit, (name, row), [&*self.objects, copy]);
            let seals = copies.seals()?;
            let directory = copies.directory(&seals);
            if directory.is_none() && indexed.is_none() {
                indexed = Some(self.by_index((tenant, unit), damaged)?);
            }
            let known = directory.as_ref().map(|directory| &directory.slots);
            let known = known.or_else(|| indexed.as_ref().and_then(|all: &Slots| all.get(&row.id)));
            let records = copies.splice(&seals, known.map_or(&[][..], Vec::as_slice));
            let whole = directory.as_ref().and_then(|directory| assemble(directory, &records));
            if let Some(pack) = whole.filter(|pack| is_hash(pack, row)) {
                put_mended(&*self.objects, (name, row), &pack, report)?;
                lock(&unit.open).clear(); // what is open there is the damaged one
                continue;
            }
            let mut rest = Rest { unit, table: &table, forward: &mut forward, lost: &mut lost };
            let what = rest.save(row, &records, directory.is_some())?;
            report.problems.push(Problem { path: name.into(), what });
        }
        report.stored_again += forward.moved.len() as u64;
        forward.finish()?;
        unit.reload()?;
        if !lost.is_empty() {
            self.name_losses((tenant, unit), &lost, report)?;
        }
        Ok(())
    }

    /// Where chunks that are needed lie in these packs, by the index: for those without directory.
    fn by_index(
        &self,
        at: (&Tenant, &Unit),
        packs: &[(&String, &PackRow)],
    ) -> Result<Slots, VaultError> {
        let (table, mut slots, mut seen) = (at.1.table(), Slots::new(), HashSet::new());
        let wanted: HashSet<Tag> = packs.iter().map(|(_, row)| row.id).collect();
        self.needed(at, &mut |id, _| {
            if seen.insert(id) {
                let places = table.places(&id)?;
                for (row, slot) in places.into_iter().filter(|(row, _)| wanted.contains(&row.id)) {
                    slots.entry(row.id).or_default().push(slot);
                }
            }
            Ok(())
        })?;
        Ok(slots)
    }
}

/// What lies in packs.
type Slots = HashMap<Tag, Vec<Slot>>;

/// What opens a pack, and its bytes from the directory on.
struct Directory {
    header: [u8; HEADER],
    slots: Vec<Slot>,
    tail: Vec<u8>,
}

/// Where a record is whole, as it lies there, and the chunk in it if only the copy has it.
enum Found {
    Here(Vec<u8>),
    There(Vec<u8>, Vec<u8>),
    Nowhere,
}

/// What becomes of a pack that does not come out whole.
struct Rest<'a, 'u> {
    unit: &'a Unit,
    table: &'a Table,
    forward: &'a mut Forward<'u>,
    lost: &'a mut HashSet<ChunkId>,
}

impl Rest<'_, '_> {
    /// Stores again what only the copy gives, and says what that leaves.
    fn save(
        &mut self,
        row: &PackRow,
        records: &[(&Slot, Found)],
        directory: bool,
    ) -> Result<String, VaultError> {
        let (before, mut lost, mut desk) = (self.forward.moved.len(), 0, Desk::default());
        for (slot, found) in records {
            let RecordInfo { id, plain_len, .. } = slot.info;
            let mut lies_elsewhere =
                || self.unit.chunk(self.table, &id, plain_len, &mut desk).is_ok();
            match found {
                Found::There(_, plain) if !lies_elsewhere() => {
                    self.forward.add(row.kind, id, plain)?;
                }
                Found::Nowhere if !lies_elsewhere() => {
                    self.lost.insert(id);
                    lost += 1;
                }
                _ => {}
            }
        }
        Ok(said((lost, records.len()), self.forward.moved.len() - before, directory))
    }
}

/// The unit of a tenant that an object of this name is of.
fn unit_of(tenant: &Tenant, name: &str) -> Option<Tag> {
    from_hex(name.strip_prefix(&names::units(&tenant.tag))?.split('/').next()?)
}

/// What is said of a pack that stays damaged.
fn said((lost, of): (usize, usize), again: usize, directory: bool) -> String {
    let again = format!("{again} that only the copy gives were stored again");
    let known = if directory { "records" } else { "records that snapshots need" };
    match lost {
        0 => format!(
            "neither copy gives all of it, and nothing is lost: of its {of} {known} {again}; \
             `bailee prune` lets the pack go"
        ),
        _ => format!("neither copy gives {lost} of its {of} {known}; {again}"),
    }
}

/// Two copies of a pack, as far as their stores give them.
struct Copies<'a> {
    unit: &'a Unit,
    place: Place,
    row: &'a PackRow,
    halves: [Half<'a>; 2],
}

struct Half<'a> {
    objects: &'a dyn Objects,
    name: &'a str,
    /// If it could be read at once.
    bytes: Option<Vec<u8>>,
}

impl Half<'_> {
    fn piece(&self, range: &Range<u64>) -> Option<Vec<u8>> {
        let at = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        match &self.bytes {
            Some(bytes) => bytes.get(at(range.start)..at(range.end)).map(<[u8]>::to_vec),
            None => self.objects.get_range(self.name, range.clone()).ok(),
        }
    }
}

impl<'a> Copies<'a> {
    fn of(unit: &'a Unit, (name, row): (&'a str, &'a PackRow), from: [&'a dyn Objects; 2]) -> Self {
        let halves = from.map(|objects| Half { objects, name, bytes: objects.get(name).ok() });
        Self { unit, place: unit.place(row.kind, row.id), row, halves }
    }

    fn pieces(&self, range: Range<u64>) -> impl Iterator<Item = Vec<u8>> {
        self.halves.iter().filter_map(move |half| half.piece(&range))
    }

    /// The ciphers that either header says: of what place and whose key it is is known, but not its
    /// salt.
    fn seals(&self) -> Result<Vec<Seal>, VaultError> {
        let mut seals: Vec<Seal> = Vec::new();
        for header in self.pieces(0..HEADER as u64) {
            let Some(salt) = header.get(64..96).and_then(|salt| salt.first_chunk()) else {
                continue;
            };
            let seal = Seal::with_salt(self.unit.key(), &self.place, *salt)?;
            if seals.iter().all(|one| one.header != seal.header) {
                seals.push(seal);
            }
        }
        Ok(seals)
    }

    /// What lies in the pack, of whichever copies have header, directory and trailer.
    fn directory(&self, seals: &[Seal]) -> Option<Directory> {
        let end = self.row.size.checked_sub(TRAILER as u64)?;
        for trailer in self.pieces(end..self.row.size) {
            let Ok(start) = directory_at(&trailer, self.row.size) else { continue };
            for sealed in self.pieces(start..end) {
                for seal in seals {
                    let opened = open_directory(seal, "", (start, sealed.clone()), &trailer);
                    if let Ok(slots) = opened {
                        let tail = [sealed, trailer].concat();
                        return Some(Directory { header: seal.header, slots, tail });
                    }
                }
            }
        }
        None
    }

    /// Each record, of whichever copy has it.
    fn splice<'s>(&self, seals: &[Seal], slots: &'s [Slot]) -> Vec<(&'s Slot, Found)> {
        let [here, there] = &self.halves;
        let given = |half: &Half<'_>, slot: &Slot| {
            let sealed = half.piece(&slot.range())?;
            let plain = open(self.unit, seals, slot, &sealed)?;
            Some((sealed, plain))
        };
        let found = |slot| match given(here, slot) {
            Some((sealed, _)) => Found::Here(sealed),
            None => given(there, slot)
                .map_or(Found::Nowhere, |(sealed, plain)| Found::There(sealed, plain)),
        };
        slots.iter().map(|slot| (slot, found(slot))).collect()
    }
}

/// A chunk, if its record is authentic and the chunk what its id says.
fn open(unit: &Unit, seals: &[Seal], slot: &Slot, sealed: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::new();
    seals.iter().find_map(|seal| {
        open_record(seal, "", &slot.info, &mut sealed.to_vec(), &mut plain).ok()?;
        (unit.chunk_id(&plain) == slot.info.id).then(|| std::mem::take(&mut plain))
    })
}

/// The whole pack, if every record was found.
fn assemble(directory: &Directory, records: &[(&Slot, Found)]) -> Option<Vec<u8>> {
    let mut pack = directory.header.to_vec();
    for (_, found) in records {
        match found {
            Found::Here(sealed) | Found::There(sealed, _) => pack.extend_from_slice(sealed),
            Found::Nowhere => return None,
        }
    }
    pack.extend_from_slice(&directory.tail);
    Some(pack)
}
