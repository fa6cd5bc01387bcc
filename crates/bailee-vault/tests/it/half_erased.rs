//! An erasure is cut off after its tombstone: nobody who only prunes finishes it while anything of
//! the unit is here by the catalogue, and while its key is there it comes back whole.

use std::sync::Arc;

use bailee_ledger::clearance::Act;
use bailee_store::{Fault, FaultPlan, FaultyObjects, MemoryObjects, Objects};
use bailee_vault::{
    Census, Living, SnapshotReport, Source, Sweep, Vault, VaultError, Wanting, no_catalogue,
};

use crate::support::{clear, kek, noise, sweep_by};

const FAULTS: [Fault; 3] = [Fault::Fail, Fault::FailButPersisted, Fault::Crash];

/// A vault that keeps two snapshots of one unit and one of another.
struct Stage {
    store: MemoryObjects,
    going: [SnapshotReport; 2],
    other: SnapshotReport,
    source: Source,
    dir: tempfile::TempDir,
}

fn stage() -> Stage {
    let dir = tempfile::tempdir().unwrap();
    let (store, source) = (MemoryObjects::new(), Source::Tree(dir.path().to_owned()));
    let vault = Vault::create(Arc::new(store.clone()), &kek()).unwrap();
    let keep = |unit: &str, seed| {
        std::fs::write(dir.path().join("film"), noise(seed, 400_000)).unwrap();
        vault.preserve("t", unit, &source, &mut ()).unwrap()
    };
    let (going, other) = ([keep("A-9", 1), keep("A-9", 2)], keep("A-1", 3));
    Stage { store, going, other, source, dir }
}

impl Stage {
    fn again(&self) -> MemoryObjects {
        self.store.copied()
    }

    /// As the log has it.
    fn living(&self, kept: bool) -> impl Fn(&str, &str) -> Result<Living, String> + '_ {
        move |_, unit| {
            let mut living = Living::default();
            let going = self.going.iter().map(|one| one.id);
            match (unit, kept) {
                ("A-9", true) => living.kept.extend(going),
                ("A-9", false) => living.unsure.extend(going),
                (unit, _) => {
                    assert_eq!(unit, "A-1");
                    living.kept.insert(self.other.id);
                }
            }
            Ok(living)
        }
    }

    #[track_caller]
    fn is_whole(&self, vault: &Vault, context: &str) {
        for one in self.going.iter().chain([&self.other]) {
            let read = vault.verify("t", &one.id);
            assert!(read.as_ref().is_ok_and(|r| r.is_intact()), "{context}: {read:?}");
        }
    }

    fn wanting(&self, store: &MemoryObjects) -> Vec<Option<Wanting>> {
        let ids = [self.going[0].id, self.going[1].id, self.other.id];
        let census = Census::take(store, store).unwrap();
        let found = census.wanting((store, store), &ids.into()).unwrap();
        ids.iter().map(|id| found.get(id).cloned()).collect()
    }
}

fn open(store: &MemoryObjects) -> Vault {
    Vault::open(Arc::new(store.clone()), &kek()).unwrap()
}

fn names(store: &MemoryObjects) -> Vec<String> {
    store.list("").unwrap()
}

/// The store as it is when the erasure stopped dead before the call of this number.
fn cut_off(stage: &Stage, call: u64) -> (MemoryObjects, bool) {
    let (plan, store) = (FaultPlan::new(), stage.again());
    let faulty: Arc<dyn Objects> = Arc::new(FaultyObjects::new(store.clone(), plan.clone()));
    let vault = Vault::open(faulty, &kek()).unwrap();
    let subject = vault.erase_subject("t", "A-9").unwrap();
    plan.add(plan.calls() + call, Fault::Crash);
    drop(vault.erase_unit("t", "A-9", clear(9, Act::Erase, subject), &|_| None));
    (store, plan.crashed())
}

