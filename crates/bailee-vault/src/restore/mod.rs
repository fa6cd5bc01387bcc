//! Restoring: from a snapshot to a directory, byte for byte.
//!
//! Invariants
//! 1. The manifest is authentic, checked and matches its root before anything is written.
//! 2. The destination is empty or new; everything in it is created with `O_EXCL`, through
//!    directory descriptors, without following any link: nothing outside is ever touched.
//! 3. A file whose content does not give its SHA-256 is removed again and named, never left as
//!    if it were whole; also if the restore fails behind it. While it runs, and if it is killed or
//!    fails, a marker in the destination says that not all is there.
//! 4. What cannot be restored (owner without being root, an attribute the file system lacks) is
//!    named in the report; the rest goes on.
//! 5. A destination that takes no more ends the restore: no file of the vault is damaged by that.
//! 6. On return the file system was told to sync; it is told along the way as well, so that the
//!    disk does not idle until the end. Large files are written past the page cache.
//!
//! Order: directories top-down by one thread, the files in them by all others; then links; then
//! directory metadata bottom-up, because writing into a directory moves its times and may need its
//! permissions.

mod give;
mod plan;
mod receive;
mod target;

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Instant;

use bailee_store::direct::{Room, Writer};

use crate::chunk::Desk;
use crate::damage::{Damage, Unread, read_out};
use crate::error::VaultError;
use crate::manifest::{Content, Meta, Stored};
use crate::names::SnapshotId;
use crate::pattern::Pattern;
use crate::preserve::{Progress, path_of};
use crate::proof::Proof;
use crate::read::{Bytes, Take, spread};
use crate::vault::{Absent, Vault};
use crate::verify::Problem;
use plan::{Level, Plan};
pub use receive::receive;
pub(crate) use receive::{Arriving, drain};
use target::Spot;
pub(crate) use target::{Target, apply};

/// What is said of a file whose content ended in its middle; the error of the restore names it.
const BROKE_OFF: &str = "it broke off";
/// Damaged files that an error names, at most; it says how many more there are.
const NAMED: usize = 20;

/// What a restore did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RestoreReport {
    /// Files written with their full content.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files that could not be given back, and why. They are not in the destination.
    pub damaged: Vec<Problem>,
    /// Bytes that the medium never gave when they were preserved: zeros stand for them, and each
    /// range is named in `not_restored`.
    pub never_read: u64,
    /// Metadata or special nodes that this system or user could not restore, and things that were
    /// unreadable when they were preserved, or changed meanwhile.
    pub not_restored: Vec<Problem>,
    /// How long it took.
    pub seconds: f64,
}

impl RestoreReport {
    /// Everything asked for is there with all of its content.
    pub fn is_complete(&self) -> bool {
        self.damaged.is_empty() && self.never_read == 0
    }
}

/// A file that is to be made.
struct Due<'e> {
    spot: Spot,
    meta: &'e Meta,
    content: &'e Content,
    /// Where it is in the destination; another name than its own if a link stands for it.
    path: &'e [u8],
}

impl<'e> Due<'e> {
    fn make(self) -> Result<Waiting<'e>, VaultError> {
        let Self { spot, meta, content, path } = self;
        Ok(Waiting { file: spot.file(path, meta)?, meta, content, path })
    }
}

/// A file that is created and waits for its content.
struct Waiting<'e> {
    file: File,
    meta: &'e Meta,
    content: &'e Content,
    path: &'e [u8],
}

/// Takes files in the order of [`Plan::contents`].
type HandOver<'a, 'e> = dyn FnMut(Due<'e>, &'e Stored) -> Result<(), VaultError> + 'a;

/// What a restoring thread keeps between files.
#[derive(Default)]
struct Bench {
    desk: Desk,
    room: Room,
}

impl Vault {
    /// Restores a snapshot, or the part of it that `filter` matches, into `dest`.
    ///
    /// # Errors
    /// [`VaultError::Occupied`] if `dest` is not empty;
    /// [`VaultError::Destination`] if it cannot be written;
    /// [`VaultError::UnknownSnapshot`]; damage of the manifest. Damage of single files is in the
    /// report, as is what this user may not restore.
    pub fn restore(
        &self,
        tenant: &str,
        id: &SnapshotId,
        dest: &Path,
        filter: Option<&Pattern>,
    ) -> Result<RestoreReport, VaultError> {
        self.restore_with(tenant, id, dest, filter, &mut ())
    }

