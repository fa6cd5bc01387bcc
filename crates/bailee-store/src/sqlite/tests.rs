//! What only SQLite's files can show: recognition at open, erasure to the last byte, damage,
//! a full disk, and a WAL cut off by power loss at any place.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::*;
use crate::SECTIONS;

/// Random-looking bytes that no other call gives: findable in a file.
fn mark(seed: u64, length: usize) -> Vec<u8> {
    let blocks = (0u64..)
        .flat_map(|block| digest(&[seed.to_be_bytes(), block.to_be_bytes()].concat()).into_iter());
    blocks.take(length).collect()
}

fn salt(seed: u64) -> [u8; 32] {
    digest(&mark(seed, 40))
}

/// Entry `number`, with sections from inline to many overflow pages.
fn marked(number: u64) -> Entry {
    let section = |which: u64| {
        let seed = number * 10 + which;
        let length = [20, 90, 700, 5_000, 40_000][(seed % 5) as usize];
        Some(Section { salt: salt(seed), bytes: mark(seed, length) })
    };
    Entry { leaf: mark(number * 10 + 9, 60), sections: [section(0), section(1), section(2)] }
}

fn exhibit(number: u64) -> Exhibit {
    let length = [10, 300, 3_000, 60_000][(number % 4) as usize];
    let bytes = mark(1_000_000 + number, length);
    Exhibit { digest: digest(&bytes), bytes }
}

fn batch(numbers: std::ops::Range<u64>) -> Batch {
    Batch {
        entries: numbers.clone().map(marked).collect(),
        exhibits: numbers.map(exhibit).collect(),
    }
}

fn files(dir: &Path) -> Vec<Vec<u8>> {
    fs::read_dir(dir).unwrap().map(|file| fs::read(file.unwrap().path()).unwrap()).collect()
}

/// How often 8 bytes in a row of any secret stand in a file.
fn traces(files: &[Vec<u8>], secrets: &[Vec<u8>]) -> usize {
    const BITS: u32 = 24;
    let slot = |key: u64| (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - BITS)) as usize;
    let mut maybe = vec![false; 1 << BITS]; // quick to ask for most windows
    let mut needles = std::collections::HashSet::new();
    for key in secrets.iter().flat_map(|secret| windows(secret)) {
        maybe[slot(key)] = true;
        needles.insert(key);
    }
    let all = files.iter().flat_map(|file| windows(file));
    all.filter(|key| maybe[slot(*key)] && needles.contains(key)).count()
}

/// Every 8 bytes in a row, as a number.
fn windows(bytes: &[u8]) -> impl Iterator<Item = u64> {
    let keys = bytes.iter().scan(0, |key, byte| {
        *key = *key << 8 | u64::from(*byte);
        Some(*key)
    });
    keys.skip(7)
}

#[test]
fn nothing_of_the_erased_is_left_in_any_file() {
    let dir = tempfile::tempdir().unwrap();
    let journal = SqliteJournal::open(&dir.path().join("journal")).unwrap();
    let all = 60;
    for from in (0..all).step_by(6) {
        journal.append(from, &batch(from..from + 6)).unwrap();
    }
    let gone: Vec<u64> = (0..all).filter(|number| number % 3 != 1).collect();
    let mut secrets = Vec::new();
    let mut sections = Vec::new();
    for number in &gone {
        let which = (number % SECTIONS as u64) as usize;
        for section in [which, (which + 1) % SECTIONS] {
            sections.push((*number, section));
            let erased = marked(*number).sections[section].clone().unwrap();
            secrets.extend([erased.bytes, erased.salt.to_vec()]);
        }
        secrets.push(exhibit(*number).bytes);
    }
    assert!(traces(&files(dir.path()), &secrets) > 1_000, "the search finds what is there");
    let exhibits: Vec<Digest> = gone.iter().map(|number| exhibit(*number).digest).collect();
    journal.erase(&sections, &exhibits).unwrap();
    assert_eq!(traces(&files(dir.path()), &secrets), 0, "with the journal open");
    journal.append(all, &batch(all..all + 6)).unwrap();
    journal.erase(&sections, &exhibits).unwrap();
    assert_eq!(traces(&files(dir.path()), &secrets), 0, "after pages were used again");
    journal.check().unwrap();
    let left = journal.read(0, 99).unwrap();
    for (number, entry) in (0..).zip(&left) {
        let mut wanted = marked(number);
        for (_, section) in sections.iter().filter(|(seq, _)| *seq == number) {
            wanted.sections[*section] = None;
        }
        assert!(*entry == wanted, "entry {number} keeps the rest");
    }
    assert_eq!(left.len() as u64, all + 6);
}

