//! What a destination did not take of a snapshot.
//!
//! Invariant: nothing is passed over in silence. What only root may set is counted when somebody
//! else restores: that is so of each thing, and a line for each would hide the others. Everything
//! else has its name and its reason, and a restore that has any is not complete.

use std::path::PathBuf;

use super::RestoreReport;
use crate::preserve::path_of;
use crate::verify::Problem;
use crate::volume::Given;

/// Things that are named, at most; it is said how many more there are.
const MOST_NAMED: usize = 1000;

/// What of a snapshot is not in the destination, because it was not taken there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Missed {
    /// Nodes that could not be made, attributes, owners, modes and times that could not be set, and
    /// why: the first thousand.
    pub not_made: Vec<Problem>,
    /// How many follow on these.
    pub not_made_more: u64,
    /// Things that belong to whoever restored, who is not root and gives nothing away.
    pub owners: u64,
    /// Attributes that only root may set.
    pub attributes: u64,
}

/// One thing that was not taken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Miss {
    /// It could not be made, or set.
    Refused(String),
    /// Its owner, by somebody who is not root.
    Owner,
    /// An attribute of it that only root may set, by somebody else.
    Attribute,
    /// Its set-id bits, which go with its owner.
    SetId(String),
}

impl Missed {
    /// There is nothing but what an ordinary user may not set.
    pub(crate) fn is_expected(&self) -> bool {
        self.not_made.is_empty()
    }

    fn take(&mut self, path: PathBuf, miss: Miss, not_restored: &mut Vec<Problem>) {
        match miss {
            Miss::Owner => self.owners += 1,
            Miss::Attribute => self.attributes += 1,
            Miss::SetId(what) => not_restored.push(Problem { path, what }),
            Miss::Refused(what) if self.not_made.len() < MOST_NAMED => {
                self.not_made.push(Problem { path, what });
            }
            Miss::Refused(_) => self.not_made_more += 1,
        }
    }
}

impl RestoreReport {
    pub(super) fn miss(&mut self, path: &[u8], miss: Miss) {
        self.missed.take(path_of(path), miss, &mut self.not_restored);
    }
}

impl Given {
    pub(crate) fn miss(&mut self, path: &[u8], miss: Miss) {
        self.missed.take(path_of(path), miss, &mut self.not_restored);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_are_named_and_the_others_counted() {
        let mut report = RestoreReport::default();
        for n in 0..MOST_NAMED + 7 {
            report.miss(format!("d{n}").as_bytes(), Miss::Refused("no".to_owned()));
        }
        let missed = &report.missed;
        assert_eq!((missed.not_made.len(), missed.not_made_more), (MOST_NAMED, 7));
        assert_eq!(missed.not_made[3], Problem { path: "d3".into(), what: "no".to_owned() });
        assert!(!report.is_complete());
    }

    #[test]
    fn what_an_ordinary_user_may_not_set_is_counted_and_leaves_it_complete() {
        let mut report = RestoreReport::default();
        for miss in [Miss::Owner, Miss::Owner, Miss::Attribute, Miss::SetId("set-id".to_owned())] {
            report.miss(b"a", miss);
        }
        assert_eq!((report.missed.owners, report.missed.attributes), (2, 1));
        assert_eq!((report.not_restored.len(), report.is_complete()), (1, true));
    }
}
