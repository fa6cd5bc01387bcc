//! Old copies, altered entries, two processes, two houses on one journal: refused by name, or one
//! tree all the same.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use bailee_ledger::Checkpoint;
use bailee_server::{House, HouseError, ReplayError};
use bailee_store::{
    Batch, Entry, Exhibit, Journal, LockError, MemoryJournal, MemoryObjects, digest,
};

use crate::common::{demand, judge, letter, load, on_disk, parts, reopened, sqlite, start, take};

/// A directory with letters of these numbers, closed again.
fn with_letters(dir: &Path, numbers: std::ops::Range<usize>) {
    let house = match dir.join("bailee.toml").exists() {
        true => reopened(dir, start()).unwrap(),
        false => on_disk(dir),
    };
    for n in numbers {
        take(&house, &letter(n)).unwrap();
    }
    let head = house.with_state(|s| s.head).unwrap();
    house.checkpoint_over(head).unwrap();
}

#[test]
fn an_old_database_restored_over_a_newer_one_signs_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (now, then) = (dir.path().join("journal.sqlite"), dir.path().join("backup"));
    with_letters(dir.path(), 0..3);
    std::fs::copy(&now, &then).unwrap();
    with_letters(dir.path(), 3..6);
    let published = std::fs::read(dir.path().join("checkpoint")).unwrap();
    let newest = std::fs::read(&now).unwrap();
    std::fs::copy(&then, &now).unwrap();
    let error = reopened(dir.path(), start()).err().unwrap();
    assert!(matches!(error, HouseError::Restored { have: 13, signed: 25 }), "{error:?}");
    assert!(error.to_string().contains("restore the newest one"), "{error}");
    // Nothing was signed meanwhile, and the newest one still opens.
    assert_eq!(std::fs::read(dir.path().join("checkpoint")).unwrap(), published);
    std::fs::write(&now, newest).unwrap();
    let house = reopened(dir.path(), start()).unwrap();
    assert_eq!(house.with_state(|s| s.demands.len()).unwrap(), 6);
}

/// The journal of `from`, copied with a change, into a new one.
fn altered(from: &dyn Journal, change: impl Fn(usize, &mut Entry)) -> Arc<MemoryJournal> {
    let mut entries = from.read(0, usize::MAX).unwrap();
    entries.iter_mut().enumerate().for_each(|(n, entry)| change(n, entry));
    let exhibits = (0..9).map(letter).map(|bytes| Exhibit { digest: digest(&bytes), bytes });
    let journal = MemoryJournal::new();
    journal.append(0, &Batch { entries, exhibits: exhibits.collect() }).unwrap();
    Arc::new(journal)
}

/// Opens a house on the altered journal beside the published checkpoint.
fn opened(dir: &Path, journal: Arc<MemoryJournal>) -> Result<House, HouseError> {
    House::of(parts(Some(dir), journal, Arc::new(MemoryObjects::new())))
}

#[test]
fn an_altered_journal_is_recognised_by_what_was_changed() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Arc::new(MemoryJournal::new());
    let house = House::of(parts(Some(dir.path()), journal.clone(), Arc::new(MemoryObjects::new())))
        .unwrap();
    load(&house).unwrap();
    for n in 0..3 {
        take(&house, &letter(n)).unwrap();
    }
    let head = house.with_state(|s| s.head).unwrap();
    house.checkpoint_over(head).unwrap();
    let last = usize::try_from(head).unwrap() - 1;

    let as_it_was = opened(dir.path(), altered(&*journal, |_, _| ()));
    as_it_was.unwrap();
    // The event of an entry, with the leaf left as it was.
    let what = altered(&*journal, |n, entry| {
        if n == 2 {
            entry.sections[0].as_mut().unwrap().bytes[9] ^= 1;
        }
    });
    let error = opened(dir.path(), what).err().unwrap();
    let named = ReplayError::NotCommitted { seq: 2, what: "what" }.to_string();
    assert_eq!(error.to_string(), named);
    // A letter's words taken out, without an erasure.
    let papers = altered(&*journal, |n, entry| {
        if n == 2 {
            entry.sections[2] = None;
        }
    });
    let error = opened(dir.path(), papers).err().unwrap();
    assert!(
        matches!(error, HouseError::Replay(ReplayError::Gone { seq: 2, what: "papers" })),
        "{error:?}"
    );
    // An entry made anew, leaf and all, by somebody who knows the formats: the signed root knows.
    let forged = altered(&*journal, |n, entry| {
        if n == last {
            let what = entry.sections[0].as_mut().unwrap();
            what.salt = [7; 32];
            let sections = entry.sections.each_ref();
            let sections = sections.map(|s| s.as_ref().map(|s| (s.bytes.as_slice(), &s.salt)));
            let old = bailee_ledger::Leaf::decode(&entry.leaf).unwrap();
            let new = bailee_ledger::Leaf::commit(old.type_code, start().unix(), sections);
            entry.leaf = new.encode();
        }
    });
    let error = opened(dir.path(), forged).err().unwrap();
    assert!(matches!(error, HouseError::Forked { size } if size == head), "{error:?}");
    // Rows that are no entries at all.
    let broken = altered(&*journal, |n, entry| {
        if n == 1 {
            entry.leaf = vec![0xff; 12];
        }
    });
    let error = opened(dir.path(), broken).err().unwrap();
    assert!(matches!(error, HouseError::Replay(ReplayError::Leaf { seq: 1, .. })), "{error:?}");
}

