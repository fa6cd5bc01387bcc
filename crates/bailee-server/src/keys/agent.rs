//! A log key in an ssh-agent, asked over its socket (draft-ietf-sshm-ssh-agent): the two requests
//! that are needed, by hand, instead of a crate with a protocol, a runtime and keys of all kinds.
//!
//! Invariants: the key is chosen by fingerprint, never by order or comment; each signature has a
//! connection of its own, so that an agent that was started anew is found again; what the agent
//! says is bounded, and its signature is verified by the ledger before it counts.
//!
//! Use a key of its own: an agent signs whatever a program that reaches its socket asks for.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use bailee_ledger::hash::sha256;
use bailee_ledger::{KeyKind, Sign, SignError, Verifier};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::error::KeyError;

const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES_ANSWER: u8 = 12;
const SIGN_REQUEST: u8 = 13;
const SIGN_RESPONSE: u8 = 14;
const ED25519: &[u8] = b"ssh-ed25519";
/// Longest answer read, bytes.
const LONGEST: u32 = 256 << 10;
/// How long an agent may take; it may ask a person (`ssh-add -c`).
const PATIENCE: Duration = Duration::from_secs(60);

/// A key in an agent.
pub(crate) struct AgentKey {
    socket: PathBuf,
    verifier: Verifier,
}

impl AgentKey {
    /// The key with that fingerprint, which is known already or else is asked for.
    pub(crate) fn find(
        origin: &str,
        fingerprint: &str,
        known: &[Verifier],
    ) -> Result<AgentKey, KeyError> {
        let holder = "the ssh-agent".to_owned();
        let socket = std::env::var_os("SSH_AUTH_SOCK").map(PathBuf::from).ok_or_else(|| {
            let detail = "SSH_AUTH_SOCK is not set".to_owned();
            SignError::Unreachable { holder, detail }
        })?;
        let fits = |key: &&Verifier| self::fingerprint(key.public()) == fingerprint;
        if let Some(verifier) = known.iter().find(fits) {
            return Ok(AgentKey { socket, verifier: verifier.clone() });
        }
        let agent = Agent { socket };
        let public = agent.public(fingerprint)?;
        let verifier = Verifier::new(origin, KeyKind::Note, &public)?;
        Ok(AgentKey { socket: agent.socket, verifier })
    }
}

impl Sign for AgentKey {
    fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError> {
        let agent = Agent { socket: self.socket.clone() };
        let mut request = vec![SIGN_REQUEST];
        put(&mut request, &blob(self.verifier.public()));
        put(&mut request, message);
        request.extend_from_slice(&0u32.to_be_bytes());
        match agent.ask(&request)? {
            (SIGN_RESPONSE, answer) => signature(&answer).ok_or_else(|| agent.nonsense()),
            // "Failure", whatever the reason: which one it is shows what keys it has.
            _ => Err(match agent.public(&fingerprint(self.verifier.public())) {
                Err(why) => why,
                Ok(_) => {
                    let detail = "asked for a confirmation, perhaps, and got none".to_owned();
                    SignError::Refused { holder: agent.name(), detail }
                }
            }),
        }
    }
}

/// `SHA256:…` of an Ed25519 public key, as `ssh-add -l` prints it.
pub(crate) fn fingerprint(public: &[u8]) -> String {
    format!("SHA256:{}", STANDARD_NO_PAD.encode(sha256(&blob(public))))
}

/// A public key as SSH writes it.
fn blob(public: &[u8]) -> Vec<u8> {
    let mut blob = Vec::new();
    put(&mut blob, ED25519);
    put(&mut blob, public);
    blob
}

/// The 64 bytes in `string(string("ssh-ed25519") string(signature))`.
pub(super) fn signature(answer: &[u8]) -> Option<[u8; 64]> {
    let (mut outer, []) = take(answer)? else { return None };
    let (ED25519, rest) = take(outer)? else { return None };
    outer = rest;
    let (signature, []) = take(outer)? else { return None };
    signature.try_into().ok()
}

