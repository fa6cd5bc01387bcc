//! SIGKILL: a real process on a real directory, killed at any moment, hundreds of times.
//!
//! The child is this very test, run again with a variable set: it takes letters from eight threads
//! and says each acknowledgement on its standard output. What it has said must be there for ever.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command as Process, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use bailee_core::asset::{AssetKind, Fate, Identifier, IdentifierKind};
use bailee_core::disposition::{ClearanceStatus, DispositionKind};
use bailee_core::id::{AssetId, ClearanceId, DispositionId};
use bailee_core::{Action, By, NewAsset, Reason, check};
use bailee_ledger::{Checkpoint, Signer};
use bailee_server::http::Stop;
use bailee_server::witness::{Cosigner, Init, Witness, serve_until};
use bailee_server::{Clock, Config, House, Projection};
use bailee_store::{DiskObjects, DiskSlot, Journal, Slot, digest};

use crate::arrows::{Arrows, Hook, Moment};
use crate::common::{
    ORIGIN, People, act, because, demand, judge, letter, load, log_verifier, make_ready,
    next_asset, on_disk, people, reopened, sqlite, start, take, verified, yes,
};
use crate::faults::{attested_and_recorded, one_root_per_size};
use crate::http::{Answered, head};
use crate::standing::{POLICY, Standing, witnessed};
use crate::witness_server::{request, tree};

const DIR: &str = "BAILEE_TEST_KILL_DIR";
const ROUND: &str = "BAILEE_TEST_KILL_ROUND";
const THREADS: usize = 8;
const EACH: usize = 2;
const KILLS: usize = 200;

fn child(test: &str, dir: &Path, round: usize) -> Child {
    Process::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(DIR, dir)
        .env(ROUND, round.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Says a line that the parent reads; a parent that is gone needs nothing more.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    _ = writeln!(out, "\nSAID {line}").and_then(|()| out.flush());
}

fn heard(line: &str) -> Option<Vec<&str>> {
    Some(line.strip_prefix("SAID ")?.split(' ').collect())
}

/// The child of the first test: letters from eight threads, each acknowledgement said.
fn take_letters(dir: &Path, round: usize) {
    let house = House::open(dir, Clock::Wall).unwrap();
    say("open");
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let house = &house;
            scope.spawn(move || {
                for n in 0..EACH {
                    let number = (round * THREADS + thread) * EACH + n;
                    let (_, position) = demand(take(house, &letter(number)).unwrap());
                    say(&format!("{number} {position}"));
                }
            });
        }
        scope.spawn(|| house.settle());
    });
    say("done");
}

