//! Words: the fixed choices of the domain as they are written in JSON and on a command line.
//!
//! Invariants: one spelling each, both ways; a word that is published is never given another
//! meaning. A choice added to the core does not compile here until it has a word.

use std::fmt;
use std::str::FromStr;

use bailee_core as core;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The text is none of the words that fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is none of {allowed}")]
pub struct BadWord {
    /// As given.
    pub text: String,
    /// The words that fit, separated by commas.
    pub allowed: String,
}

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident for $core:ty { $($variant:ident $word:literal)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        #[allow(missing_docs, reason = "the words of the domain, documented in bailee-core")]
        pub enum $name { $(#[serde(rename = $word)] $variant,)* }

        impl $name {
            /// Every word, in the order of the domain.
            pub const ALL: &'static [$name] = &[$($name::$variant),*];

            /// The word.
            pub fn word(self) -> &'static str {
                match self { $($name::$variant => $word,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.word())
            }
        }

        impl FromStr for $name {
            type Err = BadWord;
            fn from_str(text: &str) -> Result<Self, BadWord> {
                $name::ALL.iter().copied().find(|one| one.word() == text).ok_or_else(|| BadWord {
                    text: text.to_owned(),
                    allowed: [$($word),*].join(", "),
                })
            }
        }

        impl From<$core> for $name {
            fn from(value: $core) -> $name {
                match value { $(<$core>::$variant => $name::$variant,)* }
            }
        }

        impl From<$name> for $core {
            fn from(value: $name) -> $core {
                match value { $($name::$variant => <$core>::$variant,)* }
            }
        }
    )*};
}

words! {
    /// What a party may be to the provider.
    Role for core::party::Role {
        Owner "owner" Counsel "counsel" Authority "authority" Requester "requester"
        Transferee "transferee" Staff "staff"
    }
    /// How a party can be reached.
    ChannelKind for core::party::ChannelKind {
        Email "email" Post "post" Portal "portal" Service "service" Phone "phone"
    }
    /// What kind of thing an asset is.
    AssetKind for core::asset::AssetKind {
        Server "server" Drive "drive" Volume "volume" Bucket "bucket" Mailbox "mailbox"
        Dataset "dataset" Archive "archive" Snapshot "snapshot"
    }
    /// Where an asset is in its hardware life.
    Lifecycle for core::asset::Lifecycle {
        Racked "racked" Stored "stored" Moved "moved" Retired "retired"
    }
    /// Which identifier it is.
    IdentifierKind for core::asset::IdentifierKind {
        Serial "serial" Wwn "wwn" Uuid "uuid" Name "name" Identity "identity"
        Medium "medium"
    }
    /// How a demand came in.
    Medium for core::demand::Medium {
        Email "email" Post "post" Portal "portal" Oral "oral" Fax "fax"
    }
    /// What a human should look at first.
    Flag for core::demand::Flag {
        WrongEntity "wrong-entity" ScopeUnreadable "scope-unreadable" Unmatched "unmatched"
        UnknownInstrument "unknown-instrument" Damaged "damaged"
        AttachmentUnread "attachment-unread"
    }
    /// Where a demand stands.
    DemandStatus for core::demand::DemandStatus {
        Received "received" Clarifying "clarifying" Accepted "accepted" Refused "refused"
    }
    /// Where an access request stands.
    AccessStatus for core::demand::AccessStatus {
        Open "open" Granted "granted" Denied "denied" Fulfilled "fulfilled"
    }
    /// Why a basis ended.
    EndReason for core::hold::EndReason { Lapsed "lapsed" Withdrawn "withdrawn" }
    /// What is known of an attempt to deliver.
    Evidence for core::notice::Evidence {
        Relayed "relayed" Delivered "delivered" Opened "opened" Acknowledged "acknowledged"
        Served "served" Bounced "bounced" Silence "silence"
    }
    /// How the keeping ends.
    DispositionKind for core::disposition::DispositionKind {
        Sanitize "sanitize" Expire "expire" Return "return" Transfer "transfer"
        Erase "erase"
    }
    /// What the gate is asked about.
    Verb for core::gate::Verb { LetGo "let-go" Transfer "transfer" Erase "erase" }
    /// What a token may be used for.
    TokenScope for core::TokenScope {
        Intake "intake" Agent "agent" Operator "operator" Reader "reader"
    }
    /// Why an old key of the log ends.
    KeyEnd for core::rotation::KeyEnd { Retired "retired" Stolen "stolen" }
    /// What the end of a clock means.
    Ends for core::instrument::Ends { Floor "floor" Ceiling "ceiling" }
    /// Whether the owner may learn of a hold.
    Privacy for core::instrument::Privacy { Open "open" Silent "silent" }
}

/// How a demand is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Triage {
    /// Its hold becomes active.
    Accept,
    /// The requester is asked; the hold stays.
    Clarify,
    /// In writing; the hold cools.
    Refuse,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_reads_back_as_itself_in_text_and_json() {
        for kind in AssetKind::ALL {
            assert_eq!(kind.word().parse(), Ok(*kind));
            let json = serde_json::to_string(kind).unwrap();
            assert_eq!(json, format!("{:?}", kind.word()));
            assert_eq!(AssetKind::from(core::asset::AssetKind::from(*kind)), *kind);
        }
    }

    #[test]
    fn a_word_that_does_not_fit_is_answered_with_those_that_do() {
        let error = "root".parse::<TokenScope>().unwrap_err();
        assert_eq!(error.to_string(), "\"root\" is none of intake, agent, operator, reader");
    }
}
