//! The destination: every creation through a directory descriptor, no link ever followed.
//!
//! Invariants: paths were checked with the manifest and have no `..`; each component is opened
//! with `O_NOFOLLOW | O_DIRECTORY` below the destination's own descriptor; each file is created
//! with `O_EXCL`. Somebody who swaps a directory for a link meanwhile gets an error, or what was
//! written is in the directory that was moved away: never behind the link.

use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, fstatvfs, fsync, linkat, makedev, mkdirat, mknodat,
    openat, symlinkat, syncfs, unlinkat,
};
use rustix::io::Errno;

use super::attributes::{Missing, apply_named, takes_root};
use super::missed::Miss;
use super::way::Way;
use crate::error::VaultError;
use crate::manifest::{DeviceKind, Meta, Node, parent};
use crate::preserve::path_of;

/// What lies in a destination while not all of it is there.
pub(crate) const MARKER: &str = ".bailee-restore-incomplete";
/// What is in it: for whoever finds it.
const MARKED: &[u8] = b"A restore into this directory has not come to its end: not all is here.\n";

pub(crate) struct Target {
    root: Arc<OwnedFd>,
    /// What the marker is called, while it is there.
    marker: Option<String>,
    way: Way,
}

/// What a failure is told as. A path may be long, so it is put into words only then.
fn failed(path: &[u8], doing: &'static str) -> impl Fn(Errno) -> VaultError {
    move |e| VaultError::Destination {
        path: path_of(path).display().to_string(),
        doing,
        detail: std::io::Error::from(e).to_string(),
    }
}

const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

impl Target {
    /// Makes the directory, or takes an empty one.
    pub(crate) fn open(dest: &Path) -> Result<Self, VaultError> {
        let fail = |doing| failed(dest.as_os_str().as_bytes(), doing);
        match mkdirat(CWD, dest, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(e) => return Err(fail("create it")(e)),
        }
        let occupied = || VaultError::Occupied { path: dest.display().to_string() };
        let cut_off = || VaultError::CutOff { path: dest.display().to_string() };
        let mut there = false;
        let root = match openat(CWD, dest, DIRECTORY, Mode::empty()) {
            Err(Errno::NOTDIR | Errno::LOOP) => return Err(occupied()),
            opened => opened.map_err(fail("open it"))?,
        };
        for item in Dir::read_from(&root).map_err(fail("list it"))? {
            let item = item.map_err(fail("list it"))?;
            let name = item.file_name().to_bytes();
            if name.starts_with(MARKER.as_bytes()) {
                return Err(cut_off());
            }
            there |= !matches!(name, b"." | b"..");
        }
        if there {
            return Err(occupied());
        }
        Ok(Self { root: Arc::new(root), marker: None, way: Way::default() })
    }

