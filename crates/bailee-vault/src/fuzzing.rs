//! What lies behind the seals, for the fuzz target `vault_plain`: plain bytes of somebody's
//! choosing go to the decoders of sealed records. A mutated object is refused by its tag, so no
//! mutation of one ever comes this far; a program with a fault may seal anything.
//!
//! Not for use: no promise, no API. Invariants looked for: no panic, no overflow, no memory beyond
//! what the input justifies; what is decoded is encoded again as the same bytes; what is found is
//! what lies there. Out of scope: drafts and keys, which are read with the functions used here; tar
//! streams, which have a target of their own.

use std::collections::HashSet;
use std::sync::Arc;

use bailee_store::{MemoryObjects, Objects};

use crate::erasure;
use crate::index::{OLD_ROW, PACK_ROW, Segment, Table};
use crate::key::Secret;
use crate::manifest::{TreeShape, check, evidence, read_all, read_evidence, write_all};
use crate::pack::{Slot, open_record, read_slots};
use crate::rescue::rescue_map;
use crate::restore::drain;
use crate::seal::{HEADER, Kind, Place, RecordInfo, Seal, TAG, open_whole, seal_body, seal_whole};
use crate::snapshot::Snapshot;
use crate::sorted::{self, Sorted};
use crate::transfer::{Frames, Kind as FrameKind};
use crate::volume;
use crate::wire::{Reader, Writer};

/// The key of the volumes made here; no secret.
pub const KEY: [u8; 32] = [9; 32];
const NAME: &str = "an-object";
const SEALED: &str = "a small record can be sealed";
/// Kinds of input that [`read`] tells apart by the first byte.
const KINDS: u8 = 8;

/// Decodes what follows the first byte as the kind of record that it says. If that is a volume, it
/// is given, sealed, for whoever reads volumes; [`KEY`] opens it.
///
/// # Panics
/// If an invariant does not hold.
pub fn read(input: &[u8]) -> Option<Vec<u8>> {
    let (kind, plain) = input.split_first()?;
    match kind % KINDS {
        0 => manifest(plain),
        1 => snapshot(plain),
        2 => directory(plain),
        3 => record(plain),
        4 => drop(old_segment(plain)),
        5 => drop(sorted_segment(plain)),
        6 => tombstone(plain),
        _ => return volume::fuzzing::seal(plain, KEY),
    }
    None
}

/// Any bytes as a snapshot on its way out of a vault.
///
/// # Panics
/// If what is taken is not what a whole stream says.
pub fn transfer(input: &[u8]) {
    let mut from = input;
    let Ok(files) = drain(&mut from, 1 << 24) else { return };
    assert!(from.is_empty(), "nothing follows the end of what is whole");
    let end = &input[input.len() - 13..];
    assert!(end.starts_with(&[11, 0, 0, 0, 8]), "it has an end");
    let given: u64 = files.iter().flatten().sum();
    assert!(given <= files.len() as u64 * (1 << 24), "no file is longer than its manifest says");
}

/// Any bytes as a source on its way into a vault: entries and frames, not yet a tree.
///
/// # Panics
/// If an entry that was read has another encoding.
pub fn arrival(input: &[u8]) {
    let mut frames = Frames::new(input, "fuzz");
    while let Ok((kind, bytes)) = frames.next() {
        if kind == FrameKind::Entry
            && let Ok(entry) = read_evidence(bytes)
        {
            assert!(evidence(&entry) == bytes, "one encoding");
        }
        if kind == FrameKind::End {
            return;
        }
    }
}

fn master() -> Secret {
    Secret::new([7; 32])
}

fn place(kind: Kind, object: [u8; 16]) -> Place {
    Place { kind, vault: [1; 16], tenant: [2; 16], unit: [3; 16], object }
}

fn manifest(plain: &[u8]) {
    let Ok(entries) = read_all(plain) else { return };
    assert!(write_all(&entries) == plain, "one encoding");
    for shape in [TreeShape::Tree, TreeShape::SingleFile] {
        if check(&entries, shape).is_err() {
            continue;
        }
        for content in entries.iter().filter_map(|stored| stored.entry.content()) {
            let never_read: u64 = content.unreadable.iter().map(|(_, len)| len).sum();
            assert!(never_read <= content.size, "ranges are apart, and of the file");
            assert!(!rescue_map(content).is_empty());
        }
    }
}

fn snapshot(plain: &[u8]) {
    let Some(id) = plain.first_chunk() else { return };
    let place = place(Kind::Snapshot, *id);
    let sealed = seal_whole(&master(), &place, plain).expect(SEALED);
    let Ok(read) = Snapshot::open(&master(), &place, NAME, sealed) else { return };
    let again = read.seal(&master(), &place).expect(SEALED);
    assert!(open_whole(&master(), &place, NAME, again).is_ok_and(|p| p == plain), "one encoding");
}

