//! Applies the erasure of a party's details and papers: the state forgets what the store destroys.
//!
//! Invariant: after this record the state is what a replay of the erased journal gives.

use super::index::remove_addresses;
use super::registry::{forget_label, forget_owner};
use super::{Applied, row};
use crate::event::{Event, Record};
use crate::plan::Intent;
use crate::state::State;

pub(super) fn apply(s: &mut State, r: &Record) -> Applied {
    let Event::DetailsErased { party, papers, .. } = &r.fact.event else {
        return Err("not an erasure".into());
    };
    forget_owner(s, *party)?;
    let found = row(&mut s.parties, *party)?;
    found.erased = Some(r.at);
    // What is filed from now on is a matter of the next erasure.
    found.entries.clear();
    found.papers.clear();
    if let Some(who) = found.who.take() {
        remove_addresses(&mut s.addresses, *party, &who);
    }
    let theirs = |(id, account): (crate::id::AccountId, &crate::asset::Account)| {
        (account.owner == *party).then_some(id)
    };
    let accounts: Vec<_> = s.accounts.iter().filter_map(theirs).collect();
    for account in accounts {
        forget_label(s, account)?;
    }
    let erased = |d: &crate::demand::Demand| papers.contains(&d.position);
    let demands: Vec<_> =
        s.demands.iter().filter(|(_, demand)| erased(demand)).map(|(id, _)| id).collect();
    for demand in demands {
        let papers = row(&mut s.demands, demand)?.papers.take();
        let letter = papers.as_ref().and_then(|papers| papers.exhibits.first());
        let Some(digest) = letter.map(|letter| letter.digest) else { continue };
        let filed = s.letters.entry(digest).or_default();
        filed.remove(&demand);
        if filed.is_empty() {
            s.letters.remove(&digest);
        }
    }
    for access in s.accesses.iter_mut().filter(|access| access.owner == *party) {
        access.terms.clear();
    }
    s.pending.insert(Intent::Erase(r.seq));
    Ok(())
}
