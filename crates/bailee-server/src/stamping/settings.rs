//! `[[timestamp]]` and `[stamping]` of `bailee.toml`: which authorities are asked, and how often.
//!
//! Invariants: a name is fit to be a directory of a bundle and is there once; roots and policy are
//! read when the house opens, so that a mistake shows then and not at the first token. What an
//! authority is sent is a hash and a random number, so `http://` is as good as `https://`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bailee_ledger::bundle::check_authority;
use bailee_ledger::timestamp::{Request, Roots};
use serde::{Deserialize, Serialize};

use crate::config::quoted;
use crate::house::HouseError;

/// Longest time that a setting may mean; more is as good as for ever.
const LONGEST: Duration = Duration::from_secs(365 * 86_400);

/// One `[[timestamp]]` section.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Authority {
    /// What it is called in bundles: `a-z 0-9 . _ -`.
    pub name: String,
    /// Where it is asked (RFC 3161 over HTTP).
    pub url: String,
    /// Certificates (PEM) that its own must lead to; a relative path starts in the house's
    /// directory.
    pub roots: PathBuf,
    /// Policy to ask for, an object identifier; its own choice if absent.
    #[serde(default)]
    pub policy: Option<String>,
}

/// The `[stamping]` section: all of it may be left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Pace {
    /// Seconds after which a log that has grown is stamped, whatever was recorded.
    pub every_s: u64,
    /// Least seconds between two stamped checkpoints: authorities limit and charge.
    pub pause_s: u64,
    /// Seconds that a token waits for a missing quorum of witnesses before it goes without.
    pub quorum_s: u64,
    /// Days before the end of a chain of certificates at which its tokens are renewed.
    pub renew_days: u64,
    /// Milliseconds that an authority may take to answer.
    pub timeout_ms: u64,
    /// Milliseconds that a receipt waits for tokens, while the authorities answer.
    pub receipt_ms: u64,
}

impl Default for Pace {
    fn default() -> Pace {
        Pace {
            every_s: 3_600,
            pause_s: 10,
            quorum_s: 600,
            renew_days: 90,
            timeout_ms: 10_000,
            receipt_ms: 2_000,
        }
    }
}

impl Pace {
    /// The section as it stands in the file; nothing if it says nothing new.
    pub(crate) fn to_text(&self) -> String {
        if *self == Pace::default() {
            return String::new();
        }
        let Pace { every_s, pause_s, quorum_s, renew_days, timeout_ms, receipt_ms } = self;
        format!(
            "\n[stamping]\nevery_s = {every_s}\npause_s = {pause_s}\nquorum_s = {quorum_s}\n\
             renew_days = {renew_days}\ntimeout_ms = {timeout_ms}\nreceipt_ms = {receipt_ms}\n"
        )
    }

    pub(super) fn pause(&self) -> Duration {
        Duration::from_secs(self.pause_s).min(LONGEST)
    }

    pub(super) fn quorum(&self) -> Duration {
        Duration::from_secs(self.quorum_s).min(LONGEST)
    }

    pub(super) fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms).min(LONGEST)
    }

    pub(super) fn receipt(&self) -> Duration {
        Duration::from_millis(self.receipt_ms).min(LONGEST)
    }
}

/// An authority as it is asked.
#[derive(Clone, Debug)]
pub(crate) struct Desk {
    pub(crate) name: String,
    pub(crate) url: String,
    pub(crate) policy: Option<String>,
    /// The file of roots, as it is offered in bundles.
    pub(crate) pem: Vec<u8>,
    pub(crate) roots: Roots,
}

impl Authority {
    /// The section as it stands in the file.
    pub(crate) fn to_text(&self) -> String {
        let Authority { name, url, roots, policy } = self;
        let policy = policy.iter().map(|policy| format!("policy = {}\n", quoted(policy)));
        let policy: String = policy.collect();
        let (name, url) = (quoted(name), quoted(url));
        let roots = quoted(&roots.display().to_string());
        format!("\n[[timestamp]]\nname = {name}\nurl = {url}\nroots = {roots}\n{policy}")
    }

    fn read(&self, dir: Option<&Path>) -> Result<Desk, HouseError> {
        let Authority { name, url, policy, .. } = self;
        let path = dir.map_or_else(|| self.roots.clone(), |dir| dir.join(&self.roots));
        let about = format!("timestamp authority {name:?}");
        let wrong = |detail: String| HouseError::Config {
            path: "bailee.toml".into(),
            detail: format!("{about}: {detail}"),
        };
        check_authority(name).map_err(|why| wrong(why.to_owned()))?;
        if !url.starts_with("http://") && !url.starts_with("https://") {
            return Err(wrong(format!("{url:?} is no address like https://tsa.example.org/")));
        }
        if let Some(policy) = policy {
            Request::new([0; 32], 0).under(policy).map_err(|e| wrong(e.to_string()))?;
        }
        let pem = std::fs::read(&path).map_err(|e| {
            HouseError::io(format!("read the roots of {about} in {}", path.display()), &e)
        })?;
        let roots = Roots::from_pem(&pem).map_err(|e| {
            let detail = format!("{about}: {e}");
            HouseError::Config { path, detail }
        })?;
        let (name, url, policy) = (name.clone(), url.clone(), policy.clone());
        Ok(Desk { name, url, policy, pem, roots })
    }
}

/// Reads all sections. Error: the first that is wrong.
pub(crate) fn read(sections: &[Authority], dir: Option<&Path>) -> Result<Vec<Desk>, HouseError> {
    let mut names = BTreeSet::new();
    for section in sections {
        if !names.insert(&section.name) {
            let detail = format!("two timestamp authorities are called {:?}", section.name);
            return Err(HouseError::Config { path: "bailee.toml".into(), detail });
        }
    }
    sections.iter().map(|section| section.read(dir)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(name: &str) -> Authority {
        let url = "http://tsa.example/".to_owned();
        Authority { name: name.into(), url, roots: "roots.pem".into(), policy: None }
    }

    #[test]
    fn what_cannot_be_asked_is_refused_when_the_house_opens() {
        let dir = tempfile::tempdir().unwrap();
        let refused = |sections: &[Authority]| read(sections, Some(dir.path())).unwrap_err();
        let told = refused(&[section("tsa")]).to_string();
        assert!(told.contains("roots.pem") && told.contains("\"tsa\""), "{told}");
        std::fs::write(dir.path().join("roots.pem"), "no certificate").unwrap();
        let told = refused(&[section("tsa")]).to_string();
        assert!(told.contains("self-signed"), "{told}");
        for name in ["", "TSA", ".tsa", "a/b", "-", &"a".repeat(65)] {
            assert!(refused(&[section(name)]).to_string().contains("1 to 64"), "{name}");
        }
        assert!(refused(&[section("a"), section("a")]).to_string().contains("two"));
        let odd = Authority { url: "ftp://tsa.example".into(), ..section("a") };
        assert!(refused(&[odd]).to_string().contains("ftp"));
        let odd = Authority { policy: Some("best".into()), ..section("a") };
        assert!(refused(&[odd]).to_string().contains("object identifier"));
    }
}
