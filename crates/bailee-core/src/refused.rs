//! Refusals that the log keeps: who wanted something destroyed or freed, and why it was not.
//!
//! Invariants: a refusal is kept after it was given, and never changes what is decided; it names
//! ids and codes, no words. It is bounded: a day has one entry for the same person, act, thing and
//! codes, and at most [`MOST_A_DAY`] for a person, the last of which says that no more follow.
//! Asking the gate keeps nothing. What somebody has no right to ask is kept whether or not the
//! thing exists: else the size of the log would tell an outsider how many holds there are.

use std::collections::{BTreeMap, BTreeSet};

use crate::command::{Action, Command};
use crate::decide::verb;
use crate::event::By;
use crate::gate;
use crate::id::{AssetId, ClearanceId, DispositionId, HoldId, PartyId};
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
    /// What was to be released.
    pub hold: Option<HoldId>,
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
            | Action::Begin { .. }
            | Action::ProposeRelease { .. }
            | Action::ApproveRelease { .. }
    )
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
    let what = |asked, asset, disposition, hold| {
        let codes = vec![refusal.code.as_str().to_owned()];
        Refused { asked, asset, disposition, hold, codes }
    };
    let (mut refused, mine) = match &command.action {
        Action::Reserve { disposition, asset, .. } => {
            (what(Asked::Reserve, Some(*asset), Some(*disposition), None), None)
        }
        Action::Begin { .. } if outsider => (what(Asked::Begin, None, None, None), None),
        Action::Begin { clearance } => {
            let found = s.clearances.get(*clearance)?;
            let (asset, disposition) = (Some(found.asset), Some(found.disposition));
            (what(Asked::Begin, asset, disposition, None), Some(*clearance))
        }
        Action::ProposeRelease { hold, .. } => {
            (what(Asked::ProposeRelease, None, None, Some(*hold)), None)
        }
        Action::ApproveRelease { hold } => {
            (what(Asked::ApproveRelease, None, None, Some(*hold)), None)
        }
        _ => return None,
    };
    let here = refused.asset.is_none_or(|id| s.assets.get(id).is_some())
        && refused.disposition.is_none_or(|id| s.dispositions.get(id).is_some())
        && refused.hold.is_none_or(|id| s.holds.get(id).is_some());
    if !here && !outsider {
        return None;
    }
    let holds = other_reasons(s, &mut refused, refusal, (now, mine));
    Some(Action::RecordRefusal { by, refused, holds })
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
