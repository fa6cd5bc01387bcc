//! Upkeep of the vault: how much of it is looked at, and what a look showed.
//!
//! Invariant: the same members here and over HTTP; a share that is not one is named, never guessed.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use bailee_core::id::SnapshotId;
use bailee_vault::{
    Budget, Damage, Loss, Problem, RepairReport, SnapshotId as VaultId, VerifyReport,
};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::keeping::Scrubbed;

/// How much of the packs: `all`, `10%`, or bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share(pub Budget);

impl FromStr for Share {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Share, &'static str> {
        let budget = match text.strip_suffix('%') {
            Some(percent) => percent.parse().ok().filter(|p| (1..=100).contains(p)),
            None if text == "all" => return Ok(Share(Budget::Everything)),
            None => return text.parse().map(Budget::Bytes).map(Share).map_err(|_| WORDS),
        };
        budget.map(|percent| Share(Budget::Percent(percent))).ok_or(WORDS)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Budget::Everything => f.write_str("all"),
            Budget::Percent(percent) => write!(f, "{percent}%"),
            Budget::Bytes(bytes) => write!(f, "{bytes}"),
        }
    }
}

const WORDS: &str = "say all, a share such as 10%, or a number of bytes";

/// Asks for packs to be hashed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Scrub {
    /// `all`, a share such as `10%`, or bytes; it goes on where the last one stopped.
    pub budget: String,
}

/// What hashing packs showed, which copies could not be looked at after it, and what the vault has
/// that the log does not.
pub fn scrubbed(scrubbed: &Scrubbed) -> Value {
    let Scrubbed { run, unlooked, unrecorded, .. } = scrubbed;
    let mut value = json!({
        "packs": run.report.packs,
        "bytes": run.report.bytes,
        "of_bytes": run.of_bytes,
        "round_ended": run.rounds_ended > 0,
        "problems": problems(&run.report.problems),
    });
    if !unlooked.is_empty() {
        value["not_looked_at"] = json!(unlooked);
    }
    name_unrecorded(&mut value, unrecorded);
    value
}

/// Names snapshots that the vault has and the log does not, if there are any.
pub fn name_unrecorded(value: &mut Value, unrecorded: &[VaultId]) {
    if !unrecorded.is_empty() {
        let names: Vec<String> = unrecorded.iter().map(ToString::to_string).collect();
        value["unrecorded"] = json!(names);
    }
}

/// Packs with what is wrong with them.
pub fn problems(all: &[Problem]) -> Vec<Value> {
    let one = |p: &Problem| json!({ "object": p.path.display().to_string(), "what": p.what });
    all.iter().map(one).collect()
}

/// What was put right from a copy, and what is lost; `called` says what a snapshot is called.
pub fn repaired(copy: &Path, report: &RepairReport, called: &BTreeMap<VaultId, String>) -> Value {
    let lost = report.lost.iter().map(|Loss { snapshot, damage }| {
        let snapshot = called.get(snapshot).cloned().unwrap_or_else(|| snapshot.to_string());
        let path = damage.path.display().to_string();
        let bytes = damage.spans();
        json!({ "snapshot": snapshot, "path": path, "bytes": bytes, "what": damage.what })
    });
    json!({
        "from": copy,
        "keys_and_snapshots": report.sealed,
        "packs": report.packs,
        "bytes": report.bytes,
        "stored_again": report.stored_again,
        "problems": problems(&report.problems),
        "lost": lost.collect::<Vec<_>>(),
        "lost_more": report.lost_more,
    })
}

/// What reading a snapshot back showed.
pub fn read_back(snapshot: SnapshotId, report: &VerifyReport) -> Value {
    let problem = |p: &Damage| {
        let path = p.path.display().to_string();
        json!({ "path": path, "bytes": p.spans(), "what": p.what })
    };
    let mut value = json!({
        "snapshot": snapshot.to_string(),
        "intact": report.is_intact(),
        "root": bailee_ledger::to_hex(&report.root),
        "files": report.files,
        "bytes": report.bytes,
        "seconds": report.seconds,
        "problems": report.problems.iter().map(problem).collect::<Vec<_>>(),
    });
    if report.half_erased {
        value["half_erased"] = true.into();
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_all_a_share_or_bytes() {
        let read = |text: &str| text.parse::<Share>().ok().map(|share| share.0);
        assert_eq!(read("all"), Some(Budget::Everything));
        assert_eq!(read("10%"), Some(Budget::Percent(10)));
        assert_eq!(read("1000000"), Some(Budget::Bytes(1_000_000)));
        for word in ["all", "10%", "1000000"] {
            assert_eq!(word.parse::<Share>().unwrap().to_string(), word);
        }
        for bad in ["", "%", "0%", "101%", "1.5%", "-1", "10 %", "some"] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }
}
