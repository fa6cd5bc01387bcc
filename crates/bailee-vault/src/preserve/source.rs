//! What is preserved: where its bytes come from, and what of an earlier copy counts.

use std::path::PathBuf;

use super::Input;
use crate::snapshot::SourceKind;

/// What to preserve.
#[derive(Clone, Debug)]
pub enum Source {
    /// A directory and all below it, mounts included; links are kept, not followed.
    Tree(PathBuf),
    /// One regular file.
    File(PathBuf),
    /// A block device, or a file that is an image of one. Kept as one file of its last name.
    Device(PathBuf),
    /// A block device that others write to meanwhile: kept as one, and always as one that changed
    /// while it was read.
    LiveDevice(PathBuf),
    /// Bytes that come once: kept as one file of the input's name.
    Stream(Input),
    /// A tar archive that comes once: what it contains is kept, as the tree it makes.
    Tar(Input),
    /// A tree, file or device that another machine read and sends, see [`send`](super::send).
    Sent(SourceKind, Input),
}

impl Source {
    /// As snapshots record it.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Tree(path) | Self::File(path) | Self::Device(path) | Self::LiveDevice(path) => {
                path.to_string_lossy().into_owned()
            }
            Self::Stream(input) | Self::Tar(input) | Self::Sent(_, input) => {
                input.name().to_owned()
            }
        }
    }

    pub(super) fn kind(&self) -> SourceKind {
        match self {
            Self::Tree(_) => SourceKind::Tree,
            Self::File(_) => SourceKind::File,
            Self::Device(_) | Self::LiveDevice(_) => SourceKind::Device,
            Self::Stream(_) => SourceKind::Stream,
            Self::Tar(_) => SourceKind::Tar,
            Self::Sent(kind, _) => *kind,
        }
    }
}

/// What to do with files that an earlier copy of the same source has and that did not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unchanged {
    /// Take them over without reading them. Size, times, device and inode must be the same, and
    /// the file must have been at rest for a minute when it was read.
    Skip,
    /// Read and hash everything.
    Rehash,
}
