//! The inode table: a manifest's entries by number, by name and by directory.
//!
//! Invariants
//! 1. Inode `n` is entry `n - 1` in tree order, so that numbers are the same in every mount of a
//!    snapshot; a hard link has the number of the file it names. 1 is the root, always a directory:
//!    where the source was a file or a device, there is one around it that nobody kept.
//! 2. Beside the entries there are two numbers for each: names are found by binary search, and
//!    children of a directory by stepping over what lies below each.
//! 3. No input panics: numbers and names come from the kernel.
//!
//! Out of scope: the kernel's types (`attr.rs`, `serve.rs`), contents.

use std::cmp::Ordering;
use std::collections::HashMap;

use bailee_vault::{Entry, Meta, Node, tree_order};

/// Entries of a snapshot, as a file system has them.
pub(crate) struct Tree {
    entries: Vec<Entry>,
    /// Where what lies below each entry ends.
    ends: Vec<usize>,
    /// Of each entry.
    names: Vec<u32>,
    /// Hard links: which entry they name.
    links: HashMap<usize, usize>,
    /// 1 if the root is ours and no entry of the manifest.
    ours: usize,
}

/// A name in a directory.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Child<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) inode: u64,
    /// Where listing the directory goes on.
    pub(crate) next: u64,
}

impl Tree {
    /// From entries in tree order.
    pub(crate) fn new(mut entries: Vec<Entry>) -> Tree {
        let ours = usize::from(entries.first().is_none_or(|first| !first.path.is_empty()));
        if ours == 1 {
            entries.insert(0, around(&entries));
        }
        let mut tree = Tree {
            ends: vec![entries.len(); entries.len()],
            names: vec![1; entries.len()],
            links: HashMap::new(),
            ours,
            entries,
        };
        tree.measure();
        tree
    }

    fn measure(&mut self) {
        let mut above: Vec<usize> = Vec::new();
        for (at, entry) in self.entries.iter().enumerate() {
            while let Some(&last) = above.last()
                && !is_below(&entry.path, &self.entries[last].path)
            {
                self.ends[last] = at;
                above.pop();
            }
            match &entry.node {
                Node::Directory { .. } => {
                    self.names[at] = 2; // its name and its `.`
                    if let Some(&parent) = above.last() {
                        self.names[parent] = self.names[parent].saturating_add(1);
                    }
                }
                Node::HardLink { target } => {
                    if let Some(file) = self.place(target) {
                        self.links.insert(at, file);
                        self.names[file] = self.names[file].saturating_add(1);
                    }
                }
                _ => {}
            }
            above.push(at);
        }
    }

    fn place(&self, path: &[u8]) -> Option<usize> {
        self.entries.binary_search_by(|e| tree_order(&e.path, path)).ok()
    }

    fn index(&self, inode: u64) -> Option<usize> {
        let at = usize::try_from(inode.checked_sub(1)?).ok()?;
        (at < self.entries.len()).then_some(at)
    }

    fn inode(&self, at: usize) -> u64 {
        self.links.get(&at).copied().unwrap_or(at) as u64 + 1
    }

    /// How many entries there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The entry with this number.
    pub(crate) fn entry(&self, inode: u64) -> Option<&Entry> {
        Some(&self.entries[self.index(inode)?])
    }

    /// Which of the manifest's entries it is: none, if the root is ours.
    pub(crate) fn which(&self, inode: u64) -> Option<usize> {
        self.index(inode)?.checked_sub(self.ours)
    }

    /// How many names it has.
    pub(crate) fn names(&self, inode: u64) -> u32 {
        self.index(inode).map_or(0, |at| self.names[at])
    }

    /// The number of a name in a directory.
    pub(crate) fn lookup(&self, directory: u64, name: &[u8]) -> Option<u64> {
        if name.is_empty() || name.contains(&b'/') {
            return None;
        }
        let above = &self.entry(directory)?.path;
        let path = match above.is_empty() {
            true => name.to_vec(),
            false => [above, &b"/"[..], name].concat(),
        };
        self.place(&path).map(|at| self.inode(at))
    }

    /// The directory above; the root's is the root.
    pub(crate) fn parent(&self, inode: u64) -> Option<u64> {
        let path = &self.entry(inode)?.path;
        let above = path.iter().rposition(|c| *c == b'/').map_or(&[][..], |at| &path[..at]);
        self.place(above).map(|at| at as u64 + 1)
    }

    /// The names in a directory from `next` on, where 0 is its first.
    pub(crate) fn children(&self, directory: u64, next: u64) -> impl Iterator<Item = Child<'_>> {
        let (first, end) = match self.index(directory) {
            Some(at) => (at + 1, self.ends[at]),
            None => (0, 0),
        };
        let mut at = first.max(usize::try_from(next).unwrap_or(usize::MAX));
        let skip = self.index(directory).map_or(0, |at| match self.entries[at].path.len() {
            0 => 0,
            n => n + 1,
        });
        std::iter::from_fn(move || {
            let this = (at < end).then_some(at)?;
            at = self.ends[this];
            let name = self.entries[this].path.get(skip..)?;
            Some(Child { name, inode: self.inode(this), next: at as u64 })
        })
    }
}

