//! Requests of the kernel, answered from the inode table and the contents.
//!
//! Invariants
//! 1. A read gives all bytes asked for (up to the end of the file) or EIO, never fewer: the kernel
//!    takes fewer for the end of the file and fills the rest of its page with zeros.
//! 2. Everything here is fixed for the life of the mount, so the kernel may remember all of it.
//! 3. What cannot be served is said by file and range before the system call fails.
//!
//! Out of scope: everything that writes: the kernel refuses it (the mount is read-only), and what
//! is not implemented here answers ENOSYS.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bailee_vault::{Contents, Entry, Node, OpenFile, VaultError};
use fuser::{
    AccessFlags, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation,
    INodeNo, LockOwner, OpenFlags, ReplyAttr, ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry,
    ReplyLseek, ReplyOpen, ReplyStatfs, ReplyXattr, Request,
};

use crate::attr::{attributes, kind};
use crate::complaint::Complaints;
use crate::tree::Tree;

/// How long the kernel may remember names and attributes: they never change.
const FOR_LONG: Duration = Duration::from_secs(24 * 60 * 60);
/// Numbers of `lseek`, by definition of the kernel.
const SEEK_DATA: i32 = 3;
const SEEK_HOLE: i32 = 4;
/// Unit in which `statfs` counts.
const BLOCK: u32 = 4096;
/// Where a listing goes on after `.`, and what is added to where children go on.
const DOTS: u64 = 2;

/// A snapshot that is being served.
pub(crate) struct Served {
    tree: Tree,
    contents: Contents,
    open: Mutex<HashMap<u64, Arc<OpenFile>>>,
    handles: AtomicU64,
    complaints: Complaints,
}

impl Served {
    pub(crate) fn new(tree: Tree, contents: Contents, complaints: Complaints) -> Served {
        let (open, handles) = (Mutex::default(), AtomicU64::new(1));
        Served { tree, contents, open, handles, complaints }
    }

    fn attr(&self, inode: u64) -> Option<FileAttr> {
        let entry = self.tree.entry(inode)?;
        let stored = self.tree.which(inode).map_or(0, |which| self.contents.stored_bytes(which));
        Some(attributes(entry, inode, self.tree.names(inode), stored))
    }

    fn handles(&self) -> MutexGuard<'_, HashMap<u64, Arc<OpenFile>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn file(&self, handle: FileHandle) -> Option<Arc<OpenFile>> {
        self.handles().get(&handle.0).map(Arc::clone)
    }

    fn open_file(&self, inode: u64) -> Result<u64, Errno> {
        let entry = self.tree.entry(inode).ok_or(Errno::ENOENT)?;
        let shown = String::from_utf8_lossy(&entry.path);
        let which = match (&entry.node, self.tree.which(inode)) {
            (Node::File { .. }, Some(which)) => which,
            (Node::Unreadable { reason }, _) => {
                let told = format!("{shown:?} was unreadable when it was preserved: {reason}");
                self.complaints.tell(told);
                return Err(Errno::EIO);
            }
            (Node::HardLink { target }, _) => {
                let target = String::from_utf8_lossy(target);
                self.complaints.tell(format!("{shown:?} names {target:?}, which is not there"));
                return Err(Errno::EIO);
            }
            (Node::Directory { .. }, _) => return Err(Errno::EISDIR),
            _ => return Err(Errno::ENXIO),
        };
        let handle = self.handles.fetch_add(1, Ordering::Relaxed);
        let file = self.contents.open(which, &entry.path);
        self.handles().insert(handle, Arc::new(file));
        Ok(handle)
    }

    /// The range the medium never gave, with both ends; other failures say theirs themselves.
    fn complain(&self, inode: u64, why: &VaultError) {
        let content = self.tree.entry(inode).and_then(Entry::content);
        let told = match (why, content) {
            (VaultError::NeverRead { path, offset }, Some(content)) => {
                let range = content.unreadable.iter().find(|(at, len)| {
                    at.checked_add(*len).is_some_and(|end| (*at..end).contains(offset))
                });
                range.map(|(at, len)| {
                    let end = at.saturating_add(*len);
                    format!("bytes {at}..{end} of {path:?} were unreadable when it was preserved")
                })
            }
            _ => None,
        };
        self.complaints.tell(told.unwrap_or_else(|| why.to_string()));
    }

    fn attribute(&self, inode: u64, name: &OsStr) -> Option<&[u8]> {
        let xattrs = &self.tree.entry(inode)?.meta()?.xattrs;
        let at = xattrs.binary_search_by(|(known, _)| known.as_slice().cmp(name.as_bytes()));
        at.ok().map(|at| xattrs[at].1.as_slice())
    }

    fn list(&self, directory: u64, offset: u64, reply: &mut ReplyDirectory) {
        let parent = self.tree.parent(directory).unwrap_or(directory);
        let dots = [(directory, 1, "."), (parent, DOTS, "..")];
        for (inode, next, name) in dots.into_iter().skip(usize::from(offset > 0)) {
            if offset < DOTS && reply.add(INodeNo(inode), next, FileType::Directory, name) {
                return;
            }
        }
        for child in self.tree.children(directory, offset.saturating_sub(DOTS)) {
            let kind = self.tree.entry(child.inode).map_or(FileType::RegularFile, kind);
            let name = OsStr::from_bytes(child.name);
            if reply.add(INodeNo(child.inode), child.next + DOTS, kind, name) {
                return;
            }
        }
    }
}

