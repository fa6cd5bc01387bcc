//! Tile paths: one spelling, and a range that cannot overflow.
#![no_main]

use bailee_ledger::TileId;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|path: &str| {
    if let Ok(tile) = TileId::parse(path) {
        assert_eq!(tile.to_string(), path, "one spelling");
        assert!((1..=256).contains(&tile.width));
        let _ = tile.range();
    }
});
