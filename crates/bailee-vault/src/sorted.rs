//! Sorted index segments: looked up on disk, three bytes of memory a chunk.
//!
//! ```text
//! header 128 | clear: packs u32, entries u64, per pack: id 16, kind u8, size u64, algorithm u8,
//!              hash 32 | pages | summary | tag 16
//! page     = record k of up to 128 entries, sorted by id
//! entry 36 = chunk id's first 20 bytes | pack u32 | offset u32 | u64: codec 1 bit, stored length
//!            21, plain length 21, ordinal 21
//! summary  = records 2^32 + j of up to 1 MiB of: bucket ends u32 × (entries / 64 + 1),
//!            fingerprints u16 × entries
//! tag      = record 2^63, empty, with the clear part as extra
//! ```
//!
//! A chunk's bucket is its id's first 32 bits scaled to the number of buckets, its fingerprint the
//! next 16: one look-up in 1,000 reads a page in vain. Ids are keyed BLAKE3, so both are uniform.
//!
//! Invariants
//! 1. A segment is put after every pack it names is durable, and never changed.
//! 2. Where a chunk lies is taken from a page that was authenticated; memory only says which.
//! 3. Lengths follow from the two counts, which the last tag covers; nothing is allocated before
//!    the object is seen to be that long.
//!
//! Out of scope: which segments there are (`unit.rs`), merging them (`compact.rs`).

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use bailee_store::Objects;

use crate::error::VaultError;
use crate::index::{PACK_ROW, PackRow, Segment, parse_rows, write_row};
use crate::key::Secret;
use crate::names::Tag;
use crate::pack::{ChunkId, RAW, Slot, ZSTD};
use crate::seal::{HEADER, Place, RecordInfo, Seal, TAG};
use crate::wire::{Reader, Writer};

/// Counts in clear, before the pack rows.
const COUNTS: usize = 12;
pub(crate) const ENTRY: usize = 36;
pub(crate) const PAGE: usize = 128;
/// Entries to a bucket, on average.
const BUCKET: usize = 64;
const SUMMARY: usize = 1024 * 1024;
const SUMMARY_ORDINAL: u64 = 1 << 32;
const LAST_ORDINAL: u64 = 1 << 63;
const LENGTH: u64 = (1 << 21) - 1;
/// Pages kept: about a megabyte.
const KEPT_PAGES: usize = 256;
/// Bytes of an id that an entry holds: 160 bits.
const PREFIX: usize = 20;

type Prefix = [u8; PREFIX];

fn prefix(id: &ChunkId) -> &Prefix {
    id.first_chunk().expect("an id has 24 bytes")
}

/// One entry, with the pack's position in its segment.
#[derive(Clone, Copy)]
struct Entry {
    id: Prefix,
    pack: u32,
    offset: u32,
    packed: u64,
}

impl Entry {
    fn new(pack: u32, slot: &Slot) -> Self {
        let info = &slot.info;
        let packed = u64::from(info.codec == ZSTD) << 63
            | (u64::from(info.stored_len) & LENGTH) << 42
            | (u64::from(info.plain_len) & LENGTH) << 21
            | info.ordinal & LENGTH;
        Self { id: *prefix(&info.id), pack, offset: slot.offset, packed }
    }

    fn slot(&self, id: ChunkId) -> Slot {
        let length = |shift: u32| u32::try_from(self.packed >> shift & LENGTH).unwrap_or(0);
        let info = RecordInfo {
            ordinal: self.packed & LENGTH,
            id,
            plain_len: length(21),
            stored_len: length(42),
            codec: if self.packed >> 63 == 0 { RAW } else { ZSTD },
        };
        Slot { offset: self.offset, info }
    }

    fn write(&self, w: &mut Writer) {
        w.raw(&self.id);
        w.u32(self.pack);
        w.u32(self.offset);
        w.u64(self.packed);
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, &'static str> {
        Ok(Self { id: r.array()?, pack: r.u32()?, offset: r.u32()?, packed: r.u64()? })
    }
}

