//! The hasher: flat SHA-256 of large files, two side by side where there are two.
//!
//! Why one thread for two files: each chain of SHA-256 waits for itself, and two of them take
//! little longer than one (`flat/abreast.rs`).
//!
//! Invariants: what comes through a line is taken in its order, so a file's digest and waypoints
//! are of its bytes in order. Bytes wait for those of the other line only while that has a file
//! under way and this one brings more; then at most [`WAITING`] pieces do.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crossbeam_channel::{Receiver, Select, Sender, TryRecvError};

use super::feed::HashJob;
use super::stage::{Laps, Stage};
use super::work::Session;
use super::{Event, Stop};
use crate::flat::{BLOCK, Flat};
use crate::manifest::Extent;

/// Lines that bring files, one after the other each.
pub(super) const LINES: usize = 2;
/// Pieces of a file that wait for some of another.
const WAITING: usize = 6;
/// Zeros that are hashed before it is asked whether anybody still waits for them.
const HOLE_STEP: u64 = 256 << 20;

/// A line, and how far the file on it has come.
struct Line<'a> {
    session: &'a Session<'a>,
    jobs: &'a Receiver<HashJob>,
    due: VecDeque<HashJob>,
    flat: Flat,
    /// Bytes whose turn it is.
    data: Option<Begun>,
    /// A file has begun to come, and its end has not.
    under_way: bool,
    ended: bool,
}

/// Hashes what comes, until all lines have ended.
pub(super) fn hash(
    session: &Session<'_>,
    jobs: &[Receiver<HashJob>; LINES],
    events: &Sender<Event>,
) -> Result<(), Stop> {
    let mut laps = Laps::new(&session.meter);
    let mut lines = jobs.each_ref().map(|jobs| Line::new(session, jobs));
    while lines.iter().any(Line::is_open) {
        laps.begin();
        for line in &mut lines {
            line.take(events)?;
        }
        let [one, other] = &mut lines;
        match (one.data.take(), other.data.take()) {
            (Some(data), Some(more)) => abreast((one, data), (other, more)),
            (Some(data), None) if one.is_full() || !other.under_way => one.goes_on(data),
            (None, Some(data)) if other.is_full() || !one.under_way => other.goes_on(data),
            (data, more) => {
                (one.data, other.data) = (data, more);
                wait(&lines);
            }
        }
        laps.end(Stage::Sha256);
    }
    Ok(())
}

/// Bytes, and how many of them are hashed.
type Begun = (Arc<Vec<u8>>, usize);

/// Two lines go on, as far as both have bytes.
fn abreast<'a>(one: (&mut Line<'a>, Begun), other: (&mut Line<'a>, Begun)) {
    let ((one, (data, done)), (other, (more, done_of_more))) = (one, other);
    let (mut bytes, mut others) = (&data[done..], &more[done_of_more..]);
    Flat::abreast((&mut one.flat, &mut bytes), (&mut other.flat, &mut others));
    let (left, left_of_more) = (bytes.len(), others.len());
    for (line, data, left) in [(one, data, left), (other, more, left_of_more)] {
        let done = data.len() - left;
        if left < BLOCK {
            line.goes_on((data, done));
        } else {
            line.data = Some((data, done));
        }
    }
}

