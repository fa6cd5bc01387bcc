//! Index segments: which packs there are, with their SHA-256, and where each chunk lies.
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
//! 3. In memory a chunk costs 48 bytes in one sorted table, no allocation per entry.
//!
//! Out of scope: filters and memory maps for petabytes (docs/decisions/0013).

use std::collections::HashMap;

use crate::error::VaultError;
use crate::key::Secret;
use crate::names::Tag;
use crate::pack::{ChunkId, RAW, Slot, ZSTD};
use crate::seal::{HEADER, Kind, Place, RecordInfo, Seal, open_body, seal_body};
use crate::wire::{Reader, Writer};

/// Bytes of one pack row in clear.
const PACK_ROW: usize = 57;
/// Bytes of one entry.
const ENTRY: usize = 40;
const ZSTD_BIT: u32 = 1 << 31;

/// What is known of a pack without a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PackRow {
    pub(crate) id: Tag,
    pub(crate) kind: Kind,
    pub(crate) size: u64,
    pub(crate) sha256: [u8; 32],
}

/// A decoded or growing segment.
#[derive(Default, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) packs: Vec<(PackRow, Vec<Slot>)>,
}

impl Segment {
    /// Encodes and seals.
    pub(crate) fn seal(&self, master: &Secret, place: &Place) -> Result<Vec<u8>, VaultError> {
        self.seal_as(&Seal::create(master, place)?)
    }

    pub(crate) fn seal_as(&self, seal: &Seal) -> Result<Vec<u8>, VaultError> {
        let entries: usize = self.packs.iter().map(|(_, slots)| slots.len()).sum();
        let (mut open, mut plain) =
            (Writer::default(), Writer(Vec::with_capacity(entries * ENTRY)));
        open.count(self.packs.len());
        for (number, (row, slots)) in (0u32..).zip(&self.packs) {
            open.raw(&row.id);
            open.u8(row.kind as u8);
            open.u64(row.size);
            open.raw(&row.sha256);
            for Slot { offset, info } in slots {
                plain.raw(&info.id);
                plain.u32(number);
                plain.u32(*offset);
                plain.u32(info.stored_len | if info.codec == ZSTD { ZSTD_BIT } else { 0 });
                plain.u32(info.plain_len);
            }
        }
        seal_body(seal, &open.0, &plain.0)
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
        let open_len = 4 + rows.len() * PACK_ROW;
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

/// The pack table of a segment, readable without a key.
pub(crate) fn read_rows(name: &str, object: &[u8]) -> Result<Vec<PackRow>, VaultError> {
    let body = object
        .get(HEADER..)
        .ok_or_else(|| VaultError::damaged(name, "it is shorter than a header"))?;
    parse_rows(body).map_err(|detail| VaultError::damaged(name, detail))
}

fn parse_rows(body: &[u8]) -> Result<Vec<PackRow>, &'static str> {
    let mut r = Reader(body);
    let count = r.count(PACK_ROW)?;
    let row = |r: &mut Reader<'_>| {
        let id = r.array()?;
        let kind = match r.u8()? {
            k if k == Kind::DataPack as u8 => Kind::DataPack,
            k if k == Kind::MetaPack as u8 => Kind::MetaPack,
            _ => return Err("it names a pack of unknown kind"),
        };
        Ok(PackRow { id, kind, size: r.u64()?, sha256: r.array()? })
    };
    (0..count).map(|_| row(&mut r)).collect()
}

/// All chunks of a unit, sorted by id.
#[derive(Default)]
pub(crate) struct Table {
    packs: Vec<PackRow>,
    known: HashMap<Tag, u32>,
    entries: Vec<Row>,
}

#[derive(Clone, Copy)]
struct Row {
    id: ChunkId,
    pack: u32,
    offset: u32,
    ordinal: u32,
    stored_codec: u32,
    plain_len: u32,
}

