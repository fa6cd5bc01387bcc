//! The gate against a clock that is moved by hand.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bailee_ledger::clearance::Clearance;

use super::{Gate, LONGEST_LEASE, Lease, Stop, Until};
use crate::clock::{Clock, Moment};

/// Moves only when told to.
#[derive(Default)]
pub(crate) struct HandClock(AtomicU64);

impl HandClock {
    pub(crate) fn advance(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn moment(&self) -> Moment {
        Moment::at(Duration::from_secs(self.0.load(Ordering::SeqCst)))
    }
    fn unix(&self) -> i64 {
        1_800_000_000 + self.0.load(Ordering::SeqCst) as i64
    }
}

/// Answers from a list, then with 60 s for ever.
#[derive(Default)]
pub(crate) struct Scripted {
    pub(crate) answers: VecDeque<Result<Until, Stop>>,
    pub(crate) renewals: u64,
}

impl Scripted {
    pub(crate) fn of(answers: impl IntoIterator<Item = Result<Until, Stop>>) -> Scripted {
        Scripted { answers: answers.into_iter().collect(), renewals: 0 }
    }
}

impl Lease for Scripted {
    fn begin(&mut self, _: &Clearance) -> Result<Until, Stop> {
        Ok(seconds(60))
    }
    fn renew(&mut self) -> Result<Until, Stop> {
        self.renewals += 1;
        self.answers.pop_front().unwrap_or(Ok(seconds(60)))
    }
}

pub(crate) fn seconds(n: u64) -> Until {
    Until::after(Duration::from_secs(n))
}

pub(crate) fn refused() -> Stop {
    Stop::Refused { reason: "D-9 arrived".into() }
}

/// A gate that has just granted 60 s.
pub(crate) fn open<'a>(clock: &'a HandClock, lease: &'a mut Scripted) -> Gate<'a> {
    Gate::granted(clock, lease, clock.moment(), seconds(60))
}

fn unreachable() -> Result<Until, Stop> {
    Err(Stop::Unreachable { detail: "timeout".into() })
}

#[test]
fn renews_at_half_and_not_before() {
    let (clock, mut lease) = (HandClock::default(), Scripted::default());
    {
        let gate = open(&clock, &mut lease);
        clock.advance(29);
        gate.pass().unwrap();
        clock.advance(1);
        gate.pass().unwrap();
        gate.pass().unwrap();
        clock.advance(40);
        gate.pass().unwrap();
    }
    assert_eq!(lease.renewals, 2);
}

#[test]
fn a_refusal_stops_for_good() {
    let (clock, mut lease) = (HandClock::default(), Scripted::of([Err(refused())]));
    {
        let gate = open(&clock, &mut lease);
        clock.advance(30);
        assert_eq!(gate.pass(), Err(refused()));
        assert_eq!(gate.pass(), Err(refused()));
        gate.halt(Stop::Expired);
        assert_eq!(gate.stop(), Some(refused()), "the first stop stands");
    }
    assert_eq!(lease.renewals, 1);
}

#[test]
fn sleeping_through_the_lease_ends_it_without_asking() {
    let (clock, mut lease) = (HandClock::default(), Scripted::default());
    {
        let gate = open(&clock, &mut lease);
        clock.advance(54); // a tenth of 60 s is kept back
        assert_eq!(gate.pass(), Err(Stop::Expired));
    }
    assert_eq!(lease.renewals, 0);
}

#[test]
fn an_unreachable_gate_is_asked_again_until_the_end() {
    let (clock, mut lease) =
        (HandClock::default(), Scripted::of([unreachable(), unreachable(), unreachable()]));
    {
        let gate = open(&clock, &mut lease);
        for _ in 0..2 {
            clock.advance(26);
            gate.pass().unwrap();
        }
        clock.advance(2);
        assert_eq!(gate.pass(), Err(Stop::Expired));
    }
    assert!(lease.renewals >= 1);
}

#[test]
fn an_answer_that_took_too_long_is_no_lease() {
    struct Slow<'a>(&'a HandClock);
    impl Lease for Slow<'_> {
        fn begin(&mut self, _: &Clearance) -> Result<Until, Stop> {
            Ok(seconds(60))
        }
        fn renew(&mut self) -> Result<Until, Stop> {
            self.0.advance(60);
            Ok(seconds(60))
        }
    }
    let clock = HandClock::default();
    let mut lease = Slow(&clock);
    let gate = Gate::granted(&clock, &mut lease, clock.moment(), seconds(60));
    clock.advance(30);
    assert_eq!(gate.pass(), Err(Stop::Expired));
}

#[test]
fn no_lease_is_longer_than_a_minute() {
    assert_eq!(Until::after(Duration::from_secs(3600)), Until::after(LONGEST_LEASE));
    let (clock, mut lease) = (HandClock::default(), Scripted::default());
    let gate = Gate::granted(&clock, &mut lease, clock.moment(), seconds(0));
    assert_eq!(gate.pass(), Err(Stop::Expired), "a lease of nothing is no lease");
}
