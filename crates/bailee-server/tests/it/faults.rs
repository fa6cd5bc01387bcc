//! Faults around the one loop: the way to an attested note, step by step, and what a house does
//! while its stores fail. Every single call of a whole day is in whole_day.rs.
//!
//! | arrow                                | call that fails |
//! |--------------------------------------|-----------------|
//! | cell conflict -> adopt               | `swap_cell`, then `cell` |
//! | witnesses -> attested note           | `put`, and every other call of the objects |
//! | large letter -> objects              | `put`           |
//!
//! The witness's own step (record, then answer) has its matrix in witness_server.rs, a document
//! that is handed in by itself in documents.rs.
//!
//! After each: the same house goes on, then a new process opens the same stores, and `judge` says
//! that nothing acknowledged is lost, all of it provable, one root for one size: in what was
//! signed, in the checkpoint file, in what witnesses have on record, and in what was attested.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use bailee_core::check;
use bailee_ledger::{Checkpoint, Tree};
use bailee_server::house::Parts;
use bailee_server::witness::Init;
use bailee_server::{Failure, House, Projection};
use bailee_store::{
    Batch, Digest, DiskSlot, Entry, Fault, FaultPlan, FaultyObjects, Journal, JournalError,
    MemoryJournal, MemoryObjects, Objects, Slot,
};

use crate::arrows::{Arrows, Call};
use crate::common::{demand, judge, letter, letter_with, load, parts, take};
use crate::standing::{Standing, witnessed};

/// Objects of a house that fail as planned, on stores that outlive it.
fn faulty_objects(inner: &MemoryObjects, plan: &FaultPlan) -> Arc<dyn Objects> {
    Arc::new(FaultyObjects::new(inner.clone(), plan.clone()))
}

/// Sends a letter until it is acknowledged, as a mail system does; `None` if the house is dead.
pub(crate) fn send(house: &House, raw: &[u8]) -> Option<u64> {
    for _ in 0..4 {
        match take(house, raw) {
            Ok(taken) => return Some(demand(taken).1),
            Err(Failure::Refused(refusal)) => panic!("a demand was refused: {refusal}"),
            Err(failure @ Failure::Unseen(_)) => panic!("no copy is relied on here: {failure}"),
            Err(Failure::Unknown(_) | Failure::Unavailable(_) | Failure::Unwritable(..)) => {}
        }
    }
    None
}

/// A small day: letters, a large one, receipts and pages settled. What was acknowledged is noted.
fn day(house: &House, from: usize, acknowledged: &mut BTreeMap<Vec<u8>, u64>) {
    let large = letter_with(from + 2, &"keep the large one. ".repeat(16 << 10));
    for raw in [letter(from), letter(from + 1), large] {
        if let Some(position) = send(house, &raw) {
            let before = acknowledged.insert(raw, position);
            assert!(before.is_none_or(|before| before == position), "moved");
        }
        // Errors are named and stay pending; the next round does it.
        house.settle();
    }
}

/// Never two roots for one size, over everything that was ever signed.
pub(crate) fn one_root_per_size(signed: &Mutex<Vec<Vec<u8>>>, journal: &dyn Journal) {
    let key = crate::common::log_verifier();
    let tree: Tree = Projection::replay(journal).unwrap().tree;
    for bytes in signed.lock().unwrap().iter() {
        let (checkpoint, _) = Checkpoint::open(bytes, &key).unwrap();
        assert_eq!(tree.root_at(checkpoint.size).unwrap(), checkpoint.root, "another root");
    }
}

/// Parts of a house in `dir`, with a witness whose cosignature is the quorum.
fn parts_in(
    dir: &Path,
    witness: &Standing,
    journal: Arc<dyn Journal>,
    objects: Arc<dyn Objects>,
) -> Parts {
    let policy = format!("{}quorum {}\n", witness.lines(), witness.name);
    witnessed(dir, &policy, 60_000, journal, objects)
}

