//! The guard: a section is shown only if it names nobody else and nothing that is not the party's.
//!
//! Invariants: every id in an event is looked at (the macro that defines events lists them); texts
//! are held against the names and addresses of all other parties, against the labels and
//! identifiers of all accounts and assets, and against everything that is written like an id. A
//! text too long to be looked through does not pass. Who wrote a text may stand in it.
//!
//! It is a net, not the rule: a person can be described without being named, and what is inside of
//! a document is not read here. Who writes reasons to a party writes them for that party.

use std::collections::{BTreeMap, BTreeSet};

use super::part::Part;
use crate::demand::Papers;
use crate::event::{By, Event, Record};
use crate::id::PartyId;
use crate::matching;
use crate::party::{Party, Role, person};
use crate::state::State;

/// Prefixes of ids, without that of the house's own entities.
const PREFIXES: [&str; 16] =
    ["P", "AC", "A", "M", "D", "H", "N", "O", "X", "C", "S", "Q", "K", "Y", "T", "R"];

/// What may not stand in what a party is shown.
#[derive(Debug)]
pub(super) struct Guard {
    logins: BTreeSet<PartyId>,
    known: BTreeSet<String>,
    /// First word of a name or address -> the whole of it, and whose it is.
    others: BTreeMap<String, Vec<(String, PartyId)>>,
}

impl Guard {
    pub(super) fn of(state: &State, part: &Part) -> Guard {
        let mut others: BTreeMap<String, Vec<(String, PartyId)>> = BTreeMap::new();
        for (id, party) in state.parties.iter().filter(|(id, _)| !part.logins.contains(id)) {
            for phrase in phrases(party) {
                let first = phrase.split(' ').next().unwrap_or_default().to_owned();
                others.entry(first).or_default().push((phrase, id));
            }
        }
        Guard { logins: part.logins.clone(), known: part.ids(), others }
    }

    /// From now on this may be named.
    pub(super) fn knows(&mut self, id: impl std::fmt::Display) {
        self.known.insert(id.to_string());
    }

    /// Does what happened name nobody else?
    pub(super) fn passes_event(&self, s: &State, record: &Record) -> bool {
        let event = &record.fact.event;
        let ids = event.mentions();
        let mut ids = ids.iter().filter(|id| !id.starts_with("E-"));
        self.passes_actor(s, record.by)
            && ids.all(|id| self.known.contains(id))
            && texts(event).into_iter().all(|text| self.passes_text(s, record.by, text))
    }

    /// Do the words and names of documents name nobody else?
    pub(super) fn passes_papers(&self, s: &State, by: By, papers: &Papers) -> bool {
        let Papers { exhibits, words, note } = papers;
        let names = exhibits.iter().flat_map(|paper| [&paper.name, &paper.media]);
        names.chain([note, words]).all(|text| self.passes_text(s, by, text))
    }

    /// Bailee itself, the party, or the house's people, who act for the house.
    fn passes_actor(&self, s: &State, by: By) -> bool {
        let By::Party(by) = by else { return true };
        let of_house = |party: &Party| party.is(Role::Staff) || party.is(Role::Counsel);
        self.logins.contains(&by) || s.parties.get(by).is_some_and(of_house)
    }

    fn passes_text(&self, s: &State, by: By, text: &str) -> bool {
        let letter = matching::letter(text);
        if matching::words(text).len() + 4 >= matching::LONGEST_LETTER {
            return false;
        }
        let scope = matching::labelled(s, &letter);
        let accounts = scope.accounts.iter().map(ToString::to_string);
        let mut named = accounts.chain(scope.assets.iter().map(ToString::to_string));
        named.all(|id| self.known.contains(&id))
            && self.passes_ids(text)
            && self.passes_names(s, by, &letter)
    }

    /// Everything written like an id is one that the party knows.
    fn passes_ids(&self, text: &str) -> bool {
        let tokens = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
        tokens.filter(|token| is_id(token)).all(|id| self.known.contains(&id.to_ascii_uppercase()))
    }

    fn passes_names(&self, s: &State, by: By, letter: &str) -> bool {
        let author = match by {
            By::System => None,
            By::Party(by) => Some(person(&s.parties, by)),
        };
        let words: BTreeSet<&str> = letter.split(' ').filter(|word| !word.is_empty()).collect();
        let candidates = words.into_iter().filter_map(|word| self.others.get(word)).flatten();
        let mut named = candidates.filter(|(phrase, _)| matching::contains(letter, phrase));
        named.all(|(_, whose)| Some(person(&s.parties, *whose)) == author)
    }
}

/// Name and addresses in the form that texts are compared in.
fn phrases(party: &Party) -> impl Iterator<Item = String> + '_ {
    let who = party.who.iter();
    let texts = who.flat_map(|who| {
        [&who.name].into_iter().chain(who.channels.iter().map(|channel| &channel.address))
    });
    texts.map(|text| matching::words(text)).filter(|phrase| !phrase.is_empty())
}

/// Free text in an event that a party may be shown.
fn texts(event: &Event) -> Vec<&str> {
    match event {
        Event::AssetRegistered { label, identifiers, place, .. } => {
            let values = identifiers.iter().map(|identifier| identifier.value.as_str());
            values.chain([label.as_str(), place.as_str()]).collect()
        }
        Event::AssetMoved { place, .. } => vec![place],
        Event::AssetRelabelled { label, identifiers, .. } => {
            let values = identifiers.iter().map(|identifier| identifier.value.as_str());
            values.chain([label.as_str()]).collect()
        }
        Event::HoldPlaced { scope, instrument, .. } => {
            let texts = scope.identifiers.iter().chain(&scope.categories);
            texts.map(String::as_str).chain([instrument.as_str()]).collect()
        }
        Event::BasisAdded { instrument, .. } => vec![instrument],
        _ => Vec::new(),
    }
}

/// True for what is written like `H-17`, in letters of either case.
fn is_id(token: &str) -> bool {
    let Some((prefix, number)) = token.split_once('-') else { return false };
    let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    digits && PREFIXES.iter().any(|known| prefix.eq_ignore_ascii_case(known))
}
