//! Letting go: expiring a snapshot, erasing a custody unit. (`sweep.rs`: what nothing needs.)
//!
//! Order of writes, and what a crash after each leaves
//! ```text
//! expire  1. the unit is surveyed   nothing; it may refuse
//!         2. snapshot deleted       it is gone, its packs wait for a sweep or for whoever finishes
//!         3. the unit is pruned     see `prune.rs`
//! erase   1. tombstone put          it lists the wrapped keys; a sweep finishes the rest
//!         2. wrapped keys deleted   no byte of the unit can be read again
//!         3. snapshots, segments, packs deleted
//! ```
//!
//! Invariants: each takes a [`Clearance`] by value, asks `pins` again while no other snapshot of
//! the unit comes or goes, and refuses as a whole; nothing is deleted of a unit in which a single
//! snapshot that stays, or a segment, cannot be read; a chunk that a live snapshot needs is never
//! deleted.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};

use bailee_ledger::clearance::{Act, Clearance};
use bailee_ledger::from_hex;

use crate::erasure::Erasure;
use crate::error::VaultError;
use crate::living::{Catalogue, Homes, Mark};
use crate::names::{self, SnapshotId, Tag};
use crate::prune::finish;
use crate::root::sha256;
use crate::seal::Kind;
use crate::snapshot::Snapshot;
use crate::stay::lock;
use crate::unit::Unit;
use crate::vault::{Absent, Tenant, Vault, get, size};
use crate::wire::Writer;

/// Says why a snapshot must be kept, `None` if nothing keeps it. It is asked at the last moment.
pub type Pins<'a> = dyn Fn(&SnapshotId) -> Option<String> + 'a;

/// What was let go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExpireReport {
    /// Snapshots deleted.
    pub snapshots: u64,
    /// Packs deleted.
    pub packs: u64,
    /// Bytes of them.
    pub freed_bytes: u64,
    /// Bytes copied out of packs that were mostly dead into new ones.
    pub moved_bytes: u64,
    /// Chunks that kept snapshots need and no pack has: verifying tells which files they are of.
    pub lost: u64,
    /// Packs that go once those who may still look into them have ended: at the end of the
    /// preservation that does, or with the next prune.
    pub waiting: u64,
}

impl Vault {
    /// Deletes one snapshot and every pack nothing else needs. The clearance must be for
    /// [`Act::Expire`] with the snapshot's root as subject, and for asset `n` if the unit is `A-n`.
    /// Whatever else the catalogue has of the unit must be there.
    ///
    /// # Errors
    /// [`VaultError::Pinned`], [`VaultError::WrongClearance`], [`VaultError::UnknownSnapshot`],
    /// [`VaultError::SnapshotMissing`], [`VaultError::NotIndexed`], [`VaultError::NoCatalogue`],
    /// damage of what stays: nothing was let go. Store failures; one after the deletion leaves
    /// packs for [`Vault::sweep`].
    pub fn expire(
        &self,
        tenant: &str,
        id: &SnapshotId,
        clearance: Clearance,
        pins: &Pins<'_>,
        catalogue: &Catalogue<'_>,
    ) -> Result<ExpireReport, VaultError> {
        let tenant = self.tenant(tenant, Absent::Refuse)?;
        let (unit, snapshot) = self.snapshot(&tenant, id)?;
        permits(&clearance, Act::Expire, &unit.name, &snapshot.info.root)?;
        let _gate = unit.gate.read().unwrap_or_else(PoisonError::into_inner);
        let _pruning = lock(&unit.pruning);
        let mut homes = Homes::new();
        let mut mark = Mark::new(&unit, catalogue, Some(*id), &mut homes)?;
        let survey = self.survey(&tenant, &unit, &mut mark)?;
        {
            let _switch = lock(&unit.switch);
            refuse_pinned(std::slice::from_ref(&snapshot), pins)?;
            self.objects.delete(&names::snapshot(&tenant.tag, id))?;
            lock(&unit.taken).remove(id);
        }
        let mut report = self.prune_unit(&tenant, &unit, &mut mark, survey)?;
        report.snapshots += 1;
        Ok(report)
    }

