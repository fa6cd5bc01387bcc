//! Rules 2 to 7 by example: coverage, copies, the gate, clearances, notices, four eyes, transfer.

use bailee_core::asset::{AssetKind, Fate, IdentifierKind};
use bailee_core::demand::Scope;
use bailee_core::disposition::{ClearanceStatus, DispositionKind};
use bailee_core::gate::{self, Verb};
use bailee_core::id::*;
use bailee_core::notice::{About, Evidence};
use bailee_core::{Action, Code, NewAsset, NewDemand, Policy, Reason};

use crate::house::*;

fn clearance(house: &House, id: ClearanceId) -> ClearanceStatus {
    house.state.clearances.get(id).unwrap().status
}

#[test]
fn a_hold_follows_the_data_through_parts_copies_and_cycles() {
    let mut house = House::new();
    let plain = |n, part_of, copy_of: Vec<AssetId>| NewAsset {
        accounts: vec![],
        part_of,
        copy_of,
        ..new_asset(n)
    };
    let server = house.asset(plain(1, None, vec![]));
    let drive = house.asset(plain(2, Some(server), vec![]));
    let sibling = house.asset(plain(3, Some(server), vec![]));
    let copy = house.asset(plain(4, None, vec![drive]));
    let copy_of_copy = house.asset(plain(5, None, vec![copy]));
    // A cycle: each is a copy of the other.
    house.system(Action::CopyAsset { asset: copy, source: copy_of_copy });
    house.hold(on_assets(&[drive]), "letter");
    for (asset, held) in
        [(server, true), (drive, true), (sibling, false), (copy, true), (copy_of_copy, true)]
    {
        assert_eq!(house.gate(asset) == [Code::HoldInForce], held, "{asset}");
    }
}

#[test]
fn a_reused_identifier_frees_neither_the_old_copies_nor_the_new_asset() {
    let mut house = House::new();
    let wanted = Scope { identifiers: vec!["sn-0001-x".into()], ..Scope::default() };
    let hold = house.hold(wanted, "letter");
    let asset = house.server(1);
    house.end_accounts();
    house.yes(COUNSEL, Action::AllowCopy { hold, reason: because() });
    let snapshot = house.snapshot(asset);
    let x = house.ready(DispositionKind::Sanitize, &[asset]);
    let clearance = house.begin(x, asset, 1);
    house.finish(clearance);
    let copy = house.state.snapshots.get(snapshot).unwrap().asset;
    assert_eq!(house.gate(copy), [Code::HoldInForce]);
    // The hardware goes back to work under another number, with the serial it was made with.
    let mut again = new_asset(2);
    again.accounts.clear();
    again.identifiers.push(identifier(IdentifierKind::Serial, "SN0001X"));
    let again = house.asset(again);
    assert_eq!(house.gate(copy), [Code::HoldInForce], "the only copy stays held");
    assert_eq!(house.gate(again), [Code::HoldInForce]);
}

#[test]
fn an_identifier_asked_for_when_its_asset_is_gone_holds_the_next_asset_that_has_it() {
    let (mut house, asset, x) = House::about_to_go(1);
    let clearance = house.begin(x, asset, 1);
    house.finish(clearance);
    house.hold(Scope { identifiers: vec!["SN0001X".into()], ..Scope::default() }, "letter");
    let mut again = new_asset(2);
    (again.accounts, again.identifiers) =
        (vec![], vec![identifier(IdentifierKind::Serial, "sn0001x")]);
    let again = house.asset(again);
    assert_eq!(house.gate(again), [Code::HoldInForce]);
}

#[test]
fn an_active_account_keeps_the_parts_and_copies_of_its_server() {
    let mut house = House::new();
    let server = house.server(1);
    let bare = |n| NewAsset { accounts: vec![], ..new_asset(n) };
    let drive = house.asset(NewAsset { part_of: Some(server), ..bare(2) });
    let copy = house.asset(NewAsset { copy_of: vec![drive], ..bare(3) });
    for asset in [server, drive, copy] {
        assert_eq!(house.gate(asset), [Code::AccountActive], "{asset}");
    }
    let stock = house.asset(bare(4));
    assert_eq!(house.gate(stock), [], "what has no data of anybody is clear");
}

