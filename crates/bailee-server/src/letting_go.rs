//! Letting go: clearance tokens, and the agent that carries them out on this machine.
//!
//! Order (rule 5): reserve, in the append that checks -> token signed -> begin, the point of no
//! return in the log -> overwrite under a lease -> read back -> finish with the certificate, or
//! abort with what is gone. A crash after begin leaves the lease to lapse: `unknown`, never `done`.
//! Invariant: nothing here decides; each step is the core's answer, and no answer means no.

use std::path::Path;
use std::time::Duration;

use bailee_core::demand::Exhibit as Paper;
use bailee_core::disposition::{ClearanceStatus, DispositionKind};
use bailee_core::id::{AssetId, ClearanceId, DispositionId, PartyId};
use bailee_core::{Action, By, Command, Event, Reason};
use bailee_ledger::clearance::{self, Act, Clearance, Expect, Terms};
use bailee_sanitize::{
    Certificate, Clock, Identity, Lease, Moment, Options, Outcome, Particulars, Record,
    SanitizeError, Stop, SystemClock, Until, Verified,
};
use bailee_store::{Exhibit, digest};

mod erase;
mod lease;

pub use erase::{EraseStep, ErasedUnit, erase, erase_under};
use lease::Leased;

use crate::house::{House, HouseError};
use crate::keeping::{self, KeepError};
use crate::keys::KeyError;
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
    let action = Action::Reserve { disposition, asset, subject };
    let done = house.submit(Command { by, action }, Vec::new())?;
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

/// A finished sanitization.
#[derive(Debug)]
pub struct Sanitized {
    /// Under which clearance.
    pub clearance: ClearanceId,
    /// What was done.
    pub record: Record,
    /// Its certificate, which is an exhibit of the finish.
    pub certificate: Certificate,
}

/// Who asks for a sanitization, and what people know of the device.
pub struct Order<'a> {
    /// The disposition it carries out.
    pub disposition: DispositionId,
    /// The asset.
    pub asset: AssetId,
    /// The device or file that is the asset.
    pub device: &'a Path,
    /// Where the run's log goes.
    pub log: &'a Path,
    /// Who operates.
    pub by: PartyId,
    /// What people add to the certificate.
    pub particulars: Particulars,
}

/// Reserves, overwrites, reads back, certifies: the whole of it on this machine.
pub fn sanitize(
    house: &House,
    order: Order<'_>,
    progress: &mut (dyn FnMut(bailee_sanitize::Progress) + Send),
) -> Result<Sanitized, LetGoError> {
    let by = By::Party(order.by);
    let subject = Identity::of_path(order.device)?.digest();
    let reserved = reserve(house, order.disposition, order.asset, subject, by)?;
    let id = reserved.clearance;
    let token = reserved.token.as_bytes();
    let clearance = open_token(house, token, order.asset, Act::Sanitize, subject)?;
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|e| HouseError::Key(KeyError::io("draw a seed", e)))?;
    let clock = HouseClock { house };
    let mut options = Options::new(order.asset.0, seed, order.log);
    options.clock = &clock;
    options.agent = "bailee";
    let mut lease = HouseLease { house, id, by };
    match bailee_sanitize::sanitize(order.device, clearance, &mut lease, &options, progress) {
        Ok(record) => finish(house, id, record, order.particulars, by),
        Err(error) => {
            // Not one byte was written: the clearance is given back.
            abort(house, id, 0, error.to_string(), by)?;
            Err(error.into())
        }
    }
}

