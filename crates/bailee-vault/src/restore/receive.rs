//! Taking a snapshot from another machine, and restoring it here.
//!
//! One thread reads, checks the form and hashes; others write, each a file at a time; the one that
//! was called creates. A disk that writes does not keep the network waiting.
//!
//! Invariants
//! 1. The other machine is not trusted with this one's files: its manifest is checked as every
//!    manifest is, and what is made is made below the destination as every restore makes it.
//! 2. Each file gives the SHA-256 that its entry says, or it is removed and named, also if the
//!    stream or the destination fails behind it.
//! 3. A stream that is cut is an error that names the file it broke in and how many are not there;
//!    that file is removed. What came whole stays.
//! 4. The manifest is in memory, at most [`MOST_MANIFEST`] of it; of content at most [`AHEAD`]
//!    frames of each file that is being written or waits for a writer, at most [`WAITING`] files.

use std::io::Read;
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Instant;

use bailee_store::direct::Room;
use crossbeam_channel::{Receiver, SendError, Sender, bounded};

use super::file::{Waiting, broke_off, fill};
use super::{BROKE_OFF, Far, Plan, RestoreReport, Target, abandon, stopped};
use crate::error::VaultError;
use crate::flat::Flat;
use crate::manifest::{Content, Stored, TreeShape, check, read_all};
use crate::names::SnapshotId;
use crate::pattern::Pattern;
use crate::progress::Progress;
use crate::read::{Bytes, Take};
use crate::transfer::{Frames, Kind};
use crate::wire::{Malformed, Reader};

/// The most bytes of a manifest that are taken: some twenty million files.
const MOST_MANIFEST: usize = 4 << 30;
/// Threads that write: while one waits until the file system has written out, the others go on.
const WRITERS: usize = 4;
/// Frames of a file that wait for its writer.
const AHEAD: usize = 4;
/// Files that are being written, or have been begun and wait for a writer.
const WAITING: usize = WRITERS + 2;

