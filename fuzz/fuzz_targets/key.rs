//! Key strings: one spelling of a verifier; a bad signer is an error.
#![no_main]

use bailee_ledger::{PqSigner, Signer, Verifier};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(verifier) = Verifier::parse(text) {
        assert_eq!(verifier.to_vkey(), text, "one spelling");
    }
    if let Ok(signer) = Signer::parse(text) {
        assert_eq!(*signer.to_skey(), text, "one spelling");
    }
    if let Ok(signer) = PqSigner::parse(text) {
        assert_eq!(*signer.to_skey(), text, "one spelling");
    }
});
