//! Rule 12: what a refusal says would change the answer does change it.

use bailee_core::demand::AccessStatus;
use bailee_core::disposition::DispositionKind;
use bailee_core::id::*;
use bailee_core::party::Role;
use bailee_core::{Action, By, Code, NewAsset, Refusal, TokenScope};

use crate::house::*;

fn no(house: &mut House, by: PartyId, action: Action) -> Refusal {
    house.try_run(By::Party(by), action).unwrap_err()
}

fn propose(kind: DispositionKind, asset: AssetId, to: PartyId) -> Action {
    Action::ProposeDisposition { kind, assets: vec![asset], to: Some(to), reason: because() }
}

#[test]
fn what_was_not_granted_is_granted_first_or_asked_for_anew() {
    let mut house = House::new();
    let asset = house.server(1);
    let ask = Action::RequestAccess { owner: OWNER, asset, reason: because() };
    let decide = |access, granted| Action::DecideAccess { access, granted, reason: because() };
    let fulfil = |access| Action::FulfilAccess { access, reason: because() };
    house.yes(OWNER, ask.clone());
    let open = no(&mut house, STAFF, fulfil(AccessId(1)));
    assert_eq!((open.code, open.about.as_str()), (Code::AccessNotGranted, "Q-1"));
    assert_eq!((open.text.as_str(), open.change), ("is not decided", open.code.change()));
    house.yes(COUNSEL, decide(AccessId(1), false));
    let denied = no(&mut house, COUNSEL, fulfil(AccessId(1)));
    assert_eq!((denied.code, denied.text.as_str()), (Code::AccessNotGranted, "was denied"));
    assert!(denied.change.contains("ask for it anew"), "{denied}");
    house.yes(OWNER, ask);
    house.yes(COUNSEL, decide(AccessId(2), true));
    house.yes(STAFF, fulfil(AccessId(2)));
    assert_eq!(house.state.accesses.get(AccessId(2)).unwrap().status, AccessStatus::Fulfilled);
}

#[test]
fn who_is_no_transferee_is_registered_as_one() {
    let mut house = House::new();
    let asset = house.server(1);
    let refusal = no(&mut house, STAFF, propose(DispositionKind::Transfer, asset, REQUESTER));
    assert_eq!((refusal.code, refusal.about.as_str()), (Code::BadValue, "P-6"));
    assert!(refusal.change.contains("register the receiver as a transferee"), "{refusal}");
    let (who, roles) = (who("Rita Receiver"), vec![Role::Transferee]);
    let to = house.state.parties.next();
    house.yes(STAFF, Action::RegisterParty { who, roles, same_person_as: Some(REQUESTER) });
    house.yes(STAFF, propose(DispositionKind::Transfer, asset, to));
}

#[test]
fn data_is_returned_to_the_one_owner_or_transferred() {
    let mut house = House::new();
    let own = house.server(1);
    let shared = house.asset(NewAsset { accounts: vec![MEGA, AccountId(2)], ..new_asset(2) });
    for (asset, to) in [(own, STRANGER), (shared, OWNER)] {
        let refusal = no(&mut house, STAFF, propose(DispositionKind::Return, asset, to));
        assert_eq!((refusal.code, refusal.about), (Code::NotYourData, to.to_string()));
        assert_eq!(refusal.text, format!("does not own all of the data on {asset}"));
        assert!(refusal.change.starts_with("name the one owner of all of it"), "{asset}");
    }
    house.yes(STAFF, propose(DispositionKind::Return, own, OWNER));
    house.yes(STAFF, propose(DispositionKind::Transfer, shared, TRANSFEREE));
}

#[test]
fn who_is_owed_no_notice_asks_to_keep_it() {
    let mut house = House::new();
    let asset = house.server(1);
    let disposition = house.propose(DispositionKind::Sanitize, &[asset]);
    let object = Action::FileObjection { disposition, by: STRANGER, reason: because() };
    let refusal = no(&mut house, STRANGER, object);
    assert_eq!((refusal.code, refusal.about.as_str()), (Code::NotOwed, "P-8"));
    assert!(refusal.to_string().contains("ask in a letter"), "{refusal}");
    // A letter makes the stranger one of those who asked, and so one of those who are owed.
    let (_, hold) = house.demand(letter("Sam Stranger", "Keep srv-0001, please."));
    assert!(bailee_core::coverage::reaches(&house.state, hold, asset));
    house.yes(STRANGER, Action::FileObjection { disposition, by: STRANGER, reason: because() });
}

