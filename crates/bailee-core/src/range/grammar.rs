//! The grammar of ranges and lists: what numbers follow on a name that ends with one.
//!
//! Invariants: a list and a range are one: numbers of one stem, each alone or up to a second end.
//! What is read of a text depends on the text alone; numbers have at most [`LONGEST_NUMBER`] digits
//! and lists at most [`LONGEST_LIST`] members, whatever a stranger writes.

use std::ops::RangeInclusive;

use crate::matching::words;
use crate::plain::{is_dash, plain};

/// Words that stand between the two ends.
const TO: [&str; 17] = [
    "to", "through", "thru", "till", "til", "until", "up", "upto", "bis", "tot", "t", "à", "até",
    "jusqu", "jusque", "hasta", "fino",
];
/// Words that do between two whole names only: they are short, and mean much else.
const TO_NAMED: [&str; 4] = ["a", "al", "au", "do"];
/// What a hyphen behind a digit is spelt out as.
const HYPHEN: &str = "hyphen";
/// What may follow one of them: `tot en met`, `t/m`, `bis zu`, `up to and including`.
const FILL: [&str; 16] = [
    "to",
    "and",
    "including",
    "inclusive",
    "the",
    "au",
    "en",
    "met",
    "m",
    "zu",
    "zum",
    "à",
    "a",
    "einschliesslich",
    "al",
    "inclusief",
];
/// With these before the first end, a word for `and` stands between the two.
const BETWEEN: [&str; 4] = ["between", "zwischen", "tussen", "entre"];
/// Words in a list.
const AND: [&str; 8] = ["and", "or", "und", "oder", "en", "of", "et", "ou"];
/// Most digits of a number.
const LONGEST_NUMBER: usize = 20;
/// Longest list.
const LONGEST_LIST: usize = 64;
/// What a bare number behind `to` or `until` may be instead.
const YEARS: RangeInclusive<u64> = 1900..=2100;

/// The numbers that are meant where a name of this kind has one, as in `between A-1 and 3`, by what
/// stands `before` it and `behind` its number.
pub(crate) fn numbers(
    before: &str,
    (kind, number): (&str, &str),
    behind: &str,
) -> Vec<RangeInclusive<u64>> {
    let [before, behind] = [before, &[number, behind].concat()].map(|text| words(&spelt_out(text)));
    let [before, behind] = [&before, &behind].map(|text| text.split(' ').collect::<Vec<_>>());
    let items = items(&before, number, &behind[1..], &Stem::new(vec![kind], ""));
    items.iter().map(Item::numbers).collect()
}

/// What a name begins with before its number: words, the last of them perhaps in one with it.
pub(super) struct Stem<'a> {
    words: Vec<&'a str>,
    own: &'a str,
    /// What labels of it begin with, and what identifiers do.
    pub(super) label: String,
    pub(super) serial: String,
}

impl<'a> Stem<'a> {
    fn new(words: Vec<&'a str>, own: &'a str) -> Stem<'a> {
        let space = if own.is_empty() { " " } else { "" };
        let (label, serial) = (format!("{}{space}", words.join(" ")), words.concat());
        Stem { words, own, label, serial }
    }

    /// The words before the one with the number.
    fn shared(&self) -> &[&'a str] {
        &self.words[..self.words.len() - usize::from(!self.own.is_empty())]
    }
}

/// One number of a list, or a range, as its ends are written.
pub(super) struct Item<'a> {
    low: u64,
    high: u64,
    pub(super) ends: [&'a str; 2],
    /// A hyphen stands between the ends, and the second is a number alone.
    pub(super) hyphen: bool,
}

impl Item<'_> {
    pub(super) fn is_range(&self) -> bool {
        self.low != self.high
    }

    pub(super) fn numbers(&self) -> RangeInclusive<u64> {
        self.low.min(self.high)..=self.low.max(self.high)
    }

    /// How many numbers follow the first.
    pub(super) fn span(&self) -> u64 {
        self.low.abs_diff(self.high)
    }

    /// All numbers, each as long as either end is written, or as short as it is. Gives up when
    /// told.
    pub(super) fn each(&self, mut take: impl FnMut(&str) -> bool) {
        let mut widths = vec![1, self.ends[0].len(), self.ends[1].len()];
        widths.sort_unstable();
        for number in self.numbers() {
            let digits = number.checked_ilog10().map_or(1, |log| log as usize + 1);
            widths.iter_mut().for_each(|width| *width = digits.max(*width));
            widths.dedup();
            for width in &widths {
                if !take(&format!("{number:0width$}")) {
                    return;
                }
            }
        }
    }
}

