//! Ranges and lists: a letter that says `srv-1 to srv-5`, or `srv-1, 2 and 3`, means what it says.
//!
//! Invariants (rule 1): what a range may mean is meant, and where there is one the letter counts as
//! one that cannot be read for certain, so that its widest scope is frozen. Both ends are written
//! in digits; the second may leave out what it shares with the first (`srv-0412 to 0420`), but a
//! bare year is none (`srv-12 until 2027`), and a hyphen is part of a name (`srv-12-3`) unless it
//! leads upwards and nothing is called so. Labels and identifiers are meant; ids of ours are read
//! in `decide/ids.rs`. Whatever a stranger writes, and however much is here, at most [`MOST`] names
//! are looked up; what was not makes the letter uncertain, too.
//!
//! Out of scope: what comes to be called so later; the accounts that are frozen have it.

use std::collections::BTreeSet;
use std::ops::{Bound, RangeInclusive};

use crate::demand::Scope;
use crate::matching::{self, LONGEST_LETTER, words};
use crate::plain::{is_dash, plain};
use crate::state::{Named, State};

/// Words that stand between the two ends.
pub(crate) const TO: [&str; 14] = [
    "to", "through", "thru", "till", "until", "up", "upto", "bis", "tot", "à", "jusqu", "jusque",
    "hasta", "fino",
];
/// What a hyphen between two digits is spelt out as.
const HYPHEN: &str = "hyphen";
/// What may follow one of them.
const FILL: [&str; 7] = ["to", "and", "including", "inclusive", "the", "au", "en"];
/// With these before the first end, a word for `and` stands between the two.
const BETWEEN: [&str; 4] = ["between", "zwischen", "tussen", "entre"];
/// Words in a list.
const AND: [&str; 8] = ["and", "or", "und", "oder", "en", "of", "et", "ou"];
/// Most names that are looked up for one letter.
const MOST: usize = 65_536;
/// Most digits of a number.
const LONGEST_NUMBER: usize = 20;
/// Longest list.
const LONGEST_LIST: usize = 64;
/// What a bare number behind `to` or `until` may be instead.
const YEARS: RangeInclusive<u64> = 1900..=2100;

/// What the ranges and lists of a letter mean here.
#[derive(Default)]
pub(crate) struct Ranges {
    pub(crate) scope: Scope,
    /// True if a range of something that is here is among them, or more than are looked up.
    pub(crate) uncertain: bool,
}

impl Ranges {
    pub(crate) fn read(state: &State, text: &str) -> Ranges {
        let text = &text[..text.floor_char_boundary(4 * LONGEST_LETTER)];
        let words = words(&spelt_out(text));
        let words: Vec<&str> = words.split(' ').collect();
        let mut reader = Reader { state, found: BTreeSet::new(), uncertain: false, looked: 0 };
        for (at, word) in words.iter().enumerate() {
            let Some((own, low)) = numbered(word) else { continue };
            let (before, rest) = (&words[..at], &words[at + 1..]);
            let number = &word[own.len()..];
            let list = list(rest);
            for stem in &stems(before, own) {
                let end = end(before, rest, stem, low);
                if list.is_empty() && end.is_none() || !reader.is_here(stem) {
                    continue;
                }
                if !list.is_empty() && reader.take(stem, number) {
                    list.iter().for_each(|number| _ = reader.take(stem, number));
                }
                if let Some(end) = end.filter(|end| !reader.is_name(stem, number, end)) {
                    let (low, high) = (low.min(end.high), low.max(end.high));
                    reader.range(stem, low..=high, [number, end.text]);
                }
            }
        }
        let scope = matching::scope_of(state, reader.found);
        Ranges { scope, uncertain: reader.uncertain }
    }
}

/// What a name begins with before its number: words, the last of them perhaps in one with it.
struct Stem<'a> {
    words: Vec<&'a str>,
    own: &'a str,
    /// What labels of it begin with, and what identifiers do.
    label: String,
    serial: String,
}

/// Looks up what a letter's ranges and lists may mean.
struct Reader<'a> {
    state: &'a State,
    found: BTreeSet<Named>,
    uncertain: bool,
    looked: usize,
}

