//! Demands: received, matched, decided.
//!
//! Invariants (rule 1): `receive` cannot refuse for want of a match, a rule, a licence or a known
//! sender (it answers `already_done` to a letter that blocks all it asks for already), and the hold
//! stands in the same append as the demand. Every clearance that the new hold reaches is revoked in
//! that append too, so that ties are decided by log order alone.

use std::collections::BTreeSet;

use super::scope::{Letter, read_scope};
pub(super) use super::scope::{names_something, resolve};
use super::{Decision, answer, duty, find, reasoned, says};
use crate::command::{NewDemand, Reason, Triage};
use crate::coverage;
use crate::custody;
use crate::demand::{DemandStatus, Flag, Papers, Scope};
use crate::event::{Event, Fact};
use crate::hold::{Hold, HoldStatus};
use crate::id::{AssetId, DemandId, EntityId, HoldId, MatterId, PartyId};
use crate::instrument::{Instrument, LETTER, Privacy};
use crate::notice::About;
use crate::party::{Role, Who};
use crate::policy::DutyKind;
use crate::refusal::{Code, Refusal};
use crate::state::State;
use crate::time::Time;

pub(super) fn receive(s: &State, new: &NewDemand, now: Time) -> Decision {
    let letter = Letter::read(s, &new.text);
    if let Some(earlier) = received_before(s, new, &letter, now) {
        let text = "is this very letter, received before and still in force";
        return Err(Refusal::new(Code::AlreadyDone, earlier, text));
    }
    let mut facts = Vec::new();
    let from = sender(s, &new.from, &mut facts);
    let (instrument, mut flags) = instrument(s, new.instrument.as_deref())?;
    let scope = read_scope(s, new, from, &letter, &mut flags);
    flag_entity(s, new.entity, &scope, &mut flags);
    if new.damaged {
        flags.push(Flag::Damaged);
    }
    if new.unread {
        flags.push(Flag::AttachmentUnread);
    }

    let (demand, hold) = (s.demands.next(), s.holds.next());
    // What nobody knows yet may be secret; and what its owner saw once is told for good (rule 9).
    let unknown = flags.contains(&Flag::UnknownInstrument);
    let secret = || answer::is_in_confidence(s, &letter.ids, from);
    let by_itself = unknown || instrument.privacy == Privacy::Silent;
    let silent = new.silent.unwrap_or_else(|| by_itself || secret());
    let unmatched = flags.contains(&Flag::Unmatched);
    let event = Event::DemandReceived {
        demand,
        from,
        entity: new.entity,
        instrument: instrument.code.clone(),
        medium: new.medium,
        hold,
        flags,
    };
    let papers =
        Papers { exhibits: new.exhibits.clone(), words: letter.filed(), note: String::new() };
    facts.push(Fact::of(event).with_papers(papers));
    let revoked = revoke_reached(s, hold, &scope);
    facts.push(placed(hold, scope, instrument, silent, Some(demand), now));
    facts.extend(revoked);
    facts.extend(answer::objections(s, &answer::answered(s, &letter.ids), new, from));
    let kind = if unmatched { DutyKind::Unmatched(demand) } else { DutyKind::Triage(demand) };
    facts.push(Event::DutyRaised { duty: s.duties.next(), kind }.into());
    Ok(facts)
}

/// The demand that is this letter, byte for byte, from the same sender, if its hold stands and
/// reaches all that is asked for now. A sender without an address is nobody that is known: it is
/// the same if that demand's sender has none either, and the same name. A form that comes twice
/// with other fields is another demand; so is a letter sent again when the hold is over, or on its
/// way there, or has no reason left but this one.
fn received_before(s: &State, new: &NewDemand, letter: &Letter, now: Time) -> Option<DemandId> {
    let letters = s.letters.get(&new.exhibits.first()?.digest)?;
    let filed = letter.filed();
    // Older versions filed no more than its words.
    let is_filed = |words: &String| *words == filed || *words == letter.words;
    let (instrument, unknown) = instrument(s, new.instrument.as_deref()).ok()?;
    let same = |id: &DemandId| {
        let Some(demand) = s.demands.get(*id) else { return false };
        let Some(hold) = s.holds.get(demand.hold) else { return false };
        let standing = matches!(hold.status, HoldStatus::Provisional | HoldStatus::Active)
            && demand.status != DemandStatus::Refused
            && hold.release.is_none()
            && hold.bases.iter().any(|basis| {
                let ground = s.catalogue.keeps(&basis.instrument);
                (ground || basis.instrument == demand.instrument) && basis.stands(s.sure(now))
            });
        let in_part = |flag: &Flag| matches!(flag, Flag::Damaged | Flag::AttachmentUnread);
        let read_alike = demand.papers.as_ref().is_some_and(|papers| is_filed(&papers.words))
            && demand.flags.iter().any(in_part) == (new.damaged || new.unread);
        let alike = is_sender(s, demand.from, &new.from)
            && demand.instrument == instrument.code
            && read_alike;
        let guessed = !demand.flags.contains(&Flag::UnknownInstrument) && !unknown.is_empty();
        let as_silent = hold.silent || !new.silent.unwrap_or(guessed);
        let reaches = || {
            let scope = read_scope(s, new, demand.from, letter, &mut Vec::new());
            let mut both = hold.scope.clone();
            both.widen(&scope);
            both == hold.scope
        };
        alike && as_silent && standing && reaches()
    };
    letters.iter().copied().find(same)
}

