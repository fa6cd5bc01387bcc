//! Rule 12: every refusal has a name, every name can be reached, and each says what would change
//! the answer.

use std::collections::BTreeSet;

use bailee_core::disposition::DispositionKind;
use bailee_core::id::*;
use bailee_core::party::{Channel, ChannelKind, Role, Who};
use bailee_core::rotation::KeyEnd;
use bailee_core::{
    Action, Code, LONGEST_EXHIBIT_NAME, LONGEST_NOTE, MOST_EXHIBITS, NewAsset, Reason, Refusal,
    Triage,
};

use crate::house::*;

type Case = (Code, fn() -> Code);

fn bare(n: u32) -> NewAsset {
    NewAsset { accounts: vec![], ..new_asset(n) }
}

/// The code with which the gate stops a reservation of an asset under `prepare`.
fn reserve_after(prepare: fn(&mut House, AssetId)) -> Code {
    let (mut house, asset, x) = House::about_to_go(1);
    prepare(&mut house, asset);
    let reserve = house.reserve_action(x, asset, 1);
    house.no(STAFF, reserve)
}

fn with_hold(act: fn(&mut House, HoldId) -> Code) -> Code {
    let mut house = House::new();
    let asset = house.asset(bare(1));
    let hold = house.hold(on_assets(&[asset]), "epoc-pr");
    act(&mut house, hold)
}

fn with_disposition(act: fn(&mut House, DispositionId, AssetId) -> Code) -> Code {
    let mut house = House::new();
    let asset = house.asset(bare(1));
    let x = house.propose(DispositionKind::Sanitize, &[asset]);
    act(&mut house, x, asset)
}

/// The code with which a letter to a matter is refused.
fn filing(reason: Reason) -> Code {
    let mut house = House::new();
    house.yes(STAFF, Action::OpenMatter { title: "a case".into() });
    let (matter, from) = (MatterId(1), REQUESTER);
    house.no(STAFF, Action::FileCorrespondence { matter, from, reason })
}

fn with_clearance(act: fn(&mut House, ClearanceId) -> Code) -> Code {
    let (mut house, asset, x) = House::about_to_go(1);
    let id = house.reserve(x, asset, 1);
    act(&mut house, id)
}

/// The code with which a demand is not filed in a closed matter.
fn into_a_closed_matter() -> Code {
    let mut house = House::new();
    let (demand, _) = house.demand(letter("Nora", "keep mega store"));
    house.yes(STAFF, Action::OpenMatter { title: "a case".into() });
    house.yes(STAFF, Action::CloseMatter { matter: MatterId(1) });
    let triage = Triage::Accept(Some(MatterId(1)));
    house.no(STAFF, Action::DecideDemand { demand, triage, reason: because() })
}

fn of_the_gate() -> Vec<Case> {
    vec![
        (Code::MatterClosed, into_a_closed_matter),
        (Code::HoldInForce, || {
            reserve_after(|house, asset| _ = house.hold(on_assets(&[asset]), "letter"))
        }),
        (Code::HoldProvisional, || {
            reserve_after(|house, _| _ = house.demand(letter("Nora", "srv-0001")))
        }),
        (Code::HoldCooling, || {
            reserve_after(|house, asset| {
                let hold = house.hold(on_assets(&[asset]), "letter");
                house.release(hold);
            })
        }),
        (Code::AccountActive, || {
            let mut house = House::new();
            let asset = house.server(1);
            let x = house.propose(DispositionKind::Sanitize, &[asset]);
            house.no(STAFF, house.reserve_action(x, asset, 1))
        }),
        (Code::RetentionRunning, || {
            let mut house = House::new();
            let asset = house.server(1);
            house.yes(STAFF, Action::TerminateAccount { account: MEGA });
            let x = house.propose(DispositionKind::Sanitize, &[asset]);
            house.no(STAFF, house.reserve_action(x, asset, 1))
        }),
        (Code::ClearanceOutstanding, || {
            let (mut house, asset, x) = House::about_to_go(1);
            house.reserve(x, asset, 1);
            let cancel = Action::CancelDisposition { disposition: x, reason: because() };
            assert_eq!(house.no(STAFF, cancel), Code::ClearanceOutstanding);
            house.no(STAFF, house.reserve_action(x, asset, 1))
        }),
        (Code::AlreadyGone, || {
            let (mut house, asset, x) = House::about_to_go(1);
            let id = house.begin(x, asset, 1);
            house.finish(id);
            house.no(STAFF, Action::AssignAsset { asset, account: BLUE })
        }),
        (Code::HoldNotAccepted, || {
            let mut house = House::new();
            let asset = house.server(1);
            house.hold(on_assets(&[asset]), "letter");
            let x = house.propose(DispositionKind::Transfer, &[asset]);
            house.no(STAFF, house.reserve_action(x, asset, 1))
        }),
    ]
}

