//! What every journal must do. One function per promise of the trait.
//!
//! Each promise starts on a fresh journal, so that their order does not matter.
//! Out of scope: speed; erasure from files, which only the owner of the files can look at.

use std::thread;

use super::{OpenJournal, must, refused};
use crate::{Batch, Entry, Exhibit, JournalError, Section, digest};

/// Runs every promise on a fresh journal from `make`.
pub fn journal(make: &dyn Fn() -> OpenJournal) {
    starts_empty(&make());
    reads_back_what_was_appended(&make());
    refuses_another_head(&make());
    a_batch_is_all_or_nothing(&make());
    survives_a_restart(&make());
    takes_large_batches(&make());
    a_race_has_one_winner(&make());
    keeps_exhibits_by_digest(&make());
    erases_sections_and_exhibits(&make());
    refuses_to_erase_what_is_not_there(&make());
    swaps_cells(&make());
    a_cell_race_has_one_winner(&make());
}

fn entry(number: u64) -> Entry {
    let text = |what: &str| format!("{what} of entry {number}").into_bytes();
    let salt = |mark: u8| {
        let mut salt = [mark; 32];
        salt[..8].copy_from_slice(&number.to_be_bytes());
        salt
    };
    let section = |mark, bytes| Some(Section { salt: salt(mark), bytes });
    let who = if number.is_multiple_of(2) { None } else { section(2, Vec::new()) };
    let sections = [section(1, text("what")), who, section(3, text("papers"))];
    Entry { leaf: text("leaf"), sections }
}

fn entries(from: u64, to: u64) -> Batch {
    Batch { entries: (from..to).map(entry).collect(), exhibits: Vec::new() }
}

fn exhibit(bytes: &[u8]) -> Exhibit {
    Exhibit { digest: digest(bytes), bytes: bytes.to_vec() }
}

fn starts_empty(open: &OpenJournal) {
    let journal = open();
    assert_eq!(must(journal.head(), "head"), 0);
    assert!(must(journal.read(0, 10), "read").is_empty());
    assert_eq!(must(journal.exhibit(&digest(b"")), "exhibit"), None);
    assert_eq!(must(journal.cell("checkpoint"), "cell"), None);
}

fn reads_back_what_was_appended(open: &OpenJournal) {
    let journal = open();
    assert_eq!(must(journal.append(0, &entries(0, 3)), "append"), 3);
    assert_eq!(must(journal.append(3, &entries(3, 3)), "append nothing"), 3);
    assert_eq!(must(journal.append(3, &entries(3, 10)), "append"), 10);
    assert_eq!(must(journal.head(), "head"), 10);
    for (from, limit, to) in
        [(0, 10, 10), (0, 99, 10), (0, usize::MAX, 10), (4, 3, 7), (9, 5, 10), (2, 0, 2)]
    {
        let wanted: Vec<Entry> = (from..to).map(entry).collect();
        assert_eq!(must(journal.read(from, limit), "read"), wanted, "from {from}, limit {limit}");
    }
    for beyond in [10, 11, i64::MAX as u64, u64::MAX] {
        assert!(must(journal.read(beyond, 5), "read beyond the head").is_empty(), "{beyond}");
    }
}

fn refuses_another_head(open: &OpenJournal) {
    let journal = open();
    must(journal.append(0, &entries(0, 5)), "append");
    for wrong in [0, 4, 6, u64::MAX] {
        let batch = Batch { entries: vec![entry(99)], exhibits: vec![exhibit(b"stray")] };
        refused!(
            journal.append(wrong, &batch),
            JournalError::Conflict { expected, head: 5 } if expected == wrong
        );
    }
    assert_eq!(must(journal.head(), "head"), 5);
    assert_eq!(must(journal.exhibit(&digest(b"stray")), "exhibit"), None);
}

fn a_batch_is_all_or_nothing(open: &OpenJournal) {
    let journal = open();
    let false_one = Exhibit { digest: digest(b"claimed"), bytes: b"other".to_vec() };
    let batch = Batch { entries: vec![entry(0)], exhibits: vec![exhibit(b"good"), false_one] };
    refused!(journal.append(0, &batch), JournalError::WrongDigest { .. });
    assert_eq!(must(journal.head(), "head"), 0);
    assert_eq!(must(journal.exhibit(&digest(b"good")), "exhibit"), None);
    assert_eq!(must(journal.append(0, &entries(0, 1)), "append afterwards"), 1);
}

