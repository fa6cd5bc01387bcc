//! Any bytes as a transfer, in and out: reading never panics, takes no memory that did not come,
//! and nothing without its end frame is whole.
#![no_main]

use bailee_vault::fuzzing::{arrival, transfer};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    transfer(bytes);
    arrival(bytes);
});