#[test]
fn the_digest_of_an_erased_exhibit_goes_too_however_the_index_grew() {
    let dir = tempfile::tempdir().unwrap();
    let journal = SqliteJournal::open(&dir.path().join("journal")).unwrap();
    // Enough small ones to split the pages of the index many times.
    let small = |number: u64| {
        let bytes = mark(7_000_000 + number, 12);
        Exhibit { digest: digest(&bytes), bytes }
    };
    for from in (0..2_000).step_by(50) {
        let exhibits = (from..from + 50).map(small).collect();
        journal.append(0, &Batch { entries: Vec::new(), exhibits }).unwrap();
    }
    let gone: Vec<Digest> = (0..2_000).step_by(7).map(|number| small(number).digest).collect();
    let secrets: Vec<Vec<u8>> = gone.iter().map(|digest| digest.to_vec()).collect();
    assert!(traces(&files(dir.path()), &secrets) > 1_000, "the search finds what is there");
    journal.erase(&[], &gone).unwrap();
    assert_eq!(traces(&files(dir.path()), &secrets), 0);
    journal.check().unwrap();
    assert!(journal.exhibit(&small(1).digest).unwrap().is_some());
}

#[test]
fn an_erasure_says_when_a_reader_keeps_old_pages() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    let journal = SqliteJournal::open(&path).unwrap();
    journal.append(0, &batch(0..3)).unwrap();
    let stranger = schema::reader(&path).unwrap();
    stranger.execute_batch("BEGIN; SELECT count(*) FROM entry;").unwrap();
    journal.writer().busy_timeout(std::time::Duration::ZERO).unwrap();
    let refused = journal.erase(&[(0, 1)], &[]).unwrap_err();
    assert!(refused.to_string().contains("erase again"), "{refused}");
    stranger.execute_batch("COMMIT").unwrap();
    journal.erase(&[(0, 1)], &[]).unwrap();
    assert_eq!(traces(&files(dir.path()), &[salt(1).to_vec()]), 0);
}

#[test]
fn files_are_private_and_folders_made() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("deep/er/journal");
    let journal = SqliteJournal::open(&path).unwrap();
    journal.append(0, &batch(0..1)).unwrap();
    for (name, mode) in [("journal", 0o600), ("journal-wal", 0o600), ("", 0o700)] {
        let found = fs::metadata(path.parent().unwrap().join(name)).unwrap().permissions().mode();
        assert_eq!(found & 0o777, mode, "{name:?}");
    }
}

#[test]
fn a_newer_format_is_refused_untouched() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    drop(SqliteJournal::open(&path).unwrap());
    let newer = Connection::open(&path).unwrap();
    newer.pragma_update(None, "user_version", 7).unwrap();
    newer.close().unwrap();
    let before = fs::read(&path).unwrap();
    assert_newer_and_untouched(&path, &before);
    // The same with something left in the log by a crash of the newer version.
    let newer = Connection::open(&path).unwrap();
    newer.execute_batch("INSERT INTO cell VALUES ('from the future', x'00')").unwrap();
    let wal = fs::read(dir.path().join("journal-wal")).unwrap();
    let crashed = tempfile::tempdir().unwrap();
    fs::write(crashed.path().join("journal"), &before).unwrap();
    fs::write(crashed.path().join("journal-wal"), &wal).unwrap();
    assert_newer_and_untouched(&crashed.path().join("journal"), &before);
    assert!(fs::read(crashed.path().join("journal-wal")).unwrap() == wal);
}