/// One cell of the matrix.
fn check_cell(witness: &Standing, call: Call, nth: u64, fault: Fault) {
    let store: Arc<dyn Journal> = Arc::new(MemoryJournal::new());
    let (objects, signed) = (MemoryObjects::new(), Arc::new(Mutex::new(Vec::new())));
    let dir = tempfile::tempdir().unwrap();
    let file = || Arc::new(DiskSlot::new(dir.path(), "checkpoint"));
    let mut acknowledged = BTreeMap::new();
    {
        let journal = Arc::new(Arrows::new(store.clone(), signed.clone()));
        let faulty = journal.objects(Arc::new(objects.clone()));
        let parts = parts_in(dir.path(), witness, journal.clone(), faulty);
        let house = House::with_slot(parts, journal.slot(file())).unwrap();
        load(&house).unwrap();
        house.checkpoint_over(1).unwrap();
        let plan = &journal.plans[&call];
        let planned = plan.calls() + nth;
        plan.add(planned, fault);
        day(&house, 0, &mut acknowledged);
        assert!(plan.calls() > planned, "{call:?} {nth} is never called");
        if fault != Fault::Crash {
            assert_eq!(acknowledged.len(), 3, "a letter was given up after {call:?} {fault:?}");
            assert!(house.settle().is_empty(), "not settled after {call:?} {nth} {fault:?}");
            judge(&house, &*store, &acknowledged);
        }
    }
    signed.lock().unwrap().extend(file().read().unwrap());
    let parts = parts_in(dir.path(), witness, store.clone(), Arc::new(objects));
    let house = House::of(parts).unwrap();
    day(&house, 0, &mut acknowledged);
    assert_eq!((acknowledged.len(), house.settle().len()), (3, 0));
    judge(&house, &*store, &acknowledged);
    let (demands, pending) =
        house.with_state(|s| (s.demands.len(), bailee_core::plan(s, 9).len())).unwrap();
    assert_eq!(
        (demands, pending),
        (3, 0),
        "a letter sent again is another demand, or work is left"
    );
    let head = house.with_state(|s| s.head).unwrap();
    attested_and_recorded(&house, head, witness, &signed);
    one_root_per_size(&signed, &*store);
}

/// The whole log is attested in the end; what is attested and on record counts as signed.
pub(crate) fn attested_and_recorded(
    house: &House,
    head: u64,
    witness: &Standing,
    signed: &Mutex<Vec<Vec<u8>>>,
) {
    let attested = house.attested_over(head, std::time::Duration::from_secs(600)).unwrap();
    let policy = house.policy().unwrap();
    assert_eq!(attested.missing(&policy), [] as [String; 0], "{:?}", house.watched());
    let record = witness.open().on_record(crate::common::ORIGIN).unwrap();
    assert!(record.fork.is_none() && record.size >= head, "{record:?}");
    let mut signed = signed.lock().unwrap();
    signed.extend(record.note.map(|note| note.to_string().into_bytes()));
    for size in house.attested_sizes(0, usize::MAX).unwrap() {
        let kept = house.attested_at(size).unwrap();
        assert_eq!(kept.missing(&policy), [] as [String; 0], "kept without its quorum");
        signed.push(kept.note.to_string().into_bytes());
    }
}

pub(crate) const FAULTS: [Fault; 3] = [Fault::Fail, Fault::FailButPersisted, Fault::Crash];
/// The way from the tree to the attested note, with a witness that answers: each step of it.
const ATTESTED: [(Call, Range<u64>); 4] =
    [(Call::Append, 0..1), (Call::Swap, 0..2), (Call::Slot, 0..3), (Call::Object, 0..9)];

#[test]
fn every_step_to_an_attested_checkpoint_with_every_fault() {
    for (call, nth) in ATTESTED.into_iter().flat_map(|(call, n)| n.map(move |n| (call, n))) {
        thread::scope(|scope| {
            for fault in FAULTS {
                scope.spawn(move || {
                    check_cell(&Standing::new("w1", Init::Ed25519), call, nth, fault);
                });
            }
        });
    }
}

#[test]
fn a_large_letter_is_acknowledged_only_with_its_bytes() {
    for fault in FAULTS {
        let (store, objects) = (Arc::new(MemoryJournal::new()), MemoryObjects::new());
        let plan = FaultPlan::new();
        let house = House::of(parts(None, store.clone(), faulty_objects(&objects, &plan))).unwrap();
        load(&house).unwrap();
        plan.next(fault);
        let raw = letter_with(1, &"keep. ".repeat(64 << 10));
        let first = take(&house, &raw);
        assert!(matches!(first, Err(Failure::Unavailable(_))), "{fault:?}: {first:?}");
        let demands = house.with_state(|s| s.demands.len()).unwrap();
        assert_eq!(demands, 0, "an entry names bytes that are not there");
        plan.revive();
        let (_, position) = demand(take(&house, &raw).unwrap());
        judge(&house, &*store, &[(raw, position)].into());
    }
}

#[test]
fn a_checkpoint_that_could_not_be_signed_is_signed_when_somebody_asks() {
    let adopting = [None, Some(Fault::Fail), Some(Fault::FailButPersisted)];
    let swapping = [Fault::Fail, Fault::FailButPersisted];
    for (fault, then) in swapping.into_iter().flat_map(|f| adopting.map(|then| (f, then))) {
        let store: Arc<dyn Journal> = Arc::new(MemoryJournal::new());
        let journal = Arc::new(Arrows::new(store, Arc::new(Mutex::new(Vec::new()))));
        let objects = Arc::new(MemoryObjects::new());
        let house = House::of(parts(None, journal.clone(), objects)).unwrap();
        load(&house).unwrap();
        house.checkpoint_over(1).unwrap();
        let plan = &journal.plans[&Call::Swap];
        plan.next(fault);
        if let Some(then) = then {
            journal.plans[&Call::Cell].next(then);
        }
        let (_, position) = demand(take(&house, &letter(1)).unwrap());
        // The log does not grow any more; the answer comes all the same, when it is asked again.
        let asked = (0..3).find_map(|_| house.checkpoint_over(position + 1).ok());
        assert!(asked.is_some(), "{fault:?} then {then:?}");
    }
}