/// A directory for a source that had none: it belongs to root, as old as what is in it.
fn around(entries: &[Entry]) -> Entry {
    let inside = entries.first().and_then(Entry::meta);
    let mut meta = Meta { mode: 0o555, ..Meta::default() };
    if let Some(inside) = inside {
        (meta.mtime, meta.ctime) = (inside.mtime, inside.ctime);
    }
    Entry { path: Vec::new(), node: Node::Directory { meta } }
}

fn is_below(path: &[u8], above: &[u8]) -> bool {
    above.is_empty()
        || (path.len() > above.len()
            && path[above.len()] == b'/'
            && path[..above.len()].cmp(above) == Ordering::Equal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &str, node: Node) -> Entry {
        Entry { path: path.into(), node }
    }

    fn dir(path: &str) -> Entry {
        entry(path, Node::Directory { meta: Meta::default() })
    }

    fn fifo(path: &str) -> Entry {
        entry(path, Node::Fifo { meta: Meta::default() })
    }

    fn link(path: &str, target: &str) -> Entry {
        entry(path, Node::HardLink { target: target.into() })
    }

    /// In tree order: `/` before every other byte.
    fn tree() -> Tree {
        Tree::new(vec![
            dir(""),              // 1
            dir("a"),             // 2
            dir("a/b"),           // 3
            fifo("a/b/x"),        // 4
            link("a/y", "a/b/x"), // 5
            fifo("a-b"),          // 6
            dir("c"),             // 7
            link("d", "a/b/x"),   // 8
        ])
    }

    fn listed(tree: &Tree, directory: u64) -> Vec<(String, u64)> {
        let text = |name: &[u8]| String::from_utf8(name.to_vec()).unwrap();
        tree.children(directory, 0).map(|c| (text(c.name), c.inode)).collect()
    }

    #[test]
    fn directories_list_their_own_and_nothing_below() {
        let tree = tree();
        let own = |pairs: &[(&str, u64)]| -> Vec<(String, u64)> {
            pairs.iter().map(|(name, inode)| ((*name).to_owned(), *inode)).collect()
        };
        assert_eq!(listed(&tree, 1), own(&[("a", 2), ("a-b", 6), ("c", 7), ("d", 4)]));
        assert_eq!(listed(&tree, 2), own(&[("b", 3), ("y", 4)]));
        assert_eq!(listed(&tree, 3), own(&[("x", 4)]));
        assert_eq!(listed(&tree, 7), []);
        assert_eq!(listed(&tree, 99), []);
    }

    #[test]
    fn a_listing_goes_on_where_it_stopped() {
        let tree = tree();
        let whole: Vec<Child<'_>> = tree.children(1, 0).collect();
        for (n, child) in whole.iter().enumerate() {
            let rest: Vec<Child<'_>> = tree.children(1, child.next).collect();
            assert_eq!(rest, whole[n + 1..], "after {n}");
        }
        assert_eq!(tree.children(1, u64::MAX).count(), 0);
    }

    #[test]
    fn every_name_that_is_listed_is_found_and_no_other() {
        let tree = tree();
        for directory in [1, 2, 3, 7] {
            for child in tree.children(directory, 0) {
                assert_eq!(tree.lookup(directory, child.name), Some(child.inode));
            }
        }
        let none: [(u64, &[u8]); 7] =
            [(1, b"b"), (1, b"a/b"), (1, b""), (2, b"x"), (0, b"a"), (99, b"a"), (4, b"x")];
        for (directory, name) in none {
            assert_eq!(tree.lookup(directory, name), None, "{directory} {name:?}");
        }
    }

    #[test]
    fn names_are_counted_and_parents_found() {
        let tree = tree();
        let names: Vec<u32> = [1, 2, 3, 4, 6, 7, 0, 99].map(|inode| tree.names(inode)).into();
        assert_eq!(names, [4, 3, 2, 3, 1, 2, 0, 0]);
        assert_eq!([1, 2, 3, 4].map(|inode| tree.parent(inode)), [1, 1, 2, 3].map(Some));
        assert_eq!((tree.which(1), tree.which(8), tree.which(9)), (Some(0), Some(7), None));
    }

    #[test]
    fn a_file_alone_gets_a_directory_around_it() {
        let tree = Tree::new(vec![fifo("image.raw")]);
        assert_eq!(listed(&tree, 1), [("image.raw".to_owned(), 2)]);
        assert_eq!((tree.which(1), tree.which(2)), (None, Some(0)));
        assert_eq!((tree.names(1), tree.len()), (2, 2));
        assert_eq!(Tree::new(Vec::new()).children(1, 0).count(), 0);
    }
}