struct Agent {
    socket: PathBuf,
}

impl Agent {
    /// The Ed25519 key with that fingerprint.
    fn public(&self, wanted: &str) -> Result<[u8; 32], SignError> {
        let (kind, answer) = self.ask(&[REQUEST_IDENTITIES])?;
        let (IDENTITIES_ANSWER, Some(keys)) = (kind, identities(&answer)) else {
            return Err(self.nonsense());
        };
        // A locked agent says that it has no keys, not that it is locked.
        if keys.is_empty() {
            return Err(SignError::Locked { holder: self.name() });
        }
        let found = keys.into_iter().find(|public| fingerprint(public) == wanted);
        found.ok_or_else(|| SignError::KeyGone { holder: format!("{} ({wanted})", self.name()) })
    }

    /// Type and content of the answer to a request.
    fn ask(&self, request: &[u8]) -> Result<(u8, Vec<u8>), SignError> {
        let io = |e: std::io::Error| SignError::Unreachable {
            holder: self.name(),
            detail: e.to_string(),
        };
        let mut stream = UnixStream::connect(&self.socket).map_err(io)?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(io)?;
        stream.set_write_timeout(Some(PATIENCE)).map_err(io)?;
        let mut framed = Vec::with_capacity(4 + request.len());
        put(&mut framed, request);
        stream.write_all(&framed).map_err(io)?;
        let mut length = [0; 4];
        stream.read_exact(&mut length).map_err(io)?;
        let length = u32::from_be_bytes(length);
        if !(1..=LONGEST).contains(&length) {
            return Err(self.nonsense());
        }
        let mut answer = vec![0; length as usize];
        stream.read_exact(&mut answer).map_err(io)?;
        let kind = answer.remove(0);
        Ok((kind, answer))
    }

    fn name(&self) -> String {
        format!("the ssh-agent at {}", self.socket.display())
    }

    fn nonsense(&self) -> SignError {
        SignError::Refused { holder: self.name(), detail: "no answer of its protocol".to_owned() }
    }
}

/// Ed25519 keys among the identities; others are passed over.
pub(super) fn identities(answer: &[u8]) -> Option<Vec<[u8; 32]>> {
    let (count, mut rest) = answer.split_first_chunk::<4>()?;
    let mut keys = Vec::new();
    for _ in 0..u32::from_be_bytes(*count) {
        let (key, after) = take(rest)?;
        let (_comment, after) = take(after)?;
        rest = after;
        if let Some((ED25519, public)) = take(key)
            && let Some((public, [])) = take(public)
        {
            keys.push(public.try_into().ok()?);
        }
    }
    Some(keys)
}

/// Appends a string with its length.
fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    // Notes have at most 16 MiB.
    out.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
    out.extend_from_slice(bytes);
}

/// Splits a string with its length off.
fn take(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let length = u32::from_be_bytes(*length) as usize;
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_cut_anywhere_is_none() {
        let mut key = Vec::new();
        put(&mut key, &blob(&[7; 32]));
        put(&mut key, b"comment");
        let answer = [1u32.to_be_bytes().as_slice(), &key].concat();
        assert_eq!(identities(&answer), Some(vec![[7; 32]]));
        for upto in 0..answer.len() {
            assert_eq!(identities(&answer[..upto]), None, "{upto}");
        }
        let mut inner = Vec::new();
        put(&mut inner, ED25519);
        put(&mut inner, &[9; 64]);
        let mut answer = Vec::new();
        put(&mut answer, &inner);
        assert_eq!(signature(&answer), Some([9; 64]));
        for upto in 0..answer.len() {
            assert_eq!(signature(&answer[..upto]), None, "{upto}");
        }
        answer.push(0);
        assert_eq!(signature(&answer), None);
    }
}
