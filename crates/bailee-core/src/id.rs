//! Ids: short, sequential, citable (`D-3`, `H-17`).
//!
//! Invariant: ids come from state. The next id is the table's length plus one, so a replay gives
//! the same ids, and looking one up is an array access.

use std::fmt;
use std::str::FromStr;

/// A sequential id. Numbers start at 1.
pub trait Id: Copy + Ord + fmt::Display {
    /// The id of the `number`-th thing.
    fn nth(number: u32) -> Self;
    /// The number in it.
    fn number(self) -> u32;
}

/// The text is not an id of this kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an id like {prefix}-1")]
pub struct BadId {
    /// As given.
    pub text: String,
    /// The letters before the dash.
    pub prefix: &'static str,
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident $prefix:literal)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[derive(minicbor::Encode, minicbor::Decode)]
        #[cbor(transparent)]
        pub struct $name(pub u32);

        impl Id for $name {
            fn nth(number: u32) -> Self {
                $name(number)
            }
            fn number(self) -> u32 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "-{}"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> {
                text.strip_prefix(concat!($prefix, "-"))
                    .filter(|digits| !digits.starts_with(['0', '+']))
                    .and_then(|digits| digits.parse().ok())
                    .map($name)
                    .ok_or_else(|| BadId { text: text.into(), prefix: $prefix })
            }
        }
    )*};
}

ids! {
    /// A party.
    PartyId "P"
    /// A legal entity of the provider.
    EntityId "E"
    /// An account.
    AccountId "AC"
    /// An asset.
    AssetId "A"
    /// A matter.
    MatterId "M"
    /// A demand.
    DemandId "D"
    /// A hold.
    HoldId "H"
    /// A notice.
    NoticeId "N"
    /// An objection.
    ObjectionId "O"
    /// A disposition.
    DispositionId "X"
    /// A clearance.
    ClearanceId "C"
    /// A snapshot in the vault.
    SnapshotId "S"
    /// A data owner's request for access.
    AccessId "Q"
    /// A cost meter.
    MeterId "K"
    /// A duty somebody has to discharge.
    DutyId "Y"
    /// An API token.
    TokenId "T"
    /// A rotation of the log's keys.
    RotationId "R"
}
