//! The house: an open data directory, its journal, its threads. The door for everything else.
//!
//! Layout of a directory: `bailee.toml` (settings), `keys/` (one secret a file, 0600),
//! `journal.sqlite` (the truth), `objects/` (large exhibits, packs, attested checkpoints),
//! `checkpoint` (last signed), `outbox/` (mail to send), `image/` (of the state, for a quick
//! start), `lock`.
//!
//! Invariants: one process holds the directory's lock; threads end when the house is dropped, after
//! the last answer and the last checkpoint; readers never see a state that is not durable.

mod opening;
mod refusing;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::sync::{RwLockReadGuard, RwLockWriteGuard};
use std::thread::JoinHandle;

use bailee_core::{Command, State, refused};
use bailee_ledger::Policy;
use bailee_store::{
    Digest, DirLock, Entry, Exhibit, Journal, ObjectError, Objects, Slot, Unwritable,
};

use crate::attest::Attesting;
use crate::clock::Clock;
use crate::config::Config;
use crate::documents::Arrivals;
pub use crate::error::HouseError;
use crate::image::Image;
use crate::keeping;
use crate::keys::Keys;
use crate::opened::Opened;
use crate::packs;
use crate::projection::Projection;
use crate::pruning::Totals;
use crate::publish::Published;
use crate::room::{Room, Trouble};
use crate::runner::{Ask, Done, Failure};
use crate::stamping::Stamping;
use crate::steward;

/// Exhibits up to this size ride in the group commit; larger ones stream to the objects first.
pub const SMALL_EXHIBIT: usize = 256 * 1024;

/// The parts a house is made of.
pub struct Parts {
    /// Its directory; `None` for a house in memory.
    pub dir: Option<PathBuf>,
    /// Settings.
    pub config: Config,
    /// Keys.
    pub keys: Keys,
    /// Time.
    pub clock: Clock,
    /// The truth.
    pub journal: Arc<dyn Journal>,
    /// Large things.
    pub objects: Arc<dyn Objects>,
}

/// What the threads share.
pub(crate) struct Inner {
    pub(crate) dir: Option<PathBuf>,
    pub(crate) config: Config,
    pub(crate) keys: Keys,
    pub(crate) clock: Clock,
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) objects: Arc<dyn Objects>,
    /// The vault's packs, once something needed them.
    pub(crate) packs: OnceLock<Arc<dyn Objects>>,
    /// The vault, while somebody has it.
    pub(crate) opened: Arc<Opened>,
    /// What pruning came to, the last time since the start.
    pub(crate) pruned: Mutex<Option<Totals>>,
    /// The checkpoint outside of the journal.
    pub(crate) slot: Option<Arc<dyn Slot>>,
    pub(crate) projection: RwLock<Projection>,
    pub(crate) published: Mutex<Published>,
    pub(crate) published_more: Condvar,
    pub(crate) attesting: Attesting,
    pub(crate) stamping: Stamping,
    /// Witnesses, groups and quorum, without any key of the log.
    pub(crate) others: Policy,
    /// Erasures whose bytes this process has seen destroyed.
    pub(crate) erased: Mutex<BTreeSet<u64>>,
    /// One thread at a time carries out intents.
    pub(crate) settling: Mutex<()>,
    /// Read while exhibits are added, written while some are destroyed: none goes under a new name.
    exhibits: RwLock<()>,
    /// Large documents that were handed in and wait to be named.
    pub(crate) arrivals: Arrivals,
    /// Can more be recorded?
    pub(crate) room: Room,
    /// The medium takes no more: it was opened to be read.
    pub(crate) unwritable: Option<Unwritable>,
    stale: AtomicBool,
    growth: Mutex<Growth>,
    grown: Condvar,
}

/// Has the journal grown, is the house to close?
#[derive(Default)]
struct Growth {
    unseen: bool,
    closing: bool,
}

impl Inner {
    /// The projection may hold what was not appended: rebuild it before anybody looks.
    pub(crate) fn set_stale(&self) {
        self.stale.store(true, Ordering::SeqCst);
    }

    pub(crate) fn set_fresh(&self) {
        self.stale.store(false, Ordering::SeqCst);
    }

    pub(crate) fn is_stale(&self) -> bool {
        self.stale.load(Ordering::SeqCst)
    }

    /// What pruning came to, the last time since the start.
    pub(crate) fn pruned(&self) -> Option<Totals> {
        *self.pruned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_pruned(&self, totals: Totals) {
        *self.pruned.lock().unwrap_or_else(PoisonError::into_inner) = Some(totals);
    }

    /// The image of the state, if the house has a directory.
    pub(crate) fn image(&self) -> Option<Image<'_>> {
        let dir = self.dir.as_deref()?;
        Some(Image::of(dir, &self.config.origin, self.keys.image()))
    }

