//! Dispositions: proposed, approved. And what four eyes see: the blast radius.
//!
//! Invariants (rule 7): proposer and approvers are three persons, counsel among the approvers; an
//! approval counts only while the radius it was given for is still the radius.

use std::collections::BTreeSet;

use super::{Decision, find, owed, reasoned, says, subject};
use crate::asset::AssetKind;
use crate::command::Reason;
use crate::coverage;
use crate::custody;
use crate::disposition::{Approval, Disposition, DispositionKind, Radius};
use crate::event::Event;
use crate::hold::Hold;
use crate::id::{AssetId, DispositionId, HoldId, PartyId, SnapshotId};
use crate::party::{Role, person};
use crate::refusal::{Code, Refusal};
use crate::state::State;

pub(super) fn propose(
    s: &State,
    kind: DispositionKind,
    assets: &[AssetId],
    to: Option<PartyId>,
    reason: &Reason,
) -> Decision {
    if assets.is_empty() {
        return Err(Refusal::new(Code::BadValue, "the disposition", "names no asset"));
    }
    for (i, id) in assets.iter().enumerate() {
        check_asset(s, kind, *id)?;
        if assets[..i].contains(id) {
            return Err(Refusal::new(Code::BadValue, *id, "is named twice"));
        }
        let erase = kind == DispositionKind::Erase;
        if erase && custody::going(s, kind, &assets[..i]).contains(id) {
            let text = "is in a custody unit that is named already";
            return Err(Refusal::new(Code::BadValue, *id, text));
        }
    }
    check_receiver(s, kind, assets, to)?;
    if !says(reason) {
        return Err(Refusal::new(Code::BadValue, "the disposition", "needs a reason in words"));
    }
    let disposition = s.dispositions.next();
    let event = Event::DispositionProposed { disposition, kind, assets: assets.to_vec(), to };
    let mut facts = vec![reasoned(event, reason)];
    facts.extend(owed::first_notices(s, disposition, (kind, to), assets));
    Ok(facts)
}

fn check_asset(s: &State, kind: DispositionKind, id: AssetId) -> Result<(), Refusal> {
    let asset = find(&s.assets, id)?;
    if !asset.fate.is_here() {
        return Err(Refusal::new(Code::AlreadyGone, id, "is not here any more"));
    }
    let is_snapshot = asset.kind == AssetKind::Snapshot;
    match (kind, is_snapshot) {
        (DispositionKind::Sanitize, true) => {
            Err(Refusal::new(Code::WrongKind, id, "is a snapshot: it is expired, not overwritten"))
        }
        // A certificate for one device must not speak for the others in the same server.
        (DispositionKind::Sanitize, false) if device_inside(s, id).is_some() => {
            let drive = device_inside(s, id).unwrap_or(id);
            let text = format!("has {drive} in it, which is sanitized first, by itself");
            Err(Refusal::new(Code::WrongKind, id, text))
        }
        (DispositionKind::Erase, false) => {
            let text = "is not a snapshot: name one of the custody unit that is to be erased";
            Err(Refusal::new(Code::WrongKind, id, text))
        }
        // Refused before anybody is told: no clearance could be granted for it.
        (DispositionKind::Return | DispositionKind::Transfer, false)
            if !subject::is_there(kind, asset) =>
        {
            let refusal = Refusal::new(Code::NoSubject, id, "is not bound to a device");
            Err(refusal.with_change(
                "bind it to its device, or say what stands on it (`bailee asset relabel`, with \
                 --device or --serial), or preserve it and hand over the snapshot",
            ))
        }
        (DispositionKind::Expire, false) => {
            Err(Refusal::new(Code::WrongKind, id, "is not a snapshot: it is sanitized"))
        }
        _ => Ok(()),
    }
}

/// A server or drive that is still here, inside of the asset.
fn device_inside(s: &State, id: AssetId) -> Option<AssetId> {
    let device = |kind| matches!(kind, AssetKind::Server | AssetKind::Drive);
    let mut parts = coverage::subtree(s, id).into_iter().filter(|(part, _)| *part != id);
    parts.find(|(_, part)| device(part.kind) && part.fate.is_here()).map(|(part, _)| part)
}

