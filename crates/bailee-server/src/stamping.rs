//! Stamping: tokens of independent timestamp authorities (RFC 3161) over attested checkpoints.
//!
//! Order: something that somebody will hold a paper of is recorded (class.rs), or an hour is over
//! -> its checkpoint is signed and cosigned (publish.rs, attest.rs) -> the note is kept, so that
//! its bytes stay -> every authority is asked for a token over the SHA-256 of exactly those bytes
//! (ask.rs) -> verified whole -> roots kept -> token kept -> receipts carry it. Before a chain of
//! certificates ends, a token over the last one is fetched (renew.rs).
//!
//! Invariants
//! 1. Fail-open: nothing waits for an authority but a receipt, for a bounded time, and only while
//!    the authorities answer.
//! 2. One token covers every earlier entry; so only the newest checkpoint is stamped, and a burst
//!    of letters costs one question.
//! 3. Nothing is kept that was not verified; what is kept is put once, under the names in
//!    attest/kept.rs, and doing it again is harmless.
//! 4. An authority that fails is asked again, ever more slowly, and is named in the log, the
//!    metrics, `bailee timestamps` and `bailee check`.
//!
//! | a crash after …  | leaves                                                              |
//! |------------------|---------------------------------------------------------------------|
//! | note kept        | a note without tokens: the next start asks                          |
//! | answer received  | nothing of it: the next start asks again                            |
//! | roots kept       | roots that are put again with the token                             |
//! | token kept       | the token; the next start finds it                                  |

mod ask;
mod class;
mod renew;
mod report;
mod run;
mod settings;

pub use ask::Lapse;
pub(crate) use class::is_stamped_at_once;
pub(crate) use report::{find_faults, list, write_metrics};
pub(crate) use run::run;
pub use settings::{Authority, Pace};
pub(crate) use settings::{Desk, read};

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::house::House;
use crate::web::Web;

/// First rest of an authority that failed.
const FIRST_REST: Duration = Duration::from_secs(1);
/// Longest rest.
const LONGEST_REST: Duration = Duration::from_secs(600);

/// What the stamping thread and those who wait share.
pub(crate) struct Stamping {
    desks: Vec<Arc<Desk>>,
    pace: Pace,
    web: Web,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Entries below this are to be covered at once.
    due: u64,
    /// How often somebody asked the thread to look, and up to which it has done all it can.
    looks: u64,
    looked: u64,
    /// Nothing new is stamped before: a pause, or a quorum that is waited for.
    held: Option<Instant>,
    stands: Vec<Stand>,
    /// What is stamped and what is due has been read from what is kept.
    resumed: bool,
    closed: bool,
}

/// How an authority stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stand {
    /// Its name in the settings.
    pub name: String,
    /// Entries below this are under a token of it.
    pub stamped_to: u64,
    /// genTime of its last token over a checkpoint, Unix seconds.
    pub last: Option<u64>,
    /// Tokens kept since the house was opened, renewals among them.
    pub tokens: u64,
    /// Questions without a token since then.
    pub failures: u64,
    /// Why the last question gave no token.
    pub trouble: Option<Lapse>,
    /// Its tokens end soon, and what it gives lasts no longer.
    pub worn: Option<Lapse>,
    /// Failures since the last token.
    in_a_row: u32,
    rests_until: Option<Instant>,
}

impl Stamping {
    pub(crate) fn new(desks: Vec<Desk>, pace: Pace) -> Stamping {
        let stand = |desk: &Desk| Stand { name: desk.name.clone(), ..Stand::default() };
        let stands = desks.iter().map(stand).collect();
        let state = Mutex::new(State { stands, ..State::default() });
        let desks = desks.into_iter().map(Arc::new).collect();
        Stamping { desks, pace, web: Web::default(), state, changed: Condvar::new() }
    }

    /// How many authorities are asked.
    pub(crate) fn authorities(&self) -> usize {
        self.desks.len()
    }

    /// Entries below `size` are to be covered as soon as they are signed.
    pub(crate) fn cover(&self, size: u64) {
        if !self.desks.is_empty() {
            let mut state = self.state();
            state.due = state.due.max(size);
        }
    }

    /// Something may have become due.
    pub(crate) fn look(&self) {
        if !self.desks.is_empty() {
            self.state().looks += 1;
            self.changed.notify_all();
        }
    }