#[test]
fn every_flip_in_a_stored_section_is_an_error_with_its_place() {
    let journal = Arc::new(MemoryJournal::new());
    let house = House::of(parts(None, journal.clone(), Arc::new(MemoryObjects::new()))).unwrap();
    load(&house).unwrap();
    take(&house, &letter(0)).unwrap();
    let entries = journal.read(1, 1).unwrap();
    for section in 0..3 {
        let Some(stored) = &entries[0].sections[section] else { continue };
        for byte in 0..stored.bytes.len() {
            let damaged = altered(&*journal, |n, entry| {
                if n == 1 {
                    entry.sections[section].as_mut().unwrap().bytes[byte] ^= 0x40;
                }
            });
            let error = bailee_server::Projection::replay(&*damaged).unwrap_err();
            assert!(error.to_string().contains("entry 1"), "{section} {byte}: {error}");
        }
    }
}

#[test]
fn a_damaged_checkpoint_is_named_and_nothing_is_signed() {
    let dir = tempfile::tempdir().unwrap();
    with_letters(dir.path(), 0..1);
    let path = dir.path().join("checkpoint");
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let error = reopened(dir.path(), start()).err().unwrap();
    assert!(matches!(error, HouseError::BadCheckpoint { .. }), "{error:?}");
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
}

/// Each crash between the settings and the first checkpoint over an entry, as what it leaves.
#[test]
fn a_creation_that_was_cut_short_anywhere_goes_on_and_a_file_that_was_taken_away_is_missed() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("checkpoint");
    let journal = Arc::new(MemoryJournal::new());
    let head = |house: House| {
        load(&house).unwrap();
        let head = house.with_state(|s| s.head).unwrap();
        house.checkpoint_over(head).unwrap();
        head
    };
    // No entry, no cell, no file; then half of one, aside.
    drop(opened(dir.path(), journal.clone()).unwrap());
    let empty = std::fs::read(&file).unwrap();
    std::fs::rename(&file, dir.path().join("checkpoint.new")).unwrap();
    // The file over the empty tree, no entry.
    for _ in 0..2 {
        assert_eq!(opened(dir.path(), journal.clone()).unwrap().checkpoint(), None);
        assert_eq!(std::fs::read(&file).unwrap(), empty, "one tree of no entry");
    }
    assert_eq!(head(opened(dir.path(), journal.clone()).unwrap()), 1);
    let signed = std::fs::read(&file).unwrap();
    // An entry without a cell, then with one, and the file of before.
    for journal in [altered(&*journal, |_, _| ()), journal.clone()] {
        std::fs::write(&file, &empty).unwrap();
        assert_eq!(head(opened(dir.path(), journal).unwrap()), 1);
        assert_eq!(std::fs::read(&file).unwrap(), signed);
    }
    // From the first entry on a file that is not there was taken away.
    for journal in [altered(&*journal, |_, _| ()), journal] {
        _ = std::fs::remove_file(&file);
        let error = opened(dir.path(), journal).err().unwrap();
        assert!(matches!(error, HouseError::NoCheckpoint { have: 1 }), "{error:?}");
        assert!(!file.exists(), "something was signed");
    }
}

#[test]
fn a_second_process_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let house = on_disk(dir.path());
    let error = reopened(dir.path(), start()).err().unwrap();
    let pid = std::process::id();
    assert!(matches!(&error, HouseError::Lock(LockError::Held { pid: Some(p), .. }) if *p == pid));
    assert!(error.to_string().contains(&pid.to_string()), "{error}");
    drop(house);
    reopened(dir.path(), start()).unwrap();
}

#[test]
fn two_houses_on_one_journal_have_one_tree() {
    let dir = tempfile::tempdir().unwrap();
    let objects = Arc::new(MemoryObjects::new());
    let house = || House::of(parts(None, sqlite(dir.path()), objects.clone())).unwrap();
    let first = house();
    load(&first).unwrap();
    let second = house();
    let mut acknowledged = BTreeMap::new();
    let mut notes = Vec::new();
    thread::scope(|scope| {
        let halves = [(&first, 0..20), (&second, 20..40)].map(|(house, numbers)| {
            scope.spawn(move || {
                let mut taken = Vec::new();
                for n in numbers {
                    let (_, position) = demand(take(house, &letter(n)).unwrap());
                    let (_, note) = house.checkpoint_over(position + 1).unwrap();
                    taken.push((letter(n), position, note.to_string()));
                }
                taken
            })
        });
        for (raw, position, note) in halves.into_iter().flat_map(|half| half.join().unwrap()) {
            acknowledged.insert(raw, position);
            notes.push(note);
        }
    });
    // The same letter at the other door is the same demand.
    let (_, position) = demand(take(&first, &letter(30)).unwrap());
    assert_eq!(position, acknowledged[&letter(30)]);
    for (n, house) in [(100, &first), (101, &second)] {
        let (_, position) = demand(take(house, &letter(n)).unwrap());
        acknowledged.insert(letter(n), position);
        judge(house, &*sqlite(dir.path()), &acknowledged);
    }
    let key = first.log_key().unwrap();
    let tree = bailee_server::Projection::replay(&*sqlite(dir.path())).unwrap().tree;
    for note in notes {
        let (seen, _) = Checkpoint::open(note.as_bytes(), &key).unwrap();
        assert_eq!(tree.root_at(seen.size).unwrap(), seen.root, "two trees");
    }
}
