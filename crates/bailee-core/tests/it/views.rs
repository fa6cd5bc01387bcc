//! Rules 9 and 11 by example: an owner sees what is theirs, and no trace of a silent hold.

use bailee_core::id::*;
use bailee_core::view::{self, OwnerView};
use bailee_core::{Action, Code, NewDemand};

use crate::house::*;

/// What the owner sees while a silent hold comes, is kept by copy, decided on, and goes again.
fn seen(secret: AccountId) -> Vec<OwnerView> {
    let mut house = House::new();
    let target = if secret == MEGA { 1 } else { 2 };
    for n in [1, 2] {
        let account = if n == 1 { MEGA } else { BLUE };
        house.asset(bailee_core::NewAsset { accounts: vec![account], ..new_asset(n) });
    }
    let mut views = Vec::new();
    let mut look = |house: &House| views.push(view::owner(&house.state, OWNER));
    look(&house);
    let order = NewDemand {
        scope: on_accounts(&[secret]),
        instrument: Some("epoc-pr".into()),
        ..letter("Rita Requester", "secret")
    };
    let (demand, hold) = house.demand(order);
    look(&house);
    house.accept(demand);
    house.snapshot(AssetId(target));
    look(&house);
    house.hold(on_accounts(&[MEGA]), "letter");
    look(&house);
    house.days(70);
    look(&house);
    house.release(hold);
    look(&house);
    house.days(14);
    look(&house);
    views
}

#[test]
fn histories_that_differ_in_a_silent_hold_look_the_same_to_the_owner() {
    let views = seen(MEGA);
    assert_eq!(views, seen(BLUE));
    assert_eq!(views[3].holds, [HoldId(2)], "while an open hold is seen");
    assert_eq!(views[0].assets, [AssetId(1)]);
}

#[test]
fn an_owner_sees_a_hold_when_its_gag_ends_and_nothing_of_others() {
    let mut house = House::new();
    let asset = house.server(1);
    let hold = house.hold(on_assets(&[asset]), "epoc-pr");
    assert_eq!(view::owner(&house.state, OWNER).holds, []);
    house.yes(COUNSEL, Action::SetGag { hold, until: None, reason: because() });
    assert_eq!(view::owner(&house.state, OWNER).holds, [hold]);
    let stranger = view::owner(&house.state, STRANGER);
    let expected = OwnerView { accounts: vec![BLUE], ..OwnerView::default() };
    assert_eq!(stranger, expected);
}

#[test]
fn nobody_asks_for_the_data_of_others_or_in_their_name() {
    let mut house = House::new();
    let asset = house.server(1);
    let ask = |owner| Action::RequestAccess { owner, asset, reason: because() };
    assert_eq!(house.no(STRANGER, ask(STRANGER)), Code::NotYourData);
    assert_eq!(house.no(STRANGER, ask(OWNER)), Code::NotPermitted);
    house.yes(STAFF, ask(OWNER));
    house.yes(OWNER, ask(OWNER));
    let access = AccessId(1);
    let fulfil = Action::FulfilAccess { access, reason: because() };
    assert_eq!(house.no(STAFF, fulfil.clone()), Code::NotPermitted);
    house.yes(STAFF, Action::DecideAccess { access, granted: true, reason: because() });
    house.yes(STAFF, fulfil.clone());
    assert_eq!(house.no(STAFF, fulfil), Code::AlreadyDone);
}
