//! Preserving: from a source to a snapshot.
//!
//! ```text
//! feeder ── whole small files ──> workers (read, hash, cut, id, compress, seal) ──> uploaders
//!    └──── chunks of large ones ──^        └── hasher (flat SHA-256, in order)         │
//! collector <────────────────────────── events ───────────────────────────────────────┘
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
mod feed;
#[cfg(test)]
mod fixtures;
mod input;
mod previous;
mod scout;
mod send;
mod stage;
mod upload;
mod walk;
mod work;

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crossbeam_channel::bounded;

use crate::compact::compact;
use crate::error::VaultError;
use crate::key::random;
use crate::manifest::{Content, Entry, Extent, Stored, check};
use crate::names::SnapshotId;
use crate::snapshot::{Snapshot, SnapshotInfo, SourceKind};
use crate::unit::Unit;
use crate::vault::{Absent, Vault};
pub(crate) use archive::path_below;
use collect::Collector;
pub use input::Input;
use previous::Previous;
pub use send::send;
pub use stage::{Costs, Stage};
pub(crate) use walk::path_of;
pub(crate) use work::put_pack;
use work::{Session, Worker};

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
    /// A tree, file or device that another machine read and sends, see [`send`].
    Sent(SourceKind, Input),
}

impl Source {
    /// As snapshots record it.
    fn name(&self) -> String {
        match self {
            Self::Tree(path) | Self::File(path) | Self::Device(path) | Self::LiveDevice(path) => {
                path.to_string_lossy().into_owned()
            }
            Self::Stream(input) | Self::Tar(input) | Self::Sent(_, input) => {
                input.name().to_owned()
            }
        }
    }

