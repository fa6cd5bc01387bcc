//! The house: an open data directory, its journal, its threads. The door for everything else.
//!
//! Layout of a directory: `bailee.toml` (settings), `keys/` (one secret a file, 0600),
//! `journal.sqlite` (the truth), `objects/` (large exhibits, packs, attested checkpoints),
//! `checkpoint` (last signed), `outbox/` (mail to send), `image/` (of the state, for a quick start),
//! `lock`.
//!
//! Invariants: one process holds the directory's lock; threads end when the house is dropped, after
//! the last answer and the last checkpoint; readers never see a state that is not durable.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError, RwLock, RwLockWriteGuard};
use std::thread::{self, JoinHandle};

use bailee_core::{Action, Command, State};
use bailee_ledger::Policy;
use bailee_store::{
    Digest, DirLock, DiskObjects, DiskSlot, Entry, Exhibit, Journal, ObjectError, Objects, Slot,
    SqliteJournal,
};

use crate::attest::{self, Attesting};
use crate::clock::Clock;
use crate::config::Config;
pub use crate::error::HouseError;
use crate::image::{self, Image};
use crate::keys::{self, Keys, Secret, Secrets, lost};
use crate::projection::Projection;
use crate::publish::{self, Published};
use crate::runner::{self, Ask, Done, Failure};
use crate::stamping::{self, Stamping};
use crate::{catalogue, steward};

/// Exhibits up to this size ride in the group commit; larger ones stream to the objects first.
pub const SMALL_EXHIBIT: usize = 256 * 1024;

/// Commands waiting for the runner before senders are held back.
const QUEUE: usize = 1024;

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
    stale: AtomicBool,
    growth: Mutex<Growth>,
    grown: Condvar,
}

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
    _lock: Option<DirLock>,
}

impl House {
    /// Makes a new house in `dir` (absent or empty) and loads the standard instruments.
    pub fn create(dir: &Path, config: &Config, clock: Clock) -> Result<House, HouseError> {
        House::create_protected(dir, config, clock, None)
    }

    /// As [`House::create`], with the key files under a passphrase.
    pub fn create_protected(
        dir: &Path,
        config: &Config,
        clock: Clock,
        passphrase: Option<&Secret>,
    ) -> Result<House, HouseError> {
        let path = dir.join(Config::FILE);
        if path.exists() {
            return Err(HouseError::AlreadyAHouse(dir.to_owned()));
        }
        let io = |doing: &str, e: std::io::Error| HouseError::io(doing, &e);
        for part in [dir.to_owned(), dir.join("keys"), dir.join("outbox")] {
            fs::create_dir_all(&part).map_err(|e| io("create the directory", e))?;
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
            fs::set_permissions(&part, mode).map_err(|e| io("close the directory", e))?;
        }
        Keys::create(dir, &config.keys, passphrase)?;
        let mut file = fs::File::create_new(&path).map_err(|e| io("create the settings", e))?;
        std::io::Write::write_all(&mut file, config.to_text().as_bytes())
            .and_then(|()| file.sync_all())
            .map_err(|e| io("write the settings", e))?;
        keys::sync_dir(dir)?;
        let told = passphrase.map(|passphrase| Secrets::told(passphrase));
        House::open_with(dir, clock, &told.unwrap_or_else(Secrets::from_environment))
    }

    /// Opens the house in `dir`. One whose creation was cut short gets its instruments here.
    /// Passphrases and PINs come from the environment, or from whoever is at the terminal.
    pub fn open(dir: &Path, clock: Clock) -> Result<House, HouseError> {
        House::open_with(dir, clock, &Secrets::from_environment())
    }

    /// As [`House::open`], with the secrets from elsewhere.
    pub fn open_with(dir: &Path, clock: Clock, secrets: &Secrets) -> Result<House, HouseError> {
        let config = Config::read(dir)?;
        let lock = DirLock::acquire(dir)?;
        let journal = Arc::new(SqliteJournal::open(&dir.join("journal.sqlite"))?);
        let key_dir = Keys::dir(dir, secrets);
        let secret = Keys::image_secret(&key_dir)?;
        let image = Image::of(dir, &config.origin, &secret);
        let projection = image::project(&*journal, &image)?;
        let log = &projection.state.ring;
        let config = lost::settle(dir, config, log)?;
        let parts = Parts {
            keys: Keys::open(dir, &key_dir, &config, log)?,
            journal,
            objects: Arc::new(DiskObjects::open(&dir.join("objects"))?),
            dir: Some(dir.to_owned()),
            config,
            clock,
        };
        let slot = slot_in(&parts);
        let house = House::start(parts, projection, slot, Some(lock))?;
        if house.with_state(|s| s.head)? == 0 {
            let standard = catalogue::standard();
            house.submit(Command::system(Action::LoadInstruments(standard)), Vec::new())?;
        }
        Ok(house)
    }

