//! Room: can the house still record what comes in?
//!
//! Invariants: after an append that failed it is not ready until an append, or a trial write to the
//! directory, has succeeded; a disk that is about to be full is told before anything has failed.
//! Out of scope: room for what is not in the directory (a bucket).

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bailee_store::Unwritable;

/// What the last append came to.
#[derive(Debug, Default)]
pub(crate) struct Room(Mutex<Option<Trouble>>);

/// Why nothing can be recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// The medium takes no more.
    pub(crate) why: Option<Unwritable>,
    /// In words.
    pub(crate) words: String,
}

impl Room {
    fn last(&self) -> MutexGuard<'_, Option<Trouble>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something is durable.
    pub(crate) fn appended(&self) {
        *self.last() = None;
    }

    /// Something could not be made durable.
    pub(crate) fn failed(&self, words: &str, why: Option<Unwritable>) {
        *self.last() = Some(Trouble { why, words: words.to_owned() });
    }

    /// What keeps the house from recording; `None` if nothing is known to.
    pub(crate) fn trouble(&self, dir: Option<&Path>) -> Option<Trouble> {
        let of = |why: Unwritable| Trouble { why: Some(why), words: why.to_string() };
        let mut last = self.last();
        if let (Some(_), Some(dir)) = (&*last, dir) {
            *last = Unwritable::tried(dir).err().map(|error| {
                let why = Unwritable::of(&error);
                Trouble { why, words: why.map_or(error.to_string(), |why| why.to_string()) }
            });
        }
        last.clone().or_else(|| Unwritable::told(dir?).map(of))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_failure_an_append_or_a_trial_makes_it_ready() {
        let (room, dir) = (Room::default(), tempfile::tempdir().unwrap());
        assert_eq!(room.trouble(None), None);
        room.failed("planned", None);
        assert_eq!(room.trouble(None).unwrap().words, "planned");
        room.appended();
        assert_eq!(room.trouble(None), None);
        room.failed("planned", Some(Unwritable::Full));
        assert_eq!(room.trouble(Some(dir.path())), None, "it can be written to");
        room.failed("planned", None);
        let gone = dir.path().join("gone");
        assert_eq!(room.trouble(Some(&gone)).unwrap().why, None, "it is not there");
    }
}
