//! The sweep: what nothing needs goes, in every custody unit of a tenant.
//!
//! It finishes what a crash left: packs of a preservation that never came to its snapshot, packs
//! of a snapshot that was expired, all of a unit whose tombstone is put.
//!
//! Invariants: a unit of which something is not as it should be is left as it is, said by name, and
//! keeps no other from being swept; doing it again is harmless; a rehearsal writes and deletes
//! nothing. A tombstone alone lets nothing go: of a unit that the catalogue has anything of as
//! here, kept or unsure, nothing is deleted, for holds may rest on it. Its tombstone is taken back
//! if its keys are whole (`buried.rs`); if not, only an erasure under a clearance goes on. Out of
//! scope: which tenants there are to whoever asks.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::PoisonError;

use bailee_ledger::{from_hex, to_hex};

use crate::buried::KEYS_GONE;
use crate::erasure::Tombstone;
use crate::error::VaultError;
use crate::expire::ExpireReport;
use crate::living::{Catalogue, Homes, Living, Mark};
use crate::names::{self, Tag};
use crate::prune::foresee;
use crate::seal::Kind;
use crate::stay::lock;
use crate::vault::{Absent, Tenant, Vault, size};

/// Whether anything is really let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sweep {
    /// It is.
    Now,
    /// It is only counted.
    Rehearse,
}

/// What became of one custody unit in a sweep.
#[derive(Debug)]
pub struct Swept {
    /// Its name; if that is not known, its tag.
    pub unit: String,
    /// What was let go; or why nothing was, or not all.
    pub outcome: Result<ExpireReport, VaultError>,
}

