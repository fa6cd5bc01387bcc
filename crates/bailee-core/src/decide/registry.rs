//! Registering entities, accounts and assets, and what happens to assets.
//!
//! Invariant (rule 1): whatever becomes known here is held against the letters in force in the same
//! decision, so that no asset is known for an instant without the hold that was waiting for it.

use std::collections::BTreeSet;

use super::demand::{Change, revoke_changed};
use super::late::{self, Meant};
use super::party::check_known;
use super::{Decision, find};
use crate::asset::{Fate, Identifier, IdentifierKind, Lifecycle, normal};
use crate::command::NewAsset;
use crate::coverage;
use crate::demand::Scope;
use crate::event::{Event, Fact};
use crate::id::{AccountId, AssetId, EntityId, PartyId};
use crate::instrument::Catalogue;
use crate::owner;
use crate::party::Who;
use crate::policy::Policy;
use crate::refusal::{Code, Refusal};
use crate::state::State;

/// Longest label or name, bytes.
const LONGEST_NAME: usize = 1024;

pub(super) fn set_policy(policy: &Policy) -> Decision {
    match policy.fault() {
        Some(fault) => Err(Refusal::new(Code::BadValue, "the policy", fault)),
        None => Ok(vec![Event::PolicySet { policy: policy.clone() }.into()]),
    }
}

pub(super) fn load_instruments(catalogue: &Catalogue) -> Decision {
    match catalogue.fault() {
        Some(fault) => Err(Refusal::new(Code::BadValue, "the instruments", fault)),
        None => Ok(vec![Event::InstrumentsLoaded { catalogue: catalogue.clone() }.into()]),
    }
}

pub(super) fn register_entity(s: &State, name: &str, country: &str) -> Decision {
    check_name("the entity", name)?;
    let entity = s.entities.next();
    let (name, country) = (name.to_owned(), country.to_owned());
    Ok(vec![Event::EntityRegistered { entity, name, country }.into()])
}

pub(super) fn register_account(
    s: &State,
    owner: PartyId,
    entity: EntityId,
    label: &str,
    law: &str,
    retention_days: u32,
) -> Decision {
    check_known(s, owner)?;
    find(&s.entities, entity)?;
    check_name("the account", label)?;
    let account = s.accounts.next();
    let law = law.to_owned();
    let event = Event::AccountRegistered { account, owner, entity, law, retention_days };
    let who = Who { name: label.to_owned(), channels: Vec::new() };
    let mut facts = vec![Fact::of(event).with_who(who)];
    let of_owner = || owner::logins(s, owner).flat_map(|(_, login)| owner::all_names(login));
    let names = || std::iter::once(label).chain(of_owner());
    let more = Scope { accounts: vec![account], ..Scope::default() };
    facts.extend(late::meant(s, names(), names(), &more).facts);
    Ok(facts)
}

pub(super) fn terminate_account(s: &State, account: AccountId) -> Decision {
    if find(&s.accounts, account)?.terminated.is_some() {
        return Err(Refusal::new(Code::AlreadyDone, account, "is terminated"));
    }
    Ok(vec![Event::AccountTerminated { account }.into()])
}

pub(super) fn register_asset(s: &State, new: &NewAsset) -> Decision {
    check_name("the asset", &new.label)?;
    for account in &new.accounts {
        find(&s.accounts, *account)?;
    }
    for near in new.part_of.iter().chain(&new.copy_of) {
        let near_asset = find(&s.assets, *near)?;
        if new.part_of == Some(*near) && !near_asset.fate.is_here() {
            return Err(Refusal::new(Code::AlreadyGone, *near, "cannot get new parts"));
        }
    }
    check_identifiers(s, None, new.part_of, &new.identifiers)?;
    if let Some(parent) = new.part_of {
        check_quiet(s, parent)?;
    }
    let asset = s.assets.next();
    let mut copy_of = new.copy_of.clone();
    copy_of.extend(come_back(s, &new.identifiers).iter().filter(|id| !new.copy_of.contains(id)));
    let event = Event::AssetRegistered {
        asset,
        kind: new.kind,
        label: new.label.clone(),
        accounts: new.accounts.clone(),
        identifiers: new.identifiers.clone(),
        part_of: new.part_of,
        copy_of,
        place: new.place.clone(),
        bytes: new.bytes,
    };
    check_one_device(asset, &[], &new.identifiers)?;
    let mut facts = vec![Fact::of(event)];
    let Meant { facts: meant, holds } = late::matched(s, asset, &new.label, &new.identifiers);
    facts.extend(meant);
    // A copy of what it is in has its data too, as far as anybody knows.
    if let Some(parent) = new.part_of {
        facts.extend(revoke_changed(s, parent, Change::Data, &late::arriving(s, new, holds)));
    }
    Ok(facts)
}

