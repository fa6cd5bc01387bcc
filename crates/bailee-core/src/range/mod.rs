//! Ranges and lists: a letter that says `srv-1 to srv-5` or `srv-1, 3-5 and 8` means what it says.
//!
//! Invariants (rule 1): what a range may mean is meant, and where there is one the letter counts as
//! one that cannot be read for certain, so that its widest scope is frozen. Both ends are written
//! in digits; the second may leave out what it shares with the first (`srv-0412 to 0420`), but a
//! bare year is none (`srv-12 until 2027`), and a hyphen is part of a name (`srv-12-3`) unless it
//! leads upwards and nothing is called so. Labels and identifiers are meant, of what is here and,
//! by a letter in force, of what comes to be called so (`written_out`); ids of ours are read in
//! `decide/ids.rs`. Whatever a stranger writes, in however many texts, and however much is here, at
//! most [`MOST`] names are looked up; what was not makes the letter uncertain, too.
//!
//! Out of scope: what comes to be called so later and is in a range of more than [`LONGEST_RANGE`]
//! numbers; the accounts that are frozen have it.

mod grammar;

use std::collections::BTreeSet;
use std::ops::Bound;

pub(crate) use self::grammar::numbers;
use self::grammar::{Item, Stem, items, spelt_out, stems};
use crate::demand::Scope;
use crate::matching::{self, LONGEST_LETTER, words};
use crate::state::{Named, State};

/// Most names that are looked up for one letter.
const MOST: usize = 65_536;
/// Most numbers of a range whose names are written out for what comes later.
const LONGEST_RANGE: u64 = 1_000;
/// Most bytes that are written out.
const MOST_WRITTEN: usize = LONGEST_LETTER;
/// What stands before each name that is written out: no phrase goes from one to the next.
const APART: &str = "  ";

/// What the ranges and lists of a letter mean.
#[derive(Default)]
pub(crate) struct Ranges {
    /// What is here.
    pub(crate) scope: Scope,
    /// True if a range of something that is here is among them, or more than are looked up.
    pub(crate) uncertain: bool,
    /// All names one by one, as words.
    pub(crate) written_out: String,
}

impl Ranges {
    /// What these texts mean, each by itself.
    pub(crate) fn read<'t>(state: &State, texts: impl IntoIterator<Item = &'t str>) -> Ranges {
        let mut reader =
            Reader { state, found: BTreeSet::new(), looked: 0, ranges: Ranges::default() };
        texts.into_iter().for_each(|text| reader.text(text));
        let scope = matching::scope_of(state, reader.found);
        Ranges { scope, ..reader.ranges }
    }

    /// All names one by one.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.written_out.split(APART).filter(|name| !name.is_empty())
    }
}

/// Looks up what a letter's ranges and lists may mean.
struct Reader<'a> {
    state: &'a State,
    found: BTreeSet<Named>,
    looked: usize,
    ranges: Ranges,
}

impl Reader<'_> {
    fn text(&mut self, text: &str) {
        let text = &text[..text.floor_char_boundary(4 * LONGEST_LETTER)];
        let words = words(&spelt_out(text));
        let words: Vec<&str> = words.split(' ').collect();
        for (at, word) in words.iter().enumerate() {
            let own = word.trim_end_matches(|c: char| c.is_ascii_digit());
            let (before, rest) = (&words[..at], &words[at + 1..]);
            if own.len() == word.len() || rest.is_empty() {
                continue;
            }
            let meant = self.meant(before, (own, &word[own.len()..]), rest);
            meant.iter().for_each(|(stem, items)| self.here(stem, items));
            if self.looked > MOST {
                return;
            }
            // The most, with the most words before them: shorter names stand in these.
            let all =
                |items: &[Item<'_>]| items.iter().map(Item::span).fold(0, u64::saturating_add);
            if let Some((stem, items)) = meant.iter().max_by_key(|(_, items)| all(items)) {
                self.write_out(stem, items);
            }
        }
    }

    /// What a number with its own word may begin, by each stem that it may have, without what is a
    /// part of a name.
    fn meant<'a>(
        &self,
        before: &[&'a str],
        (own, number): (&'a str, &'a str),
        rest: &[&'a str],
    ) -> Vec<(Stem<'a>, Vec<Item<'a>>)> {
        let with_items = |stem: Stem<'a>| {
            let items = items(before, number, rest, &stem);
            (!items.is_empty()).then_some((stem, items))
        };
        let mut meant: Vec<_> = stems(before, own).into_iter().filter_map(with_items).collect();
        let named = |stem, item: &Item<'a>| is_name(self.state, stem, item).then_some(item.ends);
        let names: Vec<[&str; 2]> = meant
            .iter()
            .flat_map(|(stem, items)| items.iter().filter_map(|item| named(stem, item)))
            .collect();
        for (_, items) in &mut meant {
            items.retain(|item| !item.hyphen || !names.contains(&item.ends));
        }
        meant
    }

    /// Whether another name may be looked up.
    fn may_look(&mut self) -> bool {
        self.looked += 1;
        self.ranges.uncertain |= self.looked > MOST;
        self.looked <= MOST
    }

    /// Takes what is here of these names.
    fn here(&mut self, stem: &Stem<'_>, items: &[Item<'_>]) {
        if !self.is_here(stem) {
            return;
        }
        for item in items {
            item.each(|number| {
                let found = self.take(stem, number);
                self.ranges.uncertain |= found && item.is_range();
                self.looked <= MOST
            });
        }
    }

    /// True if something has a name of this stem with a number.
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

    /// Takes what has this name; true if something has.
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

    /// Writes the names out.
    fn write_out(&mut self, stem: &Stem<'_>, items: &[Item<'_>]) {
        let out = &mut self.ranges.written_out;
        for item in items.iter().filter(|item| item.span() < LONGEST_RANGE) {
            item.each(|number| {
                if out.len() + stem.label.len() + number.len() >= MOST_WRITTEN {
                    return false;
                }
                out.extend([APART, &stem.label, number]);
                true
            });
        }
    }
}

/// True if the hyphen of `srv-12-3` is a part of what something here is called.
fn is_name(state: &State, stem: &Stem<'_>, item: &Item<'_>) -> bool {
    let name = || format!("{}{} {}", stem.label, item.ends[0], item.ends[1]);
    item.hyphen && state.phrases.contains_key(name().as_str())
}
