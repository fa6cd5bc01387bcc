//! What a data owner sees of each thing: what it is, what became of it, whether it is held.
//!
//! Invariant: made of the owner's view and of the thing itself, never of holds beside that view.

use std::collections::BTreeSet;

use bailee_core::State;
use bailee_core::asset::{Asset, Snapshot};
use bailee_core::id::{AssetId, SnapshotId};
use bailee_core::view::OwnerView;
use serde_json::{Value, json};

use super::keep::fate;
use super::{at, ids, maybe};
use crate::api::words;

/// Assets of the view, or their parts.
pub(super) fn assets(s: &State, view: &OwnerView, of: &[AssetId]) -> Vec<Value> {
    let all = of.iter().filter_map(|id| Some((*id, s.assets.get(*id)?)));
    let seen: BTreeSet<AssetId> = view.assets.iter().chain(&view.parts).copied().collect();
    let one = |(id, asset): (AssetId, &Asset)| {
        let holds = view.holds_on(s, id);
        json!({
            "id": id.to_string(),
            "label": asset.label,
            "kind": words::AssetKind::from(asset.kind),
            "part_of": maybe(asset.part_of.filter(|whole| seen.contains(whole))),
            "held": !holds.is_empty(),
            "holds": ids(&holds),
            "fate": fate(&asset.fate),
        })
    };
    all.map(one).collect()
}

/// Preserved copies of the view.
pub(super) fn copies(s: &State, view: &OwnerView) -> Vec<Value> {
    let all = view.copies.iter().filter_map(|id| Some((*id, s.snapshots.get(*id)?)));
    let all = all.filter_map(|(id, copy)| Some((id, copy, s.assets.get(copy.asset)?)));
    let one = |(id, copy, asset): (SnapshotId, &Snapshot, &Asset)| {
        let holds = view.holds_on(s, copy.asset);
        json!({
            "id": id.to_string(),
            "label": s.assets.get(copy.source).map(|source| source.label.clone()),
            "copy_of": copy.source.to_string(),
            "asset": copy.asset.to_string(),
            "taken": at(copy.taken),
            "held": !holds.is_empty(),
            "holds": ids(&holds),
            "fate": fate(&asset.fate),
        })
    };
    all.map(one).collect()
}
