//! Merging small index segments into larger ones.
//!
//! Order of writes: the merged segment is put, then the ones it replaces are deleted. A crash in
//! between leaves both, which is harmless: a pack may be in several segments.
//!
//! Invariants: whoever merges holds the unit alone, since readers look into segments on disk; a
//! segment grows to [`MOST`] entries and is left alone then, so that merging takes bounded memory;
//! one that cannot be read is left as it is.

use std::collections::BTreeMap;

use crate::error::VaultError;
use crate::index::Segment;
use crate::key::random;
use crate::seal::Kind;
use crate::unit::Unit;

/// Segments of one size class that are merged.
const FEW: usize = 8;
/// Entries of a segment that is not merged any more.
const MOST: usize = 2_000_000;

/// Merges where many small segments have come together. The caller holds the unit's gate.
pub(crate) fn compact(unit: &Unit) -> Result<(), VaultError> {
    let table = unit.table();
    let mut classes: BTreeMap<u32, Vec<_>> = BTreeMap::new();
    for sorted in table.segments().filter(|s| s.len() < MOST) {
        classes.entry(sorted.len().max(1).ilog2() / 3).or_default().push(sorted);
    }
    let Some(many) = classes.into_values().find(|many| many.len() >= FEW) else { return Ok(()) };
    let (mut merged, mut names) = (Segment::default(), Vec::new());
    for sorted in many {
        merged.packs.extend(sorted.load(&*unit.objects)?.packs);
        names.push(sorted.name.clone());
        if merged.packs.iter().map(|(_, slots)| slots.len()).sum::<usize>() >= MOST {
            break;
        }
    }
    merged.packs.sort_by_key(|(row, _)| row.id);
    merged.packs.dedup_by_key(|(row, _)| row.id);
    let id = random()?;
    let object = merged.seal(unit.key(), &unit.place(Kind::Sorted, id))?;
    unit.objects.put(&unit.object(Kind::Sorted, &id), &object)?;
    for name in names {
        unit.objects.delete(&name)?;
    }
    unit.reload()
}