#[test]
fn a_copy_satisfies_only_if_whole_verified_late_enough_and_kept() {
    let mut house = House::new();
    let asset = house.server(1);
    house.end_accounts();
    let early = house.snapshot(asset);
    house.now = house.now.plus_seconds(1);
    let hold = house.hold(on_accounts(&[MEGA]), "letter");
    house.yes(COUNSEL, Action::AllowCopy { hold, reason: because() });
    assert_eq!(house.gate(asset), [Code::HoldInForce], "{early} is older than the hold");
    let snapshot = house.snapshot(asset);
    assert_eq!(house.gate(asset), []);
    house.system(Action::VerifySnapshot { snapshot, intact: false });
    assert_eq!(house.gate(asset), [Code::HoldInForce]);
    house.system(Action::VerifySnapshot { snapshot, intact: true });
    assert_eq!(house.gate(asset), []);
    // Data that came later is not in it.
    house.now = house.now.plus_seconds(1);
    house.system(Action::AssignAsset { asset, account: BLUE });
    assert_eq!(house.gate(asset), [Code::HoldInForce]);
    house.snapshot(asset);
    assert_eq!(house.gate(asset), []);
}

#[test]
fn a_clearance_is_finished_once_and_only_verified_with_its_certificate() {
    let (mut house, asset, x) = House::about_to_go(1);
    let id = house.begin(x, asset, 1);
    house.system(Action::Renew { clearance: id });
    let reason = because();
    let finish = |verified, reason| Action::Finish { clearance: id, verified, reason };
    assert_eq!(house.no(STAFF, finish(false, reason)), Code::NotVerified);
    assert_eq!(house.no(STAFF, finish(true, Reason::default())), Code::CertificateMissing);
    house.finish(id);
    assert_eq!(house.no(STAFF, finish(true, because())), Code::ClearanceUsed);
    assert_eq!(house.gate(asset), [Code::AlreadyGone]);
}

#[test]
fn a_demand_between_stops_the_agent_and_what_is_gone_is_explained() {
    for (gone, late_finish) in [(7, false), (0, false), (0, true)] {
        let (mut house, asset, x) = House::about_to_go(1);
        let id = house.begin(x, asset, 1);
        let records = house.system(Action::ReceiveDemand(letter("Nora", "keep srv-0001")));
        assert!(House::names(&records).contains(&"ClearanceRevoked"));
        assert!(matches!(clearance(&house, id), ClearanceStatus::Stopping(_)));
        assert_eq!(house.no(STAFF, Action::Renew { clearance: id }), Code::ClearanceRevoked);
        let records = match late_finish {
            true => house.finish(id),
            false => house.system(Action::Abort { clearance: id, gone, reason: because() }),
        };
        let explained = House::names(&records).contains(&"DutyRaised");
        assert_eq!(explained, gone > 0 || late_finish);
        let fate = &house.state.assets.get(asset).unwrap().fate;
        match (gone, late_finish) {
            (_, true) => assert_eq!(*fate, Fate::Destroyed(id)),
            (0, _) => assert_eq!(*fate, Fate::Kept),
            _ => assert_eq!(*fate, Fate::Partial(id)),
        }
    }
}

#[test]
fn an_agent_that_falls_silent_leaves_unknown_and_its_late_report_spoils_nothing() {
    let (mut house, asset, x) = House::about_to_go(1);
    let lost = house.begin(x, asset, 1);
    house.now = house.now.plus_seconds(61);
    assert_eq!(house.no(STAFF, Action::Renew { clearance: lost }), Code::LeaseLapsed);
    let finish = Action::Finish { clearance: lost, verified: true, reason: because() };
    assert_eq!(house.no(STAFF, finish.clone()), Code::LeaseLapsed);
    let records = house.system(Action::Tick);
    assert_eq!(House::names(&records), ["ClearanceLost", "DutyRaised"]);
    assert_eq!(house.state.assets.get(asset).unwrap().fate, Fate::Unknown(lost));
    assert_eq!(house.no(STAFF, finish), Code::LeaseLapsed);
    // A second clearance is open when the first agent comes back, and again when it is done.
    let second = house.begin(x, asset, 1);
    house.system(Action::Abort { clearance: lost, gone: 0, reason: because() });
    assert_eq!(house.state.assets.get(asset).unwrap().clearance, Some(second));
    house.finish(second);
    assert_eq!(house.state.assets.get(asset).unwrap().fate, Fate::Destroyed(second));
}

