//! The manifest: what was found in the source, as evidence, and where its bytes are kept.
//!
//! Invariants
//! 1. Each entry's *evidence* bytes (`codec.rs`) are one leaf of the manifest root, after a first
//!    leaf with 32 random bytes: a root in a public log says nothing about content.
//! 2. Entries are in tree order: paths compared byte by byte with `/` counted as 0x00. Each parent
//!    precedes its children; a hard link follows the file it names.
//! 3. What could not be read is an entry of its own or a named range, never absent, never zeros
//!    that pass for content.
//! 4. A manifest that breaks a rule of [`check`] is refused whole, before anything is written.
//!
//! Out of scope: packs and chunks beyond their ids.

mod codec;

use std::cmp::Ordering;
use std::collections::HashSet;

pub(crate) use codec::{evidence, read_all, read_evidence, write_all};

use crate::flat::Waypoint;
use crate::pack::ChunkId;

/// One thing found in the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Path below the source's root, raw bytes, `/` between components; empty: the root itself.
    pub path: Vec<u8>,
    /// What it is.
    pub node: Node,
}

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A regular file, or a device's content.
    File {
        /// Owner, mode, times, attributes.
        meta: Meta,
        /// What was read.
        content: Content,
    },
    /// A directory.
    Directory {
        /// Owner, mode, times, attributes.
        meta: Meta,
    },
    /// A symbolic link.
    Symlink {
        /// Owner and times (a link has no mode of its own).
        meta: Meta,
        /// Where it points, raw bytes, never followed.
        target: Vec<u8>,
    },
    /// Another name of a file that comes earlier in the manifest.
    HardLink {
        /// The path of that file.
        target: Vec<u8>,
    },
    /// A named pipe.
    Fifo {
        /// Owner, mode, times, attributes.
        meta: Meta,
    },
    /// A socket.
    Socket {
        /// Owner, mode, times, attributes.
        meta: Meta,
    },
    /// A device node; the node is kept, not the device's content.
    Device {
        /// Owner, mode, times, attributes.
        meta: Meta,
        /// Character or block.
        kind: DeviceKind,
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
    /// Something that is there and could not be read at all.
    Unreadable {
        /// The system's own words.
        reason: String,
    },
}

/// Which device nodes there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceKind {
    /// A character device.
    Character,
    /// A block device.
    Block,
}

/// Metadata of an inode.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// The twelve permission bits.
    pub mode: u32,
    /// Owning user.
    pub uid: u32,
    /// Owning group.
    pub gid: u32,
    /// Last modification: Unix seconds and nanoseconds.
    pub mtime: (i64, u32),
    /// Last change of the inode: Unix seconds and nanoseconds. Evidence; cannot be restored.
    pub ctime: (i64, u32),
    /// Extended attributes (ACLs among them), sorted by name.
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

/// What was read of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// Length in bytes.
    pub size: u64,
    /// Flat SHA-256 of all `size` bytes; bytes of unreadable ranges count as zeros.
    pub sha256: [u8; 32],
    /// Size or times moved while it was read: the copy may mix states.
    pub changed: bool,
    /// `(offset, length)` of ranges the medium did not give, in order.
    pub unreadable: Vec<(u64, u64)>,
}

impl Node {
    /// What it is, in one word that listings and bags use.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::File { .. } => "file",
            Self::Directory { .. } => "directory",
            Self::Symlink { .. } => "symlink",
            Self::HardLink { .. } => "hardlink",
            Self::Fifo { .. } => "fifo",
            Self::Socket { .. } => "socket",
            Self::Device { kind: DeviceKind::Character, .. } => "character-device",
            Self::Device { kind: DeviceKind::Block, .. } => "block-device",
            Self::Unreadable { .. } => "unreadable",
        }
    }
}

impl Entry {
    /// Metadata, where the node has some.
    pub fn meta(&self) -> Option<&Meta> {
        match &self.node {
            Node::File { meta, .. }
            | Node::Directory { meta }
            | Node::Symlink { meta, .. }
            | Node::Fifo { meta }
            | Node::Socket { meta }
            | Node::Device { meta, .. } => Some(meta),
            Node::HardLink { .. } | Node::Unreadable { .. } => None,
        }
    }

    /// What was read, if it is a file.
    pub fn content(&self) -> Option<&Content> {
        if let Node::File { content, .. } = &self.node { Some(content) } else { None }
    }
}

impl Content {
    /// Bytes that the medium did not give.
    pub(crate) fn never_read(&self) -> u64 {
        self.unreadable.iter().fold(0, |sum, (_, len)| sum.saturating_add(*len))
    }

