//! Forms: the sentences that are understood. A form is a pattern with an example.
//!
//! A pattern is literal words, slots `{name:kind}` or `{name=this/that}`, and `[optional parts]`.
//! Commas and colons may stand before any word and mean nothing there. Invariants (tests): every
//! example is understood by its own form and by no other, and the handbook lists every form.

use std::collections::BTreeMap;

use super::names::Names;
use super::question::Question;
use super::slot::{Kind, Slot, Slots};
use super::token::Token;
use crate::command::{Action, Command};
use crate::event::By;
use crate::id::PartyId;
use crate::instrument::Catalogue;
use crate::state::State;
use crate::time::Time;
use crate::view::OwnerView;

/// A sentence that is understood.
#[derive(Debug)]
pub(super) struct Form {
    /// What it looks like.
    pub(super) pattern: &'static str,
    /// One that exists.
    pub(super) example: &'static str,
    /// What it does.
    pub(super) meaning: Meaning,
}

/// What a sentence does.
#[derive(Clone, Copy, Debug)]
pub(super) enum Meaning {
    /// Something happens.
    Act(fn(&Scene<'_>, &Slots) -> Result<Vec<Step>, Unclear>),
    /// Something is asked, and the answer must be the one that is written.
    Ask(fn(&Scene<'_>, &Slots) -> Result<Answer, Unclear>),
}

/// What a sentence can see.
pub(super) struct Scene<'a> {
    pub(super) state: &'a State,
    pub(super) names: &'a Names,
    pub(super) standard: &'a Catalogue,
    pub(super) now: Time,
    pub(super) memory: &'a Memory,
}

/// What the player keeps that the state does not.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    /// What owners saw when they were last asked to remember.
    pub(super) views: BTreeMap<PartyId, OwnerView>,
    /// When receipts left.
    pub(super) receipts: BTreeMap<crate::id::DemandId, Time>,
}

/// Commands that belong together: the first refusal ends the step.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Step(pub(super) Vec<Command>);

/// One step with one command.
pub(super) fn one(by: By, action: Action) -> Result<Vec<Step>, Unclear> {
    Ok(vec![Step(vec![Command { by, action }])])
}

/// An answer to a question.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Answer {
    /// What the line wants.
    pub(super) expected: String,
    /// What is so.
    pub(super) got: String,
    /// What goes into the transcript.
    pub(super) shown: Vec<String>,
    /// A view to remember.
    pub(super) remember: Option<(PartyId, OwnerView)>,
    /// The same, as somebody outside would ask it.
    pub(super) asked: Vec<Question>,
}

impl Answer {
    /// An answer that is right if both texts are the same.
    pub(super) fn of(expected: impl Into<String>, got: impl Into<String>) -> Answer {
        let got = got.into();
        let (expected, shown) = (expected.into(), vec![got.clone()]);
        Answer { expected, shown, got, ..Answer::default() }
    }
}

/// The sentence is well formed and names something that is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unclear {
    pub(super) expected: String,
    pub(super) got: String,
}

impl Unclear {
    pub(super) fn new(expected: impl Into<String>, got: impl Into<String>) -> Unclear {
        Unclear { expected: expected.into(), got: got.into() }
    }
}

/// A part of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item {
    Word(&'static str),
    Slot(&'static str, Kind),
    Optional(Vec<Item>),
}

/// Reads a pattern.
pub(super) fn items(pattern: &'static str) -> Vec<Item> {
    let mut stack: Vec<Vec<Item>> = vec![Vec::new()];
    for word in pattern.split(' ') {
        let opened = word.trim_start_matches('[');
        stack.extend((opened.len()..word.len()).map(|_| Vec::new()));
        let bare = opened.trim_end_matches(']');
        if let Some(top) = stack.last_mut() {
            top.push(item(bare));
        }
        for _ in bare.len()..opened.len() {
            let group = stack.pop().unwrap_or_default();
            if let Some(top) = stack.last_mut() {
                top.push(Item::Optional(group));
            }
        }
    }
    stack.into_iter().next().unwrap_or_default()
}

fn item(word: &'static str) -> Item {
    let Some(slot) = word.strip_prefix('{').and_then(|slot| slot.strip_suffix('}')) else {
        return Item::Word(word);
    };
    if let Some((name, options)) = slot.split_once('=') {
        return Item::Slot(name, Kind::Choice(options));
    }
    let (name, kind) = slot.split_once(':').unwrap_or((slot, slot));
    let kind = match kind {
        "names" => Kind::Names,
        "text" => Kind::Text,
        "number" => Kind::Number,
        "size" => Kind::Size,
        "money" => Kind::Money,
        "time" => Kind::Time,
        "channels" => Kind::Channels,
        "reasons" => Kind::Reasons,
        _ => Kind::Name,
    };
    Item::Slot(name, kind)
}

/// How far a line was understood, and what would have been understood there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Furthest {
    /// Number of tokens understood.
    pub(super) at: usize,
    /// What would be understood next, with the form that says so.
    pub(super) wanted: Vec<(String, &'static str)>,
}

impl Furthest {
    fn miss(&mut self, at: usize, wanted: impl FnOnce() -> String, example: &'static str) {
        if at > self.at {
            (self.at, self.wanted) = (at, Vec::new());
        }
        if at == self.at {
            let wanted = wanted();
            if !self.wanted.iter().any(|(known, _)| *known == wanted) {
                self.wanted.push((wanted, example));
            }
        }
    }
}

/// One attempt to understand a line by a form.
pub(super) struct Reading<'a> {
    pub(super) tokens: &'a [Token],
    pub(super) example: &'static str,
    pub(super) slots: Vec<(&'static str, Slot)>,
    pub(super) furthest: &'a mut Furthest,
}

impl Reading<'_> {
    /// True if the items, followed by the rest, take all tokens from `at` on.
    pub(super) fn takes(&mut self, items: &[Item], rest: &[&[Item]], at: usize) -> bool {
        let Some((first, others)) = items.split_first() else {
            return match rest.split_first() {
                Some((next, rest)) => self.takes(next, rest, at),
                None => self.ends(at),
            };
        };
        match first {
            Item::Word(word) => {
                let at = self.after_mark(at);
                match self.tokens.get(at) {
                    Some(Token::Word(found)) if found == word => self.takes(others, rest, at + 1),
                    _ => self.miss(at, || format!("{word:?}")),
                }
            }
            Item::Slot(name, kind) => {
                let at = self.after_mark(at);
                match kind.read(self.tokens.get(at..).unwrap_or_default()) {
                    Some((slot, taken)) => {
                        self.slots.push((name, slot));
                        let understood = self.takes(others, rest, at + taken);
                        if !understood {
                            self.slots.pop();
                        }
                        understood
                    }
                    None => self.miss(at, || kind.wanted(name)),
                }
            }
            Item::Optional(group) => {
                let mut after: Vec<&[Item]> = vec![others];
                after.extend(rest);
                self.takes(group, &after, at) || self.takes(others, rest, at)
            }
        }
    }

    fn after_mark(&self, at: usize) -> usize {
        match self.tokens.get(at) {
            Some(Token::Mark(_)) if at > 0 => at + 1,
            _ => at,
        }
    }

    fn ends(&mut self, at: usize) -> bool {
        at == self.tokens.len() || self.miss(at, || "the end of the line".to_owned())
    }

    fn miss(&mut self, at: usize, wanted: impl FnOnce() -> String) -> bool {
        self.furthest.miss(at, wanted, self.example);
        false
    }
}
