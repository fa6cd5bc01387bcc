//! Entry bundles: exactly the width asked for, and the bytes come back.
//!
//! Input: the width as a big-endian u16, then the bundle.
#![no_main]

use bailee_ledger::tile::{decode_entries, encode_entries};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((width, bytes)) = bytes.split_first_chunk::<2>() else { return };
    let width = u16::from_be_bytes(*width);
    if let Ok(entries) = decode_entries(bytes, width) {
        assert_eq!(entries.len(), usize::from(width));
        assert_eq!(encode_entries(entries).as_deref(), Ok(bytes), "one spelling");
    }
});
