//! Tile paths and contents.

use bailee_ledger::hash::leaf_hash;
use bailee_ledger::tile::{TileKind, decode_entries, encode_entries, hash_tile};
use bailee_ledger::{TileId, Tree};
use proptest::prelude::*;

#[test]
fn hostile_paths_are_refused() {
    for bad in [
        "",
        "tile",
        "tile/",
        "tile/0",
        "tile/0/",
        "tile/8/0/000.p/0",
        "tile/8/0/000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p/",
        "tile/0/000.p",
        "tile/0/000/",
        "/tile/0/000",
        "tile/00/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/data/000",
        "tile/0/0",
        "tile/0/0000",
        "tile/0/001/002",
        "tile/0/x001",
        "tile/0/x000/001",
        "tile/0/x001/2",
        "tile/0/x001/x002",
        "tile/0/X001/002",
        "tile/0/x001/002.p/3/4",
        "tile/0/x001.p/3/002",
        "tile/0/../000",
        "tile/0/0\u{661}0",
        "tile/0/x999/x999/x999/x999/x999/x999/x999/999",
        "tile/entries/0",
        "tile/entries/../checkpoint",
    ] {
        assert!(TileId::parse(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn the_specifications_example() {
    let tile = TileId::parse("tile/0/x001/x234/067").unwrap();
    assert_eq!((tile.index, tile.width), (1_234_067, 256));
    let partial = TileId::parse("tile/entries/x001/000.p/112").unwrap();
    assert_eq!((partial.kind, partial.index, partial.width), (TileKind::Entries, 1_000, 112));
    // 70,000 leaves: 273 full + one of 112; one full + one of 17; one of 1.
    let tiles = TileId::grown(0, 70_000);
    let at = |level| tiles.iter().filter(move |t| t.kind == TileKind::Hashes { level });
    assert_eq!(at(0).count(), 274);
    assert_eq!(at(0).filter(|t| t.width == 256).count(), 273);
    assert_eq!(at(0).next_back().unwrap().width, 112);
    assert_eq!(at(1).map(|t| t.width).collect::<Vec<_>>(), [256, 17]);
    assert_eq!(at(2).map(|t| t.width).collect::<Vec<_>>(), [1]);
    assert_eq!(at(3).count(), 0);
    assert_eq!(tiles.iter().filter(|t| t.kind == TileKind::Entries).count(), 274);
    assert_eq!(TileId::grown(70_000, 70_001).len(), 2);
    assert!(TileId::grown(5, 5).is_empty());
}

#[test]
fn tiles_hold_the_hashes_of_the_tree() {
    let mut tree = Tree::new();
    for number in 0..600u32 {
        tree.push(&number.to_be_bytes());
    }
    let read = |path: &str| hash_tile(&tree, &TileId::parse(path).unwrap());
    let last = read("tile/0/002.p/88").unwrap();
    assert_eq!(last.len(), 88 * 32);
    assert_eq!(last[..32], leaf_hash(&512u32.to_be_bytes()));
    assert!(last.starts_with(&read("tile/0/002.p/3").unwrap()));
    // A hash at level 1 is the root of the full tile below it.
    let mut below = Tree::new();
    for hash in read("tile/0/001").unwrap().chunks_exact(32) {
        below.push_hash(hash.try_into().unwrap());
    }
    assert_eq!(read("tile/1/000.p/2").unwrap()[32..], below.root());
    for missing in ["tile/0/002", "tile/0/002.p/89", "tile/0/003.p/1", "tile/1/000.p/3"] {
        assert!(read(missing).is_err(), "{missing}");
    }
    for missing in ["tile/2/000.p/1", "tile/63/000", "tile/entries/000"] {
        assert!(read(missing).is_err(), "{missing}");
    }
    let far = TileId { index: u64::MAX, ..TileId::parse("tile/0/000").unwrap() };
    assert!(hash_tile(&tree, &far).is_err());
}

#[test]
fn entry_bundles_are_exact() {
    let entries: [&[u8]; 3] = [b"one", b"", &[7; 65_535]];
    let bytes = encode_entries(entries).unwrap();
    assert_eq!(decode_entries(&bytes, 3).unwrap(), entries);
    assert!(decode_entries(&bytes, 2).is_err());
    assert!(decode_entries(&bytes, 4).is_err());
    assert!(decode_entries(&bytes[..bytes.len() - 1], 3).is_err());
    assert!(encode_entries([&[0u8; 65_536][..]]).is_err());
}

proptest! {
    #[test]
    fn paths_round_trip(level in 0u8..64, entries: bool, index: u64, width in 1u16..=256) {
        let kind = if entries { TileKind::Entries } else { TileKind::Hashes { level } };
        let tile = TileId { kind, index, width };
        prop_assert_eq!(TileId::parse(&tile.to_string()).unwrap(), tile);
    }

    #[test]
    fn a_path_that_parses_prints_as_it_was(
        path in "tile/(entries|[0-9]{1,2})/[x0-9/]{1,12}(\\.p/[0-9]{1,3})?",
    ) {
        if let Ok(tile) = TileId::parse(&path) {
            prop_assert_eq!(tile.to_string(), path);
        }
    }
}
