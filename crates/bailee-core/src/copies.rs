//! Copies that stand in for what is held: which one satisfies a hold, and what the others lack.
//!
//! Invariants: only what a person allowed counts, and of that a copy of something: whole, verified,
//! not older than the hold, the data or what joined its lineage, still kept here and not about to
//! go, and not of fewer bytes than the device it stands in for. What is not known of a copy counts
//! against it; which files are in it only the vault knows, so that approvers are shown its bytes
//! and its source. A copy that is held itself has no stand-in.

use crate::asset::{Asset, Fate, IdentifierKind, Snapshot};
use crate::coverage;
use crate::hold::Hold;
use crate::id::{AssetId, SnapshotId};
use crate::state::State;
use crate::time::Time;

/// Why no copy of the asset satisfies a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lack {
    /// Nobody has allowed a copy.
    NotAllowed,
    /// It is itself a copy in the vault.
    IsCopy,
    /// There is none.
    None,
    /// The latest one does not count, for this.
    Latest(SnapshotId, Flaw),
}

/// What is wrong with a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    Gone,
    Going,
    Empty,
    Small,
    Unread,
    Changed,
    OlderThanHold,
    OlderThanData,
    NotVerified,
}

impl Lack {
    /// What is so, to be added to what is said of the hold.
    pub(crate) fn text(self) -> String {
        match self {
            Lack::NotAllowed => String::new(),
            Lack::IsCopy => "; this is itself a copy, for which no copy stands in".to_owned(),
            Lack::None => "; a copy is allowed and there is none".to_owned(),
            Lack::Latest(copy, flaw) => format!("; a copy is allowed, and {copy} {}", flaw.text()),
        }
    }

    /// What would change it; `None`: what is said of every such hold.
    pub(crate) fn change(self) -> Option<&'static str> {
        match self {
            Lack::NotAllowed => None,
            Lack::IsCopy => Some("release it with four eyes: no copy can satisfy it here"),
            Lack::None => Some("preserve the asset, or release the hold with four eyes"),
            Lack::Latest(_, flaw) => Some(flaw.change()),
        }
    }
}

impl Flaw {
    fn text(self) -> &'static str {
        match self {
            Flaw::Gone => "is not kept any more",
            Flaw::Going => "is about to go itself",
            Flaw::Empty => "has no bytes",
            Flaw::Small => "has fewer bytes than the device",
            Flaw::Unread => "lacks what could not be read",
            Flaw::Changed => "has files that changed while they were read",
            Flaw::OlderThanHold => "is older than the hold",
            Flaw::OlderThanData => "is older than what came to the asset since",
            Flaw::NotVerified => "is not verified",
        }
    }

    fn change(self) -> &'static str {
        match self {
            Flaw::Empty => "preserve the data itself, or release the hold with four eyes",
            Flaw::Small => "preserve the device itself, or release the hold with four eyes",
            Flaw::NotVerified => "verify the copy, or preserve the asset again",
            Flaw::Gone
            | Flaw::Going
            | Flaw::Unread
            | Flaw::Changed
            | Flaw::OlderThanHold
            | Flaw::OlderThanData => "preserve the asset again, or release the hold with four eyes",
        }
    }
}

/// The copy of the asset, or of what it is a part of, that satisfies the hold; the latest there is.
pub fn satisfying(state: &State, hold: &Hold, asset: AssetId) -> Option<SnapshotId> {
    hold.copy_allowed?;
    let least = Least::of(state, asset);
    let counts = |(_, source, copy)| flaw(state, hold, source, copy, least).is_none();
    all(state, asset).find(|one| counts(*one)).map(|(id, ..)| id)
}

/// Why there is none.
pub(crate) fn lack(state: &State, hold: &Hold, asset: AssetId) -> Lack {
    if state.assets.get(asset).is_some_and(|asset| asset.snapshot.is_some()) {
        return Lack::IsCopy;
    }
    if hold.copy_allowed.is_none() {
        return Lack::NotAllowed;
    }
    let least = Least::of(state, asset);
    let latest = all(state, asset).find_map(|(id, source, copy)| {
        flaw(state, hold, source, copy, least).map(|flaw| Lack::Latest(id, flaw))
    });
    latest.unwrap_or(Lack::None)
}

/// Every copy of the asset, latest first, then those of what it is a part of.
fn all(
    state: &State,
    asset: AssetId,
) -> impl Iterator<Item = (SnapshotId, (AssetId, &Asset), &Snapshot)> {
    let get = |id: AssetId| Some((id, state.assets.get(id)?));
    let up = std::iter::successors(get(asset), move |(_, asset)| asset.part_of.and_then(get));
    up.flat_map(move |source| {
        let latest_first = source.1.snapshots.iter().rev();
        latest_first.filter_map(move |id| Some((*id, source, state.snapshots.get(*id)?)))
    })
}

/// What a copy that stands in for an asset has to be at the least, whatever it was taken of.
#[derive(Clone, Copy)]
struct Least {
    bytes: u64,
    since: Option<Time>,
}

impl Least {
    fn of(state: &State, asset: AssetId) -> Least {
        let since = coverage::last_joined(state, asset);
        Least { bytes: device_bytes(state, asset), since }
    }
}

fn flaw(
    state: &State,
    hold: &Hold,
    (id, source): (AssetId, &Asset),
    copy: &Snapshot,
    least: Least,
) -> Option<Flaw> {
    let itself = state.assets.get(copy.asset);
    let flaws = [
        (itself.is_none_or(|itself| itself.fate != Fate::Kept), Flaw::Gone),
        (itself.is_some_and(|itself| itself.clearance.is_some()), Flaw::Going),
        (copy.bytes == 0, Flaw::Empty),
        (copy.bytes < least.bytes.max(device_bytes(state, id)), Flaw::Small),
        (copy.unreadable > 0, Flaw::Unread),
        (copy.changed > 0, Flaw::Changed),
        (copy.taken < hold.placed, Flaw::OlderThanHold),
        (Some(copy.taken) < source.grown.max(least.since), Flaw::OlderThanData),
        (copy.verified.is_none(), Flaw::NotVerified),
    ];
    flaws.into_iter().find(|(so, _)| *so).map(|(_, flaw)| flaw)
}

/// Bytes of the device that the asset is bound to, or of those in it: what a copy of it has at the
/// least. Nothing if it is bound to none, or the size of that is not known.
fn device_bytes(state: &State, asset: AssetId) -> u64 {
    let Some(found) = state.assets.get(asset) else { return 0 };
    let bound = |i: &crate::asset::Identifier| i.kind == IdentifierKind::Identity;
    let own = if found.identifiers.iter().any(bound) { found.bytes } else { 0 };
    let here = |id: &&AssetId| state.assets.get(**id).is_some_and(|part| part.fate.is_here());
    let parts = found.parts.iter().filter(here);
    let inside = parts.fold(0u64, |sum, id| sum.saturating_add(device_bytes(state, *id)));
    own.max(inside)
}
