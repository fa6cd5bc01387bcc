//! The metadata of what was made: owner, attributes, mode, times.
//!
//! Invariants: only on what was opened or made in the destination, no link followed; what cannot be
//! set is told, and never ends a restore. Set-id bits go with their owner.

use std::ffi::OsStr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{
    AtFlags, Gid, Mode, Timespec, Timestamps, Uid, XattrFlags, chmodat, chownat, fchmod, fchown,
    fsetxattr, fstat, futimens, lsetxattr, utimensat,
};
use rustix::io::Errno;
use rustix::process::geteuid;

use super::missed::Miss;
use crate::manifest::{Meta, Node};

/// Hears of what could not be set.
pub(crate) type Missing<'a> = dyn FnMut(Miss) + 'a;

fn times(meta: &Meta) -> Timestamps {
    let (tv_sec, nanos) = meta.mtime;
    let time = Timespec { tv_sec, tv_nsec: nanos.into() };
    Timestamps { last_access: time, last_modification: time }
}

fn tell(miss: &mut Missing<'_>, what: &str, outcome: rustix::io::Result<()>) {
    if let Err(e) = outcome {
        miss(Miss::Refused(format!("{what}: {}", std::io::Error::from(e))));
    }
}

/// Whether it was refused because whoever restores is not root.
pub(super) fn takes_root(outcome: rustix::io::Result<()>) -> bool {
    outcome == Err(Errno::PERM) && !geteuid().is_root()
}

fn tell_owner(miss: &mut Missing<'_>, meta: &Meta, outcome: rustix::io::Result<()>) {
    if takes_root(outcome) {
        return miss(Miss::Owner);
    }
    tell(miss, &format!("owner {}:{}", meta.uid, meta.gid), outcome);
}

fn tell_attribute(miss: &mut Missing<'_>, name: &[u8], outcome: rustix::io::Result<()>) {
    let of_root = name.starts_with(b"trusted.") || name.starts_with(b"security.");
    if of_root && takes_root(outcome) {
        return miss(Miss::Attribute);
    }
    tell(miss, &format!("attribute {}", String::from_utf8_lossy(name)), outcome);
}

/// Metadata of an open file or directory: owner first (it clears set-id bits and capabilities),
/// then attributes, mode, times. What is so already is left alone: each change writes the inode.
pub(crate) fn apply(fd: &impl AsFd, meta: &Meta, miss: &mut Missing<'_>) {
    let (uid, gid) = (Uid::from_raw(meta.uid), Gid::from_raw(meta.gid));
    let now = fstat(fd);
    let owned = now.as_ref().is_ok_and(|s| (s.st_uid, s.st_gid) == (meta.uid, meta.gid));
    let changed = if owned { Ok(()) } else { fchown(fd, Some(uid), Some(gid)) };
    let mode = mode_of(meta, changed.is_ok(), miss);
    tell_owner(miss, meta, changed);
    for (name, value) in &meta.xattrs {
        tell_attribute(miss, name, fsetxattr(fd, name.as_slice(), value, XattrFlags::empty()));
    }
    let untouched = owned && meta.xattrs.is_empty();
    if !(untouched && now.is_ok_and(|s| s.st_mode & 0o7777 == mode)) {
        tell(miss, &format!("mode {mode:04o}"), fchmod(fd, Mode::from_raw_mode(mode)));
    }
    tell(miss, "times", futimens(fd, &times(meta)));
}

/// The mode, without its set-id bits if the owner could not be set: they would lend the rights of
/// whoever restores to everybody who runs the file.
fn mode_of(meta: &Meta, owned: bool, miss: &mut Missing<'_>) -> u32 {
    let mode = if owned { meta.mode } else { meta.mode & 0o1777 };
    if mode != meta.mode {
        let lost = meta.mode;
        let what = format!("set-id bits of mode {lost:04o}: without its owner they mean another");
        miss(Miss::SetId(what));
    }
    mode
}

/// Metadata of a node that is not opened.
pub(super) fn apply_named(
    directory: &OwnedFd,
    name: &OsStr,
    (node, meta): (&Node, &Meta),
    miss: &mut Missing<'_>,
) {
    let (uid, gid) = (Uid::from_raw(meta.uid), Gid::from_raw(meta.gid));
    let flags = AtFlags::SYMLINK_NOFOLLOW;
    let changed = chownat(directory, name, Some(uid), Some(gid), flags);
    tell_owner(miss, meta, changed);
    let mut path = format!("/proc/self/fd/{}/", directory.as_raw_fd()).into_bytes();
    path.extend_from_slice(name.as_bytes());
    for (attribute, value) in &meta.xattrs {
        let set = lsetxattr(path.as_slice(), attribute.as_slice(), value, XattrFlags::empty());
        tell_attribute(miss, attribute, set);
    }
    if !matches!(node, Node::Symlink { .. }) {
        // The node was created here a moment ago, in a directory nobody else may enter.
        let mode = mode_of(meta, changed.is_ok(), miss);
        let set = chmodat(directory, name, Mode::from_raw_mode(mode), AtFlags::empty());
        tell(miss, &format!("mode {mode:04o}"), set);
    }
    tell(miss, "times", utimensat(directory, name, &times(meta), flags));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn set_id_bits_are_not_given_without_their_owner() {
        let mut said = Vec::new();
        for (mode, owned, wanted) in [
            (0o6755, true, 0o6755),
            (0o6755, false, 0o755),
            (0o2770, false, 0o770),
            (0o1777, false, 0o1777),
        ] {
            let meta = Meta { mode, ..Meta::default() };
            assert_eq!(mode_of(&meta, owned, &mut |miss| said.push(miss)), wanted);
        }
        assert_eq!(said.len(), 2, "what is not given is said: {said:?}");
        let Miss::SetId(what) = &said[0] else { panic!("{said:?}") };
        assert!(what.starts_with("set-id bits of mode 6755"), "{what}");
    }
}
