//! Applies what was registered, moved, relabelled.
//!
//! Invariant: place and lifecycle are written and never read by any decision.

use super::index::{add_addresses, add_phrase, identify, remove_addresses, remove_phrase};
use super::{Applied, push, row};
use crate::asset::{Account, Asset, Entity, Fate, Identifier, IdentifierKind, Lifecycle};
use crate::event::{Event, Record};
use crate::id::{AssetId, PartyId};
use crate::owner;
use crate::party::{Party, Who, person};
use crate::state::{Named, State};
use crate::time::Time;

pub(super) fn apply(s: &mut State, r: &Record) -> Applied {
    match &r.fact.event {
        Event::PartyRegistered { party, roles, same_person_as } => {
            if same_person_as.is_some_and(|earlier| earlier >= *party) {
                return Err(format!("{party} cannot be the same person as a later party"));
            }
            let new = Party {
                roles: roles.clone(),
                same_person_as: *same_person_as,
                who: None,
                before: Vec::new(),
                accounts: Vec::new(),
                logins: Vec::new(),
                entries: Vec::new(),
                papers: Vec::new(),
                erased: None,
            };
            push(&mut s.parties, *party, new)?;
            let first = person(&s.parties, *party);
            if first != *party {
                row(&mut s.parties, first)?.logins.push(*party);
            }
            describe(s, r, *party, r.fact.who.as_ref())
        }
        Event::PartyChanged { party } => describe(s, r, *party, r.fact.who.as_ref()),
        Event::EntityRegistered { entity, name, country } => {
            push(&mut s.entities, *entity, Entity { name: name.clone(), country: country.clone() })
        }
        Event::AccountRegistered { .. } => account(s, r),
        Event::AccountTerminated { account } => {
            row(&mut s.accounts, *account)?.terminated = Some(r.at);
            Ok(())
        }
        Event::AssetMoved { asset, lifecycle, place } => {
            let found = row(&mut s.assets, *asset)?;
            (found.lifecycle, found.place) = (*lifecycle, place.as_str().into());
            Ok(())
        }
        Event::AssetRelabelled { asset, label, identifiers, bytes } => {
            let found = row(&mut s.assets, *asset)?;
            // What a copy of it has to cover does not shrink by somebody's word.
            found.bytes = found.bytes.max(bytes.unwrap_or(0));
            found.label = label.as_str().into();
            let new = |i: &&Identifier| !found.identifiers.iter().any(|j| j.normal() == i.normal());
            let added: Vec<Identifier> = identifiers.iter().filter(new).cloned().collect();
            let binds = added.iter().any(|i| i.kind == IdentifierKind::Identity);
            let device = |i: &Identifier| i.kind == IdentifierKind::Identity;
            // What is bound to nothing is known by whatever stands on it.
            if binds || !added.is_empty() && !found.identifiers.iter().any(device) {
                found.bound = Some(r.seq);
            }
            found.identifiers.extend(added);
            // The old label stays findable: letters may use either.
            add_phrase(s, label, Named::Asset(*asset));
            identify(s, *asset, identifiers);
            // A copy that is older is of something else.
            if binds { grow(s, *asset, r.at) } else { Ok(()) }
        }
        Event::AssetAssigned { asset, account } => {
            let found = row(&mut s.assets, *asset)?;
            found.accounts.push(*account);
            (found.joined, found.came) = (Some(r.at), r.seq);
            grow(s, *asset, r.at)
        }
        Event::AssetCopied { asset, source } => {
            let found = row(&mut s.assets, *asset)?;
            found.copy_of.push(*source);
            (found.joined, found.came) = (Some(r.at), r.seq);
            grow(s, *asset, r.at)
        }
        other => Err(format!("{} is not of the registry", other.name())),
    }
}

/// Details of a party; after erasure they are not there.
fn describe(s: &mut State, r: &Record, party: PartyId, who: Option<&Who>) -> Applied {
    let found = row(&mut s.parties, party)?;
    found.entries.push(r.seq);
    let old = std::mem::replace(&mut found.who, who.cloned());
    if let Some(old) = old {
        remove_addresses(&mut s.addresses, party, &old);
        // Old names and addresses stay findable: letters may use either.
        let found = row(&mut s.parties, party)?;
        if found.who.as_ref() != Some(&old) && !found.before.contains(&old) {
            add_addresses(&mut s.former, party, &old);
            found.before.push(old);
        }
    }
    if who.is_some() && !owner::accounts(s, party).is_empty() {
        name_owner(s, party)?;
    }
    who.into_iter().for_each(|who| add_addresses(&mut s.addresses, party, who));
    Ok(())
}