#[test]
fn only_the_transferee_accepts() {
    let mut house = House::new();
    let asset = house.server(1);
    let hold = house.hold(on_assets(&[asset]), "letter");
    let disposition = house.propose(DispositionKind::Transfer, &[asset]);
    let accept = Action::AcceptHold { disposition, hold };
    let refusal = no(&mut house, COUNSEL, accept.clone());
    assert_eq!(refusal.code, Code::NotPermitted);
    assert!(refusal.change.starts_with("let the transferee"), "{refusal}");
    house.yes(TRANSFEREE, accept);
    // Whether there is one, and where it goes, is not told to anybody else.
    let disposition = house.propose(DispositionKind::Sanitize, &[asset]);
    let same = no(&mut house, COUNSEL, Action::AcceptHold { disposition, hold });
    assert_eq!(same, refusal);
}

#[test]
fn who_approves_again_is_told_what_is_lacking_and_nothing_if_nothing_is() {
    let mut house = House::new();
    let asset = house.server(1);
    let x = house.propose(DispositionKind::Sanitize, &[asset]);
    let approve = Action::ApproveDisposition { disposition: x };
    house.yes(OPS, approve.clone());
    let again = no(&mut house, OPS, approve.clone());
    let said = (again.code, again.change);
    assert_eq!(said, (Code::ApproverRepeats, "a third person must approve: counsel"));
    house.yes(COUNSEL, approve.clone());
    for by in [OPS, COUNSEL] {
        let done = no(&mut house, by, approve.clone());
        let said = (done.code, done.change);
        let nothing = "nothing: it is approved, by two persons with counsel among them";
        assert_eq!(said, (Code::ApproverRepeats, nothing));
    }
    let y = house.propose(DispositionKind::Sanitize, &[asset]);
    let approve = Action::ApproveDisposition { disposition: y };
    house.yes(COUNSEL, approve.clone());
    let again = no(&mut house, COUNSEL, approve.clone());
    assert_eq!(again.change, Code::ApproverRepeats.change());
    house.yes(OPS, approve);
}

#[test]
fn who_was_erased_is_not_called_destroyed() {
    let mut house = House::new();
    let party = house.state.parties.next();
    let (who, roles) = (who("Gone Gary"), vec![Role::Transferee]);
    house.system(Action::RegisterParty { who, roles, same_person_as: None });
    let asset = house.server(1);
    house.yes(COUNSEL, Action::EraseDetails { party });
    let label = "shop".to_owned();
    let (entity, law) = (EntityId(1), "NL".to_owned());
    let account = Action::RegisterAccount { owner: party, entity, label, law, retention_days: 0 };
    let token = Action::IssueToken { party, scope: TokenScope::Agent, hash: [1; 32] };
    for action in [account, token, propose(DispositionKind::Transfer, asset, party)] {
        let refusal = no(&mut house, STAFF, action);
        assert_eq!(refusal.code, Code::AlreadyGone);
        assert!(refusal.change.starts_with("register the person anew"), "{refusal}");
    }
}

#[test]
fn what_is_left_of_a_proposal_whose_first_asset_is_gone_is_proposed_anew() {
    let mut house = House::new();
    let assets = [house.server(1), house.server(2)];
    house.end_accounts();
    house.days(15);
    let [alone, both] =
        [&assets[..1], &assets[..]].map(|assets| house.ready(DispositionKind::Sanitize, assets));
    house.days(15);
    let clearance = house.begin(alone, assets[0], 1);
    house.finish(clearance);
    let reserve = house.reserve_action(both, assets[1], 2);
    let refused = house.try_run(By::System, reserve).unwrap_err();
    assert_eq!(refused.code, Code::CanaryPending);
    assert!(refused.change.contains("propose what is left of it anew"), "{refused}");
    house.yes(STAFF, Action::CancelDisposition { disposition: both, reason: because() });
    let left = house.ready(DispositionKind::Sanitize, &assets[1..]);
    house.days(15);
    house.begin(left, assets[1], 2);
}
