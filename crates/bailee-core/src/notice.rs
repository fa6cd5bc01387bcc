//! Notices: formal messages out, with evidence of delivery.
//!
//! Invariant (rule 6): silence is not consent. Only evidence that names the recipient's own system
//! or person proves delivery; a relay without confirmation proves nothing.

use crate::id::{DemandId, DispositionId, ObjectionId, PartyId};
use crate::time::Time;

/// What a notice is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub enum About {
    /// A disposition that is proposed.
    #[n(0)]
    Disposition(#[n(0)] DispositionId),
    /// The decision on a demand.
    #[n(1)]
    Decision(#[n(0)] DemandId),
    /// The decision on an objection.
    #[n(2)]
    Objection(#[n(0)] ObjectionId),
}

/// What is known of an attempt (events of ETSI EN 319 522; the mapping is ours).
#[derive(Clone, Copy, Debug, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
#[cbor(index_only)]
pub enum Evidence {
    /// Accepted by a mail exchanger (RelayToNonERDS). Proves nothing.
    #[n(0)]
    Relayed,
    /// Delivery status `delivered` (ContentConsignment; not: read).
    #[n(1)]
    Delivered,
    /// Opened on the portal by the identified person (ContentAccessTracking).
    #[n(2)]
    Opened,
    /// "I acknowledge" (ConsignmentAcceptance).
    #[n(3)]
    Acknowledged,
    /// Served in person or by registered post, with an exhibit.
    #[n(4)]
    Served,
    /// Bounced (RelayFailure).
    #[n(5)]
    Bounced,
    /// Nothing came in the time allowed.
    #[n(6)]
    Silence,
}

impl Evidence {
    /// True if it proves delivery.
    pub fn proves(self) -> bool {
        use Evidence::{Acknowledged, Delivered, Opened, Served};
        matches!(self, Delivered | Opened | Acknowledged | Served)
    }

    /// True if it ends the attempt without proof.
    pub fn fails(self) -> bool {
        matches!(self, Evidence::Bounced | Evidence::Silence)
    }
}

/// One attempt through one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Index of the recipient's channel.
    pub channel: u8,
    /// When it was queued.
    pub at: Time,
    /// True once it has left.
    pub sent: bool,
    /// When silence ends it.
    pub due: Time,
    /// What is known of it, oldest first.
    pub evidence: Vec<(Time, Evidence)>,
}

/// A formal outbound message to one party.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// To whom.
    pub to: PartyId,
    /// About what.
    pub about: About,
    /// Log position of the decision it tells of, whose papers are its reasons.
    pub rests_on: Option<u64>,
    /// Attempts, oldest first.
    pub attempts: Vec<Attempt>,
    /// When delivery was first proven, and by what.
    pub proven: Option<(Time, Evidence)>,
    /// True once all channels failed and a human was asked.
    pub escalated: bool,
}

impl Notice {
    /// True if delivery is proven by nothing but a mail system's report on attempt `n`: a failure
    /// that is reported of the same attempt later takes that back.
    pub(crate) fn rests_on_report(&self, n: u8) -> bool {
        let all = self.attempts.iter().enumerate();
        let mut proofs = all
            .flat_map(|(of, tried)| tried.evidence.iter().map(move |(_, what)| (of, *what)))
            .filter(|(_, what)| what.proves());
        self.proven.is_some()
            && proofs.all(|(of, what)| of == usize::from(n) && what == Evidence::Delivered)
    }
}