/// Stores with a tombstone and all keys, at each call at which that is so.
fn half_erased(stage: &Stage) -> Vec<MemoryObjects> {
    let mut found = Vec::new();
    for call in 0.. {
        let (store, crashed) = cut_off(stage, call);
        let has = |part: &str| names(&store).iter().filter(|name| name.contains(part)).count();
        if has("/erased/") == 1 && has("/key/") == 3 {
            found.push(store);
        }
        if !crashed {
            return found;
        }
    }
    unreachable!()
}

#[test]
fn whatever_a_crash_left_a_sweep_takes_nothing_that_is_here_by_the_catalogue() {
    let stage = stage();
    let (mut back, mut spared, mut untouched) = (0, 0, 0);
    for call in 0.. {
        let (store, crashed) = cut_off(&stage, call);
        for kept in [true, false] {
            let (store, context) = (store.copied(), format!("call {call}, kept: {kept}"));
            let (before, living) = (names(&store), stage.living(kept));
            let rehearsed = open(&store).sweep("t", Sweep::Rehearse, &living, &mut |_, _| {
                std::ops::ControlFlow::Continue(())
            });
            assert!(rehearsed.is_ok() && names(&store) == before, "{context}: {rehearsed:?}");
            let tombstone = before.iter().any(|name| name.contains("/erased/"));
            let keys = before.iter().filter(|name| name.contains("/key/")).count();
            let swept = sweep_by(&open(&store), &living);
            let after = names(&store);
            let gone: Vec<&String> = before.iter().filter(|n| !after.contains(n)).collect();
            match (tombstone, keys) {
                (false, _) => {
                    assert_eq!(swept.unwrap().packs, 0, "{context}");
                    assert!(gone.is_empty(), "{context}: {gone:?}");
                    stage.is_whole(&open(&store), &context);
                    untouched += 1;
                }
                (true, 3) => {
                    let said = swept.unwrap_err();
                    assert!(matches!(said, VaultError::HalfErased { .. }), "{context}: {said}");
                    assert!(said.to_string().contains("taken back"), "{context}: {said}");
                    assert!(gone.iter().all(|name| name.contains("/erased/")), "{gone:?}");
                    stage.is_whole(&open(&store), &context);
                    assert_eq!(sweep_by(&open(&store), &living).unwrap().packs, 0, "{context}");
                    let next = open(&store).preserve("t", "A-9", &stage.source, &mut ()).unwrap();
                    stage.is_whole(&open(&store), &context);
                    assert!(open(&store).verify("t", &next.id).unwrap().is_intact());
                    back += 1;
                }
                (true, _) => {
                    assert!(gone.is_empty(), "{context}: {gone:?}");
                    let nothing_left = !before.iter().any(|n| n.contains("/data/"));
                    match swept {
                        Ok(report) => assert!(!kept && report.packs == 0, "{context}"),
                        Err(said) => {
                            assert!(matches!(said, VaultError::HalfErased { .. }), "{said}");
                            assert!(said.to_string().contains("bring its key object back"));
                            assert!(kept || !nothing_left || crashed, "{context}");
                        }
                    }
                    let other = open(&store).verify("t", &stage.other.id).unwrap();
                    assert!(other.is_intact(), "{context}");
                    // Under a clearance it goes on, and then the sweep is done with it.
                    let vault = open(&store);
                    let subject = vault.buried_subject("t", "A-9").unwrap().unwrap();
                    let rest = vault.finish_erased("t", "A-9", clear(9, Act::Erase, subject));
                    assert_eq!(rest.unwrap().keys.len(), 1, "{context}");
                    spared += 1;
                }
            }
        }
        finished_once_destroyed(&stage, &store, call);
        if !crashed {
            break;
        }
    }
    assert!(back > 0 && spared > 8 && untouched > 8, "{back} {spared} {untouched}");
}

/// Once the log has all of it as destroyed, the sweep finishes what there is.
fn finished_once_destroyed(stage: &Stage, store: &MemoryObjects, call: u64) {
    let gone = |_: &str, unit: &str| match unit {
        "A-9" => Ok(Living::default()),
        unit => stage.living(true)("t", unit),
    };
    if names(store).iter().any(|name| name.contains("/erased/")) {
        sweep_by(&open(store), &gone).unwrap();
        let packs = names(store).into_iter().filter(|n| n.contains("/data/")).count();
        assert_eq!((packs, open(store).list("t").unwrap().len()), (1, 1), "call {call}");
    }
}

