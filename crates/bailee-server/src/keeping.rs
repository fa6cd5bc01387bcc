//! Keeping: an asset's data into the vault, read back, and out again to its owner.
//!
//! Order: preserve -> `SnapshotRecorded` -> read back whole -> `SnapshotVerified`. A crash after
//! the first leaves a snapshot nobody counts on; preserving again stores only what is new.
//! Invariants: a custody unit is one source asset, a tenant is one account, so that keys of one
//! owner never open another's data; `taken` is the time before the first byte was read.

mod mending;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use bailee_core::asset::Fate;
use bailee_core::custody;
use bailee_core::disposition::DispositionKind;
use bailee_core::id::{AssetId, ClearanceId, PartyId, SnapshotId};
use bailee_core::{Action, By, Command, Event, State};
use bailee_store::{DiskSlot, Objects, Slot, SlotError, Unwritable};
use bailee_vault::{
    Budget, Contents, Entry, FileReader, Kek, Pattern, Problem, Progress, RestoreReport, ScrubRun,
    SnapshotReport, Source, Unchanged, Vault, VaultError, kept_snapshots, scrub_some,
};
use bailee_vault::{SnapshotId as VaultId, VerifyReport};

use crate::house::{House, HouseError};
use crate::runner::Failure;
pub use mending::{called, reindex, repair};

/// Why data was not kept or given back.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// There is no such thing.
    #[error("{0} does not exist")]
    NotFound(String),
    /// The vault says no or cannot.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The house does not answer.
    #[error(transparent)]
    House(#[from] HouseError),
    /// The core says no, or the log does not answer.
    #[error(transparent)]
    Command(#[from] Failure),
    /// What is kept already is no source.
    #[error("{asset} is {snapshot}, a snapshot of {of}")]
    IsSnapshot {
        /// What was to be preserved.
        asset: AssetId,
        /// What it is.
        snapshot: SnapshotId,
        /// What that was taken of.
        of: AssetId,
    },
    /// It was here.
    #[error("{snapshot} was {how} under {clearance}")]
    LetGo {
        /// Which.
        snapshot: SnapshotId,
        /// Expired, erased, or handed over.
        how: &'static str,
        /// Under which clearance, whose certificate says more.
        clearance: ClearanceId,
    },
    /// A house in memory has no vault key.
    #[error("this house has no directory, so no vault")]
    NoVault,
}

/// A snapshot as it stands in the log.
#[derive(Debug)]
pub struct Kept {
    /// `S-n`.
    pub snapshot: SnapshotId,
    /// `A-n`, the snapshot as an asset.
    pub asset: AssetId,
    /// What the vault did.
    pub preserved: SnapshotReport,
    /// What reading back showed.
    pub verified: VerifyReport,
}

/// The vault of the house; created at first use, and one for all who have it at the same time.
pub fn vault(house: &House) -> Result<Arc<Vault>, KeepError> {
    open(house, |packs, own, kek| match Vault::open_with_keys(packs.clone(), own.clone(), kek) {
        Err(VaultError::NoVault) => Vault::create_with_keys(packs, own, kek),
        opened => opened,
    })
}

/// The vault of the house, if something was ever kept.
pub(crate) fn vault_if_any(house: &House) -> Result<Option<Arc<Vault>>, KeepError> {
    match open(house, Vault::open_with_keys) {
        Err(KeepError::Vault(VaultError::NoVault)) => Ok(None),
        opened => opened.map(Some),
    }
}

fn open(
    house: &House,
    how: impl FnOnce(Arc<dyn Objects>, Arc<dyn Objects>, &Kek) -> Result<Vault, VaultError>,
) -> Result<Arc<Vault>, KeepError> {
    let dir = house.dir().ok_or(KeepError::NoVault)?;
    let key = house.keys().vault(dir).map_err(HouseError::from)?;
    let kek = Kek::from_bytes(*key);
    let (packs, own) = (Arc::clone(house.packs()?), Arc::clone(house.objects()));
    Ok(house.inner.opened.get(&kek, || how(packs, own, &kek))?)
}

/// Whose keys an asset's data is under: its first account, or the house itself. A snapshot is asked
/// as the asset it is: it has the accounts its source had when it was taken, and no others later.
pub(crate) fn tenant(state: &State, asset: AssetId) -> String {
    let account = state.assets.get(asset).and_then(|asset| asset.accounts.first());
    account.map_or_else(|| "house".to_owned(), ToString::to_string)
}

/// The name of a source's custody unit of this number. That of an erased one is never used again.
fn unit(source: AssetId, number: u32) -> String {
    match number {
        0 => format!("data-{source}"),
        number => format!("data-{source}.{}", u64::from(number) + 1),
    }
}

/// What a unit's name says; `None` if no unit of a house is called so.
pub(crate) fn source_of(name: &str) -> Option<(AssetId, u32)> {
    let rest = name.strip_prefix("data-")?;
    let (source, number) = match rest.split_once('.') {
        None => (rest, 0),
        Some((source, number)) => (source, number.parse::<u32>().ok()?.checked_sub(1)?),
    };
    let source = source.parse().ok()?;
    (unit(source, number) == name).then_some((source, number))
}

/// Where in the vault a custody unit is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitPlace {
    /// The tenant.
    pub tenant: String,
    /// The unit.
    pub unit: String,
    /// What its snapshots were taken of.
    pub source: AssetId,
}

