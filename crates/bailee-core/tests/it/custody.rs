//! Erasing a custody unit: one snapshot names it; all of it is asked about, marked and ended.

use bailee_core::asset::Fate;
use bailee_core::custody;
use bailee_core::disposition::{ClearanceStatus, DispositionKind};
use bailee_core::gate::{self, Verb};
use bailee_core::id::*;
use bailee_core::{Action, Code, Event, radius};

use crate::house::*;

/// A house whose ended account has a server with two snapshots, which are assets of their own.
fn stage() -> (House, AssetId, [AssetId; 2]) {
    let mut house = House::new();
    let server = house.server(1);
    house.end_accounts();
    let copies = [house.snapshot(server), house.snapshot(server)];
    let copies = copies.map(|id| house.state.snapshots.get(id).unwrap().asset);
    (house, server, copies)
}

fn fate(house: &House, asset: AssetId) -> Fate {
    house.state.assets.get(asset).unwrap().fate.clone()
}

fn erase_gate(house: &House, asset: AssetId) -> Vec<(Code, String)> {
    let verdict = gate::verdict(&house.state, asset, Verb::Erase, house.now, None).unwrap();
    verdict.reasons.into_iter().map(|reason| (reason.code, reason.about)).collect()
}

#[test]
fn every_snapshot_of_the_unit_goes_and_nothing_else() {
    let (mut house, server, [one, two]) = stage();
    let other = house.server(2);
    let other = house.snapshot(other);
    let other = house.state.snapshots.get(other).unwrap().asset;
    let x = house.propose(DispositionKind::Erase, &[two]);
    let going = custody::going(&house.state, DispositionKind::Erase, &[two]);
    assert_eq!(going, [two, one]);
    assert_eq!(radius(&house.state, DispositionKind::Erase, &[two]).assets, 2);
    house.prove_notices(x);
    house.days(31);
    house.approve(x);
    let approved = &house.state.dispositions.get(x).unwrap().approvals;
    assert!(approved.iter().all(|approval| approval.radius.bytes == 2000), "{approved:?}");
    let id = house.begin(x, two, 7);
    assert_eq!(house.gate(one), [Code::ClearanceOutstanding], "the sibling is on its way too");
    house.finish(id);
    assert_eq!(
        [one, two].map(|copy| fate(&house, copy)),
        [Fate::Destroyed(id), Fate::Destroyed(id)]
    );
    assert_eq!([server, other].map(|asset| fate(&house, asset)), [Fate::Kept, Fate::Kept]);
    let account = house.state.assets.get(one).unwrap().accounts.first().copied();
    assert_eq!(custody::open_unit(&house.state, server, account), 1);
    assert_eq!(custody::open_unit(&house.state, server, None), 0);
    // A later snapshot is in the next unit.
    let next = house.snapshot(server);
    let next = house.state.snapshots.get(next).unwrap().asset;
    assert_eq!(custody::unit(&house.state, next), [next]);
}

#[test]
fn a_hold_on_any_snapshot_of_the_unit_keeps_all_of_it() {
    let (mut house, _, [one, two]) = stage();
    let x = house.ready(DispositionKind::Erase, &[one]);
    let hold = house.hold(on_assets(&[two]), "letter");
    let reserve = house.reserve_action(x, one, 7);
    assert_eq!(house.no(STAFF, reserve), Code::HoldInForce);
    assert_eq!(erase_gate(&house, one), [(Code::HoldInForce, hold.to_string())]);
    assert_eq!(house.gate(one), [], "alone it could be expired");
}

#[test]
fn what_reaches_two_snapshots_is_one_reason() {
    let (mut house, server, [one, _]) = stage();
    for n in 0..11 {
        house.hold(on_assets(&[server]), "letter");
        assert_eq!(erase_gate(&house, one).len(), n + 1);
    }
    let holds: Vec<String> = erase_gate(&house, one).into_iter().map(|(_, about)| about).collect();
    let wanted: Vec<String> = (1..=11).map(|n| format!("H-{n}")).collect();
    assert_eq!(holds, wanted, "in the order of their ids");
}

#[test]
fn a_demand_for_a_sibling_revokes_before_the_beginning_and_stops_after_it() {
    let (mut house, _, [one, two]) = stage();
    let x = house.ready(DispositionKind::Erase, &[one]);
    let reserved = house.reserve(x, one, 7);
    let hold = house.hold(on_assets(&[two]), "letter");
    let status = |house: &House, id| house.state.clearances.get(id).unwrap().status;
    assert_eq!(status(&house, reserved), ClearanceStatus::Revoked);
    house.release(hold);
    house.days(31);
    let begun = house.begin(x, one, 7);
    house.hold(on_assets(&[two]), "letter");
    assert!(matches!(status(&house, begun), ClearanceStatus::Stopping(_)));
    assert_eq!(house.no(STAFF, Action::Renew { clearance: begun }), Code::ClearanceRevoked);
    house.system(Action::Abort { clearance: begun, gone: 0, reason: because() });
    assert_eq!([one, two].map(|copy| fate(&house, copy)), [Fate::Kept, Fate::Kept]);
}

