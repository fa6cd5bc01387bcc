//! Rebuilding lost index objects from the packs themselves.
//!
//! Invariants: a pack is indexed only after its directory was authenticated with the unit's key; a
//! damaged index object is deleted only after a segment for every pack it could have named is
//! durable. Nothing else is deleted. A crash in between leaves a segment more than needed.

use std::collections::BTreeSet;
use std::sync::PoisonError;

use crate::error::VaultError;
use crate::index::{PackHash, PackRow, Segment};
use crate::key::random;
use crate::names::{Tag, last_id};
use crate::pack::read_directory;
use crate::seal::Kind;
use crate::unit::Unit;
use crate::vault::{Absent, Vault};
use crate::verify::Problem;

/// What reindexing did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReindexReport {
    /// Packs that no readable index named, and that are indexed now.
    pub packs: u64,
    /// Packs that cannot be indexed because they are damaged themselves.
    pub problems: Vec<Problem>,
}

impl Vault {
    /// Indexes every pack of a tenant that no readable index names, and drops damaged index
    /// objects. The hash kept for scrubbing is taken anew: verify the snapshots afterwards.
    ///
    /// # Errors
    /// Store failures; damage of key objects. Damaged packs are in the report.
    pub fn reindex(&self, tenant: &str) -> Result<ReindexReport, VaultError> {
        let tenant = self.tenant(tenant, Absent::Refuse)?;
        let mut report = ReindexReport::default();
        for tag in self.unit_tags(&tenant)? {
            if let Some(unit) = self.unit_by_tag(&tenant, tag)? {
                let _alone = unit.gate.write().unwrap_or_else(PoisonError::into_inner);
                reindex_unit(&unit, &mut report)?;
            }
        }
        Ok(report)
    }
}

fn reindex_unit(unit: &Unit, report: &mut ReindexReport) -> Result<(), VaultError> {
    let (mut known, mut damaged) = (BTreeSet::new(), Vec::new());
    for (name, read) in unit.segments()? {
        match read {
            Ok(segment) => known.extend(segment.packs.iter().map(|(row, _)| row.id)),
            Err(_) => damaged.push(name),
        }
    }
    let mut segment = Segment::default();
    for kind in [Kind::DataPack, Kind::MetaPack] {
        for name in unit.objects.list(&unit.prefix(kind))? {
            let Some(id) = last_id(&name).filter(|id| !known.contains(id)) else { continue };
            match index_pack(unit, kind, id, &name) {
                Ok(indexed) => segment.packs.push(indexed),
                Err(e @ VaultError::Store(_)) => return Err(e),
                Err(e) => {
                    report.problems.push(Problem { path: name.into(), what: e.to_string() });
                }
            }
        }
    }
    if !segment.packs.is_empty() {
        report.packs += segment.packs.len() as u64;
        let id = random()?;
        let object = segment.seal(unit.key(), &unit.place(Kind::Sorted, id))?;
        unit.objects.put(&unit.object(Kind::Sorted, &id), &object)?;
    }
    for name in damaged {
        unit.objects.delete(&name)?;
    }
    unit.reload()
}

/// A pack and where its chunks lie.
pub(crate) type Indexed = (PackRow, Vec<crate::pack::Slot>);

/// Reads where its chunks lie from a pack itself, authenticated.
pub(crate) fn index_pack(
    unit: &Unit,
    kind: Kind,
    id: Tag,
    name: &str,
) -> Result<Indexed, VaultError> {
    let pack = unit.objects.get(name)?;
    let slots = read_directory(unit.key(), &unit.place(kind, id), name, &pack)?;
    let hash = PackHash::Blake3(*blake3::hash(&pack).as_bytes());
    let row = PackRow { id, kind, size: pack.len() as u64, hash };
    Ok((row, slots))
}
