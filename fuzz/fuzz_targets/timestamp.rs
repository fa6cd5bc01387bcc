//! Answers of timestamp authorities: a seed is a real answer with what it is over. Bytes that are
//! no answer are refused; an answer that is accepted is the very one of a seed.
//!
//! The first 32 bytes are the hash that is stamped, the rest is the answer. The roots are those of
//! the seeds.
#![no_main]

use std::sync::LazyLock;

use bailee_ledger::timestamp::{Request, Roots, accept, verify, verify_series};
use libfuzzer_sys::fuzz_target;

static ROOTS: LazyLock<Roots> = LazyLock::new(|| {
    Roots::from_pem(include_bytes!("../timestamp-root.pem")).expect("the committed roots")
});

/// When the seeds were made.
const MADE: u64 = 1_790_856_000;

fuzz_target!(|bytes: &[u8]| {
    _ = Roots::from_pem(bytes);
    let Some((imprint, answer)) = bytes.split_first_chunk::<32>() else { return };
    let Ok(token) = verify(answer, imprint, &ROOTS, 0) else { return };
    assert!(token.chain_expires >= token.time && token.expires >= token.chain_expires);
    let again = verify_series(&[answer], imprint, &ROOTS, token.chain_expires);
    assert_eq!(again, Ok(vec![token]), "valid to the last second");
    // No seed answers a request with this nonce.
    assert!(accept(answer, &Request::new(*imprint, 1), &ROOTS, MADE).is_err());
});
