//! `[witnesses]` of `bailee.toml`: who is asked to cosign, and how long is waited for.
//!
//! Invariants: the policy file names witnesses, groups and exactly one quorum; the log's own keys
//! are added by the house, which knows which of them count, so that a policy cannot speak of
//! another log and need not change with a key; every witness has an address.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bailee_ledger::Policy;
use serde::{Deserialize, Serialize};

use crate::config::quoted;
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
        let policy = quoted(&policy.display().to_string());
        format!("\n[witnesses]\npolicy = {policy}\ntimeout_ms = {timeout_ms}\n")
    }

    /// Reads the policy file, without any key of the log itself.
    pub(crate) fn read(&self, dir: Option<&Path>, origin: &str) -> Result<Policy, HouseError> {
        if self.timeout_ms == 0 {
            return Err(HouseError::Config {
                path: "bailee.toml".into(),
                detail: "witnesses.timeout_ms is 0: nobody can answer in no time".into(),
            });
        }
        let path = dir.map_or_else(|| self.policy.clone(), |dir| dir.join(&self.policy));
        let bytes = std::fs::read(&path)
            .map_err(|e| HouseError::io(format!("read the policy {}", path.display()), &e))?;
        policy(&bytes, origin).map_err(|detail| HouseError::Config { path, detail })
    }
}

fn policy(bytes: &[u8], origin: &str) -> Result<Policy, String> {
    let policy = Policy::parse(bytes).map_err(|e| e.to_string())?;
    if policy.logs().iter().any(|log| log.key.name() != origin) {
        return Err("it names another log; leave the log lines out, ours is added".into());
    }
    let text = String::from_utf8_lossy(bytes);
    let others = text.lines().filter(|line| !is_own(line, origin));
    let others: String = others.map(|line| format!("{line}\n")).collect();
    let policy = Policy::parse(others.as_bytes()).map_err(|e| e.to_string())?;
    if let Some(mute) = policy.witnesses().iter().find(|witness| witness.url.is_none()) {
        return Err(format!("witness {} has no URL to ask it at", mute.name));
    }
    Ok(policy)
}

/// A line with a key of the log itself: its first, or its second as a witness line.
fn is_own(line: &str, origin: &str) -> bool {
    let mut words = line.split([' ', '\t']).filter(|word| !word.is_empty());
    let named = |vkey: Option<&str>| vkey.and_then(|v| v.split('+').next()) == Some(origin);
    match words.next() {
        Some("log") => true,
        Some("witness") => named(words.nth(1)),
        _ => false,
    }
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
        let (origin, vkey) = (log.name(), witness.verifier().to_vkey());
        let second = bailee_ledger::PqSigner::from_seed(origin, &[4; 32]).unwrap();
        let text = format!("witness w {vkey} https://w.example/\nquorum w\n");
        let read = policy(text.as_bytes(), origin).unwrap();
        assert_eq!((read.logs().len(), read.quorum_name()), (0, "w"));
        let (first, second) = (log.verifier().to_vkey(), second.verifier().to_vkey());
        let own = format!("log {first}\nwitness own {second}\n{text}");
        assert_eq!(policy(own.as_bytes(), origin), Ok(read));
        let foreign = format!("log {}\n{text}", other.verifier().to_vkey());
        assert!(policy(foreign.as_bytes(), origin).unwrap_err().contains("another log"));
        let mute = format!("witness w {vkey}\nquorum w\n");
        assert!(policy(mute.as_bytes(), origin).unwrap_err().contains("no URL"));
        assert!(policy(b"quorum none", origin).is_err());
    }
}
