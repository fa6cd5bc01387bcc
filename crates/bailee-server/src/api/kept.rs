//! What was kept of a source, given back of a snapshot, or written out of one.
//!
//! Invariant: the same members from a directory and over HTTP. What could not be read, changed
//! while it was, or did not come back is among `problems`, by name; whole is only what has none.

use std::fmt::Display;
use std::path::Path;

use bailee_vault::{Content, ExportReport, Missed, Problem, RestoreReport};
use serde_json::{Value, json};

use crate::keeping::Kept;

fn problem(path: impl Display, what: &dyn Display) -> Value {
    json!({ "path": path.to_string(), "what": what.to_string() })
}

fn problems(all: &[Problem]) -> impl Iterator<Item = Value> {
    all.iter().map(|p| problem(p.path.display(), &p.what))
}

/// What preserving and reading back showed.
pub fn kept(kept: &Kept) -> Value {
    let report = &kept.preserved;
    let unreadable = report.unreadable.iter().map(|(path, why)| problem(path.display(), why));
    let changed = report.changed.iter().map(|path| problem(path.display(), &"changed while read"));
    let twice = "an earlier member of this name is not kept: preserve the archive as a file, too";
    let replaced = report.replaced.iter().map(|path| problem(path.display(), &twice));
    let lost = kept.verified.problems.iter().map(|damage| problem(damage.path.display(), damage));
    let all: Vec<Value> = unreadable.chain(changed).chain(replaced).chain(lost).collect();
    json!({
        "snapshot": kept.snapshot.to_string(),
        "asset": kept.asset.to_string(),
        "root": bailee_ledger::to_hex(&report.root),
        "files": report.files,
        "bytes": report.bytes,
        "stored_bytes": report.stored_bytes,
        "unreadable": report.unreadable.len(),
        "changed": report.changed.len(),
        "replaced": report.replaced.len(),
        "unchanged_files": report.unchanged.0,
        "unchanged_bytes": report.unchanged.1,
        "read_again_files": report.unkept.0,
        "read_again_bytes": report.unkept.1,
        "seconds": report.seconds,
        "verified": kept.verified.is_intact(),
        "verify_seconds": kept.verified.seconds,
        "problems": all,
    })
}

/// What restoring into a directory showed.
pub fn restored(snapshot: &str, into: &Path, report: &RestoreReport) -> Value {
    let value = json!({
        "snapshot": snapshot,
        "into": into,
        "files": report.files,
        "bytes": report.bytes,
        "seconds": report.seconds,
        "complete": report.is_complete(),
        "never_read": report.never_read,
        "unreadable": report.unreadable,
        "damaged": problems(&report.damaged).collect::<Vec<_>>(),
        "not_restored": problems(&report.not_restored).collect::<Vec<_>>(),
    });
    with_missed(value, &report.missed)
}

/// The same with what the destination did not take.
pub fn with_missed(mut value: Value, missed: &Missed) -> Value {
    value["not_made"] = problems(&missed.not_made).collect();
    value["not_made_more"] = json!(missed.not_made_more);
    value["owners_not_set"] = json!(missed.owners);
    value["attributes_not_set"] = json!(missed.attributes);
    value
}

/// What is in an archive, and what of it has no place in its form or was never read.
pub fn exported(report: &ExportReport) -> Value {
    json!({
        "files": report.files,
        "bytes": report.bytes,
        "complete": report.is_complete(),
        "never_read": report.never_read,
        "unreadable": report.unreadable,
        "left_out": problems(&report.left_out).collect::<Vec<_>>(),
        "by_chunks": report.by_chunks.iter().map(|p| p.display().to_string()).collect::<Vec<_>>(),
    })
}

/// Which bytes of a file or device its medium gave: those that it did not.
pub fn map(snapshot: &str, path: &str, content: &Content) -> Value {
    let range = |(offset, length): &(u64, u64)| json!({ "offset": offset, "length": length });
    json!({
        "snapshot": snapshot,
        "path": path,
        "size": content.size,
        "unreadable": content.unreadable.iter().map(range).collect::<Vec<_>>(),
    })
}

/// As much of a file as its map says; `None`: it is no map.
pub fn mapped(map: &Value) -> Option<Content> {
    let range = |value: &Value| Some((value["offset"].as_u64()?, value["length"].as_u64()?));
    let unreadable = map["unreadable"].as_array()?.iter().map(range).collect::<Option<Vec<_>>>()?;
    Some(Content { size: map["size"].as_u64()?, unreadable, ..Content::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_reads_back() {
        let content = Content { size: 9, unreadable: vec![(2, 3), (7, 1)], ..Content::default() };
        assert_eq!(mapped(&map("S-1", "sdb", &content)), Some(content));
        assert_eq!(mapped(&json!({ "size": 9, "unreadable": [{ "offset": 1 }] })), None);
    }
}
