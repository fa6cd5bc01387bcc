//! What was read of volumes, and whether it is all of what was kept.

use std::path::PathBuf;

use crate::restore::Missed;
use crate::verify::Problem;
use crate::volume::VolumesReport;

/// What was read of volumes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// The volumes themselves.
    pub volumes: VolumesReport,
    /// Files that are whole.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files that are not, with what of them is lost.
    pub damaged: Vec<Problem>,
    /// As in [`crate::RestoreReport`].
    pub never_read: u64,
    /// As there, too.
    pub unreadable: u64,
    /// What this system or user did not take.
    pub missed: Missed,
    /// As there, too.
    pub not_restored: Vec<Problem>,
    /// Whole files that were proven by authentic frames, not by a SHA-256: they are nearly all
    /// holes, or their volumes were written before files had one there.
    pub by_frames: Vec<PathBuf>,
}

impl Given {
    /// Every volume is there, every byte authentic, every file whole, and as in
    /// [`crate::RestoreReport::is_complete`].
    pub fn is_complete(&self) -> bool {
        let given = self.is_as_written() && self.missed.is_expected();
        given && self.never_read == 0 && self.unreadable == 0
    }

    /// All that was written.
    pub(super) fn is_as_written(&self) -> bool {
        self.volumes.problems.is_empty() && self.damaged.is_empty()
    }
}
