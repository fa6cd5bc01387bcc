//! Transfer: a source on its way to a vault on another machine, or a snapshot on its way out of
//! one, as one stream of frames.
//!
//! ```text
//! stream = "bailee transfer 1\n", frames        frame = kind u8, length u32, that many bytes
//!
//! in, of a tree, file or device:  (entry, of a file: (data | zeros | unreadable)*, done)*, end
//! in, of a pipe or an archive:    data*, end
//! out, of a snapshot:             head, manifest*, (file, (data | zeros)*, done | damaged)*, end
//! out, of an archive made there:  data*, report*, end
//! out, of one file, or a part:    (data | zeros)*, report*, end
//! ```
//!
//! Invariants
//! 1. A stream is whole only with its end frame, which counts the frames before it: whatever cuts
//!    it (a client that is killed, a proxy that ends a body it lost) is an error, never its end.
//! 2. What shows while a file is read travels behind its bytes: that it changed, that the medium
//!    failed. A tar archive has a file's size before its content and no place after it.
//! 3. A frame has a bound, and takes no more memory than came of it.
//!
//! Out of scope: who may send or take, and the connection.

mod frame;
mod plain;

pub(crate) use frame::{FrameWriter, Frames, Kind, MOST};
pub use plain::{Plain, PlainWriter};

use crate::error::VaultError;

/// The other side does not take any more.
pub(crate) fn unsent(e: &std::io::Error) -> VaultError {
    let (path, detail) = ("(transfer)".to_owned(), e.to_string());
    VaultError::Destination { path, doing: "send it", detail }
}
