//! `bailee preserve`, `restore`, `cat`, `mount`, `snapshot`: data into the vault and out again.
//!
//! Invariant: data that goes to a service, or comes from one, is read and written on the machine
//! where this is typed; what needs the vault itself (`cat`, `mount`, volumes) says so.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::ask::ListArgs;
use bailee_server::api::upkeep::Share;

/// What to copy into the vault.
#[derive(Debug, Args)]
#[command(after_long_help = "EXAMPLES\n  bailee preserve A-1 /srv/customers/vos\n  \
                             pg_dump vos | bailee preserve A-1 - --stdin-name vos.sql\n  \
                             ssh srv-12 tar -c /srv | bailee preserve A-1 - --tar\n  \
                             bailee --server https://custody.example.org preserve A-1 /srv/vos")]
pub(crate) struct PreserveArgs {
    /// The asset whose data it is
    #[arg(value_name = "A-1")]
    pub(crate) asset: String,
    /// Directory, file or device; `-`: standard input
    pub(crate) path: PathBuf,
    /// PATH is a device, or an image of one, and kept as such
    #[arg(long)]
    pub(crate) device: bool,
    /// Keep a device although a file system on it is mounted writable: as one that changed while
    /// it was read, so that it counts for no hold
    #[arg(long, conflicts_with = "tar")]
    pub(crate) while_mounted: bool,
    /// PATH is a tar archive (ustar, pax or GNU, not compressed): keep the files in it
    #[arg(long, conflicts_with = "device")]
    pub(crate) tar: bool,
    /// What to call standard input: the file it is kept as, or the archive it is
    #[arg(long, value_name = "NAME", default_value = "stdin")]
    pub(crate) stdin_name: String,
    /// Keep standard input also if not one byte comes
    #[arg(long, conflicts_with = "tar")]
    pub(crate) allow_empty: bool,
    /// Read every byte again, also of files that did not change since the last snapshot
    #[arg(long)]
    pub(crate) rehash: bool,
}

/// What to give back.
#[derive(Debug, Args)]
#[command(
    long_about = "Gives data back from the vault. Exit code 1: something of the snapshot is not \
                  in INTO, or not as it was: a file that is damaged, names or bytes that were \
                  never read when it was kept (with --only also a name that what was asked for \
                  may lie below), a node, an attribute or other metadata that was not taken there \
                  (`not_made`). What only root may set, owners and attributes `trusted.` and \
                  `security.`, is counted for anybody else (`owners_not_set`, \
                  `attributes_not_set`), and is no 1.",
    after_long_help = "EXAMPLE\n  bailee restore S-1 /srv/handover --only 'photos/**'"
)]
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

/// What to write to standard output.
#[derive(Debug, Args)]
#[command(after_long_help = "EXAMPLE\n  bailee cat S-1 photos/a.raw --range 0-1023 | xxd")]
pub(crate) struct CatArgs {
    /// Which snapshot
    #[arg(value_name = "S-1")]
    pub(crate) snapshot: String,
    /// A file in it, as its manifest names it
    pub(crate) path: OsString,
    /// Only bytes A to B, both included, counted from 0; `A-` to the end, `-N` the last N
    #[arg(long, value_name = "A-B", allow_hyphen_values = true)]
    pub(crate) range: Option<String>,
}

/// What to look into.
#[derive(Debug, Args)]
#[command(
    long_about = "Mounts a snapshot on an empty directory, read-only, through FUSE. Every byte is \
                  authenticated before it is given; what is damaged, or was never read, is an \
                  input/output error and is said here by file and range. Ctrl-C, a SIGTERM or \
                  `umount` ends it. The data directory is in use as long as it lasts.",
    after_long_help = "EXAMPLE\n  bailee mount S-1 /mnt/look"
)]
pub(crate) struct MountArgs {
    /// Which snapshot
    #[arg(value_name = "S-1")]
    pub(crate) snapshot: String,
    /// An empty directory
    #[arg(value_name = "DIR")]
    pub(crate) on: PathBuf,
}

/// What leaves the vault in a form that needs no vault.
#[derive(Debug, Args)]
#[command(after_long_help = "EXAMPLE\n  bailee export S-1 --form volumes --to /mnt/tape --key \
                             /srv/shelf.key --size 100000000000 --as P-2")]
