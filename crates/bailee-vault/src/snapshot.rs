//! The snapshot object: the one put that makes a preserved copy visible.
//!
//! Invariants: it is put last, after every pack and segment it needs is durable, so that a reader
//! that sees a snapshot can read all of it; its name is the start of its root, so a body under
//! another name is refused; its text is readable only with the unit's key.

use crate::error::VaultError;
use crate::key::Secret;
use crate::manifest::{Stored, TreeShape, evidence};
use crate::names::{SnapshotId, Tag};
use crate::pack::ChunkId;
use crate::root::RootBuilder;
use crate::seal::{Place, open_whole, seal_whole};
use crate::wire::{Malformed, Reader, Writer};

/// What kind of source a snapshot was taken of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceKind {
    /// A directory and all below it.
    Tree,
    /// One regular file.
    File,
    /// A block device, or an image of one.
    Device,
    /// Bytes that came once.
    Stream,
    /// What a tar archive contained; all metadata is as the archive has it.
    Tar,
}

impl SourceKind {
    pub(crate) fn read(number: u8) -> Result<Self, Malformed> {
        match number {
            0 => Ok(Self::Tree),
            1 => Ok(Self::File),
            2 => Ok(Self::Device),
            3 => Ok(Self::Stream),
            4 => Ok(Self::Tar),
            _ => Err("it was taken of an unknown kind of source"),
        }
    }

    pub(crate) fn shape(self) -> TreeShape {
        match self {
            Self::Tree | Self::Tar => TreeShape::Tree,
            Self::File | Self::Device | Self::Stream => TreeShape::SingleFile,
        }
    }
}

/// A snapshot as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotInfo {
    /// Its id: the first half of `root`.
    pub id: SnapshotId,
    /// Manifest root, for the log and as the subject of a clearance.
    pub root: [u8; 32],
    /// The custody unit it belongs to.
    pub unit: String,
    /// What it was taken of.
    pub kind: SourceKind,
    /// The source's path when it was taken, lossily if not UTF-8. For people.
    pub source: String,
    /// Unix seconds when it was begun.
    pub taken_at: i64,
    /// Files with content.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Everything in a snapshot object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Snapshot {
    pub(crate) info: SnapshotInfo,
    pub(crate) tenant: String,
    /// Blinds the root.
    pub(crate) salt: [u8; 32],
    /// The manifest's chunks, in order.
    pub(crate) manifest: Vec<(ChunkId, u32)>,
    /// All packs it needs, sorted.
    pub(crate) packs: Vec<Tag>,
}

impl Snapshot {
    /// The first leaf of the tree.
    fn first_leaf(&self) -> Vec<u8> {
        let mut w = Writer::default();
        w.u8(0);
        w.raw(&self.salt);
        w.bytes(self.tenant.as_bytes());
        w.bytes(self.info.unit.as_bytes());
        w.u8(self.info.kind as u8);
        w.bytes(self.info.source.as_bytes());
        w.i64(self.info.taken_at);
        w.0
    }

    /// The manifest root over these entries.
    pub(crate) fn root_over(&self, entries: &[Stored]) -> [u8; 32] {
        let mut builder = RootBuilder::default();
        builder.push(&self.first_leaf());
        for stored in entries {
            builder.push(&evidence(&stored.entry));
        }
        builder.root()
    }

    pub(crate) fn seal(&self, master: &Secret, place: &Place) -> Result<Vec<u8>, VaultError> {
        let mut w = Writer::default();
        w.raw(&self.info.root);
        w.bytes(&self.first_leaf());
        w.u64(self.info.files);
        w.u64(self.info.bytes);
        w.count(self.manifest.len());
        for (id, len) in &self.manifest {
            w.raw(id);
            w.u32(*len);
        }
        w.count(self.packs.len());
        self.packs.iter().for_each(|p| w.raw(p));
        seal_whole(master, place, &w.0)
    }

    pub(crate) fn open(
        master: &Secret,
        place: &Place,
        name: &str,
        object: Vec<u8>,
    ) -> Result<Self, VaultError> {
        let plain = open_whole(master, place, name, object)?;
        let snapshot = Self::read(&plain).map_err(|e| VaultError::damaged(name, e))?;
        if snapshot.info.id.0 == place.object {
            Ok(snapshot)
        } else {
            Err(VaultError::damaged(name, "its root belongs to another snapshot"))
        }
    }

    fn read(plain: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader(plain);
        let root = r.array()?;
        let mut leaf = Reader(r.bytes()?);
        let (files, bytes) = (r.u64()?, r.u64()?);
        let count = r.count(28)?;
        let piece = |_| Ok((r.array()?, r.u32()?));
        let manifest = (0..count).map(piece).collect::<Result<_, Malformed>>()?;
        let count = r.count(16)?;
        let packs = (0..count).map(|_| r.array()).collect::<Result<_, _>>()?;
        r.end()?;
        if leaf.u8()? != 0 {
            return Err("its first leaf has an unknown kind");
        }
        let (salt, tenant, unit) = (leaf.array()?, leaf.text()?, leaf.text()?);
        let kind = SourceKind::read(leaf.u8()?)?;
        let (source, taken_at) = (leaf.text()?, leaf.i64()?);
        leaf.end()?;
        let id = SnapshotId::of_root(&root);
        let info = SnapshotInfo { id, root, unit, kind, source, taken_at, files, bytes };
        Ok(Self { info, tenant, salt, manifest, packs })
    }
}
