//! What is at rest: which files a later copy may take over without reading them.
//!
//! Invariants
//! 1. Only a file system whose change times the kernel itself keeps is believed, and it is known
//!    again by its device number, its kind and its own id. On any other the times are what an image
//!    was made with, what a server's clock said, or are not moved by stores through a mapping.
//! 2. Before a file is examined, its file system was written out ([`syncfs`]). That protects every
//!    page again, so that a store through a mapping that is there already moves the times, whatever
//!    the clock says. Without it the kernel tells of the first store into a page only.
//! 3. Its change time is [`REST`] seconds before this copy began: it comes neither from this copy's
//!    own time, in which a page may be writable again, nor from a call that was under way.
//!    Both times are of one clock; if that leapt since the copy began, nothing is at rest.
//!
//! What is at rest carries an [`Extent::Identity`]; what carries none is read again. Those written
//! before this rule are of another form, and equal none.

use std::collections::HashMap;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::{FileType, Stat, fstatfs, fstatvfs, syncfs};
use rustix::time::{ClockId, clock_gettime};

use crate::manifest::Extent;

/// Seconds without a change before the copy began.
const REST: i64 = 60;

/// `f_type` of ext2/3/4, XFS, Btrfs, F2FS and bcachefs. Not tmpfs: its pages are not written out,
/// so a mapping that stays open changes them for ever, and the times but once.
const KEEP_TIMES: [u32; 5] = [0xef53, 0x5846_5342, 0x9123_683e, 0xf2f5_2010, 0xca45_1a4e];

/// The time of one copy, and the file systems it came by.
pub(super) struct Rest {
    /// Unix seconds when it was begun.
    pub(super) taken_at: i64,
    /// The wall clock less the clock since the machine started, then.
    offset: i64,
    /// What each device number's file system is known by; `None`: it is not believed.
    known: Mutex<HashMap<u64, Option<u64>>>,
    /// Files, and their bytes, that are as an earlier copy has them and are read nevertheless.
    unkept: [AtomicU64; 2],
}

impl Rest {
    /// A copy begins now.
    pub(super) fn begin() -> Self {
        let taken_at = wall();
        let (known, unkept) = Default::default();
        Self { taken_at, offset: taken_at - since_start(), known, unkept }
    }

    /// The copy comes by something of this device number, before it examines what is beside it.
    pub(super) fn enter(&self, open: BorrowedFd<'_>, device: u64) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(device).or_insert_with(|| {
            let system = fstatfs(open).ok()?;
            let kind = u32::try_from(system.f_type).ok().filter(|n| KEEP_TIMES.contains(n))?;
            syncfs(open).ok()?;
            let mut hash = blake3::Hasher::new();
            hash.update(b"at rest since it was written out");
            hash.update(&device.to_le_bytes()).update(&kind.to_le_bytes());
            hash.update(&fstatvfs(open).ok()?.f_fsid.to_le_bytes());
            let [a, b, c, d, e, f, g, h, ..] = *hash.finalize().as_bytes();
            Some(u64::from_le_bytes([a, b, c, d, e, f, g, h]))
        });
    }

    /// What the file would be known by; `None`: its file system is not believed.
    pub(super) fn identity(&self, stat: &Stat) -> Option<Extent> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let system = known.get(&stat.st_dev).copied().flatten()?;
        Some(Extent::Identity(system, stat.st_ino))
    }

    /// What a later copy knows the file again by, if it was at rest when it was examined.
    pub(super) fn rested(&self, stat: &Stat) -> Option<Extent> {
        let regular = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
        // Where inodes hold 32 bits of it, all changes after the last of them have that time.
        let told = stat.st_ctime < i64::from(i32::MAX);
        let quiet = told && stat.st_ctime.saturating_add(REST) < self.taken_at;
        let leapt = (wall() - since_start()).abs_diff(self.offset) > REST.unsigned_abs() / 2;
        self.identity(stat).filter(|_| regular && quiet && !leapt)
    }

    /// A file looks as an earlier copy has it, and its file system is not believed.
    pub(super) fn read_nevertheless(&self, bytes: u64) {
        for (sum, more) in self.unkept.iter().zip([1, bytes]) {
            sum.fetch_add(more, Ordering::Relaxed);
        }
    }

    /// How many of those there were, and their bytes.
    pub(super) fn unkept(&self) -> (u64, u64) {
        let [files, bytes] = &self.unkept;
        (files.load(Ordering::Relaxed), bytes.load(Ordering::Relaxed))
    }
}

/// Unix seconds; the epoch if the clock says it is before it.
fn wall() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |d| i64::try_from(d.as_secs()).unwrap_or(i64::MAX))
}

fn since_start() -> i64 {
    clock_gettime(ClockId::Boottime).tv_sec
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use rustix::fs::fstat;

    use super::*;

    #[test]
    fn only_a_quiet_file_of_a_believed_system_is_at_rest() {
        let dir = tempfile::tempdir().unwrap();
        let stat = fstat(File::create(dir.path().join("f")).unwrap()).unwrap();
        let at = |taken_at, offset| {
            let known = Mutex::new(HashMap::from([(stat.st_dev, Some(7))]));
            Rest { taken_at, offset, known, ..Rest::begin() }
        };
        let (quiet, offset) = (stat.st_ctime + REST + 1, wall() - since_start());
        let identity = Some(Extent::Identity(7, stat.st_ino));
        assert_eq!(at(quiet, offset).rested(&stat), identity);
        assert_eq!(at(quiet - 1, offset).rested(&stat), None, "it might be written on");
        let leaps = [offset - REST, offset + REST, offset - 3_600, offset + 3_600];
        for leap in leaps {
            assert_eq!(at(quiet, leap).rested(&stat), None, "the clock leapt by {leap}");
        }
        let elsewhere = at(quiet, offset);
        elsewhere.known.lock().unwrap().insert(stat.st_dev, None);
        assert_eq!(elsewhere.rested(&stat), None, "nobody keeps its times");
        let mut last = stat;
        last.st_ctime = i64::from(i32::MAX);
        assert_eq!(at(i64::MAX / 2, offset).rested(&last), None, "it may have been changed since");
        let mut device = stat;
        device.st_mode = FileType::BlockDevice.as_raw_mode();
        assert_eq!(at(quiet, offset).rested(&device), None, "devices are read anew");
        assert_eq!(Rest::begin().identity(&stat), None, "it was never written out");
    }
}