    /// A house of given parts: in memory, with faults, or on other stores.
    pub fn of(parts: Parts) -> Result<House, HouseError> {
        let slot = slot_in(&parts);
        let projection = Projection::replay(&*parts.journal)?;
        House::start(parts, projection, slot, None)
    }

    /// As [`House::of`], with the signed checkpoint kept elsewhere than in the directory.
    pub fn with_slot(parts: Parts, slot: Arc<dyn Slot>) -> Result<House, HouseError> {
        let projection = Projection::replay(&*parts.journal)?;
        House::start(parts, projection, Some(slot), None)
    }

    fn start(
        parts: Parts,
        projection: Projection,
        slot: Option<Arc<dyn Slot>>,
        lock: Option<DirLock>,
    ) -> Result<House, HouseError> {
        let Parts { dir, config, keys, clock, journal, objects } = parts;
        let published = publish::resume(slot.as_deref(), &*journal, &projection, &keys)?;
        let witnesses = config.witnesses.as_ref();
        let others = witnesses.map(|w| w.read(dir.as_deref(), &config.origin)).transpose()?;
        let others = others.unwrap_or_default();
        // Notes of earlier keys are kept among the objects, and keys change while a house is open.
        let wide = keys.known(&projection.state.ring, others.clone());
        let timeout = witnesses.map(attest::Witnesses::timeout);
        let desks = stamping::read(&config.timestamp, dir.as_deref())?;
        let stamping = Stamping::new(desks, config.stamping.clone());
        let stamps = stamping.authorities();
        let (attesting, told) = Attesting::new(wide, timeout, stamps, objects.clone());
        let inner = Arc::new(Inner {
            dir,
            config,
            keys,
            clock,
            journal,
            objects,
            slot,
            projection: RwLock::new(projection),
            published: Mutex::new(published),
            published_more: Condvar::new(),
            attesting,
            stamping,
            others,
            erased: Mutex::new(BTreeSet::new()),
            settling: Mutex::new(()),
            exhibits: RwLock::new(()),
            stale: AtomicBool::new(false),
            growth: Mutex::new(Growth { unseen: true, closing: false }),
            grown: Condvar::new(),
        });
        let (queue, asked) = sync_channel(QUEUE);
        let (for_runner, for_publisher) = (inner.clone(), inner.clone());
        let (for_attester, for_stamper) = (inner.clone(), inner.clone());
        let spawn = |name: &str, run: Box<dyn FnOnce() + Send>| {
            let thread = thread::Builder::new().name(name.into()).spawn(run);
            thread.map_err(|e| HouseError::io("start a thread", &e))
        };
        let threads = vec![
            spawn("runner", Box::new(move || runner::run(&for_runner, &asked)))?,
            spawn("publisher", Box::new(move || publish::run(&for_publisher)))?,
            spawn("attester", Box::new(move || attest::run(&for_attester, &told)))?,
            spawn("stamper", Box::new(move || stamping::run(&for_stamper)))?,
        ];
        Ok(House { inner, queue: Some(queue), threads, _lock: lock })
    }

    /// Decides a command and makes it durable; exhibits it names are made durable with it. Large
    /// ones are put to the objects first, so that no entry names what is not there.
    pub fn submit(&self, command: Command, exhibits: Vec<Exhibit>) -> Result<Done, Failure> {
        let _adding = (!exhibits.is_empty())
            .then(|| self.inner.exhibits.read().unwrap_or_else(PoisonError::into_inner));
        let (small, large): (Vec<_>, Vec<_>) =
            exhibits.into_iter().partition(|exhibit| exhibit.bytes.len() <= SMALL_EXHIBIT);
        for exhibit in large {
            let put = self.inner.objects.put(&object_name(&exhibit.digest), &exhibit.bytes);
            put.map_err(|e| Failure::Unavailable(e.to_string()))?;
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
        let _alone = self.inner.settling.lock().unwrap_or_else(PoisonError::into_inner);
        self.inner.stamping.look();
        steward::settle(self)
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

    /// Large things.
    pub fn objects(&self) -> &Arc<dyn Objects> {
        &self.inner.objects
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
        let Some(image) = self.inner.image() else { return };
        // A projection that cannot be read leaves no image; the next start replays.
        _ = self.inner.read(|projection| image.keep(image.size(), projection));
    }
}

/// Where the signed checkpoint lies, beside the journal.
fn slot_in(parts: &Parts) -> Option<Arc<dyn Slot>> {
    let dir = parts.dir.as_deref()?;
    Some(Arc::new(DiskSlot::new(dir, publish::CHECKPOINT)))
}

/// Where a large exhibit is kept.
pub(crate) fn object_name(digest: &Digest) -> String {
    let hex = bailee_ledger::to_hex(digest);
    format!("exhibits/{}/{hex}", &hex[..2])
}