fn bucket(id: &Prefix, buckets: usize) -> usize {
    let first = u64::from(u32::from_be_bytes([id[0], id[1], id[2], id[3]]));
    usize::try_from((first * buckets as u64) >> 32).unwrap_or(0)
}

fn fingerprint(id: &Prefix) -> u16 {
    u16::from_be_bytes([id[4], id[5]])
}

fn buckets(entries: usize) -> usize {
    entries / BUCKET + 1
}

/// Where everything is in an object of so many packs and entries.
struct Plan {
    clear: Range<u64>,
    entries: usize,
    pages_at: u64,
    summary_at: u64,
    summary: usize,
    size: u64,
}

impl Plan {
    fn new(packs: usize, entries: usize) -> Option<Self> {
        let clear_end = packs.checked_mul(PACK_ROW)?.checked_add(HEADER + COUNTS)?;
        let pages = entries.div_ceil(PAGE);
        let summary = buckets(entries).checked_mul(4)?.checked_add(entries.checked_mul(2)?)?;
        let pages = entries.checked_mul(ENTRY)?.checked_add(pages.checked_mul(TAG)?)?;
        let summary_at = clear_end.checked_add(pages)?;
        let ends = summary.div_ceil(SUMMARY).checked_mul(TAG)?.checked_add(TAG)?;
        let size = summary_at.checked_add(summary)?.checked_add(ends)?;
        Some(Self {
            clear: HEADER as u64..clear_end as u64,
            entries,
            pages_at: clear_end as u64,
            summary_at: summary_at as u64,
            summary,
            size: size as u64,
        })
    }

    /// The entries of a page, and its bytes in the object.
    fn page(&self, number: usize) -> (usize, Range<u64>) {
        let count = PAGE.min(self.entries - number * PAGE);
        let at = self.pages_at + (number * (PAGE * ENTRY + TAG)) as u64;
        (count, at..at + (count * ENTRY + TAG) as u64)
    }
}

/// Bytes of the summary of so many entries.
pub(crate) fn summary_len(entries: usize) -> usize {
    Plan::new(0, entries).map_or(0, |plan| plan.summary)
}

fn record(ordinal: u64, len: usize) -> RecordInfo {
    let len = u32::try_from(len).expect("records of a segment have at most 1 MiB");
    RecordInfo { ordinal, id: [0; 24], plain_len: len, stored_len: len, codec: RAW }
}

/// Encodes and seals a segment.
pub(crate) fn seal(segment: &Segment, seal: &Seal) -> Result<Vec<u8>, VaultError> {
    let mut entries = Vec::new();
    for (number, (_, slots)) in (0u32..).zip(&segment.packs) {
        entries.extend(slots.iter().map(|slot| Entry::new(number, slot)));
    }
    entries.sort_unstable_by(|a, b| (&a.id, a.pack).cmp(&(&b.id, b.pack)));
    let mut clear = Writer::default();
    clear.count(segment.packs.len());
    clear.u64(entries.len() as u64);
    segment.packs.iter().for_each(|(row, _)| write_row(&mut clear, row));
    let pages = entries.chunks(PAGE).map(|page| {
        let mut w = Writer::default();
        page.iter().for_each(|entry| entry.write(&mut w));
        w.0
    });
    assemble(seal, &clear.0, pages, &summarize(&entries))
}

/// Seals the parts of a segment, whatever they say.
pub(crate) fn assemble(
    seal: &Seal,
    clear: &[u8],
    pages: impl Iterator<Item = Vec<u8>>,
    summary: &[u8],
) -> Result<Vec<u8>, VaultError> {
    let mut out = seal.header.to_vec();
    out.extend_from_slice(clear);
    let mut put = |ordinal, mut plain: Vec<u8>, extra: &[u8]| -> Result<(), VaultError> {
        let tag = seal.seal(&record(ordinal, plain.len()), extra, &mut plain)?;
        out.extend_from_slice(&plain);
        out.extend_from_slice(&tag);
        Ok(())
    };
    for (ordinal, page) in (0u64..).zip(pages) {
        put(ordinal, page, &[])?;
    }
    for (ordinal, part) in (SUMMARY_ORDINAL..).zip(summary.chunks(SUMMARY)) {
        put(ordinal, part.to_vec(), &[])?;
    }
    put(LAST_ORDINAL, Vec::new(), clear)?;
    Ok(out)
}

