//! Rules 9 and 11 for bundles: what each party is shown of a matter, by example.

use bailee_core::disclosure::{Audience, Disclosure, Shown};
use bailee_core::disposition::DispositionKind;
use bailee_core::id::*;
use bailee_core::notice::Evidence;
use bailee_core::{Action, By, NewAsset, NewDemand, Reason, Triage, wire};

use crate::house::*;

const M1: MatterId = MatterId(1);

/// What is opened: a letter for each section, a dash for one that stays closed.
fn letters(shown: Shown) -> String {
    let sections = [(shown.what, 'w'), (shown.who, 'o'), (shown.papers, 'p')];
    sections.into_iter().map(|(open, letter)| if open { letter } else { '-' }).collect()
}

/// Entries shown, as `wop EventName`, in log order; `None` if the party has no part.
fn seen(house: &House, audience: Audience) -> Option<Vec<String>> {
    let mut disclosure = Disclosure::of(&house.state, M1, audience)?;
    let line = |record| {
        let shown = disclosure.look(&house.state, record)?;
        Some(format!("{} {}", letters(shown), record.fact.event.name()))
    };
    Some(house.records.iter().filter_map(line).collect())
}

fn to(house: &House, party: PartyId) -> Vec<String> {
    seen(house, Audience::of(&house.state, party)).unwrap()
}

fn reason(note: &str) -> Reason {
    Reason { note: note.into(), exhibits: vec![exhibit(9)] }
}

/// A matter with one server of the owner that somebody asks to keep, in a letter.
fn asked() -> (House, AssetId, DemandId, HoldId) {
    let mut house = House::new();
    house.yes(STAFF, Action::OpenMatter { title: "Requester against Owner".into() });
    let asset = house.server(1);
    let (demand, hold) = house.demand(letter("Rita Requester", "keep srv-0001"));
    house.system(Action::ReceiptSent { demand });
    let triage = Triage::Accept(Some(M1));
    house.yes(STAFF, Action::DecideDemand { demand, triage, reason: reason("It is clear.") });
    (house, asset, demand, hold)
}

#[test]
fn a_requester_sees_its_papers_the_decision_and_what_became_of_its_hold() {
    let (mut house, _, demand, hold) = asked();
    let matter = M1;
    let mail = reason("a letter");
    house.yes(STAFF, Action::FileCorrespondence { matter, from: REQUESTER, reason: mail });
    let notice = NoticeId(1);
    let (attempt, evidence) = (0, Evidence::Delivered);
    house.system(Action::NoticeSent { notice, attempt });
    house.system(Action::RecordEvidence { notice, attempt, evidence, reason: reason("report") });
    house.yes(STAFF, Action::AddBasis { hold, instrument: "us-2703f".into(), reason: because() });
    house.yes(COUNSEL, Action::AllowCopy { hold, reason: because() });
    house.snapshot(AssetId(1));
    house.release(hold);
    house.days(14);
    let expected = [
        "wo- PartyRegistered",
        "--p DemandReceived",
        "--- HoldPlaced",
        "w-- ReceiptSent",
        "w-- DemandDecided",
        "w-- NoticeQueued",
        "w-p CorrespondenceFiled",
        "w-- NoticeSent",
        "w-p NoticeEvidence",
        "w-- CopyAllowed",
        "w-- HoldCooling",
        "w-- HoldReleased",
    ];
    assert_eq!(to(&house, REQUESTER), expected);
    assert_eq!(house.state.demands.get(demand).unwrap().from, REQUESTER);
}