fn of_the_registry() -> Vec<Case> {
    vec![
        (Code::NotPermitted, || House::new().no(OWNER, Action::OpenMatter { title: "x".into() })),
        (Code::NotFound, || House::new().no(STAFF, Action::CloseMatter { matter: MatterId(0) })),
        (Code::AlreadyDone, || {
            let mut house = House::new();
            house.yes(STAFF, Action::TerminateAccount { account: MEGA });
            house.no(STAFF, Action::TerminateAccount { account: MEGA })
        }),
        (Code::BadValue, || House::new().no(STAFF, Action::OpenMatter { title: "\n".into() })),
        (Code::ReasonTooLong, || {
            filing(Reason { note: "x".repeat(LONGEST_NOTE + 1), ..because() })
        }),
        (Code::IdentifierTaken, || {
            let mut house = House::new();
            house.server(1);
            let twin = NewAsset { label: "other".into(), ..new_asset(1) };
            house.no(STAFF, Action::RegisterAsset(twin))
        }),
        (Code::LineageCycle, || {
            let mut house = House::new();
            let asset = house.server(1);
            house.no(STAFF, Action::CopyAsset { asset, source: asset })
        }),
        (Code::ChannelTaken, || {
            let roles = vec![bailee_core::party::Role::Staff];
            let who = who("Otto Owner");
            let register = Action::RegisterParty { who, roles, same_person_as: None };
            House::new().no(COUNSEL, register)
        }),
        (Code::NotYourData, || {
            let mut house = House::new();
            let asset = house.server(1);
            let reason = because();
            house.no(STRANGER, Action::RequestAccess { owner: STRANGER, asset, reason })
        }),
        (Code::AccessNotGranted, || {
            let mut house = House::new();
            let (asset, reason) = (house.server(1), because());
            house.yes(OWNER, Action::RequestAccess { owner: OWNER, asset, reason });
            let reason = because();
            house.no(STAFF, Action::FulfilAccess { access: AccessId(1), reason })
        }),
        (Code::NotOwed, || {
            with_disposition(|house, disposition, _| {
                let object = Action::FileObjection { disposition, by: STRANGER, reason: because() };
                house.no(STRANGER, object)
            })
        }),
        (Code::ErasureBlocked, || {
            let mut house = House::new();
            house.demand(letter("Rita Requester", "keep"));
            house.no(COUNSEL, Action::EraseDetails { party: REQUESTER })
        }),
    ]
}

fn of_holds() -> Vec<Case> {
    vec![
        (Code::DemandDecided, || {
            let mut house = House::new();
            let (demand, _) = house.demand(letter("Nora", "keep"));
            house.accept(demand);
            let (triage, reason) = (Triage::Clarify, because());
            house.no(STAFF, Action::DecideDemand { demand, triage, reason })
        }),
        (Code::HoldNotInForce, || {
            with_hold(|house, hold| {
                house.release(hold);
                house.no(COUNSEL, Action::AllowCopy { hold, reason: because() })
            })
        }),
        (Code::BasisEnded, || {
            with_hold(|house, hold| {
                house.days(70);
                house.no(STAFF, Action::ExtendBasis { hold, basis: 0, reason: because() })
            })
        }),
        (Code::ExtensionExhausted, || {
            with_hold(|house, hold| {
                let extend = Action::ExtendBasis { hold, basis: 0, reason: because() };
                house.yes(STAFF, extend.clone());
                house.no(STAFF, extend)
            })
        }),
        (Code::NotSilent, || {
            let mut house = House::new();
            let hold = house.hold(on_accounts(&[MEGA]), "letter");
            let until = Some(house.now.plus_days(90));
            house.no(COUNSEL, Action::SetGag { hold, until, reason: because() })
        }),
        (Code::NotExtendable, || {
            let mut house = House::new();
            let hold = house.hold(on_accounts(&[MEGA]), "letter");
            house.no(STAFF, Action::ExtendBasis { hold, basis: 0, reason: because() })
        }),
        (Code::MatterNeedsHolds, || {
            let mut house = House::new();
            let matter = MatterId(1);
            house.system(Action::OpenMatter { title: "x".into() });
            let (demand, _) = house.demand(letter("Nora", "keep"));
            let triage = Triage::Accept(Some(matter));
            house.yes(STAFF, Action::DecideDemand { demand, triage, reason: because() });
            house.no(STAFF, Action::CloseMatter { matter })
        }),
    ]
}

