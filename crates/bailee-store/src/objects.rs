//! Objects: named bytes, put once. Packs, large exhibits and published checkpoints live here.
//!
//! Invariants
//! 1. An object is whole or absent: no reader ever sees half of one.
//! 2. `put` returns only when the object and its directory entry survive power loss.
//! 3. An object is never replaced. Putting the same name again answers `AlreadyThere`
//!    and leaves the first bytes; the caller compares if it must.
//! 4. Names are relative, `/`-separated, of `[A-Za-z0-9._-]` segments; `.`/`..` are refused.
//!    A segment has at most 255 bytes, a name at most 1024 (`check_name`).
//! 5. A name is never also a folder of another: with `a` stored, `a/b` is refused, and the
//!    other way round; a folder stays one when it has been emptied. Stores that could hold both
//!    refuse it all the same.
//!
//! Synchronous for the same reason as the journal; callers bring their own threads.

use std::io::Read;
use std::ops::Range;

use crate::direct::Room;
use crate::medium::Unwritable;

/// What `put` found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// Written now, durable.
    Stored,
    /// There before; nothing was written.
    AlreadyThere,
}

/// Why the object store did not answer.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// No such object.
    #[error("object {name} is not there")]
    NotFound {
        /// Its name.
        name: String,
    },
    /// The name breaks invariant 4.
    #[error("{name:?} is not an object name: {detail}")]
    BadName {
        /// As given.
        name: String,
        /// Which rule.
        detail: &'static str,
    },
    /// The range reaches past the end, or ends before it starts.
    #[error("object {name} has {size} bytes, asked for {start}..{end}")]
    BadRange {
        /// Its name.
        name: String,
        /// Its size, bytes.
        size: u64,
        /// First byte asked for.
        start: u64,
        /// One past the last.
        end: u64,
    },
    /// No space is left; nothing of the object was kept.
    #[error("could not {doing} object {name}: the disk is full; free space there and try again")]
    Full {
        /// The operation, as a verb.
        doing: &'static str,
        /// Its name.
        name: String,
    },
    /// The medium failed, or the reader that was to be stored.
    #[error("could not {doing} object {name}: {detail}")]
    Io {
        /// The operation, as a verb.
        doing: &'static str,
        /// Its name.
        name: String,
        /// The medium's own words.
        detail: String,
    },
}

impl ObjectError {
    /// The medium takes no more.
    pub fn unwritable(&self) -> Option<Unwritable> {
        match self {
            ObjectError::Full { .. } => Some(Unwritable::Full),
            ObjectError::Io { detail, .. } => Unwritable::said(detail),
            _ => None,
        }
    }
}

/// Longest object name, bytes (S3's own limit).
pub const MAX_NAME: usize = 1024;
/// Longest segment of a name, bytes (NAME_MAX of common file systems).
pub const MAX_SEGMENT: usize = 255;

/// Whether `name` keeps invariant 4; `BadName` says which part does not.
pub fn check_name(name: &str) -> Result<(), ObjectError> {
    let bad = |detail| Err(ObjectError::BadName { name: name.to_owned(), detail });
    if name.is_empty() {
        return bad("it is empty");
    }
    if name.len() > MAX_NAME {
        return bad("it is longer than 1024 bytes");
    }
    for segment in name.split('/') {
        match segment {
            "" => return bad("it has an empty segment"),
            "." | ".." => return bad("it has a segment `.` or `..`"),
            long if long.len() > MAX_SEGMENT => return bad("a segment is longer than 255 bytes"),
            other if !other.bytes().all(is_name_byte) => {
                return bad("only letters, digits, `.`, `_`, `-` and `/` are allowed");
            }
            _ => {}
        }
    }
    Ok(())
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}

/// The folders a name lies in, outermost first: `a/b/c` gives `a`, `a/b`.
pub(crate) fn folders(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('/').filter_map(|(at, _)| name.get(..at))
}

/// The refusal of invariant 5.
pub(crate) fn name_is_folder(name: &str) -> ObjectError {
    ObjectError::BadName {
        name: name.to_owned(),
        detail: "a name cannot be an object and a folder at once, and it is one of them",
    }
}

/// All of a stream that is to be stored, for a store that puts whole objects.
pub(crate) fn read_all(name: &str, from: &mut dyn Read) -> Result<Vec<u8>, ObjectError> {
    let mut bytes = Vec::new();
    match from.read_to_end(&mut bytes) {
        Ok(_) => Ok(bytes),
        Err(error) => Err(ObjectError::Io {
            doing: "read what was to be stored as",
            name: name.to_owned(),
            detail: error.to_string(),
        }),
    }
}

/// The refusal of a range that does not fit.
pub(crate) fn bad_range(name: &str, size: u64, range: &Range<u64>) -> ObjectError {
    ObjectError::BadRange { name: name.to_owned(), size, start: range.start, end: range.end }
}

/// One object, open for many reads.
pub trait Ranges: Send + Sync {
    /// Exactly the bytes of `range`, in memory of the caller's.
    fn read<'r>(&self, range: Range<u64>, room: &'r mut Room) -> Result<&'r mut [u8], ObjectError>;
}

/// Put-once named bytes.
pub trait Objects: Send + Sync {
    /// Stores `bytes` under `name`, durable on return.
    fn put(&self, name: &str, bytes: &[u8]) -> Result<Put, ObjectError>;
    /// Streams an object in, durable on return; a reader's error leaves nothing behind.
    /// If the name is there already, `from` may be left unread.
    fn put_stream(&self, name: &str, from: &mut dyn Read) -> Result<Put, ObjectError>;
    /// The whole object.
    fn get(&self, name: &str) -> Result<Vec<u8>, ObjectError>;
    /// Exactly the bytes of `range`.
    fn get_range(&self, name: &str, range: Range<u64>) -> Result<Vec<u8>, ObjectError>;
    /// A handle for many ranges of one object; `None` if this store has none that is cheaper than
    /// `get_range`. What was opened may be read on after the object was deleted. That there is no
    /// such object is said here, or at the first read.
    fn ranges(&self, _name: &str) -> Result<Option<Box<dyn Ranges>>, ObjectError> {
        Ok(None)
    }
    /// A reader from the first byte on.
    fn open(&self, name: &str) -> Result<Box<dyn Read + Send>, ObjectError>;
    /// Size in bytes.
    fn size(&self, name: &str) -> Result<u64, ObjectError>;
    /// All names that start with `prefix`, sorted.
    fn list(&self, prefix: &str) -> Result<Vec<String>, ObjectError>;
    /// Removes an object; absent is not an error. Durable on return.
    fn delete(&self, name: &str) -> Result<(), ObjectError>;
    /// Removes several, at less cost if the store can; after an error some may be gone.
    fn delete_all(&self, names: &[String]) -> Result<(), ObjectError> {
        names.iter().try_for_each(|name| self.delete(name))
    }
}
