//! Ranges and lists: a letter that says `srv-1 to srv-5`, or `srv-1, 2 and 3`, means what it says.
//!
//! Invariants (rule 1): what a range may mean is meant, and where there is one the letter counts as
//! one that cannot be read for certain, so that its widest scope is frozen. Both ends are written
//! in digits; the second may leave out what it shares with the first (`srv-0412 to 0420`). Labels
//! and identifiers are meant; ids of ours are read in `decide/ids.rs`. Whatever a stranger writes,
//! the index is gone through at most [`MOST_STEMS`] times; what was not looked up for that makes
//! the letter uncertain, too.
//!
//! Out of scope: what comes to be called so later; the accounts that are frozen have it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Bound, RangeInclusive};

use crate::demand::Scope;
use crate::matching::{self, LONGEST_LETTER, words};
use crate::plain::{is_dash, plain};
use crate::state::{Key, Named, State};

/// Words that stand between the two ends.
pub(crate) const TO: [&str; 14] = [
    "to", "through", "thru", "till", "until", "up", "upto", "bis", "tot", "à", "jusqu", "jusque",
    "hasta", "fino",
];
/// What may follow one of them.
const FILL: [&str; 7] = ["to", "and", "including", "inclusive", "the", "au", "en"];
/// With these before the first end, a word for `and` stands between the two.
const BETWEEN: [&str; 4] = ["between", "zwischen", "tussen", "entre"];
/// Words in a list.
const AND: [&str; 8] = ["and", "or", "und", "oder", "en", "of", "et", "ou"];
/// Most names with numbers behind them that ranges are looked up for, and most ranges.
const MOST_STEMS: usize = 16;
const MOST_RANGES: usize = 64;
/// Longest list.
const LONGEST_LIST: usize = 64;

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
        let mut reader = Reader { state, asked: BTreeMap::new(), found: BTreeSet::new(), many: 0 };
        for (at, word) in words.iter().enumerate() {
            let Some((own, low)) = numbered(word) else { continue };
            let (first, rest) = (&words[..at], &words[at + 1..]);
            for stem in stems(first, own) {
                reader.list(&stem, word, own, rest);
                if let Some(high) = end(first, rest, &stem, own) {
                    reader.range(&stem, own, low.min(high)..=low.max(high));
                }
            }
        }
        reader.end()
    }
}

/// Looks up what a letter's ranges and lists may mean.
struct Reader<'a> {
    state: &'a State,
    /// What names begin with, and the numbers that are asked for behind that.
    asked: BTreeMap<Stem, Vec<RangeInclusive<u64>>>,
    found: BTreeSet<Named>,
    /// Ranges so far.
    many: usize,
}

/// What labels begin with, and what identifiers do.
type Stem = (String, String);

impl Reader<'_> {
    /// Bare numbers that follow on something that is here, as in `srv-1, 2 and 3`.
    fn list(&mut self, stem: &[&str], word: &str, own: &str, rest: &[&str]) {
        let (label, serial) = begins(stem, own);
        let number = &word[own.len()..];
        let one = |number: &str| {
            let phrase = self.state.phrases.get(format!("{label}{number}").as_str());
            let asset = self.state.identifiers.get(format!("{serial}{number}").as_str());
            let asset = asset.map(|asset| Named::Asset(*asset));
            phrase.into_iter().flatten().copied().chain(asset).collect::<Vec<_>>()
        };
        if rest.is_empty() || one(number).is_empty() {
            return;
        }
        let digits = |word: &&&str| word.bytes().all(|b| b.is_ascii_digit());
        let list = rest.iter().take(LONGEST_LIST);
        let list = list.take_while(|word| digits(word) || AND.contains(*word));
        self.found.extend(list.filter(digits).flat_map(|number| one(number)));
    }

    fn range(&mut self, stem: &[&str], own: &str, numbers: RangeInclusive<u64>) {
        let begins = begins(stem, own);
        let is_here = with_digits(&self.state.phrases, &begins.0).next().is_some()
            || with_digits(&self.state.identifiers, &begins.1).next().is_some();
        if is_here {
            self.many += 1;
            if self.many <= MOST_RANGES {
                self.asked.entry(begins).or_default().push(numbers);
            }
        }
    }

    /// Goes through the names of each stem once.
    fn end(mut self) -> Ranges {
        let listed = self.found.len();
        for ((label, serial), numbers) in self.asked.iter().take(MOST_STEMS) {
            let is_meant = |number: &str| {
                number.parse().is_ok_and(|number: u64| numbers.iter().any(|n| n.contains(&number)))
            };
            for (phrase, targets) in with_digits(&self.state.phrases, label) {
                if is_meant(&phrase[label.len()..]) {
                    self.found.extend(targets);
                }
            }
            for (form, asset) in with_digits(&self.state.identifiers, serial) {
                if is_meant(&form[serial.len()..]) {
                    self.found.insert(Named::Asset(*asset));
                }
            }
        }
        let more = self.many > MOST_RANGES || self.asked.len() > MOST_STEMS;
        let uncertain = more || self.found.len() > listed;
        Ranges { scope: matching::scope_of(self.state, self.found), uncertain }
    }
}

/// What labels and identifiers of this stem begin with.
fn begins(stem: &[&str], own: &str) -> Stem {
    let space = if own.is_empty() { " " } else { "" };
    (format!("{}{space}", stem.join(" ")), stem.concat())
}

/// Names that begin so and go on with a digit.
fn with_digits<'a, T>(
    names: &'a BTreeMap<Key, T>,
    begin: &str,
) -> impl Iterator<Item = (&'a str, &'a T)> {
    let (from, to) = (format!("{begin}0"), format!("{begin}:")); // ':' is behind '9'
    let bounds = (Bound::Included(from.as_str()), Bound::Excluded(to.as_str()));
    names.range::<str, _>(bounds).map(|(name, target)| (name.as_str(), target))
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
        match long || dots || is_dash(c) && (alone || digits) {
            true => out.push_str(" to "),
            false => out.push(c),
        }
    }
    out
}

/// What the first end may begin with: in its own word, or also in words before it.
fn stems<'a>(before: &[&'a str], own: &'a str) -> Vec<Vec<&'a str>> {
    let most = before.len().min(4);
    let stems = (usize::from(own.is_empty())..=most).map(|n| {
        let words = before[before.len() - n..].iter().copied().chain([own]);
        words.filter(|word| !word.is_empty()).collect::<Vec<_>>()
    });
    stems.filter(|stem| !stem.is_empty()).collect()
}

/// A word as what it begins with and the number it ends with.
fn numbered(word: &str) -> Option<(&str, u64)> {
    let stem = word.trim_end_matches(|c: char| c.is_ascii_digit());
    Some((stem, word[stem.len()..].parse().ok()?))
}

/// The number of the second end, if a range goes on here: with the same stem before it, or alone.
fn end(before: &[&str], rest: &[&str], stem: &[&str], own: &str) -> Option<u64> {
    let (first, second) = rest.split_first()?;
    let lately = &before[before.len().saturating_sub(6)..];
    let between = AND.contains(first) && lately.iter().any(|word| BETWEEN.contains(word));
    if !between && !TO.contains(first) {
        return None;
    }
    let fill = second.iter().take_while(|word| FILL.contains(word)).count();
    let shared = if own.is_empty() { stem } else { &stem[..stem.len() - 1] };
    let second = second[fill..].strip_prefix(shared).unwrap_or(&second[fill..]);
    let word = second.first()?;
    word.strip_prefix(own).unwrap_or(word).parse().ok()
}
