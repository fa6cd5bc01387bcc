//! Rule 1 by example: whatever arrives blocks at once, and what turns out later is held too.

use bailee_core::asset::{Identifier, IdentifierKind};
use bailee_core::demand::{Flag, Medium, Scope};
use bailee_core::id::*;
use bailee_core::party::{Role, Who};
use bailee_core::{Action, By, Code, DutyKind, Event, NewAsset, NewDemand, Reason, Time, Triage};

use crate::house::*;

fn flags(house: &House, demand: DemandId) -> Vec<Flag> {
    house.state.demands.get(demand).unwrap().flags.clone()
}

#[test]
fn a_letter_names_what_is_here_in_any_spelling_and_what_comes_later() {
    let mut house = House::new();
    let here = house.asset(NewAsset { accounts: vec![], ..new_asset(1) });
    house.demand(letter("Nora", "Please KEEP srv 0001 and: SRV-0002; thanks. Also 'late shop'"));
    assert_eq!(house.gate(here), [Code::HoldProvisional]);
    let later = house.asset(NewAsset { accounts: vec![], ..new_asset(2) });
    assert_eq!(house.gate(later), [Code::HoldProvisional]);
    let other = house.asset(NewAsset { accounts: vec![], ..new_asset(22) });
    assert_eq!(house.gate(other), []);
    house.system(Action::RelabelAsset {
        asset: other,
        label: "srv-0002".into(),
        identifiers: vec![],
        bytes: None,
    });
    assert_eq!(house.gate(other), [Code::HoldProvisional]);
    let account = house.state.accounts.next();
    house.system(Action::RegisterAccount {
        owner: STRANGER,
        entity: EntityId(1),
        label: "Late Shop".into(),
        law: "NL".into(),
        retention_days: 0,
    });
    let bare = NewAsset { accounts: vec![account], ..new_asset(3) };
    let of_account = house.asset(bare);
    assert_eq!(house.gate(of_account), [Code::HoldProvisional, Code::AccountActive]);
}

#[test]
fn what_cannot_be_read_freezes_accounts_and_what_matches_nothing_pages_a_human() {
    let mut house = House::new();
    let asset = house.server(1);
    let (demand, hold) = house.demand(letter("Otto Owner", "keep my things"));
    assert_eq!(flags(&house, demand), [Flag::ScopeUnreadable]);
    assert_eq!(house.state.holds.get(hold).unwrap().scope.accounts, [MEGA]);
    let damaged = NewDemand { damaged: true, ..letter("Nora", "keep srv-0001") };
    let (demand, hold) = house.demand(damaged);
    assert_eq!(flags(&house, demand), [Flag::ScopeUnreadable, Flag::Damaged]);
    assert_eq!(house.state.holds.get(hold).unwrap().scope.accounts, [MEGA]);
    // An enclosure may ask for more than the letter says: the account of what it names as well.
    let scan = NewDemand {
        unread: true,
        exhibits: vec![exhibit(5)],
        ..letter("Nora", "as enclosed: srv-0001")
    };
    let (demand, hold) = house.demand(scan.clone());
    assert_eq!(flags(&house, demand), [Flag::ScopeUnreadable, Flag::AttachmentUnread]);
    assert_eq!(house.state.holds.get(hold).unwrap().scope.accounts, [MEGA]);
    assert_eq!(house.no(STAFF, Action::ReceiveDemand(scan.clone())), Code::AlreadyDone);
    // As a version of the program that knew one flag for both would have said it.
    let before = NewDemand { unread: false, damaged: true, ..scan };
    assert_eq!(house.no(STAFF, Action::ReceiveDemand(before)), Code::AlreadyDone);
    let records = house.system(Action::ReceiveDemand(letter("Max", "keep what I wrote about")));
    assert_eq!(records.len(), 4);
    let Event::DutyRaised { kind, .. } = records[3].fact.event else { panic!("no duty") };
    assert_eq!(kind, bailee_core::DutyKind::Unmatched(DemandId(4)));
    house.system(Action::MatchDemand { demand: DemandId(4), scope: on_assets(&[asset]) });
    assert!(bailee_core::coverage::reaches(&house.state, HoldId(4), asset));
}

