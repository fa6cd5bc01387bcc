//! One writer process per data directory: an exclusive advisory lock on `<dir>/lock`.
//!
//! Invariants
//! 1. While a [`DirLock`] lives, no other process (and no other call in this one) gets one for
//!    the same directory. The kernel releases it when the process ends, however it ends.
//! 2. The file itself is never removed: removing it would let two holders lock two files.
//! 3. The process id inside is for people. Who holds the lock, the kernel decides.
//!
//! Out of scope: network file systems without `flock`.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::durable::{Kernel, create_private_dirs};

/// Name of the lock file in its directory.
const LOCK_FILE: &str = "lock";
/// More than the digits of any process id.
const PID_BYTES: u64 = 20;

/// Why the directory could not be locked.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody else works in the directory.
    #[error("{dir} is in use by {holder}", dir = dir.display(), holder = holder(pid))]
    Held {
        /// The directory.
        dir: PathBuf,
        /// The holder's process id, as the lock file says.
        pid: Option<u32>,
    },
    /// The directory or its lock file is out of reach.
    #[error("could not lock {path}: {detail}", path = path.display())]
    Io {
        /// The lock file.
        path: PathBuf,
        /// The medium's own words.
        detail: String,
    },
}

fn holder(pid: &Option<u32>) -> String {
    match pid {
        Some(pid) => format!("process {pid}"),
        None => "another process".to_owned(),
    }
}

/// Exclusive use of a data directory, for as long as this value lives.
#[derive(Debug)]
pub struct DirLock {
    file: File,
    dir: PathBuf,
}

impl DirLock {
    /// Locks `dir`, creating it (mode 0700) if it is not there. Never waits.
    pub fn acquire(dir: &Path) -> Result<DirLock, LockError> {
        let path = dir.join(LOCK_FILE);
        let failed =
            |error: io::Error| LockError::Io { path: path.clone(), detail: error.to_string() };
        create_private_dirs(&Kernel, dir).map_err(failed)?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(failed)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                return Err(LockError::Held { dir: dir.to_owned(), pid: read_pid(&file) });
            }
            Err(error) => return Err(failed(error.into())),
        }
        write_pid(&file).map_err(failed)?;
        Ok(DirLock { file, dir: dir.to_owned() })
    }

    /// The directory that is locked.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

impl Drop for DirLock {
    /// Takes the process id out, so that the file never names a process that has gone in peace.
    fn drop(&mut self) {
        // Nothing depends on it: closing the file is what releases the lock.
        let _ = self.file.set_len(0);
    }
}

fn write_pid(mut file: &File) -> io::Result<()> {
    file.set_len(0)?;
    writeln!(file, "{}", std::process::id())
}

fn read_pid(file: &File) -> Option<u32> {
    let mut text = String::new();
    file.take(PID_BYTES).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_holds_it() {
        let dir = tempfile::tempdir().unwrap();
        let first = DirLock::acquire(dir.path()).unwrap();
        let refused = DirLock::acquire(dir.path()).unwrap_err();
        assert!(refused.to_string().contains(&format!("process {}", std::process::id())));
        assert!(
            matches!(refused, LockError::Held { pid: Some(pid), .. } if pid == std::process::id())
        );
        drop(first);
        let again = DirLock::acquire(dir.path()).unwrap();
        assert_eq!(again.dir(), dir.path());
    }

    #[test]
    fn garbage_in_the_lock_file_does_no_harm() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("lock"), [0xff; 100]).unwrap();
        let first = DirLock::acquire(dir.path()).unwrap();
        std::fs::write(dir.path().join("lock"), "no number").unwrap();
        let refused = DirLock::acquire(dir.path()).unwrap_err();
        assert!(matches!(refused, LockError::Held { pid: None, .. }));
        drop(first);
    }

    #[test]
    fn a_file_in_the_way_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        let refused = DirLock::acquire(&file).unwrap_err();
        assert!(refused.to_string().contains("file/lock"), "{refused}");
    }
}
