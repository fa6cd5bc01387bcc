//! `bailee demand`: what others ask to be kept, and what people decide on it.
//!
//! What a refusal or a question says goes to whoever sent the demand; what goes with an acceptance
//! is a note of the house.
//!
//! Out of scope: taking demands in (`bailee intake`). Whatever is decided here, the hold stands
//! from the entry that recorded the demand.

use bailee_server::api::Request;
use bailee_server::api::words::{Medium, Triage};
use clap::{Args, Subcommand};

use super::ask::{Ask, ListArgs, ReasonArgs, ScopeArgs};
use crate::trouble::Trouble;

/// Verbs of a demand.
#[derive(Debug, Subcommand)]
pub(crate) enum DemandVerb {
    /// List them
    #[command(after_long_help = "EXAMPLE\n  bailee demand list --limit 20")]
    List(ListArgs),
    /// Show one
    #[command(after_long_help = "EXAMPLE\n  bailee demand show D-1")]
    Show {
        /// Which
        #[arg(value_name = "D-1")]
        demand: String,
    },
    /// Accept it: its hold becomes active
    #[command(after_long_help = "EXAMPLE\n  bailee demand accept D-1 --matter M-1")]
    Accept {
        #[command(flatten)]
        decided: DecideArgs,
        /// The matter it belongs to
        #[arg(long, value_name = "M-1")]
        matter: Option<String>,
    },
    /// Ask the requester what it means: note and documents go to it; the hold stays
    #[command(after_long_help = "EXAMPLE\n  bailee demand clarify D-1 --note 'Which account?'")]
    Clarify(DecideArgs),
    /// Refuse it in writing: the reasons, note and documents, go to the requester, so write them
    /// for it; its hold cools before anything thaws (counsel)
    #[command(after_long_help = "EXAMPLE\n  bailee demand refuse D-1 --note 'No such customer'")]
    Refuse(DecideArgs),
    /// Say how it came in, where that was recorded wrongly; what was recorded stays in the log
    #[command(after_long_help = "EXAMPLE\n  bailee demand correct D-1 --medium post \
                                 --note 'The envelope is in the file'")]
    Correct {
        /// Which
        #[arg(value_name = "D-1")]
        demand: String,
        /// How it came: email, post, portal, oral or fax
        #[arg(long, value_name = "MEDIUM")]
        medium: Medium,
        #[command(flatten)]
        reason: ReasonArgs,
    },
    /// Say what it names
    #[command(after_long_help = "EXAMPLE\n  bailee demand match D-1 --account AC-1")]
    Match {
        /// Which
        #[arg(value_name = "D-1")]
        demand: String,
        #[command(flatten)]
        scope: ScopeArgs,
    },
}

/// A decision.
#[derive(Debug, Args)]
pub(crate) struct DecideArgs {
    /// Which
    #[arg(value_name = "D-1")]
    demand: String,
    #[command(flatten)]
    reason: ReasonArgs,
}

impl DemandVerb {
    /// What it asks.
    pub(crate) fn ask(self) -> Result<Ask, Trouble> {
        let (triage, decided, matter) = match self {
            DemandVerb::List(part) => return Ok(Ask::List("demands", part)),
            DemandVerb::Show { demand } => return Ok(Ask::Show(demand)),
            DemandVerb::Correct { demand, medium, reason } => {
                let ask = Request::CorrectMedium { demand, medium, reason: reason.read()? };
                return Ok(ask.into());
            }
            DemandVerb::Match { demand, scope } => {
                let scope = scope.scope();
                let ask = Request::MatchDemand { demand, scope };
                return Ok(ask.into());
            }
            DemandVerb::Accept { decided, matter } => (Triage::Accept, decided, matter),
            DemandVerb::Clarify(decided) => (Triage::Clarify, decided, None),
            DemandVerb::Refuse(decided) => (Triage::Refuse, decided, None),
        };
        Ok(Request::DecideDemand {
            demand: decided.demand,
            triage,
            matter,
            reason: decided.reason.read()?,
        }
        .into())
    }
}
