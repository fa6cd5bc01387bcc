//! What is lost when neither copy of a pack gives a chunk: by snapshot, file and bytes.

use std::collections::HashSet;
use std::path::PathBuf;

use super::RepairReport;
use crate::damage::Damage;
use crate::error::VaultError;
use crate::manifest::{Extent, Stored};
use crate::names::SnapshotId;
use crate::pack::ChunkId;
use crate::preserve::path_of;
use crate::unit::Unit;
use crate::vault::{Tenant, Vault};

/// Files that are named, at most; it is said how many more there are.
const MOST_NAMED: usize = 1000;

/// A file of a snapshot of which bytes are lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The snapshot it is in.
    pub snapshot: SnapshotId,
    /// The file and its bytes; no path: the list of the snapshot's files itself.
    pub damage: Damage,
}

/// Why.
const NOWHERE: &str = "neither copy of the pack gives them";

impl Vault {
    /// Chunks of a unit that its snapshots need, each with its length.
    pub(super) fn needed(
        &self,
        (tenant, unit): (&Tenant, &Unit),
        take: &mut dyn FnMut(ChunkId, u32) -> Result<(), VaultError>,
    ) -> Result<(), VaultError> {
        for (id, _) in self.snapshot_names(tenant, unit.tag())? {
            let (_, snapshot) = self.snapshot(tenant, &id)?;
            snapshot.manifest.iter().try_for_each(|(id, len)| take(*id, *len))?;
            // What of a manifest is lost is told of it.
            let entries = unit.manifest(&snapshot).unwrap_or_default();
            let chunks = entries.iter().flat_map(|s| &s.extents).filter_map(Extent::chunk);
            chunks.into_iter().try_for_each(|(id, len)| take(id, len))?;
        }
        Ok(())
    }

    /// Names what is lost with these chunks.
    pub(super) fn name_losses(
        &self,
        (tenant, unit): (&Tenant, &Unit),
        lost: &HashSet<ChunkId>,
        report: &mut RepairReport,
    ) -> Result<(), VaultError> {
        for (snapshot, _) in self.snapshot_names(tenant, unit.tag())? {
            let entries = unit.manifest(&self.snapshot(tenant, &snapshot)?.1);
            let damages: Vec<Damage> = match &entries {
                Ok(entries) => entries.iter().filter_map(|stored| hit(stored, lost)).collect(),
                Err(e) => {
                    let what = format!("the list of its files cannot be read: {e}");
                    vec![Damage { path: PathBuf::new(), ranges: Vec::new(), what }]
                }
            };
            let room = MOST_NAMED.saturating_sub(report.lost.len());
            report.lost_more += damages.len().saturating_sub(room) as u64;
            let named = damages.into_iter().take(room);
            report.lost.extend(named.map(|damage| Loss { snapshot, damage }));
        }
        Ok(())
    }
}

/// Which bytes of a file lie in these chunks.
fn hit(stored: &Stored, lost: &HashSet<ChunkId>) -> Option<Damage> {
    let (mut at, mut ranges) = (0, Vec::<std::ops::Range<u64>>::new());
    for extent in &stored.extents {
        let range = at..at + extent.len();
        at = range.end;
        if !extent.chunk().is_some_and(|(id, _)| lost.contains(&id)) {
            continue;
        }
        match ranges.last_mut().filter(|last| last.end == range.start) {
            Some(last) => last.end = range.end,
            None => ranges.push(range),
        }
    }
    let path = path_of(&stored.entry.path);
    (!ranges.is_empty()).then(|| Damage { path, ranges, what: NOWHERE.to_owned() })
}
