//! The subject of a clearance: the very thing, told apart from every other.
//!
//! Invariants: a snapshot is known by its manifest root, a device by what it says of itself, where
//! the asset is bound to that. A custody unit is bound by the vault, whose subject covers its name
//! and every root it has, also of snapshots that no entry knows. What changes hands and is bound to
//! no device is known by what stands on it: any of its hard identifiers, which no other asset has
//! while it is here. Nothing is destroyed on what somebody reads off a label.

use super::find;
use crate::asset::{Asset, identifier_subject};
use crate::demand::Digest;
use crate::disposition::DispositionKind;
use crate::id::AssetId;
use crate::refusal::{Code, Refusal};
use crate::state::State;

/// The thing must be the one the asset is bound to.
pub(super) fn check(
    s: &State,
    kind: DispositionKind,
    id: AssetId,
    subject: &Digest,
) -> Result<(), Refusal> {
    let asset = find(&s.assets, id)?;
    if kind == DispositionKind::Erase {
        return match *subject == [0; 32] {
            false => Ok(()),
            true => Err(Refusal::new(Code::NoSubject, id, "is not bound to a custody unit")),
        };
    }
    if let Some(snapshot) = asset.snapshot.and_then(|id| s.snapshots.get(id)) {
        return match snapshot.root == *subject {
            true => Ok(()),
            false => Err(Refusal::new(Code::WrongSubject, id, "has another manifest root")),
        };
    }
    let hex: String = subject.iter().map(|byte| format!("{byte:02x}")).collect();
    match asset.device() {
        Some(bound) if bound.normal() == hex => Ok(()),
        Some(_) => Err(Refusal::new(Code::WrongSubject, id, "is bound to another device")),
        _ if !is_there(kind, asset) => {
            let refusal = Refusal::new(Code::NoSubject, id, "is not bound to a device");
            Err(match kind {
                DispositionKind::Sanitize => refusal.with_change(
                    "bind it to its device (`bailee asset relabel`, with --device: a serial that \
                     was typed is not enough), and approve again: it is another thing then",
                ),
                _ => refusal,
            })
        }
        _ if names(kind, asset).any(|name| identifier_subject(&name) == *subject) => Ok(()),
        _ => {
            let refusal = Refusal::new(Code::WrongSubject, id, "has no such identifier");
            Err(refusal.with_change("read it off the thing that is handed over, and compare"))
        }
    }
}

/// True if a clearance of this kind could be for the asset at all.
pub(super) fn is_there(kind: DispositionKind, asset: &Asset) -> bool {
    asset.device().is_some() || names(kind, asset).next().is_some()
}

/// Identifiers that it can be handed over by: none of them says what is to be destroyed.
fn names(kind: DispositionKind, asset: &Asset) -> impl Iterator<Item = String> {
    let handed = matches!(kind, DispositionKind::Return | DispositionKind::Transfer);
    let all = if handed { &asset.identifiers[..] } else { &[] };
    all.iter().map(|identifier| identifier.normal()).filter(|name| !name.is_empty())
}
