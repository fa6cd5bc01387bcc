//! Certificates of erasure: what parses is written again as the same bytes.
#![no_main]

use bailee_sanitize::ErasureCertificate;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(read) = ErasureCertificate::from_json(text) {
        assert_eq!(read.to_json(), text, "one spelling");
    }
});