#[test]
fn an_owner_sees_its_accounts_assets_open_holds_requests_and_proposals() {
    let (mut house, asset, _, hold) = asked();
    house.yes(
        STAFF,
        Action::MoveAsset {
            asset,
            lifecycle: bailee_core::asset::Lifecycle::Stored,
            place: "hall 3".into(),
        },
    );
    house.yes(OWNER, Action::RequestAccess { owner: OWNER, asset, reason: because() });
    let access = AccessId(1);
    let granted = reason("on a disk of your own");
    house.yes(STAFF, Action::DecideAccess { access, granted: true, reason: granted });
    let x = house.propose(DispositionKind::Sanitize, &[asset]);
    let object = reason("we need it");
    house.yes(OWNER, Action::FileObjection { disposition: x, by: OWNER, reason: object });
    let (objection, upheld) = (ObjectionId(1), true);
    house.yes(COUNSEL, Action::DecideObjection { objection, upheld, reason: reason("so be it") });
    house.release(hold);
    house.days(14);
    let expected = [
        "wo- PartyRegistered",
        "wo- AccountRegistered",
        "w-- AssetRegistered",
        "w-- HoldPlaced",
        "w-- AssetMoved",
        "w-p AccessRequested",
        "w-p AccessDecided",
        "w-- DispositionProposed",
        "w-- NoticeQueued",
        "w-p ObjectionFiled",
        "w-p ObjectionDecided",
        "w-- DispositionCancelled",
        "w-- NoticeQueued",
        "w-- HoldCooling",
        "w-p NoticeEvidence",
        "w-- NoticeRetried",
        "w-p NoticeEvidence",
        "w-- NoticeRetried",
        "w-- HoldReleased",
        "w-p NoticeEvidence",
        "w-- NoticeEscalated",
        "w-p NoticeEvidence",
        "w-- NoticeEscalated",
    ];
    assert_eq!(to(&house, OWNER), expected);
    // Somebody else's objection, and the requester's own notice, are not among them.
    assert_eq!(seen(&house, Audience::Party(STRANGER)), None);
}

#[test]
fn owner_and_requester_see_the_certificate_and_nobody_sees_the_clearance_on_its_way() {
    let (mut house, asset, _, hold) = asked();
    house.release(hold);
    house.end_accounts();
    let x = house.ready(DispositionKind::Sanitize, &[asset]);
    let clearance = house.begin(x, asset, 1);
    house.system(Action::Renew { clearance });
    house.finish(clearance);
    for party in [OWNER, REQUESTER] {
        let shown = to(&house, party);
        assert_eq!(shown.last().unwrap(), "w-p ClearanceFinished", "{party}");
        let hidden = ["Approved", "Reserved", "Begun", "Renewed"];
        let told = |line: &&String| hidden.iter().any(|word| line.contains(word));
        assert_eq!(shown.iter().find(told), None, "{party}");
    }
    assert!(to(&house, OWNER).contains(&"w-- AccountTerminated".to_owned()));
}

/// What the requester sees after a unit of two snapshots is erased by the name of the first, where
/// its released hold named these of the two.
fn erased(named: &[usize]) -> Vec<String> {
    let mut house = House::new();
    house.yes(STAFF, Action::OpenMatter { title: "Requester against Owner".into() });
    let server = house.server(1);
    let copies = [house.snapshot(server), house.snapshot(server)];
    let copies = copies.map(|id| house.state.snapshots.get(id).unwrap().asset);
    let of = |n: &usize| copies[*n];
    let mut new = letter("Rita Requester", "keep the copies");
    new.scope = on_assets(&named.iter().map(of).collect::<Vec<_>>());
    let (demand, hold) = house.demand(new);
    let triage = Triage::Accept(Some(M1));
    house.yes(STAFF, Action::DecideDemand { demand, triage, reason: because() });
    house.release(hold);
    house.end_accounts();
    house.days(14);
    let x = house.ready(DispositionKind::Erase, &copies[..1]);
    let clearance = house.begin(x, copies[0], 1);
    house.finish(clearance);
    to(&house, REQUESTER)
}

#[test]
fn papers_of_an_erasure_are_for_who_may_know_of_every_copy_of_the_unit() {
    let end = |named: &[usize]| erased(named).pop().unwrap();
    assert_eq!(end(&[0, 1]), "w-p ClearanceFinished", "it asked for both");
    assert_eq!(end(&[0]), "w-- ClearanceFinished", "the papers name a copy that is not its own");
}

