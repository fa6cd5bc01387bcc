//! Runs a program and says how long it took, what it cost, and how much memory it held.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What one run took.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) seconds: f64,
    /// Processor seconds of the program and its children.
    pub(crate) cpu: f64,
    /// MB at its highest.
    pub(crate) peak: f64,
    pub(crate) output: String,
}

/// A line of four cells for the table: name, value, unit, target.
pub(crate) fn line(name: &str, value: f64, unit: &str, target: &str) {
    println!("{name}\t{value:.2}\t{unit}\t{target}");
}

/// Processor time of finished children, seconds, in ticks of 10 ms.
fn children() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after.split_whitespace().skip(13).take(2);
    ticks.filter_map(|t| t.parse::<f64>().ok()).sum::<f64>() / 100.0
}

fn high_water(pid: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    line.trim().split(' ').next()?.parse::<f64>().ok().map(|kib| kib * 1024.0 / 1e6)
}

/// Runs to the end. A program that fails stops the benchmark: its figure would mean nothing.
pub(crate) fn run(command: &mut Command) -> Run {
    let (began, before) = (Instant::now(), children());
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let (pid, mut peak) = (child.id(), 0.0);
    let status = loop {
        peak = high_water(pid).map_or(peak, |now| now.max(peak));
        match child.try_wait().unwrap() {
            Some(status) => break status,
            None => std::thread::sleep(Duration::from_millis(2)),
        }
    };
    let (seconds, cpu) = (began.elapsed().as_secs_f64(), children() - before);
    let output = std::io::read_to_string(child.stdout.take().unwrap()).unwrap_or_default();
    assert!(status.success(), "{command:?}: {status}");
    Run { seconds, cpu, peak, output }
}

/// Empties the page cache, if we may.
pub(crate) fn cool() -> bool {
    rustix::fs::sync();
    std::fs::write("/proc/sys/vm/drop_caches", "3").is_ok()
}

/// What makes memory ours: see [`touch`].
pub(crate) const TOUCH: &str = "--touch";
/// More than one run needs, with all it reads and writes.
const ENOUGH: usize = 4 << 30;
const PAGE: usize = 4096;

/// Has a process of its own touch memory and end, so that what runs next finds pages that this
/// machine has. A hypervisor that takes unused memory back makes the first touch of a page cost
/// ten times what the page costs, which would be paid by whoever runs first, and not by the next.
pub(crate) fn touch() {
    let own = std::env::current_exe().unwrap();
    let status = Command::new(own).args([TOUCH, &ENOUGH.to_string()]).status().unwrap();
    assert!(status.success(), "touch memory: {status}");
}

/// The process of [`touch`]: at most half of what is free.
pub(crate) fn touch_here(bytes: &str) {
    let info = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let free = info.lines().find_map(|l| l.strip_prefix("MemAvailable:")?.split(' ').rev().nth(1));
    let half = free.and_then(|kib| kib.parse::<usize>().ok()).unwrap_or(0) * 512;
    let mut memory = vec![0_u8; bytes.parse::<usize>().unwrap().min(half)];
    memory.iter_mut().step_by(PAGE).for_each(|byte| *byte = 1);
    std::hint::black_box(&memory);
}

/// MB a directory takes up.
pub(crate) fn size(path: &std::path::Path) -> f64 {
    fn below(path: &std::path::Path) -> u64 {
        let meta = std::fs::symlink_metadata(path).unwrap();
        if !meta.is_dir() {
            return meta.len();
        }
        std::fs::read_dir(path).unwrap().map(|e| below(&e.unwrap().path())).sum()
    }
    below(path) as f64 / 1e6
}
