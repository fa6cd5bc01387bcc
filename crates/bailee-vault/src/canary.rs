//! Canaries: some packs of a snapshot, read back whole and authenticated to their last record.
//!
//! Invariants
//! 1. A pack counts as read back if its directory and each record are authentic under the unit's
//!    key and each chunk is what its id says: neither an index nor a hash kept beside is believed.
//! 2. What is drawn follows from the seed, so that an engine cannot guess it and a test can.
//! 3. What was lost before is looked for first, if the snapshot is still read from it: what a prune
//!    has rewritten since, or was stored again elsewhere, is not lost.
//! 4. A pack that is found damaged is doubted: preserving its source again stores what it held.
//! 5. Memory: one manifest, one pack.
//!
//! Out of scope: which snapshots (whoever knows the holds says), and what becomes of the finding.

use std::collections::BTreeSet;

use bailee_ledger::{from_hex, to_hex};
use bailee_store::ObjectError;

use crate::doubt::is_of_pack;
use crate::error::VaultError;
use crate::manifest::Extent;
use crate::names::{SnapshotId, Tag, last_id, snapshot};
use crate::pack::ChunkId;
use crate::seal::Kind;
use crate::unit::Unit;
use crate::vault::{Absent, Vault};

/// Draws for each pack: one that is hit again is not read again. A few draws would now and then
/// find only one of two packs.
const DRAWS: u64 = 64;

/// What an object is called that holds a chunk no index names.
const CHUNK: &str = "chunk ";

/// What is wrong with an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// It is not there.
    Missing,
    /// It is not what was put.
    Damaged,
}

/// One object that was to be read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Canary {
    /// Its name in the store; of a chunk that no index names, `chunk` and its id.
    pub object: String,
    /// Bytes that were read.
    pub bytes: u64,
    /// What is wrong with it; `None`: it is whole.
    pub harm: Option<Harm>,
}

/// Which canaries.
#[derive(Clone, Debug)]
pub struct Draw {
    /// Decides which chunks are drawn.
    pub seed: [u8; 32],
    /// Most packs that are drawn.
    pub packs: usize,
    /// Names of objects that were lost before.
    pub again: Vec<String>,
}

impl Vault {
    /// Reads a snapshot's manifest and some of its packs back. What is lost is in the answer.
    ///
    /// # Errors
    /// The store does not answer; objects of a newer program.
    pub fn canaries(
        &self,
        tenant: &str,
        id: &SnapshotId,
        draw: &Draw,
    ) -> Result<Vec<Canary>, VaultError> {
        let mut seen = Vec::new();
        let looked = self.look(tenant, id, draw, &mut seen);
        if let Err(error) = looked {
            let (object, harm) = harm(error, id)?;
            seen.push(Canary { object, bytes: 0, harm: Some(harm) });
        }
        Ok(seen)
    }

    fn look(
        &self,
        tenant: &str,
        id: &SnapshotId,
        draw: &Draw,
        seen: &mut Vec<Canary>,
    ) -> Result<(), VaultError> {
        let tenant = self.tenant(tenant, Absent::Refuse)?;
        let (unit, found) = self.snapshot(&tenant, id)?;
        let _stay = unit.enter();
        let entries = unit.manifest(&found)?;
        let bytes = found.manifest.iter().map(|(_, len)| u64::from(*len)).sum();
        seen.push(Canary { object: snapshot(&tenant.tag, id), bytes, harm: None });
        let extents = entries.iter().flat_map(|stored| &stored.extents);
        let content = extents.filter_map(Extent::chunk);
        let chunks: Vec<ChunkId> =
            found.manifest.iter().copied().chain(content).map(|(id, _)| id).collect();
        let mut round = Round { unit: &unit, of: id, done: BTreeSet::new(), seen };
        for name in &draw.again {
            round.again(name, &chunks)?;
        }
        let known = round.done.len();
        for n in 0..DRAWS * draw.packs as u64 {
            if round.done.len() - known == draw.packs {
                break;
            }
            let hash = blake3::keyed_hash(&draw.seed, &n.to_be_bytes());
            let mut number = [0; 8];
            number.copy_from_slice(&hash.as_bytes()[..8]);
            let Some(at) = u64::from_be_bytes(number).checked_rem(chunks.len() as u64) else {
                break;
            };
            round.chunk(&chunks[usize::try_from(at).unwrap_or(0)])?;
        }
        Ok(())
    }
}

