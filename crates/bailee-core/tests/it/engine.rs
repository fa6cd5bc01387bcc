//! What keeps the packs by example: what was seen is on record, a person is called for what is new,
//! and a copy that lost something is counted on no more.

use bailee_core::disposition::DispositionKind;
use bailee_core::engine::{Canaries, Lost, Outcome, Trial};
use bailee_core::{Action, Code, DutyKind, Time};

use crate::house::*;

const ENGINE: &str = "https://s3.example.org/kept";

fn probe(trials: Vec<Trial>, lost: Vec<Lost>) -> Action {
    let canaries = Canaries { objects: 8, bytes: 1 << 27, lost };
    Action::RecordProbe { engine: ENGINE.into(), trials, canaries }
}

fn hold_of(outcome: Outcome) -> Vec<Trial> {
    vec![
        trial("read after write", Outcome::Holds, "the very bytes"),
        trial("legal hold", outcome, "as it is"),
    ]
}

fn duties(house: &House) -> Vec<DutyKind> {
    house.state.duties.iter().map(|(_, duty)| duty.kind).collect()
}

#[test]
fn what_is_new_and_bad_calls_a_person_once() {
    let mut house = House::new();
    let before = duties(&house).len();
    assert_eq!(
        House::names(&house.system(probe(hold_of(Outcome::Absent), vec![]))),
        ["EngineProbed"]
    );
    assert!(house.state.engines[ENGINE].bad().is_empty(), "what is not promised is no alarm");
    let at = house.state.head;
    let broken = house.system(probe(hold_of(Outcome::Broken), vec![]));
    assert_eq!(House::names(&broken), ["EngineProbed", "DutyRaised"]);
    assert_eq!(duties(&house)[before..], [DutyKind::InspectEngine(at)]);
    let found = &house.state.engines[ENGINE];
    assert_eq!((found.position, found.worse.as_slice()), (at, &["legal hold".to_owned()][..]));
    assert_eq!(found.bad(), ["legal hold broken: as it is"]);
    // The same a day later, and better: on record, and nobody is called.
    assert_eq!(house.system(probe(hold_of(Outcome::Broken), vec![])).len(), 1);
    assert_eq!(house.system(probe(hold_of(Outcome::Holds), vec![])).len(), 1);
    // A lock that was kept and is not promised any more is worse.
    assert_eq!(house.system(probe(hold_of(Outcome::Absent), vec![])).len(), 2);
    // Another place begins anew.
    let (engine, canaries) = ("disk".into(), Canaries::default());
    let other = Action::RecordProbe { engine, trials: hold_of(Outcome::Broken), canaries };
    assert_eq!(house.system(other).len(), 2);
    assert_eq!(house.state.engines.len(), 2);
}

#[test]
fn a_copy_that_lost_something_is_counted_on_no_more() {
    let mut house = House::new();
    let source = house.server(1);
    let snapshot = house.snapshot(source);
    assert!(house.state.snapshots.get(snapshot).unwrap().verified.is_some());
    let gone = || vec![lost(snapshot.0, "vault/t/aa"), lost(snapshot.0, "vault/t/bb")];
    let seen = house.system(probe(hold_of(Outcome::Holds), gone()));
    let names = ["EngineProbed", "DutyRaised", "SnapshotVerified", "DutyRaised"];
    assert_eq!(House::names(&seen), names);
    assert_eq!(duties(&house).last(), Some(&DutyKind::RepairSnapshot(snapshot)));
    assert_eq!(house.state.snapshots.get(snapshot).unwrap().verified, None);
    let found = &house.state.engines[ENGINE];
    assert_eq!(found.worse, ["vault/t/aa", "vault/t/bb"]);
    assert_eq!(found.bad()[0], format!("vault/t/aa of {snapshot} is missing"));
    assert_eq!(house.system(probe(hold_of(Outcome::Holds), gone())).len(), 1, "known by now");
    let more = vec![lost(snapshot.0, "vault/t/cc")];
    assert_eq!(house.system(probe(hold_of(Outcome::Holds), more)).len(), 2, "this one is not");
}

