//! Records of runs on a medium that fails as told, and the log they leave.

use std::fs;
use std::path::Path;

use bailee_ledger::clearance::{Act, Terms};
use sha2::{Digest, Sha256};

use super::Run;
use crate::identity::{Identity, Kind};
use crate::lease::tests::{HandClock, Scripted, open, refused, seconds};
use crate::lease::{Lease, Stop};
use crate::log::Log;
use crate::medium::Medium;
use crate::overwrite::tests::Faulty;
use crate::record::{Achieved, Outcome, Reach, Record, Verified};
use crate::run::{Check, Options, Phase, Progress};
use crate::span::Span;

const SIZE: usize = 64 * 4096;

pub(crate) fn terms() -> Terms {
    Terms {
        origin: "log.example/bailee".into(),
        clearance: 7,
        disposition: 3,
        asset: 9,
        act: Act::Sanitize,
        subject: [1; 32],
        position: 4711,
        not_after: 1_900_000_000,
    }
}

pub(crate) fn identity(size: u64) -> Identity {
    Identity {
        kind: Kind::Block,
        size,
        model: Some("M 1".into()),
        serial: Some("S-77".into()),
        wwn: None,
        uuid: None,
        backing: None,
        attachment: None,
    }
}

struct Bench<'a> {
    device: Faulty,
    lease: Scripted,
    reach: Reach,
    check: Check,
    clock: &'a HandClock,
}

fn bench(device: Faulty) -> Bench<'static> {
    let clock = Box::leak(Box::default());
    Bench { device, lease: Scripted::default(), reach: Reach::InPlace, check: Check::Whole, clock }
}

impl Bench<'_> {
    fn run(mut self, log: &Path, seen: &mut Vec<Progress>) -> Record {
        let options = Options {
            check: self.check,
            buffer: 4096,
            queue: 1,
            sync_every: 1 << 16,
            clock: self.clock,
            host: "h1",
            agent: "a1",
            ..Options::new(9, [7; 32], log)
        };
        let gate = open(self.clock, &mut self.lease);
        let run = Run {
            terms: terms(),
            identity: identity(SIZE as u64),
            medium: Medium { reach: self.reach, limits: Vec::new() },
            options: &options,
            log: Log::open(log).unwrap(),
            still: &|| Ok(()),
        };
        run.carry_out(&self.device, &gate, &mut |p| seen.push(p))
    }

    fn record(self) -> Record {
        let dir = tempfile::tempdir().unwrap();
        self.run(&dir.path().join("log"), &mut Vec::new())
    }
}

#[test]
fn a_sound_medium_is_clear_and_verified_and_the_log_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    let mut seen = Vec::new();
    let record = bench(Faulty::of(SIZE)).run(&log, &mut seen);
    assert_eq!(record.outcome, Outcome::Complete);
    assert_eq!((record.achieved, record.verified), (Achieved::Clear, Verified::Whole));
    let text = fs::read(&log).unwrap();
    assert_eq!(record.log_sha256[..], Sha256::digest(&text)[..]);
    let events: Vec<serde_json::Value> =
        text.split(|b| *b == b'\n').filter_map(|l| serde_json::from_slice(l).ok()).collect();
    let names: Vec<&str> = events.iter().map(|e| e["event"].as_str().unwrap()).collect();
    assert_eq!(names, ["synced", "synced", "synced", "synced", "synced", "finished"]);
    assert_eq!(events[5]["verified"], "whole");
    let last = |phase| seen.iter().rfind(|p| p.phase == phase).unwrap().done;
    assert_eq!((last(Phase::Writing), last(Phase::Reading)), (SIZE as u64, SIZE as u64));
}

#[test]
fn a_medium_that_lies_is_found_out() {
    let device = Faulty { lies: vec![Span { start: 9000, end: 9010 }], ..Faulty::of(SIZE) };
    let record = bench(device).record();
    assert_eq!(record.outcome, Outcome::Complete, "it took every write");
    assert_eq!((record.achieved, record.verified), (Achieved::Nothing, Verified::Failed));
    let found = record.readback.unwrap();
    assert_eq!(found.mismatched.as_slice(), [Span { start: 8704, end: 9216 }]);
    assert_eq!(found.matching.total(), SIZE as u64 - 512);
}

