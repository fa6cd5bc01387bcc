//! What is too large for one worker: it is cut here, and all of them work on its pieces.
//!
//! Why beside the walk: a large file is what a disk is waited for, small files are what processors
//! are waited for. One after the other, each waits in turn.
//!
//! Invariants
//! 1. A slicer cuts one file after the other, with a line to the hasher of its own: that gets a
//!    file's pieces in order.
//! 2. Beside the walk at most [`WAITING`] bytes wait, the files that are being cut among them, or
//!    one file that has more; so a file is cut soon after it was looked at, or looked at anew.

use std::sync::Arc;

use bailee_store::direct::{Reader, Room};
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use rustix::fs::Stat;

use super::{HashJob, Job, Tally, has_moved};
use crate::chunker::Cutter;
use crate::preserve::ahead::ahead;
use crate::preserve::stage::{Laps, Stage};
use crate::preserve::work::Session;
use crate::preserve::{Event, Stop};
use crate::segment::{STRETCH, WIDE};
use crate::split::{Piece, ReadAt, Sink, split};

/// Bytes of large files that wait to be cut: what is done with in a moment.
const WAITING: u64 = 256 * 1024 * 1024;
/// Files that wait: each is open.
const FILES: usize = 32;

/// A large file, or a device.
pub(super) struct Large {
    pub(super) index: usize,
    pub(super) file: Reader,
    pub(super) stat: Stat,
    pub(super) size: u64,
    /// Whether it is written to meanwhile.
    pub(super) live: bool,
}

/// Cuts what is large into pieces, and hands them out.
pub(super) struct Slicer<'a> {
    session: &'a Session<'a>,
    jobs: Sender<Job>,
    hashes: Sender<HashJob>,
    events: Sender<Event>,
    room: Room,
    /// Memory to read ahead into.
    rooms: Vec<Room>,
}

impl<'a> Slicer<'a> {
    pub(super) fn new(
        session: &'a Session<'a>,
        jobs: Sender<Job>,
        hashes: Sender<HashJob>,
        events: Sender<Event>,
    ) -> Self {
        Self { session, jobs, hashes, events, room: Room::default(), rooms: Vec::new() }
    }

    /// The same line to the hasher, for another thread.
    pub(super) fn another(&self) -> Self {
        Self::new(self.session, self.jobs.clone(), self.hashes.clone(), self.events.clone())
    }

    /// Cuts a file.
    pub(super) fn file(&mut self, large: &Large) -> Result<(), Stop> {
        let Large { index, file, stat, size, live } = large;
        let identity = self.session.rest.rested(stat);
        let mut rooms = std::mem::take(&mut self.rooms);
        let cut = ahead(file, *size, &mut rooms, |from| {
            self.pieces(*index, from, *size, Tally::new(identity))
        });
        self.rooms = rooms;
        let (read, tally) = cut?;
        let moved = *live || read != *size || has_moved(file.file(), stat);
        self.streamed(*index, tally, moved)
    }

    /// Ends a file that came in pieces.
    pub(super) fn streamed(
        &mut self,
        index: usize,
        tally: Tally,
        changed: bool,
    ) -> Result<(), Stop> {
        self.hashes.send(HashJob::End { index })?;
        let (content, extents) = tally.finish(changed);
        Ok(self.events.send(Event::Streamed { index, content, extents })?)
    }

    /// Cuts up to `size` bytes into pieces and hands them out. Gives how many there were.
    pub(super) fn pieces(
        &mut self,
        index: usize,
        from: &dyn ReadAt,
        size: u64,
        tally: Tally,
    ) -> Result<(u64, Tally), Stop> {
        self.cut(index, tally, |cutter, room, sink| split(from, size, cutter, room, sink))
    }

    /// Hands out the pieces that `feed` makes, with memory to read into, and gives its answer.
    pub(super) fn cut<T>(
        &mut self,
        index: usize,
        mut tally: Tally,
        feed: impl FnOnce(&Cutter, &mut Room, &mut Sink<'_, Stop>) -> Result<T, Stop>,
    ) -> Result<(T, Tally), Stop> {
        let Self { session, jobs, hashes, room, .. } = self;
        let mut laps = Laps::new(&session.meter);
        let pass = |tally: &mut Tally, least| match tally.waypoint(least) {
            Some(piece) => hashes.send(HashJob::Waypoint { index, piece }),
            None => Ok(()),
        };
        let mut sink = |piece: Piece<'_>| -> Result<(), Stop> {
            let wide = matches!(piece, Piece::Zeros(n) | Piece::Unreadable(n) if n >= WIDE);
            pass(&mut tally, if wide { 1 } else { STRETCH })?;
            match piece {
                Piece::Data(data) => {
                    let mut copy = session.chunk_buffer();
                    copy.extend_from_slice(data);
                    let data = Arc::new(copy);
                    let piece = tally.extents.len();
                    tally.data([0; 24], data.len());
                    hashes.send(HashJob::Data(Arc::clone(&data)))?;
                    jobs.send(Job::Chunk { index, piece, data })?;
                }
                Piece::Zeros(n) => {
                    tally.zeros(n);
                    hashes.send(HashJob::Zeros(n))?;
                }
                Piece::Unreadable(n) => {
                    tally.unreadable(n);
                    hashes.send(HashJob::Zeros(n))?;
                }
            }
            if wide {
                pass(&mut tally, 1)?;
            }
            laps.end(Stage::ReadCut);
            Ok(())
        };
        let fed = feed(&session.unit.cutter, room, &mut sink)?;
        Ok((fed, tally))
    }
}

