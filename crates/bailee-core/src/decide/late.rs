//! What becomes known late is held by whatever waits for it, in the same decision.
//!
//! Invariant (rules 1, 3): a letter in force that names it, and a hold in force that wants it by an
//! identifier, reach it from the entry that makes it known; what they reached once they go on
//! reaching, by whatever name it goes later.

use std::collections::BTreeSet;

use super::demand::revoke_reached;
use crate::asset::normal;
use crate::demand::Scope;
use crate::event::{Event, Fact};
use crate::hold::Hold;
use crate::id::{DemandId, HoldId, PartyId};
use crate::matching;
use crate::owner;
use crate::party::Who;
use crate::state::State;

/// What is said of it, and the holds that reach it now.
pub(super) struct Meant {
    pub(super) facts: Vec<Fact>,
    pub(super) holds: BTreeSet<HoldId>,
}

/// Demands whose letter names one of these, and holds that want one of those: all now mean `more`.
/// Hard identifiers need not be among the wanted: the gate looks them up itself.
pub(super) fn meant<'a>(
    s: &State,
    said: impl Iterator<Item = &'a str>,
    wanted: impl Iterator<Item = &'a str>,
    more: &Scope,
) -> Meant {
    let mut demands: Vec<DemandId> = matching::waiting(s, said);
    let mut alone = Vec::new();
    for hold in wanting(s, wanted) {
        match s.holds.get(hold).and_then(|found| found.demands.first()) {
            Some(demand) if demands.contains(demand) => {}
            Some(demand) => demands.push(*demand),
            None => alone.push(hold),
        }
    }
    let new = |hold: HoldId| {
        s.holds.get(hold).is_some_and(|Hold { scope, .. }| {
            !more.accounts.iter().all(|id| scope.accounts.contains(id))
                || !more.assets.iter().all(|id| scope.assets.contains(id))
        })
    };
    let (mut facts, mut holds) = (Vec::new(), BTreeSet::new());
    for demand in demands {
        let hold = s.demands.get(demand).map(|found| found.hold);
        if let Some(hold) = hold.filter(|hold| new(*hold)) {
            facts.push(Event::DemandMatched { demand, more: more.clone() }.into());
            holds.insert(hold);
        }
    }
    for hold in alone.into_iter().filter(|hold| new(*hold)) {
        facts.push(Event::HoldMatched { hold, more: more.clone() }.into());
        holds.insert(hold);
    }
    Meant { facts, holds }
}

/// Holds in force that want something of these names.
fn wanting<'a>(s: &State, names: impl Iterator<Item = &'a str>) -> BTreeSet<HoldId> {
    let mut found = BTreeSet::new();
    if s.wanted.is_empty() {
        return found;
    }
    for name in names {
        let holds = s.wanted.get(normal(name).as_str());
        // A label that is too short to be found in letters is not found here either.
        let holds = holds.filter(|_| matching::phrase(name).is_some()).into_iter().flatten();
        found.extend(holds.filter(|id| s.holds.get(**id).is_some_and(Hold::in_force)));
    }
    found
}

/// A person goes by another name from now on: whoever asked for it means their accounts, and what
/// is about to go with data of theirs does not.
pub(super) fn named(s: &State, login: PartyId, who: &Who) -> Vec<Fact> {
    let accounts = owner::accounts(s, login);
    if accounts.is_empty() {
        return Vec::new();
    }
    let more = Scope { accounts, ..Scope::default() };
    let Meant { mut facts, holds } = meant(s, owner::names(who), owner::names(who), &more);
    let revoked = holds.first().map(|hold| revoke_reached(s, *hold, &more));
    facts.extend(revoked.into_iter().flatten());
    facts
}