fn assert_newer_and_untouched(path: &Path, before: &[u8]) {
    let refused = SqliteJournal::open(path).unwrap_err();
    assert!(matches!(refused, OpenError::Newer { found: 7, known: 1, .. }), "{refused}");
    assert!(fs::read(path).unwrap() == before);
}

#[test]
fn what_is_no_journal_is_refused_untouched() {
    let dir = tempfile::tempdir().unwrap();
    let foreign = dir.path().join("foreign");
    Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
    let text = dir.path().join("text");
    fs::write(&text, "dear host, ".repeat(1_000)).unwrap();
    for path in [foreign, text] {
        let before = fs::read(&path).unwrap();
        let refused = SqliteJournal::open(&path).unwrap_err();
        assert!(matches!(refused, OpenError::NotAJournal { .. }), "{refused}");
        assert!(fs::read(&path).unwrap() == before, "{}", path.display());
    }
    let refused = SqliteJournal::open(dir.path()).unwrap_err();
    assert!(matches!(refused, OpenError::Io { .. }), "a directory: {refused}");
}

#[test]
fn a_full_disk_is_named_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let journal = SqliteJournal::open(&dir.path().join("journal")).unwrap();
    journal.append(0, &batch(0..4)).unwrap();
    journal
        .writer()
        .execute_batch("PRAGMA max_page_count = 1")
        .expect("the limit becomes the present size");
    let refused = journal.append(4, &batch(4..40)).unwrap_err();
    assert!(matches!(refused, JournalError::Full { .. }), "{refused}");
    assert_eq!(journal.head().unwrap(), 4);
    journal.writer().execute_batch("PRAGMA max_page_count = 1000000").unwrap();
    assert_eq!(journal.append(4, &batch(4..40)).unwrap(), 40);
    journal.check().unwrap();
}

/// A power loss leaves the database and some prefix of the WAL. Whatever the length: the journal
/// opens, holds whole batches only, and all of those whose frames are there.
#[test]
fn a_wal_cut_anywhere_leaves_whole_batches() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    let journal = SqliteJournal::open(&path).unwrap();
    let wal_path = dir.path().join("journal-wal");
    let mut ends = Vec::new(); // (length of the WAL after the batch, head)
    for from in (0..15).step_by(3) {
        journal.append(from, &batch(from..from + 3)).unwrap();
        ends.push((fs::metadata(&wal_path).unwrap().len(), from + 3));
    }
    let (database, wal) = (fs::read(&path).unwrap(), fs::read(&wal_path).unwrap());
    let last = ends.last().unwrap().0;
    let image = tempfile::tempdir().unwrap();
    let cuts = (0..=last).step_by(16_001).chain(ends.iter().flat_map(|(end, _)| [*end - 1, *end]));
    for cut in cuts {
        fs::write(image.path().join("journal"), &database).unwrap();
        fs::write(image.path().join("journal-wal"), &wal[..cut as usize]).unwrap();
        let _ = fs::remove_file(image.path().join("journal-shm"));
        let kept = ends.iter().filter(|(end, _)| *end <= cut).map(|(_, head)| *head).max();
        let survivor = SqliteJournal::open(&image.path().join("journal")).unwrap();
        assert_eq!(survivor.head().unwrap(), kept.unwrap_or(0), "cut at {cut}");
        survivor.check().unwrap();
        let entries = survivor.read(0, 99).unwrap();
        assert!((0..).zip(&entries).all(|(number, entry)| *entry == marked(number)), "{cut}");
    }
}

/// Damage anywhere is an error or goes unnoticed by this crate (the ledger verifies what entries
/// say); it is never a panic, and never a false exhibit.
#[test]
fn damage_is_named_never_a_panic() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    let journal = SqliteJournal::open(&path).unwrap();
    journal.append(0, &batch(0..12)).unwrap();
    journal.erase(&[], &[]).unwrap(); // everything into the database file
    drop(journal);
    let whole = fs::read(&path).unwrap();
    let mut named = 0;
    let places = (0..whole.len()).step_by(whole.len() / 120);
    for (place, pattern) in places.zip([0x01, 0x80, 0xff].into_iter().cycle()) {
        let mut hurt = whole.clone();
        hurt[place] ^= pattern;
        let cut = if place % 5 == 0 { place } else { hurt.len() };
        fs::write(&path, &hurt[..cut]).unwrap();
        named += usize::from(is_noticed(&path));
    }
    assert!(named > 30, "only {named} of 120 damages were noticed");
}

