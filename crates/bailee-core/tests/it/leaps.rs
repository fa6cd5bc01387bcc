//! What a leap of the clock does not do (rules 1, 6, 8, 9 where the clock is wrong).

use bailee_core::hold::HoldStatus;
use bailee_core::id::*;
use bailee_core::{Action, Code, DutyKind, Event, NewAsset, Record, State};

use crate::house::*;

fn called(records: &[Record]) -> Vec<DutyKind> {
    let kind = |record: &Record| match record.fact.event {
        Event::DutyRaised { kind, .. } => Some(kind),
        _ => None,
    };
    records.iter().filter_map(kind).collect()
}

/// A house with an asset that a released hold keeps for fourteen more days.
fn cooling() -> (House, AssetId, HoldId) {
    let mut house = House::new();
    let asset = house.asset(NewAsset { accounts: vec![], ..new_asset(1) });
    let hold = house.hold(on_assets(&[asset]), "letter");
    house.release(hold);
    (house, asset, hold)
}

#[test]
fn by_a_leap_of_the_clock_nothing_thaws_and_a_person_is_called() {
    let (mut house, asset, hold) = cooling();
    let kept = house.silent_hold(on_assets(&[asset]), "us-2703f");
    let until = Some(house.now.plus_days(90));
    house.yes(COUNSEL, Action::SetGag { hold: kept, until, reason: because() });
    let entry = house.state.head;
    let records = house.leap(3_650);
    assert_eq!(called(&records), [DutyKind::CheckClock(entry)]);
    assert_eq!(records.len(), 1, "no basis lapses, no silence ends");
    assert_eq!(house.gate(asset), [Code::HoldInForce, Code::HoldCooling]);
    assert_eq!(house.system(Action::Tick), [], "the person is called once");

    // The clock is put right: the log waits for it, and from then on all is as it was promised.
    let leapt = house.now;
    house.now = leapt.plus_days(1);
    house.system(Action::Tick);
    assert!(matches!(house.state.holds.get(hold).unwrap().status, HoldStatus::Cooling(_)));
}

#[test]
fn a_leap_is_believed_once_the_clock_was_seen_running_for_two_days() {
    let (mut house, asset, hold) = cooling();
    house.leap(30);
    assert_eq!(house.days(1), []);
    assert_eq!(house.gate(asset), [Code::HoldCooling]);
    assert_eq!(House::names(&house.days(1)), ["HoldReleased"]);
    assert_eq!(house.gate(asset), []);
    assert!(!house.state.holds.get(hold).unwrap().in_force());
    assert_eq!(house.state.leap, None);
}

#[test]
fn leap_upon_leap_is_not_the_clock_running() {
    let (mut house, asset, _) = cooling();
    for _ in 0..5 {
        house.leap(30);
    }
    assert_eq!(house.gate(asset), [Code::HoldCooling]);
    let called =
        house.state.duties.iter().filter(|(_, duty)| matches!(duty.kind, DutyKind::CheckClock(_)));
    assert_eq!(called.count(), 1);
    // Looked at seldom, yet often enough.
    house.leap(1);
    house.leap(30);
    house.leap(1);
    assert_eq!(house.gate(asset), []);
}

#[test]
fn a_house_that_is_looked_at_once_a_week_never_leaps() {
    let (mut house, asset, _) = cooling();
    for _ in 0..2 {
        house.leap(7);
    }
    assert_eq!(house.gate(asset), []);
    assert_eq!(house.state.leap, None);
}

#[test]
fn a_leap_ends_no_retention_and_every_reservation() {
    let mut house = House::new();
    let asset = house.server(1);
    house.yes(STAFF, Action::TerminateAccount { account: MEGA });
    house.leap(30);
    assert_eq!(house.gate(asset), [Code::ClockInDoubt]);
    house.days(2);
    assert_eq!(house.gate(asset), []);

    let (mut house, asset, x) = House::about_to_go(1);
    let clearance = house.reserve(x, asset, 1);
    let records = house.leap(30);
    assert_eq!(House::names(&records), ["ClearanceExpired", "DutyRaised"]);
    assert_eq!(house.no(STAFF, Action::Begin { clearance }), Code::ClearanceExpired);
}

#[test]
fn a_quiet_day_is_an_entry_of_its_own() {
    let mut house = House::new();
    let head = house.state.head;
    assert_eq!(House::names(&house.leap(1)), ["TimePassed"]);
    assert_eq!(house.system(Action::Tick), []);
    house.now = house.now.plus_seconds(86_399);
    assert_eq!(house.system(Action::Tick), []);
    assert_eq!(house.state.head, head + 1);
    let mut empty = House { state: State::default(), now: house.now, records: Vec::new() };
    assert_eq!(empty.system(Action::Tick), [], "an empty log has no days");
}

#[test]
fn a_second_jump_is_not_the_clock_running() {
    let (mut house, asset, _) = cooling();
    for days in [70, 3, 3] {
        house.leap(days);
    }
    assert_eq!(house.gate(asset), [Code::HoldCooling]);
    house.days(2);
    assert_eq!(house.gate(asset), []);
}

#[test]
fn a_basis_that_lapsed_by_a_leap_only_is_extended_as_it_was() {
    let mut house = House::new();
    let asset = house.server(1);
    let hold = house.hold(on_assets(&[asset]), "us-2703f");
    let right = house.now.plus_days(1);
    house.leap(100);
    house.now = right;
    let reason = because();
    house.yes(STAFF, Action::ExtendBasis { hold, basis: 0, reason });
    assert_eq!(house.state.holds.get(hold).unwrap().bases[0].extensions, 1);
}