fn of_releases() -> Vec<Case> {
    vec![
        (Code::NotProposed, || {
            with_hold(|house, hold| house.no(OPS, Action::ApproveRelease { hold }))
        }),
        (Code::ApproverIsProposer, || {
            with_hold(|house, hold| {
                house.yes(STAFF, Action::ProposeRelease { hold, reason: because() });
                house.no(ALIAS, Action::ApproveRelease { hold })
            })
        }),
        (Code::ApproverRepeats, || {
            with_hold(|house, hold| {
                house.yes(STAFF, Action::ProposeRelease { hold, reason: because() });
                house.yes(COUNSEL, Action::ApproveRelease { hold });
                house.no(COUNSEL, Action::ApproveRelease { hold })
            })
        }),
        (Code::CounselMissing, || {
            with_hold(|house, hold| {
                house.yes(COUNSEL, Action::ProposeRelease { hold, reason: because() });
                house.yes(OPS, Action::ApproveRelease { hold });
                house.no(STAFF, Action::ApproveRelease { hold })
            })
        }),
    ]
}

fn of_dispositions() -> Vec<Case> {
    vec![
        (Code::RadiusChanged, || {
            let (mut house, asset, x) = House::about_to_go(1);
            house.snapshot(asset);
            house.no(STAFF, house.reserve_action(x, asset, 1))
        }),
        (Code::ApprovalsMissing, || {
            with_disposition(|house, x, asset| house.no(STAFF, house.reserve_action(x, asset, 1)))
        }),
        (Code::NoticeMissing, || {
            let (mut house, asset, x) = House::about_to_go(1);
            let (demand, hold) = house.demand(letter("Nora", "srv-0001"));
            house.accept(demand);
            house.release(hold);
            house.days(14);
            house.no(STAFF, house.reserve_action(x, asset, 1))
        }),
        (Code::NoticeNotDelivered, || {
            let mut house = House::new();
            let asset = house.server(1);
            house.end_accounts();
            let x = house.propose(DispositionKind::Sanitize, &[asset]);
            house.no(STAFF, house.reserve_action(x, asset, 1))
        }),
        (Code::WaitingPeriod, || {
            let mut house = House::new();
            let asset = house.server(1);
            house.end_accounts();
            let x = house.propose(DispositionKind::Sanitize, &[asset]);
            house.prove_notices(x);
            house.no(STAFF, house.reserve_action(x, asset, 1))
        }),
        (Code::ObjectionOpen, || {
            let (mut house, asset, x) = House::about_to_go(1);
            let object = Action::FileObjection { disposition: x, by: OWNER, reason: because() };
            house.yes(OWNER, object);
            house.no(STAFF, house.reserve_action(x, asset, 1))
        }),
        (Code::DispositionClosed, || {
            with_disposition(|house, x, asset| {
                let cancel = Action::CancelDisposition { disposition: x, reason: because() };
                house.yes(STAFF, cancel);
                house.no(STAFF, house.reserve_action(x, asset, 1))
            })
        }),
        (Code::AssetNotInDisposition, || {
            with_disposition(|house, x, _| house.no(STAFF, house.reserve_action(x, AssetId(7), 1)))
        }),
        (Code::CanaryPending, || {
            let mut house = House::new();
            let assets = [house.server(1), house.server(2)];
            house.end_accounts();
            let x = house.ready(DispositionKind::Sanitize, &assets);
            house.no(STAFF, house.reserve_action(x, assets[1], 2))
        }),
        (Code::RateLimited, || {
            let (mut house, asset, x) = House::about_to_go(1);
            let none = bailee_core::Policy { daily_limit: 0, ..Default::default() };
            house.yes(COUNSEL, Action::SetPolicy(none));
            house.no(STAFF, house.reserve_action(x, asset, 1))
        }),
    ]
}

fn of_clocks() -> Vec<Case> {
    vec![(Code::ClockInDoubt, || {
        let mut house = House::new();
        let asset = house.server(1);
        house.end_accounts();
        let x = house.propose(DispositionKind::Sanitize, &[asset]);
        house.prove_notices(x);
        house.leap(60);
        house.no(STAFF, house.reserve_action(x, asset, 1))
    })]
}

