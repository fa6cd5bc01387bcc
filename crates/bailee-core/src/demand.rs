//! Demands, scopes, exhibits and matters: the asking side.
//!
//! Invariant (rule 1): every demand has a hold of its own from the append that records it.

use crate::id::{AccountId, AssetId, DemandId, EntityId, HoldId, MatterId, PartyId};
use crate::time::Time;

/// SHA-256 of an exhibit's exact bytes.
pub type Digest = [u8; 32];

/// Exact bytes received or sent, by reference.
#[derive(Clone, Debug, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub struct Exhibit {
    /// SHA-256.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub digest: Digest,
    /// Size in bytes.
    #[n(1)]
    pub size: u64,
    /// Media type.
    #[n(2)]
    pub media: String,
    /// File name or description.
    #[n(3)]
    pub name: String,
}

/// Documents and free text of an entry: personal data may be in them, so they are erasable.
#[derive(Clone, Debug, PartialEq, Eq, Default, minicbor::Encode, minicbor::Decode)]
pub struct Papers {
    /// Exhibits the entry rests on.
    #[n(0)]
    pub exhibits: Vec<Exhibit>,
    /// Words of a letter in normal form, kept so that later assets can match it.
    #[n(1)]
    pub words: String,
    /// Reasons, conditions, remarks.
    #[n(2)]
    pub note: String,
}

/// Which data. Categories and time range are recorded; at the gate they over-approximate.
#[derive(Clone, Debug, PartialEq, Eq, Default, minicbor::Encode, minicbor::Decode)]
pub struct Scope {
    /// Everything of these accounts.
    #[n(0)]
    pub accounts: Vec<AccountId>,
    /// These assets, their parts, what they are part of, and copies of them.
    #[n(1)]
    pub assets: Vec<AssetId>,
    /// Hard identifiers in normal form, known here or not yet.
    #[n(2)]
    pub identifiers: Vec<String>,
    /// Data categories in words (recorded only).
    #[n(3)]
    pub categories: Vec<String>,
    /// Start of the time range (recorded only).
    #[n(4)]
    pub from: Option<Time>,
    /// End of the time range (recorded only).
    #[n(5)]
    pub to: Option<Time>,
}

impl Scope {
    /// True if it names nothing that exists here.
    pub fn matches_nothing(&self) -> bool {
        self.accounts.is_empty() && self.assets.is_empty()
    }

    /// Adds what `more` names and this does not.
    pub fn widen(&mut self, more: &Scope) {
        add_new(&mut self.accounts, &more.accounts);
        add_new(&mut self.assets, &more.assets);
        add_new(&mut self.identifiers, &more.identifiers);
        add_new(&mut self.categories, &more.categories);
    }
}

fn add_new<T: Clone + PartialEq>(to: &mut Vec<T>, from: &[T]) {
    for one in from {
        if !to.contains(one) {
            to.push(one.clone());
        }
    }
}

/// How a demand came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
#[cbor(index_only)]
pub enum Medium {
    /// Electronic mail.
    #[n(0)]
    Email,
    /// Paper.
    #[n(1)]
    Post,
    /// The portal, a form or the API.
    #[n(2)]
    Portal,
    /// By word of mouth, on the telephone too.
    #[n(3)]
    Oral,
    /// Facsimile.
    #[n(4)]
    Fax,
}

/// What a human should look at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
#[cbor(index_only)]
pub enum Flag {
    /// Addressed to another legal entity than the one that has the account.
    #[n(0)]
    WrongEntity,
    /// The scope could not be read: the widest plausible one was frozen.
    #[n(1)]
    ScopeUnreadable,
    /// Nothing here matches it yet.
    #[n(2)]
    Unmatched,
    /// It named an instrument that is not in the catalogue.
    #[n(3)]
    UnknownInstrument,
    /// Parts of the letter could not be parsed. In logs before flag 5: or were no text.
    #[n(4)]
    Damaged,
    /// Something is enclosed that was not read, such as a PDF: a person has to read it.
    #[n(5)]
    AttachmentUnread,
}

