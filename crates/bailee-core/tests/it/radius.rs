//! Rule 7: who approves the release of a hold sees all that it lets go of, and a change of that
//! voids what was approved.

use bailee_core::disposition::Radius;
use bailee_core::hold::HoldStatus;
use bailee_core::id::*;
use bailee_core::{Action, Event, NewAsset};

use crate::house::*;

fn propose(house: &mut House, hold: HoldId) {
    house.yes(STAFF, Action::ProposeRelease { hold, reason: because() });
}

fn approve(house: &mut House, by: PartyId, hold: HoldId) -> Radius {
    let records = house.yes(by, Action::ApproveRelease { hold });
    let radius = records.into_iter().find_map(|record| match record.fact.event {
        Event::ReleaseApproved { radius, .. } => Some(radius),
        _ => None,
    });
    radius.unwrap()
}

fn status(house: &House, hold: HoldId) -> HoldStatus {
    house.state.holds.get(hold).unwrap().status
}

fn unowned(n: u32) -> NewAsset {
    NewAsset { accounts: vec![], ..new_asset(n) }
}

#[test]
fn copies_parts_and_what_is_in_the_vault_are_among_what_a_release_frees() {
    let mut house = House::new();
    let server = house.asset(unowned(1));
    let drive = house.asset(NewAsset { part_of: Some(server), ..unowned(2) });
    let sibling = house.asset(NewAsset { part_of: Some(server), ..unowned(3) });
    let hold = house.hold(on_assets(&[drive]), "letter");
    propose(&mut house, hold);
    let radius = approve(&mut house, OPS, hold);
    assert_eq!((radius.assets, radius.bytes), (2, 2000), "the drive and the server it is in");
    // The copy of a copy of the drive; and a copy of the server is one of the drive.
    let copy = house.asset(NewAsset { copy_of: vec![drive], bytes: 10, ..unowned(4) });
    house.asset(NewAsset { copy_of: vec![copy], bytes: 200, ..unowned(5) });
    house.asset(NewAsset { copy_of: vec![server], bytes: 3000, ..unowned(6) });
    house.asset(NewAsset { copy_of: vec![sibling], bytes: 40_000, ..unowned(7) });
    let radius = approve(&mut house, COUNSEL, hold);
    assert_eq!((radius.assets, radius.bytes), (5, 5210));
    assert_eq!(status(&house, hold), HoldStatus::Active, "the first approval was of less");
    house.copy_of(drive, 7);
    let radius = approve(&mut house, OPS, hold);
    assert_eq!((radius.assets, radius.bytes, radius.copies.len()), (6, 5217, 1));
    assert_eq!(status(&house, hold), HoldStatus::Active);
    approve(&mut house, COUNSEL, hold);
    assert!(matches!(status(&house, hold), HoldStatus::Cooling(_)));
}

#[test]
fn what_becomes_a_copy_of_what_is_held_voids_an_approval_though_nobody_names_it() {
    let mut house = House::new();
    let (asset, other) = (house.server(1), house.asset(unowned(2)));
    for scope in [on_assets(&[asset]), on_accounts(&[MEGA])] {
        let copy = house.asset(unowned(2 + house.state.assets.len() as u32));
        let hold = house.hold(scope, "letter");
        propose(&mut house, hold);
        let before = approve(&mut house, OPS, hold).assets;
        house.yes(STAFF, Action::CopyAsset { asset: copy, source: asset });
        assert_eq!(approve(&mut house, COUNSEL, hold).assets, before + 1);
        assert_eq!(status(&house, hold), HoldStatus::Active);
    }
    assert!(bailee_core::coverage::holds(&house.state, other).is_empty());
}

#[test]
fn copies_of_what_is_gone_are_freed_too() {
    let (mut house, asset, x) = House::about_to_go(1);
    house.asset(NewAsset { copy_of: vec![asset], bytes: 5, ..unowned(2) });
    let clearance = house.begin(x, asset, 1);
    house.finish(clearance);
    let identifiers = vec!["SN0001X".to_owned()];
    let scope = bailee_core::demand::Scope { identifiers, ..Default::default() };
    let hold = house.hold(scope, "letter");
    house.asset(NewAsset { identifiers: new_asset(1).identifiers[..1].to_vec(), ..unowned(3) });
    propose(&mut house, hold);
    let radius = approve(&mut house, OPS, hold);
    assert_eq!((radius.assets, radius.bytes), (2, 1005), "its copy, and what has its serial now");
}

/// Counts, bytes and owners are those of the approval.
#[test]
fn what_comes_in_the_place_of_another_voids_an_approval() {
    let mut house = House::new();
    let [first, second] =
        [1, 2].map(|n| house.asset(NewAsset { accounts: vec![MEGA], ..new_asset(n) }));
    let hold = house.hold(on_accounts(&[MEGA]), "letter");
    propose(&mut house, hold);
    house.days(1);
    let before = approve(&mut house, OPS, hold);
    house.days(1);
    let x = house.propose(bailee_core::disposition::DispositionKind::Transfer, &[first]);
    house.yes(TRANSFEREE, Action::AcceptHold { disposition: x, hold });
    house.prove_notices(x);
    house.approve(x);
    house.days(32);
    let clearance = house.begin(x, first, 1);
    house.finish(clearance);
    house.asset(NewAsset { accounts: vec![MEGA], ..new_asset(3) });
    let after = approve(&mut house, COUNSEL, hold);
    assert_eq!(after, before, "one of two was sold, and another one came: {second} stayed");
    assert_eq!(status(&house, hold), HoldStatus::Active);
    approve(&mut house, OPS, hold);
    assert!(matches!(status(&house, hold), HoldStatus::Cooling(_)));
}
