//! Walking a live tree: every name once, in tree order, through directory descriptors.
//!
//! Invariants
//! 1. No path is resolved twice: each name is opened relative to its directory's descriptor with
//!    `O_NOFOLLOW`, so nobody can swap a link in and make the vault read another file.
//! 2. Only what its inode or its directory says is a regular file or a directory is opened, and
//!    nothing is read that is neither then; a fifo or device is never opened.
//! 3. A name that cannot be examined becomes an `Unreadable` entry.
//! 4. A file with more holes than anybody can hash is named, and holds up nothing behind it.
//! 5. Access times are left alone where the system allows it (`O_NOATIME`).
//!
//! Depth is bounded by the descriptors the process may open; deeper directories are recorded as
//! unreadable. Out of scope: content.

use std::collections::HashMap;
use std::ffi::{CString, OsString};
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use rustix::fs::{
    AtFlags, Dir, FileType, Mode, OFlags, Stat, fgetxattr, flistxattr, fstat, lgetxattr,
    llistxattr, major, minor, openat, readlinkat, statat,
};
use rustix::io::{Errno, fcntl_dupfd_cloexec};

use super::scout::Scouts;
use crate::manifest::{DeviceKind, Entry, Meta, Node, Stored};

/// The kernel's limit for one attribute's value and for the list of names.
const XATTR_MAX: usize = 65536;

/// Bytes of holes in one file, at most. They are part of its SHA-256, and these take three hours; a
/// file system may say that a file has 8 EiB, whose hash takes a century.
const HOLLOW: u64 = 16 << 40;

/// Something found; files come open.
pub(super) enum Found {
    Entry(Entry),
    File {
        path: Vec<u8>,
        meta: Meta,
        file: File,
        stat: Stat,
    },
    /// A file that an earlier copy has, unchanged; it was not opened.
    Same(Stored),
}

/// What is known of a source before it is read.
pub(super) trait Known {
    /// The walk comes into an open directory, on this device, and has examined nothing in it.
    fn enter(&self, directory: BorrowedFd<'_>, device: u64);
    /// Whether there is an earlier copy of anything.
    fn any(&self) -> bool;
    /// The earlier copy of a file that is still the same.
    fn same(&self, path: &[u8], stat: &Stat) -> Option<Stored>;
}

struct Level {
    fd: OwnedFd,
    path: Vec<u8>,
    /// Remaining names, last first.
    names: Vec<Name>,
}

/// A name in a directory, and what the directory says it is.
type Name = (CString, FileType);

pub(super) struct Walk {
    levels: Vec<Level>,
    /// First path of each inode with several names.
    links: HashMap<(u64, u64), Vec<u8>>,
    pending: Option<Entry>,
    scouts: Scouts,
}

impl Walk {
    /// Starts at an open directory; its own entry comes first.
    pub(super) fn new(root: OwnedFd) -> rustix::io::Result<Self> {
        let meta = meta(&fstat(&root)?, &Attributes::Open(root.as_fd()))?;
        let names = names(&root)?;
        let scouts = Scouts::new(root.try_clone().map_err(|_| Errno::MFILE)?);
        let entry = Entry { path: Vec::new(), node: Node::Directory { meta } };
        let levels = vec![Level { fd: root, path: Vec::new(), names }];
        Ok(Self { levels, links: HashMap::new(), pending: Some(entry), scouts })
    }