    /// Says in the destination that not all is there yet, by a name that `taken` leaves free.
    pub(crate) fn mark(&mut self, taken: &dyn Fn(&[u8]) -> bool) -> Result<(), VaultError> {
        let mut name = MARKER.to_owned();
        while taken(name.as_bytes()) {
            name.push('_');
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let fail = failed(name.as_bytes(), "create the marker of a restore");
        let file = openat(&self.root, &*name, flags, Mode::from_raw_mode(0o644)).map_err(&fail)?;
        rustix::io::write(&file, MARKED).map_err(fail)?;
        self.marker = Some(name);
        Ok(())
    }

    /// All is there.
    pub(crate) fn unmark(&mut self) -> Result<(), VaultError> {
        let Some(name) = self.marker.take() else { return Ok(()) };
        let fail = failed(name.as_bytes(), "remove the marker of a restore");
        unlinkat(&self.root, &*name, AtFlags::empty()).map_err(fail)
    }

    /// Whether the marker has this path.
    pub(crate) fn is_marker(&self, path: &[u8]) -> bool {
        self.marker.as_ref().is_some_and(|name| name.as_bytes() == path)
    }

    /// Bytes that are free where it lies, if the file system says so.
    pub(super) fn room(&self) -> Option<u64> {
        let stat = fstatvfs(&self.root).ok()?;
        Some(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    pub(crate) fn open_directory(&mut self, path: &[u8]) -> Result<Arc<OwnedFd>, VaultError> {
        self.walk(path).map_err(failed(path, "open the directory"))
    }

    fn walk(&mut self, path: &[u8]) -> Result<Arc<OwnedFd>, Errno> {
        let (mut fd, from) = self.way.nearest(path).unwrap_or((self.root.clone(), 0));
        for component in path[from..].split(|c| *c == b'/').filter(|c| !c.is_empty()) {
            fd = Arc::new(openat(&fd, component, DIRECTORY, Mode::empty())?);
            self.way.push(component, &fd);
        }
        Ok(fd)
    }

    /// The directory a path lies in, and its last component.
    fn within<'p>(&mut self, path: &'p [u8]) -> Result<(Arc<OwnedFd>, &'p OsStr), VaultError> {
        Ok((self.open_directory(parent(path).unwrap_or_default())?, name_of(path)))
    }

    pub(crate) fn directory(&mut self, path: &[u8]) -> Result<(), VaultError> {
        let (fd, name) = self.within(path)?;
        mkdirat(fd, name, Mode::RWXU).map_err(failed(path, "create the directory"))
    }

    /// Where a file is going to be made.
    pub(super) fn spot(&mut self, path: &[u8]) -> Result<Spot, VaultError> {
        Ok(Spot(self.within(path)?.0))
    }

    pub(crate) fn file(&mut self, path: &[u8], meta: &Meta) -> Result<File, VaultError> {
        self.spot(path)?.file(path, meta)
    }

    pub(crate) fn link(&mut self, first: &[u8], path: &[u8]) -> Result<(), VaultError> {
        let (old, old_name) = self.within(first)?;
        let (new, name) = self.within(path)?;
        linkat(old, old_name, new, name, AtFlags::empty())
            .map_err(failed(path, "create the hard link"))
    }

    /// Creates a symbolic link, fifo, socket or device node with its metadata. One that this user
    /// may not make, or that cannot be on this file system, is told to `miss`.
    pub(crate) fn special(
        &mut self,
        path: &[u8],
        node: &Node,
        miss: &mut Missing<'_>,
    ) -> Result<(), VaultError> {
        let (fd, name) = self.within(path)?;
        let make = |kind, device| mknodat(&fd, name, kind, Mode::RUSR | Mode::WUSR, device);
        let (made, meta) = match node {
            Node::Symlink { meta, target } => {
                (symlinkat(OsStr::from_bytes(target), &fd, name), meta)
            }
            Node::Fifo { meta } => (make(FileType::Fifo, 0), meta),
            Node::Socket { meta } => (make(FileType::Socket, 0), meta),
            Node::Device { meta, kind, major, minor } => {
                let kind = match kind {
                    DeviceKind::Character => FileType::CharacterDevice,
                    DeviceKind::Block => FileType::BlockDevice,
                };
                (make(kind, makedev(*major, *minor)), meta)
            }
            _ => return Ok(()),
        };
        match made {
            Ok(()) => apply_named(&fd, name, (node, meta), miss),
            Err(
                e @ (Errno::PERM | Errno::ACCESS | Errno::NOTSUP | Errno::NOSYS | Errno::INVAL),
            ) => {
                let root = if takes_root(Err(e)) { ": only root may make one" } else { "" };
                let why = std::io::Error::from(e);
                miss(Miss::Refused(format!("the {} was not made: {why}{root}", node.kind())));
            }
            Err(e) => return Err(failed(path, "create the node")(e)),
        }
        Ok(())
    }

    /// Removes what may not have been made yet.
    pub(crate) fn remove(&mut self, path: &[u8]) -> Result<(), VaultError> {
        let above = self.walk(parent(path).unwrap_or_default());
        match above.and_then(|fd| unlinkat(fd, name_of(path), AtFlags::empty())) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(e) => Err(failed(path, "remove the damaged file")(e)),
        }
    }

    /// Tells the file system to write out while files are still coming.
    pub(super) fn flusher(&self) -> Result<Flusher, VaultError> {
        let fail = failed(b".", "open the directory again");
        let root = self.root.try_clone();
        let root = root.map_err(|e| fail(Errno::from_io_error(&e).unwrap_or(Errno::IO)))?;
        Ok(Flusher { root, waiting: AtomicU64::new(0) })
    }

    pub(crate) fn sync(&self) -> Result<(), VaultError> {
        syncfs(&self.root).map_err(failed(b".", "sync the file system"))
    }

    /// The directory itself; what is in it was synced.
    pub(super) fn sync_top(&self) -> Result<(), VaultError> {
        fsync(&self.root).map_err(failed(b".", "sync the directory"))
    }
}

/// An open directory that a file is going to be made in, by whichever thread.
pub(super) struct Spot(Arc<OwnedFd>);

impl Spot {
    /// Makes it, with the permissions it is going to have but for writing by others and set-id:
    /// who may not read it in the end may not read it before.
    pub(super) fn file(&self, path: &[u8], meta: &Meta) -> Result<File, VaultError> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(&self.0, name_of(path), flags, Mode::from_raw_mode(meta.mode & 0o755));
        file.map(File::from).map_err(failed(path, "create the file"))
    }
}

