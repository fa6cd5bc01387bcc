//! Refusals that the log keeps: bounded, and the same after a replay and through an image.

use bailee_core::id::*;
use bailee_core::refused::{Asked, MOST_A_DAY, Refused, is_kept, to_record};
use bailee_core::{Action, Command, Event, decide, run};

use crate::house::*;

/// What records a refused command, if anything does.
fn record_of(house: &House, command: &Command) -> Option<Action> {
    let refusal = decide(&house.state, command, house.now).unwrap_err();
    to_record(&house.state, command, &refusal, house.now)
}

#[test]
fn a_refused_begin_is_kept_with_its_asset_and_what_came_between() {
    let (mut house, asset, x) = House::about_to_go(1);
    let clearance = house.reserve(x, asset, 1);
    let (_, hold) = house.demand(letter("Rita Requester", "keep srv-0001"));
    let begin = Command::by(STAFF, Action::Begin { clearance });
    let Some(Action::RecordRefusal { by, refused, holds }) = record_of(&house, &begin) else {
        panic!("nothing is kept");
    };
    assert_eq!((by, refused.asked, refused.asset), (STAFF, Asked::Begin, Some(asset)));
    // It is the clearance that is no good any more; the gate was not asked.
    assert_eq!((refused.codes, holds), (vec!["clearance_revoked".to_owned()], vec![]));
    let reserve = Command::by(STAFF, house.reserve_action(x, asset, 1));
    let Some(Action::RecordRefusal { refused, holds, .. }) = record_of(&house, &reserve) else {
        panic!("nothing is kept");
    };
    assert_eq!((refused.codes[0].as_str(), holds), ("hold_provisional", vec![hold]));
    // Bailee's own commands, and what nobody else would ask for, leave nothing.
    let own = Command::system(house.reserve_action(x, asset, 1));
    assert_eq!(record_of(&house, &own), None);
    assert!(!is_kept(&Action::Tick) && is_kept(&reserve.action));
}

#[test]
fn a_day_has_so_many_of_a_person_and_the_last_says_so() {
    let mut house = House::new();
    let refused = |n: usize| Refused {
        asked: Asked::Reserve,
        asset: Some(AssetId(n as u32)),
        disposition: Some(DispositionId(1)),
        hold: None,
        codes: vec!["hold_in_force".into()],
    };
    let ask = |house: &mut House, by, n| {
        let (refused, holds) = (refused(n), vec![]);
        let command = Command::system(Action::RecordRefusal { by, refused, holds });
        let records = run(&mut house.state, &command, house.now).unwrap();
        house.records.extend(records.iter().cloned());
        records
    };
    for n in 1..=MOST_A_DAY {
        let records = ask(&mut house, STAFF, n);
        let [record] = &records[..] else { panic!("{n}: {records:?}") };
        let Event::RequestRefused { last, .. } = record.fact.event else { panic!("{record:?}") };
        assert_eq!(last, n == MOST_A_DAY, "{n}");
    }
    assert_eq!(ask(&mut house, STAFF, 1), [], "the same");
    assert_eq!(ask(&mut house, STAFF, MOST_A_DAY + 1), [], "one too many");
    assert_eq!(ask(&mut house, COUNSEL, 1).len(), 1, "another person");
    house.now = house.now.plus_days(1);
    assert_eq!(ask(&mut house, STAFF, 1).len(), 1, "another day");
    assert_eq!(replay(&house.records, |_, _| false), house.state);
}
