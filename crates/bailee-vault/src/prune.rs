//! Pruning: space comes back while preserving into the same unit goes on.
//!
//! ```text
//! mark       chunks that a snapshot of the unit needs, by the snapshots' manifests
//! survey     packs of which more than a share is dead
//! forward    their live chunks are copied into new packs, and those indexed
//! condemn    under the unit's switch: the table leaves these packs out from now on
//! deleting   segments are put again without them, the old segments retired
//! gone       once everybody has left who came before: retired segments, then packs are deleted
//! ```
//!
//! Invariants
//! 1. **Condemned only under the switch.** A snapshot is put, and a snapshot is deleted, under the
//!    same switch. So condemning sees every snapshot there is: those put since the mark are marked
//!    then. A pack is condemned only if each live chunk of it is, durably, in a pack that stays.
//! 2. **A writer that had a hit in a condemned pack** has stayed since before, so the pack is still
//!    there: before its commit, it copies the chunk forward, and its snapshot names the copy.
//! 3. **Fresh packs are never condemned**: those of sessions that have not ended.
//! 4. **A segment that names a pack goes before the pack.** So at every moment, and after a crash
//!    at every moment, whatever a segment names is there. That a pack is condemned is only in
//!    memory; if it is forgotten, the pack is as good as it was, and the next prune finds it
//!    again. What no segment names and no session writes is deleted.
//! 5. **Pins** are asked where a snapshot is deleted, under the switch; a snapshot that is there is
//!    live, held or not, so a hold moves no data and needs no word here.
//! 6. No clock is read. "Before" is counted in stays (`stay.rs`).
//!
//! One process has the vault to itself (`vault.rs`): switch and stays are its memory. Within it a
//! second prune of the unit waits for the first. Out of scope: packs of two processes.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use bailee_store::ObjectError;

use crate::error::VaultError;
use crate::expire::ExpireReport;
use crate::forward::{Forward, short};
use crate::index::{PackRow, Segment};
use crate::key::random;
use crate::manifest::Extent;
use crate::names::{self, SnapshotId, Tag};
use crate::pack::{ChunkId, Slot};
use crate::seal::Kind;
use crate::stay::lock;
use crate::unit::Unit;
use crate::vault::{Tenant, Vault};

/// A pack is rewritten if more than this many hundredths of its bytes are dead.
const DEAD_SHARE: u64 = 50;

/// What snapshots need. A chunk counts by eight bytes of its keyed id: if two share them, a dead
/// one is kept, and no live one is lost.
#[derive(Default)]
struct Mark {
    seen: BTreeSet<SnapshotId>,
    prints: Vec<u64>,
}

fn print(id: &ChunkId) -> u64 {
    let mut first = [0; 8];
    first.copy_from_slice(&id[..8]);
    u64::from_be_bytes(first)
}

impl Mark {
    fn has(&self, id: &ChunkId) -> bool {
        self.prints.binary_search(&print(id)).is_ok()
    }

    /// Sorts, and drops what is there twice. Stable sorting is quick where most is sorted.
    fn tidy(&mut self) {
        self.prints.sort();
        self.prints.dedup();
    }
}

/// A pack that may go.
struct Candidate {
    row: PackRow,
    slots: Vec<Slot>,
}

impl Vault {
    /// Prunes one unit. The caller holds its gate, shared, and its `pruning`.
    pub(crate) fn prune_unit(
        &self,
        tenant: &Tenant,
        unit: &Unit,
    ) -> Result<ExpireReport, VaultError> {
        let mut report = ExpireReport::default();
        finish(unit, &mut report)?;
        let listed = delete_orphans(unit, &mut report)?;
        let mut mark = Mark::default();
        self.mark(tenant, unit, &mut mark)?;
        let candidates = survey(unit, &mark, &listed)?;
        if candidates.is_empty() {
            return Ok(report);
        }
        let (safe, bytes) = forward(unit, &mark, &candidates)?;
        report.moved_bytes = bytes;
        {
            let _switch = lock(&unit.switch);
            self.mark(tenant, unit, &mut mark)?;
            let fresh = unit.stays.fresh();
            let kept = |s: &Slot| !mark.has(&s.info.id) || safe.contains(&short(&s.info.id));
            let dead = candidates.iter().filter(|c| !fresh.contains(&c.row.id));
            let dead = dead.filter(|c| c.slots.iter().all(kept));
            lock(&unit.condemned).extend(dead.map(|c| (c.row.id, c.row)));
            unit.reload()?;
        }
        finish(unit, &mut report)?;
        Ok(report)
    }

