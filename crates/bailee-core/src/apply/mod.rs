//! Apply: a record changes the state. The only writer of state, and the whole of replay.
//!
//! Invariants: records come in log order, without gaps; applying never decides, and never fails on
//! a record that `decide` made. A record that does not fit the state (a damaged or forged journal)
//! is a named error; the state is then not to be used further.

mod demand;
mod disposition;
mod erasure;
mod filing;
mod hold;
mod index;
mod keep;
mod notice;
mod refused;
mod registry;
mod rotation;
mod volume;

use crate::event::{Event, Record};
use crate::id::Id;
use crate::meaning;
use crate::state::State;
use crate::table::Table;

pub use filing::Half;
pub(crate) use filing::{Filing, file};

/// The journal contradicts itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("entry {seq} does not fit the log before it: {detail}")]
pub struct Misfit {
    /// Log position.
    pub seq: u64,
    /// What does not fit.
    pub detail: String,
}

/// What an applier says: the id that does not fit.
type Applied = Result<(), String>;

/// Applies the next record.
pub fn apply(state: &mut State, record: &Record) -> Result<(), Misfit> {
    take(state, record.clone())
}

/// Applies the next record, which is taken apart.
pub(crate) fn take(state: &mut State, record: Record) -> Result<(), Misfit> {
    let (seq, at) = (record.seq, record.at);
    let misfit = |detail: String| Misfit { seq, detail };
    if seq != state.head {
        return Err(misfit(format!("expected position {}", state.head)));
    }
    if at < state.clock {
        return Err(misfit(format!("{at} is before {}", state.clock)));
    }
    state.leap = state.doubt(at);
    for hold in meaning::grown(state, &record.fact.event) {
        hold::means_more(state, hold).map_err(misfit)?;
    }
    match &record.fact.event {
        Event::AssetRegistered { .. } => registry::asset(state, (at, seq), record.fact.event),
        Event::DemandReceived { .. } => demand::received(state, record),
        _ => apply_event(state, &record),
    }
    .map_err(misfit)?;
    state.head += 1;
    state.clock = at;
    Ok(())
}

fn apply_event(s: &mut State, r: &Record) -> Applied {
    use Event as E;
    match &r.fact.event {
        E::PolicySet { policy } => {
            s.policy = policy.clone();
            Ok(())
        }
        E::InstrumentsLoaded { catalogue } => {
            s.catalogue = catalogue.clone();
            Ok(())
        }
        E::PartyRegistered { .. }
        | E::PartyChanged { .. }
        | E::EntityRegistered { .. }
        | E::AccountRegistered { .. }
        | E::AccountTerminated { .. }
        | E::AssetMoved { .. }
        | E::AssetRelabelled { .. }
        | E::AssetAssigned { .. }
        | E::AssetCopied { .. } => registry::apply(s, r),
        E::DetailsErased { .. } => erasure::apply(s, r),
        E::DemandMatched { .. }
        | E::HoldMatched { .. }
        | E::MediumCorrected { .. }
        | E::DemandDecided { .. }
        | E::ReceiptSent { .. }
        | E::MatterOpened { .. }
        | E::MatterClosed { .. }
        | E::CorrespondenceFiled { .. } => demand::apply(s, r),
        E::HoldPlaced { .. }
        | E::BasisAdded { .. }
        | E::BasisExtended { .. }
        | E::BasisEnded { .. }
        | E::CopyAllowed { .. }
        | E::ReleaseProposed { .. }
        | E::ReleaseApproved { .. }
        | E::HoldCooling { .. }
        | E::HoldReleased { .. }
        | E::GagSet { .. }
        | E::GagEnded { .. } => hold::apply(s, r),
        E::NoticeQueued { .. }
        | E::NoticeRetried { .. }
        | E::NoticeSent { .. }
        | E::NoticeEvidence { .. }
        | E::NoticeEscalated { .. }
        | E::ObjectionFiled { .. }
        | E::ObjectionDecided { .. } => notice::apply(s, r),
        E::DispositionProposed { .. }
        | E::DispositionApproved { .. }
        | E::DispositionCancelled { .. }
        | E::HoldAccepted { .. }
        | E::ClearanceReserved { .. }
        | E::ClearanceBegun { .. }
        | E::ClearanceRenewed { .. }
        | E::ClearanceFinished { .. }
        | E::ClearanceAborted { .. }
        | E::ClearanceRevoked { .. }
        | E::ClearanceExpired { .. }
        | E::ClearanceLost { .. } => disposition::apply(s, r),
        E::RotationProposed { .. }
        | E::RotationBegun { .. }
        | E::RotationEnded { .. }
        | E::RotationCancelled { .. }
        | E::LogContinued { .. } => rotation::apply(s, r),
        E::VolumesWritten { .. } => volume::apply(s, r),
        E::RequestRefused { .. } => refused::apply(s, r),
        // Its time is all it says.
        E::TimePassed {} => Ok(()),
        // Snapshots, engines, access, costs, duties, tokens; anything else is refused there.
        _ => keep::apply(s, r),
    }
}

/// The row of an id, for change.
fn row<I: Id, T>(table: &mut Table<I, T>, id: I) -> Result<&mut T, String> {
    table.get_mut(id).ok_or_else(|| format!("{id} is not there"))
}

/// Appends the row that must be the next one.
fn push<I: Id, T>(table: &mut Table<I, T>, id: I, new: T) -> Applied {
    let next = table.next();
    match table.push(id, new) {
        true => Ok(()),
        false => Err(format!("{id} is not the next id, which is {next}")),
    }
}

/// Files the papers of an entry, if it has any, with the party they go with when it is erased.
fn file_papers(s: &mut State, r: &Record, party: crate::id::PartyId) -> Applied {
    if r.fact.papers.is_some() {
        row(&mut s.parties, party)?.papers.push(r.seq);
    }
    Ok(())
}

/// The party who acts; an event that needs a person cannot come from the system.
fn person(r: &Record) -> Result<crate::id::PartyId, String> {
    match r.by {
        crate::event::By::Party(party) => Ok(party),
        crate::event::By::System => Err(format!("{} needs a person", r.fact.event.name())),
    }
}