#[test]
fn more_than_what_is_there_is_never_waited_for() {
    let house = crate::common::in_memory();
    let error = house.checkpoint_over(1_000).unwrap_err().to_string();
    assert!(error.contains("has 1 entries"), "{error}");
}

/// A journal whose appends take their time and then fail: readers look meanwhile.
struct SlowFailure {
    inner: MemoryJournal,
    fail: AtomicBool,
    appending: Mutex<()>,
}

impl Journal for SlowFailure {
    fn head(&self) -> Result<u64, JournalError> {
        self.inner.head()
    }
    fn append(&self, expected: u64, batch: &Batch) -> Result<u64, JournalError> {
        if self.fail.load(Ordering::SeqCst) {
            let _until_the_reader_has_looked = self.appending.lock().unwrap();
            let (doing, detail) = ("append".into(), "planned".into());
            return Err(JournalError::Io { doing, detail });
        }
        self.inner.append(expected, batch)
    }
    fn read(&self, from: u64, limit: usize) -> Result<Vec<Entry>, JournalError> {
        self.inner.read(from, limit)
    }
    fn erase(&self, sections: &[(u64, usize)], exhibits: &[Digest]) -> Result<(), JournalError> {
        self.inner.erase(sections, exhibits)
    }
    fn exhibit(&self, digest: &Digest) -> Result<Option<Vec<u8>>, JournalError> {
        self.inner.exhibit(digest)
    }
    fn cell(&self, name: &str) -> Result<Option<Vec<u8>>, JournalError> {
        self.inner.cell(name)
    }
    fn swap_cell(&self, n: &str, old: Option<&[u8]>, new: &[u8]) -> Result<(), JournalError> {
        self.inner.swap_cell(n, old, new)
    }
}

#[test]
fn nobody_sees_a_state_that_is_not_durable() {
    let journal = Arc::new(SlowFailure {
        inner: MemoryJournal::new(),
        fail: AtomicBool::new(false),
        appending: Mutex::new(()),
    });
    let house = House::of(parts(None, journal.clone(), Arc::new(MemoryObjects::new()))).unwrap();
    load(&house).unwrap();
    journal.fail.store(true, Ordering::SeqCst);
    for n in 0..50 {
        let hold = journal.appending.lock().unwrap();
        thread::scope(|scope| {
            let sender = scope.spawn(|| take(&house, &letter(n)));
            let readers: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| house.with_state(|s| (s.head, s.demands.len(), check(s).len())))
                })
                .collect();
            drop(hold);
            for reader in readers {
                assert_eq!(reader.join().unwrap().unwrap(), (1, 0, 0), "not durable, yet seen");
            }
            assert!(matches!(sender.join().unwrap(), Err(Failure::Unknown(_))));
        });
    }
    journal.fail.store(false, Ordering::SeqCst);
    let (_, position) = demand(take(&house, &letter(0)).unwrap());
    judge(&house, &journal.inner, &[(letter(0), position)].into());
}

#[test]
fn what_the_file_system_refuses_stays_pending_and_is_done_later() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(MemoryJournal::new());
    let house =
        House::of(parts(Some(dir.path()), store.clone(), Arc::new(MemoryObjects::new()))).unwrap();
    load(&house).unwrap();
    house.checkpoint_over(1).unwrap();
    // A directory where the new checkpoint is written aside: the file cannot be replaced.
    let aside = dir.path().join("checkpoint.new");
    std::fs::create_dir(&aside).unwrap();
    let (_, position) = demand(take(&house, &letter(1)).unwrap());
    let published = std::fs::read(dir.path().join("checkpoint")).unwrap();
    let refused = house.checkpoint_over(position + 1).unwrap_err().to_string();
    assert!(refused.contains("checkpoint"), "{refused}");
    let failed = house.settle();
    assert!(!failed.is_empty());
    assert_eq!(std::fs::read(dir.path().join("checkpoint")).unwrap(), published);
    std::fs::remove_dir(&aside).unwrap();
    // A file where the outbox is to be: the receipt is built and has nowhere to go.
    let outbox = dir.path().join("outbox");
    _ = std::fs::remove_dir_all(&outbox);
    std::fs::write(&outbox, b"in the way").unwrap();
    assert!(!house.settle().is_empty());
    let receipted = |house: &House| {
        house.with_state(|s| s.demands.iter().all(|(_, demand)| demand.receipted)).unwrap()
    };
    assert!(!receipted(&house), "reported as sent, and nothing left");
    std::fs::remove_file(&outbox).unwrap();
    assert!(house.settle().is_empty());
    assert!(receipted(&house) && outbox.join("receipt-D-1.eml").exists());
    judge(&house, &*store, &[(letter(1), position)].into());
}
