//! Erasure of one person's details and papers, without breaking one proof (rule 10).
//!
//! Invariants: the erasure is itself recorded, with the positions it destroys; papers that a hold
//! in force rests on are not erased, because later assets are matched against their words; neither
//! are the details of an owner whose account is in use, because letters are matched against its
//! label, or of whose data anything is here: nothing of it may go before a notice to them is proven
//! (rule 6), and nobody can be reached whose address is destroyed. With the details go the office
//! and the tokens: an address that is free for somebody new must not leave the old login at work,
//! or one person is two (rule 7). The last counsel stays.

use super::{Decision, find};
use crate::coverage;
use crate::event::Event;
use crate::id::{AssetId, PartyId};
use crate::party::{Party, Role};
use crate::refusal::{Code, Refusal};
use crate::state::State;

pub(super) fn erase(s: &State, party: PartyId) -> Decision {
    let found = find(&s.parties, party)?;
    let theirs = s.demands.iter().filter(|(_, demand)| demand.from == party);
    let mut papers = Vec::new();
    for (id, demand) in theirs {
        if s.holds.get(demand.hold).is_some_and(crate::hold::Hold::in_force) {
            let text = format!("still rests on {id} of {party}");
            return Err(Refusal::new(Code::ErasureBlocked, demand.hold, text));
        }
        if demand.papers.is_some() {
            papers.push(demand.position);
        }
    }
    let in_use =
        |account: &crate::asset::Account| account.owner == party && account.terminated.is_none();
    if let Some((id, _)) = s.accounts.iter().find(|(_, account)| in_use(account)) {
        let text = format!("is in use by {party}: a letter that names it has to find it");
        return Err(Refusal::new(Code::ErasureBlocked, id, text));
    }
    if let Some(asset) = in_custody(s, party) {
        let text = format!("is here with data of {party}, who is owed a notice before it goes");
        let refusal = Refusal::new(Code::ErasureBlocked, asset, text);
        return Err(refusal.with_change(
            "end its keeping first: give it back, hand it over or destroy it under a disposition",
        ));
    }
    let counsel = |party: &Party| party.in_office() && party.is(Role::Counsel);
    let others = s.parties.iter().any(|(id, other)| id != party && counsel(other));
    if counsel(found) && !others {
        let text = "is the only counsel, and nobody could appoint another";
        let refusal = Refusal::new(Code::ErasureBlocked, party, text);
        return Err(refusal.with_change("register another counsel first"));
    }
    papers.extend(&found.papers);
    papers.sort_unstable();
    papers.dedup();
    let positions = found.entries.clone();
    if found.erased.is_some() && papers.is_empty() && positions.is_empty() {
        return Err(Refusal::new(Code::AlreadyDone, party, "is erased, and nothing came since"));
    }
    let mut facts = vec![Event::DetailsErased { party, positions, papers }.into()];
    let theirs = s.tokens.iter().filter(|(_, token)| token.party == party && !token.revoked);
    facts.extend(theirs.map(|(token, _)| Event::TokenRevoked { token }.into()));
    Ok(facts)
}

/// The first asset that is here and has data of the party.
fn in_custody(s: &State, party: PartyId) -> Option<AssetId> {
    s.accounts.iter().find(|(_, account)| account.owner == party)?;
    let all = s.assets.iter().map(|(id, _)| id);
    all.into_iter().find(|id| coverage::keeps_data_of(s, *id, party))
}