/// What helps where an erased party was named.
pub(super) const ANEW: &str = "register the person anew, if it is still somebody, or name another";

/// Asked when proposed and again when reserved: owners may have joined in between.
pub(super) fn check_receiver(
    s: &State,
    kind: DispositionKind,
    assets: &[AssetId],
    to: Option<PartyId>,
) -> Result<(), Refusal> {
    let needed = matches!(kind, DispositionKind::Return | DispositionKind::Transfer);
    let Some(to) = to.filter(|_| needed) else {
        return match needed || to.is_some() {
            false => Ok(()),
            true => {
                let text = "names a receiver for a return or a transfer, and only then";
                Err(Refusal::new(Code::BadValue, "the disposition", text))
            }
        };
    };
    let party = find(&s.parties, to)?;
    if let Some(at) = party.erased {
        let text = format!("was erased at {at}: nobody would have custody");
        return Err(Refusal::new(Code::AlreadyGone, to, text).with_change(ANEW));
    }
    if kind == DispositionKind::Transfer && !party.is(Role::Transferee) {
        let refusal = Refusal::new(Code::BadValue, to, "is not registered as a transferee");
        return Err(refusal.with_change(
            "name one who is, or register the receiver as a transferee; one who is known by \
             another role gets a further login, as the same person",
        ));
    }
    let others = |id: &&AssetId| !coverage::owners(s, **id).iter().eq([&to]);
    match assets.iter().find(others).filter(|_| kind == DispositionKind::Return) {
        None => Ok(()),
        Some(asset) => {
            let text = format!("does not own all of the data on {asset}");
            Err(Refusal::new(Code::NotYourData, to, text).with_change(
                "name the one owner of all of it; what has several owners, or none on record, \
                 is handed over by a transfer",
            ))
        }
    }
}

/// The disposition, if it can still go on.
pub(super) fn open(s: &State, disposition: DispositionId) -> Result<&Disposition, Refusal> {
    let found = find(&s.dispositions, disposition)?;
    if found.cancelled {
        return Err(Refusal::new(Code::DispositionClosed, disposition, "was cancelled"));
    }
    if found.done.len() == found.assets.len() {
        return Err(Refusal::new(Code::DispositionClosed, disposition, "is carried out"));
    }
    Ok(found)
}

pub(super) fn approve(s: &State, disposition: DispositionId, by: PartyId) -> Decision {
    let found = open(s, disposition)?;
    let radius = radius(s, found.kind, &found.assets);
    let approvals = Approvals::of(s, found);
    approvals.with(s, disposition, by, &radius)?;
    Ok(vec![Event::DispositionApproved { disposition, radius }.into()])
}

pub(super) fn cancel(s: &State, disposition: DispositionId, reason: &Reason) -> Decision {
    let found = open(s, disposition)?;
    let working = |id: &&AssetId| s.assets.get(**id).is_some_and(|a| a.clearance.is_some());
    if let Some(asset) = found.assets.iter().find(working) {
        let text = format!("is open on {asset} of {disposition}");
        return Err(Refusal::new(Code::ClearanceOutstanding, "a clearance", text));
    }
    Ok(vec![reasoned(Event::DispositionCancelled { disposition }, reason)])
}

pub(super) fn accept_hold(
    s: &State,
    disposition: DispositionId,
    hold: HoldId,
    by: PartyId,
) -> Decision {
    let found = open(s, disposition)?;
    if found.kind != DispositionKind::Transfer || found.to != Some(by) {
        let refusal = Refusal::new(Code::NotPermitted, by, "is not the transferee");
        return Err(refusal.with_change("let the transferee whom a transfer names accept it"));
    }
    // A hold on something else, or one that an owner must not learn of, is answered as one that
    // does not exist: it is no business of theirs.
    if !custody::coming_with(s, found, by).contains(&hold) {
        return Err(Refusal::not_found(hold));
    }
    if found.accepted.contains(&hold) {
        return Err(Refusal::new(Code::AlreadyDone, hold, "is accepted"));
    }
    Ok(vec![Event::HoldAccepted { disposition, hold }.into()])
}