pub(crate) struct ExportArgs {
    /// Which snapshot
    #[arg(value_name = "S-1")]
    pub(crate) snapshot: String,
    /// tar: a pax archive; bag: a BagIt 1.0 bag; volumes: sealed files for tape
    #[arg(long)]
    pub(crate) form: Form,
    /// New file (tar; `-`: standard output), new or empty directory (bag), directory (volumes)
    #[arg(long, value_name = "PATH")]
    pub(crate) to: PathBuf,
    /// Volumes: file with their key, made if absent; never the vault's
    #[arg(long, value_name = "FILE", required_if_eq("form", "volumes"))]
    pub(crate) key: Option<PathBuf>,
    /// Volumes: the most bytes one may have
    #[arg(long, value_name = "BYTES", default_value_t = 100_000_000_000)]
    pub(crate) size: u64,
}

/// Forms that need no vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// A pax archive
    Tar,
    /// A BagIt 1.0 bag
    Bag,
    /// Sealed archive volumes
    Volumes,
}

/// How much of the vault to look at.
#[derive(Debug, Args)]
#[command(after_long_help = "EXAMPLE\n  bailee scrub --budget 10%")]
pub(crate) struct ScrubArgs {
    /// `all`, a share such as `10%`, or bytes; it goes on where the last scrub stopped
    #[arg(long, value_name = "SHARE", default_value = "all")]
    pub(crate) budget: Share,
    /// Put damaged packs right from this copy of the data directory, also one that is damaged in
    /// other places
    #[arg(long, value_name = "DIR")]
    pub(crate) repair_from: Option<PathBuf>,
}

/// What is to be freed.
#[derive(Debug, Args)]
#[command(
    long_about = "Goes through every custody unit and deletes packs that no snapshot needs: what \
                  a killed preservation or a cut-short expiry has left, and the rest of erased \
                  units. Packs that are mostly dead are rewritten. No snapshot is ever let go of, \
                  and if one that the log has as kept is not in the vault, or the index is not \
                  whole, nothing of that unit is: exit code 1. The same if an erasure of the unit \
                  was cut off, and the log has anything of it as here: while its key is there, its \
                  tombstone is taken back, and the unit is as it was before. `bailee serve` does \
                  all this each day.",
    after_long_help = "EXAMPLE\n  bailee prune --dry-run"
)]
pub(crate) struct PruneArgs {
    /// Say what would be freed, at most, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
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
    /// List what is in one: kind, mode, size, time and path of each
    #[command(after_long_help = "EXAMPLE\n  bailee snapshot files S-1 --only '**.pdf'")]
    Files {
        /// Which
        #[arg(value_name = "S-1")]
        snapshot: String,
        /// Only what this matches, as `restore --only` takes it
        #[arg(long, value_name = "PATTERN")]
        only: Option<String>,
    },
    /// Write which bytes of a file or device its medium gave, as a map file of GNU ddrescue
    #[command(after_long_help = "EXAMPLE\n  bailee snapshot map S-1 sdb > sdb.map")]
    Map {
        /// Which
        #[arg(value_name = "S-1")]
        snapshot: String,
        /// A file in it, as its manifest names it
        path: OsString,
    },
    /// Read it back whole and record what that showed
    ///
    /// Exit code 1: something of it is damaged, or its custody unit is half erased. Exit code 3: it
    /// cannot be read at all. If that is for something the vault has to have, it is recorded, and
    /// then no hold is satisfied by it; what could not be looked at changes no record.
    #[command(after_long_help = "EXAMPLE\n  bailee snapshot verify S-1")]
    Verify {
        /// Which
        #[arg(value_name = "S-1")]
        snapshot: String,
    },
    /// Record what the vault has of an asset and the log does not, and read it back
    ///
    /// A kill or a refusal at the end of `preserve` leaves a snapshot that the log does not know:
    /// `scrub` and `prune` tell of it. Nothing frees it; once recorded, it expires as any other.
    #[command(after_long_help = "EXAMPLE\n  bailee snapshot adopt A-1")]
    Adopt {
        /// What it was taken of
        #[arg(value_name = "A-1")]
        asset: String,
    },
}
