//! What earlier copies of the same source know: files that need not be read again.
//!
//! Invariants
//! 1. A file is taken over only if size, modification and change time, device and inode are what
//!    they were, nothing of it was unreadable or moving, and all of its chunks are indexed.
//! 2. It must have been at rest for [`REST`] seconds when it was read. Two writes within one tick
//!    of the clock leave one time; a store through a mapping leaves none until the kernel has
//!    written the page out, which it does after 35 s. So younger files are read again.
//! 3. Whatever of an earlier copy cannot be read is as if it were not there.
//!
//! Earlier copies are the latest snapshot of the source, and drafts: what an interrupted
//! preservation had made durable. Out of scope: resuming inside a file, whose SHA-256 begins at
//! its start.

use std::collections::HashMap;

use rustix::fs::Stat;

use super::{Source, Unchanged};
use crate::error::VaultError;
use crate::index::Table;
use crate::manifest::{Extent, Node, Stored, read_all, write_all};
use crate::names;
use crate::seal::{Kind, open_whole, seal_whole};
use crate::snapshot::SourceKind;
use crate::unit::Unit;
use crate::vault::{Tenant, Vault};
use crate::wire::{Malformed, Reader, Writer};

/// Seconds without a change before a file was read.
const REST: i64 = 60;

/// Files by path, each with the time its copy was begun.
#[derive(Default)]
pub(super) struct Previous {
    files: HashMap<Vec<u8>, (Stored, i64)>,
    /// Object names of the drafts of this source: superseded by the next snapshot.
    pub(super) drafts: Vec<String>,
}

impl Previous {
    /// Reads what there is.
    pub(super) fn load(
        vault: &Vault,
        tenant: &Tenant,
        unit: &Unit,
        source: &Source,
        unchanged: Unchanged,
    ) -> Self {
        let mut previous = Self::default();
        if unchanged == Unchanged::Skip {
            let last = vault.snapshots_of(tenant, unit).ok().and_then(|snapshots| {
                let same = |s: &&crate::snapshot::Snapshot| {
                    s.info.kind == source.kind() && s.info.source == source.name()
                };
                snapshots.iter().filter(same).max_by_key(|s| s.info.taken_at).cloned()
            });
            if let Some((last, entries)) =
                last.and_then(|last| Some((last.info.taken_at, unit.manifest(&last).ok()?)))
            {
                previous.add(entries, last);
            }
        }
        for name in unit.objects.list(&unit.prefix(Kind::Draft)).unwrap_or_default() {
            let Ok(draft) = Draft::open(unit, &name) else { continue };
            if draft.kind == source.kind() && draft.source == source.name() {
                if unchanged == Unchanged::Skip {
                    previous.add(draft.entries, draft.taken_at);
                }
                previous.drafts.push(name);
            }
        }
        previous
    }

    pub(super) fn add(&mut self, entries: Vec<Stored>, taken_at: i64) {
        for stored in entries {
            let newer = self.files.get(&stored.entry.path).is_none_or(|(_, t)| *t <= taken_at);
            if newer && stored.entry.content().is_some() {
                self.files.insert(stored.entry.path.clone(), (stored, taken_at));
            }
        }
    }

    /// Whether nothing of the source is known.
    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The earlier copy of a file that is still the same.
    pub(super) fn same(&self, path: &[u8], stat: &Stat, table: &Table) -> Option<&Stored> {
        let (stored, taken_at) = self.files.get(path)?;
        let held = |e: &Extent| e.chunk().is_none_or(|(id, _)| table.trusts(&id));
        let same = unchanged(stored, stat, *taken_at) && stored.extents.iter().all(held);
        same.then_some(stored)
    }
}

/// Invariants 1 and 2 but for the chunks.
fn unchanged(stored: &Stored, stat: &Stat, taken_at: i64) -> bool {
    let Node::File { meta, content } = &stored.entry.node else { return false };
    let time = |seconds: i64, nanos| (seconds, u32::try_from(nanos).unwrap_or(0));
    let identity = Extent::Identity(stat.st_dev, stat.st_ino);
    !content.changed
        && content.unreadable.is_empty()
        && i128::from(content.size) == i128::from(stat.st_size)
        && meta.mtime == time(stat.st_mtime, stat.st_mtime_nsec)
        && meta.ctime == time(stat.st_ctime, stat.st_ctime_nsec)
        && stored.extents.first() == Some(&identity)
        && meta.ctime.0.saturating_add(REST) < taken_at
}

