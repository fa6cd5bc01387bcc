//! Which copy satisfies a hold, and what is said of those that do not.

use bailee_core::asset::IdentifierKind;
use bailee_core::gate::{Verb, verdict};
use bailee_core::id::{AssetId, HoldId};
use bailee_core::{Action, Code, NewAsset};

use crate::house::{
    COUNSEL, House, MEGA, because, hex, identifier, new_asset, on_accounts, subject,
};

/// What the gate says of the hold, and what would change it; nothing if it is satisfied.
fn said(house: &House, asset: AssetId) -> Option<(String, &'static str)> {
    let verdict = verdict(&house.state, asset, Verb::LetGo, house.now, None).unwrap();
    let reason = verdict.reasons.into_iter().find(|reason| reason.code == Code::HoldInForce)?;
    Some((reason.text, reason.change))
}

/// A house with ended accounts, a server with so many bytes and a hold that may be satisfied.
fn stage(bytes: u64) -> (House, AssetId, HoldId) {
    let mut house = House::new();
    let asset = house.asset(NewAsset { bytes, ..new_asset(1) });
    house.end_accounts();
    let hold = house.hold(on_accounts(&[MEGA]), "letter");
    house.yes(COUNSEL, Action::AllowCopy { hold, reason: because() });
    (house, asset, hold)
}

#[test]
fn what_would_change_the_answer_depends_on_what_the_copy_lacks() {
    let mut house = House::new();
    let asset = house.server(1);
    house.end_accounts();
    let early = house.snapshot(asset);
    let early_asset = house.state.snapshots.get(early).unwrap().asset;
    house.now = house.now.plus_seconds(1);
    let hold = house.hold(on_accounts(&[MEGA]), "letter");
    let (text, change) = said(&house, asset).unwrap();
    assert_eq!((text.as_str(), change), ("is in force", Code::HoldInForce.change()));
    let (text, change) = said(&house, early_asset).unwrap();
    assert!(text.contains("itself a copy") && change.contains("no copy"), "{text}; {change}");
    house.yes(COUNSEL, Action::AllowCopy { hold, reason: because() });
    let (text, change) = said(&house, asset).unwrap();
    assert!(text.ends_with("S-1 is older than the hold"), "{text}");
    assert!(change.starts_with("preserve the asset again"), "{change}");
    let (_, change) = said(&house, early_asset).unwrap();
    assert!(!change.contains("allow"), "{change}");
    let copy = house.snapshot(asset);
    assert_eq!(said(&house, asset), None);
    house.system(Action::VerifySnapshot { snapshot: copy, intact: false });
    let (text, change) = said(&house, asset).unwrap();
    assert!(text.ends_with("S-2 is not verified") && change.starts_with("verify"), "{text}");
    let bare = house.server(2);
    let (text, change) = said(&house, bare).unwrap();
    assert!(text.contains("there is none") && change.starts_with("preserve"), "{text}; {change}");
    let disposition = house.ready(bailee_core::disposition::DispositionKind::Sanitize, &[bare]);
    let command = bailee_core::Command::system(house.reserve_action(disposition, bare, 2));
    let refusal = bailee_core::decide(&house.state, &command, house.now).unwrap_err();
    assert_eq!((refusal.code, refusal.change), (Code::HoldInForce, change));
    assert!(refusal.to_string().ends_with(change), "{refusal}");
}

#[test]
fn a_copy_of_nothing_satisfies_no_hold() {
    let mut house = House::new();
    let asset = house.asset(NewAsset { bytes: 0, identifiers: vec![], ..new_asset(1) });
    house.end_accounts();
    let hold = house.hold(on_accounts(&[MEGA]), "letter");
    house.yes(COUNSEL, Action::AllowCopy { hold, reason: because() });
    house.copy_of(asset, 0);
    let (text, _) = said(&house, asset).unwrap();
    assert!(text.ends_with("S-1 has no bytes"), "{text}");
    house.copy_of(asset, 1);
    assert_eq!(said(&house, asset), None);
}

#[test]
fn a_copy_covers_the_device_it_stands_in_for_and_those_inside() {
    let (mut house, asset, _) = stage(1000);
    house.copy_of(asset, 999);
    let (text, _) = said(&house, asset).unwrap();
    assert!(text.ends_with("S-1 has fewer bytes than the device"), "{text}");
    house.copy_of(asset, 1000);
    assert_eq!(said(&house, asset), None);
    // Two drives in it: a copy of it stands in for each only with the bytes of both.
    for n in [2, 3] {
        house.now = house.now.plus_seconds(1);
        house.asset(NewAsset { part_of: Some(asset), bytes: 700, ..new_asset(n) });
    }
    house.copy_of(asset, 1399);
    let drive = AssetId(asset.0 + 3);
    assert!(house.state.assets.get(drive).is_some_and(|drive| drive.part_of == Some(asset)));
    assert!(said(&house, asset).is_some() && said(&house, drive).is_some());
    house.copy_of(asset, 1400);
    assert_eq!((said(&house, asset), said(&house, drive)), (None, None));
}

#[test]
fn binding_brings_the_size_of_the_device_and_no_word_makes_it_less() {
    let (mut house, _, _) = stage(1);
    let asset = house.asset(NewAsset { bytes: 0, identifiers: vec![], ..new_asset(9) });
    let bind = |bytes| Action::RelabelAsset {
        asset,
        label: "drive".into(),
        identifiers: vec![identifier(IdentifierKind::Identity, &hex(&subject(9)))],
        bytes,
    };
    for (told, known) in [(None, 0), (Some(512), 512), (Some(1), 512), (None, 512)] {
        house.system(bind(told));
        assert_eq!(house.state.assets.get(asset).unwrap().bytes, known, "{told:?}");
    }
    house.copy_of(asset, 511);
    assert!(said(&house, asset).unwrap().0.contains("fewer bytes"));
}

#[test]
fn a_snapshot_is_not_begun_in_the_future() {
    let (mut house, source, _) = stage(1);
    let taken = house.now.plus_seconds(1);
    let (root, vault_id, bytes) = ([1; 32], "v1".into(), 5);
    let (unreadable, changed) = (0, 0);
    let record =
        Action::RecordSnapshot { source, root, vault_id, bytes, unreadable, changed, taken };
    assert_eq!(house.no(COUNSEL, record.clone()), Code::BadValue);
    house.now = taken;
    house.yes(COUNSEL, record);
}
