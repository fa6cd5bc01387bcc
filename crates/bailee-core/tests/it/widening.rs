//! What a hold comes to reach later was not decided of: a copy that was allowed, a release that was
//! approved or cools (rules 2, 3, 7).

use bailee_core::asset::IdentifierKind;
use bailee_core::demand::Scope;
use bailee_core::disposition::DispositionKind;
use bailee_core::hold::HoldStatus;
use bailee_core::id::*;
use bailee_core::{Action, By, Code, DutyKind, Event, NewAsset};

use crate::house::*;

/// A letter about srv-0001, a serial and a label that nothing has; counsel says that a copy will
/// do; verified copies of both servers.
fn stage() -> (House, AssetId, AssetId, DemandId, HoldId) {
    let mut house = House::new();
    let (first, other) = (house.server(1), house.asset(elsewhere(2)));
    house.end_accounts();
    let (demand, hold) = house.demand(letter("Jan", "Keep srv-0001, WD-77 and bluebox."));
    house.accept(demand);
    let scope = Scope { identifiers: vec!["WD-77".into()], ..Scope::default() };
    house.yes(STAFF, Action::MatchDemand { demand, scope });
    house.yes(COUNSEL, Action::AllowCopy { hold, reason: because() });
    house.days(1);
    for asset in [first, other] {
        house.snapshot(asset);
        assert_eq!(house.gate(asset), [], "{asset}");
    }
    house.days(100);
    (house, first, other, demand, hold)
}

/// An asset of the other account.
fn elsewhere(n: u32) -> NewAsset {
    NewAsset { accounts: vec![BLUE], ..new_asset(n) }
}

fn status(house: &House, hold: HoldId) -> HoldStatus {
    house.state.holds.get(hold).unwrap().status
}

fn allow(house: &mut House, hold: HoldId) {
    house.yes(COUNSEL, Action::AllowCopy { hold, reason: because() });
}

fn relabelled(asset: AssetId, label: &str, serial: &str) -> Action {
    let identifiers = vec![identifier(IdentifierKind::Serial, serial)];
    Action::RelabelAsset { asset, label: label.into(), identifiers, bytes: None }
}

/// Ways by which the hold of the letter comes to mean what it did not.
fn ways(other: AssetId, demand: DemandId) -> Vec<(&'static str, Action)> {
    let by_serial =
        NewAsset { identifiers: vec![identifier(IdentifierKind::Serial, "wd77")], ..elsewhere(3) };
    vec![
        ("match", Action::MatchDemand { demand, scope: on_assets(&[other]) }),
        ("account", Action::MatchDemand { demand, scope: on_accounts(&[BLUE]) }),
        ("serial", relabelled(other, "mail", "WD 77")),
        ("label", relabelled(other, "bluebox", "OTHER-1")),
        ("new by serial", Action::RegisterAsset(by_serial)),
        (
            "new by label",
            Action::RegisterAsset(NewAsset { label: "bluebox".into(), ..elsewhere(3) }),
        ),
        ("new name", Action::ChangeParty { party: STRANGER, who: who("Bluebox") }),
    ]
}

#[test]
fn a_copy_that_was_allowed_does_not_stand_in_for_what_the_hold_comes_to_mean() {
    let (_, _, other, demand, _) = stage();
    for (way, action) in ways(other, demand) {
        let (mut house, first, other, _, hold) = stage();
        house.yes(STAFF, action);
        assert_eq!(house.state.holds.get(hold).unwrap().copy_allowed, None, "{way}");
        assert_eq!(house.gate(first), [Code::HoldInForce], "{way}");
        let reached = bailee_core::coverage::reaches(&house.state, hold, other);
        assert_eq!(reached, !way.starts_with("new by"), "{way}");
        assert_eq!(house.gate(other).contains(&Code::HoldInForce), reached, "{way}");
        // Decided of all that it means now.
        allow(&mut house, hold);
        assert_eq!(house.gate(first), [], "{way}");
        assert_eq!(replay(&house.records, |_, _| false), house.state, "{way}");
    }
}

