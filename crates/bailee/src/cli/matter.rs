//! `bailee matter` and `bailee cost`: the dispute that gives holds their reason, and what keeping
//! for it has cost.

use bailee_server::api::Request;
use clap::Subcommand;

use super::ask::{Ask, ListArgs, ReasonArgs};
use crate::trouble::Trouble;

/// Verbs of a matter.
#[derive(Debug, Subcommand)]
pub(crate) enum MatterVerb {
    /// Open one
    #[command(after_long_help = "EXAMPLE\n  bailee matter open 'Vos v. Example Host'")]
    Open {
        /// Its title
        title: String,
    },
    /// Close it
    #[command(after_long_help = "EXAMPLE\n  bailee matter close M-1")]
    Close {
        /// Which
        #[arg(value_name = "M-1")]
        matter: String,
    },
    /// Put a letter on file that asks for nothing to be kept
    #[command(after_long_help = "EXAMPLE\n  bailee matter file M-1 --from P-4 --note 'Offers to \
                                 buy the servers'")]
    File {
        /// Which
        #[arg(value_name = "M-1")]
        matter: String,
        /// Whose letter
        #[arg(long, value_name = "P-1")]
        from: String,
        #[command(flatten)]
        reason: ReasonArgs,
    },
    /// List them
    #[command(after_long_help = "EXAMPLE\n  bailee matter list --limit 20")]
    List(ListArgs),
    /// Show one
    #[command(after_long_help = "EXAMPLE\n  bailee matter show M-1")]
    Show {
        /// Which
        #[arg(value_name = "M-1")]
        matter: String,
    },
}

impl MatterVerb {
    /// What it asks.
    pub(crate) fn ask(self) -> Result<Ask, Trouble> {
        Ok(match self {
            MatterVerb::Open { title } => Request::OpenMatter { title }.into(),
            MatterVerb::Close { matter } => Request::CloseMatter { matter }.into(),
            MatterVerb::File { matter, from, reason } => {
                Request::FileCorrespondence { matter, from, reason: reason.read()? }.into()
            }
            MatterVerb::List(part) => Ask::List("matters", part),
            MatterVerb::Show { matter } => Ask::Show(matter),
        })
    }
}

/// Verbs of costs.
#[derive(Debug, Subcommand)]
pub(crate) enum CostVerb {
    /// Start a meter that books every day by itself
    #[command(after_long_help = "EXAMPLE\n  bailee cost start M-1 --what server-days --units 630 \
                                 --daily 120 --currency EUR")]
    Start {
        /// For which matter
        #[arg(value_name = "M-1")]
        matter: String,
        /// What for
        #[arg(long, value_name = "TEXT")]
        what: String,
        /// How many units run
        #[arg(long, value_name = "N")]
        units: u32,
        /// Price of one unit for one day, in the currency's minor unit (cents)
        #[arg(long, value_name = "CENTS")]
        daily: u64,
        /// ISO 4217 code
        #[arg(long, value_name = "EUR")]
        currency: String,
    },
    /// Stop a meter
    #[command(after_long_help = "EXAMPLE\n  bailee cost stop K-1")]
    Stop {
        /// Which meter
        #[arg(value_name = "K-1")]
        meter: String,
    },
    /// Book one item
    #[command(after_long_help = "EXAMPLE\n  bailee cost book M-1 --what media --milli-units 2000 \
                                 --amount 19900 --currency EUR")]
    Book {
        /// For which matter
        #[arg(value_name = "M-1")]
        matter: String,
        /// What for
        #[arg(long, value_name = "TEXT")]
        what: String,
        /// Quantity in thousandths of the unit
        #[arg(long, value_name = "N", default_value_t = 1000)]
        milli_units: u64,
        /// Amount, in the currency's minor unit (cents; yen have none)
        #[arg(long, value_name = "CENTS")]
        amount: u64,
        /// ISO 4217 code
        #[arg(long, value_name = "EUR")]
        currency: String,
    },
    /// List the meters
    #[command(after_long_help = "EXAMPLE\n  bailee cost list --limit 20")]
    List(ListArgs),
    /// Show what a matter has cost
    #[command(after_long_help = "EXAMPLE\n  bailee cost show M-1")]
    Show {
        /// Which matter
        #[arg(value_name = "M-1")]
        matter: String,
    },
}

impl CostVerb {
    /// What it asks.
    pub(crate) fn ask(self) -> Ask {
        match self {
            CostVerb::Start { matter, what, units, daily, currency } => {
                Request::StartMeter { matter, what, units, daily, currency }.into()
            }
            CostVerb::Stop { meter } => Request::StopMeter { meter }.into(),
            CostVerb::Book { matter, what, milli_units, amount, currency } => {
                Request::BookCost { matter, what, milli_units, amount, currency }.into()
            }
            CostVerb::List(part) => Ask::List("meters", part),
            CostVerb::Show { matter } => Ask::Show(matter),
        }
    }
}
