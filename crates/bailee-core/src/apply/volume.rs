//! Applies archive volumes that left: a snapshot remembers the sets that hold it.

use super::{Applied, row};
use crate::event::{Event, Record};
use crate::state::State;
use crate::volume::{Shelved, Written};

/// The first entry of a set makes it; each further one goes on where the one before ended.
pub(super) fn apply(s: &mut State, r: &Record) -> Applied {
    let Event::VolumesWritten { snapshot, set, first, volumes, .. } = &r.fact.event else {
        return Err("not volumes".into());
    };
    s.volume_sets.insert(**set);
    let sets = &mut row(&mut s.snapshots, *snapshot)?.shelved;
    let new = Shelved { set: **set, position: r.seq, at: r.at, volumes: 0, bytes: 0 };
    if *first == 1 {
        sets.push(new);
    }
    let next =
        |found: &&mut Shelved| found.set == **set && found.volumes.checked_add(1) == Some(*first);
    let Some(found) = sets.last_mut().filter(next) else {
        return Err(format!("volume {first} of a set of {snapshot} does not follow another"));
    };
    let size = |sum: u64, volume: &Written| sum.saturating_add(volume.size);
    found.bytes = volumes.iter().fold(found.bytes, size);
    let count = u32::try_from(volumes.len()).unwrap_or(u32::MAX);
    found.volumes = found.volumes.saturating_add(count);
    Ok(())
}
