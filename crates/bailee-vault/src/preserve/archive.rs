//! From members in the order they come to the tree they make.
//!
//! Invariants
//! 1. A path is taken relative to the root, without `.` and doubled slashes; one that is absolute,
//!    or goes up, or could be no file name, is refused by name.
//! 2. A path that comes twice is what came last, as when the archive is unpacked, and is told as
//!    replaced; another name of the earlier file keeps that file's content.
//! 3. Of the names of one file, the first in tree order is the file and the others its links.
//! 4. A directory that the archive leaves out is there, with mode 0755 and the time 0.
//! 5. Nothing lies below a link: the arranged manifest would be refused.

use std::collections::{BTreeMap, HashMap};

use crate::manifest::{Entry, Meta, Node, Stored, check_path, parent, tree_order};

/// The longest path: what the system takes, and a bound on what one name can cost.
const LONGEST: usize = 4096;

/// A path with its place in tree order.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Key(Vec<u8>);

impl Ord for Key {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        tree_order(&self.0, &other.0)
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// Which entry stands at which path at the end. Entries are counted as they were found.
#[derive(Debug, Default)]
pub(super) struct Tree {
    names: BTreeMap<Key, (usize, bool)>,
    /// What stood at these and does not any more; a directory that comes again is the same.
    replaced: Vec<Vec<u8>>,
}

impl Tree {
    /// Says that entry `index` is at `path`.
    pub(super) fn place(&mut self, path: Vec<u8>, index: usize, directory: bool) {
        let path = Key(path);
        let before = self.names.get(&path);
        if before.is_some_and(|(was, is)| *was != index && !(*is && directory)) {
            self.replaced.push(path.0.clone());
        }
        self.names.insert(path, (index, directory));
    }

    /// The entry at `path` that can have another name: no directory.
    pub(super) fn at(&self, path: &[u8]) -> Option<usize> {
        let found = self.names.get(&Key(path.to_vec())).filter(|(_, directory)| !directory);
        found.map(|(index, _)| *index)
    }

    /// The paths of what was replaced, once for each time.
    pub(super) fn replaced(&self) -> &[Vec<u8>] {
        &self.replaced
    }

    /// Directories that are not there and must be, parents first; or the path of something that
    /// lies below what is no directory.
    pub(super) fn missing(&self) -> Result<Vec<Vec<u8>>, Vec<u8>> {
        let mut missing = BTreeMap::new();
        for Key(path) in self.names.keys() {
            let mut path = path.as_slice();
            while let Some(above) = parent(path) {
                match self.names.get(&Key(above.to_vec())) {
                    Some((_, true)) => break,
                    Some((_, false)) => return Err(path.to_vec()),
                    None if missing.insert(Key(above.to_vec()), ()).is_some() => break,
                    None => path = above,
                }
            }
        }
        let root = Key(Vec::new());
        match self.names.get(&root) {
            Some((_, true)) => {}
            Some((_, false)) => return Err(Vec::new()),
            None => drop(missing.insert(root, ())),
        }
        Ok(missing.into_keys().map(|Key(path)| path).collect())
    }

    /// Puts entries in tree order, each at its paths.
    pub(super) fn arrange(self, mut entries: Vec<Stored>) -> Vec<Stored> {
        let mut first: HashMap<usize, Vec<u8>> = HashMap::new();
        let mut out = Vec::with_capacity(self.names.len());
        for (Key(path), (index, _)) in self.names {
            let Some(stored) = entries.get_mut(index) else { continue };
            let stored = match first.get(&index) {
                Some(target) if stored.entry.content().is_some() => {
                    let node = Node::HardLink { target: target.clone() };
                    Stored { entry: Entry { path, node }, extents: Vec::new() }
                }
                _ => {
                    first.insert(index, path.clone());
                    let entry = Entry { path, node: stored.entry.node.clone() };
                    Stored { entry, extents: std::mem::take(&mut stored.extents) }
                }
            };
            out.push(stored);
        }
        out
    }
}

/// A directory that no member speaks of.
pub(super) fn implied(path: Vec<u8>) -> Entry {
    Entry { path, node: Node::Directory { meta: Meta { mode: 0o755, ..Meta::default() } } }
}

/// A member's name as a path of the manifest.
pub(crate) fn path_in_tree(name: &[u8]) -> Result<Vec<u8>, &'static str> {
    let path = path_below(name)?;
    if path.len() > LONGEST {
        return Err("has a path over 4096 bytes");
    }
    Ok(path)
}

/// As [`path_in_tree`], of any length: of a tree that was walked a path may be longer than what the
/// system takes at once.
pub(crate) fn path_below(name: &[u8]) -> Result<Vec<u8>, &'static str> {
    if name.is_empty() {
        return Err("has no name");
    }
    if name.starts_with(b"/") {
        return Err("has an absolute path");
    }
    let parts: Vec<&[u8]> =
        name.split(|c| *c == b'/').filter(|part| !matches!(*part, b"" | b".")).collect();
    let path = parts.join(&b'/');
    if path.is_empty() {
        return Ok(path);
    }
    check_path(&path)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_below_the_root_or_refused() {
        let good: [(&[u8], &[u8]); 4] =
            [(b"./a/./b/", b"a/b"), (b"./", b""), (b"a//b", b"a/b"), (b"..a", b"..a")];
        for (name, path) in good {
            assert_eq!(path_in_tree(name), Ok(path.to_vec()));
        }
        for bad in [&b"/etc/passwd"[..], b"../x", b"a/../../x", b"..", b"", b"a\0b", &[b'x'; 256]] {
            assert!(path_in_tree(bad).is_err(), "{bad:?}");
        }
    }
}