    fn examine(
        &mut self,
        path: &[u8],
        (name, listed): &Name,
        known: &dyn Known,
    ) -> rustix::io::Result<Found> {
        // If it is none any more, its inode says what it is, or why not.
        if !known.any()
            && *listed == FileType::RegularFile
            && let Ok(Some(found)) = self.file(path, name)
        {
            return Ok(found);
        }
        let Some(level) = self.levels.last() else { return Err(Errno::NOENT) };
        let stat = statat(&level.fd, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        let entry = |node| Ok(Found::Entry(Entry { path: path.to_vec(), node }));
        match kind {
            FileType::RegularFile => {
                if let Some(found) = self.link(path, &stat) {
                    return Ok(found);
                }
                if let Some(stored) = known.same(path, &stat) {
                    self.remember(path, &stat);
                    return Ok(Found::Same(stored));
                }
                match self.file(path, name)? {
                    Some(found) => Ok(found),
                    None => entry(Node::Unreadable { reason: "it was replaced meanwhile".into() }),
                }
            }
            FileType::Directory => {
                let before = self.scouts.lists();
                let fd = open(level.fd.as_fd(), name, OFlags::DIRECTORY)?;
                let now = fstat(&fd)?;
                known.enter(fd.as_fd(), now.st_dev);
                let meta = meta(&now, &Attributes::Open(fd.as_fd()))?;
                let names = names(&fd)?;
                self.levels.push(Level { fd, path: path.to_vec(), names });
                let open = self.levels.iter().map(|level| level.path.as_slice());
                self.scouts.listed(before, open);
                entry(Node::Directory { meta })
            }
            other => {
                let meta = meta(&stat, &Attributes::Named(level.fd.as_fd(), name))?;
                let target = || readlinkat(&level.fd, name, Vec::new()).map(CString::into_bytes);
                entry(special(other, meta, &stat, target)?)
            }
        }
    }
}

impl Walk {
    /// A regular file, opened; `None` if it is none any more.
    fn file(&mut self, path: &[u8], name: &CString) -> rustix::io::Result<Option<Found>> {
        let Some(level) = self.levels.last() else { return Err(Errno::NOENT) };
        let fd = open(level.fd.as_fd(), name, OFlags::NONBLOCK)?;
        let stat = fstat(&fd)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Ok(None);
        }
        if let Some(found) = self.link(path, &stat) {
            return Ok(Some(found));
        }
        let path = path.to_vec();
        if let Some(reason) = too_hollow(&stat) {
            return Ok(Some(Found::Entry(Entry { path, node: Node::Unreadable { reason } })));
        }
        let meta = meta(&stat, &Attributes::Open(fd.as_fd()))?;
        self.remember(&path, &stat);
        Ok(Some(Found::File { path, meta, file: File::from(fd), stat }))
    }

    /// A file that has come under another name.
    fn link(&self, path: &[u8], stat: &Stat) -> Option<Found> {
        let target = self.links.get(&(stat.st_dev, stat.st_ino))?.clone();
        Some(Found::Entry(Entry { path: path.to_vec(), node: Node::HardLink { target } }))
    }

    /// Notes the first path of an inode with several.
    fn remember(&mut self, path: &[u8], stat: &Stat) {
        if stat.st_nlink > 1 {
            self.links.insert((stat.st_dev, stat.st_ino), path.to_vec());
        }
    }