#[test]
fn a_lost_agent_that_reports_after_the_end_does_not_bring_the_asset_back() {
    let (mut house, asset, x) = House::about_to_go(1);
    let lost = house.begin(x, asset, 1);
    house.now = house.now.plus_seconds(61);
    house.system(Action::Tick);
    let second = house.begin(x, asset, 1);
    house.finish(second);
    house.system(Action::Abort { clearance: lost, gone: 9, reason: because() });
    assert_eq!(house.state.assets.get(asset).unwrap().fate, Fate::Destroyed(second));
}

#[test]
fn an_objection_or_a_new_radius_after_the_reservation_stops_it() {
    let (mut house, asset, x) = House::about_to_go(1);
    let id = house.reserve(x, asset, 1);
    house.yes(OWNER, Action::FileObjection { disposition: x, by: OWNER, reason: because() });
    assert_eq!(house.no(STAFF, Action::Begin { clearance: id }), Code::ObjectionOpen);
    let decide =
        |upheld| Action::DecideObjection { objection: ObjectionId(1), upheld, reason: because() };
    let mut other = House { state: house.state.clone(), now: house.now, records: vec![] };
    let upheld = other.yes(COUNSEL, decide(true));
    let names = ["ObjectionDecided", "DispositionCancelled", "NoticeQueued"];
    assert_eq!(House::names(&upheld), names, "who objected is told");
    assert_eq!(other.no(STAFF, Action::Begin { clearance: id }), Code::DispositionClosed);
    let dismissed = house.yes(COUNSEL, decide(false));
    assert_eq!(House::names(&dismissed), ["ObjectionDecided", "NoticeQueued"]);
    let told = house.state.notices.iter().last().unwrap().1;
    assert_eq!((told.to, told.about), (OWNER, About::Objection(ObjectionId(1))));
    assert_eq!(told.rests_on, Some(dismissed[0].seq));
    house.snapshot(asset);
    assert_eq!(house.no(STAFF, Action::Begin { clearance: id }), Code::RadiusChanged);
    house.approve(x);
    house.system(Action::Begin { clearance: id });
    house.yes(OWNER, Action::FileObjection { disposition: x, by: OWNER, reason: because() });
    assert_eq!(house.no(STAFF, Action::Renew { clearance: id }), Code::ObjectionOpen);
}

#[test]
fn what_becomes_known_under_a_clearance_revokes_it_in_the_same_append() {
    type Learn = fn(AssetId) -> Action;
    let table: [(&str, Learn); 3] = [
        ("relabel", |asset| Action::RelabelAsset {
            asset,
            label: "old vault".into(),
            identifiers: vec![],
            bytes: None,
        }),
        ("assign", |asset| Action::AssignAsset { asset, account: BLUE }),
        ("copy", |asset| Action::CopyAsset { asset, source: AssetId(2) }),
    ];
    for (name, learn) in table {
        let (mut house, asset, x) = House::about_to_go(1);
        house.server(2);
        house.demand(letter("Nora", "keep old vault"));
        house.hold(on_assets(&[AssetId(2)]), "letter");
        house.hold(on_accounts(&[BLUE]), "letter");
        let reserved = house.reserve(x, asset, 1);
        house.system(learn(asset));
        assert_eq!(clearance(&house, reserved), ClearanceStatus::Revoked, "{name}");
    }
}

#[test]
fn a_copy_found_damaged_revokes_what_relied_on_it() {
    let mut house = House::new();
    let asset = house.server(1);
    house.end_accounts();
    let hold = house.hold(on_assets(&[asset]), "letter");
    house.yes(COUNSEL, Action::AllowCopy { hold, reason: because() });
    let snapshot = house.snapshot(asset);
    let x = house.ready(DispositionKind::Sanitize, &[asset]);
    let id = house.begin(x, asset, 1);
    let records = house.system(Action::VerifySnapshot { snapshot, intact: false });
    let names = House::names(&records);
    assert_eq!(names, ["SnapshotVerified", "ClearanceRevoked", "DutyRaised"]);
    assert!(matches!(clearance(&house, id), ClearanceStatus::Stopping(_)));
}

#[test]
fn an_owner_who_becomes_known_after_the_reservation_breaks_no_rule_and_stops_the_agent() {
    let mut house = House::new();
    let asset = house.asset(NewAsset { accounts: vec![], ..new_asset(1) });
    let x = house.ready(DispositionKind::Sanitize, &[asset]);
    let id = house.reserve(x, asset, 1);
    house.system(Action::AssignAsset { asset, account: MEGA });
    assert_eq!(house.no(STAFF, Action::Begin { clearance: id }), Code::AccountActive);
}