fn of_subjects() -> Vec<Case> {
    vec![
        (Code::NoSubject, || {
            let mut house = House::new();
            let asset = house.asset(NewAsset { identifiers: vec![], ..bare(1) });
            let x = house.ready(DispositionKind::Sanitize, &[asset]);
            house.no(STAFF, house.reserve_action(x, asset, 1))
        }),
        (Code::DeviceBound, || {
            let mut house = House::new();
            house.server(1);
            let (bound, mut two) = (bailee_core::asset::IdentifierKind::Identity, new_asset(2));
            two.identifiers.push(identifier(bound, &hex(&subject(3))));
            house.no(STAFF, Action::RegisterAsset(two))
        }),
        (Code::WrongSubject, || {
            let (house, asset, x) = House::about_to_go(1);
            house.no(STAFF, house.reserve_action(x, asset, 2))
        }),
        (Code::WrongKind, || {
            let mut house = House::new();
            let (kind, assets) = (DispositionKind::Expire, vec![house.server(1)]);
            let (to, reason) = (None, because());
            house.no(STAFF, Action::ProposeDisposition { kind, assets, to, reason })
        }),
    ]
}

fn of_clearances() -> Vec<Case> {
    vec![
        (Code::ClearanceExpired, || {
            with_clearance(|house, id| {
                house.now = house.now.plus_seconds(900);
                assert_eq!(
                    house.no(STAFF, Action::Begin { clearance: id }),
                    Code::ClearanceExpired
                );
                house.system(Action::Tick);
                house.no(STAFF, Action::Begin { clearance: id })
            })
        }),
        (Code::ClearanceRevoked, || {
            with_clearance(|house, id| {
                house.demand(letter("Nora", "srv-0001"));
                house.no(STAFF, Action::Begin { clearance: id })
            })
        }),
        (Code::ClearanceUsed, || {
            with_clearance(|house, id| {
                house.system(Action::Begin { clearance: id });
                house.no(STAFF, Action::Begin { clearance: id })
            })
        }),
        (Code::ClearanceNotBegun, || {
            with_clearance(|house, id| {
                let abort = Action::Abort { clearance: id, gone: 1, reason: because() };
                assert_eq!(house.no(STAFF, abort), Code::ClearanceNotBegun);
                house.no(STAFF, Action::Renew { clearance: id })
            })
        }),
        (Code::LeaseLapsed, || {
            with_clearance(|house, id| {
                house.system(Action::Begin { clearance: id });
                house.now = house.now.plus_seconds(60);
                house.no(STAFF, Action::Renew { clearance: id })
            })
        }),
        (Code::NotVerified, || {
            with_clearance(|house, id| {
                house.system(Action::Begin { clearance: id });
                let (verified, reason) = (false, because());
                house.no(STAFF, Action::Finish { clearance: id, verified, reason })
            })
        }),
        (Code::CertificateMissing, || {
            with_clearance(|house, id| {
                house.system(Action::Begin { clearance: id });
                let (verified, reason) = (true, Reason::default());
                house.no(STAFF, Action::Finish { clearance: id, verified, reason })
            })
        }),
    ]
}

fn with_rotation(act: fn(&mut House, RotationId) -> Code) -> Code {
    let mut house = House::new();
    house.yes(COUNSEL, rotate(1, 2));
    act(&mut house, RotationId(1))
}

fn of_rotations() -> Vec<Case> {
    vec![
        (Code::RotationOpen, || with_rotation(|house, _| house.no(STAFF, rotate(1, 3)))),
        (Code::RotationNotBegun, || {
            with_rotation(|house, rotation| {
                let why = KeyEnd::Stolen;
                house.no(STAFF, Action::EndRotation { rotation, why, reason: because() })
            })
        }),
        (Code::OverlapRunning, || {
            with_rotation(|house, rotation| {
                house.yes(OPS, Action::ApproveRotation { rotation });
                let why = KeyEnd::Retired;
                house.no(STAFF, Action::EndRotation { rotation, why, reason: because() })
            })
        }),
        (Code::RotationClosed, || {
            with_rotation(|house, rotation| {
                house.yes(STAFF, Action::CancelRotation { rotation, reason: because() });
                house.no(STAFF, Action::ApproveRotation { rotation })
            })
        }),
    ]
}