    /// The house closes: nobody is asked or waited for any longer.
    pub(crate) fn close(&self) {
        self.state().closed = true;
        self.changed.notify_all();
    }

    /// How each authority stands.
    pub(crate) fn stands(&self) -> Vec<Stand> {
        self.state().stands.clone()
    }

    /// The longest that a receipt waits for tokens.
    pub(crate) fn patience(&self) -> Duration {
        let wait = Duration::from_millis(self.pace.receipt_ms);
        if self.desks.is_empty() { Duration::ZERO } else { wait }
    }

    /// Waits until all authorities that answer have covered the first `size` entries.
    pub(crate) fn wait_over(&self, size: u64, patience: Duration) {
        let end = Instant::now() + patience;
        let mut state = self.state();
        loop {
            let hopeful = |stand: &Stand| stand.trouble.is_none() && stand.stamped_to < size;
            let held = state.held.is_some_and(|until| until > end);
            let left = end.saturating_duration_since(Instant::now());
            if state.closed || held || left.is_zero() || !state.stands.iter().any(hopeful) {
                return;
            }
            state = self.sleep(state, left);
        }
    }

    /// Waits until the thread has done all that it can do now.
    fn wait_done(&self, patience: Duration) {
        let end = Instant::now() + patience;
        let mut state = self.state();
        if self.desks.is_empty() {
            return;
        }
        state.looks += 1;
        let asked = state.looks;
        self.changed.notify_all();
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if state.closed || left.is_zero() || state.looked >= asked {
                return;
            }
            state = self.sleep(state, left);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sleep<'s>(&self, state: MutexGuard<'s, State>, most: Duration) -> MutexGuard<'s, State> {
        let waited = self.changed.wait_timeout(state, most);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl State {
    /// Entries below this should be under a token of every authority.
    fn owed(&self) -> u64 {
        let stamped = self.stands.iter().map(|stand| stand.stamped_to);
        stamped.max().unwrap_or_default().max(self.due)
    }

    /// Authorities that owe a token.
    fn behind(&self) -> impl Iterator<Item = &Stand> {
        let owed = self.owed();
        self.stands.iter().filter(move |stand| stand.stamped_to < owed)
    }
}

impl Stand {
    fn got(&mut self) {
        if self.trouble.take().is_some() {
            tracing::info!(authority = self.name, "stamps again");
        }
        self.tokens += 1;
        (self.in_a_row, self.rests_until) = (0, None);
    }

    fn lapsed(&mut self, lapse: Lapse) {
        let rest = FIRST_REST.saturating_mul(1 << self.in_a_row.min(10)).min(LONGEST_REST);
        self.failures += 1;
        self.in_a_row = self.in_a_row.saturating_add(1);
        self.rests_until = Some(Instant::now() + rest);
        if self.trouble.as_ref() != Some(&lapse) {
            tracing::warn!(authority = self.name, %lapse, "no timestamp");
        }
        self.trouble = Some(lapse);
    }

    /// In words, whose this is.
    fn told(&self, lapse: &Lapse) -> String {
        format!("timestamp authority {}: {lapse}", self.name)
    }
}

impl House {
    /// How each timestamp authority stands.
    pub fn timestamp_authorities(&self) -> Vec<Stand> {
        self.inner.stamping.stands()
    }

    /// Has what is due stamped and renewed now, for at most `patience`. What could not be done, in
    /// words; it stays due.
    pub fn stamp(&self, patience: Duration) -> Vec<String> {
        let stamping = &self.inner.stamping;
        if stamping.desks.is_empty() {
            return Vec::new();
        }
        // What was recorded is signed first; if that fails, it is said below to be missing.
        let due = stamping.state().due;
        _ = self.checkpoint_over(due);
        stamping.wait_done(patience);
        let state = stamping.state();
        let left = state.stands.iter().filter_map(|it| Some(it.told(it.trouble.as_ref()?)));
        let behind = state.behind().filter(|stand| stand.trouble.is_none());
        let behind = behind.map(|stand| {
            let entry = state.owed().saturating_sub(1);
            format!("entry {entry} is not stamped by {} yet", stand.name)
        });
        left.chain(behind).collect()
    }
}
