//! Installs what the tests that use real devices, real tools and real licences need.
//!
//! Each need is asked for by the program itself, not by the package's name, so that any
//! distribution will do. Present things are left alone; a missing package is installed with apt
//! when we are root, and otherwise the exact command is printed and the setup fails: a test that
//! needs a tool must not pass because the tool is missing.

use crate::python;
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
    ("ddrescuelog", "gddrescue", "a second opinion on maps of unreadable ranges"),
    ("openssl", "openssl", "a second opinion on signatures, and a timestamp authority of our own"),
    ("sha256sum", "coreutils", "a second opinion on digests"),
    ("ssh-agent", "openssh-client", "the log's key in a real agent"),
    ("softhsm2-util", "softhsm2", "the log's key in a PKCS#11 token, in software"),
    ("filefrag", "e2fsprogs", "where a pack lies on a medium that is cut short"),
    ("faketime", "faketime", "a clock that jumps back ten years"),
    ("age", "age", "counsel opens copies of the vault's key with it"),
    ("pkcs11-tool", "opensc", "makes the key in the token, as the runbook says"),
    ("pdftotext", "poppler-utils", "papers of bundles are read back by somebody else's program"),
    ("qemu-x86_64", "qemu-user", "chunks are cut as on a processor without AES instructions"),
    ("cc", "gcc", "SQLite, zstd and AWS-LC are compiled from source"),
    ("c++", "g++", "libFuzzer is compiled from source"),
    ("go", "golang-go", "verifiers/go, a second opinion on notes, proofs and tiles"),
    ("python3", "python3", "verify.py, a second opinion on bundles"),
    ("chromium", "chromium", "verify.html is tested in a real browser"),
    ("radosgw", "radosgw", "packs in a bucket: a real S3 engine, over a cluster of one"),
    ("ceph-mon", "ceph-mon", "the cluster behind it"),
    ("ceph-osd", "ceph-osd", "the same"),
];

/// A file the tests need that is no program, its Debian package, and why.
const FILES: &[(&str, &str, &str)] = &[(
    "/usr/share/gocode/src/golang.org/x/mod/sumdb/tlog/tlog.go",
    "golang-golang-x-mod-dev",
    "verifiers/go stands on sumdb/note and sumdb/tlog",
)];

/// cargo-deny's version: pinned, because its configuration format changes between versions.
pub(crate) const DENY_VERSION: &str = "0.20.2";

/// Checks and installs everything.
pub(crate) fn run(tree: &Tree) -> Result<()> {
    packages()?;
    python::venv(tree)?;
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

/// Debian packages of whatever is not there; says of each need whether it is.
fn missing_packages() -> Vec<&'static str> {
    let mut missing = Vec::new();
    let mut note = |need: &str, found: Option<PathBuf>, package, why: &str| match found {
        Some(file) => println!("present  {need} ({})", file.display()),
        None => {
            println!("missing  {need}, from package {package}: {why}");
            missing.push(package);
        }
    };
    for (program, package, why) in PROGRAMS {
        note(program, find_program(program), *package, why);
    }
    for (file, package, why) in FILES {
        let path = PathBuf::from(file);
        note(package, path.is_file().then_some(path), *package, why);
    }
    // Debian keeps the part of Python that makes environments in a package of its own.
    let python = find_program("python3")
        .filter(|_| answers(Command::new("python3").args(["-c", "import ensurepip, venv"])));
    note("venv of Python", python, "python3-venv", "packages of PyPI get a place of their own");
    missing.dedup();
    missing
}

fn packages() -> Result<()> {
    let missing = missing_packages();
    if missing.is_empty() {
        return Ok(());
    }
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
