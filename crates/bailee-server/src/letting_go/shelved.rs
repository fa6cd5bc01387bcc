//! What an end does not reach because it left before: archive volumes, as the log has them.
//!
//! Invariant: every set that the log knows is named, whether its snapshot is still here or not;
//! what the log never heard of is not passed over in silence, there is a sentence on it.
//!
//! Out of scope: where tapes lie, and destroying them.

use bailee_core::State;
use bailee_core::custody;
use bailee_core::id::{AssetId, SnapshotId};
use bailee_core::volume::Shelved;
use bailee_ledger::to_hex;
use bailee_sanitize::ShelvedSet;

const NONE: &str = "Archive volumes: the log knows of none with data of this unit. One that it \
    never heard of is opened by a key file of its own, which was not destroyed.";

/// Every set with data of the custody unit that this snapshot, as an asset, is in.
pub(super) fn of_unit(s: &State, asset: AssetId) -> Vec<ShelvedSet> {
    custody::shelved(s, asset).into_iter().map(|(snapshot, set)| named(snapshot, set)).collect()
}

/// Every set in which one snapshot left.
pub(super) fn of_snapshot(s: &State, snapshot: SnapshotId) -> Vec<ShelvedSet> {
    let sets = s.snapshots.get(snapshot).map_or(&[][..], |found| &found.shelved);
    sets.iter().map(|set| named(snapshot, *set)).collect()
}

fn named(snapshot: SnapshotId, set: Shelved) -> ShelvedSet {
    ShelvedSet {
        set: to_hex(&set.set),
        snapshot: snapshot.to_string(),
        position: set.position,
        logged_unix: set.at.unix(),
        volumes: set.volumes,
        bytes: set.bytes,
    }
}

/// The sentence on them.
pub(super) fn sentence(sets: &[ShelvedSet]) -> String {
    if sets.is_empty() {
        return NONE.to_owned();
    }
    let volumes: u64 = sets.iter().map(|set| u64::from(set.volumes)).sum();
    format!(
        "Archive volumes: {volumes} in {} of their sets, each named in volumes_not_reached, hold \
         data of this unit under a key of their own, which was not destroyed: whoever has them \
         and their key file can read it. Where they lie the log does not know. Destroying every \
         copy of that key file, or the volumes, puts them beyond reach.",
        sets.len()
    )
}
