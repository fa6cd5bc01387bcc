//! The few file-system moves that survive power loss, in one place.
//!
//! Order of writes: data first (`fdatasync`), then the name (`rename` without replacing), then
//! the directory that holds the name (`fsync`). A crash before the name leaves a leftover with a
//! temporary name; a crash before the last step leaves the name present or absent, never half.
//! Out of scope: what is written, and who may write (see `lock`).

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{CWD, OFlags, RenameFlags, renameat_with};
use rustix::io::Errno;

/// What `place` found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placed {
    /// The new name is there now; its directory is not yet synced.
    Now,
    /// The name was taken; the temporary file is still there.
    Taken,
}

/// The moves themselves. Each does what it says and no more; what is not said to survive power loss
/// may be lost, torn or come later than what followed it. A test that plays power failures records
/// them; what is built keeps [`Kernel`], which has no size and no state.
pub trait Moves: std::fmt::Debug + Send + Sync {
    /// Creates a directory with mode 0700, in one that is there.
    ///
    /// # Errors
    /// The medium's, as of every move.
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        DirBuilder::new().mode(0o700).create(dir)
    }

    /// Creates a file with mode 0600 where nothing stands, to write to.
    ///
    /// # Errors
    /// The medium's.
    fn create_file(&self, path: &Path) -> io::Result<File> {
        let flags = OFlags::NOFOLLOW.bits().cast_signed();
        let mut how = OpenOptions::new();
        how.write(true).create_new(true).mode(0o600).custom_flags(flags).open(path)
    }

    /// Creates a file to write to, or empties the one that a crash left there.
    ///
    /// # Errors
    /// The medium's.
    fn create_over(&self, path: &Path) -> io::Result<File> {
        File::create(path)
    }

    /// Makes what was written to the file that was created at `path` survive power loss. A test
    /// learns which line asked for it.
    ///
    /// # Errors
    /// The medium's.
    #[track_caller]
    fn sync_file(&self, _path: &Path, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    /// Gives a finished temporary file its name, unless the name is taken.
    ///
    /// `renameat2(RENAME_NOREPLACE)`; where the file system does not know it, `link` and `unlink`,
    /// which a crash in between leaves with both names: the sweep at open removes the second.
    ///
    /// # Errors
    /// The medium's.
    fn place(&self, temporary: &Path, name: &Path) -> io::Result<Placed> {
        match renameat_with(CWD, temporary, CWD, name, RenameFlags::NOREPLACE) {
            Ok(()) => Ok(Placed::Now),
            Err(Errno::EXIST) => Ok(Placed::Taken),
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => place_by_link(temporary, name),
            Err(error) => Err(error.into()),
        }
    }

    /// Gives a finished temporary file its name, in the place of what has it.
    ///
    /// # Errors
    /// The medium's.
    fn replace(&self, temporary: &Path, name: &Path) -> io::Result<()> {
        fs::rename(temporary, name)
    }

    /// Removes a file's name.
    ///
    /// # Errors
    /// The medium's.
    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    /// Makes the names in `dir` survive power loss. A test learns which line asked for it.
    ///
    /// # Errors
    /// The medium's.
    #[track_caller]
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }
}

/// The moves as the operating system makes them.
#[derive(Clone, Copy, Debug)]
pub struct Kernel;

impl Moves for Kernel {}

/// Creates `dir` and every missing parent with mode 0700, each durable before the next.
pub(crate) fn create_private_dirs(moves: &impl Moves, dir: &Path) -> io::Result<()> {
    create_dirs(moves, dir, &|parent| moves.sync_dir(parent))
}

/// The same, and none of them durable: for who syncs the whole chain afterwards, which costs one
/// commit of the file system's journal and not one for each.
pub(crate) fn create_fleeting_dirs(moves: &impl Moves, dir: &Path) -> io::Result<()> {
    create_dirs(moves, dir, &|_| Ok(()))
}

/// Tells `created` the parent of each directory that was not there.
fn create_dirs(
    moves: &impl Moves,
    dir: &Path,
    created: &dyn Fn(&Path) -> io::Result<()>,
) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    let parent = above(dir);
    if parent != dir {
        create_dirs(moves, parent, created)?;
    }
    match moves.create_dir(dir) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => {}
        Err(error) => return Err(error),
    }
    created(parent)
}

/// As [`create_private_dirs`], and durable whoever made it, and maybe died before saying so.
pub(crate) fn durable_private_dir(moves: &impl Moves, dir: &Path) -> io::Result<()> {
    create_private_dirs(moves, dir)?;
    moves.sync_dir(above(dir))
}

/// The directory that has the name of `dir`.
fn above(dir: &Path) -> &Path {
    match dir.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => dir,
    }
}

fn place_by_link(temporary: &Path, name: &Path) -> io::Result<Placed> {
    match fs::hard_link(temporary, name) {
        Ok(()) => fs::remove_file(temporary).map(|()| Placed::Now),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Placed::Taken),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn directories_are_private() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("a/b/c");
        create_private_dirs(&Kernel, &deep).unwrap();
        create_private_dirs(&Kernel, &deep).unwrap();
        for part in ["a", "a/b", "a/b/c"] {
            let mode = fs::metadata(dir.path().join(part)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o700, "{part}");
        }
    }

    #[test]
    fn both_ways_of_placing_never_replace() {
        let ways: [fn(&Path, &Path) -> _; 2] = [|t, n| Kernel.place(t, n), place_by_link];
        for way in ways {
            let dir = tempfile::tempdir().unwrap();
            let (temporary, name) = (dir.path().join("t"), dir.path().join("n"));
            fs::write(&temporary, "first").unwrap();
            assert_eq!(way(&temporary, &name).unwrap(), Placed::Now);
            assert!(!temporary.exists());
            fs::write(&temporary, "second").unwrap();
            assert_eq!(way(&temporary, &name).unwrap(), Placed::Taken);
            assert_eq!(fs::read(&name).unwrap(), b"first");
        }
    }
}
