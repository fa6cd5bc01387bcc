//! Views: what a data owner may see. Nobody sees what is not theirs (rules 9 and 11).
//!
//! Invariants: a silent hold leaves no trace in an owner's view: not its reason, not a count, not a
//! different word. Whether data is kept at all is answered alike with and without one. What is
//! shown is made without looking at silent holds. A preserved copy could tell of one, so it is
//! shown only where a hold that the owner knows of, and that counsel lets a copy satisfy, explains
//! it: for each of those, the first copy that was begun after it. How many more there are, and
//! whether there are any where nothing explains them, is the house's to know.
//!
//! Parts are shown with what they are parts of, unless they have the data of others only.

use std::collections::BTreeSet;

use crate::asset::{Asset, AssetKind};
use crate::coverage;
use crate::hold::Hold;
use crate::id::{AccountId, AssetId, HoldId, NoticeId, PartyId, SnapshotId};
use crate::state::State;

/// What an owner sees of the house.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnerView {
    /// The owner's accounts.
    pub accounts: Vec<AccountId>,
    /// Assets with data of these accounts, without the house's own snapshots of them.
    pub assets: Vec<AssetId>,
    /// Parts of these that are not among them.
    pub parts: Vec<AssetId>,
    /// Preserved copies of these and of their parts that the owner may know of.
    pub copies: Vec<SnapshotId>,
    /// Holds in force over them that the owner may know of.
    pub holds: Vec<HoldId>,
    /// Notices sent to the owner.
    pub notices: Vec<NoticeId>,
}

impl OwnerView {
    /// Of the holds seen, those that reach the asset.
    pub fn holds_on(&self, state: &State, asset: AssetId) -> Vec<HoldId> {
        let reached = coverage::holds(state, asset);
        self.holds.iter().copied().filter(|hold| reached.contains_key(hold)).collect()
    }
}

/// What the party sees as an owner.
pub fn owner(state: &State, party: PartyId) -> OwnerView {
    let accounts = state.accounts.iter().filter(|(_, account)| account.owner == party);
    let accounts: Vec<AccountId> = accounts.map(|(id, _)| id).collect();
    let theirs = |list: &[AccountId]| list.iter().any(|id| accounts.contains(id));
    let own = |asset: &Asset| theirs(&asset.accounts) && asset.kind != AssetKind::Snapshot;
    let assets: Vec<AssetId> =
        state.assets.iter().filter(|(_, asset)| own(asset)).map(|(id, _)| id).collect();
    let parts = parts(state, &assets, &accounts);
    let things: BTreeSet<AssetId> = assets.iter().chain(&parts).copied().collect();
    let known = known(state, &accounts, &things);
    let copies = copies(state, &known, &things);
    let copied: BTreeSet<AssetId> =
        copies.iter().filter_map(|id| Some(state.snapshots.get(*id)?.asset)).collect();
    let on_copy =
        |hold: &Hold| !hold.silent && hold.scope.assets.iter().any(|id| copied.contains(id));
    let holds = state.holds.iter().filter(|(id, hold)| known.contains(id) || on_copy(hold));
    let holds = holds.filter(|(_, hold)| hold.in_force()).map(|(id, _)| id).collect();
    let notices = state.notices.iter().filter(|(_, notice)| notice.to == party);
    let notices = notices.map(|(id, _)| id).collect();
    OwnerView { accounts, assets, parts, copies: copies.into_iter().collect(), holds, notices }
}

/// Parts of the owner's assets, and parts of those.
fn parts(state: &State, assets: &[AssetId], accounts: &[AccountId]) -> Vec<AssetId> {
    let own: BTreeSet<AssetId> = assets.iter().copied().collect();
    let (mut found, mut todo) = (own.clone(), assets.to_vec());
    while let Some(asset) = todo.pop().and_then(|id| state.assets.get(id)) {
        for part in &asset.parts {
            let others = |part: &Asset| {
                let mine = part.accounts.iter().any(|id| accounts.contains(id));
                !mine && !part.accounts.is_empty() || part.kind == AssetKind::Snapshot
            };
            if !state.assets.get(*part).is_none_or(others) && found.insert(*part) {
                todo.push(*part);
            }
        }
    }
    found.difference(&own).copied().collect()
}

/// Holds, past or present, that are not silent and name an account of the owner, one of these
/// things or what it is a part of.
fn known(state: &State, accounts: &[AccountId], things: &BTreeSet<AssetId>) -> BTreeSet<HoldId> {
    let open = || state.holds.iter().filter(|(_, hold)| !hold.silent);
    let wanted = open().any(|(_, hold)| !hold.scope.identifiers.is_empty());
    let (mut named, mut forms) = (things.clone(), BTreeSet::new());
    for id in things {
        let mut up = state.assets.get(*id);
        let identifiers = up.filter(|_| wanted).into_iter().flat_map(|asset| &asset.identifiers);
        forms.extend(identifiers.map(|identifier| identifier.normal()));
        while let Some(above) = up.and_then(|asset| asset.part_of) {
            up = state.assets.get(above).filter(|_| named.insert(above));
        }
    }
    let over = |hold: &Hold| {
        hold.scope.accounts.iter().any(|id| accounts.contains(id))
            || hold.scope.assets.iter().any(|id| named.contains(id))
            || hold.scope.identifiers.iter().any(|form| forms.contains(form))
    };
    open().filter(|(_, hold)| over(hold)).map(|(id, _)| id).collect()
}

/// For each of these holds that a copy may satisfy and each thing that it reaches, the first copy
/// of that or of what it is a part of, begun and recorded after the hold.
fn copies(
    state: &State,
    known: &BTreeSet<HoldId>,
    things: &BTreeSet<AssetId>,
) -> BTreeSet<SnapshotId> {
    let by_copy = |id: &HoldId| state.holds.get(*id).is_some_and(|h| h.copy_allowed.is_some());
    let known: BTreeSet<HoldId> = known.iter().copied().filter(by_copy).collect();
    let mut found = BTreeSet::new();
    if known.is_empty() {
        return found;
    }
    for id in things {
        let copies = copies_of(state, *id, things);
        if copies.is_empty() {
            continue;
        }
        for hold in coverage::holds(state, *id).into_keys().filter(|hold| known.contains(hold)) {
            let Some(hold) = state.holds.get(hold) else { continue };
            let later = |copy: &&SnapshotId| {
                let copy = state.snapshots.get(**copy);
                copy.is_some_and(|c| c.taken >= hold.placed && c.position > hold.position)
            };
            found.extend(copies.iter().find(later));
        }
    }
    found
}

/// Copies of the thing and of what it is a part of, as far as that is theirs too.
fn copies_of(state: &State, thing: AssetId, things: &BTreeSet<AssetId>) -> BTreeSet<SnapshotId> {
    let mut copies = BTreeSet::new();
    let mut up = Some(thing);
    while let Some(asset) = up.filter(|id| things.contains(id)).and_then(|id| state.assets.get(id))
    {
        copies.extend(&asset.snapshots);
        up = asset.part_of;
    }
    copies
}