/// Where the records of a pack end (big-endian u64), then its directory.
fn directory(input: &[u8]) {
    let mut r = Reader(input);
    let Ok(start) = r.u64() else { return };
    let Ok(slots) = read_slots(r.0, start) else { return };
    let mut at = HEADER as u64;
    for Slot { offset, info } in &slots {
        assert_eq!(u64::from(*offset), at, "one after the other");
        at += u64::from(info.stored_len) + TAG as u64;
    }
    assert_eq!(at, start, "they fill the pack");
}

/// Codec, plain length (big-endian u32), then what is stored of a chunk.
fn record(input: &[u8]) {
    let mut r = Reader(input);
    let (Ok(codec), Ok(plain_len)) = (r.u8(), r.u32()) else { return };
    let Ok(stored_len) = u32::try_from(r.0.len()) else { return };
    let info = RecordInfo { ordinal: 0, id: [5; 24], plain_len, stored_len, codec };
    let place = place(Kind::DataPack, [4; 16]);
    let seal = Seal::with_salt(&master(), &place, [6; 32]).expect(SEALED);
    let mut sealed = r.0.to_vec();
    let tag = seal.seal(&info, &[], &mut sealed).expect(SEALED);
    sealed.extend_from_slice(&tag);
    let mut plain = Vec::new();
    if open_record(&seal, NAME, &info, &mut sealed, &mut plain).is_ok() {
        assert_eq!(plain.len(), plain_len as usize);
    }
}

/// How many packs (u8), their rows, then entries of a segment of kind 5. Gives how many.
fn old_segment(input: &[u8]) -> Option<usize> {
    let mut r = Reader(input);
    let packs = usize::from(r.u8().ok()?);
    let mut clear = Writer::default();
    clear.count(packs);
    clear.raw(r.raw(packs * OLD_ROW).ok()?);
    let place = place(Kind::Index, [4; 16]);
    let seal = Seal::with_salt(&master(), &place, [6; 32]).expect(SEALED);
    let object = seal_body(&seal, &clear.0, r.0).expect(SEALED);
    let segment = Segment::open(&master(), &place, NAME, object).ok()?;
    let mut table = Table::new(Arc::new(MemoryObjects::new()));
    table.add_old(&segment);
    let slots: Vec<&Slot> = segment.packs.iter().flat_map(|(_, slots)| slots).collect();
    let rows: HashSet<_> = segment.packs.iter().map(|(row, _)| row.id).collect();
    // A pack that is named twice counts once.
    if rows.len() == segment.packs.len() {
        assert!(slots.iter().all(|slot| table.has(&slot.info.id)), "what is named is found");
    }
    Some(slots.len())
}

/// How many packs (u8) and entries (big-endian u16), rows, entries, then the summary, which is cut
/// or filled with zeros to its length. Gives how many.
fn sorted_segment(input: &[u8]) -> Option<usize> {
    let mut r = Reader(input);
    let (packs, entries) = (usize::from(r.u8().ok()?), usize::from(r.u16().ok()?));
    let mut clear = Writer::default();
    clear.count(packs);
    clear.u64(entries as u64);
    clear.raw(r.raw(packs * PACK_ROW).ok()?);
    let listed = r.raw(entries * sorted::ENTRY).ok()?;
    let mut summary = r.0.to_vec();
    summary.resize(sorted::summary_len(entries), 0);
    let place = place(Kind::Sorted, [4; 16]);
    let seal = Seal::with_salt(&master(), &place, [6; 32]).expect(SEALED);
    let pages = listed.chunks(sorted::PAGE * sorted::ENTRY).map(<[u8]>::to_vec);
    let object = sorted::assemble(&seal, &clear.0, pages, &summary).expect(SEALED);
    let objects = MemoryObjects::new();
    objects.put(NAME, &object).expect("memory takes it");
    let segment = Sorted::open(&objects, &master(), &place, NAME).ok()?;
    for entry in listed.chunks(sorted::ENTRY) {
        let mut id = [0; 24];
        id[..20].copy_from_slice(&entry[..20]);
        if let Ok(Some((row, slot))) = segment.find(&objects, &id, &HashSet::new()) {
            assert!(segment.rows.contains(&row) && slot.info.id == id, "what is found is there");
        }
    }
    let loaded = segment.load(&objects).ok()?;
    let found: usize = loaded.packs.iter().map(|(_, slots)| slots.len()).sum();
    assert_eq!(found, entries, "all of it is loaded");
    Some(found)
}

fn tombstone(plain: &[u8]) {
    let Ok(stone) = erasure::read(plain) else { return };
    let mut r = Reader(plain);
    if r.text().is_ok() && r.end().is_err() {
        let mut w = Writer::default();
        erasure::write(&mut w, &stone.keys);
        assert!(w.0 == r.0, "one encoding");
    }
}

#[cfg(test)]
mod tests;
