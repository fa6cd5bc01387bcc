//! Holds: what suspends disposition, and why.
//!
//! Invariants: a hold is a set of reasons, not a bit (rule 2). It blocks from the entry that places
//! it to the entry that releases it, whatever its clocks do in between: clocks lapse bases, not
//! data (rule 8).

use crate::demand::{Digest, Scope};
use crate::disposition::Approval;
use crate::id::{DemandId, MatterId, PartyId};
use crate::time::Time;

/// Where a hold stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldStatus {
    /// Placed by the arrival of a demand; nobody has decided yet.
    Provisional,
    /// Decided.
    Active,
    /// Refused or released; still blocks until this time has passed and is recorded.
    Cooling(Time),
    /// Over.
    Released,
}

/// Why a basis ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
#[cbor(index_only)]
pub enum EndReason {
    /// Its clock ran out.
    #[n(0)]
    Lapsed,
    /// Its issuer took it back.
    #[n(1)]
    Withdrawn,
}

/// One legal basis with its clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Basis {
    /// Code of the instrument.
    pub instrument: String,
    /// When its clock started.
    pub since: Time,
    /// When it falls due; `None`: no clock.
    pub due: Option<Time>,
    /// How often it was extended.
    pub extensions: u8,
    /// When and why it ended.
    pub ended: Option<(Time, EndReason)>,
    /// SHA-256 of the document it was recorded with, or else extended with; that of a demand is
    /// with the demand.
    pub document: Option<Digest>,
}

impl Basis {
    /// True if it still stands at `now`, recorded or not.
    pub fn stands(&self, now: Time) -> bool {
        self.ended.is_none() && self.due.is_none_or(|due| due > now)
    }
}

/// Suspends disposition for a scope.
#[derive(Clone, Debug, PartialEq)]
pub struct Hold {
    /// The matter that gives it its reason.
    pub matter: Option<MatterId>,
    /// The demands it rests on.
    pub demands: Vec<DemandId>,
    /// Which data.
    pub scope: Scope,
    /// Legal bases, in the order they came.
    pub bases: Vec<Basis>,
    /// Where it stands.
    pub status: HoldStatus,
    /// True if the owner must not learn of it.
    pub silent: bool,
    /// When the silence ends by itself, if it does.
    pub gag_until: Option<Time>,
    /// Who decided that a verified copy satisfies it.
    pub copy_allowed: Option<PartyId>,
    /// Log position that places it.
    pub position: u64,
    /// When it was placed.
    pub placed: Time,
    /// Who proposed its release, and who approved.
    pub release: Option<Release>,
}

/// A proposal to release a hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// Who proposed.
    pub proposer: PartyId,
    /// Who approved.
    pub approvals: Vec<Approval>,
}

impl Hold {
    /// True while it blocks.
    pub fn in_force(&self) -> bool {
        self.status != HoldStatus::Released
    }
}