    /// What whoever gets the content has to know of it, in words.
    pub(crate) fn flaws(&self) -> impl Iterator<Item = String> {
        let never = |(offset, len): &(u64, u64)| {
            format!("bytes {offset}..{} were unreadable when preserved", offset + len)
        };
        let changed = "it changed while it was preserved: the copy may mix states";
        let changed = self.changed.then(|| changed.to_owned());
        self.unreadable.iter().map(never).chain(changed)
    }

    /// Whether the ranges never read are apart, in order, and within the size.
    pub(crate) fn ranges_fit(&self) -> bool {
        let mut at = 0;
        self.unreadable.iter().all(|(offset, len)| {
            let end = offset.checked_add(*len).filter(|end| *end <= self.size);
            let fits = *offset >= at && end.is_some();
            at = end.unwrap_or(u64::MAX);
            fits
        })
    }
}

/// A piece of a file, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// A stored chunk and its plain length.
    Data(ChunkId, u32),
    /// Zeros, not stored, restored as a hole.
    Zeros(u64),
    /// Never read; restored as a hole and named.
    Unreadable(u64),
    /// File system and inode of a file that was at rest, first if there: how the next copy knows it
    /// again.
    Identity(u64, u64),
    /// Where the SHA-256 of the file is at this place.
    Waypoint(Box<Waypoint>),
}

impl Extent {
    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::Data(_, n) => u64::from(*n),
            Self::Zeros(n) | Self::Unreadable(n) => *n,
            Self::Identity(..) | Self::Waypoint(_) => 0,
        }
    }

    /// The chunk that has its bytes, if one does, and how many they are.
    pub(crate) fn chunk(&self) -> Option<(ChunkId, u32)> {
        if let Self::Data(id, len) = self { Some((*id, *len)) } else { None }
    }
}

/// What whoever gets a snapshot has to know of a name that could not be read.
pub(crate) fn unreadable(reason: &str) -> String {
    format!("it was unreadable when preserved: {reason}")
}

/// Whether the lengths of a file's pieces, and its waypoints, are those of a file of `size` bytes.
fn add_up(extents: &[Extent], size: u64) -> bool {
    let next = |at: u64, extent: &Extent| match extent {
        Extent::Waypoint(waypoint) if !waypoint.fits(at) => None,
        _ => at.checked_add(extent.len()),
    };
    extents.iter().try_fold(0, next) == Some(size)
}

/// An entry and where its bytes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) entry: Entry,
    pub(crate) extents: Vec<Extent>,
}

/// Tree order: `/` sorts before every other byte.
pub fn tree_order(a: &[u8], b: &[u8]) -> Ordering {
    let rank = |c: &u8| if *c == b'/' { 0 } else { *c };
    a.iter().map(rank).cmp(b.iter().map(rank))
}

/// The path without its last component; `None` for the root.
pub(crate) fn parent(path: &[u8]) -> Option<&[u8]> {
    if path.is_empty() {
        return None;
    }
    Some(path.iter().rposition(|c| *c == b'/').map_or(&[][..], |at| &path[..at]))
}

/// Refuses every manifest that a restore could be led astray by.
pub(crate) fn check(entries: &[Stored], tree: TreeShape) -> Result<(), String> {
    match (tree, entries) {
        (TreeShape::Tree, []) => return Err("manifest has no entry, not even a root".to_owned()),
        (TreeShape::SingleFile, [one]) if one.entry.content().is_some() => {}
        (TreeShape::SingleFile, _) => return Err("manifest is not of one file".to_owned()),
        (TreeShape::Tree, _) => {}
    }
    let show = |p: &[u8]| String::from_utf8_lossy(p).into_owned();
    let mut directories: HashSet<&[u8]> = HashSet::new();
    let mut files: HashSet<&[u8]> = HashSet::new();
    let mut previous: Option<&[u8]> = None;
    for Stored { entry, extents } in entries {
        let path = entry.path.as_slice();
        let refuse = |why: &str| Err(format!("manifest entry {:?} {why}", show(path)));
        if previous.is_some_and(|p| tree_order(p, path) != Ordering::Less) {
            return refuse("is out of order or there twice");
        }
        previous = Some(path);
        if path.is_empty() {
            if tree == TreeShape::SingleFile || !matches!(entry.node, Node::Directory { .. }) {
                return refuse("cannot be the root");
            }
        } else if let Err(why) = check_path(path) {
            return refuse(why);
        }
        let rooted = match parent(path) {
            None => true,
            Some([]) if tree == TreeShape::SingleFile => true,
            Some(above) => directories.contains(above),
        };
        if !rooted {
            return refuse("lies below something that is not a directory");
        }
        match &entry.node {
            Node::Directory { .. } => {
                directories.insert(path);
            }
            Node::File { content, .. } => {
                files.insert(path);
                if !add_up(extents, content.size) {
                    return refuse("has pieces that do not add up to its size");
                }
                if !content.ranges_fit() {
                    return refuse("has ranges never read that are out of order or of its size");
                }
            }
            Node::HardLink { target } if !files.contains(target.as_slice()) => {
                return refuse("is a link to something that is not an earlier file");
            }
            Node::Symlink { target, .. } if target.is_empty() || target.contains(&0) => {
                return refuse("has a link target that cannot be one");
            }
            _ => {}
        }
        if entry.content().is_none() && !extents.is_empty() {
            return refuse("has content although it is no file");
        }
    }
    Ok(())
}