#[test]
fn what_was_acknowledged_survives_sigkill() {
    if let (Ok(dir), Ok(round)) = (std::env::var(DIR), std::env::var(ROUND)) {
        return take_letters(Path::new(&dir), round.parse().unwrap());
    }
    let dir = tempfile::tempdir().unwrap();
    drop(House::create(dir.path(), &Config::for_origin(ORIGIN), Clock::Wall).unwrap());
    let mut acknowledged: BTreeMap<usize, u64> = BTreeMap::new();
    let mut checkpoints = Vec::new();
    let mut cut_short = 0;
    for round in 0..KILLS {
        let mut child = child("kill::what_was_acknowledged_survives_sigkill", dir.path(), round);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // The moment differs each time: while opening, after so many acknowledgements, near the
        // end.
        let enough = (round * 7) % 20;
        let mut said = 0;
        while said < enough {
            let Some(Ok(line)) = lines.next() else { break };
            let Some(words) = heard(&line) else { continue };
            said += 1;
            note(&words, &mut acknowledged);
            if words == ["done"] {
                break;
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // What was said before the kill was still in the pipe.
        let rest: Vec<String> = lines.map_while(Result::ok).collect();
        rest.iter().filter_map(|line| heard(line)).for_each(|w| note(&w, &mut acknowledged));
        cut_short += usize::from(!rest.iter().any(|line| line == "SAID done"));
        checkpoints.extend(std::fs::read(dir.path().join("checkpoint")).ok());
    }
    assert!(
        acknowledged.len() > KILLS && cut_short > KILLS / 2,
        "{} {cut_short}",
        acknowledged.len()
    );
    all_there(dir.path(), &acknowledged, &checkpoints);
}

fn note(words: &[&str], acknowledged: &mut BTreeMap<usize, u64>) {
    if let [number, position] = words {
        let (number, position) = (number.parse().unwrap(), position.parse().unwrap());
        assert_eq!(acknowledged.insert(number, position), None);
    }
}

fn all_there(dir: &Path, acknowledged: &BTreeMap<usize, u64>, checkpoints: &[Vec<u8>]) {
    let house = House::open(dir, Clock::Wall).unwrap();
    assert!(house.settle().is_empty());
    assert_eq!(house.with_state(check).unwrap(), []);
    let by_position = house.with_state(|s| {
        s.demands.iter().map(|(id, d)| (d.position, (id, d.papers.clone().unwrap()))).collect()
    });
    let by_position: BTreeMap<u64, _> = by_position.unwrap();
    for (n, (number, position)) in acknowledged.iter().enumerate() {
        let raw = letter(*number);
        let (id, papers) = &by_position[position];
        assert_eq!(papers.exhibits[0].digest, digest(&raw), "{id} is another letter");
        assert_eq!(house.exhibit(&digest(&raw)).unwrap(), Some(raw));
        // Each receipt costs a millisecond or ten; a sample of every round is enough.
        if n % 16 == 0 {
            verified(&house, &crate::common::receipt_of(&house, *id));
        }
    }
    let key = house.log_key().unwrap();
    assert!(checkpoints.len() > KILLS / 2, "only {} checkpoints were seen", checkpoints.len());
    for note in checkpoints {
        let (seen, _) = Checkpoint::open(note, &key).unwrap();
        let root = house.with_projection(|p| p.tree.root_at(seen.size)).unwrap().unwrap();
        assert_eq!(root, seen.root, "a checkpoint of size {} was of another tree", seen.size);
    }
    let head = house.with_state(|s| s.head).unwrap();
    house.checkpoint_over(head).unwrap();
    drop(house);
    let replayed = Projection::replay(&*sqlite(dir)).unwrap();
    assert_eq!(replayed.tree.size(), replayed.state.head);
}

const SUBJECT: [u8; 32] = [9; 32];

/// A server of an ended account whose disposition waits for nothing but the reservation.
fn ready(house: &House) -> (People, DispositionId, AssetId) {
    let people = people(house);
    let asset = next_asset(house);
    let hex: String = SUBJECT.iter().map(|byte| format!("{byte:02x}")).collect();
    let new = NewAsset {
        kind: AssetKind::Drive,
        label: "drive 1".into(),
        accounts: Vec::new(),
        identifiers: vec![Identifier { kind: IdentifierKind::Identity, value: hex }],
        part_of: None,
        copy_of: Vec::new(),
        place: "rack 1".into(),
        bytes: 1 << 20,
    };
    yes(house, people.ada, Action::RegisterAsset(new));
    let kind = DispositionKind::Sanitize;
    let reason = because();
    let action = Action::ProposeDisposition { kind, assets: vec![asset], to: None, reason };
    yes(house, people.ada, action);
    let disposition = DispositionId(1);
    make_ready(house, &people, disposition);
    (people, disposition, asset)
}

/// The child of the second test: says each step when it is durable, and waits to be killed.
fn let_go_step_by_step(dir: &Path) {
    let house = reopened(dir, start().plus_days(31)).unwrap();
    let (disposition, asset, subject) = (DispositionId(1), AssetId(1), SUBJECT);
    let clearance = ClearanceId(1);
    let paper = bailee_core::demand::Exhibit {
        digest: digest(b"certificate"),
        size: 11,
        media: "application/json".into(),
        name: "certificate.json".into(),
    };
    let reason = Reason { note: String::new(), exhibits: vec![paper] };
    let steps = [
        ("reserved", Action::Reserve { disposition, asset, subject }),
        ("begun", Action::Begin { clearance }),
        ("renewed", Action::Renew { clearance }),
        ("finished", Action::Finish { clearance, verified: true, reason }),
    ];
    for (name, action) in steps {
        act(&house, By::System, action).unwrap();
        say(name);
        // Goes on when it is told to; a closed pipe is an answer too.
        _ = std::io::stdin().read(&mut [0]);
    }
}

#[test]
fn killed_between_reserve_and_finish_is_never_done() {
    if let Ok(dir) = std::env::var(DIR) {
        return let_go_step_by_step(Path::new(&dir));
    }
    for (kill_after, name) in ["reserved", "begun", "renewed", "finished"].iter().enumerate() {
        let dir = tempfile::tempdir().unwrap();
        ready(&on_disk(dir.path()));
        let mut child =
            child("kill::killed_between_reserve_and_finish_is_never_done", dir.path(), 0);
        let mut input = child.stdin.take().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut said = 0;
        for line in lines.map_while(Result::ok) {
            let Some(words) = heard(&line) else { continue };
            if words == [*name] {
                break;
            }
            said += 1;
            input.write_all(b"x").unwrap();
        }
        assert_eq!(said, kill_after);
        child.kill().unwrap();
        child.wait().unwrap();
        let house = reopened(dir.path(), start().plus_days(32)).unwrap();
        house.settle();
        let (status, fate) = house
            .with_state(|s| {
                let clearance = s.clearances.get(ClearanceId(1)).unwrap();
                (clearance.status, s.assets.get(AssetId(1)).unwrap().fate.clone())
            })
            .unwrap();
        let expected = match *name {
            "reserved" => (ClearanceStatus::Expired, Fate::Kept),
            "finished" => (ClearanceStatus::Finished, Fate::Destroyed(ClearanceId(1))),
            _ => (ClearanceStatus::Lost, Fate::Unknown(ClearanceId(1))),
        };
        assert_eq!((status, fate), expected, "killed after {name}");
        assert_eq!(house.with_state(check).unwrap(), []);
        // The clearance is used up, whatever it was used for.
        let again = act(&house, By::System, Action::Begin { clearance: ClearanceId(1) });
        assert!(again.is_err(), "a clearance was honoured twice");
    }
}

const STEP: &str = "BAILEE_TEST_KILL_STEP";

/// A hook that kills this process, as from outside, at one call.
fn deadly(step: &str) -> Hook {
    let parts: Vec<String> = step.split(' ').map(str::to_owned).collect();
    let count = AtomicU64::new(0);
    Arc::new(move |call, moment, name| {
        let here = format!("{call:?}") == parts[0] && format!("{moment:?}") == parts[1];
        if here && name.starts_with(parts.get(3).map_or("", String::as_str)) {
            let nth: u64 = parts[2].parse().unwrap();
            if count.fetch_add(1, Ordering::SeqCst) == nth {
                let pid = std::process::id().to_string();
                _ = Process::new("kill").args(["-s", "KILL", &pid]).status();
                loop {
                    thread::park();
                }
            }
        }
    })
}

/// Runs this test again as a child that dies at that step.
fn dying(test: &str, dir: &Path, step: &str) -> Child {
    Process::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(DIR, dir)
        .env(STEP, step)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// What the child says until it is dead; it must have been killed.
fn last_words(mut child: Child) -> Vec<Vec<String>> {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let words = |line: String| {
        let heard = heard(&line)?;
        Some(heard.into_iter().map(str::to_owned).collect::<Vec<String>>())
    };
    let said = lines.filter_map(words).collect();
    let status = child.wait().unwrap();
    assert_eq!(status.signal(), Some(9), "{status}: {said:?}");
    said
}

/// The child: letters with receipts, one after the other, until it dies.
fn receipts_until_killed(dir: &Path, step: &str) {
    let arrows = Arc::new(Arrows::hooked(sqlite(dir), deadly(step)));
    let objects = arrows.objects(Arc::new(DiskObjects::open(&dir.join("objects")).unwrap()));
    let policy = std::fs::read_to_string(dir.join(POLICY)).unwrap();
    let parts = witnessed(dir, &policy, 60_000, arrows.clone(), objects);
    let house =
        House::with_slot(parts, arrows.slot(Arc::new(DiskSlot::new(dir, "checkpoint")))).unwrap();
    load(&house).unwrap();
    for n in 0..4 {
        let (_, position) = demand(take(&house, &letter(n)).unwrap());
        say(&format!("{n} {position}"));
        house.settle();
    }
}

/// journal -> cell -> file -> witness -> attested note: killed between each two of them.
#[test]
fn killed_between_journal_checkpoint_witness_and_note() {
    if let (Ok(dir), Ok(step)) = (std::env::var(DIR), std::env::var(STEP)) {
        return receipts_until_killed(Path::new(&dir), &step);
    }
    let calls = ["Append", "Swap", "Slot", "Object"];
    let moments = [Moment::Before, Moment::After];
    for (call, moment) in calls.into_iter().flat_map(|call| moments.map(|m| (call, m))) {
        for nth in [0, 2] {
            let only = if call == "Object" { " attested/" } else { "" };
            let step = format!("{call} {moment:?} {nth}{only}");
            let (dir, witness) = (tempfile::tempdir().unwrap(), Standing::new("w1", Init::Ed25519));
            let policy = format!("{}quorum w1\n", witness.lines());
            std::fs::write(dir.path().join(POLICY), &policy).unwrap();
            let test = "kill::killed_between_journal_checkpoint_witness_and_note";
            let mut acknowledged = BTreeMap::new();
            for words in last_words(dying(test, dir.path(), &step)) {
                let [n, position] = [0, 1].map(|at| words[at].parse().unwrap());
                acknowledged.insert(letter(usize::try_from(n).unwrap()), position);
            }
            let left = DiskSlot::new(dir.path(), "checkpoint").read().unwrap();
            let signed = Mutex::new(left.into_iter().collect::<Vec<_>>());
            let store: Arc<dyn Journal> = sqlite(dir.path());
            let objects = Arc::new(DiskObjects::open(&dir.path().join("objects")).unwrap());
            let parts = witnessed(dir.path(), &policy, 60_000, store.clone(), objects);
            let house = House::of(parts).unwrap_or_else(|error| panic!("{step}: {error}"));
            load(&house).unwrap();
            for n in 0..4 {
                let (_, position) = demand(take(&house, &letter(n)).unwrap());
                let before = acknowledged.insert(letter(n), position);
                assert!(before.is_none_or(|before| before == position), "{step}: moved");
            }
            assert!(house.settle().is_empty(), "{step}");
            judge(&house, &*store, &acknowledged);
            let head = house.with_state(|s| s.head).unwrap();
            attested_and_recorded(&house, head, &witness, &signed);
            one_root_per_size(&signed, &*store);
        }
    }
}

/// The child: a witness whose records are in the directory, until it dies.
fn cosign_until_killed(dir: &Path, step: &str) {
    let key = Signer::witness_from_seed("w.example", &[7; 32]).unwrap();
    let records = Arc::new(Arrows::hooked(sqlite(dir), deadly(step)));
    let logs = vec![log_verifier()];
    let witness = Witness::of(Cosigner { key, pq: None }, logs, records);
    let listen = "127.0.0.1:0".parse().unwrap();
    serve_until(witness, listen, &Stop::default(), |at| say(&at.to_string())).unwrap();
}

/// Killed before or after the tree is on record: what was answered is of one history, and what is
/// on record is never contradicted.
#[test]
fn a_witness_killed_around_its_record_cosigns_one_history() {
    const THIS: &str = "kill::a_witness_killed_around_its_record_cosigns_one_history";
    if let (Ok(dir), Ok(step)) = (std::env::var(DIR), std::env::var(STEP)) {
        return cosign_until_killed(Path::new(&dir), &step);
    }
    for moment in [Moment::Before, Moment::After] {
        let dir = tempfile::tempdir().unwrap();
        let post = |address: &str, body: &str| -> Option<u16> {
            let length = body.len().to_string();
            let head = head("POST", "/add-checkpoint", "", &[("content-length", length.as_str())]);
            let mut stream = std::net::TcpStream::connect(address).ok()?;
            stream
                .write_all(head.as_bytes())
                .and_then(|()| stream.write_all(body.as_bytes()))
                .ok()?;
            let mut first = [0; 1];
            // A killed process answers nothing at all.
            (stream.peek(&mut first).ok()? == 1).then(|| Answered::read(stream).status)
        };
        let serving = |step: &str| {
            let mut child = dying(THIS, dir.path(), step);
            let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
            let address = loop {
                let line = lines.next().unwrap().unwrap();
                if let Some(words) = heard(&line) {
                    break words[0].to_owned();
                }
            };
            (child, address)
        };
        let (a, b) = (tree(3, "a"), tree(3, "b"));
        let (mut child, address) = serving(&format!("Swap {moment:?} 0"));
        assert_eq!(post(&address, &request(&a, 0)), None, "answered, and killed before that");
        assert_eq!(child.wait().unwrap().signal(), Some(9));
        let (mut child, address) = serving("Swap Before 1000");
        let other = post(&address, &request(&b, 0)).unwrap();
        let record = Witness::of(
            Cosigner { key: Signer::witness_from_seed("w.example", &[7; 32]).unwrap(), pq: None },
            vec![log_verifier()],
            sqlite(dir.path()),
        );
        let on_record = Checkpoint::parse(record.on_record(ORIGIN).unwrap().note.unwrap().text());
        let again = post(&address, &request(&a, 3)).unwrap();
        match moment {
            // Nothing was on record and nothing was answered: the other one may be the first.
            Moment::Before => assert_eq!((other, again), (200, 409)),
            Moment::After => assert_eq!((other, again), (409, 200)),
        }
        let first = if moment == Moment::Before { &b } else { &a };
        assert_eq!(on_record.unwrap(), Checkpoint::of(ORIGIN, first));
        let grown =
            post(&address, &request(&tree(5, if moment == Moment::Before { "b" } else { "a" }), 3));
        assert_eq!(grown, Some(200), "it does not go on");
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