/// Records the end of a run: finished with its certificate, or aborted with what is gone.
fn finish(
    house: &House,
    id: ClearanceId,
    record: Record,
    particulars: Particulars,
    by: By,
) -> Result<Sanitized, LetGoError> {
    let certificate = Certificate::issue(&record, particulars);
    let good = record.outcome == Outcome::Complete && record.verified == Verified::Whole;
    if !good {
        let gone = record.written.total();
        let detail = format!("{}, verified: {}", record.outcome.word(), record.verified.word());
        abort(house, id, gone, detail.clone(), by)?;
        return Err(LetGoError::Unfinished { clearance: id, detail, gone });
    }
    let (reason, exhibit) = self::certificate(certificate.to_json().into_bytes());
    finished(house, id, by, reason, exhibit)?;
    Ok(Sanitized { clearance: id, record, certificate })
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
            Err(Failure::Unknown(_) | Failure::Unavailable(_)) => std::thread::sleep(pause),
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

/// Expires a snapshot from the vault under a clearance, and certifies it. `begun` is called when
/// the log has the beginning; the lease is renewed from before that until the vault has pruned.
pub fn expire(
    house: &House,
    disposition: DispositionId,
    asset: AssetId,
    by: PartyId,
    begun: &mut dyn FnMut(),
) -> Result<(ClearanceId, bailee_vault::ExpireReport), LetGoError> {
    let by = By::Party(by);
    let missing = || LetGoError::NotFound(format!("a snapshot {asset}"));
    let found = house.with_state(|s| {
        let snapshot = s.assets.get(asset)?.snapshot?;
        let found = s.snapshots.get(snapshot)?;
        Some((snapshot, found.root, found.bytes))
    })?;
    let (snapshot, root, bytes) = found.ok_or_else(missing)?;
    // Whatever can fail without touching anything fails before there is a clearance.
    let (tenant, vault_id) = keeping::locate(house, snapshot)?;
    let vault = keeping::vault(house)?;
    let reserved = reserve(house, disposition, asset, root, by)?;
    let id = reserved.clearance;
    let clearance = open_token(house, reserved.token.as_bytes(), asset, Act::Expire, root)?;
    house.submit(Command { by, action: Action::Begin { clearance: id } }, Vec::new())?;
    let lease = Leased { house, id, by };
    let pins = |_: &bailee_vault::SnapshotId| lease.renew().err().map(|no| no.to_string());
    let expired = lease.during(|| {
        begun();
        vault.expire(&tenant, &vault_id, clearance, &pins)
    });
    let report = match expired {
        Ok(report) => report,
        Err(error) => {
            // What cannot be seen any more must not count as a copy: it is reported as gone.
            let listed = vault.list(&tenant);
            let there = listed.is_ok_and(|all| all.iter().any(|info| info.id == vault_id));
            let gone = if there { 0 } else { bytes.max(1) };
            abort(house, id, gone, error.to_string(), by)?;
            return Err(KeepError::from(error).into());
        }
    };
    let json = format!(
        "{{\"format\":\"bailee/expiry/v1\",\"clearance\":\"{id}\",\"asset\":\"{asset}\",\
         \"snapshot\":\"{snapshot}\",\"root\":\"{}\",\"packs\":{},\"freed_bytes\":{}}}\n",
        bailee_ledger::to_hex(&root),
        report.packs,
        report.freed_bytes
    )
    .into_bytes();
    let (reason, exhibit) = certificate(json);
    finished(house, id, by, reason, exhibit)?;
    Ok((id, report))
}

/// The agent's line to the gate, in this process.
struct HouseLease<'a> {
    house: &'a House,
    id: ClearanceId,
    by: By,
}

impl HouseLease<'_> {
    fn ask(&self, action: Action) -> Result<Until, Stop> {
        let command = Command { by: self.by, action };
        match self.house.submit(command, Vec::new()) {
            Ok(_) => {
                let seconds = self.house.with_state(|s| s.policy.lease_seconds);
                let seconds = seconds.map_err(|e| Stop::Unreachable { detail: e.to_string() })?;
                Ok(Until::after(Duration::from_secs(seconds.into())))
            }
            Err(Failure::Refused(refusal)) => Err(Stop::Refused { reason: refusal.to_string() }),
            Err(failure) => Err(Stop::Unreachable { detail: failure.to_string() }),
        }
    }
}

impl Lease for HouseLease<'_> {
    fn begin(&mut self, _: &Clearance) -> Result<Until, Stop> {
        self.ask(Action::Begin { clearance: self.id })
    }

    fn renew(&mut self) -> Result<Until, Stop> {
        self.ask(Action::Renew { clearance: self.id })
    }
}

/// Real moments for leases, the house's time for dates.
struct HouseClock<'a> {
    house: &'a House,
}

impl Clock for HouseClock<'_> {
    fn moment(&self) -> Moment {
        SystemClock.moment()
    }

    fn unix(&self) -> i64 {
        self.house.clock().now().unix()
    }
}
