//! `bailee preserve`, `bailee restore`, `bailee snapshot`: data into the vault and out again.
//!
//! Invariant: these work on a data directory of this machine only; data does not go through the
//! HTTP server.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::ask::ListArgs;

/// What to copy into the vault.
#[derive(Debug, Args)]
#[command(after_long_help = "EXAMPLE\n  bailee preserve A-1 /srv/customers/vos")]
pub(crate) struct PreserveArgs {
    /// The asset whose data it is
    #[arg(value_name = "A-1")]
    pub(crate) asset: String,
    /// Directory, file or device
    pub(crate) path: PathBuf,
    /// PATH is a device, or an image of one, and kept as such
    #[arg(long)]
    pub(crate) device: bool,
}

/// What to give back.
#[derive(Debug, Args)]
#[command(after_long_help = "EXAMPLE\n  bailee restore S-1 /srv/handover --only 'photos/**'")]
pub(crate) struct RestoreArgs {
    /// Which snapshot
    #[arg(value_name = "S-1")]
    pub(crate) snapshot: String,
    /// An empty or absent directory
    pub(crate) into: PathBuf,
    /// Only what this pattern matches: `*` within a name, `**` across directories
    #[arg(long, value_name = "PATTERN")]
    pub(crate) only: Option<String>,
}

/// Verbs of a snapshot.
#[derive(Debug, Subcommand)]
pub(crate) enum SnapshotVerb {
    /// List them
    #[command(after_long_help = "EXAMPLE\n  bailee snapshot list --limit 20")]
    List(ListArgs),
    /// Show one
    #[command(after_long_help = "EXAMPLE\n  bailee snapshot show S-1")]
    Show {
        /// Which
        #[arg(value_name = "S-1")]
        snapshot: String,
    },
    /// Read it back whole and record what that showed
    #[command(after_long_help = "EXAMPLE\n  bailee snapshot verify S-1")]
    Verify {
        /// Which
        #[arg(value_name = "S-1")]
        snapshot: String,
    },
}