#[test]
fn what_was_to_go_because_a_copy_would_do_is_stopped_in_the_same_append() {
    let (_, _, other, demand, _) = stage();
    for (way, action) in ways(other, demand) {
        let (mut house, first, ..) = stage();
        let x = house.ready(DispositionKind::Sanitize, &[first]);
        let clearance = house.begin(x, first, 1);
        let records = house.yes(STAFF, action);
        assert!(House::names(&records).contains(&"ClearanceRevoked"), "{way}");
        let renew = Action::Renew { clearance };
        let refused = house.try_run(By::System, renew).unwrap_err();
        assert_eq!(refused.code, Code::ClearanceRevoked, "{way}");
    }
}

#[test]
fn what_the_hold_means_already_changes_no_decision() {
    let (mut house, first, _, demand, hold) = stage();
    house.yes(STAFF, Action::MatchDemand { demand, scope: on_assets(&[first]) });
    house.yes(STAFF, relabelled(first, "srv-0001", "SN-1"));
    house.asset(new_asset(3));
    assert!(house.state.holds.get(hold).unwrap().copy_allowed.is_some());
    assert_eq!(house.gate(first), []);
}

/// A hold on one account, satisfied by copies; a server of the other account with a drive in it, an
/// image of the server, and older copies of all three.
fn kin() -> (House, [AssetId; 3], HoldId) {
    let mut house = House::new();
    let server = house.asset(elsewhere(1));
    let drive = house.asset(NewAsset { part_of: Some(server), ..elsewhere(2) });
    let image = house.asset(NewAsset { copy_of: vec![server], ..elsewhere(3) });
    house.end_accounts();
    let hold = house.hold(on_accounts(&[MEGA]), "letter");
    allow(&mut house, hold);
    house.days(1);
    let all = [server, drive, image];
    for asset in all {
        house.snapshot(asset);
        assert_eq!(house.gate(asset), [], "{asset}");
    }
    house.days(100);
    (house, all, hold)
}

#[test]
fn a_copy_is_no_older_than_what_joined_the_account_or_the_lineage() {
    type Join = fn(&mut House, AssetId);
    let ways: [(&str, Join); 3] = [
        ("assigned", |house, asset| {
            house.yes(STAFF, Action::AssignAsset { asset, account: MEGA });
        }),
        ("copied", |house, asset| {
            let source = house.server(9);
            house.yes(STAFF, Action::CopyAsset { asset, source });
        }),
        ("a part", |house, asset| {
            house.asset(NewAsset { part_of: Some(asset), ..new_asset(8) });
        }),
    ];
    for (way, join) in ways {
        let (mut house, all, hold) = kin();
        join(&mut house, all[0]);
        for asset in all {
            let reached = bailee_core::coverage::reaches(&house.state, hold, asset);
            // A further part of the server is not on the drive.
            assert_eq!(reached, (way, asset) != ("a part", all[1]), "{way} {asset}");
            let expected: &[Code] = if reached { &[Code::HoldInForce] } else { &[] };
            assert_eq!(house.gate(asset), expected, "{way} {asset}");
        }
        house.copy_of(all[0], 1 << 40);
        house.copy_of(all[2], 1 << 40);
        for asset in all {
            assert_eq!(house.gate(asset), [], "{way} {asset}");
        }
        assert!(house.state.holds.get(hold).unwrap().copy_allowed.is_some(), "{way}");
    }
}

#[test]
fn a_new_part_stops_what_is_to_go_with_a_copy_of_the_whole() {
    let (mut house, [server, _, image], _) = kin();
    let x = house.ready(DispositionKind::Sanitize, &[image]);
    house.begin(x, image, 3);
    let part = NewAsset { part_of: Some(server), ..new_asset(8) };
    let records = house.system(Action::RegisterAsset(part));
    assert_eq!(House::names(&records), ["AssetRegistered", "ClearanceRevoked"]);
}

#[test]
fn a_copy_is_no_older_than_the_registration_of_what_joins_a_held_account() {
    let mut house = House::new();
    house.end_accounts();
    let hold = house.hold(on_accounts(&[MEGA]), "letter");
    allow(&mut house, hold);
    let early = house.now;
    house.days(100);
    let asset = house.server(1);
    let snapshot = house.state.snapshots.next();
    let taken = |taken| Action::RecordSnapshot {
        source: asset,
        root: [1; 32],
        vault_id: "v1".into(),
        bytes: 1 << 40,
        unreadable: 0,
        changed: 0,
        taken,
    };
    house.system(taken(early));
    house.system(Action::VerifySnapshot { snapshot, intact: true });
    assert_eq!(house.gate(asset), [Code::HoldInForce]);
}

