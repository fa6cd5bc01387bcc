//! Scrubbing a house's packs, and what of the kept is seen to be wanting without any key.
//!
//! Invariants: what is let go of meanwhile is not wanting; what is found counts against every copy
//! that nobody can read whole for it, in the log, before it is told. That takes the vault's key
//! where packs are wrong; where it is not at hand, that is said. Out of scope: what is wrong with a
//! pack, which the vault says (`bailee-vault`, scrub.rs).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use bailee_core::asset::{Asset, Fate};
use bailee_core::id::{HoldId, SnapshotId};
use bailee_core::{By, State, copies, coverage};
use bailee_store::{DiskSlot, Slot, SlotError, Unwritable};
use bailee_vault::SnapshotId as VaultId;
use bailee_vault::{Budget, Census, Closely, Problem, ScrubRun, VaultError, Wanting, scrub_some};

use super::{KeepError, Why, look, mending};
use crate::house::{House, HouseError};
use crate::keys::KeyError;

/// What a scrub showed.
#[derive(Debug)]
pub struct Scrubbed {
    /// What of the packs was looked at, and what is wrong with it.
    pub run: ScrubRun,
    /// Why the next one begins where this one did, if the place could not be kept.
    pub forgotten: Option<String>,
    /// Copies that may be hit by what was found, and could not be looked at.
    pub unlooked: Vec<String>,
    /// Snapshots that the vault has and the log does not, by the vault's names.
    pub unrecorded: Vec<VaultId>,
}

/// Hashes packs of the vault, going on where the last scrub stopped. Needs no key, and no space.
pub fn scrub(house: &House, budget: Budget) -> Result<Scrubbed, KeepError> {
    let dir = house.dir().ok_or(KeepError::NoVault)?;
    let place = Place { slot: DiskSlot::new(dir, "scrub"), forgotten: Mutex::default() };
    let mut run = scrub_some(&**house.packs()?, &place, budget)?;
    let before = house.with_state(here)?;
    let mut unlooked = unopened(house, &before, &mut run.report.problems)?;
    let census = Census::take(&**house.packs()?, &**house.objects())?;
    let more = hit(house, &census, &run.report.problems)?;
    unlooked.extend(more);
    let wanting = wanting_in(house, &census, before)?;
    for (snapshot, _) in wanting.iter().filter(|(_, wanting)| wanting.is_loss()) {
        look::lost(house, *snapshot, By::System)?;
    }
    let named = |(snapshot, wanting): (SnapshotId, Wanting)| Problem {
        path: snapshot.to_string().into(),
        what: words(&wanting),
    };
    run.report.problems.extend(wanting.into_iter().map(named));
    let forgotten = place.forgotten.into_inner().unwrap_or_else(PoisonError::into_inner);
    let unrecorded = super::adopt::unrecorded_in(house, &census)?;
    Ok(Scrubbed { run, forgotten, unlooked, unrecorded })
}

/// Keys and snapshots that are there and cannot be opened, where the vault's key is at hand; that
/// it is not is said.
fn unopened(
    house: &House,
    here: &BTreeMap<SnapshotId, Here>,
    problems: &mut Vec<Problem>,
) -> Result<Vec<String>, KeepError> {
    if here.is_empty() {
        return Ok(Vec::new());
    }
    match mending::unopened(house) {
        Ok(found) => {
            problems.extend(found);
            Ok(Vec::new())
        }
        // They are wanting, as is said below.
        Err(
            KeepError::Vault(VaultError::NoVault)
            | KeepError::House(HouseError::Key(KeyError::Missing(_))),
        ) => Ok(Vec::new()),
        Err(KeepError::House(HouseError::Key(error))) => {
            Ok(vec![format!("keys and snapshots as such: that takes the vault's key ({error})")])
        }
        Err(error) => Err(error),
    }
}

/// Looks which copies cannot be read whole for what is wrong with these objects, and has the log
/// hear it. Gives those that could not be looked at.
fn hit(house: &House, census: &Census, problems: &[Problem]) -> Result<Vec<String>, KeepError> {
    if problems.is_empty() {
        return Ok(Vec::new());
    }
    let kept = house.with_state(here)?;
    let of: BTreeSet<VaultId> = kept.values().map(|one| one.vault).collect();
    let packs = &**house.packs()?;
    let names: Vec<String> = problems.iter().map(|p| p.path.display().to_string()).collect();
    let beside = census.beside(packs, names.iter().map(String::as_str), &of)?;
    let all = kept.into_iter().filter(|(_, one)| one.kept && beside.contains(&one.vault));
    look_at(house, all.map(|(id, _)| id))
}

