//! Refusals: every "no" has a stable code and says what would change the answer (rule 12).
//!
//! A refusal is a domain answer, not a failure: nothing is wrong with the system.

use std::fmt;

macro_rules! codes {
    ($($name:ident $code:literal $change:literal)*) => {
        /// Why the answer is no. Codes are stable: programs and letters cite them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[allow(missing_docs, reason = "the code is the name, the remedy stands beside it")]
        pub enum Code { $($name,)* }

        impl Code {
            /// The stable text, e.g. `hold_in_force`.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$name => $code,)* }
            }

            /// What would change the answer.
            pub fn change(self) -> &'static str {
                match self { $(Code::$name => $change,)* }
            }

            /// Every code there is.
            pub const ALL: &'static [Code] = &[$(Code::$name),*];
        }
    };
}

codes! {
    HoldInForce "hold_in_force" "release it with four eyes, or let counsel allow a verified copy"
    HoldProvisional "hold_provisional" "decide on the demand that placed it"
    HoldCooling "hold_cooling" "wait until the cooling period is over"
    AccountActive "account_active" "the account must be terminated first"
    RetentionRunning "retention_running" "wait until the account's retention is over"
    ClockInDoubt "clock_in_doubt" "put the clock right, or serve the house for two days"
    ClearanceOutstanding "clearance_outstanding" "wait for its report, or until its time is over"
    AlreadyGone "already_gone" "nothing: it was destroyed or handed over"
    HoldNotAccepted "hold_not_accepted" "the transferee must accept the hold by name"
    NotPermitted "not_permitted" "ask somebody with the role"
    NotFound "not_found" "check the id"
    AlreadyDone "already_done" "nothing: it is so already"
    BadValue "bad_value" "correct the value"
    ReasonTooLong "reason_too_long" "shorten it, and hand in the long text as a document"
    IdentifierTaken "identifier_taken" "use the asset that has it, or leave the identifier out"
    DeviceBound "device_bound" "register the other device as a part of it, by itself"
    LineageCycle "lineage_cycle" "an asset cannot be part or copy of itself"
    ChannelTaken "channel_taken" "register as the same person"
    NotYourData "not_your_data" "only the owner of the account may ask"
    AccessNotGranted "access_not_granted" "grant it first, with its conditions"
    NotOwed "not_owed" "ask in a letter or by form that it be kept: that is a demand, and holds it"
    DemandDecided "demand_decided" "place a hold or receive a new demand"
    HoldNotInForce "hold_not_in_force" "place a new hold"
    BasisEnded "basis_ended" "add a new basis"
    ExtensionExhausted "extension_exhausted" "add another basis"
    NotSilent "not_silent" "place a silent hold over the same scope"
    NotExtendable "not_extendable" "add another basis"
    MatterClosed "matter_closed" "name an open matter, or open a new one"
    MatterNeedsHolds "matter_has_holds" "release the matter's holds first"
    ApproverIsProposer "approver_is_proposer" "another person must approve"
    ApproverRepeats "approver_repeats" "a third person must approve"
    NotProposed "not_proposed" "propose it first"
    RadiusChanged "radius_changed" "approve again: what would be destroyed or freed has changed"
    ApprovalsMissing "approvals_missing" "two persons other than the proposer must approve"
    CounselMissing "counsel_missing" "one of those who approve must be counsel"
    NoticeMissing "notice_missing" "queue a notice to every party owed one"
    NoticeNotDelivered "notice_not_delivered" "prove delivery, by another channel if need be"
    WaitingPeriod "waiting_period" "wait until the period after proven delivery is over"
    ObjectionOpen "objection_open" "decide the objection in writing"
    DispositionClosed "disposition_closed" "propose a new disposition"
    AssetNotInDisposition "asset_not_in_disposition" "propose a disposition that names it"
    CanaryPending "canary_pending" "finish and verify the first asset of the batch"
    RateLimited "rate_limited" "go on tomorrow, or let counsel raise the limit"
    NoSubject "no_subject" "bind the asset to its device by a hard identifier first"
    WrongSubject "wrong_subject" "use the device the asset is bound to"
    ClearanceExpired "clearance_expired" "reserve again"
    ClearanceRevoked "clearance_revoked" "stop and report what is gone; ask the gate what changed"
    ClearanceUsed "clearance_used" "a clearance is for one use: reserve again"
    ClearanceNotBegun "clearance_not_begun" "begin first"
    LeaseLapsed "lease_lapsed" "stop at once and report what is gone"
    NotVerified "not_verified" "verify the sanitization before finishing"
    CertificateMissing "certificate_missing" "hand in the certificate with the finish"
    ErasureBlocked "erasure_blocked" "end the account, or release the hold, that needs this first"
    WrongKind "wrong_kind" "choose the disposition that fits the asset"
    RotationOpen "rotation_open" "end or cancel that rotation first"
    RotationNotBegun "rotation_not_begun" "another person must approve it first"
    RotationClosed "rotation_closed" "propose a new rotation"
    OverlapRunning "overlap_running" "wait until then, or say that the old key was stolen"
}

/// A named no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Stable code.
    pub code: Code,
    /// The thing it is about, e.g. `H-17`.
    pub about: String,
    /// What is so, in words.
    pub text: String,
    /// What would change the answer: as the code says, unless it is known better.
    pub change: &'static str,
}

impl Refusal {
    /// Builds a refusal about one thing.
    pub fn new(code: Code, about: impl fmt::Display, text: impl Into<String>) -> Refusal {
        Refusal { code, about: about.to_string(), text: text.into(), change: code.change() }
    }

    /// With what would change this very answer.
    pub(crate) fn with_change(self, change: &'static str) -> Refusal {
        Refusal { change, ..self }
    }

    /// The thing named does not exist.
    pub(crate) fn not_found(about: impl fmt::Display) -> Refusal {
        Refusal::new(Code::NotFound, about, "does not exist")
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Refusal { code, about, text, change } = self;
        write!(f, "{}: {about} {text}; {change}", code.as_str())
    }
}

impl std::error::Error for Refusal {}
