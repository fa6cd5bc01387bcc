//! What the threads of a preservation tell its collector, and why one of them stops early.

use super::archive::Tree;
use crate::error::VaultError;
use crate::index::PackRow;
use crate::manifest::{Content, Entry, Extent, Stored};
use crate::pack::Slot;

/// A file's index and content.
pub(super) type Done = (usize, Content, Vec<Extent>);

/// What the threads tell the collector. To tell it costs a small file's time, so what is small is
/// told together.
pub(super) enum Event {
    /// The feeder found these, the first of them as `index`; files come without content.
    Found { index: usize, entries: Vec<Entry> },
    /// Small files are done.
    Whole(Vec<Done>),
    /// A large file's pieces are cut; data pieces still lack their ids, waypoints
    /// what they are.
    Streamed { index: usize, content: Content, extents: Vec<Extent> },
    /// One of them with its id, or one that is a waypoint.
    Piece { index: usize, piece: usize, extent: Extent },
    /// A file of an earlier copy, complete.
    Same { index: usize, stored: Stored },
    /// The SHA-256 of a large file.
    Hashed { index: usize, sha256: [u8; 32] },
    /// Entries are not in tree order: where they stand.
    Arranged(Tree),
    /// A pack is durable.
    Packed { row: PackRow, slots: Vec<Slot> },
    /// Something failed; all stop.
    Failed(VaultError),
}

/// Why a thread stops early.
pub(super) enum Stop {
    /// The others have stopped.
    Gone,
    /// This thread failed.
    Failed(VaultError),
}

impl<T> From<crossbeam_channel::SendError<T>> for Stop {
    fn from(_: crossbeam_channel::SendError<T>) -> Self {
        Self::Gone
    }
}

impl From<VaultError> for Stop {
    fn from(e: VaultError) -> Self {
        Self::Failed(e)
    }
}