/// Restores what [`crate::Vault::give`] wrote, or the part of it that `filter` matches (the same
/// that was asked for), into the new or empty directory `dest`. `name`: what people call the other
/// side.
///
/// # Errors
/// [`VaultError::Occupied`] if `dest` is not empty;
/// [`VaultError::Destination`] if it cannot be written;
/// [`VaultError::Transfer`] if the stream is cut or not in form. Damage of single files is in the
/// report, as is what this user may not restore.
pub fn receive(
    (from, name): (&mut (dyn Read + Send), &str),
    dest: &Path,
    filter: Option<&Pattern>,
    progress: &mut (dyn Progress + Send),
) -> Result<RestoreReport, VaultError> {
    let began = Instant::now();
    let mut target = Target::open(dest)?;
    let mut arriving = Arriving::begin(from, name)?;
    let entries = std::mem::take(&mut arriving.entries);
    let plan = Plan::new(&entries, filter);
    progress.begin("restoring", plan.bytes());
    let far = Far { done: Mutex::new((0, 0, progress)) };
    let (report, flusher) = (Mutex::new(RestoreReport::default()), target.flusher()?);
    let (spare_in, spare) = bounded(WAITING * AHEAD);
    let (begun_in, begun) = bounded(1);
    let (jobs_in, jobs) = bounded::<(Waiting<'_>, Receiver<Piece>)>(0);
    target.mark(&|name| plan.has(name))?;
    let (mut made, unmade) = (None, OnceLock::new());
    let (created, came) = thread::scope(|scope| {
        let (arriving, plan) = (&mut arriving, &plan);
        let reading = scope.spawn(move || arriving.files(plan, &begun_in, &spare));
        for _ in 0..WRITERS {
            let (jobs, spare) = (jobs.clone(), spare_in.clone());
            let (report, far, flusher, unmade) = (&report, &far, &flusher, &unmade);
            scope.spawn(move || {
                let mut room = Room::default();
                for (waiting, pieces) in jobs {
                    if unmade.get().is_some() {
                        broke_off(report, waiting.path); // the destination takes no more
                        continue;
                    }
                    let size = waiting.content.size;
                    let mut read = |take: &mut Take<'_>| hand_out(&pieces, &spare, take);
                    if let Err(e) = fill(waiting, &mut read, &mut room, (report, far)) {
                        drop(unmade.set(e)); // the first one is told
                    }
                    flusher.wrote(size);
                }
            });
        }
        drop(jobs);
        let created = plan.create(&mut target, &report, &mut |due, _| {
            let waiting = due.make()?;
            made = Some(waiting.path);
            let pieces = begun.recv().map_err(|_| stopped())?;
            jobs_in.send((waiting, pieces)).map_err(|_| stopped())?;
            made = None;
            Ok(())
        });
        drop((jobs_in, begun));
        (created, reading.join().unwrap_or_else(|_| Err(Broke::Stream(stopped()))))
    });
    let error = match (unmade.into_inner().map_or(created, Err), came) {
        (Ok(()), Ok(())) => return super::finish(&plan, &mut target, report, began),
        (Err(e), Ok(()) | Err(Broke::Untaken)) => e,
        (Ok(()), Err(Broke::Untaken)) => stopped(),
        // Reading ended first: how is what counts.
        (_, Err(Broke::Stream(e))) => e,
        (_, Err(Broke::File(index, e))) => missing(&plan, index, (e, dest), &report),
    };
    Err(abandon(&plan, &mut target, report, (made, error)))
}

/// The stream broke in this file of the plan: how many are not there.
fn missing(
    plan: &Plan<'_>,
    index: usize,
    (error, dest): (VaultError, &Path),
    report: &Mutex<RestoreReport>,
) -> VaultError {
    let VaultError::Transfer { name, at, detail } = error else { return error };
    let path = plan.contents().nth(index).map(|(path, _)| path).unwrap_or_default();
    let (all, lost) = (plan.contents().count(), String::from_utf8_lossy(path));
    let report = report.lock().unwrap_or_else(PoisonError::into_inner);
    // What came before and does not give its SHA-256 is no less missing.
    let left = all - index + report.damaged.iter().filter(|one| one.what != BROKE_OFF).count();
    let detail = format!(
        "{detail}, in {lost:?}; {left} of {all} files are not in {}, that one among them: empty \
         it and ask again",
        dest.display()
    );
    VaultError::Transfer { name, at, detail }
}

/// A piece of a file on its way from who reads to who writes.
enum Piece {
    Data(Vec<u8>),
    Gap(u64),
    /// All of it came; whether it is what its entry says.
    Came(Result<(), String>),
}

/// Why reading ended before the end.
enum Broke {
    /// Nobody takes it.
    Untaken,
    /// In the n-th file of the plan.
    File(usize, VaultError),
    /// Between files.
    Stream(VaultError),
}

impl<T> From<SendError<T>> for Broke {
    fn from(_: SendError<T>) -> Self {
        Self::Untaken
    }
}

/// Gives a writer what comes of one file. What cannot be written ends it: whoever reads learns it
/// when nobody takes the next piece.
fn hand_out(
    pieces: &Receiver<Piece>,
    spare: &Sender<Vec<u8>>,
    take: &mut Take<'_>,
) -> Result<(), String> {
    loop {
        let piece = pieces.recv().map_err(|_| BROKE_OFF.to_owned())?;
        match piece {
            Piece::Data(data) => {
                take(Bytes::Data(&data)).map_err(|e| e.to_string())?;
                drop(spare.try_send(data)); // full: there are enough
            }
            Piece::Gap(n) => take(Bytes::Gap(n)).map_err(|e| e.to_string())?,
            Piece::Came(whole) => return whole,
        }
    }
}

/// What a frame has of a file's content. Who takes the bytes leaves room for others there.
pub(crate) enum Came<'a> {
    Data(&'a mut Vec<u8>),
    Gap(u64),
}

/// What takes it. An error ends the file at once; the stream is good for nothing then.
type TakeCame<'a> = dyn FnMut(Came<'_>) -> Result<(), VaultError> + 'a;

/// A snapshot that is coming in.
pub(crate) struct Arriving<'a> {
    pub(crate) frames: Frames<&'a mut (dyn Read + Send)>,
    pub(crate) entries: Vec<Stored>,
    pub(crate) id: SnapshotId,
    pub(crate) origin: String,
    /// Whether the frame after the manifest was read already.
    ahead: Option<Vec<u8>>,
    ended: bool,
}