/// An asset is one device: a certificate for one must not speak for another, nor the approvals, nor
/// a copy of it. One that grew is known by what stays of it, which an agent reads: names, and what
/// somebody types, tell nothing.
fn check_one_device(asset: AssetId, has: &[Identifier], new: &[Identifier]) -> Result<(), Refusal> {
    let device = |identifier: &&Identifier| identifier.kind == IdentifierKind::Identity;
    let devices: BTreeSet<String> = new.iter().filter(device).map(Identifier::normal).collect();
    if devices.len() > 1 {
        let text = "would be bound to several devices";
        return Err(Refusal::new(Code::DeviceBound, "the asset", text));
    }
    let bound: Vec<&Identifier> = has.iter().filter(device).collect();
    let medium = |identifier: &&Identifier| identifier.kind == IdentifierKind::Medium;
    let known = || bound.iter().copied().chain(has.iter().filter(medium));
    let read = || new.iter().filter(|i| device(i) || medium(i));
    let same = read().any(|new| known().any(|known| known.normal() == new.normal()));
    let bound = !bound.is_empty();
    match bound && !devices.is_empty() && !same {
        true => Err(Refusal::new(Code::DeviceBound, asset, "is bound to another device")),
        false => Ok(()),
    }
}

/// What is being destroyed gets no new parts: they would be gone on paper, and still there.
fn check_quiet(s: &State, parent: AssetId) -> Result<(), Refusal> {
    let mut at = Some(parent);
    while let Some((id, asset)) = at.and_then(|id| Some((id, s.assets.get(id)?))) {
        if let Some(clearance) = asset.clearance {
            let text = format!("is open on {id}, which cannot get new parts now");
            return Err(Refusal::new(Code::ClearanceOutstanding, clearance, text));
        }
        at = asset.part_of;
    }
    Ok(())
}

fn check_identifiers(
    s: &State,
    own: Option<AssetId>,
    part_of: Option<AssetId>,
    identifiers: &[Identifier],
) -> Result<(), Refusal> {
    let wholes = wholes(s, part_of);
    for (i, identifier) in identifiers.iter().enumerate() {
        let value = &identifier.value;
        check_name("the identifier", value)?;
        let form = identifier.normal();
        if form.len() < 3 {
            let text = format!("{value:?} is too short to identify anything");
            return Err(Refusal::new(Code::BadValue, "the identifier", text));
        }
        if identifiers[..i].iter().any(|earlier| normal(&earlier.value) == form) {
            return Err(Refusal::new(Code::BadValue, "the identifier", "is there twice"));
        }
        // A drive says the serial that was typed for the server it is in: holds on that reach it.
        let read = matches!(identifier.kind, IdentifierKind::Identity | IdentifierKind::Medium);
        let of_whole = |holder: &AssetId| !read && wholes.contains(holder);
        if let Some(holder) = holder(s, own, &form).filter(|holder| !of_whole(holder)) {
            return Err(taken(holder, identifier));
        }
    }
    Ok(())
}

/// The asset that has the identifier, other than `own`. What is not here has none any more: a disk
/// is used again, and what was handed over may come back.
fn holder(s: &State, own: Option<AssetId>, form: &str) -> Option<AssetId> {
    let holder = s.identifiers.get(form).copied().filter(|holder| Some(*holder) != own)?;
    let gone = s.assets.get(holder).is_some_and(|asset| !asset.fate.is_here());
    (!gone).then_some(holder)
}

/// What was handed over and comes back under one of these identifiers: its data may be on it still,
/// so whatever reaches it reaches the one that has the identifier now (rule 3).
fn come_back(s: &State, identifiers: &[Identifier]) -> BTreeSet<AssetId> {
    let last = identifiers.iter().filter_map(|i| s.identifiers.get(i.normal().as_str()));
    let handed_over = |id: &AssetId| {
        s.assets.get(*id).is_some_and(|asset| matches!(asset.fate, Fate::HandedOver(..)))
    };
    last.copied().filter(handed_over).collect()
}

fn taken(holder: AssetId, identifier: &Identifier) -> Refusal {
    if !matches!(identifier.kind, IdentifierKind::Identity | IdentifierKind::Medium) {
        let text = format!("already has the identifier {:?}", identifier.value);
        return Refusal::new(Code::IdentifierTaken, holder, text);
    }
    let text = "is bound to this device, or to the same medium by another size or window";
    Refusal::new(Code::IdentifierTaken, holder, text).with_change(
        "use the asset that has it; a device that grew is bound again to its own asset (`bailee \
         asset relabel`, with --device)",
    )
}

/// What a thing is in, outwards, if it is directly in `above`.
fn wholes(s: &State, mut above: Option<AssetId>) -> BTreeSet<AssetId> {
    let mut wholes = BTreeSet::new();
    while let Some((id, whole)) = above.and_then(|id| Some((id, s.assets.get(id)?))) {
        wholes.insert(id);
        above = whole.part_of;
    }
    wholes
}

