//! Ranges and lists: a letter that says `srv-1 to srv-5`, or `srv-1, 2 and 3`, means what it says.
//!
//! Invariants (rule 1): what a range may mean is meant, and where there is one the letter counts as
//! one that cannot be read for certain, so that its widest scope is frozen. Both ends are written
//! in digits; the second may leave out what it shares with the first (`srv-0412 to 0420`). Labels
//! and identifiers are meant; ids of ours are read in `decide/answer.rs`.
//!
//! Out of scope: what comes to be called so later; the accounts that are frozen have it.

use std::collections::BTreeSet;
use std::ops::{Bound, RangeInclusive};

use crate::demand::Scope;
use crate::matching::{self, words};
use crate::plain::{is_dash, plain};
use crate::state::{Named, State};

/// Words that stand between the two ends.
const TO: [&str; 14] = [
    "to", "through", "thru", "till", "until", "up", "upto", "bis", "tot", "à", "jusqu", "jusque",
    "hasta", "fino",
];
/// What may follow one of them.
const FILL: [&str; 11] = [
    "to",
    "and",
    "including",
    "incl",
    "inclusive",
    "the",
    "au",
    "à",
    "einschließlich",
    "met",
    "en",
];
/// With these before the first end, `and` is a word between the two.
const BETWEEN: [&str; 4] = ["between", "zwischen", "tussen", "entre"];
/// Words in a list.
const AND: [&str; 8] = ["and", "or", "und", "oder", "en", "of", "et", "ou"];

/// What the letter's ranges and lists mean here.
#[derive(Default)]
pub(crate) struct Meant {
    pub(crate) scope: Scope,
    /// True if a range is among them.
    pub(crate) range: bool,
}

/// Reads the letter for ranges and lists of what is here.
pub(crate) fn meant(state: &State, text: &str) -> Meant {
    let words = words(&spelt_out(text));
    let words: Vec<&str> = words.split(' ').collect();
    let (mut named, mut range) = (BTreeSet::new(), false);
    for (at, word) in words.iter().enumerate() {
        let Some((own, low)) = numbered(word) else { continue };
        let (first, rest) = (&words[..at], &words[at + 1..]);
        for stem in stems(first, own) {
            if let Some(high) = end(first, rest, &stem, own) {
                let before = named.len();
                called(state, &stem, own, low.min(high)..=low.max(high), &mut named);
                range |= named.len() > before;
            }
            for one in listed(rest) {
                called(state, &stem, own, one..=one, &mut named);
            }
        }
    }
    Meant { scope: matching::scope_of(state, named), range }
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

/// Labels and identifiers of this stem with a number of these.
fn called(
    state: &State,
    stem: &[&str],
    own: &str,
    numbers: RangeInclusive<u64>,
    found: &mut BTreeSet<Named>,
) {
    let mut label = stem.join(" ");
    if own.is_empty() {
        label.push(' ');
    }
    let begin = |start: &'_ str| (Bound::Included(start.to_owned()), Bound::Unbounded);
    let meant = |start: &str, name: &str| {
        name[start.len()..].parse().is_ok_and(|number: u64| numbers.contains(&number))
    };
    let (from, to) = begin(&label);
    let range = (from.as_ref().map(String::as_str), to.as_ref().map(String::as_str));
    let phrases = state.phrases.range::<str, _>(range);
    for (phrase, targets) in phrases.take_while(|(phrase, _)| phrase.starts_with(&label)) {
        if meant(&label, phrase) {
            found.extend(targets);
        }
    }
    let serial = stem.concat();
    let (from, to) = begin(&serial);
    let range = (from.as_ref().map(String::as_str), to.as_ref().map(String::as_str));
    let all = state.identifiers.range::<str, _>(range);
    for (form, asset) in all.take_while(|(form, _)| form.starts_with(&serial)) {
        if meant(&serial, form) {
            found.insert(Named::Asset(*asset));
        }
    }
}

/// A word as what it begins with and the number it ends with.
fn numbered(word: &str) -> Option<(&str, u64)> {
    let stem = word.trim_end_matches(|c: char| c.is_ascii_digit());
    Some((stem, word[stem.len()..].parse().ok()?))
}

/// The number of the second end, if a range goes on here: with the same stem before it, or alone.
fn end(before: &[&str], rest: &[&str], stem: &[&str], own: &str) -> Option<u64> {
    let (first, mut second) = rest.split_first()?;
    let lately = &before[before.len().saturating_sub(6)..];
    let between = *first == "and" || *first == "und" || *first == "en" || *first == "et";
    let between = between && lately.iter().any(|word| BETWEEN.contains(word));
    if !between && !TO.contains(first) {
        return None;
    }
    while let Some((word, more)) = second.split_first().filter(|(word, _)| FILL.contains(word)) {
        _ = word;
        second = more;
    }
    let shared = if own.is_empty() { stem } else { &stem[..stem.len() - 1] };
    let second = second.strip_prefix(shared).unwrap_or(second);
    let word = second.first()?;
    word.strip_prefix(own).unwrap_or(word).parse().ok()
}

/// Bare numbers that follow, as in `srv-1, 2 and 3`.
fn listed(rest: &[&str]) -> Vec<u64> {
    let mut found = Vec::new();
    for word in rest.iter().take(64) {
        match word.parse() {
            Ok(number) => found.push(number),
            Err(_) if AND.contains(word) => {}
            Err(_) => break,
        }
    }
    found
}
