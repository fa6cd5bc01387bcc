//! The seeds of the fuzz target: one whole record of each kind, decoded to the end.

use std::path::Path;

use super::*;
use crate::erasure::DestroyedKey;
use crate::flat::Waypoint;
use crate::manifest::{Content, Entry, Extent, Meta, Node, Stored};
use crate::names::SnapshotId;
use crate::pack::{RAW, ZSTD};
use crate::snapshot::{SnapshotInfo, SourceKind};
use crate::{Kek, check_volumes, read_volumes};

fn a_manifest() -> Vec<u8> {
    let xattrs = vec![(b"user.a".to_vec(), vec![0, 255])];
    let meta = Meta { mode: 0o644, uid: 1, gid: 2, mtime: (-5, 9), ctime: (7, 8), xattrs };
    let content = Content { size: 60, sha256: [3; 32], changed: true, unreadable: vec![(10, 20)] };
    let of = |path: &str, node, extents| {
        let entry = Entry { path: path.into(), node };
        Stored { entry, extents }
    };
    let pieces = vec![
        Extent::Identity(5, 6),
        Extent::Data([4; 24], 10),
        Extent::Unreadable(20),
        Extent::Waypoint(Waypoint { tail: vec![7; 30], ..Waypoint::default() }.into()),
        Extent::Zeros(30),
    ];
    write_all(&[
        of("", Node::Directory { meta: meta.clone() }, vec![]),
        of("a", Node::File { meta: meta.clone(), content }, pieces),
        of("b", Node::HardLink { target: b"a".to_vec() }, vec![]),
        of("c", Node::Symlink { meta: meta.clone(), target: b"nowhere".to_vec() }, vec![]),
        of("d", Node::Fifo { meta }, vec![]),
        of("e", Node::Unreadable { reason: "permission denied".into() }, vec![]),
    ])
}

fn a_snapshot() -> Vec<u8> {
    let root = [8; 32];
    let info = SnapshotInfo {
        id: SnapshotId::of_root(&root),
        root,
        unit: "data-A-1".into(),
        kind: SourceKind::Tree,
        source: "/srv/data".into(),
        taken_at: 1_700_000_000,
        files: 2,
        bytes: 60,
    };
    let (tenant, salt, packs) = ("AC-1".to_owned(), [1; 32], vec![[5; 16], [6; 16]]);
    let snapshot = Snapshot { info, tenant, salt, manifest: vec![([2; 24], 700)], packs };
    let place = place(Kind::Snapshot, [8; 16]);
    let sealed = snapshot.seal(&master(), &place).unwrap();
    open_whole(&master(), &place, NAME, sealed).unwrap()
}

fn a_directory() -> Vec<u8> {
    let mut w = Writer::default();
    w.u64((HEADER + 100 + 200 + 2 * TAG) as u64);
    for (id, plain_len, stored_len, codec) in [([1; 24], 100, 100, RAW), ([2; 24], 900, 200, ZSTD)]
    {
        w.raw(&id);
        w.u32(plain_len);
        w.u32(stored_len);
        w.u8(codec);
    }
    w.0
}

fn a_record() -> Vec<u8> {
    let plain = b"Keep this. ".repeat(50);
    let mut w = Writer::default();
    w.u8(ZSTD);
    w.count(plain.len());
    w.raw(&zstd::bulk::compress(&plain, 1).unwrap());
    w.0
}

/// A pack's row, of a sorted segment or of kind 5.
fn row(w: &mut Writer, id: u8, algorithm: Option<u8>) {
    w.raw(&[id; 16]);
    w.u8(Kind::DataPack as u8);
    w.u64(16 << 20);
    algorithm.into_iter().for_each(|number| w.u8(number));
    w.raw(&[7; 32]);
}

fn an_old_segment() -> Vec<u8> {
    let mut w = Writer::default();
    w.u8(2);
    row(&mut w, 1, None);
    row(&mut w, 2, None);
    for n in 0..3u8 {
        w.raw(&[n; 24]);
        w.u32(u32::from(n % 2));
        w.u32(128 + u32::from(n) * 500);
        w.u32(400);
        w.u32(1000);
    }
    w.0
}

