//! Custody units: the snapshots that one key of the vault opens, which go together when it goes.
//!
//! Invariant: the vault keeps the snapshots of one source under one account in one unit, so what a
//! clearance to erase is asked about, marks and ends is every one of them, never only the one that
//! names the unit.
//!
//! Out of scope: which objects of the vault these are, and whether it has others the log does not
//! know: they are copies of the same source, so whatever reaches the source reaches them.

use std::collections::BTreeSet;

use crate::asset::{Asset, Fate};
use crate::disposition::{Clearance, DispositionKind};
use crate::id::{AccountId, AssetId, ClearanceId};
use crate::state::State;

/// The snapshots of the asset's custody unit that are here, itself first. An asset that is no
/// snapshot is alone.
pub fn unit(state: &State, asset: AssetId) -> Vec<AssetId> {
    let mut found = vec![asset];
    let Some(first) = state.assets.get(asset) else { return found };
    let Some(snapshot) = first.snapshot.and_then(|id| state.snapshots.get(id)) else {
        return found;
    };
    let others = copies(state, snapshot.source, first.accounts.first().copied());
    let here = others.filter(|(id, copy)| *id != asset && copy.fate.is_here());
    found.extend(here.map(|(id, _)| id));
    found
}

/// How often a unit of this source and account was erased before: each time its name was used up.
pub fn erased_before(state: &State, source: AssetId, account: Option<AccountId>) -> usize {
    let under = |(_, copy): (AssetId, &Asset)| match copy.fate {
        Fate::Destroyed(clearance) => Some(clearance),
        _ => None,
    };
    let clearances: BTreeSet<ClearanceId> =
        copies(state, source, account).filter_map(under).collect();
    clearances.into_iter().filter(|id| kind_of(state, *id) == Some(DispositionKind::Erase)).count()
}

/// The clearance under which the unit is being erased that a new snapshot of the source would join.
pub(crate) fn being_erased(state: &State, source: AssetId) -> Option<ClearanceId> {
    let account = state.assets.get(source)?.accounts.first().copied();
    let open = copies(state, source, account).find_map(|(_, copy)| copy.clearance)?;
    (kind_of(state, open) == Some(DispositionKind::Erase)).then_some(open)
}

/// What goes when a disposition of this kind is carried out on these assets, each once.
pub fn going(state: &State, kind: DispositionKind, assets: &[AssetId]) -> Vec<AssetId> {
    if kind != DispositionKind::Erase {
        return assets.to_vec();
    }
    let mut seen = BTreeSet::new();
    let all = assets.iter().flat_map(|asset| unit(state, *asset));
    all.filter(|id| seen.insert(*id)).collect()
}

/// What goes under a clearance.
pub(crate) fn under(state: &State, clearance: &Clearance) -> Vec<AssetId> {
    match state.dispositions.get(clearance.disposition) {
        Some(found) => going(state, found.kind, &[clearance.asset]),
        None => vec![clearance.asset],
    }
}

fn kind_of(state: &State, clearance: ClearanceId) -> Option<DispositionKind> {
    let disposition = state.clearances.get(clearance)?.disposition;
    state.dispositions.get(disposition).map(|found| found.kind)
}

/// Every snapshot of the source, gone or not, that was taken for this account.
fn copies(
    state: &State,
    source: AssetId,
    account: Option<AccountId>,
) -> impl Iterator<Item = (AssetId, &Asset)> {
    let all = state.assets.get(source).map_or(&[][..], |source| &source.snapshots[..]);
    let all = all.iter().filter_map(|id| state.snapshots.get(*id)).map(|snapshot| snapshot.asset);
    let all = all.filter_map(|id| Some((id, state.assets.get(id)?)));
    all.filter(move |(_, copy)| copy.accounts.first().copied() == account)
}
