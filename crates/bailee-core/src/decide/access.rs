//! Access: owners get their own data, under recorded conditions; nobody else gets any (rule 11).

use std::collections::BTreeSet;

use super::{Decision, find, reasoned, says};
use crate::asset::AssetKind;
use crate::command::Reason;
use crate::coverage;
use crate::demand::{Access, AccessStatus};
use crate::event::Event;
use crate::id::{AccessId, AccountId, AssetId, PartyId};
use crate::party::person;
use crate::refusal::{Code, Refusal};
use crate::state::State;

pub(super) fn request(s: &State, owner: PartyId, asset: AssetId, reason: &Reason) -> Decision {
    find(&s.parties, owner)?;
    // One answer for what is not there, what is others', and the house's own snapshots: the
    // existence of a snapshot could tell of a silent hold.
    let open = s.assets.get(asset).is_some_and(|found| found.kind != AssetKind::Snapshot);
    if !open || !has_data(s, owner, asset) {
        let text = format!("owns no data on {asset}");
        return Err(Refusal::new(Code::NotYourData, owner, text));
    }
    let access = s.accesses.next();
    Ok(vec![reasoned(Event::AccessRequested { access, owner, asset }, reason)])
}

/// True if the asset has data of that owner: of the accounts on itself, or, if none is, of those on
/// what it is a part or a copy of. Another customer's drive is no more its data for being in its
/// server.
fn has_data(s: &State, owner: PartyId, asset: AssetId) -> bool {
    let own = |id: &AccountId| s.accounts.get(*id).is_some_and(|account| account.owner == owner);
    let (mut todo, mut seen) = (vec![asset], BTreeSet::new());
    while let Some((id, found)) = todo.pop().and_then(|id| Some((id, s.assets.get(id)?))) {
        if found.accounts.iter().any(own) {
            return true;
        }
        if found.accounts.is_empty() && seen.insert(id) {
            todo.extend(found.part_of.iter().chain(&found.copy_of));
        }
    }
    false
}

pub(super) fn decide_on(s: &State, access: AccessId, granted: bool, reason: &Reason) -> Decision {
    if find(&s.accesses, access)?.status != AccessStatus::Open {
        return Err(Refusal::new(Code::AlreadyDone, access, "is decided"));
    }
    if !says(reason) {
        let text = "needs its conditions, or the reasons against it, in words";
        return Err(Refusal::new(Code::BadValue, access, text));
    }
    let status = if granted { AccessStatus::Granted } else { AccessStatus::Denied };
    Ok(vec![reasoned(Event::AccessDecided { access, status }, reason)])
}

/// An owner whose data came to the asset after the grant, which nobody granted.
fn joined(s: &State, found: &Access) -> Option<PartyId> {
    let human = |id: &PartyId| person(&s.parties, *id);
    let granted: BTreeSet<PartyId> =
        found.granted_of.iter().chain([&found.owner]).map(human).collect();
    coverage::owners(s, found.asset).into_iter().find(|owner| !granted.contains(&human(owner)))
}

pub(super) fn fulfil(s: &State, access: AccessId, reason: &Reason) -> Decision {
    let found = find(&s.accesses, access)?;
    match found.status {
        AccessStatus::Granted => {
            if let Some(owner) = joined(s, found) {
                let text = format!("has data of {owner} too, since {access} was granted");
                let change = "hand nothing over on it: let its owner ask anew (`bailee access \
                              request`), and decide of what is on the asset now";
                return Err(Refusal::new(Code::NotYourData, found.asset, text).with_change(change));
            }
            let status = AccessStatus::Fulfilled;
            Ok(vec![reasoned(Event::AccessDecided { access, status }, reason)])
        }
        AccessStatus::Fulfilled => Err(Refusal::new(Code::AlreadyDone, access, "is fulfilled")),
        AccessStatus::Open => Err(Refusal::new(Code::AccessNotGranted, access, "is not decided")),
        AccessStatus::Denied => {
            let refusal = Refusal::new(Code::AccessNotGranted, access, "was denied");
            Err(refusal.with_change("let the owner ask for it anew: what is denied stays so"))
        }
    }
}
