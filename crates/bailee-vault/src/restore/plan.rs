//! What is restored, where each file's content goes, and in which order it is made.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Mutex;

use super::attributes::apply;
use super::target::Target;
use super::{Due, HandOver, RestoreReport, lock, note};
use crate::error::VaultError;
use crate::manifest::{Entry, Node, Stored, parent, unreadable};
use crate::pattern::Pattern;
use crate::preserve::path_of;
use crate::verify::Problem;

/// Which entries are restored, and what stands for filtered-out link targets.
pub(super) struct Plan<'e> {
    chosen: Vec<&'e Stored>,
    /// Files by path, filtered out or not.
    files: HashMap<&'e [u8], &'e Stored>,
    /// Link targets that are not chosen: the first chosen link becomes the file.
    stand_ins: HashMap<&'e [u8], &'e [u8]>,
}

/// Which directories.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    Below,
    Top,
}

/// Whether an entry was asked for. One that could not be read may be a directory that has what was.
fn is_meant(filter: &Pattern, entry: &Entry) -> bool {
    let unread = matches!(entry.node, Node::Unreadable { .. });
    filter.matches(&entry.path) || unread && filter.reaches_below(&entry.path)
}

impl<'e> Plan<'e> {
    pub(super) fn new(entries: &'e [Stored], filter: Option<&Pattern>) -> Self {
        let mut wanted: HashSet<&[u8]> = HashSet::new();
        for Stored { entry, .. } in entries {
            if filter.is_none_or(|f| is_meant(f, entry)) {
                let mut path = Some(entry.path.as_slice());
                while let Some(p) = path.filter(|p| wanted.insert(p)) {
                    path = parent(p);
                }
            }
        }
        let chosen: Vec<&Stored> =
            entries.iter().filter(|s| wanted.contains(s.entry.path.as_slice())).collect();
        let files = entries
            .iter()
            .filter(|s| s.entry.content().is_some())
            .map(|s| (s.entry.path.as_slice(), s))
            .collect();
        let mut stand_ins = HashMap::new();
        for stored in &chosen {
            let Node::HardLink { target } = &stored.entry.node else { continue };
            if !wanted.contains(target.as_slice()) {
                stand_ins.entry(target.as_slice()).or_insert(stored.entry.path.as_slice());
            }
        }
        Self { chosen, files, stand_ins }
    }

    /// The files that are written, each at the path it gets.
    pub(super) fn contents(&self) -> impl Iterator<Item = (&'e [u8], &'e Stored)> {
        let written = |stored: &&'e Stored| match &stored.entry.node {
            Node::HardLink { target } if self.standing(target) == stored.entry.path.as_slice() => {
                self.files.get(target.as_slice()).copied()
            }
            _ => stored.entry.content().map(|_| *stored),
        };
        self.chosen
            .iter()
            .filter_map(move |stored| Some((stored.entry.path.as_slice(), written(stored)?)))
    }

    /// Whether something of this name comes into the destination itself.
    pub(super) fn has(&self, name: &[u8]) -> bool {
        self.chosen.iter().any(|stored| stored.entry.path == name)
    }

    /// Bytes of all files that are written.
    pub(super) fn bytes(&self) -> u64 {
        let contents = self.contents().filter_map(|(_, stored)| stored.entry.content());
        // A foreign manifest may say what nobody can add up.
        contents.fold(0, |sum, content| sum.saturating_add(content.size))
    }

    /// Where a file's content is in the destination.
    fn standing<'a>(&'a self, target: &'a [u8]) -> &'a [u8] {
        self.stand_ins.get(target).copied().unwrap_or(target)
    }

    /// Creates directories and special nodes, and hands files over that are to be made in them.
    pub(super) fn create(
        &self,
        target: &mut Target,
        report: &Mutex<RestoreReport>,
        hand_over: &mut HandOver<'_, 'e>,
    ) -> Result<(), VaultError> {
        for stored in &self.chosen {
            let Entry { path, node } = &stored.entry;
            match node {
                Node::Directory { .. } if path.is_empty() => {}
                Node::Directory { .. } => target.directory(path)?,
                Node::File { meta, content } => {
                    hand_over(Due { spot: target.spot(path)?, meta, content, path }, stored)?;
                }
                Node::HardLink { target: first } if self.standing(first) == path.as_slice() => {
                    let Some(original) = self.files.get(first.as_slice()) else { continue };
                    if let Node::File { meta, content } = &original.entry.node {
                        hand_over(Due { spot: target.spot(path)?, meta, content, path }, original)?;
                    }
                }
                Node::HardLink { .. } => {} // when all files are made
                Node::Unreadable { reason } => {
                    note(report, path, &unreadable(reason));
                    lock(report).unreadable += 1;
                }
                Node::Symlink { .. }
                | Node::Fifo { .. }
                | Node::Socket { .. }
                | Node::Device { .. } => {
                    target.special(path, node, &mut |miss| lock(report).miss(path, miss))?;
                }
            }
        }
        Ok(())
    }

    /// Gives files their other names.
    pub(super) fn link(&self, target: &mut Target) -> Result<(), VaultError> {
        for stored in &self.chosen {
            let Entry { path, node: Node::HardLink { target: first } } = &stored.entry else {
                continue;
            };
            let first = self.standing(first);
            if first != path.as_slice() {
                target.link(first, path)?;
            }
        }
        Ok(())
    }

    pub(super) fn remove_damaged(
        &self,
        target: &mut Target,
        report: &mut RestoreReport,
    ) -> Result<(), VaultError> {
        if report.damaged.is_empty() {
            return Ok(());
        }
        let damaged: HashSet<PathBuf> = report.damaged.iter().map(|p| p.path.clone()).collect();
        for stored in &self.chosen {
            let path = &stored.entry.path;
            let linked = match &stored.entry.node {
                Node::HardLink { target } => damaged.contains(&path_of(self.standing(target))),
                _ => false,
            };
            if linked || damaged.contains(&path_of(path)) {
                target.remove(path)?;
            }
            if linked && !damaged.contains(&path_of(path)) {
                let what = "it is another name of a damaged file".to_owned();
                report.damaged.push(Problem { path: path_of(path), what });
            }
        }
        Ok(())
    }

    /// Metadata of all directories below the destination's own, or of that one alone.
    pub(super) fn finish_directories(
        &self,
        target: &mut Target,
        report: &mut RestoreReport,
        which: Level,
    ) -> Result<(), VaultError> {
        let meant = |stored: &&&Stored| stored.entry.path.is_empty() == (which == Level::Top);
        for stored in self.chosen.iter().rev().filter(meant) {
            if let Node::Directory { meta } = &stored.entry.node {
                let path = &stored.entry.path;
                let directory = target.open_directory(path)?;
                apply(&directory, meta, &mut |miss| report.miss(path, miss));
            }
        }
        Ok(())
    }
}
