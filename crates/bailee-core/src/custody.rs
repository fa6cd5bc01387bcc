//! Custody units: the snapshots that one key of the vault opens, which go together when it goes.
//! And what changes custody together with an asset: the holds that a transferee takes over.
//!
//! Invariants: the vault keeps the snapshots of one source under one account in one unit, until
//! that is erased, so what a clearance to erase is asked about, marks and ends is every one of
//! them, never only the one that names the unit; a snapshot is in one unit for ever, and in none
//! that an erasure was begun on before it was taken. Nobody takes over a hold that nobody told them
//! of: one that came after the notice of the transfer is owed a notice of its own.
//!
//! Out of scope: which objects of the vault these are, and whether it has others the log does not
//! know: they are copies of the same source, so whatever reaches the source reaches them.

use std::collections::BTreeSet;

use crate::asset::{Asset, Fate, Snapshot};
use crate::coverage;
use crate::disposition::{Clearance, Disposition, DispositionKind};
use crate::hold::Hold;
use crate::id::{AccountId, AssetId, ClearanceId, HoldId, PartyId, SnapshotId};
use crate::party::person;
use crate::state::State;
use crate::volume::Shelved;

/// Every snapshot of the asset's custody unit, gone or not, itself among them: what the papers of
/// an erasure may name. An asset that is no snapshot is alone.
pub(crate) fn all_of_unit(state: &State, asset: AssetId) -> Vec<AssetId> {
    let found = state.assets.get(asset);
    let snapshot = found.and_then(|copy| Some((copy, state.snapshots.get(copy.snapshot?)?)));
    let Some((copy, snapshot)) = snapshot else { return vec![asset] };
    let all = copies(state, snapshot.source, copy.accounts.first().copied());
    all.filter(|(taken, _)| taken.unit == snapshot.unit).map(|(taken, _)| taken.asset).collect()
}

/// Those of them that are here, the asset itself first, and whether it is here or not.
pub fn unit(state: &State, asset: AssetId) -> Vec<AssetId> {
    let here = |id: &AssetId| state.assets.get(*id).is_some_and(|copy| copy.fate.is_here());
    let others = all_of_unit(state, asset).into_iter().filter(|id| *id != asset && here(id));
    std::iter::once(asset).chain(others).collect()
}

/// The archive volumes in which snapshots of the asset's custody unit left, those that are gone
/// themselves among them: what the destruction of its key does not reach.
pub fn shelved(state: &State, asset: AssetId) -> Vec<(SnapshotId, Shelved)> {
    let snapshot = |id: AssetId| state.assets.get(id)?.snapshot;
    let all = all_of_unit(state, asset).into_iter().filter_map(snapshot);
    let taken = all.filter_map(|id| Some((id, state.snapshots.get(id)?)));
    taken.flat_map(|(id, taken)| taken.shelved.iter().map(move |set| (id, *set))).collect()
}

/// The number of the unit that a snapshot taken now would be in. An erasure uses a number up, also
/// one that was not heard of again: what is kept next must not depend on how it ended.
pub fn open_unit(state: &State, source: AssetId, account: Option<AccountId>) -> u32 {
    let last = copies(state, source, account).map(|(taken, _)| taken.unit).max().unwrap_or(0);
    let begun_on = |(taken, copy): (&Snapshot, &Asset)| match copy.fate {
        Fate::Unknown(id) | Fate::Partial(id) | Fate::Destroyed(id) => {
            taken.unit == last && kind_of(state, id) == Some(DispositionKind::Erase)
        }
        Fate::Kept | Fate::HandedOver(..) => false,
    };
    last + u32::from(copies(state, source, account).any(begun_on))
}

/// The clearance under which the unit is being erased that a new snapshot of the source would join.
pub fn being_erased(state: &State, source: AssetId) -> Option<ClearanceId> {
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

/// True of an owner who was erased when nothing of theirs was here any more: of these assets, what
/// had their data is gone.
pub(crate) fn is_gone(state: &State, assets: &[AssetId], owner: PartyId) -> bool {
    let erased = state.parties.get(owner).is_some_and(|party| party.erased.is_some());
    let going = || assets.iter().flat_map(|asset| coverage::subtree(state, *asset));
    erased && !going().any(|(id, _)| coverage::keeps_data_of(state, id, owner))
}

/// Who is to take custody over, if that is what is proposed.
pub(crate) fn taker(kind: DispositionKind, to: Option<PartyId>) -> Option<PartyId> {
    to.filter(|_| kind == DispositionKind::Transfer)
}

/// Holds in force that come with what the party is to take over under this disposition, those it
/// has accepted among them. Silent ones, too: nobody takes over what nobody told them of; but to an
/// owner of the data, who has no business to learn of them so, they are not there.
pub fn coming_with(state: &State, found: &Disposition, party: PartyId) -> Vec<HoldId> {
    match taker(found.kind, found.to) == Some(party) {
        true => coming(state, &found.assets, party),
        false => Vec::new(),
    }
}

fn coming(state: &State, assets: &[AssetId], party: PartyId) -> Vec<HoldId> {
    let (owners, holds) = coverage::of_all(state, assets);
    // Under whatever login.
    let human = person(&state.parties, party);
    let owner = owners.iter().any(|owner| person(&state.parties, *owner) == human);
    let comes = |hold: &Hold| hold.in_force() && !(hold.silent && owner);
    holds.into_iter().filter(|id| state.holds.get(*id).is_some_and(comes)).collect()
}

/// Of these holds, those that come with what is still to be handed over, and of which the
/// transferee has neither a notice nor accepted them by name.
pub fn untold(state: &State, found: &Disposition) -> Vec<HoldId> {
    let Some(taker) = taker(found.kind, found.to) else { return Vec::new() };
    let left = found.assets.iter().copied().filter(|id| !found.done.contains(id));
    let coming = coming(state, &left.collect::<Vec<_>>(), taker).into_iter();
    coming.filter(|id| !found.told.contains(id) && !found.accepted.contains(id)).collect()
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

/// Every snapshot of the source, gone or not, that was taken for this account, and the asset it is.
fn copies(
    state: &State,
    source: AssetId,
    account: Option<AccountId>,
) -> impl Iterator<Item = (&Snapshot, &Asset)> {
    let all = state.assets.get(source).map_or(&[][..], |source| &source.snapshots[..]);
    let all = all.iter().filter_map(|id| state.snapshots.get(*id));
    let all = all.filter_map(|taken| Some((taken, state.assets.get(taken.asset)?)));
    all.filter(move |(_, copy)| copy.accounts.first().copied() == account)
}