#[test]
fn taking_a_tombstone_back_survives_every_fault() {
    let stage = stage();
    let halves = half_erased(&stage);
    assert!(!halves.is_empty());
    let mut calls = 0;
    for half in &halves {
        for fault in FAULTS {
            for call in 0.. {
                let (plan, store) = (FaultPlan::new(), half.copied());
                let faulty = Arc::new(FaultyObjects::new(store.clone(), plan.clone()));
                let vault = Vault::open(faulty as Arc<dyn Objects>, &kek()).unwrap();
                let start = plan.calls();
                plan.add(start + call, fault);
                drop(vault.take_back("t", "A-9"));
                let reached = plan.calls() > start + call;
                let context = format!("call {call}, {fault:?}");
                stage.is_whole(&open(&store), &context);
                assert!(open(&store).take_back("t", "A-9").is_ok(), "{context}: once more");
                assert_eq!(names(half).len(), names(&store).len() + 1, "{context}: it is back");
                assert!(!open(&store).take_back("t", "A-9").unwrap(), "{context}");
                stage.is_whole(&open(&store), &context);
                assert_eq!(stage.wanting(&store), [None, None, None], "{context}");
                if !reached {
                    break;
                }
                calls += 1;
            }
        }
    }
    assert!(calls > 12, "{calls}");
}

#[test]
fn whoever_reads_or_lists_is_told_that_a_unit_is_half_erased() {
    let stage = stage();
    let half = half_erased(&stage).remove(0);
    let told = |store: &MemoryObjects, id| open(store).verify("t", id).unwrap().half_erased;
    assert!(told(&half, &stage.going[0].id) && !told(&half, &stage.other.id));
    let stone = || Some(Wanting::Tombstone);
    assert_eq!(stage.wanting(&half), [stone(), stone(), None]);
    assert!(!Wanting::Tombstone.is_loss());
    let named = open(&half).preserve("t", "A-9", &stage.source, &mut ()).unwrap_err();
    assert!(matches!(named, VaultError::UnitErased { .. }), "nothing is added: {named}");
    // A sweep that cannot learn what is kept lets nothing go.
    let before = names(&half);
    let silent = |_: &str, _: &str| Err("the log is closed".to_owned());
    let said = sweep_by(&open(&half), &silent).unwrap_err();
    assert!(matches!(said, VaultError::NoCatalogue { .. }), "{said}");
    assert_eq!(names(&half), before);
    // Where there is no catalogue the tombstone is all there is to go by.
    assert!(sweep_by(&open(&half), &no_catalogue).unwrap().packs > 0);
    assert!(stage.dir.path().exists());
}

#[test]
fn a_tombstone_over_another_key_than_it_lists_is_not_taken_back() {
    let stage = stage();
    let half = half_erased(&stage).remove(0);
    let key = |part: &str| {
        let mut names = names(&half).into_iter();
        names.find(|n| n.contains(part) && n.contains("/u/") && n.contains("/key/"))
    };
    let unit = names(&half).into_iter().find(|name| name.contains("/erased/")).unwrap();
    let unit = unit.split_once("/erased/").unwrap().0.to_owned();
    let name = key(&unit).unwrap();
    let mut bytes = half.get(&name).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    half.delete(&name).unwrap();
    let no = open(&half).take_back("t", "A-9").unwrap_err();
    assert!(matches!(no, VaultError::HalfErased { .. }), "no key: {no}");
    half.put(&name, &bytes).unwrap();
    let no = open(&half).take_back("t", "A-9").unwrap_err();
    assert!(matches!(no, VaultError::HalfErased { .. }), "another key: {no}");
    assert!(names(&half).iter().any(|name| name.contains("/erased/")), "it lies there still");
}