#[test]
fn what_is_being_destroyed_gets_no_new_parts() {
    let (mut house, asset, x) = House::about_to_go(1);
    house.reserve(x, asset, 1);
    let part = NewAsset { part_of: Some(asset), ..new_asset(2) };
    assert_eq!(house.no(STAFF, Action::RegisterAsset(part)), Code::ClearanceOutstanding);
}

#[test]
fn the_canary_goes_alone_and_a_batch_is_not_voided_by_its_own_progress() {
    let mut house = House::new();
    let assets: Vec<AssetId> = (1..=3).map(|n| house.server(n)).collect();
    house.end_accounts();
    let x = house.ready(DispositionKind::Sanitize, &assets);
    let second = house.reserve_action(x, assets[1], 2);
    assert_eq!(house.no(STAFF, second.clone()), Code::CanaryPending);
    let canary = house.begin(x, assets[0], 1);
    assert_eq!(house.no(STAFF, second), Code::CanaryPending);
    house.finish(canary);
    let (two, three) = (house.begin(x, assets[1], 2), house.begin(x, assets[2], 3));
    house.finish(three);
    house.finish(two);
    let reserve = house.reserve_action(x, assets[0], 1);
    assert_eq!(house.no(STAFF, reserve), Code::DispositionClosed);
}

#[test]
fn destruction_is_limited_per_day_and_per_owner() {
    let mut house = House::new();
    let mut assets: Vec<AssetId> = (1..=3).map(|n| house.server(n)).collect();
    assets.push(house.asset(NewAsset { accounts: vec![BLUE], ..new_asset(4) }));
    assets.push(house.asset(NewAsset { accounts: vec![BLUE], ..new_asset(5) }));
    house.end_accounts();
    let policy = Policy { daily_limit: 3, daily_limit_per_owner: 2, ..Policy::default() };
    house.yes(COUNSEL, Action::SetPolicy(policy));
    let x = house.ready(DispositionKind::Sanitize, &assets);
    for n in [1, 2] {
        let id = house.begin(x, assets[n - 1], n as u32);
        house.finish(id);
    }
    let third = house.reserve_action(x, assets[2], 3);
    assert_eq!(house.no(STAFF, third.clone()), Code::RateLimited, "of this owner");
    house.reserve(x, assets[3], 4);
    let fifth = house.reserve_action(x, assets[4], 5);
    assert_eq!(house.no(STAFF, fifth), Code::RateLimited, "of this day");
    house.days(1);
    house.system(third);
}

#[test]
fn a_notice_counts_when_it_is_proven_and_silence_leads_to_the_next_channel_and_a_human() {
    let mut house = House::new();
    let asset = house.server(1);
    house.end_accounts();
    let x = house.propose(DispositionKind::Sanitize, &[asset]);
    let notice = NoticeId(1);
    let reserve = house.reserve_action(x, asset, 1);
    assert_eq!(house.no(STAFF, reserve.clone()), Code::NoticeNotDelivered);
    let evidence = |attempt, evidence| Action::RecordEvidence {
        notice,
        attempt,
        evidence,
        reason: Reason::default(),
    };
    house.system(evidence(0, Evidence::Relayed));
    assert_eq!(house.no(STAFF, reserve.clone()), Code::NoticeNotDelivered);
    assert_eq!(House::names(&house.days(7)), ["NoticeEvidence", "NoticeRetried"]);
    let records = house.system(evidence(1, Evidence::Bounced));
    assert_eq!(House::names(&records), ["NoticeEvidence", "NoticeEscalated", "DutyRaised"]);
    for word_of_staff in
        [Evidence::Served, Evidence::Acknowledged, Evidence::Opened, Evidence::Delivered]
    {
        assert_eq!(house.no(STAFF, evidence(1, word_of_staff)), Code::BadValue);
    }
    let (attempt, evidence, reason) = (0, Evidence::Opened, proof());
    let records = house.system(Action::RecordEvidence { notice, attempt, evidence, reason });
    let names = ["NoticeEvidence", "DutyDischarged"];
    assert_eq!(House::names(&records), names, "the party is reached: nobody has to any more");
    assert_eq!(house.no(STAFF, reserve.clone()), Code::WaitingPeriod);
    // The notice promised thirty days: a policy that is shortened now does not break the promise.
    let policy = Policy { waiting_days: 1, ..house.state.policy.clone() };
    house.yes(COUNSEL, Action::SetPolicy(policy));
    house.days(2);
    assert_eq!(house.no(STAFF, reserve.clone()), Code::WaitingPeriod);
    house.days(28);
    assert_eq!(house.no(STAFF, reserve), Code::ApprovalsMissing);
}

