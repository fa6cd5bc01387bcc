//! Erasure: a person's details and papers leave every file of the directory, and not one proof,
//! other receipt or replay is the worse for it.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use bailee_core::disposition::DispositionKind;
use bailee_core::id::{AccountId, DemandId, DispositionId, EntityId, MatterId, PartyId};
use bailee_core::party::{Channel, ChannelKind, Role, Who};
use bailee_core::{Action, By, NewAsset, Reason, Triage, check};
use bailee_server::intake::{self, Cover, Taken};
use bailee_server::{House, Projection};
use bailee_store::digest;

use crate::common::{
    People, act, because, demand, letter, next_asset, no, on_disk, pass_days, people, receipt_of,
    reopened, sqlite, take, verified, yes,
};

const NAME: &str = "Zebediah Quillfeather";
const ADDRESS: &str = "zq@quillfeather.example";
const WORDS: &str = "xylographic-ptarmigan";

/// A letter of the person to be forgotten; larger than what rides in a commit if `times` is large.
fn private_letter(times: usize) -> Vec<u8> {
    let text = format!("Keep my {WORDS} collection.\r\n").repeat(times);
    format!(
        "From: {NAME} <{ADDRESS}>\r\nTo: legal@host.example\r\nSubject: {WORDS} ({times})\r\n\
         Date: Tue, 1 Sep 2026 12:00:00 +0000\r\nMessage-ID: <{times}@quillfeather.example>\r\n\
         \r\n{text}"
    )
    .into_bytes()
}

/// The needles as they are, and in base64 at each of its three alignments.
fn needles() -> Vec<Vec<u8>> {
    let plain = [NAME, ADDRESS, WORDS];
    let mut all: Vec<Vec<u8>> = plain.iter().map(|text| text.as_bytes().to_vec()).collect();
    for text in plain {
        for shift in 0..3 {
            let padded = [&vec![b'.'; shift][..], text.as_bytes()].concat();
            let encoded = STANDARD.encode(&padded);
            // Without the letters that the neighbours have a share in.
            all.push(encoded.as_bytes()[4..encoded.len() - 6].to_vec());
        }
    }
    all
}

/// Files below `dir` in which a needle is found.
fn found(dir: &Path) -> Vec<String> {
    let mut places = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            places.extend(found(&path));
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        for needle in needles() {
            if bytes.windows(needle.len()).any(|window| window == needle) {
                places.push(format!("{}: {}", path.display(), String::from_utf8_lossy(&needle)));
            }
        }
    }
    places
}

/// The person asks, in two letters; is refused, so that the holds end; owns an account; is told of
/// a proposal by mail, and its mail system says by a report that it was delivered.
fn a_life(house: &House, dir: &Path, people: &People) -> (PartyId, Vec<DemandId>) {
    let mut demands = Vec::new();
    for raw in [private_letter(1), private_letter(20_000)] {
        demands.push(demand(take(house, &raw).unwrap()).0);
    }
    let party = house.with_state(|s| s.party_at(ADDRESS)).unwrap().unwrap();
    assert!(house.settle().is_empty());
    for demand in &demands {
        let (triage, reason) = (Triage::Refuse, because());
        yes(house, people.cora, Action::DecideDemand { demand: *demand, triage, reason });
    }
    pass_days(house, 15);
    let channels = vec![
        Channel { kind: ChannelKind::Email, address: ADDRESS.into() },
        Channel { kind: ChannelKind::Post, address: format!("{NAME}, 1 {WORDS} Street") },
    ];
    let who = Who { name: NAME.into(), channels };
    yes(house, people.ada, Action::ChangeParty { party, who });
    let entity = Action::RegisterEntity { name: "Host B.V.".into(), country: "NL".into() };
    yes(house, people.ada, entity);
    let (entity, label, law) = (EntityId(1), NAME.into(), "NL".into());
    let action = Action::RegisterAccount { owner: party, entity, label, law, retention_days: 1 };
    yes(house, people.ada, action);
    let asset = next_asset(house);
    let new = NewAsset {
        kind: bailee_core::asset::AssetKind::Server,
        label: "srv-1".into(),
        accounts: vec![AccountId(1)],
        identifiers: Vec::new(),
        part_of: None,
        copy_of: Vec::new(),
        place: "rack 1".into(),
        bytes: 1,
    };
    yes(house, people.ada, Action::RegisterAsset(new));
    let (kind, assets, reason) = (DispositionKind::Sanitize, vec![asset], because());
    yes(house, people.ada, Action::ProposeDisposition { kind, assets, to: None, reason });
    assert!(house.settle().is_empty());
    report_delivery(house, dir, DispositionId(1));
    (party, demands)
}

