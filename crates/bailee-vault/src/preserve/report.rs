//! What a preservation came to, and what of the copy is not as it was at its source.

use std::path::PathBuf;

use super::{Costs, path_of};
use crate::manifest::{Entry, Node, Stored};
use crate::names::SnapshotId;

/// What was preserved.
#[derive(Clone, Debug, PartialEq)]
pub struct SnapshotReport {
    /// The snapshot: durable and complete.
    pub id: SnapshotId,
    /// Its manifest root, for the log.
    pub root: [u8; 32],
    /// Files with content.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Bytes newly put into the store, all overhead included.
    pub stored_bytes: u64,
    /// What could not be read, wholly or in part, and why.
    pub unreadable: Vec<(PathBuf, String)>,
    /// Files that changed while they were read.
    pub changed: Vec<PathBuf>,
    /// Members of an archive that are not kept, because a later one has their name.
    pub replaced: Vec<PathBuf>,
    /// Files taken over from an earlier copy without being read, and their bytes.
    pub unchanged: (u64, u64),
    /// Files that look unchanged and were read all the same, because their file system does not
    /// keep the times by which that could be told; and their bytes.
    pub unkept: (u64, u64),
    /// Processor time, per stage.
    pub costs: Costs,
    /// How long it took.
    pub seconds: f64,
}

pub(super) fn totals(entries: &[Stored]) -> (u64, u64) {
    let contents = entries.iter().filter_map(|s| s.entry.content());
    contents.fold((0, 0), |(files, bytes), c| (files + 1, bytes + c.size))
}

/// What of a copy is not as it was at its source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Oddities {
    /// What could not be read, wholly or in part, and why.
    pub unreadable: Vec<(PathBuf, String)>,
    /// Files that changed while they were read.
    pub changed: Vec<PathBuf>,
}

impl Oddities {
    /// Of these entries, in their order.
    pub fn of<'e>(entries: impl IntoIterator<Item = &'e Entry>) -> Oddities {
        let mut all = Oddities::default();
        entries.into_iter().for_each(|entry| all.take(entry));
        all
    }

    fn take(&mut self, entry: &Entry) {
        let path = || path_of(&entry.path);
        if let Node::Unreadable { reason } = &entry.node {
            self.unreadable.push((path(), reason.clone()));
        }
        let Some(content) = entry.content() else { return };
        if content.changed {
            self.changed.push(path());
        }
        if !content.unreadable.is_empty() {
            let bytes: u64 = content.unreadable.iter().map(|(_, n)| n).sum();
            let ranges = content.unreadable.len();
            let places = if ranges == 1 { "one place" } else { "several places" };
            let reason = format!("the medium did not give {bytes} bytes, in {places}");
            self.unreadable.push((path(), reason));
        }
    }
}
