//! Coverage: which holds reach an asset, by identity and lineage, never by place or state (rule 3).
//!
//! Why it is safe: letting go of an asset ends its parts; its data may be held through anything it
//! is a part of; it may be a copy of data held elsewhere, and of any part of that. The walk follows
//! all of these, so it over-approximates. Siblings (other parts of the same server) are not
//! reached.

use std::collections::{BTreeMap, BTreeSet};

use crate::asset::{Account, Asset};
use crate::demand::Scope;
use crate::id::{AccountId, AssetId, HoldId, PartyId};
use crate::state::{Named, State};
use crate::time::Time;

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
    lineage_of_all(state, &[asset])
}

/// Every asset whose holds also reach one of these, each once.
fn lineage_of_all<'a>(state: &'a State, assets: &[AssetId]) -> Vec<(AssetId, &'a Asset)> {
    walk(state, assets.iter().map(|asset| (*asset, Reach::Whole)).collect())
}

fn walk(state: &State, todo: Vec<(AssetId, Reach)>) -> Vec<(AssetId, &Asset)> {
    walked(state, todo).0
}

/// What the walk finds, in its order, and how much of each.
fn walked(
    state: &State,
    mut todo: Vec<(AssetId, Reach)>,
) -> (Vec<(AssetId, &Asset)>, BTreeMap<AssetId, Reach>) {
    let mut seen: BTreeMap<AssetId, Reach> = BTreeMap::new();
    let mut found = Vec::new();
    while let Some((id, reach)) = todo.pop() {
        let before = seen.get(&id).copied();
        let Some(asset) = state.assets.get(id).filter(|_| before < Some(reach)) else { continue };
        seen.insert(id, reach);
        if before.is_none() {
            found.push((id, asset));
        }
        if reach == Reach::Whole {
            todo.extend(asset.parts.iter().map(|part| (*part, Reach::Whole)));
        }
        todo.extend(asset.copy_of.iter().map(|source| (*source, Reach::Whole)));
        todo.extend(asset.part_of.iter().map(|parent| (*parent, Reach::Inside)));
    }
    (found, seen)
}

/// When data last came to anything that may be on the asset, and with it the holds on that: what
/// came to what it is in may be on it, but a further part of that is not.
pub(crate) fn last_joined(state: &State, asset: AssetId) -> Option<Time> {
    let (found, seen) = walked(state, vec![(asset, Reach::Whole)]);
    let when = |(id, asset): (AssetId, &Asset)| match seen.get(&id) {
        Some(Reach::Whole) => asset.grown,
        Some(Reach::Inside) | None => asset.joined,
    };
    found.into_iter().filter_map(when).max()
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

/// True if what `near` holds or is held for also reaches `asset`.
pub(crate) fn descends(state: &State, asset: AssetId, near: AssetId) -> bool {
    lineage(state, asset).iter().any(|(id, _)| *id == near)
}

/// Accounts whose data is on the asset: its own and those of its parts, of what it is a part of
/// and of what it is a copy of. A drive in a customer's server has the customer's data.
pub fn accounts(state: &State, asset: AssetId) -> BTreeMap<AccountId, &Account> {
    let ids = lineage(state, asset).into_iter().flat_map(|(_, asset)| &asset.accounts);
    ids.filter_map(|id| Some((*id, state.accounts.get(*id)?))).collect()
}

/// Owners of these accounts.
pub fn owners(state: &State, asset: AssetId) -> BTreeSet<PartyId> {
    accounts(state, asset).into_values().map(|account| account.owner).collect()
}

/// True if the asset is here and has data of the party's accounts on it: what is on a part that is
/// gone went with that part.
pub(crate) fn keeps_data_of(state: &State, asset: AssetId, party: PartyId) -> bool {
    let here = state.assets.get(asset).is_some_and(|asset| asset.fate.is_here());
    let of_party =
        |id| state.accounts.get(id).is_some_and(|account: &Account| account.owner == party);
    // Its parts are assets of their own. Of what it is a copy of, every part is in it.
    let all = || walk(state, vec![(asset, Reach::Inside)]).into_iter();
    here && all().any(|(_, asset)| asset.accounts.iter().any(|id| of_party(*id)))
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
            // Also for an asset whose identifier another one has by now: the copies of the first
            // are still what was asked for.
            for hold in state.wanting(&identifier.normal()) {
                found.entry(*hold).or_insert(id);
            }
        }
    }
    found
}