fn survives_a_restart(open: &OpenJournal) {
    let journal = open();
    let mut batch = entries(0, 20);
    batch.exhibits.push(exhibit(b"letter"));
    must(journal.append(0, &batch), "append");
    must(journal.swap_cell("checkpoint", None, b"signed"), "swap_cell");
    // One handle stays, for stores that live no longer than their handles.
    let restarted = open();
    drop(journal);
    assert_eq!(must(restarted.head(), "head"), 20);
    assert_eq!(must(restarted.read(0, 99), "read"), batch.entries);
    assert_eq!(must(restarted.exhibit(&digest(b"letter")), "exhibit"), Some(b"letter".to_vec()));
    assert_eq!(must(restarted.cell("checkpoint"), "cell"), Some(b"signed".to_vec()));
    assert_eq!(must(restarted.append(20, &entries(20, 21)), "append"), 21);
}

fn takes_large_batches(open: &OpenJournal) {
    let journal = open();
    let mut batch = entries(0, 5_000);
    let large = vec![7; 6 << 20];
    batch.exhibits.push(exhibit(&large));
    batch.exhibits.push(exhibit(b""));
    if let Some(last) = batch.entries.last_mut() {
        last.sections[2] = Some(Section { salt: [9; 32], bytes: vec![8; 3 << 20] });
    }
    assert_eq!(must(journal.append(0, &batch), "append"), 5_000);
    assert!(must(journal.read(0, 5_000), "read") == batch.entries, "5000 entries come back");
    assert!(must(journal.exhibit(&digest(&large)), "exhibit") == Some(large), "6 MiB come back");
    assert_eq!(must(journal.exhibit(&digest(b"")), "exhibit"), Some(Vec::new()));
}

/// Two handles append at the same head, many times: one wins, the other learns the new head.
fn a_race_has_one_winner(open: &OpenJournal) {
    const ROUNDS: u64 = 20;
    let handles = [open(), open()];
    for round in 0..ROUNDS {
        let answers: Vec<_> = thread::scope(|scope| {
            let racers: Vec<_> = handles
                .iter()
                .map(|journal| {
                    scope.spawn(move || journal.append(round, &entries(round, round + 1)))
                })
                .collect();
            racers.into_iter().map(|racer| racer.join()).collect()
        });
        let mut won = 0;
        for answer in answers {
            match answer {
                Ok(Ok(head)) => {
                    assert_eq!(head, round + 1);
                    won += 1;
                }
                Ok(Err(JournalError::Conflict { head, .. })) => assert_eq!(head, round + 1),
                Ok(Err(other)) => panic!("round {round}: {other}"),
                Err(_) => panic!("round {round}: a racer panicked"),
            }
        }
        assert_eq!(won, 1, "round {round}");
    }
    for journal in &handles {
        let wanted: Vec<Entry> = (0..ROUNDS).map(entry).collect();
        assert_eq!(must(journal.read(0, 99), "read"), wanted);
    }
}

fn keeps_exhibits_by_digest(open: &OpenJournal) {
    let journal = open();
    let batch = Batch { entries: Vec::new(), exhibits: vec![exhibit(b"one"), exhibit(b"two")] };
    assert_eq!(must(journal.append(0, &batch), "append exhibits only"), 0);
    let again = Batch { entries: vec![entry(0)], exhibits: vec![exhibit(b"two"), exhibit(b"two")] };
    assert_eq!(must(journal.append(0, &again), "append one twice"), 1);
    for bytes in [b"one", b"two"] {
        assert_eq!(must(journal.exhibit(&digest(bytes)), "exhibit"), Some(bytes.to_vec()));
    }
    assert_eq!(must(journal.exhibit(&digest(b"three")), "exhibit"), None);
}

