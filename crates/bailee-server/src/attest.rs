//! Attest: what others say of a checkpoint. Witnesses cosign it; operation waits for none of them.
//!
//! Order: the log signs -> cell -> file -> handed out (publish.rs) -> witnesses are asked, all at
//! once, for a bounded time (attest/round.rs) -> cosignatures that verify go onto the note -> the
//! note is put into the objects (attest/kept.rs) -> who waits for it gets it.
//!
//! Invariants
//! 1. Fail-open: nothing but the making of a receipt ever waits, and a receipt no longer than it
//!    was told to. It then carries the cosignatures there are, and says which are missing.
//! 2. Only the newest checkpoint is offered, so appends never queue up questions: one round at a
//!    time, at once if somebody waits, else at most [`asking::PAUSE`] after growth.
//! 3. One size has one attested note, put once. A note without its quorum is not put on its own
//!    account: its witnesses are asked again while the log stands still. [`House::keep`] puts it as
//!    it is, when a token needs bytes that stay.
//! 4. A witness decides nothing. One that contradicts the log, or answers wrongly, is named in the
//!    log, in the metrics and at `/readyz`.
//!
//! | a crash after …      | leaves                                                        |
//! |----------------------|---------------------------------------------------------------|
//! | checkpoint file      | a checkpoint nobody was asked about; the next start asks       |
//! | a witness recorded   | its record is ahead of ours: it cosigns the same tree again    |
//! | note put             | the note, which the next start finds                           |

mod ask;
mod asking;
mod kept;
mod round;
mod settings;
mod stamped;
mod watch;

pub(crate) use asking::run;
pub use settings::Witnesses;
pub(crate) use stamped::Quorum;
pub use watch::{Lapse, Watched};

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bailee_ledger::{Note, Policy, Verifier};

use crate::attest::kept::Kept;
use crate::attest::round::{Gathered, Tell};
use crate::house::{House, HouseError};

/// Kept notes looked at for one that has everything.
const LOOKED_AT: usize = 32;

/// A checkpoint with all that others have said about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attested {
    /// Leaves of the tree.
    pub size: u64,
    /// The signed checkpoint with its cosignatures; tokens are over exactly its bytes.
    pub note: Note,
    /// Tokens of timestamp authorities, by authority.
    pub stamps: Vec<Stamp>,
}

/// One authority's tokens over the checkpoint file: the first, then renewals, each over the file
/// before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Name of the authority in the settings.
    pub authority: String,
    /// Certificates (PEM), offered as anchors and not pinned.
    pub roots: Vec<u8>,
    /// Raw RFC 3161 responses, DER.
    pub tokens: Vec<Vec<u8>>,
}

/// What the attesting thread and those who wait share.
pub(crate) struct Attesting {
    /// Witnesses, quorum, with addresses, and every key that the log has or had.
    policy: Policy,
    /// How long a round may take; `None`: nobody is asked.
    timeout: Option<Duration>,
    /// Timestamp authorities whose tokens make an attested checkpoint complete.
    authorities: usize,
    kept: Kept,
    state: Mutex<State>,
    ended: Condvar,
    tell: Sender<Tell>,
}

#[derive(Default)]
struct State {
    /// Largest size that somebody waits for.
    wanted: u64,
    /// What the last round came to.
    gathered: Option<Gathered>,
    /// It is among the objects.
    is_kept: bool,
    /// The checkpoint given to the public last; it never gets smaller.
    shown: Option<(u64, Note)>,
    watched: Vec<Watched>,
    closed: bool,
}

impl Attesting {
    pub(crate) fn new(
        policy: Policy,
        timeout: Option<Duration>,
        authorities: usize,
        objects: Arc<dyn bailee_store::Objects>,
    ) -> (Attesting, Receiver<Tell>) {
        let (tell, told) = channel();
        let timeout = timeout.filter(|_| !policy.witnesses().is_empty());
        let kept = Kept::new(objects, policy.clone());
        let (state, ended) = (Mutex::default(), Condvar::new());
        (Attesting { policy, timeout, authorities, kept, state, ended, tell }, told)
    }

    /// Is anybody asked?
    pub(crate) fn asks(&self) -> bool {
        self.timeout.is_some()
    }

    /// The log has signed more.
    pub(crate) fn look(&self) {
        // Without witnesses nobody listens.
        _ = self.tell.send(Tell::Look);
    }