    /// Tells the publisher that the journal may have grown.
    pub(crate) fn appended(&self) {
        self.growth.lock().unwrap_or_else(PoisonError::into_inner).unseen = true;
        self.grown.notify_all();
    }

    /// Waits for growth; false when the house closes and nothing is left to publish.
    pub(crate) fn wait_for_growth(&self) -> bool {
        let mut growth = self.growth.lock().unwrap_or_else(PoisonError::into_inner);
        while !growth.unseen && !growth.closing {
            growth = self.grown.wait(growth).unwrap_or_else(PoisonError::into_inner);
        }
        std::mem::take(&mut growth.unseen)
    }

    /// The projection, durable to its last entry.
    pub(crate) fn read<R>(&self, look: impl FnOnce(&Projection) -> R) -> Result<R, Failure> {
        loop {
            let projection = self.projection.read().unwrap_or_else(PoisonError::into_inner);
            if !self.is_stale() {
                return Ok(look(&projection));
            }
            drop(projection);
            let mut projection = self.projection.write().unwrap_or_else(PoisonError::into_inner);
            if self.is_stale() {
                let rebuilt = Projection::replay(&*self.journal);
                *projection = rebuilt.map_err(|e| Failure::Unavailable(e.to_string()))?;
                self.set_fresh();
            }
        }
    }
}

/// An open house.
pub struct House {
    pub(crate) inner: Arc<Inner>,
    queue: Option<SyncSender<Ask>>,
    threads: Vec<JoinHandle<()>>,
    /// Given up last, after the threads.
    lock: Option<Arc<DirLock>>,
}

impl House {
    /// Decides a command and makes it durable; exhibits it names are made durable with it. Large
    /// ones are put to the objects first, so that no entry names what is not there.
    /// A refusal to destroy or free is in the log before the answer; copies are looked for first.
    pub fn submit(&self, command: Command, exhibits: Vec<Exhibit>) -> Result<Done, Failure> {
        self.submit_while(None, command, exhibits)
    }

    /// As [`House::submit`], by who keeps exhibits that it names from being destroyed.
    pub(crate) fn submit_while(
        &self,
        adding: Option<Adding<'_>>,
        command: Command,
        exhibits: Vec<Exhibit>,
    ) -> Result<Done, Failure> {
        keeping::look_first(self, &command.action)?;
        let kept = refused::is_kept(&command.action).then(|| command.clone());
        match (self.ask(adding, command, exhibits), kept) {
            (Err(Failure::Refused(refusal)), Some(command)) => {
                Err(Failure::Refused(self.refused(&command, refusal)))
            }
            (answer, _) => answer,
        }
    }

    fn ask(
        &self,
        adding: Option<Adding<'_>>,
        command: Command,
        exhibits: Vec<Exhibit>,
    ) -> Result<Done, Failure> {
        let _adding = adding.or_else(|| (!exhibits.is_empty()).then(|| self.adding()));
        let (small, large): (Vec<_>, Vec<_>) =
            exhibits.into_iter().partition(|exhibit| exhibit.bytes.len() <= SMALL_EXHIBIT);
        for exhibit in large {
            let put = self.inner.objects.put(&object_name(&exhibit.digest), &exhibit.bytes);
            put.map_err(|e| match e.unwritable() {
                Some(why) => Failure::Unwritable(why, e.to_string()),
                None => Failure::Unavailable(e.to_string()),
            })?;
        }
        let (reply, answer) = sync_channel(1);
        let ask = Ask { command, exhibits: small, reply };
        let closed = || Failure::Unavailable("the house is closing".into());
        let queue = self.queue.as_ref().ok_or_else(closed)?;
        queue.send(ask).map_err(|_| closed())?;
        answer.recv().map_err(|_| Failure::Unknown("the runner has ended".into()))?
    }

    /// Looks at the state.
    pub fn with_state<R>(&self, look: impl FnOnce(&State) -> R) -> Result<R, Failure> {
        self.inner.read(|projection| look(&projection.state))
    }

    /// Looks at state and tree.
    pub fn with_projection<R>(&self, look: impl FnOnce(&Projection) -> R) -> Result<R, Failure> {
        self.inner.read(look)
    }

    /// Entries from the journal.
    pub fn entries(&self, from: u64, most: usize) -> Result<Vec<Entry>, HouseError> {
        Ok(self.inner.journal.read(from, most)?)
    }

