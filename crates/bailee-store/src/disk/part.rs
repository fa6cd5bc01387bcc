//! Temporary files of a store on disk, and who may sweep what a crash left of them.
//!
//! Invariants: a file here belongs to the handle that made it, which holds the lock shared; it goes
//! when it got its name or is dropped; a sweeper holds the lock alone.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{FlockOperation, flock};

use super::io_error;
use crate::ObjectError;
use crate::durable::Moves;

/// Folder of unfinished files. `~` is no letter of object names.
pub(super) const PART: &str = "~part";
/// Held shared by every handle, exclusively by the sweep.
const PART_LOCK: &str = "lock";
/// Distinguishes the temporary files of all handles in this process.
static NEXT_PART: AtomicU64 = AtomicU64::new(0);

/// Takes the lock: sweeps if nobody else is there, then holds it shared.
pub(super) fn lock_part(moves: &impl Moves, part: &Path) -> io::Result<File> {
    let lock = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(part.join(PART_LOCK))?;
    if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok() {
        for leftover in fs::read_dir(part)? {
            let leftover = leftover?;
            if leftover.file_name() != PART_LOCK {
                moves.remove_file(&leftover.path())?;
            }
        }
    }
    flock(&lock, FlockOperation::LockShared)?;
    Ok(lock)
}

/// A temporary file, removed when dropped (after a rename there is nothing left to remove).
pub(super) struct Part<'m, M: Moves> {
    moves: &'m M,
    pub(super) path: PathBuf,
    pub(super) file: File,
}

impl<'m, M: Moves> Part<'m, M> {
    pub(super) fn new(moves: &'m M, dir: &Path) -> io::Result<Part<'m, M>> {
        let number = NEXT_PART.fetch_add(1, Ordering::Relaxed);
        let path = dir.join(format!("{}-{number}", std::process::id()));
        let file = moves.create_file(&path)?;
        Ok(Part { moves, path, file })
    }

    pub(super) fn file(&self) -> Result<File, ObjectError> {
        let name = self.path.display().to_string();
        self.file.try_clone().map_err(|error| io_error("write", &name, &error))
    }
}

impl<M: Moves> Drop for Part<'_, M> {
    fn drop(&mut self) {
        // Absent after the rename; anything else is swept at the next open.
        let _ = self.moves.remove_file(&self.path);
    }
}
