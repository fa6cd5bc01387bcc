//! Space comes back beside writers, from packs that are partly dead as well; whatever is killed or
//! fails on the way, nothing that a snapshot needs is lost and the next prune finishes.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bailee_ledger::clearance::Act;
use bailee_store::{Fault, FaultPlan, FaultyObjects, MemoryObjects, Objects};
use bailee_vault::{
    Living, Progress, SnapshotId, SnapshotReport, Source, Unchanged, Vault, VaultError,
    no_catalogue, scrub_packs,
};
use proptest::prelude::*;

use crate::support::{clear, kek, memory_vault, noise, sweep, sweep_by};

fn free(_: &SnapshotId) -> Option<String> {
    None
}

fn expire(vault: &Vault, gone: &SnapshotReport) -> Result<bailee_vault::ExpireReport, VaultError> {
    vault.expire("t", &gone.id, clear(1, Act::Expire, gone.root), &free, &no_catalogue)
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
        sweep(&vault).unwrap();
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
    let calm = sweep(&vault).unwrap();
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
            let swept = std::thread::scope(|s| s.spawn(|| sweep(vault)).join().unwrap());
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
                sweep(&vault).unwrap();
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
        let refused =
            vault.expire("t", &one.id, clear(1, Act::Expire, one.root), &pins, &no_catalogue);
        assert!(matches!(refused, Err(VaultError::Pinned { .. })), "{refused:?}");
    }
    let subject = vault.erase_subject("t", "A-1").unwrap();
    let refused = vault.erase_unit("t", "A-1", clear(1, Act::Erase, subject), &pins);
    assert!(matches!(refused, Err(VaultError::Pinned { .. })), "{refused:?}");
    sweep(&vault).unwrap();
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
    /// An object of the index, or a snapshot, is away for a while.
    Lose(u8),
    BringBack,
    Reindex,
    Erase,
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
        2 => any::<u8>().prop_map(Step::Lose),
        2 => Just(Step::BringBack),
        1 => Just(Step::Reindex),
        1 => Just(Step::Erase),
    ]
}

type Files = BTreeMap<u8, Vec<u8>>;

