//! `bailee gate`, `bailee clearance`, `bailee sanitize`, `bailee expire`, `bailee erase`: asking,
//! and letting go.
//!
//! Invariant: the steps of a clearance are for agents that overwrite by other means than ours;
//! `sanitize`, `expire` and `erase` go through all of them by themselves.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::ask::{ListArgs, ReasonArgs};

/// Verbs of the gate.
#[derive(Debug, Subcommand)]
pub(crate) enum GateVerb {
    /// Say clear (exit 0) or blocked (exit 1) with every reason
    #[command(after_long_help = "EXAMPLE\n  bailee gate check A-1 && echo may go")]
    Check {
        /// Which asset
        #[arg(value_name = "A-1")]
        asset: String,
        /// For a transfer of custody, in which every hold travels along
        #[arg(long)]
        transfer: bool,
        /// For cryptographic erase, in which every snapshot of the custody unit goes along
        #[arg(long, conflicts_with = "transfer")]
        erase: bool,
    },
}

/// Verbs of a clearance.
#[derive(Debug, Subcommand)]
pub(crate) enum ClearanceVerb {
    /// Reserve one: everything is checked in the entry that grants it; prints id and token
    #[command(after_long_help = "EXAMPLE\n  bailee --as P-2 clearance reserve X-1 A-1 --device \
                                 /dev/sdb")]
    Reserve(ReserveArgs),
    /// Print the token of a reservation again
    #[command(after_long_help = "EXAMPLE\n  bailee clearance token C-1")]
    Token {
        /// Which
        #[arg(value_name = "C-1")]
        clearance: String,
    },
    /// Begin: the point of no return; prints the lease
    #[command(after_long_help = "EXAMPLE\n  bailee --as P-2 clearance begin C-1")]
    Begin(StepArgs),
    /// Renew the lease
    #[command(after_long_help = "EXAMPLE\n  bailee --as P-2 clearance renew C-1")]
    Renew(StepArgs),
    /// Finish a verified act with its certificate
    #[command(after_long_help = "EXAMPLE\n  bailee --as P-2 clearance finish C-1 --exhibit \
                                 certificate.json")]
    Finish {
        /// Which
        #[arg(value_name = "C-1")]
        clearance: String,
        #[command(flatten)]
        reason: ReasonArgs,
    },
    /// Give it back, and say how many bytes are gone
    #[command(after_long_help = "EXAMPLE\n  bailee --as P-2 clearance abort C-1 --gone 0 --note \
                                 'Disk failed'")]
    Abort {
        /// Which
        #[arg(value_name = "C-1")]
        clearance: String,
        /// Bytes that are gone
        #[arg(long, value_name = "BYTES")]
        gone: u64,
        #[command(flatten)]
        reason: ReasonArgs,
    },
    /// List them
    #[command(after_long_help = "EXAMPLE\n  bailee clearance list --limit 20")]
    List(ListArgs),
    /// Show one
    #[command(after_long_help = "EXAMPLE\n  bailee clearance show C-1")]
    Show {
        /// Which
        #[arg(value_name = "C-1")]
        clearance: String,
    },
}

/// What to reserve for.
#[derive(Debug, Args)]
pub(crate) struct ReserveArgs {
    /// The disposition it carries out
    #[arg(value_name = "X-1")]
    pub(crate) disposition: String,
    /// The asset
    #[arg(value_name = "A-1")]
    pub(crate) asset: String,
    #[command(flatten)]
    pub(crate) subject: SubjectArgs,
}

/// What is about to go, as it says itself.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct SubjectArgs {
    /// The device, read here and now
    #[arg(long, value_name = "PATH")]
    pub(crate) device: Option<PathBuf>,
    /// SHA-256 of its identity (or of the snapshot's manifest root), 64 hex digits
    #[arg(long, value_name = "HEX")]
    pub(crate) subject: Option<String>,
    /// To return or hand over what is bound to no device: its serial number, WWN, UUID or name, as
    /// it stands on the thing
    #[arg(long, value_name = "TEXT")]
    pub(crate) identifier: Option<String>,
}

