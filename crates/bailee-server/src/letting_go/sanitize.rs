//! Overwriting a device under a clearance, on this machine.
//!
//! Order: identity read from the device -> reserve -> token -> begin, under the lease -> overwrite,
//! read back -> finish with the certificate, or abort with what is gone. Invariant: whatever
//! fails before the first byte is written gives the clearance back.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use bailee_core::id::{AssetId, ClearanceId, DispositionId, PartyId};
use bailee_core::{Action, By, Command};
use bailee_ledger::clearance::{Act, Clearance};
use bailee_sanitize::{
    Binding, Certificate, Clock, Lease, Moment, Options, Outcome, Particulars, Record, Stop,
    SystemClock, Until, Verified,
};

use super::{LetGoError, abort, certificate, finished, open_token, reserve_device};
use crate::house::{House, HouseError};
use crate::keys::KeyError;
use crate::runner::Failure;

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
    /// Set once it is to stop: what is gone by then is reported.
    pub interrupt: &'a AtomicBool,
}

/// Reserves, overwrites, reads back, certifies: the whole of it on this machine.
pub fn sanitize(
    house: &House,
    order: Order<'_>,
    progress: &mut (dyn FnMut(bailee_sanitize::Progress) + Send),
) -> Result<Sanitized, LetGoError> {
    let by = By::Party(order.by);
    let device = Binding::of_path(order.device)?;
    let subject = device.identity.digest();
    let reserved = reserve_device(house, (order.disposition, order.asset), &device, by)?;
    let id = reserved.clearance;
    let token = reserved.token.as_bytes();
    let clearance = open_token(house, token, order.asset, Act::Sanitize, subject)?;
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|e| HouseError::Key(KeyError::io("draw a seed", e)))?;
    let clock = HouseClock { house };
    let mut options = Options::new(order.asset.0, seed, order.log);
    options.clock = &clock;
    options.agent = "bailee";
    options.house = house.dir();
    options.interrupt = order.interrupt;
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
        let (gone, next, mut detail) = (record.gone(), record.next(), record.ending());
        if let Err(unheard) = abort(house, id, gone, detail.clone(), by) {
            detail.push_str(&format!("; and the log did not record it ({unheard})"));
        }
        return Err(LetGoError::Unfinished { clearance: id, detail, gone, next });
    }
    let (reason, exhibit) = self::certificate(certificate.to_json().into_bytes());
    finished(house, id, by, reason, exhibit)?;
    Ok(Sanitized { clearance: id, record, certificate })
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
