//! The gate: may this asset be let go of? Clear, or blocked with all reasons (rule 4).
//!
//! Invariants: the verdict is a pure function of the state; reasons come in the order of their
//! codes, then of their ids; each names the documents it rests on and what would change the answer.
//! Nothing but the list being empty makes it clear. Policy, roles and quotas are not asked here.

use crate::asset::Fate;
use crate::copies;
use crate::coverage;
use crate::custody;
use crate::demand::{Demand, Digest};
use crate::hold::{Hold, HoldStatus};
use crate::id::{AssetId, ClearanceId, HoldId, SnapshotId};
use crate::refusal::Code;
use crate::state::State;
use crate::time::Time;

/// What somebody wants to do with the asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Wipe, re-provision, delete, expire, sell, give back: the data leaves the provider's keeping.
    LetGo,
    /// Hand custody over together with every hold.
    Transfer,
    /// Let go of every snapshot of the custody unit that this one is in.
    Erase,
}

/// One reason for "blocked".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// Stable code.
    pub code: Code,
    /// The hold, account or clearance it is about.
    pub about: String,
    /// The part of the lineage through which it reaches the asset.
    pub through: AssetId,
    /// What is so, in words.
    pub text: String,
    /// SHA-256 of each document it rests on: of a hold, one for each basis that stands and has one.
    pub rests_on: Vec<Digest>,
    /// What would change the answer.
    pub change: &'static str,
}

impl Reason {
    /// A reason that rests on no document, and is changed as its code says.
    fn of(code: Code, about: impl std::fmt::Display, through: AssetId, text: String) -> Reason {
        let (about, change) = (about.to_string(), code.change());
        Reason { code, about, through, text, rests_on: Vec::new(), change }
    }
}

/// The answer of the gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// About which asset.
    pub asset: AssetId,
    /// Every reason why not; empty means clear.
    pub reasons: Vec<Reason>,
    /// Holds that a verified copy satisfies, with that copy.
    pub satisfied: Vec<(HoldId, SnapshotId)>,
    /// Log position the answer was given at: everything before it was considered.
    pub position: u64,
}

impl Verdict {
    /// True if nothing stands against it.
    pub fn is_clear(&self) -> bool {
        self.reasons.is_empty()
    }
}

/// Asks the gate. `None` if there is no such asset. A clearance open on the asset is a reason,
/// unless it is `mine`.
pub fn verdict(
    state: &State,
    id: AssetId,
    verb: Verb,
    now: Time,
    mine: Option<ClearanceId>,
) -> Option<Verdict> {
    let asset = state.assets.get(id)?;
    let sure = state.sure(state.now(now));
    let mut answer =
        Verdict { asset: id, reasons: Vec::new(), satisfied: Vec::new(), position: state.head };
    let parts = if verb == Verb::Erase { custody::unit(state, id) } else { vec![id] };
    for part in parts {
        for (hold_id, through) in coverage::holds(state, part) {
            if let Some(hold) = state.holds.get(hold_id).filter(|hold| hold.in_force()) {
                weigh_hold(state, &mut answer, part, (hold_id, hold), through, (verb, sure));
            }
        }
        if verb != Verb::Transfer {
            weigh_accounts(state, &mut answer, part, (now, sure));
        }
        weigh_clearances(state, &mut answer, part, mine);
    }
    if !asset.fate.is_here() {
        let text = match asset.fate {
            Fate::Destroyed(clearance) => format!("was destroyed under {clearance}"),
            Fate::HandedOver(clearance, to) => format!("was handed to {to} under {clearance}"),
            Fate::Kept | Fate::Unknown(_) | Fate::Partial(_) => String::new(),
        };
        answer.reasons.push(Reason::of(Code::AlreadyGone, id, id, text));
    }
    in_order(&mut answer.reasons);
    Some(answer)
}

/// By code, then by id (which are of one kind for a code), each once: what reaches two snapshots of
/// a unit is one reason.
fn in_order(reasons: &mut Vec<Reason>) {
    reasons.sort_by(|a, b| {
        let key = |reason: &Reason| (reason.code, reason.about.len());
        key(a).cmp(&key(b)).then_with(|| a.about.cmp(&b.about))
    });
    reasons.dedup_by(|b, a| (b.code, &b.about) == (a.code, &a.about));
}

