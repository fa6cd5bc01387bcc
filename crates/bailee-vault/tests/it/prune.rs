//! Space comes back beside writers, from packs that are partly dead as well; whatever is killed or
//! fails on the way, nothing that a snapshot needs is lost and the next prune finishes.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bailee_ledger::clearance::Act;
use bailee_store::{Fault, FaultPlan, FaultyObjects, MemoryObjects, Objects};
use bailee_vault::{
    Progress, SnapshotId, SnapshotReport, Source, Unchanged, Vault, VaultError, scrub_packs,
};
use proptest::prelude::*;

use crate::support::{clear, kek, memory_vault, noise};

fn free(_: &SnapshotId) -> Option<String> {
    None
}

fn expire(vault: &Vault, gone: &SnapshotReport) -> Result<bailee_vault::ExpireReport, VaultError> {
    vault.expire("t", &gone.id, clear(1, Act::Expire, gone.root), &free)
}

fn preserve(vault: &Vault, dir: &Path) -> SnapshotReport {
    let source = Source::Tree(dir.to_owned());
    vault.preserve_with("t", "A-1", &source, Unchanged::Rehash, &mut ()).unwrap()
}

/// Bytes of packs.
fn stored(objects: &MemoryObjects) -> u64 {
    let packs = objects.list("").unwrap().into_iter();
    let packs = packs.filter(|n| n.contains("/data/") || n.contains("/meta/"));
    packs.map(|n| objects.size(&n).unwrap()).sum()
}

/// A snapshot of 40 files, then one of each eighth of them.
fn mostly_dead(vault: &Vault, dir: &Path) -> [SnapshotReport; 2] {
    let name = |n: u64| dir.join(format!("f{n}"));
    (0..40).for_each(|n| std::fs::write(name(n), noise(n, 10_000)).unwrap());
    let first = preserve(vault, dir);
    (0..40).filter(|n| n % 8 > 0).for_each(|n| std::fs::remove_file(name(n)).unwrap());
    [first, preserve(vault, dir)]
}

/// All is whole, and the store holds nothing that nobody needs.
fn check(objects: &MemoryObjects, bound: u64, context: &str) {
    let vault = Vault::open(Arc::new(objects.clone()), &kek()).unwrap();
    for _ in 0..2 {
        for info in vault.list("t").unwrap() {
            let verified = vault.verify("t", &info.id).unwrap();
            assert!(verified.is_intact(), "{context}: {:?}", verified.problems);
        }
        assert_eq!(scrub_packs(objects).unwrap().problems, [], "{context}");
        vault.sweep("t").unwrap();
    }
    let left = stored(objects);
    assert!(left <= bound, "{context}: {left} bytes are left, {bound} would do");
}

#[test]
fn packs_that_are_mostly_dead_are_rewritten() {
    let dir = tempfile::tempdir().unwrap();
    let (objects, vault) = memory_vault();
    let [first, second] = mostly_dead(&vault, dir.path());
    let before = stored(&objects);
    let report = expire(&vault, &first).unwrap();
    assert!(report.moved_bytes > 0 && report.waiting == 0, "{report:?}");
    assert!(report.freed_bytes > 250_000, "{report:?}");
    assert!(before > 400_000 && stored(&objects) < 150_000);
    assert!(vault.verify("t", &second.id).unwrap().is_intact(), "through the table in memory");
    check(&objects, 150_000, "through a new one");
    let calm = vault.sweep("t").unwrap();
    assert_eq!((calm.moved_bytes, calm.packs), (0, 0), "a second prune has nothing to do");
}

/// Expires a snapshot in the midst of a preservation that had hits on it.
struct Meanwhile<'a> {
    vault: &'a Vault,
    gone: Option<&'a SnapshotReport>,
    waiting: u64,
}

impl Progress for Meanwhile<'_> {
    fn advance(&mut self, _files: u64, _bytes: u64) {
        let Some(gone) = self.gone.take() else { return };
        let vault = self.vault;
        let done = std::thread::scope(|s| s.spawn(|| expire(vault, gone)).join().unwrap());
        self.waiting = done.unwrap().waiting;
    }
}

