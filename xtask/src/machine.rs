//! The machine a number was measured on: a figure without it cannot be compared.

use anyhow::{Context, Result};
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

/// Appends made to learn what a durable write costs here.
const SYNCS: usize = 200;

/// One line: processor, cores, load, and what `fdatasync` costs in `directory` just now.
pub(crate) fn line(directory: &Path) -> Result<String> {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: Vec<&str> = load.split_whitespace().take(3).collect();
    let (p50, p99) = fdatasync(directory)?;
    Ok(format!(
        "{}, {cores} cores, load {}, fdatasync p50 {:.2} ms p99 {:.2} ms",
        processor(),
        if load.is_empty() { "unknown".to_owned() } else { load.join(" ") },
        p50.as_secs_f64() * 1e3,
        p99.as_secs_f64() * 1e3,
    ))
}

fn processor() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find(|line| line.starts_with("model name"));
    let model = model.and_then(|line| line.split_once(": ")).map(|(_, name)| name.trim());
    model.unwrap_or("unknown processor").to_owned()
}

/// Median and 99th percentile of 4 KiB appends, each made durable.
fn fdatasync(directory: &Path) -> Result<(Duration, Duration)> {
    std::fs::create_dir_all(directory)?;
    let path = directory.join(format!("fdatasync-{}.probe", std::process::id()));
    let measured = append_durably(&path).with_context(|| format!("write {}", path.display()));
    // The probe is worth nothing after the measurement, whatever came of it.
    let _ = std::fs::remove_file(&path);
    let mut took = measured?;
    took.sort();
    Ok((took[SYNCS / 2], took[SYNCS * 99 / 100]))
}

fn append_durably(path: &Path) -> std::io::Result<Vec<Duration>> {
    let mut file = File::create(path)?;
    let mut took = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        let started = Instant::now();
        file.write_all(&[0x5a; 4096])?;
        file.sync_data()?;
        took.push(started.elapsed());
    }
    Ok(took)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_names_cores_and_syncs_and_leaves_no_probe() {
        let directory = tempfile::tempdir().unwrap();
        let line = line(directory.path()).unwrap();
        assert!(line.contains(" cores, load ") && line.contains("fdatasync p50"), "{line}");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