fn weigh_hold(
    state: &State,
    answer: &mut Verdict,
    asset: AssetId,
    (id, hold): (HoldId, &Hold),
    through: AssetId,
    (verb, sure): (Verb, Time),
) {
    // In a transfer holds travel along; the disposition asks for each to be accepted by name.
    if verb == Verb::Transfer {
        return;
    }
    if let Some(copy) = copies::satisfying(state, hold, asset) {
        if !answer.satisfied.contains(&(id, copy)) {
            answer.satisfied.push((id, copy));
        }
        return;
    }
    let (code, text) = match hold.status {
        HoldStatus::Provisional => (Code::HoldProvisional, "was placed on arrival of".to_owned()),
        HoldStatus::Active => (Code::HoldInForce, "is in force".to_owned()),
        HoldStatus::Cooling(until) => (Code::HoldCooling, format!("cools until {until}")),
        HoldStatus::Released => return,
    };
    let demand = hold.demands.first().and_then(|id| Some((*id, state.demands.get(*id)?)));
    let text = match (hold.status, demand) {
        (HoldStatus::Provisional, Some((demand, _))) => format!("{text} {demand}"),
        (_, Some((demand, _))) if rests_on_demand(hold, sure) => format!("{text}, on {demand}"),
        _ => text,
    };
    let rests_on = documents(hold, demand.map(|(_, demand)| demand), sure);
    let lack = copies::lack(state, hold, asset);
    let text = format!("{text}{}", lack.text());
    let change = lack.change().filter(|_| code == Code::HoldInForce).unwrap_or(code.change());
    answer.reasons.push(Reason { rests_on, change, ..Reason::of(code, id, through, text) });
}

/// True if the basis that the demand gave stands, or none does.
fn rests_on_demand(hold: &Hold, sure: Time) -> bool {
    let mut standing = hold.bases.iter().enumerate().filter(|(_, basis)| basis.stands(sure));
    standing.next().is_none_or(|(n, _)| n == 0)
}

/// The document of each basis that stands, in their order, each once; of the first one of a demand,
/// the letter.
fn documents(hold: &Hold, demand: Option<&Demand>, sure: Time) -> Vec<Digest> {
    let letter = demand.and_then(|demand| demand.papers.as_ref()?.exhibits.first());
    let mut found = Vec::new();
    for (n, basis) in hold.bases.iter().enumerate().filter(|(_, basis)| basis.stands(sure)) {
        let first = letter.filter(|_| n == 0).map(|letter| letter.digest);
        found.extend(first.or(basis.document).filter(|digest| !found.contains(digest)));
    }
    found
}

fn weigh_accounts(state: &State, answer: &mut Verdict, asset: AssetId, (now, sure): (Time, Time)) {
    for (id, account) in coverage::accounts(state, asset) {
        let (code, text) = match account.terminated {
            None => (Code::AccountActive, "is active".to_owned()),
            Some(end) => match end.plus_days(account.retention_days) {
                until if until > now => (Code::RetentionRunning, format!("is kept until {until}")),
                until if until > sure => {
                    (Code::ClockInDoubt, format!("is kept until {until}; the clock leapt there"))
                }
                _ => continue,
            },
        };
        answer.reasons.push(Reason::of(code, id, asset, text));
    }
}

/// Another clearance on the asset, a part of it or what it is a part of.
fn weigh_clearances(
    state: &State,
    answer: &mut Verdict,
    asset: AssetId,
    mine: Option<ClearanceId>,
) {
    let mut near = coverage::subtree(state, asset);
    let mut up = near.first().and_then(|(_, asset)| asset.part_of);
    while let Some((id, asset)) = up.and_then(|id| Some((id, state.assets.get(id)?))) {
        near.push((id, asset));
        up = asset.part_of;
    }
    for (through, asset) in near {
        if let Some(clearance) = asset.clearance.filter(|open| Some(*open) != mine) {
            let text = format!("is open on {through}");
            let code = Code::ClearanceOutstanding;
            answer.reasons.push(Reason::of(code, clearance, through, text));
        }
    }
}
