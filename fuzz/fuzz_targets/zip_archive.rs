//! Archives: what opens is written again as the same bytes.
#![no_main]

use bailee_ledger::zip::{Archive, Input, write};
use libfuzzer_sys::fuzz_target;
use std::io::Cursor;

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut archive) = Archive::open(Cursor::new(bytes)) else { return };
    let names: Vec<String> = archive.members().iter().map(|member| member.name.clone()).collect();
    let mut members = Vec::new();
    for name in names {
        match archive.read(&name, bytes.len() as u64) {
            Ok(content) => members.push(Input::from_bytes(&name, content)),
            Err(_) => return,
        }
    }
    let mut again = Vec::new();
    let written = write(&mut again, members);
    assert!(written.is_ok(), "what was read can be written");
    assert_eq!(again, bytes, "one encoding");
});
