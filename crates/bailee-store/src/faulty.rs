//! Stores that fail on command, for fault matrices (call x fault).
//!
//! Invariants
//! 1. Deterministic: call number `n` of a plan fails as planned, every other call goes through.
//!    Calls are counted from 0, reads and writes alike, over all wrappers that share the plan.
//! 2. A fault never reaches into the store: it either keeps a call from it (`Fail`, `Crash`) or
//!    keeps its answer from the caller (`FailButPersisted`).
//! 3. After `Crash` every call fails until [`FaultPlan::revive`].
//!
//! A matrix runs once without faults, asks [`FaultPlan::calls`], and then once per call and fault.
//! Out of scope: torn bytes within a store (the damage tests of each store make those).

use std::collections::BTreeMap;
use std::io::Read;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{
    Batch, Digest, Entry, Journal, JournalError, ObjectError, Objects, Put, Slot, SlotError,
};

/// What happens to one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The call fails and leaves nothing.
    Fail,
    /// The call succeeds, but its caller is told that it failed.
    FailButPersisted,
    /// As `Fail`, and so does every later call until `revive`.
    Crash,
}

/// Which calls fail, and the count of calls so far. Clones share both.
#[derive(Clone, Debug, Default)]
pub struct FaultPlan {
    inner: Arc<Mutex<PlanState>>,
}

#[derive(Debug, Default)]
struct PlanState {
    calls: u64,
    failed: u64,
    faults: BTreeMap<u64, Fault>,
    crashed: bool,
}

impl FaultPlan {
    /// A plan without faults.
    pub fn new() -> FaultPlan {
        FaultPlan::default()
    }

    /// A plan with one fault, at call number `call` (from 0).
    pub fn one(call: u64, fault: Fault) -> FaultPlan {
        let plan = FaultPlan::new();
        plan.add(call, fault);
        plan
    }

    /// Plans a fault at call number `call` (from 0).
    pub fn add(&self, call: u64, fault: Fault) {
        self.state().faults.insert(call, fault);
    }

    /// Plans a fault at the next call.
    pub fn next(&self, fault: Fault) {
        let mut state = self.state();
        let call = state.calls;
        state.faults.insert(call, fault);
    }

    /// Calls counted so far, those that failed among them.
    pub fn calls(&self) -> u64 {
        self.state().calls
    }

    /// Calls that failed as planned; those after a crash are not counted.
    pub fn failed(&self) -> u64 {
        self.state().failed
    }

    /// Whether a `Crash` has happened and `revive` has not.
    pub fn crashed(&self) -> bool {
        self.state().crashed
    }

    /// Ends a crash. Faults still planned stay planned.
    pub fn revive(&self) {
        self.state().crashed = false;
    }

    fn state(&self) -> MutexGuard<'_, PlanState> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call and says what is to happen to it.
    fn turn(&self) -> Option<Fault> {
        let mut state = self.state();
        let call = state.calls;
        state.calls += 1;
        if state.crashed {
            return Some(Fault::Crash);
        }
        let fault = state.faults.get(&call).copied();
        state.crashed = fault == Some(Fault::Crash);
        state.failed += u64::from(fault.is_some());
        fault
    }

    fn run<T, E>(&self, call: impl FnOnce() -> Result<T, E>, fail: impl Fn() -> E) -> Result<T, E> {
        match self.turn() {
            None => call(),
            Some(Fault::Fail | Fault::Crash) => Err(fail()),
            // An error of the store itself is the truer answer.
            Some(Fault::FailButPersisted) => call().and_then(|_| Err(fail())),
        }
    }
}

/// A journal whose calls fail as planned.
#[derive(Clone, Debug)]
pub struct FaultyJournal<J> {
    inner: J,
    plan: FaultPlan,
}

impl<J: Journal> FaultyJournal<J> {
    /// Wraps `inner`.
    pub fn new(inner: J, plan: FaultPlan) -> FaultyJournal<J> {
        FaultyJournal { inner, plan }
    }

    /// The store behind, without faults.
    pub fn inner(&self) -> &J {
        &self.inner
    }
}

fn journal_fault(doing: &str) -> impl Fn() -> JournalError {
    move || JournalError::Io { doing: doing.to_owned(), detail: "planned fault".to_owned() }
}

impl<J: Journal> Journal for FaultyJournal<J> {
    fn head(&self) -> Result<u64, JournalError> {
        self.plan.run(|| self.inner.head(), journal_fault("read its head"))
    }

    fn append(&self, expected: u64, batch: &Batch) -> Result<u64, JournalError> {
        self.plan.run(|| self.inner.append(expected, batch), journal_fault("append"))
    }

    fn read(&self, from: u64, limit: usize) -> Result<Vec<Entry>, JournalError> {
        self.plan.run(|| self.inner.read(from, limit), journal_fault("read entries"))
    }

    fn erase(&self, sections: &[(u64, usize)], exhibits: &[Digest]) -> Result<(), JournalError> {
        self.plan.run(|| self.inner.erase(sections, exhibits), journal_fault("erase"))
    }

    fn exhibit(&self, digest: &Digest) -> Result<Option<Vec<u8>>, JournalError> {
        self.plan.run(|| self.inner.exhibit(digest), journal_fault("read an exhibit"))
    }

    fn cell(&self, name: &str) -> Result<Option<Vec<u8>>, JournalError> {
        self.plan.run(|| self.inner.cell(name), journal_fault("read a cell"))
    }