/// A delivery report on the first notice, as the recipient's mail system writes it.
fn report_delivery(house: &House, dir: &Path, disposition: DispositionId) {
    let notice = house.with_state(|s| s.dispositions.get(disposition).unwrap().notices[0]).unwrap();
    let sent = std::fs::read_to_string(dir.join(format!("outbox/notice-{notice}-0.eml"))).unwrap();
    let id = sent.lines().find_map(|line| line.strip_prefix("Message-ID:")).unwrap().trim();
    let raw = crate::hostile::delivery_report(id, ADDRESS, "delivered");
    let taken = take(house, &raw).unwrap();
    assert!(matches!(taken, Taken::Report { .. }), "{taken:?}");
}

#[test]
fn no_byte_of_the_person_stays_and_every_proof_does() {
    let dir = tempfile::tempdir().unwrap();
    let house = on_disk(dir.path());
    let people = people(&house);
    let (other, _) = demand(take(&house, &letter(1)).unwrap());
    let (party, demands) = a_life(&house, dir.path(), &people);
    // Somebody else sends the very same bytes of a public letter: they stay.
    let shared = letter(50);
    take(&house, &shared).unwrap();
    let old_receipts: Vec<Vec<u8>> =
        demands.iter().chain([&other]).map(|id| receipt_of(&house, *id)).collect();
    assert!(found(dir.path()).len() > 5, "the test looks in the wrong place");

    yes(&house, people.cora, Action::EraseDetails { party });
    assert!(house.settle().is_empty());
    assert_eq!(found(dir.path()), Vec::<String>::new());

    // Receipts in others' hands verify, the other's anew as well; nothing of the letter is shown.
    for receipt in &old_receipts {
        verified(&house, receipt);
    }
    assert_eq!(verified(&house, &receipt_of(&house, other)).exhibits, [digest(&letter(1))]);
    let empty = verified(&house, &receipt_of(&house, demands[0]));
    assert_eq!(empty.exhibits, [] as [[u8; 32]; 0]);
    assert_eq!(house.exhibit(&digest(&private_letter(1))).unwrap(), None);
    assert_eq!(house.exhibit(&digest(&private_letter(20_000))).unwrap(), None);
    assert_eq!(house.exhibit(&digest(&shared)).unwrap(), Some(shared));
    assert_eq!(house.with_state(check).unwrap(), []);

    let before = house.with_state(Clone::clone).unwrap();
    let at = house.clock().now();
    drop(house);
    assert!(Projection::replay(&*sqlite(dir.path())).unwrap().state == before, "replay differs");
    let house = reopened(dir.path(), at).unwrap();
    assert!(house.settle().is_empty());
    assert!(house.with_state(|state| *state == before).unwrap());
    assert_eq!(found(dir.path()), Vec::<String>::new());
    assert_eq!(no(&house, people.cora, Action::EraseDetails { party }), "already_done");
}

#[test]
fn what_others_rest_on_stays() {
    let dir = tempfile::tempdir().unwrap();
    let house = on_disk(dir.path());
    let people = people(&house);
    let (party, _) = a_life(&house, dir.path(), &people);
    // A matter's file holds the same letter, sent in by somebody else.
    yes(&house, people.cora, Action::OpenMatter { title: "A matter".into() });
    let raw = private_letter(1);
    let from = crate::common::party(&house, "Friend", Role::Requester);
    let exhibit = bailee_store::Exhibit { digest: digest(&raw), bytes: raw.clone() };
    let paper = bailee_core::demand::Exhibit {
        digest: exhibit.digest,
        size: raw.len() as u64,
        media: "message/rfc822".into(),
        name: "copy".into(),
    };
    let reason = Reason { note: String::new(), exhibits: vec![paper] };
    let action = Action::FileCorrespondence { matter: MatterId(1), from, reason };
    let command = bailee_core::Command::by(people.ada, action);
    house.submit(command, vec![exhibit]).unwrap();
    yes(&house, people.cora, Action::EraseDetails { party });
    assert!(house.settle().is_empty());
    assert_eq!(house.exhibit(&digest(&raw)).unwrap(), Some(raw));
}

#[test]
fn a_letter_under_a_hold_is_not_erased() {
    let dir = tempfile::tempdir().unwrap();
    let house = on_disk(dir.path());
    let people = people(&house);
    take(&house, &private_letter(1)).unwrap();
    let party = house.with_state(|s| s.party_at(ADDRESS)).unwrap().unwrap();
    assert_eq!(no(&house, people.cora, Action::EraseDetails { party }), "erasure_blocked");
    assert!(house.exhibit(&digest(&private_letter(1))).unwrap().is_some());
}

#[test]
fn hundreds_of_erasures_keep_no_receipt_waiting() {
    let house = crate::common::in_memory();
    let people = people(&house);
    for n in 0..300 {
        let party = crate::common::party(&house, &format!("Person{n}"), Role::Requester);
        yes(&house, people.cora, Action::EraseDetails { party });
    }
    intake::take(&house, letter(1), Cover::default(), By::System).unwrap();
    assert!(house.settle().is_empty());
    assert!(house.with_state(|s| s.demands.get(DemandId(1)).unwrap().receipted).unwrap());
    act(&house, By::System, Action::Tick).unwrap();
}
