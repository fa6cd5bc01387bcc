//! Pruning: space comes back while preserving into the same unit goes on.
//!
//! ```text
//! survey     what snapshots need is marked, all packs are accounted for, or nothing is done
//!            (`living.rs`, `survey.rs`)
//! orphans    what no segment names, nobody writes and no snapshot lay in is deleted; what a
//!            snapshot lay in is indexed again
//! forward    live chunks of packs that are mostly dead are copied into new packs, and indexed
//! condemn    under the unit's switch: the table leaves these packs out from now on
//! deleting   segments are put again without them, the old segments retired
//! gone       once everybody has left who came before: retired segments, then packs are deleted
//! ```
//!
//! Invariants
//! 1. **Nothing is deleted before the survey**, which is refused unless each chunk that a snapshot
//!    needs is in an indexed pack that is there, or in no pack at all.
//! 2. **Condemned only under the switch.** A snapshot is put, and a snapshot is deleted, under the
//!    same switch. So condemning sees every snapshot there is: those put since the mark are marked
//!    then. A pack is condemned only if each live chunk of it is, durably, in a pack that stays.
//! 3. **A writer that had a hit in a condemned pack** has stayed since before, so the pack is still
//!    there: before its commit, it copies the chunk forward, and its snapshot names the copy.
//! 4. **Fresh packs are never condemned**: those of sessions that have not ended.
//! 5. **A segment that names a pack goes before the pack.** So at every moment, and after a crash
//!    at every moment, whatever a segment names is there. That a pack is condemned is only in
//!    memory; if it is forgotten, the pack is as good as it was, and the next prune finds it
//!    again.
//! 6. **Pins** are asked where a snapshot is deleted, under the switch; a snapshot that is there is
//!    live, held or not, so a hold moves no data and needs no word here.
//! 7. No clock is read. "Before" is counted in stays (`stay.rs`).
//!
//! One process has the vault to itself (`vault.rs`): switch and stays are its memory. Within it a
//! second prune of the unit waits for the first. Out of scope: packs of two processes.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bailee_store::ObjectError;

use crate::error::VaultError;
use crate::expire::ExpireReport;
use crate::forward::{Forward, short};
use crate::index::{PackRow, Segment};
use crate::key::random;
use crate::living::Mark;
use crate::names::Tag;
use crate::pack::{ChunkId, Slot};
use crate::reindex::Indexed;
use crate::seal::Kind;
use crate::stay::lock;
use crate::survey::{Candidate, Survey, bytes, is_dead};
use crate::unit::Unit;
use crate::vault::{Tenant, Vault, size};

