//! Keeping: an asset's data into the vault, read back, and out again to its owner.
//!
//! Order: preserve -> `SnapshotRecorded` -> read back whole -> `SnapshotVerified`. A crash after
//! the first leaves a snapshot nobody counts on; preserving again stores only what is new.
//! Invariants: a custody unit is one source asset, a tenant is one account, so that keys of one
//! owner never open another's data; `taken` is the time before the first byte was read.

mod adopt;
mod look;
mod mending;
mod relied;
mod scrub;
mod standing;

use std::path::Path;
use std::sync::Arc;

use bailee_core::asset::Fate;
use bailee_core::custody;
use bailee_core::disposition::DispositionKind;
use bailee_core::id::{AssetId, ClearanceId, PartyId, SnapshotId};
use bailee_core::{Action, By, Code, Command, Event, Refusal, State};
use bailee_store::Objects;
use bailee_vault::{
    Contents, Entry, FileReader, Kek, Pattern, Progress, RestoreReport, SnapshotReport, Source,
    Unchanged, Vault, VaultError,
};
use bailee_vault::{SnapshotId as VaultId, VerifyReport};

use crate::house::{House, HouseError};
use crate::runner::Failure;
pub(crate) use adopt::all_recorded;
pub use adopt::{Adopted, adopt, unrecorded};
use look::read_back;
pub use look::{look, verify};
pub use mending::{called, reindex, repair};
pub(crate) use relied::look_first;
pub use scrub::{Scrubbed, scrub};
pub(crate) use scrub::{look_at, satisfied_by, wanting, words};
pub(crate) use standing::stands;

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
    /// A snapshot was not read.
    #[error("{snapshot} {why}: {error}")]
    Unread {
        /// Which.
        snapshot: SnapshotId,
        /// Whether that counts.
        why: Why,
        /// What was in the way.
        error: Box<KeepError>,
    },
    /// What the log has as kept has no way to it in the vault.
    #[error("{snapshot} is kept, by the log, and objects/{object} is not there; nothing was made")]
    VaultAway {
        /// Which; others may be hit as well.
        snapshot: SnapshotId,
        /// The first object that is away.
        object: String,
    },
    /// The vault has snapshots that would go with the unit, and the log does not know them.
    #[error("the custody unit of {source_asset} has what no entry of the log records: {snapshots}")]
    Unrecorded {
        /// What they were taken of.
        source_asset: AssetId,
        /// The vault's names for them.
        snapshots: String,
    },
    /// A house in memory has no vault key.
    #[error("this house has no directory, so no vault")]
    NoVault,
}

/// What it means that a snapshot was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The vault is without something that it has to have; the log counts on it for no hold.
    Lost,
    /// The same, seen by somebody who only wanted to have it.
    Gone,
    /// Something else was in the way.
    NotLooked,
}

impl std::fmt::Display for Why {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Why::Lost => "cannot be read, and satisfies no hold any more",
            Why::Gone => "is kept, by the log, and cannot be read",
            Why::NotLooked => "was not looked at, and its record is as it was",
        })
    }
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
///
/// # Errors
/// [`KeepError::VaultAway`] where the log has something as kept and there is none.
pub fn vault(house: &House) -> Result<Arc<Vault>, KeepError> {
    match open(house, Vault::open_with_keys) {
        Err(KeepError::Vault(VaultError::NoVault)) => match standing::no_vault(house) {
            KeepError::Vault(VaultError::NoVault) => open(house, Vault::create_with_keys),
            away => Err(away),
        },
        opened => opened,
    }
}

/// The vault of the house, if something was ever kept.
pub(crate) fn vault_if_any(house: &House) -> Result<Option<Arc<Vault>>, KeepError> {
    match open(house, Vault::open_with_keys) {
        Err(KeepError::Vault(VaultError::NoVault)) => Ok(None),
        opened => opened.map(Some),
    }
}

/// The vault, or `None` if the log has nothing as kept.
///
/// # Errors
/// [`KeepError::VaultAway`].
pub(crate) fn vault_or_nothing_kept(house: &House) -> Result<Option<Arc<Vault>>, KeepError> {
    match vault_if_any(house)? {
        None => match standing::no_vault(house) {
            KeepError::Vault(VaultError::NoVault) => Ok(None),
            away => Err(away),
        },
        open => Ok(open),
    }
}

/// The vault, for who reads what is kept: where there is none, none is made.
fn reading(house: &House) -> Result<Arc<Vault>, KeepError> {
    vault_if_any(house)?.ok_or(KeepError::Vault(VaultError::NoVault))
}

