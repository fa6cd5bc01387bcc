//! How fast the vault keeps, proves and gives back, on a corpus made on the spot: a source-like
//! tree of small compressible files, and large incompressible ones of which a quarter are twins.
//! Each line: name, value, unit, target (`-` if there is none). The store is a directory on disk
//! with real syncs; sources are in the page cache, as after the corpus was written. Processor time
//! is printed beside the rates: it says what the code costs when the machine has other work.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // it prints, and may stop

use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use bailee_store::DiskObjects;
use bailee_vault::{Kek, Source, Vault, scrub_packs};

const TEXT_FILES: usize = 12_000;
const MEDIA_FILES: usize = 12;
const MEDIA_BYTES: usize = 25_000_000;
const WORDS: [&str; 24] = [
    "fn",
    "let",
    "match",
    "return",
    "self",
    "vault",
    "chunk",
    "offset",
    "buffer",
    "result",
    "error",
    "index",
    "length",
    "count",
    "string",
    "option",
    "vector",
    "struct",
    "impl",
    "public",
    "module",
    "because",
    "whether",
    "invariant",
];

fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

fn text(state: &mut u64, len: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(len + 64);
    while out.len() < len {
        let r = next(state);
        let word = WORDS[usize::try_from(r % 24).unwrap()];
        match r >> 32 & 15 {
            0 => out.extend_from_slice(b"\n    "),
            1 => write!(out, "{word}_{:x} ", r >> 48).unwrap(),
            2 => write!(out, "{word}({}); ", r >> 54).unwrap(),
            _ => write!(out, "{word} ").unwrap(),
        }
    }
    out
}

fn corpus(root: &Path) -> u64 {
    let mut state = 0x1234_5678_9abc_def1;
    let mut bytes = 0;
    for n in 0..TEXT_FILES {
        let dir = root.join(format!("src/{:03}", n / 60));
        std::fs::create_dir_all(&dir).unwrap();
        let len = 2000 + usize::try_from(next(&mut state) % 46_000).unwrap();
        let content = text(&mut state, len);
        bytes += content.len() as u64;
        std::fs::write(dir.join(format!("file{n}.rs")), content).unwrap();
    }
    std::fs::create_dir_all(root.join("media")).unwrap();
    for n in 0..MEDIA_FILES {
        // Every fourth is the twin of the one before.
        let mut state = 77 + (n - usize::from(n % 4 == 3)) as u64;
        let mut content = Vec::with_capacity(MEDIA_BYTES + 8);
        while content.len() < MEDIA_BYTES {
            content.extend_from_slice(&next(&mut state).to_le_bytes());
        }
        bytes += content.len() as u64;
        std::fs::write(root.join(format!("media/clip{n}.mp4")), content).unwrap();
    }
    bytes
}

fn line(name: &str, value: f64, unit: &str, target: &str) {
    println!("{name}\t{value:.1}\t{unit}\t{target}");
}

/// Processor time of this process so far, seconds, all threads, in ticks of 10 ms.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after.split_whitespace().skip(11).take(2);
    ticks.filter_map(|t| t.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// Runs one phase, prints its rate and what it cost.
fn phase<T>(name: &str, bytes: u64, target: &str, run: impl FnOnce() -> T) -> (T, f64) {
    let (began, before) = (Instant::now(), cpu());
    let done = run();
    let (seconds, cost) = (began.elapsed().as_secs_f64(), cpu() - before);
    line(name, bytes as f64 / 1e6 / seconds, "MB/s", target);
    line(&format!("{name}, processor time"), cost * 1e9 / bytes as f64, "ns/B", "-");
    (done, seconds)
}

fn peak_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    let kib = line.and_then(|l| l.trim().split(' ').next()).and_then(|n| n.parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1024.0
}

fn main() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("source");
    let bytes = corpus(&source);
    let objects = Arc::new(DiskObjects::open(&dir.path().join("store")).unwrap());
    let kek = Kek::from_bytes([1; 32]);
    let vault = Vault::create(objects.clone(), &kek).unwrap();
    let tree = Source::Tree(source.clone());

    line("vault/corpus", bytes as f64 / 1e6, "MB", "-");
    let began = Instant::now();
    let pipe = format!("tar -cf - -C '{}' . | sha256sum", source.display());
    let ran = Command::new("sh").args(["-c", &pipe]).output().unwrap();
    assert!(ran.status.success());
    let baseline = began.elapsed().as_secs_f64();
    line("vault/baseline tar|sha256sum", bytes as f64 / 1e6 / baseline, "MB/s", "-");

    let keep = || vault.preserve("tenant", "A-1", &tree, &mut ()).unwrap();
    let (first, seconds) = phase("vault/preserve", bytes, ">=250", keep);
    line("vault/preserve time over baseline", seconds / baseline, "x", "-");
    line("vault/stored", first.stored_bytes as f64 / 1e6, "MB", "-");
    line("vault/peak memory after preserve", peak_mib(), "MiB", "-");
    let (second, _) = phase("vault/preserve again", bytes, ">=250", keep);
    line("vault/stored again", second.stored_bytes as f64 / 1e6, "MB", "-");

    let check = || vault.verify("tenant", &first.id).unwrap();
    let (verified, _) = phase("vault/verify", bytes, ">=400", check);
    assert!(verified.is_intact());
    let back = dir.path().join("back");
    let give = || vault.restore("tenant", &first.id, &back, None).unwrap();
    let (restored, _) = phase("vault/restore", bytes, ">=400", give);
    assert!(restored.is_complete());
    let scrub = || scrub_packs(&*objects).unwrap();
    let (scrubbed, _) = phase("vault/scrub", first.stored_bytes, "-", scrub);
    assert!(scrubbed.problems.is_empty());
    let media = Source::Tree(source.join("media"));
    let one = || vault.preserve("tenant", "A-2", &media, &mut ()).unwrap();
    phase("vault/preserve media", (MEDIA_FILES * MEDIA_BYTES) as u64, "-", one);
    let text = Source::Tree(source.join("src"));
    let one = || vault.preserve("tenant", "A-3", &text, &mut ()).unwrap();
    phase("vault/preserve text", bytes - (MEDIA_FILES * MEDIA_BYTES) as u64, "-", one);
    line("vault/peak memory", peak_mib(), "MiB", "-");
}
