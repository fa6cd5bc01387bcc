//! Bundles: no bytes make the verifier panic, and none that are not signed pass.
#![no_main]

use bailee_ledger::bundle::Listing;
use bailee_ledger::{Trust, verify_bundle};
use libfuzzer_sys::fuzz_target;
use std::io::Cursor;

fuzz_target!(|bytes: &[u8]| {
    // Whoever trusts the key in the bundle believes its maker; it must still be one archive.
    let _ = verify_bundle(Cursor::new(bytes), &Trust::FromBundle);
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(listing) = Listing::parse(text)
    {
        assert_eq!(listing.to_text(), text, "one spelling");
    }
});
