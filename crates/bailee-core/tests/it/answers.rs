//! A letter that names a notice of ours, or the proposal it tells of, freezes what is to go; from a
//! party who is owed a notice it is an objection (rules 1 and 6).

use bailee_core::demand::Flag;
use bailee_core::disposition::DispositionKind;
use bailee_core::id::*;
use bailee_core::{Action, Code, DutyKind, Event, NewAsset, NewDemand, Record, answers};

use crate::house::*;

/// A server of Otto's that Rita once asked for, proposed to be wiped: the notices of it.
fn proposed() -> (House, AssetId, DispositionId, Vec<NoticeId>) {
    let mut house = House::new();
    let asset = house.server(1);
    let (demand, _) = house.demand(letter("Rita Requester", "keep srv-0001"));
    let (triage, reason) = (bailee_core::Triage::Refuse, because());
    house.yes(COUNSEL, Action::DecideDemand { demand, triage, reason });
    house.end_accounts();
    house.days(15);
    let x = house.ready(DispositionKind::Sanitize, &[asset]);
    let notices = house.state.dispositions.get(x).unwrap().notices.clone();
    assert_eq!(notices.len(), 2);
    (house, asset, x, notices)
}

fn to(house: &House, notices: &[NoticeId], party: PartyId) -> NoticeId {
    let of = |id: &&NoticeId| house.state.notices.get(**id).unwrap().to == party;
    *notices.iter().find(of).unwrap()
}

fn taken(house: &mut House, from: &str, text: &str) -> Vec<Record> {
    house.system(Action::ReceiveDemand(letter(from, text)))
}

#[test]
fn who_answers_a_notice_as_it_says_stops_what_it_tells_of() {
    let (mut house, asset, x, notices) = proposed();
    let notice = to(&house, &notices, REQUESTER);
    let clearance = house.reserve(x, asset, 1);
    let text = format!("I object to {x} (re: {}).", notice.to_string().to_lowercase());
    let records = taken(&mut house, "Rita Requester", &text);
    let names =
        ["DemandReceived", "HoldPlaced", "ClearanceRevoked", "ObjectionFiled", "DutyRaised"];
    assert_eq!(House::names(&records), names);
    let Event::DemandReceived { demand, hold, ref flags, .. } = records[0].fact.event else {
        panic!("no demand")
    };
    assert_eq!(*flags, []);
    assert_eq!(records[2].fact.event, Event::ClearanceRevoked { clearance, hold });
    let objection = ObjectionId(1);
    let filed = Event::ObjectionFiled { objection, disposition: x, by: REQUESTER };
    assert_eq!(records[3].fact.event, filed);
    let papers = |n: usize| records[n].fact.papers.clone().unwrap().exhibits;
    assert_eq!(papers(3), papers(0), "the letter is its reasons");
    let duty = &house.state.duties.iter().last().unwrap().1;
    assert_eq!(duty.kind, DutyKind::Triage(demand));
    let told = answers(&house.state, demand);
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].disposition, told[0].notice), (x, Some(notice)));
    assert_eq!(told[0].objection, Some(objection));
    assert!(house.gate(asset).contains(&Code::HoldProvisional));

    // Thawed, the objection still stands in the way until counsel decides it in writing.
    let (triage, reason) = (bailee_core::Triage::Refuse, because());
    house.yes(COUNSEL, Action::DecideDemand { demand, triage, reason });
    house.days(15);
    assert_eq!(house.gate(asset), []);
    assert_eq!(house.no(STAFF, house.reserve_action(x, asset, 1)), Code::ObjectionOpen);
    let decide = Action::DecideObjection { objection, upheld: true, reason: because() };
    house.yes(COUNSEL, decide);
    assert!(answers(&house.state, demand).is_empty(), "it is cancelled");
    // What is closed is not stopped any more.
    let records = taken(&mut house, "Rita Requester", &format!("{x}: thank you."));
    let names = ["DemandReceived", "HoldPlaced", "DutyRaised"];
    assert_eq!(House::names(&records), names);
    assert!(replay(&house.records, |_, _| false) == house.state);
}

