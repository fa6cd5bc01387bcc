//! The prober: a thread of the service that looks at the engine when it is attached and each day.
//!
//! Invariants
//! 1. When to look follows from the last finding in the log and the house's clock, so that a
//!    restart forgets nothing: at a start unless one is younger than an hour, then a day after the
//!    last, an hour after one that found an engine silent.
//! 2. While it asks the engine it does not hold the house: an engine that does not answer keeps
//!    neither letters nor the end of the service waiting. After the end was said, nothing is
//!    recorded.
//! 3. A house that keeps nothing in its own directory yet has nothing to look at.
//!
//! | a crash after … | leaves |
//! |---|---|
//! | the trials      | a few bytes under a name of the probe; it is due still |
//! | the record      | the finding; the next is due a day later |

use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use bailee_core::State;
use bailee_core::engine::Finding;

use super::job::{Asked, Job, Seen};
use super::{look_beside, record};
use crate::end::End;
use crate::house::House;
use crate::keeping::KeepError;
use crate::packs::Engine;

/// Pause between two looks at whether it is due.
const LOOK: Duration = Duration::from_millis(500);
/// Pause after a probe that could not be made or recorded.
const FAILED: Duration = Duration::from_secs(600);

/// A running prober.
pub(crate) struct Prober {
    end: Arc<End>,
}

/// Has the house just been opened?
#[derive(Clone, Copy, PartialEq, Eq)]
enum Since {
    Start,
    LastFinding,
}

impl Prober {
    /// Starts it.
    ///
    /// # Errors
    /// The machine gives no thread.
    pub(crate) fn start(house: &Arc<House>) -> std::io::Result<Prober> {
        let end = Arc::new(End::default());
        let (house, until) = (Arc::downgrade(house), end.clone());
        thread::Builder::new().name("prober".into()).spawn(move || run(&house, &until))?;
        Ok(Prober { end })
    }

    /// Says the end, and waits at most so long for what is being recorded. A thread that waits for
    /// an engine is left behind: it has nothing of the house, and gets nothing any more.
    pub(crate) fn end(self, patience: Duration) {
        if !self.end.say(patience) {
            tracing::warn!("what was seen of the engine is not recorded in time");
        }
    }
}

fn run(house: &Weak<House>, end: &End) {
    let (mut since, mut not_before) = (Since::Start, Instant::now());
    while !end.wait(LOOK) {
        if Instant::now() < not_before {
            continue;
        }
        if let Err(error) = round(house, end, since) {
            tracing::warn!(%error, "what keeps the packs could not be probed");
            not_before = Instant::now() + FAILED;
        }
        since = Since::LastFinding;
    }
}

fn round(house: &Weak<House>, end: &End, since: Since) -> Result<(), KeepError> {
    let job = end.with(house, |house| job_if_due(house, since)).transpose()?;
    let Some(job) = job.flatten() else { return Ok(()) };
    let seen = job.carry_out();
    let Some(found) = end.with(house, |house| tell(house, seen)).transpose()? else {
        return Ok(());
    };
    if found.canaries.lost.is_empty() {
        return Ok(());
    }
    end.with(house, |house| look_beside(house, &found)).unwrap_or(Ok(()))
}

fn job_if_due(house: &House, since: Since) -> Result<Option<Job>, KeepError> {
    if house.dir().is_none() {
        return Ok(None);
    }
    let (settings, now) = (&house.config().vault, house.clock().now());
    let engine = settings.place();
    let due =
        house.with_state(|s| is_due(s, s.engines.get(&engine), settings.objects, since, now))?;
    due.then(|| Job::of(house, Asked::ByService)).transpose()
}

fn is_due(
    s: &State,
    last: Option<&Finding>,
    engine: Engine,
    since: Since,
    now: bailee_core::Time,
) -> bool {
    let now = s.now(now);
    match (last, since) {
        (None, _) => engine == Engine::S3 || !s.snapshots.is_empty(),
        (Some(last), Since::Start) => now >= last.next().min(last.next_at_start()),
        (Some(last), Since::LastFinding) => now >= last.next(),
    }
}

fn tell(house: &House, seen: Seen) -> Result<Finding, KeepError> {
    let (engine, found) = record(house, seen)?;
    for line in found.bad() {
        tracing::warn!(engine, entry = found.position, "{line}");
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use bailee_core::engine::{Canaries, Outcome, Trial};
    use bailee_core::{Action, Command, Time, run};

    use super::*;

    /// A state in which that was seen at this time.
    fn seen(at: i64, outcome: Outcome) -> State {
        let mut state = State::default();
        let trials = vec![Trial { what: "it".into(), outcome, saw: String::new() }];
        let (engine, canaries) = ("disk".into(), Canaries::default());
        let action = Action::RecordProbe { engine, trials, canaries };
        run(&mut state, &Command::system(action), Time::from_unix(at)).unwrap();
        state
    }

    #[test]
    fn when_it_is_due_follows_from_the_log_and_the_clock() {
        let due = |s: &State, since, now| {
            is_due(s, s.engines.get("disk"), Engine::Disk, since, Time::from_unix(now))
        };
        let (start, later) = (Since::Start, Since::LastFinding);
        let empty = State::default();
        assert!(!due(&empty, start, 9), "nothing is kept");
        assert!(is_due(&empty, None, Engine::S3, later, Time::from_unix(9)));
        let good = seen(1_000_000, Outcome::Holds);
        assert!(!due(&good, later, 1_086_399) && due(&good, later, 1_086_400));
        assert!(!due(&good, start, 1_003_599) && due(&good, start, 1_003_600));
        let silent = seen(1_000_000, Outcome::Silent);
        assert!(!due(&silent, later, 1_003_599) && due(&silent, later, 1_003_600));
        assert!(!due(&good, later, 5), "a clock that goes back makes nothing due");
    }
}