/// One step.
#[derive(Debug, Args)]
pub(crate) struct StepArgs {
    /// Which
    #[arg(value_name = "C-1")]
    pub(crate) clearance: String,
}

/// What to overwrite.
#[derive(Debug, Args)]
#[command(
    long_about = "Reserves a clearance, overwrites the device under a lease that is renewed all \
                  the way, reads it back whole and records the certificate. A demand that arrives \
                  meanwhile stops it at once.\n\nWith --server the device is on this machine and \
                  the gate on another: the token of the clearance is verified against \
                  --clearance-key, which `bailee status` shows on the server's side.",
    after_long_help = "EXAMPLE\n  bailee --as P-2 sanitize A-1 --device /dev/sdb --disposition X-1"
)]
pub(crate) struct SanitizeArgs {
    /// The asset
    #[arg(value_name = "A-1")]
    pub(crate) asset: String,
    /// The device, or image file, that the asset is bound to
    #[arg(long, value_name = "PATH")]
    pub(crate) device: PathBuf,
    /// The disposition it carries out
    #[arg(long, value_name = "X-1")]
    pub(crate) disposition: String,
    /// Where the log of the run is appended; `sanitize-A-1.log` here, if not said
    #[arg(long, value_name = "FILE")]
    pub(crate) log: Option<PathBuf>,
    /// Where the certificate is written too
    #[arg(long, value_name = "FILE")]
    pub(crate) certificate: Option<PathBuf>,
    /// Key that clearances are signed with; needed with --server
    #[arg(long, env = "BAILEE_CLEARANCE_KEY", value_name = "VKEY")]
    pub(crate) clearance_key: Option<String>,
    #[command(flatten)]
    pub(crate) particulars: ParticularArgs,
}

/// What the device does not say and a person knows.
#[derive(Debug, Args)]
#[command(next_help_heading = "On the certificate")]
pub(crate) struct ParticularArgs {
    /// Maker of the device
    #[arg(long, value_name = "TEXT")]
    pub(crate) manufacturer: Option<String>,
    /// The organisation's own number
    #[arg(long, value_name = "TEXT")]
    pub(crate) property_number: Option<String>,
    /// Kind of medium
    #[arg(long, value_name = "TEXT")]
    pub(crate) media_type: Option<String>,
    /// Machine and user it comes from
    #[arg(long, value_name = "TEXT")]
    pub(crate) media_source: Option<String>,
    /// Confidentiality of what was on it
    #[arg(long, value_name = "TEXT")]
    pub(crate) confidentiality: Option<String>,
}

/// What to expire.
#[derive(Debug, Args)]
#[command(after_long_help = "EXAMPLE\n  bailee --as P-2 expire A-2 --disposition X-2")]
pub(crate) struct ExpireArgs {
    /// The snapshot, as an asset
    #[arg(value_name = "A-2")]
    pub(crate) asset: String,
    /// The disposition it carries out
    #[arg(long, value_name = "X-1")]
    pub(crate) disposition: String,
}

/// What to erase.
#[derive(Debug, Args)]
#[command(
    long_about = "Destroys every copy of the key under which the vault keeps the data of one \
                  source (cryptographic erase, NIST SP 800-88), and then that data: all snapshots \
                  of the custody unit that this one is in, not only this one. A hold on any of \
                  them refuses. The certificate lists each copy of the key and what is beyond \
                  reach: archive volumes that left before, set by set, among it. What a crash \
                  interrupts is finished by the same command.",
    after_long_help = "EXAMPLE\n  bailee --as P-2 erase A-2 --disposition X-2"
)]
pub(crate) struct EraseArgs {
    /// The snapshot that the disposition names, as an asset
    #[arg(value_name = "A-2")]
    pub(crate) asset: String,
    /// The disposition it carries out
    #[arg(long, value_name = "X-1")]
    pub(crate) disposition: String,
}
