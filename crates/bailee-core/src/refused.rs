//! Refusals that the log keeps: who wanted something destroyed, freed or decided, and why not; and
//! who came to the service with a token that does not open that door.
//!
//! Invariants: a refusal is kept after it was given, and never changes what is decided; it names
//! ids and codes, no words. It is bounded: a day has one entry for the same person, act, thing and
//! codes, and at most [`MOST_A_DAY`] for a person, the last of which says that no more follow.
//! Asking the gate keeps nothing. What somebody has no right to ask is kept whether or not the
//! thing exists: else the size of the log would tell an outsider how many holds there are. Who
//! decides nothing here grows the log by one entry an act and day, whatever it names. Who is not
//! known at all leaves nothing: a stranger must not be able to write into the log.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::command::{Action, Command};
use crate::decide::verb;
use crate::event::By;
use crate::gate;
use crate::id::{
    AccessId, AssetId, ClearanceId, DemandId, DispositionId, HoldId, ObjectionId, PartyId,
    RotationId,
};
use crate::refusal::{Code, Refusal};
use crate::state::State;
use crate::time::Time;

/// Most refusals kept for one person and day.
pub const MOST_A_DAY: usize = 10_000;
/// Most holds named in one entry.
const MOST_HOLDS: usize = 256;

/// What was asked for.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, minicbor::Encode, minicbor::Decode,
)]
#[cbor(index_only)]
pub enum Asked {
    /// A clearance.
    #[n(0)]
    Reserve,
    /// To begin under one.
    #[n(1)]
    Begin,
    /// That a hold be released.
    #[n(2)]
    ProposeRelease,
    /// To approve that.
    #[n(3)]
    ApproveRelease,
    /// To approve a disposition.
    #[n(4)]
    ApproveDisposition,
    /// To decide on a demand.
    #[n(5)]
    DecideDemand,
    /// To decide on an objection.
    #[n(6)]
    DecideObjection,
    /// To decide on an owner's access.
    #[n(7)]
    DecideAccess,
    /// That a basis of a hold end.
    #[n(8)]
    EndBasis,
    /// To approve a change of the log's keys.
    #[n(9)]
    ApproveRotation,
    /// A route of the service that is not for this token.
    #[n(10)]
    Door,
}

/// What an act was about, if that is no asset, disposition or hold.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, minicbor::Encode, minicbor::Decode,
)]
pub enum Thing {
    /// A demand.
    #[n(0)]
    Demand(#[n(0)] DemandId),
    /// An objection.
    #[n(1)]
    Objection(#[n(0)] ObjectionId),
    /// An owner's access.
    #[n(2)]
    Access(#[n(0)] AccessId),
    /// A change of the log's keys.
    #[n(3)]
    Rotation(#[n(0)] RotationId),
}

impl fmt::Display for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Thing::Demand(id) => id.fmt(f),
            Thing::Objection(id) => id.fmt(f),
            Thing::Access(id) => id.fmt(f),
            Thing::Rotation(id) => id.fmt(f),
        }
    }
}

impl Thing {
    fn is_here(self, s: &State) -> bool {
        match self {
            Thing::Demand(id) => s.demands.get(id).is_some(),
            Thing::Objection(id) => s.objections.get(id).is_some(),
            Thing::Access(id) => s.accesses.get(id).is_some(),
            Thing::Rotation(id) => s.ring.rotations.get(id).is_some(),
        }
    }
}

/// What was refused, and by which codes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Refused {
    /// What was asked for.
    pub asked: Asked,
    /// What was to go.
    pub asset: Option<AssetId>,
    /// Under which proposal.
    pub disposition: Option<DispositionId>,
    /// What was to be released, or to lose a basis.
    pub hold: Option<HoldId>,
    /// What else it was about.
    pub thing: Option<Thing>,
    /// The code of the refusal, then those of every other reason of the gate.
    pub codes: Vec<String>,
}

/// Refusals of the last day that has any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusals {
    pub(crate) day: i64,
    pub(crate) kept: BTreeMap<PartyId, BTreeSet<Refused>>,
}

impl Refusals {
    /// Those of a person on a day.
    pub(crate) fn of(&self, day: i64, by: PartyId) -> Option<&BTreeSet<Refused>> {
        self.kept.get(&by).filter(|_| self.day == day)
    }
}

/// True for what leaves an entry if it is refused.
pub fn is_kept(action: &Action) -> bool {
    matches!(
        action,
        Action::Reserve { .. }
            | Action::ReserveDevice { .. }
            | Action::Begin { .. }
            | Action::ProposeRelease { .. }
            | Action::ApproveRelease { .. }
    ) || decision(action).is_some()
}

