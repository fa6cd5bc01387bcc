//! One file of a restore: made, filled, and given its metadata.
//!
//! Invariants: content comes in order, or, if the file is large and has waypoints, in segments by
//! several threads; either way its metadata is set only when all of it is there and was proven. An
//! error is the destination's and ends the restore; that content is not to be had is the file's,
//! and the others go on.

use std::fs::File;
use std::io;
use std::sync::Mutex;

use bailee_store::direct::{Room, Shared, Stretch};

use super::attributes::apply;
use super::target::Spot;
use super::{BROKE_OFF, Far, RestoreReport, lock, note, stopped};
use crate::chunk::Desk;
use crate::damage::locate;
use crate::error::VaultError;
use crate::index::Table;
use crate::manifest::{Content, Meta, Stored};
use crate::preserve::path_of;
use crate::proof::Proof;
use crate::read::{Bytes, Take};
use crate::segment::{Segment, apart, read_segment};
use crate::unit::Unit;
use crate::verify::Problem;

/// A file that is to be made.
pub(super) struct Due<'e> {
    pub(super) spot: Spot,
    pub(super) meta: &'e Meta,
    pub(super) content: &'e Content,
    /// Where it is in the destination; another name than its own if a link stands for it.
    pub(super) path: &'e [u8],
}

impl<'e> Due<'e> {
    pub(super) fn make(self) -> Result<Waiting<'e>, VaultError> {
        let Self { spot, meta, content, path } = self;
        Ok(Waiting { file: spot.file(path, meta)?, meta, content, path })
    }
}

/// A file that is created and waits for its content.
pub(super) struct Waiting<'e> {
    file: File,
    meta: &'e Meta,
    pub(super) content: &'e Content,
    pub(super) path: &'e [u8],
}

impl Waiting<'_> {
    fn fail(&self, doing: &'static str) -> impl Fn(io::Error) -> VaultError + '_ {
        move |e| {
            let path = path_of(self.path).display().to_string();
            VaultError::Destination { path, doing, detail: e.to_string() }
        }
    }
}

/// What a restoring thread keeps between files.
#[derive(Default)]
pub(super) struct Bench {
    pub(super) desk: Desk,
    pub(super) room: Room,
}

/// Hands out the content of one file, or says why it is not to be had.
pub(super) type ReadContent<'a> = dyn FnMut(&mut Take<'_>) -> Result<(), String> + 'a;

/// Whether content came, and why not. The error is the destination's.
type Came = Result<Result<(), String>, VaultError>;

