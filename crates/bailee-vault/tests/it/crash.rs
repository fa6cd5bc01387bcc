//! Every store call of preserving, expiring and erasing fails once, in each way; then the vault is
//! opened again.

use std::sync::Arc;

use bailee_ledger::clearance::Act;
use bailee_store::{Fault, FaultPlan, FaultyObjects, MemoryObjects, Objects};
use bailee_vault::{Source, Vault, no_catalogue, scrub_packs};

use crate::support::{clear, kek, noise, sweep};

const FAULTS: [Fault; 3] = [Fault::Fail, Fault::FailButPersisted, Fault::Crash];

struct Bench {
    plan: FaultPlan,
    store: MemoryObjects,
    source: Source,
    _dir: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("f"), noise(1, 400_000)).unwrap();
        let source = Source::Tree(dir.path().to_owned());
        let bench = Self { plan: FaultPlan::new(), store: MemoryObjects::new(), source, _dir: dir };
        Vault::create(Arc::new(bench.store.clone()), &kek()).unwrap();
        bench
    }

    fn faulty(&self) -> Arc<dyn Objects> {
        Arc::new(FaultyObjects::new(self.store.clone(), self.plan.clone()))
    }

    fn healthy(&self) -> Vault {
        Vault::open(Arc::new(self.store.clone()), &kek()).unwrap()
    }
}

/// Everything listed is whole, preserving works, and sweeping leaves what is needed.
fn check(bench: &Bench, context: &str) {
    let vault = bench.healthy();
    let whole = |when: &str| {
        for info in vault.list("t").unwrap_or_default() {
            let verified = vault.verify("t", &info.id).unwrap();
            assert!(verified.is_intact(), "{context}, {when}: {:?}", verified.problems);
        }
    };
    whole("after the fault");
    let report = vault.preserve("t", "A-2", &bench.source, &mut ()).unwrap();
    sweep(&vault).unwrap();
    whole("after a sweep");
    assert!(vault.list("t").unwrap().iter().any(|i| i.id == report.id), "{context}");
    let scrub = scrub_packs(&bench.store).unwrap();
    assert_eq!(scrub.problems, [], "{context}");
    let packs = bench.store.list("").unwrap().into_iter();
    let packs = packs.filter(|n| n.contains("/data/") || n.contains("/meta/")).count();
    assert_eq!(packs as u64, scrub.packs, "{context}: no pack is left that no index names");
}

#[test]
fn preserving_survives_every_fault() {
    let mut call = 0;
    loop {
        let mut reached = false;
        for fault in FAULTS {
            let bench = Bench::new();
            let attempt = Vault::open(bench.faulty(), &kek()).unwrap();
            let start = bench.plan.calls();
            bench.plan.add(start + call, fault);
            let outcome = attempt.preserve("t", "A-1", &bench.source, &mut ());
            reached |= bench.plan.calls() > start + call;
            bench.plan.revive();
            let listed = bench.healthy().list("t").unwrap_or_default();
            match &outcome {
                Ok(report) => assert_eq!(listed[0].id, report.id),
                Err(_) if fault == Fault::FailButPersisted => assert!(listed.len() <= 1),
                Err(_) => assert_eq!(listed, [], "call {call} {fault:?}: visible after a failure"),
            }
            check(&bench, &format!("preserve, call {call}, {fault:?}"));
        }
        if !reached {
            break;
        }
        call += 1;
    }
    assert!(call > 10, "only {call} calls were made to fail");
}

#[test]
fn letting_go_survives_every_fault() {
    for act in [Act::Expire, Act::Erase] {
        let mut call = 0;
        loop {
            let mut reached = false;
            for fault in FAULTS {
                let bench = Bench::new();
                let kept = bench.healthy().preserve("t", "A-1", &bench.source, &mut ()).unwrap();
                let gone = bench.healthy().preserve("t", "A-9", &bench.source, &mut ()).unwrap();
                let attempt = Vault::open(bench.faulty(), &kek()).unwrap();
                let subject = attempt.erase_subject("t", "A-9").unwrap();
                let start = bench.plan.calls();
                bench.plan.add(start + call, fault);
                let outcome = if act == Act::Expire {
                    attempt.expire(
                        "t",
                        &gone.id,
                        clear(9, Act::Expire, gone.root),
                        &|_| None,
                        &no_catalogue,
                    )
                } else {
                    attempt
                        .erase_unit("t", "A-9", clear(9, Act::Erase, subject), &|_| None)
                        .map(|erasure| erasure.let_go)
                };
                reached |= bench.plan.calls() > start + call;
                bench.plan.revive();
                let listed = bench.healthy().list("t").unwrap();
                assert!(listed.iter().any(|i| i.id == kept.id));
                if outcome.is_ok() {
                    assert!(listed.iter().all(|i| i.id != gone.id));
                }
                check(&bench, &format!("{act:?}, call {call}, {fault:?}"));
            }
            if !reached {
                break;
            }
            call += 1;
        }
        assert!(call > 8, "only {call} calls were made to fail");
    }
}