#[test]
fn requesters_past_and_present_are_owed_a_notice() {
    let mut house = House::new();
    let asset = house.server(1);
    let (demand, hold) = house.demand(letter("Rita Requester", "keep srv-0001"));
    house.accept(demand);
    house.release(hold);
    house.days(14);
    house.end_accounts();
    let x = house.propose(DispositionKind::Sanitize, &[asset]);
    let owed = bailee_core::owed(&house.state, house.state.dispositions.get(x).unwrap());
    assert_eq!(owed, [OWNER, REQUESTER].into());
}

#[test]
fn three_persons_counsel_among_them_and_two_logins_are_one() {
    let mut house = House::new();
    let asset = house.server(1);
    let x = house.propose(DispositionKind::Sanitize, &[asset]);
    let approve = Action::ApproveDisposition { disposition: x };
    assert_eq!(house.no(STAFF, approve.clone()), Code::ApproverIsProposer);
    assert_eq!(house.no(ALIAS, approve.clone()), Code::ApproverIsProposer);
    house.yes(OPS, approve.clone());
    assert_eq!(house.no(OPS, approve.clone()), Code::ApproverRepeats);
    let fourth = house.state.parties.next();
    let roles = vec![bailee_core::party::Role::Staff];
    house.system(Action::RegisterParty { who: who("Fred"), roles, same_person_as: None });
    assert_eq!(house.no(fourth, approve.clone()), Code::CounselMissing);
    // A new hold changes what is approved: the first approval is void.
    house.hold(on_assets(&[asset]), "letter");
    house.yes(fourth, approve.clone());
    house.yes(COUNSEL, approve);
}

#[test]
fn a_transfer_carries_every_hold_that_the_transferee_accepts_by_name() {
    let mut house = House::new();
    let asset = house.server(1);
    let hold = house.hold(on_assets(&[asset]), "letter");
    let x = house.ready(DispositionKind::Transfer, &[asset]);
    let reserve = house.reserve_action(x, asset, 1);
    assert_eq!(house.no(STAFF, reserve.clone()), Code::HoldNotAccepted);
    let accept = Action::AcceptHold { disposition: x, hold };
    assert_eq!(house.no(OPS, accept.clone()), Code::NotPermitted);
    // A hold on something else is none of their business, as one that does not exist.
    let elsewhere = house.server(2);
    let elsewhere = house.hold(on_assets(&[elsewhere]), "letter");
    for hold in [elsewhere, HoldId(99)] {
        let accept = Action::AcceptHold { disposition: x, hold };
        assert_eq!(house.no(TRANSFEREE, accept), Code::NotFound);
    }
    house.yes(TRANSFEREE, accept);
    let id = house.begin(x, asset, 1);
    house.finish(id);
    let fate = &house.state.assets.get(asset).unwrap().fate;
    assert_eq!(*fate, Fate::HandedOver(id, TRANSFEREE));
    let verdict = gate::verdict(&house.state, asset, Verb::Transfer, house.now, None).unwrap();
    assert_eq!(verdict.reasons[0].code, Code::AlreadyGone);
}

#[test]
fn data_goes_back_to_its_owner_and_to_nobody_else() {
    let mut house = House::new();
    let asset = house.server(1);
    let nobody = house.asset(NewAsset { accounts: vec![], ..new_asset(2) });
    let back = |asset, to| Action::ProposeDisposition {
        kind: DispositionKind::Return,
        assets: vec![asset],
        to,
        reason: because(),
    };
    assert_eq!(house.no(STAFF, back(asset, Some(STRANGER))), Code::NotYourData);
    assert_eq!(house.no(STAFF, back(nobody, Some(STRANGER))), Code::NotYourData);
    assert_eq!(house.no(STAFF, back(asset, None)), Code::BadValue);
    house.end_accounts();
    let x = house.ready(DispositionKind::Return, &[asset]);
    let id = house.begin(x, asset, 1);
    house.finish(id);
    assert_eq!(house.state.assets.get(asset).unwrap().fate, Fate::HandedOver(id, OWNER));
}