/// A value whose size is asked for first.
fn sized(value: &[u8], size: u32, reply: ReplyXattr) {
    match u32::try_from(value.len()) {
        Ok(len) if size == 0 => reply.size(len),
        Ok(len) if len <= size => reply.data(value),
        _ => reply.error(Errno::ERANGE),
    }
}

impl Filesystem for Served {
    fn lookup(&self, _req: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let found = self.tree.lookup(parent.0, name.as_bytes());
        match found.and_then(|inode| self.attr(inode)) {
            Some(attr) => reply.entry(&FOR_LONG, &attr, Generation(0)),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn getattr(&self, _req: &Request, ino: INodeNo, _fh: Option<FileHandle>, reply: ReplyAttr) {
        match self.attr(ino.0) {
            Some(attr) => reply.attr(&FOR_LONG, &attr),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn readlink(&self, _req: &Request, ino: INodeNo, reply: ReplyData) {
        match self.tree.entry(ino.0).map(|entry| &entry.node) {
            Some(Node::Symlink { target, .. }) => reply.data(target),
            Some(_) => reply.error(Errno::EINVAL),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn open(&self, _req: &Request, ino: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        match self.open_file(ino.0) {
            Ok(handle) => reply.opened(FileHandle(handle), FopenFlags::FOPEN_KEEP_CACHE),
            Err(errno) => reply.error(errno),
        }
    }

    fn read(
        &self,
        _req: &Request,
        ino: INodeNo,
        fh: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let Some(file) = self.file(fh) else { return reply.error(Errno::EBADF) };
        match self.contents.read(&file, offset, size as usize) {
            Ok(bytes) => reply.data(&bytes),
            Err(why) => {
                self.complain(ino.0, &why);
                reply.error(Errno::EIO);
            }
        }
    }

    fn release(
        &self,
        _req: &Request,
        _ino: INodeNo,
        fh: FileHandle,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        _flush: bool,
        reply: ReplyEmpty,
    ) {
        self.handles().remove(&fh.0);
        reply.ok();
    }

    fn lseek(
        &self,
        _req: &Request,
        _ino: INodeNo,
        fh: FileHandle,
        offset: i64,
        whence: i32,
        reply: ReplyLseek,
    ) {
        let Some(file) = self.file(fh) else { return reply.error(Errno::EBADF) };
        let found = match (u64::try_from(offset), whence) {
            (Ok(offset), SEEK_DATA) => self.contents.next_data(&file, offset),
            (Ok(offset), SEEK_HOLE) => self.contents.next_hole(&file, offset),
            _ => return reply.error(Errno::EINVAL),
        };
        match found.and_then(|at| i64::try_from(at).ok()) {
            Some(at) => reply.offset(at),
            None => reply.error(Errno::ENXIO),
        }
    }

    fn readdir(
        &self,
        _req: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        match self.tree.entry(ino.0).map(|entry| &entry.node) {
            Some(Node::Directory { .. }) => {
                self.list(ino.0, offset, &mut reply);
                reply.ok();
            }
            Some(_) => reply.error(Errno::ENOTDIR),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn statfs(&self, _req: &Request, _ino: INodeNo, reply: ReplyStatfs) {
        let stored = self.contents.all_stored_bytes().div_ceil(u64::from(BLOCK));
        reply.statfs(stored, 0, 0, self.tree.len() as u64, 0, BLOCK, 255, BLOCK);
    }

    fn getxattr(&self, _req: &Request, ino: INodeNo, name: &OsStr, size: u32, reply: ReplyXattr) {
        match self.attribute(ino.0, name) {
            Some(value) => sized(value, size, reply),
            None => reply.error(Errno::NO_XATTR),
        }
    }

    fn listxattr(&self, _req: &Request, ino: INodeNo, size: u32, reply: ReplyXattr) {
        let meta = self.tree.entry(ino.0).and_then(Entry::meta);
        let xattrs = meta.map_or(&[][..], |meta| &meta.xattrs);
        let names: Vec<u8> =
            xattrs.iter().flat_map(|(name, _)| [name, &b"\0"[..]].concat()).collect();
        sized(&names, size, reply);
    }

    fn access(&self, _req: &Request, _ino: INodeNo, _mask: AccessFlags, reply: ReplyEmpty) {
        reply.ok(); // whoever may look into the mount may read all of it
    }
}
