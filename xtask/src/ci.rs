//! Everything that is checked before a change counts, in one command.
//!
//! Order: what is cheap and fails often comes first, and the tests come last, so that the last
//! thing printed is the test runner's own summary. A failing step stops the rest. How long each
//! step took is printed before the tests begin.
//!
//! Time: three builds of the dependencies (checked by clippy and compiled for tests in one
//! profile, with shared build scripts; release; instrumented for fuzzing) in one directory.

use crate::run::{Steps, visibly};
use crate::tree::Tree;
use crate::{demo, deny, fuzz, setup, tidy};
use anyhow::{Context, Result, bail};
use std::path::PathBuf;
use std::process::Command;

/// The one binary must stay small enough to hand around with the evidence.
const BINARY_BYTES: u64 = 40_000_000;

/// `cargo xtask test`.
pub(crate) fn test(tree: &Tree) -> Result<()> {
    let mut steps = Steps::default();
    let quiet = |result: Result<()>| result.map(|()| String::new());
    steps.step("setup", || quiet(setup::run(tree)))?;
    steps.step("fmt", || quiet(cargo(tree, &["fmt", "--all", "--check"])))?;
    steps.step("tidy", || quiet(tidy::run(tree, tidy::Ratchet::Hold)))?;
    steps.step("deny", || quiet(deny::run(tree)))?;
    steps.step("clippy", || {
        quiet(cargo(tree, &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
    })?;
    steps.step("release binary", || {
        let binary = release_binary(tree)?;
        let bytes = std::fs::metadata(&binary)?.len();
        if bytes > BINARY_BYTES {
            bail!("{} has {bytes} bytes, allowed {BINARY_BYTES}", binary.display());
        }
        Ok(format!("{:.1} MB", bytes as f64 / 1e6))
    })?;
    steps.step("demo", || demo::check(tree, &release_path(tree)?))?;
    steps.step("fuzz", || fuzz::run(tree, fuzz::SECONDS, None))?;
    steps.step("documentation examples", || {
        quiet(cargo(tree, &["test", "--workspace", "--doc", "--quiet"]))
    })?;
    steps.step("build of the tests", || {
        quiet(cargo(tree, &["test", "--workspace", "--no-run", "--quiet"]))
    })?;
    println!("{}\n== tests", steps.table());
    match setup::nextest() {
        true => cargo(tree, &["nextest", "run", "--workspace", "--no-fail-fast"]),
        false => cargo(tree, &["test", "--workspace", "--no-fail-fast"]),
    }
}

fn cargo(tree: &Tree, arguments: &[&str]) -> Result<()> {
    visibly(Command::new("cargo").args(arguments).current_dir(&tree.root))
}

fn release_path(tree: &Tree) -> Result<PathBuf> {
    Ok(tree.target()?.join("release").join("bailee"))
}

/// Builds the binary people get.
pub(crate) fn release_binary(tree: &Tree) -> Result<PathBuf> {
    cargo(tree, &["build", "--release", "--locked", "--package", "bailee"])?;
    let path = release_path(tree)?;
    path.is_file().then_some(path).context("cargo built no release binary")
}
