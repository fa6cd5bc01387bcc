//! Everything that is checked before a change counts, in one command.
//!
//! Order: what is cheap and fails often comes first, and the tests come last, so that the last
//! thing printed is the test runner's own summary. A failing step stops the rest. How long each
//! step took is printed before the tests begin.
//!
//! Time: dependencies are compiled once. The tests are built as the release is, with our own crates
//! checked as [`CHECKED`] says, and the fuzz targets stand on the same. The lints are asked while
//! the tests are built, by [`LINTS`]. Builds side by side gained nothing on two cores, which one
//! keeps busy. The `bailee` that is left in the build directory is that of the tests; cargo makes
//! it anew.

use crate::run::{Steps, visibly};
use crate::tree::Tree;
use crate::{demo, deny, fuzz, setup, tidy};
use anyhow::{Context, Result, bail};
use std::path::PathBuf;
use std::process::Command;

/// The one binary must stay small enough to hand around with the evidence.
const BINARY_BYTES: u64 = 40_000_000;

/// What sets the tests' build apart from the release: see its head.
pub(crate) const CHECKED: &str = "xtask/checked.toml";

/// The compiler and clippy in one, for the build of the tests: see its head.
const LINTS: &str = "xtask/lint-driver";

/// `cargo xtask test`.
pub(crate) fn test(tree: &Tree) -> Result<()> {
    let mut steps = Steps::default();
    let quiet = |result: Result<()>| result.map(|()| String::new());
    steps.step("setup", || quiet(setup::run(tree)))?;
    steps.step("fmt", || quiet(cargo(tree, &["fmt", "--all", "--check"])))?;
    steps.step("tidy", || quiet(tidy::run(tree, tidy::Ratchet::Hold)))?;
    steps.step("deny", || quiet(deny::run(tree)))?;
    steps.step("clippy, build of tests", || quiet(build_tests(tree)))?;
    steps.step("release binary", || small_binary(tree))?;
    steps.step("demo", || demo::check(tree, &release_path(tree)?))?;
    steps.step("fuzz", || fuzz::run(tree, fuzz::SECONDS, None))?;
    println!("{}\n== tests", steps.table());
    match setup::nextest() {
        true => {
            let threads = tests_at_once().to_string();
            let run = ["nextest", "run", "--workspace", "--no-fail-fast", "--test-threads"];
            checked(tree, &[run.as_slice(), &[threads.as_str()]].concat())
        }
        false => checked(tree, &["test", "--workspace", "--no-fail-fast"]),
    }
}

/// Four times as many as cores: tests wait for disks, servers and browsers, and with twice as many
/// the cores were idle for half of the time.
fn tests_at_once() -> usize {
    4 * std::thread::available_parallelism().map_or(1, usize::from)
}

/// Lints, tests and documentation examples.
fn build_tests(tree: &Tree) -> Result<()> {
    checked(tree, &["test", "--workspace", "--all-targets", "--no-run", "--quiet"])?;
    checked(tree, &["test", "--workspace", "--doc", "--quiet"])
}

/// The binary people get, if it is small enough for them; a remark on that.
fn small_binary(tree: &Tree) -> Result<String> {
    let binary = release_binary(tree)?;
    let bytes = std::fs::metadata(&binary)?.len();
    if bytes > BINARY_BYTES {
        bail!("{} has {bytes} bytes, allowed {BINARY_BYTES}", binary.display());
    }
    Ok(format!("binary {:.1} MB", bytes as f64 / 1e6))
}

fn cargo(tree: &Tree, arguments: &[&str]) -> Result<()> {
    visibly(Command::new("cargo").args(arguments).current_dir(&tree.root))
}

/// Cargo as the tests need it, with clippy in the place of the compiler for our own crates: a build
/// and the lints in one pass, where `cargo clippy` would check every dependency once more.
fn checked(tree: &Tree, arguments: &[&str]) -> Result<()> {
    let mut command = Command::new("cargo");
    with_lints(&mut command).env("RUSTC_WORKSPACE_WRAPPER", tree.root.join(LINTS));
    command.args(arguments).args(["--release", "--locked", "--config", CHECKED]);
    visibly(command.current_dir(&tree.root))
}

/// What `cargo clippy -- -D warnings` sets before it calls `cargo check`.
fn with_lints(command: &mut Command) -> &mut Command {
    command.env("CLIPPY_ARGS", "-D__CLIPPY_HACKERY__warnings__CLIPPY_HACKERY__")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_crate_is_checked_in_the_build_of_the_tests() {
        let tree = Tree::find().unwrap();
        let checked = tree.text(CHECKED).unwrap().unwrap();
        for crate_ in std::fs::read_dir(tree.root.join("crates")).unwrap() {
            let name = crate_.unwrap().file_name().into_string().unwrap();
            let heading = format!("[profile.release.package.{name}]");
            let settings = checked.split_once(&heading).map(|(_, rest)| rest).unwrap_or_default();
            let settings = settings.split('[').next().unwrap_or_default();
            for needed in ["overflow-checks = true", "debug-assertions = true"] {
                assert!(settings.contains(needed), "{CHECKED}: {name} lacks {needed}");
            }
        }
    }

    /// Cargo and clippy agree on these variables without promising them to anybody.
    #[test]
    fn a_lint_that_is_broken_stops_the_build() {
        let dir = tempfile::tempdir().unwrap();
        let source = dir.path().join("lib.rs");
        let lint = |text: &str| {
            std::fs::write(&source, text).unwrap();
            let mut driver = Command::new(Tree::find().unwrap().root.join(LINTS));
            let driver = with_lints(&mut driver).args(["rustc", "--crate-type=lib", "-o"]);
            driver.arg(dir.path().join("lib.rlib")).arg(&source).output().unwrap()
        };
        let good = lint("pub fn empty(text: &str) -> bool {\n    text.is_empty()\n}\n");
        assert!(good.status.success() && dir.path().join("lib.rlib").exists(), "{good:?}");
        let bad = lint("pub fn empty(text: &str) -> bool {\n    text.len() == 0\n}\n");
        let said = String::from_utf8(bad.stderr).unwrap();
        assert!(!bad.status.success() && said.contains("clippy::len_zero"), "{said}");
    }
}
