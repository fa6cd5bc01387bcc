//! Clearance tokens: raw bytes never pass, and signed ones only in their one spelling.
#![no_main]

use bailee_ledger::clearance::{key_name, open, sign};
use bailee_ledger::{Note, Signer};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let name = key_name("example.org/log");
    let Ok(signer) = Signer::from_seed(&name, &[7; 32]) else { return };
    let _ = open(bytes, signer.verifier());
    // Signed by the true key, so that the terms behind the signature are parsed too.
    let Ok(text) = String::from_utf8(bytes.to_vec()) else { return };
    let Ok(note) = Note::new(text) else { return };
    let token = note.sign(&signer, 0).to_string();
    if let Ok(terms) = open(token.as_bytes(), signer.verifier()) {
        assert_eq!(sign(&terms, &signer), Ok(token), "one spelling");
    }
});
