//! A house and its witnesses: who answers, who is away, who lags, who was set back, who is slow. In
//! each case letters are taken and receipted, and the receipt says what it lacks.

use std::io::Cursor;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use bailee_ledger::report::ClaimState;
use bailee_ledger::witness::AddCheckpoint;
use bailee_ledger::zip::Archive;
use bailee_ledger::{Checkpoint, Policy, Signer, Trust, verify_bundle};
use bailee_server::House;
use bailee_server::attest::{Attested, Lapse};
use bailee_server::witness::Init;
use bailee_store::{DiskObjects, MemoryJournal, MemoryObjects, Objects};

use crate::common::{demand, judge, letter, load, receipt_of, take};
use crate::http::Served;
use crate::standing::{False, Standing, all_of, reply, witnessed};

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(600);

/// A house in memory beside a directory with this policy.
fn house(dir: &std::path::Path, policy: &str, timeout_ms: u64) -> House {
    let (journal, objects) = (Arc::new(MemoryJournal::new()), Arc::new(MemoryObjects::new()));
    let house = House::of(witnessed(dir, policy, timeout_ms, journal, objects)).unwrap();
    load(&house).unwrap();
    house
}

/// The witness claim of a receipt under the policy that is in it.
fn witnesses_of(bundle: &[u8]) -> (ClaimState, String) {
    let report = verify_bundle(Cursor::new(bundle), &Trust::from_bundle()).unwrap();
    assert!(!report.failed(), "{report}");
    let claim = &report.claims[2];
    (claim.state, claim.text.clone())
}

fn member(bundle: &[u8], name: &str) -> String {
    let mut archive = Archive::open(Cursor::new(bundle)).unwrap();
    String::from_utf8(archive.read(name, 1 << 20).unwrap()).unwrap()
}