/// Looks whether all that these need is there, chunk by chunk; what is not, the log hears. Gives
/// those that could not be looked at.
pub(crate) fn look_at(
    house: &House,
    snapshots: impl Iterator<Item = SnapshotId>,
) -> Result<Vec<String>, KeepError> {
    let mut unlooked = Vec::new();
    for snapshot in snapshots {
        match look::is_there(house, snapshot, Closely::Chunks) {
            Ok(()) | Err(KeepError::Unread { why: Why::Lost, .. }) => {}
            Err(error @ KeepError::Unread { .. }) => unlooked.push(error.to_string()),
            Err(KeepError::LetGo { .. } | KeepError::NotFound(_)) => {} // it went meanwhile
            Err(error) => return Err(error),
        }
    }
    Ok(unlooked)
}

/// Where a scrub stopped: on a medium that takes no more it is not kept.
struct Place {
    slot: DiskSlot,
    forgotten: Mutex<Option<String>>,
}

impl Slot for Place {
    fn read(&self) -> Result<Option<Vec<u8>>, SlotError> {
        self.slot.read()
    }

    fn replace(&self, bytes: &[u8]) -> Result<(), SlotError> {
        let forgotten = match self.slot.replace(bytes) {
            Err(error) if Unwritable::said(&error.detail).is_some() => Some(error.to_string()),
            done => return done,
        };
        *self.forgotten.lock().unwrap_or_else(PoisonError::into_inner) = forgotten;
        Ok(())
    }
}

/// Snapshots that the log has as here, and what each is seen to be wanting. Needs no key; a house
/// in memory has no store that keeps.
///
/// # Errors
/// The store or the house does not answer.
pub(crate) fn wanting(house: &House) -> Result<Vec<(SnapshotId, Wanting)>, KeepError> {
    let before = house.with_state(here)?;
    match before.is_empty() || house.dir().is_none() {
        true => Ok(Vec::new()),
        false => {
            let census = Census::take(&**house.packs()?, &**house.objects())?;
            wanting_in(house, &census, before)
        }
    }
}

/// Of snapshots that the log had as here before the census was taken.
fn wanting_in(
    house: &House,
    census: &Census,
    before: BTreeMap<SnapshotId, Here>,
) -> Result<Vec<(SnapshotId, Wanting)>, KeepError> {
    let dir = house.dir().ok_or(KeepError::NoVault)?;
    if matches!(house.keys().vault(dir), Err(KeyError::Missing(_))) {
        let kept = before.into_iter().filter(|(_, one)| one.kept);
        return Ok(kept.map(|(id, _)| (id, Wanting::VaultKey)).collect());
    }
    let stores = (&**house.packs()?, &**house.objects());
    let of: BTreeSet<VaultId> = before.values().map(|one| one.vault).collect();
    let found = census.wanting(stores, &of)?;
    let after = house.with_state(here)?;
    let told = |(id, one): (SnapshotId, Here)| {
        let wanting = found.get(&one.vault)?.clone();
        // Of what may be gone only this is news: that it is not.
        let news = one.kept || wanting == Wanting::Tombstone;
        (news && after.get(&id) == Some(&one)).then_some((id, wanting))
    };
    Ok(before.into_iter().filter_map(told).collect())
}

/// What is said of a snapshot that is wanting something.
pub(crate) fn words(wanting: &Wanting) -> String {
    match wanting {
        Wanting::Tombstone => wanting.to_string(),
        wanting => format!("the log has it as kept, and {wanting}"),
    }
}

/// A snapshot that is here, by the log.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Here {
    vault: VaultId,
    /// It is kept, not of unknown fate.
    kept: bool,
}

/// What the log has as here, with no letting-go at work on it.
fn here(s: &State) -> BTreeMap<SnapshotId, Here> {
    let at_rest = |asset: &&Asset| asset.fate.is_here() && asset.clearance.is_none();
    let all = s.snapshots.iter().filter_map(|(id, one)| {
        let asset = s.assets.get(one.asset).filter(at_rest)?;
        let vault = one.vault_id.parse().ok()?;
        Some((id, Here { vault, kept: asset.fate == Fate::Kept }))
    });
    all.collect()
}

/// Holds on what a snapshot was taken of that it satisfies now.
pub(crate) fn satisfied_by(s: &State, snapshot: SnapshotId) -> Vec<HoldId> {
    let Some(found) = s.snapshots.get(snapshot) else { return Vec::new() };
    let by = |hold: &HoldId| {
        let hold = s.holds.get(*hold).filter(|hold| hold.in_force());
        hold.and_then(|hold| copies::satisfying(s, hold, found.source)) == Some(snapshot)
    };
    coverage::holds(s, found.source).into_keys().filter(by).collect()
}
