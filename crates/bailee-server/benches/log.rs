//! A long log: how long a house of ten million entries takes to open, how much memory it needs, and
//! what a proof costs there. And the limits of the runner without a disk, and with a slow one.
//! Lines are `name<TAB>value<TAB>unit<TAB>target`.
//!
//! The house: a million assets, then moves of them (`BAILEE_BENCH_ENTRIES` says how many entries in
//! all). It is opened by a process of its own, whose memory is then that of the house alone: first
//! as after a crash, from the journal, then from the image that this leaves. Needs 6 GB of disk in
//! `BAILEE_BENCH_DIR` (here by default) and some minutes.
#![allow(clippy::print_stdout, clippy::unwrap_used)] // a program that prints, and may stop

use std::path::Path;
use std::process::Command as Process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bailee_core::asset::{AssetKind, Identifier, IdentifierKind, Lifecycle};
use bailee_core::id::AssetId;
use bailee_core::{Action, By, Command, NewAsset};
use bailee_ledger::TlogProof;
use bailee_server::house::Parts;
use bailee_server::intake::{self, Cover, Taken};
use bailee_server::keys::Keys;
use bailee_server::{Clock, Config, House, catalogue, receipt};
use bailee_store::{
    Batch, Digest, DiskSlot, Entry, Journal, JournalError, MemoryJournal, MemoryObjects, Slot,
    SlotError, SqliteJournal,
};

/// The binary's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ASSETS: u64 = 1_000_000;
const SENDERS: usize = 64;
/// Appends of the measurements of the runner.
const APPENDS: u64 = 200_000;
/// Letters measured one by one.
const LETTERS: usize = 300;
/// What a sync costs on the slow disk.
const SYNC: Duration = Duration::from_millis(4);

fn print(name: &str, value: f64, unit: &str, target: &str) {
    println!("{name}\t{value:.2}\t{unit}\t{target}");
}

fn main() {
    if let Some(house) = std::env::args().skip_while(|word| word != "--open").nth(1) {
        return open(Path::new(&house));
    }
    let root = std::env::var("BAILEE_BENCH_DIR").unwrap_or(".".into());
    let dir = tempfile::tempdir_in(root).unwrap();
    let rate = appends(&of(Arc::new(MemoryJournal::new())));
    print("appends, no disk, 64 senders", rate, "/s", ">= 20000");
    let sqlite = Arc::new(SqliteJournal::open(&dir.path().join("journal.sqlite")).unwrap());
    let rate = appends(&of(Arc::new(Slow(sqlite))));
    print("appends, 4 ms more a sync, 64 senders", rate, "/s", ">= 5000");
    letters(dir.path());
    let house = dir.path().join("house");
    build(&house);
    for _ in ["from the journal", "from an image"] {
        let program = std::env::current_exe().unwrap();
        let ended = Process::new(program).arg("--open").arg(&house).status().unwrap();
        assert!(ended.success());
    }
}

/// A house whose journal is this one, and nothing else of it on a disk.
fn of(journal: Arc<dyn Journal>) -> House {
    with_instruments(House::of(parts(journal)).unwrap())
}

fn parts(journal: Arc<dyn Journal>) -> Parts {
    let config = Config::for_origin("bench.example/1");
    let keys = Keys::from_seeds(&config.origin, &[1; 32], &[2; 32]).unwrap();
    let objects = Arc::new(MemoryObjects::new());
    Parts { dir: None, config, keys, clock: Clock::Wall, journal, objects }
}

fn with_instruments(house: House) -> House {
    let load = Action::LoadInstruments(catalogue::standard());
    house.submit(Command::system(load), Vec::new()).unwrap();
    house
}

/// One letter at a time until its signed receipt is in hand, where each sync takes longer: of the
/// entry, of the checkpoint's cell, of the checkpoint's file and of its directory.
fn letters(root: &Path) {
    let sqlite = Arc::new(SqliteJournal::open(&root.join("letters.sqlite")).unwrap());
    let slot = Arc::new(SlowSlot(DiskSlot::new(root, "checkpoint")));
    let house = House::with_slot(parts(Arc::new(Slow(sqlite))), slot).unwrap();
    let house = with_instruments(house);
    let mut times = Vec::new();
    for n in 0..LETTERS {
        let raw = format!(
            "From: Requester {n} <requester-{n}@law.example>\r\nTo: legal@host.example\r\n\
             Subject: Demand {n} to preserve\r\nMessage-ID: <{n}@law.example>\r\n\r\n\
             Please keep all data of the account of client {n}.\r\n"
        );
        let begun = Instant::now();
        let taken = intake::take(&house, raw.into_bytes(), Cover::default(), By::System).unwrap();
        let Taken::Demand { demand, .. } = taken else {
            unreachable!("the letters are no reports")
        };
        receipt::demand(&house, demand, &mut Vec::new()).unwrap();
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    let p99 = times[(LETTERS - 1) * 99 / 100].as_secs_f64() * 1e3;
    print("letter to receipt, 4 ms more a sync, p99", p99, "ms", "<= 50");
}

/// Registrations a second.
fn appends(house: &House) -> f64 {
    let begun = Instant::now();
    send(house, APPENDS, |n| Action::RegisterAsset(asset(n)));
    APPENDS as f64 / begun.elapsed().as_secs_f64()
}

/// Sends commands from many threads, each waiting for its answer before the next.
fn send(house: &House, count: u64, command: impl Fn(u64) -> Action + Sync) {
    let next = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..SENDERS {
            scope.spawn(|| {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= count {
                        return;
                    }
                    house.submit(Command::system(command(n)), Vec::new()).unwrap();
                }
            });
        }
    });
}

