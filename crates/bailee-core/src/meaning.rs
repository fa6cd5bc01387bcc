//! Meaning: what a hold asks for by name, and the entries from which on it asks for more.
//!
//! Invariant: what persons decided of a hold (that a copy will do, that it may go) they decided of
//! what it meant then. From the entry on by which it means more, neither counts (decision 83). What
//! joins an account it means, or the lineage of something, is meant already: there a copy must be
//! younger than the joining (copies.rs).

use std::collections::BTreeSet;

use crate::asset::Identifier;
use crate::demand::Scope;
use crate::event::Event;
use crate::hold::Hold;
use crate::id::{AssetId, HoldId};
use crate::state::State;

/// Holds in force that mean more by this event than in the state before it.
pub(crate) fn grown(s: &State, event: &Event) -> BTreeSet<HoldId> {
    match event {
        Event::DemandMatched { demand, more } => {
            let hold = s.demands.get(*demand).map(|found| found.hold);
            hold.filter(|hold| widens(s, *hold, more)).into_iter().collect()
        }
        Event::HoldMatched { hold, more } => {
            Some(*hold).filter(|hold| widens(s, *hold, more)).into_iter().collect()
        }
        Event::AssetRegistered { asset, identifiers, .. }
        | Event::AssetRelabelled { asset, identifiers, .. } => named(s, *asset, identifiers),
        _ => BTreeSet::new(),
    }
}

fn widens(s: &State, hold: HoldId, more: &Scope) -> bool {
    s.holds.get(hold).filter(|found| found.in_force()).is_some_and(|Hold { scope, .. }| {
        let asset = |id: &AssetId| !scope.assets.contains(id) && !wants(s, hold, *id);
        more.accounts.iter().any(|id| !scope.accounts.contains(id))
            || more.identifiers.iter().any(|form| !scope.identifiers.contains(form))
            || more.assets.iter().any(asset)
    })
}

/// True if the hold wants the asset by an identifier it has.
fn wants(s: &State, hold: HoldId, asset: AssetId) -> bool {
    let has = s.assets.get(asset).map_or(&[][..], |found| &found.identifiers[..]);
    has.iter().any(|i| s.wanting(&i.normal()).contains(&hold))
}

/// Holds that want one of the identifiers, and did not mean the asset.
fn named(s: &State, asset: AssetId, identifiers: &[Identifier]) -> BTreeSet<HoldId> {
    if s.wanted.is_empty() {
        return BTreeSet::new();
    }
    let all = identifiers.iter().flat_map(|i| s.wanting(&i.normal())).copied();
    let new = |id: &HoldId| {
        let found = s.holds.get(*id).filter(|found| found.in_force());
        found.is_some_and(|found| !found.scope.assets.contains(&asset)) && !wants(s, *id, asset)
    };
    all.collect::<BTreeSet<HoldId>>().into_iter().filter(new).collect()
}
