//! Remains: a directory that was a house, and has lost its settings.
//!
//! Invariant: nobody is told to make a house there or to take anything away. Its keys open what the
//! vault keeps and nothing else does; its settings can be written again by hand.

use std::fs;
use std::path::Path;

use bailee_ledger::Checkpoint;
use bailee_ledger::checkpoint::parse_note;

use crate::house::HouseError;
use crate::publish::CHECKPOINT;

/// What only a house has; the first that is there is named.
const PARTS: [(&str, &str); 3] =
    [("journal.sqlite", "the journal"), ("keys", "the keys"), ("objects", "the objects")];

/// The error, if `dir` has something of a house.
pub(crate) fn of(dir: &Path) -> Option<HouseError> {
    let there = |name: &str| {
        let path = dir.join(name);
        // A directory in which nothing is has nothing to lose.
        path.is_file() || fs::read_dir(path).is_ok_and(|mut all| all.next().is_some())
    };
    let found: Vec<&str> =
        PARTS.iter().filter(|(name, _)| there(name)).map(|(_, what)| *what).collect();
    if found.is_empty() {
        return None;
    }
    let origin = log_name(dir).map_or_else(String::new, |name| {
        format!("; the log is called {name:?}, says its file `checkpoint`")
    });
    Some(HouseError::NoSettings { dir: dir.to_owned(), what: found.join(", "), origin })
}

/// The name in the file with the last signed checkpoint, if a signature has it too: a name that was
/// damaged is none. Who signed is not looked at.
pub(crate) fn log_name(dir: &Path) -> Option<String> {
    let note = parse_note(&fs::read(dir.join(CHECKPOINT)).ok()?).ok()?;
    let origin = Checkpoint::parse(note.text()).ok()?.origin;
    note.signatures().iter().any(|one| one.name == origin).then_some(origin)
}