    /// Finishes an expiry that ended after its snapshot was deleted: every pack of the unit goes
    /// that nothing else needs. The clearance is a new one, for the `root` the snapshot had. One
    /// that is there again (a copy of the store came back) is refused as pinned.
    ///
    /// # Errors
    /// As [`Vault::expire`], and [`VaultError::UnknownUnit`].
    pub fn finish_expired(
        &self,
        tenant: &str,
        unit: &str,
        (id, root): (&SnapshotId, &[u8; 32]),
        clearance: Clearance,
        catalogue: &Catalogue<'_>,
    ) -> Result<ExpireReport, VaultError> {
        let tenant = self.tenant(tenant, Absent::Refuse)?;
        let unit = self.unit(&tenant, unit, Absent::Refuse)?;
        permits(&clearance, Act::Expire, &unit.name, root)?;
        let _gate = unit.gate.read().unwrap_or_else(PoisonError::into_inner);
        let _pruning = lock(&unit.pruning);
        if get(&*self.objects, &names::snapshot(&tenant.tag, id))?.is_some() {
            let reason = "it is in the vault again; expire it anew".to_owned();
            return Err(VaultError::Pinned { id: id.to_string(), reason });
        }
        let mut homes = Homes::new();
        let mut mark = Mark::new(&unit, catalogue, Some(*id), &mut homes)?;
        let survey = self.survey(&tenant, &unit, &mut mark)?;
        self.prune_unit(&tenant, &unit, &mut mark, survey)
    }

    /// Whether a snapshot is there, asked by its name; nothing is said of whether it can be read.
    ///
    /// # Errors
    /// [`VaultError::UnknownTenant`]; damage; store failures.
    pub fn has_snapshot(&self, tenant: &str, id: &SnapshotId) -> Result<bool, VaultError> {
        let tenant = self.tenant(tenant, Absent::Refuse)?;
        Ok(get(&*self.objects, &names::snapshot(&tenant.tag, id))?.is_some())
    }

    /// What a clearance to erase a unit must have as its subject: SHA-256 over tenant, unit and
    /// the roots of all its snapshots. A snapshot taken after the clearance voids it.
    ///
    /// # Errors
    /// [`VaultError::UnknownUnit`], [`VaultError::UnitErased`]; damage; store failures.
    pub fn erase_subject(&self, tenant: &str, unit: &str) -> Result<[u8; 32], VaultError> {
        let tenant = self.tenant(tenant, Absent::Refuse)?;
        let unit = self.unit(&tenant, unit, Absent::Refuse)?;
        Ok(subject(&unit, &self.snapshots_of(&tenant, &unit)?))
    }

    /// Erases a custody unit: destroys every wrapped copy of its key, then deletes all of it.
    /// The clearance must be for [`Act::Erase`] with [`Vault::erase_subject`] as subject, and for
    /// asset `n` if the unit is `A-n`. The unit's name is never used again. The answer names every
    /// copy of the key that was destroyed.
    ///
    /// # Errors
    /// [`VaultError::Pinned`] if any snapshot is; [`VaultError::WrongClearance`];
    /// [`VaultError::UnknownUnit`], [`VaultError::UnitErased`]; damage; store failures. Once the
    /// tombstone is put, [`Vault::finish_erased`] or [`Vault::sweep`] finishes what a failure left.
    pub fn erase_unit(
        &self,
        tenant: &str,
        unit: &str,
        clearance: Clearance,
        pins: &Pins<'_>,
    ) -> Result<Erasure, VaultError> {
        let tenant = self.tenant(tenant, Absent::Refuse)?;
        let unit = self.unit(&tenant, unit, Absent::Refuse)?;
        let _alone = unit.gate.write().unwrap_or_else(PoisonError::into_inner);
        let snapshots = self.snapshots_of(&tenant, &unit)?;
        let subject = subject(&unit, &snapshots);
        permits(&clearance, Act::Erase, &unit.name, &subject)?;
        let keys = self.key_copies(&tenant, unit.tag())?;
        let _one = lock(&self.burying);
        // Nothing that takes time lies between the last look at gate and lease and the tombstone.
        refuse_pinned(&snapshots, pins)?;
        self.bury(&tenant, &unit, &keys)?;
        let let_go = self.finish_erasure(&tenant, unit.tag())?;
        let (tenant, unit) = (tenant.name, unit.name.clone());
        Ok(Erasure { tenant, unit, subject, keys, let_go })
    }

    /// All snapshots of a unit. One that cannot be read is an error: it may name any pack.
    pub(crate) fn snapshots_of(
        &self,
        tenant: &Tenant,
        unit: &Unit,
    ) -> Result<Vec<Snapshot>, VaultError> {
        let mut out = Vec::new();
        for (id, name) in self.snapshot_names(tenant, unit.tag())? {
            let object = self.objects.get(&name)?;
            let place = unit.place(Kind::Snapshot, id.0);
            out.push(Snapshot::open(unit.key(), &place, &name, object)?);
        }
        Ok(out)
    }