fn is_noticed(path: &Path) -> bool {
    let Ok(journal) = SqliteJournal::open(path) else { return true };
    for number in 0..12 {
        if let Ok(Some(bytes)) = journal.exhibit(&exhibit(number).digest) {
            assert!(bytes == exhibit(number).bytes);
        }
    }
    let read = journal.read(0, 99);
    let _ = journal.append(12, &Batch::default());
    journal.check().is_err() || read.is_err()
}

#[test]
fn a_missing_row_and_a_short_salt_are_damage() {
    let dir = tempfile::tempdir().unwrap();
    let journal = SqliteJournal::open(&dir.path().join("journal")).unwrap();
    journal.append(0, &batch(0..5)).unwrap();
    journal.writer().execute_batch("UPDATE entry SET who_salt = x'00' WHERE seq = 3").unwrap();
    let refused = journal.read(0, 9).unwrap_err().to_string();
    assert!(refused.contains("entry 3") && refused.contains("salt"), "{refused}");
    journal.writer().execute_batch("DELETE FROM entry WHERE seq = 1").unwrap();
    let refused = journal.read(0, 9).unwrap_err().to_string();
    assert!(refused.contains("damaged at entry 1"), "{refused}");
    assert!(matches!(journal.check().unwrap_err(), JournalError::Damaged { .. }));
}

#[test]
fn readers_do_not_wait_for_a_writer() {
    let dir = tempfile::tempdir().unwrap();
    let journal = SqliteJournal::open(&dir.path().join("journal")).unwrap();
    journal.append(0, &batch(0..2)).unwrap();
    let mut writer = journal.writer();
    let change = begin(&mut writer, "test").unwrap();
    insert_entries(&change, 2, &[marked(2)]).unwrap();
    // The writer's mutex and the database's write lock are both taken: this must answer.
    assert_eq!(journal.head().unwrap(), 2);
    assert_eq!(journal.read(0, 9).unwrap().len(), 2);
    change.commit().unwrap();
    assert_eq!(journal.head().unwrap(), 3);
}

#[test]
fn a_journal_that_cannot_be_written_is_read_to_its_newest_entry_and_left_as_it_is() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (old, new) = (from.path().join("j"), to.path().join("a b%3fj"));
    let journal = SqliteJournal::open(&old).unwrap();
    journal.append(0, &batch(0..3)).unwrap();
    let files = || {
        let read = fs::read_dir(to.path()).unwrap().map(|file| file.unwrap().path());
        let mut all: Vec<_> = read.map(|path| (fs::read(&path).unwrap(), path)).collect();
        all.sort();
        all
    };
    // As a killed process leaves it, with a log; then as one that ended.
    for logged in [true, false] {
        fs::copy(&old, &new).unwrap();
        if logged {
            fs::copy(from.path().join("j-wal"), to.path().join("a b%3fj-wal")).unwrap();
        } else {
            journal.empty_wal(&journal.writer()).unwrap();
            fs::copy(&old, &new).unwrap();
            fs::remove_file(to.path().join("a b%3fj-wal")).unwrap();
        }
        let before = files();
        let still = SqliteJournal::open_still(&new, Unwritable::Full).unwrap();
        assert_eq!(still.read(0, 9).unwrap(), journal.read(0, 9).unwrap(), "{logged}");
        still.check().unwrap();
        let refused = still.append(3, &batch(3..4)).unwrap_err();
        assert_eq!(refused.unwritable(), Some(Unwritable::Full));
        assert!(still.swap_cell("c", None, b"x").is_err() && still.erase(&[(0, 0)], &[]).is_err());
        drop(still);
        assert_eq!(files(), before, "{logged}: something was written");
    }
}
