//! Rules 9 and 11 by example: an owner sees what is theirs, and no trace of a silent hold.

use bailee_core::disposition::DispositionKind;
use bailee_core::id::*;
use bailee_core::view::{self, OwnerView};
use bailee_core::{Action, Code, Event, Intent, NewDemand, Reason, plan};

use crate::house::*;

/// What the owner sees while a silent hold comes, is kept by copy, decided on, and goes again.
fn seen(secret: AccountId) -> Vec<OwnerView> {
    let mut house = House::new();
    let target = if secret == MEGA { 1 } else { 2 };
    for n in [1, 2] {
        let account = if n == 1 { MEGA } else { BLUE };
        house.asset(bailee_core::NewAsset { accounts: vec![account], ..new_asset(n) });
    }
    let mut views = Vec::new();
    let mut look = |house: &House| views.push(view::owner(&house.state, OWNER));
    look(&house);
    let order = NewDemand {
        scope: on_accounts(&[secret]),
        instrument: Some("epoc-pr".into()),
        ..letter("Rita Requester", "secret")
    };
    let (demand, hold) = house.demand(order);
    look(&house);
    house.accept(demand);
    house.snapshot(AssetId(target));
    look(&house);
    house.hold(on_accounts(&[MEGA]), "letter");
    look(&house);
    house.days(70);
    look(&house);
    house.release(hold);
    look(&house);
    house.days(14);
    look(&house);
    views
}

#[test]
fn histories_that_differ_in_a_silent_hold_look_the_same_to_the_owner() {
    let views = seen(MEGA);
    assert_eq!(views, seen(BLUE));
    assert_eq!(views[3].holds, [HoldId(2)], "while an open hold is seen");
    assert_eq!(views[0].assets, [AssetId(1)]);
}

#[test]
fn an_owner_sees_a_hold_when_its_gag_ends_and_nothing_of_others() {
    let mut house = House::new();
    let asset = house.server(1);
    let hold = house.hold(on_assets(&[asset]), "epoc-pr");
    assert_eq!(view::owner(&house.state, OWNER).holds, []);
    house.yes(COUNSEL, Action::SetGag { hold, until: None, reason: because() });
    assert_eq!(view::owner(&house.state, OWNER).holds, [hold]);
    let stranger = view::owner(&house.state, STRANGER);
    let expected = OwnerView { accounts: vec![BLUE], ..OwnerView::default() };
    assert_eq!(stranger, expected);
}

#[test]
fn nobody_asks_for_the_data_of_others_or_in_their_name() {
    let mut house = House::new();
    let asset = house.server(1);
    let ask = |owner| Action::RequestAccess { owner, asset, reason: because() };
    assert_eq!(house.no(STRANGER, ask(STRANGER)), Code::NotYourData);
    assert_eq!(house.no(STRANGER, ask(OWNER)), Code::NotPermitted);
    house.yes(STAFF, ask(OWNER));
    house.yes(OWNER, ask(OWNER));
    let access = AccessId(1);
    let fulfil = Action::FulfilAccess { access, reason: because() };
    assert_eq!(house.no(STAFF, fulfil.clone()), Code::AccessNotGranted);
    house.yes(STAFF, Action::DecideAccess { access, granted: true, reason: because() });
    let terms = house.state.accesses.get(access).unwrap().terms.clone();
    assert_eq!(terms, because().note);
    let handed = Reason { note: "handed over".into(), exhibits: Vec::new() };
    house.yes(STAFF, Action::FulfilAccess { access, reason: handed });
    let found = house.state.accesses.get(access).unwrap();
    assert_eq!(found.terms, terms, "what is said of the handover is no condition of it");
    assert_eq!(house.no(STAFF, fulfil), Code::AlreadyDone);
}