    /// Marks what snapshots need that were not there when it was called before.
    fn mark(&self, tenant: &Tenant, unit: &Unit, mark: &mut Mark) -> Result<(), VaultError> {
        let mut tidied = mark.prints.len();
        for snapshot in self.snapshots_of(tenant, unit)? {
            if !mark.seen.insert(snapshot.info.id) {
                continue;
            }
            for stored in unit.manifest(&snapshot)? {
                mark.prints.extend(stored.extents.iter().filter_map(|e| match e {
                    Extent::Data(id, _) => Some(print(id)),
                    Extent::Zeros(_) | Extent::Unreadable(_) | Extent::Identity(..) => None,
                }));
            }
            mark.prints.extend(snapshot.manifest.iter().map(|(id, _)| print(id)));
            if mark.prints.len() > 2 * tidied {
                mark.tidy();
                tidied = mark.prints.len();
            }
        }
        mark.tidy();
        Ok(())
    }
}

/// Packs that are dead enough to go, or gone already: an old segment that was put back names such,
/// and no copy of a chunk may be taken for safe in one. A segment that cannot be read is an error.
fn survey(unit: &Unit, mark: &Mark, listed: &HashSet<Tag>) -> Result<Vec<Candidate>, VaultError> {
    let (mut seen, mut out) = (unit.stays.fresh(), Vec::new());
    seen.extend(lock(&unit.condemned).keys());
    unit.each_segment(&mut |segment| {
        for (row, slots) in segment.packs {
            if !seen.insert(row.id) {
                continue;
            }
            let bytes = |s: &Slot| s.range().end - s.range().start;
            let all: u64 = slots.iter().map(bytes).sum();
            let live = slots.iter().filter(|s| mark.has(&s.info.id));
            let live: u64 = live.map(bytes).sum();
            let dead = live == 0 || (all - live) * 100 > all * DEAD_SHARE;
            if dead || (!listed.contains(&row.id) && is_gone(unit, &row)?) {
                out.push(Candidate { row, slots });
            }
        }
        Ok(())
    })?;
    Ok(out)
}

/// A pack that was not listed may have been put since.
fn is_gone(unit: &Unit, row: &PackRow) -> Result<bool, VaultError> {
    match unit.objects.size(&unit.object(row.kind, &row.id)) {
        Ok(_) => Ok(false),
        Err(ObjectError::NotFound { .. }) => Ok(true),
        Err(e) => Err(e.into()),
    }
}

/// Copies forward what of the candidates is live and in no other pack. Gives the chunks that are
/// safe without the candidates, and the bytes copied. A candidate that is damaged or gone stays
/// named if something live is nowhere else: whoever verifies is told which pack it was in.
fn forward(
    unit: &Unit,
    mark: &Mark,
    candidates: &[Candidate],
) -> Result<(HashSet<[u8; 20]>, u64), VaultError> {
    let leaving: HashSet<Tag> = candidates.iter().map(|c| c.row.id).collect();
    let slots = candidates.iter().flat_map(|c| &c.slots);
    let live = slots.filter(|s| mark.has(&s.info.id)).map(|s| short(&s.info.id));
    let live: HashSet<[u8; 20]> = live.collect();
    let mut safe = HashSet::new();
    if !live.is_empty() {
        let condemned = lock(&unit.condemned).clone();
        let stays = |id: &Tag| !leaving.contains(id) && !condemned.contains_key(id);
        let fresh = unit.stays.fresh(); // may be deleted if their session fails
        unit.each_segment(&mut |segment| {
            let packs = segment.packs.iter().map(|(row, slots)| (row.id, slots));
            for (_, slots) in packs.filter(|(id, _)| stays(id) && !fresh.contains(id)) {
                let ids = slots.iter().map(|s| short(&s.info.id));
                safe.extend(ids.filter(|id| live.contains(id)));
            }
            Ok(())
        })?;
    }
    let session = Arc::new(());
    let mut forward = Forward::new(unit, &session)?;
    for candidate in candidates {
        let wanted = |id: &ChunkId| live.contains(&short(id)) && !safe.contains(&short(id));
        if !candidate.slots.iter().any(|s| wanted(&s.info.id)) {
            continue;
        }
        match forward.pack(&candidate.row, wanted) {
            Ok(()) | Err(VaultError::Damaged { .. }) => {}
            Err(VaultError::Store(ObjectError::NotFound { .. })) => {}
            Err(e) => return Err(e),
        }
    }
    let (moved, bytes) = forward.finish()?;
    safe.extend(moved);
    Ok((safe, bytes))
}

