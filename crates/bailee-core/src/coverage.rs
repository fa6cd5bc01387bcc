//! Coverage: which holds reach an asset, by identity and lineage, never by place or state (rule 3).
//!
//! Why it is safe: letting go of an asset ends its parts; its data may be held through anything it
//! is a part of; it may be a copy of data held elsewhere, and of any part of that. The walk follows
//! all of these, so it over-approximates. Siblings (other parts of the same server) are not reached.

use std::collections::{BTreeMap, BTreeSet};

use crate::asset::{Account, Asset};
use crate::id::{AccountId, AssetId, HoldId, PartyId};
use crate::state::State;

/// How much of an asset the walk stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reach {
    /// Only what is inside of one of its parts.
    Inside,
    /// All of it, so its parts too.
    Whole,
}

/// Every asset whose holds also reach `asset`, itself first.
fn lineage(state: &State, asset: AssetId) -> Vec<(AssetId, &Asset)> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    let mut todo = vec![(asset, Reach::Whole)];
    while let Some((id, reach)) = todo.pop() {
        if seen.contains(&(id, Reach::Whole)) || !seen.insert((id, reach)) {
            continue;
        }
        let Some(asset) = state.assets.get(id) else { continue };
        if !found.iter().any(|(known, _)| *known == id) {
            found.push((id, asset));
        }
        if reach == Reach::Whole {
            todo.extend(asset.parts.iter().map(|part| (*part, Reach::Whole)));
        }
        todo.extend(asset.copy_of.iter().map(|source| (*source, Reach::Whole)));
        todo.extend(asset.part_of.iter().map(|parent| (*parent, Reach::Inside)));
    }
    found
}

/// The asset and everything that is part of it: what goes when it goes.
pub fn subtree(state: &State, asset: AssetId) -> Vec<(AssetId, &Asset)> {
    let mut found = Vec::new();
    let mut todo = vec![asset];
    while let Some(id) = todo.pop() {
        if let Some(asset) = state.assets.get(id) {
            found.push((id, asset));
            todo.extend(&asset.parts);
        }
    }
    found
}

/// Accounts whose data is on the asset or its parts.
pub fn accounts(state: &State, asset: AssetId) -> BTreeMap<AccountId, &Account> {
    let ids = subtree(state, asset).into_iter().flat_map(|(_, asset)| &asset.accounts);
    ids.filter_map(|id| Some((*id, state.accounts.get(*id)?))).collect()
}

/// Owners of data on the asset, its parts, what it is part of and what it is a copy of.
pub fn owners(state: &State, asset: AssetId) -> BTreeSet<PartyId> {
    let assets = lineage(state, asset).into_iter();
    let accounts = assets.flat_map(|(_, asset)| &asset.accounts);
    accounts.filter_map(|id| Some(state.accounts.get(*id)?.owner)).collect()
}

/// Every hold, past or present, that reaches the asset, with the asset it reaches it through.
pub fn holds(state: &State, asset: AssetId) -> BTreeMap<HoldId, AssetId> {
    let mut found = BTreeMap::new();
    for (id, asset) in lineage(state, asset) {
        let by_account = asset.accounts.iter().filter_map(|a| state.accounts.get(*a));
        let named = asset.holds.iter().chain(by_account.flat_map(|account| &account.holds));
        for hold in named {
            found.entry(*hold).or_insert(id);
        }
        for identifier in &asset.identifiers {
            let normal = identifier.normal();
            // A reused identifier belongs to the asset that has it now.
            if state.identifiers.get(normal.as_str()) != Some(&id) {
                continue;
            }
            for hold in state.wanted.get(normal.as_str()).into_iter().flatten() {
                found.entry(*hold).or_insert(id);
            }
        }
    }
    found
}

/// True if the hold reaches the asset now.
pub fn reaches(state: &State, hold: HoldId, asset: AssetId) -> bool {
    holds(state, asset).contains_key(&hold)
}

/// True if a hold with this scope would reach the asset.
pub fn scope_reaches(state: &State, scope: &crate::demand::Scope, asset: AssetId) -> bool {
    lineage(state, asset).into_iter().any(|(id, asset)| {
        scope.assets.contains(&id)
            || asset.accounts.iter().any(|account| scope.accounts.contains(account))
            || asset.identifiers.iter().any(|i| scope.identifiers.contains(&i.normal()))
    })
}