/// What an owner can count while a silent order is on its data or on another's: ids, places and
/// times of what it is told, what is planned for it and in which turn, how much each of its own
/// commands writes, and the words of each refusal.
fn counted(secret: AccountId) -> Vec<String> {
    const READER: PartyId = STRANGER;
    let mut house = House::new();
    for (n, account) in [(1, MEGA), (2, BLUE)] {
        house.asset(bailee_core::NewAsset { accounts: vec![account], ..new_asset(n) });
    }
    // Whoever ordered was known here before the owner: its number is the smaller one.
    let order = NewDemand {
        scope: on_accounts(&[secret]),
        instrument: Some("epoc-pr".into()),
        ..letter("Rita Requester", "secret")
    };
    let (demand, _) = house.demand(order);
    house.accept(demand);
    house.snapshot(AssetId(if secret == MEGA { 1 } else { 2 }));
    let mut told = Vec::new();
    let mut ask = |house: &mut House, action: Action| {
        let answer = house.try_run(bailee_core::By::Party(READER), action);
        told.push(answer.map_or_else(
            |refusal| refusal.to_string(),
            |records| format!("{:?} from {}", House::names(&records), records[0].seq),
        ));
    };
    // Its own, another's, the snapshot, and nothing.
    for asset in [2, 1, 3, 9].map(AssetId) {
        ask(&mut house, Action::RequestAccess { owner: READER, asset, reason: because() });
    }
    let first = house.propose(DispositionKind::Sanitize, &[AssetId(2)]);
    let second = house.propose(DispositionKind::Sanitize, &[AssetId(1)]);
    for disposition in [first, second, DispositionId(3)] {
        ask(&mut house, Action::FileObjection { disposition, by: READER, reason: because() });
    }
    let theirs = |house: &House, id: NoticeId| house.state.notices.get(id).unwrap().to == READER;
    let planned = plan(&house.state, 100).into_iter().enumerate();
    told.extend(planned.filter_map(|(turn, intent)| match intent {
        Intent::SendNotice(id, n) if theirs(&house, id) => Some(format!("turn {turn}: {id}, {n}")),
        _ => None,
    }));
    for n in 0..40 {
        if let Some(NoticeId(first)) = view::owner(&house.state, READER).notices.first() {
            // Sent, and never heard of: the next channel, then a human.
            for id in view::owner(&house.state, READER).notices {
                for attempt in 0..2 {
                    let sent = Action::NoticeSent { notice: id, attempt };
                    _ = house.try_run(bailee_core::By::System, sent);
                }
            }
            told.push(format!("day {n}: from N-{first}, {:?}", view::owner(&house.state, READER)));
        }
        house.days(1);
    }
    let about = |record: &bailee_core::Record| match record.fact.event {
        Event::NoticeQueued { notice, .. }
        | Event::NoticeSent { notice, .. }
        | Event::NoticeRetried { notice, .. }
        | Event::NoticeEscalated { notice } => Some(notice),
        _ => None,
    };
    let records = house.records.iter().filter(|record| about(record).is_some());
    let records = records.filter(|record| theirs(&house, about(record).unwrap()));
    told.extend(records.map(|record| {
        let place = match record.fact.event {
            // Those of others stand between what comes later.
            Event::NoticeQueued { .. } => format!("at {}", record.seq),
            _ => String::new(),
        };
        format!("{} {:?} {place}", record.at, record.fact.event)
    }));
    told
}

#[test]
fn what_an_owner_can_count_is_the_same_with_a_silent_hold() {
    let with = counted(BLUE);
    assert_eq!(with, counted(MEGA));
    let has = |what: &str| with.iter().filter(|line| line.contains(what)).count();
    assert_eq!(has("owns no data on"), 3, "{with:#?}");
    // N-1 tells the requester that its order was accepted.
    assert_eq!(has("turn 2: N-2, 0"), 1, "{with:#?}");
    assert!(has("NoticeRetried") > 0 && has("NoticeEscalated") > 0, "{with:#?}");
}

/// A server of the owner's, a drive in it that nobody else has data on, and one of another
/// customer's; the first drive is in the owner's hands through the server alone.
fn with_drives() -> (House, [AssetId; 3]) {
    let mut house = House::new();
    let server = house.server(1);
    let drive = |accounts, n| bailee_core::NewAsset {
        kind: bailee_core::asset::AssetKind::Drive,
        accounts,
        part_of: Some(server),
        ..new_asset(n)
    };
    let [plain, others] = [(vec![], 2), (vec![BLUE], 3)].map(|(of, n)| house.asset(drive(of, n)));
    (house, [server, plain, others])
}

fn seen_by_owner(house: &House) -> OwnerView {
    view::owner(&house.state, OWNER)
}

#[test]
fn an_owner_sees_the_parts_of_its_assets_and_none_that_is_only_of_others() {
    let (mut house, [server, plain, others]) = with_drives();
    let hold = house.hold(on_assets(&[plain]), "letter");
    let view = seen_by_owner(&house);
    assert_eq!((&view.assets[..], &view.parts[..]), (&[server][..], &[plain][..]));
    assert_eq!(view.holds, [hold], "a hold on a part is one on its data");
    assert_eq!(view.holds_on(&house.state, plain), [hold]);
    assert_eq!(view.holds_on(&house.state, server), [hold], "the server goes with all that it has");
    // What another customer is asked to keep is no business of theirs, though it blocks the server.
    for scope in [on_accounts(&[BLUE]), on_assets(&[others])] {
        house.hold(scope, "letter");
        assert_eq!(seen_by_owner(&house), view);
    }
    let stranger = view::owner(&house.state, STRANGER);
    assert_eq!((&stranger.assets[..], &stranger.parts[..]), (&[others][..], &[][..]));
}

