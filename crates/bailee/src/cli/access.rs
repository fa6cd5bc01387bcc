//! `bailee access`: owners who ask to see or get back their own data.

use bailee_server::api::Request;
use clap::{Args, Subcommand};

use super::ask::{Ask, ListArgs, ReasonArgs};
use crate::trouble::Trouble;

/// Verbs of an access request.
#[derive(Debug, Subcommand)]
pub(crate) enum AccessVerb {
    /// Record that an owner asks for its data
    #[command(after_long_help = "EXAMPLE\n  bailee access request A-1 --owner P-4 --note 'My \
                                 files'")]
    Request {
        /// Data of which asset
        #[arg(value_name = "A-1")]
        asset: String,
        /// Who asks
        #[arg(long, value_name = "P-1")]
        owner: String,
        #[command(flatten)]
        reason: ReasonArgs,
    },
    /// Grant it, under the conditions in the note
    #[command(after_long_help = "EXAMPLE\n  bailee access grant Q-1 --note 'Own files only'")]
    Grant(DecideArgs),
    /// Deny it, for the reasons in the note
    #[command(after_long_help = "EXAMPLE\n  bailee access deny Q-1 --note 'Not the owner'")]
    Deny(DecideArgs),
    /// Record that the data was handed over
    #[command(after_long_help = "EXAMPLE\n  bailee access fulfil Q-1 --note 'Handed over on disk'")]
    Fulfil(DecideArgs),
    /// List them
    #[command(after_long_help = "EXAMPLE\n  bailee access list --limit 20")]
    List(ListArgs),
    /// Show one
    #[command(after_long_help = "EXAMPLE\n  bailee access show Q-1")]
    Show {
        /// Which
        #[arg(value_name = "Q-1")]
        access: String,
    },
}

/// A step on a request.
#[derive(Debug, Args)]
pub(crate) struct DecideArgs {
    /// Which
    #[arg(value_name = "Q-1")]
    access: String,
    #[command(flatten)]
    reason: ReasonArgs,
}

impl AccessVerb {
    /// What it asks.
    pub(crate) fn ask(self) -> Result<Ask, Trouble> {
        let decide = |granted: bool, step: DecideArgs| -> Result<Ask, Trouble> {
            Ok(Request::DecideAccess { access: step.access, granted, reason: step.reason.read()? }
                .into())
        };
        Ok(match self {
            AccessVerb::Request { asset, owner, reason } => {
                Request::RequestAccess { owner, asset, reason: reason.read()? }.into()
            }
            AccessVerb::Grant(step) => decide(true, step)?,
            AccessVerb::Deny(step) => decide(false, step)?,
            AccessVerb::Fulfil(step) => {
                Request::FulfilAccess { access: step.access, reason: step.reason.read()? }.into()
            }
            AccessVerb::List(part) => Ask::List("accesses", part),
            AccessVerb::Show { access } => Ask::Show(access),
        })
    }
}