fn summarize(entries: &[Entry]) -> Vec<u8> {
    let buckets = buckets(entries.len());
    let mut w = Writer::default();
    for number in 0..buckets {
        let end = entries.partition_point(|e| bucket(&e.id, buckets) <= number);
        w.u32(u32::try_from(end).expect("a segment has far fewer than 2^32 entries"));
    }
    entries.iter().for_each(|e| w.u16(fingerprint(&e.id)));
    w.0
}

/// An open segment.
pub(crate) struct Sorted {
    pub(crate) name: String,
    pub(crate) rows: Vec<PackRow>,
    seal: Seal,
    plan: Plan,
    ends: Vec<u32>,
    fingerprints: Vec<u16>,
    pages: Mutex<HashMap<usize, Arc<Vec<u8>>>>,
}

impl Sorted {
    /// Opens a segment: its clear part and summary are read and authenticated.
    pub(crate) fn open(
        objects: &dyn Objects,
        master: &Secret,
        place: &Place,
        name: &str,
    ) -> Result<Self, VaultError> {
        let bad = |detail: &str| VaultError::damaged(name, detail);
        let size = objects.size(name)?;
        if size < (HEADER + COUNTS + TAG) as u64 {
            return Err(bad("it is too short"));
        }
        let head = objects.get_range(name, 0..(HEADER + COUNTS) as u64)?;
        let seal = Seal::open(master, place, name, &head)?;
        let mut r = Reader(&head[HEADER..]);
        let (packs, entries) = (r.u32().map_err(bad)? as usize, r.u64().map_err(bad)?);
        let plan = usize::try_from(entries).ok().and_then(|entries| Plan::new(packs, entries));
        let plan = plan.filter(|p| p.size == size).ok_or_else(|| bad("its counts do not fit"))?;
        let clear = objects.get_range(name, plan.clear.clone())?;
        let mut tag = objects.get_range(name, size - TAG as u64..size)?;
        seal.unseal(name, &record(LAST_ORDINAL, 0), &clear, &mut tag)?;
        let rows = parse_rows(&clear[COUNTS..], packs).map_err(bad)?;
        let (ends, fingerprints) = summary(objects, &seal, &plan, name)?;
        let (name, pages) = (name.to_owned(), Mutex::default());
        Ok(Self { name, rows, seal, plan, ends, fingerprints, pages })
    }

    /// Chunks in it.
    pub(crate) fn len(&self) -> usize {
        self.plan.entries
    }

    /// Bytes of memory it takes, pages kept left out.
    #[cfg(test)]
    pub(crate) fn memory(&self) -> usize {
        self.ends.len() * 4 + self.fingerprints.len() * 2 + self.rows.len() * size_of::<PackRow>()
    }

    fn page(&self, objects: &dyn Objects, number: usize) -> Result<Arc<Vec<u8>>, VaultError> {
        let kept = |pages: &Mutex<HashMap<_, Arc<_>>>| {
            pages.lock().unwrap_or_else(PoisonError::into_inner).get(&number).cloned()
        };
        if let Some(page) = kept(&self.pages) {
            return Ok(page);
        }
        let (count, range) = self.plan.page(number);
        let mut page = objects.get_range(&self.name, range)?;
        self.seal.unseal(&self.name, &record(number as u64, count * ENTRY), &[], &mut page)?;
        page.truncate(count * ENTRY);
        let page = Arc::new(page);
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        if pages.len() >= KEPT_PAGES {
            pages.clear();
        }
        pages.insert(number, Arc::clone(&page));
        Ok(page)
    }

