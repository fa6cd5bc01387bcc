//! What comes later is not covered by what was decided before: a further basis, login, owner,
//! report or letter (rules 1, 2, 3, 5, 6, 7, 9).

use bailee_core::asset::IdentifierKind;
use bailee_core::disposition::DispositionKind;
use bailee_core::hold::HoldStatus;
use bailee_core::id::*;
use bailee_core::instrument::{Ends, Instrument, Privacy};
use bailee_core::notice::Evidence;
use bailee_core::party::Role;
use bailee_core::{Action, By, Code, DutyKind, Event, NewAsset, Policy, Reason, Time, TokenScope};

use crate::house::*;

fn further(hold: HoldId, instrument: &str) -> Action {
    Action::AddBasis { hold, instrument: instrument.into(), reason: because() }
}

fn login(name: &str, same: PartyId) -> Action {
    let roles = vec![Role::Owner];
    Action::RegisterParty { who: who(name), roles, same_person_as: Some(same) }
}

#[test]
fn a_copy_that_was_allowed_for_one_reason_does_not_satisfy_the_next() {
    let mut house = House::new();
    let asset = house.server(1);
    house.end_accounts();
    let hold = house.hold(on_assets(&[asset]), "letter");
    house.yes(COUNSEL, Action::AllowCopy { hold, reason: because() });
    house.snapshot(asset);
    let x = house.ready(DispositionKind::Sanitize, &[asset]);
    let clearance = house.reserve(x, asset, 1);
    house.system(Action::Begin { clearance });
    let records = house.yes(STAFF, further(hold, "us-2703f"));
    assert_eq!(House::names(&records), ["BasisAdded", "ClearanceRevoked"]);
    let renew = Action::Renew { clearance };
    assert_eq!(house.try_run(By::System, renew).unwrap_err().code, Code::ClearanceRevoked);
    assert_eq!(house.gate(asset), [Code::HoldInForce, Code::ClearanceOutstanding]);
    house.system(Action::Abort { clearance, gone: 0, reason: because() });
    // Decided for both, it is satisfied again.
    house.yes(COUNSEL, Action::AllowCopy { hold, reason: because() });
    assert_eq!(house.gate(asset), []);
}

#[test]
fn a_release_that_was_proposed_for_one_reason_does_not_release_the_next() {
    let mut house = House::new();
    let asset = house.server(1);
    let hold = house.hold(on_assets(&[asset]), "letter");
    house.yes(STAFF, Action::ProposeRelease { hold, reason: because() });
    house.yes(OPS, Action::ApproveRelease { hold });
    house.yes(STAFF, further(hold, "us-2703f"));
    assert_eq!(house.no(COUNSEL, Action::ApproveRelease { hold }), Code::NotProposed);
    house.release(hold);
    assert!(matches!(house.state.holds.get(hold).unwrap().status, HoldStatus::Cooling(_)));
}

#[test]
fn who_approved_a_release_approved_before_the_hold_was_asked_for_anew() {
    let mut house = House::new();
    let asset = house.server(1);
    let hold = house.hold(on_assets(&[asset]), "us-2703f");
    house.yes(STAFF, Action::ProposeRelease { hold, reason: because() });
    house.yes(OPS, Action::ApproveRelease { hold });
    house.yes(STAFF, Action::ExtendBasis { hold, basis: 0, reason: because() });
    house.yes(COUNSEL, Action::ApproveRelease { hold });
    assert_eq!(house.state.holds.get(hold).unwrap().status, HoldStatus::Active);
    house.yes(OPS, Action::ApproveRelease { hold });
    assert!(matches!(house.state.holds.get(hold).unwrap().status, HoldStatus::Cooling(_)));
}

#[test]
fn who_approved_a_release_approved_of_what_the_hold_reached_then() {
    let mut house = House::new();
    let asset = house.server(1);
    let (demand, hold) = house.demand(letter("Jan", "Keep the server srv-0001."));
    house.accept(demand);
    house.yes(STAFF, Action::ProposeRelease { hold, reason: because() });
    house.yes(OPS, Action::ApproveRelease { hold });
    let identifiers = vec!["WDNOBODYKNOWS".to_owned()];
    let scope = bailee_core::demand::Scope { identifiers, ..Default::default() };
    house.yes(STAFF, Action::MatchDemand { demand, scope });
    house.yes(COUNSEL, Action::ApproveRelease { hold });
    assert_eq!(house.state.holds.get(hold).unwrap().status, HoldStatus::Active);
    house.yes(OPS, Action::ApproveRelease { hold });
    assert!(matches!(house.state.holds.get(hold).unwrap().status, HoldStatus::Cooling(_)));
    assert_eq!(house.gate(asset)[0], Code::HoldCooling);
}

