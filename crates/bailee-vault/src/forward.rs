//! Copying chunks forward: out of a pack that is to go, into a new one.
//!
//! Order of writes: the new packs are put, then the segment that names them. A crash in between
//! leaves packs that no segment names, or chunks that are stored twice: both are harmless, and the
//! next prune removes what is too much.
//!
//! Invariants: a chunk is copied only after it was authenticated and gave its id; it is in
//! [`Forward::moved`] only once a pack builder has it, and nothing goes before
//! [`Forward::finish`] has made all of them durable.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::error::VaultError;
use crate::index::{PackRow, Segment};
use crate::key::random;
use crate::pack::{ChunkId, PACK_TARGET, Pack, PackBuilder};
use crate::packer::Packer;
use crate::preserve::put_pack;
use crate::seal::Kind;
use crate::unit::Unit;

/// zstd level of copies.
const LEVEL: i32 = 1;

pub(crate) struct Forward<'a> {
    unit: &'a Unit,
    session: &'a Arc<()>,
    packer: Packer,
    open: HashMap<u8, PackBuilder>,
    segment: Segment,
    /// Chunks copied so far, by what segments keep of their ids.
    pub(crate) moved: HashSet<[u8; 20]>,
    /// Their bytes as stored.
    pub(crate) bytes: u64,
}

/// What a segment keeps of an id.
pub(crate) fn short(id: &ChunkId) -> [u8; 20] {
    let mut out = [0; 20];
    out.copy_from_slice(&id[..20]);
    out
}

impl<'a> Forward<'a> {
    pub(crate) fn new(unit: &'a Unit, session: &'a Arc<()>) -> Result<Self, VaultError> {
        Ok(Self {
            unit,
            session,
            packer: Packer::new()?,
            open: HashMap::new(),
            segment: Segment::default(),
            moved: HashSet::new(),
            bytes: 0,
        })
    }

    /// Copies one chunk, unless that was done before.
    pub(crate) fn add(&mut self, kind: Kind, id: ChunkId, plain: &[u8]) -> Result<(), VaultError> {
        if !self.moved.insert(short(&id)) {
            return Ok(());
        }
        let mut pack = match self.open.remove(&(kind as u8)) {
            Some(pack) => pack,
            None => {
                let place = self.unit.place(kind, random()?);
                PackBuilder::new(self.unit.key(), place, Vec::new())?
            }
        };
        let before = pack.len();
        pack.add(&mut self.packer, LEVEL, id, plain)?;
        self.bytes += (pack.len() - before) as u64;
        if pack.len() >= PACK_TARGET {
            return self.put(&pack.finish()?);
        }
        self.open.insert(kind as u8, pack);
        Ok(())
    }

    /// Copies those chunks of a pack that `wanted` names. Damage stops at the first chunk: what was
    /// copied before stays copied.
    pub(crate) fn pack(
        &mut self,
        row: &PackRow,
        wanted: impl Fn(&ChunkId) -> bool,
    ) -> Result<(), VaultError> {
        let (unit, kind) = (self.unit, row.kind);
        let mut add = |id, plain: &[u8]| self.add(kind, id, plain);
        unit.records((kind, row.id), wanted, &mut add).map(drop)
    }

    fn put(&mut self, pack: &Pack) -> Result<(), VaultError> {
        let row = put_pack(self.unit, pack, self.session)?;
        self.segment.packs.push((row, pack.slots.clone()));
        Ok(())
    }

    /// Makes all copies durable and indexed. Gives what was moved, and its bytes.
    pub(crate) fn finish(mut self) -> Result<(HashSet<[u8; 20]>, u64), VaultError> {
        for pack in std::mem::take(&mut self.open).into_values() {
            self.put(&pack.finish()?)?;
        }
        if !self.segment.packs.is_empty() {
            let id = random()?;
            let object = self.segment.seal(self.unit.key(), &self.unit.place(Kind::Sorted, id))?;
            self.unit.objects.put(&self.unit.object(Kind::Sorted, &id), &object)?;
        }
        Ok((self.moved, self.bytes))
    }
}
