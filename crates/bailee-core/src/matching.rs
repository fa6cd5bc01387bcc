//! Matching: what a letter names. Words are compared in one normal form on both sides.
//!
//! Invariants: a label or identifier matches a letter if and only if its words stand in the letter,
//! in order, one after the other. Both directions use this one rule: a letter against what is kept
//! (`named`), and what is registered later against letters in force (`waiting`). Punctuation inside
//! an identifier matters on neither side (`WD-12:ab`, `wd12AB`): it is also filed as one word, and
//! what stands in a letter with punctuation in it is also read as one word. A WWN is also there by
//! its digits alone, whatever was written before them. How a text is spelt (composed, full width,
//! with what nobody sees, within Chinese) matters on neither side (`plain.rs`). A label in a field
//! of a form is found without its punctuation too (`called`).

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Bound;

use crate::asset::{bare_name, normal};
use crate::demand::Scope;
use crate::id::DemandId;
use crate::owner;
use crate::plain::{ZERO_WIDTH_SPACE, folded, plain};
use crate::state::{Named, State};

/// Longest letter that is matched, bytes of normal form; what is longer is read up to here and
/// flagged as unreadable, so that its widest scope is frozen.
pub const LONGEST_LETTER: usize = 64 * 1024;

/// Shortest label that can match, in bytes of normal form.
pub(crate) const SHORTEST_LABEL: usize = 3;

/// The normal form of a letter: its words, and behind them, once more, each run of characters that
/// may be an identifier, without the punctuation in it.
pub fn letter(text: &str) -> String {
    let mut text = Cow::from(text);
    if text.contains(ZERO_WIDTH_SPACE) {
        // It may stand between two words, or in one.
        text = format!("{text} {}", text.replace(ZERO_WIDTH_SPACE, " ")).into();
    }
    let (mut out, text) = (words(&text), plain(&text));
    for part in text.split_whitespace().flat_map(names_in) {
        let joined = normal(part);
        // Longer than this it is flagged as unreadable anyway.
        if out.len() + joined.len() >= 2 * LONGEST_LETTER {
            break;
        }
        out.push(' ');
        out.push_str(&joined);
    }
    spell_names(&mut out);
    out
}

/// What in a run of characters may be an identifier with punctuation in it: all of it, without what
/// it is said to be (`S/N:WD-1,WD-2`), and in the name of a device (`ata-WDC_WD-1`).
fn names_in(run: &str) -> impl Iterator<Item = &str> {
    let is_mark = |c: char| ":=,;/|#&?\"'()<>{}[]@".contains(c);
    let marked = run.split(is_mark).filter(|part| part.len() < run.len());
    let lined = run.split(move |c| is_mark(c) || c == '_').filter(|_| run.contains('_'));
    let all = std::iter::once(run).chain(marked).chain(lined);
    all.map(|part| part.trim_matches(|c: char| !c.is_alphanumeric())).filter(|part| {
        let punctuated = part.contains(|c: char| !c.is_alphanumeric());
        punctuated && part.contains(|c: char| c.is_numeric())
    })
}

/// Adds to a letter each WWN in it by its digits alone, unless it is there. Letters that the log
/// has from before are read again with it; one that was read with it stays as it is.
pub(crate) fn spell_names(letter: &mut String) {
    let names: BTreeSet<String> = index_words(letter).filter_map(bare_name).collect();
    if names.is_empty() {
        return;
    }
    let known: BTreeSet<&str> = index_words(letter).collect();
    let new = names.iter().filter(|name| !known.contains(name.as_str()));
    let more: String = new.flat_map(|name| [" ", name]).collect();
    letter.push_str(&more);
}

/// Words of a text in lower case with single spaces; everything else separates.
pub fn words(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(LONGEST_LETTER));
    for c in plain(text).chars() {
        if out.len() >= LONGEST_LETTER {
            break;
        }
        if c.is_ascii_alphanumeric() {
            out.push(c.to_ascii_lowercase());
        } else if c.is_alphanumeric() {
            out.extend(folded(c));
        } else if !out.ends_with(' ') && !out.is_empty() {
            out.push(' ');
        }
    }
    out.truncate(out.trim_end().len());
    out
}

/// The phrase under which a label is found; `None` if it is too short to mean anything.
pub(crate) fn phrase(label: &str) -> Option<String> {
    let phrase = words(label);
    (phrase.len() >= SHORTEST_LABEL).then_some(phrase)
}

/// Whether a letter that names this label is matched: it has at least three letters and digits.
pub fn is_found(label: &str) -> bool {
    phrase(label).is_some()
}

/// Every phrase under which a label is found: a WWN also by its digits.
pub(crate) fn phrases(label: &str) -> impl Iterator<Item = String> {
    phrase(label).into_iter().chain(bare_name(label))
}

/// What the letter (in normal form) names here.
pub fn named(state: &State, letter: &str) -> Scope {
    scope_of(state, targets(state, letter))
}

