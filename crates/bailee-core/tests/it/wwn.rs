//! Rules 1 and 3: one device is one asset, and is meant, in whatever spelling its world wide name
//! comes: udev's, the kernel's, a sticker's.

use bailee_core::asset::IdentifierKind;
use bailee_core::demand::Scope;
use bailee_core::disposition::DispositionKind;
use bailee_core::id::*;
use bailee_core::{Action, Code, Event, NewAsset, Record, check};

use crate::house::*;

const SPELT: [&str; 6] = [
    "0x5000c500a1b2c3d4",
    "5000C500A1B2C3D4",
    "50:00:c5:00:a1:b2:c3:d4",
    "naa.5000c500a1b2c3d4",
    "eui.5000c500a1b2c3d4",
    "wwn-0x5000c500a1b2c3d4",
];

fn disk(wwn: &str, n: u32) -> NewAsset {
    let identifiers = vec![identifier(IdentifierKind::Wwn, wwn)];
    NewAsset { label: format!("disk {n}"), identifiers, accounts: vec![], ..new_asset(n) }
}

fn wanting(wwn: &str) -> Scope {
    Scope { identifiers: vec![wwn.into()], ..Scope::default() }
}

fn reached(house: &House, hold: HoldId, asset: AssetId) -> bool {
    bailee_core::coverage::reaches(&house.state, hold, asset)
}

/// The house after its log with these changes in it.
fn again(house: &House, change: impl Fn(&mut Record)) -> House {
    let mut records = house.records.clone();
    records.iter_mut().for_each(change);
    let state = replay(&records, |_, _| false);
    House { state, records, ..House::new() }
}

#[test]
fn a_letter_and_a_field_mean_the_disk_in_any_spelling_of_its_name() {
    for registered in SPELT {
        let mut house = House::new();
        let early = SPELT.map(|spelt| {
            let (_, letter) = house.demand(letter("Nora", &format!("Keep the disk {spelt}.")));
            [letter, house.hold(wanting(spelt), "letter")]
        });
        let asset = house.asset(disk(registered, 1));
        let other = house.asset(disk("0x5000c500a1b2c3d5", 2));
        for (spelt, [letter, field]) in SPELT.into_iter().zip(early) {
            assert!(reached(&house, letter, asset), "{registered}, early letter {spelt}");
            assert!(reached(&house, field, asset), "{registered}, early field {spelt}");
            assert!(!reached(&house, letter, other) && !reached(&house, field, other));
        }
        for (n, spelt) in SPELT.into_iter().enumerate() {
            let text = format!("Keep ({spelt}), please");
            let (_, letter) = house.demand(letter(&format!("Max {n}"), &text));
            assert!(reached(&house, letter, asset), "{registered}, letter {spelt}");
            let (demand, by_form) = house.demand(bailee_core::NewDemand {
                scope: wanting(spelt),
                ..crate::house::letter(&format!("Moritz {n}"), "see form")
            });
            assert!(reached(&house, by_form, asset), "{registered}, form {spelt}");
            assert_eq!(house.state.demands.get(demand).unwrap().flags, []);
        }
        assert!(replay(&house.records, |_, _| false) == house.state);
    }
}

#[test]
fn a_label_that_is_such_a_name_is_found_in_any_spelling() {
    for label in SPELT {
        let mut house = House::new();
        let early = SPELT.map(|spelt| house.hold(wanting(spelt), "letter"));
        let asset = house.asset(NewAsset { label: label.into(), ..new_asset(1) });
        for (spelt, early) in SPELT.into_iter().zip(early) {
            let late = house.hold(wanting(spelt), "letter");
            assert!(reached(&house, early, asset) && reached(&house, late, asset), "{spelt}");
        }
    }
}

#[test]
fn one_name_in_several_spellings_is_one_asset() {
    let mut house = House::new();
    let asset = house.asset(disk(SPELT[0], 1));
    for spelt in SPELT {
        let code = house.no(STAFF, Action::RegisterAsset(disk(spelt, 2)));
        assert_eq!(code, Code::IdentifierTaken, "{spelt}");
        assert_eq!(house.state.asset_by_identifier(spelt), Some(asset), "{spelt}");
    }
    let twice = ["0x5000c500a1b2c3d5", "naa.5000c500a1b2c3d5"];
    let identifiers = twice.map(|spelt| identifier(IdentifierKind::Wwn, spelt)).to_vec();
    let new = NewAsset { identifiers, ..disk(SPELT[0], 3) };
    assert_eq!(house.no(STAFF, Action::RegisterAsset(new)), Code::BadValue);
}