#[test]
fn whose_hold_named_a_sibling_learns_that_the_unit_went_and_not_by_which_other_copy() {
    let shown = erased(&[1]);
    assert_eq!(shown.last().unwrap(), "w-- ClearanceFinished");
    assert!(shown.contains(&"--- DispositionProposed".to_owned()), "{shown:?}");
    assert!(shown.iter().filter(|line| *line == "w-- NoticeQueued").count() >= 2, "{shown:?}");
}

#[test]
fn whose_demand_stopped_a_wipe_learns_what_was_gone_and_the_owner_of_no_silent_one() {
    let mut house = House::new();
    house.yes(STAFF, Action::OpenMatter { title: "a case".into() });
    let asset = house.server(1);
    house.end_accounts();
    let x = house.ready(DispositionKind::Sanitize, &[asset]);
    let clearance = house.begin(x, asset, 1);
    let order = NewDemand {
        instrument: Some("epoc-pr".into()),
        ..letter("Ada Authority", "keep srv-0001 and tell nobody")
    };
    let (demand, _) = house.demand(order);
    house.system(Action::Abort { clearance, gone: 10, reason: reason("the gate refused: H-1") });
    let triage = Triage::Accept(Some(M1));
    house.yes(STAFF, Action::DecideDemand { demand, triage, reason: because() });
    let authority = house.state.demands.get(demand).unwrap().from;
    let expected = [
        "wo- PartyRegistered",
        "--p DemandReceived",
        "--- HoldPlaced",
        "w-- ClearanceRevoked",
        "w-- ClearanceAborted",
        "w-- DemandDecided",
        "w-- NoticeQueued",
    ];
    assert_eq!(to(&house, authority), expected);
    assert_eq!(seen(&house, Audience::Party(OWNER)), None, "as if there were no such matter");
}

/// A refusal and a question are written for whoever asked; the note of an acceptance is not.
#[test]
fn the_words_of_a_decision_are_shown_unless_it_is_an_acceptance() {
    let (mut house, _, _, _) = asked();
    let decided = |house: &House| {
        let lines = to(house, REQUESTER).into_iter();
        lines.filter(|line| line.ends_with("DemandDecided")).collect::<Vec<String>>()
    };
    assert_eq!(decided(&house), ["w-- DemandDecided"]);
    // Clarified first, then accepted into the matter: the question is shown, the note is not.
    let (demand, _) = house.demand(letter("Rita Requester", "keep what is on srv-0001"));
    let ask =
        Action::DecideDemand { demand, triage: Triage::Clarify, reason: reason("Which of them?") };
    house.yes(STAFF, ask);
    let triage = Triage::Accept(Some(M1));
    house.yes(STAFF, Action::DecideDemand { demand, triage, reason: reason("It is clear.") });
    let expected = ["w-- DemandDecided", "w-p DemandDecided", "w-- DemandDecided"];
    assert_eq!(decided(&house), expected);
}

#[test]
fn a_transferee_sees_what_it_accepted() {
    let (mut house, asset, _, hold) = asked();
    let x = house.propose(DispositionKind::Transfer, &[asset]);
    assert_eq!(seen(&house, Audience::Party(TRANSFEREE)), None, "nothing is accepted yet");
    house.yes(TRANSFEREE, Action::AcceptHold { disposition: x, hold });
    house.prove_notices(x);
    house.days(31);
    house.approve(x);
    house.end_accounts();
    house.days(31);
    let clearance = house.begin(x, asset, 1);
    house.finish(clearance);
    let expected = [
        "wo- PartyRegistered",
        "--- HoldPlaced",
        "w-- DispositionProposed",
        "w-- HoldAccepted",
        "w-p ClearanceFinished",
    ];
    assert_eq!(to(&house, TRANSFEREE), expected);
    // The papers of a handover name who took over: the owner sees that it was, not to whom.
    let owner = to(&house, OWNER);
    assert!(owner.contains(&"--- DispositionProposed".to_owned()), "{owner:?}");
    assert!(owner.contains(&"w-- ClearanceFinished".to_owned()), "{owner:?}");
}

