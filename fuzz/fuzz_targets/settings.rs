//! Settings and instruments, which people write: settings that parse are written so that they read
//! back as themselves; a catalogue that parses has no fault.
#![no_main]

use bailee_server::{Config, catalogue};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(config) = Config::parse(text) {
        assert_eq!(Config::parse(&config.to_text()), Ok(config), "settings read back");
    }
    if let Ok(catalogue) = catalogue::parse(text) {
        assert_eq!(catalogue.fault(), None);
    }
});