    /// The house closes: no further round, and nobody waits any longer.
    pub(crate) fn close(&self) {
        self.state().closed = true;
        self.ended.notify_all();
        _ = self.tell.send(Tell::Close);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The smallest kept checkpoint over `size` leaves that has quorum and stamps; else the one
    /// with the quorum that has most stamps. An object that cannot be read is as good as none, and
    /// is named.
    fn complete(&self, size: u64) -> Option<Attested> {
        self.look_for(size).unwrap_or_else(|error| {
            tracing::warn!(%error, "attested checkpoints cannot be read");
            None
        })
    }

    fn look_for(&self, size: u64) -> Result<Option<Attested>, HouseError> {
        let mut cosigned: Option<Attested> = None;
        for size in self.kept.from(size, LOOKED_AT)? {
            let attested = self.kept.load(size)?;
            let gathered = Gathered::of(attested.note.clone(), &self.policy)?;
            if !gathered.satisfies(&self.policy) && self.asks() {
                continue;
            }
            if attested.stamps.len() >= self.authorities {
                return Ok(Some(attested));
            }
            let most = cosigned.as_ref().is_some_and(|it| it.stamps.len() >= attested.stamps.len());
            cosigned = if most { cosigned } else { Some(attested) };
        }
        Ok(cosigned)
    }

    /// Waits until a round over `size` has ended, or patience has.
    fn wait(&self, size: u64, patience: Duration) {
        let begun = Instant::now();
        let mut state = self.state();
        loop {
            let over = |gathered: &Gathered| gathered.about.size >= size;
            let left = patience.saturating_sub(begun.elapsed());
            if state.gathered.as_ref().is_some_and(over) || state.closed || left.is_zero() {
                return;
            }
            if state.wanted < size {
                state.wanted = size;
                self.look();
            }
            let waited = self.ended.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// What the last round gathered, if it is over `size` leaves.
    fn gathered(&self, size: u64) -> Option<Note> {
        let state = self.state();
        let gathered = state.gathered.as_ref().filter(|gathered| gathered.about.size >= size)?;
        Some(gathered.note.clone())
    }

    /// Puts what was gathered, if it has the quorum, and hands it to whoever waits.
    fn settle(&self, mut gathered: Gathered, watched: Vec<Watched>) {
        let mut is_kept = false;
        if gathered.satisfies(&self.policy) {
            let put = self.kept.put(gathered.about.size, &gathered.note);
            match put.and_then(|kept| Ok(Gathered::of(kept.note, &self.policy)?)) {
                Ok(kept) => (gathered, is_kept) = (kept, true),
                Err(error) => tracing::warn!(%error, "an attested checkpoint was not kept"),
            }
        }
        let mut state = self.state();
        (state.gathered, state.is_kept) = (Some(gathered), is_kept);
        state.watched = watched;
        self.ended.notify_all();
    }
}

impl House {
    /// A checkpoint over the first `size` entries with what others have said of it: the smallest
    /// kept one that has its quorum; else, after waiting for at most `patience`, the best there is,
    /// which may be the log's signature alone. [`Attested::missing`] tells what it lacks.
    ///
    /// # Errors
    /// No checkpoint over these entries is signed.
    pub fn attested_over(&self, size: u64, patience: Duration) -> Result<Attested, HouseError> {
        let end = Instant::now() + patience;
        let cosigned = self.cosigned_over(size, patience)?;
        let stamping = &self.inner.stamping;
        if cosigned.stamps.len() >= stamping.authorities() || patience.is_zero() {
            return Ok(cosigned);
        }
        stamping.wait_over(size, end.saturating_duration_since(Instant::now()));
        self.cosigned_over(size, Duration::ZERO)
    }

    fn cosigned_over(&self, size: u64, patience: Duration) -> Result<Attested, HouseError> {
        let attesting = &self.inner.attesting;
        // What other keys signed before is not for those who know the ones that count now.
        let size = size.max(self.ring()?.since());
        let (signed, note) = self.checkpoint_over(size)?;
        if let Some(found) = attesting.complete(size) {
            return Ok(found);
        }
        if attesting.asks() {
            attesting.wait(size, patience);
            if let Some(found) = attesting.complete(size) {
                return Ok(found);
            }
        }
        let plain = Attested { size: signed, note, stamps: Vec::new() };
        let kept = attesting.kept.from(size, 1).unwrap_or_default();
        let kept = kept.first().and_then(|size| attesting.kept.load(*size).ok());
        let gathered = attesting.gathered(size).and_then(|note| Attested::of(note).ok());
        let there = [kept, gathered].into_iter().flatten();
        Ok(there.fold(plain, |best, other| if other.says() > best.says() { other } else { best }))
    }

    /// How long a receipt waits for witnesses (one round, and what is left of the one before) and
    /// for timestamps.
    pub fn patience(&self) -> Duration {
        let witnesses = self.inner.attesting.timeout.unwrap_or_default().saturating_mul(2);
        witnesses + self.inner.stamping.patience()
    }

    /// Makes this note the attested one of its size, for ever, as it is, and gives the one that is:
    /// another may have come first. Tokens are put over what this gives.
    ///
    /// # Errors
    /// The objects do not take it.
    pub fn keep(&self, attested: &Attested) -> Result<Attested, HouseError> {
        self.inner.attesting.kept.put(attested.size, &attested.note)
    }

    /// Keeps token `n` of an authority: 0 over the attested note of this size, n over token n-1.
    ///
    /// # Errors
    /// The objects do not take it.
    pub fn keep_token(
        &self,
        size: u64,
        authority: &str,
        n: usize,
        token: &[u8],
    ) -> Result<(), HouseError> {
        self.inner.attesting.kept.put_token(size, authority, n, token)
    }

    /// Keeps the certificates (PEM) that an authority's tokens of this size are offered with.
    ///
    /// # Errors
    /// The objects do not take it.
    pub fn keep_roots(&self, size: u64, authority: &str, pem: &[u8]) -> Result<(), HouseError> {
        self.inner.attesting.kept.put_roots(size, authority, pem)
    }

    /// Sizes from `size` on that have an attested note, ascending, at most so many.
    ///
    /// # Errors
    /// The objects do not answer.
    pub fn attested_sizes(&self, size: u64, most: usize) -> Result<Vec<u64>, HouseError> {
        self.inner.attesting.kept.from(size, most)
    }

    /// The attested checkpoint of exactly this size, with its tokens.
    ///
    /// # Errors
    /// There is none, or it is damaged.
    pub fn attested_at(&self, size: u64) -> Result<Attested, HouseError> {
        self.inner.attesting.kept.load(size)
    }

    /// The checkpoint for the public: with cosignatures as soon as a round has ended, and never
    /// over fewer entries than the one given before.
    pub fn public_checkpoint(&self) -> Option<Note> {
        let newest = self.checkpoint();
        if !self.inner.attesting.asks() {
            return newest;
        }
        let offered = match self.inner.attesting.gathered(0) {
            Some(note) => Attested::of(note).ok()?,
            None => {
                let plain = Attested::of(newest?).ok()?;
                // Before the first round: an earlier process may have had it attested.
                let kept = self.inner.attesting.kept.from(plain.size, 1).unwrap_or_default();
                let kept = kept.contains(&plain.size).then(|| self.attested_at(plain.size).ok());
                kept.flatten().unwrap_or(plain)
            }
        };
        let mut state = self.inner.attesting.state();
        match &state.shown {
            Some((shown, note)) if *shown > offered.size => Some(note.clone()),
            _ => {
                state.shown = Some((offered.size, offered.note.clone()));
                Some(offered.note)
            }
        }
    }

    /// What is known of each witness of the policy.
    pub fn watched(&self) -> Vec<Watched> {
        self.inner.attesting.state().watched.clone()
    }
}

impl Attested {
    fn of(note: Note) -> Result<Attested, bailee_ledger::Error> {
        let size = bailee_ledger::Checkpoint::parse(note.text())?.size;
        Ok(Attested { size, note, stamps: Vec::new() })
    }

    /// How much others have said.
    fn says(&self) -> (usize, usize) {
        (self.note.signatures().len(), self.stamps.len())
    }

    /// Names of the policy's witnesses that have not cosigned it; empty if the quorum is reached
    /// or none is asked for.
    pub fn missing(&self, policy: &Policy) -> Vec<String> {
        let cosigned = policy.cosignatures(&self.note).unwrap_or_default();
        if policy.quorum_name() == "none" || policy.quorum_by(&cosigned).is_some() {
            return Vec::new();
        }
        let own = |key: &Verifier| policy.logs().iter().any(|log| log.key.name() == key.name());
        let absent = |index: &usize| cosigned.iter().all(|(witness, _)| witness != index);
        let others = policy.witnesses().iter().enumerate().filter(|(_, one)| !own(&one.key));
        others.filter(|(index, _)| absent(index)).map(|(_, one)| one.name.clone()).collect()
    }
}