#[test]
fn counsel_sees_everything_about_the_matter_and_staff_nothing() {
    let (house, ..) = asked();
    let all = to(&house, COUNSEL);
    let has = |line: &str| all.contains(&line.to_owned());
    assert!(has("wop DemandReceived") && has("wop HoldPlaced") && has("wop AssetRegistered"));
    assert!(has("wop MatterOpened") && has("wop AccountRegistered"), "{all:?}");
    // Owner and requester are registered parties of it, the house's people and strangers are not.
    let registered = all.iter().filter(|line| line.ends_with("PartyRegistered"));
    assert_eq!(registered.count(), 2);
    assert_eq!(seen(&house, Audience::of(&house.state, STAFF)), None);
    assert!(Disclosure::of(&house.state, MatterId(9), Audience::Counsel).is_none());
}

#[test]
fn what_names_somebody_else_stays_closed() {
    let (mut house, _, demand, _) = asked();
    let asset = house.asset(NewAsset { accounts: vec![MEGA, BLUE], ..new_asset(2) });
    house.yes(STAFF, Action::MatchDemand { demand, scope: on_assets(&[asset]) });
    let x = house.propose(DispositionKind::Sanitize, &[AssetId(1), asset]);
    let owner = to(&house, OWNER);
    // The shared server: that it was registered is the owner's to know, with whom is not. Both
    // are the owner's, so the proposal names nobody else.
    assert!(owner.contains(&"--- AssetRegistered".to_owned()), "{owner:?}");
    assert!(owner.contains(&"w-- DispositionProposed".to_owned()), "{owner:?}");
    let other = to(&house, STRANGER);
    assert!(other.contains(&"--- DispositionProposed".to_owned()), "{other:?}");
    assert!(!other.iter().any(|line| line.contains("AccessRequested")));

    for (note, open) in [
        ("Yours is in hand.", true),
        ("As Otto Owner says.", false),
        ("Write to otto.owner@example.org", false),
        ("The customer is mega store", false),
        ("It lies with h-7.", false),
        ("Signed: Carla Counsel", true),
        ("Ask Olga Ops", false),
        ("Your SRV-0001 is safe.", true),
    ] {
        let disposition = x;
        house.yes(
            REQUESTER,
            Action::FileObjection { disposition, by: REQUESTER, reason: because() },
        );
        let objection = ObjectionId(house.state.objections.len() as u32);
        let decide = Action::DecideObjection { objection, upheld: false, reason: reason(note) };
        house.yes(COUNSEL, decide);
        let line = if open { "w-p ObjectionDecided" } else { "w-- ObjectionDecided" };
        let shown = to(&house, REQUESTER);
        let decided = shown.iter().rev().find(|line| line.ends_with("ObjectionDecided"));
        assert_eq!(decided.unwrap(), line, "{note}");
        assert_eq!(shown.last().unwrap(), "w-- NoticeQueued", "it is told");
    }
}

