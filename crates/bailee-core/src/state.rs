//! State: the projection of the log that decisions are made on.
//!
//! Invariants: it is a pure function of the records applied so far; indices are rebuilt by the same
//! `apply` and [`crate::check`] compares each with a scan. Only ordered maps are used, so that
//! nothing depends on a hash seed.

use std::collections::{BTreeMap, BTreeSet};

use crate::apply::Filing;
use crate::asset::{Account, Asset, Entity, Snapshot};
use crate::demand::{Access, Demand, Digest, Matter, Meter};
use crate::disposition::{Clearance, Disposition, Objection};
use crate::engine::Finding;
use crate::hold::Hold;
use crate::id::{
    AccessId, AccountId, AssetId, ClearanceId, DemandId, DispositionId, DutyId, EntityId, HoldId,
    MatterId, MeterId, NoticeId, ObjectionId, PartyId, SnapshotId, TokenId,
};
use crate::instrument::Catalogue;
use crate::leap::{self, Leap};
use crate::notice::Notice;
use crate::party::Party;
use crate::plan::Intent;
use crate::policy::{Duty, Policy, Token};
use crate::refused::Refusals;
use crate::rotation::Ring;
use crate::table::Table;
use crate::time::Time;

/// A key of an index of words: nearly all fit into it, so that a search need not look elsewhere for
/// each comparison.
pub(crate) type Key = smol_str::SmolStr;

/// Something that falls due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due {
    /// A lease lapses, or a reservation expires.
    Clearance(ClearanceId),
    /// A basis of a hold lapses.
    Basis(HoldId, u8),
    /// A cooling period ends.
    Cooling(HoldId),
    /// A gag ends.
    Gag(HoldId),
    /// An attempt has waited long enough for proof.
    Notice(NoticeId, u8),
    /// A meter's next day is over.
    Meter(MeterId),
}

/// What a phrase in a letter can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Named {
    /// An account, by its label.
    Account(AccountId),
    /// An asset, by its label or an identifier.
    Asset(AssetId),
    /// All accounts of a person, by the name or an address of one of their logins.
    Owner(PartyId),
}

/// Everything the core knows.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs, reason = "tables are named by what they hold")]
pub struct State {
    /// Number of records applied: the position the next one gets.
    pub head: u64,
    /// Time of the last record; decisions never go back behind it.
    pub clock: Time,
    /// A leap of that clock that is not believed yet.
    pub leap: Option<Leap>,
    pub policy: Policy,
    pub catalogue: Catalogue,
    pub parties: Table<PartyId, Party>,
    pub entities: Table<EntityId, Entity>,
    pub accounts: Table<AccountId, Account>,
    pub assets: Table<AssetId, Asset>,
    pub matters: Table<MatterId, Matter>,
    pub demands: Table<DemandId, Demand>,
    pub holds: Table<HoldId, Hold>,
    pub notices: Table<NoticeId, Notice>,
    pub objections: Table<ObjectionId, Objection>,
    pub dispositions: Table<DispositionId, Disposition>,
    pub clearances: Table<ClearanceId, Clearance>,
    pub snapshots: Table<SnapshotId, Snapshot>,
    pub accesses: Table<AccessId, Access>,
    pub meters: Table<MeterId, Meter>,
    pub duties: Table<DutyId, Duty>,
    pub tokens: Table<TokenId, Token>,
    pub ring: Ring,
    /// Where packs are or were kept -> what was last seen there.
    pub engines: BTreeMap<String, Finding>,
    /// Refusals of the day that are in the log.
    pub refusals: Refusals,
    /// Normal form of an identifier -> the asset that has it now.
    pub(crate) identifiers: BTreeMap<Key, AssetId>,
    /// Normal form of an identifier somebody wants kept -> the holds that name it.
    pub(crate) wanted: BTreeMap<Key, Vec<HoldId>>,
    /// Address -> parties that have it; more than one if one person has several logins.
    pub(crate) addresses: BTreeMap<Key, BTreeSet<PartyId>>,
    /// Address -> parties that had it before they changed it, and are not erased.
    pub(crate) former: BTreeMap<Key, BTreeSet<PartyId>>,
    /// Phrase (words with single spaces) -> what it names.
    pub(crate) phrases: BTreeMap<Key, Vec<Named>>,
    /// First word of a phrase -> number of phrases.
    pub(crate) first_words: BTreeMap<Key, u32>,
    /// First exhibit of a demand -> the demands with it: a letter sent twice is one demand.
    pub(crate) letters: BTreeMap<Digest, BTreeSet<DemandId>>,
    /// Word -> demands in force whose letter has it.
    pub(crate) waiting: BTreeMap<Key, BTreeSet<DemandId>>,
    /// What falls due, in order.
    pub(crate) agenda: BTreeSet<(Time, Due)>,
    /// What the shell has to do.
    pub(crate) pending: BTreeSet<Intent>,
    /// Clearances reserved or begun.
    pub(crate) open_clearances: BTreeSet<ClearanceId>,
    /// Duties that nobody has discharged.
    pub(crate) open_duties: BTreeSet<DutyId>,
    /// Day -> assets let go of on it, by clearance reserved, each once (rate limits).
    pub(crate) let_go: BTreeMap<i64, Vec<AssetId>>,
    /// Token hash -> token.
    pub(crate) token_hashes: BTreeMap<[u8; 32], TokenId>,
    /// Sets of archive volumes that the log knows.
    pub(crate) volume_sets: BTreeSet<[u8; 16]>,
    /// Notes of a replay that are not in the indices yet; `None` in every state anybody sees.
    pub(crate) filing: Option<Box<Filing>>,
}

