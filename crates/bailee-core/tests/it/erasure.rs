//! Rule 10 by example: erasure forgets the person and breaks nothing. A replay of the journal
//! without the destroyed sections gives the state that the erasure left.

use bailee_core::disposition::DispositionKind;
use bailee_core::id::*;
use bailee_core::party::{Role, Who};
use bailee_core::{Action, Code, Event, Intent, NewAsset, TokenScope, plan};

use crate::house::*;

const ERASE: fn(PartyId) -> Action = |party| Action::EraseDetails { party };

/// Replays with every section missing that an erasure in the log destroyed.
fn replay_erased(house: &House) -> bailee_core::State {
    let (mut who, mut papers) = (Vec::new(), Vec::new());
    for record in &house.records {
        if let Event::DetailsErased { positions, papers: destroyed, .. } = &record.fact.event {
            who.extend(positions.iter().copied());
            papers.extend(destroyed.iter().copied());
        }
    }
    replay(&house.records, |section, seq| match section {
        1 => who.contains(&seq),
        2 => papers.contains(&seq),
        _ => false,
    })
}

#[test]
fn a_replay_without_the_erased_sections_gives_the_state_after_erasure() {
    let mut house = House::new();
    let asset = house.server(1);
    let rita = REQUESTER;
    let (demand, hold) = house.demand(letter("Rita Requester", "keep srv-0001"));
    house.accept(demand);
    let matter = MatterId(1);
    house.system(Action::OpenMatter { title: "a case".into() });
    house.yes(STAFF, Action::FileCorrespondence { matter, from: rita, reason: because() });
    house.yes(OWNER, Action::RequestAccess { owner: OWNER, asset, reason: because() });
    let access = AccessId(1);
    house.yes(STAFF, Action::DecideAccess { access, granted: true, reason: because() });
    house.yes(COUNSEL, Action::ChangeParty { party: rita, who: who("Rita Renamed") });
    assert_eq!(house.no(COUNSEL, ERASE(rita)), Code::ErasureBlocked);
    house.release(hold);
    house.days(14);
    // While the account is in use, a letter that names it has to find it.
    assert_eq!(house.no(COUNSEL, ERASE(OWNER)), Code::ErasureBlocked);
    house.end_accounts();
    assert_eq!(house.no(COUNSEL, ERASE(OWNER)), Code::ErasureBlocked, "the server is still here");
    let x = house.ready(DispositionKind::Sanitize, &[asset]);
    let clearance = house.begin(x, asset, 1);
    house.finish(clearance);
    for party in [rita, OWNER] {
        house.yes(COUNSEL, ERASE(party));
        assert!(house.state.parties.get(party).unwrap().who.is_none());
    }
    assert_eq!(house.state.accounts.get(MEGA).unwrap().label, None);
    assert!(house.state.demands.get(demand).unwrap().papers.is_none());
    assert_eq!(house.state.party_at("rita.renamed@example.org"), None);
    assert!(replay_erased(&house) == house.state);
    let intents = plan(&house.state, 100);
    assert_eq!(intents.iter().filter(|i| matches!(i, Intent::Erase(_))).count(), 2);
    // The world goes on, and what comes later comes out the same.
    let (_, again) = house.demand(letter("Rita Renamed", "keep mega store and srv-0001"));
    assert_eq!(house.state.holds.get(again).unwrap().scope.accounts, []);
    assert!(replay_erased(&house) == house.state);
}

#[test]
fn an_erased_party_stays_erased_and_what_comes_later_can_be_erased_again() {
    let mut house = House::new();
    house.system(Action::OpenMatter { title: "a case".into() });
    house.yes(COUNSEL, ERASE(REQUESTER));
    assert_eq!(house.no(COUNSEL, ERASE(REQUESTER)), Code::AlreadyDone);
    let change = Action::ChangeParty { party: REQUESTER, who: who("Rita Again") };
    assert_eq!(house.no(COUNSEL, change), Code::AlreadyGone);
    let account = Action::RegisterAccount {
        owner: REQUESTER,
        entity: EntityId(1),
        label: "rita's shop".into(),
        law: "NL".into(),
        retention_days: 0,
    };
    assert_eq!(house.no(COUNSEL, account), Code::AlreadyGone);
    let (matter, from) = (MatterId(1), REQUESTER);
    house.yes(STAFF, Action::FileCorrespondence { matter, from, reason: because() });
    house.yes(COUNSEL, ERASE(REQUESTER));
    assert!(replay_erased(&house) == house.state);
}

#[test]
fn an_address_shared_by_two_logins_survives_the_erasure_of_either() {
    for erased in [STAFF, ALIAS] {
        let mut house = House::new();
        let both = Who { name: "Stan".into(), ..who("Stan Staff") };
        house.yes(COUNSEL, Action::ChangeParty { party: ALIAS, who: both });
        assert_eq!(house.state.party_at("Stan.Staff@example.org"), Some(STAFF));
        house.yes(COUNSEL, ERASE(erased));
        let left = if erased == STAFF { ALIAS } else { STAFF };
        assert_eq!(house.state.party_at("stan.staff@example.org"), Some(left));
        assert!(replay_erased(&house) == house.state);
    }
}

