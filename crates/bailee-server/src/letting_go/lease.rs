//! A lease that is renewed beside the work of the vault, which may take longer than it lasts.
//!
//! Invariant: a renewal that is refused while the work goes on stops nothing. The vault has asked
//! at its last moment, and what is half deleted is not to be left so.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use bailee_core::id::ClearanceId;
use bailee_core::{Action, By, Command};

use crate::house::House;
use crate::runner::Failure;

/// The lease of a begun clearance.
#[derive(Clone, Copy)]
pub(super) struct Leased<'a> {
    pub(super) house: &'a House,
    pub(super) id: ClearanceId,
    pub(super) by: By,
}

impl Leased<'_> {
    /// Asks the gate. A lapsed lease, a hold, an objection, no answer: each is a no.
    pub(super) fn renew(&self) -> Result<(), Failure> {
        let command = Command { by: self.by, action: Action::Renew { clearance: self.id } };
        self.house.submit(command, Vec::new()).map(|_| ())
    }

    /// Does the work with the lease renewed beside it.
    pub(super) fn during<T>(&self, work: impl FnOnce() -> T) -> T {
        let seconds = self.house.with_state(|s| s.policy.lease_seconds).unwrap_or(1);
        let every = Duration::from_secs(seconds.into()) / 3;
        let (done, wait) = channel::<()>();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                while let Err(RecvTimeoutError::Timeout) = wait.recv_timeout(every) {
                    if let Err(Failure::Refused(_)) = self.renew() {
                        break;
                    }
                }
            });
            let result = work();
            drop(done);
            result
        })
    }
}