fn erases_sections_and_exhibits(open: &OpenJournal) {
    let journal = open();
    let mut batch = entries(0, 4);
    batch.exhibits = vec![exhibit(b"keep"), exhibit(b"destroy")];
    must(journal.append(0, &batch), "append");
    let gone = [digest(b"destroy"), digest(b"never there")];
    for time in ["erase", "erase again"] {
        must(journal.erase(&[(1, 0), (1, 1), (2, 2), (2, 2)], &gone), time);
        let mut wanted = batch.entries.clone();
        wanted[1].sections[0] = None;
        wanted[1].sections[1] = None;
        wanted[2].sections[2] = None;
        assert_eq!(must(journal.read(0, 9), "read"), wanted, "{time}");
        assert_eq!(must(open().read(0, 9), "read elsewhere"), wanted, "{time}");
        assert_eq!(must(journal.exhibit(&digest(b"destroy")), "exhibit"), None);
        assert_eq!(must(journal.exhibit(&digest(b"keep")), "exhibit"), Some(b"keep".to_vec()));
    }
    must(journal.erase(&[], &[]), "erase nothing");
    let again = Batch { entries: Vec::new(), exhibits: vec![exhibit(b"destroy")] };
    must(journal.append(4, &again), "receive the same bytes again");
    let found = must(journal.exhibit(&digest(b"destroy")), "exhibit");
    assert_eq!(found, Some(b"destroy".to_vec()));
    must(journal.erase(&[], &gone), "erase it again");
    assert_eq!(must(journal.exhibit(&digest(b"destroy")), "exhibit"), None);
}

fn refuses_to_erase_what_is_not_there(open: &OpenJournal) {
    let journal = open();
    let mut batch = entries(0, 2);
    batch.exhibits.push(exhibit(b"kept"));
    must(journal.append(0, &batch), "append");
    for wrong in [(2, 0), (0, 3), (u64::MAX, 1), (1, usize::MAX)] {
        let answer = journal.erase(&[(0, 0), wrong], &[digest(b"kept")]);
        refused!(answer, JournalError::NotThere { .. });
    }
    assert_eq!(must(journal.read(0, 9), "read"), batch.entries, "all or none");
    assert_eq!(must(journal.exhibit(&digest(b"kept")), "exhibit"), Some(b"kept".to_vec()));
}

fn swaps_cells(open: &OpenJournal) {
    let journal = open();
    let conflict = |answer| refused!(answer, JournalError::CellConflict { name } if name == "a");
    conflict(journal.swap_cell("a", Some(b""), b"1"));
    must(journal.swap_cell("a", None, b"1"), "create");
    conflict(journal.swap_cell("a", None, b"2"));
    conflict(journal.swap_cell("a", Some(b"2"), b"3"));
    must(journal.swap_cell("a", Some(b"1"), b""), "replace by nothing");
    assert_eq!(must(journal.cell("a"), "cell"), Some(Vec::new()));
    must(journal.swap_cell("a", Some(b""), &[5; 100_000]), "replace by much");
    assert_eq!(must(open().cell("a"), "cell elsewhere"), Some(vec![5; 100_000]));
    assert_eq!(must(journal.cell("b"), "another cell"), None);
    must(journal.swap_cell("ü/ \0\u{1f40b}'", None, b"x"), "any name");
    assert_eq!(must(journal.cell("ü/ \0\u{1f40b}'"), "cell"), Some(b"x".to_vec()));
    assert_eq!(must(journal.head(), "head"), 0);
}

fn a_cell_race_has_one_winner(open: &OpenJournal) {
    let handles = [open(), open()];
    for round in 0u8..10 {
        let before = round.checked_sub(1).map(|before| [before]);
        let expected = before.as_ref().map(|before| &before[..]);
        let won: usize = thread::scope(|scope| {
            let racers: Vec<_> = handles
                .iter()
                .map(|journal| scope.spawn(move || journal.swap_cell("c", expected, &[round])))
                .collect();
            racers
                .into_iter()
                .map(|racer| match racer.join() {
                    Ok(Ok(())) => 1,
                    Ok(Err(JournalError::CellConflict { .. })) => 0,
                    Ok(Err(other)) => panic!("round {round}: {other}"),
                    Err(_) => panic!("round {round}: a racer panicked"),
                })
                .sum()
        });
        assert_eq!(won, 1, "round {round}");
    }
}