#[test]
fn a_release_that_cools_is_taken_back_when_the_hold_comes_to_mean_more() {
    let (_, _, other, demand, _) = stage();
    for (way, action) in ways(other, demand) {
        let (mut house, first, _, _, hold) = stage();
        house.release(hold);
        let records = house.yes(STAFF, action);
        let kind = DutyKind::ReviewHold(hold);
        let raised = records.iter().any(|record| match record.fact.event {
            Event::DutyRaised { kind: raised, .. } => raised == kind,
            _ => false,
        });
        assert!(raised, "{way}");
        house.days(60);
        assert_eq!(status(&house, hold), HoldStatus::Active, "{way}");
        // The proposal stands; both approve again of what it is now.
        house.yes(OPS, Action::ApproveRelease { hold });
        assert_eq!(status(&house, hold), HoldStatus::Active, "{way}");
        house.yes(COUNSEL, Action::ApproveRelease { hold });
        house.days(60);
        assert_eq!(house.gate(first), [], "{way}");
        assert_eq!(replay(&house.records, |_, _| false), house.state, "{way}");
    }
}

#[test]
fn a_refused_letter_that_comes_to_mean_something_is_looked_at_again() {
    let mut house = House::new();
    let (demand, hold) = house.demand(letter("Jan", "Keep bluebox."));
    let (triage, reason) = (bailee_core::Triage::Refuse, because());
    house.yes(COUNSEL, Action::DecideDemand { demand, triage, reason });
    assert!(matches!(status(&house, hold), HoldStatus::Cooling(_)));
    let asset = house.asset(NewAsset { label: "bluebox".into(), ..elsewhere(3) });
    house.end_accounts();
    house.days(60);
    assert_eq!(house.gate(asset), [Code::HoldInForce]);
    let review = |duty| house.state.duties.get(duty).unwrap().kind == DutyKind::ReviewHold(hold);
    assert_eq!(house.state.open_duties().filter(|duty| review(*duty)).count(), 1);
    house.release(hold);
    house.days(60);
    assert_eq!(house.gate(asset), []);
}

#[test]
fn what_is_bound_to_a_device_or_comes_back_is_not_let_go_of_by_an_older_copy() {
    let identity = identifier(IdentifierKind::Identity, &hex(&subject(3)));
    for (way, new) in [("bound", identity), ("back", identifier(IdentifierKind::Serial, "SN-9"))] {
        let mut house = House::new();
        let sold = house.asset(NewAsset { identifiers: vec![], ..elsewhere(9) });
        house.yes(STAFF, relabelled(sold, "sold", "SN-9"));
        let asset = house.asset(NewAsset { identifiers: vec![], ..new_asset(1) });
        house.end_accounts();
        let (kind, to) = (DispositionKind::Return, Some(STRANGER));
        let propose =
            Action::ProposeDisposition { kind, assets: vec![sold], to, reason: because() };
        let gone = house.state.dispositions.next();
        house.yes(STAFF, propose);
        house.prove_notices(gone);
        house.days(31);
        house.approve(gone);
        let subject = bailee_core::asset::identifier_subject("SN-9");
        let clearance = house.state.clearances.next();
        house.yes(STAFF, Action::Reserve { disposition: gone, asset: sold, subject });
        house.yes(STAFF, Action::Begin { clearance });
        house.yes(STAFF, Action::Finish { clearance, verified: true, reason: because() });
        let hold = house.hold(on_accounts(&[MEGA]), "letter");
        allow(&mut house, hold);
        house.snapshot(asset);
        house.days(1);
        let image = house.asset(NewAsset { copy_of: vec![asset], ..new_asset(2) });
        house.snapshot(image);
        let x = house.ready(DispositionKind::Sanitize, &[image]);
        house.begin(x, image, 2);
        let (label, identifiers) = ("srv-0001".to_owned(), vec![new]);
        let records = house.system(Action::RelabelAsset { asset, label, identifiers, bytes: None });
        assert_eq!(*House::names(&records).last().unwrap(), "ClearanceRevoked", "{way}");
        assert_eq!(house.gate(asset), [Code::HoldInForce], "{way}");
    }
}