impl State {
    /// When the next clock falls due, if any runs.
    pub fn next_due(&self) -> Option<Time> {
        self.agenda.first().map(|(at, _)| *at)
    }

    /// When a tick has something to say at the earliest: a clock falls due, or a day passed without
    /// an entry. `None` in an empty log.
    pub fn next_tick(&self) -> Option<Time> {
        let quiet = (self.head > 0).then(|| self.clock.plus_seconds(leap::QUIET));
        quiet.map(|quiet| self.next_due().map_or(quiet, |due| due.min(quiet)))
    }

    /// Holds that want whatever has this identifier, in its comparison form.
    pub(crate) fn wanting(&self, form: &str) -> &[HoldId] {
        self.wanted.get(form).map_or(&[], Vec::as_slice)
    }

    /// The party with that address; the first registered, if one person has several logins.
    pub fn party_at(&self, address: &str) -> Option<PartyId> {
        self.addresses.get(address.trim().to_lowercase().as_str())?.first().copied()
    }

    /// Who writes from that address: the party that has it, or else the first that had it. Letters
    /// use what their writers know, and an old address is still read by somebody.
    pub(crate) fn writer_at(&self, address: &str) -> Option<PartyId> {
        self.party_at(address).or_else(|| self.parties_once_at(address).next())
    }

    /// Parties that had that address before.
    pub(crate) fn parties_once_at(&self, address: &str) -> impl Iterator<Item = PartyId> + '_ {
        let found = self.former.get(address.trim().to_lowercase().as_str());
        found.into_iter().flatten().copied()
    }

    /// The token with that hash, if it is still good. Compare hashes of secrets only: the lookup
    /// is not constant-time in the hash, which reveals nothing of the token.
    pub fn token(&self, hash: &[u8; 32]) -> Option<&Token> {
        let token = self.tokens.get(*self.token_hashes.get(hash)?)?;
        (!token.revoked).then_some(token)
    }

    /// Duties that nobody has discharged, in order.
    pub fn open_duties(&self) -> impl ExactSizeIterator<Item = DutyId> + '_ {
        self.open_duties.iter().copied()
    }

    /// Whose the token was, if it is void.
    pub fn void_token(&self, hash: &[u8; 32]) -> Option<PartyId> {
        let token = self.tokens.get(*self.token_hashes.get(hash)?)?;
        token.revoked.then_some(token.party)
    }

    /// The asset that has this identifier now.
    pub fn asset_by_identifier(&self, value: &str) -> Option<AssetId> {
        self.identifiers.get(crate::asset::normal(value).as_str()).copied()
    }

    /// The record's time may not go back behind what was already recorded.
    pub fn now(&self, wall: Time) -> Time {
        wall.max(self.clock)
    }

    /// The time up to which waits end at `now`: `now`, or the time before a leap.
    pub fn sure(&self, now: Time) -> Time {
        self.doubt(now).map_or(now, |leap| leap.before)
    }

    /// The leap that is not believed at `now`, an entry of that time being the next.
    pub fn doubt(&self, now: Time) -> Option<Leap> {
        leap::step(self.leap, self.clock, now, self.head)
    }
}
