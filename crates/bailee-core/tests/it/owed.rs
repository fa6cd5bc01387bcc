//! Rule 6 by example, where a hold comes after a transfer was told: nobody takes over what nobody
//! told them of.

use bailee_core::asset::Fate;
use bailee_core::disposition::DispositionKind;
use bailee_core::id::*;
use bailee_core::{Action, Code, Event, Record, coming_with, unnotified};

use crate::house::*;

fn to(records: &[Record]) -> Vec<(NoticeId, PartyId)> {
    let queued = |record: &Record| match record.fact.event {
        Event::NoticeQueued { notice, to, .. } => Some((notice, to)),
        _ => None,
    };
    records.iter().filter_map(queued).collect()
}

fn missing(house: &House, x: DispositionId) -> Vec<PartyId> {
    unnotified(&house.state, house.state.dispositions.get(x).unwrap())
}

#[test]
fn a_hold_that_comes_after_the_notice_of_a_transfer_is_told_before_anything_is_handed_over() {
    let mut house = House::new();
    let asset = house.server(1);
    let x = house.ready(DispositionKind::Transfer, &[asset]);
    assert_eq!(missing(&house, x), []);
    let (demand, hold) = house.demand(letter("Nora New", "keep srv-0001"));
    house.accept(demand);
    let nora = house.state.demands.get(demand).unwrap().from;
    // Who asked is owed a notice of what is proposed; the transferee one of what was asked.
    assert_eq!(missing(&house, x), [TRANSFEREE, nora]);
    let reserve = house.reserve_action(x, asset, 1);
    assert_eq!(house.no(STAFF, reserve.clone()), Code::NoticeMissing);
    let queued = house.yes(STAFF, Action::QueueNotices { disposition: x });
    let parties: Vec<PartyId> = to(&queued).into_iter().map(|(_, party)| party).collect();
    assert_eq!(parties, [TRANSFEREE, nora]);
    let again = Action::QueueNotices { disposition: x };
    assert_eq!(house.no(STAFF, again), Code::AlreadyDone);
    assert_eq!(house.no(STAFF, reserve.clone()), Code::HoldNotAccepted);
    house.yes(TRANSFEREE, Action::AcceptHold { disposition: x, hold });
    assert_eq!(house.no(STAFF, reserve.clone()), Code::NoticeNotDelivered);
    house.prove_notices(x);
    assert_eq!(house.no(STAFF, reserve.clone()), Code::WaitingPeriod, "it begins anew");
    house.days(31);
    assert_eq!(house.no(STAFF, reserve), Code::RadiusChanged);
    house.approve(x);
    let id = house.begin(x, asset, 1);
    house.finish(id);
    assert_eq!(house.state.assets.get(asset).unwrap().fate, Fate::HandedOver(id, TRANSFEREE));
    assert!(replay(&house.records, |_, _| false) == house.state);
}

#[test]
fn who_accepted_a_hold_by_name_knows_of_it() {
    let mut house = House::new();
    let asset = house.server(1);
    let x = house.propose(DispositionKind::Transfer, &[asset]);
    let hold = house.hold(on_assets(&[asset]), "letter");
    assert_eq!(missing(&house, x), [TRANSFEREE]);
    house.yes(TRANSFEREE, Action::AcceptHold { disposition: x, hold });
    assert_eq!(missing(&house, x), []);
}

#[test]
fn what_was_handed_over_before_is_no_reason_for_another_notice() {
    let mut house = House::new();
    let [one, two] = [1, 2].map(|n| house.server(n));
    let x = house.ready(DispositionKind::Transfer, &[one, two]);
    let id = house.begin(x, one, 1);
    house.finish(id);
    house.hold(on_assets(&[one]), "letter");
    assert_eq!(missing(&house, x), []);
    house.hold(on_assets(&[two]), "letter");
    assert_eq!(missing(&house, x), [TRANSFEREE]);
}

#[test]
fn a_demand_that_is_matched_later_is_told_too() {
    let mut house = House::new();
    let asset = house.server(1);
    let (demand, _) = house.demand(letter("Rita Requester", "keep what you have of us"));
    let x = house.propose(DispositionKind::Transfer, &[asset]);
    assert_eq!(missing(&house, x), []);
    house.yes(STAFF, Action::MatchDemand { demand, scope: on_assets(&[asset]) });
    assert_eq!(missing(&house, x), [REQUESTER, TRANSFEREE]);
}

#[test]
fn a_second_notice_for_a_silent_hold_does_not_move_that_of_an_owner() {
    let owners_notice = |silent: bool| {
        let mut house = House::new();
        let asset = house.server(1);
        let x = house.propose(DispositionKind::Transfer, &[asset]);
        // An owner with a larger number than the transferee's joins.
        house.yes(STAFF, Action::AssignAsset { asset, account: BLUE });
        if silent {
            house.silent_hold(on_assets(&[asset]), "letter");
        }
        let queued = to(&house.yes(STAFF, Action::QueueNotices { disposition: x }));
        assert_eq!(queued.len(), 1 + usize::from(silent), "{queued:?}");
        queued[0]
    };
    assert_eq!(owners_notice(true), owners_notice(false));
    assert_eq!(owners_notice(true).1, STRANGER);
}

#[test]
fn an_owner_who_takes_over_learns_of_a_silent_hold_when_its_gag_ends() {
    let mut house = House::new();
    let asset = house.server(1);
    house.end_accounts();
    let roles = vec![bailee_core::party::Role::Owner, bailee_core::party::Role::Transferee];
    let both = house.state.parties.next();
    let register = Action::RegisterParty { who: who("Bo Both"), roles, same_person_as: None };
    house.yes(COUNSEL, register);
    let account = house.state.accounts.next();
    house.yes(
        STAFF,
        Action::RegisterAccount {
            owner: both,
            entity: EntityId(1),
            label: "green shop".into(),
            law: "NL".into(),
            retention_days: 0,
        },
    );
    house.yes(STAFF, Action::AssignAsset { asset, account });
    let x = house.state.dispositions.next();
    let (kind, assets, reason) = (DispositionKind::Transfer, vec![asset], because());
    house.yes(STAFF, Action::ProposeDisposition { kind, assets, to: Some(both), reason });
    let hold = house.silent_hold(on_assets(&[asset]), "letter");
    assert_eq!(missing(&house, x), []);
    house.yes(COUNSEL, Action::SetGag { hold, until: None, reason: because() });
    assert_eq!(missing(&house, x), [both]);
    house.yes(STAFF, Action::QueueNotices { disposition: x });
    let found = house.state.dispositions.get(x).unwrap();
    assert_eq!(coming_with(&house.state, found, both), [hold]);
    assert_eq!(missing(&house, x), []);
}
