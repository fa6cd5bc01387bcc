//! Letting go: clearance tokens, and what carries them out on this machine: `sanitize.rs` a device,
//! `expire.rs` a snapshot, `erase.rs` a custody unit.
//!
//! Order (rule 5): reserve, in the append that checks -> token signed -> begin, the point of no
//! return in the log -> the work under a lease -> finish with the certificate, or abort with what
//! is gone. A crash after begin leaves the lease to lapse: `unknown`, never `done`.
//! Invariant: nothing here decides; each step is the core's answer, and no answer means no.

use std::time::Duration;

use bailee_core::demand::Exhibit as Paper;
use bailee_core::disposition::{ClearanceStatus, DispositionKind};
use bailee_core::id::{AssetId, ClearanceId, DispositionId};
use bailee_core::{Action, By, Command, Event, Reason};
use bailee_ledger::clearance::{self, Act, Clearance, Expect, Terms};
use bailee_sanitize::{Binding, SanitizeError};
use bailee_store::{Exhibit, digest};

mod erase;
mod expire;
mod lease;
mod sanitize;
mod shelved;

pub use erase::{EraseStep, ErasedUnit, erase, erase_under};
pub use expire::expire;
pub use sanitize::{Order, Sanitized, sanitize};

use crate::binding;
use crate::house::{House, HouseError};
use crate::keeping::KeepError;
use crate::runner::{Done, Failure};

/// How often the end of a run is told to a log that does not answer.
const TRIES: u32 = 6;
/// Between the first two attempts; doubled each time, two seconds in all.
const FIRST_PAUSE: Duration = Duration::from_millis(64);

