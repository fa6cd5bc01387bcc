//! Events: what happened. The `what` section of an entry, and the wire format of it.
//!
//! Invariants: numbers are for ever (a variant's number is the leaf's type code); fields are only
//! added, at the end, as options; no names, addresses, words or file names are in an event: they
//! stand beside it in [`Who`] and [`Papers`], which can be erased.

use crate::asset::{AssetKind, Identifier, Lifecycle};
use crate::demand::{AccessStatus, DemandStatus, Flag, Medium, Papers, Scope};
use crate::disposition::{DispositionKind, Radius};
use crate::engine::{Canaries, Trial};
use crate::hold::EndReason;
use crate::id::{
    AccessId, AccountId, AssetId, ClearanceId, DemandId, DispositionId, DutyId, EntityId, HoldId,
    MatterId, MeterId, NoticeId, ObjectionId, PartyId, RotationId, SnapshotId, TokenId,
};
use crate::instrument::Catalogue;
use crate::notice::{About, Evidence};
use crate::party::{Role, Who};
use crate::policy::{DutyKind, Policy, TokenScope};
use crate::refused::{Asked, Thing};
use crate::rotation::{KeyEnd, LogKeys};
use crate::time::Time;
use crate::volume::Written;

/// Who caused an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, minicbor::Encode)]
pub enum By {
    /// Bailee itself: intake, clocks, delivery evidence.
    #[n(0)]
    System,
    /// A party.
    #[n(1)]
    Party(#[n(0)] PartyId),
}

/// By hand, because the derived one accepts anything beside a variant without fields.
impl<'b, C> minicbor::Decode<'b, C> for By {
    fn decode(d: &mut minicbor::Decoder<'b>, c: &mut C) -> Result<By, minicbor::decode::Error> {
        let (pair, variant, fields) = (d.array()?, d.u32()?, d.array()?);
        match (pair, variant, fields) {
            (Some(2), 0, Some(0)) => Ok(By::System),
            (Some(2), 1, Some(1)) => Ok(By::Party(PartyId::decode(d, c)?)),
            _ => Err(minicbor::decode::Error::message("is neither the system nor a party")),
        }
    }
}

/// A decided fact, before it has a place in the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Fact {
    /// What happened.
    pub event: Event,
    /// Personal data of one party, erasable.
    pub who: Option<Who>,
    /// Documents and free text, erasable.
    pub papers: Option<Papers>,
}

impl Fact {
    /// A fact without personal data.
    pub fn of(event: Event) -> Fact {
        Fact { event, who: None, papers: None }
    }

    /// With personal data.
    pub fn with_who(mut self, who: Who) -> Fact {
        self.who = Some(who);
        self
    }

    /// With documents.
    pub fn with_papers(mut self, papers: Papers) -> Fact {
        self.papers = Some(papers);
        self
    }
}

impl From<Event> for Fact {
    fn from(event: Event) -> Fact {
        Fact::of(event)
    }
}

/// A fact with its place in the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Log position, dense from 0.
    pub seq: u64,
    /// When it was decided.
    pub at: Time,
    /// Who caused it.
    pub by: By,
    /// The fact.
    pub fact: Fact,
}

macro_rules! events {
    ($(
        $(#[$doc:meta])* $n:literal $name:ident { $($fn:literal $field:ident: $type:ty),* $(,)? }
    )*) => {
        /// What happened.
        #[derive(Clone, Debug, PartialEq, minicbor::Encode, minicbor::Decode)]
        #[allow(missing_docs, reason = "fields are the words of the domain, documented there")]
        pub enum Event {
            $($(#[$doc])* #[n($n)] $name { $(#[n($fn)] $field: $type),* },)*
        }

        impl Event {
            /// The type code in the leaf.
            pub fn code(&self) -> u16 {
                match self { $(Event::$name { .. } => $n,)* }
            }

            /// The name people read.
            pub fn name(&self) -> &'static str {
                match self { $(Event::$name { .. } => stringify!($name),)* }
            }

            /// Ids of everything it is about, as people write them.
            pub fn mentions(&self) -> Vec<String> {
                let mut ids = Vec::new();
                match self {
                    $(Event::$name { $($field),* } => {
                        $(crate::mention::Mention::mention($field, &mut |id| ids.push(id));)*
                    })*
                }
                ids
            }

            /// Every event there is, as (code, name).
            pub const ALL: &'static [(u16, &'static str)] = &[$(($n, stringify!($name))),*];
        }
    };
}