fn a_sorted_segment() -> Vec<u8> {
    let mut w = Writer::default();
    w.u8(2);
    w.u16(3);
    row(&mut w, 1, Some(1));
    row(&mut w, 2, Some(2));
    for n in 0..3u8 {
        w.raw(&[n; 20]);
        w.u32(u32::from(n % 2));
        w.u32(128);
        w.u64(1 << 63 | 400 << 42 | 1000 << 21 | u64::from(n));
    }
    w.u32(3);
    for n in 0..3u8 {
        w.raw(&[n; 2]);
    }
    w.0
}

fn a_tombstone() -> Vec<u8> {
    let mut w = Writer::default();
    w.bytes(b"data-A-1");
    let key = DestroyedKey { object: "vault/t/ab/u/cd/key/0".into(), sha256: [9; 32] };
    erasure::write(&mut w, &[key]);
    w.0
}

/// Every seed by its name.
fn seeds() -> [(&'static str, Vec<u8>); 8] {
    let all = [
        ("manifest", a_manifest()),
        ("snapshot", a_snapshot()),
        ("directory", a_directory()),
        ("record", a_record()),
        ("old_segment", an_old_segment()),
        ("sorted_segment", a_sorted_segment()),
        ("tombstone", a_tombstone()),
        ("volume", volume::fuzzing::seed(&[0; 1024])),
    ];
    let mut kind = 0;
    all.map(|(name, plain)| {
        kind += 1;
        (name, [&[kind - 1][..], &plain].concat())
    })
}

/// Each seed is decoded without a complaint, so that mutations begin behind the first refusal.
#[test]
fn every_seed_is_whole() {
    let directory = read_slots(&a_directory()[8..], 128 + 332).unwrap();
    assert_eq!((read_all(&a_manifest()).unwrap().len(), directory.len()), (6, 2));
    assert_eq!(check(&read_all(&a_manifest()).unwrap(), TreeShape::Tree), Ok(()));
    assert_eq!(
        (old_segment(&an_old_segment()), sorted_segment(&a_sorted_segment())),
        (Some(3), Some(3))
    );
    assert_eq!(erasure::read(&a_tombstone()).unwrap().keys.len(), 1);
    for (_, seed) in seeds() {
        read(&seed);
    }
}

/// The files that the fuzzer starts from are these. `BLESS=1` writes them.
#[test]
fn the_seeds_on_disk_are_these() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/vault_plain");
    for (name, seed) in seeds() {
        let path = dir.join(name);
        if std::env::var_os("BLESS").is_some() {
            std::fs::create_dir_all(&dir).unwrap();
            std::fs::write(&path, &seed).unwrap();
        }
        assert!(std::fs::read(&path).unwrap() == seed, "{}: run with BLESS=1", path.display());
    }
}

#[test]
fn no_cut_and_no_changed_byte_of_a_seed_breaks_a_decoder() {
    let mut decoded = 0;
    for (_, seed) in seeds() {
        for at in 1..seed.len() {
            read(&seed[..at]);
            for change in [0x01, 0x80, 0xff] {
                let mut other = seed.clone();
                other[at] ^= change;
                read(&other);
                decoded += 1;
            }
        }
    }
    assert!(decoded > 3000, "{decoded}");
}

#[test]
fn a_volume_is_read_whole_and_one_that_lies_about_its_place_is_not() {
    let (_, seed) = seeds().into_iter().next_back().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let paths = [dir.path().join("volume")];
    let problems = |input: &[u8]| {
        std::fs::write(&paths[0], read(input).unwrap()).unwrap();
        let mut out = Vec::new();
        let report = read_volumes(&paths, &Kek::from_bytes(KEY), Some(&mut out)).unwrap();
        assert!(check_volumes(&paths, None, &mut ()).is_ok());
        (report.problems.len(), out.len())
    };
    assert_eq!(problems(&seed), (0, 1024));
    // Where the end says that the volume starts and ends, and where the description says it starts.
    for at in [12, 20, 27, 11 + END_LEN] {
        let mut other = seed.clone();
        other[at] ^= 0x80;
        assert_ne!(problems(&other).0, 0, "byte {at}");
    }
}

/// Bytes before the description, without the kind: three lengths, and the end.
const END_LEN: usize = 25;
