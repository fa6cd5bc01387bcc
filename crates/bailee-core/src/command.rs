//! Commands: what somebody wants to happen. `decide` says yes with facts, or no by name.
//!
//! Out of scope: authentication. The shell proves who `by` is; the core decides what they may.

mod brought;

pub use brought::{Continue, NewAsset, NewDemand, Reason, Triage};

use crate::asset::{Identifier, Lifecycle};
use crate::demand::{Digest, Medium, Scope};
use crate::disposition::DispositionKind;
use crate::engine::{Canaries, Trial};
use crate::event::By;
use crate::id::{
    AccessId, AccountId, AssetId, ClearanceId, DemandId, DispositionId, DutyId, EntityId, HoldId,
    MatterId, MeterId, NoticeId, ObjectionId, PartyId, RotationId, SnapshotId, TokenId,
};
use crate::instrument::Catalogue;
use crate::notice::Evidence;
use crate::party::{Role, Who};
use crate::policy::{Policy, TokenScope};
use crate::refused::Refused;
use crate::rotation::{KeyEnd, LogKeys};
use crate::time::Time;
use crate::volume::Written;

/// Who wants what.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    /// Who asks.
    pub by: By,
    /// For what.
    pub action: Action,
}

impl Command {
    /// By Bailee itself.
    pub fn system(action: Action) -> Command {
        Command { by: By::System, action }
    }

    /// By a party.
    pub fn by(party: PartyId, action: Action) -> Command {
        Command { by: By::Party(party), action }
    }
}

