//! A process that preserves with one thread while another expires and prunes is killed 300
//! times, at random moments; what it had acknowledged is whole each time, and in the end the space
//! is back.
//!
//! Two stores, so that two cores are busy. The seed of the moments is printed; to run the same ones
//! again, set `BAILEE_KILL_SEED`. What a thread was doing at a moment is the scheduler's choice.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::ops::Range;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use bailee_ledger::clearance::Act;
use bailee_vault::{SnapshotId, Source, Unchanged, Vault, no_catalogue, scrub_packs};

use crate::support::{clear, disk_vault, noise, sweep};

const STORE: &str = "BAILEE_TEST_STORE_OF_THE_CHILD";
const SEED: &str = "BAILEE_KILL_SEED";
/// Kills of each of the two stores.
const KILLS: u64 = 150;
/// Microseconds that the moment of a kill is drawn from: at least, at most.
const SPAN: Range<u64> = 130_000..2_000_000;
/// Snapshots that the pruning thread leaves.
const LEFT: usize = 2;

/// Says what is acknowledged, and what is no longer promised.
fn say(word: &str, id: &SnapshotId) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n{word} {id}").unwrap();
    out.flush().unwrap();
}

/// Snapshots that share three quarters of their files, each said before the other thread sees it.
fn ingest(vault: &Vault, rounds: u64, kept: &Mutex<Vec<SnapshotId>>) {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..rounds {
        let seed = round + u64::from(std::process::id()) * 1000;
        for n in 0..12 {
            let file = dir.path().join(format!("f{}", (n + round * 3) % 12));
            if n < 3 || round == 0 {
                std::fs::write(file, noise(seed * 12 + n, 4000)).unwrap();
            }
        }
        let source = Source::Tree(dir.path().to_owned());
        let new = vault.preserve_with("t", "A-1", &source, Unchanged::Rehash, &mut ()).unwrap();
        let mut kept = kept.lock().unwrap();
        say("kept", &new.id);
        kept.push(new.id);
    }
}

/// Expires all but the newest that were acknowledged, and prunes.
fn prune(vault: &Vault, kept: &Mutex<Vec<SnapshotId>>) {
    let old: Vec<SnapshotId> = {
        let mut kept = kept.lock().unwrap();
        let many = kept.len().saturating_sub(LEFT);
        kept.drain(..many).collect()
    };
    if old.is_empty() {
        return thread::sleep(Duration::from_millis(1));
    }
    let all = vault.list("t").unwrap();
    for gone in all.iter().filter(|info| old.contains(&info.id)) {
        say("gone", &gone.id);
        let clearance = clear(1, Act::Expire, gone.root);
        vault.expire("t", &gone.id, clearance, &|_| None, &no_catalogue).unwrap();
    }
    sweep(vault).unwrap();
}

/// Both at the same time.
fn work(vault: &Vault, rounds: u64) {
    let before = vault.list("t").unwrap_or_default();
    let kept = Mutex::new(before.into_iter().map(|info| info.id).collect());
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                prune(vault, &kept);
            }
        });
        ingest(vault, rounds, &kept);
        done.store(true, Ordering::Release);
    });
    prune(vault, &kept);
}

/// Started by the test below with a store to work in; run by itself, it works in one of its own.
#[test]
fn the_child() {
    if let Ok(store) = std::env::var(STORE) {
        work(&disk_vault(Path::new(&store)).1, u64::MAX);
    }
    let dir = tempfile::tempdir().unwrap();
    let (_, vault) = disk_vault(dir.path());
    work(&vault, 6);
    assert_eq!(vault.list("t").unwrap().len(), LEFT);
}

/// Runs the child for a while; gives what it said.
fn run_and_kill(store: &Path, time: Duration) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kill::the_child", "--nocapture"])
        .env(STORE, store)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let output = child.stdout.take().unwrap();
    let reader = thread::spawn(move || {
        BufReader::new(output).lines().map_while(Result::ok).collect::<Vec<_>>()
    });
    thread::sleep(time);
    assert_eq!(child.try_wait().unwrap(), None, "it ended by itself");
    child.kill().unwrap(); // SIGKILL
    child.wait().unwrap();
    reader.join().unwrap()
}

/// Listed snapshots are whole, promised ones are listed.
fn check(store: &Path, promised: &BTreeSet<String>, context: &str) {
    let (objects, vault) = disk_vault(store);
    let Ok(listed) = vault.list("t") else {
        return assert!(promised.is_empty(), "{context}: no tenant, though {promised:?}");
    };
    for info in &listed {
        let verified = vault.verify("t", &info.id).unwrap();
        assert!(verified.is_intact(), "{context}: {:?}", verified.problems);
    }
    for id in promised {
        assert!(listed.iter().any(|i| i.id.to_string() == *id), "{context}: {id} is lost");
    }
    assert_eq!(scrub_packs(&*objects).unwrap().problems, [], "{context}");
}

/// Kills over and over; the numbers of snapshots acknowledged and let go of.
fn kill_often(store: &Path, seed: u64) -> (u64, u64) {
    let mut promised = BTreeSet::new();
    let (mut kept, mut gone, mut span) = (0, 0, SPAN.start);
    for kill in 0..KILLS {
        let random = noise(seed ^ (kill << 32), 8);
        let random = u64::from_le_bytes(random.try_into().unwrap());
        let time = Duration::from_micros(20_000 + random % span);
        let before = kept;
        for line in run_and_kill(store, time) {
            match line.split_once(' ') {
                Some(("kept", id)) => kept += u64::from(promised.insert(id.to_owned())),
                Some(("gone", id)) => {
                    promised.remove(id);
                    gone += 1;
                }
                _ => {}
            }
        }
        // On a busy machine a snapshot takes longer, so moments are drawn from a longer time.
        span = if kept == before { span * 5 / 4 } else { span * 9 / 10 };
        span = span.clamp(SPAN.start, SPAN.end);
        check(store, &promised, &format!("seed {seed}, kill {kill} after {time:?}"));
    }
    (kept, gone)
}

#[test]
#[allow(clippy::print_stderr)] // the seed is said
fn killed_at_300_random_moments_it_loses_nothing_it_acknowledged() {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let told = std::env::var(SEED).ok().map(|seed| seed.parse().unwrap());
    let seed = told.unwrap_or(u64::try_from(now.as_nanos() % 1_000_000_007).unwrap());
    eprintln!("{SEED}={seed}");
    let stores = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let counts = thread::scope(|scope| {
        let run = |(n, store): (u64, &tempfile::TempDir)| {
            let path = store.path().to_owned();
            scope.spawn(move || kill_often(&path, seed + n))
        };
        let lanes: Vec<_> = (0..).zip(&stores).map(run).collect();
        lanes.into_iter().map(|lane| lane.join().unwrap()).collect::<Vec<_>>()
    });
    for (store, (kept, gone)) in stores.iter().zip(counts) {
        assert!(kept > 20 && gone > 20, "only {kept} were made and {gone} let go of");
        let (objects, vault) = disk_vault(store.path());
        sweep(&vault).unwrap();
        let scrubbed = scrub_packs(&*objects).unwrap();
        assert_eq!(scrubbed.problems, []);
        let (left, bytes) = (vault.list("t").unwrap().len() as u64, scrubbed.bytes);
        assert!(bytes < left * 150_000, "{bytes} bytes are left for {left} snapshots");
    }
}
