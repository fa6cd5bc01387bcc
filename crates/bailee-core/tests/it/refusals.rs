//! Refusals that the log keeps: bounded, and the same after a replay and through an image.

use bailee_core::disposition::DispositionKind;
use bailee_core::id::*;
use bailee_core::refused::{Asked, MOST_A_DAY, Refused, Thing, at_the_door, is_kept, to_record};
use bailee_core::{Action, Command, Event, Triage, decide, from_image, run, to_image, wire};

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
        thing: None,
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

/// What a refused command leaves: the codes, what it was about, and how it is told.
fn left(house: &House, by: PartyId, action: Action) -> Option<Refused> {
    match record_of(house, &Command::by(by, action))? {
        Action::RecordRefusal { refused, .. } => Some(refused),
        other => panic!("{other:?}"),
    }
}

#[test]
fn refused_approvals_and_decisions_are_kept() {
    let mut house = House::new();
    let asset = house.server(1);
    let (demand, hold) = house.demand(letter("Rita Requester", "keep srv-0001"));
    let disposition = house.propose(DispositionKind::Sanitize, &[asset]);
    house.yes(OWNER, Action::FileObjection { disposition, by: OWNER, reason: because() });
    house.yes(OWNER, Action::RequestAccess { owner: OWNER, asset, reason: because() });
    let rotation = RotationId(1);
    house.yes(COUNSEL, rotate(1, 2));
    let (objection, access, no_words) = (ObjectionId(1), AccessId(1), Default::default());
    let cases = [
        (
            STAFF,
            Action::ApproveDisposition { disposition },
            Asked::ApproveDisposition,
            "approver_is_proposer",
            None,
        ),
        (
            STAFF,
            Action::DecideDemand { demand, triage: Triage::Refuse, reason: because() },
            Asked::DecideDemand,
            "not_permitted",
            None,
        ),
        (
            COUNSEL,
            Action::DecideObjection { objection, upheld: true, reason: no_words },
            Asked::DecideObjection,
            "bad_value",
            Some(Thing::Objection(objection)),
        ),
        (
            STAFF,
            Action::DecideAccess { access, granted: true, reason: Default::default() },
            Asked::DecideAccess,
            "bad_value",
            Some(Thing::Access(access)),
        ),
        (
            STAFF,
            Action::EndBasis { hold, basis: 7, reason: because() },
            Asked::EndBasis,
            "not_found",
            None,
        ),
        (
            COUNSEL,
            Action::ApproveRotation { rotation },
            Asked::ApproveRotation,
            "approver_is_proposer",
            Some(Thing::Rotation(rotation)),
        ),
    ];
    for (by, action, asked, code, thing) in cases {
        assert!(is_kept(&action), "{action:?}");
        let refused = left(&house, by, action).unwrap();
        assert_eq!((refused.asked, refused.codes), (asked, vec![code.to_owned()]));
        assert_eq!(refused.thing, thing, "{asked:?}");
        assert_eq!(refused.hold, (asked == Asked::EndBasis).then_some(hold));
        let of_disposition = asked == Asked::ApproveDisposition;
        assert_eq!(refused.disposition, of_disposition.then_some(disposition));
    }
    // What is not here is nothing that was refused.
    let nothing = Action::ApproveDisposition { disposition: DispositionId(9) };
    assert_eq!(left(&house, STAFF, nothing), None);
}

#[test]
fn what_was_to_be_decided_is_a_field_of_the_log_and_is_read_back() {
    let mut house = House::new();
    let rotation = RotationId(1);
    house.yes(COUNSEL, rotate(1, 2));
    let refused = left(&house, COUNSEL, Action::ApproveRotation { rotation }).unwrap();
    house.system(Action::RecordRefusal { by: COUNSEL, refused, holds: Vec::new() });
    let Some(Event::RequestRefused { thing, .. }) = house.records.last().map(|r| &r.fact.event)
    else {
        panic!("nothing is recorded");
    };
    assert_eq!(*thing, Some(Thing::Rotation(rotation)));
    let last = house.records.last().unwrap();
    assert!(last.fact.event.mentions().contains(&"R-1".to_owned()));
    let sections = wire::encode(last.at, last.by, &last.fact);
    let read = wire::decode(last.seq, sections.each_ref().map(Option::as_deref)).unwrap();
    assert_eq!(read, *last);
    assert_eq!(from_image(&to_image(&house.state)).as_ref(), Ok(&house.state));
    assert_eq!(replay(&house.records, |_, _| false), house.state);
}

#[test]
fn who_may_decide_nothing_grows_the_log_by_one_entry_whatever_it_names() {
    let mut house = House::new();
    let asset = house.server(1);
    house.propose(DispositionKind::Sanitize, &[asset]);
    let approve = |n| Action::ApproveDisposition { disposition: DispositionId(n) };
    let kept = [1, 2, 7_000].map(|n| left(&house, OWNER, approve(n)).unwrap());
    assert!(kept.iter().all(|refused| *refused == kept[0]), "{kept:?}");
    assert_eq!((kept[0].disposition, &kept[0].codes[..]), (None, &["not_permitted".into()][..]));
}

#[test]
fn a_door_that_stays_shut_is_one_entry_a_day_for_a_person_and_code() {
    let mut house = House::new();
    let at = |house: &House, by, code| at_the_door(&house.state, by, code, house.now);
    for (code, more) in [("scope_missing", 1), ("scope_missing", 0), ("not_permitted", 1)] {
        let before = house.records.len();
        if let Some(action) = at(&house, OWNER, code) {
            house.system(action);
        }
        assert_eq!(house.records.len() - before, more, "{code}");
    }
    assert!(at(&house, STRANGER, "scope_missing").is_some(), "another person");
    assert_eq!(at(&house, PartyId(99), "scope_missing"), None, "nobody");
    house.now = house.now.plus_days(1);
    assert!(at(&house, OWNER, "scope_missing").is_some(), "another day");
}
