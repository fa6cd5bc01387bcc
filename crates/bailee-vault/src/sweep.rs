//! The sweep: what nothing needs goes, in every custody unit of a tenant.
//!
//! It finishes what a crash left: packs of a preservation that never came to its snapshot, packs
//! of a snapshot that was expired, all of a unit whose tombstone is put.
//!
//! Invariants: a unit of which something is not as it should be is left as it is, said by name, and
//! keeps no other from being swept; doing it again is harmless; a rehearsal writes and deletes
//! nothing. Out of scope: which tenants there are to whoever asks.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::PoisonError;

use bailee_ledger::{from_hex, to_hex};

use crate::error::VaultError;
use crate::expire::ExpireReport;
use crate::living::{Catalogue, Homes, Mark};
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
        match self.sweep_erased(tenant, tag, how) {
            Ok(None) => {}
            Ok(Some(report)) => return unnamed(Ok(report)),
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

    /// What there still is of a unit with a tombstone, deleted if that is asked for; `None` if it
    /// has none.
    fn sweep_erased(
        &self,
        tenant: &Tenant,
        unit: Tag,
        how: Sweep,
    ) -> Result<Option<ExpireReport>, VaultError> {
        let _one = lock(&self.burying);
        if !self.is_erased(tenant, unit)? {
            return Ok(None);
        }
        if how == Sweep::Now {
            return self.finish_erasure(tenant, unit).map(Some);
        }
        let mut report = ExpireReport::default();
        for kind in [Kind::MetaPack, Kind::DataPack] {
            for name in self.objects.list(&names::of_kind(&tenant.tag, &unit, kind))? {
                let size = size(&*self.objects, &name)?;
                report.packs += u64::from(size.is_some());
                report.freed_bytes += size.unwrap_or(0);
            }
        }
        Ok(Some(report))
    }
}
