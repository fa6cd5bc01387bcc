//! The demonstration as a check: run it into an empty directory, then verify every bundle it left,
//! offline, with the same binary and the log's key beside the bundle, and with the Python program
//! that the bundle itself carries; damage bytes all over each and see it refused; last, let the
//! binary check every rule on the journal it left.
//!
//! Bundles are found by name (`*.bailee.zip`) wherever they lie. A demonstration that leaves none
//! fails: there would be nothing to show to anybody.

use crate::run::visibly;
use crate::tree::Tree;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Builds the release binary and runs everything.
pub(crate) fn run(tree: &Tree) -> Result<()> {
    let binary = crate::ci::release_binary(tree)?;
    println!("{}", check(tree, &binary)?);
    Ok(())
}

/// Runs the demonstration with a binary that is there; a remark for the table.
pub(crate) fn check(tree: &Tree, binary: &Path) -> Result<String> {
    let directory = tree.target()?.join("demo");
    if directory.exists() {
        std::fs::remove_dir_all(&directory).context("remove the last demonstration")?;
    }
    visibly(Command::new(binary).args(["demo", "--keep"]).arg(&directory))?;
    let mut bundles = Vec::new();
    find_bundles(&directory, &mut bundles)?;
    bundles.sort();
    if bundles.is_empty() {
        bail!("the demonstration left no *.bailee.zip in {}", directory.display());
    }
    let python = crate::python::venv(tree)?.join("bin/python");
    for bundle in &bundles {
        let key = std::fs::read_to_string(bundle.with_file_name("log.vkey"))
            .with_context(|| format!("no log.vkey beside {}", bundle.display()))?;
        visibly(&mut verify(binary, key.trim(), bundle))?;
        visibly(Command::new(&python).arg(tree.root.join(STRANGER)).arg(bundle))?;
        refuses_damage(binary, key.trim(), bundle)?;
    }
    visibly(Command::new(binary).args(["check", "--dir"]).arg(directory.join("house")))?;
    Ok(format!("{} bundles verified, damaged copies refused", bundles.len()))
}

fn verify(binary: &Path, key: &str, bundle: &Path) -> Command {
    let mut command = Command::new(binary);
    command.args(["verify", "--key", key]).arg(bundle);
    command
}

fn find_bundles(directory: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            find_bundles(&path, found)?;
        } else if path.to_string_lossy().ends_with(".bailee.zip") {
            found.push(path);
        }
    }
    Ok(())
}

/// What every bundle carries for people with Python.
const STRANGER: &str = "crates/bailee-ledger/src/bundle/stranger/verify.py";

/// Bytes damaged of each bundle, spread over all of it, its first and its last among them. (The
/// ledger's own tests damage every byte of a small one.)
const DAMAGED: usize = 101;

/// A verifier that accepts everything would pass the step before this one.
fn refuses_damage(binary: &Path, key: &str, bundle: &Path) -> Result<()> {
    let mut bytes = std::fs::read(bundle)?;
    if bytes.is_empty() {
        bail!("{} is empty", bundle.display());
    }
    let damaged = bundle.with_extension("damaged");
    for n in 0..DAMAGED {
        let place = (bytes.len() - 1) * n / (DAMAGED - 1);
        bytes[place] ^= 1;
        std::fs::write(&damaged, &bytes)?;
        bytes[place] ^= 1;
        let mut command = verify(binary, key, &damaged);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let status = command.status().context("the binary does not start")?;
        // 1 is "no"; a crash or a wrong use would not be an answer.
        match status.code() {
            Some(1) => {}
            Some(0) => bail!("verify accepts {} with byte {place} damaged", bundle.display()),
            _ => bail!("verify: {status} for {} with byte {place} damaged", bundle.display()),
        }
    }
    std::fs::remove_file(&damaged)?;
    println!("refused with each of {DAMAGED} bytes damaged: {}", bundle.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bundles_are_found_in_depth() {
        let directory = tempfile::tempdir().unwrap();
        let inside = directory.path().join("x/y");
        std::fs::create_dir_all(&inside).unwrap();
        std::fs::write(inside.join("D-1.bailee.zip"), "z").unwrap();
        std::fs::write(inside.join("other.zip"), "z").unwrap();
        let mut found = Vec::new();
        find_bundles(directory.path(), &mut found).unwrap();
        assert_eq!(found, [inside.join("D-1.bailee.zip")]);
    }

    #[test]
    fn a_verifier_that_accepts_everything_is_caught() {
        let directory = tempfile::tempdir().unwrap();
        let bundle = directory.path().join("a.bailee.zip");
        std::fs::write(&bundle, "bytes").unwrap();
        let error = refuses_damage(Path::new("true"), "k", &bundle).unwrap_err();
        assert!(error.to_string().contains("accepts"), "{error}");
        assert!(refuses_damage(Path::new("false"), "k", &bundle).is_ok());
        assert_eq!(std::fs::read(&bundle).unwrap(), b"bytes");
    }
}
