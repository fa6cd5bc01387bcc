//! The log's keys by example: who may change them, which pair signs when, and what a lost key
//! costs.

use bailee_core::id::RotationId;
use bailee_core::rotation::{KeyEnd, RotationStatus};
use bailee_core::{Action, By, Code, Continue, Event, Fact, Reason, Record, apply, check};

use crate::house::*;

const R1: RotationId = RotationId(1);

fn end(why: KeyEnd) -> Action {
    Action::EndRotation { rotation: R1, why, reason: because() }
}

fn approve() -> Action {
    Action::ApproveRotation { rotation: R1 }
}

#[test]
fn both_pairs_sign_from_the_approval_to_the_end_and_then_only_the_new_one() {
    let mut house = House::new();
    assert_eq!((house.state.ring.current(), house.state.ring.since()), (None, 0));
    house.yes(STAFF, rotate(1, 2));
    assert!(house.state.ring.overlap().is_none(), "one person begins nothing");
    let begun = house.yes(COUNSEL, approve())[0].seq;
    let ring = &house.state.ring;
    assert_eq!(ring.current(), Some(&log_keys(1)));
    assert_eq!(ring.overlap().map(|r| &r.to), Some(&log_keys(2)));
    assert_eq!(ring.since(), begun + 1);
    assert_eq!(house.no(STAFF, end(KeyEnd::Retired)), Code::OverlapRunning);
    house.days(30);
    let ended = house.yes(OPS, end(KeyEnd::Retired))[0].seq;
    let ring = &house.state.ring;
    assert_eq!((ring.current(), ring.since()), (Some(&log_keys(2)), ended + 1));
    assert!(ring.overlap().is_none() && ring.open().is_none());
    assert!(ring.retired(&[1; 32]) && !ring.retired(&[2; 32]));
}

#[test]
fn two_persons_change_the_keys_and_one_of_them_is_counsel() {
    let mut house = House::new();
    house.yes(STAFF, rotate(1, 2));
    assert_eq!(house.no(STAFF, approve()), Code::ApproverIsProposer);
    assert_eq!(house.no(ALIAS, approve()), Code::ApproverIsProposer);
    assert_eq!(house.no(OPS, approve()), Code::CounselMissing);
    assert_eq!(house.no(OWNER, approve()), Code::NotPermitted);
    house.yes(COUNSEL, approve());
    assert_eq!(house.no(OPS, approve()), Code::AlreadyDone);
    let mut other = House::new();
    other.yes(COUNSEL, rotate(1, 2));
    other.yes(OPS, approve());
}

#[test]
fn a_stolen_key_ends_at_once_with_what_is_known_of_the_theft() {
    let mut house = House::new();
    house.yes(COUNSEL, rotate(1, 2));
    house.yes(STAFF, approve());
    let reason = Reason::default();
    let silent = Action::EndRotation { rotation: R1, why: KeyEnd::Stolen, reason };
    assert_eq!(house.no(STAFF, silent), Code::BadValue);
    house.yes(STAFF, end(KeyEnd::Stolen));
    let status = house.state.ring.rotations.get(R1).unwrap().status;
    assert!(matches!(status, RotationStatus::Ended { why: KeyEnd::Stolen, .. }), "{status:?}");
}

#[test]
fn a_key_never_comes_back_unless_it_never_signed() {
    let mut house = House::new();
    house.yes(COUNSEL, rotate(1, 2));
    assert_eq!(house.no(STAFF, rotate(1, 3)), Code::RotationOpen);
    let cancel = |rotation| Action::CancelRotation { rotation, reason: because() };
    house.yes(STAFF, cancel(R1));
    // Nobody had approved it.
    house.yes(COUNSEL, rotate(1, 2));
    house.yes(STAFF, Action::ApproveRotation { rotation: RotationId(2) });
    house.yes(STAFF, cancel(RotationId(2)));
    assert_eq!(house.state.ring.current(), Some(&log_keys(1)), "the old pair goes on");
    assert!(![[1; 32], [2; 32]].iter().any(|key| house.state.ring.retired(key)));
    assert_eq!(house.no(COUNSEL, rotate(1, 2)), Code::BadValue);
    assert_eq!(house.no(COUNSEL, rotate(2, 3)), Code::BadValue, "the old pair is another");
    assert_eq!(house.no(COUNSEL, rotate(1, 1)), Code::BadValue);
    house.yes(COUNSEL, rotate(1, 3));
}

#[test]
fn an_overlap_has_an_end_and_a_rotation_a_reason() {
    let house = House::new();
    let propose = |overlap_days, reason| {
        let (from, to) = (log_keys(1), log_keys(2));
        Action::ProposeRotation { from, to, overlap_days, reason }
    };
    assert_eq!(house.no(STAFF, propose(0, because())), Code::BadValue);
    assert_eq!(house.no(STAFF, propose(3_651, because())), Code::BadValue);
    assert_eq!(house.no(STAFF, propose(30, Reason::default())), Code::BadValue);
}

#[test]
fn a_log_goes_on_under_another_name_with_the_same_entries() {
    let mut house = House::new();
    house.yes(STAFF, rotate(1, 2));
    let head = house.state.head;
    let to = go_on(3, head);
    let at = house.yes(COUNSEL, Action::ContinueLog { to: to.clone(), reason: because() })[0].seq;
    let ring = &house.state.ring;
    assert_eq!((at, ring.origin()), (head, Some("log.example/2027")));
    assert_eq!((ring.current(), ring.since()), (Some(&log_keys(3)), head + 1));
    assert!(ring.open().is_none(), "what was being rotated is lost with the key");
    let again = Action::ContinueLog { to, reason: because() };
    assert_eq!(house.no(COUNSEL, again), Code::BadValue);
}

#[test]
fn a_log_does_not_go_on_under_a_name_or_key_it_had_nor_past_its_end() {
    let house = House::new();
    let head = house.state.head;
    let no = |to: Continue| house.no(COUNSEL, Action::ContinueLog { to, reason: because() });
    assert_eq!(no(go_on(3, head + 1)), Code::BadValue);
    assert_eq!(no(Continue { origin: "log.example/2026".into(), ..go_on(3, 0) }), Code::BadValue);
    assert_eq!(no(Continue { origin: "a b".into(), ..go_on(3, 0) }), Code::BadValue);
    assert_eq!(no(Continue { key: [3; 32], ..go_on(3, 0) }), Code::BadValue);
}

#[test]
fn a_rotation_that_one_person_began_is_found_by_scan() {
    let mut house = House::new();
    let proposed = house.yes(STAFF, rotate(1, 2)).remove(0);
    for (by, found) in [(ALIAS, "approved by its proposer"), (OPS, "approved without counsel")] {
        let event = Event::RotationBegun { rotation: R1, until: proposed.at };
        let seq = house.state.head;
        let forged = Record { seq, by: By::Party(by), fact: Fact::of(event), ..proposed.clone() };
        let mut state = house.state.clone();
        apply(&mut state, &forged).unwrap();
        let broken: Vec<String> = check(&state).iter().map(ToString::to_string).collect();
        assert!(broken.iter().any(|line| line.contains(found)), "{broken:?}");
    }
}
