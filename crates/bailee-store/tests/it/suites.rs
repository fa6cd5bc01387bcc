//! The conformance suite on each implementation, also behind a wrapper without faults.

use std::rc::Rc;

use bailee_store::{
    DiskObjects, FaultPlan, FaultyJournal, FaultyObjects, MemoryJournal, MemoryObjects,
    SqliteJournal, conformance,
};

#[test]
fn memory_journal() {
    let mut made = std::cell::Cell::new(0);
    conformance::journal(&|| {
        made.set(made.get() + 1);
        let journal = MemoryJournal::new();
        Box::new(move || Box::new(journal.clone()))
    });
    assert!(*made.get_mut() > 5, "the suite ran");
}

#[test]
fn sqlite_journal() {
    let made = std::cell::Cell::new(0);
    conformance::journal(&|| {
        made.set(made.get() + 1);
        let dir = Rc::new(tempfile::tempdir().unwrap());
        Box::new(move || Box::new(SqliteJournal::open(&dir.path().join("journal")).unwrap()))
    });
    assert!(made.get() > 5, "the suite ran");
}

#[test]
fn faulty_journal_without_faults() {
    let plan = FaultPlan::new();
    conformance::journal(&|| {
        let journal = FaultyJournal::new(MemoryJournal::new(), plan.clone());
        Box::new(move || Box::new(journal.clone()))
    });
    assert!(plan.calls() > 50, "the suite went through the wrapper");
}

#[test]
fn memory_objects() {
    let made = std::cell::Cell::new(0);
    conformance::objects(&|| {
        made.set(made.get() + 1);
        let objects = MemoryObjects::new();
        Box::new(move || Box::new(objects.clone()))
    });
    assert!(made.get() > 5, "the suite ran");
}

#[test]
fn disk_objects() {
    let made = std::cell::Cell::new(0);
    conformance::objects(&|| {
        made.set(made.get() + 1);
        let dir = Rc::new(tempfile::tempdir().unwrap());
        Box::new(move || Box::new(DiskObjects::open(&dir.path().join("objects")).unwrap()))
    });
    assert!(made.get() > 5, "the suite ran");
}

#[test]
fn faulty_objects_without_faults() {
    let plan = FaultPlan::new();
    conformance::objects(&|| {
        let objects = FaultyObjects::new(MemoryObjects::new(), plan.clone());
        Box::new(move || Box::new(objects.clone()))
    });
    assert!(plan.calls() > 50, "the suite went through the wrapper");
}
