//! Signed notes: what parses is written back as it came, and never holds control characters.
#![no_main]

use bailee_ledger::Note;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(note) = Note::parse(bytes) {
        let again = note.to_string();
        assert_eq!(Note::parse(again.as_bytes()).as_ref(), Ok(&note), "a note reads back");
        assert!(note.text().chars().all(|c| c == '\n' || !c.is_control()));
    }
});