    /// The next thing found, in tree order. Without an earlier copy, what a directory says is a
    /// regular file is opened without another question.
    pub(super) fn step(&mut self, known: &dyn Known) -> Option<Found> {
        if let Some(entry) = self.pending.take() {
            if let Some(Level { fd, .. }) = self.levels.last()
                && let Ok(root) = fstat(fd)
            {
                known.enter(fd.as_fd(), root.st_dev);
            }
            return Some(Found::Entry(entry));
        }
        loop {
            let level = self.levels.last_mut()?;
            let Some(name) = level.names.pop() else {
                self.levels.pop();
                continue;
            };
            let mut path = level.path.clone();
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend_from_slice(name.0.as_bytes());
            self.scouts.step();
            return Some(self.examine(&path, &name, known).unwrap_or_else(|e| {
                let reason = std::io::Error::from(e).to_string();
                Found::Entry(Entry { path, node: Node::Unreadable { reason } })
            }));
        }
    }
}

/// Why a file is not read that is nearly all holes.
pub(super) fn too_hollow(stat: &Stat) -> Option<String> {
    let size = u64::try_from(stat.st_size).unwrap_or(0);
    let kept = u64::try_from(stat.st_blocks).unwrap_or(0).saturating_mul(512);
    (size.saturating_sub(kept) > HOLLOW).then(|| {
        let tebibytes = size >> 40;
        format!(
            "it says that it has {tebibytes} TiB, and the file system keeps {kept} bytes of it: \
             nobody can hash so many holes; a copy of the device it lies on has its data"
        )
    })
}

fn special(
    kind: FileType,
    meta: Meta,
    stat: &Stat,
    target: impl Fn() -> rustix::io::Result<Vec<u8>>,
) -> rustix::io::Result<Node> {
    let device = |meta, kind| {
        let (major, minor) = (major(stat.st_rdev), minor(stat.st_rdev));
        Node::Device { meta, kind, major, minor }
    };
    Ok(match kind {
        FileType::Symlink => Node::Symlink { meta, target: target()? },
        FileType::Fifo => Node::Fifo { meta },
        FileType::Socket => Node::Socket { meta },
        FileType::CharacterDevice => device(meta, DeviceKind::Character),
        FileType::BlockDevice => device(meta, DeviceKind::Block),
        _ => Node::Unreadable { reason: "it is of a kind the vault does not know".into() },
    })
}

/// Opens for reading without following a link, leaving the access time alone if allowed.
pub(super) fn open(
    directory: BorrowedFd<'_>,
    name: &CString,
    extra: OFlags,
) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | extra;
    match openat(directory, name, flags | OFlags::NOATIME, Mode::empty()) {
        Err(Errno::PERM) => openat(directory, name, flags, Mode::empty()),
        opened => opened,
    }
}

/// Names in a directory that was not read before, in reverse tree order. Siblings have no `/`, so
/// byte order is tree order.
fn names(directory: &OwnedFd) -> rustix::io::Result<Vec<Name>> {
    let mut names = Vec::new();
    for item in Dir::new(fcntl_dupfd_cloexec(directory, 0)?)? {
        let item = item?;
        let name = item.file_name().to_owned();
        if name.as_bytes() != b"." && name.as_bytes() != b".." {
            names.push((name, item.file_type()));
        }
    }
    names.sort_unstable_by(|(a, _), (b, _)| b.cmp(a));
    Ok(names)
}

/// Where attributes are read from.
pub(super) enum Attributes<'a> {
    Open(BorrowedFd<'a>),
    /// A name that must not be opened, in an open directory.
    Named(BorrowedFd<'a>, &'a CString),
}

impl Attributes<'_> {
    /// Through /proc, because the l*xattr calls take paths only.
    fn proc_path(directory: BorrowedFd<'_>, name: &CString) -> Vec<u8> {
        let mut path = format!("/proc/self/fd/{}/", directory.as_raw_fd()).into_bytes();
        path.extend_from_slice(name.as_bytes());
        path
    }

    fn list(&self, buffer: &mut [u8]) -> rustix::io::Result<usize> {
        match self {
            Self::Open(fd) => flistxattr(fd, buffer),
            Self::Named(dir, name) => llistxattr(Self::proc_path(*dir, name), buffer),
        }
    }

    fn get(&self, attribute: &[u8], buffer: &mut [u8]) -> rustix::io::Result<usize> {
        match self {
            Self::Open(fd) => fgetxattr(fd, attribute, buffer),
            Self::Named(dir, name) => lgetxattr(Self::proc_path(*dir, name), attribute, buffer),
        }
    }

    fn read(&self) -> rustix::io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
        // Most inodes have none or a few: one system call with a small buffer tells.
        let mut small = [0; 512];
        let mut large = Vec::new();
        let listed: &[u8] = match self.list(&mut small) {
            Ok(n) => &small[..n],
            Err(Errno::RANGE) => {
                large.resize(XATTR_MAX, 0);
                let n = self.list(&mut large)?;
                &large[..n]
            }
            // No attributes here, or no /proc to ask through.
            Err(Errno::NOTSUP | Errno::NOENT | Errno::PERM) => return Ok(Vec::new()),
            Err(e) => return Err(e),
        };
        let mut out = Vec::new();
        for name in listed.split(|c| *c == 0).filter(|n| !n.is_empty()) {
            let mut value = vec![0; XATTR_MAX];
            match self.get(name, &mut value) {
                Ok(n) => {
                    value.truncate(n);
                    value.shrink_to_fit();
                    out.push((name.to_vec(), value));
                }
                Err(Errno::NODATA) => {} // removed since it was listed
                Err(e) => return Err(e),
            }
        }
        out.sort_unstable();
        Ok(out)
    }
}

