//! What becomes known late is held by whatever waits for it, in the same decision.
//!
//! Invariant (rules 1, 3): a letter in force that names it, and a hold in force that wants it by an
//! identifier, reach it from the entry that makes it known; what they reached once they go on
//! reaching, by whatever name it goes later. What was decided of such a hold was decided of less
//! (meaning.rs), and nothing goes by it from that entry on.

use std::collections::BTreeSet;

use super::clearance::verb;
use super::demand::revoke_reached;
use crate::asset::{Identifier, normal};
use crate::command::NewAsset;
use crate::coverage;
use crate::custody;
use crate::demand::Scope;
use crate::event::{Event, Fact};
use crate::gate::Verb;
use crate::hold::{Hold, HoldStatus};
use crate::id::{AssetId, ClearanceId, DemandId, HoldId, PartyId};
use crate::matching;
use crate::meaning;
use crate::owner;
use crate::party::Who;
use crate::policy::DutyKind;
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

/// Whatever waits for the label or an identifier reaches the asset.
pub(super) fn matched(s: &State, asset: AssetId, label: &str, identifiers: &[Identifier]) -> Meant {
    let joined: Vec<String> = identifiers.iter().map(Identifier::normal).collect();
    let said = std::iter::once(label).chain(identifiers.iter().map(|i| i.value.as_str()));
    let said = said.chain(joined.iter().map(String::as_str));
    let more = Scope { assets: vec![asset], ..Scope::default() };
    meant(s, said, std::iter::once(label), &more)
}

/// Holds that come with a new asset, beside those that mean it.
pub(super) fn arriving(s: &State, new: &NewAsset, mut holds: BTreeSet<HoldId>) -> BTreeSet<HoldId> {
    let accounts = new.accounts.iter().filter_map(|id| s.accounts.get(*id));
    holds.extend(accounts.flat_map(|account| &account.holds));
    holds.extend(new.copy_of.iter().flat_map(|source| coverage::holds(s, *source).into_keys()));
    holds.extend(new.identifiers.iter().flat_map(|i| s.wanting(&i.normal())));
    holds
}

/// Holds in force that want something of these names.
fn wanting<'a>(s: &State, names: impl Iterator<Item = &'a str>) -> BTreeSet<HoldId> {
    let mut found = BTreeSet::new();
    if s.wanted.is_empty() {
        return found;
    }
    for name in names {
        // A label that is too short to be found in letters is not found here either.
        if matching::is_found(name) {
            let holds = s.wanting(&normal(name)).iter().copied();
            found.extend(holds.filter(|id| s.holds.get(*id).is_some_and(Hold::in_force)));
        }
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

/// What follows for holds that mean more by these facts: what was to go because a copy would do
/// does not, and a person looks at a hold that was to thaw.
pub(super) fn rethought(s: &State, facts: &[Fact]) -> Vec<Fact> {
    let grown = facts.iter().flat_map(|fact| meaning::grown(s, &fact.event));
    let grown: BTreeSet<HoldId> = grown.collect();
    let event = |fact: &Fact| match fact.event {
        Event::ClearanceRevoked { clearance, .. } => Some(clearance),
        _ => None,
    };
    let mut revoked: BTreeSet<ClearanceId> = facts.iter().filter_map(event).collect();
    let raised = facts.iter().filter(|fact| matches!(fact.event, Event::DutyRaised { .. }));
    let mut raised = raised.count();
    let mut more = Vec::new();
    for hold in grown {
        let Some(found) = s.holds.get(hold) else { continue };
        if found.copy_allowed.is_some() {
            for clearance in by_copy(s, hold).filter(|id| revoked.insert(*id)) {
                more.push(Event::ClearanceRevoked { clearance, hold }.into());
            }
        }
        let kind = DutyKind::ReviewHold(hold);
        let asked = |duty| s.duties.get(duty).is_some_and(|open| open.kind == kind);
        if matches!(found.status, HoldStatus::Cooling(_)) && !s.open_duties().any(asked) {
            more.push(Event::DutyRaised { duty: s.duties.next_after(raised), kind }.into());
            raised += 1;
        }
    }
    more
}

/// Clearances open on what the hold reaches: only a copy let it go, if it is not handed over with
/// the hold.
fn by_copy(s: &State, hold: HoldId) -> impl Iterator<Item = ClearanceId> + '_ {
    s.open_clearances.iter().copied().filter(move |id| {
        let Some(open) = s.clearances.get(*id) else { return false };
        let kind = s.dispositions.get(open.disposition).map(|found| found.kind);
        kind.is_none_or(|kind| verb(kind) != Verb::Transfer)
            && custody::under(s, open).iter().any(|asset| coverage::reaches(s, hold, *asset))
    })
}
