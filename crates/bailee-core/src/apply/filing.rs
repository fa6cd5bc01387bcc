//! Filing: what a replay notes down instead of searching the large indices for each record.
//!
//! Invariant: filed at the end, the indices are those that filing each note at once would have
//! given; for one key the notes are taken in the order in which they came. A state with notes that
//! are not filed answers no question: [`crate::Replay`] keeps it to itself until then.
//!
//! Why it is faster: sorting keys that come nearly sorted, and building a tree from sorted keys,
//! costs a fraction of as many searches in a tree that does not fit the cache.

use std::collections::{BTreeMap, BTreeSet};

use super::index::{add_target, remove_target};
use crate::demand::Demand;
use crate::hold::Hold;
use crate::id::{AssetId, DemandId};
use crate::matching;
use crate::state::{Key, Named, State};

/// What happens to a phrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// It names this.
    Names(Named),
    /// It no longer names this.
    Forgets(Named),
}

/// Notes on phrases and identifiers, each with its place in the order of all notes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Filing {
    phrases: Vec<(Key, u64, Change)>,
    identifiers: Vec<(Key, u64, AssetId)>,
    notes: u64,
}

impl Filing {
    pub(super) fn phrase(&mut self, phrase: String, change: Change) {
        self.notes += 1;
        self.phrases.push((phrase.into(), self.notes, change));
    }

    pub(super) fn identifier(&mut self, normal: String, asset: AssetId) {
        self.notes += 1;
        self.identifiers.push((normal.into(), self.notes, asset));
    }
}

/// Files every note and every letter in force: two halves that know nothing of each other, run by
/// `join` in whatever order or at once. A half that it does not run is run here.
pub(crate) fn file(s: &mut State, join: impl FnOnce(Half<'_>, Half<'_>)) {
    let Some(filing) = s.filing.take() else { return };
    let mut notes = Some(filing);
    let (mut names, mut letters) = (None, None);
    let mut file_names =
        || names = names.take().or_else(|| notes.take().map(|notes| file_notes(*notes)));
    let mut file_letters = || letters = letters.take().or_else(|| Some(waiting(s)));
    join(&mut file_names, &mut file_letters);
    file_names();
    file_letters();
    if let (Some(names), Some(letters)) = (names, letters) {
        (s.identifiers, s.phrases, s.first_words) = names;
        s.waiting = letters;
    }
}

/// Half of what is to be filed; run once, it has nothing left to do.
pub type Half<'a> = &'a mut (dyn FnMut() + Send);

type Identifiers = BTreeMap<Key, AssetId>;

fn file_notes(mut filing: Filing) -> (Identifiers, Phrases, BTreeMap<Key, u32>) {
    let identifiers = identifiers(&mut filing);
    let (phrases, first_words) = phrases(filing.phrases);
    (identifiers, phrases, first_words)
}

/// Identifier -> the asset that has it now. One that an asset had before also becomes a phrase,
/// for both, at the place of the note that says so.
fn identifiers(filing: &mut Filing) -> Identifiers {
    let mut notes = std::mem::take(&mut filing.identifiers);
    notes.sort_by(|(a, first, _), (b, second, _)| a.cmp(b).then(first.cmp(second)));
    let mut found: Vec<(Key, AssetId)> = Vec::with_capacity(notes.len());
    for (normal, order, asset) in notes {
        match found.last_mut().filter(|(last, _)| *last == normal) {
            Some((_, before)) if *before == asset => {}
            Some((_, before)) => {
                for named in [*before, asset] {
                    if let Some(phrase) = matching::phrase(&normal) {
                        let change = Change::Names(Named::Asset(named));
                        filing.phrases.push((phrase.into(), order, change));
                    }
                }
                *before = asset;
            }
            None => found.push((normal, asset)),
        }
    }
    found.into_iter().collect()
}

type Phrases = BTreeMap<Key, Vec<Named>>;

/// Phrase -> what it names, and first word -> number of phrases.
fn phrases(mut notes: Vec<(Key, u64, Change)>) -> (Phrases, BTreeMap<Key, u32>) {
    // Stable: of the two phrases of one note the first stays first.
    notes.sort_by(|(a, first, _), (b, second, _)| a.cmp(b).then(first.cmp(second)));
    let mut found: Vec<(Key, Vec<Named>)> = Vec::with_capacity(notes.len());
    for (phrase, _, change) in notes {
        if found.last().is_none_or(|(last, _)| *last != phrase) {
            found.push((phrase, Vec::with_capacity(1)));
        }
        let Some((_, targets)) = found.last_mut() else { continue };
        match change {
            Change::Names(target) => add_target(targets, target),
            Change::Forgets(target) => remove_target(targets, target),
        }
    }
    found.retain(|(_, targets)| !targets.is_empty());
    let mut first_words: Vec<(Key, u32)> = Vec::new();
    for (phrase, _) in &found {
        // A space sorts before every letter, so phrases with one first word stand together.
        let first = phrase.split(' ').next().unwrap_or_default();
        match first_words.last_mut().filter(|(last, _)| **last == *first) {
            Some((_, count)) => *count += 1,
            None => first_words.push((first.into(), 1)),
        }
    }
    (found.into_iter().collect(), first_words.into_iter().collect())
}

/// Word -> demands in force whose letter has it.
fn waiting(s: &State) -> BTreeMap<Key, BTreeSet<DemandId>> {
    let in_force = |demand: &Demand| s.holds.get(demand.hold).is_some_and(Hold::in_force);
    let (mut short, mut long) = (Vec::new(), Vec::new());
    for (id, demand) in s.demands.iter().filter(|(_, demand)| in_force(demand)) {
        let letter = demand.papers.as_ref().map_or("", |papers| papers.words.as_str());
        for word in matching::index_words(letter) {
            match packed(word) {
                Some(packed) => short.push((packed, id)),
                None => long.push((word, id)),
            }
        }
    }
    short.sort_unstable();
    long.sort_unstable();
    let letters = |same: &[(u128, DemandId)]| same.iter().map(|(_, id)| *id).collect();
    let short = short.chunk_by(|a, b| a.0 == b.0).map(|same| (unpacked(same[0].0), letters(same)));
    let long = long.chunk_by(|a, b| a.0 == b.0);
    let long = long.map(|same| (same[0].0.into(), same.iter().map(|(_, id)| *id).collect()));
    short.chain(long).collect()
}

/// A word of at most sixteen bytes as a number that sorts as it does: most words are, and numbers
/// are compared without a look elsewhere. No word has a zero byte in it.
fn packed(word: &str) -> Option<u128> {
    let mut bytes = [0; 16];
    bytes.get_mut(..word.len())?.copy_from_slice(word.as_bytes());
    Some(u128::from_be_bytes(bytes))
}

fn unpacked(word: u128) -> Key {
    let bytes = word.to_be_bytes();
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into()
}
