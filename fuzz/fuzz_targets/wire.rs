//! Journal entries: any section bytes give an event or a named error, and events read back.
//!
//! Input: two big-endian u16 lengths, then the sections what, who and papers; an empty who or
//! papers section stands for none.
#![no_main]

use bailee_core::wire::{decode, encode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((head, rest)) = bytes.split_first_chunk::<4>() else { return };
    let what = usize::from(u16::from_be_bytes([head[0], head[1]]));
    let who = usize::from(u16::from_be_bytes([head[2], head[3]]));
    let Some((what, rest)) = rest.split_at_checked(what) else { return };
    let Some((who, papers)) = rest.split_at_checked(who) else { return };
    let sections = [Some(what), some(who), some(papers)];
    if let Ok(record) = decode(3, sections) {
        let again = encode(record.at, record.by, &record.fact);
        let again = again.each_ref().map(|section| section.as_deref());
        assert_eq!(decode(3, again), Ok(record), "an event reads back");
    }
});

fn some(section: &[u8]) -> Option<&[u8]> {
    (!section.is_empty()).then_some(section)
}
