//! The feeder: finds things, opens files, hands small ones out whole and cuts large ones itself.
//!
//! Invariants: `Found` is sent, in order, before any job of that index; the pieces of a large file
//! go to the hasher in order. A stop of the others ends it at its next send.
//!
//! What comes once, as a stream or an archive, is in `stream.rs`; what another machine read and
//! sent, in `sent.rs`.

mod large;
mod sent;
mod stream;

use std::collections::VecDeque;
use std::ffi::CString;
use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, ScopedJoinHandle};

use bailee_store::direct::Reader;
use crossbeam_channel::Sender;
use rustix::fs::{CWD, FileType, Mode, OFlags, SeekFrom, Stat, fstat, openat, seek};
use rustix::io::pread;

use self::large::{Large, Line, Slicer, line};
use super::hasher::LINES;
use super::previous::{Earlier, Previous};
use super::rest::Rest;
use super::walk::{Attributes, Found, Known, Walk, meta, moved, open, too_hollow};
use super::work::Session;
use super::{Event, Input, Source, Stop};
use crate::error::VaultError;
use crate::manifest::{Content, Entry, Extent, Meta, Node};

/// Files up to this size are read by one worker; larger ones are spread over all of them.
const WHOLE: u64 = 8 * 1024 * 1024;
/// Files that are open and announced to the system before a worker asks for them: one cold read
/// after another leaves the disk idle, and the processors with it.
const AHEAD: usize = 32;

/// Small files that go to a worker at once: to wake one costs what a small file costs.
const TOGETHER: usize = 16;
/// Bytes beyond which no further file goes with them: the others wait for work.
const ENOUGH: u64 = 512 * 1024;

/// Work for any worker.
pub(super) enum Job {
    Whole(Vec<Small>),
    Chunk { index: usize, piece: usize, data: Arc<Vec<u8>> },
}

/// A file that one worker reads.
pub(super) struct Small {
    pub(super) index: usize,
    pub(super) file: Reader,
    pub(super) stat: Stat,
}

/// Work for the hasher.
pub(super) enum HashJob {
    Data(Arc<Vec<u8>>),
    Zeros(u64),
    /// The next piece of the file is a waypoint.
    Waypoint {
        index: usize,
        piece: usize,
    },
    End {
        index: usize,
    },
}

/// A source that could be opened.
pub(super) enum Origin {
    Tree(Walk),
    File { name: Vec<u8>, meta: Meta, file: File, stat: Stat, size: u64, live: bool },
    Stream(Input),
    Tar(Input),
    Sent(Input),
}

impl Origin {
    /// Opens the source. Here, and only here, links in the caller's own path are followed.
    pub(super) fn open(source: &Source, rest: &Rest) -> Result<Self, VaultError> {
        let path = match source {
            Source::Tree(path) | Source::File(path) => path,
            Source::Device(path) | Source::LiveDevice(path) => path,
            Source::Stream(input) => return stream::named(input).map(Self::Stream),
            Source::Tar(input) => return Ok(Self::Tar(input.clone())),
            Source::Sent(_, input) => return Ok(Self::Sent(input.clone())),
        };
        let fail = |doing| {
            move |e: rustix::io::Errno| VaultError::Source {
                path: path.display().to_string(),
                doing,
                detail: std::io::Error::from(e).to_string(),
            }
        };
        if let Source::Tree(path) = source {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let fd = openat(CWD, path, flags, Mode::empty()).map_err(fail("open the directory"))?;
            return Walk::new(fd).map(Self::Tree).map_err(fail("read the directory"));
        }
        let real = std::fs::canonicalize(path).map_err(|e| {
            fail("find it")(rustix::io::Errno::from_io_error(&e).unwrap_or(rustix::io::Errno::IO))
        })?;
        let name = CString::new(real.as_os_str().as_bytes())
            .map_err(|_| fail("open it")(rustix::io::Errno::INVAL))?;
        let fd = open(CWD, &name, OFlags::NONBLOCK).map_err(fail("open it"))?;
        rest.enter(fd.as_fd(), fstat(&fd).map_err(fail("examine it"))?.st_dev);
        let stat = fstat(&fd).map_err(fail("examine it"))?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        let live = matches!(source, Source::LiveDevice(_));
        let device = kind == FileType::BlockDevice && (live || matches!(source, Source::Device(_)));
        if kind != FileType::RegularFile && !device {
            return Err(VaultError::Source {
                path: path.display().to_string(),
                doing: "preserve it",
                detail: "it is not a regular file, nor a block device given as a device".into(),
            });
        }
        if let Some(detail) = too_hollow(&stat) {
            let path = path.display().to_string();
            return Err(VaultError::Source { path, doing: "hash it", detail });
        }
        let meta = meta(&stat, &Attributes::Open(fd.as_fd())).map_err(fail("examine it"))?;
        let size = seek(&fd, SeekFrom::End(0)).map_err(fail("measure it"))?;
        let name = last_name(path);
        Ok(Self::File { name, meta, file: File::from(fd), stat, size, live })
    }
}

