//! The table of who may ask for what, whole: every action against every kind of asker.

use bailee_core::asset::Lifecycle;
use bailee_core::demand::{Medium, Scope};
use bailee_core::disposition::DispositionKind;
use bailee_core::engine::Canaries;
use bailee_core::id::*;
use bailee_core::notice::Evidence;
use bailee_core::party::Role;
use bailee_core::refused::{Asked, Refused};
use bailee_core::rotation::KeyEnd;
use bailee_core::{Action, By, Code, Command, Policy, TokenScope, Triage, decide};

use crate::house::*;

/// Who may: anyone, the house and its programs, persons of the house, counsel, itself or the
/// house, any party.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum May {
    Anyone,
    House,
    Person,
    Counsel,
    Own,
    Party,
}

fn refused() -> Refused {
    let (asset, disposition, hold) = (None, None, Some(HoldId(1)));
    Refused {
        asked: Asked::ApproveRelease,
        asset,
        disposition,
        hold,
        thing: None,
        codes: Vec::new(),
    }
}

#[rustfmt::skip]
fn table() -> Vec<(May, Action)> {
    use May::*;
    let (r, c) = (because, Canaries::default);
    let (asset, hold, demand, matter, account) =
        (AssetId(1), HoldId(1), DemandId(1), MatterId(1), AccountId(1));
    let (disposition, notice, clearance, objection, access) =
        (DispositionId(1), NoticeId(1), ClearanceId(1), ObjectionId(1), AccessId(1));
    let decide_demand = |triage| Action::DecideDemand { demand, triage, reason: r() };
    vec![
        (Anyone, Action::ReceiveDemand(letter("Nora", "keep"))), (Anyone, Action::Tick),
        (Counsel, Action::SetPolicy(Policy::default())),
        (Counsel, Action::LoadInstruments(catalogue())),
        (Counsel, Action::EraseDetails { party: OWNER }),
        (Counsel, Action::AllowCopy { hold, reason: r() }),
        (Counsel, Action::SetGag { hold, until: None, reason: r() }),
        (Counsel, Action::DecideObjection { objection, upheld: true, reason: r() }),
        (Counsel, decide_demand(Triage::Refuse)),
        (Person, decide_demand(Triage::Accept(None))),
        (Person, decide_demand(Triage::Clarify)),
        (Person, Action::EndBasis { hold, basis: 0, reason: r() }),
        (Person, Action::ProposeRelease { hold, reason: r() }),
        (Person, Action::ApproveRelease { hold }),
        (Person, Action::ProposeDisposition { kind: DispositionKind::Sanitize, assets: vec![], to: None, reason: r() }),
        (Person, Action::ApproveDisposition { disposition }),
        (Person, Action::CancelDisposition { disposition, reason: r() }),
        (Person, Action::DecideAccess { access, granted: true, reason: r() }),
        (Own, Action::FileObjection { disposition, by: OWNER, reason: r() }),
        (Own, Action::RequestAccess { owner: OWNER, asset, reason: r() }),
        (Party, Action::AcceptHold { disposition, hold }),
        (House, Action::RegisterParty { who: who("X"), roles: vec![], same_person_as: None }),
        (House, Action::ChangeParty { party: OWNER, who: who("X") }),
        (House, Action::RegisterEntity { name: "X".into(), country: "NL".into() }),
        (House, Action::RegisterAccount { owner: OWNER, entity: EntityId(9), label: "x".into(), law: "NL".into(), retention_days: 1 }),
        (House, Action::TerminateAccount { account }),
        (House, Action::RegisterAsset(new_asset(1))),
        (House, Action::MoveAsset { asset, lifecycle: Lifecycle::Stored, place: "x".into() }),
        (House, Action::RelabelAsset { asset, label: "".into(), identifiers: vec![], bytes: None }),
        (House, Action::AssignAsset { asset, account }),
        (House, Action::CopyAsset { asset, source: asset }),
        (Person, Action::CorrectMedium { demand, medium: Medium::Post, reason: r() }),
        (House, Action::MatchDemand { demand, scope: Scope::default() }),
        (House, Action::ReceiptSent { demand }),
        (House, Action::OpenMatter { title: "x".into() }),
        (House, Action::CloseMatter { matter }),
        (House, Action::FileCorrespondence { matter, from: OWNER, reason: r() }),
        (House, Action::PlaceHold { scope: Scope::default(), instrument: "letter".into(), matter: None, silent: None, reason: r() }),
        (House, Action::AddBasis { hold, instrument: "letter".into(), reason: r() }),
        (House, Action::ExtendBasis { hold, basis: 0, reason: r() }),
        (House, Action::RecordSnapshot { source: asset, root: [0; 32], vault_id: "v".into(), bytes: 0, unreadable: 0, changed: 0, taken: bailee_core::Time(0) }),
        (House, Action::VerifySnapshot { snapshot: SnapshotId(1), intact: true }),
        (House, Action::QueueNotices { disposition }),
        (House, Action::NoticeSent { notice, attempt: 0 }),
        (House, Action::RecordEvidence { notice, attempt: 0, evidence: Evidence::Served, reason: r() }),
        (House, Action::Reserve { disposition, asset, subject: [0; 32] }),
        (House, Action::ReserveDevice { disposition, asset, subject: [0; 32], media: vec![] }),
        (House, Action::Begin { clearance }),
        (House, Action::Renew { clearance }),
        (House, Action::Finish { clearance, verified: true, reason: r() }),
        (House, Action::Abort { clearance, gone: 0, reason: r() }),
        (House, Action::FulfilAccess { access, reason: r() }),
        (House, Action::StartMeter { matter, what: "x".into(), units: 1, daily: 1, currency: "EUR".into() }),
        (House, Action::StopMeter { meter: MeterId(1) }),
        (House, Action::BookCost { matter, what: "x".into(), milli_units: 1, amount: 1, currency: "EUR".into() }),
        (House, Action::DutyPaged { duty: DutyId(1) }),
        (House, Action::DischargeDuty { duty: DutyId(1), reason: r() }),
        (House, Action::IssueToken { party: OWNER, scope: TokenScope::Agent, hash: [0; 32] }),
        (House, Action::RevokeToken { token: TokenId(1) }),
        (House, Action::RecordProbe { engine: "x".into(), trials: vec![], canaries: c() }),
    ]
}

