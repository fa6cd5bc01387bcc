//! Ranges: a letter that says `srv-1 to srv-5` means what lies between, too.
//!
//! Invariants (rule 1): what a range may mean is meant, and where there is one the letter counts as
//! one that cannot be read for certain, so that its widest scope is frozen. Both ends are written
//! in digits; the second may leave out what it shares with the first (`srv-0412 to 0420`).
//!
//! Out of scope: what comes to be called so later; the accounts that are frozen have it.

use std::ops::Bound;

use crate::demand::Scope;
use crate::matching::{self, words};
use crate::plain::{is_dash, plain};
use crate::state::State;

/// Words that stand between the two ends.
const TO: [&str; 9] = ["to", "through", "thru", "till", "until", "bis", "tot", "up", "upto"];

/// What the letter's ranges mean; `None` if it has none of anything that is here.
pub(crate) fn meant(state: &State, text: &str) -> Option<Scope> {
    let words = words(&spelt_out(text));
    let words: Vec<&str> = words.split(' ').collect();
    let mut found = Vec::new();
    for at in 1..words.len().saturating_sub(1) {
        if TO.contains(&words[at]) && words[at - 1].ends_with(|c: char| c.is_ascii_digit()) {
            found.extend(between(state, &words[..at], &words[at + 1..]));
        }
    }
    (!found.is_empty()).then(|| matching::of_phrases(state, found))
}

/// Dashes and dots between two ends as a word.
fn spelt_out(text: &str) -> String {
    let text = plain(text);
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    let mut before = ' ';
    while let Some(c) = rest.next() {
        let alone = before.is_whitespace() && rest.peek().is_none_or(|next| next.is_whitespace());
        let long = matches!(c, '\u{2013}' | '\u{2014}' | '\u{2026}');
        let dots = c == '.' && rest.peek() == Some(&'.');
        before = c;
        match long || dots || is_dash(c) && alone {
            true => out.push_str(" to "),
            false => out.push(c),
        }
    }
    out
}

/// Phrases of the first end's stem with a number between the two.
fn between(state: &State, first: &[&str], second: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    let Some((own, low)) = first.last().and_then(|word| numbered(word)) else { return found };
    // `up to` is two words.
    let second = if second.first() == Some(&"to") { &second[1..] } else { second };
    // The stem is in the word itself, or it is words before.
    let before = &first[..first.len() - 1];
    let stems = (usize::from(own.is_empty())..=before.len().min(4)).map(|n| {
        let words = before[before.len() - n..].iter().copied().chain([own]);
        words.filter(|word| !word.is_empty()).collect::<Vec<_>>()
    });
    for stem in stems.filter(|stem| !stem.is_empty()) {
        let Some(high) = end(&stem, own, second) else { continue };
        let mut start = stem.join(" ");
        if own.is_empty() {
            start.push(' ');
        }
        let range = (Bound::Included(start.as_str()), Bound::Unbounded);
        let phrases = state.phrases.range::<str, _>(range).map(|(phrase, _)| phrase.as_str());
        for phrase in phrases.take_while(|phrase| phrase.starts_with(&start)) {
            let number = phrase[start.len()..].parse::<u64>();
            if number.is_ok_and(|n| (low.min(high)..=low.max(high)).contains(&n)) {
                found.push(phrase.to_owned());
            }
        }
    }
    found
}

/// A word as what it begins with and the number it ends with.
fn numbered(word: &str) -> Option<(&str, u64)> {
    let stem = word.trim_end_matches(|c: char| c.is_ascii_digit());
    Some((stem, word[stem.len()..].parse().ok()?))
}

/// The number of the second end: with the same stem before it, or alone.
fn end(stem: &[&str], own: &str, second: &[&str]) -> Option<u64> {
    let shared = if own.is_empty() { stem } else { &stem[..stem.len() - 1] };
    let rest = second.strip_prefix(shared).unwrap_or(second);
    let word = rest.first()?;
    word.strip_prefix(own).unwrap_or(word).parse().ok()
}