#[test]
fn a_silence_lasts_as_long_as_the_longest_of_its_reasons() {
    let mut house = House::new();
    let asset = house.server(1);
    let mut catalogue = house.state.catalogue.clone();
    let gag = instrument("us-2705", None, Ends::Floor, Privacy::Silent);
    catalogue.instruments.push(Instrument { gag_days: Some(90), ..gag });
    house.yes(COUNSEL, Action::LoadInstruments(catalogue));
    let (short, none) = (house.silent_hold(on_assets(&[asset]), "us-2705"), "epoc-pr");
    house.days(30);
    house.yes(STAFF, further(short, "us-2705"));
    let gag = |house: &House| house.state.holds.get(short).unwrap().gag_until;
    assert_eq!(gag(&house), Some(house.now.plus_days(90)));
    house.yes(STAFF, further(short, none));
    assert_eq!(gag(&house), None, "the order says for how long, and it says nothing");
    house.yes(STAFF, further(short, "us-2705"));
    assert_eq!(gag(&house), None);
    house.days(200);
    assert!(house.state.holds.get(short).unwrap().silent);
}

#[test]
fn a_login_of_a_colleague_is_no_way_to_a_token_of_a_colleague() {
    let mut house = House::new();
    for colleague in [COUNSEL, OPS] {
        assert_eq!(house.no(STAFF, login("Olga Other", colleague)), Code::NotPermitted);
    }
    let own = house.state.parties.next();
    house.yes(COUNSEL, login("Carla at home", COUNSEL));
    let token = |party| Action::IssueToken { party, scope: TokenScope::Operator, hash: [1; 32] };
    assert_eq!(house.no(STAFF, token(own)), Code::NotPermitted);
    house.yes(COUNSEL, token(own));
    // One's own further login is one's own affair.
    house.yes(STAFF, login("Stan at home", STAFF));
    house.yes(STAFF, login("Otto at home", OWNER));
}

#[test]
fn an_owner_who_joins_after_the_reservation_is_told_first() {
    let (mut house, asset, x) = House::about_to_go(1);
    let clearance = house.reserve(x, asset, 1);
    house.yes(STAFF, Action::AssignAsset { asset, account: BLUE });
    for by in [OPS, COUNSEL] {
        house.yes(by, Action::ApproveDisposition { disposition: x });
    }
    let begin = Action::Begin { clearance };
    assert_eq!(house.no(STAFF, begin.clone()), Code::NoticeMissing);
    house.yes(STAFF, Action::QueueNotices { disposition: x });
    assert_eq!(house.no(STAFF, begin), Code::NoticeNotDelivered);
}

/// A proposal, and the notice of it to its owner.
fn told() -> (House, NoticeId) {
    let mut house = House::new();
    let asset = house.server(1);
    house.end_accounts();
    let x = house.propose(DispositionKind::Sanitize, &[asset]);
    let notice = house.state.dispositions.get(x).unwrap().notices[0];
    (house, notice)
}

#[test]
fn a_bounce_after_a_delivery_takes_the_proof_back() {
    let (mut house, notice) = told();
    let evidence =
        |attempt, evidence| Action::RecordEvidence { notice, attempt, evidence, reason: proof() };
    house.system(evidence(0, Evidence::Delivered));
    let proven = |house: &House| house.state.notices.get(notice).unwrap().proven.is_some();
    assert!(proven(&house));
    let records = house.system(evidence(0, Evidence::Bounced));
    assert_eq!(House::names(&records), ["NoticeEvidence", "NoticeRetried"]);
    assert!(!proven(&house));
    // The answer of the addressee is more than any report.
    house.yes(STAFF, evidence(1, Evidence::Acknowledged));
    house.system(evidence(1, Evidence::Bounced));
    house.system(evidence(0, Evidence::Bounced));
    assert!(proven(&house));
}

#[test]
fn a_delivery_that_failed_after_all_where_no_channel_is_left_calls_a_human_again() {
    let (mut house, notice) = told();
    let evidence =
        |attempt, evidence| Action::RecordEvidence { notice, attempt, evidence, reason: proof() };
    house.system(evidence(0, Evidence::Bounced));
    house.system(evidence(1, Evidence::Bounced));
    house.system(evidence(0, Evidence::Delivered));
    assert_eq!(house.state.open_duties().len(), 0);
    house.system(evidence(0, Evidence::Bounced));
    let open: Vec<_> = house.state.open_duties().collect();
    let kind = |id: &DutyId| house.state.duties.get(*id).unwrap().kind;
    assert_eq!(open.iter().map(kind).collect::<Vec<_>>(), [DutyKind::ReachParty(notice)]);
}