/// Decisions and approvals: which, and on what.
fn decision(action: &Action) -> Option<Refused> {
    let mut refused = Refused::to(Asked::ApproveDisposition);
    (refused.asked, refused.thing) = match action {
        Action::ApproveDisposition { disposition } => {
            refused.disposition = Some(*disposition);
            (Asked::ApproveDisposition, None)
        }
        Action::EndBasis { hold, .. } => {
            refused.hold = Some(*hold);
            (Asked::EndBasis, None)
        }
        Action::DecideDemand { demand, .. } => (Asked::DecideDemand, Some(Thing::Demand(*demand))),
        Action::DecideObjection { objection, .. } => {
            (Asked::DecideObjection, Some(Thing::Objection(*objection)))
        }
        Action::DecideAccess { access, .. } => (Asked::DecideAccess, Some(Thing::Access(*access))),
        Action::ApproveRotation { rotation } => {
            (Asked::ApproveRotation, Some(Thing::Rotation(*rotation)))
        }
        _ => return None,
    };
    Some(refused)
}

impl Refused {
    /// An act on nothing, for no reason yet.
    fn to(asked: Asked) -> Refused {
        let (asset, disposition, hold, thing) = (None, None, None, None);
        Refused { asked, asset, disposition, hold, thing, codes: Vec::new() }
    }

    fn is_here(&self, s: &State) -> bool {
        self.asset.is_none_or(|id| s.assets.get(id).is_some())
            && self.disposition.is_none_or(|id| s.dispositions.get(id).is_some())
            && self.hold.is_none_or(|id| s.holds.get(id).is_some())
            && self.thing.is_none_or(|thing| thing.is_here(s))
    }
}

/// What records that the command was refused; `None` if it leaves no entry: Bailee's own, one
/// about nothing that is here, and one that is so already.
pub fn to_record(s: &State, command: &Command, refusal: &Refusal, now: Time) -> Option<Action> {
    let By::Party(by) = command.by else { return None };
    s.parties.get(by)?;
    if refusal.code == Code::AlreadyDone {
        return None;
    }
    let outsider = refusal.code == Code::NotPermitted;
    let (mut refused, mine) = asked_for(s, &command.action, outsider)?;
    if !outsider && !refused.is_here(s) {
        return None;
    }
    refused.codes.push(refusal.code.as_str().to_owned());
    let holds = other_reasons(s, &mut refused, refusal, (now, mine));
    Some(Action::RecordRefusal { by, refused, holds })
}

/// What was asked for; the clearance, if it was to begin under one.
fn asked_for(s: &State, action: &Action, outsider: bool) -> Option<(Refused, Option<ClearanceId>)> {
    if let Some(refused) = decision(action) {
        return Some((if outsider { Refused::to(refused.asked) } else { refused }, None));
    }
    let mut mine = None;
    let refused = match action {
        Action::Reserve { disposition, asset, .. }
        | Action::ReserveDevice { disposition, asset, .. } => Refused {
            asset: Some(*asset),
            disposition: Some(*disposition),
            ..Refused::to(Asked::Reserve)
        },
        Action::Begin { .. } if outsider => Refused::to(Asked::Begin),
        Action::Begin { clearance } => {
            let found = s.clearances.get(*clearance)?;
            mine = Some(*clearance);
            Refused {
                asset: Some(found.asset),
                disposition: Some(found.disposition),
                ..Refused::to(Asked::Begin)
            }
        }
        Action::ProposeRelease { hold, .. } => {
            Refused { hold: Some(*hold), ..Refused::to(Asked::ProposeRelease) }
        }
        Action::ApproveRelease { hold } => {
            Refused { hold: Some(*hold), ..Refused::to(Asked::ApproveRelease) }
        }
        _ => return None,
    };
    Some((refused, mine))
}

/// What records that the service did not open a door to somebody it knows; `None` if today has it.
pub fn at_the_door(s: &State, by: PartyId, code: &str, now: Time) -> Option<Action> {
    s.parties.get(by)?;
    let refused = Refused { codes: vec![code.to_owned()], ..Refused::to(Asked::Door) };
    let kept = s.refusals.of(s.now(now).day(), by);
    let known = kept.is_some_and(|kept| kept.contains(&refused));
    (!known).then_some(Action::RecordRefusal { by, refused, holds: Vec::new() })
}

/// The other reasons, if it was the gate that refused; the holds among them.
fn other_reasons(
    s: &State,
    refused: &mut Refused,
    refusal: &Refusal,
    (now, mine): (Time, Option<ClearanceId>),
) -> Vec<HoldId> {
    let kind = refused.disposition.and_then(|id| s.dispositions.get(id)).map(|found| found.kind);
    let verdict = refused
        .asset
        .zip(kind)
        .and_then(|(asset, kind)| gate::verdict(s, asset, verb(kind), s.now(now), mine));
    let reasons = verdict.map_or_else(Vec::new, |verdict| verdict.reasons);
    if reasons.first().is_none_or(|first| first.code != refusal.code) {
        return Vec::new();
    }
    for reason in &reasons {
        let code = reason.code.as_str();
        if refused.codes.iter().all(|known| known != code) {
            refused.codes.push(code.to_owned());
        }
    }
    let holds: BTreeSet<HoldId> = reasons.iter().filter_map(|r| r.about.parse().ok()).collect();
    holds.into_iter().take(MOST_HOLDS).collect()
}
