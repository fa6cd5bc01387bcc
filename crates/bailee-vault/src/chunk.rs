//! Reading chunks: one by its id, or those of a pack one after the other.
//!
//! Invariants
//! 1. A chunk is served only if its record is authentic and its keyed BLAKE3 is its id.
//! 2. A pack that does not give what it should is doubted (`doubt.rs`) before the failure is told.

use std::sync::{Arc, PoisonError};

use bailee_ledger::to_hex;
use bailee_store::direct::Room;
use bailee_store::{ObjectError, Ranges};

use crate::doubt::is_of_pack;
use crate::error::VaultError;
use crate::index::{PackRow, Table};
use crate::names::Tag;
use crate::pack::{ChunkId, Slot, open_record, read_directory};
use crate::seal::{HEADER, Kind, Seal};
use crate::unit::Unit;

/// Packs kept open: 4 GiB of data, and up to two descriptors each.
const OPEN_PACKS: usize = 128;

/// A pack that is being read from.
pub(crate) struct OpenPack {
    seal: Seal,
    ranges: Option<Box<dyn Ranges>>,
}

/// What one reading thread keeps between chunks, so that memory is touched once.
#[derive(Default)]
pub(crate) struct Desk {
    room: Room,
    /// The chunk read last.
    pub(crate) plain: Vec<u8>,
}

/// What takes the chunks of a pack.
pub(crate) type TakeChunk<'a> = dyn FnMut(ChunkId, &[u8]) -> Result<(), VaultError> + 'a;

impl Unit {
    fn open_pack(&self, kind: Kind, pack: Tag, name: &str) -> Result<Arc<OpenPack>, VaultError> {
        let ready = self.open.lock().unwrap_or_else(PoisonError::into_inner).get(&pack).cloned();
        if let Some(ready) = ready {
            return Ok(ready);
        }
        let ranges = self.objects.ranges(name)?;
        let header = match &ranges {
            Some(ranges) => ranges.read(0..HEADER as u64, &mut Room::default())?.to_vec(),
            None => self.objects.get_range(name, 0..HEADER as u64)?,
        };
        let seal = Seal::open(self.key(), &self.place(kind, pack), name, &header)?;
        let opened = Arc::new(OpenPack { seal, ranges });
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.len() >= OPEN_PACKS {
            open.clear();
        }
        open.insert(pack, Arc::clone(&opened));
        Ok(opened)
    }

    /// One chunk, authentic, in `desk.plain`. A pack that does not give it is doubted, and the
    /// chunk is read from another that has it, if there is one.
    pub(crate) fn chunk(
        &self,
        table: &Table,
        id: &ChunkId,
        len: u32,
        desk: &mut Desk,
    ) -> Result<(), VaultError> {
        let (first, slot) = table.find(id)?.ok_or_else(|| table.missing(id, &self.name))?;
        let damage = match self.record((&first, &slot), (id, len), desk) {
            Err(e) if is_of_pack(&e) => e,
            read => return read,
        };
        self.doubt((first.kind, first.id), &damage);
        for (row, slot) in table.places(id)?.iter().filter(|(row, _)| row.id != first.id) {
            match self.record((row, slot), (id, len), desk) {
                Err(e) if is_of_pack(&e) => self.doubt((row.kind, row.id), &e),
                read => return read,
            }
        }
        Err(damage)
    }

    /// Counts on a pack no more. One that is missing is no pack to doubt.
    pub(crate) fn doubt(&self, (kind, id): (Kind, Tag), why: &VaultError) {
        if !matches!(why, VaultError::Store(ObjectError::NotFound { .. })) {
            let name = self.object(kind, &id);
            self.doubts.add(&*self.objects, (id, &name), why);
        }
    }

    /// A chunk of one pack.
    fn record(
        &self,
        (row, slot): (&PackRow, &Slot),
        (id, len): (&ChunkId, u32),
        desk: &mut Desk,
    ) -> Result<(), VaultError> {
        let name = self.object(row.kind, &row.id);
        let pack = self.open_pack(row.kind, row.id, &name)?;
        let Desk { room, plain } = desk;
        if let Some(ranges) = &pack.ranges {
            open_record(&pack.seal, &name, &slot.info, ranges.read(slot.range(), room)?, plain)?;
        } else {
            let mut sealed = self.objects.get_range(&name, slot.range())?;
            open_record(&pack.seal, &name, &slot.info, &mut sealed, plain)?;
        }
        if plain.len() == len as usize && self.chunk_id(plain) == *id {
            Ok(())
        } else {
            plain.clear();
            Err(VaultError::damaged(&name, format!("chunk {} is not what its id says", to_hex(id))))
        }
    }

    /// Reads a pack whole and hands out the chunks of it that are `wanted`, each authentic and what
    /// its id says. Gives the pack's size.
    pub(crate) fn records(
        &self,
        (kind, id): (Kind, Tag),
        wanted: impl Fn(&ChunkId) -> bool,
        take: &mut TakeChunk<'_>,
    ) -> Result<u64, VaultError> {
        let (name, place) = (self.object(kind, &id), self.place(kind, id));
        let mut pack = self.objects.get(&name)?;
        let slots = read_directory(self.key(), &place, &name, &pack)?;
        let seal = Seal::open(self.key(), &place, &name, &pack)?;
        let (size, mut plain) = (pack.len() as u64, Vec::new());
        for slot in slots.iter().filter(|slot| wanted(&slot.info.id)) {
            let range = slot.range();
            let at = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
            let sealed = pack.get_mut(at(range.start)..at(range.end));
            let sealed =
                sealed.ok_or_else(|| VaultError::damaged(&name, "its directory does not fit"))?;
            open_record(&seal, &name, &slot.info, sealed, &mut plain)?;
            if self.chunk_id(&plain) != slot.info.id {
                return Err(VaultError::damaged(&name, "a chunk is not what its id says"));
            }
            take(slot.info.id, &plain)?;
        }
        Ok(size)
    }
}