impl Reader<'_> {
    /// True if something has a name of this stem with a number, if more may be looked up.
    fn is_here(&mut self, stem: &Stem<'_>) -> bool {
        if !self.may_look() {
            return false;
        }
        let digits = |begin: &str| (format!("{begin}0"), format!("{begin}:")); // behind '9'
        let (label, serial) = (digits(&stem.label), digits(&stem.serial));
        let within = |(from, to): &(String, String)| {
            let bounds = (Bound::Included(from.as_str()), Bound::Excluded(to.as_str()));
            self.state.phrases.range::<str, _>(bounds).next().is_some()
                || self.state.identifiers.range::<str, _>(bounds).next().is_some()
        };
        within(&label) || within(&serial)
    }

    fn may_look(&mut self) -> bool {
        self.looked += 1;
        self.uncertain |= self.looked > MOST;
        self.looked <= MOST
    }

    /// True if the hyphen of `srv-12-3` is a part of what something here is called.
    fn is_name(&self, stem: &Stem<'_>, number: &str, end: &End<'_>) -> bool {
        let name = || format!("{}{number} {}", stem.label, end.text);
        end.hyphen && self.state.phrases.contains_key(name().as_str())
    }

    /// Takes what has this name, if more may be looked up; true if something has.
    fn take(&mut self, stem: &Stem<'_>, number: &str) -> bool {
        if !self.may_look() {
            return false;
        }
        let phrase = self.state.phrases.get([&*stem.label, number].concat().as_str());
        let asset = self.state.identifiers.get([&*stem.serial, number].concat().as_str());
        self.found.extend(phrase.into_iter().flatten());
        self.found.extend(asset.map(|asset| Named::Asset(*asset)));
        phrase.is_some() || asset.is_some()
    }

    /// All numbers of a range, each as long as either end is written, or as short as it is.
    fn range(&mut self, stem: &Stem<'_>, numbers: RangeInclusive<u64>, ends: [&str; 2]) {
        let mut widths = vec![1, ends[0].len(), ends[1].len()];
        widths.sort_unstable();
        for number in numbers {
            let digits = number.checked_ilog10().map_or(1, |log| log as usize + 1);
            widths.iter_mut().for_each(|width| *width = digits.max(*width));
            widths.dedup();
            for width in &widths {
                self.uncertain |= self.take(stem, &format!("{number:0width$}"));
            }
            if self.looked > MOST {
                return;
            }
        }
    }
}

/// Dashes and dots between two ends as a word.
fn spelt_out(text: &str) -> String {
    let text = plain(text);
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    let mut before = ' ';
    while let Some(c) = rest.next() {
        let alone = before.is_whitespace() && rest.peek().is_none_or(|next| next.is_whitespace());
        let long = matches!(c, '\u{2013}' | '\u{2014}' | '\u{2026}' | '~' | '>');
        let dots = c == '.' && rest.peek() == Some(&'.');
        let digits = before.is_ascii_digit() && rest.peek().is_some_and(char::is_ascii_digit);
        before = c;
        if long || dots || is_dash(c) && alone {
            out.push_str(" to ");
        } else if is_dash(c) && digits {
            out.extend([" ", HYPHEN, " "]);
        } else {
            out.push(c);
        }
    }
    out
}

/// What the first end may begin with: in its own word, or also in words before it.
fn stems<'a>(before: &[&'a str], own: &'a str) -> Vec<Stem<'a>> {
    let space = if own.is_empty() { " " } else { "" };
    let stems = (usize::from(own.is_empty())..=before.len().min(4)).map(|n| {
        let words = before[before.len() - n..].iter().copied().chain([own]);
        let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
        let (label, serial) = (format!("{}{space}", words.join(" ")), words.concat());
        Stem { words, own, label, serial }
    });
    stems.filter(|stem| !stem.words.is_empty()).collect()
}

/// A word as what it begins with and the number it ends with.
fn numbered(word: &str) -> Option<(&str, u64)> {
    let stem = word.trim_end_matches(|c: char| c.is_ascii_digit());
    Some((stem, number(&word[stem.len()..])?))
}

fn number(digits: &str) -> Option<u64> {
    if digits.len() > LONGEST_NUMBER {
        return None;
    }
    digits.parse().ok()
}

/// Bare numbers that follow on another, as in `srv-1, 2 and 3`.
fn list<'a>(rest: &[&'a str]) -> Vec<&'a str> {
    let digits = |word: &str| word.bytes().all(|b| b.is_ascii_digit());
    let list = rest.iter().take(LONGEST_LIST).copied();
    let list = list.take_while(|word| digits(word) || AND.contains(word));
    list.filter(|word| digits(word)).collect()
}

/// The second end of a range, and as it is written.
struct End<'a> {
    high: u64,
    text: &'a str,
    hyphen: bool,
}

/// The second end, if a range goes on here: with the same stem, or alone.
fn end<'a>(before: &[&str], rest: &[&'a str], stem: &Stem<'a>, low: u64) -> Option<End<'a>> {
    let (first, second) = rest.split_first()?;
    let hyphen = *first == HYPHEN;
    let lately = &before[before.len().saturating_sub(6)..];
    let between = AND.contains(first) && lately.iter().any(|word| BETWEEN.contains(word));
    if !hyphen && !between && !TO.contains(first) {
        return None;
    }
    let fill = second.iter().take_while(|word| FILL.contains(word)).count();
    let second = &second[fill..];
    let shared = if stem.own.is_empty() { &stem.words } else { stem.words.split_last()?.1 };
    let named = second.strip_prefix(shared).filter(|_| !shared.is_empty());
    let word = named.unwrap_or(second).first()?;
    let own = word.strip_prefix(stem.own).filter(|_| !stem.own.is_empty());
    let (bare, text) = (named.is_none() && own.is_none(), own.unwrap_or(word));
    let high = number(text)?;
    let is_year = bare && YEARS.contains(&high) && low < 1000;
    let is_name = hyphen && high <= low;
    (!is_year && !is_name).then_some(End { high, text, hyphen })
}
