//! Which of the volumes that were given are read: a directory may have those of several sets.
//!
//! Invariants
//! 1. One set is read: the one that was asked for, the only one, or the only whole one. If that is
//!    none, nothing is read, and whoever asked is told which there are.
//! 2. A set is whole if its volumes are there from the first to the one whose end says that it is
//!    the last. One that lacks nothing but that end is what a killed export leaves: beside the set
//!    that is read it is named, and is no problem. So is what is left of a volume that was cut off
//!    within its header, if the set that is read is whole.
//! 3. Whether a set is whole takes the key: its ends are sealed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::layout::{Cipher, Follows, Head};
use super::read::Tape;
use super::{SetId, VolumeProblem};
use crate::error::VaultError;
use crate::key::Kek;

/// Files of volumes, and which set of them is meant.
#[derive(Clone, Copy, Debug)]
pub struct Shelf<'a> {
    /// The files, in any order and under any names.
    pub paths: &'a [PathBuf],
    /// The set, if there may be several.
    pub set: Option<SetId>,
}

impl<'a> From<&'a [PathBuf]> for Shelf<'a> {
    fn from(paths: &'a [PathBuf]) -> Self {
        Self { paths, set: None }
    }
}

impl<'a> From<&'a Vec<PathBuf>> for Shelf<'a> {
    fn from(paths: &'a Vec<PathBuf>) -> Self {
        Self { paths, set: None }
    }
}

impl<'a, const N: usize> From<&'a [PathBuf; N]> for Shelf<'a> {
    fn from(paths: &'a [PathBuf; N]) -> Self {
        Self { paths, set: None }
    }
}

/// Volumes that were given and not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ignored {
    /// Their set, if they say it.
    pub set: Option<SetId>,
    /// The files.
    pub volumes: Vec<PathBuf>,
    /// Why.
    pub what: &'static str,
}

const LEFT: &str = "they have no end: an export was cut off there, or the last volumes are missing";
const OTHER: &str = "another set was asked for";
const STUB: &str = "it ends within its header: a write was cut off there";

/// What is read.
pub(super) struct Selected {
    /// The set, if that was in question.
    pub(super) set: Option<[u8; 16]>,
    pub(super) paths: Vec<PathBuf>,
    pub(super) ignored: Vec<Ignored>,
}

/// What headers and ends say of a set.
#[derive(Default)]
struct Seen {
    volumes: Vec<PathBuf>,
    ordinals: BTreeSet<u32>,
    /// The ordinal of a volume whose end says that none follows.
    last: Option<u32>,
}

impl Seen {
    fn is_without_gap(&self) -> bool {
        (1..).zip(&self.ordinals).all(|(wanted, ordinal)| wanted == *ordinal)
    }

    fn is_whole(&self) -> bool {
        self.is_without_gap() && self.last.is_some() && self.last == self.ordinals.last().copied()
    }

    fn said(&self, set: SetId) -> String {
        let (many, whole) = (self.ordinals.len(), self.is_whole());
        format!("{set} (volumes: {many}{})", if whole { ", whole" } else { "" })
    }
}

/// Decides which set is read, without reading more of each volume than its header and its end.
pub(super) fn select(shelf: Shelf<'_>, key: Option<&Kek>) -> Result<Selected, VaultError> {
    let mut sets: BTreeMap<[u8; 16], Seen> = BTreeMap::new();
    for path in shelf.paths {
        // What is wrong with one that does not open is said when it is read.
        let Some((head, last)) = peek(path, key) else { continue };
        let seen = sets.entry(head.set).or_default();
        seen.volumes.push(path.clone());
        seen.ordinals.insert(head.ordinal);
        seen.last = seen.last.max(last.then_some(head.ordinal));
    }
    let mut whole = sets.iter().filter(|(_, seen)| seen.is_whole()).map(|(set, _)| *set);
    let only_whole = whole.next().filter(|_| whole.next().is_none());
    let chosen = match shelf.set {
        Some(SetId(set)) => Some(set).filter(|set| sets.contains_key(set)),
        None if sets.len() < 2 => {
            return Ok(Selected { set: None, paths: shelf.paths.to_vec(), ignored: Vec::new() });
        }
        None => only_whole,
    };
    let Some(chosen) = chosen else {
        let there = sets.iter().map(|(set, seen)| seen.said(SetId(*set))).collect();
        return Err(VaultError::WhichSet { wanted: shelf.set.map(|set| set.to_string()), there });
    };
    let asked = shelf.set.is_some();
    let left = sets.into_iter().filter(|(set, seen)| {
        *set != chosen && (asked || seen.is_without_gap() && !seen.is_whole())
    });
    let ignored: Vec<Ignored> = left
        .map(|(set, seen)| Ignored {
            set: Some(SetId(set)),
            volumes: seen.volumes,
            what: if asked { OTHER } else { LEFT },
        })
        .collect();
    let not_read: BTreeSet<&PathBuf> = ignored.iter().flat_map(|one| &one.volumes).collect();
    let paths = shelf.paths.iter().filter(|path| !not_read.contains(path)).cloned().collect();
    Ok(Selected { set: Some(chosen), paths, ignored })
}

/// The header of a volume, and whether its end says that none follows; `None` if it does not open.
fn peek(path: &Path, key: Option<&Kek>) -> Option<(Head, bool)> {
    let mut tape = Tape::open(path).ok()?;
    let Some(key) = key else { return Some((tape.plain_head()?, false)) };
    let (head, cipher): (Head, Cipher) = tape.head(key).ok()?.ok()?;
    let last = tape.ending(&cipher).is_some_and(|end| end.follows == Follows::Nothing);
    Some((head, last))
}

/// Takes what is left of volumes that were cut off within their header out of the problems, if the
/// set lacks none.
pub(super) fn spare_stubs(problems: &mut Vec<VolumeProblem>, ignored: &mut Vec<Ignored>) {
    if problems.iter().any(|problem| matches!(problem, VolumeProblem::Missing { .. })) {
        return;
    }
    problems.retain(|problem| {
        let VolumeProblem::Stub { volume } = problem else { return true };
        ignored.push(Ignored { set: None, volumes: vec![volume.clone()], what: STUB });
        false
    });
}