    fn swap_cell(
        &self,
        name: &str,
        expected: Option<&[u8]>,
        new: &[u8],
    ) -> Result<(), JournalError> {
        let call = || self.inner.swap_cell(name, expected, new);
        self.plan.run(call, journal_fault("swap a cell"))
    }
}

/// Objects whose calls fail as planned.
#[derive(Clone, Debug)]
pub struct FaultyObjects<O> {
    inner: O,
    plan: FaultPlan,
}

impl<O: Objects> FaultyObjects<O> {
    /// Wraps `inner`.
    pub fn new(inner: O, plan: FaultPlan) -> FaultyObjects<O> {
        FaultyObjects { inner, plan }
    }

    /// The store behind, without faults.
    pub fn inner(&self) -> &O {
        &self.inner
    }
}

fn object_fault(doing: &'static str, name: &str) -> impl Fn() -> ObjectError {
    let name = name.to_owned();
    move || ObjectError::Io { doing, name: name.clone(), detail: "planned fault".to_owned() }
}

impl<O: Objects> Objects for FaultyObjects<O> {
    fn put(&self, name: &str, bytes: &[u8]) -> Result<Put, ObjectError> {
        self.plan.run(|| self.inner.put(name, bytes), object_fault("store", name))
    }

    fn put_stream(&self, name: &str, from: &mut dyn Read) -> Result<Put, ObjectError> {
        self.plan.run(|| self.inner.put_stream(name, from), object_fault("store", name))
    }

    fn get(&self, name: &str) -> Result<Vec<u8>, ObjectError> {
        self.plan.run(|| self.inner.get(name), object_fault("read", name))
    }

    fn get_range(&self, name: &str, range: Range<u64>) -> Result<Vec<u8>, ObjectError> {
        self.plan.run(|| self.inner.get_range(name, range), object_fault("read", name))
    }

    fn open(&self, name: &str) -> Result<Box<dyn Read + Send>, ObjectError> {
        self.plan.run(|| self.inner.open(name), object_fault("open", name))
    }

    fn size(&self, name: &str) -> Result<u64, ObjectError> {
        self.plan.run(|| self.inner.size(name), object_fault("look for", name))
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, ObjectError> {
        self.plan.run(|| self.inner.list(prefix), object_fault("list below", prefix))
    }

    fn delete(&self, name: &str) -> Result<(), ObjectError> {
        self.plan.run(|| self.inner.delete(name), object_fault("delete", name))
    }
}

/// A slot whose calls fail as planned.
#[derive(Clone, Debug)]
pub struct FaultySlot<S> {
    inner: S,
    plan: FaultPlan,
}

impl<S: Slot> FaultySlot<S> {
    /// Wraps `inner`.
    pub fn new(inner: S, plan: FaultPlan) -> FaultySlot<S> {
        FaultySlot { inner, plan }
    }
}

fn slot_fault(doing: &'static str) -> impl Fn() -> SlotError {
    move || SlotError { doing, path: "the slot".to_owned(), detail: "planned fault".to_owned() }
}

impl<S: Slot> Slot for FaultySlot<S> {
    fn read(&self) -> Result<Option<Vec<u8>>, SlotError> {
        self.plan.run(|| self.inner.read(), slot_fault("read"))
    }

    fn replace(&self, bytes: &[u8]) -> Result<(), SlotError> {
        self.plan.run(|| self.inner.replace(bytes), slot_fault("replace"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MemoryJournal, MemoryObjects};

    fn one_entry() -> Batch {
        let entry = Entry { leaf: b"leaf".to_vec(), sections: [None, None, None] };
        Batch { entries: vec![entry], exhibits: Vec::new() }
    }

    #[test]
    fn each_fault_leaves_what_it_says() {
        for (fault, left) in [(Fault::Fail, 0), (Fault::FailButPersisted, 1), (Fault::Crash, 0)] {
            let plan = FaultPlan::one(1, fault);
            let journal = FaultyJournal::new(MemoryJournal::new(), plan.clone());
            assert_eq!(journal.head().unwrap(), 0);
            assert!(journal.append(0, &one_entry()).is_err(), "{fault:?}");
            assert_eq!(journal.inner().head().unwrap(), left, "{fault:?}");
            assert_eq!(journal.head().is_err(), fault == Fault::Crash, "{fault:?}");
            plan.revive();
            assert_eq!(journal.append(left, &one_entry()).unwrap(), left + 1, "{fault:?}");
            assert_eq!((plan.calls(), plan.failed()), (4, 1));
        }
    }

    #[test]
    fn a_store_s_own_refusal_is_not_hidden() {
        let plan = FaultPlan::one(0, Fault::FailButPersisted);
        let journal = FaultyJournal::new(MemoryJournal::new(), plan);
        let refused = journal.append(5, &one_entry()).unwrap_err();
        assert!(matches!(refused, JournalError::Conflict { expected: 5, head: 0 }));
    }

    #[test]
    fn wrappers_share_a_plan_and_its_crash() {
        let plan = FaultPlan::new();
        let objects = FaultyObjects::new(MemoryObjects::new(), plan.clone());
        let journal = FaultyJournal::new(MemoryJournal::new(), plan.clone());
        assert_eq!(objects.put("a", b"x").unwrap(), Put::Stored);
        plan.next(Fault::Crash);
        assert!(journal.append(0, &one_entry()).is_err());
        assert!(objects.get("a").is_err() && plan.crashed());
        plan.revive();
        assert_eq!(objects.get("a").unwrap(), b"x");
    }
}
