//! Passes over a medium that fails as told.

use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use proptest::prelude::*;
use rustix::io::Errno;

use super::{Shape, Tally, Watch, overwrite};
use crate::device::BlockDevice;
use crate::keystream::Pattern;
use crate::lease::Stop;
use crate::lease::tests::{HandClock, Scripted, open, refused};
use crate::record::IoPath;
use crate::span::{Span, Spans};

pub(crate) const OLD: u8 = 0x5A;
const GRANULE: u64 = 512;

/// A medium in memory.
#[derive(Default)]
pub(crate) struct Faulty {
    pub(crate) bytes: Mutex<Vec<u8>>,
    /// Writes touching these fail with EIO.
    pub(crate) bad_writes: Vec<Span>,
    /// Reads touching these fail with EIO.
    pub(crate) bad_reads: Vec<Span>,
    /// Writes here are answered with success and not done.
    pub(crate) lies: Vec<Span>,
    /// No write takes more than this.
    pub(crate) at_most: Option<usize>,
    /// The device is gone after so many writes.
    pub(crate) gone_after: Option<u64>,
    pub(crate) sync_fails: AtomicBool,
    /// Seconds each write takes on the clock.
    pub(crate) slow: Option<(&'static HandClock, u64)>,
    pub(crate) writes: AtomicU64,
}

impl Faulty {
    pub(crate) fn of(size: usize) -> Faulty {
        Faulty { bytes: Mutex::new(vec![OLD; size]), ..Faulty::default() }
    }

    fn hits(ranges: &[Span], start: u64, len: usize) -> bool {
        ranges.iter().any(|r| r.start < start + len as u64 && start < r.end)
    }

    pub(crate) fn content(&self) -> Vec<u8> {
        self.bytes.lock().unwrap().clone()
    }
}

impl BlockDevice for Faulty {
    fn size(&self) -> u64 {
        self.bytes.lock().unwrap().len() as u64
    }
    fn granule(&self) -> u64 {
        GRANULE
    }
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        if Self::hits(&self.bad_reads, offset, into.len()) {
            return Err(Errno::IO.into());
        }
        into.copy_from_slice(&self.bytes.lock().unwrap()[offset as usize..][..into.len()]);
        Ok(into.len())
    }
    fn write_at(&self, offset: u64, from: &[u8]) -> io::Result<usize> {
        let count = self.writes.fetch_add(1, Ordering::SeqCst);
        if let Some((clock, seconds)) = self.slow {
            clock.advance(seconds);
        }
        if self.gone_after.is_some_and(|n| count >= n) {
            return Err(Errno::NODEV.into());
        }
        if Self::hits(&self.bad_writes, offset, from.len()) {
            return Err(Errno::IO.into());
        }
        let len = from.len().min(self.at_most.unwrap_or(usize::MAX));
        let mut bytes = self.bytes.lock().unwrap();
        for (at, byte) in from[..len].iter().enumerate() {
            if !Self::hits(&self.lies, offset + at as u64, 1) {
                bytes[offset as usize + at] = *byte;
            }
        }
        Ok(len)
    }
    fn sync(&self) -> io::Result<()> {
        match self.sync_fails.load(Ordering::SeqCst) {
            true => Err(Errno::IO.into()),
            false => Ok(()),
        }
    }
    fn drop_cache(&self) -> io::Result<()> {
        Ok(())
    }
    fn io_path(&self) -> IoPath {
        IoPath::Direct
    }
}

struct Silent;
impl Watch for Silent {
    fn moved(&self, _: u64, _: u64) {}
    fn synced(&self, _: &Spans) -> io::Result<()> {
        Ok(())
    }
}

pub(crate) fn pattern() -> Pattern {
    Pattern::from_seed([7; 32])
}

fn shape(queue: usize) -> Shape {
    Shape { buffer: 4096, queue, sync_every: 3 * 4096, bad_block_limit: 1000 }
}

