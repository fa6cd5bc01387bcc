//! The wire format, frozen: one entry of every event, byte for byte, and what damage does to it.
//!
//! The fixture file is only ever added to: a line per entry, `seq at by what who papers`, the three
//! sections in hex and `-` where there is none.

use std::collections::BTreeSet;

use bailee_core::asset::{AssetKind, IdentifierKind, Lifecycle};
use bailee_core::demand::{AccessStatus, DemandStatus, Flag, Medium, Papers, Scope};
use bailee_core::disposition::{DispositionKind, Radius};
use bailee_core::engine::{Canaries, Outcome};
use bailee_core::hold::EndReason;
use bailee_core::id::*;
use bailee_core::notice::{About, Evidence};
use bailee_core::party::Role;
use bailee_core::refused::Asked;
use bailee_core::rotation::KeyEnd;
use bailee_core::volume::Written;
use bailee_core::{By, Continue, DutyKind, Event, Fact, Policy, Time, TokenScope, wire};

use crate::house::*;

const FIXTURE: &str = include_str!("../../../../fixtures/formats/v1/wire/events.txt");

fn scope() -> Scope {
    Scope {
        accounts: vec![AccountId(1)],
        assets: vec![AssetId(2), AssetId(300)],
        identifiers: vec!["sn0001x".into()],
        categories: vec!["mail".into()],
        from: Some(Time(0)),
        to: Some(Time(-1)),
    }
}

fn papers() -> Papers {
    Papers { exhibits: vec![exhibit(1)], words: "keep mega store".into(), note: "Zoë".into() }
}

fn due() -> Option<Time> {
    Some(Time(1_893_456_000_000_000))
}

#[rustfmt::skip]
fn of_the_asking_side() -> Vec<Event> {
    let (party, account, asset, demand, hold, matter) =
        (PartyId(1), AccountId(2), AssetId(70_000), DemandId(3), HoldId(17), MatterId(4));
    vec![
        Event::PolicySet { policy: Policy::default() },
        Event::InstrumentsLoaded { catalogue: catalogue() },
        Event::PartyRegistered { party, roles: vec![Role::Owner, Role::Staff], same_person_as: Some(PartyId(9)) },
        Event::PartyChanged { party },
        Event::DetailsErased { party, positions: vec![1, 70_000], papers: vec![] },
        Event::EntityRegistered { entity: EntityId(1), name: "Example Host B.V.".into(), country: "NL".into() },
        Event::AccountRegistered { account, owner: party, entity: EntityId(1), law: "NL".into(), retention_days: 30 },
        Event::AccountTerminated { account },
        Event::AssetRegistered {
            asset, kind: AssetKind::Drive, label: "srv-0001".into(), accounts: vec![account],
            identifiers: vec![identifier(IdentifierKind::Wwn, "50:01"), identifier(IdentifierKind::Identity, "ab")],
            part_of: Some(AssetId(1)), copy_of: vec![AssetId(2)], place: "rack 14".into(), bytes: u64::MAX,
        },
        Event::AssetMoved { asset, lifecycle: Lifecycle::Retired, place: String::new() },
        Event::AssetRelabelled { asset, label: "x".into(), identifiers: vec![], bytes: None },
        Event::AssetAssigned { asset, account },
        Event::AssetCopied { asset, source: AssetId(1) },
        Event::DemandReceived {
            demand, from: party, entity: None, instrument: "epoc-pr".into(), medium: Medium::Oral, hold,
            flags: vec![Flag::WrongEntity, Flag::Damaged],
        },
        Event::DemandMatched { demand, more: scope() },
        Event::DemandDecided { demand, status: DemandStatus::Accepted, matter: Some(matter) },
        Event::ReceiptSent { demand },
        Event::MatterOpened { matter, title: "a case".into() },
        Event::MatterClosed { matter },
        Event::CorrespondenceFiled { matter, from: party },
        Event::HoldPlaced {
            hold, provisional: true, scope: scope(), instrument: "letter".into(), due: due(), silent: true,
            matter: Some(matter), demand: Some(demand), gag_until: None,
        },
        Event::BasisAdded { hold, instrument: "letter".into(), due: None, silent: false },
        Event::BasisExtended { hold, basis: 255, due: Time(1) },
        Event::BasisEnded { hold, basis: 0, reason: EndReason::Withdrawn },
        Event::CopyAllowed { hold },
        Event::ReleaseProposed { hold },
        Event::ReleaseApproved { hold, radius: Radius::default() },
        Event::HoldCooling { hold, until: Time(2) },
        Event::HoldReleased { hold },
        Event::GagEnded { hold },
        Event::GagSet { hold, until: Some(Time(3)) },
    ]
}