#[test]
fn one_letter_of_two_senders_is_forgotten_with_each_of_them() {
    let mut house = House::new();
    let form = |from| bailee_core::NewDemand { exhibits: vec![exhibit(5)], ..letter(from, "keep") };
    let mut holds = Vec::new();
    for from in ["Rita Requester", "Nora"] {
        let (demand, hold) = house.demand(form(from));
        house.accept(demand);
        house.release(hold);
        holds.push(hold);
    }
    house.days(14);
    let nora = house.state.demands.get(DemandId(2)).unwrap().from;
    house.yes(COUNSEL, ERASE(nora));
    assert!(replay_erased(&house) == house.state);
    house.yes(COUNSEL, ERASE(REQUESTER));
    assert!(replay_erased(&house) == house.state);
}

/// What keeps an owner's details, and what would change that.
fn blocked_by(house: &House) -> Option<(String, &'static str)> {
    let command = bailee_core::Command::by(COUNSEL, ERASE(OWNER));
    match bailee_core::decide(&house.state, &command, house.now) {
        Ok(_) => None,
        Err(no) => {
            assert_eq!(no.code, Code::ErasureBlocked);
            Some((no.about, no.change))
        }
    }
}

#[test]
fn an_owner_can_be_reached_until_the_last_of_its_data_is_gone() {
    let mut house = House::new();
    let server = house.server(1);
    let about = |house: &House| blocked_by(house).map(|(about, _)| about);
    assert_eq!(about(&house).as_deref(), Some("AC-1"), "the account comes first");
    // A copy without an account of its own has the owner's data, and so has a snapshot.
    let copy = house.asset(NewAsset { accounts: vec![], copy_of: vec![server], ..new_asset(2) });
    house.end_accounts();
    let snapshot = house.snapshot(server);
    let snapshot = house.state.snapshots.get(snapshot).unwrap().asset;
    let go = |house: &mut House, asset: AssetId| {
        let kind = match asset == snapshot {
            true => DispositionKind::Expire,
            false => DispositionKind::Sanitize,
        };
        let x = house.ready(kind, &[asset]);
        let id = house.state.clearances.next();
        let subject = match asset == snapshot {
            true => house.state.snapshots.get(SnapshotId(1)).unwrap().root,
            false => subject(asset.0),
        };
        house.system(Action::Reserve { disposition: x, asset, subject });
        house.system(Action::Begin { clearance: id });
        house.finish(id);
    };
    for asset in [server, copy, snapshot] {
        let (about, change) = blocked_by(&house).unwrap();
        assert_eq!(about, asset.to_string());
        assert!(change.starts_with("end its keeping first"), "{change}");
        go(&mut house, asset);
    }
    assert_eq!(blocked_by(&house), None);
    house.yes(COUNSEL, ERASE(OWNER));
}

#[test]
fn what_nobody_knows_the_fate_of_keeps_its_owner_and_what_was_given_back_does_not() {
    let mut house = House::new();
    let server = house.server(1);
    house.end_accounts();
    let x = house.ready(DispositionKind::Return, &[server]);
    house.begin(x, server, 1);
    house.now = house.now.plus_seconds(61);
    house.system(Action::Tick);
    assert_eq!(blocked_by(&house).map(|(about, _)| about).as_deref(), Some("A-1"), "it is unknown");
    let id = house.begin(x, server, 1);
    house.finish(id);
    house.yes(COUNSEL, ERASE(OWNER));
}

#[test]
fn whose_part_is_gone_is_kept_by_no_other_part_and_owed_nothing_for_the_rest() {
    let mut house = House::new();
    let server = house.asset(NewAsset { accounts: vec![], ..new_asset(1) });
    let part = |account, n| NewAsset {
        kind: bailee_core::asset::AssetKind::Drive,
        accounts: vec![account],
        part_of: Some(AssetId(1)),
        ..new_asset(n)
    };
    let [mine, other] = [(MEGA, 2), (BLUE, 3)].map(|(of, n)| house.asset(part(of, n)));
    house.end_accounts();
    let x = house.ready(DispositionKind::Sanitize, &[mine]);
    let id = house.begin(x, mine, 2);
    // An image of the whole server has the data of each of its parts.
    let image = house.asset(NewAsset { accounts: vec![], copy_of: vec![server], ..new_asset(4) });
    house.finish(id);
    assert_eq!(blocked_by(&house).map(|(about, _)| about), Some(image.to_string()));
    let y = house.ready(DispositionKind::Sanitize, &[image]);
    let id = house.begin(y, image, 4);
    house.finish(id);
    house.yes(COUNSEL, ERASE(OWNER));
    let z = house.ready(DispositionKind::Sanitize, &[other]);
    let id = house.begin(z, other, 3);
    house.finish(id);
    let last = house.ready(DispositionKind::Sanitize, &[server]);
    let owed = bailee_core::owed(&house.state, house.state.dispositions.get(last).unwrap());
    assert_eq!(owed.into_iter().collect::<Vec<_>>(), [STRANGER]);
    let id = house.begin(last, server, 1);
    house.finish(id);
}

