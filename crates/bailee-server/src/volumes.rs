//! Archive volumes: a snapshot out to them, and into the log what they are.
//!
//! Order: write, sync, read back, then the entry. A crash before the entry leaves volumes that the
//! log does not know, and a comparison says so; they are as good as others, and writing them again
//! makes another set. Invariant: the entry commits what was read back, not what was meant.

use std::collections::BTreeMap;
use std::path::Path;

use bailee_core::id::{PartyId, SnapshotId};
use bailee_core::volume::Written;
use bailee_core::{Action, By, Command, Event};
use bailee_vault::{Kek, Progress, SetId, SetReport, VolumesReport};

use crate::house::{House, HouseError};
use crate::keeping::{KeepError, locate, vault};
use crate::receipt;

/// Entries read at once.
const PAGE: usize = 1000;

/// A set of volumes, as the log has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    /// Position of its first entry.
    pub position: u64,
    /// What left in it.
    pub snapshot: SnapshotId,
    /// Each volume by its ordinal, as the first entry that names it says.
    pub volumes: BTreeMap<u32, Written>,
    /// Entries that say otherwise of volumes that were named before: none that this program makes.
    pub contradictions: Vec<u64>,
}

impl Logged {
    /// Takes one entry; what was said first stays.
    fn take(&mut self, position: u64, volumes: impl Iterator<Item = (u32, Written)>) {
        for (ordinal, written) in volumes {
            let first = *self.volumes.entry(ordinal).or_insert(written);
            if first != written && self.contradictions.last() != Some(&position) {
                self.contradictions.push(position);
            }
        }
    }
}

/// Writes a snapshot to volumes of at most `most` bytes in `directory`, and records each.
///
/// # Errors
/// As [`Vault::export_volumes`](bailee_vault::Vault::export_volumes); the log does not answer.
pub fn export(
    house: &House,
    (snapshot, by): (SnapshotId, PartyId),
    key: &Kek,
    (directory, most): (&Path, u64),
    progress: &mut dyn Progress,
) -> Result<SetReport, KeepError> {
    let (tenant, id) = locate(house, snapshot)?;
    let origin = house.config().origin.as_str();
    let to = ((origin, key), (directory, most));
    let report = vault(house)?.export_volumes((&tenant, &[id]), to.0, to.1, progress)?;
    let written = |facts: &bailee_vault::VolumeFacts| Written {
        size: facts.size,
        sha256: facts.sha256.into(),
    };
    let volumes = report.volumes.iter().map(written).collect();
    let action = Action::RecordVolumes { snapshot, set: report.set.bytes(), volumes };
    house.submit(Command { by: By::Party(by), action }, Vec::new())?;
    Ok(report)
}

/// What the log says of a set; `None` if it does not know it.
///
/// # Errors
/// The log does not answer, or an entry of it cannot be read.
pub fn logged(house: &House, set: SetId) -> Result<Option<Logged>, KeepError> {
    let (mut found, mut from): (Option<Logged>, u64) = (None, 0);
    loop {
        let page = house.entries(from, PAGE)?;
        for entry in &page {
            let record = receipt::read(from, entry).map_err(|e| HouseError::Io {
                doing: format!("read entry {from}"),
                detail: e.to_string(),
            })?;
            from += 1;
            let Event::VolumesWritten { snapshot, set: named, first, volumes, .. } =
                record.fact.event
            else {
                continue;
            };
            if *named == set.bytes() {
                let (position, volumes) = (record.seq, (first..).zip(volumes));
                let (none, contradictions) = (BTreeMap::new(), Vec::new());
                let new = || Logged { position, snapshot, volumes: none, contradictions };
                found.get_or_insert_with(new).take(position, volumes);
            }
        }
        if page.len() < PAGE {
            return Ok(found);
        }
    }
}

/// How volumes that were read differ from what the log says, in words.
pub fn differences(logged: &Logged, read: &VolumesReport) -> Vec<String> {
    let again = |entry| format!("entry {entry} says otherwise of this set: the first is believed");
    let mut all: Vec<String> = logged.contradictions.iter().map(again).collect();
    for facts in &read.volumes {
        let (volume, ordinal) = (facts.path.display(), facts.ordinal);
        match logged.volumes.get(&ordinal) {
            None => all.push(format!("{volume}: the log knows no volume {ordinal} of this set")),
            Some(written) if written.size != facts.size => all.push(format!(
                "{volume}: it has {} bytes, the log says {}",
                facts.size, written.size
            )),
            Some(written) if *written.sha256 != facts.sha256 => {
                all.push(format!("{volume}: its SHA-256 is not the one in the log"));
            }
            Some(_) => {}
        }
    }
    let here = |ordinal: &&u32| read.volumes.iter().any(|facts| facts.ordinal == **ordinal);
    let missing = logged.volumes.keys().filter(|ordinal| !here(ordinal));
    all.extend(missing.map(|ordinal| format!("volume {ordinal} of the set was not given")));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_log_says_first_of_a_volume_stays() {
        let one = |n: u8| Written { size: u64::from(n), sha256: [n; 32].into() };
        let mut logged = Logged {
            position: 3,
            snapshot: SnapshotId(1),
            volumes: BTreeMap::new(),
            contradictions: Vec::new(),
        };
        logged.take(3, (1..).zip([one(1), one(2)]));
        logged.take(4, (3..).zip([one(3)]));
        logged.take(9, (1..).zip([one(7), one(8), one(3)]));
        let volumes: Vec<Written> = logged.volumes.values().copied().collect();
        assert_eq!(volumes, [one(1), one(2), one(3)]);
        assert_eq!(logged.contradictions, [9]);
        let said = differences(&logged, &VolumesReport::default());
        assert!(said[0].starts_with("entry 9 says otherwise of this set"), "{said:?}");
        assert_eq!(said.len(), 4, "and no volume was given");
    }
}
