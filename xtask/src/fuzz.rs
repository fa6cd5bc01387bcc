//! Fuzzing with libFuzzer, without cargo-fuzz and without nightly.
//!
//! Our own crates are instrumented (`fuzz/instrument` says how) and checked as in the tests, their
//! dependencies are those of the release build. The layout is cargo-fuzz's, so `cargo fuzz run`
//! works too.
//!
//! Each target runs in a scratch corpus in the build directory, started from the seeds in
//! `fuzz/corpus/<target>/` and the directories that `fuzz/seeds.txt` names for it; seeds are never
//! written. An input that breaks a target stays in `fuzz/artifacts/<target>/`, and the command
//! that runs it again is printed. Out of scope: minimising a corpus.

use crate::ci::CHECKED;
use crate::run::visibly;
use crate::tree::Tree;
use anyhow::{Context, Result, bail};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

/// Seconds per target when nobody says otherwise: a look; `cargo xtask fuzz 3600` is a search.
pub(crate) const SECONDS: u32 = 20;

/// `cargo xtask fuzz [seconds] [target]`.
pub(crate) fn command(tree: &Tree, words: &[&str]) -> Result<()> {
    let (seconds, only) = match words {
        [] => (SECONDS, None),
        [seconds] => (seconds.parse().context("seconds are a whole number")?, None),
        [seconds, target] => {
            (seconds.parse().context("seconds are a whole number")?, Some(*target))
        }
        _ => bail!("cargo xtask fuzz [seconds] [target]"),
    };
    run(tree, seconds, only).map(drop)
}

/// Builds and runs all targets, as many at once as there are cores; a remark for the table.
pub(crate) fn run(tree: &Tree, seconds: u32, only: Option<&str>) -> Result<String> {
    if seconds == 0 {
        bail!("0 seconds would run for ever: give at least 1");
    }
    let mut targets = targets(tree)?;
    targets.retain(|target| only.is_none_or(|only| only == target));
    if targets.is_empty() {
        bail!("no such fuzz target: see fuzz/fuzz_targets/");
    }
    let binaries = build(tree, &targets)?;
    let count = targets.len();
    println!("{count} targets, {seconds} s each");
    let queue = Mutex::new(VecDeque::from(targets));
    let broken = Mutex::new(Vec::new());
    let next = || queue.lock().ok()?.pop_front();
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(target) = next() {
                    let outcome = fuzz(tree, &binaries, &target, seconds);
                    match (outcome, broken.lock()) {
                        (Ok(remark), _) => println!("  {target:<22} {remark}"),
                        (Err(error), Ok(mut broken)) => broken.push(format!("{error:#}")),
                        (Err(error), Err(_)) => println!("  {target}: {error:#}"),
                    }
                }
            });
        }
    });
    let broken = broken.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    if !broken.is_empty() {
        bail!("{} of {count} fuzz targets broke:\n{}", broken.len(), broken.join("\n"));
    }
    Ok(format!("{count} targets x {seconds} s, nothing found"))
}

/// Names of the targets, from their files.
fn targets(tree: &Tree) -> Result<Vec<String>> {
    let name = |path: &String| {
        let file = path.strip_prefix("fuzz/fuzz_targets/")?;
        Some(file.strip_suffix(".rs")?.to_owned())
    };
    Ok(tree.files()?.iter().filter_map(name).collect())
}

/// Builds the targets; answers with the directory of the binaries.
///
/// `bailee` is named beside them for its features only: with the same choice of features the
/// dependencies are those of the release build, byte for byte, and are not compiled again.
fn build(tree: &Tree, targets: &[String]) -> Result<PathBuf> {
    let mut command = Command::new("cargo");
    command.args(["build", "--release", "--locked", "--config", CHECKED, "--package", "bailee"]);
    command.args(["--package", "bailee-fuzz", "--features", "bailee-fuzz/engine"]);
    command.args(targets.iter().flat_map(|target| ["--bin", target]));
    command.env("RUSTC_WORKSPACE_WRAPPER", tree.root.join("fuzz/instrument"));
    visibly(command.current_dir(&tree.root))?;
    Ok(tree.target()?.join("release"))
}

