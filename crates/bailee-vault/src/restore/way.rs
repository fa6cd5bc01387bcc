//! The way down to the directory used last: entries in tree order share most of it.
//!
//! Of the directories on it some stay open: of the multiples of 1, of 8, of 64 and so on the last
//! eight of each that are not below it. Whoever goes down, or up step by step, as a restore does,
//! opens each directory about once for each power of 8 that its depth has, however deep it is.
//!
//! Invariants: what is open was opened from the directory above it, down from the destination's
//! own; at most forty are.

use std::os::fd::OwnedFd;
use std::sync::Arc;

/// Directories of each level that stay open.
const OF_A_LEVEL: usize = 8;
/// Levels: the multiples of 8^4 are the last. A tree that is deeper than 8^5 is walked from there.
const LEVELS: u32 = 5;
/// See the head of this file.
#[derive(Default)]
pub(super) struct Way {
    /// The path to the deepest that is open.
    path: Vec<u8>,
    open: Vec<Open>,
    /// How deep it is.
    depth: usize,
}

/// A directory on the way.
struct Open {
    depth: usize,
    /// Length of its path.
    len: usize,
    fd: Arc<OwnedFd>,
}

impl Way {
    /// The deepest open directory on the way to `path`, and how long its own is; what lies beyond
    /// it is forgotten. `None`: only the destination itself is.
    pub(super) fn nearest(&mut self, path: &[u8]) -> Option<(Arc<OwnedFd>, usize)> {
        let common = common(&self.path, path);
        let leads = |len: usize| len <= common && matches!(path.get(len), None | Some(b'/'));
        while self.open.last().is_some_and(|last| !leads(last.len)) {
            self.open.pop();
        }
        let (depth, len) = self.open.last().map_or((0, 0), |last| (last.depth, last.len));
        self.depth = depth;
        self.path.truncate(len);
        self.open.last().map(|last| (Arc::clone(&last.fd), len))
    }

    /// Directories that are open.
    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        self.open.len()
    }

    /// Goes on to a directory that was opened from the one before.
    pub(super) fn push(&mut self, component: &[u8], fd: &Arc<OwnedFd>) {
        if !self.path.is_empty() {
            self.path.push(b'/');
        }
        self.path.extend_from_slice(component);
        self.depth += 1;
        let (depth, len) = (self.depth, self.path.len());
        self.open.push(Open { depth, len, fd: Arc::clone(fd) });
        self.open.retain(|open| depth - open.depth < OF_A_LEVEL * unit(open.depth));
    }
}

/// The largest power of 8 that a depth is a multiple of.
fn unit(depth: usize) -> usize {
    let powers = (1..LEVELS).map(|level| OF_A_LEVEL.pow(level));
    powers.take_while(|power| depth.is_multiple_of(*power)).last().unwrap_or(1)
}

/// How many bytes two paths have in common at their start.
fn common(one: &[u8], other: &[u8]) -> usize {
    const STEP: usize = 64;
    let steps = one.chunks_exact(STEP).zip(other.chunks_exact(STEP));
    let same = STEP * steps.take_while(|(a, b)| a == b).count();
    same + one[same..].iter().zip(&other[same..]).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Down, and up again as the metadata of directories is set: how many are opened.
    fn opened(depth: usize) -> usize {
        let (mut way, fd) = (Way::default(), Arc::new(std::fs::File::open("/").unwrap().into()));
        let (mut opened, whole) = (0, vec!["d"; depth].join("/").into_bytes());
        for level in (0..depth).chain((0..depth).rev()) {
            let path = &whole[..2 * level + 1];
            let from = way.nearest(path).map_or(0, |(_, len)| len);
            for component in path[from..].split(|c| *c == b'/').filter(|c| !c.is_empty()) {
                way.push(component, &fd);
                opened += 1;
            }
            assert_eq!((way.path.as_slice(), way.depth), (path, level + 1));
            assert!(way.kept() <= OF_A_LEVEL * LEVELS as usize);
        }
        opened
    }

    #[test]
    fn each_directory_is_opened_a_few_times_however_deep_it_is() {
        for depth in [8, 100, 2_000, 6_000] {
            let opened = opened(depth);
            assert!(opened <= depth * LEVELS as usize, "{opened} at {depth}");
        }
    }

    #[test]
    fn paths_have_in_common_what_they_have() {
        let long = [b'x'; 200];
        for at in [0, 1, 63, 64, 65, 128, 199] {
            let mut other = long;
            other[at] = b'y';
            assert_eq!(common(&long, &other), at);
            assert_eq!(common(&long[..at], &long), at);
        }
    }
}
