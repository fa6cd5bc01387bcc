//! Applies demands, matters and their correspondence.

use super::index::{add_letter, add_wanted};
use super::{Applied, file_papers, push, row};
use crate::asset::normal;
use crate::demand::{Demand, DemandStatus, Matter, Scope};
use crate::event::{Event, Record};
use crate::hold::HoldStatus;
use crate::id::{DemandId, HoldId, MatterId};
use crate::matching;
use crate::plan::Intent;
use crate::state::State;

pub(super) fn apply(s: &mut State, r: &Record) -> Applied {
    match &r.fact.event {
        Event::DemandMatched { demand, more } => {
            let hold = row(&mut s.demands, *demand)?.hold;
            widen(s, hold, more)
        }
        Event::HoldMatched { hold, more } => widen(s, *hold, more),
        Event::MediumCorrected { demand, medium } => {
            let found = row(&mut s.demands, *demand)?;
            let first = found.corrected.map_or(found.medium, |(_, first)| first);
            (found.medium, found.corrected) = (*medium, Some((r.at, first)));
            // It says how the sender wrote: it goes when the sender's details go.
            let from = found.from;
            file_papers(s, r, from)
        }
        Event::DemandDecided { demand, status, matter } => {
            decided(s, *demand, *status, *matter)?;
            row(&mut s.demands, *demand)?.decided = Some(r.seq);
            // Written to the sender: it goes when the sender's details go.
            let from = row(&mut s.demands, *demand)?.from;
            file_papers(s, r, from)
        }
        Event::ReceiptSent { demand } => {
            row(&mut s.demands, *demand)?.receipted = true;
            s.pending.remove(&Intent::SendReceipt(*demand));
            Ok(())
        }
        Event::MatterOpened { matter, title } => {
            let new = Matter {
                title: title.clone(),
                demands: Vec::new(),
                costs: Vec::new(),
                correspondence: Vec::new(),
                closed: false,
            };
            push(&mut s.matters, *matter, new)
        }
        Event::MatterClosed { matter } => {
            row(&mut s.matters, *matter)?.closed = true;
            Ok(())
        }
        Event::CorrespondenceFiled { matter, from } => {
            row(&mut s.matters, *matter)?.correspondence.push(r.seq);
            row(&mut s.parties, *from)?.papers.push(r.seq);
            Ok(())
        }
        other => Err(format!("{} is not of demands", other.name())),
    }
}

pub(super) fn received(s: &mut State, r: Record) -> Applied {
    let Event::DemandReceived { demand, from, entity, instrument, medium, hold, flags } =
        r.fact.event
    else {
        return Err("not a demand".into());
    };
    let mut papers = r.fact.papers;
    papers.iter_mut().for_each(|papers| matching::spell_names(&mut papers.words));
    if let Some(letter) = papers.as_ref().and_then(|papers| papers.exhibits.first()) {
        s.letters.entry(letter.digest).or_default().insert(demand);
    }
    if let Some(papers) = &papers {
        add_letter(s, demand, &papers.words);
    }
    let new = Demand {
        from,
        entity,
        instrument,
        medium,
        corrected: None,
        hold,
        flags,
        status: DemandStatus::Received,
        received: r.at,
        position: r.seq,
        papers,
        receipted: false,
        decided: None,
    };
    push(&mut s.demands, demand, new)?;
    s.pending.insert(Intent::SendReceipt(demand));
    Ok(())
}

/// Adds to the scope of a hold, and files it where the gate looks. Identifiers are recorded in the
/// form they were compared in then; it is the form of today that is looked up.
pub(super) fn widen(s: &mut State, hold: HoldId, more: &Scope) -> Applied {
    let identifiers = more.identifiers.iter().map(|identifier| normal(identifier)).collect();
    let more = &Scope { identifiers, ..more.clone() };
    row(&mut s.holds, hold)?.scope.widen(more);
    for account in &more.accounts {
        let holds = &mut row(&mut s.accounts, *account)?.holds;
        if !holds.contains(&hold) {
            holds.push(hold);
        }
    }
    for asset in &more.assets {
        let holds = &mut row(&mut s.assets, *asset)?.holds;
        if !holds.contains(&hold) {
            holds.push(hold);
        }
    }
    for identifier in &more.identifiers {
        add_wanted(s, identifier, hold);
    }
    Ok(())
}

fn decided(s: &mut State, id: DemandId, status: DemandStatus, matter: Option<MatterId>) -> Applied {
    let demand = row(&mut s.demands, id)?;
    demand.status = status;
    let hold = demand.hold;
    if let Some(matter) = matter {
        row(&mut s.matters, matter)?.demands.push(id);
        row(&mut s.holds, hold)?.matter = Some(matter);
    }
    if status == DemandStatus::Accepted {
        row(&mut s.holds, hold)?.status = HoldStatus::Active;
    }
    Ok(())
}
