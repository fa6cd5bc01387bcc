//! Key files under a passphrase, of which a backup may have any: what parses has four lines, and
//! says in the second what it is for.
#![no_main]

use bailee_server::keys::parse::key_file;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(purpose) = key_file(text) {
        let lines: Vec<&str> = text.split('\n').collect();
        assert_eq!((lines.len(), lines.get(1)), (5, Some(&purpose.as_str())));
    }
});