/// Earlier versions erased an owner whose data was still here: such a log goes on as it did.
#[test]
fn notices_to_an_erased_party_end_with_a_human() {
    let mut house = House::new();
    let asset = house.server(1);
    house.end_accounts();
    let positions = house.state.parties.get(OWNER).unwrap().entries.clone();
    let event = Event::DetailsErased { party: OWNER, positions, papers: Vec::new() };
    let (seq, at, by) = (house.state.head, house.now, bailee_core::By::Party(COUNSEL));
    let record = bailee_core::Record { seq, at, by, fact: event.into() };
    bailee_core::apply(&mut house.state, &record).unwrap();
    house.records.push(record);
    house.propose(DispositionKind::Sanitize, &[asset]);
    let names = ["NoticeEvidence", "NoticeEscalated", "DutyRaised"];
    assert_eq!(House::names(&house.days(7)), names);
    assert_eq!(house.days(7), []);
    assert!(replay_erased(&house) == house.state);
}

#[test]
fn who_is_erased_is_out_of_office_and_one_person_is_not_two() {
    let mut house = House::new();
    let asset = house.server(1);
    let hold = house.hold(on_assets(&[asset]), "letter");
    house.end_accounts();
    let token = |party, n: u8| {
        let scope = TokenScope::Operator;
        Action::IssueToken { party, scope, hash: [n; 32] }
    };
    house.yes(COUNSEL, token(STAFF, 1));
    house.yes(COUNSEL, token(OPS, 2));
    let x = house.propose(DispositionKind::Sanitize, &[asset]);
    house.yes(STAFF, Action::ProposeRelease { hold, reason: because() });
    house.yes(OPS, Action::ApproveRelease { hold });
    let names = House::names(&house.yes(COUNSEL, ERASE(STAFF)));
    assert_eq!(names, ["DetailsErased", "TokenRevoked"]);
    assert!(house.state.token(&[1; 32]).is_none() && house.state.token(&[2; 32]).is_some());
    assert!(replay_erased(&house) == house.state);
    // The address is free for somebody new, who may be the same human being.
    let again = house.state.parties.next();
    let register = Action::RegisterParty {
        who: who("Stan Staff"),
        roles: vec![Role::Staff],
        same_person_as: None,
    };
    house.yes(COUNSEL, register);
    assert_eq!(house.no(COUNSEL, token(STAFF, 3)), Code::AlreadyGone);
    let approve = Action::ApproveDisposition { disposition: x };
    assert_eq!(house.no(STAFF, approve.clone()), Code::NotPermitted);
    assert_eq!(house.no(again, approve), Code::NotProposed);
    assert_eq!(house.no(again, Action::ApproveRelease { hold }), Code::NotProposed);
    house.yes(OPS, Action::ProposeRelease { hold, reason: because() });
    for by in [ALIAS, COUNSEL] {
        house.yes(by, Action::ApproveRelease { hold });
    }
    // What the erased one approved does not count either.
    let y = house.state.dispositions.next();
    let (kind, assets, reason) = (DispositionKind::Sanitize, vec![asset], because());
    house.yes(OPS, Action::ProposeDisposition { kind, assets, to: None, reason });
    house.prove_notices(y);
    house.days(31);
    house.yes(again, Action::ApproveDisposition { disposition: y });
    house.yes(COUNSEL, ERASE(again));
    house.yes(COUNSEL, Action::ApproveDisposition { disposition: y });
    let reserve = house.reserve_action(y, asset, 1);
    assert_eq!(house.no(OPS, reserve.clone()), Code::ApprovalsMissing);
    house.yes(ALIAS, Action::ApproveDisposition { disposition: y });
    house.yes(OPS, reserve);
}

#[test]
fn the_last_counsel_stays() {
    let mut house = House::new();
    assert_eq!(house.no(COUNSEL, ERASE(COUNSEL)), Code::ErasureBlocked);
    let roles = vec![Role::Counsel];
    let second = house.state.parties.next();
    let (who, same_person_as) = (who("Cleo Counsel"), None);
    house.yes(COUNSEL, Action::RegisterParty { who, roles, same_person_as });
    house.yes(COUNSEL, ERASE(COUNSEL));
    assert_eq!(house.no(COUNSEL, ERASE(REQUESTER)), Code::NotPermitted);
    assert_eq!(house.no(second, ERASE(second)), Code::ErasureBlocked);
}
