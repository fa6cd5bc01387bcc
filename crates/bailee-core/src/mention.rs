//! Mentions: which things an event is about, by their ids. For indexes, bundles and timelines.
//!
//! Invariant: every id in an event is mentioned; the macro that defines events calls this for each
//! field, so a new field cannot be forgotten.

use crate::demand::{AccessStatus, DemandStatus, Flag, Medium, Scope};
use crate::disposition::{DispositionKind, Radius};
use crate::engine::{Canaries, Trial};
use crate::hold::EndReason;
use crate::id;
use crate::notice::{About, Evidence};
use crate::policy::{DutyKind, Policy, TokenScope};
use crate::refused::{Asked, Thing};
use crate::rotation::{KeyEnd, LogKeys};
use crate::time::Time;
use crate::volume::Written;

/// Collects the ids in a value, as people write them (`H-17`).
pub(crate) trait Mention {
    /// Calls `tell` for each id.
    fn mention(&self, tell: &mut dyn FnMut(String));
}

macro_rules! ids {
    ($($name:ident)*) => {$(
        impl Mention for id::$name {
            fn mention(&self, tell: &mut dyn FnMut(String)) {
                tell(self.to_string());
            }
        }
    )*};
}

macro_rules! silent {
    ($($name:ty),* $(,)?) => {$(
        impl Mention for $name {
            fn mention(&self, _: &mut dyn FnMut(String)) {}
        }
    )*};
}

ids! {
    PartyId EntityId AccountId AssetId MatterId DemandId HoldId NoticeId ObjectionId
    DispositionId ClearanceId SnapshotId AccessId MeterId DutyId TokenId RotationId
}

silent! {
    bool, u8, u32, u64, String, Time, Policy, crate::instrument::Catalogue, crate::party::Role,
    crate::asset::AssetKind, crate::asset::Lifecycle, crate::asset::Identifier, Medium, Flag,
    DemandStatus, EndReason, DispositionKind, Evidence, AccessStatus, TokenScope,
    minicbor::bytes::ByteArray<32>, LogKeys, KeyEnd, Trial,
    minicbor::bytes::ByteArray<16>, Written, Asked,
}

impl<T: Mention> Mention for Vec<T> {
    fn mention(&self, tell: &mut dyn FnMut(String)) {
        self.iter().for_each(|one| one.mention(tell));
    }
}

impl<T: Mention> Mention for Option<T> {
    fn mention(&self, tell: &mut dyn FnMut(String)) {
        self.iter().for_each(|one| one.mention(tell));
    }
}

impl Mention for Scope {
    fn mention(&self, tell: &mut dyn FnMut(String)) {
        self.accounts.mention(tell);
        self.assets.mention(tell);
    }
}

impl Mention for Radius {
    fn mention(&self, tell: &mut dyn FnMut(String)) {
        self.holds.mention(tell);
        self.copies.mention(tell);
    }
}

impl Mention for About {
    fn mention(&self, tell: &mut dyn FnMut(String)) {
        match self {
            About::Disposition(id) => id.mention(tell),
            About::Decision(id) => id.mention(tell),
            About::Objection(id) => id.mention(tell),
        }
    }
}

impl Mention for Thing {
    fn mention(&self, tell: &mut dyn FnMut(String)) {
        tell(self.to_string());
    }
}

impl Mention for Canaries {
    fn mention(&self, tell: &mut dyn FnMut(String)) {
        self.lost.iter().for_each(|lost| lost.snapshot.mention(tell));
    }
}

impl Mention for DutyKind {
    fn mention(&self, tell: &mut dyn FnMut(String)) {
        match self {
            DutyKind::Triage(id) | DutyKind::Unmatched(id) => id.mention(tell),
            DutyKind::NoBasisLeft(id) | DutyKind::ReviewHold(id) => id.mention(tell),
            DutyKind::ReachParty(id) => id.mention(tell),
            DutyKind::InspectAsset(id) | DutyKind::ExplainLoss(id) => id.mention(tell),
            DutyKind::RepairSnapshot(id) => id.mention(tell),
            DutyKind::InspectEngine(_) | DutyKind::CheckClock(_) => {}
        }
    }
}