    fn kind(&self) -> SourceKind {
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

/// Hears how far a long operation is.
pub trait Progress {
    /// So far done: files, and bytes of their content.
    fn advance(&mut self, files: u64, bytes: u64);
    /// Something else begins, of so many bytes; what is done counts from zero.
    fn begin(&mut self, _doing: &'static str, _bytes: u64) {}
}

/// Nobody listens.
impl Progress for () {
    fn advance(&mut self, _files: u64, _bytes: u64) {}
}

/// What was preserved.
#[derive(Clone, Debug, PartialEq)]
pub struct SnapshotReport {
    /// The snapshot: durable and complete.
    pub id: SnapshotId,
    /// Its manifest root, for the log.
    pub root: [u8; 32],
    /// Files with content.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Bytes newly put into the store, all overhead included.
    pub stored_bytes: u64,
    /// What could not be read, wholly or in part, and why.
    pub unreadable: Vec<(PathBuf, String)>,
    /// Files that changed while they were read.
    pub changed: Vec<PathBuf>,
    /// Members of an archive that are not kept, because a later one has their name.
    pub replaced: Vec<PathBuf>,
    /// Files taken over from an earlier copy without being read, and their bytes.
    pub unchanged: (u64, u64),
    /// Processor time, per stage.
    pub costs: Costs,
    /// How long it took.
    pub seconds: f64,
}

/// A file's index and content.
type Done = (usize, Content, Vec<Extent>);

/// What the threads tell the collector. To tell it costs a small file's time, so what is small is
/// told together.
enum Event {
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
    Arranged(archive::Tree),
    /// A pack is durable.
    Packed { row: crate::index::PackRow, slots: Vec<crate::pack::Slot> },
    /// Something failed; all stop.
    Failed(VaultError),
}

/// Why a thread stops early.
enum Stop {
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
        let taken_at = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |d| i64::try_from(d.as_secs()).unwrap_or(i64::MAX));
        let origin = feed::Origin::open(source)?;
        let tenant = self.tenant(tenant, Absent::Create)?;
        let unit = self.unit(&tenant, unit, Absent::Create)?;
        let shared = unit.enter();
        if self.is_erased(&tenant, unit.tag())? {
            // Erased while this call waited: what it wrote could never be read.
            return Err(VaultError::UnitErased { unit: unit.name.clone() });
        }
        let session = Session::new(&unit);
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
        let (unreadable, changed) = oddities(&entries);
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
    let (hashes_in, hashes) = bounded(16);
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
        scope.spawn(move || report(&hash_events, work::hash(session, &hashes, &hash_events)));
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

fn totals(entries: &[Stored]) -> (u64, u64) {
    let contents = entries.iter().filter_map(|s| s.entry.content());
    contents.fold((0, 0), |(files, bytes), c| (files + 1, bytes + c.size))
}

type Oddities = (Vec<(PathBuf, String)>, Vec<PathBuf>);

fn oddities(entries: &[Stored]) -> Oddities {
    let (mut unreadable, mut changed) = (Vec::new(), Vec::new());
    for Stored { entry, .. } in entries {
        if let crate::manifest::Node::Unreadable { reason } = &entry.node {
            unreadable.push((path_of(&entry.path), reason.clone()));
        }
        let Some(content) = entry.content() else { continue };
        if content.changed {
            changed.push(path_of(&entry.path));
        }
        if !content.unreadable.is_empty() {
            let bytes: u64 = content.unreadable.iter().map(|(_, n)| n).sum();
            let ranges = content.unreadable.len();
            let places = if ranges == 1 { "one place" } else { "several places" };
            let reason = format!("the medium did not give {bytes} bytes, in {places}");
            unreadable.push((path_of(&entry.path), reason));
        }
    }
    (unreadable, changed)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bailee_store::MemoryObjects;
    use crossbeam_channel::unbounded;

    use super::*;
    use crate::key::Kek;
    use crate::manifest::{Meta, Node};

    fn vault() -> Vault {
        Vault::create(Arc::new(MemoryObjects::new()), &Kek::from_bytes([1; 32])).unwrap()
    }

    /// Commits entries that no honest walk would find, sealed as the owner of the keys could.
    fn commit(vault: &Vault, kind: SourceKind, entries: Vec<Stored>) -> SnapshotId {
        let tenant = vault.tenant("t", Absent::Create).unwrap();
        let unit = vault.unit(&tenant, "A-1", Absent::Create).unwrap();
        let session = Session::new(&unit);
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

    #[test]
    fn a_file_that_changes_underfoot_is_recorded_as_changed() {
        let vault = vault();
        let tenant = vault.tenant("t", Absent::Create).unwrap();
        let unit = vault.unit(&tenant, "A-1", Absent::Create).unwrap();
        let session = Session::new(&unit);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        for (before, after) in [("abc", "abc"), ("abc", "ab"), ("abc", "abcd")] {
            std::fs::write(&path, before).unwrap();
            let file = std::fs::File::open(&path).unwrap();
            let stat = rustix::fs::fstat(&file).unwrap();
            if before != after {
                std::fs::write(&path, after).unwrap();
            }
            let (jobs_in, jobs) = unbounded();
            let (packs_in, _packs) = unbounded();
            let (events_in, events) = unbounded();
            let file = bailee_store::direct::Reader::new(file);
            let small = feed::Small { index: 0, file, stat };
            jobs_in.send(feed::Job::Whole(vec![small])).unwrap();
            drop(jobs_in);
            let worker = Worker::new(&session, &packs_in, &events_in).ok().unwrap();
            assert!(worker.run(&jobs).is_ok());
            let Ok(Event::Whole(done)) = events.try_recv() else {
                panic!("a worker reports what it was given")
            };
            let [(0, content, _)] = &done[..] else { panic!("{} files", done.len()) };
            assert_eq!(content.changed, before != after, "{before} became {after}");
            assert_eq!(content.size, after.len().min(before.len()) as u64);
        }
    }

    #[test]
    fn a_large_file_that_waited_is_looked_at_anew() {
        let vault = vault();
        let tenant = vault.tenant("t", Absent::Create).unwrap();
        let unit = vault.unit(&tenant, "A-1", Absent::Create).unwrap();
        let (session, previous) = (Session::new(&unit), Previous::default());
        let dir = tempfile::tempdir().unwrap();
        let holes = |name, size| {
            let file = std::fs::File::create(dir.path().join(name)).unwrap();
            file.set_len(size).unwrap();
        };
        holes("a", 300 << 20);
        std::os::unix::fs::symlink("a", dir.path().join("aa")).unwrap();
        holes("b", 9 << 20);
        let origin = feed::Origin::open(&Source::Tree(dir.path().into())).unwrap();
        let (jobs_in, _jobs) = unbounded();
        let (hashes_in, hashes) = bounded(0);
        let (events_in, events) = unbounded();
        let feeder = feed::Feeder::new((&session, &previous), jobs_in, hashes_in, events_in);
        thread::scope(|scope| {
            scope.spawn(move || assert!(feeder.run(origin).is_ok()));
            let found = || match events.recv() {
                Ok(Event::Found { entries, .. }) => entries,
                _ => panic!("nothing is cut as long as nobody hashes"),
            };
            assert_eq!(found().last().unwrap().path, b"a");
            // The walk is at `b`, and waits.
            assert_eq!(found().last().unwrap().path, b"aa");
            holes("b", 10 << 20);
            scope.spawn(move || hashes.into_iter().for_each(drop));
            let sizes = events.iter().filter_map(|event| match event {
                Event::Streamed { content, .. } => Some((content.size, content.changed)),
                _ => None,
            });
            assert_eq!(sizes.collect::<Vec<_>>(), [(300 << 20, false), (10 << 20, false)]);
        });
    }
}