/// Files that an unfinished preservation has made durable.
pub(super) struct Draft {
    pub(super) kind: SourceKind,
    pub(super) source: String,
    pub(super) taken_at: i64,
    pub(super) entries: Vec<Stored>,
}

impl Draft {
    /// Puts the draft; gives its object's name.
    pub(super) fn put(&self, unit: &Unit) -> Result<String, VaultError> {
        let id = crate::key::random()?;
        let mut w = Writer::default();
        w.u8(self.kind as u8);
        w.bytes(self.source.as_bytes());
        w.i64(self.taken_at);
        w.raw(&write_all(&self.entries));
        let object = seal_whole(unit.key(), &unit.place(Kind::Draft, id), &w.0)?;
        let name = unit.object(Kind::Draft, &id);
        unit.objects.put(&name, &object)?;
        Ok(name)
    }

    pub(super) fn open(unit: &Unit, name: &str) -> Result<Self, VaultError> {
        let id = names::last_id(name)
            .ok_or_else(|| VaultError::damaged(name, "it is not named as a draft"))?;
        let place = unit.place(Kind::Draft, id);
        let plain = open_whole(unit.key(), &place, name, unit.objects.get(name)?)?;
        let mut r = Reader(&plain);
        let mut read = || {
            let kind = SourceKind::read(r.u8()?)?;
            let (source, taken_at) = (r.text()?, r.i64()?);
            Ok::<_, Malformed>(Self { kind, source, taken_at, entries: read_all(r.0)? })
        };
        read().map_err(|e| VaultError::damaged(name, e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{Content, Entry, Meta};

    #[test]
    fn a_file_is_the_same_only_if_everything_is_and_it_was_at_rest() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("f"), "content").unwrap();
        let file = std::fs::File::open(dir.path().join("f")).unwrap();
        let stat = rustix::fs::fstat(&file).unwrap();
        let time = |s, n: u64| (s, u32::try_from(n).unwrap());
        let meta = Meta {
            mtime: time(stat.st_mtime, stat.st_mtime_nsec),
            ctime: time(stat.st_ctime, stat.st_ctime_nsec),
            ..Meta::default()
        };
        let content = Content { size: 7, ..Content::default() };
        let make = |meta: &Meta, content: &Content, inode| Stored {
            entry: Entry {
                path: b"f".to_vec(),
                node: Node::File { meta: meta.clone(), content: content.clone() },
            },
            extents: vec![Extent::Identity(stat.st_dev, inode)],
        };
        let rested = stat.st_ctime + REST + 1;
        let good = make(&meta, &content, stat.st_ino);
        assert!(unchanged(&good, &stat, rested));
        assert!(!unchanged(&good, &stat, rested - 1), "it might have been written on");
        assert!(!unchanged(&make(&meta, &content, stat.st_ino + 1), &stat, rested));
        let other = |m: Meta, c: Content| make(&m, &c, stat.st_ino);
        let moved = (meta.mtime.0, meta.mtime.1 ^ 1);
        for bad in [
            other(Meta { mtime: moved, ..meta.clone() }, content.clone()),
            other(Meta { ctime: moved, ..meta.clone() }, content.clone()),
            other(meta.clone(), Content { size: 8, ..content.clone() }),
            other(meta.clone(), Content { changed: true, ..content.clone() }),
            other(meta.clone(), Content { unreadable: vec![(0, 1)], ..content.clone() }),
            Stored { extents: vec![], ..good.clone() },
        ] {
            assert!(!unchanged(&bad, &stat, rested), "{bad:?}");
        }
        let nothing = Table::new(std::sync::Arc::new(bailee_store::MemoryObjects::new()));
        let mut previous = Previous::default();
        previous.add(vec![good], rested);
        assert!(previous.same(b"f", &stat, &nothing).is_some());
        assert!(previous.same(b"g", &stat, &nothing).is_none());
        let mut lost = make(&meta, &content, stat.st_ino);
        lost.extents.push(Extent::Data([1; 24], 7));
        previous.add(vec![lost], rested);
        assert!(previous.same(b"f", &stat, &nothing).is_none(), "its chunk is lost");
    }
}