    /// The same, saying how far it is.
    ///
    /// # Errors
    /// As for [`Vault::restore`].
    pub fn restore_with(
        &self,
        tenant: &str,
        id: &SnapshotId,
        dest: &Path,
        filter: Option<&Pattern>,
        progress: &mut (dyn Progress + Send),
    ) -> Result<RestoreReport, VaultError> {
        let began = Instant::now();
        let tenant = self.tenant(tenant, Absent::Refuse)?;
        let (unit, snapshot) = self.snapshot(&tenant, id)?;
        let _shared = unit.enter();
        let entries = unit.manifest(&snapshot)?;
        let table = unit.table();
        let plan = Plan::new(&entries, filter);
        let mut target = Target::open(dest)?;
        progress.begin("restoring", plan.bytes());
        let far = Far { done: Mutex::new((0, 0, progress)) };
        let report = Mutex::new(RestoreReport::default());
        let flusher = target.flusher()?;
        target.mark(&|name| plan.has(name))?;
        let mut outcome = Ok(());
        let unmade = OnceLock::new();
        spread(
            |hand_over| {
                outcome = plan.create(&mut target, &report, &mut |due, stored| {
                    hand_over(due, stored);
                    if unmade.get().is_some() { Err(stopped()) } else { Ok(()) }
                });
            },
            |due: Due<'_>, stored, fetch, Bench { desk, room }: &mut Bench| {
                let content = due.content;
                if unmade.get().is_some() {
                    return; // the destination takes no more
                }
                let waiting = match due.make() {
                    Ok(waiting) => waiting,
                    Err(e) => return drop(unmade.set(e)), // the first one is told
                };
                let mut read = |take: &mut Take<'_>| {
                    let file = (stored, content, Proof::Sha256);
                    let read = read_out((&unit, &table), file, (fetch, &mut *desk), take);
                    read.map_err(|unread| match unread {
                        Unread::Untaken(e) => e.to_string(),
                        Unread::Lost(damage) => damage.to_string(),
                    })
                };
                if let Err(e) = fill(waiting, &mut read, room, (&report, &far)) {
                    drop(unmade.set(e));
                }
                flusher.wrote(content.size);
            },
        );
        match unmade.into_inner().map_or(outcome, Err) {
            Ok(()) => finish(&plan, &mut target, report, began),
            Err(error) => Err(abandon(&plan, &mut target, report, (None, error))),
        }
    }
}

/// What is left to do when the content of all files is there.
fn finish(
    plan: &Plan<'_>,
    target: &mut Target,
    report: Mutex<RestoreReport>,
    began: Instant,
) -> Result<RestoreReport, VaultError> {
    let mut report = report.into_inner().unwrap_or_else(PoisonError::into_inner);
    plan.link(target)?;
    plan.remove_damaged(target, &mut report)?;
    plan.finish_directories(target, &mut report, Level::Below)?;
    target.sync()?; // all of it, before the marker goes; and that before the top gets its time
    target.unmark()?;
    plan.finish_directories(target, &mut report, Level::Top)?;
    target.sync_top()?;
    report.not_restored.sort_by(|a, b| a.path.cmp(&b.path));
    report.damaged.sort_by(|a, b| a.path.cmp(&b.path));
    report.seconds = began.elapsed().as_secs_f64();
    Ok(report)
}

/// It ends in the middle, of `error`: what is not whole goes, the file that was just made (`made`)
/// and those that broke off among it, and what was damaged before is named behind the error.
fn abandon(
    plan: &Plan<'_>,
    target: &mut Target,
    report: Mutex<RestoreReport>,
    (made, mut error): (Option<&[u8]>, VaultError),
) -> VaultError {
    let mut report = report.into_inner().unwrap_or_else(PoisonError::into_inner);
    let half = |path| Problem { path: path_of(path), what: BROKE_OFF.to_owned() };
    report.damaged.extend(made.map(half));
    let removed = plan.remove_damaged(target, &mut report);
    let (VaultError::Transfer { detail, .. } | VaultError::Destination { detail, .. }) = &mut error
    else {
        return error;
    };
    if let Some(room) = target.room() {
        let missing = plan.bytes().saturating_sub(report.bytes);
        if missing > room {
            let said = format!("; {missing} bytes of files are not there, {room} bytes are free");
            detail.push_str(&said);
        }
    }
    let damaged = report.damaged.iter().filter(|one| one.what != BROKE_OFF);
    let named: BTreeSet<String> = damaged.map(|one| format!("{:?}", one.path)).collect();
    if !named.is_empty() {
        let first: Vec<String> = named.iter().take(NAMED).cloned().collect();
        let more = named.len() - first.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        detail.push_str(&format!("; damaged, and not left there: {}{more}", first.join(", ")));
    }
    if let Err(e) = removed {
        detail.push_str(&format!("; {e}"));
    }
    error
}

