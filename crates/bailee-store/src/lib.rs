//! The I/O seam of Bailee: a [`Journal`] that is the truth, and [`Objects`] that are put once.

mod journal;
mod objects;

pub use journal::{Batch, Digest, Entry, Exhibit, Journal, JournalError, SECTIONS, Section};
pub use objects::{ObjectError, Objects, Put};
