//! The index of very many chunks: how long it takes to open, and the memory it holds then.
//!
//! The index is that of a unit in a store on disk; its chunks and packs are not there. A process of
//! its own opens it, so that memory is what the system says of that process.

use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use bailee_store::{DiskObjects, Objects};
use bailee_vault::{Kek, Vault, planted};

use crate::measure::{cool, line, run};

/// Chunks if nobody says how many.
pub(crate) const CHUNKS: u64 = 50_000_000;
/// Chunks of a segment: as many as merging leaves in one.
const EACH: u64 = 2_000_000;
/// Chunks looked up.
const LOOKED: u64 = 10_000;

/// Plants an index and has it opened, from the medium if we may empty the page cache.
pub(crate) fn measure(chunks: u64) {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    let objects: Arc<dyn Objects> = Arc::new(DiskObjects::open(&store).unwrap());
    let vault = Vault::create(objects, &Kek::from_bytes([1; 32])).unwrap();
    planted::plant(&vault, chunks, EACH).unwrap();
    drop(vault);
    let what = format!("vault/index of {chunks} chunks");
    for cache in ["cold", "warm"] {
        if cache == "cold" && !cool() {
            println!("{what}: cold not measured, the page cache is not ours to drop");
            continue;
        }
        let mut command = Command::new(std::env::current_exe().unwrap());
        let done = run(command.args(["--act", "Index"]).arg(&store).args(["-", "-"]));
        for (name, unit, most) in
            [("opened", "s", "<=2"), ("memory", "B/chunk", "<=12"), ("look-up", "us", "-")]
        {
            let found = done.output.lines().find_map(|said| said.strip_prefix(name));
            let value = found.and_then(|value| value.trim().parse().ok()).unwrap();
            line(&format!("{what} {cache}, {name}"), value, unit, most);
        }
    }
}

/// What the process of its own does and says.
pub(crate) fn open(vault: &Vault) {
    let (before, began) = (resident(), Instant::now());
    let index = planted::open(vault).unwrap();
    let seconds = began.elapsed().as_secs_f64();
    println!("opened {seconds}");
    println!("memory {}", (resident() - before) / index.chunks() as f64);
    let (began, step) = (Instant::now(), index.chunks().div_ceil(LOOKED) as usize);
    let found = (0..index.chunks()).step_by(step).filter(|n| index.has(*n)).count();
    let looked = index.chunks().div_ceil(step as u64);
    assert_eq!(found as u64, looked, "every chunk is found");
    println!("look-up {}", began.elapsed().as_secs_f64() * 1e6 / looked as f64);
}

/// Bytes of memory that this process holds.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().split(' ').next().unwrap().parse::<f64>().unwrap() * 1024.0
}
