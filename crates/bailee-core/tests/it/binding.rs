//! One medium, one asset: by keys beside the digest of the whole device.

use bailee_core::asset::{AssetKind, IdentifierKind};
use bailee_core::disposition::DispositionKind;
use bailee_core::{Action, By, Code, NewAsset};

use crate::house::*;

const KEY: &str = "c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00";

/// An asset of nobody with this number's names, and the key.
fn with_key(n: u32) -> NewAsset {
    let mut new = NewAsset { accounts: vec![], kind: AssetKind::Drive, ..new_asset(n) };
    new.identifiers.push(identifier(IdentifierKind::Medium, KEY));
    new
}

#[test]
fn a_medium_is_one_assets_until_that_is_destroyed() {
    let mut house = House::new();
    let one = house.asset(with_key(1));
    let refusal = house.try_run(By::Party(STAFF), Action::RegisterAsset(with_key(2))).unwrap_err();
    assert_eq!((refusal.code, refusal.about), (Code::IdentifierTaken, one.to_string()));
    assert!(refusal.text.contains("the same medium"), "{}", refusal.text);
    let two = house.asset(NewAsset { accounts: vec![], ..new_asset(2) });
    let relabel = |asset| Action::RelabelAsset {
        asset,
        label: "grown".into(),
        identifiers: vec![
            identifier(IdentifierKind::Identity, &hex(&subject(3))),
            identifier(IdentifierKind::Medium, KEY),
        ],
        bytes: Some(2000),
    };
    assert_eq!(house.no(STAFF, relabel(two)), Code::IdentifierTaken);
    house.yes(STAFF, relabel(one));
    let x = house.ready(DispositionKind::Sanitize, &[one]);
    let clearance = house.begin(x, one, 3);
    house.finish(clearance);
    assert_eq!(house.no(STAFF, relabel(two)), Code::DeviceBound, "it has a device of its own");
    house.asset(with_key(4));
}

#[test]
fn a_device_that_is_another_assets_too_is_not_reserved() {
    let mut house = House::new();
    let one = house.asset(with_key(1));
    let two = house.asset(NewAsset { accounts: vec![], ..new_asset(2) });
    let x = house.ready(DispositionKind::Sanitize, &[two]);
    let reserve = |media: &[&str]| Action::ReserveDevice {
        disposition: x,
        asset: two,
        subject: subject(2),
        media: media.iter().map(|&key| key.to_owned()).collect(),
    };
    let refusal = house.try_run(By::Party(STAFF), reserve(&[&hex(&subject(2)), KEY])).unwrap_err();
    assert_eq!((refusal.code, refusal.about), (Code::IdentifierTaken, one.to_string()));
    // Also by a name that a person typed, in whatever spelling.
    assert_eq!(house.no(STAFF, reserve(&["sn-0001 x"])), Code::IdentifierTaken);
    house.yes(STAFF, reserve(&[&hex(&subject(2)), "SN0002X", "of nobody"]));
}

#[test]
fn a_part_is_let_go_of_though_its_whole_has_its_serial() {
    let mut house = House::new();
    let server = house.asset(NewAsset { accounts: vec![], ..new_asset(1) });
    let part_of = Some(server);
    let drive = house.asset(NewAsset { accounts: vec![], part_of, ..new_asset(2) });
    let disposition = house.ready(DispositionKind::Sanitize, &[drive]);
    let media = vec!["SN0001X".to_owned()];
    let subject = subject(2);
    let reserve = Action::ReserveDevice { disposition, asset: drive, subject, media };
    assert_eq!(House::names(&house.yes(STAFF, reserve)), ["ClearanceReserved"]);
}

#[test]
fn a_drive_says_the_serial_that_was_typed_for_its_server_and_only_one_device_counts() {
    let mut house = House::new();
    let server = house.asset(NewAsset { accounts: vec![], ..new_asset(1) });
    let mut drive = NewAsset { accounts: vec![], part_of: Some(server), ..new_asset(2) };
    drive.identifiers.push(identifier(IdentifierKind::Serial, "SN0001X"));
    let alone = NewAsset { part_of: None, ..drive.clone() };
    assert_eq!(house.no(STAFF, Action::RegisterAsset(alone)), Code::IdentifierTaken);
    house.asset(drive);
    // A device that grew takes the place of what it was.
    let asset = house.asset(with_key(3));
    house.yes(
        STAFF,
        Action::RelabelAsset {
            asset,
            label: "grown".into(),
            identifiers: vec![
                identifier(IdentifierKind::Identity, &hex(&subject(4))),
                identifier(IdentifierKind::Medium, KEY),
            ],
            bytes: Some(2000),
        },
    );
    let x = house.ready(DispositionKind::Sanitize, &[asset]);
    assert_eq!(house.no(STAFF, house.reserve_action(x, asset, 3)), Code::WrongSubject);
    house.begin(x, asset, 4);
}
