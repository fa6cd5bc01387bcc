//! Checkpoints: a text has one spelling, signed or not.
#![no_main]

use bailee_ledger::checkpoint::{Checkpoint, parse_note};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = parse_note(bytes);
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(checkpoint) = Checkpoint::parse(text) {
        assert_eq!(checkpoint.to_text().as_deref(), Ok(text), "one spelling");
    }
});
