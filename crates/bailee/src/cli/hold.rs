//! `bailee hold`: what suspends letting go, its legal bases, its release with four eyes.

use bailee_server::api::Request;
use clap::{Args, Subcommand};

use super::ask::{Ask, ListArgs, ReasonArgs, ScopeArgs};
use crate::trouble::Trouble;

/// Verbs of a hold.
#[derive(Debug, Subcommand)]
pub(crate) enum HoldVerb {
    /// List them
    #[command(after_long_help = "EXAMPLE\n  bailee hold list --limit 20")]
    List(ListArgs),
    /// Show one
    #[command(after_long_help = "EXAMPLE\n  bailee hold show H-1")]
    Show {
        /// Which
        #[arg(value_name = "H-1")]
        hold: String,
    },
    /// Place one of the house's own
    #[command(after_long_help = "EXAMPLE\n  bailee hold place --account AC-1 --instrument letter \
                                 --note 'Proceedings are announced'")]
    Place(PlaceArgs),
    /// Add a legal basis
    #[command(after_long_help = "EXAMPLE\n  bailee hold add-basis H-1 --instrument letter --note \
                                 'Order of 3 March'")]
    AddBasis {
        #[command(flatten)]
        about: AboutArgs,
        /// The legal form (see `bailee instruments list`)
        #[arg(long, value_name = "CODE")]
        instrument: String,
    },
    /// Extend a basis, as its instrument allows
    #[command(after_long_help = "EXAMPLE\n  bailee hold extend H-1 --basis 0 --note 'Extended by \
                                 the issuing authority'")]
    Extend(BasisArgs),
    /// End a basis that its issuer took back; the hold stays
    #[command(
        after_long_help = "EXAMPLE\n  bailee hold end-basis H-1 --basis 0 --note 'Withdrawn'"
    )]
    EndBasis(BasisArgs),
    /// Let a verified copy satisfy it (counsel)
    #[command(after_long_help = "EXAMPLE\n  bailee hold allow-copy H-1 --note 'Agreed in writing'")]
    AllowCopy(AboutArgs),
    /// Say until when the owner must not learn of it; without --until the silence ends (counsel)
    #[command(after_long_help = "EXAMPLE\n  bailee hold gag H-1 --until 2027-01-01 --note 'Order'")]
    Gag {
        #[command(flatten)]
        about: AboutArgs,
        /// When the silence ends by itself
        #[arg(long, value_name = "TIME")]
        until: Option<String>,
    },
    /// Propose its release
    #[command(after_long_help = "EXAMPLE\n  bailee hold propose-release H-1 --note 'Case closed'")]
    ProposeRelease(AboutArgs),
    /// Approve its release; three persons, counsel among them
    #[command(after_long_help = "EXAMPLE\n  bailee --as P-2 hold approve-release H-1")]
    ApproveRelease {
        /// Which
        #[arg(value_name = "H-1")]
        hold: String,
    },
}

/// A hold of the house's own.
#[derive(Debug, Args)]
pub(crate) struct PlaceArgs {
    #[command(flatten)]
    scope: ScopeArgs,
    /// The legal form (see `bailee instruments list`)
    #[arg(long, value_name = "CODE", default_value = "letter")]
    instrument: String,
    /// The matter it belongs to
    #[arg(long, value_name = "M-1")]
    matter: Option<String>,
    /// The owner must not learn of it
    #[arg(long)]
    silent: bool,
    #[command(flatten)]
    reason: ReasonArgs,
}

/// A hold and why.
#[derive(Debug, Args)]
pub(crate) struct AboutArgs {
    /// Which
    #[arg(value_name = "H-1")]
    hold: String,
    #[command(flatten)]
    reason: ReasonArgs,
}

/// A basis of a hold and why.
#[derive(Debug, Args)]
pub(crate) struct BasisArgs {
    #[command(flatten)]
    about: AboutArgs,
    /// Which of its bases, counted from 0
    #[arg(long, value_name = "N")]
    basis: u8,
}

impl HoldVerb {
    /// What it asks.
    pub(crate) fn ask(self) -> Result<Ask, Trouble> {
        Ok(match self {
            HoldVerb::List(part) => Ask::List("holds", part),
            HoldVerb::Show { hold } => Ask::Show(hold),
            HoldVerb::Place(new) => Request::PlaceHold {
                scope: new.scope.scope(),
                instrument: new.instrument,
                matter: new.matter,
                silent: new.silent.then_some(true),
                reason: new.reason.read()?,
            }
            .into(),
            HoldVerb::AddBasis { about, instrument } => {
                Request::AddBasis { hold: about.hold, instrument, reason: about.reason.read()? }
                    .into()
            }
            HoldVerb::Extend(BasisArgs { about, basis }) => {
                Request::ExtendBasis { hold: about.hold, basis, reason: about.reason.read()? }
                    .into()
            }
            HoldVerb::EndBasis(BasisArgs { about, basis }) => {
                Request::EndBasis { hold: about.hold, basis, reason: about.reason.read()? }.into()
            }
            HoldVerb::AllowCopy(about) => {
                Request::AllowCopy { hold: about.hold, reason: about.reason.read()? }.into()
            }
            HoldVerb::Gag { about, until } => {
                Request::SetGag { hold: about.hold, until, reason: about.reason.read()? }.into()
            }
            HoldVerb::ProposeRelease(about) => {
                Request::ProposeRelease { hold: about.hold, reason: about.reason.read()? }.into()
            }
            HoldVerb::ApproveRelease { hold } => Request::ApproveRelease { hold }.into(),
        })
    }
}
