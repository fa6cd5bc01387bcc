//! Small index segments are merged into larger ones, and nothing is lost or found twice by it.

use std::sync::Arc;

use bailee_store::{Fault, FaultPlan, FaultyObjects, MemoryObjects, Objects};
use bailee_vault::{Source, Unchanged, Vault, scrub_packs};

use crate::support::{kek, memory_vault, noise, sweep};

fn segments(objects: &MemoryObjects) -> usize {
    objects.list("").unwrap().iter().filter(|n| n.contains("/sorted/")).count()
}

/// Preserves `count` snapshots of one changing file.
fn snapshots(vault: &Vault, dir: &std::path::Path, count: u64) {
    for n in 0..count {
        std::fs::write(dir.join("f"), noise(n, 9000)).unwrap();
        let source = Source::Tree(dir.to_owned());
        vault.preserve_with("t", "A-1", &source, Unchanged::Rehash, &mut ()).unwrap();
    }
}

fn all_whole(vault: &Vault, context: &str) -> usize {
    let all = vault.list("t").unwrap();
    for info in &all {
        assert!(vault.verify("t", &info.id).unwrap().is_intact(), "{context}");
    }
    all.len()
}

#[test]
fn many_small_segments_become_few() {
    let dir = tempfile::tempdir().unwrap();
    let (objects, vault) = memory_vault();
    snapshots(&vault, dir.path(), 12);
    let left = segments(&objects);
    assert!(left < 12, "{left} segments of 24 or so are left");
    assert_eq!(all_whole(&vault, "by the table in memory"), 12);
    let again = Vault::open(Arc::clone(&objects) as Arc<dyn Objects>, &kek()).unwrap();
    assert_eq!(all_whole(&again, "by a new one"), 12);
    let packs = objects.list("").unwrap().into_iter();
    let packs = packs.filter(|n| n.contains("/data/") || n.contains("/meta/")).count();
    assert_eq!(scrub_packs(&*objects).unwrap().packs, packs as u64, "each pack is named");
    assert_eq!(sweep(&again).unwrap().packs, 0, "and each is needed");
}

#[test]
fn a_merge_that_fails_at_any_step_loses_nothing() {
    let (mut back, mut merged) = (0, false);
    while back < 40 {
        for fault in [Fault::Fail, Fault::FailButPersisted, Fault::Crash] {
            let dir = tempfile::tempdir().unwrap();
            let (objects, healthy) = memory_vault();
            snapshots(&healthy, dir.path(), 3);
            let plan = FaultPlan::new();
            let faulty = FaultyObjects::new((*objects).clone(), plan.clone());
            let vault = Vault::open(Arc::new(faulty), &kek()).unwrap();
            let before = segments(&objects);
            plan.add(plan.calls() + 20 + back, fault);
            std::fs::write(dir.path().join("f"), noise(99, 9000)).unwrap();
            let source = Source::Tree(dir.path().to_owned());
            let outcome = vault.preserve_with("t", "A-1", &source, Unchanged::Rehash, &mut ());
            merged |= segments(&objects) < before;
            plan.revive();
            let context = format!("call {back}, {fault:?}");
            let left = all_whole(&Vault::open(objects.clone(), &kek()).unwrap(), &context);
            assert!(left >= if outcome.is_ok() { 4 } else { 3 }, "{context}");
        }
        back += 3;
    }
    assert!(merged, "no merge was among them");
}