/// The actions on the log's own keys, on the refusals that it keeps, and on what left.
fn keys_table() -> Vec<(May, Action)> {
    use May::*;
    let (r, rotation) = (because, RotationId(1));
    let (from, to, overlap_days, why) = (log_keys(1), log_keys(2), 30, KeyEnd::Retired);
    vec![
        (Person, Action::ProposeRotation { from, to, overlap_days, reason: r() }),
        (Person, Action::ApproveRotation { rotation }),
        (Person, Action::EndRotation { rotation, why, reason: r() }),
        (Person, Action::CancelRotation { rotation, reason: r() }),
        (Counsel, Action::ContinueLog { to: go_on(3, 0), reason: r() }),
        (House, Action::RecordVolumes { snapshot: SnapshotId(1), set: [0; 16], volumes: vec![] }),
        (House, Action::RecordRefusal { by: STAFF, refused: refused(), holds: Vec::new() }),
    ]
}

/// The name of the variant.
fn variant(action: &Action) -> String {
    let shown = format!("{action:?}");
    shown.split([' ', '(', '{']).next().unwrap_or_default().to_owned()
}

#[test]
fn each_action_is_open_to_exactly_those_who_may() {
    let house = House::new();
    let system = By::System;
    let askers = [
        (system, [May::Anyone, May::House].as_slice()),
        (
            By::Party(COUNSEL),
            &[May::Anyone, May::House, May::Person, May::Counsel, May::Own, May::Party],
        ),
        (By::Party(STAFF), &[May::Anyone, May::House, May::Person, May::Own, May::Party]),
        (By::Party(OWNER), &[May::Anyone, May::Own, May::Party]),
        (By::Party(STRANGER), &[May::Anyone, May::Party]),
        (By::Party(REQUESTER), &[May::Anyone, May::Party]),
        (By::Party(TRANSFEREE), &[May::Anyone, May::Party]),
    ];
    for (may, action) in table().into_iter().chain(keys_table()) {
        for (by, allowed) in &askers {
            let command = Command { by: *by, action: action.clone() };
            let refused = decide(&house.state, &command, house.now);
            // Permission is asked first and refuses with the asker as what it is about.
            let about = match by {
                By::System => "the system".to_owned(),
                By::Party(id) => id.to_string(),
            };
            let named = |r: &bailee_core::Refusal| r.code == Code::NotPermitted && r.about == about;
            let stopped = refused.as_ref().is_err_and(named);
            assert_eq!(!stopped, allowed.contains(&may), "{} by {by:?}", variant(&action));
        }
        let nobody = Command::by(PartyId(99), action.clone());
        let refused = decide(&house.state, &nobody, house.now);
        if may != May::Anyone {
            assert_eq!(refused.unwrap_err().code, Code::NotFound, "{}", variant(&action));
        }
    }
}

#[test]
fn the_table_has_every_action() {
    // The file of the commands is the list; what is added there and not here fails.
    let source = include_str!("../../src/command.rs");
    let body = source.split("pub enum Action {").nth(1).unwrap();
    let names = body.lines().filter(|line| line.starts_with("    ") && !line.starts_with("     "));
    let names = names.map(|line| line.trim().split([' ', '(', ',']).next().unwrap().to_owned());
    let mut listed: Vec<String> =
        names.filter(|name| name.starts_with(|c: char| c.is_ascii_uppercase())).collect();
    let mut tested: Vec<String> =
        table().iter().chain(&keys_table()).map(|(_, action)| variant(action)).collect();
    listed.sort();
    tested.sort();
    tested.dedup();
    assert_eq!(listed, tested);
}

#[test]
fn the_installation_sets_the_first_policy_and_nobody_else() {
    let mut state = bailee_core::State::default();
    let set = Command::system(Action::SetPolicy(Policy::default()));
    let now = bailee_core::Time(0);
    bailee_core::run(&mut state, &set, now).unwrap();
    let roles = vec![bailee_core::party::Role::Owner];
    let first = Action::RegisterParty { who: who("X"), roles, same_person_as: None };
    bailee_core::run(&mut state, &Command::system(first), now).unwrap();
    assert_eq!(decide(&state, &set, now).unwrap_err().code, Code::NotPermitted);
}

#[test]
fn staff_makes_no_colleagues_and_no_logins_in_their_names() {
    let mut house = House::new();
    let register = |roles| Action::RegisterParty { who: who("Zed"), roles, same_person_as: None };
    let token = |party| Action::IssueToken { party, scope: TokenScope::Operator, hash: [7; 32] };
    assert_eq!(house.no(STAFF, register(vec![Role::Counsel])), Code::NotPermitted);
    assert_eq!(house.no(STAFF, token(COUNSEL)), Code::NotPermitted);
    house.yes(STAFF, token(STAFF));
    house.yes(COUNSEL, register(vec![Role::Staff]));
    house.yes(
        STAFF,
        Action::RegisterParty { who: who("Yan"), roles: vec![Role::Owner], same_person_as: None },
    );
}