/// Packs of one unit, each looked at once.
struct Round<'a> {
    unit: &'a Unit,
    of: &'a SnapshotId,
    done: BTreeSet<Tag>,
    seen: &'a mut Vec<Canary>,
}

impl Round<'_> {
    /// The pack that has a chunk. One that a prune took away meanwhile is looked for once more.
    fn chunk(&mut self, id: &ChunkId) -> Result<(), VaultError> {
        let unit = self.unit;
        let find = || unit.table().find(id);
        let Some((row, _)) = find()? else {
            let object = format!("{CHUNK}{}", to_hex(id));
            if self.seen.iter().all(|seen| seen.object != object) {
                self.seen.push(Canary { object, bytes: 0, harm: Some(Harm::Missing) });
            }
            return Ok(());
        };
        let name = self.unit.object(row.kind, &row.id);
        if matches!(self.unit.objects.size(&name), Err(ObjectError::NotFound { .. })) {
            self.unit.reload()?;
            if let Some((other, _)) = find()?.filter(|(other, _)| other.id != row.id) {
                return self.pack(other.kind, other.id);
            }
        }
        self.pack(row.kind, row.id)
    }

    /// What was lost before, if it is still needed.
    fn again(&mut self, name: &str, chunks: &[ChunkId]) -> Result<(), VaultError> {
        if let Some(id) = name.strip_prefix(CHUNK).and_then(from_hex) {
            return self.chunk(&id);
        }
        for kind in [Kind::DataPack, Kind::MetaPack] {
            let id = last_id(name).filter(|_| name.starts_with(&self.unit.prefix(kind)));
            if let Some(id) = id.filter(|id| self.unit.table().knows(&[*id])) {
                return if self.needs(&id, chunks)? { self.pack(kind, id) } else { Ok(()) };
            }
        }
        Ok(())
    }

    /// Whether any of these is read from this pack: none is, if a sound one has them all.
    fn needs(&self, pack: &Tag, chunks: &[ChunkId]) -> Result<bool, VaultError> {
        let table = self.unit.table();
        for id in chunks {
            if table.find(id)?.is_some_and(|(row, _)| row.id == *pack) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn pack(&mut self, kind: Kind, id: Tag) -> Result<(), VaultError> {
        if !self.done.insert(id) {
            return Ok(());
        }
        let object = self.unit.object(kind, &id);
        let canary = match self.unit.records((kind, id), |_| true, &mut |_, _| Ok(())) {
            Ok(bytes) => Canary { object, bytes, harm: None },
            Err(error) => {
                if is_of_pack(&error) {
                    self.unit.doubt((kind, id), &error);
                }
                let (object, harm) = harm(error, self.of)?;
                Canary { object, bytes: 0, harm: Some(harm) }
            }
        };
        self.seen.push(canary);
        Ok(())
    }
}

/// Which object is lost, if that is what the error says; any other error is handed back.
fn harm(error: VaultError, of: &SnapshotId) -> Result<(String, Harm), VaultError> {
    Ok(match error {
        VaultError::Damaged { object, .. } => (object, Harm::Damaged),
        VaultError::Store(ObjectError::BadRange { name, .. }) => (name, Harm::Damaged),
        VaultError::Store(ObjectError::NotFound { name }) => (name, Harm::Missing),
        VaultError::KeyMissing { object, .. } => (object, Harm::Missing),
        VaultError::MissingChunk { chunk, .. } => (format!("{CHUNK}{chunk}"), Harm::Missing),
        VaultError::UnknownTenant { .. }
        | VaultError::UnknownSnapshot { .. }
        | VaultError::UnitErased { .. } => (format!("snapshot {of}"), Harm::Missing),
        other => return Err(other),
    })
}
