//! SQLite's answers in the words of the journal. Nothing here decides; it only names.
//!
//! Damage (a file that contradicts itself), a full disk and everything else are three different
//! errors, because three different people act on them.

use std::path::PathBuf;

use rusqlite::ErrorCode;

use crate::JournalError;

/// Why a database could not be opened as a journal.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Something else is at this path. It was not changed.
    #[error("{path} is not a journal of Bailee ({detail}): name another path, or move it away",
        path = path.display())]
    NotAJournal {
        /// The path.
        path: PathBuf,
        /// What it is instead.
        detail: String,
    },
    /// A newer Bailee wrote it. It was not changed.
    #[error("{path} has format {found}, this version knows up to {known}: use a newer Bailee",
        path = path.display())]
    Newer {
        /// The path.
        path: PathBuf,
        /// Format of the file.
        found: i64,
        /// Newest format known here.
        known: i64,
    },
    /// The path is out of reach.
    #[error("could not open the journal {path}: {detail}", path = path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// The medium's own words.
        detail: String,
    },
    /// The journal was found, and did not answer.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// Names an SQLite error that came while `doing` something.
pub(super) fn failed(doing: &'static str) -> impl Fn(rusqlite::Error) -> JournalError {
    move |error| match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            damaged("the database file", &format!("{error}, found while trying to {doing}"))
        }
        Some(ErrorCode::DiskFull) => JournalError::Full { doing: doing.to_owned() },
        Some(ErrorCode::ReadOnly) => JournalError::ReadOnly { doing: doing.to_owned() },
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => JournalError::Io {
            doing: doing.to_owned(),
            detail: "another process held its lock for too long; try again".to_owned(),
        },
        Some(_) => JournalError::Io { doing: doing.to_owned(), detail: error.to_string() },
        // Not SQLite itself but a value of another type than the schema says.
        None => damaged("a row", &format!("{error}, found while trying to {doing}")),
    }
}

/// Stored bytes contradict themselves.
pub(super) fn damaged(place: &str, detail: &str) -> JournalError {
    JournalError::Damaged { place: place.to_owned(), detail: detail.to_owned() }
}

/// A stored sequence number, which cannot be negative.
pub(super) fn count(stored: i64) -> Result<u64, JournalError> {
    u64::try_from(stored).map_err(|_| damaged(&format!("entry {stored}"), "its number is negative"))
}

/// SQLite counts to 2^63 - 1.
pub(super) fn seq_error(seq: u64) -> JournalError {
    JournalError::NotThere { thing: format!("place for an entry {seq}") }
}