#[test]
fn what_was_handed_over_and_comes_back_is_held_as_before() {
    let mut house = House::new();
    let asset = house.server(1);
    house.end_accounts();
    let hold = house.hold(on_assets(&[asset]), "letter");
    let x = house.ready(DispositionKind::Transfer, &[asset]);
    house.yes(TRANSFEREE, Action::AcceptHold { disposition: x, hold });
    let clearance = house.reserve(x, asset, 1);
    house.system(Action::Begin { clearance });
    house.system(Action::Finish { clearance, verified: true, reason: because() });
    let serial = identifier(IdentifierKind::Serial, "SN0001X");
    let back = house.asset(NewAsset {
        accounts: vec![],
        identifiers: vec![serial.clone()],
        ..new_asset(2)
    });
    assert_eq!(house.gate(back), [Code::HoldInForce]);
    assert_eq!(house.state.assets.get(back).unwrap().copy_of, [asset]);

    // Or is recognised later.
    let other = house.asset(NewAsset {
        accounts: vec![],
        identifiers: vec![],
        label: "unlabelled".into(),
        ..new_asset(3)
    });
    assert_eq!(house.gate(other), []);
    let identity = identifier(IdentifierKind::Identity, &hex(&subject(1)));
    house.yes(
        STAFF,
        Action::RelabelAsset {
            asset: other,
            label: "unlabelled".into(),
            identifiers: vec![identity],
            bytes: None,
        },
    );
    assert_eq!(house.gate(other), [Code::HoldInForce]);
}

#[test]
fn an_owner_who_takes_over_under_another_login_learns_of_no_silent_hold() {
    let mut house = House::new();
    let asset = house.server(1);
    house.end_accounts();
    let alias = house.state.parties.next();
    let roles = vec![Role::Transferee];
    let register =
        Action::RegisterParty { who: who("Otto Inc"), roles, same_person_as: Some(OWNER) };
    house.yes(COUNSEL, register);
    let silent = house.silent_hold(on_assets(&[asset]), "letter");
    let x = house.state.dispositions.next();
    let (kind, assets, reason) = (DispositionKind::Transfer, vec![asset], because());
    house.yes(STAFF, Action::ProposeDisposition { kind, assets, to: Some(alias), reason });
    let found = house.state.dispositions.get(x).unwrap();
    assert_eq!(bailee_core::custody::coming_with(&house.state, found, alias), []);
    let accept = |hold| Action::AcceptHold { disposition: x, hold };
    assert_eq!(house.no(alias, accept(silent)), Code::NotFound);
    assert_eq!(house.no(alias, accept(HoldId(77))), Code::NotFound);
}

#[test]
fn nobody_who_was_erased_is_given_anything() {
    let mut house = House::new();
    let asset = house.server(1);
    house.end_accounts();
    let x = house.ready(DispositionKind::Transfer, &[asset]);
    house.yes(COUNSEL, Action::EraseDetails { party: TRANSFEREE });
    assert_eq!(house.no(STAFF, house.reserve_action(x, asset, 1)), Code::AlreadyGone);
    let (kind, assets, reason) = (DispositionKind::Transfer, vec![asset], because());
    let propose = Action::ProposeDisposition { kind, assets, to: Some(TRANSFEREE), reason };
    assert_eq!(house.no(STAFF, propose), Code::AlreadyGone);
}

#[test]
fn a_blank_is_no_reason_and_an_empty_document_proves_nothing() {
    let mut house = House::new();
    let asset = house.server(1);
    let hold = house.hold(on_assets(&[asset]), "letter");
    let blank = || Reason { note: " \t\n".into(), exhibits: Vec::new() };
    assert_eq!(house.no(STAFF, Action::ProposeRelease { hold, reason: blank() }), Code::BadValue);
    assert_eq!(house.no(COUNSEL, Action::AllowCopy { hold, reason: blank() }), Code::BadValue);
    let empty = Reason {
        note: "delivered, says Ann".into(),
        exhibits: vec![bailee_core::demand::Exhibit { size: 0, ..exhibit(9) }],
    };
    let x = house.propose(DispositionKind::Sanitize, &[asset]);
    let notice = house.state.dispositions.get(x).unwrap().notices[0];
    let (attempt, evidence, reason) = (0, Evidence::Served, empty);
    let served = Action::RecordEvidence { notice, attempt, evidence, reason };
    assert_eq!(house.no(STAFF, served), Code::BadValue);
}

