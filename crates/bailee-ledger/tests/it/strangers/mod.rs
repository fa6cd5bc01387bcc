//! Verifiers that are not written in Rust: the Go program, `verify.py`, `VERIFY.md`, `verify.html`.
//!
//! Each is started as its users start it, and must give the same answer as ours: on good bundles,
//! on bundles damaged byte by byte, and on bundles that a dishonest log has signed. What each
//! covers, and which damage is tried everywhere and which at sampled places, is in
//! `docs/verifying.md`.

mod answer;
mod bag;
mod browser;
mod by_hand;
mod byte_by_hand;
mod cases;
mod container;
mod flips;
mod go;
mod lies;
mod log;
mod matrix;
mod page;
mod people;
mod python;
mod stamped;
mod tlog;
mod zip64;

use std::path::PathBuf;
use std::process::{Command, Output};

/// The build directory: tools that `cargo xtask setup` made are below it.
fn target() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().to_owned()
}

/// Where the files are that every bundle carries.
fn stranger(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/bundle/stranger").join(file)
}

/// Runs a program that must be there.
fn run(command: &mut Command) -> Output {
    let program = command.get_program().to_string_lossy().into_owned();
    match command.output() {
        Ok(output) => output,
        Err(error) => panic!("{program}: {error}; `cargo xtask setup` installs what is missing"),
    }
}

/// Standard output and error together, for messages.
fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}
