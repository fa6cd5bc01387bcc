//! Views: what a data owner may see. Nobody sees what is not theirs (rules 9 and 11).
//!
//! Invariant: a silent hold leaves no trace in an owner's view: not its reason, not a count, not a
//! different word. Whether data is kept at all is answered alike with and without one.

use crate::asset::AssetKind;
use crate::hold::Hold;
use crate::id::{AccountId, AssetId, HoldId, NoticeId, PartyId};
use crate::state::State;

/// What an owner sees of the house.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnerView {
    /// The owner's accounts.
    pub accounts: Vec<AccountId>,
    /// Assets with data of these accounts, without the house's own snapshots of them.
    pub assets: Vec<AssetId>,
    /// Holds in force over them that the owner may know of.
    pub holds: Vec<HoldId>,
    /// Notices sent to the owner.
    pub notices: Vec<NoticeId>,
}

/// What the party sees as an owner.
pub fn owner(state: &State, party: PartyId) -> OwnerView {
    let accounts = state.accounts.iter().filter(|(_, account)| account.owner == party);
    let accounts: Vec<AccountId> = accounts.map(|(id, _)| id).collect();
    let theirs = |list: &[AccountId]| list.iter().any(|id| accounts.contains(id));
    // That a snapshot was taken could tell of a silent hold; the owner sees what it is a copy of.
    let assets = state
        .assets
        .iter()
        .filter(|(_, asset)| theirs(&asset.accounts) && asset.kind != AssetKind::Snapshot);
    let assets: Vec<AssetId> = assets.map(|(id, _)| id).collect();
    let visible = |hold: &Hold| hold.in_force() && !hold.silent;
    let holds = state.holds.iter().filter(|(_, hold)| {
        visible(hold)
            && (theirs(&hold.scope.accounts)
                || hold.scope.assets.iter().any(|id| assets.contains(id)))
    });
    let holds = holds.map(|(id, _)| id).collect();
    let notices = state.notices.iter().filter(|(_, notice)| notice.to == party);
    let notices = notices.map(|(id, _)| id).collect();
    OwnerView { accounts, assets, holds, notices }
}