fn placed(
    hold: HoldId,
    scope: Scope,
    instrument: &Instrument,
    silent: bool,
    demand: Option<DemandId>,
    now: Time,
) -> Fact {
    let due = instrument.days.and_then(|days| instrument.rule.due(now, days));
    let gag_until = instrument.gag_until(silent, now);
    let instrument = instrument.code.clone();
    let (provisional, matter) = (true, None);
    Event::HoldPlaced {
        hold,
        provisional,
        scope,
        instrument,
        due,
        silent,
        matter,
        demand,
        gag_until,
    }
    .into()
}

fn known_sender(s: &State, from: &Who) -> Option<PartyId> {
    from.channels.iter().find_map(|channel| s.writer_at(&channel.address))
}

/// True if the letter is this party's, as far as a letter says.
fn is_sender(s: &State, party: PartyId, from: &Who) -> bool {
    if !from.channels.is_empty() {
        return known_sender(s, from) == Some(party);
    }
    s.parties.get(party).is_some_and(|known| known.who.as_ref() == Some(from))
}

/// The party with the sender's address; a new one if nobody has or had it.
fn sender(s: &State, from: &Who, facts: &mut Vec<Fact>) -> PartyId {
    known_sender(s, from).unwrap_or_else(|| {
        let party = s.parties.next();
        let roles = vec![Role::Requester];
        let event = Event::PartyRegistered { party, roles, same_person_as: None };
        facts.push(Fact::of(event).with_who(from.clone()));
        party
    })
}

/// The instrument named; what is not known is treated as a letter in silence, and flagged.
fn instrument<'a>(
    s: &'a State,
    code: Option<&str>,
) -> Result<(&'a Instrument, Vec<Flag>), Refusal> {
    let letter = || {
        let missing = || Refusal::new(Code::BadValue, "the catalogue", "is not loaded");
        s.catalogue.get(LETTER).ok_or_else(missing)
    };
    // An empty field of a form names none.
    match code.filter(|code| !code.trim().is_empty()) {
        None => Ok((letter()?, Vec::new())),
        Some(code) => match s.catalogue.get(code) {
            Some(instrument) => Ok((instrument, Vec::new())),
            None => Ok((letter()?, vec![Flag::UnknownInstrument])),
        },
    }
}

/// Addressed to another legal entity than the one that has the accounts: recorded, frozen, flagged.
fn flag_entity(s: &State, entity: Option<EntityId>, scope: &Scope, flags: &mut Vec<Flag>) {
    let Some(entity) = entity else { return };
    let of_assets =
        scope.assets.iter().flat_map(|asset| coverage::accounts(s, *asset).into_values());
    let of_accounts = scope.accounts.iter().filter_map(|id| s.accounts.get(*id));
    if of_accounts.chain(of_assets).any(|account| account.entity != entity) {
        flags.push(Flag::WrongEntity);
    }
}

/// Clearances open on anything the new scope reaches are revoked in the same append.
pub(super) fn revoke_reached(s: &State, hold: HoldId, scope: &Scope) -> Vec<Fact> {
    let mut facts = Vec::new();
    for id in &s.open_clearances {
        let Some(open) = s.clearances.get(*id) else { continue };
        let reached = |asset: &AssetId| coverage::scope_reaches(s, scope, *asset);
        if custody::under(s, open).iter().any(reached) {
            facts.push(Event::ClearanceRevoked { clearance: *id, hold }.into());
        }
    }
    facts
}

/// What became known of an asset while a clearance was open on it or near it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// By what it is known.
    Name,
    /// What data is on it: no copy taken before has that.
    Data,
}