fn last_name(path: &Path) -> Vec<u8> {
    path.file_name().map_or_else(|| b"content".to_vec(), |n| n.as_bytes().to_vec())
}

pub(super) struct Feeder<'a> {
    session: &'a Session<'a>,
    previous: &'a Previous,
    jobs: Sender<Job>,
    events: Sender<Event>,
    /// Cut what is large: what comes alone the first, what is in a tree all of them.
    slicers: [Slicer<'a>; LINES],
    /// What waits to be handed out, oldest first.
    ahead: VecDeque<Small>,
    /// What the collector has to hear of before, and the index of the first.
    found: (usize, Vec<Entry>),
}

impl<'a> Feeder<'a> {
    pub(super) fn new(
        (session, previous): (&'a Session<'a>, &'a Previous),
        jobs: Sender<Job>,
        hashes: [Sender<HashJob>; LINES],
        events: Sender<Event>,
    ) -> Self {
        let slicers = hashes.map(|line| Slicer::new(session, jobs.clone(), line, events.clone()));
        let ahead = VecDeque::with_capacity(AHEAD + TOGETHER);
        let found = (0, Vec::new());
        Self { session, previous, jobs, events, slicers, ahead, found }
    }

    /// Reads the whole source.
    pub(super) fn run(mut self, origin: Origin) -> Result<(), Stop> {
        match origin {
            Origin::File { name, meta, file, stat, size, live } => {
                self.single(name, meta, file, stat, (size, live))?;
            }
            Origin::Stream(input) => self.input(&input)?,
            Origin::Tar(input) => self.tar(&input)?,
            Origin::Sent(input) => self.sent(&input)?,
            Origin::Tree(walk) => return self.tree(walk),
        }
        self.rest()
    }

    /// Hands out what waits, and tells of it.
    fn rest(&mut self) -> Result<(), Stop> {
        self.hand_out(0)?;
        self.tell_found()
    }

    /// A file or a device that is the whole source.
    fn single(
        &mut self,
        name: Vec<u8>,
        meta: Meta,
        file: File,
        stat: Stat,
        (size, live): (u64, bool),
    ) -> Result<(), Stop> {
        if let Some(stored) = self.earlier().same(&name, &stat) {
            return Ok(self.events.send(Event::Same { index: 0, stored })?);
        }
        let file = self.file(0, name, meta, file, &stat, size)?;
        // A block device's inode says it is empty: its size was measured, and only here.
        if size <= WHOLE && i128::from(size) == i128::from(stat.st_size) {
            return self.small(Small { index: 0, file, stat });
        }
        self.tell_found()?;
        self.slicers[0].file(&Large { index: 0, file, stat, size, live })
    }

    /// A tree: large files are cut beside its walk.
    fn tree(&mut self, walk: Walk) -> Result<(), Stop> {
        thread::scope(|scope| {
            let (line, queue) = line();
            let slicing = self.slicers.each_ref().map(|slicer| {
                let (slicer, queue) = (slicer.another(), queue.clone());
                scope.spawn(move || slicer.run(&queue))
            });
            drop(queue);
            let walked = self.walk(walk, line);
            let join = |thread: ScopedJoinHandle<'_, _>| {
                thread.join().unwrap_or_else(|panic| resume_unwind(panic))
            };
            slicing.map(join).into_iter().fold(walked, Result::and)
        })
    }

    fn walk(&mut self, mut walk: Walk, mut line: Line) -> Result<(), Stop> {
        let mut index = 0;
        let earlier = self.earlier();
        while let Some(found) = walk.step(&earlier) {
            match found {
                Found::Same(stored) => {
                    self.tell_found()?;
                    self.events.send(Event::Same { index, stored })?;
                }
                Found::Entry(entry) => self.found(index, entry)?,
                Found::File { path, meta, file, stat } => {
                    let size = u64::try_from(stat.st_size).unwrap_or(0);
                    if size <= WHOLE {
                        let file = self.file(index, path, meta, file, &stat, size)?;
                        self.small(Small { index, file, stat })?;
                    } else {
                        self.large(index, path, meta, file, stat, &mut line)?;
                    }
                }
            }
            index += 1;
        }
        self.rest()
    }

    /// A large file of a tree.
    fn large(
        &mut self,
        index: usize,
        path: Vec<u8>,
        meta: Meta,
        file: File,
        stat: Stat,
        line: &mut Line,
    ) -> Result<(), Stop> {
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        let (mut meta, mut stat, mut size) = (meta, stat, size);
        if !line.is_short(size) {
            self.rest()?;
            while !line.is_short(size) {
                line.wait()?;
            }
            // What it was when the line was long may be long ago.
            if let Ok(now) = fstat(&file)
                && let Ok(anew) = super::walk::meta(&now, &Attributes::Open(file.as_fd()))
            {
                (meta, stat) = (anew, now);
                size = u64::try_from(stat.st_size).unwrap_or(0);
            }
        }
        let file = self.file(index, path, meta, file, &stat, size)?;
        self.tell_found()?;
        line.give(Large { index, file, stat, size, live: false })
    }