/// Takes condemned packs out of the segments and, if nobody can look into them any more, deletes
/// them. Whoever calls holds `pruning`; it may be called again at any time.
pub(crate) fn finish(unit: &Unit, report: &mut ExpireReport) -> Result<(), VaultError> {
    let condemned = lock(&unit.condemned).clone();
    if condemned.is_empty() && lock(&unit.retired).is_empty() {
        return Ok(());
    }
    rewrite(unit, &condemned)?;
    unit.reload()?;
    unit.stays.turn();
    if !unit.stays.earlier_left() {
        report.waiting = condemned.len() as u64;
        return Ok(());
    }
    let retired = lock(&unit.retired).clone();
    for name in &retired {
        unit.objects.delete(name)?;
    }
    lock(&unit.retired).clear();
    for row in condemned.values() {
        unit.objects.delete(&unit.object(row.kind, &row.id))?;
        lock(&unit.condemned).remove(&row.id);
        report.packs += 1;
        report.freed_bytes += row.size;
    }
    report.waiting = 0;
    unit.reload()
}

/// Puts each segment that names a condemned pack again, without it, and retires the old one.
fn rewrite(unit: &Unit, condemned: &HashMap<Tag, PackRow>) -> Result<(), VaultError> {
    let (mut named, mut old) = (HashSet::new(), Vec::new());
    unit.each_rows(&mut |name, rows| {
        if rows.iter().any(|row| condemned.contains_key(&row.id)) {
            old.push(name.to_owned());
        } else {
            named.extend(rows.iter().map(|row| row.id));
        }
    })?;
    for name in old {
        let mut packs = unit.segment(&name)?.packs;
        packs.retain(|(row, _)| !condemned.contains_key(&row.id) && named.insert(row.id));
        if !packs.is_empty() {
            let id = random()?;
            let object = Segment { packs }.seal(unit.key(), &unit.place(Kind::Sorted, id))?;
            unit.objects.put(&unit.object(Kind::Sorted, &id), &object)?;
        }
        lock(&unit.retired).insert(name);
    }
    Ok(())
}

/// Deletes packs that no segment names and nobody writes, and drafts if nobody writes at all.
/// Packs are listed first: one that was indexed since is found in the segments listed last.
/// Gives the packs that were listed.
fn delete_orphans(unit: &Unit, report: &mut ExpireReport) -> Result<HashSet<Tag>, VaultError> {
    let mut packs = Vec::new();
    for kind in [Kind::DataPack, Kind::MetaPack] {
        packs.extend(unit.objects.list(&unit.prefix(kind))?);
    }
    let drafts = unit.objects.list(&unit.prefix(Kind::Draft))?;
    let (fresh, writers) = (unit.stays.fresh(), unit.stays.writers());
    let mut named: HashSet<Tag> = lock(&unit.condemned).keys().copied().collect();
    unit.each_rows(&mut |_, rows| named.extend(rows.iter().map(|row| row.id)))?;
    let listed = packs.iter().filter_map(|name| names::last_id(name)).collect();
    for name in packs {
        let orphan = |id: &Tag| !named.contains(id) && !fresh.contains(id);
        if names::last_id(&name).is_some_and(|id| orphan(&id)) {
            report.freed_bytes += unit.objects.size(&name)?;
            report.packs += 1;
            unit.objects.delete(&name)?;
        }
    }
    if writers == 0 {
        for draft in drafts {
            unit.objects.delete(&draft)?; // what only it names is dead without a snapshot
        }
    }
    Ok(listed)
}