/// What should be there: snapshots with their files, and whether each is held; and what is away.
struct Model {
    objects: MemoryObjects,
    now: Files,
    kept: Vec<(SnapshotReport, Files, bool)>,
    away: Vec<(String, Vec<u8>)>,
    /// A unit's name is used once: erasing begins the next.
    unit: u32,
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
            Step::Preserve => {
                let source = Source::Tree(dir.to_owned());
                let kept =
                    vault.preserve_with("t", &self.name(), &source, Unchanged::Rehash, &mut ());
                match kept {
                    Ok(kept) => self.kept.push((kept, self.now.clone(), false)),
                    // Counted on by the table of a moment ago.
                    Err(error) => assert!(!self.away.is_empty(), "{error}"),
                }
            }
            Step::Expire(n) => drop(pick(n).map(|at| self.expire(vault, at))),
            Step::Hold(n) | Step::Release(n) => {
                let Some(at) = pick(n) else { return };
                self.kept[at].2 = matches!(step, Step::Hold(_));
            }
            Step::Prune => {
                let done = sweep_by(vault, &|_, unit| Ok(self.living(unit)));
                assert!(done.is_ok() || !self.away.is_empty(), "{done:?}");
            }
            Step::Restore(n) => drop(pick(n).map(|at| self.restore(vault, at))),
            Step::Reopen => {}
            Step::Lose(n) => self.lose(*n),
            Step::BringBack => self.bring_back(),
            Step::Reindex => drop(vault.reindex("t").unwrap()),
            Step::Erase => self.erase(vault),
        }
    }

    fn name(&self) -> String {
        format!("A-{}", self.unit)
    }

    fn living(&self, unit: &str) -> Living {
        let kept = self.kept.iter().filter(|_| unit == self.name()).map(|(one, ..)| one.id);
        Living { kept: kept.collect(), ..Living::default() }
    }

    fn expire(&mut self, vault: &Vault, at: usize) {
        let (report, _, held) = &self.kept[at];
        let pins = |_: &SnapshotId| held.then(|| "H-1".to_owned());
        let (clearance, mut living) =
            (clear(self.unit, Act::Expire, report.root), self.living(&self.name()));
        assert!(living.kept.remove(&report.id) && living.unsure.insert(report.id));
        let catalogue = |_: &str, _: &str| Ok(living.clone());
        let done = vault.expire("t", &report.id, clearance, &pins, &catalogue);
        assert!(done.is_err() || !held, "{done:?}");
        assert!(done.is_ok() || *held || !self.away.is_empty(), "{done:?}");
        let away = self.away.iter().any(|(name, _)| name.ends_with(&report.id.to_string()));
        assert!(done.is_ok() || away || vault.has_snapshot("t", &report.id).unwrap());
        if done.is_ok() {
            self.kept.remove(at);
        }
    }

    fn restore(&self, vault: &Vault, at: usize) {
        let (report, files, _) = &self.kept[at];
        let into = tempfile::tempdir().unwrap();
        let restored = match vault.restore("t", &report.id, into.path(), None) {
            Ok(restored) if restored.is_complete() => restored,
            other => return assert!(!self.away.is_empty(), "{other:?}"),
        };
        assert!(restored.is_complete(), "{:?}", restored.damaged);
        let back = std::fs::read_dir(into.path()).unwrap().map(|file| {
            let file = file.unwrap();
            let name = file.file_name().to_str().unwrap().parse().unwrap();
            (name, std::fs::read(file.path()).unwrap())
        });
        assert_eq!(back.collect::<Files>(), *files, "these files, and no others");
    }

    fn lose(&mut self, n: u8) {
        let mut names = self.objects.list("").unwrap();
        names.retain(|name| name.contains("/sorted/") || name.contains("/s/"));
        if names.is_empty() {
            return;
        }
        let name = names.swap_remove(usize::from(n) % names.len());
        let bytes = self.objects.get(&name).unwrap();
        self.objects.delete(&name).unwrap();
        self.away.push((name, bytes));
    }

    fn bring_back(&mut self) {
        for (name, bytes) in std::mem::take(&mut self.away) {
            self.objects.put(&name, &bytes).unwrap();
        }
    }

    /// The house asks its gate about the whole unit: nothing in it may be held.
    fn erase(&mut self, vault: &Vault) {
        let name = self.name();
        let subject = vault.erase_subject("t", &name);
        let (false, Ok(subject)) = (self.kept.iter().any(|(.., held)| *held), subject) else {
            return;
        };
        let done = vault.erase_unit("t", &name, clear(self.unit, Act::Erase, subject), &free);
        assert_eq!(done.unwrap().keys.len(), 1);
        self.kept.clear();
        self.unit += 1;
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
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]
    #[test]
    fn it_does_what_a_naive_model_does(steps in proptest::collection::vec(step(), 1..35)) {
        let dir = tempfile::tempdir().unwrap();
        let objects = MemoryObjects::new();
        let mut vault = Vault::create(Arc::new(objects.clone()), &kek()).unwrap();
        let (now, kept, away) = (Files::new(), Vec::new(), Vec::new());
        let mut model = Model { objects: objects.clone(), now, kept, away, unit: 1 };
        model.run(&vault, dir.path(), &Step::Preserve);
        for step in &steps {
            model.run(&vault, dir.path(), step);
            // What comes back from outside is seen by whoever opens the vault then.
            if matches!(step, Step::Reopen | Step::BringBack) {
                vault = Vault::open(Arc::new(objects.clone()), &kek()).unwrap();
            }
        }
        model.bring_back();
        let vault = Vault::open(Arc::new(objects.clone()), &kek()).unwrap();
        model.check(&vault);
        for _ in 0..2 {
            sweep_by(&vault, &|_, unit| Ok(model.living(unit))).unwrap();
        }
        model.check(&Vault::open(Arc::new(objects.clone()), &kek()).unwrap());
        prop_assert_eq!(vault.list("t").unwrap().len(), model.kept.len());
        prop_assert!(!model.kept.is_empty() || stored(&objects) == 0, "all of it came back");
    }
}