fn span(start: u64, end: u64) -> Span {
    Span { start, end }
}

fn run(device: &Faulty, queue: usize) -> (Tally, Option<Stop>) {
    let (clock, mut lease) = (HandClock::default(), Scripted::default());
    let gate = open(&clock, &mut lease);
    let tally = overwrite(device, &pattern(), &gate, &Silent, shape(queue));
    (tally, gate.stop())
}

/// Bytes said to be written are the pattern, bytes said to be untouched are as before.
fn assert_truthful(device: &Faulty, tally: &Tally) {
    let content = device.content();
    let mut expected = vec![0; content.len()];
    pattern().fill(0, &mut expected);
    for s in tally.written.as_slice() {
        let range = s.start as usize..s.end as usize;
        assert!(content[range.clone()] == expected[range], "written {s} is not the pattern");
    }
    let mut touched = tally.written.clone();
    touched.extend(&tally.unwritable);
    let covered = |at: u64| touched.as_slice().iter().any(|s| s.start <= at && at < s.end);
    for (at, byte) in content.iter().enumerate().filter(|(at, _)| !covered(*at as u64)) {
        assert_eq!(*byte, OLD, "byte {at} was touched and not told");
    }
}

#[test]
fn whole_medium_also_with_an_odd_tail() {
    for (size, queue) in [(4096, 1), (40_960, 4), (10_000, 3), (1, 2)] {
        let device = Faulty::of(size);
        let (tally, stop) = run(&device, queue);
        assert_eq!(stop, None);
        assert_eq!(tally.written, Spans::whole(size as u64));
        assert_eq!(tally.synced, tally.written);
        assert_truthful(&device, &tally);
    }
}

#[test]
fn a_bad_range_is_named_to_the_block_and_the_rest_is_overwritten() {
    let device = Faulty { bad_writes: vec![span(5000, 5001)], ..Faulty::of(20_480) };
    let (tally, stop) = run(&device, 2);
    assert_eq!(stop, None);
    assert_eq!(tally.unwritable.as_slice(), [span(4608, 5120)]);
    assert_eq!(tally.written.as_slice(), [span(0, 4608), span(5120, 20_480)]);
    assert_truthful(&device, &tally);
}

#[test]
fn short_writes_are_continued_and_writes_of_nothing_are_failures() {
    let device = Faulty { at_most: Some(1500), ..Faulty::of(20_480) };
    let (tally, _) = run(&device, 2);
    assert_eq!(tally.written, Spans::whole(20_480));
    assert_truthful(&device, &tally);
    let device = Faulty { at_most: Some(0), ..Faulty::of(4096) };
    let (tally, _) = run(&device, 1);
    assert_eq!(tally.unwritable, Spans::whole(4096));
}

#[test]
fn a_refused_renewal_stops_at_once_and_tells_what_is_gone() {
    let clock: &'static HandClock = Box::leak(Box::default());
    for queue in [1, 4] {
        let mut lease = Scripted::of([Ok(crate::lease::tests::seconds(60)), Err(refused())]);
        let device = Faulty { slow: Some((clock, 10)), ..Faulty::of(100 * 4096) };
        let (tally, stop) = {
            let gate = open(clock, &mut lease);
            (overwrite(&device, &pattern(), &gate, &Silent, shape(queue)), gate.stop())
        };
        assert!(stop.is_some(), "queue {queue}");
        if queue == 1 {
            assert_eq!(stop, Some(refused()));
            assert_eq!(tally.written.as_slice(), [span(0, 6 * 4096)]); // 30 s, renewed, 30 s
        }
        assert!(tally.written.total() < 100 * 4096);
        assert_truthful(&device, &tally);
    }
}