#[rustfmt::skip]
fn of_the_letting_go_side() -> Vec<Event> {
    let (party, asset, hold, snapshot, disposition) =
        (PartyId(1), AssetId(2), HoldId(3), SnapshotId(4), DispositionId(5));
    let (notice, objection, clearance, access, meter, matter, duty, token) = (
        NoticeId(204), ObjectionId(6), ClearanceId(7), AccessId(8), MeterId(9), MatterId(10), DutyId(11), TokenId(12),
    );
    let radius = Radius { assets: 2, bytes: 1 << 40, owners: vec![party], holds: vec![hold], copies: vec![snapshot] };
    vec![
        Event::SnapshotRecorded {
            snapshot, asset, source: AssetId(1), root: [0xab; 32].into(), vault_id: "v1".into(), bytes: 5,
            unreadable: 1, taken: Time(-5), changed: None,
        },
        Event::SnapshotVerified { snapshot, intact: false },
        Event::DispositionProposed { disposition, kind: DispositionKind::Transfer, assets: vec![asset], to: Some(party) },
        Event::DispositionApproved { disposition, radius },
        Event::DispositionCancelled { disposition },
        Event::HoldAccepted { disposition, hold },
        Event::NoticeQueued { notice, to: party, about: About::Decision(DemandId(1)) },
        Event::NoticeRetried { notice, channel: 1 },
        Event::NoticeSent { notice, attempt: 1 },
        Event::NoticeEvidence { notice, attempt: 0, evidence: Evidence::Silence },
        Event::NoticeEscalated { notice },
        Event::ObjectionFiled { objection, disposition, by: party },
        Event::ObjectionDecided { objection, upheld: true },
        Event::ClearanceReserved { clearance, disposition, asset, subject: [0xcd; 32].into(), expires: Time(6) },
        Event::ClearanceBegun { clearance, lease: Time(7) },
        Event::ClearanceRenewed { clearance, lease: Time(8) },
        Event::ClearanceFinished { clearance, verified: true },
        Event::ClearanceAborted { clearance, gone: 1 << 33 },
        Event::ClearanceRevoked { clearance, hold },
        Event::ClearanceExpired { clearance },
        Event::ClearanceLost { clearance },
        Event::AccessRequested { access, owner: party, asset },
        Event::AccessDecided { access, status: AccessStatus::Fulfilled },
        Event::MeterStarted { meter, matter, what: "server-days".into(), units: 630, daily: 145, currency: "EUR".into() },
        Event::MeterStopped { meter },
        Event::CostAccrued { meter, days: 30, until: Time(9) },
        Event::CostBooked { matter, what: "tape".into(), milli_units: 1500, amount: 7, currency: "USD".into() },
        Event::DutyRaised { duty, kind: DutyKind::ReachParty(notice) },
        Event::DutyPaged { duty },
        Event::DutyDischarged { duty },
        Event::TokenIssued { token, party, scope: TokenScope::Reader, hash: [0xef; 32].into() },
        Event::TokenRevoked { token },
    ]
}

fn of_the_keys() -> Vec<Event> {
    let rotation = RotationId(13);
    let (from, mut to) = (log_keys(1), log_keys(2));
    to.ml_dsa = None;
    let Continue { origin, keys, before, key, size, root, note } = go_on(3, 70_000);
    let (key, root, note) = (key.into(), root.into(), note.into());
    vec![
        Event::RotationProposed { rotation, from, to, overlap_days: 30 },
        Event::RotationBegun { rotation, until: Time(10) },
        Event::RotationEnded { rotation, why: KeyEnd::Stolen },
        Event::RotationCancelled { rotation },
        Event::LogContinued { origin, keys, before, key, size, root, note },
    ]
}