#[test]
fn an_unknown_sender_becomes_a_party_in_the_same_decision() {
    let mut house = House::new();
    let next = house.state.parties.next();
    let records = house.system(Action::ReceiveDemand(letter("Nora", "keep mega store")));
    let names = ["PartyRegistered", "DemandReceived", "HoldPlaced", "DutyRaised"];
    assert_eq!(House::names(&records), names);
    let Event::DemandReceived { from, .. } = records[1].fact.event else { panic!("no demand") };
    assert_eq!(from, next);
    let records = house.system(Action::ReceiveDemand(letter("Nora", "keep blue shop")));
    assert_eq!(House::names(&records), names[1..], "known by its address the second time");
}

#[test]
fn a_wrong_entity_an_unknown_instrument_and_far_times_are_flagged_and_still_block() {
    let mut house = House::new();
    let asset = house.server(1);
    let odd = NewDemand {
        entity: Some(EntityId(2)),
        instrument: Some("papal-bull".into()),
        ..letter("Nora", "keep srv-0001")
    };
    let (demand, _) = house.demand(odd);
    assert_eq!(flags(&house, demand), [Flag::UnknownInstrument, Flag::WrongEntity]);
    house.now = Time(i64::MAX);
    house.demand(NewDemand { instrument: Some("epoc-pr".into()), ..letter("Max", "srv-0001") });
    let all = [Code::HoldProvisional, Code::HoldProvisional, Code::AccountActive];
    assert_eq!(house.gate(asset), all);
}

#[test]
fn a_letter_sent_twice_is_one_demand_unless_it_asks_for_more_or_blocks_no_longer() {
    let mut house = House::new();
    house.server(1);
    house.server(2);
    let form = |asset| NewDemand {
        scope: on_assets(&[AssetId(asset)]),
        exhibits: vec![exhibit(5)],
        ..letter("Nora", "see form")
    };
    let (demand, hold) = house.demand(form(1));
    assert_eq!(house.no(STAFF, Action::ReceiveDemand(form(1))), Code::AlreadyDone);
    house.demand(form(2));
    house.demand(NewDemand { from: who("Max"), ..form(1) });
    house.demand(NewDemand { instrument: Some("epoc-pr".into()), ..form(1) });
    let triage = Triage::Refuse;
    house.yes(COUNSEL, Action::DecideDemand { demand, triage, reason: because() });
    assert!(house.state.holds.get(hold).unwrap().in_force());
    let (_, again) = house.demand(form(1));
    assert_ne!(hold, again, "sent again while the first cools, it blocks on its own");
}

/// A letter whose sender cannot be read is somebody's all the same, and comes twice as any other.
#[test]
fn a_letter_without_a_readable_sender_sent_twice_is_one_demand() {
    let mut house = House::new();
    house.server(1);
    let nobody = |name: &str| Who { name: name.into(), channels: Vec::new() };
    let scan = |from: Who| NewDemand {
        from,
        exhibits: vec![exhibit(7)],
        damaged: true,
        ..letter("Nora", "keep srv-0001")
    };
    house.demand(scan(nobody("(sender not readable)")));
    house.demand(scan(nobody("Handed in by somebody")));
    house.demand(scan(who("Nora")));
    let parties = house.state.parties.len();
    for again in [nobody("(sender not readable)"), nobody("Handed in by somebody"), who("Nora")] {
        assert_eq!(house.no(STAFF, Action::ReceiveDemand(scan(again))), Code::AlreadyDone);
    }
    house.demand(NewDemand { silent: Some(true), ..scan(nobody("(sender not readable)")) });
    house.demand(NewDemand { exhibits: vec![exhibit(8)], ..scan(nobody("Handed in by somebody")) });
    assert_eq!(house.state.demands.len(), 5, "one more is silent, one is another letter");
    assert_eq!(house.state.parties.len(), parties + 2);
}

