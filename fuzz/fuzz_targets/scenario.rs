//! Scenario scripts: any text is a story or an error that names a line of it.
#![no_main]

use bailee_core::scenario::parse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Err(error) = parse(text) {
        assert!(error.line <= text.lines().count().max(1), "the line is one of the text");
        assert!(!error.what.is_empty());
    }
});
