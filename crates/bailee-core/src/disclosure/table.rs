//! The table: what a party is granted of each kind of entry, by what it has to do with it.
//!
//! Invariants: an event that is not named here grants nothing; what the house decides for itself
//! (approvals, releases proposed, snapshots, costs, duties, clearances on their way) is not named.
//! Why each line is so stands in docs/bundles.md.

use super::Shown;
use super::part::Part;
use crate::demand::DemandStatus;
use crate::event::Event;

/// What the table grants, before the guard has looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grant {
    /// Not there at all.
    Nothing,
    /// Leaf and proof: the party knows of the act, and what it says is not the party's.
    Closed,
    /// The party wrote it, or it is about the party alone.
    Own(Shown),
    /// Open if it names nobody else, and not there otherwise.
    Told(Shown),
    /// Open if it names nobody else, and closed otherwise: the party knows of the act.
    Known(Shown),
}

/// What the party is granted of an entry.
pub(super) fn grant(part: &Part, event: &Event) -> Grant {
    match event {
        Event::PartyRegistered { party, .. } | Event::PartyChanged { party } if part.is(*party) => {
            Grant::Own(Shown::WITH_WHO)
        }
        Event::DetailsErased { party, .. } if part.is(*party) => Grant::Told(Shown::WHAT),
        Event::AccountRegistered { account, .. } if part.accounts.contains(account) => {
            Grant::Own(Shown::WITH_WHO)
        }
        Event::AccountTerminated { account } if part.accounts.contains(account) => {
            Grant::Told(Shown::WHAT)
        }
        Event::AssetRegistered { asset, .. } if part.own.contains(asset) => {
            Grant::Known(Shown::WHAT)
        }
        Event::AssetMoved { asset, .. }
        | Event::AssetRelabelled { asset, .. }
        | Event::AssetAssigned { asset, .. }
        | Event::AssetCopied { asset, .. }
            if part.own.contains(asset) =>
        {
            Grant::Told(Shown::WHAT)
        }
        Event::AccessRequested { access, .. } if part.accesses.contains(access) => {
            Grant::Own(Shown::WITH_PAPERS)
        }
        Event::AccessDecided { access, .. } if part.accesses.contains(access) => {
            Grant::Told(Shown::WITH_PAPERS)
        }
        other => of_asking(part, other),
    }
}

fn of_asking(part: &Part, event: &Event) -> Grant {
    match event {
        // Its flags would tell a letter writer what was found: the papers only (decision 0007).
        Event::DemandReceived { demand, .. } if part.demands.contains(demand) => {
            Grant::Own(Shown::PAPERS)
        }
        // A refusal and a question are written for it; the note of an acceptance is the house's.
        Event::DemandDecided { demand, status, .. } if part.demands.contains(demand) => {
            Grant::Told(match status {
                DemandStatus::Accepted => Shown::WHAT,
                _ => Shown::WITH_PAPERS,
            })
        }
        Event::ReceiptSent { demand } if part.demands.contains(demand) => Grant::Told(Shown::WHAT),
        Event::CorrespondenceFiled { matter, from }
            if part.is(*from) && part.matter == Some(*matter) =>
        {
            Grant::Own(Shown::WITH_PAPERS)
        }
        Event::HoldPlaced { hold, .. } if sees(part, *hold) => Grant::Known(Shown::WHAT),
        // The receipt says that it was placed; its scope tells what is kept here.
        Event::HoldPlaced { hold, .. } if part.asked.contains(hold) => Grant::Closed,
        Event::BasisAdded { hold, .. } if sees(part, *hold) => Grant::Told(Shown::WHAT),
        // The first basis is the demand's own; further ones are other people's.
        Event::BasisExtended { hold, basis, .. } | Event::BasisEnded { hold, basis, .. }
            if sees(part, *hold) || (part.asked.contains(hold) && *basis == 0) =>
        {
            Grant::Told(Shown::WHAT)
        }
        Event::CopyAllowed { hold }
        | Event::HoldCooling { hold, .. }
        | Event::HoldReleased { hold }
        | Event::GagSet { hold, .. }
        | Event::GagEnded { hold }
            if sees(part, *hold) || part.asked.contains(hold) =>
        {
            Grant::Told(Shown::WHAT)
        }
        other => of_letting_go(part, other),
    }
}

/// True for a hold on the party's data that it may know of, or that it has taken over.
fn sees(part: &Part, hold: crate::id::HoldId) -> bool {
    part.covering.contains(&hold) || part.accepted.contains(&hold)
}

fn of_letting_go(part: &Part, event: &Event) -> Grant {
    match event {
        Event::DispositionProposed { disposition, .. }
            if part.dispositions.contains(disposition) =>
        {
            Grant::Known(Shown::WHAT)
        }
        Event::DispositionCancelled { disposition } if part.dispositions.contains(disposition) => {
            Grant::Told(Shown::WHAT)
        }
        Event::HoldAccepted { disposition, hold }
            if part.dispositions.contains(disposition) && part.accepted.contains(hold) =>
        {
            Grant::Told(Shown::WHAT)
        }
        Event::NoticeQueued { notice, .. }
        | Event::NoticeRetried { notice, .. }
        | Event::NoticeSent { notice, .. }
        | Event::NoticeEscalated { notice }
            if part.notices.contains(notice) =>
        {
            Grant::Told(Shown::WHAT)
        }
        Event::NoticeEvidence { notice, .. } if part.notices.contains(notice) => {
            Grant::Told(Shown::WITH_PAPERS)
        }
        Event::ObjectionFiled { objection, .. } if part.objections.contains(objection) => {
            Grant::Own(Shown::WITH_PAPERS)
        }
        Event::ObjectionDecided { objection, .. } if part.objections.contains(objection) => {
            Grant::Told(Shown::WITH_PAPERS)
        }
        Event::ClearanceFinished { clearance, .. } if part.with_papers.contains(clearance) => {
            Grant::Told(Shown::WITH_PAPERS)
        }
        Event::ClearanceFinished { clearance, .. } if part.certified.contains(clearance) => {
            Grant::Told(Shown::WHAT)
        }
        // Its demand came while something was about to go: that, and what was gone by then.
        Event::ClearanceRevoked { clearance, .. }
        | Event::ClearanceAborted { clearance, .. }
        | Event::ClearanceLost { clearance }
            if part.revoked.contains(clearance) =>
        {
            Grant::Told(Shown::WHAT)
        }
        _ => Grant::Nothing,
    }
}
