//! Inclusion and consistency: any sizes and hashes give an answer, in bounded work.
//!
//! Input: two big-endian u64 (index and size, or old and new size), two hashes, then the path.
#![no_main]

use bailee_ledger::hash::Hash;
use bailee_ledger::proof::{verify_consistency, verify_inclusion};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((small, rest)) = bytes.split_first_chunk::<8>() else { return };
    let Some((large, rest)) = rest.split_first_chunk::<8>() else { return };
    let (hashes, _) = rest.as_chunks::<32>();
    let [first, second, path @ ..] = hashes else { return };
    check(u64::from_be_bytes(*small), u64::from_be_bytes(*large), first, second, path);
});

fn check(small: u64, large: u64, first: &Hash, second: &Hash, path: &[Hash]) {
    if verify_inclusion(first, small, large, path, second).is_ok() {
        assert!(small < large, "an index below the size");
        assert!(path.len() <= 64, "at most one hash per level");
    }
    if verify_consistency(small, first, large, second, path).is_ok() {
        assert!(small <= large, "a tree only grows");
        assert!(small != large || first == second, "one size has one root");
    }
}