#[test]
fn a_writer_carries_what_a_prune_condemned_under_it() {
    let dir = tempfile::tempdir().unwrap();
    let (objects, vault) = memory_vault();
    (0..8).for_each(|n| std::fs::write(dir.path().join(format!("f{n}")), noise(n, 9000)).unwrap());
    let gone = preserve(&vault, dir.path());
    let mut meanwhile = Meanwhile { vault: &vault, gone: Some(&gone), waiting: 0 };
    let source = Source::Tree(dir.path().to_owned());
    let kept = vault.preserve_with("t", "A-1", &source, Unchanged::Rehash, &mut meanwhile).unwrap();
    assert!(meanwhile.waiting > 0, "the packs waited for the writer");
    assert_eq!(vault.list("t").unwrap().len(), 1);
    assert!(vault.verify("t", &kept.id).unwrap().is_intact());
    assert!(stored(&objects) < 100_000, "and went when it ended: {}", stored(&objects));
    check(&objects, 100_000, "carried");
}

#[test]
fn what_a_writer_has_not_committed_is_not_taken_from_it() {
    struct Sweeping<'a>(&'a Vault, u64);
    impl Progress for Sweeping<'_> {
        fn advance(&mut self, _files: u64, _bytes: u64) {
            let vault = self.0;
            let swept = std::thread::scope(|s| s.spawn(|| vault.sweep("t")).join().unwrap());
            self.1 += swept.unwrap().packs;
        }
    }
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("large"), noise(1, 80 << 20)).unwrap();
    let (_, vault) = memory_vault();
    let mut sweeping = Sweeping(&vault, 0);
    let source = Source::Tree(dir.path().to_owned());
    let kept = vault.preserve("t", "A-1", &source, &mut sweeping).unwrap();
    assert_eq!(sweeping.1, 0, "fresh packs are nobody's rubbish");
    assert!(vault.verify("t", &kept.id).unwrap().is_intact());
}

#[test]
fn pruning_survives_every_fault() {
    let mut call = 0;
    loop {
        let mut reached = false;
        for fault in [Fault::Fail, Fault::FailButPersisted, Fault::Crash] {
            let dir = tempfile::tempdir().unwrap();
            let (objects, healthy) = memory_vault();
            let [first, second] = mostly_dead(&healthy, dir.path());
            let plan = FaultPlan::new();
            let faulty = FaultyObjects::new((*objects).clone(), plan.clone());
            let vault = Vault::open(Arc::new(faulty), &kek()).unwrap();
            let start = plan.calls();
            plan.add(start + call, fault);
            let outcome = expire(&vault, &first);
            if plan.calls() <= start + call {
                continue; // all of it was done before that call
            }
            reached = true;
            plan.revive();
            let context = format!("call {call}, {fault:?}, {}", outcome.is_ok());
            assert!(vault.verify("t", &second.id).unwrap().is_intact(), "{context}");
            // The same process goes on, or another one begins.
            if call % 2 == 0 {
                vault.sweep("t").unwrap();
            }
            let listed = vault.list("t").unwrap();
            if listed.len() == 2 {
                expire(&vault, &first).unwrap();
            }
            check(&objects, 150_000, &context);
        }
        if !reached {
            break;
        }
        call += 1;
    }
    assert!(call > 15, "only {call} calls were made to fail");
}

#[test]
fn a_hold_moves_nothing_and_outlives_every_command() {
    let dir = tempfile::tempdir().unwrap();
    let (objects, vault) = memory_vault();
    let all = mostly_dead(&vault, dir.path());
    let names = objects.list("").unwrap();
    let held: BTreeMap<SnapshotId, &str> = all.iter().map(|s| (s.id, "H-9")).collect();
    let pins = |id: &SnapshotId| held.get(id).map(|h| (*h).to_owned());
    for one in &all {
        let refused = vault.expire("t", &one.id, clear(1, Act::Expire, one.root), &pins);
        assert!(matches!(refused, Err(VaultError::Pinned { .. })), "{refused:?}");
    }
    let subject = vault.erase_subject("t", "A-1").unwrap();
    let refused = vault.erase_unit("t", "A-1", clear(1, Act::Erase, subject), &pins);
    assert!(matches!(refused, Err(VaultError::Pinned { .. })), "{refused:?}");
    vault.sweep("t").unwrap();
    vault.reindex("t").unwrap();
    assert_eq!(objects.list("").unwrap(), names, "not one object came or went");
    check(&objects, u64::MAX, "held");
}

