//! Letters and delivery reports: any bytes are read, in bounded room, the same way every time.
#![no_main]

use bailee_post::{Letter, Report};
use libfuzzer_sys::fuzz_target;

/// What a letter's readable text may grow to, bytes.
const TEXT: usize = 1 << 20;

fuzz_target!(|bytes: &[u8]| {
    let letter = Letter::read(bytes);
    assert!(letter.text.len() <= TEXT, "text is capped");
    assert!(!letter.subject.contains('\n'), "a subject is one line");
    assert_eq!(Letter::read(bytes), letter, "the same bytes read the same");
    assert_eq!(Report::read(bytes), Report::read(bytes), "the same bytes read the same");
});