#[test]
fn a_letter_sent_again_counts_once_its_hold_has_no_reason_left_or_is_being_released() {
    let mut house = House::new();
    house.server(1);
    let order = || bailee_core::NewDemand {
        instrument: Some("epoc-pr".into()),
        ..letter("Ann", "Keep the server srv-0001.")
    };
    let (first, _) = house.demand(order());
    house.accept(first);
    let again = |house: &mut House| house.try_run(By::System, Action::ReceiveDemand(order()));
    assert_eq!(again(&mut house).unwrap_err().code, Code::AlreadyDone);
    house.days(61);
    let records = again(&mut house).unwrap();
    assert!(House::names(&records).contains(&"DemandReceived"), "its order had lapsed");
    assert_eq!(again(&mut house).unwrap_err().code, Code::AlreadyDone);

    let second = DemandId(2);
    house.accept(second);
    let hold = house.state.demands.get(second).unwrap().hold;
    house.yes(STAFF, Action::ProposeRelease { hold, reason: because() });
    house.yes(OPS, Action::ApproveRelease { hold });
    assert!(House::names(&again(&mut house).unwrap()).contains(&"HoldPlaced"));
}

#[test]
fn an_extension_never_shortens_and_a_basis_that_is_out_of_the_catalogue_counts_as_a_ceiling() {
    let mut house = House::new();
    let asset = house.server(1);
    let hold = house.hold(on_assets(&[asset]), "us-2703f");
    let mut catalogue = catalogue();
    catalogue.instruments[2].days = Some(10);
    catalogue.instruments[2].extension_days = Some(20);
    house.yes(COUNSEL, Action::LoadInstruments(catalogue.clone()));
    let extend = Action::ExtendBasis { hold, basis: 0, reason: because() };
    assert_eq!(house.no(STAFF, extend), Code::NotExtendable);
    catalogue.instruments.truncate(2);
    house.yes(COUNSEL, Action::LoadInstruments(catalogue));
    let records = house.days(91);
    let raised = records.iter().find_map(|record| match record.fact.event {
        Event::DutyRaised { kind, .. } => Some(kind),
        _ => None,
    });
    assert_eq!(raised, Some(DutyKind::NoBasisLeft(hold)));
}

#[test]
fn what_is_begun_tomorrow_is_counted_tomorrow() {
    let (mut house, asset, x) = House::about_to_go(1);
    let limit = Policy { reservation_seconds: 86_400, ..house.state.policy.clone() };
    house.yes(COUNSEL, Action::SetPolicy(limit));
    house.now = Time(house.now.plus_days(1).0 / 86_400_000_000 * 86_400_000_000 - 1_000_000);
    let clearance = house.reserve(x, asset, 1);
    house.now = house.now.plus_seconds(2);
    assert_eq!(house.no(STAFF, Action::Begin { clearance }), Code::ClearanceExpired);
}

#[test]
fn while_the_clock_stands_behind_the_log_nothing_is_leased() {
    let (mut house, asset, x) = House::about_to_go(1);
    let clearance = house.reserve(x, asset, 1);
    house.system(Action::Begin { clearance });
    house.now = house.now.plus_seconds(30);
    house.system(Action::Renew { clearance });
    house.now = Time(house.now.0 - 59_000_000);
    house.system(Action::Renew { clearance });
    house.now = Time(house.now.0 - 2_000_000);
    assert_eq!(house.no(STAFF, Action::Renew { clearance }), Code::ClockInDoubt);
    assert_eq!(house.no(STAFF, house.reserve_action(x, asset, 1)), Code::ClockInDoubt);
    house.system(Action::Abort { clearance, gone: 5, reason: because() });
}

#[test]
fn another_customer_s_drive_in_one_s_server_is_not_one_s_own() {
    let mut house = House::new();
    let server = house.server(1);
    let theirs = NewAsset {
        accounts: vec![BLUE],
        part_of: Some(server),
        identifiers: vec![identifier(IdentifierKind::Serial, "DRIVE2")],
        ..new_asset(2)
    };
    let theirs = house.asset(theirs);
    let own = house.asset(NewAsset {
        accounts: vec![],
        part_of: Some(server),
        identifiers: vec![identifier(IdentifierKind::Serial, "DRIVE3")],
        ..new_asset(3)
    });
    let ask = |asset| Action::RequestAccess { owner: OWNER, asset, reason: because() };
    assert_eq!(house.no(OWNER, ask(theirs)), Code::NotYourData);
    house.yes(OWNER, ask(own));
    house
        .yes(STRANGER, Action::RequestAccess { owner: STRANGER, asset: theirs, reason: because() });
}

