//! Answers of an ssh-agent, which may be any program at that socket: no more keys than fit into the
//! bytes, and no signature out of fewer bytes than it has.
#![no_main]

use bailee_server::keys::parse::{agent_identities, agent_signature};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|answer: &[u8]| {
    if let Some(keys) = agent_identities(answer) {
        assert!(keys.len() * 32 <= answer.len(), "keys out of nothing");
    }
    if let Some(signature) = agent_signature(answer) {
        assert!(answer.ends_with(&signature), "another signature than the answer's");
    }
});