/// Metadata of an inode.
pub(super) fn meta(stat: &Stat, attributes: &Attributes<'_>) -> rustix::io::Result<Meta> {
    let nanos = |n| u32::try_from(n).unwrap_or(0); // the kernel gives 0..1_000_000_000
    Ok(Meta {
        mode: stat.st_mode & 0o7777,
        uid: stat.st_uid,
        gid: stat.st_gid,
        mtime: (stat.st_mtime, nanos(stat.st_mtime_nsec)),
        ctime: (stat.st_ctime, nanos(stat.st_ctime_nsec)),
        xattrs: attributes.read()?,
    })
}

/// Whether size or times moved between two looks at an inode.
pub(super) fn moved(before: &Stat, after: &Stat) -> bool {
    let key = |s: &Stat| (s.st_size, s.st_mtime, s.st_mtime_nsec, s.st_ctime, s.st_ctime_nsec);
    key(before) != key(after)
}

/// A manifest path as a path.
pub(crate) fn path_of(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsString::from_vec(bytes.to_vec()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// Nothing that is there is in the earlier copy, if there is one.
    struct Nothing {
        copied: bool,
    }

    impl Known for Nothing {
        fn enter(&self, _: BorrowedFd<'_>, _: u64) {}

        fn any(&self) -> bool {
            self.copied
        }

        fn same(&self, _: &[u8], _: &Stat) -> Option<Stored> {
            None
        }
    }

    /// What a walk finds below `dir`, with an earlier copy that knows nothing or without one, if
    /// `meanwhile` happens between its listing and its looking.
    fn found(dir: &std::path::Path, copied: bool, meanwhile: impl FnOnce()) -> Vec<Node> {
        let known = &Nothing { copied };
        let mut walk = Walk::new(File::open(dir).unwrap().into()).unwrap();
        drop(walk.step(known));
        meanwhile();
        std::iter::from_fn(|| walk.step(known))
            .map(|found| match found {
                Found::Entry(entry) => entry.node,
                Found::File { meta, .. } => Node::File { meta, content: Default::default() },
                Found::Same(stored) => stored.entry.node,
            })
            .collect()
    }

    #[test]
    fn what_was_listed_as_a_file_is_what_it_is_when_it_is_looked_at() {
        for copied in [false, true] {
            let dir = tempfile::tempdir().unwrap();
            let path = |name: &str| dir.path().join(name);
            for name in ["a", "b", "c", "d", "f"] {
                std::fs::write(path(name), "x").unwrap();
            }
            std::fs::hard_link(path("a"), path("e")).unwrap();
            let nodes = found(dir.path(), copied, || {
                for name in ["b", "c", "d"] {
                    std::fs::remove_file(path(name)).unwrap();
                }
                symlink("a", path("b")).unwrap();
                let mode = Mode::RUSR | Mode::WUSR;
                rustix::fs::mknodat(rustix::fs::CWD, path("c"), FileType::Fifo, mode, 0).unwrap();
            });
            let [a, b, c, d, e, f] = nodes.as_slice() else { panic!("{nodes:?}") };
            assert!(matches!(a, Node::File { .. }), "{a:?}");
            assert!(matches!(b, Node::Symlink { target, .. } if target == b"a"), "{b:?}");
            assert!(matches!(c, Node::Fifo { .. }), "{c:?}");
            assert!(matches!(d, Node::Unreadable { .. }), "it is gone: {d:?}");
            assert!(matches!(e, Node::HardLink { target } if target == b"a"), "{e:?}");
            assert!(matches!(f, Node::File { .. }), "{f:?}");
        }
    }
}
