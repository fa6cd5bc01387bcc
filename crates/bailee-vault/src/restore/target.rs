//! The destination: every creation through a directory descriptor, no link ever followed.
//!
//! Invariants: paths were checked with the manifest and have no `..`; each component is opened
//! with `O_NOFOLLOW | O_DIRECTORY` below the destination's own descriptor; each file is created
//! with `O_EXCL`. Somebody who swaps a directory for a link meanwhile gets an error, not a write.

use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Gid, Mode, OFlags, Timespec, Timestamps, Uid, XattrFlags, chownat,
    fchmod, fchown, fsetxattr, fstat, futimens, linkat, lsetxattr, makedev, mkdirat, mknodat,
    openat, symlinkat, syncfs, unlinkat, utimensat,
};
use rustix::io::Errno;

use crate::error::VaultError;
use crate::manifest::{DeviceKind, Meta, Node, parent};
use crate::preserve::path_of;

pub(crate) struct Target {
    root: OwnedFd,
    /// The directory used last; consecutive entries mostly share it.
    last: Option<(Vec<u8>, OwnedFd)>,
}

fn failed(path: &[u8], doing: &'static str) -> impl Fn(Errno) -> VaultError {
    let path = path_of(path).display().to_string();
    move |e| VaultError::Destination {
        path: path.clone(),
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
        let root = match openat(CWD, dest, DIRECTORY, Mode::empty()) {
            Err(Errno::NOTDIR | Errno::LOOP) => return Err(occupied()),
            opened => opened.map_err(fail("open it"))?,
        };
        for item in Dir::read_from(&root).map_err(fail("list it"))? {
            let item = item.map_err(fail("list it"))?;
            if !matches!(item.file_name().to_bytes(), b"." | b"..") {
                return Err(occupied());
            }
        }
        Ok(Self { root, last: None })
    }

    pub(crate) fn open_directory(&self, path: &[u8]) -> Result<OwnedFd, VaultError> {
        self.walk(path).map_err(failed(path, "open the directory"))
    }

    fn walk(&self, path: &[u8]) -> Result<OwnedFd, Errno> {
        let root = self.root.try_clone();
        let mut fd = root.map_err(|e| Errno::from_io_error(&e).unwrap_or(Errno::IO))?;
        for component in path.split(|c| *c == b'/').filter(|c| !c.is_empty()) {
            fd = openat(&fd, component, DIRECTORY, Mode::empty())?;
        }
        Ok(fd)
    }

    /// The directory a path lies in, and its last component.
    fn within<'p>(&mut self, path: &'p [u8]) -> Result<(&OwnedFd, &'p OsStr), VaultError> {
        let above = parent(path).unwrap_or_default();
        let name = if above.is_empty() { path } else { &path[above.len() + 1..] };
        if self.last.as_ref().is_none_or(|(known, _)| known != above) {
            let fd = self.open_directory(above)?;
            self.last = Some((above.to_vec(), fd));
        }
        let fd = self.last.as_ref().map_or(&self.root, |(_, fd)| fd);
        Ok((fd, OsStr::from_bytes(name)))
    }

    pub(crate) fn directory(&mut self, path: &[u8]) -> Result<(), VaultError> {
        let (fd, name) = self.within(path)?;
        mkdirat(fd, name, Mode::RWXU).map_err(failed(path, "create the directory"))
    }

    pub(crate) fn file(&mut self, path: &[u8]) -> Result<File, VaultError> {
        let (fd, name) = self.within(path)?;
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(fd, name, flags, Mode::RUSR | Mode::WUSR);
        file.map(File::from).map_err(failed(path, "create the file"))
    }

    pub(crate) fn link(&mut self, first: &[u8], path: &[u8]) -> Result<(), VaultError> {
        let above = parent(first).unwrap_or_default();
        let old = self.open_directory(above)?;
        let old_name = if above.is_empty() { first } else { &first[above.len() + 1..] };
        let (fd, name) = self.within(path)?;
        linkat(&old, OsStr::from_bytes(old_name), fd, name, AtFlags::empty())
            .map_err(failed(path, "create the hard link"))
    }

    /// Creates a symbolic link, fifo, socket or device node with its metadata. One that this user
    /// may not create is told to `miss`.
    pub(crate) fn special(
        &mut self,
        path: &[u8],
        node: &Node,
        miss: &mut dyn FnMut(&str),
    ) -> Result<(), VaultError> {
        let (fd, name) = self.within(path)?;
        let make = |kind, device| mknodat(fd, name, kind, Mode::RUSR | Mode::WUSR, device);
        let (made, meta) = match node {
            Node::Symlink { meta, target } => {
                (symlinkat(OsStr::from_bytes(target), fd, name), meta)
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
            Ok(()) => apply_named(fd, name, node, meta, miss),
            Err(Errno::PERM | Errno::ACCESS) => {
                miss("it is a special node that only root may create");
            }
            Err(e) => return Err(failed(path, "create the node")(e)),
        }
        Ok(())
    }

    /// Removes what may not have been made yet.
    pub(crate) fn remove(&self, path: &[u8]) -> Result<(), VaultError> {
        let above = parent(path).unwrap_or_default();
        let name = if above.is_empty() { path } else { &path[above.len() + 1..] };
        match self.walk(above).and_then(|fd| unlinkat(fd, name, AtFlags::empty())) {
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

fn times(meta: &Meta) -> Timestamps {
    let (tv_sec, nanos) = meta.mtime;
    let time = Timespec { tv_sec, tv_nsec: nanos.into() };
    Timestamps { last_access: time, last_modification: time }
}

fn tell(miss: &mut dyn FnMut(&str), what: &str, outcome: rustix::io::Result<()>) {
    if let Err(e) = outcome {
        miss(&format!("{what}: {}", std::io::Error::from(e)));
    }
}

/// Metadata of an open file or directory: owner first (it clears set-id bits and capabilities),
/// then attributes, mode, times. What is so already is left alone: each change writes the inode.
pub(crate) fn apply(fd: &impl AsFd, meta: &Meta, miss: &mut dyn FnMut(&str)) {
    let (uid, gid) = (Uid::from_raw(meta.uid), Gid::from_raw(meta.gid));
    let now = fstat(fd);
    let owned = now.as_ref().is_ok_and(|s| (s.st_uid, s.st_gid) == (meta.uid, meta.gid));
    if !owned {
        let what = format!("owner {}:{}", meta.uid, meta.gid);
        tell(miss, &what, fchown(fd, Some(uid), Some(gid)));
    }
    for (name, value) in &meta.xattrs {
        let what = format!("attribute {}", String::from_utf8_lossy(name));
        tell(miss, &what, fsetxattr(fd, name.as_slice(), value, XattrFlags::empty()));
    }
    let untouched = owned && meta.xattrs.is_empty();
    if !(untouched && now.is_ok_and(|s| s.st_mode & 0o7777 == meta.mode)) {
        let what = format!("mode {:04o}", meta.mode);
        tell(miss, &what, fchmod(fd, Mode::from_raw_mode(meta.mode)));
    }
    tell(miss, "times", futimens(fd, &times(meta)));
}

/// Metadata of a node that is not opened.
fn apply_named(
    directory: &OwnedFd,
    name: &OsStr,
    node: &Node,
    meta: &Meta,
    miss: &mut dyn FnMut(&str),
) {
    let (uid, gid) = (Uid::from_raw(meta.uid), Gid::from_raw(meta.gid));
    let what = format!("owner {}:{}", meta.uid, meta.gid);
    let flags = AtFlags::SYMLINK_NOFOLLOW;
    tell(miss, &what, chownat(directory, name, Some(uid), Some(gid), flags));
    let mut path = format!("/proc/self/fd/{}/", directory.as_raw_fd()).into_bytes();
    path.extend_from_slice(name.as_bytes());
    for (attribute, value) in &meta.xattrs {
        let what = format!("attribute {}", String::from_utf8_lossy(attribute));
        let set = lsetxattr(path.as_slice(), attribute.as_slice(), value, XattrFlags::empty());
        tell(miss, &what, set);
    }
    if !matches!(node, Node::Symlink { .. }) {
        // The node was created here a moment ago, in a directory nobody else may enter.
        let mode = Mode::from_raw_mode(meta.mode);
        let set = rustix::fs::chmodat(directory, name, mode, AtFlags::empty());
        tell(miss, &format!("mode {:04o}", meta.mode), set);
    }
    tell(miss, "times", utimensat(directory, name, &times(meta), flags));
}
