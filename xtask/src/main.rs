//! The project's own commands: `cargo xtask <command>`.
//!
//! Invariants
//! 1. `test` is the whole of CI: what it does not run is not checked anywhere.
//! 2. Nothing is installed, skipped or left out silently: every step prints what it did.
//! 3. Numbers (`bench`) inform and never fail; rules (`tidy`, `test`) fail by exit code.
//!
//! Out of scope: releases and publishing. Depends on no crate of ours, so that a tree that does
//! not compile can still be checked and described.
#![allow(clippy::print_stdout, reason = "a command-line program answers on standard output")]

mod bench;
mod ci;
mod demo;
mod deny;
mod fuzz;
mod machine;
mod python;
mod run;
mod setup;
mod tidy;
mod tree;

use anyhow::{Result, bail};
use std::process::ExitCode;
use tree::Tree;

const USAGE: &str = "\
cargo xtask <command>

  setup             install what the tests need (packages, tools), printing each step
  test              everything CI checks, ending with the test runner's summary
  tidy [--shrink]   arrows, purity, budgets, words, documents; --shrink lowers the ratchets
  deny              licences, bans and sources of all dependencies
  fuzz [seconds] [target]
                    every fuzz target for that long (default 20 s), or only the one named
  bench [name [words]]
                    benchmarks of all crates, or of one, against their targets; further words
                    go to the crate's main benchmark (`bench vault prune 10000000`, `bench vault
                    index`, `bench vault media`)
  demo              the demonstration, and the verification of what it wrote";

/// The commands that documents may name; `tidy` holds them to it.
pub(crate) const COMMANDS: &[&str] = &["setup", "test", "tidy", "deny", "fuzz", "bench", "demo"];

fn main() -> ExitCode {
    match dispatch() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let tree = Tree::find()?;
    match words.as_slice() {
        ["setup"] => setup::run(&tree),
        ["test"] => ci::test(&tree),
        ["tidy"] => tidy::run(&tree, tidy::Ratchet::Hold),
        ["tidy", "--shrink"] => tidy::run(&tree, tidy::Ratchet::Shrink),
        ["deny"] => deny::run(&tree),
        ["fuzz", rest @ ..] => fuzz::command(&tree, rest),
        ["bench"] => bench::run(&tree, None, &[]),
        ["bench", name, rest @ ..] => bench::run(&tree, Some(name), rest),
        ["demo"] => demo::run(&tree),
        [] | ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            Ok(())
        }
        _ => bail!("no such command: {}\n\n{USAGE}", words.join(" ")),
    }
}
