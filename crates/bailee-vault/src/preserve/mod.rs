//! Preserving: from a source to a snapshot.
//!
//! ```text
//! feeder ── whole small files ──> workers (read, hash, cut, id, compress, seal) ──> uploaders
//!    └── large ones ──> slicers ── their chunks ──^                                  │
//!                          └── hasher (flat SHA-256, each file in order)             │
//! collector <────────────────────────── events ──────────────────────────────────────┘
//! ```
//!
//! Order of writes, and what a crash after each leaves
//! 1. unit key          an empty unit
//! 2. data packs        packs that no index names: swept, or written again under other names
//! 3. index segments    chunks that the next attempt finds and does not store again
//! 4. manifest packs, their index    the same
//! 5. the snapshot      a complete snapshot; before this put there is none
//!
//! Invariants: a file is opened through its directory's descriptor without following links; what
//! cannot be read is recorded; a file whose size or times moved is recorded as changed. One error
//! of the store stops everything and nothing becomes visible.

mod ahead;
mod archive;
mod carry;
mod collect;
mod event;
mod feed;
#[cfg(test)]
mod fixtures;
mod hasher;
mod input;
mod lot;
mod previous;
mod report;
mod rest;
mod scout;
mod send;
mod source;
mod stage;
mod upload;
mod walk;
mod work;

use std::sync::atomic::Ordering;
use std::thread;
use std::time::Instant;

use crossbeam_channel::bounded;

use crate::compact::compact;
use crate::error::VaultError;
use crate::key::random;
use crate::manifest::check;
use crate::names::SnapshotId;
use crate::progress::Progress;
use crate::snapshot::{Snapshot, SnapshotInfo};
use crate::unit::Unit;
use crate::vault::{Absent, Vault};
pub(crate) use archive::path_below;
use collect::Collector;
use event::{Done, Event, Stop};
pub use input::Input;
use previous::Previous;
use report::totals;
pub use report::{Oddities, SnapshotReport};
use rest::Rest;
pub use send::send;
pub use source::{Source, Unchanged};
pub use stage::{Costs, Stage};
pub(crate) use walk::path_of;
pub(crate) use work::put_pack;
use work::{Session, Worker};

impl Vault {
    /// Preserves `source` as a new snapshot of custody unit `unit` of `tenant`; both are made on
    /// first use. On return the snapshot is durable. Files that did not change since the last copy
    /// of this source are taken over; [`Vault::preserve_with`] says otherwise.
    ///
    /// # Errors
    /// As [`Vault::preserve_with`].
    pub fn preserve(
        &self,
        tenant: &str,
        unit: &str,
        source: &Source,
        progress: &mut dyn Progress,
    ) -> Result<SnapshotReport, VaultError> {
        self.preserve_with(tenant, unit, source, Unchanged::Skip, progress)
    }

    /// Like [`Vault::preserve`], with a word on unchanged files.
    ///
    /// # Errors
    /// [`VaultError::Source`] if the source as a whole cannot be read (parts that cannot are in
    /// the report); [`VaultError::Archive`] if an archive is not whole or cannot be kept;
    /// [`VaultError::UnitErased`]; store failures. After an error there is no snapshot.
    pub fn preserve_with(
        &self,
        tenant: &str,
        unit: &str,
        source: &Source,
        unchanged: Unchanged,
        progress: &mut dyn Progress,
    ) -> Result<SnapshotReport, VaultError> {
        let began = Instant::now();
        let rest = Rest::begin();
        let taken_at = rest.taken_at;
        let origin = feed::Origin::open(source, &rest)?;
        let tenant = self.tenant(tenant, Absent::Create)?;
        let unit = self.unit(&tenant, unit, Absent::Create)?;
        let shared = unit.enter();
        if self.is_erased(&tenant, unit.tag())? {
            // Erased while this call waited: what it wrote could never be read.
            return Err(VaultError::UnitErased { unit: unit.name.clone() });
        }
        let session = Session::new(&unit, rest);
        let previous = Previous::load(self, &tenant, &unit, source, unchanged);
        let mut collector = Collector::new(&session, (source, taken_at), progress);
        run(&session, &previous, origin, &mut collector)?;
        let entries = collector.entries()?;
        if let Source::Sent(kind, input) = source {
            input.agrees(check(&entries, kind.shape()))?;
        }
        let mut snapshot = empty_snapshot(&unit, source, taken_at)?;
        let (files, bytes) = totals(&entries);
        (snapshot.info.files, snapshot.info.bytes) = (files, bytes);
        collector.commit(&session, &mut snapshot, &entries)?;
        collector.drop_drafts(&previous);
        let (unchanged, replaced) = (collector.unchanged(), collector.replaced());
        let stored_bytes = collector.stored_bytes();
        drop((collector, shared));
        crate::expire::settle(&unit);
        if let Ok(_alone) = unit.gate.try_write() {
            // The snapshot is durable; a merge that fails is tried again next time.
            drop(compact(&unit));
        }
        let Oddities { unreadable, changed } = Oddities::of(entries.iter().map(|s| &s.entry));
        Ok(SnapshotReport {
            id: snapshot.info.id,
            root: snapshot.info.root,
            files,
            bytes,
            stored_bytes,
            unreadable,
            changed,
            replaced,
            unchanged,
            unkept: session.rest.unkept(),
            costs: session.meter.costs(),
            seconds: began.elapsed().as_secs_f64(),
        })
    }
}