/// Clearances open on what `changed` is a part or the source of are revoked if one of `holds` now
/// reaches them; after a change of data, also if a copy satisfied a hold before.
pub(super) fn revoke_changed(
    s: &State,
    changed: AssetId,
    change: Change,
    holds: &BTreeSet<HoldId>,
) -> Vec<Fact> {
    let in_force = |id: &HoldId| s.holds.get(*id).is_some_and(Hold::in_force);
    let mut facts = Vec::new();
    for id in &s.open_clearances {
        let Some(open) = s.clearances.get(*id) else { continue };
        let going = custody::under(s, open);
        if !going.iter().any(|asset| coverage::descends(s, *asset, changed)) {
            continue;
        }
        let known = going.iter().flat_map(|asset| coverage::holds(s, *asset).into_keys());
        let known: BTreeSet<HoldId> = known.collect();
        let hold = match change {
            Change::Name => holds.difference(&known).copied().find(in_force),
            Change::Data => holds.union(&known).copied().find(in_force),
        };
        if let Some(hold) = hold {
            facts.push(Event::ClearanceRevoked { clearance: *id, hold }.into());
        }
    }
    facts
}

pub(super) fn match_to(s: &State, demand: DemandId, scope: &Scope) -> Decision {
    let found = find(&s.demands, demand)?;
    if !find(&s.holds, found.hold)?.in_force() {
        return Err(Refusal::new(Code::HoldNotInForce, found.hold, "is over"));
    }
    names_something(s, scope)?;
    let more = resolve(s, scope);
    if more == Scope::default() {
        return Err(Refusal::new(Code::BadValue, demand, "cannot be matched to nothing"));
    }
    let revoked = revoke_reached(s, found.hold, &more);
    let mut facts: Vec<Fact> = vec![Event::DemandMatched { demand, more: more.clone() }.into()];
    facts.extend(revoked);
    let found_out: Vec<Fact> = duty::done(s, |kind| kind == DutyKind::Unmatched(demand)).collect();
    // What it means is known now; what is to become of it nobody was asked yet. What names only
    // what is not here has found out nothing.
    if !found_out.is_empty() && found.is_open() && !more.matches_nothing() {
        let (duty, kind) = (s.duties.next(), DutyKind::Triage(demand));
        facts.extend(found_out);
        facts.push(Event::DutyRaised { duty, kind }.into());
    }
    Ok(facts)
}

pub(super) fn triage(
    s: &State,
    demand: DemandId,
    triage: Triage,
    reason: &Reason,
    now: Time,
) -> Decision {
    let found = find(&s.demands, demand)?;
    if !found.is_open() {
        return Err(Refusal::new(Code::DemandDecided, demand, "was decided before"));
    }
    if let Triage::Accept(Some(matter)) = triage {
        open_matter(s, matter)?;
    }
    if triage == Triage::Refuse && !says(reason) {
        return Err(Refusal::new(Code::BadValue, demand, "cannot be refused without a reason"));
    }
    let another = |hold: &Hold| hold.bases.iter().skip(1).any(|basis| basis.ended.is_none());
    if triage == Triage::Refuse && another(find(&s.holds, found.hold)?) {
        let text = "has another basis than the demand";
        let refusal = Refusal::new(Code::HoldInForce, found.hold, text);
        return Err(refusal.with_change(
            "end that basis first (`bailee hold end-basis`); or accept the demand, and release the \
             hold with four eyes",
        ));
    }
    let (status, matter) = match triage {
        Triage::Accept(matter) => (DemandStatus::Accepted, matter),
        Triage::Clarify => (DemandStatus::Clarifying, None),
        Triage::Refuse => (DemandStatus::Refused, None),
    };
    let mut facts = vec![reasoned(Event::DemandDecided { demand, status, matter }, reason)];
    if triage == Triage::Refuse {
        let until = now.plus_days(s.policy.cooling_days);
        facts.push(Event::HoldCooling { hold: found.hold, until }.into());
    }
    let (notice, to, about) = (s.notices.next(), found.from, About::Decision(demand));
    facts.push(Event::NoticeQueued { notice, to, about }.into());
    let asked =
        |kind| matches!(kind, DutyKind::Triage(of) | DutyKind::Unmatched(of) if of == demand);
    facts.extend(duty::done(s, asked));
    Ok(facts)
}

pub(super) fn open_matter(s: &State, matter: MatterId) -> Result<(), Refusal> {
    if find(&s.matters, matter)?.closed {
        return Err(Refusal::new(Code::MatterClosed, matter, "is closed"));
    }
    Ok(())
}

pub(super) fn receipt_sent(s: &State, demand: DemandId) -> Decision {
    if find(&s.demands, demand)?.receipted {
        return Err(Refusal::new(Code::AlreadyDone, demand, "has had its receipt"));
    }
    Ok(vec![Event::ReceiptSent { demand }.into()])
}
