//! Giving a snapshot to another machine: its manifest, then the content of its files in order.
//!
//! Invariants: the manifest is authentic and checked before the first byte leaves, each chunk
//! before its bytes do; a file that is damaged is said to be, behind what was whole of it, and the
//! others follow. Which chunks a file lies in does not leave the vault.

use std::io::Write;

use super::{Plan, said_of};
use crate::chunk::Desk;
use crate::damage::{Unread, read_out};
use crate::error::VaultError;
use crate::manifest::{Extent, Node, Stored, TreeShape, write_all};
use crate::names::SnapshotId;
use crate::pattern::Pattern;
use crate::proof::Proof;
use crate::read::{Bytes, Fetch, TOGETHER};
use crate::transfer::{FrameWriter, Kind, MOST, unsent};
use crate::vault::{Absent, Vault};
use crate::wire::Writer;

impl Vault {
    /// Writes a snapshot, or the part of it that `filter` matches, to `out` as a transfer:
    /// [`crate::receive`] takes it. `origin`: what a bag made of it says it is from.
    ///
    /// # Errors
    /// [`VaultError::UnknownSnapshot`]; damage of the manifest; [`VaultError::Destination`] if
    /// `out` takes no more; store failures. The stream has no end then.
    pub fn give(
        &self,
        tenant: &str,
        id: &SnapshotId,
        filter: Option<&Pattern>,
        (origin, out): (&str, &mut dyn Write),
    ) -> Result<(), VaultError> {
        let tenant = self.tenant(tenant, Absent::Refuse)?;
        let (unit, snapshot) = self.snapshot(&tenant, id)?;
        let _stay = unit.enter();
        let (entries, table) = (unit.manifest(&snapshot)?, unit.table());
        let mut frames = FrameWriter::new(out);
        let shape = snapshot.info.kind.shape();
        frames.put(Kind::Head, &head(shape, id, origin)).map_err(|e| unsent(&e))?;
        let manifest = write_all(&entries.iter().map(plain).collect::<Vec<_>>());
        for piece in manifest.chunks(MOST) {
            frames.put(Kind::Manifest, piece).map_err(|e| unsent(&e))?;
        }
        drop(manifest);
        let threads = 2 * std::thread::available_parallelism().map_or(2, usize::from);
        let mut desk = Desk::default();
        for (path, stored) in Plan::new(&entries, filter).contents() {
            let Some(content) = stored.entry.content() else { continue };
            frames.put(Kind::File, path).map_err(|e| unsent(&e))?;
            let fetch =
                if content.size > TOGETHER { Fetch::Together(threads) } else { Fetch::Alone };
            let mut take = |bytes: Bytes<'_>| {
                let sent = match bytes {
                    // As it is kept: what is no hole here is to be none there.
                    Bytes::Data(data) => {
                        data.chunks(MOST).try_for_each(|piece| frames.put(Kind::Data, piece))
                    }
                    Bytes::Gap(n) => frames.number(Kind::Zeros, n),
                };
                sent.map_err(|e| unsent(&e))
            };
            let file = (stored, content, Proof::Sha256);
            let (kind, said) = match read_out((&unit, &table), file, (fetch, &mut desk), &mut take)
            {
                Ok(()) => (Kind::Done, vec![0]),
                Err(Unread::Untaken(e)) => return Err(e),
                Err(Unread::Lost(damage)) => (Kind::Damaged, said_of(&damage)),
            };
            frames.put(kind, &said).map_err(|e| unsent(&e))?;
        }
        frames.end().map_err(|e| unsent(&e))
    }
}

/// What a snapshot is: whether it is a tree, its id, where it is from.
fn head(shape: TreeShape, id: &SnapshotId, origin: &str) -> Vec<u8> {
    let mut w = Writer::default();
    w.u8(u8::from(shape == TreeShape::SingleFile));
    w.raw(&id.0);
    w.bytes(origin.as_bytes());
    w.0
}

/// An entry without its chunks; as much zeros stand for them.
fn plain(stored: &Stored) -> Stored {
    let extents = match &stored.entry.node {
        Node::File { content, .. } if content.size > 0 => vec![Extent::Zeros(content.size)],
        _ => Vec::new(),
    };
    Stored { entry: stored.entry.clone(), extents }
}
