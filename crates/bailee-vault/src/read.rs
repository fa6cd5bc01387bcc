//! Reading back: whole files in order, manifests.
//!
//! Invariants
//! 1. Bytes reach a caller only after their record was authenticated and matched its chunk id.
//! 2. A whole file is checked against its flat SHA-256 as well; what was handed out before a
//!    mismatch shows is the caller's to discard, and every caller here does.
//! 3. Whoever takes a large file in order gets it by turn-taking: chunk `i` comes from thread
//!    `i mod n`, so it keeps all cores busy with a bounded number of chunks in memory. Whoever
//!    needs no order takes it in segments (`segment.rs`).
//! 4. There are twice as many threads as cores: half of them wait for a disk.
//! 5. Whatever ends the reading early (damage, whoever takes no more) ends all threads: each sends
//!    to a receiver that lives in the thread that may stop, never beyond it.

use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::chunk::Desk;
use crate::error::VaultError;
use crate::flat::Flat;
use crate::index::Table;
use crate::manifest::{Content, Entry, Extent, Stored};
use crate::names::SnapshotId;
use crate::pack::ChunkId;
use crate::proof::Proof;
use crate::segment::{Segment, not_its_digest, read_segment};
use crate::unit::Unit;
use crate::vault::{Absent, Vault};
use bailee_ledger::to_hex;

/// Files above this size are fetched by all threads together.
pub(crate) const TOGETHER: u64 = 32 * 1024 * 1024;
/// Chunks each thread may be ahead.
const AHEAD: usize = 4;

/// Bytes of a file, in order.
pub(crate) enum Bytes<'a> {
    Data(&'a [u8]),
    /// Zeros that need not be written.
    Gap(u64),
}

/// What takes them.
pub(crate) type Take<'a> = dyn FnMut(Bytes<'_>) -> Result<(), VaultError> + 'a;

/// How many threads fetch chunks of one file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fetch {
    Alone,
    Together(usize),
}

/// Hands out the content of a file in order, then checks its SHA-256.
pub(crate) fn read_file(
    unit: &Unit,
    table: &Table,
    stored: &Stored,
    content: &Content,
    (fetch, desk): (Fetch, &mut Desk),
    take: &mut Take<'_>,
) -> Result<(), VaultError> {
    read_proven(unit, table, (stored, content, Proof::Sha256), (fetch, desk), take)
}

/// The same, checked as `proof` says.
pub(crate) fn read_proven(
    unit: &Unit,
    table: &Table,
    (stored, content, proof): (&Stored, &Content, Proof),
    (fetch, desk): (Fetch, &mut Desk),
    take: &mut Take<'_>,
) -> Result<(), VaultError> {
    let Fetch::Together(threads) = fetch else {
        let whole = Segment::whole(&stored.extents);
        return read_segment((unit, table), (stored, content, proof), &whole, desk, take);
    };
    let sha256 = together(unit, table, (stored, proof), threads, take)?;
    let good = proof == Proof::Chunks || sha256 == content.sha256;
    if good { Ok(()) } else { Err(not_its_digest(stored)) }
}

/// A chunk, or why there is none.
type Read = Result<Vec<u8>, VaultError>;

/// Lanes fetch, one thread hashes in order, this one takes.
fn together(
    unit: &Unit,
    table: &Table,
    (stored, proof): (&Stored, Proof),
    threads: usize,
    take: &mut Take<'_>,
) -> Result<[u8; 32], VaultError> {
    let (spare_in, spare) = bounded::<Vec<u8>>(2 * AHEAD * threads);
    let (ordered_in, ordered) = bounded(AHEAD);
    thread::scope(|scope| {
        let lanes: Vec<Receiver<Read>> = (0..threads)
            .map(|lane| {
                let (sender, receiver) = bounded(AHEAD);
                let spare = spare.clone();
                scope.spawn(move || {
                    let mut desk = Desk::default();
                    let data = stored.extents.iter().filter_map(Extent::chunk);
                    for (id, len) in data.skip(lane).step_by(threads) {
                        desk.plain = spare.try_recv().unwrap_or_default();
                        let read = unit.chunk(table, &id, len, &mut desk);
                        if sender.send(read.map(|()| std::mem::take(&mut desk.plain))).is_err() {
                            return; // the reader has stopped
                        }
                    }
                });
                receiver
            })
            .collect();
        let hasher = scope.spawn(move || {
            let mut hash = Flat::default();
            let mut turns = lanes.iter().cycle();
            for extent in &stored.extents {
                let piece = match extent {
                    Extent::Data(id, _) => next(unit, id, &mut turns).inspect(|d| hash.update(d)),
                    Extent::Zeros(n) | Extent::Unreadable(n) => {
                        if proof == Proof::Sha256 {
                            hash.zeros(*n);
                        }
                        Ok(Vec::new())
                    }
                    Extent::Identity(..) | Extent::Waypoint(_) => Ok(Vec::new()),
                };
                if ordered_in.send(piece).is_err() {
                    break; // whoever takes has stopped, for a reason of its own
                }
            }
            hash.finish()
        });
        in_order(stored, ordered, &spare_in, take).unwrap_or_else(|| Err(lost(unit)))?;
        hasher.join().map_err(|_| lost(unit))
    })
}