/// Until a line brings something, or ends.
fn wait(lines: &[Line<'_>; LINES]) {
    let mut select = Select::new();
    let mut some = false;
    for line in lines.iter().filter(|line| !line.ended && !line.is_full()) {
        select.recv(line.jobs);
        some = true;
    }
    if some {
        select.ready();
    }
}

impl<'a> Line<'a> {
    fn new(session: &'a Session<'a>, jobs: &'a Receiver<HashJob>) -> Self {
        let (due, flat) = (VecDeque::with_capacity(WAITING), Flat::default());
        Self { session, jobs, due, flat, data: None, under_way: false, ended: false }
    }

    fn is_open(&self) -> bool {
        !self.ended || self.data.is_some() || !self.due.is_empty()
    }

    fn is_full(&self) -> bool {
        self.due.len() >= WAITING
    }

    /// Takes what there is, and does what comes before the next bytes.
    fn take(&mut self, events: &Sender<Event>) -> Result<(), Stop> {
        while !self.is_full() && !self.ended {
            match self.jobs.try_recv() {
                Ok(job) => {
                    self.under_way = !matches!(job, HashJob::End { .. });
                    self.due.push_back(job);
                }
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => (self.ended, self.under_way) = (true, false),
            }
        }
        while self.data.is_none()
            && let Some(job) = self.due.pop_front()
        {
            match job {
                HashJob::Data(data) => self.data = Some((data, 0)),
                HashJob::Zeros(n) => self.zeros(n)?,
                HashJob::Waypoint { index, piece } => {
                    let extent = Extent::Waypoint(self.flat.waypoint().into());
                    events.send(Event::Piece { index, piece, extent })?;
                }
                HashJob::End { index } => {
                    let sha256 = std::mem::take(&mut self.flat).finish();
                    events.send(Event::Hashed { index, sha256 })?;
                }
            }
        }
        Ok(())
    }

    /// A hole of exabytes takes a century: if the others have stopped, nobody waits.
    fn zeros(&mut self, mut n: u64) -> Result<(), Stop> {
        while n > 0 {
            if self.session.stopped.load(Ordering::Relaxed) {
                return Err(Stop::Gone);
            }
            let step = n.min(HOLE_STEP);
            self.flat.zeros(step);
            n -= step;
        }
        Ok(())
    }

    /// The rest of the bytes, alone.
    fn goes_on(&mut self, (data, done): Begun) {
        self.flat.update(&data[done..]);
        self.session.done_with(data);
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use bailee_store::MemoryObjects;
    use crossbeam_channel::{bounded, unbounded};

    use super::*;
    use crate::key::Kek;
    use crate::preserve::rest::Rest;
    use crate::root::sha256;
    use crate::vault::{Absent, Vault};

    fn data(len: usize) -> HashJob {
        HashJob::Data(Arc::new(vec![7; len]))
    }

    /// Runs the hasher beside `feed`; gives the digests, by index.
    fn hashed(size: usize, feed: impl FnOnce([Sender<HashJob>; LINES])) -> Vec<(usize, [u8; 32])> {
        let kek = Kek::from_bytes([1; 32]);
        let vault = Vault::create(Arc::new(MemoryObjects::new()), &kek).unwrap();
        let tenant = vault.tenant("t", Absent::Create).unwrap();
        let unit = vault.unit(&tenant, "A-1", Absent::Create).unwrap();
        let session = Session::new(&unit, Rest::begin());
        let ((one_in, one), (other_in, other)) = (bounded(size), bounded(size));
        let (events_in, events) = unbounded();
        thread::scope(|scope| {
            let jobs = [one, other];
            let session = &session;
            scope.spawn(move || assert!(hash(session, &jobs, &events_in).is_ok()));
            feed([one_in, other_in]);
        });
        let mut digests: Vec<_> = events
            .iter()
            .filter_map(|event| match event {
                Event::Hashed { index, sha256 } => Some((index, sha256)),
                _ => None,
            })
            .collect();
        digests.sort_unstable();
        digests
    }

    fn sevens(len: usize) -> [u8; 32] {
        sha256(&[&vec![7; len]])
    }

    #[test]
    fn each_file_of_two_lines_has_its_digest() {
        let digests = hashed(0, |[one, other]| {
            for index in [0, 2, 4] {
                for len in [1000, 63, 1, 4096 + index] {
                    one.send(data(len)).unwrap();
                    other.send(data(2 * len)).unwrap();
                }
                other.send(HashJob::Zeros(100)).unwrap();
                other.send(data(9)).unwrap();
                one.send(HashJob::End { index }).unwrap();
                other.send(HashJob::End { index: index + 1 }).unwrap();
            }
            drop(one);
            other.send(data(5)).unwrap();
            other.send(HashJob::End { index: 6 }).unwrap();
        });
        let holed = |len: usize| sha256(&[&vec![7; len], &[0; 100], &[7; 9]]);
        let wanted = [0, 2, 4].into_iter().flat_map(|index| {
            let len = 1000 + 63 + 1 + 4096 + index;
            [(index, sevens(len)), (index + 1, holed(2 * len))]
        });
        assert_eq!(digests, wanted.chain([(6, sevens(5))]).collect::<Vec<_>>());
    }

    #[test]
    fn a_file_goes_on_if_another_stalls() {
        let digests = hashed(0, |[one, other]| {
            other.send(data(100)).unwrap();
            for _ in 0..10 * WAITING {
                one.send(data(1000)).unwrap();
            }
            one.send(HashJob::End { index: 0 }).unwrap();
            other.send(HashJob::End { index: 1 }).unwrap();
        });
        assert_eq!(digests, [(0, sevens(10_000 * WAITING)), (1, sevens(100))]);
    }

    #[test]
    fn a_file_that_never_ends_holds_up_nobody() {
        let digests = hashed(0, |[one, other]| {
            other.send(data(100)).unwrap();
            drop(other);
            one.send(data(70)).unwrap();
            one.send(HashJob::End { index: 0 }).unwrap();
        });
        assert_eq!(digests, [(0, sevens(70))]);
    }
}
