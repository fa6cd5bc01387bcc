//! Any bytes as a tar archive: reading never panics, and nothing without an end marker is whole.
#![no_main]

use bailee_vault::{VaultError, tar_members};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut from = bytes;
    match tar_members("fuzz", &mut from) {
        Ok(_) => assert!(bytes.ends_with(&[0; 1024]), "it has an end"),
        Err(VaultError::Archive { at, .. }) => assert!(at <= bytes.len() as u64),
        Err(other) => panic!("an archive that is wrong is called so: {other}"),
    }
});
