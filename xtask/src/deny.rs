//! Licences, bans and sources of every dependency, by cargo-deny with the rules in `deny.toml`.
//!
//! Advisories are out of scope here: their database is not part of this checkout, so the same
//! commit would pass today and fail tomorrow.

use crate::run::visibly;
use crate::setup::deny_program;
use crate::tree::Tree;
use anyhow::{Context, Result};
use std::process::Command;

/// Checks the whole workspace.
///
/// The check itself asks no network, so what the lock file names is fetched before it: on a new
/// machine nothing has been compiled yet, and most of it is not there.
pub(crate) fn run(tree: &Tree) -> Result<()> {
    visibly(Command::new("cargo").args(["fetch", "--locked"]).current_dir(&tree.root))?;
    let program = deny_program(tree)?.context("cargo-deny is not here: cargo xtask setup")?;
    let mut command = Command::new(program);
    command.args(["--all-features", "--offline", "--log-level", "error"]);
    command.args(["check", "--hide-inclusion-graph", "licenses", "bans", "sources"]);
    visibly(command.current_dir(&tree.root))
}
