//! Policy: the numbers counsel may set, and what a human must be asked to do.
//!
//! Invariant: no policy value can open the gate. They lengthen or shorten waits within limits that
//! [`Policy::fault`] enforces; none of them can make a demand not block.

use crate::id::{ClearanceId, DemandId, HoldId, NoticeId, SnapshotId};

/// Waiting times and limits of a deployment.
#[derive(Clone, Debug, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub struct Policy {
    /// Days between proven delivery to the last party and the first clearance.
    #[n(0)]
    pub waiting_days: u32,
    /// Days a refused or released hold still blocks.
    #[n(1)]
    pub cooling_days: u32,
    /// Days without proof before the next channel is tried.
    #[n(2)]
    pub silence_days: u32,
    /// Assets that may be let go of per day.
    #[n(3)]
    pub daily_limit: u32,
    /// Of them, per owner.
    #[n(4)]
    pub daily_limit_per_owner: u32,
    /// Seconds a reservation stands before it is begun.
    #[n(5)]
    pub reservation_seconds: u32,
    /// Seconds of a lease; at most 60.
    #[n(6)]
    pub lease_seconds: u32,
}

/// Longest lease, seconds (rule 5).
pub const LONGEST_LEASE: u32 = 60;

impl Default for Policy {
    fn default() -> Policy {
        Policy {
            waiting_days: 30,
            cooling_days: 14,
            silence_days: 7,
            daily_limit: 100,
            daily_limit_per_owner: 50,
            reservation_seconds: 900,
            lease_seconds: LONGEST_LEASE,
        }
    }
}

impl Policy {
    /// What is wrong with it; `None` if it can be used.
    pub fn fault(&self) -> Option<&'static str> {
        if self.lease_seconds == 0 || self.lease_seconds > LONGEST_LEASE {
            return Some("a lease lasts 1 to 60 seconds");
        }
        if self.reservation_seconds == 0 || self.reservation_seconds > 86_400 {
            return Some("a reservation lasts 1 second to 1 day");
        }
        if self.waiting_days == 0 || self.cooling_days == 0 || self.silence_days == 0 {
            return Some("waiting, cooling and silence last at least one day");
        }
        if [self.waiting_days, self.cooling_days, self.silence_days].iter().any(|d| *d > 36_500) {
            return Some("no wait is longer than a hundred years");
        }
        None
    }
}

/// What a token may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
#[cbor(index_only)]
pub enum TokenScope {
    /// Hand in demands, nothing else.
    #[n(0)]
    Intake,
    /// Ask the gate and carry out clearances.
    #[n(1)]
    Agent,
    /// Everything the party's roles allow.
    #[n(2)]
    Operator,
    /// Read only.
    #[n(3)]
    Reader,
}

/// A token, by hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Whose.
    pub party: crate::id::PartyId,
    /// For what.
    pub scope: TokenScope,
    /// SHA-256 of the token's text.
    pub hash: [u8; 32],
    /// True once void.
    pub revoked: bool,
}

/// Why a human is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub enum DutyKind {
    /// Decide on a demand.
    #[n(0)]
    Triage(#[n(0)] DemandId),
    /// A demand matches nothing: find out what it means.
    #[n(1)]
    Unmatched(#[n(0)] DemandId),
    /// A ceiling ran out and no other basis stands: keeping on is a breach.
    #[n(2)]
    NoBasisLeft(#[n(0)] HoldId),
    /// A hold's last clock ran out, or it came to mean more while it cooled: review it.
    #[n(3)]
    ReviewHold(#[n(0)] HoldId),
    /// No channel proved delivery.
    #[n(4)]
    ReachParty(#[n(0)] NoticeId),
    /// An agent began and was never heard of again.
    #[n(5)]
    InspectAsset(#[n(0)] ClearanceId),
    /// A demand arrived while an agent was destroying: tell its sender what is gone.
    #[n(6)]
    ExplainLoss(#[n(0)] ClearanceId),
    /// A snapshot is not what its manifest says.
    #[n(7)]
    RepairSnapshot(#[n(0)] SnapshotId),
    /// What keeps the packs broke a promise or lost something: the finding at this log position.
    #[n(8)]
    InspectEngine(#[n(0)] u64),
    /// The clock leapt: the entry at this log position is the first after it.
    #[n(9)]
    CheckClock(#[n(0)] u64),
}

/// Something a human has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duty {
    /// What.
    pub kind: DutyKind,
    /// True once the human was told.
    pub paged: bool,
    /// True once done.
    pub discharged: bool,
}
