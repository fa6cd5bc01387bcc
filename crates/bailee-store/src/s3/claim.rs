//! Who of this process puts a name now.
//!
//! Invariants: of two puts whose names are equal, or of which one would be a folder of the other,
//! in the same place, one waits for the other to end; so each sees what the other left. A claim
//! ends when it is dropped, however its put ended.

use std::sync::{Condvar, Mutex, PoisonError};

/// Names being put: place and name.
static CLAIMED: Mutex<Vec<(String, String)>> = Mutex::new(Vec::new());
static ENDED: Condvar = Condvar::new();

/// The right to put one name.
pub(super) struct Claim {
    place: String,
    name: String,
}

impl Claim {
    /// Waits until nobody else puts that name, or one above or below it.
    pub(super) fn of(place: &str, name: &str) -> Claim {
        let (place, name) = (place.to_owned(), name.to_owned());
        let mut claimed = CLAIMED.lock().unwrap_or_else(PoisonError::into_inner);
        while claimed.iter().any(|(at, other)| *at == place && meet(other, &name)) {
            claimed = ENDED.wait(claimed).unwrap_or_else(PoisonError::into_inner);
        }
        claimed.push((place.clone(), name.clone()));
        Claim { place, name }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut claimed = CLAIMED.lock().unwrap_or_else(PoisonError::into_inner);
        claimed.retain(|(place, name)| (place, name) != (&self.place, &self.name));
        ENDED.notify_all();
    }
}

/// Equal, or one is a folder of the other.
fn meet(a: &str, b: &str) -> bool {
    let below = |long: &str, short: &str| {
        long.strip_prefix(short).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    below(a, b) || below(b, a)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_meet_when_one_would_be_a_folder_of_the_other() {
        for (a, b, wanted) in [
            ("a", "a", true),
            ("a", "a/b", true),
            ("a/b/c", "a", true),
            ("a", "ab", false),
            ("a/b", "a/c", false),
        ] {
            assert_eq!(meet(a, b), wanted, "{a} {b}");
        }
    }

    #[test]
    fn the_second_of_a_name_waits_for_the_first() {
        let first = Claim::of("claim-test", "a/b");
        drop((Claim::of("claim-test", "a/c"), Claim::of("claim-other", "a/b")));
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let second = Claim::of("claim-test", "a");
                tell.send(()).unwrap();
                drop(second);
            });
            let early = told.recv_timeout(std::time::Duration::from_millis(50));
            assert!(early.is_err(), "it did not wait");
            drop(first);
            told.recv().unwrap();
        });
    }
}
