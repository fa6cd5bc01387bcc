//! The medium: why a directory takes no more, told from every other failure.
//!
//! Invariants: a full disk and one that can only be read are two things, and neither is "in use" or
//! "damaged", because other people do something else about them. What was written to try it out is
//! removed again.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::{StatVfsMountFlags, statvfs};

/// As much as a journal needs to be opened, and some.
const TRIED: usize = 64 << 10;
/// With less than this a disk may be full before anything has failed.
const LITTLE: u64 = 256 << 10;
const TRIAL: &str = "room.part";

/// Why a directory takes no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unwritable {
    /// No space is left, or no more of a quota.
    #[error("the disk is full")]
    Full,
    /// It is mounted to be read only; the kernel does so after an error, too.
    #[error("the disk can only be read")]
    ReadOnly,
}

impl Unwritable {
    /// What an error says about it.
    pub fn of(error: &io::Error) -> Option<Unwritable> {
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Some(Unwritable::Full),
            ErrorKind::ReadOnlyFilesystem => Some(Unwritable::ReadOnly),
            _ => None,
        }
    }

    /// The same of an error of which only the system's words are left.
    pub fn said(words: &str) -> Option<Unwritable> {
        let (_, number) = words.split_once("(os error ")?;
        let (number, _) = number.split_once(')')?;
        Unwritable::of(&io::Error::from_raw_os_error(number.parse().ok()?))
    }

    /// Whether `dir` takes as much as a journal needs to be opened, found out by writing it.
    ///
    /// # Errors
    /// The medium's; [`Unwritable::of`] says what they mean.
    pub fn tried(dir: &Path) -> io::Result<()> {
        let path = dir.join(TRIAL);
        let mut how = OpenOptions::new();
        let opened = how.write(true).create(true).truncate(true).mode(0o600).open(&path);
        let written = opened.and_then(|mut file| {
            file.write_all(&[0; TRIED])?;
            file.sync_data()
        });
        // What cannot be removed is written over by the next trial.
        _ = fs::remove_file(&path);
        written
    }

    /// Whether `dir` takes no more, by what the file system says of itself; where it says that
    /// little is left, found out, because what is set aside for root is of use to root alone.
    pub fn told(dir: &Path) -> Option<Unwritable> {
        let told = statvfs(dir).ok()?;
        if told.f_flag.contains(StatVfsMountFlags::RDONLY) {
            return Some(Unwritable::ReadOnly);
        }
        if told.f_bavail.saturating_mul(told.f_frsize) >= LITTLE {
            return None;
        }
        Unwritable::of(&Unwritable::tried(dir).err()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_and_read_only_are_told_apart_and_from_the_rest() {
        let of = |number| Unwritable::of(&io::Error::from_raw_os_error(number));
        assert_eq!(
            [28, 122, 30, 5].map(of),
            [Some(Unwritable::Full), Some(Unwritable::Full), Some(Unwritable::ReadOnly), None]
        );
        let words = io::Error::from_raw_os_error(28).to_string();
        assert_eq!(Unwritable::said(&format!("could not: {words}")), Some(Unwritable::Full));
        for other in ["", "(os error 5)", "(os error x)", "os error 28"] {
            assert_eq!(Unwritable::said(other), None, "{other}");
        }
    }

    #[test]
    fn a_directory_with_room_is_left_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        Unwritable::tried(dir.path()).unwrap();
        assert_eq!(Unwritable::told(dir.path()), None);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
