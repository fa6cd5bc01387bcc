//! Stores whose every call can be made to fail, or to be the last thing a process does: what the
//! fault matrix and the kill tests put between a house and its stores.

use std::collections::BTreeMap;
use std::io::Read;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bailee_store::{
    Batch, Digest, Entry, Fault, FaultPlan, FaultyJournal, FaultyObjects, FaultySlot, Journal,
    JournalError, ObjectError, Objects, Put, Slot, SlotError,
};

/// A journal behind a pointer, so that a faulty one can be put around any.
#[derive(Clone)]
pub(crate) struct Shared(pub(crate) Arc<dyn Journal>);

/// Which call a plan is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Call {
    Append,
    /// The head, or entries.
    Read,
    /// Destroying sections and exhibits.
    Erase,
    Exhibit,
    Cell,
    Swap,
    /// Replacing the checkpoint file.
    Slot,
    /// Any call of the objects.
    Object,
}

/// Every kind of call there is.
pub(crate) const CALLS: [Call; 8] = [
    Call::Append,
    Call::Read,
    Call::Erase,
    Call::Exhibit,
    Call::Cell,
    Call::Swap,
    Call::Slot,
    Call::Object,
];

/// Before the call reaches the store, or after it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    Before,
    After,
}

/// Told of every call that changes something: which, when, and the name it is about.
pub(crate) type Hook = Arc<dyn Fn(Call, Moment, &str) + Send + Sync>;

/// A journal with a fault plan for each kind of call; a crash in one is a crash of all. Every
/// checkpoint that reaches the cell is kept: no size may ever have two roots.
#[derive(Clone)]
pub(crate) struct Arrows {
    inner: Shared,
    pub(crate) plans: BTreeMap<Call, FaultPlan>,
    signed: Arc<Mutex<Vec<Vec<u8>>>>,
    hook: Option<Hook>,
}

impl Arrows {
    pub(crate) fn new(inner: Arc<dyn Journal>, signed: Arc<Mutex<Vec<Vec<u8>>>>) -> Arrows {
        let plans = CALLS.into_iter().map(|call| (call, FaultPlan::new())).collect();
        Arrows { inner: Shared(inner), plans, signed, hook: None }
    }

    /// With somebody who is told.
    pub(crate) fn hooked(inner: Arc<dyn Journal>, hook: Hook) -> Arrows {
        Arrows { hook: Some(hook), ..Arrows::new(inner, Arc::default()) }
    }

    /// After the `nth` call of one kind, counted from here, the next of another fails.
    pub(crate) fn chained(self, first: Call, nth: u64, then: Call, fault: Fault) -> Arrows {
        let (seen, next) = (AtomicU64::new(0), self.plans[&then].clone());
        let hook: Hook = Arc::new(move |call, moment, _| {
            if (call, moment) == (first, Moment::After)
                && seen.fetch_add(1, Ordering::SeqCst) == nth
            {
                next.next(fault);
            }
        });
        Arrows { hook: Some(hook), ..self }
    }

    /// Objects that share the plans.
    pub(crate) fn objects(&self, inner: Arc<dyn Objects>) -> Arc<dyn Objects> {
        Arc::new(ObjectArrows { inner, arrows: self.clone() })
    }

    /// A checkpoint file that shares the plans.
    pub(crate) fn slot(&self, inner: Arc<dyn Slot>) -> Arc<dyn Slot> {
        Arc::new(SlotArrows { inner, arrows: self.clone() })
    }

    fn crashed(&self) -> bool {
        self.plans.values().any(FaultPlan::crashed)
    }

    fn through<T>(
        &self,
        call: Call,
        name: &str,
        run: impl FnOnce(&dyn Journal) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        if self.crashed() {
            let (doing, detail) = ("answer".into(), "crashed".into());
            return Err(JournalError::Io { doing, detail });
        }
        self.tell(call, Moment::Before, name);
        let done = run(&FaultyJournal::new(self.inner.clone(), self.plans[&call].clone()));
        self.tell(call, Moment::After, name);
        done
    }

    fn tell(&self, call: Call, moment: Moment, name: &str) {
        self.hook.iter().for_each(|hook| hook(call, moment, name));
    }
}

impl Journal for Shared {
    fn head(&self) -> Result<u64, JournalError> {
        self.0.head()
    }
    fn append(&self, expected: u64, batch: &Batch) -> Result<u64, JournalError> {
        self.0.append(expected, batch)
    }
    fn read(&self, from: u64, limit: usize) -> Result<Vec<Entry>, JournalError> {
        self.0.read(from, limit)
    }
    fn erase(&self, sections: &[(u64, usize)], exhibits: &[Digest]) -> Result<(), JournalError> {
        self.0.erase(sections, exhibits)
    }
    fn exhibit(&self, digest: &Digest) -> Result<Option<Vec<u8>>, JournalError> {
        self.0.exhibit(digest)
    }
    fn cell(&self, name: &str) -> Result<Option<Vec<u8>>, JournalError> {
        self.0.cell(name)
    }
    fn swap_cell(&self, n: &str, old: Option<&[u8]>, new: &[u8]) -> Result<(), JournalError> {
        self.0.swap_cell(n, old, new)
    }
}