    fn entry(&self, page: &[u8], at: usize) -> Result<Entry, VaultError> {
        let bytes = page.get(at % PAGE * ENTRY..).unwrap_or_default();
        let entry = Entry::read(&mut Reader(bytes));
        let entry = entry.map_err(|e| VaultError::damaged(&self.name, e))?;
        if (entry.pack as usize) < self.rows.len() {
            Ok(entry)
        } else {
            Err(VaultError::damaged(&self.name, "an entry names no pack of the table"))
        }
    }

    /// Where a chunk lies, other than in the packs `without`: the pack, and its slot.
    pub(crate) fn find(
        &self,
        objects: &dyn Objects,
        id: &ChunkId,
        without: &HashSet<Tag>,
    ) -> Result<Option<(PackRow, Slot)>, VaultError> {
        let wanted = prefix(id);
        let number = bucket(wanted, self.ends.len());
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        let print = fingerprint(wanted);
        for at in start..self.ends[number] as usize {
            if self.fingerprints[at] != print {
                continue;
            }
            let entry = self.entry(&self.page(objects, at / PAGE)?, at)?;
            let row = self.rows[entry.pack as usize];
            if entry.id == *wanted && !without.contains(&row.id) {
                return Ok(Some((row, entry.slot(*id))));
            }
        }
        Ok(None)
    }

    /// All of it, with ids that end in four zero bytes: for merging and sweeping.
    pub(crate) fn load(&self, objects: &dyn Objects) -> Result<Segment, VaultError> {
        let mut packs: Vec<(PackRow, Vec<Slot>)> =
            self.rows.iter().map(|row| (*row, Vec::new())).collect();
        for at in 0..self.len() {
            let entry = self.entry(&self.page(objects, at / PAGE)?, at)?;
            let mut id = [0; 24];
            id[..PREFIX].copy_from_slice(&entry.id);
            packs[entry.pack as usize].1.push(entry.slot(id));
        }
        packs.iter_mut().for_each(|(_, slots)| slots.sort_unstable_by_key(|s| s.info.ordinal));
        Ok(Segment { packs })
    }
}

type Summary = (Vec<u32>, Vec<u16>);

fn summary(
    objects: &dyn Objects,
    seal: &Seal,
    plan: &Plan,
    name: &str,
) -> Result<Summary, VaultError> {
    let (mut ends, mut prints) =
        (Vec::with_capacity(buckets(plan.entries)), Vec::with_capacity(plan.entries));
    let mut at = plan.summary_at;
    for (ordinal, from) in (SUMMARY_ORDINAL..).zip((0..plan.summary).step_by(SUMMARY)) {
        let len = SUMMARY.min(plan.summary - from);
        let end = at + (len + TAG) as u64;
        let mut part = objects.get_range(name, at..end)?;
        at = end;
        let plain = seal.unseal(name, &record(ordinal, len), &[], &mut part)?;
        // Parts have an even length and ends come first, so neither is ever divided.
        let missing = buckets(plan.entries) - ends.len();
        let (first, rest) = plain.split_at(plain.len().min(4 * missing));
        ends.extend(first.as_chunks().0.iter().map(|b| u32::from_be_bytes(*b)));
        prints.extend(rest.as_chunks().0.iter().map(|b| u16::from_be_bytes(*b)));
    }
    let whole = ends.is_sorted() && ends.last().map(|n| *n as usize) == Some(plan.entries);
    if whole && prints.len() == plan.entries {
        Ok((ends, prints))
    } else {
        Err(VaultError::damaged(name, "its summary contradicts itself"))
    }
}