/// Takes the pieces of a file. Whatever stops it, `ordered` is dropped before the threads are
/// waited for: they learn by it that nobody takes any more. `None`: they stopped first.
fn in_order(
    stored: &Stored,
    ordered: Receiver<Read>,
    spare: &Sender<Vec<u8>>,
    take: &mut Take<'_>,
) -> Option<Result<(), VaultError>> {
    for extent in &stored.extents {
        let piece = match ordered.recv().ok()? {
            Ok(piece) => piece,
            Err(error) => return Some(Err(error)),
        };
        let taken = match extent {
            Extent::Data(..) => take(Bytes::Data(&piece)),
            _ => take(Bytes::Gap(extent.len())),
        };
        if taken.is_err() {
            return Some(taken);
        }
        drop(spare.try_send(piece)); // full: there are enough
    }
    Some(Ok(()))
}

fn next<'l>(
    unit: &Unit,
    id: &ChunkId,
    turns: &mut impl Iterator<Item = &'l Receiver<Read>>,
) -> Read {
    turns.next().and_then(|lane| lane.recv().ok()).unwrap_or_else(|| {
        let chunk = to_hex(id);
        Err(VaultError::MissingChunk { chunk, unit: unit.name.clone(), unread: Vec::new() })
    })
}

/// A thread of ours panicked: a bug, told as a failure of this file.
fn lost(unit: &Unit) -> VaultError {
    let (chunk, unit) = ("(a reading thread stopped)".to_owned(), unit.name.clone());
    VaultError::MissingChunk { chunk, unit, unread: Vec::new() }
}

/// Files that go to a thread at once: to wake one costs what a small file costs.
const SMALL_TOGETHER: usize = 16;
/// Bytes beyond which no further file goes with them: the others wait for work.
const ENOUGH: u64 = 512 * 1024;

/// Spreads files over all cores: small ones in parallel, each large one by all cores together.
/// `feed` hands files over in its own order; `work` is called once for each, with what its thread
/// keeps between files.
pub(crate) fn spread<'e, T: Send, D: Default>(
    feed: impl FnOnce(&mut dyn FnMut(T, &'e Stored)),
    work: impl Fn(T, &'e Stored, Fetch, &mut D) + Sync,
) {
    let threads = 2 * thread::available_parallelism().map_or(2, usize::from);
    let (sender, receiver) = bounded::<Vec<(T, &Stored)>>(2 * threads);
    thread::scope(|scope| {
        for _ in 0..threads {
            let (receiver, work) = (receiver.clone(), &work);
            scope.spawn(move || {
                let mut desk = D::default();
                for (item, stored) in receiver.into_iter().flatten() {
                    work(item, stored, Fetch::Alone, &mut desk);
                }
            });
        }
        drop(receiver);
        let (mut desk, mut together, mut bytes) = (D::default(), Vec::new(), 0);
        let send = |files| sender.send(files).expect("workers run until the sender is dropped");
        feed(&mut |item, stored| {
            let size = stored.entry.content().map_or(0, |c| c.size);
            if size > TOGETHER {
                send(std::mem::take(&mut together));
                return work(item, stored, Fetch::Together(threads), &mut desk);
            }
            together.push((item, stored));
            bytes += size;
            if together.len() == SMALL_TOGETHER || bytes >= ENOUGH {
                send(std::mem::take(&mut together));
                bytes = 0;
            }
        });
        send(together);
        drop(sender);
    });
}

impl Vault {
    /// The manifest of a snapshot, in tree order: authentic and matching its root.
    ///
    /// # Errors
    /// [`VaultError::UnknownSnapshot`]; damage; store failures.
    pub fn manifest(&self, tenant: &str, id: &SnapshotId) -> Result<Vec<Entry>, VaultError> {
        let tenant = self.tenant(tenant, Absent::Refuse)?;
        let (unit, snapshot) = self.snapshot(&tenant, id)?;
        let _stay = unit.enter();
        Ok(unit.manifest(&snapshot)?.into_iter().map(|stored| stored.entry).collect())
    }
}