/// Owners of data on any of the assets, and every hold, past or present, that reaches any of them:
/// one walk for all, because a batch asks this for each of its assets.
pub(crate) fn of_all(state: &State, assets: &[AssetId]) -> (BTreeSet<PartyId>, BTreeSet<HoldId>) {
    let (mut accounts, mut holds) = (BTreeSet::new(), BTreeSet::new());
    for (_, asset) in lineage_of_all(state, assets) {
        accounts.extend(&asset.accounts);
        holds.extend(&asset.holds);
        if state.wanted.is_empty() {
            continue;
        }
        for identifier in &asset.identifiers {
            holds.extend(state.wanting(&identifier.normal()));
        }
    }
    let accounts = accounts.into_iter().filter_map(|id: AccountId| state.accounts.get(id));
    let mut owners = BTreeSet::new();
    for account in accounts {
        owners.insert(account.owner);
        holds.extend(&account.holds);
    }
    (owners, holds)
}

/// True if the hold reaches the asset now.
pub fn reaches(state: &State, hold: HoldId, asset: AssetId) -> bool {
    holds(state, asset).contains_key(&hold)
}

/// Every asset here that a hold with this scope reaches: [`scope_reaches`] from the other end, in
/// one walk.
pub(crate) fn reached(state: &State, scope: &Scope) -> BTreeSet<AssetId> {
    // Source and copy; half of a large house may be copies.
    let mut copies: Vec<(AssetId, AssetId)> = Vec::new();
    for (id, asset) in state.assets.iter() {
        copies.extend(asset.copy_of.iter().map(|source| (*source, id)));
    }
    copies.sort_unstable();
    let mut seen: BTreeMap<AssetId, Reach> = BTreeMap::new();
    // Whole: reached by what stands for all of it; inside: also by what stands for a part in it.
    let mut todo: Vec<_> = named(state, scope).into_iter().map(|id| (id, Reach::Inside)).collect();
    while let Some((id, reach)) = todo.pop() {
        let before = seen.get(&id).copied();
        let news = before.is_none() || before == Some(Reach::Whole) && reach == Reach::Inside;
        let Some(asset) = state.assets.get(id).filter(|_| news) else { continue };
        seen.insert(id, reach);
        if reach == Reach::Inside {
            todo.extend(asset.parts.iter().map(|part| (*part, Reach::Inside)));
        }
        let first = copies.partition_point(|(source, _)| *source < id);
        let its = copies[first..].iter().take_while(|(source, _)| *source == id);
        todo.extend(its.map(|(_, copy)| (*copy, Reach::Inside)));
        todo.extend(asset.part_of.iter().map(|parent| (*parent, Reach::Whole)));
    }
    seen.retain(|id, _| state.assets.get(*id).is_some_and(|asset| asset.fate.is_here()));
    seen.into_keys().collect()
}

/// Assets that the scope names by themselves, by account or by identifier, also those whose
/// identifier another one has by now: that is a phrase then.
fn named(state: &State, scope: &Scope) -> BTreeSet<AssetId> {
    let mut found: BTreeSet<AssetId> = scope.assets.iter().copied().collect();
    for form in &scope.identifiers {
        let has = |id: &AssetId| {
            let asset = state.assets.get(*id);
            asset.is_some_and(|asset| asset.identifiers.iter().any(|i| i.normal() == *form))
        };
        let before = state.phrases.get(form.as_str()).into_iter().flatten();
        let before = before.filter_map(|named| match named {
            Named::Asset(id) => Some(*id),
            _ => None,
        });
        found.extend(before.chain(state.identifiers.get(form.as_str()).copied()).filter(has));
    }
    if !scope.accounts.is_empty() {
        let on = |account: &AccountId| scope.accounts.contains(account);
        let of_accounts = state.assets.iter().filter(|(_, asset)| asset.accounts.iter().any(on));
        found.extend(of_accounts.map(|(id, _)| id));
    }
    found
}

/// True if a hold with this scope would reach the asset.
pub fn scope_reaches(state: &State, scope: &Scope, asset: AssetId) -> bool {
    lineage(state, asset).into_iter().any(|(id, asset)| {
        scope.assets.contains(&id)
            || asset.accounts.iter().any(|account| scope.accounts.contains(account))
            || asset.identifiers.iter().any(|i| scope.identifiers.contains(&i.normal()))
    })
}