#[test]
fn a_hold_on_the_whole_and_on_an_identifier_is_one_on_the_part() {
    let mut house = House::new();
    let rack = house.asset(bailee_core::NewAsset { accounts: vec![], ..new_asset(1) });
    let share = bailee_core::NewAsset { part_of: Some(rack), ..new_asset(2) };
    let identifiers = vec!["SN-0002-X".into()];
    let form = bailee_core::demand::Scope { identifiers, ..Default::default() };
    let wanted = house.hold(form, "letter");
    let share = house.asset(share);
    let whole = house.hold(on_assets(&[rack]), "letter");
    house.silent_hold(on_assets(&[rack]), "letter");
    let view = seen_by_owner(&house);
    assert_eq!(view.holds_on(&house.state, share), [wanted, whole]);
}

#[test]
fn a_copy_is_shown_where_a_hold_that_the_owner_knows_of_explains_it_and_once() {
    let (mut house, [server, plain, _]) = with_drives();
    let copies = |house: &House| seen_by_owner(house).copies;
    house.snapshot(server);
    let hold = house.hold(on_assets(&[server]), "letter");
    let first = house.snapshot(server);
    assert_eq!(copies(&house), [], "nothing that they know of asks for a copy");
    house.yes(COUNSEL, Action::AllowCopy { hold, reason: because() });
    assert_eq!(copies(&house), [first], "and one that is older than the hold is none of it");
    let silent = house.silent_hold(on_assets(&[plain]), "letter");
    house.yes(COUNSEL, Action::AllowCopy { hold: silent, reason: because() });
    let second = house.snapshot(plain);
    house.snapshot(server);
    assert_eq!(copies(&house), [first], "the drive is in the first one, too");
    let copy = house.state.snapshots.get(first).unwrap().asset;
    assert_eq!(seen_by_owner(&house).holds_on(&house.state, copy), [hold]);
    // Known once, it stays known: a copy does not vanish with its reason.
    house.release(hold);
    house.days(14);
    let view = seen_by_owner(&house);
    assert_eq!((&view.copies[..], &view.holds[..]), (&[first][..], &[][..]));
    assert_eq!(view.holds_on(&house.state, copy), []);
    house.yes(COUNSEL, Action::SetGag { hold: silent, until: None, reason: because() });
    let of_server = SnapshotId(4);
    assert_eq!(copies(&house), [first, second, of_server], "what it reached, and when");
}

/// What the owner sees of a house that goes its way, with a silent hold over `secret` and what the
/// house does because of it, or without.
fn life(secret: Option<bailee_core::demand::Scope>) -> Vec<String> {
    let (mut house, [server, plain, _]) = with_drives();
    let open = house.hold(on_assets(&[server]), "letter");
    house.yes(COUNSEL, Action::AllowCopy { hold: open, reason: because() });
    house.snapshot(server);
    let mut views = Vec::new();
    let mut look = |house: &House| {
        let view = seen_by_owner(house);
        let things = view.assets.iter().chain(&view.parts).copied();
        let copies = view.copies.iter().map(|id| house.state.snapshots.get(*id).unwrap().asset);
        let held = things.chain(copies).map(|asset| view.holds_on(&house.state, asset));
        let held: Vec<_> = held.collect();
        views.push(format!("{view:?} {held:?}"));
    };
    look(&house);
    let hold = secret.map(|scope| house.silent_hold(scope, "letter"));
    look(&house);
    if let Some(hold) = hold {
        house.snapshot(plain);
        house.snapshot(server);
        house.yes(COUNSEL, Action::AllowCopy { hold, reason: because() });
    }
    look(&house);
    house.days(3);
    look(&house);
    if let Some(hold) = hold {
        house.release(hold);
    }
    house.days(14);
    look(&house);
    views
}

#[test]
fn a_silent_hold_on_a_part_or_on_a_copy_cannot_be_deduced() {
    let without = life(None);
    assert!(without[0].contains("copies: [SnapshotId(1)]"), "{}", without[0]);
    let (server, plain, copy) = (AssetId(1), AssetId(2), AssetId(4));
    for asset in [server, plain, copy] {
        assert_eq!(life(Some(on_assets(&[asset]))), without, "{asset}");
    }
    assert_eq!(life(Some(on_accounts(&[MEGA]))), without);
}