/// Runs all threads until the source is read and every data pack is durable.
fn run(
    session: &Session<'_>,
    previous: &Previous,
    origin: feed::Origin,
    collector: &mut Collector<'_>,
) -> Result<(), VaultError> {
    let cores = thread::available_parallelism().map_or(2, usize::from);
    let (jobs_in, jobs) = bounded(4 * cores);
    let (first_in, first) = bounded(2);
    let (second_in, second) = bounded(2);
    let (hashes_in, hashes) = ([first_in, second_in], [first, second]);
    let (packs_in, packs) = bounded(cores);
    let (events_in, events) = bounded(1024);
    thread::scope(|scope| {
        for _ in 0..cores {
            let (jobs, packs, events) = (jobs.clone(), packs_in.clone(), events_in.clone());
            scope.spawn(move || {
                report(&events, Worker::new(session, &packs, &events).and_then(|w| w.run(&jobs)));
            });
        }
        for _ in 0..2 * cores {
            let (packs, events) = (packs.clone(), events_in.clone());
            scope.spawn(move || report(&events, upload::upload(session, &packs, &events)));
        }
        let hash_events = events_in.clone();
        scope.spawn(move || report(&hash_events, hasher::hash(session, &hashes, &hash_events)));
        scope.spawn(move || {
            let with = (session, previous);
            let feeder = feed::Feeder::new(with, jobs_in, hashes_in, events_in.clone());
            report(&events_in, feeder.run(origin));
        });
        drop((jobs, packs, packs_in));
        let collected = collector.collect(events);
        session.stopped.store(collected.is_err(), Ordering::Relaxed);
        collected
    })
}

fn report(events: &crossbeam_channel::Sender<Event>, outcome: Result<(), Stop>) {
    if let Err(Stop::Failed(e)) = outcome {
        // If nobody listens any more, an earlier failure is being reported already.
        drop(events.send(Event::Failed(e)));
    }
}

fn empty_snapshot(unit: &Unit, source: &Source, taken_at: i64) -> Result<Snapshot, VaultError> {
    let root = [0; 32];
    let info = SnapshotInfo {
        id: SnapshotId::of_root(&root),
        root,
        unit: unit.name.clone(),
        kind: source.kind(),
        source: source.name(),
        taken_at,
        files: 0,
        bytes: 0,
    };
    let (tenant, salt) = (unit.tenant.clone(), random()?);
    Ok(Snapshot { info, tenant, salt, manifest: Vec::new(), packs: Vec::new() })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bailee_store::MemoryObjects;

    use super::*;
    use crate::key::Kek;
    use crate::manifest::{Content, Entry, Meta, Node, Stored};
    use crate::snapshot::SourceKind;

    fn vault() -> Vault {
        Vault::create(Arc::new(MemoryObjects::new()), &Kek::from_bytes([1; 32])).unwrap()
    }

    /// Commits entries that no honest walk would find, sealed as the owner of the keys could.
    fn commit(vault: &Vault, kind: SourceKind, entries: Vec<Stored>) -> SnapshotId {
        let tenant = vault.tenant("t", Absent::Create).unwrap();
        let unit = vault.unit(&tenant, "A-1", Absent::Create).unwrap();
        let session = Session::new(&unit, Rest::begin());
        let mut nobody = ();
        let source = Source::Tree("/x".into());
        let mut collector = Collector::new(&session, (&source, 0), &mut nobody);
        let mut snapshot = empty_snapshot(&unit, &source, 0).unwrap();
        snapshot.info.kind = kind;
        collector.commit(&session, &mut snapshot, &entries).unwrap();
        snapshot.info.id
    }

    fn entry(path: &[u8], node: Node) -> Stored {
        Stored { entry: Entry { path: path.to_vec(), node }, extents: Vec::new() }
    }

    fn file(path: &[u8]) -> Stored {
        let content = Content { sha256: crate::root::sha256(&[]), ..Content::default() };
        entry(path, Node::File { meta: Meta::default(), content })
    }

    fn directory(path: &[u8]) -> Stored {
        entry(path, Node::Directory { meta: Meta { mode: 0o755, ..Meta::default() } })
    }

    #[test]
    fn a_hostile_manifest_writes_nothing_anywhere() {
        let link = |path: &[u8], target: &[u8]| {
            let (meta, target) = (Meta::default(), target.to_vec());
            entry(path, Node::Symlink { meta, target })
        };
        let hard =
            |path: &[u8], target: &[u8]| entry(path, Node::HardLink { target: target.to_vec() });
        let hostile: Vec<Vec<Stored>> = vec![
            vec![directory(b""), file(b"../x")],
            vec![directory(b""), file(b"/etc/x")],
            vec![directory(b""), file(b"a\0b")],
            vec![directory(b""), link(b"d", b".."), file(b"d/x")],
            vec![directory(b""), directory(b"d"), file(b"d/../../x")],
            vec![directory(b""), hard(b"h", b"../kept")],
            vec![file(b"x")],
        ];
        for entries in hostile {
            let dir = tempfile::tempdir().unwrap();
            std::fs::write(dir.path().join("kept"), b"outside").unwrap();
            let vault = vault();
            let id = commit(&vault, SourceKind::Tree, entries.clone());
            let refused = vault.restore("t", &id, &dir.path().join("to"), None);
            assert!(matches!(refused, Err(VaultError::Damaged { .. })), "{entries:?}");
            let names: Vec<_> = std::fs::read_dir(dir.path()).unwrap().collect();
            assert_eq!(names.len(), 1, "only what was there before");
        }
        let vault = vault();
        let id = commit(&vault, SourceKind::Tree, vec![directory(b""), file(b"ok")]);
        let dir = tempfile::tempdir().unwrap();
        let done = vault.restore("t", &id, &dir.path().join("to"), None).unwrap();
        assert_eq!(done.files, 1, "an honest one made the same way is restored");
    }
}