#[test]
fn what_cannot_be_read_is_not_taken_for_good() {
    let device = Faulty { bad_reads: vec![Span { start: 0, end: 1 }], ..Faulty::of(SIZE) };
    let record = bench(device).record();
    assert_eq!((record.achieved, record.verified), (Achieved::Nothing, Verified::Failed));
    assert_eq!(record.readback.unwrap().unreadable.as_slice(), [Span { start: 0, end: 512 }]);
}

#[test]
fn what_cannot_be_written_is_incomplete_and_shown_by_reading() {
    let device = Faulty { bad_writes: vec![Span { start: 512, end: 1024 }], ..Faulty::of(SIZE) };
    let record = bench(device).record();
    assert_eq!(record.outcome, Outcome::Incomplete);
    assert_eq!((record.achieved, record.verified), (Achieved::Nothing, Verified::Failed));
    assert_eq!(record.unwritable.as_slice(), [Span { start: 512, end: 1024 }]);
    assert_eq!(record.readback.unwrap().mismatched, record.unwritable);
}

#[test]
fn a_write_that_failed_counts_as_gone_even_if_none_succeeded() {
    let all = vec![Span { start: 0, end: SIZE as u64 }];
    let record = bench(Faulty { bad_writes: all, ..Faulty::of(SIZE) }).record();
    assert_eq!((record.written.total(), record.gone()), (0, SIZE as u64));
    let record = bench(Faulty { gone_after: Some(0), ..Faulty::of(SIZE) }).record();
    assert!(matches!(record.outcome, Outcome::Stopped { .. }), "{:?}", record.outcome);
    assert_eq!((record.written.total(), record.gone()), (0, 4096), "one write was issued");
    let record = bench(Faulty { gone_after: Some(2), ..Faulty::of(SIZE) }).record();
    assert_eq!((record.written.total(), record.gone()), (2 * 4096, 3 * 4096));
}

#[test]
fn not_reading_back_is_said_and_the_level_stays() {
    let record = Bench { check: Check::Skip, ..bench(Faulty::of(SIZE)) }.record();
    assert_eq!((record.achieved, record.verified), (Achieved::Clear, Verified::NotDone));
    assert_eq!(record.readback, None);
}

#[test]
fn writes_that_land_elsewhere_achieve_nothing() {
    let record = Bench { reach: Reach::Elsewhere, ..bench(Faulty::of(SIZE)) }.record();
    assert_eq!((record.achieved, record.verified), (Achieved::Nothing, Verified::Whole));
}

#[test]
fn a_stop_is_recorded_with_what_is_gone_and_is_not_read_back() {
    let mut bench = bench(Faulty::of(SIZE));
    let clock: &'static HandClock = Box::leak(Box::default());
    bench.device.slow = Some((clock, 10));
    bench.clock = clock;
    bench.lease = Scripted::of([Err(refused())]);
    let record = bench.record();
    let written = vec![Span { start: 0, end: 3 * 4096 }];
    assert_eq!(record.outcome, Outcome::Stopped { written, reason: refused() });
    assert_eq!((record.achieved, record.verified), (Achieved::Nothing, Verified::NotDone));
    assert_eq!(record.synced, record.written, "what is gone is durably gone");
}

#[test]
fn a_lease_lost_while_reading_is_recorded_and_reading_goes_on() {
    struct Refusing;
    impl Lease for Refusing {
        fn begin(&mut self, _: &bailee_ledger::clearance::Clearance) -> Result<crate::Until, Stop> {
            Ok(seconds(60))
        }
        fn renew(&mut self) -> Result<crate::Until, Stop> {
            Err(refused())
        }
    }
    let clock: &'static HandClock = Box::leak(Box::default());
    let mut lease = Refusing;
    let gate =
        crate::lease::Gate::granted(clock, &mut lease, crate::Clock::moment(clock), seconds(60));
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    let options = Options { buffer: 4096, queue: 1, clock, ..Options::new(9, [7; 32], &log) };
    let run = Run {
        terms: terms(),
        identity: identity(SIZE as u64),
        medium: Medium { reach: Reach::InPlace, limits: Vec::new() },
        options: &options,
        log: Log::open(&log).unwrap(),
        still: &|| Ok(()),
    };
    let record = run.carry_out(&Faulty::of(SIZE), &gate, &mut |p| {
        if p.phase == Phase::Reading {
            clock.advance(30);
        }
    });
    assert_eq!(record.lease_lost_reading, Some(refused()));
    assert_eq!((record.achieved, record.verified), (Achieved::Clear, Verified::Whole));
}