/// A thread of ours stopped, for a reason that is told elsewhere, or for a bug.
fn stopped() -> VaultError {
    let (path, detail) = ("(restore)".to_owned(), "a thread stopped".to_owned());
    VaultError::Destination { path, doing: "write it", detail }
}

/// How far all threads are.
struct Far<'p> {
    /// Files, their bytes, and who hears of it.
    done: Mutex<(u64, u64, &'p mut (dyn Progress + Send))>,
}

impl Far<'_> {
    fn advance(&self, files: u64, bytes: u64) {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        let (all_files, all_bytes, progress) = &mut *done;
        *all_files += files;
        *all_bytes += bytes;
        progress.advance(*all_files, *all_bytes);
    }
}

fn note(report: &Mutex<RestoreReport>, path: &[u8], what: &str) {
    let mut report = report.lock().unwrap_or_else(PoisonError::into_inner);
    report.not_restored.push(Problem { path: path_of(path), what: what.to_owned() });
}

/// Why a file cannot be given, as its restore would say it.
fn said_of(damage: &Damage) -> Vec<u8> {
    let mut said = damage.to_string().into_bytes();
    said.truncate(crate::transfer::MOST);
    said
}

/// Hands out the content of one file, or says why it is not to be had.
type ReadContent<'a> = dyn FnMut(&mut Take<'_>) -> Result<(), String> + 'a;

/// A file that was begun and is not going to be whole: it is removed, and is not damaged.
fn broke_off(report: &Mutex<RestoreReport>, path: &[u8]) {
    let mut report = report.lock().unwrap_or_else(PoisonError::into_inner);
    report.damaged.push(Problem { path: path_of(path), what: BROKE_OFF.to_owned() });
}

/// Writes one file's content, then its metadata. An error is the destination's.
fn fill(
    Waiting { file, meta, content, path }: Waiting<'_>,
    read: &mut ReadContent<'_>,
    room: &mut Room,
    (report, far): (&Mutex<RestoreReport>, &Far<'_>),
) -> Result<(), VaultError> {
    let fail = |doing| {
        move |e: std::io::Error| VaultError::Destination {
            path: path_of(path).display().to_string(),
            doing,
            detail: e.to_string(),
        }
    };
    let mut to = Writer::with_room(&file, content.size, std::mem::take(room));
    let (mut ends_in_gap, mut untaken) = (true, None);
    let came = read(&mut |bytes| {
        ends_in_gap = matches!(bytes, Bytes::Gap(_));
        let (taken, n) = match bytes {
            Bytes::Data(data) => (to.write(data), data.len() as u64),
            Bytes::Gap(n) => (to.skip(n), n),
        };
        far.advance(0, n);
        taken.map_err(|e| {
            untaken = Some(fail("write it")(e));
            stopped()
        })
    });
    let end = || {
        *room = to.finish().map_err(fail("write it"))?;
        if ends_in_gap { file.set_len(content.size).map_err(fail("extend it")) } else { Ok(()) }
    };
    let written = match (untaken, &came) {
        (Some(e), _) => Err(e),
        (None, Ok(())) => end(),
        (None, Err(_)) => Ok(()),
    };
    if let Err(e) = written {
        broke_off(report, path);
        return Err(e);
    }
    if let Err(what) = came {
        let mut report = report.lock().unwrap_or_else(PoisonError::into_inner);
        report.damaged.push(Problem { path: path_of(path), what });
        return Ok(());
    }
    target::apply(&file, meta, &mut |what| note(report, path, what));
    content.flaws().for_each(|what| note(report, path, &what));
    far.advance(1, 0);
    let mut report = report.lock().unwrap_or_else(PoisonError::into_inner);
    report.files += 1;
    report.bytes = report.bytes.saturating_add(content.size);
    report.never_read = report.never_read.saturating_add(content.never_read());
    Ok(())
}
