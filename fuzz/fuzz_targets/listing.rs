//! Answers of an S3 engine: whatever it sends, reading never panics, a page that says more follows
//! has keys to go on from, and what is shown of an error is short and printable.
//!
//! Input: the body of an answer.
#![no_main]

use bailee_store::s3::listing::{read_error, read_page};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(page) = read_page(bytes) {
        assert!(!page.more || !page.keys.is_empty(), "a listing that cannot go on");
        let text = String::from_utf8_lossy(bytes);
        assert!(text.contains("</ListBucketResult>"), "a page that was cut off");
        assert!(page.keys.len() <= text.matches("<Key").count(), "keys from nowhere");
    }
    let (code, message) = read_error(bytes);
    for shown in [code, message] {
        assert!(shown.len() <= 200 && !shown.contains(|c: char| c.is_control()), "{shown:?}");
    }
});