/// Why something was not let go of.
#[derive(Debug, thiserror::Error)]
pub enum LetGoError {
    /// The core says no, or the log does not answer.
    #[error(transparent)]
    Command(#[from] Failure),
    /// The house does not answer.
    #[error(transparent)]
    House(#[from] HouseError),
    /// The token is not good.
    #[error(transparent)]
    Token(#[from] clearance::ClearanceError),
    /// Nothing was written, and why.
    #[error(transparent)]
    Sanitize(#[from] SanitizeError),
    /// The vault says no.
    #[error(transparent)]
    Keep(#[from] KeepError),
    /// There is no such thing.
    #[error("{0} does not exist")]
    NotFound(String),
    /// The device was overwritten in part, or not verified: no certificate of success.
    #[error("{clearance} was not finished: {detail}; {gone} bytes are gone")]
    Unfinished {
        /// Which.
        clearance: ClearanceId,
        /// Why.
        detail: String,
        /// Bytes overwritten.
        gone: u64,
        /// What to do about it.
        next: &'static str,
    },
}

/// A reservation with its token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reserved {
    /// `C-n`.
    pub clearance: ClearanceId,
    /// The signed token for the agent.
    pub token: String,
}

/// Reserves a clearance and signs its token.
pub fn reserve(
    house: &House,
    disposition: DispositionId,
    asset: AssetId,
    subject: [u8; 32],
    by: By,
) -> Result<Reserved, LetGoError> {
    reserved(house, Command { by, action: Action::Reserve { disposition, asset, subject } })
}

/// As [`reserve`], of a device of this machine: nothing by which it is known is another asset's.
pub(crate) fn reserve_device(
    house: &House,
    (disposition, asset): (DispositionId, AssetId),
    device: &Binding,
    by: By,
) -> Result<Reserved, LetGoError> {
    let (subject, media) = (device.identity.digest(), binding::media(device));
    let action = Action::ReserveDevice { disposition, asset, subject, media };
    reserved(house, Command { by, action })
}

fn reserved(house: &House, command: Command) -> Result<Reserved, LetGoError> {
    let done = house.submit(command, Vec::new())?;
    let reserved = done.records.iter().find_map(|record| match &record.fact.event {
        Event::ClearanceReserved { clearance, .. } => Some(*clearance),
        _ => None,
    });
    let clearance = reserved.ok_or_else(|| LetGoError::NotFound("the clearance".into()))?;
    Ok(Reserved { clearance, token: token(house, clearance)? })
}

/// The signed token of a clearance that is reserved; the same each time it is asked for.
pub fn token(house: &House, id: ClearanceId) -> Result<String, LetGoError> {
    let found = house.with_state(|s| {
        let clearance = s.clearances.get(id)?;
        let ClearanceStatus::Reserved(expires) = clearance.status else { return None };
        let kind = s.dispositions.get(clearance.disposition)?.kind;
        Some((clearance.clone(), expires, act(kind)))
    })?;
    let missing = || LetGoError::NotFound(format!("a reservation {id}"));
    let (clearance, expires, act) = found.ok_or_else(missing)?;
    let terms = Terms {
        origin: house.config().origin.clone(),
        clearance: id.0,
        disposition: clearance.disposition.0,
        asset: clearance.asset.0,
        act,
        subject: clearance.subject,
        position: clearance.position,
        not_after: expires.unix(),
    };
    Ok(clearance::sign(&terms, &house.keys().clearance)?)
}

/// What a disposition of this kind permits.
pub(crate) fn act(kind: DispositionKind) -> Act {
    match kind {
        DispositionKind::Sanitize => Act::Sanitize,
        DispositionKind::Expire => Act::Expire,
        DispositionKind::Return => Act::Return,
        DispositionKind::Transfer => Act::Transfer,
        DispositionKind::Erase => Act::Erase,
    }
}

/// Verifies a token of this house against what is at hand.
pub fn open_token(
    house: &House,
    token: &[u8],
    asset: AssetId,
    act: Act,
    subject: [u8; 32],
) -> Result<Clearance, LetGoError> {
    let expect = Expect { asset: asset.0, act, subject };
    let now = house.clock().now().unix();
    Ok(clearance::verify(token, house.keys().clearance.verifier(), &expect, now)?)
}

/// A certificate as the document that `Finish` rests on.
fn certificate(bytes: Vec<u8>) -> (Reason, Exhibit) {
    let exhibit = Exhibit { digest: digest(&bytes), bytes };
    let paper = Paper {
        digest: exhibit.digest,
        size: exhibit.bytes.len() as u64,
        media: "application/json".into(),
        name: "certificate.json".into(),
    };
    (Reason { note: String::new(), exhibits: vec![paper] }, exhibit)
}

/// Records the end with its certificate. A log that does not answer is asked again: hours of work
/// are not to end as `unknown` because a disk was full for a second.
fn finished(
    house: &House,
    clearance: ClearanceId,
    by: By,
    reason: Reason,
    exhibit: Exhibit,
) -> Result<(), LetGoError> {
    let action = Action::Finish { clearance, verified: true, reason };
    match insist(house, &Command { by, action }, &[exhibit]) {
        Ok(_) => Ok(()),
        Err(failure) => {
            // An attempt whose answer was lost may have been recorded.
            let recorded =
                house.with_state(|s| s.clearances.get(clearance).and_then(|c| c.certificate))?;
            recorded.map(|_| ()).ok_or_else(|| failure.into())
        }
    }
}

/// Submits until there is an answer, or it was tried often enough.
fn insist(house: &House, command: &Command, exhibits: &[Exhibit]) -> Result<Done, Failure> {
    let mut pause = FIRST_PAUSE;
    for _ in 1..TRIES {
        match house.submit(command.clone(), exhibits.to_vec()) {
            Err(Failure::Unknown(_) | Failure::Unavailable(_) | Failure::Unwritable(..)) => {
                std::thread::sleep(pause)
            }
            answer => return answer,
        }
        pause *= 2;
    }
    house.submit(command.clone(), exhibits.to_vec())
}

fn abort(
    house: &House,
    clearance: ClearanceId,
    gone: u64,
    note: String,
    by: By,
) -> Result<(), LetGoError> {
    let reason = Reason { note, exhibits: Vec::new() };
    let action = Action::Abort { clearance, gone, reason };
    match insist(house, &Command { by, action }, &[]) {
        Ok(_) => Ok(()),
        // Revoked before it was begun, or expired: it is over already, and nothing is gone.
        Err(Failure::Refused(_)) if gone == 0 => Ok(()),
        Err(failure) => Err(failure.into()),
    }
}