/// The custody unit that a snapshot, asked as the asset it is, belongs to.
///
/// # Errors
/// [`KeepError::NotFound`]; the house does not answer.
pub fn unit_place(house: &House, asset: AssetId) -> Result<UnitPlace, KeepError> {
    let found = house.with_state(|s| {
        let copy = s.assets.get(asset)?;
        let found = s.snapshots.get(copy.snapshot?)?;
        let (source, unit) = (found.source, unit(found.source, found.unit));
        Some(UnitPlace { tenant: tenant(s, asset), unit, source })
    })?;
    found.ok_or_else(|| KeepError::NotFound(format!("a snapshot {asset}")))
}

/// Preserves the data of an asset from a path, reads it back, and records both.
pub fn preserve(
    house: &House,
    asset: AssetId,
    source: Source,
    unchanged: Unchanged,
    by: PartyId,
    progress: &mut dyn Progress,
) -> Result<Kept, KeepError> {
    let found = house.with_state(|s| {
        let known = s.assets.get(asset)?;
        let taken = known.snapshot.and_then(|id| Some((id, s.snapshots.get(id)?.source)));
        let account = known.accounts.first().copied();
        Some((tenant(s, asset), unit(asset, custody::open_unit(s, asset, account)), taken))
    })?;
    let (tenant, unit, taken) = found.ok_or_else(|| KeepError::NotFound(asset.to_string()))?;
    if let Some((snapshot, of)) = taken {
        return Err(KeepError::IsSnapshot { asset, snapshot, of });
    }
    let vault = vault(house)?;
    let taken = house.clock().now();
    let preserved = vault.preserve_with(&tenant, &unit, &source, unchanged, progress)?;
    // A clock that was set back meanwhile: the earlier time claims less.
    let taken = taken.min(house.clock().now());
    let count = |all: usize| u32::try_from(all).unwrap_or(u32::MAX);
    let record = Action::RecordSnapshot {
        source: asset,
        root: preserved.root,
        vault_id: preserved.id.to_string(),
        bytes: preserved.bytes,
        unreadable: count(preserved.unreadable.len()),
        changed: count(preserved.changed.len()),
        taken,
    };
    let done = house.submit(Command { by: By::Party(by), action: record }, Vec::new())?;
    let recorded = done.records.iter().find_map(|record| match record.fact.event {
        Event::SnapshotRecorded { snapshot, asset, .. } => Some((snapshot, asset)),
        _ => None,
    });
    let (snapshot, copy) = recorded.ok_or_else(|| KeepError::NotFound("the snapshot".into()))?;
    let (verified, recorded) = read_back(house, &vault, &tenant, snapshot, preserved.id, by)?;
    recorded?;
    Ok(Kept { snapshot, asset: copy, preserved, verified })
}

/// Reads a snapshot back whole and records what that showed.
pub fn verify(house: &House, snapshot: SnapshotId, by: PartyId) -> Result<VerifyReport, KeepError> {
    let (report, recorded) = look(house, snapshot, by)?;
    recorded?;
    Ok(report)
}

/// As [`verify`], for who wants to know what was seen though it could not be recorded.
pub fn look(
    house: &House,
    snapshot: SnapshotId,
    by: PartyId,
) -> Result<(VerifyReport, Result<(), Failure>), KeepError> {
    let (tenant, id) = locate(house, snapshot)?;
    read_back(house, &*vault(house)?, &tenant, snapshot, id, by)
}

fn read_back(
    house: &House,
    vault: &Vault,
    tenant: &str,
    snapshot: SnapshotId,
    id: VaultId,
    by: PartyId,
) -> Result<(VerifyReport, Result<(), Failure>), KeepError> {
    let report = vault.verify(tenant, &id)?;
    let intact = report.is_intact();
    let action = Action::VerifySnapshot { snapshot, intact };
    let recorded = house.submit(Command { by: By::Party(by), action }, Vec::new());
    Ok((report, recorded.map(drop)))
}

/// What a scrub showed.
#[derive(Debug)]
pub struct Scrubbed {
    /// What of the packs was looked at, and what is wrong with it.
    pub run: ScrubRun,
    /// Why the next one begins where this one did, if the place could not be kept.
    pub forgotten: Option<String>,
}

