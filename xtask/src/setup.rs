//! Installs what the tests that use real devices, real tools and real licences need.
//!
//! Each need is asked for by the program itself, not by the package's name, so that any
//! distribution will do. Present things are left alone; a missing package is installed with apt
//! when we are root, and otherwise the exact command is printed and the setup fails: a test that
//! needs a tool must not pass because the tool is missing.

use crate::run::{answers, visibly};
use crate::tree::Tree;
use anyhow::{Context, Result, bail};
use std::path::PathBuf;
use std::process::Command;

/// A program the tests call, and the Debian package that brings it.
const PROGRAMS: &[(&str, &str, &str)] = &[
    ("mkfs.ext4", "e2fsprogs", "a mounted file system must be refused by sanitize"),
    ("losetup", "util-linux", "block devices to preserve and to overwrite"),
    ("mount", "mount", "the same"),
    ("openssl", "openssl", "a second opinion on signatures, as VERIFY.md promises"),
    ("sha256sum", "coreutils", "a second opinion on digests"),
    ("pdftotext", "poppler-utils", "papers of bundles are read back by somebody else's program"),
    ("cc", "gcc", "SQLite, zstd and AWS-LC are compiled from source"),
    ("c++", "g++", "libFuzzer is compiled from source"),
];

/// cargo-deny's version: pinned, because its configuration format changes between versions.
pub(crate) const DENY_VERSION: &str = "0.20.2";

/// Checks and installs everything.
pub(crate) fn run(tree: &Tree) -> Result<()> {
    packages()?;
    components()?;
    cargo_deny(tree)?;
    match nextest() {
        true => println!("present  cargo-nextest"),
        false => println!("absent   cargo-nextest: `cargo test` runs the tests instead"),
    }
    Ok(())
}

/// Whether the faster test runner is there. It is a comfort, never a need.
pub(crate) fn nextest() -> bool {
    answers(Command::new("cargo").args(["nextest", "--version"]))
}

/// Where a program is, in `PATH` or among the administrator's.
fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    places.map(|place| place.join(name)).find(|file| file.is_file())
}

fn packages() -> Result<()> {
    let mut missing: Vec<&str> = Vec::new();
    for (program, package, why) in PROGRAMS {
        match find_program(program) {
            Some(file) => println!("present  {program} ({})", file.display()),
            None => {
                println!("missing  {program}, from package {package}: {why}");
                missing.push(package);
            }
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    missing.dedup();
    if find_program("apt-get").is_none() || !is_root() {
        bail!("install them: sudo apt-get update && sudo apt-get install -y {}", missing.join(" "));
    }
    visibly(Command::new("apt-get").args(["update", "-q"]))?;
    let mut install = Command::new("apt-get");
    install.args(["install", "-y", "-q", "--no-install-recommends"]).args(&missing);
    visibly(install.env("DEBIAN_FRONTEND", "noninteractive"))
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output();
    output.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

/// rustfmt and clippy belong to every check, but not to every minimal toolchain.
fn components() -> Result<()> {
    for (component, subcommand) in [("rustfmt", "fmt"), ("clippy", "clippy")] {
        if answers(Command::new("cargo").args([subcommand, "--version"])) {
            println!("present  cargo {subcommand}");
        } else {
            visibly(Command::new("rustup").args(["component", "add", component]))?;
        }
    }
    Ok(())
}

/// cargo-deny, compiled once without optimisation (about 100 s on two cores): it looks at a few
/// hundred packages and needs no speed. Package registries carry no binary of this version.
fn cargo_deny(tree: &Tree) -> Result<()> {
    if let Some(program) = deny_program(tree)? {
        println!("present  cargo-deny ({})", program.display());
        return Ok(());
    }
    let tools = tree.tools()?;
    let mut install = Command::new("cargo");
    install.args(["install", "cargo-deny", "--version", DENY_VERSION, "--locked", "--debug"]);
    install.args(["--no-default-features", "--force", "--root"]).arg(&tools);
    install.env("CARGO_TARGET_DIR", tools.join("build")).env("CARGO_PROFILE_DEV_DEBUG", "0");
    visibly(&mut install)?;
    std::fs::remove_dir_all(tools.join("build")).context("remove cargo-deny's build directory")
}

/// A cargo-deny of exactly the pinned version: the person's own, or else the one `setup` built.
pub(crate) fn deny_program(tree: &Tree) -> Result<Option<PathBuf>> {
    let wanted = format!("cargo-deny {DENY_VERSION}");
    let fits = |program: &PathBuf| {
        let output = Command::new(program).arg("--version").output();
        output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).trim() == wanted)
    };
    let own = tree.tools()?.join("bin/cargo-deny");
    Ok(find_program("cargo-deny").into_iter().chain([own]).find(fits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_looked_for_by_name() {
        assert!(find_program("sh").is_some_and(|file| file.ends_with("sh")));
        assert_eq!(find_program("no-such-program-here"), None);
    }
}