#[test]
fn an_expired_lease_lets_no_write_through() {
    let clock: &'static HandClock = Box::leak(Box::default());
    let mut lease = Scripted::default();
    let device = Faulty { slow: Some((clock, 55)), ..Faulty::of(10 * 4096) };
    let gate = open(clock, &mut lease);
    let tally = overwrite(&device, &pattern(), &gate, &Silent, shape(1));
    assert_eq!(gate.stop(), Some(Stop::Expired));
    assert_eq!(tally.written.as_slice(), [span(0, 4096)]);
    assert_eq!(device.writes.load(Ordering::SeqCst), 1);
    assert_truthful(&device, &tally);
}

#[test]
fn a_dying_medium_is_left_alone() {
    let device = Faulty { bad_writes: vec![span(0, 1 << 20)], ..Faulty::of(1 << 20) };
    let (tally, stop) = run(&device, 1);
    assert_eq!(stop, Some(Stop::TooManyBadBlocks { limit: 1000 }));
    assert_eq!(tally.unwritable.total(), 126 * 4096, "the chunk of block 1001 was tried whole");
    let device = Faulty { gone_after: Some(3), ..Faulty::of(1 << 20) };
    let (tally, stop) = run(&device, 1);
    assert!(matches!(stop, Some(Stop::DeviceGone { .. })), "{stop:?}");
    assert_eq!(tally.written.as_slice(), [span(0, 3 * 4096)]);
    assert_eq!(tally.unwritable.as_slice(), [span(3 * 4096, 4 * 4096)], "it may have been begun");
    assert_truthful(&device, &tally);
}

/// A short write reached into a block, and the device went before the rest of that block came.
#[test]
fn half_a_block_is_told() {
    let device = Faulty { at_most: Some(700), gone_after: Some(1), ..Faulty::of(4096) };
    let (tally, _) = run(&device, 1);
    assert_eq!(tally.written.as_slice(), [span(0, 512)]);
    assert_eq!(tally.unwritable.as_slice(), [span(512, 4096)]);
    assert_truthful(&device, &tally);
}

#[test]
fn a_failed_sync_stops_and_nothing_counts_as_durable() {
    let device = Faulty::of(100 * 4096);
    device.sync_fails.store(true, Ordering::SeqCst);
    let (tally, stop) = run(&device, 1);
    assert!(matches!(stop, Some(Stop::SyncFailed { .. })), "{stop:?}");
    assert!(tally.synced.is_empty());
    assert_eq!(tally.written.as_slice(), [span(0, 3 * 4096)]);
}

#[test]
fn a_lost_log_stops() {
    struct Full;
    impl Watch for Full {
        fn moved(&self, _: u64, _: u64) {}
        fn synced(&self, _: &Spans) -> io::Result<()> {
            Err(Errno::NOSPC.into())
        }
    }
    let (clock, mut lease) = (HandClock::default(), Scripted::default());
    let gate = open(&clock, &mut lease);
    let device = Faulty::of(100 * 4096);
    let tally = overwrite(&device, &pattern(), &gate, &Full, shape(1));
    assert!(matches!(gate.stop(), Some(Stop::LogLost { .. })));
    assert_eq!(tally.written.as_slice(), [span(0, 3 * 4096)]);
    assert_truthful(&device, &tally);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_fails_the_tally_tells_the_truth(
        size in 1usize..60_000,
        bad in prop::collection::vec((0u64..60_000, 1u64..3000), 0..4),
        at_most in prop::option::of(600usize..5000),
        gone_after in prop::option::of(0u64..30),
        queue in 1usize..5,
    ) {
        let bad_writes = bad.iter().map(|(s, n)| span(*s, s + n)).collect();
        let device = Faulty { bad_writes, at_most, gone_after, ..Faulty::of(size) };
        let (tally, stop) = run(&device, queue);
        assert_truthful(&device, &tally);
        let both = tally.written.total() + tally.unwritable.total();
        if stop.is_none() {
            prop_assert_eq!(both, size as u64, "no byte is forgotten");
            prop_assert_eq!(&tally.synced, &tally.written);
        }
    }
}