#[test]
fn every_code_is_reached_by_what_it_is_for() {
    let mut reached = BTreeSet::new();
    let groups = [
        of_the_gate(),
        of_the_registry(),
        of_holds(),
        of_releases(),
        of_dispositions(),
        of_clocks(),
        of_subjects(),
        of_clearances(),
        of_rotations(),
    ];
    for (code, case) in groups.into_iter().flatten() {
        assert_eq!(case(), code);
        reached.insert(code);
    }
    let never: Vec<&Code> = Code::ALL.iter().filter(|code| !reached.contains(code)).collect();
    assert_eq!(never, Vec::<&Code>::new(), "codes that no test reaches");
}

#[test]
fn codes_are_stable_words_and_say_what_would_change_the_answer() {
    let texts: BTreeSet<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(texts.len(), Code::ALL.len());
    for code in Code::ALL {
        assert!(code.as_str().bytes().all(|b| b.is_ascii_lowercase() || b == b'_'));
        let shown = Refusal::new(*code, "H-1", "is so").to_string();
        assert_eq!(shown, format!("{}: H-1 is so; {}", code.as_str(), code.change()));
    }
}

#[test]
fn reasons_have_a_length_and_every_note_up_to_it_is_taken() {
    let exhibits = vec![exhibit(1); MOST_EXHIBITS + 1];
    assert_eq!(filing(Reason { note: String::new(), exhibits }), Code::ReasonTooLong);
    let name = "x".repeat(LONGEST_EXHIBIT_NAME + 1);
    let exhibits = vec![bailee_core::demand::Exhibit { name, ..exhibit(1) }];
    assert_eq!(filing(Reason { note: String::new(), exhibits }), Code::ReasonTooLong);
    let mut house = House::new();
    house.yes(STAFF, Action::OpenMatter { title: "a case".into() });
    let longest =
        Reason { note: "x".repeat(LONGEST_NOTE), exhibits: vec![exhibit(1); MOST_EXHIBITS] };
    let (matter, from) = (MatterId(1), REQUESTER);
    let records =
        house.yes(STAFF, Action::FileCorrespondence { matter, from, reason: longest.clone() });
    assert_eq!(records[0].fact.papers.as_ref().unwrap().note.len(), LONGEST_NOTE);
    // A demand is never refused for its length (rule 1).
    let text = longest.note.repeat(3);
    house.demand(letter("Nora New", &text));
}

#[test]
fn a_mail_address_that_is_none_is_refused_where_a_person_types_it() {
    let mut house = House::new();
    for (address, good) in [
        ("notmail", false),
        ("@host.example", false),
        ("a@", false),
        ("a@b@c", false),
        ("a b@host.example", false),
        ("Ada <a@host.example>", false),
        ("a@host..example", false),
        ("a@host.example", true),
        (" o'neil+x@mail.host.example ", true),
        ("root@localhost", true),
    ] {
        let channels = vec![Channel { kind: ChannelKind::Email, address: address.into() }];
        let who = Who { name: "Typed".into(), channels };
        let change = Action::ChangeParty { party: REQUESTER, who: who.clone() };
        let add = Action::RegisterParty { who, roles: vec![Role::Owner], same_person_as: None };
        match good {
            true => drop(house.yes(STAFF, change)),
            false => {
                assert_eq!(house.no(STAFF, change), Code::BadValue, "{address}");
                assert_eq!(house.no(STAFF, add), Code::BadValue, "{address}");
            }
        }
    }
}

#[test]
fn what_no_clearance_could_hand_over_is_refused_when_it_is_proposed() {
    let mut house = House::new();
    let bucket = house.asset(NewAsset { identifiers: vec![], ..new_asset(1) });
    let propose = |kind, to| Action::ProposeDisposition {
        kind,
        assets: vec![bucket],
        to: Some(to),
        reason: because(),
    };
    let back = propose(DispositionKind::Return, OWNER);
    let sale = propose(DispositionKind::Transfer, TRANSFEREE);
    assert_eq!(house.no(STAFF, back.clone()), Code::NoSubject);
    assert_eq!(house.no(STAFF, sale), Code::NoSubject);
    let identity = bailee_core::asset::IdentifierKind::Identity;
    house.system(Action::RelabelAsset {
        asset: bucket,
        label: "bound".into(),
        identifiers: vec![identifier(identity, &hex(&subject(1)))],
        bytes: None,
    });
    house.yes(STAFF, back);
}
