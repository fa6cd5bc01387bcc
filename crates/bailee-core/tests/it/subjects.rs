//! What a clearance is for, where an asset is bound to no device: what stands on the thing.

use bailee_core::asset::{Fate, IdentifierKind, identifier_subject};
use bailee_core::disposition::DispositionKind;
use bailee_core::id::*;
use bailee_core::{Action, Code, Command, NewAsset, decide};

use crate::house::*;

/// A tape with a serial number and a WWN, which no agent reads.
fn tape(n: u32) -> NewAsset {
    let serial = identifier(IdentifierKind::Serial, &format!("LTO-{n:04}"));
    let wwn = identifier(IdentifierKind::Wwn, &format!("50:01:{n:02}"));
    NewAsset { identifiers: vec![serial, wwn], ..new_asset(n) }
}

fn reserve(disposition: DispositionId, asset: AssetId, value: &str) -> Action {
    Action::Reserve { disposition, asset, subject: identifier_subject(value) }
}

#[test]
fn a_thing_goes_back_and_changes_hands_by_what_stands_on_it() {
    for (kind, to) in [(DispositionKind::Return, OWNER), (DispositionKind::Transfer, TRANSFEREE)] {
        let mut house = House::new();
        let asset = house.asset(tape(1));
        house.end_accounts();
        let x = house.ready(kind, &[asset]);
        for wrong in ["LTO-0002", "srv-0001", ""] {
            assert_eq!(house.no(STAFF, reserve(x, asset, wrong)), Code::WrongSubject, "{wrong}");
        }
        let blank = Action::Reserve { disposition: x, asset, subject: [0; 32] };
        assert_eq!(house.no(STAFF, blank), Code::WrongSubject);
        // In any spelling, and any of them.
        for good in ["lto 0001", "LTO-0001", "5001-01"] {
            assert!(
                decide(&house.state, &Command::by(STAFF, reserve(x, asset, good)), house.now)
                    .is_ok()
            );
        }
        house.yes(STAFF, reserve(x, asset, "LTO0001"));
        house.yes(STAFF, Action::Begin { clearance: ClearanceId(1) });
        let (clearance, verified, reason) = (ClearanceId(1), true, because());
        house.yes(STAFF, Action::Finish { clearance, verified, reason });
        let fate = &house.state.assets.get(asset).unwrap().fate;
        assert_eq!(*fate, Fate::HandedOver(ClearanceId(1), to));
    }
}

#[test]
fn nothing_is_destroyed_on_what_stands_on_it() {
    let mut house = House::new();
    let asset = house.asset(tape(1));
    house.end_accounts();
    let x = house.ready(DispositionKind::Sanitize, &[asset]);
    assert_eq!(house.no(STAFF, reserve(x, asset, "LTO-0001")), Code::NoSubject);
}

#[test]
fn what_is_bound_to_a_device_is_that_device_and_no_label() {
    let mut house = House::new();
    let asset = house.server(1);
    house.end_accounts();
    let x = house.ready(DispositionKind::Return, &[asset]);
    assert_eq!(house.no(STAFF, reserve(x, asset, "SN0001X")), Code::WrongSubject);
    house.yes(STAFF, house.reserve_action(x, asset, 1));
}

#[test]
fn the_subject_of_an_identifier_is_frozen() {
    // SHA-256 of "bailee/asset-identifier/v1\nlto0042\n".
    let subject = identifier_subject("LTO-0042");
    assert_eq!(hex(&subject), "e651d98d58f7d691d177f42e4c9fd2ec256327a00b104c4211e0e88f3d66d18d");
    assert_eq!(identifier_subject(" lto 0042 "), subject);
    assert_ne!(identifier_subject("LTO-0043"), subject);
}
