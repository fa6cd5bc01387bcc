//! One writer process per data directory: an exclusive advisory lock on `<dir>/lock`.
//!
//! Invariants
//! 1. While a [`DirLock`] lives, no other process (and no other call in this one) gets one for
//!    the same directory. The kernel releases it when the process ends, however it ends.
//! 2. The file itself is never removed: removing it would let two holders lock two files.
//! 3. The process id inside, and the word that it serves, are for people: who holds the lock, the
//!    kernel decides. So locking needs no space and no write: on a full disk the file stays empty,
//!    and on a medium that can only be read it, or the directory, is locked as it is.
//!
//! Out of scope: network file systems without `flock`.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::durable::{Kernel, create_private_dirs};
use crate::medium::Unwritable;

/// Name of the lock file in its directory.
const LOCK_FILE: &str = "lock";
/// More than the digits of any process id and the word.
const CONTENT_BYTES: u64 = 40;
/// What stands behind the process id of one that answers over a socket.
const SERVES: &str = "serves";
/// Pause between two tries.
const PAUSE: Duration = Duration::from_millis(50);
/// So long somebody waits before it is said.
const QUIET: Duration = Duration::from_secs(1);

/// How long to wait for a lock that somebody else holds.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// At most this.
    pub most: Duration,
    /// Told once, after a second, whose process is waited for.
    pub told: fn(Option<u32>),
}

impl Patience {
    /// Not at all.
    pub const NONE: Patience = Patience { most: Duration::ZERO, told: |_| () };
}

/// Why the directory could not be locked.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody else works in the directory.
    #[error(
        "{dir} is in use by {holder}{serves}",
        dir = dir.display(), holder = holder(pid),
        serves = if *serves { ", which serves it" } else { "" }
    )]
    Held {
        /// The directory.
        dir: PathBuf,
        /// The holder's process id, as the lock file says.
        pid: Option<u32>,
        /// It answers over a socket: it stays, and can be asked.
        serves: bool,
    },
    /// The directory or its lock file is out of reach.
    #[error("could not lock {path}: {detail}", path = path.display())]
    Io {
        /// The lock file.
        path: PathBuf,
        /// The medium's own words.
        detail: String,
        /// The medium takes no more.
        unwritable: Option<Unwritable>,
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
        let failed = |error: io::Error| LockError::Io {
            path: path.clone(),
            detail: error.to_string(),
            unwritable: Unwritable::of(&error),
        };
        create_private_dirs(&Kernel, dir).map_err(failed)?;
        let file = lock_file(&path).map_err(failed)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                let (pid, serves) = holder_of(&file);
                return Err(LockError::Held { dir: dir.to_owned(), pid, serves });
            }
            Err(error) => return Err(failed(error.into())),
        }
        let lock = DirLock { file, dir: dir.to_owned() };
        lock.say("");
        Ok(lock)
    }

    /// As [`DirLock::acquire`], and waits for a holder that will end; not for one that serves.
    pub fn acquire_within(dir: &Path, patience: Patience) -> Result<DirLock, LockError> {
        let (began, mut told) = (Instant::now(), false);
        loop {
            let held = match DirLock::acquire(dir) {
                Err(LockError::Held { pid, serves: false, .. }) => pid,
                done => return done,
            };
            let waited = began.elapsed();
            if waited >= patience.most {
                return DirLock::acquire(dir);
            }
            if waited >= QUIET && !std::mem::replace(&mut told, true) {
                (patience.told)(held);
            }
            sleep(PAUSE.min(patience.most - waited));
        }
    }

    /// Says in the file that this process answers over a socket.
    pub fn serves(&self) {
        self.say(SERVES);
    }

    /// What does not get into the file, for want of space, nobody needs.
    fn say(&self, word: &str) {
        let mut file = &self.file;
        _ = file.set_len(0).and_then(|()| io::Seek::rewind(&mut file));
        _ = writeln!(file, "{} {word}", std::process::id());
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

/// The file, made if it is not there; as it is, or else the directory, where nothing can be made.
fn lock_file(path: &Path) -> io::Result<File> {
    let mut how = OpenOptions::new();
    let how = how.read(true).write(true).create(true).truncate(false).mode(0o600);
    let error = match how.open(path) {
        Err(error) if Unwritable::of(&error).is_some() => error,
        opened => return opened,
    };
    match File::open(path) {
        Err(absent) if absent.kind() == ErrorKind::NotFound => {
            File::open(path.parent().unwrap_or(path)).map_err(|_| error)
        }
        opened => opened,
    }
}

fn holder_of(file: &File) -> (Option<u32>, bool) {
    let mut text = String::new();
    if file.take(CONTENT_BYTES).read_to_string(&mut text).is_err() {
        return (None, false);
    }
    let mut words = text.split_whitespace();
    let pid = words.next().and_then(|pid| pid.parse().ok());
    (pid, words.next() == Some(SERVES))
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
    fn who_waits_gets_it_when_it_is_free_and_nobody_waits_for_one_that_serves() {
        let dir = tempfile::tempdir().unwrap();
        let patience = Patience { most: Duration::from_secs(600), told: |_| () };
        let first = DirLock::acquire(dir.path()).unwrap();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| DirLock::acquire_within(dir.path(), patience));
            drop(first);
            waiting.join().unwrap().unwrap();
        });
        let server = DirLock::acquire(dir.path()).unwrap();
        server.serves();
        let refused = DirLock::acquire_within(dir.path(), patience).unwrap_err();
        assert!(matches!(refused, LockError::Held { pid: Some(_), serves: true, .. }));
        assert!(refused.to_string().ends_with("which serves it"), "{refused}");
        drop(server);
        let plain = DirLock::acquire(dir.path()).unwrap();
        let refused = DirLock::acquire_within(dir.path(), Patience::NONE).unwrap_err();
        assert!(matches!(refused, LockError::Held { serves: false, .. }), "{refused}");
        drop(plain);
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
