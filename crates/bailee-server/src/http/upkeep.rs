//! What an operator does every day, from another machine: check, scrub, probe, and read a snapshot
//! back.
//!
//! Invariants: one of these at a time, because each reads as much as the disk gives; a second is
//! `busy`. A finding is an answer (200), never a problem: whoever asks reads `good`, `intact`,
//! `problems` or `bad`. An answer that does not arrive says nothing; asking again is harmless.

use bailee_core::By;
use bailee_core::id::{PartyId, SnapshotId};

use crate::api::upkeep::{self, Scrub, Share};
use crate::api::{Problem, check as check_all, finding};
use crate::http::body::busy;
use crate::http::handlers::{Ask, Shared};
use crate::http::places::Place;
use crate::http::reply::Reply;
use crate::{keeping, probing};

/// The one place for what reads a lot.
///
/// One that panicked is over. Most only read; what an expiry or a pruning left half done, the vault
/// finishes with the next.
pub(crate) fn place(shared: &Shared) -> Result<Place, Problem> {
    shared.upkeep.take().ok_or_else(busy)
}

pub(crate) fn person(ask: &Ask) -> Result<PartyId, Problem> {
    let missing = || Problem::failure("house_failed", "the request", "came in without a caller");
    let By::Party(by) = ask.by() else { return Err(missing()) };
    Ok(by)
}

pub(crate) fn check(shared: &Shared, _: &Ask) -> Result<Reply, Problem> {
    let _place = place(shared)?;
    Reply::json(200, &check_all(&shared.house, &mut |_| ())?)
}

pub(crate) fn scrub(shared: &Shared, ask: &Ask) -> Result<Reply, Problem> {
    let Scrub { budget } = ask.json()?;
    let share: Share = budget.parse().map_err(|e| Problem::bad_request("budget", e))?;
    let _place = place(shared)?;
    Reply::json(200, &upkeep::scrubbed(&keeping::scrub(&shared.house, share.0)?))
}

pub(crate) fn verify(shared: &Shared, ask: &Ask) -> Result<Reply, Problem> {
    let (id, by) = (ask.id::<SnapshotId>()?, person(ask)?);
    let _place = place(shared)?;
    Reply::json(200, &upkeep::read_back(id, &keeping::verify(&shared.house, id, by)?))
}

pub(crate) fn probe(shared: &Shared, _: &Ask) -> Result<Reply, Problem> {
    let _place = place(shared)?;
    let (engine, found) = probing::probe(&shared.house)?;
    Reply::json(200, &finding(&engine, &found))
}