fn of_the_engine() -> Vec<Event> {
    let trials = vec![
        trial("read after write", Outcome::Holds, "the very bytes"),
        trial("legal hold", Outcome::Broken, "204: locked, and deleted"),
    ];
    let canaries = Canaries { objects: 8, bytes: 1 << 27, lost: vec![lost(4, "vault/t/ab")] };
    let worse = vec!["legal hold".into(), "vault/t/ab".into()];
    let engine = "https://s3.example.org/kept/house-1".into();
    let kind = DutyKind::InspectEngine(70_001);
    vec![
        Event::EngineProbed { engine, trials, canaries, worse },
        Event::DutyRaised { duty: DutyId(14), kind },
    ]
}

fn of_the_way_out() -> Vec<Event> {
    let volumes = vec![
        Written { size: 1 << 40, sha256: [0xcd; 32].into() },
        Written { size: 70_000, sha256: [0xef; 32].into() },
    ];
    let (snapshot, set) = (SnapshotId(4), [0xab; 16].into());
    vec![Event::VolumesWritten { snapshot, set, first: 257, last: true, volumes }]
}

fn of_the_corrections() -> Vec<Event> {
    vec![Event::MediumCorrected { demand: DemandId(3), medium: Medium::Fax }]
}

fn of_the_names() -> Vec<Event> {
    vec![Event::HoldMatched { hold: HoldId(17), more: scope() }]
}

fn of_the_clock() -> Vec<Event> {
    let (duty, kind) = (DutyId(15), DutyKind::CheckClock(70_002));
    vec![Event::DutyRaised { duty, kind }, Event::TimePassed {}]
}

fn of_the_answers() -> Vec<Event> {
    let (notice, to, about) = (NoticeId(205), PartyId(1), About::Objection(ObjectionId(6)));
    let codes = vec!["hold_in_force".into(), "waiting_period".into()];
    vec![
        Event::NoticeQueued { notice, to, about },
        Event::RequestRefused {
            by: PartyId(2),
            asked: Asked::Reserve,
            asset: Some(AssetId(70_000)),
            disposition: Some(DispositionId(5)),
            hold: None,
            codes,
            holds: vec![HoldId(17), HoldId(18)],
            last: true,
            thing: None,
        },
        Event::SnapshotRecorded {
            snapshot: SnapshotId(5),
            asset: AssetId(4),
            source: AssetId(1),
            root: [0xac; 32].into(),
            vault_id: "v2".into(),
            bytes: 5,
            unreadable: 1,
            taken: Time(-5),
            changed: Some(25),
        },
        Event::AssetRelabelled {
            asset: AssetId(70_000),
            label: "x".into(),
            identifiers: vec![],
            bytes: Some(7),
        },
    ]
}

/// One fact per event; of three, one has details, one has papers, one has neither.
fn facts() -> Vec<(Time, By, Fact)> {
    let sides = [
        of_the_asking_side(),
        of_the_letting_go_side(),
        of_the_keys(),
        of_the_engine(),
        of_the_way_out(),
        of_the_answers(),
        of_the_corrections(),
        of_the_clock(),
        of_the_names(),
    ];
    let events = sides.into_iter().flatten();
    let facts = events.enumerate().map(|(n, event)| {
        let fact = match n % 3 {
            0 => Fact::of(event).with_who(who("Zoë de Vries")),
            1 => Fact::of(event).with_papers(papers()),
            _ => Fact::of(event),
        };
        let by = if n % 2 == 0 { By::System } else { By::Party(PartyId(n as u32)) };
        (Time(1_788_264_000_000_000 + n as i64), by, fact)
    });
    facts.collect()
}

fn line(seq: usize, (at, by, fact): &(Time, By, Fact)) -> String {
    let sections = wire::encode(*at, *by, fact);
    let shown = sections.map(|section| section.map_or("-".to_owned(), |bytes| hex(&bytes)));
    let event = &fact.event;
    format!("{seq} {} {} {}\n", event.code(), event.name(), shown.join(" "))
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let byte = |n: usize| u8::from_str_radix(&text[n..n + 2], 16).unwrap();
    (text != "-").then(|| (0..text.len()).step_by(2).map(byte).collect())
}