impl Table {
    /// Adds a segment's packs; a pack that is there already is skipped.
    pub(crate) fn add(&mut self, segment: &Segment) {
        for (row, slots) in &segment.packs {
            let number = u32::try_from(self.packs.len()).expect("2^32 packs are 128 PiB");
            if self.known.contains_key(&row.id) {
                continue;
            }
            self.known.insert(row.id, number);
            self.packs.push(*row);
            self.entries.extend(slots.iter().zip(0u32..).map(
                |(Slot { offset, info }, ordinal)| {
                    let bit = if info.codec == ZSTD { ZSTD_BIT } else { 0 };
                    Row {
                        id: info.id,
                        pack: number,
                        offset: *offset,
                        ordinal,
                        stored_codec: info.stored_len | bit,
                        plain_len: info.plain_len,
                    }
                },
            ));
        }
    }

    /// Whether every one of these packs is indexed.
    pub(crate) fn knows(&self, packs: &[Tag]) -> bool {
        packs.iter().all(|pack| self.known.contains_key(pack))
    }

    /// Sorts after the last [`Table::add`]; look-ups are valid from then on.
    pub(crate) fn sort(&mut self) {
        self.entries.sort_unstable_by(|a, b| (&a.id, a.pack).cmp(&(&b.id, b.pack)));
    }

    /// Where a chunk lies.
    pub(crate) fn find(&self, id: &ChunkId) -> Option<(PackRow, Slot)> {
        let at = self.entries.partition_point(|row| row.id < *id);
        let row = self.entries.get(at).filter(|row| row.id == *id)?;
        let info = RecordInfo {
            ordinal: u64::from(row.ordinal),
            id: row.id,
            plain_len: row.plain_len,
            stored_len: row.stored_codec & !ZSTD_BIT,
            codec: if row.stored_codec & ZSTD_BIT == 0 { RAW } else { ZSTD },
        };
        Some((self.packs[row.pack as usize], Slot { offset: row.offset, info }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment() -> Segment {
        let slot = |ordinal: u64, id: u8, codec| Slot {
            offset: 128 + 116 * u32::try_from(ordinal).unwrap(),
            info: RecordInfo { ordinal, id: [id; 24], plain_len: 200, stored_len: 100, codec },
        };
        let row = |id, kind| PackRow { id: [id; 16], kind, size: 999, sha256: [id; 32] };
        Segment {
            packs: vec![
                (row(1, Kind::DataPack), vec![slot(0, 9, RAW), slot(1, 3, ZSTD)]),
                (row(2, Kind::MetaPack), vec![slot(0, 5, ZSTD)]),
            ],
        }
    }

    #[test]
    fn a_segment_comes_back_and_every_bit_of_it_counts() {
        let place = Place {
            kind: Kind::Index,
            vault: [1; 16],
            tenant: [2; 16],
            unit: [3; 16],
            object: [4; 16],
        };
        let master = Secret::new([1; 32]);
        let sealed = segment().seal(&master, &place).unwrap();
        assert_eq!(sealed.len(), HEADER + 4 + 2 * PACK_ROW + 3 * ENTRY + 16);
        assert_eq!(Segment::open(&master, &place, "x", sealed.clone()).unwrap(), segment());
        for i in 0..sealed.len() {
            let mut bad = sealed.clone();
            bad[i] ^= 0x10;
            assert!(Segment::open(&master, &place, "x", bad).is_err(), "byte {i}");
            assert!(Segment::open(&master, &place, "x", sealed[..i].to_vec()).is_err());
        }
    }

    #[test]
    fn the_table_finds_each_chunk_once() {
        let mut table = Table::default();
        table.add(&segment());
        table.add(&segment());
        table.sort();
        assert_eq!(table.entries.len(), 3);
        let (row, slot) = table.find(&[3; 24]).unwrap();
        assert_eq!((row.id, slot.info.ordinal, slot.info.codec), ([1; 16], 1, ZSTD));
        assert!(table.find(&[4; 24]).is_none());
    }
}
