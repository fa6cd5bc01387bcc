//! Vaults to try things on, and bytes for them.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use bailee_store::{DiskObjects, MemoryObjects, Objects};
use bailee_vault::{Catalogue, ExpireReport, Kek, Sweep, Vault, VaultError, no_catalogue};

pub(crate) use crate::clear::clear;
pub(crate) use crate::seen::{Seen, describe, noise};

pub(crate) fn kek() -> Kek {
    Kek::from_bytes([42; 32])
}

pub(crate) fn memory_vault() -> (Arc<MemoryObjects>, Vault) {
    let objects = Arc::new(MemoryObjects::new());
    let vault = Vault::create(Arc::clone(&objects) as Arc<dyn Objects>, &kek()).unwrap();
    (objects, vault)
}

/// A vault in a directory, which is made if need be.
pub(crate) fn disk_vault(dir: &Path) -> (Arc<DiskObjects>, Vault) {
    let objects = Arc::new(DiskObjects::open(dir).unwrap());
    let shared = Arc::clone(&objects) as Arc<dyn Objects>;
    let vault = Vault::create(Arc::clone(&shared), &kek()).or_else(|_| Vault::open(shared, &kek()));
    (objects, vault.unwrap())
}

/// Sweeps all units of tenant `t`, of what the store lists; the first error, or what was let go.
pub(crate) fn sweep(vault: &Vault) -> Result<ExpireReport, VaultError> {
    sweep_by(vault, &no_catalogue)
}

/// As [`sweep`], with what somebody says is kept.
pub(crate) fn sweep_by(
    vault: &Vault,
    catalogue: &Catalogue<'_>,
) -> Result<ExpireReport, VaultError> {
    let (mut sum, mut failed) = (ExpireReport::default(), None);
    vault.sweep("t", Sweep::Now, catalogue, &mut |swept, _| match swept.outcome {
        Ok(report) => {
            sum.snapshots += report.snapshots;
            sum.packs += report.packs;
            sum.freed_bytes += report.freed_bytes;
            sum.moved_bytes += report.moved_bytes;
            sum.waiting += report.waiting;
            sum.lost += report.lost;
            ControlFlow::Continue(())
        }
        Err(error) => {
            failed = Some(error);
            ControlFlow::Break(())
        }
    })?;
    failed.map_or(Ok(sum), Err)
}
