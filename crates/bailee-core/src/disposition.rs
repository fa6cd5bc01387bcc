//! Dispositions, objections and clearances: the letting-go side.
//!
//! Invariants (rules 5 to 7): a disposition carries three persons' names before anything happens;
//! an approval is worth something only for the blast radius it was given for; a clearance is for
//! one asset, once, and is never `done` without a finish.

use crate::demand::Digest;
use crate::event::By;
use crate::id::{AssetId, DispositionId, HoldId, NoticeId, ObjectionId, PartyId, SnapshotId};
use crate::time::Time;

/// How the keeping ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
#[cbor(index_only)]
pub enum DispositionKind {
    /// Overwrite a device.
    #[n(0)]
    Sanitize,
    /// Expire a snapshot.
    #[n(1)]
    Expire,
    /// Give the asset back to its owner.
    #[n(2)]
    Return,
    /// Hand custody and every hold to a transferee.
    #[n(3)]
    Transfer,
    /// Cryptographic erase (NIST SP 800-88): destroy the key of the custody unit that a snapshot is
    /// in, and with it every snapshot of that unit.
    #[n(4)]
    Erase,
}

/// What approvers approve: computed, never typed.
#[derive(Clone, Debug, PartialEq, Eq, Default, minicbor::Encode, minicbor::Decode)]
pub struct Radius {
    /// Number of assets, parts included.
    #[n(0)]
    pub assets: u32,
    /// Bytes on them.
    #[n(1)]
    pub bytes: u64,
    /// Whose data.
    #[n(2)]
    pub owners: Vec<PartyId>,
    /// Holds in force over them.
    #[n(3)]
    pub holds: Vec<HoldId>,
    /// Verified copies; of a custody unit that is to be erased, its snapshots.
    #[n(4)]
    pub copies: Vec<SnapshotId>,
}

/// One person's approval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// Who.
    pub by: PartyId,
    /// When.
    pub at: Time,
    /// For what.
    pub radius: Radius,
    /// Place in the log.
    pub position: u64,
}

/// A proposal to end the keeping of assets.
#[derive(Clone, Debug, PartialEq)]
pub struct Disposition {
    /// How.
    pub kind: DispositionKind,
    /// Of what; the first one goes alone.
    pub assets: Vec<AssetId>,
    /// Who proposed.
    pub proposer: PartyId,
    /// Who takes over (transfer) or gets back (return).
    pub to: Option<PartyId>,
    /// Notices to those owed one.
    pub notices: Vec<NoticeId>,
    /// Holds that the notices to the transferee told of.
    pub told: Vec<HoldId>,
    /// Objections against it.
    pub objections: Vec<ObjectionId>,
    /// Approvals so far, void ones included.
    pub approvals: Vec<Approval>,
    /// Holds the transferee has accepted by name.
    pub accepted: Vec<HoldId>,
    /// Assets carried out.
    pub done: Vec<AssetId>,
    /// Days of waiting that its notices promise: the policy's when it was proposed. A policy that
    /// is shortened later does not shorten it, one that is lengthened does.
    pub waiting_days: u32,
    /// True once taken back or stopped by an objection.
    pub cancelled: bool,
}

/// A reasoned answer to a notice.
#[derive(Clone, Debug, PartialEq)]
pub struct Objection {
    /// Against what.
    pub disposition: DispositionId,
    /// By whom.
    pub by: PartyId,
    /// `None`: not decided.
    pub upheld: Option<bool>,
    /// Log position of the decision.
    pub decided: Option<u64>,
}

/// Where a clearance stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClearanceStatus {
    /// Granted until this time; nothing was touched.
    Reserved(Time),
    /// An agent works under a lease until this time.
    Begun(Time),
    /// Finished and certified.
    Finished,
    /// Given back; nothing, or some of it, is gone.
    Aborted,
    /// A demand arrived while an agent worked: it is to stop and report; its lease ends then.
    Stopping(Time),
    /// A demand arrived before anything was touched.
    Revoked,
    /// Never begun in time.
    Expired,
    /// Begun and never heard of again.
    Lost,
}

/// A single-use permission.
#[derive(Clone, Debug, PartialEq)]
pub struct Clearance {
    /// Under which disposition.
    pub disposition: DispositionId,
    /// For which asset.
    pub asset: AssetId,
    /// SHA-256 of the identity of the thing itself.
    pub subject: Digest,
    /// Where it stands.
    pub status: ClearanceStatus,
    /// Log position of the reservation.
    pub position: u64,
    /// When it was reserved.
    pub reserved: Time,
    /// Who began it, and alone can say how it ends while its lease runs.
    pub begun: Option<By>,
    /// Holds in force when a lease was given; always empty, or rule 5 is broken.
    pub against: Vec<HoldId>,
    /// Owners without a notice when it was reserved; always empty, or rule 6 is broken.
    pub untold: Vec<PartyId>,
    /// Log position of the certificate's entry.
    pub certificate: Option<u64>,
    /// When it ended, however it did.
    pub ended: Option<Time>,
    /// Bytes that are gone of what was given back.
    pub gone: u64,
    /// Log position of the report of whoever gave it back; its papers say why.
    pub report: Option<u64>,
}

impl Clearance {
    /// True while something may still be destroyed under it.
    pub fn is_open(&self) -> bool {
        use ClearanceStatus::{Begun, Reserved, Stopping};
        matches!(self.status, Reserved(_) | Begun(_) | Stopping(_))
    }
}
