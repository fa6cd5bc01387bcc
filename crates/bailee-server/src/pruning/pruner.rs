//! The pruner: a thread of the service that prunes each day, documents that nobody names too.
//!
//! Invariants
//! 1. First ten minutes after the start, then a day after the last time, by the house's clock; an
//!    hour after one that came to no end. Nothing is written down: doing it again is harmless.
//! 2. It has the vault and the lock of the directory, and not the house: for what the log says it
//!    asks step by step. After the end was said nothing more is let go of in any unit but the one
//!    at work, and nobody opens the directory before that one is done or the process is gone.
//! 3. A kill at any moment leaves what the next time finishes (`bailee-vault`, prune.rs).

use std::ops::ControlFlow;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use bailee_core::Time;
use bailee_store::DirLock;
use bailee_vault::{Living, Sweep, Swept, Vault};

use super::{Totals, living, sweep};
use crate::clock::Clock;
use crate::documents;
use crate::end::End;
use crate::house::House;
use crate::keeping::{self, KeepError};

/// Pause between two looks at whether it is due.
const LOOK: Duration = Duration::from_millis(500);
/// Seconds from the start to the first time, from one to the next, and after a failure.
const FIRST: i64 = 600;
const EVERY: i64 = 86_400;
const FAILED: i64 = 3_600;

/// A running pruner.
pub(crate) struct Pruner {
    end: Arc<End>,
}

impl Pruner {
    /// Starts it.
    ///
    /// # Errors
    /// The machine gives no thread.
    pub(crate) fn start(house: &Arc<House>) -> std::io::Result<Pruner> {
        let (end, clock) = (Arc::new(End::default()), house.clock().clone());
        let (house, until) = (Arc::downgrade(house), end.clone());
        thread::Builder::new().name("pruner".into()).spawn(move || run(&house, &clock, &until))?;
        Ok(Pruner { end })
    }

    /// Says the end, and waits at most so long for an answer of the log. A unit that is being
    /// pruned is not waited for.
    pub(crate) fn end(self, patience: Duration) {
        self.end.say(patience);
    }
}

fn run(house: &Weak<House>, clock: &Clock, end: &End) {
    let mut due = clock.now().unix().saturating_add(FIRST);
    while !end.wait(LOOK) {
        let now = clock.now().unix();
        due = due.min(now.saturating_add(EVERY)); // a clock that was put back
        if now < due {
            continue;
        }
        match end.with(house, |house| documents::sweep(house, Sweep::Now)) {
            None | Some(Ok(0)) => {}
            Some(Ok(documents)) => tracing::info!(documents, "removed, for no entry names them"),
            Some(Err(error)) => tracing::warn!(%error, "unnamed documents could not be removed"),
        }
        let again = match round(house, clock, end) {
            Ok(()) => EVERY,
            Err(error) => {
                tracing::warn!(%error, "what nothing needs could not be pruned");
                FAILED
            }
        };
        due = clock.now().unix().saturating_add(again);
    }
}

/// All that is needed but the house.
struct Job {
    vault: Arc<Vault>,
    _lock: Option<Arc<DirLock>>,
}

fn job(house: &House) -> Result<Option<Job>, KeepError> {
    if house.dir().is_none() {
        return Ok(None);
    }
    let vault = keeping::vault_or_nothing_kept(house)?;
    Ok(vault.map(|vault| Job { vault, _lock: house.dir_lock() }))
}

fn round(house: &Weak<House>, clock: &Clock, end: &End) -> Result<(), KeepError> {
    let Some(Job { vault, _lock }) = end.with(house, job).transpose()?.flatten() else {
        return Ok(());
    };
    let catalogue = |tenant: &str, unit: &str| -> Result<Living, String> {
        let asked = end.with(house, |house| house.with_state(|s| living(s, tenant, unit)));
        match asked.ok_or("the service ends")? {
            Ok(living) => living,
            Err(failure) => Err(failure.to_string()),
        }
    };
    let mut totals = Totals::at(Time::from_unix(0));
    for tenant in vault.tenants()? {
        sweep(&vault, &tenant, Sweep::Now, &catalogue, &mut |swept, _| {
            if end.is_said() {
                return ControlFlow::Break(());
            }
            tell(&tenant, &swept);
            totals.add(&swept);
            ControlFlow::Continue(())
        })?;
        if end.is_said() {
            return Ok(());
        }
    }
    totals.at = clock.now();
    end.with(house, |house| house.inner.set_pruned(totals));
    Ok(())
}

fn tell(tenant: &str, Swept { unit, outcome }: &Swept) {
    match outcome {
        Err(error) => tracing::warn!(tenant, unit, %error, "not pruned"),
        Ok(report) => {
            if report.lost > 0 {
                let lost = report.lost;
                tracing::warn!(tenant, unit, lost, "kept snapshots lack chunks: verify them");
            }
            if report.packs > 0 {
                let (packs, bytes) = (report.packs, report.freed_bytes);
                tracing::info!(tenant, unit, packs, bytes, "space came back");
            }
        }
    }
}
