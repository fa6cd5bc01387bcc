//! Certificates of sanitization: what parses is written again as the same bytes.
#![no_main]

use bailee_sanitize::Certificate;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(read) = Certificate::from_json(text) {
        assert_eq!(read.to_json(), text, "one spelling");
        assert!(!read.to_text().is_empty());
    }
});