/// Sections of every line of the fixture.
fn frozen() -> Vec<[Option<Vec<u8>>; 3]> {
    let lines = FIXTURE.lines().filter(|line| !line.starts_with('#'));
    let sections = lines.map(|line| {
        let fields: Vec<&str> = line.split(' ').collect();
        [unhex(fields[3]), unhex(fields[4]), unhex(fields[5])]
    });
    sections.collect()
}

#[test]
fn the_fixture_has_every_event_there_is() {
    let there: BTreeSet<(u16, &str)> =
        facts().iter().map(|(_, _, fact)| (fact.event.code(), fact.event.name())).collect();
    let all: BTreeSet<(u16, &str)> = Event::ALL.iter().copied().collect();
    assert_eq!(there, all);
    assert_eq!(frozen().len(), facts().len());
}

#[test]
fn what_is_written_today_is_what_was_frozen() {
    let today: String = facts().iter().enumerate().map(|(seq, fact)| line(seq, fact)).collect();
    let frozen: Vec<&str> = FIXTURE.lines().filter(|line| !line.starts_with('#')).collect();
    // To add an event: append the line that this prints; never change one that is there.
    assert_eq!(today.lines().collect::<Vec<_>>(), frozen, "\n{today}");
}

#[test]
fn what_was_frozen_reads_as_what_was_meant_and_is_written_again_the_same() {
    for (seq, (sections, (at, by, fact))) in frozen().iter().zip(facts()).enumerate() {
        let [what, who, papers] = sections;
        let given = [what.as_deref(), who.as_deref(), papers.as_deref()];
        let read = wire::decode(seq as u64, given).unwrap();
        assert_eq!((read.seq, read.at, read.by, &read.fact), (seq as u64, at, by, &fact));
        assert_eq!(&wire::encode(read.at, read.by, &read.fact), sections);
    }
}

#[test]
fn damage_is_an_error_or_another_value_and_never_a_panic() {
    for sections in frozen() {
        let [Some(what), who, papers] = sections else { panic!("an entry without `what`") };
        let whole = wire::decode(0, [Some(&what), who.as_deref(), papers.as_deref()]).unwrap();
        for upto in 0..what.len() {
            assert!(wire::decode(0, [Some(&what[..upto]), None, None]).is_err());
        }
        for section in [who.as_ref(), papers.as_ref()].into_iter().flatten() {
            for upto in 0..section.len() {
                let cut = Some(&section[..upto]);
                assert!(wire::decode(0, [Some(&what), cut, None]).is_err());
                assert!(wire::decode(0, [Some(&what), None, cut]).is_err());
            }
        }
        let longer = [what.as_slice(), &[0]].concat();
        assert!(wire::decode(0, [Some(&longer), None, None]).is_err());
        for n in 0..what.len() {
            for flip in [1, 0x20, 0x80, 0xff] {
                let mut bytes = what.clone();
                bytes[n] ^= flip;
                let read = wire::decode(0, [Some(&bytes), who.as_deref(), papers.as_deref()]);
                assert!(read.is_err() || read != Ok(whole.clone()), "byte {n} ^ {flip}");
            }
        }
    }
}

#[test]
fn a_missing_or_newer_what_is_named() {
    let missing = wire::decode(7, [None, None, None]).unwrap_err();
    assert_eq!(missing.to_string(), "entry 7: the `what` section is missing");
    let mut newer = frozen()[0][0].clone().unwrap();
    newer[1] = 2;
    let newer = wire::decode(7, [Some(&newer), None, None]).unwrap_err();
    assert!(newer.detail.contains("version 2"), "{newer}");
}

#[test]
fn the_page_of_the_format_has_every_event() {
    let page = include_str!("../../../../docs/wire.md");
    for (code, name) in Event::ALL {
        assert!(page.contains(&format!("| {code} | {name} |")), "{code} {name}");
    }
}
