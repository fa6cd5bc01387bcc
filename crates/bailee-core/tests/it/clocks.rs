//! Rule 8 by example: clocks lapse bases and not data, on time, in order; meters count days once.

use bailee_core::gate::{self, Verb};
use bailee_core::hold::{EndReason, HoldStatus};
use bailee_core::id::*;
use bailee_core::instrument::{Ends, Instrument, Privacy};
use bailee_core::{Action, Code, DutyKind, Event, NewAsset, NewDemand, Reason, Record, Time};

use crate::house::*;

fn duties(records: &[Record]) -> Vec<DutyKind> {
    let kind = |record: &Record| match record.fact.event {
        Event::DutyRaised { kind, .. } => Some(kind),
        _ => None,
    };
    records.iter().filter_map(kind).collect()
}

#[test]
fn an_epoc_pr_lapses_on_day_sixty_or_once_extended_ninety_and_the_data_stays() {
    let mut house = House::new();
    let asset = house.asset(NewAsset { accounts: vec![], ..new_asset(1) });
    let hold = house.hold(on_assets(&[asset]), "epoc-pr");
    // 60 days after 1 September, at the end of that day in Brussels, past the summer time change.
    let due = Time::parse("2026-10-31T23:00:00Z").unwrap();
    assert_eq!(house.state.next_due(), Some(due));
    let extend = Action::ExtendBasis { hold, basis: 0, reason: because() };
    assert_eq!(house.days(59), []);
    house.now = Time(due.0 - 1);
    assert_eq!(House::names(&house.system(Action::Tick)), ["TimePassed"]);
    house.yes(STAFF, extend.clone());
    assert_eq!(house.no(STAFF, extend.clone()), Code::ExtensionExhausted);
    let due = Time::parse("2026-11-30T23:00:00Z").unwrap();
    assert_eq!(house.state.next_due(), Some(due));
    assert_eq!(house.days(29), []);
    house.now = due;
    let records = house.system(Action::Tick);
    assert_eq!(House::names(&records), ["BasisEnded", "DutyRaised"]);
    assert_eq!(duties(&records), [DutyKind::NoBasisLeft(hold)]);
    assert_eq!(house.no(STAFF, extend), Code::BasisEnded);
    assert_eq!(house.gate(asset), [Code::HoldInForce]);
}

#[test]
fn an_ended_basis_leaves_the_others_and_only_the_last_one_raises_a_duty() {
    let mut house = House::new();
    let asset = house.server(1);
    let open = house.hold(on_assets(&[asset]), "us-2703f");
    let epoc_pr = |hold| Action::AddBasis { hold, instrument: "epoc-pr".into(), reason: because() };
    // An open hold never turns silent: its owner would see it vanish.
    assert_eq!(house.no(STAFF, epoc_pr(open)), Code::BadValue);
    house.yes(STAFF, Action::EndBasis { hold: open, basis: 0, reason: because() });
    let hold = house.silent_hold(on_assets(&[asset]), "us-2703f");
    house.yes(STAFF, epoc_pr(hold));
    let end = |basis| Action::EndBasis { hold, basis, reason: because() };
    assert_eq!(house.no(STAFF, end(9)), Code::NotFound);
    // Both lapse, in the order of their due times; one duty, from the last.
    let records = house.days(100);
    assert_eq!(House::names(&records), ["BasisEnded", "BasisEnded", "DutyRaised"]);
    let order: Vec<u8> = records
        .iter()
        .filter_map(|record| match record.fact.event {
            Event::BasisEnded { basis, reason: EndReason::Lapsed, .. } => Some(basis),
            _ => None,
        })
        .collect();
    assert_eq!(order, [1, 0]);
    assert_eq!(house.no(STAFF, end(0)), Code::BasisEnded);
    let hold = house.hold(on_assets(&[asset]), "letter");
    let records = house.yes(STAFF, Action::EndBasis { hold, basis: 0, reason: because() });
    assert_eq!(duties(&records), [DutyKind::ReviewHold(hold)]);
    let extend = Action::ExtendBasis { hold, basis: 0, reason: because() };
    assert_eq!(house.no(STAFF, extend), Code::BasisEnded);
}

