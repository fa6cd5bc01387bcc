//! `bailee duty`, `bailee token`, `bailee policy`, `bailee instruments`: what people set, and what
//! they have to do.
//!
//! Invariant: a new token is printed once, on standard output, and nowhere else; the house knows
//! its hash only.

use std::path::PathBuf;

use bailee_server::api::words::TokenScope;
use clap::{Args, Subcommand};

use super::ask::{ListArgs, ReasonArgs};

/// Verbs of a duty.
#[derive(Debug, Subcommand)]
pub(crate) enum DutyVerb {
    /// List those that are open
    #[command(after_long_help = "EXAMPLE\n  bailee duty list --limit 20")]
    List {
        #[command(flatten)]
        part: ListArgs,
        /// Those that are discharged too
        #[arg(long)]
        all: bool,
    },
    /// Show one
    #[command(after_long_help = "EXAMPLE\n  bailee duty show Y-1")]
    Show {
        /// Which
        #[arg(value_name = "Y-1")]
        duty: String,
    },
    /// Say that it is done
    #[command(after_long_help = "EXAMPLE\n  bailee duty discharge Y-1 --note 'Called the owner'")]
    Discharge {
        /// Which
        #[arg(value_name = "Y-1")]
        duty: String,
        #[command(flatten)]
        reason: ReasonArgs,
    },
}

/// Verbs of a token.
#[derive(Debug, Subcommand)]
pub(crate) enum TokenVerb {
    /// Make one and print it, once
    #[command(after_long_help = "EXAMPLE\n  bailee token issue P-2 --scope agent > agent.token")]
    Issue {
        /// For whom
        #[arg(value_name = "P-1")]
        party: String,
        /// intake, agent, operator or reader
        #[arg(long, value_name = "SCOPE")]
        scope: TokenScope,
    },
    /// Make one void
    #[command(after_long_help = "EXAMPLE\n  bailee token revoke T-1")]
    Revoke {
        /// Which
        #[arg(value_name = "T-1")]
        token: String,
    },
    /// List them, without their text, which nobody has
    #[command(after_long_help = "EXAMPLE\n  bailee token list --limit 20")]
    List(ListArgs),
}

/// Verbs of the policy.
#[derive(Debug, Subcommand)]
pub(crate) enum PolicyVerb {
    /// Show it
    #[command(after_long_help = "EXAMPLE\n  bailee policy show")]
    Show,
    /// Change some of it; the rest stays (counsel)
    #[command(after_long_help = "EXAMPLE\n  bailee --as P-1 policy set --waiting-days 14")]
    Set(PolicyArgs),
}

/// Waiting times and limits. None of them can open the gate.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct PolicyArgs {
    /// Days between proven delivery to the last party and the first clearance
    #[arg(long, value_name = "DAYS")]
    pub(crate) waiting_days: Option<u32>,
    /// Days a refused or released hold still blocks
    #[arg(long, value_name = "DAYS")]
    pub(crate) cooling_days: Option<u32>,
    /// Days without proof before the next channel is tried
    #[arg(long, value_name = "DAYS")]
    pub(crate) silence_days: Option<u32>,
    /// Assets that may be let go of per day
    #[arg(long, value_name = "N")]
    pub(crate) daily_limit: Option<u32>,
    /// Of them, per owner
    #[arg(long, value_name = "N")]
    pub(crate) daily_limit_per_owner: Option<u32>,
    /// Seconds a reservation stands before it is begun
    #[arg(long, value_name = "SECONDS")]
    pub(crate) reservation_seconds: Option<u32>,
    /// Seconds of a lease; at most 60
    #[arg(long, value_name = "SECONDS")]
    pub(crate) lease_seconds: Option<u32>,
}

impl PolicyArgs {
    /// Names as the API has them, with what was typed.
    pub(crate) fn changes(&self) -> Vec<(&'static str, u32)> {
        let all = [
            ("waiting_days", self.waiting_days),
            ("cooling_days", self.cooling_days),
            ("silence_days", self.silence_days),
            ("daily_limit", self.daily_limit),
            ("daily_limit_per_owner", self.daily_limit_per_owner),
            ("reservation_seconds", self.reservation_seconds),
            ("lease_seconds", self.lease_seconds),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

/// Verbs of the catalogue.
#[derive(Debug, Subcommand)]
pub(crate) enum InstrumentVerb {
    /// List them
    #[command(after_long_help = "EXAMPLE\n  bailee instruments list")]
    List,
    /// Load another catalogue (counsel)
    #[command(after_long_help = "EXAMPLE\n  bailee --as P-1 instruments load instruments.toml")]
    Load {
        /// A file like the shipped one
        file: PathBuf,
    },
}