/// What it names by labels and identifiers, not by whose it is.
pub(crate) fn labelled(state: &State, letter: &str) -> Scope {
    let by_label = |target: &Named| !matches!(target, Named::Owner(_));
    scope_of(state, targets(state, letter).into_iter().filter(by_label))
}

/// What has this label or identifier, or belongs to whom it names: `form` is without punctuation
/// (`asset::normal`), as identifiers are compared. Each word of a label may end after any character
/// of it.
pub(crate) fn called(state: &State, form: &str) -> Scope {
    let mut found: BTreeSet<Named> =
        state.identifiers.get(form).map(|asset| Named::Asset(*asset)).into_iter().collect();
    let begun = |begin: &str| {
        let mut from = state.phrases.range::<str, _>((Bound::Included(begin), Bound::Unbounded));
        from.next().is_some_and(|(phrase, _)| phrase.starts_with(begin))
    };
    let mut todo = vec![(String::with_capacity(2 * form.len()), form)];
    while let Some((begin, rest)) = todo.pop() {
        let Some(c) = rest.chars().next() else {
            found.extend(state.phrases.get(begin.as_str()).into_iter().flatten());
            continue;
        };
        let rest = &rest[c.len_utf8()..];
        for end in ["", " "].into_iter().take(if begin.is_empty() { 1 } else { 2 }) {
            let longer = format!("{begin}{end}{c}");
            if begun(&longer) {
                todo.push((longer, rest));
            }
        }
    }
    scope_of(state, found)
}

/// What these are, by their ids.
pub(crate) fn scope_of(state: &State, targets: impl IntoIterator<Item = Named>) -> Scope {
    let mut scope = Scope::default();
    let mut accounts = BTreeSet::new();
    for target in targets {
        match target {
            Named::Account(id) => {
                if accounts.insert(id) {
                    scope.accounts.push(id);
                }
            }
            Named::Owner(id) => {
                let all = owner::accounts(state, id).into_iter();
                scope.accounts.extend(all.filter(|id| accounts.insert(*id)));
            }
            Named::Asset(id) => scope.assets.push(id),
        }
    }
    scope
}

/// Each once, in the order in which they stand in the letter.
fn targets(state: &State, letter: &str) -> Vec<Named> {
    let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
    let mut add = |target: Named| {
        if seen.insert(target) {
            found.push(target);
        }
    };
    let mut start = 0;
    for word in letter.split(' ') {
        if let Some(asset) = state.identifiers.get(word) {
            add(Named::Asset(*asset));
        }
        if state.first_words.contains_key(word) {
            for target in phrases_at(state, &letter[start..]) {
                add(*target);
            }
        }
        start += word.len() + 1;
    }
    found
}

/// Targets of every phrase that `rest` begins with.
fn phrases_at<'a>(state: &'a State, rest: &str) -> Vec<&'a Named> {
    let mut found = Vec::new();
    let mut upto = rest;
    // The greatest phrase not after `upto` is a prefix of it, or shares a shorter prefix with it.
    while !upto.is_empty() {
        let range = (Bound::Unbounded, Bound::Included(upto));
        let Some((phrase, targets)) = state.phrases.range::<str, _>(range).next_back() else {
            break;
        };
        let common = common_prefix(phrase, upto);
        if common == phrase.len() {
            if rest[common..].is_empty() || rest[common..].starts_with(' ') {
                found.extend(targets);
            }
            upto = shorter(&upto[..common]);
        } else {
            upto = &upto[..common];
        }
    }
    found
}

/// Bytes both begin with, at a character boundary.
fn common_prefix(a: &str, b: &str) -> usize {
    let same = a.chars().zip(b.chars()).take_while(|(x, y)| x == y);
    same.map(|(c, _)| c.len_utf8()).sum()
}

/// Without the last character.
fn shorter(text: &str) -> &str {
    text.char_indices().next_back().map_or("", |(last, _)| &text[..last])
}

/// Demands in force whose letter names one of these labels.
pub(crate) fn waiting<'a>(state: &State, labels: impl Iterator<Item = &'a str>) -> Vec<DemandId> {
    let mut found = Vec::new();
    for phrase in labels.flat_map(phrases) {
        for id in rarest(state, &phrase).into_iter().flatten() {
            let papers = state.demands.get(*id).and_then(|demand| demand.papers.as_ref());
            if papers.is_some_and(|papers| contains(&papers.words, &phrase)) && !found.contains(id)
            {
                found.push(*id);
            }
        }
    }
    found
}

/// The letters that have the rarest word of a phrase, if every word of it is in some letter: "srv"
/// may be in all of them, "0412" is not.
fn rarest<'a>(state: &'a State, phrase: &str) -> Option<&'a BTreeSet<DemandId>> {
    // The last word is asked for first: it is what tells things of one kind apart.
    let mut words = phrase.rsplit(' ').map(|word| state.waiting.get(word));
    let last = words.next()??;
    words.try_fold(last, |rarest, letters| {
        Some(if letters?.len() < rarest.len() { letters? } else { rarest })
    })
}

