//! `bailee party` and `bailee entity`: whom the house deals with, and as whom it acts.
//!
//! Out of scope: what a role permits (the core's permission table).

use bailee_server::api::Request;
use bailee_server::api::parts::{Channel, Who};
use bailee_server::api::words::{ChannelKind, Role};
use clap::{Args, Subcommand};

use super::ask::{Ask, ListArgs};

/// Verbs of a party.
#[derive(Debug, Subcommand)]
pub(crate) enum PartyVerb {
    /// Register a person or organisation
    #[command(after_long_help = "EXAMPLE\n  bailee party add 'Dana Vos' --role owner --email \
                                 dana@example.com")]
    Add {
        #[command(flatten)]
        who: WhoArgs,
        /// owner, counsel, authority, requester, transferee or staff; may be repeated
        #[arg(long = "role", value_name = "ROLE", required = true)]
        roles: Vec<Role>,
        /// Another login of a person who is known
        #[arg(long, value_name = "P-1")]
        same_person_as: Option<String>,
    },
    /// List them
    #[command(after_long_help = "EXAMPLE\n  bailee party list --limit 20")]
    List(ListArgs),
    /// Show one
    #[command(after_long_help = "EXAMPLE\n  bailee party show P-1")]
    Show {
        /// Which
        #[arg(value_name = "P-1")]
        party: String,
    },
    /// Replace name and channels
    #[command(after_long_help = "EXAMPLE\n  bailee party change P-4 'Dana Vos' --email \
                                 dana@example.net")]
    Change {
        /// Which
        #[arg(value_name = "P-1")]
        party: String,
        #[command(flatten)]
        who: WhoArgs,
    },
    /// Destroy name, channels and letters; proofs stay whole (counsel)
    #[command(after_long_help = "EXAMPLE\n  bailee party erase P-4")]
    Erase {
        /// Which
        #[arg(value_name = "P-1")]
        party: String,
    },
}

/// Name and channels, best first.
#[derive(Debug, Args)]
pub(crate) struct WhoArgs {
    /// Name of the person or organisation
    name: String,
    /// E-mail address; may be repeated
    #[arg(long = "email", value_name = "ADDRESS")]
    emails: Vec<String>,
    /// Address for registered post; may be repeated
    #[arg(long = "post", value_name = "ADDRESS")]
    posts: Vec<String>,
    /// Name on the provider's portal
    #[arg(long = "portal", value_name = "NAME")]
    portals: Vec<String>,
    /// Where a bailiff finds it
    #[arg(long = "service", value_name = "ADDRESS")]
    services: Vec<String>,
    /// Telephone or fax; may be repeated
    #[arg(long = "phone", value_name = "NUMBER")]
    phones: Vec<String>,
}

impl WhoArgs {
    fn who(self) -> Who {
        let kinds = [
            (ChannelKind::Email, self.emails),
            (ChannelKind::Post, self.posts),
            (ChannelKind::Portal, self.portals),
            (ChannelKind::Service, self.services),
            (ChannelKind::Phone, self.phones),
        ];
        let each = kinds.into_iter().flat_map(|(kind, addresses)| {
            addresses.into_iter().map(move |address| Channel { kind, address })
        });
        Who { name: self.name, channels: each.collect() }
    }
}

impl PartyVerb {
    /// What it asks.
    pub(crate) fn ask(self) -> Ask {
        match self {
            PartyVerb::Add { who, roles, same_person_as } => {
                Request::RegisterParty { who: who.who(), roles, same_person_as }.into()
            }
            PartyVerb::List(part) => Ask::List("parties", part),
            PartyVerb::Show { party } => Ask::Show(party),
            PartyVerb::Change { party, who } => {
                Request::ChangeParty { party, who: who.who() }.into()
            }
            PartyVerb::Erase { party } => Request::EraseDetails { party }.into(),
        }
    }
}

/// Verbs of a legal entity.
#[derive(Debug, Subcommand)]
pub(crate) enum EntityVerb {
    /// Register a legal entity of the provider
    #[command(after_long_help = "EXAMPLE\n  bailee entity add 'Example Host Inc.' --country US")]
    Add {
        /// Registered name
        name: String,
        /// Country
        #[arg(long, value_name = "NL")]
        country: String,
    },
    /// List them
    #[command(after_long_help = "EXAMPLE\n  bailee entity list --limit 20")]
    List(ListArgs),
    /// Show one
    #[command(after_long_help = "EXAMPLE\n  bailee entity show E-1")]
    Show {
        /// Which
        #[arg(value_name = "E-1")]
        entity: String,
    },
}

impl EntityVerb {
    /// What it asks.
    pub(crate) fn ask(self) -> Ask {
        match self {
            EntityVerb::Add { name, country } => Request::RegisterEntity { name, country }.into(),
            EntityVerb::List(part) => Ask::List("entities", part),
            EntityVerb::Show { entity } => Ask::Show(entity),
        }
    }
}