/// What the device is known by is no other asset's: overwritten, the data of that one would be
/// gone too. An asset that this one is part of may have its serial: holds on it reach its parts.
pub(super) fn check_device(s: &State, asset: AssetId, media: &[String]) -> Result<(), Refusal> {
    let wholes = wholes(s, find(&s.assets, asset)?.part_of);
    let others = media.iter().filter_map(|value| holder(s, Some(asset), &normal(value)));
    match others.filter(|holder| !wholes.contains(holder)).min() {
        None => Ok(()),
        Some(holder) => {
            let text = format!("has the same device as {asset}: its data would be gone too");
            let change = "let go of that asset first; or, if the two are one thing by mistake, \
                          destroy the device by hand";
            Err(Refusal::new(Code::IdentifierTaken, holder, text).with_change(change))
        }
    }
}

pub(super) fn move_asset(s: &State, asset: AssetId, lifecycle: Lifecycle, place: &str) -> Decision {
    find(&s.assets, asset)?;
    let place = place.to_owned();
    Ok(vec![Event::AssetMoved { asset, lifecycle, place }.into()])
}

pub(super) fn relabel_asset(
    s: &State,
    asset: AssetId,
    label: &str,
    identifiers: &[Identifier],
    bytes: Option<u64>,
) -> Decision {
    check_here(s, asset)?;
    check_name("the asset", label)?;
    check_identifiers(s, Some(asset), find(&s.assets, asset)?.part_of, identifiers)?;
    check_one_device(asset, &find(&s.assets, asset)?.identifiers, identifiers)?;
    let event = Event::AssetRelabelled {
        asset,
        label: label.to_owned(),
        identifiers: identifiers.to_vec(),
        bytes,
    };
    let mut facts = vec![Fact::of(event)];
    let Meant { facts: meant, mut holds } = late::matched(s, asset, label, identifiers);
    facts.extend(meant);
    holds.extend(identifiers.iter().flat_map(|i| s.wanting(&i.normal())));
    let found = find(&s.assets, asset)?;
    let device = |i: &Identifier| i.kind == IdentifierKind::Identity;
    let new = |i: &Identifier| !found.identifiers.iter().any(|has| has.normal() == i.normal());
    // A copy of it that is older is of something else.
    let binds = identifiers.iter().any(|i| device(i) && new(i));
    let mut change = if binds { Change::Data } else { Change::Name };
    for source in come_back(s, identifiers) {
        if !found.copy_of.contains(&source) {
            facts.push(Event::AssetCopied { asset, source }.into());
            holds.extend(coverage::holds(s, source).into_keys());
            change = Change::Data;
        }
    }
    facts.extend(revoke_changed(s, asset, change, &holds));
    Ok(facts)
}

pub(super) fn assign_asset(s: &State, asset: AssetId, account: AccountId) -> Decision {
    find(&s.accounts, account)?;
    check_here(s, asset)?;
    if find(&s.assets, asset)?.snapshot.is_some() {
        let text = "is a snapshot: it has the accounts its source had when it was taken";
        return Err(Refusal::new(Code::WrongKind, asset, text));
    }
    if find(&s.assets, asset)?.accounts.contains(&account) {
        return Err(Refusal::new(Code::AlreadyDone, asset, format!("holds data of {account}")));
    }
    let holds = find(&s.accounts, account)?.holds.iter().copied().collect();
    let mut facts = vec![Event::AssetAssigned { asset, account }.into()];
    facts.extend(revoke_changed(s, asset, Change::Data, &holds));
    Ok(facts)
}

pub(super) fn copy_asset(s: &State, asset: AssetId, source: AssetId) -> Decision {
    find(&s.assets, source)?;
    check_here(s, asset)?;
    if find(&s.assets, asset)?.copy_of.contains(&source) {
        return Err(Refusal::new(Code::AlreadyDone, asset, format!("is a copy of {source}")));
    }
    if asset == source {
        return Err(Refusal::new(Code::LineageCycle, asset, "cannot be a copy of itself"));
    }
    let holds = coverage::holds(s, source).into_keys().collect();
    let mut facts = vec![Event::AssetCopied { asset, source }.into()];
    facts.extend(revoke_changed(s, asset, Change::Data, &holds));
    Ok(facts)
}

/// What is gone is history: its identity and lineage stay as they were.
fn check_here(s: &State, asset: AssetId) -> Result<(), Refusal> {
    match find(&s.assets, asset)?.fate.is_here() {
        true => Ok(()),
        false => Err(Refusal::new(Code::AlreadyGone, asset, "is not here any more")),
    }
}

pub(super) fn check_name(about: &str, name: &str) -> Result<(), Refusal> {
    if name.trim().is_empty() || name.len() > LONGEST_NAME || name.contains(['\n', '\r', '\0']) {
        let text = "must be one line of 1 to 1024 bytes";
        return Err(Refusal::new(Code::BadValue, about, text));
    }
    Ok(())
}
