//! Disclosure: which sections of which entries of a matter somebody may see. Pure.
//!
//! Invariants (rules 9 and 11)
//! 1. To a party nothing is shown but by a line of the table (`table.rs`). An event without a line
//!    is for the house alone; so is whatever is added later, until somebody gives it a line.
//! 2. What the table grants passes the guard (`guard.rs`): a section that names somebody else, or a
//!    thing that is not the party's to know of, stays closed. Only what the party wrote itself is
//!    not looked through.
//! 3. What a data owner is shown is a function of the house without its silent holds: they choose
//!    no entry, open or close no section. Histories that differ in whom a silent hold is on look
//!    the same (a test plays them).
//! 4. An entry is *closed* (its leaf and its proof, no section) only where the party knows of the
//!    act already, from something addressed to it. Everything else is open or not there at all: a
//!    closed entry ties a place in the log to the party, and that is something told.
//! 5. What a party is shown, the house's counsel is shown too.
//!
//! Entries are looked at in the order of the log. What is decided is as of the state given.
//!
//! Out of scope: who may ask for a bundle (the door), what the public log tells by itself (kinds
//! and hours of entries, docs/threat-model.md), what is inside of documents.

mod guard;
mod house;
mod part;
mod table;

use crate::demand::Papers;
use crate::event::{By, Record};
use crate::id::{MatterId, PartyId};
use crate::party::Role;
use crate::state::State;
use guard::Guard;
use part::Part;
use table::Grant;

/// For whom something is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// The house's own counsel: everything about the matter.
    Counsel,
    /// A party: its part.
    Party(PartyId),
}

impl Audience {
    /// What a registered party is: counsel of the house, or a party like any other.
    pub fn of(state: &State, party: PartyId) -> Audience {
        match state.parties.get(party).is_some_and(|found| found.is(Role::Counsel)) {
            true => Audience::Counsel,
            false => Audience::Party(party),
        }
    }
}

/// The sections of an entry that are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// What happened.
    pub what: bool,
    /// Name and addresses.
    pub who: bool,
    /// Documents and words.
    pub papers: bool,
}

impl Shown {
    /// None of them: leaf and proof only.
    pub const CLOSED: Shown = Shown { what: false, who: false, papers: false };
    /// What happened, nothing else.
    pub const WHAT: Shown = Shown { what: true, ..Shown::CLOSED };
    /// The documents, nothing else.
    pub const PAPERS: Shown = Shown { papers: true, ..Shown::CLOSED };
    /// What happened, with its documents.
    pub const WITH_PAPERS: Shown = Shown { papers: true, ..Shown::WHAT };
    /// What happened, with the details of the party.
    pub const WITH_WHO: Shown = Shown { who: true, ..Shown::WHAT };
    /// Everything that is not erased.
    pub const ALL: Shown = Shown { what: true, who: true, papers: true };

    /// In the order of the sections.
    pub fn sections(self) -> [bool; 3] {
        [self.what, self.who, self.papers]
    }
}

/// True if words and documents that `by` wrote may go to the party in a letter: they name nobody
/// else, and nothing that is not the party's to know of. The net is that of bundles (`guard.rs`).
pub fn may_read(state: &State, party: PartyId, by: By, papers: &Papers) -> bool {
    let guard = Guard::of(state, &Part::of_reader(state, party));
    guard.passes_papers(state, by, papers)
}

/// What somebody may see of a matter.
#[derive(Debug)]
pub struct Disclosure {
    audience: Audience,
    rule: Rule,
}

#[derive(Debug)]
enum Rule {
    Counsel(Box<house::Whole>),
    Party(Box<(Part, Guard)>),
}

impl Disclosure {
    /// What the audience may see of the matter; `None` if there is no such matter or nothing in
    /// it is the party's to see: the two are not told apart.
    pub fn of(state: &State, matter: MatterId, audience: Audience) -> Option<Disclosure> {
        let rule = match audience {
            Audience::Counsel => Rule::Counsel(Box::new(house::Whole::of(state, matter)?)),
            Audience::Party(party) => {
                let part = Part::of(state, matter, party)?;
                let guard = Guard::of(state, &part);
                Rule::Party(Box::new((part, guard)))
            }
        };
        Some(Disclosure { audience, rule })
    }

    /// For whom it is.
    pub fn audience(&self) -> Audience {
        self.audience
    }

    /// The sections of an entry that are shown; `None`: the entry is not there at all. Entries are
    /// looked at in the order of the log, each once. The state is the one this was made of, or a
    /// later one: labels that came since are looked out for too.
    pub fn look(&mut self, state: &State, record: &Record) -> Option<Shown> {
        match &mut self.rule {
            Rule::Counsel(whole) => whole.has(&record.fact.event).then_some(Shown::ALL),
            Rule::Party(rule) => {
                let (part, guard) = &mut **rule;
                part.learn(&record.fact.event, guard);
                settle(state, table::grant(part, &record.fact.event), record, guard)
            }
        }
    }

    /// The name of a party, if the audience may read it: its own, or for counsel any that is not
    /// erased.
    pub fn name<'s>(&self, state: &'s State, party: PartyId) -> Option<&'s str> {
        let known = match self.audience {
            Audience::Counsel => true,
            Audience::Party(own) => own == party,
        };
        let found = state.parties.get(party).filter(|_| known)?;
        found.who.as_ref().map(|who| who.name.as_str())
    }
}

/// What is left of a grant when the guard has looked.
fn settle(state: &State, grant: Grant, record: &Record, guard: &Guard) -> Option<Shown> {
    let fact = &record.fact;
    let (granted, otherwise) = match grant {
        Grant::Nothing => return None,
        Grant::Closed => return Some(Shown::CLOSED),
        Grant::Own(granted) | Grant::Told(granted) => (granted, None),
        Grant::Known(granted) => (granted, Some(Shown::CLOSED)),
    };
    if granted.what && !guard.passes_event(state, record) {
        return otherwise;
    }
    let own = matches!(grant, Grant::Own(_));
    let clean = || {
        let papers = fact.papers.as_ref();
        papers.is_none_or(|papers| guard.passes_papers(state, record.by, papers))
    };
    let papers = granted.papers && (own || clean());
    let shown = Shown { papers, ..granted };
    if shown == Shown::CLOSED { otherwise } else { Some(shown) }
}
