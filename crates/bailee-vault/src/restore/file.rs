//! One file of a restore: made, filled, and given its metadata.
//!
//! Invariants: content comes in order, or, if the file is large and has waypoints, in segments by
//! several threads; either way its metadata is set only when all of it is there and was proven. An
//! error is the destination's and ends the restore; that content is not to be had is the file's,
//! and the others go on.

use std::fs::File;
use std::io;
use std::sync::Mutex;

use bailee_store::direct::{Room, Shared, Writer};

use super::target::{self, Spot};
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
    fn fail(&self, doing: &'static str) -> impl Fn(io::Error) -> VaultError {
        let path = path_of(self.path).display().to_string();
        move |e| VaultError::Destination { path: path.clone(), doing, detail: e.to_string() }
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

fn in_order(
    waiting: &Waiting<'_>,
    read: &mut ReadContent<'_>,
    room: &mut Room,
    far: &Far<'_>,
) -> Came {
    let (file, size, fail) = (&waiting.file, waiting.content.size, waiting.fail("write it"));
    let mut to = Writer::with_room(file, size, std::mem::take(room));
    let (mut ends_in_gap, mut untaken) = (true, None);
    let came = read(&mut |bytes| {
        ends_in_gap = matches!(bytes, Bytes::Gap(_));
        let (taken, n) = match bytes {
            Bytes::Data(data) => (to.write(data), data.len() as u64),
            Bytes::Gap(n) => (to.skip(n), n),
        };
        far.advance(0, n);
        taken.map_err(|e| {
            untaken = Some(fail(e));
            stopped()
        })
    });
    if let Some(e) = untaken {
        return Err(e);
    }
    if came.is_ok() {
        *room = to.finish().map_err(fail)?;
        if ends_in_gap {
            file.set_len(size).map_err(waiting.fail("extend it"))?;
        }
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
    let shared = Shared::new(&waiting.file);
    let done = apart(segments, threads, |segment, Bench { desk, room }: &mut Bench| {
        if let Some(gap) = segment.gap() {
            far.advance(0, gap); // that is how the file was made
            return Ok(());
        }
        let mut to = shared.stretch(segment.start, std::mem::take(room));
        let mut untaken = None;
        let file = (stored, content, Proof::Sha256);
        let read = read_segment(at, file, segment, desk, &mut |bytes| {
            let (taken, n) = match bytes {
                Bytes::Data(data) => (to.write(data), data.len() as u64),
                Bytes::Gap(n) => (to.skip(n), n),
            };
            far.advance(0, n);
            taken.map_err(|e| {
                untaken = Some(fail(e));
                stopped()
            })
        });
        if let Some(e) = untaken {
            return Err(Stop::Untaken(e));
        }
        read.map_err(Stop::Lost)?;
        *room = to.finish().map_err(|e| Stop::Untaken(fail(e)))?;
        Ok(())
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
    target::apply(&file, meta, &mut |what| note(report, path, what));
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