#[test]
fn what_is_no_ground_to_keep_data_by_itself_is_no_other_basis() {
    for keeps in [None, Some(true), Some(false)] {
        let mut house = House::new();
        let mut catalogue = house.state.catalogue.clone();
        let gag = instrument("us-2705", None, Ends::Floor, Privacy::Silent);
        // A fee that is asked for until a later day than the order lapses.
        let fee = instrument("us-2706", Some(61), Ends::Floor, Privacy::Open);
        catalogue.instruments.extend([gag, fee].map(|one| Instrument { keeps, ..one }));
        house.yes(COUNSEL, Action::LoadInstruments(catalogue));
        let asset = house.server(1);
        let order = || NewDemand {
            instrument: Some("epoc-pr".into()),
            ..letter("Authority", "Keep srv-0001")
        };
        let (demand, hold) = house.demand(order());
        house.accept(demand);
        for instrument in ["us-2705", "us-2706"] {
            let (instrument, reason) = (instrument.into(), because());
            house.yes(STAFF, Action::AddBasis { hold, instrument, reason });
        }
        let records = house.days(61);
        let ended = House::names(&records).into_iter().filter(|name| *name == "BasisEnded");
        assert_eq!(ended.count(), 2, "{keeps:?}");
        let none_left = duties(&records).into_iter().filter(|d| *d == DutyKind::NoBasisLeft(hold));
        assert_eq!(none_left.count(), usize::from(keeps == Some(false)), "{keeps:?}");
        // It freezes on all the same; and the order that comes again counts.
        assert!(house.gate(asset).contains(&Code::HoldInForce), "{keeps:?}");
        let again = house.try_run(bailee_core::By::System, Action::ReceiveDemand(order()));
        assert_eq!(again.is_ok(), keeps == Some(false), "{keeps:?}");
        assert_eq!(replay(&house.records, |_, _| false), house.state, "{keeps:?}");
    }
}

#[test]
fn a_hundred_days_settle_everything_in_the_order_it_fell_due_and_leave_nothing() {
    let mut house = House::new();
    let asset = house.server(1);
    let hold = house.hold(on_assets(&[asset]), "epoc-pr");
    house.release(hold);
    let (kept, silent) =
        (house.hold(on_assets(&[asset]), "us-2703f"), house.hold(on_accounts(&[MEGA]), "epoc-pr"));
    let until = Some(house.now.plus_days(3));
    house.yes(COUNSEL, Action::SetGag { hold: silent, until, reason: because() });
    house.system(Action::OpenMatter { title: "a case".into() });
    let records = house.days(100);
    let names = House::names(&records);
    let expected =
        ["GagEnded", "HoldReleased", "BasisEnded", "DutyRaised", "BasisEnded", "DutyRaised"];
    assert_eq!(names, expected, "no basis ends, and no duty is raised, on what was released");
    let raised = duties(&records);
    assert_eq!(raised, [DutyKind::NoBasisLeft(silent), DutyKind::ReviewHold(kept)]);
    assert_eq!(house.state.next_due(), None);
    assert_eq!(house.state.holds.get(hold).unwrap().status, HoldStatus::Released);
}

#[test]
fn many_clocks_in_one_tick_number_their_duties_in_order() {
    let mut house = House::new();
    let asset = house.server(1);
    for _ in 0..5 {
        house.hold(on_assets(&[asset]), "us-2703f");
    }
    let records = house.days(91);
    assert_eq!(duties(&records).len(), 5);
    assert_eq!(house.state.duties.len(), 5);
}

#[test]
fn a_gag_has_a_clock_apart_from_the_hold() {
    let mut house = House::new();
    let asset = house.server(1);
    let hold = house.hold(on_assets(&[asset]), "epoc-pr");
    let gag = |until| Action::SetGag { hold, until, reason: because() };
    assert_eq!(house.no(STAFF, gag(None)), Code::NotPermitted);
    assert_eq!(house.no(COUNSEL, gag(Some(house.now))), Code::BadValue);
    house.yes(COUNSEL, gag(Some(house.now.plus_days(5))));
    house.yes(COUNSEL, gag(Some(house.now.plus_days(10))));
    assert_eq!(house.days(5), []);
    assert_eq!(House::names(&house.days(5)), ["GagEnded"]);
    assert!(!house.state.holds.get(hold).unwrap().silent);
    assert_eq!(house.no(COUNSEL, gag(None)), Code::AlreadyDone);
}

