//! Snapshots: preserved copies in the vault.
//!
//! Invariant: a snapshot is an asset with lineage to its source, so every hold that reaches the
//! source reaches the copy, and satisfying a hold by a copy never frees the copy itself.

use super::{Decision, find};
use crate::copies;
use crate::coverage;
use crate::custody;
use crate::demand::Digest;
use crate::event::{Event, Fact};
use crate::id::{AssetId, HoldId, SnapshotId};
use crate::policy::DutyKind;
use crate::refusal::{Code, Refusal};
use crate::state::State;
use crate::time::Time;

pub(super) fn record(
    s: &State,
    (source, root, vault_id, bytes, taken): (AssetId, Digest, &str, u64, Time),
    (unreadable, changed): (u32, u32),
    now: Time,
) -> Decision {
    let asset = find(&s.assets, source)?;
    if !asset.fate.is_here() {
        return Err(Refusal::new(Code::AlreadyGone, source, "is not here any more"));
    }
    if let Some(clearance) = custody::being_erased(s, source) {
        let text = format!("is open to erase the custody unit of {source}");
        return Err(Refusal::new(Code::ClearanceOutstanding, clearance, text));
    }
    if vault_id.is_empty() || vault_id.len() > 256 {
        return Err(Refusal::new(Code::BadValue, "the snapshot", "needs a name in the vault"));
    }
    // It would count for holds and for data that come later.
    if taken > now {
        let text = format!("was begun at {taken}, which is to come");
        return Err(Refusal::new(Code::BadValue, "the snapshot", text));
    }
    let event = Event::SnapshotRecorded {
        snapshot: s.snapshots.next(),
        asset: s.assets.next(),
        source,
        root: root.into(),
        vault_id: vault_id.to_owned(),
        bytes,
        unreadable,
        taken,
        changed: (changed > 0).then_some(changed),
    };
    Ok(vec![Fact::of(event)])
}

pub(super) fn verify(s: &State, snapshot: SnapshotId, intact: bool) -> Decision {
    find(&s.snapshots, snapshot)?;
    Ok(match intact {
        true => vec![Event::SnapshotVerified { snapshot, intact }.into()],
        false => not_intact(s, snapshot, 0),
    })
}

/// A snapshot that nobody may count on any more; so many duties are raised before it in the same
/// decision.
pub(super) fn not_intact(s: &State, snapshot: SnapshotId, duties: usize) -> Vec<Fact> {
    let mut facts = vec![Event::SnapshotVerified { snapshot, intact: false }.into()];
    facts.extend(revoke_relying(s, snapshot));
    let kind = DutyKind::RepairSnapshot(snapshot);
    facts.push(Event::DutyRaised { duty: s.duties.next_after(duties), kind }.into());
    facts
}

/// Clearances that were granted because this copy satisfied a hold end now.
fn revoke_relying(s: &State, snapshot: SnapshotId) -> Vec<Fact> {
    let mut facts = Vec::new();
    for id in &s.open_clearances {
        let Some(open) = s.clearances.get(*id) else { continue };
        let relies = |asset: AssetId| {
            let relies = move |hold: &HoldId| {
                let hold = s.holds.get(*hold).filter(|hold| hold.in_force());
                hold.and_then(|h| copies::satisfying(s, h, asset)) == Some(snapshot)
            };
            coverage::holds(s, asset).into_keys().find(relies)
        };
        if let Some(hold) = custody::under(s, open).into_iter().find_map(relies) {
            facts.push(Event::ClearanceRevoked { clearance: *id, hold }.into());
        }
    }
    facts
}
