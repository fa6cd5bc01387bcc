//! The thread that stamps: what is due, who is asked, what is kept.
//!
//! Invariants: at most one question to an authority at a time; a question runs on a thread of its
//! own, which holds nothing of the house, so that a house that closes waits for none of them; all
//! that is decided here is decided from what is kept, so that a restart carries on.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use bailee_core::Time;
use bailee_ledger::hash::sha256;
use bailee_ledger::timestamp::Token;
use bailee_ledger::{Hash, Leaf};
use bailee_store::Put;

use super::ask::{Lapse, ask};
use super::renew::{Renewal, Renewals, series};
use crate::attest::Quorum;
use crate::house::{HouseError, Inner};

/// Longest sleep when nobody says that something is due.
const POLL: Duration = Duration::from_secs(60);
/// Pause after the house did not answer.
const TROUBLE: Duration = Duration::from_secs(10);
/// Pause between two looks for a quorum.
const AGAIN: Duration = Duration::from_secs(1);
/// How often a closing house is looked for while authorities are asked.
const GLANCE: Duration = Duration::from_millis(50);
/// Entries read at once at a start.
const PAGE: usize = 4096;

/// The checkpoint that is stamped now.
struct Current {
    size: u64,
    imprint: Hash,
    /// When it was stamped first, by the house's clock.
    at: u64,
    /// Who has given a token over it.
    has: Vec<bool>,
}

struct Clerk {
    current: Option<Current>,
    begun: Option<Instant>,
    /// Since when a quorum is waited for.
    waits_since: Option<Instant>,
    renewals: Renewals,
}

/// What holds a new stamp up: a pause, or a quorum that is waited for.
struct Held {
    /// When to look again.
    look: Instant,
    /// When it is over at the latest.
    until: Instant,
}

/// A question and where its answer belongs.
enum Job {
    First(usize),
    Renew(Renewal),
}

/// Stamps until the house closes.
pub(crate) fn run(house: &Arc<Inner>) {
    let stamping = &house.stamping;
    if stamping.desks.is_empty() {
        return;
    }
    let mut clerk = None;
    loop {
        let seen = {
            let state = stamping.state();
            if state.closed {
                return;
            }
            state.looks
        };
        let until = match &mut clerk {
            Some(clerk) => Clerk::work(clerk, house),
            None => Clerk::resume(house).map(|resumed| {
                clerk = Some(resumed);
                None
            }),
        };
        let until = match until {
            Ok(None) => continue,
            Ok(Some(until)) => until,
            Err(error) => {
                tracing::warn!(%error, "stamping goes on later");
                Instant::now() + TROUBLE
            }
        };
        let mut state = stamping.state();
        state.looked = seen;
        stamping.changed.notify_all();
        while !state.closed && state.looks == seen && Instant::now() < until {
            let left = until.saturating_duration_since(Instant::now());
            state = stamping.sleep(state, left);
        }
    }
}

fn now(house: &Inner) -> u64 {
    u64::try_from(house.clock.now().unix()).unwrap_or_default()
}

impl Clerk {
    /// Finds out what is stamped, and what was recorded since.
    fn resume(house: &Inner) -> Result<Clerk, HouseError> {
        let stamping = &house.stamping;
        let mut clerk =
            Clerk { current: None, begun: None, waits_since: None, renewals: Renewals::default() };
        let mut newest = 0;
        for (size, authority) in house.attesting.stamped()? {
            let Some(desk) = stamping.desks.iter().position(|desk| desk.name == authority) else {
                continue;
            };
            clerk.renewals.note(size, desk);
            newest = newest.max(size);
            let stand = &mut stamping.state().stands[desk];
            stand.stamped_to = stand.stamped_to.max(size);
        }
        if newest > 0 {
            clerk.current = current(house, newest)
                .inspect_err(|error| tracing::error!(newest, %error, "stamped checkpoint"))
                .ok();
        }
        if let Some(last) = last_of_class(house, newest)? {
            stamping.cover(last + 1);
        }
        stamping.state().resumed = true;
        Ok(clerk)
    }