#[test]
fn what_was_not_read_stays_lost_until_its_copy_is_verified_and_harms_nothing_again() {
    let mut house = House::new();
    let asset = house.server(1);
    house.end_accounts();
    house.hold(on_assets(&[asset]), "letter");
    let snapshot = house.snapshot(asset);
    let silent = || probe(vec![trial("answers", Outcome::Silent, "no route")], vec![]);
    let is_verified =
        |house: &House| house.state.snapshots.get(snapshot).unwrap().verified.is_some();
    let lost_now = || probe(hold_of(Outcome::Holds), vec![lost(snapshot.0, "vault/t/aa")]);
    house.system(lost_now());
    // Nobody can look: it is lost still, though the entry names nothing that was not read.
    assert_eq!(House::names(&house.system(silent())), ["EngineProbed", "DutyRaised"]);
    assert_eq!(house.state.engines[ENGINE].canaries.lost[0].object, "vault/t/aa");
    assert!(!is_verified(&house));
    // Put right and verified whole: it is lost no more, and silence takes nothing of that back.
    house.system(Action::VerifySnapshot { snapshot, intact: true });
    assert_eq!(House::names(&house.system(silent())), ["EngineProbed"]);
    assert!(house.state.engines[ENGINE].canaries.lost.is_empty());
    assert!(is_verified(&house));
    // Lost again, it is new.
    assert_eq!(house.system(lost_now()).len(), 4);
    assert!(!is_verified(&house));
}

#[test]
fn a_clearance_that_rests_on_a_lost_copy_ends_in_the_same_append() {
    let mut house = House::new();
    let asset = house.server(1);
    house.end_accounts();
    let hold = house.hold(on_assets(&[asset]), "letter");
    house.yes(COUNSEL, Action::AllowCopy { hold, reason: because() });
    let snapshot = house.snapshot(asset);
    let disposition = house.ready(DispositionKind::Sanitize, &[asset]);
    house.begin(disposition, asset, 1);
    assert_eq!(house.gate(asset), [Code::ClearanceOutstanding], "the copy satisfies the hold");
    let seen = house.system(probe(hold_of(Outcome::Holds), vec![lost(snapshot.0, "vault/t/aa")]));
    let names = House::names(&seen);
    assert_eq!(names.iter().filter(|name| **name == "ClearanceRevoked").count(), 1, "{names:?}");
    assert!(house.gate(asset).contains(&Code::HoldInForce));
}

#[test]
fn an_engine_that_does_not_answer_is_asked_again_in_an_hour_and_others_in_a_day() {
    let mut house = House::new();
    let at = |house: &House| house.state.engines[ENGINE].at;
    let next = |house: &House| house.state.engines[ENGINE].next();
    house.system(probe(hold_of(Outcome::Broken), vec![]));
    assert_eq!(next(&house), at(&house).plus_days(1));
    house.system(probe(vec![trial("answers", Outcome::Silent, "no route")], vec![]));
    assert_eq!(next(&house), at(&house).plus_seconds(3_600));
    // Asked in vain once more, nobody is called; what it answers then is held against its last
    // answer.
    let silent = || probe(vec![trial("answers", Outcome::Silent, "no route")], vec![]);
    assert_eq!(house.system(silent()).len(), 1);
    assert_eq!(house.system(probe(hold_of(Outcome::Broken), vec![])).len(), 1);
    assert_eq!(house.system(silent()).len(), 2);
    let at_start = house.state.engines[ENGINE].next_at_start();
    assert!(at_start > house.now && at_start < Time(i64::MAX));
}

#[test]
fn a_finding_without_bound_or_sense_is_refused() {
    let house = House::new();
    let no = |action| match house.no(STAFF, action) {
        Code::BadValue => {}
        other => panic!("{other:?}"),
    };
    no(probe(vec![], vec![]));
    no(probe(vec![trial("", Outcome::Holds, "")], vec![]));
    no(probe(vec![trial("x", Outcome::Holds, &"y".repeat(1025))], vec![]));
    no(probe([hold_of(Outcome::Holds), hold_of(Outcome::Broken)].concat(), vec![]));
    let many = (0..65).map(|n| trial(&format!("{n}"), Outcome::Holds, ""));
    no(probe(many.collect(), vec![]));
    let (trials, canaries) = (hold_of(Outcome::Holds), Canaries::default());
    no(Action::RecordProbe { engine: " ".into(), trials, canaries });
    let action = probe(hold_of(Outcome::Holds), vec![lost(99, "vault/t/aa")]);
    assert_eq!(house.no(STAFF, action), Code::NotFound);
}
