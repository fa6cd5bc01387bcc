//! Erasure: a person's details and papers leave every file of the directory, and not one proof,
//! other receipt or replay is the worse for it.

use std::io::ErrorKind;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use bailee_core::asset::{Identifier, IdentifierKind};
use bailee_core::disposition::DispositionKind;
use bailee_core::id::{
    AccountId, ClearanceId, DemandId, DispositionId, EntityId, MatterId, PartyId,
};
use bailee_core::party::{Channel, ChannelKind, Role, Who};
use bailee_core::{Action, By, NewAsset, Reason, Triage, check};
use bailee_server::intake::{self, Cover, Taken};
use bailee_server::{House, Projection};
use bailee_store::digest;

use crate::common::{
    People, act, because, demand, letter, make_ready, next_asset, no, on_disk, pass_days, people,
    receipt_of, reopened, sqlite, take, verified, yes,
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
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            // The house works on: what went meanwhile is not left.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => panic!("{}: {error}", path.display()),
        };
        for needle in needles() {
            if bytes.windows(needle.len()).any(|window| window == needle) {
                places.push(format!("{}: {}", path.display(), String::from_utf8_lossy(&needle)));
            }
        }
    }
    places
}

/// The person asks, in two letters; is refused, so that the holds end; owns an account; is told of
/// a proposal by mail, and its mail system says by a report that it was delivered; and the last of
/// its data goes.
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
    // The details of an owner go only when the account is over.
    yes(house, people.ada, Action::TerminateAccount { account: AccountId(1) });
    let asset = next_asset(house);
    let new = NewAsset {
        kind: bailee_core::asset::AssetKind::Server,
        label: "srv-1".into(),
        accounts: vec![AccountId(1)],
        identifiers: vec![Identifier { kind: IdentifierKind::Identity, value: "5a".repeat(32) }],
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
    // The details of an owner stay while anything of theirs is here.
    assert_eq!(no(house, people.cora, Action::EraseDetails { party }), "erasure_blocked");
    make_ready(house, people, DispositionId(1));
    let (disposition, clearance, subject) = (DispositionId(1), ClearanceId(1), [0x5a; 32]);
    yes(house, people.ada, Action::Reserve { disposition, asset, subject });
    yes(house, people.ada, Action::Begin { clearance });
    let certificate = b"certificate".to_vec();
    let exhibit = bailee_store::Exhibit { digest: digest(&certificate), bytes: certificate };
    let reason = Reason { note: String::new(), exhibits: vec![named(&exhibit, "text/plain")] };
    let finish = Action::Finish { clearance, verified: true, reason };
    house.submit(bailee_core::Command::by(people.ada, finish), vec![exhibit]).unwrap();
    (party, demands)
}

fn named(exhibit: &bailee_store::Exhibit, media: &str) -> bailee_core::demand::Exhibit {
    let (digest, size) = (exhibit.digest, exhibit.bytes.len() as u64);
    bailee_core::demand::Exhibit { digest, size, media: media.into(), name: "copy".into() }
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
    let paper = named(&exhibit, "message/rfc822");
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

/// Entries of the log in which somebody is erased.
const LONG: u64 = 100_000;

/// Registers assets, many at once, so that they share commits, until the log has `size` entries.
fn grow(house: &House, size: u64) {
    let here = house.with_state(|s| s.head).unwrap();
    let each = size.saturating_sub(here).div_ceil(THREADS);
    let register = move |thread: u64| {
        for n in 0..each {
            let new = NewAsset {
                kind: bailee_core::asset::AssetKind::Dataset,
                label: format!("box {here}-{thread}-{n}"),
                accounts: Vec::new(),
                identifiers: Vec::new(),
                part_of: None,
                copy_of: Vec::new(),
                place: "hall".into(),
                bytes: 1,
            };
            act(house, By::System, Action::RegisterAsset(new)).unwrap();
        }
    };
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || register(thread));
        }
    });
}

const THREADS: u64 = 64;

/// Every leaf of the log, hashed in a row, and the root of the tree over them.
fn leaves(house: &House) -> (bailee_ledger::Tree, [u8; 32]) {
    let (mut tree, mut all) = (bailee_ledger::Tree::default(), Vec::new());
    let mut from = 0;
    loop {
        let page = house.entries(from, 4096).unwrap();
        if page.is_empty() {
            return (tree, digest(&all));
        }
        for entry in &page {
            tree.push(&entry.leaf);
            all.extend_from_slice(&digest(&entry.leaf));
        }
        from += page.len() as u64;
    }
}