fn moved(name: &str, old: &str) -> bailee_core::party::Who {
    bailee_core::party::Who { name: old.into(), ..who(name) }
}

#[test]
fn an_address_that_a_colleague_had_makes_nobody_a_second_person() {
    let mut house = House::new();
    let hold = house.hold(on_accounts(&[MEGA]), "letter");
    let change = |party, who| Action::ChangeParty { party, who };
    house.yes(STAFF, change(STAFF, moved("Stan Elsewhere", "Stan Staff")));
    let register = |roles: &[Role], same_person_as| {
        let roles = roles.to_vec();
        Action::RegisterParty { who: moved("Stan Staff", "A. Smit"), roles, same_person_as }
    };
    for roles in [[Role::Staff], [Role::Requester]] {
        assert_eq!(house.no(COUNSEL, register(&roles, None)), Code::ChannelTaken);
    }
    // Nor does another colleague take it over.
    assert_eq!(house.no(COUNSEL, change(OPS, who("Stan Staff"))), Code::ChannelTaken);
    let login = house.state.parties.next();
    house.yes(COUNSEL, register(&[Role::Staff], Some(STAFF)));
    house.yes(STAFF, Action::ProposeRelease { hold, reason: because() });
    let twice = Action::ApproveRelease { hold };
    assert_eq!(house.no(login, twice), Code::ApproverIsProposer);
    // Who keeps an address may change the rest; who went left it for others.
    house.yes(COUNSEL, change(login, moved("Stan Staff", "Anna Smit")));
    house.yes(COUNSEL, change(OPS, moved("Olga Elsewhere", "Olga")));
    house.yes(COUNSEL, Action::EraseDetails { party: OPS });
    let left = house.state.parties.get(OPS).unwrap();
    assert!(left.erased.is_some());
    assert_eq!(replay(&house.records, |_, _| false), house.state);
}

#[test]
fn what_comes_from_an_address_that_an_owner_had_is_that_owner_s() {
    let mut house = House::new();
    let asset = house.server(1);
    let party = OWNER;
    house.yes(STAFF, Action::ChangeParty { party, who: moved("Otto Elsewhere", "Otto Owner") });
    let (demand, _) = house.demand(letter("Otto Owner", "Please keep everything."));
    assert_eq!(house.state.demands.get(demand).unwrap().from, OWNER);
    assert!(house.gate(asset).contains(&Code::HoldProvisional));
    // Who has the address today is its writer.
    let next = house.state.parties.next();
    let (roles, same_person_as) = (vec![Role::Owner], None);
    house.yes(STAFF, Action::RegisterParty { who: who("Otto Owner"), roles, same_person_as });
    let (demand, _) = house.demand(letter("Otto Owner", "Please keep all of it."));
    assert_eq!(house.state.demands.get(demand).unwrap().from, next);
}

#[test]
fn what_was_granted_was_granted_of_whose_data_was_there() {
    let mut house = House::new();
    let asset = house.server(1);
    let ask = || Action::RequestAccess { owner: OWNER, asset, reason: because() };
    let grant = |access| Action::DecideAccess { access, granted: true, reason: because() };
    let fulfil = |access| Action::FulfilAccess { access, reason: because() };
    house.yes(OWNER, ask());
    house.yes(STAFF, grant(AccessId(1)));
    // More of the owner's own, under whatever login, changes nothing.
    let account = house.state.accounts.next();
    let other = house.state.parties.next();
    house.yes(COUNSEL, login("Otto Other", OWNER));
    house.yes(
        STAFF,
        Action::RegisterAccount {
            owner: other,
            entity: EntityId(1),
            label: "second shop".into(),
            law: "NL".into(),
            retention_days: 0,
        },
    );
    house.yes(STAFF, Action::AssignAsset { asset, account });
    house.yes(STAFF, fulfil(AccessId(1)));
    house.yes(OWNER, ask());
    house.yes(STAFF, grant(AccessId(2)));
    house.asset(NewAsset { accounts: vec![BLUE], part_of: Some(asset), ..new_asset(2) });
    let refusal = house.try_run(By::Party(STAFF), fulfil(AccessId(2))).unwrap_err();
    assert_eq!((refusal.code, refusal.about.as_str()), (Code::NotYourData, "A-1"));
    assert!(refusal.to_string().contains("P-8"), "{refusal}");
    // Granted of what is there now.
    house.yes(OWNER, ask());
    house.yes(STAFF, grant(AccessId(3)));
    house.yes(STAFF, fulfil(AccessId(3)));
    assert_eq!(replay(&house.records, |_, _| false), house.state);
}
