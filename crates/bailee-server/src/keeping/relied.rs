//! Copies that a letting-go rests on: each is looked for in the vault before anything may go.
//!
//! Invariants: whoever asks for a clearance, or begins one, of an asset whose hold is satisfied by
//! a copy has that copy looked for first; one that is not all there is recorded as not intact, and
//! the core then answers without it; while the vault cannot be asked, the answer is no. A house in
//! memory keeps nothing to look for.
//!
//! Out of scope: whether what is there is still what was put (`look.rs`, scrubbing, probing).

use std::collections::BTreeSet;

use bailee_core::id::SnapshotId;
use bailee_core::{Action, State, Time, gate, verb};
use bailee_vault::Closely;

use super::{KeepError, Why, look};
use crate::house::House;
use crate::runner::Failure;

/// Looks for every copy that this command would rest on.
pub(crate) fn look_first(house: &House, action: &Action) -> Result<(), Failure> {
    let asks = action.reserves().is_some() || matches!(action, Action::Begin { .. });
    if house.dir().is_none() || !asks {
        return Ok(());
    }
    let (now, mut seen) = (house.clock().now(), BTreeSet::new());
    loop {
        // When one is gone, another may count in its place.
        let relied = house.with_state(|s| relied(s, action, s.now(now)))?;
        let Some(next) = relied.into_iter().find(|id| seen.insert(*id)) else { return Ok(()) };
        match look::is_there(house, next, Closely::Packs) {
            Ok(()) | Err(KeepError::Unread { why: Why::Lost, .. }) => {}
            Err(KeepError::Command(failure)) => return Err(failure),
            Err(error) => return Err(Failure::Unseen(error.to_string())),
        }
    }
}

/// The copies that satisfy holds of what would go.
fn relied(s: &State, action: &Action, now: Time) -> Vec<SnapshotId> {
    let begins = || match action {
        Action::Begin { clearance } => {
            let found = s.clearances.get(*clearance)?;
            Some((found.disposition, found.asset, Some(*clearance)))
        }
        _ => None,
    };
    let reserves = action.reserves().map(|(disposition, asset)| (disposition, asset, None));
    let Some((disposition, asset, mine)) = reserves.or_else(begins) else { return Vec::new() };
    let kind = s.dispositions.get(disposition).map(|found| found.kind);
    let verdict = kind.and_then(|kind| gate::verdict(s, asset, verb(kind), now, mine));
    let satisfied = verdict.map(|verdict| verdict.satisfied).unwrap_or_default();
    satisfied.into_iter().map(|(_, copy)| copy).collect()
}
