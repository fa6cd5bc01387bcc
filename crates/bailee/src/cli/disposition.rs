//! `bailee disposition`: proposing to end the keeping of assets, telling everybody owed a notice,
//! approving with four eyes.

use bailee_server::api::Request;
use bailee_server::api::words::DispositionKind;
use clap::{Args, Subcommand};

use super::ask::{Ask, ListArgs, ReasonArgs};
use crate::trouble::Trouble;

/// Verbs of a disposition.
#[derive(Debug, Subcommand)]
pub(crate) enum DispositionVerb {
    /// Propose one; notices to everybody owed one are queued
    #[command(after_long_help = "EXAMPLE\n  bailee --as P-2 disposition propose sanitize A-1 A-2 \
                                 --note 'Contract ended'")]
    Propose(ProposeArgs),
    /// Approve what it would destroy, as it is now; three persons, counsel among them
    #[command(after_long_help = "EXAMPLE\n  bailee --as P-1 disposition approve X-1")]
    Approve {
        /// Which
        #[arg(value_name = "X-1")]
        disposition: String,
    },
    /// Take it back
    #[command(after_long_help = "EXAMPLE\n  bailee disposition cancel X-1 --note 'Still needed'")]
    Cancel {
        /// Which
        #[arg(value_name = "X-1")]
        disposition: String,
        #[command(flatten)]
        reason: ReasonArgs,
    },
    /// Queue notices to those who came to be owed one since, and to a transferee of the holds that
    /// came since
    #[command(after_long_help = "EXAMPLE\n  bailee disposition notify X-1")]
    Notify {
        /// Which
        #[arg(value_name = "X-1")]
        disposition: String,
    },
    /// Accept a hold by name, as the transferee
    #[command(after_long_help = "EXAMPLE\n  bailee --as P-7 disposition accept-hold X-1 H-1")]
    AcceptHold {
        /// The transfer
        #[arg(value_name = "X-1")]
        disposition: String,
        /// The hold that travels along
        #[arg(value_name = "H-1")]
        hold: String,
    },
    /// List them
    #[command(after_long_help = "EXAMPLE\n  bailee disposition list --limit 20")]
    List(ListArgs),
    /// Show one
    #[command(after_long_help = "EXAMPLE\n  bailee disposition show X-1")]
    Show {
        /// Which
        #[arg(value_name = "X-1")]
        disposition: String,
    },
}

/// A proposal.
#[derive(Debug, Args)]
pub(crate) struct ProposeArgs {
    /// sanitize, expire, erase, return or transfer
    kind: DispositionKind,
    /// The assets; the first one goes alone and is verified before the others
    #[arg(value_name = "A-1", required = true)]
    assets: Vec<String>,
    /// Who takes over (transfer) or gets back (return)
    #[arg(long, value_name = "P-1")]
    to: Option<String>,
    #[command(flatten)]
    reason: ReasonArgs,
}

impl DispositionVerb {
    /// What it asks.
    pub(crate) fn ask(self) -> Result<Ask, Trouble> {
        Ok(match self {
            DispositionVerb::Propose(new) => Request::ProposeDisposition {
                kind: new.kind,
                assets: new.assets,
                to: new.to,
                reason: new.reason.read()?,
            }
            .into(),
            DispositionVerb::Approve { disposition } => {
                Request::ApproveDisposition { disposition }.into()
            }
            DispositionVerb::Cancel { disposition, reason } => {
                Request::CancelDisposition { disposition, reason: reason.read()? }.into()
            }
            DispositionVerb::Notify { disposition } => Request::QueueNotices { disposition }.into(),
            DispositionVerb::AcceptHold { disposition, hold } => {
                Request::AcceptHold { disposition, hold }.into()
            }
            DispositionVerb::List(part) => Ask::List("dispositions", part),
            DispositionVerb::Show { disposition } => Ask::Show(disposition),
        })
    }
}
