//! Bundles: no bytes make the verifier panic, and what is signed has one spelling.
#![no_main]

use bailee_ledger::bundle::Statement;
use bailee_ledger::{Trust, verify_bundle};
use libfuzzer_sys::fuzz_target;
use std::io::Cursor;

fuzz_target!(|bytes: &[u8]| {
    // Whoever trusts the key in the bundle believes its maker; it must still be one archive.
    let _ = verify_bundle(Cursor::new(bytes), &Trust::from_bundle());
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(statement) = Statement::parse(text)
    {
        assert_eq!(statement.to_text(), text, "one spelling");
    }
});