#[test]
fn an_erasure_never_heard_of_again_leaves_all_of_the_unit_unknown_until_it_is_finished() {
    let (mut house, server, [one, two]) = stage();
    let x = house.ready(DispositionKind::Erase, &[one]);
    let lost = house.begin(x, one, 7);
    house.now = house.now.plus_seconds(61);
    house.system(Action::Tick);
    assert_eq!(
        [one, two].map(|copy| fate(&house, copy)),
        [Fate::Unknown(lost), Fate::Unknown(lost)]
    );
    // What is kept meanwhile is in the next unit, and stays there whatever is heard of the first.
    let next = house.snapshot(server);
    let next = house.state.snapshots.get(next).unwrap().asset;
    assert_eq!(custody::unit(&house.state, next), [next]);
    assert_eq!(custody::unit(&house.state, one), [one, two]);
    let again = house.begin(x, one, 8);
    house.finish(again);
    let gone = Fate::Destroyed(again);
    assert_eq!([one, two].map(|copy| fate(&house, copy)), [gone.clone(), gone.clone()]);
    let late = Action::Abort { clearance: lost, gone: 5, reason: because() };
    house.system(late);
    let fates = [one, two, next].map(|copy| fate(&house, copy));
    assert_eq!(fates, [gone.clone(), gone, Fate::Kept], "news of the first concerns the first");
    let account = house.state.assets.get(one).unwrap().accounts.first().copied();
    assert_eq!(custody::open_unit(&house.state, server, account), 1, "one number is used up");
}

#[test]
fn approvals_are_for_these_snapshots_and_not_for_as_many_bytes() {
    let (mut house, server, [one, two]) = stage();
    let x = house.ready(DispositionKind::Erase, &[one]);
    let expire = house.ready(DispositionKind::Expire, &[two]);
    let id = house.state.clearances.next();
    let root = house.state.assets.get(two).unwrap().snapshot;
    let subject = house.state.snapshots.get(root.unwrap()).unwrap().root;
    house.system(Action::Reserve { disposition: expire, asset: two, subject });
    house.system(Action::Begin { clearance: id });
    house.finish(id);
    house.snapshot(server);
    let reserve = house.reserve_action(x, one, 7);
    assert_eq!(house.no(STAFF, reserve), Code::RadiusChanged);
}

#[test]
fn no_snapshot_joins_a_unit_that_is_being_erased() {
    let (mut house, server, [one, _]) = stage();
    let x = house.ready(DispositionKind::Erase, &[one]);
    let record = Action::RecordSnapshot {
        source: server,
        root: [9; 32],
        vault_id: "v9".into(),
        bytes: 1,
        unreadable: 0,
        changed: 0,
        taken: house.now,
    };
    let id = house.reserve(x, one, 7);
    assert_eq!(house.no(STAFF, record.clone()), Code::ClearanceOutstanding);
    house.system(Action::Abort { clearance: id, gone: 0, reason: because() });
    let recorded = house.yes(STAFF, record);
    assert!(matches!(recorded[0].fact.event, Event::SnapshotRecorded { .. }));
    // What approvers saw is not what would go now.
    let reserve = house.reserve_action(x, one, 7);
    assert_eq!(house.no(STAFF, reserve), Code::RadiusChanged);
}

#[test]
fn what_is_no_unit_or_named_already_is_refused_by_name() {
    let (mut house, server, [one, two]) = stage();
    let propose = |assets: &[AssetId]| Action::ProposeDisposition {
        kind: DispositionKind::Erase,
        assets: assets.to_vec(),
        to: None,
        reason: because(),
    };
    assert_eq!(house.no(STAFF, propose(&[server])), Code::WrongKind);
    assert_eq!(house.no(STAFF, propose(&[one, two])), Code::BadValue);
    let x = house.ready(DispositionKind::Erase, &[one]);
    let (disposition, subject) = (x, [0; 32]);
    let blank = Action::Reserve { disposition, asset: one, subject };
    assert_eq!(house.no(STAFF, blank), Code::NoSubject);
    let other = Action::Reserve { disposition, asset: two, subject: [1; 32] };
    assert_eq!(house.no(STAFF, other), Code::AssetNotInDisposition);
    let early = house.propose(DispositionKind::Erase, &[one]);
    let early = house.reserve_action(early, one, 7);
    assert_eq!(house.no(STAFF, early), Code::NoticeNotDelivered);
}