/// Asks until the quorum is there: a witness that was away is asked again after a rest.
#[track_caller]
fn until_complete(house: &House, size: u64) -> Attested {
    for _ in 0..100 {
        let attested = house.attested_over(size, Duration::from_secs(1)).unwrap();
        if attested.missing(&house.policy().unwrap()).is_empty() {
            return attested;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("never complete: {:?}", house.watched());
}

#[test]
fn a_receipt_carries_what_the_quorum_cosigned() {
    let (one, two) = (Standing::new("w1", Init::Ed25519), Standing::new("w2", Init::WithMlDsa));
    let room = tempfile::tempdir().unwrap();
    let objects = DiskObjects::open(&room.path().join("objects")).unwrap();
    let policy = all_of(&[one.lines(), two.lines()], "w1 w2 w2-pq");
    let (journal, objects) = (Arc::new(MemoryJournal::new()), Arc::new(objects));
    let parts = || witnessed(room.path(), &policy, 60_000, journal.clone(), objects.clone());
    let house = House::of(parts()).unwrap();
    load(&house).unwrap();
    let (id, position) = demand(take(&house, &letter(1)).unwrap());
    let bundle = receipt_of(&house, id);
    let (state, text) = witnesses_of(&bundle);
    assert_eq!(state, ClaimState::Proven, "{text}");
    assert!(text.contains("quorum q") && text.contains("w1, w2, w2-pq"), "{text}");
    assert!(member(&bundle, "bag/data/receipt.txt").contains("The quorum q"), "not said to people");
    // The policy that travels names everybody, and tells nobody where they are asked.
    let travels = member(&bundle, "bag/data/policy.tlog-policy");
    assert!(!travels.contains("http"), "{travels}");
    assert_eq!(Policy::parse(travels.as_bytes()).unwrap().witnesses().len(), 3);

    // The very bytes are kept, under the size, and the next process hands out the same.
    let checkpoint = member(&bundle, "bag/data/checkpoint");
    let tree = Checkpoint::parse(checkpoint.split("\n\n").next().unwrap_or_default()).ok();
    let size = tree.map_or_else(|| size_of(&checkpoint), |tree| tree.size);
    assert!(size > position);
    let kept = objects.get(&format!("attested/{size:020}/note")).unwrap();
    assert_eq!(String::from_utf8(kept).unwrap(), checkpoint);
    drop(house);
    let again = House::of(parts()).unwrap();
    assert_eq!(again.attested_over(position + 1, LONG).unwrap().note.to_string(), checkpoint);
    assert_eq!(member(&receipt_of(&again, id), "bag/data/checkpoint"), checkpoint);
    judge(&again, &*journal, &[(letter(1), position)].into());
}

fn size_of(checkpoint: &str) -> u64 {
    checkpoint.lines().nth(1).unwrap().parse().unwrap()
}

#[test]
fn who_is_away_is_named_and_the_receipt_gets_better_later() {
    let (one, mut two) = (Standing::new("w1", Init::Ed25519), Standing::new("w2", Init::Ed25519));
    let room = tempfile::tempdir().unwrap();
    let policy = all_of(&[one.lines(), two.lines()], "w1 w2");
    two.end();
    let house = house(room.path(), &policy, 60_000);
    let (id, position) = demand(take(&house, &letter(1)).unwrap());
    let bundle = receipt_of(&house, id);
    let (state, text) = witnesses_of(&bundle);
    assert_eq!(state, ClaimState::NotShown, "{text}");
    let words = member(&bundle, "bag/data/receipt.txt");
    assert!(words.contains("MISSING: the quorum q") && words.contains("by w2 when"), "{words}");
    assert!(house.settle().is_empty(), "operation waited for a witness");
    let watched = house.watched();
    assert!(watched[0].lapse.is_none() && watched[0].cosigned > 0, "{watched:?}");
    assert!(matches!(watched[1].lapse, Some(Lapse::Unreachable(_))), "{watched:?}");
    // Nothing incomplete is put on its own account.
    let kept = house.attested_sizes(0, 9).unwrap();
    assert_eq!(kept, [] as [u64; 0]);

    two.begin();
    until_complete(&house, position + 1);
    let (state, text) = witnesses_of(&receipt_of(&house, id));
    assert_eq!(state, ClaimState::Proven, "{text}");
}

#[test]
fn an_incomplete_note_is_kept_when_a_token_needs_it_and_the_next_size_gets_the_quorum() {
    let mut one = Standing::new("w1", Init::Ed25519);
    let room = tempfile::tempdir().unwrap();
    let policy = all_of(&[one.lines()], "w1");
    one.end();
    let house = house(room.path(), &policy, 60_000);
    let (_, position) = demand(take(&house, &letter(1)).unwrap());
    let fixed = house.keep(&house.attested_over(position + 1, LONG).unwrap()).unwrap();
    house.keep_token(fixed.size, "tsa", 0, b"token").unwrap();
    house.keep_roots(fixed.size, "tsa", b"roots").unwrap();
    one.begin();
    // The same size has its note for ever, also when its witness comes later.
    let (_, next) = demand(take(&house, &letter(2)).unwrap());
    let complete = until_complete(&house, next + 1);
    assert!(complete.size > fixed.size);
    let found = house.attested_at(fixed.size).unwrap();
    assert_eq!((found.note, found.stamps.len()), (fixed.note, 1));
    assert_eq!(found.stamps[0].tokens, [b"token".to_vec()]);
    // The earlier entry's receipt takes the later note, which has more.
    assert_eq!(until_complete(&house, position + 1).size, complete.size);
}

#[test]
fn a_witness_that_lagged_catches_up() {
    let (one, mut two) = (Standing::new("w1", Init::Ed25519), Standing::new("w2", Init::Ed25519));
    let room = tempfile::tempdir().unwrap();
    let policy = format!("{}{}group q any w1 w2\nquorum q\n", one.lines(), two.lines());
    let house = house(room.path(), &policy, 60_000);
    let (_, first) = demand(take(&house, &letter(1)).unwrap());
    house.attested_over(first + 1, LONG).unwrap();
    two.end();
    let was = two.on_record();
    for n in 2..6 {
        let (_, position) = demand(take(&house, &letter(n)).unwrap());
        let attested = house.attested_over(position + 1, LONG).unwrap();
        assert!(attested.missing(&house.policy().unwrap()).is_empty(), "one is enough");
    }
    assert_eq!(two.on_record(), was);
    two.begin();
    let mut n = 6;
    while two.on_record() == was {
        assert!(n < 1_000, "never asked again: {:?}", house.watched());
        let (_, position) = demand(take(&house, &letter(n)).unwrap());
        house.attested_over(position + 1, LONG).unwrap();
        std::thread::sleep(Duration::from_millis(50));
        n += 1;
    }
    assert!(two.on_record() > was && !house.watched()[1].contradicts());
}

#[test]
fn a_witness_restored_from_an_old_copy_catches_up() {
    let mut one = Standing::new("w1", Init::Ed25519);
    let room = tempfile::tempdir().unwrap();
    let house = house(room.path(), &all_of(&[one.lines()], "w1"), 60_000);
    let (_, first) = demand(take(&house, &letter(1)).unwrap());
    until_complete(&house, first + 1);
    one.end();
    let (records, copy) = (one.dir.path().join("witness.sqlite"), one.dir.path().join("copy"));
    std::fs::copy(&records, &copy).unwrap();
    let old = one.on_record();
    one.begin();
    let (_, second) = demand(take(&house, &letter(2)).unwrap());
    until_complete(&house, second + 1);
    one.end();
    assert!(one.on_record() > old);
    for side in ["-wal", "-shm"] {
        _ = std::fs::remove_file(one.dir.path().join(format!("witness.sqlite{side}")));
    }
    std::fs::copy(&copy, &records).unwrap();
    assert_eq!(one.on_record(), old, "the old copy is in place");
    one.begin();
    let (_, third) = demand(take(&house, &letter(3)).unwrap());
    let attested = until_complete(&house, third + 1);
    assert_eq!(one.on_record(), attested.size);
    let watched = house.watched().remove(0);
    assert!(watched.lapses.contains_key("set_back") && watched.lapse.is_none(), "{watched:?}");
}

#[test]
fn a_witness_that_never_answers_is_cut_off() {
    let key = Signer::witness_from_seed("w", &[7; 32]).unwrap();
    let (release, held) = mpsc::channel::<()>();
    let held = Mutex::new(held);
    let slow = False::new(move |_, _| _ = held.lock().unwrap().recv());
    let room = tempfile::tempdir().unwrap();
    let policy = all_of(&[slow.line("w", &key)], "w");
    let house = house(room.path(), &policy, 50);
    let (id, position) = demand(take(&house, &letter(1)).unwrap());
    // It returns at all: the witness is held until the end.
    let attested = house.attested_over(position + 1, LONG).unwrap();
    assert_eq!(attested.missing(&house.policy().unwrap()), ["w"]);
    assert_eq!(house.watched()[0].lapse, Some(Lapse::Late));
    assert_eq!(witnesses_of(&receipt_of(&house, id)).0, ClaimState::NotShown);
    drop(house);
    drop(release);
}

#[test]
fn appends_queue_up_no_questions() {
    let key = Signer::witness_from_seed("w", &[7; 32]).unwrap();
    let (release, held) = mpsc::channel::<()>();
    let held = Mutex::new(held);
    let signer = Signer::witness_from_seed("w", &[7; 32]).unwrap();
    let gated = False::new(move |stream, body| {
        // Each question waits until the test lets it go, and then all do.
        _ = held.lock().unwrap().recv();
        let note = AddCheckpoint::parse(body.as_bytes()).unwrap().note.sign(&signer, 9);
        let lines = note.signatures()[1].to_string();
        reply(stream, 200, "text/plain", &lines);
    });
    let room = tempfile::tempdir().unwrap();
    let house = house(room.path(), &all_of(&[gated.line("w", &key)], "w"), 60_000);
    let mut head = 0;
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| house.attested_over(1, LONG).unwrap());
        while gated.asked().is_empty() {
            std::thread::yield_now();
        }
        for n in 0..50 {
            head = demand(take(&house, &letter(n)).unwrap()).1 + 1;
        }
        house.checkpoint_over(head).unwrap();
        assert_eq!(gated.asked().len(), 1, "a second question while the first is open");
        drop(release);
        waiting.join().unwrap();
    });
    let attested = house.attested_over(head, LONG).unwrap();
    assert!(attested.size >= head);
    let asked = gated.asked();
    assert_eq!(asked.len(), 2, "not only about the newest");
    assert!(asked[1].contains(&format!("\n{}\n", attested.size)), "{}", asked[1]);
}

