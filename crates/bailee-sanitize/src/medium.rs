//! Whether overwriting a file's bytes reaches the blocks the old bytes lie in.
//!
//! Invariant: only file systems known to write in place count. On copy-on-write, log-structured,
//! overlay and network file systems the old blocks stay, so an overwrite achieves nothing there,
//! and the record says so. XFS is not counted: shared extents cannot be ruled out from here.
//!
//! Source: statfs(2) magic numbers. Out of scope: what the disk under the file system does.

use std::fs::File;

use rustix::fs::{fstatfs, statfs};

use crate::error::SanitizeError;
use crate::host::{Host, attribute};
use crate::identity::{DeviceNumber, Identity, Kind, backing_path};
use crate::record::Reach;

const IN_PLACE: [(u64, &str); 3] = [(0xEF53, "ext"), (0x0102_1994, "tmpfs"), (0x4D44, "vfat")];

/// Where the bytes lie, as far as it limits the claim.
pub(crate) struct Medium {
    /// Whether an overwrite can count at all.
    pub(crate) reach: Reach,
    /// Sentences for the record about what the overwrite does not reach.
    pub(crate) limits: Vec<String>,
}

/// Looks at the medium of an identified, open device.
pub(crate) fn look(
    host: &Host,
    file: &File,
    number: DeviceNumber,
    identity: &Identity,
) -> Result<Medium, SanitizeError> {
    let unknown = |e| SanitizeError::undeterminable("the file system of the file", e);
    match identity.kind {
        Kind::File => Ok(on_file_system(fstatfs(file).map_err(unknown)?.f_type as u64)),
        Kind::Loop => {
            let dir = host.block(number)?;
            let path = backing_path(&dir)?
                .ok_or_else(|| SanitizeError::undeterminable("its backing file", "none"))?;
            let mut medium = on_file_system(statfs(&path).map_err(unknown)?.f_type as u64);
            if attribute(&dir, "loop/dio")?.as_deref() != Some("1") {
                let note = "the loop device goes through the page cache of its backing file; \
                            reading back may have been answered from memory";
                medium.limits.push(note.into());
            }
            Ok(medium)
        }
        Kind::Block => {
            let mut limits = vec![
                "areas the host cannot address (HPA, DCO, remapped sectors, \
                                   spare flash) were not reached"
                    .to_string(),
            ];
            if attribute(&host.block(number)?, "queue/rotational")?.as_deref() == Some("0") {
                limits.push("not a rotating disk: on flash, overwriting is clear at most".into());
            }
            Ok(Medium { reach: Reach::InPlace, limits })
        }
    }
}

fn on_file_system(magic: u64) -> Medium {
    let mut limits = vec![
        "the bytes of a file were overwritten through its file system; journal, snapshots and \
         earlier places of the file on the medium below were not reached"
            .to_string(),
    ];
    if IN_PLACE.iter().any(|(known, _)| *known == magic) {
        return Medium { reach: Reach::InPlace, limits };
    }
    limits.push(format!(
        "the file system (magic {magic:#x}) is not known to overwrite in place; the overwrite \
         does not count as clear"
    ));
    Medium { reach: Reach::Elsewhere, limits }
}

#[cfg(test)]
mod tests {
    use super::{Reach, on_file_system};

    #[test]
    fn copy_on_write_does_not_count() {
        for (name, magic) in
            [("btrfs", 0x9123_683E), ("zfs", 0x2FC1_2FC1), ("overlay", 0x794C_7630)]
        {
            assert!(on_file_system(magic).reach == Reach::Elsewhere, "{name}");
        }
        assert!(on_file_system(0xEF53).reach == Reach::InPlace);
    }
}
