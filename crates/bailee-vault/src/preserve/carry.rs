//! Carrying: what a prune condemned while a session counted on it is copied before the commit.
//!
//! Invariants: a session deduplicates against the table it began with, and stays as long as it
//! needs it, so every chunk of that table is still there. A chunk the table of now leaves out lies
//! in condemned packs only; its copy is in a pack of this session, which is fresh.

use super::work::Session;
use crate::chunk::Desk;
use crate::error::VaultError;
use crate::forward::Forward;
use crate::manifest::{Extent, Stored};
use crate::pack::ChunkId;
use crate::seal::Kind;
use crate::snapshot::Snapshot;
use crate::stay::lock;

/// Copies forward all that the snapshot needs and the unit's table does not offer any more.
pub(super) fn carry(
    session: &Session<'_>,
    snapshot: &Snapshot,
    entries: &[Stored],
) -> Result<(), VaultError> {
    let unit = session.unit;
    if lock(&unit.condemned).is_empty() {
        return Ok(());
    }
    let table = unit.table();
    let data = entries.iter().flat_map(|s| &s.extents).filter_map(Extent::chunk);
    let data = data.map(|(id, len)| (Kind::DataPack, id, len));
    let meta = snapshot.manifest.iter().map(|(id, len)| (Kind::MetaPack, *id, *len));
    let lost = |(_, id, _): &(Kind, ChunkId, u32)| !table.has(id) && session.table.has(id);
    let mut forward = Forward::new(unit, &session.alive)?;
    let mut desk = Desk::default();
    for (kind, id, len) in data.chain(meta).filter(lost) {
        unit.chunk(&session.table, &id, len, &mut desk)?;
        forward.add(kind, id, &desk.plain)?;
    }
    let (moved, _) = forward.finish()?;
    if moved.is_empty() { Ok(()) } else { unit.reload() }
}