#[test]
fn whoever_names_a_proposal_freezes_it_and_only_who_is_owed_a_notice_objects() {
    let (mut house, asset, x, notices) = proposed();
    let of_owner = to(&house, &notices, OWNER);
    for (n, text) in [format!("Re: {of_owner}"), format!("stop {x}!")].into_iter().enumerate() {
        let records = taken(&mut house, &format!("Nora {n}"), &text);
        let names = ["PartyRegistered", "DemandReceived", "HoldPlaced", "DutyRaised"];
        assert_eq!(House::names(&records), names, "{text}");
        let demand = house.state.demands.iter().last().unwrap().0;
        let told = answers(&house.state, demand);
        assert_eq!((told[0].disposition, told[0].objection), (x, None), "{text}");
    }
    let holds = bailee_core::coverage::holds(&house.state, asset);
    assert_eq!(holds.len(), 3);
    // An answering machine freezes, and has no opinion.
    let text = format!("I am away. Your message: {of_owner}");
    let absent = NewDemand { automatic: true, ..letter("Otto Owner", &text) };
    let records = house.system(Action::ReceiveDemand(absent));
    assert_eq!(House::names(&records), ["DemandReceived", "HoldPlaced", "DutyRaised"]);
    let records = taken(&mut house, "Otto Owner", &format!("I am back, and object to {x}."));
    assert!(House::names(&records).contains(&"ObjectionFiled"));
}

#[test]
fn what_is_written_like_an_id_of_ours_and_is_none_freezes_nothing() {
    let (mut house, _, x, _) = proposed();
    for text in ["keep 2 x 1 TB", "N-900 and X-77", "srv-x-1", "the notices N-1a"] {
        let (demand, hold) = house.demand(letter("Nora", text));
        assert_eq!(house.state.holds.get(hold).unwrap().scope.assets, [], "{text}");
        assert!(answers(&house.state, demand).is_empty(), "{text}");
    }
    assert!(house.state.dispositions.get(x).unwrap().objections.is_empty());
}

#[test]
fn a_letter_that_names_ids_of_ours_means_what_has_them() {
    let mut house = House::new();
    let (first, second) = (house.server(1), house.server(2));
    let (demand, _) = house.demand(letter("Rita Requester", "keep srv-0001"));
    let asked = |house: &mut House, from: &str, text: &str| {
        let (_, hold) = house.demand(letter(from, text));
        house.state.holds.get(hold).unwrap().scope.clone()
    };
    let again = asked(&mut house, "Rita Requester", &format!("Please keep what {demand} asks for"));
    assert_eq!(again.assets, [first]);
    assert_eq!(asked(&mut house, "Nora", "keep a-2, please").assets, [second]);
    assert_eq!(asked(&mut house, "Nora", "all of AC\u{2011}1").accounts, [MEGA]);
    assert_eq!(asked(&mut house, "Nora", "all of AC-9, A-77 and H-99").assets, []);
}

#[test]
fn a_silent_hold_is_named_only_by_who_asked_for_it() {
    let mut house = House::new();
    let asset = house.server(1);
    let secret = NewDemand { silent: Some(true), ..letter("Ann Authority", "keep srv-0001") };
    let (demand, hold) = house.demand(secret);
    let named = |house: &mut House, from: &str, text: String| {
        let (_, hold) = house.demand(letter(from, &text));
        house.state.holds.get(hold).unwrap().scope.assets.clone()
    };
    for text in [format!("as in {demand}"), format!("as in {hold}")] {
        assert_eq!(named(&mut house, "Nora", text.clone()), [], "{text}: it would be told by that");
        assert_eq!(named(&mut house, "Ann Authority", text), [asset]);
    }
}

/// An owner who counts numbers up: what one of them is of shows in nothing that becomes of it.
#[test]
fn an_owner_who_names_what_is_not_theirs_learns_nothing_of_it() {
    let mut house = House::new();
    let other = house.server(1);
    let mut secret = letter("Ann Authority", "keep srv-0001");
    let (open, open_hold) = house.demand(letter("Rita Requester", "keep srv-0001"));
    secret.silent = Some(true);
    let (silent, silent_hold) = house.demand(secret);
    let dana = BLUE;
    let mut seen = Vec::new();
    for text in [
        open.to_string(),
        open_hold.to_string(),
        silent.to_string(),
        silent_hold.to_string(),
        other.to_string(),
        "H-90".into(),
        "A-90".into(),
        "X-7 and N-90".into(),
    ] {
        let (demand, hold) = house.demand(letter("Sam Stranger", &format!("I ask about {text}")));
        let accounts = house.state.holds.get(hold).unwrap().scope.accounts.clone();
        let flags = house.state.demands.get(demand).unwrap().flags.clone();
        let own: Vec<_> = accounts.into_iter().filter(|id| *id == dana).collect();
        seen.push((own, flags));
    }
    assert_eq!(seen[0], (vec![dana], vec![Flag::ScopeUnreadable]));
    assert!(seen.iter().all(|one| *one == seen[0]), "{seen:?}");
}

