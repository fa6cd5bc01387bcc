//! Bytes that others may have written, as this crate reads them, for whoever tries the parsers
//! out: the fuzz targets. No secret comes out of these, and nothing is opened.

use super::agent;
use super::protected::Protected;

/// What a protected key file says it is for. Error: why it is none.
pub fn key_file(text: &str) -> Result<String, &'static str> {
    Protected::parse(text).map(|file| file.purpose().to_owned())
}

/// The Ed25519 keys in an ssh-agent's answer to "what do you have?"; `None`: it is no answer.
pub fn agent_identities(answer: &[u8]) -> Option<Vec<[u8; 32]>> {
    agent::identities(answer)
}

/// The signature in an ssh-agent's answer to "sign this"; `None`: it is no answer.
pub fn agent_signature(answer: &[u8]) -> Option<[u8; 64]> {
    agent::signature(answer)
}
