//! Assets, snapshots and access requests: what is kept, and who may have it back.

use bailee_core::asset::{Asset, Fate, Snapshot};
use bailee_core::demand::Access;
use bailee_core::disposition::DispositionKind;
use bailee_core::id::{AccessId, AssetId, SnapshotId};
use bailee_core::volume::Shelved;
use bailee_core::{State, coverage};
use serde_json::{Value, json};

use super::{at, ids, maybe, reached};
use crate::api::words;

pub(super) fn asset(s: &State, id: AssetId, asset: &Asset) -> Value {
    let identifiers = asset.identifiers.iter().map(|identifier| {
        json!({ "kind": words::IdentifierKind::from(identifier.kind), "value": identifier.value })
    });
    json!({
        "id": id.to_string(),
        "kind": words::AssetKind::from(asset.kind),
        "label": asset.label,
        "accounts": ids(&asset.accounts),
        "identifiers": identifiers.collect::<Vec<_>>(),
        "part_of": maybe(asset.part_of),
        "parts": ids(&asset.parts),
        "copy_of": ids(&asset.copy_of),
        "lifecycle": words::Lifecycle::from(asset.lifecycle),
        "place": asset.place,
        "bytes": asset.bytes,
        "fate": fate_in_full(s, &asset.fate),
        "snapshots": ids(&asset.snapshots),
        "snapshot": maybe(asset.snapshot),
        "holds": ids(&asset.holds),
        "clearance": maybe(asset.clearance),
    })
}

/// With what reaches it through its lineage.
pub(super) fn asset_in_full(s: &State, id: AssetId, found: &Asset) -> Value {
    let mut value = asset(s, id, found);
    value["covered_by"] = json!(reached(s, id));
    value["owners"] = json!(ids(&coverage::owners(s, id)));
    value
}

pub(super) fn fate(fate: &Fate) -> Value {
    match fate {
        Fate::Kept => json!({ "is": "kept" }),
        Fate::Unknown(clearance) => json!({ "is": "unknown", "under": clearance.to_string() }),
        Fate::Partial(clearance) => json!({ "is": "partial", "under": clearance.to_string() }),
        Fate::Destroyed(clearance) => json!({ "is": "destroyed", "under": clearance.to_string() }),
        Fate::HandedOver(clearance, to) => {
            json!({ "is": "handed-over", "under": clearance.to_string(), "to": to.to_string() })
        }
    }
}

/// With the bytes that are gone, when it was, and of a snapshot how it was let go of.
fn fate_in_full(s: &State, of: &Fate) -> Value {
    let mut value = fate(of);
    let (Fate::Partial(id) | Fate::Destroyed(id) | Fate::HandedOver(id, _)) = of else {
        return value;
    };
    let Some(clearance) = s.clearances.get(*id) else { return value };
    value["at"] = json!(maybe(clearance.ended));
    match (of, s.dispositions.get(clearance.disposition).map(|found| found.kind)) {
        (Fate::Partial(_), _) => value["gone"] = json!(clearance.gone),
        (Fate::Destroyed(_), Some(DispositionKind::Expire)) => value["is"] = json!("expired"),
        (Fate::Destroyed(_), Some(DispositionKind::Erase)) => value["is"] = json!("erased"),
        _ => {}
    }
    value
}

pub(super) fn snapshot(s: &State, id: SnapshotId, snapshot: &Snapshot) -> Value {
    json!({
        "id": id.to_string(),
        "source": snapshot.source.to_string(),
        "asset": snapshot.asset.to_string(),
        "root": bailee_ledger::to_hex(&snapshot.root),
        "vault_id": snapshot.vault_id,
        "bytes": snapshot.bytes,
        "unreadable": snapshot.unreadable,
        "changed": snapshot.changed,
        "taken": at(snapshot.taken),
        "verified": maybe(snapshot.verified),
        "fate": s.assets.get(snapshot.asset).map(|copy| fate_in_full(s, &copy.fate)),
    })
}

/// With the archive volumes in which it left.
pub(super) fn snapshot_in_full(s: &State, id: SnapshotId, found: &Snapshot) -> Value {
    let mut value = snapshot(s, id, found);
    let set = |set: &Shelved| {
        json!({
            "set": bailee_ledger::to_hex(&set.set), "entry": set.position, "at": at(set.at),
            "volumes": set.volumes, "bytes": set.bytes,
        })
    };
    value["volume_sets"] = json!(found.shelved.iter().map(set).collect::<Vec<_>>());
    value
}

pub(super) fn access(_: &State, id: AccessId, access: &Access) -> Value {
    json!({
        "id": id.to_string(),
        "owner": access.owner.to_string(),
        "asset": access.asset.to_string(),
        "status": words::AccessStatus::from(access.status),
        "terms": access.terms,
    })
}