/// What the owner's bundle opens while a silent order comes into its matter, is accepted, kept by
/// copy, told of proposals, overtakes a wipe, and ends: as exact bytes with their places.
fn opened_to_owner(secret: AccountId) -> Vec<(u64, [Option<Vec<u8>>; 3])> {
    let mut house = House::new();
    house.yes(STAFF, Action::OpenMatter { title: "a case".into() });
    for (n, account) in [(1, MEGA), (2, BLUE)] {
        house.asset(NewAsset { accounts: vec![account], ..new_asset(n) });
    }
    let (demand, _) = house.demand(letter("Rita Requester", "keep mega store and blue shop"));
    let triage = Triage::Accept(Some(M1));
    house.yes(STAFF, Action::DecideDemand { demand, triage, reason: because() });
    let order = NewDemand {
        scope: on_accounts(&[secret]),
        instrument: Some("epoc-pr".into()),
        ..letter("Ada Authority", "secret")
    };
    let (order, silent) = house.demand(order);
    house.yes(STAFF, Action::DecideDemand { demand: order, triage, reason: because() });
    let asset = AssetId(if secret == MEGA { 1 } else { 2 });
    house.snapshot(asset);
    house.yes(
        STAFF,
        Action::MoveAsset {
            asset,
            lifecycle: bailee_core::asset::Lifecycle::Stored,
            place: format!("evidence room, for {silent}"),
        },
    );
    house.yes(OWNER, Action::RequestAccess { owner: OWNER, asset: AssetId(1), reason: because() });
    let deny = reason("Not while H-2 stands");
    let (access, granted) = (AccessId(1), false);
    house.yes(STAFF, Action::DecideAccess { access, granted, reason: deny });
    let (first, second) = match secret == MEGA {
        true => (AssetId(1), AssetId(2)),
        false => (AssetId(2), AssetId(1)),
    };
    // The proposals stand in one order of places whichever asset the order is on.
    let proposals = if first == AssetId(1) { [first, second] } else { [second, first] };
    for asset in proposals {
        house.propose(DispositionKind::Sanitize, &[asset]);
    }
    house.days(70);
    house.release(silent);
    house.days(14);
    let audience = Audience::Party(OWNER);
    let mut disclosure = Disclosure::of(&house.state, M1, audience).unwrap();
    let mut opened = Vec::new();
    for record in &house.records {
        let Some(shown) = disclosure.look(&house.state, record) else { continue };
        let sections = wire::encode(record.at, record.by, &record.fact);
        let mut open = shown.sections().into_iter();
        let sections = sections.map(|bytes| bytes.filter(|_| open.next().unwrap()));
        opened.push((record.seq, sections));
    }
    opened
}

#[test]
fn histories_that_differ_in_a_silent_hold_give_the_owner_the_same_bundle() {
    let with = opened_to_owner(MEGA);
    let without = opened_to_owner(BLUE);
    // Notices to the other parties stand between: places may differ after the first proposal, the
    // public log tells that already (docs/bundles.md). What is opened may not.
    let bytes = |all: Vec<(u64, [Option<Vec<u8>>; 3])>| {
        all.into_iter().map(|(_, sections)| sections).collect::<Vec<_>>()
    };
    let places: Vec<u64> = with.iter().map(|(seq, _)| *seq).collect();
    let others: Vec<u64> = without.iter().map(|(seq, _)| *seq).collect();
    assert_eq!(places, others);
    assert!(with.len() > 8, "the test shows too little: {places:?}");
    assert_eq!(bytes(with), bytes(without));
}

#[test]
fn a_gag_that_ends_opens_the_hold() {
    let (mut house, asset, ..) = asked();
    let scope = on_assets(&[asset]);
    let (instrument, matter, silent) = ("letter".to_owned(), Some(M1), Some(true));
    house.yes(
        STAFF,
        Action::PlaceHold { scope, instrument, matter, silent, reason: reason("D-1 is silent.") },
    );
    let holds =
        |house: &House| to(house, OWNER).iter().filter(|line| line.ends_with("HoldPlaced")).count();
    assert_eq!(holds(&house), 1);
    let hold = HoldId(2);
    house.yes(COUNSEL, Action::SetGag { hold, until: None, reason: because() });
    assert_eq!(holds(&house), 2);
    assert_eq!(to(&house, OWNER).last().unwrap(), "w-- GagEnded");
}

#[test]
fn a_login_sees_its_own_papers_and_not_those_of_another_login() {
    let (mut house, ..) = asked();
    let second = house.state.parties.next();
    let (roles, same) = (vec![bailee_core::party::Role::Requester], Some(REQUESTER));
    let who = bailee_core::party::Who { name: "Rita Requester".into(), channels: vec![] };
    let register = Action::RegisterParty { who, roles, same_person_as: same };
    house.try_run(By::Party(COUNSEL), register).unwrap();
    assert_eq!(seen(&house, Audience::Party(second)), None);
    assert!(!to(&house, REQUESTER).is_empty());
}
