//! Indices of the state: phrases, identifiers, wanted identifiers, words of letters.
//!
//! Invariant: each is a function of the records applied; `check` compares them with a scan. While a
//! whole log is replayed, what is to be filed is only noted down; `replay` files it at the end.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use super::filing::Change;
use crate::asset::Identifier;
use crate::id::{AssetId, DemandId, HoldId, PartyId};
use crate::matching;
use crate::party::Who;
use crate::state::{Key, Named, State};

/// Makes a label findable in letters.
pub(super) fn add_phrase(s: &mut State, label: &str, target: Named) {
    matching::phrases(label).for_each(|phrase| add_one(s, phrase, target));
}

fn add_one(s: &mut State, phrase: String, target: Named) {
    match &mut s.filing {
        Some(filing) => filing.phrase(phrase, Change::Names(target)),
        None => file_phrase(s, phrase, target),
    }
}

fn file_phrase(s: &mut State, phrase: String, target: Named) {
    let targets = match s.phrases.entry(phrase.into()) {
        Entry::Occupied(known) => known.into_mut(),
        Entry::Vacant(new) => {
            let first = new.key().split(' ').next().unwrap_or_default();
            match s.first_words.get_mut(first) {
                Some(count) => *count += 1,
                None => _ = s.first_words.insert(first.into(), 1),
            }
            new.insert(Vec::with_capacity(1))
        }
    };
    add_target(targets, target);
}

/// Targets of a phrase are sorted: thousands may share one, such as `web server`.
pub(super) fn add_target(targets: &mut Vec<Named>, target: Named) {
    if let Err(place) = targets.binary_search(&target) {
        targets.insert(place, target);
    }
}

pub(super) fn remove_target(targets: &mut Vec<Named>, target: Named) {
    if let Ok(place) = targets.binary_search(&target) {
        targets.remove(place);
    }
}

/// Forgets a label.
pub(super) fn remove_phrase(s: &mut State, label: &str, target: Named) {
    matching::phrases(label).for_each(|phrase| remove_one(s, phrase, target));
}

fn remove_one(s: &mut State, phrase: String, target: Named) {
    if let Some(filing) = &mut s.filing {
        return filing.phrase(phrase, Change::Forgets(target));
    }
    let Some(targets) = s.phrases.get_mut(phrase.as_str()) else { return };
    remove_target(targets, target);
    if targets.is_empty() {
        s.phrases.remove(phrase.as_str());
        let first = phrase.split(' ').next().unwrap_or_default();
        if let Some(count) = s.first_words.get_mut(first) {
            *count -= 1;
            if *count == 0 {
                s.first_words.remove(first);
            }
        }
    }
}

/// Makes an asset findable by its identifiers.
pub(super) fn identify(s: &mut State, asset: AssetId, identifiers: &[Identifier]) {
    for identifier in identifiers {
        let normal = identifier.normal();
        if normal.len() != identifier.value.len() {
            let phrase = matching::phrase(&identifier.value).into_iter();
            phrase.for_each(|phrase| add_one(s, phrase, Named::Asset(asset)));
        }
        if let Some(filing) = &mut s.filing {
            filing.identifier(normal, asset);
            continue;
        }
        // As one word it is found by the index of identifiers, which knows one asset for each: an
        // asset that had it before stays findable, for its copies' sake.
        let before = s.identifiers.insert(normal.as_str().into(), asset);
        if let Some(before) = before.filter(|before| *before != asset) {
            add_phrase(s, &normal, Named::Asset(before));
            add_phrase(s, &normal, Named::Asset(asset));
        }
    }
}

/// Address -> parties.
type Addresses = BTreeMap<Key, BTreeSet<PartyId>>;

pub(super) fn add_addresses(to: &mut Addresses, party: PartyId, who: &Who) {
    for channel in &who.channels {
        let address = channel.address.trim().to_lowercase();
        to.entry(address.into()).or_default().insert(party);
    }
}

/// Takes the party's addresses away from it; another login of the person keeps them.
pub(super) fn remove_addresses(from: &mut Addresses, party: PartyId, who: &Who) {
    for channel in &who.channels {
        let address = channel.address.trim().to_lowercase();
        if let Some(parties) = from.get_mut(address.as_str()) {
            parties.remove(&party);
            if parties.is_empty() {
                from.remove(address.as_str());
            }
        }
    }
}

/// Lets later registrations find the demand by the words of its letter. A replay files all letters
/// that are in force at its end.
pub(super) fn add_letter(s: &mut State, demand: DemandId, words: &str) {
    if s.filing.is_some() {
        return;
    }
    for word in matching::index_words(words) {
        match s.waiting.get_mut(word) {
            Some(demands) => _ = demands.insert(demand),
            None => _ = s.waiting.insert(word.into(), [demand].into()),
        }
    }
}

/// Forgets the words of a letter whose hold is over.
pub(super) fn remove_letter(s: &mut State, demand: DemandId) {
    if s.filing.is_some() {
        return;
    }
    let papers = s.demands.get(demand).and_then(|demand| demand.papers.as_ref());
    let Some(words) = papers.map(|papers| papers.words.clone()) else { return };
    for word in matching::index_words(&words) {
        if let Some(demands) = s.waiting.get_mut(word) {
            demands.remove(&demand);
            if demands.is_empty() {
                s.waiting.remove(word);
            }
        }
    }
}

/// Files a hold under an identifier that nothing here has yet.
pub(super) fn add_wanted(s: &mut State, identifier: &str, hold: HoldId) {
    let holds = s.wanted.entry(identifier.into()).or_default();
    if !holds.contains(&hold) {
        holds.push(hold);
    }
}