/// Hashes packs of the vault, going on where the last scrub stopped. Needs no key, and no space.
pub fn scrub(house: &House, budget: Budget) -> Result<Scrubbed, KeepError> {
    let dir = house.dir().ok_or(KeepError::NoVault)?;
    let place = Place { slot: DiskSlot::new(dir, "scrub"), forgotten: Mutex::default() };
    let mut run = scrub_some(&**house.packs()?, &place, budget)?;
    let lost = missing(house)?.into_iter();
    let lost = lost.map(|(snapshot, what)| Problem { path: snapshot.to_string().into(), what });
    run.report.problems.extend(lost);
    let forgotten = place.forgotten.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(Scrubbed { run, forgotten })
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

/// Snapshots that the log has as kept and the store does not have by name, with the words for it.
/// Needs no key; a house in memory has no store that keeps.
///
/// # Errors
/// The store or the house does not answer.
pub(crate) fn missing(house: &House) -> Result<Vec<(SnapshotId, String)>, KeepError> {
    let before = house.with_state(kept)?;
    if before.is_empty() || house.dir().is_none() {
        return Ok(Vec::new());
    }
    let there = kept_snapshots(&**house.packs()?)?;
    // What is let go of meanwhile is not missing.
    let after = house.with_state(kept)?;
    let gone = before.into_iter().filter(|(id, name)| {
        after.contains_key(id) && !name.parse().is_ok_and(|name: VaultId| there.contains(&name))
    });
    let words = |name| format!("the log has it as kept and the store has no snapshot {name}");
    Ok(gone.map(|(id, name)| (id, words(name))).collect())
}

/// What the log has as kept, with no letting-go at work on it, by the vault's names.
fn kept(s: &State) -> BTreeMap<SnapshotId, String> {
    let here = |asset: AssetId| {
        s.assets.get(asset).is_some_and(|a| a.fate == Fate::Kept && a.clearance.is_none())
    };
    let all = s.snapshots.iter().filter(|(_, one)| here(one.asset));
    all.map(|(id, one)| (id, one.vault_id.clone())).collect()
}

/// Restores a snapshot, or what the pattern matches of it, into an empty or absent directory.
pub fn restore(
    house: &House,
    snapshot: SnapshotId,
    into: &Path,
    filter: Option<&Pattern>,
    progress: &mut (dyn Progress + Send),
) -> Result<RestoreReport, KeepError> {
    let (tenant, id) = locate(house, snapshot)?;
    Ok(vault(house)?.restore_with(&tenant, &id, into, filter, progress)?)
}

/// Opens one file of a snapshot for reading; `path` as the manifest has it.
pub fn open_file(
    house: &House,
    snapshot: SnapshotId,
    path: &[u8],
) -> Result<FileReader, KeepError> {
    let (tenant, id) = locate(house, snapshot)?;
    Ok(vault(house)?.open_file(&tenant, &id, path)?)
}

/// What is in a snapshot, in tree order.
pub fn entries(house: &House, snapshot: SnapshotId) -> Result<Vec<Entry>, KeepError> {
    let (tenant, id) = locate(house, snapshot)?;
    Ok(vault(house)?.manifest(&tenant, &id)?)
}

/// Opens a whole snapshot for reading: what is in it, and its bytes. As long as they are used, the
/// house has to stay open: its lock keeps everybody from erasing under the reader.
pub fn browse(house: &House, snapshot: SnapshotId) -> Result<(Vec<Entry>, Contents), KeepError> {
    let (tenant, id) = locate(house, snapshot)?;
    Ok(vault(house)?.browse(&tenant, &id)?)
}

/// Where the vault has a snapshot: its tenant, and the vault's own name for it.
///
/// # Errors
/// [`KeepError::NotFound`]; [`KeepError::LetGo`]; the house does not answer.
pub fn locate(house: &House, id: SnapshotId) -> Result<(String, VaultId), KeepError> {
    let found = house.with_state(|s| {
        let snapshot = s.snapshots.get(id)?;
        Some((tenant(s, snapshot.asset), snapshot.vault_id.clone(), let_go(s, snapshot.asset)))
    })?;
    if let Some((_, _, Some((how, clearance)))) = found {
        return Err(KeepError::LetGo { snapshot: id, how, clearance });
    }
    let (tenant, vault_id, _) = found.ok_or_else(|| KeepError::NotFound(id.to_string()))?;
    Ok((tenant, vault_id.parse()?))
}

/// How a snapshot, asked as the asset it is, left.
fn let_go(s: &State, asset: AssetId) -> Option<(&'static str, ClearanceId)> {
    let id = match s.assets.get(asset)?.fate {
        Fate::HandedOver(id, _) => return Some(("handed over", id)),
        Fate::Destroyed(id) => id,
        Fate::Kept | Fate::Unknown(_) | Fate::Partial(_) => return None,
    };
    let disposition = s.clearances.get(id)?.disposition;
    match s.dispositions.get(disposition)?.kind {
        DispositionKind::Erase => Some(("erased", id)),
        _ => Some(("expired", id)),
    }
}
