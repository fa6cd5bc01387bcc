//! Byte ranges of a device, and sets of them.
//!
//! Invariant: a [`Spans`] is sorted, without overlap, without neighbours that touch and without
//! empty members; so two sets are equal exactly when they cover the same bytes.
//!
//! Why it is safe: the only way to add is [`Spans::insert`], which merges.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Bytes `start..end` of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// First byte.
    pub start: u64,
    /// One past the last byte.
    pub end: u64,
}

impl Span {
    /// Length, bytes.
    pub fn len(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    /// Whether no byte is covered.
    pub fn is_empty(&self) -> bool {
        self.end <= self.start
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.start, self.end)
    }
}

/// A set of bytes, as few spans as can say it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spans(Vec<Span>);

impl Spans {
    /// The empty set.
    pub const fn new() -> Spans {
        Spans(Vec::new())
    }

    /// The set of all bytes below `size`.
    pub fn whole(size: u64) -> Spans {
        let mut all = Spans::new();
        all.insert(Span { start: 0, end: size });
        all
    }

    /// Adds `span`, merging with what it overlaps or touches.
    pub fn insert(&mut self, span: Span) {
        if span.is_empty() {
            return;
        }
        let from = self.0.partition_point(|s| s.end < span.start);
        let to = self.0.partition_point(|s| s.start <= span.end);
        let mut merged = span;
        for old in &self.0[from..to] {
            merged.start = merged.start.min(old.start);
            merged.end = merged.end.max(old.end);
        }
        self.0.splice(from..to, [merged]);
    }

    /// Adds every byte of `other`.
    pub fn extend(&mut self, other: &Spans) {
        for span in &other.0 {
            self.insert(*span);
        }
    }

    /// Sum of lengths, bytes.
    pub fn total(&self) -> u64 {
        self.0.iter().map(Span::len).sum()
    }

    /// Whether no byte is covered.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The spans, ascending.
    pub fn as_slice(&self) -> &[Span] {
        &self.0
    }

    /// The spans, ascending, by value.
    pub fn into_vec(self) -> Vec<Span> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Span, Spans};

    #[test]
    fn touching_spans_become_one() {
        let mut set = Spans::new();
        set.insert(Span { start: 0, end: 4 });
        set.insert(Span { start: 8, end: 12 });
        set.insert(Span { start: 4, end: 8 });
        assert_eq!(set, Spans::whole(12));
        set.insert(Span { start: 20, end: 20 });
        assert_eq!(set.total(), 12);
    }

    proptest! {
        #[test]
        fn covers_exactly_the_bytes_inserted(
            pairs in prop::collection::vec((0u64..60, 0u64..12), 0..24),
        ) {
            let mut set = Spans::new();
            let mut bytes = [false; 80];
            for (start, len) in pairs {
                set.insert(Span { start, end: start + len });
                bytes[start as usize..(start + len) as usize].fill(true);
            }
            let covered: Vec<bool> =
                (0..80).map(|b| set.as_slice().iter().any(|s| s.start <= b && b < s.end)).collect();
            prop_assert_eq!(&covered[..], &bytes[..]);
            prop_assert_eq!(set.total(), bytes.iter().filter(|b| **b).count() as u64);
            prop_assert!(set.as_slice().windows(2).all(|w| w[0].end < w[1].start));
        }
    }
}
