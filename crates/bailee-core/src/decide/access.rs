//! Access: owners get their own data, under recorded conditions; nobody else gets any (rule 11).

use super::{Decision, find, papers, reasoned};
use crate::asset::AssetKind;
use crate::command::Reason;
use crate::coverage;
use crate::demand::AccessStatus;
use crate::event::Event;
use crate::id::{AccessId, AssetId, PartyId};
use crate::refusal::{Code, Refusal};
use crate::state::State;

pub(super) fn request(s: &State, owner: PartyId, asset: AssetId, reason: &Reason) -> Decision {
    find(&s.parties, owner)?;
    // One answer for what is not there, what is others', and the house's own snapshots: the
    // existence of a snapshot could tell of a silent hold.
    let open = s.assets.get(asset).is_some_and(|found| found.kind != AssetKind::Snapshot);
    if !open || !coverage::owners(s, asset).contains(&owner) {
        let text = format!("owns no data on {asset}");
        return Err(Refusal::new(Code::NotYourData, owner, text));
    }
    let access = s.accesses.next();
    Ok(vec![reasoned(Event::AccessRequested { access, owner, asset }, reason)])
}

pub(super) fn decide_on(s: &State, access: AccessId, granted: bool, reason: &Reason) -> Decision {
    if find(&s.accesses, access)?.status != AccessStatus::Open {
        return Err(Refusal::new(Code::AlreadyDone, access, "is decided"));
    }
    if papers(reason).is_none() {
        let text = "needs its conditions, or the reasons against it, in words";
        return Err(Refusal::new(Code::BadValue, access, text));
    }
    let status = if granted { AccessStatus::Granted } else { AccessStatus::Denied };
    Ok(vec![reasoned(Event::AccessDecided { access, status }, reason)])
}

pub(super) fn fulfil(s: &State, access: AccessId, reason: &Reason) -> Decision {
    match find(&s.accesses, access)?.status {
        AccessStatus::Granted => {
            let status = AccessStatus::Fulfilled;
            Ok(vec![reasoned(Event::AccessDecided { access, status }, reason)])
        }
        AccessStatus::Fulfilled => Err(Refusal::new(Code::AlreadyDone, access, "is fulfilled")),
        AccessStatus::Open | AccessStatus::Denied => {
            Err(Refusal::new(Code::NotPermitted, access, "is not granted"))
        }
    }
}
