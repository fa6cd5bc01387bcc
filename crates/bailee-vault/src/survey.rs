//! The survey: what a unit has, held against what its snapshots need, before anything is deleted.
//!
//! Invariants
//! 1. Nothing is written or deleted here, and nothing may be deleted without a survey.
//! 2. **Every pack that is there is accounted for before a chunk counts as lost.** While a chunk
//!    that a snapshot needs is in no pack by the index, and some pack is in no index, that pack may
//!    be where it is: the survey is refused, and reindexing tells. If each pack is in the index,
//!    the chunk is in none of them: that is damage, and no reason to keep what is dead.
//! 3. A pack that a snapshot names as the place of its content is never an orphan: it is taken back
//!    into the index, and goes as other packs do once what it holds is proven to be elsewhere.
//! 4. Packs are listed first, and who writes is asked then: a pack that was indexed since is found
//!    in the segments, which are listed last; a snapshot that was put since is marked in between.

use std::collections::HashSet;

use bailee_store::ObjectError;

use crate::error::VaultError;
use crate::index::PackRow;
use crate::living::Mark;
use crate::names::{self, Tag};
use crate::pack::Slot;
use crate::reindex::{Indexed, index_pack};
use crate::seal::Kind;
use crate::stay::lock;
use crate::unit::Unit;
use crate::vault::{Tenant, Vault, size};

/// A pack is rewritten if more than this many hundredths of its bytes are dead.
const DEAD_SHARE: u64 = 50;

/// A pack that may go.
pub(crate) struct Candidate {
    pub(crate) row: PackRow,
    pub(crate) slots: Vec<Slot>,
}

/// What was found.
#[derive(Default)]
pub(crate) struct Survey {
    /// Packs that are dead enough to go, or doubted, or gone already: an old segment that was put
    /// back names such. No copy of a chunk may be taken for safe in one.
    pub(crate) candidates: Vec<Candidate>,
    /// Packs that no segment names, nobody writes, and no snapshot lay in.
    pub(crate) orphans: Vec<(Kind, Tag)>,
    /// Packs that no segment names and a snapshot lay in.
    pub(crate) strays: Vec<Indexed>,
    /// Drafts of sessions that have ended.
    pub(crate) drafts: Vec<String>,
    /// Packs in the index that are there.
    pub(crate) there: HashSet<Tag>,
    /// Chunks that snapshots need and no pack has.
    pub(crate) lost: u64,
}

/// What the segments say.
struct Indexes<'a, 'b> {
    unit: &'a Unit,
    mark: &'a Mark<'b>,
    listed: HashSet<Tag>,
    fresh: HashSet<Tag>,
    condemned: HashSet<Tag>,
    named: HashSet<Tag>,
    /// For each mark, whether its chunk is in a pack that is there.
    found: Vec<bool>,
}

impl Vault {
    /// Looks at all of a unit, and marks what its snapshots need. The caller holds the unit's gate,
    /// shared, and its `pruning`.
    pub(crate) fn survey(
        &self,
        tenant: &Tenant,
        unit: &Unit,
        mark: &mut Mark<'_>,
    ) -> Result<Survey, VaultError> {
        let known = unit.table(); // a segment it has open may be missing in the next list
        unit.reload()?;
        let packs = list_packs(unit)?;
        let mut drafts = unit.objects.list(&unit.prefix(Kind::Draft))?;
        let (fresh, writers) = (unit.stays.fresh(), unit.stays.writers());
        if writers > 0 {
            drafts.clear();
        }
        self.mark(tenant, unit, mark)?;
        let mut survey = Survey { drafts, ..Survey::default() };
        let mut indexes = Indexes {
            unit,
            mark: &*mark,
            listed: packs.iter().map(|(_, id)| *id).collect(),
            fresh,
            condemned: lock(&unit.condemned).keys().copied().collect(),
            named: HashSet::new(),
            found: vec![false; mark.len()],
        };
        indexes.read(&mut survey)?;
        let Indexes { named, fresh, found, .. } = indexes;
        let unnamed = |(_, id): &&(Kind, Tag)| !named.contains(id) && !fresh.contains(id);
        let unnamed: Vec<(Kind, Tag)> = packs.iter().filter(unnamed).copied().collect();
        survey.lost = found.iter().filter(|found| !**found).count() as u64;
        if let (1.., Some((kind, id))) = (survey.lost, unnamed.first()) {
            return Err(VaultError::NotIndexed {
                unit: unit.name.clone(),
                chunks: survey.lost,
                packs: unnamed.len() as u64,
                pack: unit.object(*kind, id),
            });
        }
        for (kind, id) in unnamed.into_iter().filter(|(_, id)| !known.knows(&[*id])) {
            if !mark.packs.contains(&id) {
                survey.orphans.push((kind, id));
                continue;
            }
            match index_pack(unit, kind, id, &unit.object(kind, &id)) {
                Ok(stray) => survey.strays.push(stray),
                Err(VaultError::Store(ObjectError::NotFound { .. })) => {} // an old list
                Err(e) => return Err(e),
            }
        }
        Ok(survey)
    }
}

fn list_packs(unit: &Unit) -> Result<Vec<(Kind, Tag)>, VaultError> {
    let mut packs = Vec::new();
    for kind in [Kind::DataPack, Kind::MetaPack] {
        let names = unit.objects.list(&unit.prefix(kind))?;
        packs.extend(names.iter().filter_map(|name| names::last_id(name)).map(|id| (kind, id)));
    }
    Ok(packs)
}

impl Indexes<'_, '_> {
    /// Reads all segments, one after the other. One that cannot be read is an error.
    fn read(&mut self, survey: &mut Survey) -> Result<(), VaultError> {
        self.named.extend(&self.condemned);
        let mut gone = HashSet::new();
        let unit = self.unit;
        unit.each_segment(&mut |segment| {
            for (row, slots) in segment.packs {
                let again = !self.named.insert(row.id);
                if self.condemned.contains(&row.id) || gone.contains(&row.id) {
                    continue;
                }
                if !survey.there.contains(&row.id) {
                    // A pack that was not listed may have been put since.
                    let name = unit.object(row.kind, &row.id);
                    if !self.listed.contains(&row.id) && size(&*unit.objects, &name)?.is_none() {
                        gone.insert(row.id);
                        if !self.fresh.contains(&row.id) {
                            survey.candidates.push(Candidate { row, slots });
                        }
                        continue;
                    }
                    survey.there.insert(row.id);
                }
                let live = self.live(&slots);
                let goes = is_dead(live, &slots) || unit.doubts.has(&row.id);
                if !again && !self.fresh.contains(&row.id) && goes {
                    survey.candidates.push(Candidate { row, slots });
                }
            }
            Ok(())
        })
    }

    /// Bytes of these that snapshots need, which are found with that.
    fn live(&mut self, slots: &[Slot]) -> u64 {
        let mut live = 0;
        for slot in slots {
            if let Some(at) = self.mark.find(&slot.info.id) {
                self.found[at] = true;
                live += bytes(slot);
            }
        }
        live
    }
}

/// Bytes of a chunk in its pack.
pub(crate) fn bytes(slot: &Slot) -> u64 {
    slot.range().end - slot.range().start
}

/// Whether a pack with so many live bytes may go.
pub(crate) fn is_dead(live: u64, slots: &[Slot]) -> bool {
    let all: u64 = slots.iter().map(bytes).sum();
    live == 0 || (all - live) * 100 > all * DEAD_SHARE
}