impl<'a> Arriving<'a> {
    /// Reads and checks the manifest.
    pub(crate) fn begin(from: &'a mut (dyn Read + Send), name: &str) -> Result<Self, VaultError> {
        let mut frames = Frames::new(from, name);
        let (kind, bytes) = frames.next()?;
        let head = if kind == Kind::Head { head(bytes) } else { Err("it has no head") };
        let (shape, id, origin) = head.map_err(|why| frames.flaw(why))?;
        let mut manifest = Vec::new();
        let (ahead, ended) = loop {
            let (kind, bytes) = frames.next()?;
            match kind {
                Kind::Manifest if manifest.len() + bytes.len() <= MOST_MANIFEST => {
                    manifest.extend_from_slice(bytes);
                }
                Kind::Manifest => return Err(frames.flaw("its manifest is too large")),
                Kind::File => break (Some(bytes.to_vec()), false),
                Kind::End => break (None, true),
                other => return Err(frames.flaw(format!("a frame {other:?} and no file"))),
            }
        };
        let entries = read_all(&manifest).map_err(|why| frames.flaw(why))?;
        check(&entries, shape).map_err(|why| frames.flaw(why))?;
        Ok(Self { frames, entries, id, origin, ahead, ended })
    }

    /// Hands out all files of a plan, each through a channel that is told when it begins.
    fn files(
        &mut self,
        plan: &Plan<'_>,
        begun: &Sender<Receiver<Piece>>,
        spare: &Receiver<Vec<u8>>,
    ) -> Result<(), Broke> {
        for (index, (path, stored)) in plan.contents().enumerate() {
            let Some(content) = stored.entry.content() else { continue };
            let (pieces_in, pieces) = bounded(AHEAD);
            begun.send(pieces)?;
            let mut untaken = false;
            let mut take = |came: Came<'_>| {
                let piece = match came {
                    Came::Data(data) => {
                        Piece::Data(std::mem::replace(data, spare.try_recv().unwrap_or_default()))
                    }
                    Came::Gap(n) => Piece::Gap(n),
                };
                untaken = pieces_in.send(piece).is_err();
                if untaken { Err(stopped()) } else { Ok(()) }
            };
            let whole = self.content(path, content, &mut take);
            if untaken {
                return Err(Broke::Untaken);
            }
            let whole = whole.map_err(|error| Broke::File(index, error))?;
            pieces_in.send(Piece::Came(whole))?;
        }
        self.end().map_err(Broke::Stream)
    }

    /// Hands out the content of the next file. If the stream breaks, or has another file there,
    /// `broke` says how; a file that is damaged, or not taken, is an error and no break.
    pub(crate) fn file(
        &mut self,
        (path, content): (&[u8], &Content),
        broke: &mut Option<String>,
        take: &mut Take<'_>,
    ) -> Result<(), String> {
        let mut take = |came: Came<'_>| match came {
            Came::Data(data) => take(Bytes::Data(data)),
            Came::Gap(n) => take(Bytes::Gap(n)),
        };
        self.content(path, content, &mut take).unwrap_or_else(|e| {
            let what = match e {
                VaultError::Transfer { detail, .. } => detail,
                other => other.to_string(),
            };
            *broke = Some(what.clone());
            Err(what)
        })
    }

    /// The inner error is of the file, the outer one of the stream.
    fn content(
        &mut self,
        path: &[u8],
        content: &Content,
        take: &mut TakeCame<'_>,
    ) -> Result<Result<(), String>, VaultError> {
        let next = match self.ahead.take() {
            Some(next) => next,
            None => self.expect(Kind::File)?,
        };
        if next != path {
            return Err(self.frames.flaw("another file comes than its manifest says"));
        }
        let (mut hash, mut size) = (Flat::default(), 0u64);
        loop {
            let (kind, bytes) = self.frames.next()?;
            let len = match kind {
                Kind::Data => bytes.len() as u64,
                Kind::Zeros => self.frames.number()?,
                Kind::Damaged => return Ok(Err(String::from_utf8_lossy(bytes).into_owned())),
                Kind::Done => break,
                other => return Err(self.frames.flaw(format!("a frame {other:?} in a file"))),
            };
            if len > content.size - size {
                return Err(self.frames.flaw("a file is longer than its manifest says"));
            }
            size += len;
            let came = if kind == Kind::Zeros {
                hash.zeros(len);
                Came::Gap(len)
            } else {
                let bytes = self.frames.content();
                hash.update(bytes);
                Came::Data(bytes)
            };
            if let Err(e) = take(came) {
                return Ok(Err(e.to_string()));
            }
        }
        if size != content.size || hash.finish() != content.sha256 {
            let name = String::from_utf8_lossy(path);
            let what = "its content does not give its recorded SHA-256";
            return Ok(Err(VaultError::damaged(&name, what).to_string()));
        }
        Ok(Ok(()))
    }

    fn expect(&mut self, kind: Kind) -> Result<Vec<u8>, VaultError> {
        let (found, bytes) = self.frames.next()?;
        if found == kind {
            return Ok(bytes.to_vec());
        }
        Err(self.frames.flaw(format!("a frame {found:?} where {kind:?} has to be")))
    }

    /// After the last file there is nothing but the end.
    pub(crate) fn end(&mut self) -> Result<(), VaultError> {
        if self.ahead.is_some() {
            return Err(self.frames.flaw("a file comes that its manifest does not have"));
        }
        if self.ended { Ok(()) } else { self.expect(Kind::End).map(drop) }
    }
}

