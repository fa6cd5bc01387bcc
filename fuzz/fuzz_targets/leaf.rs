//! Leaves: one spelling; sections open with nothing but their bytes and salt.
#![no_main]

use bailee_ledger::Leaf;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(leaf) = Leaf::decode(bytes) {
        assert_eq!(leaf.encode(), bytes, "one spelling");
        for section in 0..4 {
            assert!(!leaf.opens(section, bytes, &[0; 32]), "no commitment opens by chance");
        }
    }
});