/// For who wants what the log has as kept: that it is not there is not a wrong name.
fn wanted<T>(
    house: &House,
    snapshot: SnapshotId,
    get: impl FnOnce(&Vault, &str, &VaultId) -> Result<T, VaultError>,
) -> Result<T, KeepError> {
    let (tenant, id) = locate(house, snapshot)?;
    let got = reading(house).and_then(|vault| Ok(get(&vault, &tenant, &id)?));
    got.map_err(|error| match error {
        KeepError::Vault(
            VaultError::NoVault
            | VaultError::UnknownTenant { .. }
            | VaultError::UnknownUnit { .. }
            | VaultError::UnknownSnapshot { .. },
        ) => KeepError::Unread { snapshot, why: Why::Gone, error: Box::new(error) },
        error => error,
    })
}

fn open(
    house: &House,
    how: impl FnOnce(Arc<dyn Objects>, Arc<dyn Objects>, &Kek) -> Result<Vault, VaultError>,
) -> Result<Arc<Vault>, KeepError> {
    let kek = kek(house)?;
    let (packs, own) = (Arc::clone(house.packs()?), Arc::clone(house.objects()));
    Ok(house.inner.opened.get(&kek, || how(packs, own, &kek))?)
}

/// The vault's key, if it is at hand.
fn kek(house: &House) -> Result<Kek, KeepError> {
    let dir = house.dir().ok_or(KeepError::NoVault)?;
    let key = house.keys().vault(dir).map_err(HouseError::from)?;
    Ok(Kek::from_bytes(*key))
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

/// Where the next snapshot of an asset goes. Whatever the log would not take is refused here,
/// before a byte is read: what the vault has and the log does not is nobody's.
fn place(house: &House, asset: AssetId) -> Result<UnitPlace, KeepError> {
    let found = house.with_state(|s| {
        let known = s.assets.get(asset)?;
        let taken = known.snapshot.and_then(|id| Some((id, s.snapshots.get(id)?.source)));
        let unit = unit(asset, custody::open_unit(s, asset, known.accounts.first().copied()));
        let place = UnitPlace { tenant: tenant(s, asset), unit, source: asset };
        Some((place, taken, custody::being_erased(s, asset)))
    })?;
    match found.ok_or_else(|| KeepError::NotFound(asset.to_string()))? {
        (_, Some((snapshot, of)), _) => Err(KeepError::IsSnapshot { asset, snapshot, of }),
        (_, _, Some(clearance)) => {
            let text = format!("is open to erase the custody unit of {asset}");
            let no = Refusal::new(Code::ClearanceOutstanding, clearance, text);
            Err(Failure::Refused(no).into())
        }
        (place, None, None) => Ok(place),
    }
}

/// As an entry has it.
fn count(all: usize) -> u32 {
    u32::try_from(all).unwrap_or(u32::MAX)
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
    let place = place(house, asset)?;
    let vault = vault(house)?;
    stands(house, &vault, &place)?;
    let UnitPlace { tenant, unit, .. } = place;
    let taken = house.clock().now();
    let mut keep = || vault.preserve_with(&tenant, &unit, &source, unchanged, progress);
    let preserved = match keep() {
        // The log has what is in this unit as kept: the tombstone is what a kill left.
        Err(VaultError::UnitErased { .. }) if vault.take_back(&tenant, &unit)? => keep(),
        kept => kept,
    }?;
    // A clock that was set back meanwhile: the earlier time claims less.
    let taken = taken.min(house.clock().now());
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
    let (verified, recorded) =
        read_back(house, &vault, &tenant, snapshot, preserved.id, By::Party(by))?;
    recorded?;
    Ok(Kept { snapshot, asset: copy, preserved, verified })
}

/// Restores a snapshot, or what the pattern matches of it, into an empty or absent directory.
pub fn restore(
    house: &House,
    snapshot: SnapshotId,
    into: &Path,
    filter: Option<&Pattern>,
    progress: &mut (dyn Progress + Send),
) -> Result<RestoreReport, KeepError> {
    wanted(house, snapshot, |vault, tenant, id| {
        vault.restore_with(tenant, id, into, filter, progress)
    })
}

/// Opens one file of a snapshot for reading; `path` as the manifest has it.
pub fn open_file(
    house: &House,
    snapshot: SnapshotId,
    path: &[u8],
) -> Result<FileReader, KeepError> {
    wanted(house, snapshot, |vault, tenant, id| vault.open_file(tenant, id, path))
}

/// What is in a snapshot, in tree order.
pub fn entries(house: &House, snapshot: SnapshotId) -> Result<Vec<Entry>, KeepError> {
    wanted(house, snapshot, |vault, tenant, id| vault.manifest(tenant, id))
}

/// Opens a whole snapshot for reading: what is in it, and its bytes. As long as they are used, the
/// house has to stay open: its lock keeps everybody from erasing under the reader.
pub fn browse(house: &House, snapshot: SnapshotId) -> Result<(Vec<Entry>, Contents), KeepError> {
    wanted(house, snapshot, |vault, tenant, id| vault.browse(tenant, id))
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