    /// An exhibit's bytes; `None` if it was erased or never here.
    pub fn exhibit(&self, digest: &Digest) -> Result<Option<Vec<u8>>, HouseError> {
        if let Some(bytes) = self.inner.journal.exhibit(digest)? {
            return Ok(Some(bytes));
        }
        match self.inner.objects.get(&object_name(digest)) {
            Ok(bytes) if bailee_store::digest(&bytes) == *digest => Ok(Some(bytes)),
            Ok(_) => Err(HouseError::Io {
                doing: format!("read exhibit {}", bailee_ledger::to_hex(digest)),
                detail: "its bytes are not what its name says".into(),
            }),
            Err(ObjectError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Carries out everything that is due and pending: clocks, receipts, notices, pages, erasures.
    /// Errors name what could not be done; it stays pending.
    pub fn settle(&self) -> Vec<HouseError> {
        let _alone = self.executors_wait();
        self.inner.stamping.look();
        steward::settle(self)
    }

    /// Applies the clocks that fell due, and nothing else: what is shown and decided from here on
    /// is as of now.
    ///
    /// # Errors
    /// The log does not answer.
    pub fn tick(&self) -> Result<(), Failure> {
        let _alone = self.executors_wait();
        steward::tick(self).map(|_| ())
    }

    /// While this is held nothing is carried out by itself, no clock, no post: a story says so
    /// line by line.
    pub fn executors_wait(&self) -> MutexGuard<'_, ()> {
        self.inner.settling.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Settings.
    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    /// Keys.
    pub fn keys(&self) -> &Keys {
        &self.inner.keys
    }

    /// Time.
    pub fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// The directory, if it has one.
    pub fn dir(&self) -> Option<&Path> {
        self.inner.dir.as_deref()
    }

    /// What keeps it from recording what comes in, if anything is known to.
    pub(crate) fn trouble(&self) -> Option<Trouble> {
        self.inner.room.trouble(self.dir())
    }

    /// Large things.
    pub fn objects(&self) -> &Arc<dyn Objects> {
        &self.inner.objects
    }

    /// Where the packs of the vault are. The first call opens a bucket, if one keeps them.
    ///
    /// # Errors
    /// Settings, credentials; the engine's own words.
    pub fn packs(&self) -> Result<&Arc<dyn Objects>, HouseError> {
        if let Some(packs) = self.inner.packs.get() {
            return Ok(packs);
        }
        let bucket = self.dir().map(|dir| self.config().vault.open(dir)).transpose()?.flatten();
        let packs: Arc<dyn Objects> = match bucket {
            None => self.objects().clone(),
            Some(bucket) => {
                packs::none_left_behind(self.objects())?;
                Arc::new(bucket)
            }
        };
        Ok(self.inner.packs.get_or_init(|| packs))
    }

    /// The lock of the directory, for who works in it longer than the house is open.
    pub(crate) fn dir_lock(&self) -> Option<Arc<DirLock>> {
        self.lock.clone()
    }

    /// While this is held no exhibit is destroyed.
    pub(crate) fn adding(&self) -> Adding<'_> {
        self.inner.exhibits.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// While this is held no exhibit is added.
    pub(crate) fn no_new_exhibits(&self) -> RwLockWriteGuard<'_, ()> {
        self.inner.exhibits.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Erasures that this process has carried out.
    pub(crate) fn erased(&self) -> BTreeSet<u64> {
        self.inner.erased.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The bytes that the erasure at this position names are gone.
    pub(crate) fn has_erased(&self, position: u64) {
        self.inner.erased.lock().unwrap_or_else(PoisonError::into_inner).insert(position);
    }

    pub(crate) fn journal(&self) -> &dyn Journal {
        &*self.inner.journal
    }

    /// An image that is older than the erasure at `position` has what it destroys: it goes.
    pub(crate) fn forget_image_before(&self, position: u64) -> Result<(), HouseError> {
        let image = self.inner.image().filter(|image| image.size() <= position);
        let discarded = image.map_or(Ok(()), |image| image.discard());
        discarded.map_err(|e| HouseError::io("take the image of the state away", &e))
    }
}

impl Drop for House {
    fn drop(&mut self) {
        // The runner ends when the queue does; the publisher when it has seen the last growth.
        self.queue = None;
        let mut threads = std::mem::take(&mut self.threads).into_iter();
        // A thread's panic was reported by the panic hook; the journal is whole.
        _ = threads.next().map(JoinHandle::join);
        self.inner.growth.lock().unwrap_or_else(PoisonError::into_inner).closing = true;
        self.inner.grown.notify_all();
        self.inner.attesting.close();
        self.inner.stamping.close();
        threads.for_each(|thread| _ = thread.join());
        let Some(image) = self.inner.image().filter(|_| self.unwritable().is_none()) else {
            return;
        };
        // A projection that cannot be read leaves no image; the next start replays.
        _ = self.inner.read(|projection| image.keep(image.size(), projection));
    }
}

/// Keeps exhibits from being destroyed.
pub(crate) type Adding<'a> = RwLockReadGuard<'a, ()>;

/// Where a large exhibit is kept.
pub(crate) fn object_name(digest: &Digest) -> String {
    let hex = bailee_ledger::to_hex(digest);
    format!("exhibits/{}/{hex}", &hex[..2])
}