fn asset(n: u64) -> NewAsset {
    NewAsset {
        kind: AssetKind::Drive,
        label: format!("drive-{n:08}"),
        accounts: Vec::new(),
        identifiers: vec![Identifier { kind: IdentifierKind::Serial, value: format!("WD{n:010}") }],
        part_of: None,
        copy_of: Vec::new(),
        place: "rack 14".into(),
        bytes: 4 << 40,
    }
}

fn build(dir: &Path) {
    let entries = std::env::var("BAILEE_BENCH_ENTRIES").ok();
    let entries: u64 = entries.map_or(10_000_000, |text| text.parse().unwrap());
    let house = House::create(dir, &Config::for_origin("bench.example/1"), Clock::Wall).unwrap();
    let begun = Instant::now();
    send(&house, ASSETS.min(entries), |n| Action::RegisterAsset(asset(n)));
    send(&house, entries.saturating_sub(ASSETS), |n| Action::MoveAsset {
        asset: AssetId((n % ASSETS) as u32 + 1),
        lifecycle: Lifecycle::Stored,
        place: format!("hall {}", n % 7),
    });
    let rate = entries as f64 / begun.elapsed().as_secs_f64();
    print("durable appends, SQLite, 64 senders", rate, "/s", ">= 5000");
    let begun = Instant::now();
    drop(house);
    print("closing, with an image", begun.elapsed().as_secs_f64(), "s", "");
    // As if it had not been closed.
    std::fs::remove_file(dir.join("image/seal")).unwrap();
}

/// Opens the house and proves entries of it, in a process of its own.
fn open(dir: &Path) {
    let imaged = dir.join("image/seal").exists();
    let begun = Instant::now();
    let house = House::open(dir, Clock::Wall).unwrap();
    let seconds = begun.elapsed().as_secs_f64();
    let size = house.with_projection(|p| p.tree.size()).unwrap();
    let (_, note) = house.checkpoint_over(size).unwrap();
    let begun = Instant::now();
    for n in 0..1_000 {
        let proof = |p: &bailee_server::Projection| TlogProof::of(&p.tree, n * 9_973 % size, &note);
        assert!(house.with_projection(proof).unwrap().is_ok());
    }
    let proof = begun.elapsed().as_secs_f64();
    let millions = size as f64 / 1e6;
    match imaged {
        false => {
            print("entries", millions, "million", "");
            print("open from the journal", seconds, "s", "<= 10");
            print("replay from SQLite", size as f64 / seconds, "events/s", "");
        }
        true => {
            print("open from an image", seconds, "s", "<= 10");
            print("proof with its checkpoint", proof, "ms", "<= 1");
            print("memory", memory("VmRSS:"), "GB", "<= 2");
            print("memory at its highest", memory("VmHWM:"), "GB", "<= 2");
        }
    }
}

/// Gigabytes, as the system counts them.
fn memory(what: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(what));
    let kilobytes = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
    kilobytes.unwrap_or_default() / 1e6
}

/// A checkpoint file on a disk that takes its time.
struct SlowSlot(DiskSlot);

impl Slot for SlowSlot {
    fn read(&self) -> Result<Option<Vec<u8>>, SlotError> {
        self.0.read()
    }
    fn replace(&self, bytes: &[u8]) -> Result<(), SlotError> {
        thread::sleep(2 * SYNC);
        self.0.replace(bytes)
    }
}

/// A journal on a disk that takes its time.
struct Slow(Arc<SqliteJournal>);

impl Journal for Slow {
    fn head(&self) -> Result<u64, JournalError> {
        self.0.head()
    }
    fn append(&self, expected: u64, batch: &Batch) -> Result<u64, JournalError> {
        thread::sleep(SYNC);
        self.0.append(expected, batch)
    }
    fn read(&self, from: u64, limit: usize) -> Result<Vec<Entry>, JournalError> {
        self.0.read(from, limit)
    }
    fn erase(&self, sections: &[(u64, usize)], exhibits: &[Digest]) -> Result<(), JournalError> {
        self.0.erase(sections, exhibits)
    }
    fn exhibit(&self, digest: &Digest) -> Result<Option<Vec<u8>>, JournalError> {
        self.0.exhibit(digest)
    }
    fn cell(&self, name: &str) -> Result<Option<Vec<u8>>, JournalError> {
        self.0.cell(name)
    }
    fn swap_cell(
        &self,
        name: &str,
        expected: Option<&[u8]>,
        new: &[u8],
    ) -> Result<(), JournalError> {
        thread::sleep(SYNC);
        self.0.swap_cell(name, expected, new)
    }
}
