//! The thread that asks: when a round is due, and what is done with it.
//!
//! Invariants: it asks about the newest checkpoint only; with somebody waiting at once, else a
//! [`PAUSE`] after growth; about one size again only while its quorum is missing or its note could
//! not be put, and then no sooner than a pause later. Nothing is asked when nothing has changed.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use crate::attest::round::{Gathered, Table, Tell};
use crate::house::Inner;

/// Longest time between growth and the question, when nobody waits; shortest between two rounds
/// about one size.
pub(super) const PAUSE: Duration = Duration::from_secs(1);

/// When the next round is due.
enum Due {
    Now,
    At(Instant),
    Never,
}

/// Asks witnesses about the newest checkpoint until the house closes.
pub(crate) fn run(house: &Arc<Inner>, told: &Receiver<Tell>) {
    let attesting = &house.attesting;
    let Some(timeout) = attesting.timeout else { return };
    let mut table = Table::new(attesting.policy.clone(), timeout, attesting.tell.clone());
    attesting.state().watched = table.watched();
    let mut begun = Instant::now();
    let mut resumed = false;
    while !attesting.state().closed {
        let wait = match due(house, &table, begun) {
            Due::Now if !resumed => {
                resumed = true;
                resume(house, &mut table);
                continue;
            }
            Due::Now => {
                begun = Instant::now();
                round(house, &mut table, told);
                continue;
            }
            Due::At(at) => at.saturating_duration_since(Instant::now()),
            Due::Never => Duration::MAX,
        };
        match told.recv_timeout(wait) {
            Ok(Tell::Answered(answered)) => table.late(house, answered),
            Ok(Tell::Look | Tell::Close) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

fn due(house: &Inner, table: &Table, begun: Instant) -> Due {
    let signed = house.published.lock().unwrap_or_else(PoisonError::into_inner).size;
    let state = house.attesting.state();
    let next = match &state.gathered {
        None if signed == 0 => return Due::Never,
        None if state.wanted > 0 => return Due::Now,
        None => begun + PAUSE,
        Some(gathered) if signed > gathered.about.size => {
            if state.wanted > gathered.about.size {
                return Due::Now;
            }
            begun + PAUSE
        }
        Some(_) if state.is_kept => return Due::Never,
        Some(gathered) if gathered.satisfies(&house.attesting.policy) => begun + PAUSE,
        Some(gathered) => match table.next_try(gathered) {
            Some(at) => at.max(begun + PAUSE),
            None => return Due::Never,
        },
    };
    if next <= Instant::now() { Due::Now } else { Due::At(next) }
}

/// Who cosigned the newest kept checkpoint has come that far; if it is over everything that is
/// signed, nothing is left to ask.
fn resume(house: &Inner, table: &mut Table) {
    let attesting = &house.attesting;
    let newest = attesting.kept.newest().ok().flatten();
    let newest = newest.and_then(|size| attesting.kept.load(size).ok());
    let newest = newest.and_then(|kept| Gathered::of(kept.note, &attesting.policy).ok());
    let Some(gathered) = newest else { return };
    table.resume(&gathered);
    let signed = house.published.lock().unwrap_or_else(PoisonError::into_inner).size;
    if signed == gathered.about.size {
        let mut state = attesting.state();
        (state.gathered, state.is_kept) = (Some(gathered), true);
        attesting.ended.notify_all();
    }
}

/// One round about the newest checkpoint, or about those missing on it since the last one.
fn round(house: &Arc<Inner>, table: &mut Table, told: &Receiver<Tell>) {
    let attesting = &house.attesting;
    let newest = house.published.lock().unwrap_or_else(PoisonError::into_inner).note.clone();
    let Some(newest) = newest.and_then(|n| Gathered::of(n, &attesting.policy).ok()) else {
        return;
    };
    let before = attesting.state().gathered.clone();
    let same = before.filter(|gathered| gathered.about == newest.about);
    let mut gathered = same.unwrap_or(newest);
    table.round(house, &mut gathered, told);
    attesting.settle(gathered, table.watched());
}