#[test]
fn a_device_that_says_its_name_in_another_spelling_is_the_asset_s_own_or_another_s() {
    let mut house = House::new();
    let held = house.asset(disk("0x5000c500a1b2c3d4", 1));
    let asset = house.server(2);
    house.end_accounts();
    let x = house.ready(DispositionKind::Sanitize, &[asset]);
    let media = vec!["naa.5000c500a1b2c3d4".to_owned()];
    let reserve = Action::ReserveDevice { disposition: x, asset, subject: subject(2), media };
    assert_eq!(house.no(STAFF, reserve), Code::IdentifierTaken, "the device of {held}");
}

#[test]
fn what_changes_hands_is_handed_over_by_any_spelling() {
    let mut house = House::new();
    let own = NewAsset { accounts: vec![MEGA], ..disk("0x5000c500a1b2c3d4", 1) };
    let asset = house.asset(own);
    house.end_accounts();
    let x = house.ready(DispositionKind::Return, &[asset]);
    for (spelt, good) in [("naa.5000c500a1b2c3d5", false), ("NAA.5000C500A1B2C3D4", true)] {
        let subject = bailee_core::asset::identifier_subject(spelt);
        let reserve = Action::Reserve { disposition: x, asset, subject };
        assert_eq!(house.try_run(bailee_core::By::Party(STAFF), reserve).is_ok(), good, "{spelt}");
    }
}

#[test]
fn a_log_from_before_holds_by_what_it_wrote_then() {
    let mut house = House::new();
    let (_, letter) = house.demand(letter("Nora", "Keep wwn-0x5000c500a1b2c3d4."));
    let field = house.hold(wanting("0x5000c500a1b2c3d4"), "letter");
    // Until the spellings were one, the log had the name as it was written.
    let mut old = again(&house, |record| {
        if let Event::HoldPlaced { scope, .. } = &mut record.fact.event {
            scope.identifiers.iter_mut().for_each(|name| *name = format!("0x{name}"));
        }
        for papers in record.fact.papers.iter_mut() {
            papers.words = papers.words.replace(" 5000c500a1b2c3d4", " wwn0x5000c500a1b2c3d4");
        }
    });
    assert!(old.records.iter().any(|record| {
        let papers = record.fact.papers.as_ref();
        papers.is_some_and(|papers| papers.words.ends_with("wwn0x5000c500a1b2c3d4"))
    }));
    let asset = old.asset(disk("naa.5000c500a1b2c3d4", 1));
    assert!(reached(&old, field, asset) && reached(&old, letter, asset));
    assert_eq!(old.gate(asset), [Code::HoldInForce, Code::HoldProvisional]);
    assert_eq!(check(&old.state), []);
    assert!(replay(&old.records, |_, _| false) == old.state);
}

#[test]
fn two_assets_of_a_log_from_before_that_are_one_device_are_both_found() {
    let mut house = House::new();
    let first = house.asset(disk("0x5000c500a1b2c3d4", 1));
    let second = house.asset(disk("naa.5000c500a1b2c3d5", 2));
    let mut old = again(&house, |record| {
        if let Event::AssetRegistered { identifiers, .. } = &mut record.fact.event {
            identifiers.iter_mut().for_each(|i| i.value = i.value.replace("c3d5", "c3d4"));
        }
    });
    assert_eq!(check(&old.state), []);
    for spelt in SPELT {
        let (_, hold) = old.demand(letter(&format!("Nora {spelt}"), &format!("Keep {spelt}")));
        let field = old.hold(wanting(spelt), "letter");
        for hold in [hold, field] {
            assert!(reached(&old, hold, first) && reached(&old, hold, second), "{spelt}");
        }
    }
    // Each keeps what it has, and goes on being changed; a third does not get the name.
    for asset in [first, second] {
        let (label, identifiers) = (format!("spare {asset}"), vec![]);
        old.yes(STAFF, Action::RelabelAsset { asset, label, identifiers, bytes: None });
    }
    assert_eq!(old.no(STAFF, Action::RegisterAsset(disk(SPELT[1], 3))), Code::IdentifierTaken);
    assert_eq!(check(&old.state), []);
    assert!(replay(&old.records, |_, _| false) == old.state);
}
