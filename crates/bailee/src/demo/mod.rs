//! The demo: the founding case, from the first letter to the certificate, on real data.
//!
//! It is a client like any other: each act goes through the house, nothing is faked but the clock,
//! which is told the dates of 2012 and 2013. It needs no server and no configuration, writes only
//! below one new temporary directory, and fails loudly if an answer is not the one the case needs.
//! With `--json` it says nothing but what it proved, as one object at its end.

mod data;
mod keep;
mod prove;
mod stage;
mod story;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};

use stage::Stage;

use crate::print::Style;

/// Options of the demo.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct DemoArgs {
    /// Where to work; by default a new directory below the system's temporary one
    #[arg(long, value_name = "DIR")]
    pub(crate) keep: Option<PathBuf>,
}

/// Plays the case and leaves a folder with what it proved.
pub(crate) fn run(args: &DemoArgs, style: Style) -> Result<ExitCode> {
    let dir = match &args.keep {
        Some(dir) => {
            std::fs::create_dir(dir).with_context(|| {
                format!("{} must not exist yet; choose another --keep", dir.display())
            })?;
            dir.clone()
        }
        None => tempfile::Builder::new().prefix("bailee-demo-").tempdir()?.keep(),
    };
    let mut stage = Stage::open(&dir, style)?;
    let medium = data::make(&dir, &stage)?;
    let case = story::ask(&mut stage)?;
    story::refuse(&mut stage, &case)?;
    let kept = keep::keep(&mut stage, &case, &medium)?;
    let ended = story::let_go(&mut stage, &case, &kept, &medium)?;
    drop(medium);
    prove::prove(&mut stage, &case, &ended)?;
    Ok(ExitCode::SUCCESS)
}
