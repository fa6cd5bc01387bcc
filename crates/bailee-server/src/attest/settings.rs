//! `[witnesses]` of `bailee.toml`: who is asked to cosign, and how long is waited for.
//!
//! Invariants: the policy file names witnesses, groups and exactly one quorum; the log's own key is
//! added by the house, so that a policy cannot speak of another log; every witness has an address.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bailee_ledger::{Policy, Verifier};
use serde::{Deserialize, Serialize};

use crate::house::HouseError;

/// Milliseconds a round of questions may take, if the settings do not say.
const TIMEOUT_MS: u64 = 1_000;

/// The section.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Witnesses {
    /// A tlog-policy file; a relative path starts in the house's directory.
    pub policy: PathBuf,
    /// Milliseconds that receipts wait for cosignatures; operation never does.
    #[serde(default = "timeout_ms")]
    pub timeout_ms: u64,
}

fn timeout_ms() -> u64 {
    TIMEOUT_MS
}

impl Witnesses {
    /// How long one round may take.
    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }

    /// The section as it stands in the file.
    pub(crate) fn to_text(&self) -> String {
        let Witnesses { policy, timeout_ms } = self;
        format!("\n[witnesses]\npolicy = {policy:?}\ntimeout_ms = {timeout_ms}\n")
    }

    /// Reads the policy file and adds the log's own key.
    pub(crate) fn read(&self, dir: Option<&Path>, key: &Verifier) -> Result<Policy, HouseError> {
        let path = dir.map_or_else(|| self.policy.clone(), |dir| dir.join(&self.policy));
        let bytes = std::fs::read(&path)
            .map_err(|e| HouseError::io(format!("read the policy {}", path.display()), &e))?;
        policy(&bytes, key).map_err(|detail| HouseError::Config { path, detail })
    }
}

fn policy(bytes: &[u8], key: &Verifier) -> Result<Policy, String> {
    let mut policy = Policy::parse(bytes).map_err(|e| e.to_string())?;
    match policy.logs() {
        [] => policy.add_log(key.clone(), None)?,
        [log] if log.key == *key => {}
        _ => return Err("it names another log; leave the log lines out, ours is added".into()),
    }
    if let Some(mute) = policy.witnesses().iter().find(|witness| witness.url.is_none()) {
        return Err(format!("witness {} has no URL to ask it at", mute.name));
    }
    Ok(policy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bailee_ledger::Signer;

    #[test]
    fn a_policy_is_of_this_log_and_says_where_to_ask() {
        let log = Signer::from_seed("log.example.org/2026", &[1; 32]).unwrap();
        let other = Signer::from_seed("log.example.com/2026", &[2; 32]).unwrap();
        let witness = Signer::witness_from_seed("w.example", &[3; 32]).unwrap();
        let (key, vkey) = (log.verifier(), witness.verifier().to_vkey());
        let text = format!("witness w {vkey} https://w.example/\nquorum w\n");
        let read = policy(text.as_bytes(), key).unwrap();
        assert_eq!((read.logs().len(), read.quorum_name()), (1, "w"));
        let own = format!("log {}\n{text}", key.to_vkey());
        assert_eq!(policy(own.as_bytes(), key), Ok(read));
        let foreign = format!("log {}\n{text}", other.verifier().to_vkey());
        assert!(policy(foreign.as_bytes(), key).unwrap_err().contains("another log"));
        let mute = format!("witness w {vkey}\nquorum w\n");
        assert!(policy(mute.as_bytes(), key).unwrap_err().contains("no URL"));
        assert!(policy(b"quorum none", key).is_err());
    }
}