    /// Does what is due. `None`: there may be more; else when there is.
    fn work(&mut self, house: &Arc<Inner>) -> Result<Option<Instant>, HouseError> {
        let mut next = Instant::now() + POLL;
        let held = if self.wants_new(house) { self.begin(house)? } else { None };
        house.stamping.state().held = held.as_ref().map(|held| held.until);
        next = next.min(held.map_or(next, |held| held.look));
        let now = now(house);
        let mut jobs = Vec::new();
        for desk in 0..house.stamping.desks.len() {
            let job = match self.current.as_ref().is_some_and(|current| !current.has[desk]) {
                true => Some(Job::First(desk)),
                false => self.renewals.next(house, desk, now).map(Job::Renew),
            };
            let Some(job) = job else { continue };
            match house.stamping.state().stands[desk].rests_until {
                Some(until) if until > Instant::now() => next = next.min(until),
                _ => jobs.push(job),
            }
        }
        if !jobs.is_empty() {
            self.carry_out(house, jobs);
            return Ok(None);
        }
        if self.renewals.read_some(house) {
            return Ok(None);
        }
        Ok(Some(next))
    }

    /// Is a newer checkpoint to be stamped?
    fn wants_new(&self, house: &Inner) -> bool {
        let signed = house.published.lock().unwrap_or_else(PoisonError::into_inner).size;
        let due = house.stamping.state().due;
        let Some(current) = &self.current else { return signed > 0 && signed >= due };
        let hour_over = now(house) >= current.at.saturating_add(house.stamping.pace.every_s);
        let urgent = due > current.size && signed >= due;
        signed > current.size && (urgent || (hour_over && due <= signed))
    }

    /// Takes the newest checkpoint as it will be stamped, unless something holds it up.
    fn begin(&mut self, house: &Inner) -> Result<Option<Held>, HouseError> {
        let pace = &house.stamping.pace;
        let ready = self.begun.map(|begun| begun + Duration::from_secs(pace.pause_s));
        if let Some(ready) = ready.filter(|ready| *ready > Instant::now()) {
            return Ok(Some(Held { look: ready, until: ready }));
        }
        let since = *self.waits_since.get_or_insert_with(Instant::now);
        let until = since + Duration::from_secs(pace.quorum_s);
        let quorum = if Instant::now() < until { Quorum::Needed } else { Quorum::Waived };
        let published = house.published.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(note) = published.note else { return Ok(None) };
        let Some(attested) = house.attesting.fix(published.size, note, quorum)? else {
            return Ok(Some(Held { look: Instant::now() + AGAIN, until }));
        };
        (self.begun, self.waits_since) = (Some(Instant::now()), None);
        self.current = Some(Current {
            size: attested.size,
            imprint: sha256(attested.note.to_string().as_bytes()),
            at: now(house),
            has: has(house, &attested),
        });
        Ok(None)
    }