#[test]
fn a_snapshot_is_expired_by_its_root_and_gone_parts_go_with_their_whole() {
    let mut house = House::new();
    let asset = house.server(1);
    let kind = AssetKind::Volume;
    let part = house.asset(NewAsset { kind, part_of: Some(asset), ..new_asset(2) });
    let snapshot = house.snapshot(asset);
    let copy = house.state.snapshots.get(snapshot).unwrap().asset;
    assert_eq!(house.state.assets.get(copy).unwrap().kind, AssetKind::Snapshot);
    house.end_accounts();
    let x = house.ready(DispositionKind::Expire, &[copy]);
    let wrong = house.reserve_action(x, copy, 1);
    assert_eq!(house.no(STAFF, wrong), Code::WrongSubject);
    let id = house.state.clearances.next();
    house.system(Action::Reserve { disposition: x, asset: copy, subject: [1; 32] });
    house.system(Action::Begin { clearance: id });
    house.finish(id);
    assert_eq!(house.gate(asset), []);
    let x = house.ready(DispositionKind::Sanitize, &[asset]);
    let drive = NewAsset { kind: AssetKind::Drive, part_of: Some(asset), ..new_asset(3) };
    let id = house.begin(x, asset, 1);
    assert_eq!(house.gate(part), [Code::ClearanceOutstanding]);
    assert_eq!(house.no(STAFF, Action::RegisterAsset(drive)), Code::ClearanceOutstanding);
    house.finish(id);
    assert_eq!(house.state.assets.get(part).unwrap().fate, Fate::Destroyed(id));
}

#[test]
fn verdicts_name_every_reason_in_a_fixed_order_with_the_document_it_rests_on() {
    let mut house = House::new();
    let asset = house.server(1);
    house.system(Action::AssignAsset { asset, account: BLUE });
    house.yes(STAFF, Action::TerminateAccount { account: BLUE });
    let (demand, _) = house.demand(letter("Nora", "keep mega store"));
    house.accept(demand);
    house.hold(on_assets(&[asset]), "letter");
    house.demand(letter("Max", "keep srv-0001"));
    let (refused, _) = house.demand(letter("Ann", "keep blue shop"));
    let triage = bailee_core::Triage::Refuse;
    house.yes(COUNSEL, Action::DecideDemand { demand: refused, triage, reason: because() });
    let verdict = gate::verdict(&house.state, asset, Verb::LetGo, house.now, None).unwrap();
    let found: Vec<(Code, &str, bool)> = verdict
        .reasons
        .iter()
        .map(|reason| (reason.code, reason.about.as_str(), !reason.rests_on.is_empty()))
        .collect();
    let expected = [
        (Code::HoldInForce, "H-1", true),
        (Code::HoldInForce, "H-2", false),
        (Code::HoldProvisional, "H-3", true),
        (Code::HoldCooling, "H-4", true),
        (Code::AccountActive, "AC-1", false),
        (Code::RetentionRunning, "AC-2", false),
    ];
    assert_eq!(found, expected);
    assert_eq!(verdict.position, house.state.head);
}

