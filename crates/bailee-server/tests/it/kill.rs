//! SIGKILL: a real process on a real directory, killed at any moment, hundreds of times.
//!
//! The child is this very test, run again with a variable set: it takes letters from eight threads
//! and says each acknowledgement on its standard output. What it has said must be there for ever.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command as Process, Stdio};
use std::thread;

use bailee_core::asset::{AssetKind, Fate, Identifier, IdentifierKind};
use bailee_core::disposition::{ClearanceStatus, DispositionKind};
use bailee_core::id::{AssetId, ClearanceId, DispositionId};
use bailee_core::{Action, By, NewAsset, Reason, check};
use bailee_ledger::Checkpoint;
use bailee_server::{Clock, Config, House, Projection};
use bailee_store::digest;

use crate::common::{
    ORIGIN, People, act, because, demand, letter, make_ready, next_asset, on_disk, people,
    reopened, sqlite, start, take, verified, yes,
};

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
