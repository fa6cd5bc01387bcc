//! A process that preserves, expires and prunes is killed again and again, at any moment; what it
//! had acknowledged is whole each time, and in the end the space is back.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use bailee_ledger::clearance::Act;
use bailee_vault::{Source, Unchanged, Vault, scrub_packs};

use crate::support::{clear, disk_vault, noise};

const STORE: &str = "BAILEE_TEST_STORE_OF_THE_CHILD";
const KILLS: u64 = 30;

/// Says what is acknowledged, and what is no longer promised.
fn say(word: &str, id: &bailee_vault::SnapshotId) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n{word} {id}").unwrap();
    out.flush().unwrap();
}

/// Snapshots that share three quarters of their files; all but the last two expire.
fn work(vault: &Vault, rounds: u64) {
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
        let kept = vault.preserve_with("t", "A-1", &source, Unchanged::Rehash, &mut ()).unwrap();
        say("kept", &kept.id);
        let all = vault.list("t").unwrap();
        for old in all.iter().filter(|s| s.id != kept.id).rev().skip(1) {
            say("gone", &old.id);
            let clearance = clear(1, Act::Expire, old.root);
            vault.expire("t", &old.id, clearance, &|_| None).unwrap();
        }
    }
}

/// Started by the test below with a store to work in; run by itself, it works in one of its own.
#[test]
fn the_child() {
    if let Ok(store) = std::env::var(STORE) {
        work(&disk_vault(Path::new(&store)).1, u64::MAX);
    }
    let dir = tempfile::tempdir().unwrap();
    let (_, vault) = disk_vault(dir.path());
    work(&vault, 4);
    assert_eq!(vault.list("t").unwrap().len(), 2);
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
    let reader = std::thread::spawn(move || {
        BufReader::new(output).lines().map_while(Result::ok).collect::<Vec<_>>()
    });
    std::thread::sleep(time);
    child.kill().unwrap(); // SIGKILL
    child.wait().unwrap();
    reader.join().unwrap()
}

#[test]
fn killed_at_any_moment_it_loses_nothing_it_acknowledged() {
    let store = tempfile::tempdir().unwrap();
    let mut promised = std::collections::BTreeSet::new();
    let mut acknowledged = 0;
    for kill in 0..KILLS {
        let time = Duration::from_millis(60 + (kill * 7919) % 500);
        for line in run_and_kill(store.path(), time) {
            match line.split_once(' ') {
                Some(("kept", id)) => acknowledged += u64::from(promised.insert(id.to_owned())),
                Some(("gone", id)) => drop(promised.remove(id)),
                _ => {}
            }
        }
        let (_, vault) = disk_vault(store.path());
        let Ok(listed) = vault.list("t") else { continue }; // killed before the first snapshot
        for info in &listed {
            let verified = vault.verify("t", &info.id).unwrap();
            assert!(verified.is_intact(), "kill {kill}: {:?}", verified.problems);
        }
        for id in &promised {
            assert!(listed.iter().any(|i| i.id.to_string() == *id), "kill {kill}: {id} is lost");
        }
    }
    assert!(acknowledged > 10, "only {acknowledged} snapshots were made");
    let (objects, vault) = disk_vault(store.path());
    vault.sweep("t").unwrap();
    assert_eq!(scrub_packs(&*objects).unwrap().problems, []);
    let left = vault.list("t").unwrap().len() as u64;
    let bytes = scrub_packs(&*objects).unwrap().bytes;
    assert!(bytes < left * 150_000, "{bytes} bytes are left for {left} snapshots");
}