/// Runs one target; a line about it, or an error with the tail of its log and how to repeat it.
fn fuzz(tree: &Tree, binaries: &Path, target: &str, seconds: u32) -> Result<String> {
    let binary = binaries.join(target);
    let scratch = tree.target()?.join("fuzz-corpus").join(target);
    let artifacts = tree.root.join("fuzz/artifacts").join(target);
    for directory in [&scratch, &artifacts] {
        std::fs::create_dir_all(directory)
            .with_context(|| format!("create {}", directory.display()))?;
    }
    let output = Command::new(&binary)
        .arg(&scratch)
        .args(seeds(tree, target)?)
        .arg(format!("-max_total_time={seconds}"))
        .args(["-timeout=10", "-rss_limit_mb=2048", "-max_len=65536", "-print_final_stats=1"])
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("{} does not start", binary.display()))?;
    let log = String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        return Ok(remark(&log));
    }
    let lines: Vec<&str> = log.lines().collect();
    let tail = lines[lines.len().saturating_sub(30)..].join("\n");
    bail!(
        "{target}: {}\n{tail}\nagain: {} {}/<input>",
        output.status,
        binary.display(),
        artifacts.display()
    )
}

/// Directories of seeds: the target's own, and those that `fuzz/seeds.txt` lends it.
fn seeds(tree: &Tree, target: &str) -> Result<Vec<PathBuf>> {
    let lent = std::fs::read_to_string(tree.root.join("fuzz/seeds.txt"))?;
    let lent = lent.lines().filter_map(|line| {
        let (name, directory) = line.split_once(' ')?;
        (name == target).then(|| tree.root.join(directory.trim()))
    });
    let own = tree.root.join("fuzz/corpus").join(target);
    let found: Vec<PathBuf> = lent.chain([own]).filter(|directory| directory.is_dir()).collect();
    if found.is_empty() {
        bail!(
            "{target} has no seeds: put inputs in fuzz/corpus/{target}/ or name some in seeds.txt"
        );
    }
    Ok(found)
}

/// Executions and coverage, from libFuzzer's log.
fn remark(log: &str) -> String {
    let statistic = |name: &str| {
        log.lines().find_map(|line| line.strip_prefix("stat::")?.strip_prefix(name)).map(str::trim)
    };
    let runs = statistic("number_of_executed_units:").unwrap_or("?");
    let speed = statistic("average_exec_per_sec:").unwrap_or("?");
    let edges = log.lines().rev().find_map(|line| line.split_once("cov: "));
    let edges = edges.and_then(|(_, rest)| rest.split(' ').next()).unwrap_or("?");
    format!("{runs:>9} runs, {speed:>7}/s, {edges:>5} edges")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_remark_reads_libfuzzers_log() {
        let log = "#8 REDUCE cov: 12 ft: 9\n#9 DONE   cov: 64 ft: 65 corp: 2/2b\n\
                   stat::number_of_executed_units: 512\nstat::average_exec_per_sec:     256\n";
        assert_eq!(remark(log), "      512 runs,     256/s,    64 edges");
    }

    #[test]
    fn every_target_is_declared_and_has_seeds() {
        let tree = Tree::find().unwrap();
        let manifest = tree.text("fuzz/Cargo.toml").unwrap().unwrap();
        let targets = targets(&tree).unwrap();
        assert!(!targets.is_empty());
        for target in targets {
            assert!(manifest.contains(&format!("name = \"{target}\"")), "{target} is no [[bin]]");
            assert!(seeds(&tree, &target).is_ok_and(|seeds| !seeds.is_empty()), "{target}");
        }
    }

    #[test]
    fn endless_fuzzing_is_refused() {
        let tree = Tree::find().unwrap();
        assert!(command(&tree, &["0"]).unwrap_err().to_string().contains("for ever"));
        assert!(command(&tree, &["soon"]).is_err());
        assert!(command(&tree, &["1", "2", "3"]).is_err());
    }
}
