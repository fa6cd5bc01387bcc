//! Which instrument a demand is: in one form, however it is written, and secret while nobody knows.

use bailee_core::demand::Flag;
use bailee_core::id::{DemandId, HoldId};
use bailee_core::{Action, Code, NewDemand, Triage};

use crate::house::*;

fn order(instrument: &str, silent: Option<bool>, text: &str) -> NewDemand {
    NewDemand { instrument: Some(instrument.into()), silent, ..letter("Nora", text) }
}

fn is_silent(house: &House, hold: HoldId) -> bool {
    house.state.holds.get(hold).unwrap().silent
}

fn is_unknown(house: &House, demand: DemandId) -> bool {
    house.state.demands.get(demand).unwrap().flags.contains(&Flag::UnknownInstrument)
}

#[test]
fn a_code_in_capitals_or_with_other_signs_is_the_same_instrument_and_as_secret() {
    let mut house = House::new();
    house.server(1);
    for (n, code) in
        ["EPOC-PR", " Epoc-Pr ", "epoc_pr", "EPOC PR", "epoc\u{2011}pr"].into_iter().enumerate()
    {
        let (demand, hold) = house.demand(order(code, None, &format!("keep srv-0001, {n}")));
        assert_eq!(house.state.demands.get(demand).unwrap().instrument, "epoc-pr", "{code:?}");
        assert!(is_silent(&house, hold) && !is_unknown(&house, demand), "{code:?}");
    }
    let (scope, instrument) = (on_accounts(&[MEGA]), "EPOC_PR".to_owned());
    let reason = because();
    let place = Action::PlaceHold { scope, instrument, matter: None, silent: None, reason };
    house.yes(STAFF, place);
    let hold = house.state.holds.iter().last().unwrap().1;
    assert_eq!((hold.bases[0].instrument.as_str(), hold.silent), ("epoc-pr", true));

    let mut two = catalogue();
    let mut twin = two.instruments[1].clone();
    twin.code = "Epoc_PR".into();
    two.instruments.push(twin);
    assert_eq!(house.no(COUNSEL, Action::LoadInstruments(two)), Code::BadValue);
}

#[test]
fn what_nobody_knows_is_silent_until_counsel_opens_it() {
    let mut house = House::new();
    house.server(1);
    let (demand, hold) = house.demand(order("papal-bull", None, "keep srv-0001"));
    assert!(is_unknown(&house, demand) && is_silent(&house, hold));
    assert!(bailee_core::view::owner(&house.state, OWNER).holds.is_empty());
    // Accepted it stays so: what it is, and whether it is secret, are two questions.
    let (triage, reason) = (Triage::Accept(None), because());
    house.yes(STAFF, Action::DecideDemand { demand, triage, reason });
    assert!(is_silent(&house, hold));
    let open = || Action::SetGag { hold, until: None, reason: because() };
    assert_eq!(house.no(STAFF, open()), Code::NotPermitted);
    house.yes(COUNSEL, open());
    assert!(!is_silent(&house, hold));
    assert_eq!(bailee_core::view::owner(&house.state, OWNER).holds, [hold]);

    // Who says that the owner may know is believed.
    let (_, hold) = house.demand(order("papal-bull", Some(false), "keep srv-0001, openly"));
    assert!(!is_silent(&house, hold));
}

#[test]
fn a_letter_that_comes_again_as_something_unknown_is_not_swallowed_by_an_open_hold() {
    let mut house = House::new();
    house.server(1);
    let (_, open) = house.demand(letter("Nora", "keep srv-0001"));
    let again = order("papal-bull", None, "keep srv-0001");
    let (_, silent) = house.demand(again.clone());
    assert!(!is_silent(&house, open) && is_silent(&house, silent));
    assert_eq!(house.no(STAFF, Action::ReceiveDemand(again)), Code::AlreadyDone);
}

#[test]
fn an_empty_field_names_no_instrument() {
    let mut house = House::new();
    house.server(1);
    for (n, code) in ["", "  ", "\t"].into_iter().enumerate() {
        let (demand, hold) = house.demand(order(code, None, &format!("keep srv-0001, {n}")));
        assert_eq!(house.state.demands.get(demand).unwrap().instrument, "letter", "{code:?}");
        assert!(!is_silent(&house, hold) && !is_unknown(&house, demand), "{code:?}");
    }
}
