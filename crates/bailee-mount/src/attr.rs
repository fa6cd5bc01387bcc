//! Attributes as the kernel wants them.
//!
//! Invariants: mode, owner, times and size are the kept ones; blocks count what is stored, so that
//! holes show. The time of access is that of modification: it is not kept. Something that could
//! not be read when it was preserved is an empty file that nobody may open.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bailee_vault::{DeviceKind, Entry, Meta, Node};
use fuser::{FileAttr, FileType, INodeNo};

/// Bytes of a block in `st_blocks`, by definition.
const BLOCK: u64 = 512;

/// What kind of thing an entry is.
pub(crate) fn kind(entry: &Entry) -> FileType {
    match &entry.node {
        Node::Directory { .. } => FileType::Directory,
        Node::Symlink { .. } => FileType::Symlink,
        Node::Fifo { .. } => FileType::NamedPipe,
        Node::Socket { .. } => FileType::Socket,
        Node::Device { kind: DeviceKind::Character, .. } => FileType::CharDevice,
        Node::Device { kind: DeviceKind::Block, .. } => FileType::BlockDevice,
        Node::File { .. } | Node::HardLink { .. } | Node::Unreadable { .. } => {
            FileType::RegularFile
        }
    }
}

/// The attributes of an entry with this number and so many names, of which so much is stored.
pub(crate) fn attributes(entry: &Entry, inode: u64, names: u32, stored: u64) -> FileAttr {
    let none = Meta::default();
    let meta = entry.meta().unwrap_or(&none);
    let size = match &entry.node {
        Node::File { content, .. } => content.size,
        Node::Symlink { target, .. } => target.len() as u64,
        _ => 0,
    };
    let rdev = match entry.node {
        Node::Device { major, minor, .. } => device(major, minor),
        _ => 0,
    };
    FileAttr {
        ino: INodeNo(inode),
        size,
        blocks: stored.div_ceil(BLOCK),
        atime: time(meta.mtime),
        mtime: time(meta.mtime),
        ctime: time(meta.ctime),
        crtime: UNIX_EPOCH,
        kind: kind(entry),
        perm: u16::try_from(meta.mode & 0o7777).unwrap_or(0),
        nlink: names,
        uid: meta.uid,
        gid: meta.gid,
        rdev,
        blksize: 128 * 1024,
        flags: 0,
    }
}

/// A device's number as the kernel packs it into 32 bits.
fn device(major: u32, minor: u32) -> u32 {
    (minor & 0xff) | ((major & 0xfff) << 8) | ((minor & 0xf_ff00) << 12)
}

/// A moment that this machine cannot name is told as the epoch.
fn time((seconds, nanos): (i64, u32)) -> SystemTime {
    let whole = Duration::from_secs(seconds.unsigned_abs());
    let start = match seconds < 0 {
        true => UNIX_EPOCH.checked_sub(whole),
        false => UNIX_EPOCH.checked_add(whole),
    };
    let exact = start.and_then(|start| start.checked_add(Duration::from_nanos(nanos.into())));
    exact.unwrap_or(UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use bailee_vault::Content;

    use super::*;

    #[test]
    fn what_was_kept_is_told() {
        let meta = Meta {
            mode: 0o4751,
            uid: 1000,
            gid: 70_000,
            mtime: (-2, 250_000_000),
            ctime: (5, 6),
            xattrs: Vec::new(),
        };
        let content = Content { size: 10_000, ..Content::default() };
        let file = Entry { path: b"f".to_vec(), node: Node::File { meta, content } };
        let told = attributes(&file, 9, 3, 1025);
        assert_eq!((told.ino.0, told.size, told.blocks, told.nlink), (9, 10_000, 3, 3));
        assert_eq!((told.perm, told.uid, told.gid), (0o4751, 1000, 70_000));
        let before = UNIX_EPOCH.duration_since(told.mtime).unwrap();
        assert_eq!(before, Duration::from_millis(1750));
        assert_eq!(told.ctime, UNIX_EPOCH + Duration::new(5, 6));
        assert_eq!(told.kind, FileType::RegularFile);
        assert_eq!(time((i64::MIN, 0)), UNIX_EPOCH - Duration::from_secs(1 << 63));
    }

    #[test]
    fn device_numbers_are_packed_as_the_kernel_does() {
        for (major, minor) in [(8, 1), (259, 300), (4095, 0xf_ffff)] {
            assert_eq!(u64::from(device(major, minor)), rustix::fs::makedev(major, minor));
        }
    }

    #[test]
    fn what_could_not_be_read_is_an_empty_file_for_nobody() {
        let reason = "permission denied".into();
        let told =
            attributes(&Entry { path: b"x".to_vec(), node: Node::Unreadable { reason } }, 2, 1, 0);
        assert_eq!((told.kind, told.perm, told.size), (FileType::RegularFile, 0, 0));
    }
}