events! {
    /// The rules of this deployment.
    1 PolicySet { 0 policy: Policy }
    /// The instruments and their clocks.
    2 InstrumentsLoaded { 0 catalogue: Catalogue }
    /// A party; its details are in `who`.
    3 PartyRegistered { 0 party: PartyId, 1 roles: Vec<Role>, 2 same_person_as: Option<PartyId> }
    /// A party's details replaced; in `who`.
    4 PartyChanged { 0 party: PartyId }
    /// A party's details and the papers at `positions` are to be destroyed.
    5 DetailsErased { 0 party: PartyId, 1 positions: Vec<u64>, 2 papers: Vec<u64> }
    /// A legal entity of the provider.
    6 EntityRegistered { 0 entity: EntityId, 1 name: String, 2 country: String }
    /// An account; its label is in `who`.
    7 AccountRegistered {
        0 account: AccountId, 1 owner: PartyId, 2 entity: EntityId, 3 law: String,
        4 retention_days: u32,
    }
    /// A customer relationship ended.
    8 AccountTerminated { 0 account: AccountId }
    /// An asset.
    9 AssetRegistered {
        0 asset: AssetId, 1 kind: AssetKind, 2 label: String, 3 accounts: Vec<AccountId>,
        4 identifiers: Vec<Identifier>, 5 part_of: Option<AssetId>, 6 copy_of: Vec<AssetId>,
        7 place: String, 8 bytes: u64,
    }
    /// Racked, stored, moved, retired. Changes no coverage.
    10 AssetMoved { 0 asset: AssetId, 1 lifecycle: Lifecycle, 2 place: String }
    /// Another label or further identifiers.
    11 AssetRelabelled {
        0 asset: AssetId, 1 label: String, 2 identifiers: Vec<Identifier>, 3 bytes: Option<u64>,
    }
    /// Data of a further account is on it.
    12 AssetAssigned { 0 asset: AssetId, 1 account: AccountId }
    /// Data of `source` is on it too: copied, imaged or merged.
    13 AssetCopied { 0 asset: AssetId, 1 source: AssetId }
    /// A demand arrived. Its hold is in the same append.
    20 DemandReceived {
        0 demand: DemandId, 1 from: PartyId, 2 entity: Option<EntityId>, 3 instrument: String,
        4 medium: Medium, 5 hold: HoldId, 6 flags: Vec<Flag>,
    }
    /// A demand turned out to mean something that exists here.
    21 DemandMatched { 0 demand: DemandId, 1 more: Scope }
    /// A person decided on a demand; reasons in the papers.
    22 DemandDecided { 0 demand: DemandId, 1 status: DemandStatus, 2 matter: Option<MatterId> }
    /// The receipt left.
    23 ReceiptSent { 0 demand: DemandId }
    /// A matter was opened.
    24 MatterOpened { 0 matter: MatterId, 1 title: String }
    /// A matter was closed.
    25 MatterClosed { 0 matter: MatterId }
    /// A letter that asks for nothing to be kept; in the papers.
    26 CorrespondenceFiled { 0 matter: MatterId, 1 from: PartyId }
    /// How a demand came in, where it was recorded wrongly; how that is known, in the papers.
    27 MediumCorrected { 0 demand: DemandId, 1 medium: Medium }
    /// What a hold wants by an identifier became known here under that name.
    28 HoldMatched { 0 hold: HoldId, 1 more: Scope }
    /// A hold was placed, provisional or active.
    30 HoldPlaced {
        0 hold: HoldId, 1 provisional: bool, 2 scope: Scope, 3 instrument: String,
        4 due: Option<Time>, 5 silent: bool, 6 matter: Option<MatterId>,
        7 demand: Option<DemandId>, 8 gag_until: Option<Time>,
    }
    /// A further legal basis.
    31 BasisAdded { 0 hold: HoldId, 1 instrument: String, 2 due: Option<Time>, 3 silent: bool }
    /// A clock was extended.
    32 BasisExtended { 0 hold: HoldId, 1 basis: u8, 2 due: Time }
    /// A basis ended; the hold still blocks.
    33 BasisEnded { 0 hold: HoldId, 1 basis: u8, 2 reason: EndReason }
    /// Counsel decided that a verified copy satisfies the hold.
    34 CopyAllowed { 0 hold: HoldId }
    /// Somebody proposes to release it.
    35 ReleaseProposed { 0 hold: HoldId }
    /// Somebody else approves, for this radius.
    36 ReleaseApproved { 0 hold: HoldId, 1 radius: Radius }
    /// Released or refused: blocks until `until`, then thaws.
    37 HoldCooling { 0 hold: HoldId, 1 until: Time }
    /// Over.
    38 HoldReleased { 0 hold: HoldId }
    /// The silence is over.
    39 GagEnded { 0 hold: HoldId }
    /// A snapshot in the vault; it is an asset of its own.
    40 SnapshotRecorded {
        0 snapshot: SnapshotId, 1 asset: AssetId, 2 source: AssetId,
        3 root: minicbor::bytes::ByteArray<32>, 4 vault_id: String, 5 bytes: u64,
        6 unreadable: u32, 7 taken: Time, 8 changed: Option<u32>,
    }
    /// It was read back whole: equal to its manifest, or not.
    41 SnapshotVerified { 0 snapshot: SnapshotId, 1 intact: bool }
    /// The silence got a clock of its own, apart from the hold's.
    42 GagSet { 0 hold: HoldId, 1 until: Option<Time> }
    /// A disposition is proposed.
    50 DispositionProposed {
        0 disposition: DispositionId, 1 kind: DispositionKind, 2 assets: Vec<AssetId>,
        3 to: Option<PartyId>,
    }
    /// Somebody approves it, for this radius.
    51 DispositionApproved { 0 disposition: DispositionId, 1 radius: Radius }
    /// Taken back, or stopped by an objection.
    52 DispositionCancelled { 0 disposition: DispositionId }
    /// The transferee accepts a hold by name.
    53 HoldAccepted { 0 disposition: DispositionId, 1 hold: HoldId }
    /// A notice is owed to a party.
    54 NoticeQueued { 0 notice: NoticeId, 1 to: PartyId, 2 about: About }
    /// The next channel is tried.
    55 NoticeRetried { 0 notice: NoticeId, 1 channel: u8 }
    /// It left through its channel.
    56 NoticeSent { 0 notice: NoticeId, 1 attempt: u8 }
    /// Evidence of what became of it.
    57 NoticeEvidence { 0 notice: NoticeId, 1 attempt: u8, 2 evidence: Evidence }
    /// All channels failed.
    58 NoticeEscalated { 0 notice: NoticeId }
    /// A reasoned answer; in the papers.
    59 ObjectionFiled { 0 objection: ObjectionId, 1 disposition: DispositionId, 2 by: PartyId }
    /// Decided in writing; in the papers.
    60 ObjectionDecided { 0 objection: ObjectionId, 1 upheld: bool }
    /// Permission granted, in the same append as the check.
    70 ClearanceReserved {
        0 clearance: ClearanceId, 1 disposition: DispositionId, 2 asset: AssetId,
        3 subject: minicbor::bytes::ByteArray<32>, 4 expires: Time,
    }
    /// The point of no return: an agent works under a lease.
    71 ClearanceBegun { 0 clearance: ClearanceId, 1 lease: Time }
    /// The lease runs on.
    72 ClearanceRenewed { 0 clearance: ClearanceId, 1 lease: Time }
    /// Done, verified, certified; the certificate is in the papers.
    73 ClearanceFinished { 0 clearance: ClearanceId, 1 verified: bool }
    /// Given back; `gone` bytes were already destroyed.
    74 ClearanceAborted { 0 clearance: ClearanceId, 1 gone: u64 }
    /// A demand arrived first.
    75 ClearanceRevoked { 0 clearance: ClearanceId, 1 hold: HoldId }
    /// Never begun in time.
    76 ClearanceExpired { 0 clearance: ClearanceId }
    /// Begun and never heard of again: the asset is `unknown`.
    77 ClearanceLost { 0 clearance: ClearanceId }
    /// A data owner asks for data.
    80 AccessRequested { 0 access: AccessId, 1 owner: PartyId, 2 asset: AssetId }
    /// Granted, denied, fulfilled; conditions in the papers.
    81 AccessDecided { 0 access: AccessId, 1 status: AccessStatus }
    /// A cost starts to run.
    82 MeterStarted {
        0 meter: MeterId, 1 matter: MatterId, 2 what: String, 3 units: u32, 4 daily: u64,
        5 currency: String,
    }
    /// It stops.
    83 MeterStopped { 0 meter: MeterId }
    /// Whole days booked by the clock.
    84 CostAccrued { 0 meter: MeterId, 1 days: u32, 2 until: Time }
    /// A single cost.
    85 CostBooked {
        0 matter: MatterId, 1 what: String, 2 milli_units: u64, 3 amount: u64,
        4 currency: String,
    }
    /// A human has to act.
    90 DutyRaised { 0 duty: DutyId, 1 kind: DutyKind }
    /// The human was told.
    91 DutyPaged { 0 duty: DutyId }
    /// The human acted; how, in the papers.
    92 DutyDischarged { 0 duty: DutyId }
    /// An API token; only its hash is kept.
    93 TokenIssued {
        0 token: TokenId, 1 party: PartyId, 2 scope: TokenScope,
        3 hash: minicbor::bytes::ByteArray<32>,
    }
    /// A token is void.
    94 TokenRevoked { 0 token: TokenId }
    /// New keys for the log are proposed; the policy with both is in the papers.
    100 RotationProposed {
        0 rotation: RotationId, 1 from: LogKeys, 2 to: LogKeys, 3 overlap_days: u32,
    }
    /// A second person approved: from here on both pairs sign, until `until` at least.
    101 RotationBegun { 0 rotation: RotationId, 1 until: Time }
    /// From here on only the new pair signs.
    102 RotationEnded { 0 rotation: RotationId, 1 why: KeyEnd }
    /// The new pair is dropped.
    103 RotationCancelled { 0 rotation: RotationId }
    /// The key of log `before` is lost; its entries go on under `origin`. Its last checkpoint that
    /// others saw is in the papers.
    104 LogContinued {
        0 origin: String, 1 keys: LogKeys, 2 before: String,
        3 key: minicbor::bytes::ByteArray<32>, 4 size: u64,
        5 root: minicbor::bytes::ByteArray<32>, 6 note: minicbor::bytes::ByteArray<32>,
    }
    /// A day passed without another entry, and the log saw it.
    105 TimePassed {}
    /// What keeps the packs was put to the test, and some of what is held read back.
    110 EngineProbed {
        0 engine: String, 1 trials: Vec<Trial>, 2 canaries: Canaries, 3 worse: Vec<String>,
    }
    /// A snapshot left in archive volumes, each read back; the first of them is number `first` of
    /// the set.
    111 VolumesWritten {
        0 snapshot: SnapshotId, 1 set: minicbor::bytes::ByteArray<16>, 2 first: u32,
        3 last: bool, 4 volumes: Vec<Written>,
    }
    /// Somebody wanted something destroyed, freed or decided, or a door of the service opened, and
    /// was refused, the first time that day; no more follow for that person that day after the
    /// `last`.
    120 RequestRefused {
        0 by: PartyId, 1 asked: Asked, 2 asset: Option<AssetId>,
        3 disposition: Option<DispositionId>, 4 hold: Option<HoldId>, 5 codes: Vec<String>,
        6 holds: Vec<HoldId>, 7 last: bool, 8 thing: Option<Thing>,
    }
}
