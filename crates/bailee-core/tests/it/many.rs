//! One hold over many objects: it pins their root, so its entry is as long as one over a single
//! object, and every one of them is blocked by it from then on.

use bailee_core::id::AssetId;
use bailee_core::{Action, Code, Command, Event, Reason, Record, State, check, run, wire};

use crate::house::*;

/// A house whose first account has so many servers with so many snapshots each.
fn full(servers: u32, each: u32) -> House {
    let mut house = House::new();
    let taken = house.now;
    let act = |state: &mut State, action| run(state, &Command::system(action), taken).unwrap();
    for n in 1..=servers {
        let source = house.state.assets.next();
        act(&mut house.state, Action::RegisterAsset(new_asset(n)));
        for _ in 0..each {
            let vault_id = house.state.snapshots.next().to_string();
            let (root, bytes, unreadable, changed) = ([1; 32], 10, 0, 0);
            let action = Action::RecordSnapshot {
                source,
                root,
                vault_id,
                bytes,
                unreadable,
                changed,
                taken,
            };
            act(&mut house.state, action);
        }
    }
    house
}

/// Bytes of an entry's sections.
fn length(records: &[Record]) -> usize {
    let sections = records.iter().flat_map(|r| wire::encode(r.at, r.by, &r.fact));
    sections.flatten().map(|section| section.len()).sum()
}

#[test]
fn an_entry_that_holds_ten_thousand_objects_is_as_long_as_one_that_holds_two() {
    let (mut few, mut many) = (full(1, 1), full(100, 100));
    let assets = |house: &House| house.state.assets.len();
    assert_eq!((assets(&few), assets(&many)), (2, 10_100));
    let (letter, text) = ("Rita Requester", "Please keep everything of mega store.");
    for action in [
        Action::PlaceHold {
            scope: on_accounts(&[MEGA]),
            instrument: "letter".into(),
            matter: None,
            silent: None,
            reason: Reason::default(),
        },
        Action::ReceiveDemand(crate::house::letter(letter, text)),
    ] {
        let entries = [&mut few, &mut many].map(|house| house.system(action.clone()));
        let holds = |records: &Vec<Record>| {
            let placed = |r: &&Record| matches!(r.fact.event, Event::HoldPlaced { .. });
            records.iter().filter(placed).count()
        };
        assert_eq!(entries.each_ref().map(holds), [1, 1], "one hold, whatever it reaches");
        assert_eq!(length(&entries[0]), length(&entries[1]));
        assert!(length(&entries[0]) < 1000, "{}", length(&entries[0]));
    }
    for id in 1..=10_100 {
        let mut blocked = many.gate(AssetId(id)).into_iter();
        assert!(blocked.any(|code| code == Code::HoldInForce), "A-{id}");
    }
    assert_eq!(check(&many.state), []);
}