    /// An entry, to be told with others, but before anything else about it is.
    fn found(&mut self, index: usize, entry: Entry) -> Result<(), Stop> {
        let (first, entries) = &mut self.found;
        if entries.is_empty() {
            *first = index;
        }
        entries.push(entry);
        if entries.len() < AHEAD { Ok(()) } else { self.tell_found() }
    }

    fn tell_found(&mut self) -> Result<(), Stop> {
        let (index, entries) = std::mem::take(&mut self.found);
        if entries.is_empty() {
            return Ok(());
        }
        Ok(self.events.send(Event::Found { index, entries })?)
    }

    fn earlier(&self) -> Earlier<'a> {
        Earlier(self.previous, &self.session.rest, &self.session.table)
    }

    /// Tells of a file with content, and has the system read it soon.
    fn file(
        &mut self,
        index: usize,
        path: Vec<u8>,
        meta: Meta,
        file: File,
        stat: &Stat,
        size: u64,
    ) -> Result<Reader, Stop> {
        let node = Node::File { meta, content: Content { size, ..Content::default() } };
        self.found(index, Entry { path, node })?;
        Ok(Reader::soon(file, size, allocated(stat)))
    }

    fn small(&mut self, small: Small) -> Result<(), Stop> {
        self.ahead.push_back(small);
        if self.ahead.len() < AHEAD + TOGETHER { Ok(()) } else { self.hand_out(AHEAD) }
    }

    /// Until no more than so many wait.
    fn hand_out(&mut self, rest: usize) -> Result<(), Stop> {
        while self.ahead.len() > rest {
            let (mut together, mut bytes) = (Vec::with_capacity(TOGETHER), 0);
            while together.len() < TOGETHER && bytes < ENOUGH {
                let Some(oldest) = self.ahead.pop_front() else { break };
                bytes += u64::try_from(oldest.stat.st_size).unwrap_or(0);
                together.push(oldest);
            }
            self.tell_found()?;
            self.jobs.send(Job::Whole(together))?;
        }
        Ok(())
    }
}

/// Bytes that the file system keeps for a file.
fn allocated(stat: &Stat) -> u64 {
    u64::try_from(stat.st_blocks).unwrap_or(0) * 512
}

/// Whether a file moved since `before`; one that cannot be examined any more has, and one that says
/// it is empty and is not, as those of procfs: its bytes are not what was kept.
pub(super) fn has_moved(file: &File, before: &Stat) -> bool {
    let empty = FileType::from_raw_mode(before.st_mode).is_file() && before.st_size == 0;
    let byte = || pread(file, &mut [0][..], 0).is_ok_and(|read| read > 0);
    fstat(file).map_or(true, |after| moved(before, &after)) || empty && byte()
}

/// Extents of a file as its pieces come.
pub(super) struct Tally {
    pub(super) extents: Vec<Extent>,
    size: u64,
    unreadable: Vec<(u64, u64)>,
    /// Where the last waypoint is.
    passed: u64,
}

impl Tally {
    /// Begins with what a later copy will know the file by, if it may.
    pub(super) fn new(identity: Option<Extent>) -> Self {
        Self { extents: identity.into_iter().collect(), ..Self::nameless() }
    }

    /// Of what has no inode.
    pub(super) fn nameless() -> Self {
        Self { extents: Vec::new(), size: 0, unreadable: Vec::new(), passed: 0 }
    }

    pub(super) fn data(&mut self, id: [u8; 24], len: usize) {
        let len = u32::try_from(len).expect("chunks have at most 1 MiB");
        self.extents.push(Extent::Data(id, len));
        self.size += u64::from(len);
    }
    pub(super) fn zeros(&mut self, len: u64) {
        self.extents.push(Extent::Zeros(len));
        self.size += len;
    }
    pub(super) fn unreadable(&mut self, len: u64) {
        self.unreadable.push((self.size, len));
        self.extents.push(Extent::Unreadable(len));
        self.size += len;
    }
    /// Leaves room for a waypoint if the last one is `least` bytes behind, and says which piece it
    /// is.
    fn waypoint(&mut self, least: u64) -> Option<usize> {
        if self.size - self.passed < least {
            return None;
        }
        self.passed = self.size;
        self.extents.push(Extent::Waypoint(Box::default()));
        Some(self.extents.len() - 1)
    }
    /// Content without its SHA-256.
    pub(super) fn finish(self, changed: bool) -> (Content, Vec<Extent>) {
        let (size, unreadable) = (self.size, self.unreadable);
        (Content { size, sha256: [0; 32], changed, unreadable }, self.extents)
    }
}
