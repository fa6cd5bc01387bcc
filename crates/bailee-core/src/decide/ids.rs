//! Ids: what of ours a text names by its id, as our own letters have it: `N-3`, `AC-1`, or
//! `A-1 to A-3`.
//!
//! Invariants: in either case, with any dash, and over the end of a line, an id is the same; what
//! is part of a longer word is none. Whatever a stranger writes, reading it takes time in
//! proportion to its length and to [`MOST`]; what was not read for that is said.

use std::collections::BTreeSet;

use crate::matching::LONGEST_LETTER;
use crate::plain::{is_dash, plain};
use crate::range;

/// Kinds of ids that letters name: of assets, accounts, demands, holds, notices, objections,
/// proposals.
const KINDS: [&str; 7] = ["a", "ac", "d", "h", "n", "o", "x"];
/// Most ids that are read, each as often as it stands there.
const MOST: usize = 10_000;
/// Longest text that is read, bytes: what has more words than are matched is longer.
const LONGEST: usize = 4 * LONGEST_LETTER;
/// Bytes before and behind an id in which a range or a list goes on.
const BEFORE: usize = 64;
const BEHIND: usize = 512;

/// Ids in a text.
#[derive(Default)]
pub(super) struct Ids {
    /// Kind and number of each.
    found: BTreeSet<(&'static str, u32)>,
    /// True if there may be more.
    pub(super) cut: bool,
    read: usize,
}

impl Ids {
    /// Ids in these texts, each read by itself.
    pub(super) fn read<'t>(texts: impl IntoIterator<Item = &'t str>) -> Ids {
        let mut ids = Ids::default();
        texts.into_iter().for_each(|text| ids.text(text));
        ids
    }

    fn text(&mut self, text: &str) {
        self.cut |= text.len() > LONGEST;
        let text = plain(&text[..text.floor_char_boundary(LONGEST)]);
        for (at, dash) in text.match_indices(is_dash) {
            let Some(kind) = kind_before(&text[..at]) else { continue };
            // A line may have been broken behind the dash.
            let Some((number, behind)) = number(text[at + dash.len()..].trim_start()) else {
                continue;
            };
            let before = &text[text.floor_char_boundary(at.saturating_sub(BEFORE))..at];
            let more = range::numbers(before, (kind, number), whole_words(behind));
            let alone = number.parse().ok().filter(|_| more.is_empty());
            for number in alone.into_iter().chain(more.into_iter().flatten()) {
                if self.read == MOST {
                    self.cut = true;
                    return;
                }
                self.read += 1;
                self.found.extend(u32::try_from(number).ok().map(|number| (kind, number)));
            }
        }
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
fn number(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    let goes_on = rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
    let is_one = digits.parse::<u32>().is_ok() && !goes_on;
    is_one.then_some((digits, rest))
}

/// As much of a text as is looked at behind an id.
fn whole_words(text: &str) -> &str {
    match text.get(..text.floor_char_boundary(BEHIND)).filter(|cut| cut.len() < text.len()) {
        Some(cut) => cut.rsplit_once(char::is_whitespace).map_or("", |(whole, _)| whole),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<(&'static str, u32)> {
        Ids::read([text]).iter().collect()
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
    fn ranges_and_lists_of_ids_are_read() {
        let all = |numbers: &[u32]| numbers.iter().map(|n| ("a", *n)).collect::<Vec<_>>();
        for text in [
            "A-1 to A-3",
            "A-1 - 3",
            "a-3 to a-1",
            "A-1 up to A-3",
            "between A-1 and A-3",
            "A-1..3",
            "A-1 t/m 3",
            "A-1, 2 and 3",
            "A-1 \u{2192} A-3",
            "A-1-3",
            "A-1, 2-3",
            "A-1 bis zu A-3",
        ] {
            assert_eq!(of(text), all(&[1, 2, 3]), "{text}");
        }
        assert_eq!(of("A-1 and A-3"), all(&[1, 3]));
        assert_eq!(of("A-3 until 2027, and 4 more"), all(&[3]));
    }

    #[test]
    fn what_a_stranger_writes_to_keep_us_busy_is_cut_and_said() {
        let all = Ids::read(["A-1 to A-4000000000"; 3]);
        assert_eq!((all.found.len(), all.cut), (MOST, true));
        for text in ["-".repeat(1 << 22), "a-".repeat(1 << 21), "a-1 to a-9999 ".repeat(1 << 18)] {
            let ids = Ids::read([&*text]);
            assert!(ids.cut && ids.found.len() <= MOST);
        }
        assert!(!Ids::read([&*"a-1 to a-99 ".repeat(100)]).cut);
    }
}
