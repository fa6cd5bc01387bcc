//! `bailee volumes`: sealed archive volumes, read back without the house that wrote them.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// What to do with volumes.
#[derive(Debug, Subcommand)]
pub(crate) enum VolumesVerb {
    /// Read every byte of a set again: is it all there, authentic and whole?
    #[command(
        long_about = "Reads every byte of a set of volumes. With the key each frame is \
                      authenticated and each file compared with its SHA-256; damage is named by \
                      volume and bytes, and by the file and the bytes of it that are lost. Without \
                      a key only headers are read, which anybody could have written, and each \
                      volume's SHA-256 is printed. Exit code 1: something is missing or not whole, \
                      or a name, or bytes of a file, were never read when it was kept. Of several \
                      sets the one that is whole is read, which takes the key to see; what a \
                      killed export left beside it is named and is no 1. If that leaves none or \
                      several, nothing is read (2) and `--set` says which one.",
        after_long_help = "EXAMPLES\n  bailee volumes check /mnt/tape --key /srv/shelf.key\n  \
                           bailee volumes check /mnt/tape/*.bvol"
    )]
    Check(CheckArgs),
    /// Put back what volumes hold, without a data directory
    #[command(
        long_about = "Checks a set of volumes and restores what is in it, each snapshot into a \
                      directory of its name. Volumes may be given in any order and under any \
                      names. What is whole comes back, also behind a volume that is damaged or \
                      missing; what is not is named and not left there. Exit code 1: something is \
                      missing or not whole, or was never read when it was kept: a name, or bytes \
                      of a file (zeros stand for them); or was not taken there, as `bailee \
                      restore` says it. Of several sets one is read as `bailee volumes check` \
                      says.",
        after_long_help = "EXAMPLE\n  bailee volumes restore /mnt/tape --key /srv/shelf.key --into \
                           /srv/handover --only 'photos/**'"
    )]
    Restore(RestoreArgs),
}

/// Which volumes to check.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Volumes, or directories of them
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// File with their key
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// Which set, if volumes of several are given: its 32 digits
    #[arg(long, value_name = "SET")]
    pub(crate) set: Option<String>,
    /// Compare with what the log of the data directory says was written
    #[arg(long)]
    pub(crate) log: bool,
}

/// Which volumes to restore, and where.
#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// Volumes, or directories of them
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// File with their key
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// Which set, if volumes of several are given: its 32 digits
    #[arg(long, value_name = "SET")]
    pub(crate) set: Option<String>,
    /// An empty or absent directory
    #[arg(long, value_name = "DIR")]
    pub(crate) into: PathBuf,
    /// Only what this pattern matches: `*` within a name, `**` across directories
    #[arg(long, value_name = "PATTERN")]
    pub(crate) only: Option<String>,
}