/// The pack rows of a segment, without a key.
pub(crate) fn read_rows(name: &str, object: &[u8]) -> Result<Vec<PackRow>, VaultError> {
    let body = object.get(HEADER..).unwrap_or_default();
    let mut r = Reader(body);
    let bad = |e| VaultError::damaged(name, e);
    let (packs, _) = (r.count(PACK_ROW).map_err(bad)?, r.u64().map_err(bad)?);
    parse_rows(r.0, packs).map_err(bad)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::PackHash;
    use crate::seal::Kind;
    use bailee_store::MemoryObjects;

    const NAME: &str = "segment";

    fn place() -> Place {
        let (vault, tenant, unit, object) = ([1; 16], [2; 16], [3; 16], [4; 16]);
        Place { kind: Kind::Sorted, vault, tenant, unit, object }
    }

    fn id(n: u64) -> ChunkId {
        let mut id = [0; 24];
        id[..20].copy_from_slice(&blake3::hash(&n.to_le_bytes()).as_bytes()[..20]);
        id
    }

    /// `entries` chunks, 128 to a pack.
    fn segment(entries: u64) -> Segment {
        let pack = |first: u64| {
            let slots = (first..entries.min(first + 128)).map(|n| Slot {
                offset: u32::try_from(n % 128 * 300).unwrap(),
                info: RecordInfo {
                    ordinal: n % 128,
                    id: id(n),
                    plain_len: 1 << 20,
                    stored_len: 284,
                    codec: if n % 3 == 0 { RAW } else { ZSTD },
                },
            });
            let mut tag = [0; 16];
            tag[..8].copy_from_slice(&first.to_be_bytes());
            let hash =
                if first == 0 { PackHash::Sha256([1; 32]) } else { PackHash::Blake3([2; 32]) };
            (PackRow { id: tag, kind: Kind::DataPack, size: 99, hash }, slots.collect())
        };
        let firsts = (0..entries).step_by(128);
        Segment { packs: firsts.map(pack).collect() }
    }

    fn sealed(segment: &Segment) -> Vec<u8> {
        seal(segment, &Seal::create(&Secret::new([1; 32]), &place()).unwrap()).unwrap()
    }

    fn open(bytes: &[u8]) -> (MemoryObjects, Result<Sorted, VaultError>) {
        let objects = MemoryObjects::new();
        objects.put(NAME, bytes).unwrap();
        let opened = Sorted::open(&objects, &Secret::new([1; 32]), &place(), NAME);
        (objects, opened)
    }

    #[test]
    fn every_chunk_is_found_and_no_other() {
        for entries in [0, 1, 127, 128, 129, 1000, 10_000] {
            let segment = segment(entries);
            let (objects, sorted) = open(&sealed(&segment));
            let sorted = sorted.unwrap();
            for (row, slots) in &segment.packs {
                for slot in slots {
                    let found =
                        sorted.find(&objects, &slot.info.id, &HashSet::new()).unwrap().unwrap();
                    assert_eq!(found, (*row, *slot));
                }
            }
            for other in entries..entries + 1000 {
                assert!(sorted.find(&objects, &id(other), &HashSet::new()).unwrap().is_none());
            }
            assert_eq!(sorted.load(&objects).unwrap(), segment);
        }
    }

    #[test]
    fn every_bit_and_every_length_counts() {
        let (segment, whole) = (segment(300), sealed(&segment(300)));
        let intact = |bytes: &[u8]| {
            let (objects, sorted) = open(bytes);
            sorted.and_then(|s| s.load(&objects)).is_ok_and(|loaded| loaded == segment)
        };
        assert!(intact(&whole));
        for i in 0..whole.len() {
            let mut bad = whole.clone();
            bad[i] ^= 0x10;
            assert!(!intact(&bad), "byte {i}");
            if i % 13 == 0 {
                assert!(!intact(&whole[..i]), "cut at {i}");
            }
        }
        let mut longer = whole.clone();
        longer.push(0);
        assert!(!intact(&longer));
        assert_eq!(read_rows(NAME, &whole).unwrap().len(), segment.packs.len());
    }

    /// 50,000,000 chunks are a benchmark: `cargo xtask bench vault index`.
    #[test]
    fn memory_is_three_bytes_a_chunk() {
        let (_, sorted) = open(&sealed(&segment(100_000)));
        let per_chunk = sorted.unwrap().memory() as f64 / 100_000.0;
        assert!(per_chunk < 3.0, "{per_chunk} bytes a chunk");
    }
}
