//! Two histories of one log, shown to different people, and everybody who notices: the second
//! witness's refusal, a monitor, and anyone who holds two cosigned checkpoints side by side.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bailee_ledger::monitor::Alarm;
use bailee_ledger::proof::verify_consistency;
use bailee_ledger::{Checkpoint, Note, Policy};
use bailee_server::House;
use bailee_server::attest::Lapse;
use bailee_server::monitor::{Monitor, Watch};
use bailee_server::web::Web;
use bailee_server::witness::Init;
use bailee_store::{MemoryJournal, MemoryObjects};

use crate::common::{demand, letter, load, log_verifier, on_disk, reopened, start, take};
use crate::http::Served;
use crate::standing::{POLICY, Standing, witnessed};

const LONG: Duration = Duration::from_secs(600);

/// A house with the log's key and these letters: one of two histories.
fn history(dir: &Path, policy: &str, letters: std::ops::Range<usize>) -> (House, u64) {
    let (journal, objects) = (Arc::new(MemoryJournal::new()), Arc::new(MemoryObjects::new()));
    let house = House::of(witnessed(dir, policy, 60_000, journal, objects)).unwrap();
    load(&house).unwrap();
    let last = letters.map(|n| demand(take(&house, &letter(n)).unwrap()).1).last();
    (house, last.unwrap() + 1)
}

#[test]
fn a_second_history_is_refused_by_whoever_has_seen_the_first() {
    let one = Standing::new("w1", Init::Ed25519);
    let policy = format!("{}quorum w1\n", one.lines());
    let rooms = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let (first, size) = history(rooms[0].path(), &policy, 0..3);
    let seen = first.attested_over(size, LONG).unwrap();
    assert!(seen.missing(&first.policy().unwrap()).is_empty());
    drop(first);
    // The same key signs another history: as long, longer, shorter.
    for letters in [10..13, 10..16, 10..12] {
        let room = tempfile::tempdir().unwrap();
        let (second, size) = history(room.path(), &policy, letters);
        let attested = second.attested_over(size, LONG).unwrap();
        assert_eq!(attested.missing(&second.policy().unwrap()), ["w1"]);
        let watched = second.watched().remove(0);
        assert!(watched.contradicts(), "{watched:?}");
        assert!(matches!(watched.contradiction, Some(Lapse::Contradicts(_))));
    }
    assert_eq!(one.on_record(), seen.size, "its record has moved");
}

/// Copies a directory as a backup does.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to),
            false => _ = std::fs::copy(entry.path(), to).unwrap(),
        }
    }
}

#[test]
fn a_whole_directory_that_was_restored_is_noticed_by_the_witness() {
    let room = tempfile::tempdir().unwrap();
    let (dir, backup) = (room.path().join("house"), room.path().join("backup"));
    let key = on_disk(&dir).log_key().unwrap();
    let one = Standing::watching("w1", Init::Ed25519, &key);
    std::fs::write(dir.join(POLICY), format!("{}quorum w1\n", one.lines())).unwrap();
    let settings = std::fs::read_to_string(dir.join("bailee.toml")).unwrap();
    let section = format!("\n[witnesses]\npolicy = {POLICY:?}\ntimeout_ms = 60000\n");
    std::fs::write(dir.join("bailee.toml"), settings + &section).unwrap();
    let attested = |letters: std::ops::Range<usize>| {
        let house = reopened(&dir, start()).unwrap();
        let last = letters.map(|n| demand(take(&house, &letter(n)).unwrap()).1).last().unwrap();
        let attested = house.attested_over(last + 1, LONG).unwrap();
        (attested.missing(&house.policy().unwrap()), house.watched().remove(0))
    };
    assert_eq!(attested(0..3).0, [] as [&str; 0]);
    copy(&dir, &backup);
    assert_eq!(attested(3..6).0, [] as [&str; 0]);
    let record = one.on_record();
    std::fs::remove_dir_all(&dir).unwrap();
    copy(&backup, &dir);
    // The house opens: nothing in the directory contradicts anything in it. The witness does, while
    // the log is shorter than what it has seen, and when it is longer.
    for letters in [10..11, 11..20] {
        let (missing, watched) = attested(letters);
        assert_eq!(missing, ["w1"]);
        assert!(watched.contradicts(), "{watched:?}");
    }
    assert_eq!(one.on_record(), record);
}

