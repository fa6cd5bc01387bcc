//! Trees on disk: what to fill them with, and how to describe them.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

/// Bytes that look random and are the same every time.
pub(crate) fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut out = Vec::with_capacity(len + 8);
    while out.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out.extend_from_slice(&state.to_le_bytes());
    }
    out.truncate(len);
    out
}

/// Everything a restore must bring back of one inode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    kind: &'static str,
    mode: u32,
    owner: (u32, u32),
    mtime: (i64, i64),
    rdev: u64,
    content: Vec<u8>,
    xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    /// First path of the same inode.
    same_as: Vec<u8>,
}

/// Describes a tree, root included, by raw path.
pub(crate) fn describe(root: &Path) -> BTreeMap<Vec<u8>, Seen> {
    let mut out = BTreeMap::new();
    let mut inodes = BTreeMap::new();
    visit(root, root, &mut inodes, &mut out);
    out
}

fn visit(
    root: &Path,
    path: &Path,
    inodes: &mut BTreeMap<u64, Vec<u8>>,
    out: &mut BTreeMap<Vec<u8>, Seen>,
) {
    let meta = std::fs::symlink_metadata(path).unwrap();
    let kind = meta.file_type();
    let name = path.strip_prefix(root).unwrap().as_os_str().as_bytes().to_vec();
    let (word, content) = match () {
        () if kind.is_dir() => ("dir", vec![]),
        () if kind.is_file() => ("file", std::fs::read(path).unwrap()),
        () if kind.is_symlink() => {
            ("link", std::fs::read_link(path).unwrap().as_os_str().as_bytes().to_vec())
        }
        () if kind.is_fifo() => ("fifo", vec![]),
        () if kind.is_socket() => ("socket", vec![]),
        () => ("device", vec![]),
    };
    let same_as = inodes.entry(meta.ino()).or_insert_with(|| name.clone()).clone();
    let seen = Seen {
        kind: word,
        mode: if kind.is_symlink() { 0 } else { meta.mode() & 0o7777 },
        owner: (meta.uid(), meta.gid()),
        mtime: (meta.mtime(), meta.mtime_nsec()),
        rdev: meta.rdev(),
        content,
        xattrs: xattrs(path),
        same_as,
    };
    out.insert(name, seen);
    if kind.is_dir() {
        let mut below: Vec<_> =
            std::fs::read_dir(path).unwrap().map(|e| e.unwrap().path()).collect();
        below.sort();
        below.iter().for_each(|p| visit(root, p, inodes, out));
    }
}

fn xattrs(path: &Path) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut list = vec![0; 65536];
    let n = rustix::fs::llistxattr(path, &mut list[..]).unwrap_or(0);
    let names = list[..n].split(|c| *c == 0).filter(|n| !n.is_empty());
    let mut out: Vec<_> = names
        .map(|name| {
            let mut value = vec![0; 65536];
            let n = rustix::fs::lgetxattr(path, name, &mut value[..]).unwrap();
            (name.to_vec(), value[..n].to_vec())
        })
        .collect();
    out.sort();
    out
}