#[test]
fn an_instrument_may_bring_a_clock_of_silence_of_its_own() {
    let mut house = House::new();
    let mut catalogue = house.state.catalogue.clone();
    let gag_days = Some(90);
    let gag = instrument("us-2705", None, Ends::Floor, Privacy::Silent);
    catalogue.instruments.push(Instrument { gag_days, ..gag });
    house.yes(COUNSEL, Action::LoadInstruments(catalogue));
    let asset = house.server(1);
    let holds = [1, 2, 3].map(|n| {
        let silent = (n == 2).then_some(false);
        let instrument = Some("us-2705".to_owned());
        let new = letter("Authority", &format!("Say nothing of {n}"));
        house.system(Action::ReceiveDemand(NewDemand { instrument, silent, ..new }));
        HoldId(n)
    });
    // An order may name another date, and a further order another 90 days.
    let until = Some(house.now.plus_days(180));
    house.yes(COUNSEL, Action::SetGag { hold: holds[2], until, reason: because() });
    let silent = |house: &House| holds.map(|hold| house.state.holds.get(hold).unwrap().silent);
    assert_eq!(silent(&house), [true, false, true]);
    house.days(89);
    assert_eq!(silent(&house), [true, false, true]);
    house.days(1);
    assert_eq!(silent(&house), [false, false, true]);
    house.days(90);
    assert_eq!(silent(&house), [false, false, false]);
    // The silence is over, the holds are not.
    assert!(!gate::verdict(&house.state, asset, Verb::LetGo, house.now, None).unwrap().is_clear());
    let in_force = |hold: &HoldId| house.state.holds.get(*hold).unwrap().in_force();
    assert!(holds.iter().all(in_force));
}

#[test]
fn a_meter_books_whole_days_once_however_the_clock_ticks() {
    for steps in [vec![10], vec![1; 10], vec![3, 7]] {
        let mut house = House::new();
        let matter = MatterId(1);
        house.system(Action::OpenMatter { title: "a case".into() });
        house.system(Action::StartMeter {
            matter,
            what: "server-days".into(),
            units: 630,
            daily: 145,
            currency: "EUR".into(),
        });
        for days in steps {
            house.days(days);
        }
        house.now = house.now.plus_seconds(3600);
        house.system(Action::StopMeter { meter: MeterId(1) });
        house.days(30);
        let costs = &house.state.matters.get(matter).unwrap().costs;
        let total: u64 = costs.iter().map(|cost| cost.amount).sum();
        assert_eq!(total, 630 * 145 * 10);
        assert_eq!(house.state.next_due(), None);
        let stop = Action::StopMeter { meter: MeterId(1) };
        assert_eq!(house.no(STAFF, stop), Code::AlreadyDone);
    }
}

#[test]
fn a_closed_matter_takes_no_new_hold() {
    let mut house = House::new();
    let matter = MatterId(1);
    house.system(Action::OpenMatter { title: "a case".into() });
    let place = Action::PlaceHold {
        scope: on_accounts(&[MEGA]),
        instrument: "letter".into(),
        matter: Some(matter),
        silent: None,
        reason: Reason::default(),
    };
    house.yes(STAFF, place.clone());
    assert_eq!(house.no(STAFF, Action::CloseMatter { matter }), Code::MatterNeedsHolds);
    house.release(HoldId(1));
    house.days(14);
    house.yes(STAFF, Action::CloseMatter { matter });
    assert_eq!(house.no(STAFF, place), Code::MatterClosed);
}

#[test]
fn time_never_goes_back_behind_the_log() {
    let mut house = House::new();
    let late = house.now;
    house.now = Time::parse("2001-01-01").unwrap();
    house.system(Action::OpenMatter { title: "a case".into() });
    assert_eq!(house.records.last().unwrap().at, late);
}
