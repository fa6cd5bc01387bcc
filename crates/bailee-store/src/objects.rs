//! Objects: named bytes, put once. Packs, large exhibits and published checkpoints live here.
//!
//! Invariants
//! 1. An object is whole or absent: no reader ever sees half of one.
//! 2. `put` returns only when the object and its directory entry survive power loss.
//! 3. An object is never replaced. Putting the same name again answers `AlreadyThere`
//!    and leaves the first bytes; the caller compares if it must.
//! 4. Names are relative, `/`-separated, of `[A-Za-z0-9._-]` segments; `.`/`..` are refused.
//!
//! Synchronous for the same reason as the journal; callers bring their own threads.

use std::io::Read;
use std::ops::Range;

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
    /// The range reaches past the end.
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
    /// The medium failed.
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

/// Put-once named bytes.
pub trait Objects: Send + Sync {
    /// Stores `bytes` under `name`, durable on return.
    fn put(&self, name: &str, bytes: &[u8]) -> Result<Put, ObjectError>;
    /// Streams an object in, durable on return; a reader's error leaves nothing behind.
    fn put_stream(&self, name: &str, from: &mut dyn Read) -> Result<Put, ObjectError>;
    /// The whole object.
    fn get(&self, name: &str) -> Result<Vec<u8>, ObjectError>;
    /// Exactly the bytes of `range`.
    fn get_range(&self, name: &str, range: Range<u64>) -> Result<Vec<u8>, ObjectError>;
    /// A reader from the first byte on.
    fn open(&self, name: &str) -> Result<Box<dyn Read + Send>, ObjectError>;
    /// Size in bytes.
    fn size(&self, name: &str) -> Result<u64, ObjectError>;
    /// All names that start with `prefix`, sorted.
    fn list(&self, prefix: &str) -> Result<Vec<String>, ObjectError>;
    /// Removes an object; absent is not an error. Durable on return.
    fn delete(&self, name: &str) -> Result<(), ObjectError>;
}