#[test]
fn an_empty_letter_sent_twice_still_freezes_the_account_opened_between() {
    let mut house = House::new();
    let empty = NewDemand { exhibits: vec![exhibit(6)], ..letter("Otto Owner", "") };
    house.demand(empty.clone());
    let account = house.state.accounts.next();
    house.system(Action::RegisterAccount {
        owner: OWNER,
        entity: EntityId(1),
        label: "second shop".into(),
        law: "NL".into(),
        retention_days: 0,
    });
    let (_, hold) = house.demand(empty);
    assert!(house.state.holds.get(hold).unwrap().scope.accounts.contains(&account));
}

#[test]
fn a_decision_discharges_the_duty_to_decide_and_no_other() {
    let mut house = House::new();
    let asset = house.server(1);
    let open = |house: &House| {
        let open = house.state.duties.iter().filter(|(_, duty)| !duty.discharged);
        open.map(|(_, duty)| duty.kind).collect::<Vec<DutyKind>>()
    };
    let (first, hold) = house.demand(letter("Nora", "keep srv-0001"));
    let (second, _) = house.demand(letter("Max", "keep srv-0001, too"));
    let (third, _) = house.demand(letter("Rae", "keep what I wrote about"));
    let (fourth, _) = house.demand(letter("Ria", "keep all I ever sent"));
    let triage = |demand, triage| Action::DecideDemand { demand, triage, reason: because() };
    let records = house.yes(STAFF, triage(first, Triage::Accept(None)));
    let names = ["DemandDecided", "NoticeQueued", "DutyDischarged"];
    assert_eq!(House::names(&records), names);
    let (triaged, unmatched) = (DutyKind::Triage, DutyKind::Unmatched);
    assert_eq!(open(&house), [triaged(second), unmatched(third), unmatched(fourth)]);
    // Found out what it means: somebody still has to decide on it.
    let scope = on_assets(&[asset]);
    let records = house.yes(STAFF, Action::MatchDemand { demand: third, scope: scope.clone() });
    let names = ["DemandMatched", "DutyDischarged", "DutyRaised"];
    assert_eq!(House::names(&records), names);
    assert_eq!(open(&house), [triaged(second), unmatched(fourth), triaged(third)]);
    let more = Action::MatchDemand { demand: third, scope };
    assert_eq!(House::names(&house.yes(STAFF, more)), ["DemandMatched"], "asked once");
    house.yes(STAFF, triage(second, Triage::Clarify));
    house.yes(COUNSEL, triage(third, Triage::Refuse));
    let records = house.yes(COUNSEL, triage(fourth, Triage::Refuse));
    let names = ["DemandDecided", "HoldCooling", "NoticeQueued", "DutyDischarged"];
    assert_eq!(House::names(&records), names);
    assert_eq!(open(&house), []);
    let records = house.yes(COUNSEL, triage(second, Triage::Refuse));
    assert_eq!(House::names(&records), names[..3], "discharged once");
    assert!(house.state.holds.get(hold).unwrap().in_force());
}

#[test]
fn a_refusal_cools_and_blocks_until_it_has() {
    let mut house = House::new();
    let asset = house.asset(NewAsset { accounts: vec![], ..new_asset(1) });
    let (demand, hold) = house.demand(letter("Nora", "keep srv-0001"));
    let decide = |triage| Action::DecideDemand { demand, triage, reason: because() };
    assert_eq!(house.no(STAFF, decide(Triage::Refuse)), Code::NotPermitted);
    let release = Action::ProposeRelease { hold, reason: because() };
    assert_eq!(house.no(STAFF, release), Code::HoldProvisional, "somebody decides first");
    house.yes(STAFF, decide(Triage::Clarify));
    assert_eq!(house.gate(asset), [Code::HoldProvisional]);
    house.yes(COUNSEL, decide(Triage::Refuse));
    assert_eq!(house.no(STAFF, decide(Triage::Accept(None))), Code::DemandDecided);
    house.days(13);
    assert_eq!(house.gate(asset), [Code::HoldCooling]);
    house.days(1);
    assert_eq!(house.gate(asset), []);
    let late = house.asset(NewAsset { accounts: vec![], label: "srv-0001".into(), ..new_asset(2) });
    assert_eq!(house.gate(late), [], "what is over waits for nothing");
}