fn monitor(url: &str, policy: &Policy, dir: &Path) -> Monitor {
    let watch = Watch {
        url: url.to_owned(),
        policy: policy.clone(),
        dir: dir.to_owned(),
        silence: None,
        patience: Duration::from_secs(60),
    };
    Monitor::open(watch, Web::default(), 1_000).unwrap()
}

#[test]
fn two_views_shown_to_two_witnesses_are_seen_by_whoever_compares() {
    let (one, two) = (Standing::new("w1", Init::Ed25519), Standing::new("w2", Init::Ed25519));
    let rooms = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    // Each history is shown to one witness only, and each has its quorum.
    let (left, left_size) = history(rooms[0].path(), &format!("{}quorum w1\n", one.lines()), 0..3);
    let (right, right_size) =
        history(rooms[1].path(), &format!("{}quorum w2\n", two.lines()), 10..14);
    let shown: Vec<Note> = [(&left, left_size), (&right, right_size)]
        .map(|(house, size)| {
            let attested = house.attested_over(size, LONG).unwrap();
            assert!(attested.missing(&house.policy().unwrap()).is_empty(), "no quorum");
            attested.note
        })
        .into();

    // Anybody with both notes: each is signed by the log, and no proof joins them.
    let trees: Vec<Checkpoint> =
        shown.iter().map(|note| Checkpoint::open_note(note, &log_verifier()).unwrap()).collect();
    assert!(trees[0].size < trees[1].size);
    let proof = right
        .with_projection(|p| p.tree.consistency(trees[0].size, trees[1].size))
        .unwrap()
        .unwrap();
    let [old, new] = [&trees[0], &trees[1]];
    let joined = verify_consistency(old.size, &old.root, new.size, &new.root, &proof);
    assert!(joined.is_err(), "the two views are one log");

    // A monitor that is shown one view and asks both witnesses.
    let text = format!(
        "log {}\n{}{}group q any w1 w2\nquorum q\n",
        log_verifier().to_vkey(),
        one.lines(),
        two.lines()
    );
    let policy = Policy::parse(text.as_bytes()).unwrap();
    let right = Served::start(right);
    let url = format!("http://{}", right.address);
    let seen = tempfile::tempdir().unwrap();
    let look = monitor(&url, &policy, seen.path()).look(2_000).unwrap();
    assert_eq!(look.compared, 2);
    assert_eq!(
        look.alarms,
        [Alarm::SplitView { witness: "w1".to_owned(), size: trees[0].size }],
        "one view is what its witness has seen, the other is not"
    );
    let proofs: Vec<_> = std::fs::read_dir(seen.path())
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("proof-split_view-"))
        .collect();
    assert_eq!(proofs.len(), 1);
    let proof = std::fs::read_to_string(proofs[0].path()).unwrap();
    for tree in &trees {
        assert!(proof.contains(&tree.to_text().unwrap()), "half of the proof is missing: {proof}");
    }

    // A monitor that has followed one view is shown the other.
    let left = Served::start(left);
    let other = tempfile::tempdir().unwrap();
    let policy = Policy::for_log(log_verifier()).unwrap();
    let look = monitor(&format!("http://{}", left.address), &policy, other.path()).look(2_000);
    assert_eq!(look.unwrap().alarms, []);
    let look = monitor(&url, &policy, other.path()).look(3_000).unwrap();
    let fork = Alarm::Fork { seen: trees[0].size, shown: trees[1].size };
    assert_eq!((look.size, look.alarms), (trees[0].size, vec![fork]));
    // It does not take the second for the first, however often it is shown.
    assert_eq!(monitor(&url, &policy, other.path()).look(4_000).unwrap().size, trees[0].size);
}
