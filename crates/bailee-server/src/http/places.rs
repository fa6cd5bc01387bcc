//! Places for what takes long: so many at a time, since when, and how many found none.
//!
//! Invariants: a place is free again as soon as whoever had it is gone, however that went; one that
//! finds none is told `busy` before a byte of it was read or sent, and is counted.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Places of one kind.
#[derive(Debug)]
pub(crate) struct Places {
    most: usize,
    taken: Mutex<Taken>,
    turned_away: AtomicU64,
}

#[derive(Debug, Default)]
struct Taken {
    next: u64,
    begun: BTreeMap<u64, Instant>,
}

/// One of them, as long as it lives.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<Places>,
    number: u64,
}

impl Places {
    /// So many at a time.
    pub(crate) fn new(most: usize) -> Arc<Places> {
        Arc::new(Places { most, taken: Mutex::default(), turned_away: AtomicU64::new(0) })
    }

    /// A place, if one is free.
    pub(crate) fn take(self: &Arc<Places>) -> Option<Place> {
        let mut taken = self.taken();
        if taken.begun.len() >= self.most {
            self.turned_away.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        let number = taken.next;
        taken.next += 1;
        taken.begun.insert(number, Instant::now());
        Some(Place { places: self.clone(), number })
    }

    /// How many are taken, and since when the one that was taken first.
    fn in_use(&self) -> (usize, Duration) {
        let taken = self.taken();
        let oldest = taken.begun.values().next().map(Instant::elapsed);
        (taken.begun.len(), oldest.unwrap_or_default())
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.taken().begun.remove(&self.number);
    }
}

/// What goes on, for how long the oldest of it, and how many found no place; by kind.
pub(crate) fn write_metrics(out: &mut String, kinds: &[(&str, &Places)]) {
    let about = [
        ("bailee_under_way", "gauge", "Requests that take long and go on"),
        ("bailee_under_way_oldest_seconds", "gauge", "Age of the oldest of them, 0 without any"),
        ("bailee_turned_away_total", "counter", "Requests that take long and found no place"),
    ];
    for (name, kind, help) in about {
        _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (what, places) in kinds {
            let (count, oldest) = places.in_use();
            let value = match name {
                "bailee_under_way" => count as u64,
                "bailee_under_way_oldest_seconds" => oldest.as_secs(),
                _ => places.turned_away.load(Ordering::Relaxed),
            };
            _ = writeln!(out, "{name}{{what=\"{what}\"}} {value}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(places: &Places) -> String {
        let mut out = String::new();
        write_metrics(&mut out, &[("giving", places)]);
        out
    }

    #[test]
    fn a_place_is_free_again_when_its_holder_is_gone_and_who_finds_none_is_counted() {
        let places = Places::new(2);
        let (first, second) = (places.take().unwrap(), places.take().unwrap());
        assert!(places.take().is_none() && places.take().is_none());
        let text = said(&places);
        assert!(text.contains("bailee_under_way{what=\"giving\"} 2\n"), "{text}");
        assert!(text.contains("bailee_turned_away_total{what=\"giving\"} 2\n"), "{text}");
        drop(first);
        drop(second);
        let text = said(&places);
        assert!(text.contains("bailee_under_way{what=\"giving\"} 0\n"), "{text}");
        assert!(text.contains("bailee_under_way_oldest_seconds{what=\"giving\"} 0\n"), "{text}");
        let thread = places.clone();
        let ended = std::thread::spawn(move || {
            let _place = thread.take();
            panic!("as a request may");
        });
        assert!(ended.join().is_err());
        assert_eq!(places.in_use().0, 0);
    }

    #[test]
    fn the_age_is_that_of_the_one_that_was_taken_first() {
        let places = Places::new(3);
        let held: Vec<Place> = (0..3).filter_map(|_| places.take()).collect();
        let hour = Duration::from_secs(3600);
        let before = Instant::now().checked_sub(hour).unwrap();
        places.taken().begun.insert(held[0].number, before);
        let text = said(&places);
        assert!(text.contains("bailee_under_way_oldest_seconds{what=\"giving\"} 36"), "{text}");
        let mut held = held.into_iter();
        drop(held.next());
        assert!(places.in_use().1 < hour);
    }
}
