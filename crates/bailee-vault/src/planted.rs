//! An index of very many chunks that are not there, for the benchmark of opening one.
//!
//! Not for use: no promise, no API. Invariant: the segments are those that preserving writes,
//! sealed under the keys of a unit of the vault; only the packs that they name were never put.

use std::sync::Arc;

use crate::error::VaultError;
use crate::index::{PackHash, PackRow, Segment};
use crate::key::random;
use crate::pack::{ChunkId, RAW, Slot};
use crate::seal::{Kind, RecordInfo};
use crate::unit::Unit;
use crate::vault::{Absent, Vault};

const TENANT: &str = "planted";
/// Chunks of a pack: 16 MiB of chunks of 256 KiB.
const OF_A_PACK: u64 = 64;

/// Puts an index of so many chunks, so many to a segment, into a unit of its own.
///
/// # Errors
/// The unit cannot be made; store failures.
pub fn plant(vault: &Vault, chunks: u64, each: u64) -> Result<(), VaultError> {
    let tenant = vault.tenant(TENANT, Absent::Create)?;
    let unit = vault.unit(&tenant, TENANT, Absent::Create)?;
    let mut first = 0;
    while first < chunks {
        let end = chunks.min(first.saturating_add(each.max(1)));
        let id = random()?;
        let sealed = segment(first..end).seal(unit.key(), &unit.place(Kind::Sorted, id))?;
        unit.objects.put(&unit.object(Kind::Sorted, &id), &sealed)?;
        first = end;
    }
    Ok(())
}

fn segment(chunks: std::ops::Range<u64>) -> Segment {
    let pack = |first: u64| {
        let slot = |n: u64| {
            let (ordinal, stored_len) = (n - first, 256 << 10);
            let info =
                RecordInfo { ordinal, id: id(n), plain_len: stored_len, stored_len, codec: RAW };
            Slot { offset: u32::try_from(ordinal << 18).unwrap_or(u32::MAX), info }
        };
        let (mut tag, kind, size) = ([0; 16], Kind::DataPack, 16 << 20);
        tag.copy_from_slice(&id(!first)[..16]);
        let row = PackRow { id: tag, kind, size, hash: PackHash::Blake3([0; 32]) };
        (row, (first..chunks.end.min(first + OF_A_PACK)).map(slot).collect())
    };
    let firsts = chunks.clone().step_by(OF_A_PACK as usize);
    Segment { packs: firsts.map(pack).collect() }
}

/// The id of the `n`-th chunk: uniform, as real ones are.
fn id(n: u64) -> ChunkId {
    let mut id = [0; 24];
    id[..20].copy_from_slice(&blake3::hash(&n.to_le_bytes()).as_bytes()[..20]);
    id
}

/// The planted index, open.
pub struct Planted(Arc<Unit>);

/// Opens it as whoever preserves does.
///
/// # Errors
/// There is none; damage; store failures.
pub fn open(vault: &Vault) -> Result<Planted, VaultError> {
    let tenant = vault.tenant(TENANT, Absent::Refuse)?;
    vault.unit(&tenant, TENANT, Absent::Refuse).map(Planted)
}

impl Planted {
    /// How many chunks it has.
    pub fn chunks(&self) -> u64 {
        self.0.table().segments().map(|segment| segment.len() as u64).sum()
    }

    /// Whether it names the `n`-th.
    pub fn has(&self, n: u64) -> bool {
        let none = std::collections::HashSet::new();
        let found = |segment: &Arc<crate::sorted::Sorted>| {
            segment.find(&*self.0.objects, &id(n), &none).is_ok_and(|found| found.is_some())
        };
        self.0.table().segments().any(found)
    }
}

#[cfg(test)]
mod tests {
    use bailee_store::MemoryObjects;

    use super::*;
    use crate::key::Kek;

    #[test]
    fn what_is_planted_is_there_and_nothing_else() {
        let (objects, kek) = (Arc::new(MemoryObjects::new()), Kek::from_bytes([1; 32]));
        let vault = Vault::create(objects.clone(), &kek).unwrap();
        plant(&vault, 1000, 300).unwrap();
        drop(vault);
        let index = open(&Vault::open(objects, &kek).unwrap()).unwrap();
        assert_eq!((index.chunks(), index.0.table().segments().count()), (1000, 4));
        assert!((0..1000).all(|n| index.has(n)) && !index.has(1000));
    }
}