impl Journal for Arrows {
    fn head(&self) -> Result<u64, JournalError> {
        self.through(Call::Read, "", |j| j.head())
    }
    fn append(&self, expected: u64, batch: &Batch) -> Result<u64, JournalError> {
        self.through(Call::Append, "", |j| j.append(expected, batch))
    }
    fn read(&self, from: u64, limit: usize) -> Result<Vec<Entry>, JournalError> {
        self.through(Call::Read, "", |j| j.read(from, limit))
    }
    fn erase(&self, sections: &[(u64, usize)], exhibits: &[Digest]) -> Result<(), JournalError> {
        self.through(Call::Erase, "", |j| j.erase(sections, exhibits))
    }
    fn exhibit(&self, digest: &Digest) -> Result<Option<Vec<u8>>, JournalError> {
        self.through(Call::Exhibit, "", |j| j.exhibit(digest))
    }
    fn cell(&self, name: &str) -> Result<Option<Vec<u8>>, JournalError> {
        self.through(Call::Cell, name, |j| j.cell(name))
    }
    fn swap_cell(&self, n: &str, old: Option<&[u8]>, new: &[u8]) -> Result<(), JournalError> {
        let swapped = self.through(Call::Swap, n, |j| j.swap_cell(n, old, new));
        if self.inner.cell(n).is_ok_and(|cell| cell.as_deref() == Some(new)) {
            self.signed.lock().unwrap().push(new.to_vec());
        }
        swapped
    }
}

struct SlotArrows {
    inner: Arc<dyn Slot>,
    arrows: Arrows,
}

/// A slot behind a pointer.
struct SharedSlot(Arc<dyn Slot>);

impl Slot for SharedSlot {
    fn read(&self) -> Result<Option<Vec<u8>>, SlotError> {
        self.0.read()
    }
    fn replace(&self, bytes: &[u8]) -> Result<(), SlotError> {
        self.0.replace(bytes)
    }
}

impl Slot for SlotArrows {
    fn read(&self) -> Result<Option<Vec<u8>>, SlotError> {
        self.inner.read()
    }
    fn replace(&self, bytes: &[u8]) -> Result<(), SlotError> {
        if self.arrows.crashed() {
            let (path, detail) = ("the slot".into(), "crashed".into());
            return Err(SlotError { doing: "replace", path, detail });
        }
        self.arrows.tell(Call::Slot, Moment::Before, "");
        let plan = self.arrows.plans[&Call::Slot].clone();
        let done = FaultySlot::new(SharedSlot(self.inner.clone()), plan).replace(bytes);
        self.arrows.tell(Call::Slot, Moment::After, "");
        done
    }
}

struct ObjectArrows {
    inner: Arc<dyn Objects>,
    arrows: Arrows,
}

/// Objects behind a pointer.
struct SharedObjects(Arc<dyn Objects>);

impl Objects for SharedObjects {
    fn put(&self, name: &str, bytes: &[u8]) -> Result<Put, ObjectError> {
        self.0.put(name, bytes)
    }
    fn put_stream(&self, name: &str, from: &mut dyn Read) -> Result<Put, ObjectError> {
        self.0.put_stream(name, from)
    }
    fn get(&self, name: &str) -> Result<Vec<u8>, ObjectError> {
        self.0.get(name)
    }
    fn get_range(&self, name: &str, range: Range<u64>) -> Result<Vec<u8>, ObjectError> {
        self.0.get_range(name, range)
    }
    fn open(&self, name: &str) -> Result<Box<dyn Read + Send>, ObjectError> {
        self.0.open(name)
    }
    fn size(&self, name: &str) -> Result<u64, ObjectError> {
        self.0.size(name)
    }
    fn list(&self, prefix: &str) -> Result<Vec<String>, ObjectError> {
        self.0.list(prefix)
    }
    fn delete(&self, name: &str) -> Result<(), ObjectError> {
        self.0.delete(name)
    }
}

impl ObjectArrows {
    fn through<T>(
        &self,
        name: &str,
        run: impl FnOnce(&dyn Objects) -> Result<T, ObjectError>,
    ) -> Result<T, ObjectError> {
        if self.arrows.crashed() {
            let (name, detail) = (name.to_owned(), "crashed".into());
            return Err(ObjectError::Io { doing: "answer", name, detail });
        }
        let plan = self.arrows.plans[&Call::Object].clone();
        run(&FaultyObjects::new(SharedObjects(self.inner.clone()), plan))
    }
}

impl Objects for ObjectArrows {
    fn put(&self, name: &str, bytes: &[u8]) -> Result<Put, ObjectError> {
        self.arrows.tell(Call::Object, Moment::Before, name);
        let done = self.through(name, |o| o.put(name, bytes));
        self.arrows.tell(Call::Object, Moment::After, name);
        done
    }
    fn put_stream(&self, name: &str, from: &mut dyn Read) -> Result<Put, ObjectError> {
        self.through(name, |o| o.put_stream(name, from))
    }
    fn get(&self, name: &str) -> Result<Vec<u8>, ObjectError> {
        self.through(name, |o| o.get(name))
    }
    fn get_range(&self, name: &str, range: Range<u64>) -> Result<Vec<u8>, ObjectError> {
        self.through(name, |o| o.get_range(name, range))
    }
    fn open(&self, name: &str) -> Result<Box<dyn Read + Send>, ObjectError> {
        self.through(name, |o| o.open(name))
    }
    fn size(&self, name: &str) -> Result<u64, ObjectError> {
        self.through(name, |o| o.size(name))
    }
    fn list(&self, prefix: &str) -> Result<Vec<String>, ObjectError> {
        self.through(prefix, |o| o.list(prefix))
    }
    fn delete(&self, name: &str) -> Result<(), ObjectError> {
        self.through(name, |o| o.delete(name))
    }
}