/// Writes one file's content as it comes in order, then its metadata.
pub(super) fn fill(
    waiting: Waiting<'_>,
    read: &mut ReadContent<'_>,
    room: &mut Room,
    (report, far): (&Mutex<RestoreReport>, &Far<'_>),
) -> Result<(), VaultError> {
    let came = in_order(&waiting, read, room, far);
    end(waiting, came, (report, far))
}

/// Writes one large file's content, segment by segment, by so many threads; then its metadata.
pub(super) fn fill_apart(
    waiting: Waiting<'_>,
    at: (&Unit, &Table),
    (stored, segments, threads): (&Stored, &[Segment<'_>], usize),
    (report, far): (&Mutex<RestoreReport>, &Far<'_>),
) -> Result<(), VaultError> {
    let came = in_segments(&waiting, at, (stored, segments, threads), far);
    end(waiting, came, (report, far))
}

/// What takes a file's bytes, and keeps apart what the destination says.
struct Taker<'s, 'f, 'p> {
    to: Stretch<'s>,
    far: &'f Far<'p>,
    refused: Option<io::Error>,
}

impl Taker<'_, '_, '_> {
    fn take(&mut self, bytes: Bytes<'_>) -> Result<(), VaultError> {
        let (taken, n) = match bytes {
            Bytes::Data(data) => (self.to.write(data), data.len() as u64),
            Bytes::Gap(n) => (self.to.skip(n), n),
        };
        self.far.advance(0, n);
        taken.map_err(|e| {
            self.refused = Some(e);
            stopped()
        })
    }

    /// All of it is there, and its memory is free; or content did not come, and why not. The outer
    /// error is the destination's.
    fn end<E>(self, came: Result<(), E>, room: &mut Room) -> io::Result<Result<(), E>> {
        match (self.refused, came) {
            (Some(e), _) => Err(e),
            (None, Err(why)) => Ok(Err(why)),
            (None, Ok(())) => {
                *room = self.to.finish()?;
                Ok(Ok(()))
            }
        }
    }
}

fn in_order(
    waiting: &Waiting<'_>,
    read: &mut ReadContent<'_>,
    room: &mut Room,
    far: &Far<'_>,
) -> Came {
    let (file, size) = (&waiting.file, waiting.content.size);
    let shared = Shared::new(file, size);
    let to = shared.stretch(0, std::mem::take(room));
    let (mut taker, mut ends_in_gap) = (Taker { to, far, refused: None }, true);
    let came = read(&mut |bytes| {
        ends_in_gap = matches!(bytes, Bytes::Gap(_));
        taker.take(bytes)
    });
    let came = taker.end(came, room).map_err(waiting.fail("write it"))?;
    if came.is_ok() && ends_in_gap {
        file.set_len(size).map_err(waiting.fail("extend it"))?;
    }
    Ok(came)
}

/// What stopped a segment.
enum Stop {
    Untaken(VaultError),
    Lost(VaultError),
}

fn in_segments(
    waiting: &Waiting<'_>,
    at: (&Unit, &Table),
    (stored, segments, threads): (&Stored, &[Segment<'_>], usize),
    far: &Far<'_>,
) -> Came {
    let (content, fail) = (waiting.content, waiting.fail("write it"));
    waiting.file.set_len(content.size).map_err(waiting.fail("extend it"))?;
    let shared = Shared::new(&waiting.file, content.size);
    let done = apart(segments, threads, |segment, Bench { desk, room }: &mut Bench| {
        if let Some(gap) = segment.gap() {
            far.advance(0, gap); // that is how the file was made
            return Ok(());
        }
        let to = shared.stretch(segment.start, std::mem::take(room));
        let mut taker = Taker { to, far, refused: None };
        let file = (stored, content, Proof::Sha256);
        let came = read_segment(at, file, segment, desk, &mut |bytes| taker.take(bytes));
        taker.end(came, room).map_err(|e| Stop::Untaken(fail(e)))?.map_err(Stop::Lost)
    });
    match done {
        Ok(()) => Ok(Ok(())),
        Err(Stop::Untaken(e)) => Err(e),
        Err(Stop::Lost(e)) => {
            let damage = locate(at, (stored, content), &e, &mut Desk::default());
            Ok(Err(damage.to_string()))
        }
    }
}

/// Gives a file its metadata, or says that it has no content.
fn end(
    waiting: Waiting<'_>,
    came: Came,
    (report, far): (&Mutex<RestoreReport>, &Far<'_>),
) -> Result<(), VaultError> {
    let Waiting { file, meta, content, path } = waiting;
    if let Err(what) = came.inspect_err(|_| broke_off(report, path))? {
        lock(report).damaged.push(Problem { path: path_of(path), what });
        return Ok(());
    }
    apply(&file, meta, &mut |miss| lock(report).miss(path, miss));
    content.flaws().for_each(|what| note(report, path, &what));
    far.advance(1, 0);
    let mut report = lock(report);
    report.files += 1;
    report.bytes = report.bytes.saturating_add(content.size);
    report.never_read = report.never_read.saturating_add(content.never_read());
    Ok(())
}

/// A file that was begun and is not going to be whole: it is removed, and is not damaged.
pub(super) fn broke_off(report: &Mutex<RestoreReport>, path: &[u8]) {
    let what = BROKE_OFF.to_owned();
    lock(report).damaged.push(Problem { path: path_of(path), what });
}