#[test]
fn a_hold_rests_on_the_document_of_each_basis_that_stands() {
    let mut house = House::new();
    let asset = house.server(1);
    let reason = |n| Reason { note: "see there".into(), exhibits: vec![exhibit(n)] };
    let (scope, instrument) = (on_assets(&[asset]), "us-2703f".to_owned());
    let (matter, silent) = (None, None);
    let place = Action::PlaceHold { scope, instrument, matter, silent, reason: reason(40) };
    house.yes(STAFF, place);
    let new = NewDemand { exhibits: vec![exhibit(41)], ..letter("Nora", "keep srv-0001") };
    let (demand, hold) = house.demand(new);
    house.accept(demand);
    let rests_on = |house: &House| {
        let verdict = gate::verdict(&house.state, asset, Verb::LetGo, house.now, None).unwrap();
        let of_holds = verdict.reasons.into_iter().filter(|r| r.code == Code::HoldInForce);
        of_holds
            .map(|r| (r.rests_on.iter().map(|d| d[0]).collect::<Vec<u8>>(), r.text))
            .collect::<Vec<_>>()
    };
    let (bare, on) = ("is in force".to_owned(), "is in force, on D-1".to_owned());
    let placed = (vec![40], bare.clone());
    assert_eq!(rests_on(&house), [placed.clone(), (vec![41], on.clone())]);
    for n in [42, 42, 43] {
        let instrument = "letter".to_owned();
        house.yes(STAFF, Action::AddBasis { hold, instrument, reason: reason(n) });
    }
    assert_eq!(rests_on(&house), [placed.clone(), (vec![41, 42, 43], on.clone())]);
    let end = |basis| Action::EndBasis { hold, basis, reason: because() };
    house.yes(STAFF, end(0));
    house.yes(STAFF, end(3));
    assert_eq!(rests_on(&house), [placed.clone(), (vec![42], bare.clone())]);
    house.yes(STAFF, end(1));
    house.yes(STAFF, end(2));
    // It blocks on, and nothing stands that it rests on.
    assert_eq!(rests_on(&house), [placed, (vec![], on)]);
    house.days(91);
    assert_eq!(rests_on(&house)[0], (vec![], bare));
}

#[test]
fn a_server_with_drives_in_it_is_not_sanitized_by_wiping_one_of_them() {
    let mut house = House::new();
    let server = house.server(1);
    let kind = AssetKind::Drive;
    house.asset(NewAsset { kind, part_of: Some(server), ..new_asset(2) });
    let (kind, assets) = (DispositionKind::Sanitize, vec![server]);
    let whole = Action::ProposeDisposition { kind, assets, to: None, reason: because() };
    assert_eq!(house.no(STAFF, whole), Code::WrongKind);
}

#[test]
fn a_day_counts_assets_and_not_attempts() {
    let mut house = House::new();
    let policy = Policy { daily_limit: 2, daily_limit_per_owner: 2, ..Policy::default() };
    house.yes(COUNSEL, Action::SetPolicy(policy));
    let assets = [1, 2, 3].map(|n| house.server(n));
    house.end_accounts();
    let all = assets.map(|asset| house.ready(DispositionKind::Sanitize, &[asset]));
    for _ in 0..3 {
        let clearance = house.begin(all[0], assets[0], 1);
        house.system(Action::Abort { clearance, gone: 0, reason: because() });
    }
    for n in [0, 1] {
        let clearance = house.begin(all[n], assets[n], n as u32 + 1);
        house.finish(clearance);
    }
    let third = house.reserve_action(all[2], assets[2], 3);
    assert_eq!(house.no(STAFF, third), Code::RateLimited);
}

#[test]
fn what_is_gone_and_who_said_so_stays_with_the_clearance() {
    let (mut house, asset, x) = House::about_to_go(1);
    let clearance = house.begin(x, asset, 1);
    let told = house.system(Action::Abort { clearance, gone: 100, reason: because() });
    let found = house.state.clearances.get(clearance).unwrap();
    assert_eq!((found.gone, found.report, found.ended), (100, Some(told[0].seq), Some(house.now)));
}

#[test]
fn an_asset_is_one_device_and_one_bound_later_is_in_no_earlier_copy() {
    let mut house = House::new();
    let asset = house.asset(NewAsset { identifiers: vec![], ..new_asset(1) });
    house.end_accounts();
    let hold = house.hold(on_accounts(&[MEGA]), "letter");
    house.yes(COUNSEL, Action::AllowCopy { hold, reason: because() });
    house.snapshot(asset);
    assert_eq!(house.gate(asset), []);
    house.now = house.now.plus_seconds(1);
    let bind = |n| Action::RelabelAsset {
        asset,
        label: "srv-0001".into(),
        identifiers: vec![identifier(IdentifierKind::Identity, &hex(&subject(n)))],
        bytes: Some(1000),
    };
    house.system(bind(1));
    assert_eq!(house.gate(asset), [Code::HoldInForce], "the copy is of what was known before");
    house.system(bind(1));
    assert_eq!(house.no(STAFF, bind(2)), Code::DeviceBound);
    house.snapshot(asset);
    assert_eq!(house.gate(asset), []);
}

