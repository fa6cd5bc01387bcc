//! What earlier copies of the same source know: files that need not be read again.
//!
//! Invariants
//! 1. A file is taken over only if size, modification and change time, file system and inode are
//!    what they were, nothing of it was unreadable or moving, and all of its chunks are indexed.
//! 2. It must have been at rest when it was read, see `rest.rs`: otherwise nothing was written down
//!    by which it could be known again.
//! 3. Whatever of an earlier copy cannot be read is as if it were not there.
//!
//! Earlier copies are the latest snapshot of the source, and drafts: what an interrupted
//! preservation had made durable. Out of scope: resuming inside a file, whose SHA-256 begins at
//! its start.

use std::collections::HashMap;
use std::os::fd::BorrowedFd;

use rustix::fs::Stat;

use super::rest::Rest;
use super::walk::Known;
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
    pub(super) fn same(
        &self,
        path: &[u8],
        stat: &Stat,
        identity: &Extent,
        table: &Table,
    ) -> Option<&Stored> {
        let (stored, _) = self.files.get(path)?;
        let held = |e: &Extent| e.chunk().is_none_or(|(id, _)| table.trusts(&id));
        let known = stored.extents.first() == Some(identity);
        let same = known && unmoved(stored, stat) && stored.extents.iter().all(held);
        same.then_some(stored)
    }

    /// Whether size and times are those of an earlier copy, whatever they are worth.
    pub(super) fn looks_the_same(&self, path: &[u8], stat: &Stat) -> bool {
        self.files.get(path).is_some_and(|(stored, _)| unmoved(stored, stat))
    }
}

/// What is known of a source: earlier copies, what is at rest now, and which chunks are there.
pub(super) struct Earlier<'a>(pub(super) &'a Previous, pub(super) &'a Rest, pub(super) &'a Table);

impl Known for Earlier<'_> {
    fn enter(&self, directory: BorrowedFd<'_>, device: u64) {
        self.1.enter(directory, device);
    }

    fn any(&self) -> bool {
        !self.0.is_empty()
    }

    fn same(&self, path: &[u8], stat: &Stat) -> Option<Stored> {
        let Self(previous, rest, table) = self;
        if let Some(identity) = rest.identity(stat) {
            return previous.same(path, stat, &identity, table).cloned();
        }
        if previous.looks_the_same(path, stat) {
            rest.read_nevertheless(u64::try_from(stat.st_size).unwrap_or(0));
        }
        None
    }
}

/// Whether it was read whole, and size and times are what they were.
fn unmoved(stored: &Stored, stat: &Stat) -> bool {
    let Node::File { meta, content } = &stored.entry.node else { return false };
    let time = |seconds: i64, nanos| (seconds, u32::try_from(nanos).unwrap_or(0));
    !content.changed
        && content.unreadable.is_empty()
        && i128::from(content.size) == i128::from(stat.st_size)
        && meta.mtime == time(stat.st_mtime, stat.st_mtime_nsec)
        && meta.ctime == time(stat.st_ctime, stat.st_ctime_nsec)
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
    fn a_file_is_the_same_only_if_everything_is() {
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
            extents: vec![Extent::Identity(7, inode)],
        };
        let identity = Extent::Identity(7, stat.st_ino);
        let nothing = Table::new(std::sync::Arc::new(bailee_store::MemoryObjects::new()));
        let same = |stored: Stored| {
            let mut previous = Previous::default();
            previous.add(vec![stored], 1);
            assert!(previous.same(b"g", &stat, &identity, &nothing).is_none());
            previous.same(b"f", &stat, &identity, &nothing).is_some()
        };
        let good = make(&meta, &content, stat.st_ino);
        assert!(same(good.clone()));
        let other = |m: Meta, c: Content| make(&m, &c, stat.st_ino);
        let moved = (meta.mtime.0, meta.mtime.1 ^ 1);
        let mut lost = good.clone();
        lost.extents.push(Extent::Data([1; 24], 7));
        for bad in [
            make(&meta, &content, stat.st_ino + 1),
            other(Meta { mtime: moved, ..meta.clone() }, content.clone()),
            other(Meta { ctime: moved, ..meta.clone() }, content.clone()),
            other(meta.clone(), Content { size: 8, ..content.clone() }),
            other(meta.clone(), Content { changed: true, ..content.clone() }),
            other(meta.clone(), Content { unreadable: vec![(0, 1)], ..content.clone() }),
            Stored { extents: vec![], ..good.clone() },
            Stored { extents: vec![Extent::Identity(8, stat.st_ino)], ..good.clone() },
            lost,
        ] {
            assert!(!same(bad.clone()), "{bad:?}");
        }
        let mut previous = Previous::default();
        previous.add(vec![Stored { extents: vec![], ..good }], 1);
        assert!(previous.looks_the_same(b"f", &stat) && !previous.looks_the_same(b"g", &stat));
    }
}
