//! The lists and the metadata of a bag: what parses is written again as the same bytes.
#![no_main]

use bailee_ledger::bundle::{BagInfo, List, Manifest};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for list in [List::Payload, List::Tags] {
        if let Ok(manifest) = Manifest::parse(list, bytes) {
            assert_eq!(manifest.to_text().as_bytes(), bytes, "one spelling");
        }
    }
    if let Ok(info) = BagInfo::parse(bytes) {
        let text = info.to_text();
        assert_eq!(text.as_deref().map(str::as_bytes), Ok(bytes), "one spelling");
    }
});