/// Makes all accounts of the person findable by the names of this login.
fn name_owner(s: &mut State, party: PartyId) -> Applied {
    let names: Vec<String> = names_of(s, party)?;
    names.iter().for_each(|name| add_phrase(s, name, Named::Owner(party)));
    Ok(())
}

/// Forgets the names and former addresses of a login that is erased.
pub(super) fn forget_owner(s: &mut State, party: PartyId) -> Applied {
    let names: Vec<String> = names_of(s, party)?;
    names.iter().for_each(|name| remove_phrase(s, name, Named::Owner(party)));
    let before = std::mem::take(&mut row(&mut s.parties, party)?.before);
    before.iter().for_each(|who| remove_addresses(&mut s.former, party, who));
    Ok(())
}

fn names_of(s: &mut State, party: PartyId) -> Result<Vec<String>, String> {
    Ok(owner::all_names(row(&mut s.parties, party)?).map(str::to_owned).collect())
}

fn account(s: &mut State, r: &Record) -> Applied {
    let Event::AccountRegistered { account, owner, entity, law, retention_days } = &r.fact.event
    else {
        return Err("not an account".into());
    };
    let label = r.fact.who.as_ref().map(|who| who.name.clone());
    let party = row(&mut s.parties, *owner)?;
    party.entries.push(r.seq);
    party.accounts.push(*account);
    let logins: Vec<PartyId> = owner::logins(s, *owner).map(|(login, _)| login).collect();
    for login in logins {
        name_owner(s, login)?;
    }
    let new = Account {
        owner: *owner,
        entity: *entity,
        label: label.clone(),
        law: law.clone(),
        retention_days: *retention_days,
        terminated: None,
        holds: Vec::new(),
    };
    push(&mut s.accounts, *account, new)?;
    if let Some(label) = label {
        add_phrase(s, &label, Named::Account(*account));
    }
    Ok(())
}

/// Forgets the label of an account whose owner is erased.
pub(super) fn forget_label(s: &mut State, account: crate::id::AccountId) -> Applied {
    if let Some(label) = row(&mut s.accounts, account)?.label.take() {
        remove_phrase(s, &label, Named::Account(account));
    }
    Ok(())
}

/// An asset is most of what a house knows: its record is taken apart, not copied.
pub(super) fn asset(s: &mut State, (at, came): (Time, u64), event: Event) -> Applied {
    let Event::AssetRegistered {
        asset: id,
        kind,
        label,
        accounts,
        identifiers,
        part_of,
        copy_of,
        place,
        bytes,
    } = event
    else {
        return Err("not an asset".into());
    };
    if part_of.iter().chain(&copy_of).any(|near| *near >= id) {
        return Err(format!("{id} cannot be part or copy of a later asset"));
    }
    add_phrase(s, &label, Named::Asset(id));
    identify(s, id, &identifiers);
    let new = Asset {
        kind,
        label: label.into(),
        accounts,
        identifiers,
        part_of,
        parts: Vec::new(),
        copy_of,
        lifecycle: Lifecycle::Racked,
        place: place.into(),
        bytes,
        fate: Fate::Kept,
        snapshots: Vec::new(),
        snapshot: None,
        holds: Vec::new(),
        clearance: None,
        grown: Some(at),
        joined: None,
        came,
        bound: None,
    };
    push(&mut s.assets, id, new)?;
    if let Some(parent) = part_of {
        row(&mut s.assets, parent)?.parts.push(id);
        grow(s, parent, at)?;
    }
    Ok(())
}

/// There is more on the asset, and so on all that it is a part of, than before.
fn grow(s: &mut State, asset: AssetId, at: Time) -> Applied {
    let mut next = Some(asset);
    while let Some(id) = next {
        let found = row(&mut s.assets, id)?;
        found.grown = Some(at);
        next = found.part_of;
    }
    Ok(())
}