#[test]
fn who_began_says_how_it_ended_and_what_is_gone_can_be_told_late() {
    let (mut house, asset, x) = House::about_to_go(1);
    let id = house.reserve(x, asset, 1);
    house.yes(STAFF, Action::Begin { clearance: id });
    let abort = |gone| Action::Abort { clearance: id, gone, reason: because() };
    assert_eq!(house.no(OPS, abort(0)), Code::NotPermitted, "it may be wiped at this moment");
    assert_eq!(house.no(OPS, Action::Renew { clearance: id }), Code::NotPermitted);
    let finish = Action::Finish { clearance: id, verified: true, reason: because() };
    assert_eq!(house.no(OPS, finish), Code::NotPermitted, "nor does anybody else know the end");
    house.demand(letter("Nora", "keep srv-0001"));
    assert_eq!(house.no(OPS, abort(0)), Code::NotPermitted, "and it may not have stopped yet");
    // The same person, who believed that it hung; then the agent reports.
    house.yes(STAFF, abort(0));
    let fate = |house: &House| house.state.assets.get(asset).unwrap().fate.clone();
    assert_eq!(fate(&house), Fate::Kept);
    assert_eq!(house.no(STAFF, abort(0)), Code::ClearanceUsed);
    let told = house.yes(STAFF, abort(9));
    assert_eq!(House::names(&told), ["ClearanceAborted", "DutyRaised"]);
    assert_eq!(fate(&house), Fate::Partial(id));
    assert_eq!(house.no(STAFF, abort(8)), Code::ClearanceUsed, "nothing comes back");
    assert_eq!(House::names(&house.yes(STAFF, abort(10))), ["ClearanceAborted"]);
}

#[test]
fn what_was_never_begun_is_given_back_by_anybody_and_has_nothing_gone() {
    let (mut house, asset, x) = House::about_to_go(1);
    let id = house.reserve(x, asset, 1);
    let abort = |gone| Action::Abort { clearance: id, gone, reason: because() };
    house.yes(OPS, abort(0));
    assert_eq!(house.no(OPS, abort(9)), Code::ClearanceUsed);
    assert_eq!(house.state.assets.get(asset).unwrap().fate, Fate::Kept);
}

#[test]
fn what_was_approved_before_it_was_bound_to_a_device_is_approved_again() {
    let mut house = House::new();
    let asset = house.asset(NewAsset { identifiers: vec![], ..new_asset(1) });
    house.end_accounts();
    let x = house.ready(DispositionKind::Sanitize, &[asset]);
    house.system(Action::RelabelAsset {
        asset,
        label: "srv-0001".into(),
        identifiers: vec![identifier(IdentifierKind::Identity, &hex(&subject(1)))],
        bytes: None,
    });
    let reserve = house.reserve_action(x, asset, 1);
    assert_eq!(house.no(STAFF, reserve), Code::RadiusChanged);
    house.approve(x);
    let id = house.begin(x, asset, 1);
    house.finish(id);
}

#[test]
fn what_is_handed_over_by_what_stands_on_it_is_approved_with_that() {
    let mut house = House::new();
    let serial = identifier(IdentifierKind::Serial, "SN-1111");
    let tape = house.asset(NewAsset { identifiers: vec![serial.clone()], ..new_asset(1) });
    house.end_accounts();
    let (kind, to) = (DispositionKind::Return, Some(OWNER));
    let propose = Action::ProposeDisposition { kind, assets: vec![tape], to, reason: because() };
    house.yes(STAFF, propose);
    let x = DispositionId(1);
    house.prove_notices(x);
    house.approve(x);
    house.days(30);
    let more = identifier(IdentifierKind::Serial, "OTHER-9");
    let label = "tape".to_owned();
    let (asset, bytes) = (tape, None);
    house.system(Action::RelabelAsset { asset, label, identifiers: vec![more], bytes });
    let reserve = |value| Action::Reserve {
        disposition: x,
        asset,
        subject: bailee_core::asset::identifier_subject(value),
    };
    assert_eq!(house.no(STAFF, reserve("OTHER-9")), Code::RadiusChanged);
    house.approve(x);
    let reserved = house.yes(STAFF, reserve("SN-1111"));
    assert_eq!(House::names(&reserved), ["ClearanceReserved"]);
    // Gone, and back again: it is a new asset with the same number on it.
    let clearance = ClearanceId(1);
    house.yes(STAFF, Action::Begin { clearance });
    house.yes(STAFF, Action::Finish { clearance, verified: true, reason: because() });
    house.asset(NewAsset { identifiers: vec![serial], ..new_asset(2) });
}
