//! Opening: how a data directory, or given parts, become a house.
//!
//! Order: settings -> lock of the directory -> the clearance key, which authenticates the image ->
//! state and tree (image.rs, projection.rs) -> what the log says of its own keys decides which are
//! opened (keys/) -> the last signed checkpoint is held against the tree; a new house gets its
//! first one, over nothing (publish.rs) -> threads.
//! Nothing is written before the lock is held, and nothing is signed before the journal contains
//! what was signed before. A creation that was cut short is finished by the next opening. On a
//! medium that takes no more the house is opened all the same, and only reads.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Condvar, Mutex, OnceLock, RwLock};
use std::thread;

use bailee_core::rotation::Ring;
use bailee_core::{Action, Command};
use bailee_ledger::Policy;
use bailee_store::{DirLock, DiskObjects, DiskSlot, Patience, Slot, SqliteJournal, Unwritable};

use crate::attest::{self, Attesting};
use crate::clock::Clock;
use crate::config::Config;
use crate::documents::Arrivals;
use crate::house::{Growth, House, HouseError, Inner, Parts};
use crate::image::{self, Image};
use crate::keys::{self, Keys, Secret, Secrets, lost};
use crate::projection::Projection;
use crate::room::Room;
use crate::stamping::{self, Stamping};
use crate::{catalogue, publish, remains, runner};

/// Commands waiting for the runner before senders are held back.
const QUEUE: usize = 1024;

impl House {
    /// Why nothing can be recorded, if it was opened on a medium that takes no more.
    pub fn unwritable(&self) -> Option<Unwritable> {
        self.inner.unwritable
    }

    /// Says to who wants the directory that it is served, and will stay in use.
    pub fn serves(&self) {
        self.lock.iter().for_each(|lock| lock.serves());
    }

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
        if let Some(remains) = remains::of(dir) {
            return Err(remains);
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
        House::open_within(dir, clock, secrets, Patience::NONE)
    }

    /// As [`House::open_with`], and waits for another process that has the directory.
    pub fn open_within(
        dir: &Path,
        clock: Clock,
        secrets: &Secrets,
        patience: Patience,
    ) -> Result<House, HouseError> {
        let config = Config::read(dir)?;
        let lock = DirLock::acquire_within(dir, patience)?;
        let (journal, unwritable) = journal_in(dir)?;
        let journal = Arc::new(journal);
        let key_dir = Keys::dir(dir, secrets);
        let secret = Keys::image_secret(&key_dir)?;
        let image = Image::of(dir, &config.origin, &secret);
        let projection = image::project(&*journal, &image)?;
        let log = &projection.state.ring;
        let config = lost::settle(dir, config, log)?;
        same_log(dir, &config, log)?;
        let objects = dir.join("objects");
        let objects = match unwritable {
            Some(_) => DiskObjects::open(&objects).or_else(|_| DiskObjects::read_only(&objects)),
            None => DiskObjects::open(&objects),
        };
        let parts = Parts {
            keys: Keys::open(dir, &key_dir, &config, log)?,
            journal,
            objects: Arc::new(objects?),
            dir: Some(dir.to_owned()),
            config,
            clock,
        };
        let slot = slot_in(&parts);
        let house = House::start(parts, projection, slot, (Some(lock), unwritable))?;
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
        House::start(parts, projection, slot, (None, None))
    }

    /// As [`House::of`], with the signed checkpoint kept elsewhere than in the directory.
    pub fn with_slot(parts: Parts, slot: Arc<dyn Slot>) -> Result<House, HouseError> {
        let projection = Projection::replay(&*parts.journal)?;
        House::start(parts, projection, Some(slot), (None, None))
    }

    fn start(
        parts: Parts,
        projection: Projection,
        slot: Option<Arc<dyn Slot>>,
        (lock, unwritable): (Option<DirLock>, Option<Unwritable>),
    ) -> Result<House, HouseError> {
        let Parts { dir, config, keys, clock, journal, objects } = parts;
        let published = publish::resume(slot.as_deref(), &*journal, &projection, &keys)?;
        publish::begin(slot.as_deref(), dir.as_deref(), &config.origin, &projection, &keys)?;
        let witnesses = config.witnesses.as_ref();
        let others = match witnesses {
            Some(witnesses) => witnesses.read(dir.as_deref(), &config.origin)?,
            None => Policy::default(),
        };
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
            packs: OnceLock::new(),
            opened: Arc::default(),
            pruned: Mutex::default(),
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
            arrivals: Arrivals::default(),
            room: Room::default(),
            unwritable,
            stale: AtomicBool::new(false),
            growth: Mutex::new(Growth { unseen: unwritable.is_none(), closing: false }),
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
        Ok(House { inner, queue: Some(queue), threads, lock: lock.map(Arc::new) })
    }
}

/// The journal of a directory; on a medium that takes no more, to be read.
fn journal_in(dir: &Path) -> Result<(SqliteJournal, Option<Unwritable>), HouseError> {
    let path = dir.join("journal.sqlite");
    let error = match SqliteJournal::open(&path) {
        Ok(journal) => return Ok((journal, None)),
        Err(error) => error,
    };
    let unwritable = Unwritable::tried(dir).err().as_ref().and_then(Unwritable::of);
    match unwritable.filter(|_| path.exists()) {
        Some(why) => Ok((SqliteJournal::open_still(&path, why)?, Some(why))),
        None => Err(error.into()),
    }
}

/// The settings are about the log that was signed here.
fn same_log(dir: &Path, config: &Config, ring: &Ring) -> Result<(), HouseError> {
    let other = |name: &String| {
        *name != config.origin && !ring.continued.iter().any(|before| before.before == *name)
    };
    match remains::log_name(dir).filter(other) {
        None => Ok(()),
        Some(log) => {
            let (path, settings) = (dir.join(Config::FILE), config.origin.clone());
            Err(HouseError::OtherOrigin { path, settings, log })
        }
    }
}

/// Where the signed checkpoint lies, beside the journal.
fn slot_in(parts: &Parts) -> Option<Arc<dyn Slot>> {
    let dir = parts.dir.as_deref()?;
    Some(Arc::new(DiskSlot::new(dir, publish::CHECKPOINT)))
}