/// Holds in force over the assets that the transferee has not accepted by name.
pub(super) fn unaccepted(s: &State, found: &Disposition, asset: AssetId) -> Vec<HoldId> {
    let reached = coverage::holds(s, asset).into_keys();
    let in_force = |id: &HoldId| s.holds.get(*id).is_some_and(Hold::in_force);
    reached.filter(in_force).filter(|id| !found.accepted.contains(id)).collect()
}

/// What carrying out a disposition would touch. Snapshots that go with their custody unit are among
/// the copies: another of the same length is not what was approved.
pub fn radius(s: &State, kind: DispositionKind, assets: &[AssetId]) -> Radius {
    let going = custody::going(s, kind, assets);
    let mut radius = touched(s, &going);
    if kind == DispositionKind::Erase {
        let themselves = going.iter().filter_map(|id| s.assets.get(*id)?.snapshot);
        let all: BTreeSet<_> = radius.copies.into_iter().chain(themselves).collect();
        radius.copies = all.into_iter().collect();
    }
    radius
}

/// What is on these assets and their parts, and over them.
fn touched(s: &State, assets: &[AssetId]) -> Radius {
    let all: BTreeSet<AssetId> =
        assets.iter().flat_map(|id| coverage::subtree(s, *id)).map(|(id, _)| id).collect();
    let copies = all.iter().filter_map(|id| s.assets.get(*id)).flat_map(|asset| &asset.snapshots);
    let copies = copies.copied().collect();
    seen(s, assets, &all, copies)
}

/// What is on all of these, and over those that they are parts of; of the copies, the verified.
fn seen(
    s: &State,
    assets: &[AssetId],
    all: &BTreeSet<AssetId>,
    mut copies: BTreeSet<SnapshotId>,
) -> Radius {
    let bytes = all.iter().filter_map(|id| s.assets.get(*id)).map(|asset| asset.bytes);
    let (owners, mut holds) = coverage::of_all(s, assets);
    holds.retain(|id| s.holds.get(*id).is_some_and(Hold::in_force));
    copies.retain(|id| s.snapshots.get(*id).is_some_and(|copy| copy.verified.is_some()));
    Radius {
        assets: u32::try_from(all.len()).unwrap_or(u32::MAX),
        bytes: bytes.fold(0, u64::saturating_add),
        owners: owners.into_iter().collect(),
        holds: holds.into_iter().collect(),
        copies: copies.into_iter().collect(),
    }
}

/// What releasing a hold would free: every asset here that it reaches, so what is named, what that
/// is a part of, its parts, and the copies of all of these; and the place in the log where the last
/// of them came.
pub(super) fn hold_radius(s: &State, hold: &Hold) -> (Radius, Option<u64>) {
    let reached = coverage::reached(s, &hold.scope);
    let assets: Vec<AssetId> = reached.iter().copied().collect();
    let copies = reached.iter().filter_map(|id| s.assets.get(*id)?.snapshot).collect();
    let mut radius = seen(s, &assets, &reached, copies);
    let accounts = hold.scope.accounts.iter().filter_map(|id| s.accounts.get(*id));
    let mut owners: BTreeSet<PartyId> = radius.owners.iter().copied().collect();
    owners.extend(accounts.map(|account| account.owner));
    radius.owners = owners.into_iter().collect();
    let known = reached.iter().filter_map(|id| s.assets.get(*id));
    (radius, known.map(|asset| asset.came).max())
}

/// Approvals of one proposal.
pub(super) struct Approvals<'a> {
    pub(super) proposer: PartyId,
    pub(super) given: &'a [Approval],
    /// Place in the log of what made the things other things: earlier approvals are of those. What
    /// came in the place of another may leave the radius as it is.
    pub(super) since: Option<u64>,
}