/// Whether a manifest describes a tree with a root directory or one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TreeShape {
    Tree,
    SingleFile,
}

pub(crate) fn check_path(path: &[u8]) -> Result<(), &'static str> {
    if path.contains(&0) {
        return Err("contains a NUL byte");
    }
    for component in path.split(|c| *c == b'/') {
        match component {
            b"" => return Err("is absolute or has an empty component"),
            b"." | b".." => return Err("would leave its directory"),
            c if c.len() > 255 => return Err("has a component over 255 bytes"),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dir(path: &str) -> Stored {
        let node = Node::Directory { meta: Meta::default() };
        Stored { entry: Entry { path: path.into(), node }, extents: vec![] }
    }
    fn file(path: &str, size: u64) -> Stored {
        let content = Content { size, ..Content::default() };
        let node = Node::File { meta: Meta::default(), content };
        let extents = if size > 0 { vec![Extent::Zeros(size)] } else { vec![] };
        Stored { entry: Entry { path: path.into(), node }, extents }
    }
    fn link(path: &str, target: &str) -> Stored {
        let node = Node::HardLink { target: target.into() };
        Stored { entry: Entry { path: path.into(), node }, extents: vec![] }
    }

    #[test]
    fn tree_order_puts_children_right_after_their_parent() {
        let mut paths = ["a-b", "a/b", "a", "", "a/b/c", "a.b", "ab"];
        paths.sort_by(|a, b| tree_order(a.as_bytes(), b.as_bytes()));
        assert_eq!(paths, ["", "a", "a/b", "a/b/c", "a-b", "a.b", "ab"]);
    }

    #[test]
    fn hostile_manifests_are_refused() {
        let good = [dir(""), dir("a"), file("a/f", 5), link("a/g", "a/f")];
        assert_eq!(check(&good, TreeShape::Tree), Ok(()));
        assert_eq!(check(&[file("f", 1)], TreeShape::SingleFile), Ok(()));
        let bad: Vec<(&str, Vec<Stored>)> = vec![
            ("leave its directory", vec![dir(""), file("../x", 0)]),
            ("leave its directory", vec![dir(""), dir("a"), file("a/../../x", 0)]),
            ("absolute", vec![dir(""), file("/etc/passwd", 0)]),
            ("absolute", vec![dir(""), dir("a"), file("a//b", 0)]),
            ("NUL", vec![dir(""), file("a\0b", 0)]),
            ("not a directory", vec![dir(""), file("a", 0), file("a/b", 0)]),
            ("not a directory", vec![file("a", 0)]),
            ("not an earlier file", vec![dir(""), link("a", "b"), file("b", 0)]),
            ("not an earlier file", vec![dir(""), link("a", "../../etc/shadow")]),
            ("there twice", vec![dir(""), file("a", 0), file("a", 0)]),
            ("cannot be the root", vec![file("", 0)]),
        ];
        for (why, entries) in bad {
            let refused = check(&entries, TreeShape::Tree).unwrap_err();
            assert!(refused.contains(why), "{refused} should say {why}");
        }
        for ranges in [vec![(0, 6)], vec![(5, u64::MAX)], vec![(2, 2), (3, 1)]] {
            let mut torn = file("a", 5);
            if let Node::File { content, .. } = &mut torn.entry.node {
                content.unreadable = ranges;
            }
            assert!(check(&[dir(""), torn], TreeShape::Tree).unwrap_err().contains("never read"));
        }
        let mut short = file("a", 5);
        short.extents.clear();
        assert!(check(&[dir(""), short], TreeShape::Tree).unwrap_err().contains("add up"));
        for (tail, fits) in [(0, false), (5, true), (64, false)] {
            let mut passed = file("a", 5);
            let waypoint = Waypoint { tail: vec![0; tail], ..Waypoint::default() };
            passed.extents.push(Extent::Waypoint(waypoint.into()));
            assert_eq!(check(&[dir(""), passed], TreeShape::Tree).is_ok(), fits, "{tail}");
        }
    }
}