#[test]
fn releasing_one_reason_never_exposes_what_another_covers() {
    let mut house = House::new();
    let asset = house.asset(NewAsset { accounts: vec![], ..new_asset(1) });
    let first = house.hold(on_assets(&[asset]), "letter");
    house.hold(on_assets(&[asset]), "us-2703f");
    house.release(first);
    house.days(15);
    assert_eq!(house.gate(asset), [Code::HoldInForce]);
}

#[test]
fn a_form_that_names_nothing_known_waits_for_its_identifier() {
    let mut house = House::new();
    let scope = Scope { identifiers: vec!["SN:0007:x".into()], ..Scope::default() };
    let (demand, _) = house.demand(NewDemand { scope, ..letter("Nora", "") });
    assert_eq!(flags(&house, demand), [Flag::Unmatched]);
    let asset = house.asset(NewAsset { accounts: vec![], ..new_asset(7) });
    assert_eq!(house.gate(asset), [Code::HoldProvisional]);
}

#[test]
fn a_refused_demand_does_not_thaw_what_another_basis_of_its_hold_holds() {
    let mut house = House::new();
    house.server(1);
    let (demand, hold) = house.demand(letter("Nora", "keep srv-0001"));
    let instrument = "us-2703f".to_owned();
    house.yes(STAFF, Action::AddBasis { hold, instrument, reason: because() });
    let refuse = || Action::DecideDemand { demand, triage: Triage::Refuse, reason: because() };
    let refused = house.try_run(By::Party(COUNSEL), refuse()).unwrap_err();
    assert_eq!(refused.code, Code::HoldInForce);
    assert!(refused.change.contains("end that basis first"), "{refused}");
    house.yes(STAFF, Action::EndBasis { hold, basis: 1, reason: because() });
    house.yes(COUNSEL, refuse());
}

#[test]
fn an_identifier_is_the_same_with_and_without_punctuation_in_letter_and_registry() {
    let mut house = House::new();
    let serial = |value: &str, n| NewAsset {
        accounts: vec![],
        identifiers: vec![Identifier { kind: IdentifierKind::Serial, value: value.into() }],
        ..new_asset(n)
    };
    let here = house.asset(serial("WD-12:ab", 1));
    house.demand(letter("Nora", "Keep drive wd12AB, and LTO-0042 when it comes."));
    assert_eq!(house.gate(here), [Code::HoldProvisional]);
    let later = house.asset(serial("lto0042", 2));
    assert_eq!(house.gate(later), [Code::HoldProvisional]);
}

#[test]
fn a_form_that_names_what_is_not_there_freezes_the_widest_scope_and_a_person_is_told_what() {
    let mut house = House::new();
    let asset = house.server(1);
    let bare = Scope { identifiers: vec![" -- ".into()], ..Scope::default() };
    let wrong = [
        (on_accounts(&[AccountId(99)]), Code::NotFound),
        (on_assets(&[asset, AssetId(99)]), Code::NotFound),
        (bare, Code::BadValue),
    ];
    for (n, (scope, code)) in wrong.into_iter().enumerate() {
        let form = letter("Otto Owner", &format!("as filled in, {n}"));
        let (demand, hold) = house.demand(NewDemand { scope: scope.clone(), ..form });
        assert_eq!(flags(&house, demand), [Flag::ScopeUnreadable], "{n}");
        assert!(house.state.holds.get(hold).unwrap().scope.accounts.contains(&MEGA), "{n}");
        let (instrument, matter, silent) = ("letter".to_owned(), None, None);
        let (wanted, reason) = (scope.clone(), because());
        let place = Action::PlaceHold { scope: wanted, instrument, matter, silent, reason };
        assert_eq!(house.no(STAFF, place), code, "{n}");
        assert_eq!(house.no(STAFF, Action::MatchDemand { demand, scope }), code, "{n}");
    }
}

