//! `bailee keys`: what signs the log, how it is kept, and how it changes. The runbook is
//! docs/keys.md.
//!
//! Invariant: no passphrase and no PIN is an argument; files with them are.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::ask::ReasonArgs;
use super::prove::OutArgs;

/// Verbs of the keys.
#[derive(Debug, Subcommand)]
pub(crate) enum KeysVerb {
    /// Show keys, where they live, rotations, and what is not as it should be
    #[command(after_long_help = "EXAMPLE\n  bailee keys show")]
    Show,
    /// Put the key files under a passphrase, or under another one
    #[command(
        long_about = "Puts every file in keys/ under a passphrase, or under another one. The house \
                      must not be open. The passphrase that they are under now comes from \
                      $BAILEE_PASSPHRASE_FILE, $BAILEE_PASSPHRASE_FD, the systemd credential \
                      bailee.passphrase, or the terminal.",
        after_long_help = "EXAMPLE\n  bailee keys protect"
    )]
    Protect {
        /// File with the new passphrase; asked for on the terminal if not given
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
    },
    /// Make new keys for the log and propose them
    #[command(
        long_about = "Makes new keys for the log and proposes them. The new Ed25519 key is where \
                      the settings say under keys.next (an agent, a token, or a file); the new \
                      ML-DSA-44 key is a file. When another person has approved, both pairs sign, \
                      until the old one is retired.",
        after_long_help = "EXAMPLE\n  bailee --as P-2 keys rotate --overlap-days 30 \
                           --note 'Each year'"
    )]
    Rotate {
        /// Days that readers get to take the new key
        #[arg(long, value_name = "DAYS", default_value_t = 30)]
        overlap_days: u32,
        #[command(flatten)]
        reason: ReasonArgs,
    },
    /// Approve new keys; from then on both pairs sign
    #[command(after_long_help = "EXAMPLE\n  bailee --as P-1 keys approve R-1")]
    Approve {
        /// Which rotation
        #[arg(value_name = "R-1")]
        rotation: String,
    },
    /// Retire the old keys; from then on only the new pair signs
    #[command(after_long_help = "EXAMPLE\n  bailee --as P-2 keys retire R-1")]
    Retire {
        /// Which rotation
        #[arg(value_name = "R-1")]
        rotation: String,
        /// At once, because somebody else may have the old key; needs --note
        #[arg(long)]
        stolen: bool,
        #[command(flatten)]
        reason: ReasonArgs,
    },
    /// Drop the new keys; the old ones go on
    #[command(after_long_help = "EXAMPLE\n  bailee --as P-2 keys cancel R-1 --note 'Wrong token'")]
    Cancel {
        /// Which rotation
        #[arg(value_name = "R-1")]
        rotation: String,
        #[command(flatten)]
        reason: ReasonArgs,
    },
    /// Print the policy to publish: which keys count now
    #[command(after_long_help = "EXAMPLE\n  bailee keys policy > log.tlog-policy")]
    Policy,
    /// Write a bundle that proves a change of keys, for those who know the old one
    #[command(after_long_help = "EXAMPLE\n  bailee keys announce R-1 -o R-1.bailee.zip")]
    Announce {
        /// A rotation that has begun, or `log` for the last time the log went on under another name
        #[arg(value_name = "R-1")]
        change: String,
        #[command(flatten)]
        out: OutArgs,
    },
    /// The log key is lost: go on under another name, with the same entries
    #[command(after_long_help = "EXAMPLE\n  bailee --as P-1 keys continue checkpoint \
                                 --origin log.example.org/2027 \\\n    --note 'The disk with the \
                                 key is gone'")]
    Continue(ContinueArgs),
    /// The vault's key: change it, or give counsel a copy
    #[command(subcommand, after_long_help = "EXAMPLE\n  bailee keys vault rotate")]
    Vault(VaultKeyVerb),
}

/// What can be done with the vault's key.
#[derive(Debug, Subcommand)]
pub(crate) enum VaultKeyVerb {
    /// Change the vault's key; what is kept stays where it is
    #[command(
        long_about = "Makes a new key for the vault, wraps every tenant's root for it, takes it, \
                      and destroys what the old one wrapped. Packs are not read or written. The \
                      house must not be open. After a crash the same again goes on; at every \
                      moment the key in keys/vault.key opens everything.",
        after_long_help = "EXAMPLE\n  bailee keys vault rotate --escrow-to age1… -o vault.key.age"
    )]
    Rotate {
        /// Encrypt the new key to this recipient of age too, before the old one ends
        #[arg(long, value_name = "AGE1…", requires = "out")]
        escrow_to: Option<String>,
        /// Where that copy goes; a new file
        #[arg(short, long, value_name = "FILE", requires = "escrow_to")]
        out: Option<PathBuf>,
    },
    /// Write the vault's key, encrypted to counsel's public key (age)
    #[command(
        long_about = "Writes the vault's key to a new file, encrypted to a recipient of age \
                      (age1…). Whoever has the private key decrypts it with any implementation \
                      of age. It opens all that is in the vault, also what comes later, until the \
                      vault's key changes; never what was erased.",
        after_long_help = "EXAMPLE\n  bailee keys vault escrow --to age1… -o vault.key.age"
    )]
    Escrow {
        /// The public key
        #[arg(long, value_name = "AGE1…")]
        to: String,
        /// Where the copy goes; a new file
        #[arg(short, long, value_name = "FILE")]
        out: PathBuf,
    },
}

/// How the log goes on.
#[derive(Debug, Args)]
pub(crate) struct ContinueArgs {
    /// The last signed checkpoint of the old log that others have seen; `-` is standard input
    pub(crate) checkpoint: PathBuf,
    /// New name of the log: in every checkpoint from now on
    #[arg(long, value_name = "NAME")]
    pub(crate) origin: String,
    /// The old key, if the house does not know it
    #[arg(long, value_name = "VKEY")]
    pub(crate) key: Option<String>,
    #[command(flatten)]
    pub(crate) reason: ReasonArgs,
}
