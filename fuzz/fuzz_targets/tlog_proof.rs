//! Proof files: what parses reads back as itself, and proves nothing to a stranger's log.
#![no_main]

use bailee_ledger::{Policy, TlogProof};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(proof) = TlogProof::parse(bytes) {
        let again = proof.to_string();
        assert_eq!(again.as_bytes(), bytes, "one spelling");
        assert!(proof.verify(&[0; 32], &Policy::default()).is_err());
    }
});