impl Vault {
    /// Prunes one unit after its survey. The caller holds its gate, shared, and its `pruning`.
    pub(crate) fn prune_unit(
        &self,
        tenant: &Tenant,
        unit: &Unit,
        mark: &mut Mark<'_>,
        survey: Survey,
    ) -> Result<ExpireReport, VaultError> {
        let snapshots = self.drop_gone(tenant, unit, mark)?;
        let mut report = ExpireReport { snapshots, lost: survey.lost, ..ExpireReport::default() };
        finish(unit, &mut report)?;
        delete_orphans(unit, &survey, &mut report)?;
        let Survey { mut candidates, mut there, strays, .. } = survey;
        there.extend(strays.iter().map(|(row, _)| row.id));
        candidates.extend(take_back(unit, mark, strays)?);
        if candidates.is_empty() {
            return Ok(report);
        }
        let (safe, bytes) = forward(unit, mark, &candidates, &there)?;
        report.moved_bytes = bytes;
        {
            let _switch = lock(&unit.switch);
            self.mark(tenant, unit, mark)?;
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
}

/// What a prune after this survey would free and move at most.
pub(crate) fn foresee(unit: &Unit, mark: &Mark<'_>, survey: &Survey) -> ExpireReport {
    let mut report = ExpireReport { lost: survey.lost, ..ExpireReport::default() };
    for (kind, id) in &survey.orphans {
        report.packs += 1;
        report.freed_bytes += unit.objects.size(&unit.object(*kind, id)).unwrap_or(0);
    }
    let strays = survey.strays.iter().filter(|(_, slots)| is_dead(live(mark, slots), slots));
    let strays = strays.map(|(row, slots)| (row, slots));
    for (row, slots) in survey.candidates.iter().map(|c| (&c.row, &c.slots)).chain(strays) {
        report.packs += 1;
        report.freed_bytes += row.size;
        report.moved_bytes += live(mark, slots);
    }
    report
}

fn live(mark: &Mark<'_>, slots: &[Slot]) -> u64 {
    slots.iter().filter(|s| mark.has(&s.info.id)).map(bytes).sum()
}

/// Indexes packs again that a crash, or the loss of a segment, has left in none. Gives those of
/// them that may go the way of all others.
fn take_back(
    unit: &Unit,
    mark: &Mark<'_>,
    strays: Vec<Indexed>,
) -> Result<Vec<Candidate>, VaultError> {
    if strays.is_empty() {
        return Ok(Vec::new());
    }
    let dead = |(_, slots): &&Indexed| is_dead(live(mark, slots), slots);
    let dead: Vec<Indexed> = strays.iter().filter(dead).cloned().collect();
    put_segment(unit, Segment { packs: strays })?;
    Ok(dead.into_iter().map(|(row, slots)| Candidate { row, slots }).collect())
}

fn put_segment(unit: &Unit, segment: Segment) -> Result<(), VaultError> {
    let id = random()?;
    let object = segment.seal(unit.key(), &unit.place(Kind::Sorted, id))?;
    unit.objects.put(&unit.object(Kind::Sorted, &id), &object)?;
    Ok(())
}

/// Copies forward what of the candidates is live and in no other pack. Gives the chunks that are
/// safe without the candidates, and the bytes copied. A candidate that is damaged or gone stays
/// named if something live is nowhere else: whoever verifies is told which pack it was in.
fn forward(
    unit: &Unit,
    mark: &Mark<'_>,
    candidates: &[Candidate],
    there: &HashSet<Tag>,
) -> Result<(HashSet<[u8; 20]>, u64), VaultError> {
    let leaving: HashSet<Tag> = candidates.iter().map(|c| c.row.id).collect();
    let slots = candidates.iter().flat_map(|c| &c.slots);
    let live = slots.filter(|s| mark.has(&s.info.id)).map(|s| short(&s.info.id));
    let live: HashSet<[u8; 20]> = live.collect();
    let mut safe = HashSet::new();
    if !live.is_empty() {
        let condemned = lock(&unit.condemned).clone();
        let goes = |id: &Tag| leaving.contains(id) || condemned.contains_key(id);
        let stays = |id: &Tag| there.contains(id) && !goes(id) && !unit.doubts.has(id);
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
            Ok(()) => {}
            Err(e @ VaultError::Damaged { .. }) => {
                unit.doubt((candidate.row.kind, candidate.row.id), &e)
            }
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
        let name = unit.object(row.kind, &row.id);
        unit.objects.delete(&name)?;
        unit.doubts.forget(&*unit.objects, (row.id, &name))?;
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
            put_segment(unit, Segment { packs })?;
        }
        lock(&unit.retired).insert(name);
    }
    Ok(())
}

/// Deletes orphans and old drafts. What only those name is dead without a snapshot.
fn delete_orphans(
    unit: &Unit,
    survey: &Survey,
    report: &mut ExpireReport,
) -> Result<(), VaultError> {
    for (kind, id) in &survey.orphans {
        let name = unit.object(*kind, id);
        let Some(size) = size(&*unit.objects, &name)? else { continue };
        unit.objects.delete(&name)?;
        report.freed_bytes += size;
        report.packs += 1;
    }
    for draft in &survey.drafts {
        unit.objects.delete(draft)?;
    }
    Ok(())
}