/// Where a demand stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
#[cbor(index_only)]
pub enum DemandStatus {
    /// Received and blocking; nobody has decided yet.
    #[n(0)]
    Received,
    /// The requester was asked to clarify; still blocking.
    #[n(1)]
    Clarifying,
    /// Accepted: its hold is active.
    #[n(2)]
    Accepted,
    /// Refused in writing: its hold cools.
    #[n(3)]
    Refused,
}

/// An inbound ask to keep data.
#[derive(Clone, Debug, PartialEq)]
pub struct Demand {
    /// Who asks.
    pub from: PartyId,
    /// Which legal entity of the provider it is addressed to, if one was named.
    pub entity: Option<EntityId>,
    /// Code of the instrument.
    pub instrument: String,
    /// How it came in.
    pub medium: Medium,
    /// When that was last corrected, and how it was recorded at first.
    pub corrected: Option<(Time, Medium)>,
    /// The hold it placed.
    pub hold: HoldId,
    /// What a human should look at.
    pub flags: Vec<Flag>,
    /// Where it stands.
    pub status: DemandStatus,
    /// When it was received.
    pub received: Time,
    /// Log position that records it.
    pub position: u64,
    /// Letter, attachments, words; `None` once erased.
    pub papers: Option<Papers>,
    /// True once its receipt has left.
    pub receipted: bool,
    /// Log position of the last decision on it.
    pub decided: Option<u64>,
}

impl Demand {
    /// True until a person has decided.
    pub fn is_open(&self) -> bool {
        matches!(self.status, DemandStatus::Received | DemandStatus::Clarifying)
    }
}

/// A dispute, investigation or proceeding.
#[derive(Clone, Debug, PartialEq)]
pub struct Matter {
    /// Its title.
    pub title: String,
    /// Demands filed in it.
    pub demands: Vec<DemandId>,
    /// What keeping has cost, by meter and by item.
    pub costs: Vec<CostItem>,
    /// Log positions of its correspondence.
    pub correspondence: Vec<u64>,
    /// True once closed.
    pub closed: bool,
}

/// What keeping has cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CostItem {
    /// What for, e.g. `server-days`.
    pub what: String,
    /// Quantity in thousandths of the unit.
    pub milli_units: u64,
    /// Amount in the currency's minor unit.
    pub amount: u64,
    /// ISO 4217 code.
    pub currency: String,
    /// When it was booked.
    pub at: Time,
}

/// A running cost, booked by the clock.
#[derive(Clone, Debug, PartialEq)]
pub struct Meter {
    /// The account it is booked on.
    pub matter: MatterId,
    /// What for.
    pub what: String,
    /// How many units run.
    pub units: u32,
    /// Price of one unit for one day, minor currency units.
    pub daily: u64,
    /// ISO 4217 code.
    pub currency: String,
    /// Booked until.
    pub until: Time,
    /// True while it runs.
    pub running: bool,
}

/// A data owner's request to see or get back data.
#[derive(Clone, Debug, PartialEq)]
pub struct Access {
    /// Who asks.
    pub owner: PartyId,
    /// For which asset.
    pub asset: AssetId,
    /// Where it stands.
    pub status: AccessStatus,
    /// Conditions under which it was granted, or reasons for the refusal.
    pub terms: String,
    /// Whose data was on the asset when it was granted: it was granted of that.
    pub granted_of: Vec<PartyId>,
}

/// Where an access request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
#[cbor(index_only)]
pub enum AccessStatus {
    /// Asked.
    #[n(0)]
    Open,
    /// Granted under conditions.
    #[n(1)]
    Granted,
    /// Denied with reasons.
    #[n(2)]
    Denied,
    /// Files handed over.
    #[n(3)]
    Fulfilled,
}