/// The last component of a path.
fn name_of(path: &[u8]) -> &OsStr {
    let start = path.iter().rposition(|c| *c == b'/').map_or(0, |at| at + 1);
    OsStr::from_bytes(&path[start..])
}

/// See [`Target::flusher`].
pub(super) struct Flusher {
    root: OwnedFd,
    /// Bytes written since the last time.
    waiting: AtomicU64,
}

impl Flusher {
    /// Bytes between two syncs.
    const EACH: u64 = 64 * 1024 * 1024;

    /// Counts; the thread that reaches the limit syncs, the others go on. A failure will show
    /// again at the end, where it counts.
    pub(super) fn wrote(&self, bytes: u64) {
        let before = self.waiting.fetch_add(bytes, Ordering::Relaxed);
        if before < Self::EACH && before + bytes >= Self::EACH {
            let _ = syncfs(&self.root);
            self.waiting.store(0, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Deeper than directories stay open, names that begin alike, up and down again.
    #[test]
    fn each_path_leads_to_its_own_directory() {
        let dest = tempfile::tempdir().unwrap();
        let mut target = Target::open(dest.path()).unwrap();
        let deep = vec!["d"; 200].join("/");
        let mut paths: Vec<String> =
            (0..deep.len()).step_by(2).map(|at| deep[..=at].to_owned()).collect();
        paths.extend(["a", "a/b", "ab", "ab/b", "a/bc", "a/b/c"].map(str::to_owned));
        for path in &paths {
            target.directory(path.as_bytes()).unwrap();
        }
        let turns = [0, paths.len() - 1, 199, 3, 70, 63, 64, 129, 7, 8];
        for path in turns.into_iter().chain((0..paths.len()).rev()).map(|at| &paths[at]) {
            let name = format!("{path}/f");
            drop(target.file(name.as_bytes(), &Meta::default()).unwrap());
            assert!(target.way.kept() <= 40);
            std::fs::remove_file(dest.path().join(name)).expect("it is where its path says");
        }
    }

    #[test]
    fn a_link_in_the_place_of_a_directory_is_not_followed() {
        let (dest, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut target = Target::open(dest.path()).unwrap();
        target.directory(b"a").unwrap();
        target.directory(b"b").unwrap();
        std::fs::remove_dir(dest.path().join("a")).unwrap();
        std::os::unix::fs::symlink(outside.path(), dest.path().join("a")).unwrap();
        let refused = target.file(b"a/f", &Meta::default());
        assert!(matches!(refused, Err(VaultError::Destination { .. })), "{refused:?}");
        assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
    }
}