    /// Asks all at once, and keeps what comes. A house that closes is not waited for.
    fn carry_out(&mut self, house: &Arc<Inner>, jobs: Vec<Job>) {
        let stamping = &house.stamping;
        let (answer, answers) = channel();
        let mut open = 0;
        let mut waiting: Vec<Option<Job>> = Vec::new();
        for job in jobs {
            let (desk, imprint) = match &job {
                Job::First(desk) => match &self.current {
                    Some(current) => (*desk, current.imprint),
                    None => continue,
                },
                Job::Renew(renewal) => (renewal.desk, renewal.imprint),
            };
            let (answer, at) = (answer.clone(), waiting.len());
            let (web, within) = (stamping.web.clone(), stamping.pace.timeout());
            let (to, clock) = (stamping.desks[desk].clone(), house.clock.clone());
            let question = move || {
                // Nobody listens any more when the house has closed.
                _ = answer.send((at, ask(&web, &to, &imprint, &clock, within)));
            };
            waiting.push(Some(job));
            match thread::Builder::new().name("timestamp".into()).spawn(question) {
                Ok(_) => open += 1,
                Err(error) => {
                    let lapse = Lapse::NotAsked(error.to_string());
                    stamping.state().stands[desk].lapsed(lapse);
                }
            }
        }
        while open > 0 && !stamping.state().closed {
            match answers.recv_timeout(GLANCE) {
                Ok((at, answered)) => {
                    open -= 1;
                    if let Some(job) = waiting[at].take() {
                        self.take(house, job, answered);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn take(&mut self, house: &Inner, job: Job, answered: Result<(Vec<u8>, Token), Lapse>) {
        let desk = match &job {
            Job::First(desk) => *desk,
            Job::Renew(renewal) => renewal.desk,
        };
        let done = answered.and_then(|(raw, token)| match &job {
            Job::First(_) => self.keep_first(house, desk, &raw, &token),
            Job::Renew(renewal) => self.keep_renewal(house, renewal, &raw, &token),
        });
        let mut state = house.stamping.state();
        let stand = &mut state.stands[desk];
        match done {
            Ok(()) => {
                if let Job::Renew(_) = job {
                    stand.worn = None;
                }
                stand.got();
            }
            Err(lapse @ Lapse::Worn { .. }) => {
                tracing::warn!(authority = stand.name, %lapse, "not renewed");
                stand.worn = Some(lapse);
            }
            Err(lapse) => stand.lapsed(lapse),
        }
        house.stamping.changed.notify_all();
    }

    fn keep_first(
        &mut self,
        house: &Inner,
        desk: usize,
        raw: &[u8],
        token: &Token,
    ) -> Result<(), Lapse> {
        let Some(current) = &mut self.current else { return Ok(()) };
        let size = current.size;
        let put = house.attesting.put_token(size, &house.stamping.desks[desk], 0, raw);
        match put.map_err(|e| Lapse::NotKept(e.to_string()))? {
            Put::Stored => self.renewals.kept(size, desk, 0, token),
            Put::AlreadyThere => self.renewals.note(size, desk),
        }
        current.has[desk] = true;
        let stand = &mut house.stamping.state().stands[desk];
        (stand.stamped_to, stand.last) = (stand.stamped_to.max(size), Some(token.time));
        Ok(())
    }

    fn keep_renewal(
        &mut self,
        house: &Inner,
        renewal: &Renewal,
        raw: &[u8],
        token: &Token,
    ) -> Result<(), Lapse> {
        let Renewal { size, desk, number, until, .. } = *renewal;
        if token.chain_expires <= until {
            self.renewals.is_worn(desk, now(house));
            let until = i64::try_from(until).unwrap_or(i64::MAX).saturating_mul(1_000_000);
            return Err(Lapse::Worn { until: Time(until).to_string() });
        }
        let put = house.attesting.put_token(size, &house.stamping.desks[desk], number, raw);
        let put = put.map_err(|e| Lapse::NotKept(e.to_string()))?;
        self.renewals.renewed(renewal);
        match put {
            Put::Stored => self.renewals.kept(size, desk, number, token),
            Put::AlreadyThere => self.renewals.note(size, desk),
        }
        Ok(())
    }
}

/// The checkpoint that was stamped last.
fn current(house: &Inner, size: u64) -> Result<Current, HouseError> {
    let attested = house.attesting.kept(size)?;
    let mut at = 0;
    for stamp in &attested.stamps {
        let tokens = series(&attested, stamp).unwrap_or_default();
        let Some(first) = tokens.first() else { continue };
        at = at.max(first.time);
        let mut state = house.stamping.state();
        let mut stands = state.stands.iter_mut();
        if let Some(stand) = stands.find(|stand| stand.name == stamp.authority) {
            stand.last = Some(first.time);
        }
    }
    let imprint = sha256(attested.note.to_string().as_bytes());
    Ok(Current { size, imprint, at, has: has(house, &attested) })
}

/// Which authorities have given a token.
fn has(house: &Inner, attested: &crate::attest::Attested) -> Vec<bool> {
    let given = |name: &str| attested.stamps.iter().any(|stamp| stamp.authority == *name);
    house.stamping.desks.iter().map(|desk| given(&desk.name)).collect()
}

/// The last entry from `from` on that is stamped at once.
fn last_of_class(house: &Inner, mut from: u64) -> Result<Option<u64>, HouseError> {
    let mut last = None;
    loop {
        let page = house.journal.read(from, PAGE)?;
        for (position, entry) in (from..).zip(&page) {
            // A leaf that cannot be read is `bailee check`'s to find.
            let leaf = Leaf::decode(&entry.leaf);
            if leaf.is_ok_and(|leaf| super::is_stamped_at_once(leaf.type_code)) {
                last = Some(position);
            }
        }
        from += page.len() as u64;
        if page.len() < PAGE {
            return Ok(last);
        }
    }
}