#[test]
fn how_a_demand_came_is_corrected_on_the_record_and_what_was_recorded_stays() {
    let mut house = House::new();
    let (demand, hold) = house.demand(letter("Nora", "keep everything"));
    let correct = |medium, reason| Action::CorrectMedium { demand, medium, reason };
    assert_eq!(house.no(STAFF, correct(Medium::Email, because())), Code::AlreadyDone);
    assert_eq!(house.no(STAFF, correct(Medium::Post, Reason::default())), Code::BadValue);
    assert_eq!(house.no(REQUESTER, correct(Medium::Post, because())), Code::NotPermitted);
    let unknown =
        Action::CorrectMedium { demand: DemandId(9), medium: Medium::Post, reason: because() };
    assert_eq!(house.no(STAFF, unknown), Code::NotFound);
    // A receipt that left says nothing of how the letter came: it stays true.
    house.system(Action::ReceiptSent { demand });
    let first = house.now;
    let records = house.yes(STAFF, correct(Medium::Post, because()));
    assert_eq!(House::names(&records), ["MediumCorrected"]);
    assert_eq!(house.no(OPS, correct(Medium::Post, because())), Code::AlreadyDone, "once");
    let now = |house: &House| {
        let found = house.state.demands.get(demand).unwrap();
        (found.medium, found.corrected)
    };
    assert_eq!(now(&house), (Medium::Post, Some((first, Medium::Email))));
    house.days(1);
    house.accept(demand);
    house.yes(COUNSEL, correct(Medium::Fax, because()));
    let found = house.state.demands.get(demand).unwrap();
    assert_eq!(now(&house), (Medium::Fax, Some((house.now, Medium::Email))), "decided or not");
    assert!(house.state.holds.get(hold).unwrap().in_force() && found.receipted);
    let recorded = house.records.iter().find_map(|record| match record.fact.event {
        Event::DemandReceived { medium, .. } => Some(medium),
        _ => None,
    });
    assert_eq!(recorded, Some(Medium::Email), "the entry is what it was");
    assert!(replay(&house.records, |_, _| false) == house.state);
}

#[test]
fn why_a_medium_was_corrected_goes_with_the_details_of_the_sender() {
    let mut house = House::new();
    let (demand, hold) = house.demand(letter("Nora", "keep everything"));
    house.accept(demand);
    let reason = because();
    let corrected = Action::CorrectMedium { demand, medium: Medium::Post, reason };
    let position = house.yes(STAFF, corrected)[0].seq;
    house.release(hold);
    house.days(14);
    let party = house.state.demands.get(demand).unwrap().from;
    let records = house.yes(COUNSEL, Action::EraseDetails { party });
    let Event::DetailsErased { papers, .. } = &records[0].fact.event else { panic!("{records:?}") };
    assert!(papers.contains(&position), "{papers:?}");
    assert_eq!(house.state.demands.get(demand).unwrap().medium, Medium::Post);
}

#[test]
fn what_an_owner_cannot_be_read_to_mean_is_all_of_theirs_by_whichever_login() {
    let mut house = House::new();
    let (who, roles) = (who("Other Otto"), vec![Role::Requester]);
    house.yes(STAFF, Action::RegisterParty { who, roles, same_person_as: Some(OWNER) });
    let (_, hold) = house.demand(letter("Other Otto", "Please keep all that I have there."));
    assert_eq!(house.state.holds.get(hold).unwrap().scope.accounts, [MEGA]);
}
