//! Archive volumes that left.

use super::{Decision, find};
use crate::event::{Event, Fact};
use crate::id::SnapshotId;
use crate::refusal::{Code, Refusal};
use crate::state::State;
use crate::volume::{MOST, Written};

/// A set is written once. Each entry names so many volumes as fit; together they name all.
pub(super) fn written(
    s: &State,
    snapshot: SnapshotId,
    set: [u8; 16],
    volumes: &[Written],
) -> Decision {
    find(&s.snapshots, snapshot)?;
    if s.volume_sets.contains(&set) {
        return Err(Refusal::new(Code::AlreadyDone, "the set", "is in the log, with its volumes"));
    }
    if volumes.is_empty() || volumes.iter().any(|volume| volume.size == 0) {
        return Err(Refusal::new(Code::BadValue, "the set", "has volumes, and each has bytes"));
    }
    if u32::try_from(volumes.len()).is_err() {
        return Err(Refusal::new(
            Code::BadValue,
            "the set",
            "has more volumes than can be counted",
        ));
    }
    let parts = volumes.len().div_ceil(MOST);
    let entry = |(part, volumes): (usize, &[Written])| {
        Fact::of(Event::VolumesWritten {
            snapshot,
            set: set.into(),
            first: u32::try_from(part * MOST + 1).unwrap_or(u32::MAX),
            last: part + 1 == parts,
            volumes: volumes.to_vec(),
        })
    };
    Ok(volumes.chunks(MOST).enumerate().map(entry).collect())
}