/// Files in which `grep` finds one of the words, as they are or in base64; and those with the bare
/// digest of a document of the person.
fn grepped(dir: &Path) -> Vec<String> {
    let mut grep = std::process::Command::new("grep");
    grep.args(["-r", "-l", "-a", "-F", "-i"]);
    for needle in needles() {
        grep.arg("-e").arg(String::from_utf8(needle).unwrap());
    }
    let output = grep.arg(dir).output().unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let found = String::from_utf8(output.stdout).unwrap();
    let mut places: Vec<String> = found.lines().map(str::to_owned).collect();
    // Part of each digest, without the byte that ends a line of grep's.
    let parts: Vec<String> = [private_letter(1), private_letter(20_000)]
        .iter()
        .map(|raw| {
            let named = digest(raw);
            let part = named.windows(10).find(|part| !part.contains(&b'\n')).unwrap();
            part.iter().map(|byte| format!("\\x{byte:02x}")).collect()
        })
        .collect();
    let mut grep = std::process::Command::new("grep");
    grep.env("LC_ALL", "C").args(["-r", "-l", "-a", "-P"]).arg(parts.join("|")).arg(dir);
    let output = grep.output().unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let found = String::from_utf8(output.stdout).unwrap();
    places.extend(found.lines().map(|file| format!("{file}: a digest")));
    places
}

/// Everything of the state but what is a person's.
fn impersonal(s: &bailee_core::State) -> impl PartialEq + use<> {
    let stays = (
        (s.policy.clone(), s.catalogue.clone(), s.entities.clone(), s.assets.clone()),
        (s.matters.clone(), s.holds.clone(), s.notices.clone(), s.objections.clone()),
        (s.dispositions.clone(), s.clearances.clone(), s.snapshots.clone(), s.meters.clone()),
        (s.duties.clone(), s.tokens.clone()),
    );
    let demands: Vec<_> = s.demands.iter().map(|(_, d)| (d.from, d.hold, d.status)).collect();
    (stays, demands)
}

#[test]
fn in_a_log_of_a_hundred_thousand_entries_one_person_goes_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let house = on_disk(dir.path());
    let people = people(&house);
    grow(&house, LONG / 3);
    let others: Vec<DemandId> =
        (1..40).map(|n| demand(take(&house, &letter(n)).unwrap()).0).collect();
    let (party, demands) = a_life(&house, dir.path(), &people);
    let more: Vec<DemandId> =
        (40..80).map(|n| demand(take(&house, &letter(n)).unwrap()).0).collect();
    grow(&house, LONG);
    assert!(house.settle().is_empty());
    let receipts: Vec<Vec<u8>> =
        others.iter().chain(&more).chain(&demands).map(|id| receipt_of(&house, *id)).collect();
    let (tree, before) = leaves(&house);
    assert!(tree.size() >= LONG);
    let (size, root) = (tree.size(), tree.root());
    let state = house.with_state(Clone::clone).unwrap();
    assert!(grepped(dir.path()).len() > 3, "the test looks in the wrong place");

    let records = yes(&house, people.cora, Action::EraseDetails { party });
    assert!(house.settle().is_empty());
    assert_eq!(grepped(dir.path()), Vec::<String>::new());

    // Every leaf is what it was, so every proof is: a thousand of them, and all of the person's.
    let (after, _) = leaves(&house);
    assert_eq!(after.root_at(size).unwrap(), root);
    let bailee_core::Event::DetailsErased { positions, papers, .. } = &records[0].fact.event else {
        panic!("{records:?}");
    };
    assert!(positions.len() >= 3 && papers.len() >= 5, "{positions:?} {papers:?}");
    let some = (0..size).step_by(101).chain(positions.iter().chain(papers).copied());
    for index in some {
        let leaf = house.entries(index, 1).unwrap().remove(0).leaf;
        let path = after.inclusion(index, size).unwrap();
        let hash = bailee_ledger::hash::leaf_hash(&leaf);
        bailee_ledger::proof::verify_inclusion(&hash, index, size, &path, &root).unwrap();
    }
    drop((tree, before, after));
    // All receipts handed out before verify; those of others can be made again with their letter.
    for receipt in &receipts {
        verified(&house, receipt);
    }
    for (n, id) in others.iter().chain(&more).enumerate() {
        let again = verified(&house, &receipt_of(&house, *id));
        assert_eq!(again.exhibits, [digest(&letter(n + 1))]);
    }

    // The state is what it was but for the person, and a replay of the files gives the same.
    let left = house.with_state(Clone::clone).unwrap();
    assert!(impersonal(&left) == impersonal(&state), "something else changed");
    for (id, known) in state.parties.iter().filter(|(id, _)| *id != party) {
        assert_eq!(left.parties.get(id), Some(known));
    }
    assert!(left.parties.get(party).unwrap().who.is_none());
    assert_eq!(house.with_state(check).unwrap(), []);
    drop(house);
    assert!(Projection::replay(&*sqlite(dir.path())).unwrap().state == left, "replay differs");
    assert_eq!(grepped(dir.path()), Vec::<String>::new());
}