/// Everything that can be asked for. Fields are the words of the domain.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "each variant is decided in the file of its noun")]
pub enum Action {
    SetPolicy(Policy),
    LoadInstruments(Catalogue),
    RegisterParty {
        who: Who,
        roles: Vec<Role>,
        same_person_as: Option<PartyId>,
    },
    ChangeParty {
        party: PartyId,
        who: Who,
    },
    EraseDetails {
        party: PartyId,
    },
    RegisterEntity {
        name: String,
        country: String,
    },
    RegisterAccount {
        owner: PartyId,
        entity: EntityId,
        label: String,
        law: String,
        retention_days: u32,
    },
    TerminateAccount {
        account: AccountId,
    },
    RegisterAsset(NewAsset),
    MoveAsset {
        asset: AssetId,
        lifecycle: Lifecycle,
        place: String,
    },
    RelabelAsset {
        asset: AssetId,
        label: String,
        identifiers: Vec<Identifier>,
        bytes: Option<u64>,
    },
    AssignAsset {
        asset: AssetId,
        account: AccountId,
    },
    CopyAsset {
        asset: AssetId,
        source: AssetId,
    },
    ReceiveDemand(NewDemand),
    MatchDemand {
        demand: DemandId,
        scope: Scope,
    },
    /// How it came in, where that was recorded wrongly.
    CorrectMedium {
        demand: DemandId,
        medium: Medium,
        reason: Reason,
    },
    DecideDemand {
        demand: DemandId,
        triage: Triage,
        reason: Reason,
    },
    ReceiptSent {
        demand: DemandId,
    },
    OpenMatter {
        title: String,
    },
    CloseMatter {
        matter: MatterId,
    },
    FileCorrespondence {
        matter: MatterId,
        from: PartyId,
        reason: Reason,
    },
    PlaceHold {
        scope: Scope,
        instrument: String,
        matter: Option<MatterId>,
        silent: Option<bool>,
        reason: Reason,
    },
    AddBasis {
        hold: HoldId,
        instrument: String,
        reason: Reason,
    },
    ExtendBasis {
        hold: HoldId,
        basis: u8,
        reason: Reason,
    },
    EndBasis {
        hold: HoldId,
        basis: u8,
        reason: Reason,
    },
    AllowCopy {
        hold: HoldId,
        reason: Reason,
    },
    /// Until when a hold is silent; `None` ends the silence now.
    SetGag {
        hold: HoldId,
        until: Option<Time>,
        reason: Reason,
    },
    ProposeRelease {
        hold: HoldId,
        reason: Reason,
    },
    ApproveRelease {
        hold: HoldId,
    },
    RecordSnapshot {
        source: AssetId,
        root: Digest,
        vault_id: String,
        bytes: u64,
        unreadable: u32,
        changed: u32,
        taken: Time,
    },
    VerifySnapshot {
        snapshot: SnapshotId,
        intact: bool,
    },
    ProposeDisposition {
        kind: DispositionKind,
        assets: Vec<AssetId>,
        to: Option<PartyId>,
        reason: Reason,
    },
    QueueNotices {
        disposition: DispositionId,
    },
    ApproveDisposition {
        disposition: DispositionId,
    },
    CancelDisposition {
        disposition: DispositionId,
        reason: Reason,
    },
    AcceptHold {
        disposition: DispositionId,
        hold: HoldId,
    },
    NoticeSent {
        notice: NoticeId,
        attempt: u8,
    },
    RecordEvidence {
        notice: NoticeId,
        attempt: u8,
        evidence: Evidence,
        reason: Reason,
    },
    FileObjection {
        disposition: DispositionId,
        by: PartyId,
        reason: Reason,
    },
    DecideObjection {
        objection: ObjectionId,
        upheld: bool,
        reason: Reason,
    },
    Reserve {
        disposition: DispositionId,
        asset: AssetId,
        subject: Digest,
    },
    /// `Reserve` for a device, with all by which that is known again: none is another asset's.
    ReserveDevice {
        disposition: DispositionId,
        asset: AssetId,
        subject: Digest,
        media: Vec<String>,
    },
    Begin {
        clearance: ClearanceId,
    },
    Renew {
        clearance: ClearanceId,
    },
    Finish {
        clearance: ClearanceId,
        verified: bool,
        reason: Reason,
    },
    Abort {
        clearance: ClearanceId,
        gone: u64,
        reason: Reason,
    },
    RequestAccess {
        owner: PartyId,
        asset: AssetId,
        reason: Reason,
    },
    DecideAccess {
        access: AccessId,
        granted: bool,
        reason: Reason,
    },
    FulfilAccess {
        access: AccessId,
        reason: Reason,
    },
    StartMeter {
        matter: MatterId,
        what: String,
        units: u32,
        daily: u64,
        currency: String,
    },
    StopMeter {
        meter: MeterId,
    },
    BookCost {
        matter: MatterId,
        what: String,
        milli_units: u64,
        amount: u64,
        currency: String,
    },
    DutyPaged {
        duty: DutyId,
    },
    DischargeDuty {
        duty: DutyId,
        reason: Reason,
    },
    IssueToken {
        party: PartyId,
        scope: TokenScope,
        hash: Digest,
    },
    RevokeToken {
        token: TokenId,
    },
    ProposeRotation {
        from: LogKeys,
        to: LogKeys,
        overlap_days: u32,
        reason: Reason,
    },
    ApproveRotation {
        rotation: RotationId,
    },
    EndRotation {
        rotation: RotationId,
        why: KeyEnd,
        reason: Reason,
    },
    CancelRotation {
        rotation: RotationId,
        reason: Reason,
    },
    ContinueLog {
        to: Continue,
        reason: Reason,
    },
    /// What keeps the packs was tried, and some of what is held read back.
    RecordProbe {
        engine: String,
        trials: Vec<Trial>,
        canaries: Canaries,
    },
    /// A snapshot was written to archive volumes, in the order of the set, and each read back.
    RecordRefusal {
        by: PartyId,
        refused: Refused,
        holds: Vec<HoldId>,
    },
    RecordVolumes {
        snapshot: SnapshotId,
        set: [u8; 16],
        volumes: Vec<Written>,
    },
    Tick,
}

impl Action {
    /// Under which disposition it asks for a clearance, and of what, however it names the thing.
    pub fn reserves(&self) -> Option<(DispositionId, AssetId)> {
        match self {
            Action::Reserve { disposition, asset, .. }
            | Action::ReserveDevice { disposition, asset, .. } => Some((*disposition, *asset)),
            _ => None,
        }
    }
}