fn head(bytes: &[u8]) -> Result<(TreeShape, SnapshotId, String), Malformed> {
    let mut r = Reader(bytes);
    let shape = match r.u8()? {
        0 => TreeShape::Tree,
        1 => TreeShape::SingleFile,
        _ => return Err("a flag is neither 0 nor 1"),
    };
    let (id, origin) = (SnapshotId(r.array()?), r.text()?);
    r.end()?;
    Ok((shape, id, origin))
}

/// Reads a whole transfer and writes nothing; gives the bytes of each file that gave its SHA-256.
/// For the fuzz target: no file has more than `most` bytes.
pub(crate) fn drain(
    from: &mut (dyn Read + Send),
    most: u64,
) -> Result<Vec<Option<u64>>, VaultError> {
    let mut arriving = Arriving::begin(from, "fuzz")?;
    let entries = std::mem::take(&mut arriving.entries);
    let mut out = Vec::new();
    for (path, stored) in Plan::new(&entries, None).contents() {
        let Some(content) = stored.entry.content() else { continue };
        if content.size > most {
            return Err(arriving.frames.flaw("a file that would take too long"));
        }
        let (mut broke, mut came) = (None, 0);
        let mut take = |bytes: Bytes<'_>| {
            came += match bytes {
                Bytes::Data(data) => data.len() as u64,
                Bytes::Gap(n) => n,
            };
            Ok(())
        };
        let whole = arriving.file((path, content), &mut broke, &mut take);
        if let Some(what) = broke {
            return Err(arriving.frames.flaw(what));
        }
        out.push(whole.is_ok().then_some(came));
    }
    arriving.end()?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{Entry, Extent, Meta, Node, write_all};
    use crate::transfer::FrameWriter;

    #[test]
    fn sizes_that_nobody_can_add_up_are_damage_and_no_panic() {
        let file = |path: &[u8]| {
            let content = Content { size: u64::MAX, ..Content::default() };
            let node = Node::File { meta: Meta::default(), content };
            let entry = Entry { path: path.to_vec(), node };
            Stored { entry, extents: vec![Extent::Zeros(u64::MAX)] }
        };
        let node = Node::Directory { meta: Meta { mode: 0o755, ..Meta::default() } };
        let root = Stored { entry: Entry { path: Vec::new(), node }, extents: Vec::new() };
        let mut wire = Vec::new();
        let mut frames = FrameWriter::new(&mut wire);
        frames.put(Kind::Head, &[&[0u8][..], &[7; 16], &[0; 4]].concat()).unwrap();
        frames.put(Kind::Manifest, &write_all(&[root, file(b"a"), file(b"b")])).unwrap();
        for path in [b"a", b"b"] {
            frames.put(Kind::File, path).unwrap();
            frames.put(Kind::Damaged, b"a hole in a disk").unwrap();
        }
        frames.end().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let from = (&mut wire.as_slice() as &mut (dyn Read + Send), "the service");
        let report = receive(from, &dir.path().join("to"), None, &mut ()).unwrap();
        assert_eq!((report.files, report.damaged.len()), (0, 2), "{report:?}");
        let from = (&mut wire.as_slice() as &mut (dyn Read + Send), "the service");
        let refused = crate::receive_bag(from, &dir.path().join("bag"), &mut ()).unwrap_err();
        assert!(refused.to_string().contains("a hole in a disk"), "{refused}");
    }
}