/// Dashes and dots between two ends as a word.
pub(super) fn spelt_out(text: &str) -> String {
    let text = plain(text);
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    let mut before = ' ';
    while let Some(c) = rest.next() {
        let alone = before.is_whitespace() && rest.peek().is_none_or(|next| next.is_whitespace());
        let long = matches!(c, '\u{2013}' | '\u{2014}' | '\u{2026}' | '~' | '>') || is_arrow(c);
        let dots = c == '.' && rest.peek() == Some(&'.');
        let next = rest.peek().is_some_and(|next| next.is_alphanumeric());
        let within = next && before.is_ascii_digit();
        before = c;
        if long || dots || is_dash(c) && alone {
            out.push_str(" to ");
        } else if is_dash(c) && within {
            out.extend([" ", HYPHEN, " "]);
        } else {
            out.push(c);
        }
    }
    out
}

fn is_arrow(c: char) -> bool {
    matches!(
        c,
        '\u{2192}' | '\u{2194}' | '\u{21d2}' | '\u{2794}' | '\u{279c}' | '\u{27f6}' | '\u{27f9}'
    )
}

/// What the first end may begin with: in its own word, or also in words before it.
pub(super) fn stems<'a>(before: &[&'a str], own: &'a str) -> Vec<Stem<'a>> {
    let before = before.iter().rev().filter(|word| **word != HYPHEN).take(4);
    let before: Vec<&str> = before.copied().collect();
    let stems = (usize::from(own.is_empty())..=before.len()).map(|n| {
        let words = before[..n].iter().rev().copied().chain([own]);
        Stem::new(words.filter(|word| !word.is_empty()).collect(), own)
    });
    stems.filter(|stem| !stem.words.is_empty()).collect()
}

fn number(digits: &str) -> Option<u64> {
    if digits.len() > LONGEST_NUMBER {
        return None;
    }
    digits.parse().ok()
}

/// The list and the ranges that a number begins; empty if it stands alone.
pub(super) fn items<'a>(
    before: &[&str],
    first: &'a str,
    rest: &[&'a str],
    stem: &Stem<'a>,
) -> Vec<Item<'a>> {
    let mut items: Vec<Item<'a>> = Vec::new();
    let (mut before, mut text, mut rest) = (before, first, rest);
    while items.len() < LONGEST_LIST
        && let Some(low) = number(text)
    {
        let single = Item { low, high: low, ends: [text, text], hyphen: false };
        let (item, after) = end(before, rest, stem, (low, text)).unwrap_or((single, rest));
        items.push(item);
        // What follows in a list: a number alone, or with what stands in one word with it.
        let and = after.iter().take_while(|word| AND.contains(word)).count();
        let Some((next, after)) = after[and..].split_first() else { break };
        let own = next.strip_prefix(stem.own).filter(|_| !stem.own.is_empty());
        (before, text, rest) = (&[], own.unwrap_or(next), after);
    }
    if items.len() == 1 && !items[0].is_range() { Vec::new() } else { items }
}

/// A range, if one goes on here, and what follows it. The second end has the same stem, or none.
fn end<'w, 'a>(
    before: &[&str],
    rest: &'w [&'a str],
    stem: &Stem<'a>,
    (low, text): (u64, &'a str),
) -> Option<(Item<'a>, &'w [&'a str])> {
    let (first, second) = rest.split_first()?;
    let hyphen = *first == HYPHEN;
    let lately = &before[before.len().saturating_sub(6)..];
    let between = AND.contains(first) && lately.iter().any(|word| BETWEEN.contains(word));
    let wholly = TO_NAMED.contains(first);
    if !hyphen && !between && !wholly && !TO.contains(first) {
        return None;
    }
    let fill = second.iter().take_while(|word| !hyphen && FILL.contains(word)).count();
    let second = &second[fill..];
    let named = past(second, stem.shared()).filter(|_| !stem.shared().is_empty());
    let (word, after) = named.unwrap_or(second).split_first()?;
    let own = word.strip_prefix(stem.own).filter(|_| !stem.own.is_empty());
    let (bare, last) = (named.is_none() && own.is_none(), own.unwrap_or(word));
    let high = number(last)?;
    let is_year = bare && YEARS.contains(&high) && low < 1000;
    let is_name = bare && (hyphen && high <= low || wholly);
    let item = Item { low, high, ends: [text, last], hyphen: hyphen && bare };
    (!is_year && !is_name).then_some((item, after))
}

/// What follows these words, hyphens aside, if it begins with them.
fn past<'w, 'a>(mut rest: &'w [&'a str], words: &[&str]) -> Option<&'w [&'a str]> {
    let unhyphened = |rest: &'w [&'a str]| rest.strip_prefix(&[HYPHEN]).unwrap_or(rest);
    for word in words {
        let (first, more) = unhyphened(rest).split_first()?;
        rest = Some(more).filter(|_| first == word)?;
    }
    Some(unhyphened(rest))
}