    /// Ids and object names of a unit's snapshots, by their headers.
    pub(crate) fn snapshot_names(
        &self,
        tenant: &Tenant,
        unit: Tag,
    ) -> Result<Vec<(SnapshotId, String)>, VaultError> {
        let mut out = Vec::new();
        for name in self.objects.list(&names::snapshots(&tenant.tag))? {
            let id = names::last_id(&name)
                .ok_or_else(|| VaultError::damaged(&name, "it is not named as a snapshot"))?;
            let Some(object) = get(&*self.objects, &name)? else { continue };
            if object.get(32..48).ok_or_else(|| VaultError::damaged(&name, "too short"))? == unit {
                out.push((SnapshotId(id), name));
            }
        }
        Ok(out)
    }

    /// Deletes all that is left of a unit with a tombstone, its keys first.
    pub(crate) fn finish_erasure(
        &self,
        tenant: &Tenant,
        unit: Tag,
    ) -> Result<ExpireReport, VaultError> {
        self.destroy_keys(tenant, unit)?;
        let mut report = ExpireReport::default();
        for (_, name) in self.snapshot_names(tenant, unit)? {
            self.objects.delete(&name)?;
            report.snapshots += 1;
        }
        for folder in [names::doubts(&tenant.tag, &unit), names::all_mended(&tenant.tag, &unit)] {
            for name in self.objects.list(&folder)? {
                self.objects.delete(&name)?;
            }
        }
        for kind in [Kind::Draft, Kind::Index, Kind::Sorted, Kind::MetaPack, Kind::DataPack] {
            for name in self.objects.list(&names::of_kind(&tenant.tag, &unit, kind))? {
                if matches!(kind, Kind::MetaPack | Kind::DataPack) {
                    let Some(size) = size(&*self.objects, &name)? else { continue };
                    report.freed_bytes += size;
                    report.packs += 1;
                }
                self.objects.delete(&name)?;
            }
        }
        Ok(report)
    }

    pub(crate) fn unit_tags(&self, tenant: &Tenant) -> Result<BTreeSet<Tag>, VaultError> {
        let prefix = names::units(&tenant.tag);
        let mut tags = BTreeSet::new();
        for name in self.objects.list(&prefix)?.into_iter().chain(self.key_objects(&prefix)?) {
            let tag = name.strip_prefix(&prefix).and_then(|rest| rest.split('/').next());
            tags.extend(tag.and_then(from_hex::<16>));
        }
        Ok(tags)
    }
}

/// Deletes what an earlier prune condemned and had to leave, if that can be done at once.
pub(crate) fn settle(unit: &Unit) {
    let _gate = unit.gate.read().unwrap_or_else(PoisonError::into_inner);
    if let Ok(_pruning) = unit.pruning.try_lock() {
        // What fails is tried again by the next prune.
        drop(finish(unit, &mut ExpireReport::default()));
    }
}

fn subject(unit: &Arc<Unit>, snapshots: &[Snapshot]) -> [u8; 32] {
    let roots: BTreeSet<[u8; 32]> = snapshots.iter().map(|s| s.info.root).collect();
    let mut w = Writer::default();
    w.bytes(unit.tenant.as_bytes());
    w.bytes(unit.name.as_bytes());
    roots.iter().for_each(|root| w.raw(root));
    sha256(&[b"bailee/vault/v1 erase unit\n", &w.0])
}

pub(crate) fn permits(
    clearance: &Clearance,
    act: Act,
    unit: &str,
    subject: &[u8; 32],
) -> Result<(), VaultError> {
    let terms = clearance.terms();
    let wrong = |detail: String| Err(VaultError::WrongClearance { detail });
    if terms.act != act {
        return wrong(format!("it permits to {}, not to {}", terms.act.name(), act.name()));
    }
    if terms.subject != *subject {
        return wrong("its subject is something else than what would be destroyed".to_owned());
    }
    let asset = unit.strip_prefix("A-").and_then(|n| n.parse::<u32>().ok());
    if asset.is_some_and(|n| n != terms.asset) {
        return wrong(format!("it is for asset A-{}, this is unit {unit:?}", terms.asset));
    }
    Ok(())
}

fn refuse_pinned(snapshots: &[Snapshot], pins: &Pins<'_>) -> Result<(), VaultError> {
    for snapshot in snapshots {
        if let Some(reason) = pins(&snapshot.info.id) {
            return Err(VaultError::Pinned { id: snapshot.info.id.to_string(), reason });
        }
    }
    Ok(())
}
