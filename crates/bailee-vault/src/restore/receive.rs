//! Taking a snapshot from another machine, and restoring it here.
//!
//! Invariants
//! 1. The other machine is not trusted with this one's files: its manifest is checked as every
//!    manifest is, and what is made is made below the destination as every restore makes it.
//! 2. Each file gives the SHA-256 that its entry says, or it is removed and named.
//! 3. A stream that is cut is an error that names the file it broke in and how many are not there;
//!    that file is removed. What came whole stays.
//! 4. The manifest is in memory, at most [`MOST_MANIFEST`] of it; of content one frame is.

use std::io::Read;
use std::path::Path;
use std::sync::Mutex;
use std::time::Instant;

use aws_lc_rs::digest::{Context, SHA256};
use bailee_store::direct::Room;

use super::{Far, Plan, RestoreReport, Target, Waiting, fill};
use crate::error::VaultError;
use crate::manifest::{Content, Stored, TreeShape, check, read_all};
use crate::names::SnapshotId;
use crate::pattern::Pattern;
use crate::preserve::{Progress, hash_zeros};
use crate::read::{Bytes, Take};
use crate::root::finish;
use crate::transfer::{Frames, Kind};
use crate::wire::{Malformed, Reader};

/// The most bytes of a manifest that are taken: some twenty million files.
const MOST_MANIFEST: usize = 4 << 30;

/// Restores what [`crate::Vault::give`] wrote, or the part of it that `filter` matches (the same
/// that was asked for), into the new or empty directory `dest`. `name`: what people call the other
/// side.
///
/// # Errors
/// [`VaultError::Destination`] if `dest` is not empty or cannot be written;
/// [`VaultError::Transfer`] if the stream is cut or not in form. Damage of single files is in the
/// report, as is what this user may not restore.
pub fn receive(
    (from, name): (&mut dyn Read, &str),
    dest: &Path,
    filter: Option<&Pattern>,
    progress: &mut (dyn Progress + Send),
) -> Result<RestoreReport, VaultError> {
    let began = Instant::now();
    let mut target = Target::open(dest)?;
    let mut arriving = Arriving::begin(from, name)?;
    let entries = std::mem::take(&mut arriving.entries);
    let plan = Plan::new(&entries, filter);
    let all = plan.contents().count();
    progress.begin("restoring", plan.bytes());
    let far = Far { done: Mutex::new((0, 0, progress)) };
    let report = Mutex::new(RestoreReport::default());
    let (flusher, mut room) = (target.flusher()?, Room::default());
    let (mut files, mut unfinished) = (0usize, None);
    let created = plan.create(&mut target, &report, &mut |waiting: Waiting<'_>, _| {
        let (path, content) = (waiting.path, waiting.content);
        let mut broke = None;
        let mut read = |take: &mut Take<'_>| arriving.file((path, content), &mut broke, take);
        fill(waiting, &mut read, &mut room, (&report, &far));
        if let Some(what) = broke {
            unfinished = Some(path);
            let lost = String::from_utf8_lossy(path);
            let left = all - files;
            let detail = format!(
                "{what}, in {lost:?}; {left} of {all} files are not in {}, that one among them: \
                 empty it and ask again",
                dest.display()
            );
            return Err(arriving.frames.flaw(detail));
        }
        files += 1;
        flusher.wrote(content.size);
        Ok(())
    });
    if let Some(path) = unfinished {
        target.remove(path)?;
    }
    created?;
    arriving.end()?;
    super::finish(&plan, &mut target, report, began)
}

/// A snapshot that is coming in.
pub(crate) struct Arriving<'a> {
    pub(crate) frames: Frames<&'a mut dyn Read>,
    pub(crate) entries: Vec<Stored>,
    pub(crate) id: SnapshotId,
    pub(crate) origin: String,
    /// Whether the frame after the manifest was read already.
    ahead: Option<Vec<u8>>,
    ended: bool,
}

impl<'a> Arriving<'a> {
    /// Reads and checks the manifest.
    pub(crate) fn begin(from: &'a mut dyn Read, name: &str) -> Result<Self, VaultError> {
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

    /// Hands out the content of the next file. If the stream breaks, or has another file there,
    /// `broke` says how; a file that is damaged, here or there, is an error and no break.
    pub(crate) fn file(
        &mut self,
        (path, content): (&[u8], &Content),
        broke: &mut Option<String>,
        take: &mut Take<'_>,
    ) -> Result<(), String> {
        self.content(path, content, take).unwrap_or_else(|e| {
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
        take: &mut Take<'_>,
    ) -> Result<Result<(), String>, VaultError> {
        let next = match self.ahead.take() {
            Some(next) => next,
            None => self.expect(Kind::File)?,
        };
        if next != path {
            return Err(self.frames.flaw("another file comes than its manifest says"));
        }
        let (mut hash, mut size, mut taken) = (Context::new(&SHA256), 0u64, Ok(()));
        loop {
            let (kind, bytes) = self.frames.next()?;
            let said = match kind {
                Kind::Data => {
                    hash.update(bytes);
                    size += bytes.len() as u64;
                    Some(Bytes::Data(bytes))
                }
                Kind::Zeros | Kind::Done | Kind::Damaged => None,
                other => return Err(self.frames.flaw(format!("a frame {other:?} in a file"))),
            };
            let said = match kind {
                Kind::Damaged => return Ok(Err(String::from_utf8_lossy(bytes).into_owned())),
                Kind::Done => break,
                Kind::Zeros => {
                    let n = self.frames.number()?;
                    if n > content.size.saturating_sub(size) {
                        return Err(self.frames.flaw("a file is longer than its manifest says"));
                    }
                    hash_zeros(&mut hash, n);
                    size += n;
                    Some(Bytes::Gap(n))
                }
                _ => said,
            };
            if size > content.size {
                return Err(self.frames.flaw("a file is longer than its manifest says"));
            }
            // What cannot be written here is a fault of this file; its bytes still have to pass.
            if let (Some(said), Ok(())) = (said, &taken) {
                taken = take(said);
            }
        }
        if let Err(e) = taken {
            return Ok(Err(e.to_string()));
        }
        if size != content.size || finish(hash) != content.sha256 {
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
pub(crate) fn drain(from: &mut dyn Read, most: u64) -> Result<Vec<Option<u64>>, VaultError> {
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
