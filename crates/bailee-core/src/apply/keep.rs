//! Applies snapshots, findings about engines, access, costs, duties and tokens.

use super::{Applied, push, row};
use crate::asset::{Asset, AssetKind, Fate, Lifecycle, Snapshot};
use crate::coverage;
use crate::custody;
use crate::demand::{Access, AccessStatus, CostItem, Meter};
use crate::engine::Finding;
use crate::event::{Event, Record};
use crate::id::MeterId;
use crate::plan::Intent;
use crate::policy::{Duty, DutyKind, Token};
use crate::state::{Due, State};
use crate::time::Time;

pub(super) fn apply(s: &mut State, r: &Record) -> Applied {
    match &r.fact.event {
        Event::SnapshotRecorded { .. } => snapshot(s, r),
        Event::SnapshotVerified { snapshot, intact } => {
            row(&mut s.snapshots, *snapshot)?.verified = intact.then_some(r.at);
            Ok(())
        }
        Event::EngineProbed { engine, trials, canaries, worse } => {
            let seen = (trials.clone(), canaries.clone(), worse.clone());
            let found = Finding::after(s, s.engines.get(engine), (r.seq, r.at), seen);
            s.engines.insert(engine.clone(), found);
            Ok(())
        }
        Event::AccessRequested { access, owner, asset } => {
            let (status, terms) = (AccessStatus::Open, String::new());
            let (owner, asset, granted_of) = (*owner, *asset, Vec::new());
            let new = Access { owner, asset, status, terms, granted_of };
            row(&mut s.parties, owner)?.papers.push(r.seq);
            push(&mut s.accesses, *access, new)
        }
        Event::AccessDecided { access, status } => {
            let asset = row(&mut s.accesses, *access)?.asset;
            let granted = *status == AccessStatus::Granted;
            let of = granted.then(|| coverage::owners(s, asset).into_iter().collect());
            let found = row(&mut s.accesses, *access)?;
            found.status = *status;
            found.granted_of = of.unwrap_or_else(|| std::mem::take(&mut found.granted_of));
            let owner = found.owner;
            // What is said of the handover is no condition of it.
            if let (Some(papers), false) = (&r.fact.papers, *status == AccessStatus::Fulfilled) {
                found.terms.clone_from(&papers.note);
            }
            row(&mut s.parties, owner)?.papers.push(r.seq);
            Ok(())
        }
        Event::DutyRaised { duty, kind } => {
            let new = Duty { kind: *kind, paged: false, discharged: false };
            s.pending.insert(Intent::PageHuman(*duty));
            s.open_duties.insert(*duty);
            if let (DutyKind::CheckClock(_), Some(leap)) = (kind, &mut s.leap) {
                leap.told = true;
            }
            push(&mut s.duties, *duty, new)
        }
        Event::DutyPaged { duty } => {
            row(&mut s.duties, *duty)?.paged = true;
            s.pending.remove(&Intent::PageHuman(*duty));
            Ok(())
        }
        Event::DutyDischarged { duty } => {
            row(&mut s.duties, *duty)?.discharged = true;
            s.open_duties.remove(duty);
            Ok(())
        }
        Event::TokenIssued { token, party, scope, hash } => {
            let new = Token { party: *party, scope: *scope, hash: **hash, revoked: false };
            s.token_hashes.insert(**hash, *token);
            push(&mut s.tokens, *token, new)
        }
        Event::TokenRevoked { token } => {
            row(&mut s.tokens, *token)?.revoked = true;
            Ok(())
        }
        _ => cost(s, r),
    }
}

fn snapshot(s: &mut State, r: &Record) -> Applied {
    let Event::SnapshotRecorded {
        snapshot,
        asset,
        source,
        root,
        vault_id,
        bytes,
        unreadable,
        taken,
        changed,
    } = &r.fact.event
    else {
        return Err("not a snapshot".into());
    };
    if source >= asset {
        return Err(format!("{asset} cannot be a copy of a later asset"));
    }
    let account = row(&mut s.assets, *source)?.accounts.first().copied();
    let unit = custody::open_unit(s, *source, account);
    let found = row(&mut s.assets, *source)?;
    found.snapshots.push(*snapshot);
    let copy = Asset {
        kind: AssetKind::Snapshot,
        label: format!("snapshot {vault_id}").into(),
        accounts: found.accounts.clone(),
        identifiers: Vec::new(),
        part_of: None,
        parts: Vec::new(),
        copy_of: vec![*source],
        lifecycle: Lifecycle::Stored,
        place: "vault".into(),
        bytes: *bytes,
        fate: Fate::Kept,
        snapshots: Vec::new(),
        snapshot: Some(*snapshot),
        holds: Vec::new(),
        clearance: None,
        grown: None,
        joined: None,
        came: r.seq,
        bound: None,
    };
    push(&mut s.assets, *asset, copy)?;
    let new = Snapshot {
        source: *source,
        asset: *asset,
        root: **root,
        vault_id: vault_id.clone(),
        bytes: *bytes,
        unreadable: *unreadable,
        changed: changed.unwrap_or(0),
        taken: *taken,
        verified: None,
        unit,
        position: r.seq,
        shelved: Vec::new(),
    };
    push(&mut s.snapshots, *snapshot, new)
}

fn cost(s: &mut State, r: &Record) -> Applied {
    match &r.fact.event {
        Event::MeterStarted { meter, matter, what, units, daily, currency } => {
            row(&mut s.matters, *matter)?;
            let new = Meter {
                matter: *matter,
                what: what.clone(),
                units: *units,
                daily: *daily,
                currency: currency.clone(),
                until: r.at,
                running: true,
            };
            s.agenda.insert((r.at.plus_days(1), Due::Meter(*meter)));
            push(&mut s.meters, *meter, new)
        }
        Event::MeterStopped { meter } => {
            let found = row(&mut s.meters, *meter)?;
            found.running = false;
            let due = found.until.plus_days(1);
            s.agenda.remove(&(due, Due::Meter(*meter)));
            Ok(())
        }
        Event::CostAccrued { meter, days, until } => accrued(s, r, *meter, *days, *until),
        Event::CostBooked { matter, what, milli_units, amount, currency } => {
            let item = CostItem {
                what: what.clone(),
                milli_units: *milli_units,
                amount: *amount,
                currency: currency.clone(),
                at: r.at,
            };
            row(&mut s.matters, *matter)?.costs.push(item);
            Ok(())
        }
        other => Err(format!("{} is not of keeping", other.name())),
    }
}

fn accrued(s: &mut State, r: &Record, id: MeterId, days: u32, until: Time) -> Applied {
    let meter = row(&mut s.meters, id)?;
    s.agenda.remove(&(meter.until.plus_days(1), Due::Meter(id)));
    meter.until = until;
    let units = u64::from(days) * u64::from(meter.units);
    let item = CostItem {
        what: meter.what.clone(),
        milli_units: units.saturating_mul(1000),
        amount: units.saturating_mul(meter.daily),
        currency: meter.currency.clone(),
        at: r.at,
    };
    let matter = meter.matter;
    s.agenda.insert((until.plus_days(1), Due::Meter(id)));
    row(&mut s.matters, matter)?.costs.push(item);
    Ok(())
}
