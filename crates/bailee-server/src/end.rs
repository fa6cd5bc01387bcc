//! The end of a thread of the service: what it and whoever ends it tell each other.
//!
//! Invariants: after the end was said, the thread does nothing with the house any more; the house
//! is in its hands for single steps only, so that an engine that does not answer keeps the end of
//! the service waiting for none of them.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use crate::house::House;

/// Whether it was said.
#[derive(Default)]
pub(crate) struct End {
    told: Mutex<Told>,
    changed: Condvar,
}

#[derive(Default)]
struct Told {
    /// The end was said.
    said: bool,
    /// The thread has the house in its hands.
    holding: bool,
}

impl End {
    fn lock(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the end was said.
    pub(crate) fn is_said(&self) -> bool {
        self.lock().said
    }

    /// Waits; true if the end was said.
    pub(crate) fn wait(&self, most: Duration) -> bool {
        let waited = self.changed.wait_timeout_while(self.lock(), most, |told| !told.said);
        waited.unwrap_or_else(PoisonError::into_inner).0.said
    }

    /// Does something with the house, unless the end was said or it is gone.
    pub(crate) fn with<R>(&self, house: &Weak<House>, act: impl FnOnce(&House) -> R) -> Option<R> {
        let mut told = self.lock();
        if told.said {
            return None;
        }
        told.holding = true;
        drop(told);
        let done = house.upgrade().map(|house| act(&house));
        self.lock().holding = false;
        self.changed.notify_all();
        done
    }

    /// Says it, and waits at most so long for the step that is being made; whether it was made.
    pub(crate) fn say(&self, patience: Duration) -> bool {
        let mut told = self.lock();
        told.said = true;
        self.changed.notify_all();
        let waited = self.changed.wait_timeout_while(told, patience, |told| told.holding);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }
}
