//! Ids: what of ours a text names by its id, as our own letters have it: `N-3`, `AC-1`, or
//! `A-1 to A-3`.
//!
//! Invariants: in either case, with any dash, and over the end of a line, an id is the same; what
//! is part of a longer word is none. Whatever a stranger writes, reading it takes time in
//! proportion to its length and to [`MOST`]; what was not read for that is said.

use std::collections::BTreeSet;

use crate::matching::LONGEST_LETTER;
use crate::plain::{is_dash, plain};
use crate::range::TO;

/// Kinds of ids that letters name: of assets, accounts, demands, holds, notices, objections,
/// proposals.
const KINDS: [&str; 7] = ["a", "ac", "d", "h", "n", "o", "x"];
/// Most ids that are read, each as often as it stands there.
const MOST: usize = 10_000;
/// Longest text that is read, bytes: what has more words than are matched is longer.
const LONGEST: usize = 4 * LONGEST_LETTER;

/// Ids in a text.
#[derive(Default)]
pub(super) struct Ids {
    /// Kind and number of each.
    pub(super) found: BTreeSet<(&'static str, u32)>,
    /// True if there may be more.
    pub(super) cut: bool,
}

impl Ids {
    pub(super) fn read(text: &str) -> Ids {
        let mut ids = Ids { cut: text.len() > LONGEST, ..Ids::default() };
        let (text, mut read) = (plain(&text[..text.floor_char_boundary(LONGEST)]), 0);
        for (at, dash) in text.match_indices(is_dash) {
            let Some(kind) = kind_before(&text[..at]) else { continue };
            // A line may have been broken behind the dash.
            let Some((number, rest)) = number(text[at + dash.len()..].trim_start()) else {
                continue;
            };
            let last = last_of(rest, kind).map_or(number, |last| last.max(number));
            for number in number..=last {
                if read == MOST {
                    return Ids { cut: true, ..ids };
                }
                read += 1;
                ids.found.insert((kind, number));
            }
        }
        ids
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&'static str, u32)> + '_ {
        self.found.iter().copied()
    }
}

/// The kind that a text ends with, if it is a word of its own.
fn kind_before(text: &str) -> Option<&'static str> {
    let part = |c: char| c.is_alphanumeric() || is_dash(c) || c == '_';
    let is = |kind: &&str| {
        let head = text.len().checked_sub(kind.len()).filter(|at| text.is_char_boundary(*at));
        head.is_some_and(|at| text[at..].eq_ignore_ascii_case(kind) && !text[..at].ends_with(part))
    };
    KINDS.into_iter().find(is)
}

/// A number that a text begins with and that ends with it as a word, and what follows.
fn number(text: &str) -> Option<(u32, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    let goes_on = rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
    Some((digits.parse().ok().filter(|_| !goes_on)?, rest))
}

/// The end of a range, as in `A-1 to A-3` or `A-1 - 3`, if one goes on here.
fn last_of(text: &str, kind: &str) -> Option<u32> {
    let text = text.trim_start();
    let end = text.find(|c: char| !c.is_alphabetic()).unwrap_or(text.len());
    let rest = match TO.contains(&text[..end].to_lowercase().as_str()) {
        true => &text[end..],
        false => text
            .strip_prefix(is_dash)
            .or_else(|| text.strip_prefix(".."))
            .or_else(|| text.strip_prefix('\u{2026}'))?,
    };
    let rest = rest.trim_start_matches('.').trim_start();
    let same = rest.get(..kind.len()).filter(|head| head.eq_ignore_ascii_case(kind));
    let same = same.and_then(|head| rest[head.len()..].strip_prefix(is_dash));
    Some(number(same.unwrap_or(rest))?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<(&'static str, u32)> {
        Ids::read(text).iter().collect()
    }

    #[test]
    fn ids_are_read_however_a_mail_program_writes_them() {
        assert_eq!(of("Re: N-3 (X-1)"), [("n", 3), ("x", 1)]);
        assert_eq!(of("AC-1, A-2 and d-4"), [("a", 2), ("ac", 1), ("d", 4)]);
        for text in ["n-3,", "N\u{2011}3.", "N\u{2013}3", "N-\r\n3", "“Ｎ－３”", "see:N-3"] {
            assert_eq!(of(text), [("n", 3)], "{text:?}");
        }
        for text in [
            "srv-n-3",
            "RUN-3",
            "N-3a",
            "2 x 1 TB",
            "N3",
            "N-",
            "x-99999999999",
            "db_x-1",
            "ACME-1",
        ] {
            assert_eq!(of(text), [], "{text:?}");
        }
    }

    #[test]
    fn what_a_stranger_writes_to_keep_us_busy_is_cut_and_said() {
        let all = Ids::read("A-1 to A-4000000000");
        assert_eq!((all.found.len(), all.cut), (MOST, true));
        for text in ["-".repeat(1 << 22), "a-".repeat(1 << 21), "a-1 to a-9999 ".repeat(1 << 18)] {
            let ids = Ids::read(&text);
            assert!(ids.cut && ids.found.len() <= MOST);
        }
        assert!(!Ids::read(&"a-1 to a-99 ".repeat(100)).cut);
    }
}