#[derive(Clone, Debug)]
enum Step {
    Write(u8, u8),
    Remove(u8),
    Preserve,
    Expire(u8),
    Hold(u8),
    Release(u8),
    Prune,
    Restore(u8),
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..6u8, any::<u8>()).prop_map(|(f, seed)| Step::Write(f, seed)),
        1 => (0..6u8).prop_map(Step::Remove),
        4 => Just(Step::Preserve),
        3 => any::<u8>().prop_map(Step::Expire),
        1 => any::<u8>().prop_map(Step::Hold),
        1 => any::<u8>().prop_map(Step::Release),
        2 => Just(Step::Prune),
        2 => any::<u8>().prop_map(Step::Restore),
        1 => Just(Step::Reopen),
    ]
}

type Files = BTreeMap<u8, Vec<u8>>;

/// What should be there: snapshots with their files, and whether each is held.
#[derive(Default)]
struct Model {
    now: Files,
    kept: Vec<(SnapshotReport, Files, bool)>,
}

impl Model {
    fn run(&mut self, vault: &Vault, dir: &Path, step: &Step) {
        let pick = |n: &u8| (!self.kept.is_empty()).then(|| usize::from(*n) % self.kept.len());
        match step {
            Step::Write(file, seed) => {
                let bytes = noise(u64::from(*seed), 3000);
                std::fs::write(dir.join(file.to_string()), &bytes).unwrap();
                self.now.insert(*file, bytes);
            }
            Step::Remove(file) => {
                drop(std::fs::remove_file(dir.join(file.to_string())));
                self.now.remove(file);
            }
            Step::Preserve => self.kept.push((preserve(vault, dir), self.now.clone(), false)),
            Step::Expire(n) => {
                let Some(at) = pick(n) else { return };
                let (report, _, held) = &self.kept[at];
                let pins = |_: &SnapshotId| held.then(|| "H-1".to_owned());
                let clearance = clear(1, Act::Expire, report.root);
                let done = vault.expire("t", &report.id, clearance, &pins);
                assert_eq!(done.is_err(), *held, "{done:?}");
                if done.is_ok() {
                    self.kept.remove(at);
                }
            }
            Step::Hold(n) | Step::Release(n) => {
                let Some(at) = pick(n) else { return };
                self.kept[at].2 = matches!(step, Step::Hold(_));
            }
            Step::Prune => drop(vault.sweep("t").unwrap()),
            Step::Restore(n) => {
                let Some(at) = pick(n) else { return };
                let (report, files, _) = &self.kept[at];
                let into = tempfile::tempdir().unwrap();
                let restored = vault.restore("t", &report.id, into.path(), None).unwrap();
                assert!(restored.is_complete(), "{:?}", restored.damaged);
                let back = std::fs::read_dir(into.path()).unwrap().map(|file| {
                    let file = file.unwrap();
                    let name = file.file_name().to_str().unwrap().parse().unwrap();
                    (name, std::fs::read(file.path()).unwrap())
                });
                assert_eq!(back.collect::<Files>(), *files, "these files, and no others");
            }
            Step::Reopen => {}
        }
    }

    fn check(&self, vault: &Vault) {
        for (report, files, _) in &self.kept {
            for (name, bytes) in files {
                let path = name.to_string();
                let got = vault.read_range("t", &report.id, path.as_bytes(), 0..3000).unwrap();
                assert_eq!(&got, bytes);
            }
            assert!(vault.verify("t", &report.id).unwrap().is_intact());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]
    #[test]
    fn it_does_what_a_naive_model_does(steps in proptest::collection::vec(step(), 1..25)) {
        let dir = tempfile::tempdir().unwrap();
        let objects = MemoryObjects::new();
        let mut vault = Vault::create(Arc::new(objects.clone()), &kek()).unwrap();
        let mut model = Model::default();
        model.run(&vault, dir.path(), &Step::Preserve);
        for step in &steps {
            if matches!(step, Step::Reopen) {
                vault = Vault::open(Arc::new(objects.clone()), &kek()).unwrap();
            }
            model.run(&vault, dir.path(), step);
        }
        model.check(&vault);
        vault.sweep("t").unwrap();
        model.check(&Vault::open(Arc::new(objects.clone()), &kek()).unwrap());
        prop_assert_eq!(vault.list("t").unwrap().len(), model.kept.len());
        prop_assert!(!model.kept.is_empty() || stored(&objects) == 0, "all of it came back");
    }
}
