//! Restoring: from a snapshot to a directory, byte for byte.
//!
//! Invariants
//! 1. The manifest is authentic, checked and matches its root before anything is written.
//! 2. The destination is empty or new; everything in it is created with `O_EXCL`, through
//!    directory descriptors, without following any link: nothing outside is ever touched.
//! 3. A file whose content does not give its SHA-256 is removed again and named, never left as
//!    if it were whole; also if the restore fails behind it. (Over a wide gap the manifest's word
//!    counts: `segment.rs`.) While it runs, and if it is killed or fails, a marker in the
//!    destination says that not all is there.
//! 4. What cannot be restored (a device node without being root, an attribute the file system
//!    lacks) is named in the report, and the rest goes on; see `missed.rs`.
//! 5. A destination that takes no more ends the restore: no file of the vault is damaged by that.
//! 6. A large file that has waypoints is written by several threads at once, each a segment.
//! 7. On return the file system was told to sync; it is told along the way as well, so that the
//!    disk does not idle until the end. Large files are written past the page cache.
//!
//! Order: directories top-down by one thread, the files in them by all others; then links; then
//! directory metadata bottom-up, because writing into a directory moves its times and may need its
//! permissions.

mod attributes;
mod file;
mod give;
mod missed;
mod plan;
mod receive;
mod target;
mod way;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use crate::damage::{Damage, Unread, read_out};
use crate::error::VaultError;
use crate::manifest::Stored;
use crate::names::SnapshotId;
use crate::pattern::Pattern;
use crate::preserve::path_of;
use crate::progress::Progress;
use crate::proof::Proof;
use crate::read::{Fetch, Take, spread};
use crate::segment::segments;
use crate::vault::{Absent, Vault};
use crate::verify::Problem;
pub(crate) use attributes::apply;
use file::{Bench, Due, fill, fill_apart};
pub use missed::Missed;
use plan::{Level, Plan};
pub use receive::receive;
pub(crate) use receive::{Arriving, drain};
pub(crate) use target::Target;

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
    /// Names that could not be read when they were preserved: nothing stands for them, and each is
    /// in `not_restored`.
    pub unreadable: u64,
    /// What this system or user did not take.
    pub missed: Missed,
    /// Things that were unreadable when they were preserved, or changed meanwhile, and set-id bits
    /// of those whose owner could not be set.
    pub not_restored: Vec<Problem>,
    /// How long it took.
    pub seconds: f64,
}

impl RestoreReport {
    /// Everything asked for is there with all of its content, and of its metadata all that whoever
    /// restored may set.
    pub fn is_complete(&self) -> bool {
        let given = self.damaged.is_empty() && self.missed.is_expected();
        given && self.never_read == 0 && self.unreadable == 0
    }
}

/// Takes files in the order of [`Plan::contents`].
type HandOver<'a, 'e> = dyn FnMut(Due<'e>, &'e Stored) -> Result<(), VaultError> + 'a;

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
                let (content, at) = (due.content, (&*unit, &*table));
                if unmade.get().is_some() {
                    return; // the destination takes no more
                }
                let waiting = match due.make() {
                    Ok(waiting) => waiting,
                    Err(e) => return drop(unmade.set(e)), // the first one is told
                };
                let mut read = |take: &mut Take<'_>| {
                    let file = (stored, content, Proof::Sha256);
                    let read = read_out(at, file, (fetch, &mut *desk), take);
                    read.map_err(|unread| match unread {
                        Unread::Untaken(e) => e.to_string(),
                        Unread::Lost(damage) => damage.to_string(),
                    })
                };
                let (segments, told) = (segments(&stored.extents), (&report, &far));
                let filled = match fetch {
                    Fetch::Together(threads) if segments.len() > 1 => {
                        fill_apart(waiting, at, (stored, &segments, threads), told)
                    }
                    _ => fill(waiting, &mut read, room, told),
                };
                if let Err(e) = filled {
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
    report.missed.not_made.sort_by(|a, b| a.path.cmp(&b.path));
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

fn lock(report: &Mutex<RestoreReport>) -> MutexGuard<'_, RestoreReport> {
    report.lock().unwrap_or_else(PoisonError::into_inner)
}

fn note(report: &Mutex<RestoreReport>, path: &[u8], what: &str) {
    lock(report).not_restored.push(Problem { path: path_of(path), what: what.to_owned() });
}

/// Why a file cannot be given, as its restore would say it.
fn said_of(damage: &Damage) -> Vec<u8> {
    let mut said = damage.to_string().into_bytes();
    said.truncate(crate::transfer::MOST);
    said
}