impl Vault {
    /// Sweeps every unit of a tenant: deletes packs no snapshot needs, rewrites those that are
    /// mostly dead, deletes rests of erased units. Preserving and reading go on meanwhile. Each
    /// unit is told when it is done, with how many there are; the answer says whether to go on.
    ///
    /// # Errors
    /// [`VaultError::UnknownTenant`]; the tenant's units cannot be listed. Whatever is the matter
    /// with a single unit is told with it.
    pub fn sweep(
        &self,
        tenant: &str,
        how: Sweep,
        catalogue: &Catalogue<'_>,
        told: &mut dyn FnMut(Swept, usize) -> ControlFlow<()>,
    ) -> Result<(), VaultError> {
        let tenant = self.tenant(tenant, Absent::Refuse)?;
        let (tags, mut homes) = (self.unit_tags(&tenant)?, Homes::new());
        let many = tags.len();
        for tag in tags {
            let swept = self.sweep_unit(&tenant, tag, how, catalogue, &mut homes);
            if told(swept, many).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Names of all tenants that have a key in this vault.
    ///
    /// # Errors
    /// Damage; store failures.
    pub fn tenants(&self) -> Result<BTreeSet<String>, VaultError> {
        let keys = self.key_objects(names::TENANTS)?;
        let tag = |name: &String| {
            let (tenant, rest) = name.strip_prefix(names::TENANTS)?.split_once('/')?;
            rest.starts_with("key/").then(|| from_hex::<16>(tenant)).flatten()
        };
        let tags: BTreeSet<Tag> = keys.iter().filter_map(tag).collect();
        tags.into_iter().map(|tag| Ok(self.root_under(&self.kek, tag)?.1)).collect()
    }

    fn sweep_unit(
        &self,
        tenant: &Tenant,
        tag: Tag,
        how: Sweep,
        catalogue: &Catalogue<'_>,
        homes: &mut Homes,
    ) -> Swept {
        let unnamed = |outcome| Swept { unit: to_hex(&tag), outcome };
        match self.sweep_erased(tenant, tag, how, catalogue) {
            Ok(None) => {}
            Ok(Some(swept)) => return swept,
            Err(error) => return unnamed(Err(error)),
        }
        let unit = match self.unit_by_tag(tenant, tag) {
            Ok(Some(unit)) => unit,
            Ok(None) => {
                let object = names::object(&tenant.tag, &tag, Kind::UnitKey, &[0; 16]);
                return unnamed(Err(VaultError::KeyMissing { unit: to_hex(&tag), object }));
            }
            Err(error) => return unnamed(Err(error)),
        };
        let _gate = unit.gate.read().unwrap_or_else(PoisonError::into_inner);
        let _pruning = lock(&unit.pruning);
        let outcome = Mark::new(&unit, catalogue, None, homes).and_then(|mut mark| {
            let survey = self.survey(tenant, &unit, &mut mark)?;
            match how {
                Sweep::Now => self.prune_unit(tenant, &unit, &mut mark, survey),
                Sweep::Rehearse => Ok(foresee(&unit, &mark, &survey)),
            }
        });
        Swept { unit: unit.name.clone(), outcome }
    }

    /// What there still is of a unit with a tombstone, deleted if that is asked for and nothing of
    /// it is here by the catalogue; `None` if it has no tombstone.
    fn sweep_erased(
        &self,
        tenant: &Tenant,
        tag: Tag,
        how: Sweep,
        catalogue: &Catalogue<'_>,
    ) -> Result<Option<Swept>, VaultError> {
        let _one = lock(&self.burying);
        let Some(stone) = self.tombstone(tenant, tag)? else { return Ok(None) };
        let outcome = match catalogue(&tenant.name, &stone.unit) {
            Err(detail) => Err(VaultError::NoCatalogue { unit: stone.unit.clone(), detail }),
            Ok(Living { kept, unsure, .. }) if kept.is_empty() && unsure.is_empty() => {
                self.sweep_rest(tenant, tag, how)
            }
            Ok(living) => self.spare(tenant, (tag, &stone), how, &living),
        };
        Ok(Some(Swept { unit: stone.unit, outcome }))
    }

    /// Of a buried unit that is here by the catalogue nothing goes: it is said why.
    fn spare(
        &self,
        tenant: &Tenant,
        (tag, stone): (Tag, &Tombstone),
        how: Sweep,
        living: &Living,
    ) -> Result<ExpireReport, VaultError> {
        if living.kept.is_empty() && !self.is_anything_left(tenant, tag)? {
            return Ok(ExpireReport::default()); // the vault came to its end, and the log not
        }
        let detail = match (self.keys_are_whole(tenant, tag, stone)?, how) {
            (false, _) => KEYS_GONE,
            (true, Sweep::Rehearse) => TO_TAKE_BACK,
            (true, Sweep::Now) => {
                self.lift(tenant, tag)?;
                TAKEN_BACK
            }
        };
        Err(VaultError::half_erased(&stone.unit, detail))
    }

    /// Whether a unit has anything but a tombstone.
    fn is_anything_left(&self, tenant: &Tenant, unit: Tag) -> Result<bool, VaultError> {
        let (all, stones) =
            (names::unit(&tenant.tag, &unit), names::of_kind(&tenant.tag, &unit, Kind::Tombstone));
        let names = self.objects.list(&all)?.into_iter().chain(self.key_objects(&all)?);
        Ok(names.into_iter().any(|name| !name.starts_with(&stones)))
    }

    /// Deletes what is left of a buried unit, or counts it.
    fn sweep_rest(
        &self,
        tenant: &Tenant,
        unit: Tag,
        how: Sweep,
    ) -> Result<ExpireReport, VaultError> {
        if how == Sweep::Now {
            return self.finish_erasure(tenant, unit);
        }
        let mut report = ExpireReport::default();
        for kind in [Kind::MetaPack, Kind::DataPack] {
            for name in self.objects.list(&names::of_kind(&tenant.tag, &unit, kind))? {
                let size = size(&*self.objects, &name)?;
                report.packs += u64::from(size.is_some());
                report.freed_bytes += size.unwrap_or(0);
            }
        }
        Ok(report)
    }
}

const TO_TAKE_BACK: &str = "an erasure of it was cut off before a key was destroyed, and the log \
    has snapshots of it as here: `bailee prune` takes its tombstone back, or erasing it \
    again under a clearance goes on";
const TAKEN_BACK: &str = "an erasure of it was cut off before a key was destroyed, and the log \
    has snapshots of it as here: its tombstone was taken back, it is as it was before, \
    and the next `bailee prune` prunes it as any other";
