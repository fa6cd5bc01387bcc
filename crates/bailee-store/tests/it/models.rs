//! Random sequences of calls: memory is the model, SQLite and disk must give the same answers.
//!
//! Restarts are calls too. Answers are compared in full, errors by their message.

use std::ops::Range;

use bailee_store::{
    Batch, DiskObjects, Entry, Exhibit, Journal, MemoryJournal, MemoryObjects, Objects, Section,
    SqliteJournal, digest,
};
use proptest::collection::vec;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum JournalCall {
    /// Distance from the true head (0 is right), entries, exhibits.
    Append(u64, Vec<Entry>, Vec<u8>),
    Read(u64, usize),
    Erase(Vec<(u64, usize)>, Vec<u8>),
    Exhibit(u8),
    Swap(u8, Option<u8>, u8),
    Cell(u8),
    Restart,
}

/// A small exhibit, or one of several pages.
fn exhibit(number: u8) -> Exhibit {
    let bytes = vec![number; if number.is_multiple_of(2) { 50 } else { 9_000 }];
    Exhibit { digest: digest(&bytes), bytes }
}

fn any_entry() -> impl Strategy<Value = Entry> {
    let section = || proptest::option::of((any::<[u8; 32]>(), vec(any::<u8>(), 0..60)));
    (vec(any::<u8>(), 0..40), [section(), section(), section()]).prop_map(|(leaf, sections)| {
        let sections = sections.map(|part| part.map(|(salt, bytes)| Section { salt, bytes }));
        Entry { leaf, sections }
    })
}

fn any_journal_call() -> impl Strategy<Value = JournalCall> {
    let wrong_head = prop_oneof![9 => Just(0u64), 1 => 1..3u64];
    let swap = (0..3u8, proptest::option::of(0..2u8), 0..2u8);
    prop_oneof![
        4 => (wrong_head, vec(any_entry(), 0..4), vec(0..6u8, 0..3))
            .prop_map(|(off, entries, exhibits)| JournalCall::Append(off, entries, exhibits)),
        2 => (0..20u64, 0..8usize).prop_map(|(from, limit)| JournalCall::Read(from, limit)),
        2 => (vec((0..12u64, 0..3usize), 0..3), vec(0..6u8, 0..3))
            .prop_map(|(sections, exhibits)| JournalCall::Erase(sections, exhibits)),
        2 => (0..6u8).prop_map(JournalCall::Exhibit),
        2 => swap.prop_map(|(name, expected, new)| JournalCall::Swap(name, expected, new)),
        1 => (0..3u8).prop_map(JournalCall::Cell),
        1 => Just(JournalCall::Restart),
    ]
}

/// The answer to a call, in a form that can be compared.
fn answer(journal: &dyn Journal, call: &JournalCall) -> String {
    let bytes = |value: &u8| vec![*value; 3];
    let digests = |all: &[u8]| all.iter().map(|n| exhibit(*n).digest).collect::<Vec<_>>();
    match call {
        JournalCall::Append(off, entries, exhibits) => {
            let exhibits = exhibits.iter().map(|number| exhibit(*number)).collect();
            let batch = Batch { entries: entries.clone(), exhibits };
            format!("{:?}", journal.append(journal.head().unwrap_or_default() + off, &batch))
        }
        JournalCall::Read(from, limit) => format!("{:?}", journal.read(*from, *limit)),
        JournalCall::Erase(sections, exhibits) => {
            format!("{:?}", journal.erase(sections, &digests(exhibits)))
        }
        JournalCall::Exhibit(number) => format!("{:?}", journal.exhibit(&exhibit(*number).digest)),
        JournalCall::Swap(name, expected, new) => {
            let expected = expected.as_ref().map(bytes);
            let name = name.to_string();
            format!("{:?}", journal.swap_cell(&name, expected.as_deref(), &bytes(new)))
        }
        JournalCall::Cell(name) => format!("{:?}", journal.cell(&name.to_string())),
        JournalCall::Restart => String::new(),
    }
}

#[derive(Clone, Debug)]
enum ObjectCall {
    Put(String, u8, bool),
    Get(String),
    Range(String, Range<u64>),
    Size(String),
    List(String),
    Delete(String),
    Restart,
}

fn any_object_call() -> impl Strategy<Value = ObjectCall> {
    let name = || "[ab](/[ab]){0,2}|[.a/ ]{1,3}";
    prop_oneof![
        5 => (name(), 0..9u8, any::<bool>()).prop_map(|(n, size, s)| ObjectCall::Put(n, size, s)),
        2 => name().prop_map(ObjectCall::Get),
        1 => (name(), 0..9u64, 0..9u64).prop_map(|(n, from, to)| ObjectCall::Range(n, from..to)),
        1 => name().prop_map(ObjectCall::Size),
        2 => "[ab/.]{0,3}".prop_map(ObjectCall::List),
        3 => name().prop_map(ObjectCall::Delete),
        1 => Just(ObjectCall::Restart),
    ]
}

fn object_answer(objects: &dyn Objects, call: &ObjectCall) -> String {
    match call {
        ObjectCall::Put(name, size, streamed) => {
            let bytes = vec![*size; usize::from(*size)];
            let put = if *streamed {
                objects.put_stream(name, &mut &*bytes)
            } else {
                objects.put(name, &bytes)
            };
            format!("{put:?}")
        }
        ObjectCall::Get(name) => format!("{:?}", objects.get(name)),
        ObjectCall::Range(name, range) => format!("{:?}", objects.get_range(name, range.clone())),
        ObjectCall::Size(name) => format!("{:?}", objects.size(name)),
        ObjectCall::List(prefix) => format!("{:?}", objects.list(prefix)),
        ObjectCall::Delete(name) => format!("{:?}", objects.delete(name)),
        ObjectCall::Restart => String::new(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn sqlite_answers_as_memory_does(calls in vec(any_journal_call(), 1..40)) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let model = MemoryJournal::new();
        let mut real = SqliteJournal::open(&path).unwrap();
        for call in &calls {
            if matches!(call, JournalCall::Restart) {
                drop(real);
                real = SqliteJournal::open(&path).unwrap();
            }
            prop_assert_eq!(answer(&model, call), answer(&real, call), "{:?}", call);
        }
        prop_assert_eq!(model.head().unwrap(), real.head().unwrap());
        prop_assert_eq!(model.read(0, 999).unwrap(), real.read(0, 999).unwrap());
        prop_assert!(real.check().is_ok());
    }

    #[test]
    fn disk_answers_as_memory_does(calls in vec(any_object_call(), 1..40)) {
        let dir = tempfile::tempdir().unwrap();
        let model = MemoryObjects::new();
        let mut real = DiskObjects::open(dir.path()).unwrap();
        for call in &calls {
            if matches!(call, ObjectCall::Restart) {
                drop(real);
                real = DiskObjects::open(dir.path()).unwrap();
            }
            prop_assert_eq!(object_answer(&model, call), object_answer(&real, call), "{:?}", call);
        }
        prop_assert_eq!(model.list("").unwrap(), real.list("").unwrap());
    }
}