#[test]
fn an_owner_who_names_what_is_theirs_means_that() {
    let mut house = House::new();
    let dana = BLUE;
    let own = house.asset(NewAsset { accounts: vec![dana], ..new_asset(3) });
    let (first, hold) = house.demand(letter("Sam Stranger", &format!("Please keep {own}.")));
    let scope = |house: &House, hold| house.state.holds.get(hold).unwrap().scope.clone();
    assert_eq!(
        (&*scope(&house, hold).assets, &*scope(&house, hold).accounts),
        (&[own][..], &[][..])
    );
    let (_, again) = house.demand(letter("Sam Stranger", &format!("As in {first} and {hold}.")));
    assert_eq!(scope(&house, again).assets, [own]);
    assert_eq!(scope(&house, again).accounts, []);
}

#[test]
fn who_answers_the_dismissal_of_an_objection_stops_it_again() {
    let (mut house, asset, x, _) = proposed();
    taken(&mut house, "Rita Requester", &format!("I object to {x}."));
    let (demand, objection) = (DemandId(2), ObjectionId(1));
    let (triage, reason) = (bailee_core::Triage::Refuse, because());
    house.yes(COUNSEL, Action::DecideDemand { demand, triage, reason });
    let dismiss = Action::DecideObjection { objection, upheld: false, reason: because() };
    house.yes(COUNSEL, dismiss);
    house.days(15);
    assert_eq!(house.gate(asset), []);
    let told = house.state.notices.iter().last().unwrap().0;
    for text in [format!("Re: {told}"), format!("I insist ({objection})")] {
        let records = taken(&mut house, "Rita Requester", &text);
        assert!(House::names(&records).contains(&"ObjectionFiled"), "{text}");
        assert!(house.gate(asset).contains(&Code::HoldProvisional), "{text}");
    }
}

#[test]
fn a_range_of_ids_means_what_lies_between() {
    let mut house = House::new();
    let all: Vec<AssetId> = (1..=4).map(|n| house.server(n)).collect();
    for text in ["A-1 to A-3", "a-1 \u{2013} 3", "A-1 through A-3.", "A-1..A-3", "A-1 - A-3"] {
        let (_, hold) = house.demand(letter("Nora", &format!("keep {text}, please")));
        assert_eq!(house.state.holds.get(hold).unwrap().scope.assets, all[..3], "{text}");
    }
    let (_, hold) = house.demand(letter("Nora", "keep A-1 to A-4000000000"));
    assert_eq!(house.state.holds.get(hold).unwrap().scope.assets, all);
}

#[test]
fn who_answers_one_of_our_letters_answers_in_confidence_but_an_owner() {
    for (from, silent) in [("Nora", true), ("Ann Authority", true), ("Otto Owner", false)] {
        // The same with a secret order and without one.
        for secret in [true, false] {
            let mut house = House::new();
            house.server(1);
            let order = |from| NewDemand { silent: Some(true), ..letter(from, "keep srv-0001") };
            let (demand, _) =
                house.demand(order(if secret { "Ann Authority" } else { "Nora Nobody" }));
            for text in [format!("as in {demand}"), "Ref. H-99".to_owned(), "N-7".to_owned()] {
                let (_, hold) = house.demand(letter(from, &text));
                let found = house.state.holds.get(hold).unwrap();
                assert_eq!(found.silent, silent, "{from}: {text}");
            }
            let (_, hold) = house.demand(letter(from, "keep mega store"));
            assert!(!house.state.holds.get(hold).unwrap().silent, "{from}: a letter as any other");
        }
    }
}

#[test]
fn what_was_proposed_under_another_number_before_is_meant_by_that_number_too() {
    let (mut house, asset, x, _) = proposed();
    house.yes(STAFF, Action::CancelDisposition { disposition: x, reason: because() });
    house.ready(DispositionKind::Sanitize, &[asset]);
    taken(&mut house, "Rita Requester", &format!("I object to {x}. Keep the data."));
    assert!(house.gate(asset).contains(&Code::HoldProvisional));
}
