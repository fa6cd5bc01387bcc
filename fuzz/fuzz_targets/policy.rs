//! Policies: what parses is written in a form that reads back as itself.
#![no_main]

use bailee_ledger::Policy;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(policy) = Policy::parse(bytes) {
        let text = policy.to_string();
        let again = Policy::parse(text.as_bytes()).map(|policy| policy.to_string());
        assert_eq!(again, Ok(text), "a policy reads back");
    }
});