#[test]
fn the_public_sees_cosignatures_and_how_witnesses_are() {
    let one = Standing::new("w1", Init::Ed25519);
    let gone = Standing::new("w2", Init::Ed25519);
    let lines = gone.lines();
    drop(gone);
    let room = tempfile::tempdir().unwrap();
    let policy = format!("{}{lines}quorum w1\n", one.lines());
    let house = house(room.path(), &policy, 60_000);
    let ada = crate::common::people(&house).ada;
    let token = crate::http::token(&house, ada, bailee_server::api::words::TokenScope::Reader);
    let head = house.with_state(|s| s.head).unwrap();
    until_complete(&house, head);
    let key = house.log_key().unwrap();
    let served = Served::start(house);
    let shown = served.get("/checkpoint", "");
    let (tree, note) = Checkpoint::open(&shown.body, &key).unwrap();
    assert!(tree.size >= head && note.signatures().len() == 2, "{}", shown.text());
    let ready = served.get("/readyz", "");
    assert_eq!((ready.status, ready.text()), (200, "ready\nwitness w2: unreachable\n".to_owned()));
    let metrics = served.get("/metrics", &token).text();
    let size = format!("bailee_witness_size{{witness=\"w1\"}} {}", tree.size);
    assert!(metrics.contains(&size), "{metrics}");
    assert!(metrics.contains("bailee_witness_lapses_total{witness=\"w2\",what=\"unreachable\"}"));
    assert!(metrics.contains("bailee_witness_contradicts{witness=\"w1\"} 0"));
    let status = served.get("/v1/status", &token).json();
    assert_eq!(status["quorum"], "w1");
    assert!(status["witnesses"][1].as_str().unwrap().contains("cannot be reached"), "{status}");
}
