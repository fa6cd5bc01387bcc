//! Mount: a snapshot of the vault as a read-only file system, until it is told to end.
//!
//! Invariants
//! 1. Nothing can be written, no file of it runs, sets an id or opens a device: the mount is
//!    `ro,nosuid,nodev,noexec`, and only whoever mounted it may look into it.
//! 2. It is mounted on an empty directory or not at all: nothing is ever hidden under it.
//! 3. When [`mount`] returns, nothing is mounted there any more, whatever ended it.
//! 4. What cannot be served is an error of the system call, never other bytes, and is said.
//!
//! Absences: no vault key and no snapshot ids (it gets entries and their contents), no opinion on
//! who may read, nothing that is written. Decision: docs/decisions/0028.

mod attr;
mod complaint;
mod serve;
mod tree;
mod wait;

use std::io;
use std::path::{Path, PathBuf};

use bailee_vault::{Contents, Entry};
use fuser::{Config, MountOption, Session, SessionACL};

use complaint::Complaints;
use serve::Served;
use tree::Tree;

/// Requests of the kernel that are worked on at the same time.
const THREADS: usize = 4;

/// What a mount says while it lasts.
#[derive(Debug)]
pub enum Said<'a> {
    /// It is mounted.
    Mounted,
    /// Something cannot be served: which file, which bytes, why.
    NotServed(&'a str),
    /// It ends while files of it are open: their readers get errors when the process ends.
    StillOpen,
}

/// What ended a mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// A signal to this process.
    Signal,
    /// Somebody else unmounted it.
    Unmounted,
}

/// Why nothing was mounted, or what went wrong at the end.
#[derive(Debug, thiserror::Error)]
pub enum MountError {
    /// There is no such directory.
    #[error("{dir} is no directory that is there", dir = .0.display())]
    NoDirectory(PathBuf),
    /// Something is in it.
    #[error("{dir} is not empty: what is in it would be hidden", dir = .0.display())]
    NotEmpty(PathBuf),
    /// The machine says no.
    #[error("could not {doing}: {source}")]
    System {
        /// What was tried.
        doing: String,
        /// Its own words.
        source: io::Error,
    },
}

fn system(doing: impl Into<String>) -> impl FnOnce(io::Error) -> MountError {
    let doing = doing.into();
    move |source| MountError::System { doing, source }
}

/// Whether a snapshot could be mounted here: before anything dear is done.
///
/// # Errors
/// [`MountError::NoDirectory`], [`MountError::NotEmpty`]; it cannot be listed.
pub fn check(dir: &Path) -> Result<(), MountError> {
    if !dir.is_dir() {
        return Err(MountError::NoDirectory(dir.into()));
    }
    let mut inside = dir.read_dir().map_err(system(format!("list {}", dir.display())))?;
    if inside.next().is_some() {
        return Err(MountError::NotEmpty(dir.into()));
    }
    Ok(())
}

/// Mounts a snapshot and serves it until SIGINT, SIGTERM or SIGHUP comes, or it is unmounted.
/// `name` is what the table of mounts calls it.
///
/// # Errors
/// As [`check`]; `/dev/fuse` or the mount is refused; unmounting failed.
pub fn mount(
    (entries, contents): (Vec<Entry>, Contents),
    dir: &Path,
    name: &str,
    say: impl Fn(Said<'_>) + Send + Sync + 'static,
) -> Result<Ended, MountError> {
    check(dir)?;
    let dir = dir.canonicalize().map_err(system(format!("find {}", dir.display())))?;
    let complaints = Complaints::new(say);
    let say = complaints.voice();
    let served = Served::new(Tree::new(entries), contents, complaints);
    // Before the mount: a signal that comes at once must not leave it behind.
    let signals = wait::Signals::listen().map_err(system("wait for signals"))?;
    let doing = format!("mount on {} through /dev/fuse", dir.display());
    let session = Session::new(served, &dir, &config(name)).map_err(system(doing))?;
    wait::until_ended(session, signals, &dir, &*say)
}

fn config(name: &str) -> Config {
    let mut config = Config::default();
    config.mount_options = vec![
        MountOption::RO,
        MountOption::NoSuid,
        MountOption::NoDev,
        MountOption::NoExec,
        MountOption::NoAtime,
        MountOption::FSName(name.to_owned()),
    ];
    config.acl = SessionACL::Owner;
    config.n_threads = Some(THREADS);
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_empty_directory_will_do() {
        let room = tempfile::tempdir().unwrap();
        assert!(check(room.path()).is_ok());
        let absent = room.path().join("absent");
        assert!(matches!(check(&absent), Err(MountError::NoDirectory(dir)) if dir == absent));
        std::fs::write(room.path().join("file"), "x").unwrap();
        let full = check(room.path()).unwrap_err();
        assert!(full.to_string().contains(room.path().to_str().unwrap()), "{full}");
        assert!(matches!(full, MountError::NotEmpty(_)));
        let file = check(&room.path().join("file"));
        assert!(matches!(file, Err(MountError::NoDirectory(_))));
    }
}
