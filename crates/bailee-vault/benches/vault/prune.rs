//! Pruning one hundredth of many small chunks beside a writer: `cargo xtask bench vault prune
//! 10000000` sets how many. Beside it, on a smaller store that nobody writes to, what peers take.
//!
//! A hundred snapshots of archives whose files are all new each time; one of them expires while
//! another thread preserves into the same unit again and again.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use bailee_ledger::clearance::Act;
use bailee_store::{DiskObjects, Objects};
use bailee_vault::{Input, Kek, Progress, SnapshotReport, Source, Unchanged, Vault, no_catalogue};

use crate::clear::clear;
use crate::measure::{line, run};
use crate::peers::{Act as Does, Tool};

/// Chunks if nobody says how many.
pub(crate) const CHUNKS: u64 = 100_000;
const SNAPSHOTS: u64 = 100;
/// The most on which peers are measured: each chunk is a file of its own to them.
pub(crate) const PEERS: u64 = 100_000;
/// The writer's files: so many of so many bytes.
const WRITER: (u64, u64) = (64, 1 << 20);

/// Bytes the writer has read, over all its snapshots.
struct Counter<'a>(&'a AtomicU64, u64);

impl Progress for Counter<'_> {
    fn advance(&mut self, _files: u64, bytes: u64) {
        self.0.fetch_add(bytes - self.1, Ordering::Relaxed);
        self.1 = bytes;
    }
}

/// Keeps the directory once more.
fn preserve(vault: &Vault, dir: &Path, progress: &mut dyn Progress) -> SnapshotReport {
    let source = Source::Tree(dir.to_owned());
    vault.preserve_with("t", "A-1", &source, Unchanged::Rehash, progress).unwrap()
}

/// Keeps files of sixteen bytes that no other round has, in directories of a thousand. They come as
/// an archive through a pipe: so many files on a disk would be a bench of the disk.
fn preserve_round(vault: &Vault, files: u64, round: u64) -> SnapshotReport {
    let (from, to) = std::io::pipe().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || archive(BufWriter::with_capacity(1 << 20, to), files, round).unwrap());
        let input = Input::new("round", File::from(OwnedFd::from(from)));
        vault.preserve("t", "A-1", &Source::Tar(input), &mut ()).unwrap()
    })
}

fn archive(mut to: impl Write, files: u64, round: u64) -> std::io::Result<()> {
    for n in 0..files {
        let mut blocks = [0; 1024];
        blocks[512..520].copy_from_slice(&(round + 1).to_be_bytes());
        blocks[520..528].copy_from_slice(&n.to_be_bytes());
        to.write_all(header(&mut blocks, &format!("{}/{n}", n / 1000), 16))?;
    }
    to.write_all(&[0; 1024])
}

/// A header of the oldest form of tar: name, mode, owners, size, time, sum.
fn header<'a>(blocks: &'a mut [u8; 1024], name: &str, size: u64) -> &'a [u8] {
    let mut field = |at: usize, text: &str| {
        blocks[at..at + text.len()].copy_from_slice(text.as_bytes());
    };
    field(0, name);
    field(100, "0000644\0");
    field(108, "0000000\0");
    field(116, "0000000\0");
    field(124, &format!("{size:011o}\0"));
    field(136, "00000000000\0");
    field(148, "        ");
    let sum: u64 = blocks[..512].iter().map(|b| u64::from(*b)).sum();
    blocks[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    blocks
}

fn fill_writer(dir: &Path, round: u64) {
    let (files, len) = WRITER;
    std::fs::create_dir_all(dir).unwrap();
    for n in 0..files {
        let mut bytes = vec![0; usize::try_from(len).unwrap()];
        blake3::Hasher::new()
            .update(&[round.to_be_bytes(), n.to_be_bytes()].concat())
            .finalize_xof()
            .fill(&mut bytes);
        std::fs::write(dir.join(n.to_string()), bytes).unwrap();
    }
}

/// What ours and the peers take for a hundredth of so many chunks, with nobody writing. Peers lock
/// their repositories for it, so beside a writer they cannot be measured.
pub(crate) fn beside_peers(chunks: u64) {
    let dir = tempfile::tempdir().unwrap();
    let parts = [(0, chunks - chunks / 100), (1, chunks / 100)].map(|(part, files)| {
        let path = dir.path().join(format!("part-{part}"));
        for n in 0..files {
            let below = path.join((n / 1000).to_string());
            if n % 1000 == 0 {
                std::fs::create_dir_all(&below).unwrap();
            }
            let content = [u64::to_be_bytes(part), n.to_be_bytes()].concat();
            std::fs::write(below.join(n.to_string()), content).unwrap();
        }
        path
    });
    for tool in Tool::all(dir.path()).iter().filter(|tool| tool.name != "rustic") {
        run(&mut tool.command(Does::Init, dir.path(), dir.path()));
        for part in &parts {
            run(&mut tool.command(Does::Keep, part, dir.path()));
        }
        let done = run(&mut tool.command(Does::LetGo, dir.path(), dir.path()));
        let what = format!("vault/prune 1 % of {chunks} chunks, nobody writing, {}", tool.name);
        line(&what, done.seconds, "s", "-");
        line(&format!("{what}, processor time"), done.cpu, "s", "-");
    }
}

pub(crate) fn measure(chunks: u64) {
    let dir = tempfile::tempdir().unwrap();
    let writer = dir.path().join("writer");
    let objects: Arc<dyn Objects> = Arc::new(DiskObjects::open(&dir.path().join("store")).unwrap());
    let vault = Vault::create(objects, &Kek::from_bytes([1; 32])).unwrap();
    let files = (chunks / SNAPSHOTS).max(1);
    let mut all = Vec::new();
    for round in 0..SNAPSHOTS {
        all.push(preserve_round(&vault, files, round));
    }
    fill_writer(&writer, 0);
    let (bytes, done) = (AtomicU64::new(0), AtomicBool::new(false));
    let (seconds, report, wrote) = std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            for round in 1.. {
                preserve(&vault, &writer, &mut Counter(&bytes, 0));
                if done.load(Ordering::Relaxed) {
                    break;
                }
                fill_writer(&writer, round);
            }
        });
        while bytes.load(Ordering::Relaxed) == 0 {
            std::thread::yield_now(); // it is under way
        }
        let (began, before) = (Instant::now(), bytes.load(Ordering::Relaxed));
        let clearance = clear(1, Act::Expire, all[0].root);
        let report = vault.expire("t", &all[0].id, clearance, &|_| None, &no_catalogue).unwrap();
        let seconds = began.elapsed().as_secs_f64();
        let wrote = bytes.load(Ordering::Relaxed) - before;
        done.store(true, Ordering::Relaxed);
        writing.join().unwrap();
        (seconds, report, wrote)
    });
    assert!(vault.verify("t", &all[1].id).unwrap().is_intact());
    let what = format!("vault/prune 1 % of {} chunks beside a writer", files * SNAPSHOTS);
    line(&what, seconds, "s", "<=60");
    line(&format!("{what}, preserved meanwhile"), wrote as f64 / 1e6, "MB", "-");
    let gone = (report.packs + report.waiting) as f64;
    line(&format!("{what}, packs gone or waiting for it"), gone, "packs", "-");
    line(&format!("{what}, moved"), report.moved_bytes as f64 / 1e6, "MB", "-");
}
