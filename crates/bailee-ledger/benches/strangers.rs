//! A bundle of more than 4 GiB, checked by programs that are not ours, and what a person waits for
//! who drops it on `verify.html`: Chromium hashes it twice, once for the file and once for what is
//! in it, and holds 4 MiB of it at a time. The tools are those of `cargo xtask setup`.
//! Lines are `name<TAB>value<TAB>unit<TAB>target`.
#![allow(clippy::print_stdout, clippy::unwrap_used)] // a program that prints, and may stop

use std::io::Read;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use bailee_ledger::bundle::{BundleBuilder, Kind, Opened};
use bailee_ledger::{Checkpoint, Leaf, Policy, Signer, Tree};

#[allow(dead_code)] // a test reads the console, too
#[path = "../tests/it/strangers/browser.rs"]
mod browser;
#[allow(dead_code)] // tests patch what is written
#[path = "../tests/it/holes.rs"]
mod holes;

use browser::Browser;
use holes::{Holes, LARGE, large};

const ORIGIN: &str = "bench.example/log";

fn write(path: &Path) -> u64 {
    let signer = Signer::from_seed(ORIGIN, &[7; 32]).unwrap();
    let (papers, salt) = (large().sha256.to_vec(), [3; 32]);
    let leaf = Leaf::commit(1, 0, [None, None, Some((&papers, &salt))]).encode();
    let mut tree = Tree::new();
    let index = tree.push(&leaf);
    let note = Checkpoint::of(ORIGIN, &tree).sign(&signer).unwrap();
    let policy = Policy::for_log(signer.verifier().clone()).unwrap();
    let mut out = Holes::default();
    BundleBuilder::new(Kind::Matter, &note, &policy)
        .unwrap()
        .entry_of(&tree, index, &leaf, [None, None, Some(Opened { bytes: papers, salt })])
        .unwrap()
        .exhibit_from(large(), std::io::repeat(0).take(LARGE))
        .write(&signer, &mut out)
        .unwrap();
    out.save(path);
    out.length
}

/// Runs a verifier on the bundle; stops unless it finds documents and log proven.
fn run(name: &str, command: &mut Command, length: u64) {
    let start = Instant::now();
    let output = command.output().unwrap();
    let seconds = start.elapsed().as_secs_f64();
    let said = String::from_utf8_lossy(&output.stdout).to_lowercase();
    assert!(output.status.success() && said.matches("proven").count() >= 2, "{name}: {output:?}");
    row(name, seconds, length);
}

fn row(name: &str, seconds: f64, length: u64) {
    println!("{name}, a bundle of 4 GiB\t{seconds:.1}\ts\t");
    println!("  bytes of it\t{:.0}\tMB/s\t", length as f64 / seconds / 1e6);
}

fn main() {
    let crate_root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = directory.path().join("large.bailee.zip");
    let length = write(&path);
    let guides = crate_root.join("src/bundle/stranger");
    let mut python = Command::new(target.join("tools/python/bin/python"));
    run("verify.py", python.arg(guides.join("verify.py")).arg(&path), length);
    let program = directory.path().join("verify-go");
    let mut build = Command::new("go");
    build.args(["build", "-o"]).arg(&program).arg(".");
    build.current_dir(crate_root.join("../../verifiers/go"));
    build.env("GOFLAGS", "-mod=mod").env("GOPROXY", "off").env("GOTOOLCHAIN", "local");
    assert!(build.status().unwrap().success(), "go build");
    run("verifiers/go", Command::new(program).arg("bundle").arg(&path), length);
    page(&guides.join("verify.html"), &path, length);
}

fn page(page: &Path, bundle: &Path, length: u64) {
    let mut browser = Browser::open(page);
    let start = Instant::now();
    browser.choose("byId('files')", &[bundle.to_string_lossy().into_owned()]);
    browser.wait_for("byId('busy').textContent.startsWith('Done')");
    let seconds = start.elapsed().as_secs_f64();
    let text = browser.evaluate("byId('reports').innerText");
    let text = text.as_str().unwrap();
    assert!(text.contains("■ PROVEN\nThe documents") && !text.contains("does not fit"), "{text}");
    row("verify.html", seconds, length);
    let heap = browser.evaluate("performance.memory.usedJSHeapSize");
    println!("  the page's heap\t{:.0}\tMB\t<= 500", heap.as_f64().unwrap() / 1e6);
}