/// True if the phrase stands in the letter at word boundaries.
pub(crate) fn contains(letter: &str, phrase: &str) -> bool {
    letter.match_indices(phrase).any(|(at, _)| {
        let end = at + phrase.len();
        (at == 0 || letter.as_bytes()[at - 1] == b' ')
            && (end == letter.len() || letter.as_bytes()[end] == b' ')
    })
}

/// The distinct words a letter is filed under.
pub(crate) fn index_words(letter: &str) -> impl Iterator<Item = &str> {
    letter.split(' ').filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_lower_case_and_separated_once() {
        assert_eq!(words("  Dear Host,\r\nSRV-0001 & 50:01:43 "), "dear host srv 0001 50 01 43");
        assert_eq!(words("…"), "");
        assert!(words(&"x".repeat(LONGEST_LETTER * 2)).len() <= LONGEST_LETTER);
    }

    #[test]
    fn a_letter_has_its_identifiers_once_more_without_punctuation() {
        assert_eq!(letter("Keep WD-12:ab, (50:01)."), "keep wd 12 ab 50 01 wd12ab wd12 5001");
        assert_eq!(letter("no number-like-thing, 5001"), "no number like thing 5001");
    }

    #[test]
    fn a_letter_has_each_world_wide_name_once_more_by_its_digits() {
        let name = "5000c500a1b2c3d4";
        for (text, expected) in [
            (format!("Keep 0x{name}."), format!("keep 0x{name} {name}")),
            (format!("wwn-0x{name}"), format!("wwn 0x{name} {name}")),
            (format!("disk/0x{name}"), format!("disk 0x{name} disk0x{name} {name}")),
            (name.to_uppercase(), name.into()),
        ] {
            let mut letter = letter(&text);
            assert_eq!(letter, expected);
            spell_names(&mut letter);
            assert_eq!(letter, expected, "once");
        }
        // As a log from before has it.
        let mut before = format!("wwn 0x{name} wwn0x{name}");
        spell_names(&mut before);
        assert_eq!(before, format!("wwn 0x{name} wwn0x{name} {name}"));
    }

    #[test]
    fn a_name_is_found_however_it_is_spelt() {
        let found = |text: &str, label: &str| contains(&letter(text), &phrase(label).unwrap());
        for (text, label) in [
            ("keep Mu\u{308}ller Fotografie", "Müller Fotografie"),
            ("keep Müller Fotografie", "Mu\u{308}ller Fotografie"),
            ("keep Mega\u{ad}upload", "Megaupload"),
            ("keep Mega\u{200b}upload", "Megaupload"),
            ("keep srv-13\u{200b}and srv-14", "srv-13"),
            ("keep Ｍｅｇａｕｐｌｏａｄ", "Megaupload"),
            ("keep ｓｒｖ－１３", "srv-13"),
            ("keep Megaupload™'s data²", "Megaupload"),
            ("请保留Megaupload的所有数据", "Megaupload"),
            ("请保留srv-13的数据", "srv-13"),
            ("サーバーsrv-13のデータ", "srv-13"),
            ("请保留东京机房的数据", "东京机房"),
            ("메가업로드의 데이터", "메가업로드"),
            ("FRIEDRICHSTRASSE 7", "Friedrichstraße 7"),
        ] {
            assert!(found(text, label), "{label:?} in {text:?}: {:?}", letter(text));
        }
        assert!(!found("keep Megauploads", "Megaupload"));
        assert!(!found("keep Muller Fotografie", "Müller Fotografie"));
    }

    #[test]
    fn a_serial_number_is_found_within_any_script() {
        for text in [
            "硬盘序列号WD-WX43需要保留",
            "WD-WX43\u{200b}and another",
            "シリアルＷＤ－ＷＸ４３です",
            "no WD\u{ad}-WX43.",
        ] {
            let serial = normal("wd:wx-43");
            assert!(letter(text).split(' ').any(|word| word == serial), "{:?}", letter(text));
        }
        assert_eq!(normal("ＷＤ－ＷＸ４３"), normal("wd-wx43"));
    }

    #[test]
    fn a_phrase_matches_whole_words_only() {
        assert!(contains("keep megaupload data", "megaupload"));
        assert!(!contains("keep megauploads data", "megaupload"));
        assert!(contains("a b a b c", "a b c"));
        assert!(!contains("", "a"));
    }

    #[test]
    fn every_phrase_that_a_text_begins_with_is_found() {
        let mut state = State::default();
        for (n, label) in
            ["acme", "acme hosting", "acme hosting bv", "acm", "acme x"].iter().enumerate()
        {
            let target = Named::Asset(crate::id::AssetId(n as u32 + 1));
            state.phrases.insert((*label).into(), vec![target]);
            *state.first_words.entry(label.split(' ').next().unwrap().into()).or_default() += 1;
        }
        let found = named(&state, "dear acme hosting bv please");
        let mut assets: Vec<u32> = found.assets.iter().map(|a| a.0).collect();
        assets.sort_unstable();
        assert_eq!(assets, [1, 2, 3]);
        assert!(named(&state, "acmehosting").matches_nothing());
    }
}