impl<'a> Approvals<'a> {
    /// Of a disposition. An asset that was bound to a device since is another thing than the one
    /// that was approved, though the radius is the same.
    pub(super) fn of(s: &'a State, found: &'a Disposition) -> Self {
        let going = custody::going(s, found.kind, &found.assets);
        let all = going.iter().flat_map(|asset| coverage::subtree(s, *asset));
        let since = all.filter_map(|(_, asset)| asset.bound).max();
        Self { proposer: found.proposer, given: &found.approvals, since }
    }

    fn counts(&self, one: &Approval, radius: &Radius) -> bool {
        one.radius == *radius && self.since.is_none_or(|since| one.position > since)
    }

    /// Those that still count: given for what is the radius now, by somebody who is still here.
    fn valid<'b>(&'b self, s: &'b State, radius: &'b Radius) -> impl Iterator<Item = &'b Approval> {
        let here = |id| s.parties.get(id).is_some_and(|party| party.erased.is_none());
        let counts = move |one: &&Approval| self.counts(one, radius) && here(one.by);
        self.given.iter().filter(counts)
    }

    /// A proposal falls with the details of its proposer: the address may be another login by now.
    fn stands(&self, s: &State, about: impl std::fmt::Display) -> Result<(), Refusal> {
        match s.parties.get(self.proposer).and_then(|party| party.erased) {
            None => Ok(()),
            Some(at) => {
                let text = format!("was proposed by {}, who was erased at {at}", self.proposer);
                let change = "let somebody who is here propose it anew";
                Err(Refusal::new(Code::NotProposed, about, text).with_change(change))
            }
        }
    }

    /// May `by` approve? True if that makes the approvals complete.
    pub(super) fn with(
        &self,
        s: &State,
        about: impl std::fmt::Display,
        by: PartyId,
        radius: &Radius,
    ) -> Result<bool, Refusal> {
        self.stands(s, &about)?;
        let human = person(&s.parties, by);
        if human == person(&s.parties, self.proposer) {
            let text = format!("was proposed by the same person as {by}");
            return Err(Refusal::new(Code::ApproverIsProposer, about, text));
        }
        let counsel = |id: &PartyId| s.parties.get(*id).is_some_and(|p| p.is(Role::Counsel));
        let earlier: Vec<PartyId> = self.valid(s, radius).map(|approval| approval.by).collect();
        if earlier.iter().any(|other| person(&s.parties, *other) == human) {
            let text = format!("was approved by the same person as {by} already");
            let refusal = Refusal::new(Code::ApproverRepeats, about, text);
            return Err(match (earlier.len(), earlier.iter().any(counsel)) {
                (2.., true) => refusal
                    .with_change("nothing: it is approved, by two persons with counsel among them"),
                (_, false) => refusal.with_change("a third person must approve: counsel"),
                (_, true) => refusal,
            });
        }
        let with_counsel = earlier.iter().any(counsel) || counsel(&by);
        if !earlier.is_empty() && !with_counsel {
            let text = "has no counsel among those who approve";
            return Err(Refusal::new(Code::CounselMissing, about, text));
        }
        Ok(!earlier.is_empty())
    }

    /// Complete for this radius? Names what is missing.
    pub(super) fn complete(
        &self,
        s: &State,
        about: impl std::fmt::Display,
        radius: &Radius,
    ) -> Result<(), Refusal> {
        self.stands(s, &about)?;
        let valid: Vec<PartyId> = self.valid(s, radius).map(|approval| approval.by).collect();
        if valid.len() < 2 {
            let code = match self.given.iter().any(|approval| !self.counts(approval, radius)) {
                true => Code::RadiusChanged,
                false => Code::ApprovalsMissing,
            };
            let text = format!("has {} valid approvals of 2", valid.len());
            return Err(Refusal::new(code, about, text));
        }
        if !valid.iter().any(|id| s.parties.get(*id).is_some_and(|p| p.is(Role::Counsel))) {
            let text = "has no counsel among those who approve";
            return Err(Refusal::new(Code::CounselMissing, about, text));
        }
        Ok(())
    }
}
