//! `bailee account`: customer relationships.

use bailee_server::api::Request;
use clap::Subcommand;

use super::ask::{Ask, ListArgs};
use crate::print;

/// Verbs of an account.
#[derive(Debug, Subcommand)]
pub(crate) enum AccountVerb {
    /// Register an account
    #[command(after_long_help = "EXAMPLE\n  bailee account add 'Vos Photography' --owner P-4 \
                                 --entity E-1 --law NL --retention-days 30")]
    Add {
        /// What it is called; letters that name it match it
        label: String,
        /// Whose
        #[arg(long, value_name = "P-1")]
        owner: String,
        /// Contract partner on the provider's side
        #[arg(long, value_name = "E-1")]
        entity: String,
        /// Governing law
        #[arg(long, value_name = "NL")]
        law: String,
        /// Days its data is kept after termination
        #[arg(long, value_name = "DAYS", default_value_t = 30)]
        retention_days: u32,
    },
    /// List them
    #[command(after_long_help = "EXAMPLE\n  bailee account list --limit 20")]
    List(ListArgs),
    /// Show one
    #[command(after_long_help = "EXAMPLE\n  bailee account show AC-1")]
    Show {
        /// Which
        #[arg(value_name = "AC-1")]
        account: String,
    },
    /// End it; its retention begins
    #[command(after_long_help = "EXAMPLE\n  bailee account terminate AC-1")]
    Terminate {
        /// Which
        #[arg(value_name = "AC-1")]
        account: String,
    },
}

impl AccountVerb {
    /// What it asks.
    pub(crate) fn ask(self) -> Ask {
        match self {
            AccountVerb::Add { label, owner, entity, law, retention_days } => {
                print::short_label(&label);
                Request::RegisterAccount { owner, entity, label, law, retention_days }.into()
            }
            AccountVerb::List(part) => Ask::List("accounts", part),
            AccountVerb::Show { account } => Ask::Show(account),
            AccountVerb::Terminate { account } => Request::TerminateAccount { account }.into(),
        }
    }
}
