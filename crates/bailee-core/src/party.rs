//! Parties: the persons and organisations Bailee deals with.
//!
//! Invariants: names and addresses live only in the `who` section of an event, so they can be
//! destroyed without touching a proof; what is left is the id and the roles. Two logins of one
//! person count as one person wherever eyes are counted.

use crate::id::{AccountId, PartyId};
use crate::table::Table;
use crate::time::Time;

/// What a party may be to the provider.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, minicbor::Encode, minicbor::Decode,
)]
#[cbor(index_only)]
pub enum Role {
    /// Owns data kept here.
    #[n(0)]
    Owner,
    /// The provider's counsel.
    #[n(1)]
    Counsel,
    /// Court, prosecutor, police.
    #[n(2)]
    Authority,
    /// Asked for data to be kept.
    #[n(3)]
    Requester,
    /// Takes custody over.
    #[n(4)]
    Transferee,
    /// Works for the provider.
    #[n(5)]
    Staff,
}

/// How a party can be reached.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, minicbor::Encode, minicbor::Decode,
)]
#[cbor(index_only)]
pub enum ChannelKind {
    /// Electronic mail.
    #[n(0)]
    Email,
    /// Registered post.
    #[n(1)]
    Post,
    /// The provider's own portal.
    #[n(2)]
    Portal,
    /// In person or by bailiff.
    #[n(3)]
    Service,
    /// Telephone or fax, by number.
    #[n(4)]
    Phone,
}

/// A channel with its address.
#[derive(Clone, Debug, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub struct Channel {
    /// Which way.
    #[n(0)]
    pub kind: ChannelKind,
    /// Where to; personal data.
    #[n(1)]
    pub address: String,
}

/// Name and channels: personal data, erasable.
#[derive(Clone, Debug, PartialEq, Eq, Default, minicbor::Encode, minicbor::Decode)]
pub struct Who {
    /// Name of the person or organisation (or label of its account).
    #[n(0)]
    pub name: String,
    /// How to reach it, best first.
    #[n(1)]
    pub channels: Vec<Channel>,
}

/// A person or organisation.
#[derive(Clone, Debug, PartialEq)]
pub struct Party {
    /// What it may be here.
    pub roles: Vec<Role>,
    /// The party that is the same human being, if one was registered before.
    pub same_person_as: Option<PartyId>,
    /// `None` once erased.
    pub who: Option<Who>,
    /// What it was before it was changed, oldest first; empty once erased.
    pub(crate) before: Vec<Who>,
    /// Accounts it owns.
    pub(crate) accounts: Vec<AccountId>,
    /// Of the first login of a person: the later ones.
    pub(crate) logins: Vec<PartyId>,
    /// Log positions whose `who` section is about this party.
    pub entries: Vec<u64>,
    /// Log positions whose `papers` section is from this party (letters, objections, requests) or
    /// was written to it (decisions, delivery reports).
    pub papers: Vec<u64>,
    /// When its details were erased.
    pub erased: Option<Time>,
}

impl Party {
    /// True if it has the role.
    pub fn is(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// True if it may act for the provider: staff or counsel, and not erased. Whose address is free
    /// again for somebody else is nobody of the house any more.
    pub fn in_office(&self) -> bool {
        self.erased.is_none() && (self.is(Role::Staff) || self.is(Role::Counsel))
    }

    /// Its name, or a placeholder after erasure.
    pub fn name(&self) -> &str {
        self.who.as_ref().map_or("(erased)", |who| &who.name)
    }

    /// Its channels, best first; none after erasure.
    pub fn channels(&self) -> &[Channel] {
        self.who.as_ref().map_or(&[], |who| &who.channels)
    }
}

/// The human being behind a login: follows `same_person_as` to its end.
pub fn person(parties: &Table<PartyId, Party>, mut party: PartyId) -> PartyId {
    // Each link points to an earlier registration, so this ends.
    while let Some(earlier) = parties.get(party).and_then(|p| p.same_person_as) {
        party = earlier;
    }
    party
}