/// The walk's end of the line to the slicers beside it.
pub(super) struct Line {
    due: Sender<Large>,
    done: Receiver<u64>,
    waiting: u64,
}

/// The slicers' end.
#[derive(Clone)]
pub(super) struct Work {
    due: Receiver<Large>,
    done: Sender<u64>,
}

/// A line between a walk and its slicers.
pub(super) fn line() -> (Line, Work) {
    let (due_in, due) = bounded(FILES);
    let (done_in, done) = unbounded();
    (Line { due: due_in, done, waiting: 0 }, Work { due, done: done_in })
}

impl Line {
    /// Whether a file of so many bytes is cut soon if it is given now.
    pub(super) fn is_short(&mut self, size: u64) -> bool {
        self.waiting = self.done.try_iter().fold(self.waiting, u64::saturating_sub);
        self.waiting == 0 || self.waiting.saturating_add(size) <= WAITING && !self.due.is_full()
    }

    /// Waits until one more is cut.
    pub(super) fn wait(&mut self) -> Result<(), Stop> {
        let done = self.done.recv().map_err(|_| Stop::Gone)?;
        self.waiting = self.waiting.saturating_sub(done);
        Ok(())
    }

    pub(super) fn give(&mut self, large: Large) -> Result<(), Stop> {
        self.waiting = self.waiting.saturating_add(large.size);
        Ok(self.due.send(large)?)
    }
}

impl Slicer<'_> {
    /// Cuts what comes, until the walk is over.
    pub(super) fn run(mut self, work: &Work) -> Result<(), Stop> {
        for large in &work.due {
            let sliced = self.file(&large);
            // A walk that is over does not count any more; one that waits must not wait for ever.
            work.done.send(large.size).unwrap_or(());
            sliced?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use bailee_store::MemoryObjects;
    use rustix::fs::fstat;

    use super::super::{Feeder, Origin};
    use super::*;
    use crate::key::Kek;
    use crate::preserve::Source;
    use crate::preserve::previous::Previous;
    use crate::preserve::rest::Rest;
    use crate::vault::{Absent, Vault};

    fn large(size: u64) -> Large {
        let file = tempfile::tempfile().unwrap();
        let stat = fstat(&file).unwrap();
        Large { index: 0, file: Reader::new(file), stat, size, live: false }
    }

    #[test]
    fn a_line_is_short_until_much_waits() {
        let (mut line, work) = line();
        assert!(line.is_short(u64::MAX), "nobody waits");
        assert!(line.give(large(WAITING - 10)).is_ok());
        assert!(line.is_short(10) && !line.is_short(11));
        assert!(line.give(large(u64::MAX)).is_ok());
        assert!(!line.is_short(1));
        work.done.send(WAITING - 10).unwrap();
        assert!(!line.is_short(1), "the other waits");
        work.done.send(u64::MAX).unwrap();
        assert!(line.wait().is_ok());
        assert!(line.is_short(u64::MAX));
        drop(work);
        assert!(matches!(line.wait(), Err(Stop::Gone)), "nobody cuts any more");
    }

    #[test]
    fn a_line_is_long_if_many_files_are_open() {
        let (mut line, work) = line();
        for _ in 0..FILES {
            assert!(line.is_short(1));
            assert!(line.give(large(1)).is_ok());
        }
        assert!(!line.is_short(1));
        drop(work.due.recv().unwrap());
        assert!(line.is_short(1));
    }

    #[test]
    fn a_large_file_that_waited_is_looked_at_anew() {
        let kek = Kek::from_bytes([1; 32]);
        let vault = Vault::create(Arc::new(MemoryObjects::new()), &kek).unwrap();
        let tenant = vault.tenant("t", Absent::Create).unwrap();
        let unit = vault.unit(&tenant, "A-1", Absent::Create).unwrap();
        let (session, previous) = (Session::new(&unit, Rest::begin()), Previous::default());
        let dir = tempfile::tempdir().unwrap();
        let holes = |name, size| {
            let file = std::fs::File::create(dir.path().join(name)).unwrap();
            file.set_len(size).unwrap();
        };
        holes("a", 300 << 20);
        std::os::unix::fs::symlink("a", dir.path().join("aa")).unwrap();
        holes("b", 9 << 20);
        let origin = Origin::open(&Source::Tree(dir.path().into()), &session.rest).unwrap();
        let (jobs_in, _jobs) = unbounded();
        let (hashes_in, hashes) = bounded(0);
        let (second_in, second) = bounded(0);
        let (events_in, events) = unbounded();
        let lines = [hashes_in, second_in];
        let feeder = Feeder::new((&session, &previous), jobs_in, lines, events_in);
        thread::scope(|scope| {
            scope.spawn(move || assert!(feeder.run(origin).is_ok()));
            let found = || match events.recv() {
                Ok(Event::Found { entries, .. }) => entries,
                _ => panic!("nothing is cut as long as nobody hashes"),
            };
            assert_eq!(found().last().unwrap().path, b"a");
            // The walk is at `b`, and waits.
            assert_eq!(found().last().unwrap().path, b"aa");
            holes("b", 10 << 20);
            for line in [hashes, second] {
                scope.spawn(move || line.into_iter().for_each(drop));
            }
            let sizes = events.iter().filter_map(|event| match event {
                Event::Streamed { content, .. } => Some((content.size, content.changed)),
                _ => None,
            });
            assert_eq!(sizes.collect::<Vec<_>>(), [(300 << 20, false), (10 << 20, false)]);
        });
    }
}
