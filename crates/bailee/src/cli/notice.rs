//! `bailee notice` and `bailee objection`: what was sent, what proves that it arrived, and what
//! was answered.

use bailee_server::api::Request;
use bailee_server::api::words::Evidence;
use clap::{Args, Subcommand};

use super::ask::{Ask, ListArgs, ReasonArgs};
use crate::trouble::Trouble;

/// Verbs of a notice.
#[derive(Debug, Subcommand)]
pub(crate) enum NoticeVerb {
    /// List them
    #[command(after_long_help = "EXAMPLE\n  bailee notice list --limit 20")]
    List(ListArgs),
    /// Show one
    #[command(after_long_help = "EXAMPLE\n  bailee notice show N-1")]
    Show {
        /// Which
        #[arg(value_name = "N-1")]
        notice: String,
    },
    /// Record what is known of an attempt's delivery
    #[command(after_long_help = "EXAMPLE\n  bailee notice evidence N-1 --is served \
                                 --exhibit writ.pdf --note 'By bailiff'")]
    Evidence {
        /// Which
        #[arg(value_name = "N-1")]
        notice: String,
        /// Which attempt, counted from 0
        #[arg(long, value_name = "N", default_value_t = 0)]
        attempt: u8,
        /// relayed, delivered, opened, acknowledged, served, bounced or silence
        #[arg(long, value_name = "EVIDENCE")]
        is: Evidence,
        #[command(flatten)]
        reason: ReasonArgs,
    },
}

impl NoticeVerb {
    /// What it asks.
    pub(crate) fn ask(self) -> Result<Ask, Trouble> {
        Ok(match self {
            NoticeVerb::List(part) => Ask::List("notices", part),
            NoticeVerb::Show { notice } => Ask::Show(notice),
            NoticeVerb::Evidence { notice, attempt, is, reason } => {
                Request::RecordEvidence { notice, attempt, evidence: is, reason: reason.read()? }
                    .into()
            }
        })
    }
}

/// Verbs of an objection.
#[derive(Debug, Subcommand)]
pub(crate) enum ObjectionVerb {
    /// File an objection against a disposition
    #[command(after_long_help = "EXAMPLE\n  bailee objection file X-1 --by P-4 --note 'We need \
                                 it'")]
    File {
        /// Against what
        #[arg(value_name = "X-1")]
        disposition: String,
        /// Whose
        #[arg(long, value_name = "P-1")]
        by: String,
        #[command(flatten)]
        reason: ReasonArgs,
    },
    /// Uphold it: the disposition stops (counsel)
    #[command(after_long_help = "EXAMPLE\n  bailee objection uphold O-1 --note 'Agreed'")]
    Uphold(DecideArgs),
    /// Dismiss it, in writing (counsel)
    #[command(after_long_help = "EXAMPLE\n  bailee objection dismiss O-1 --note 'A copy is kept'")]
    Dismiss(DecideArgs),
    /// List them
    #[command(after_long_help = "EXAMPLE\n  bailee objection list --limit 20")]
    List(ListArgs),
    /// Show one
    #[command(after_long_help = "EXAMPLE\n  bailee objection show O-1")]
    Show {
        /// Which
        #[arg(value_name = "O-1")]
        objection: String,
    },
}

/// A decision on an objection.
#[derive(Debug, Args)]
pub(crate) struct DecideArgs {
    /// Which
    #[arg(value_name = "O-1")]
    objection: String,
    #[command(flatten)]
    reason: ReasonArgs,
}

impl ObjectionVerb {
    /// What it asks.
    pub(crate) fn ask(self) -> Result<Ask, Trouble> {
        let (upheld, decided) = match self {
            ObjectionVerb::List(part) => return Ok(Ask::List("objections", part)),
            ObjectionVerb::Show { objection } => return Ok(Ask::Show(objection)),
            ObjectionVerb::File { disposition, by, reason } => {
                return Ok(
                    Request::FileObjection { disposition, by, reason: reason.read()? }.into()
                );
            }
            ObjectionVerb::Uphold(decided) => (true, decided),
            ObjectionVerb::Dismiss(decided) => (false, decided),
        };
        Ok(Request::DecideObjection {
            objection: decided.objection,
            upheld,
            reason: decided.reason.read()?,
        }
        .into())
    }
}
