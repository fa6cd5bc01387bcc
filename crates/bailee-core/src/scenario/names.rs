//! Names: what the story calls things, beside their citable ids.
//!
//! Invariants: an id always means the thing with that id; a label means the thing that was last
//! given it. The player learns labels from the records of the log, so a story can name what a
//! letter brought into being.

use std::collections::BTreeMap;
use std::str::FromStr;

use super::form::Unclear;
use crate::asset::{Asset, identifier_subject};
use crate::command::{Action, Command};
use crate::demand::Digest;
use crate::event::{By, Event, Record};
use crate::id::{
    AccessId, AccountId, AssetId, ClearanceId, DemandId, DispositionId, DutyId, EntityId, HoldId,
    MatterId, MeterId, NoticeId, ObjectionId, PartyId, SnapshotId,
};
use crate::state::State;

/// Most things one line may name.
const MOST: u64 = 100_000;

/// What the story calls things.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    parties: BTreeMap<String, PartyId>,
    entities: BTreeMap<String, EntityId>,
    accounts: BTreeMap<String, AccountId>,
    assets: BTreeMap<String, AssetId>,
    matters: BTreeMap<String, MatterId>,
}

/// Anything that can be named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Thing {
    Account(AccountId),
    Asset(AssetId),
    Matter(MatterId),
    Demand(DemandId),
    Hold(HoldId),
    Notice(NoticeId),
    Objection(ObjectionId),
    Disposition(DispositionId),
    Clearance(ClearanceId),
    Snapshot(SnapshotId),
    Access(AccessId),
    Meter(MeterId),
    Duty(DutyId),
}

impl Thing {
    /// Its citable id.
    pub(super) fn id(self) -> String {
        match self {
            Thing::Account(id) => id.to_string(),
            Thing::Asset(id) => id.to_string(),
            Thing::Matter(id) => id.to_string(),
            Thing::Demand(id) => id.to_string(),
            Thing::Hold(id) => id.to_string(),
            Thing::Notice(id) => id.to_string(),
            Thing::Objection(id) => id.to_string(),
            Thing::Disposition(id) => id.to_string(),
            Thing::Clearance(id) => id.to_string(),
            Thing::Snapshot(id) => id.to_string(),
            Thing::Access(id) => id.to_string(),
            Thing::Meter(id) => id.to_string(),
            Thing::Duty(id) => id.to_string(),
        }
    }
}

/// An id in its citable form.
pub(super) fn id<I: FromStr>(name: &str, what: &str) -> Result<I, Unclear> {
    name.parse().map_err(|_| Unclear::new(what, format!("{name:?}")))
}

fn labelled<I: FromStr + Copy>(
    known: &BTreeMap<String, I>,
    name: &str,
    what: &str,
) -> Result<I, Unclear> {
    if let Ok(id) = name.parse() {
        return Ok(id);
    }
    known.get(name).copied().ok_or_else(|| {
        let names: Vec<&str> = known.keys().take(8).map(String::as_str).collect();
        let got = format!("{name:?} is not known yet; known are {}", names.join(", "));
        Unclear::new(what, got)
    })
}

impl Names {
    /// Learns what a command brought into being.
    pub(super) fn learn(&mut self, command: &Command, records: &[Record]) {
        for record in records {
            let who = record.fact.who.as_ref().map(|who| who.name.clone());
            match &record.fact.event {
                Event::PartyRegistered { party, .. } => {
                    self.parties.extend(who.map(|name| (name, *party)));
                }
                Event::DemandReceived { from, .. } => {
                    if let Action::ReceiveDemand(new) = &command.action {
                        self.parties.insert(new.from.name.clone(), *from);
                    }
                }
                Event::EntityRegistered { entity, name, .. } => {
                    self.entities.insert(name.clone(), *entity);
                }
                Event::AccountRegistered { account, .. } => {
                    self.accounts.extend(who.map(|label| (label, *account)));
                }
                Event::AssetRegistered { asset, label, .. }
                | Event::AssetRelabelled { asset, label, .. } => {
                    self.assets.insert(label.clone(), *asset);
                }
                Event::MatterOpened { matter, title } => {
                    self.matters.insert(title.clone(), *matter);
                }
                _ => {}
            }
        }
    }

    /// Who acts: a party, or Bailee itself.
    pub(super) fn by(&self, name: &str) -> Result<By, Unclear> {
        match name {
            "Bailee" => Ok(By::System),
            _ => Ok(By::Party(self.party(name)?)),
        }
    }

    pub(super) fn party(&self, name: &str) -> Result<PartyId, Unclear> {
        labelled(&self.parties, name, "a party")
    }

    pub(super) fn entity(&self, name: &str) -> Result<EntityId, Unclear> {
        labelled(&self.entities, name, "a legal entity of the provider")
    }

    pub(super) fn account(&self, name: &str) -> Result<AccountId, Unclear> {
        labelled(&self.accounts, name, "an account")
    }

    pub(super) fn matter(&self, name: &str) -> Result<MatterId, Unclear> {
        labelled(&self.matters, name, "a matter")
    }

    /// An asset, by label, `A-3` or, if it is a snapshot, `S-3`.
    pub(super) fn asset(&self, state: &State, name: &str) -> Result<AssetId, Unclear> {
        if let Some(snapshot) = name.parse().ok().and_then(|id| state.snapshots.get(id)) {
            return Ok(snapshot.asset);
        }
        labelled(&self.assets, name, "an asset")
    }

    /// Assets, ranges expanded.
    pub(super) fn assets(&self, state: &State, names: &[String]) -> Result<Vec<AssetId>, Unclear> {
        expand(names)?.iter().map(|name| self.asset(state, name)).collect()
    }

    /// Anything, by id or by the label of an asset, account or matter.
    pub(super) fn thing(&self, name: &str) -> Result<Thing, Unclear> {
        let by_id = name.parse().map(Thing::Demand).ok();
        let by_id = by_id.or_else(|| name.parse().map(Thing::Hold).ok());
        let by_id = by_id.or_else(|| name.parse().map(Thing::Notice).ok());
        let by_id = by_id.or_else(|| name.parse().map(Thing::Objection).ok());
        let by_id = by_id.or_else(|| name.parse().map(Thing::Disposition).ok());
        let by_id = by_id.or_else(|| name.parse().map(Thing::Clearance).ok());
        let by_id = by_id.or_else(|| name.parse().map(Thing::Snapshot).ok());
        let by_id = by_id.or_else(|| name.parse().map(Thing::Access).ok());
        let by_id = by_id.or_else(|| name.parse().map(Thing::Meter).ok());
        let by_id = by_id.or_else(|| name.parse().map(Thing::Duty).ok());
        let by_id = by_id.or_else(|| self.account(name).map(Thing::Account).ok());
        let by_id = by_id.or_else(|| self.matter(name).map(Thing::Matter).ok());
        match by_id {
            Some(thing) => {
                let label = matches!(thing, Thing::Account(_) | Thing::Matter(_));
                match self.assets.get(name).filter(|_| label) {
                    Some(asset) => {
                        let got = format!("{name:?} is also the asset {asset}; cite it by its id");
                        Err(Unclear::new("one thing of that name", got))
                    }
                    None => Ok(thing),
                }
            }
            None => labelled(&self.assets, name, "a thing with an id or label").map(Thing::Asset),
        }
    }

    /// What the gate calls it: the id of an account, asset or anything else.
    pub(super) fn about(&self, name: &str) -> String {
        match (self.accounts.get(name), self.assets.get(name)) {
            (Some(account), _) => account.to_string(),
            (None, Some(asset)) => asset.to_string(),
            (None, None) => name.to_owned(),
        }
    }
}

/// Expands `srv-1..630` and `S-1..630`; other names stay.
pub(super) fn expand(names: &[String]) -> Result<Vec<String>, Unclear> {
    let mut found = Vec::new();
    for name in names {
        match range(name) {
            None => found.push(name.clone()),
            Some((prefix, from, to)) => {
                if from > to || to - from >= MOST {
                    let wanted = format!("a range that goes up and has at most {MOST} numbers");
                    return Err(Unclear::new(wanted, format!("{name:?}")));
                }
                found.extend((from..=to).map(|n| format!("{prefix}{n}")));
            }
        }
    }
    Ok(found)
}

fn range(name: &str) -> Option<(&str, u64, u64)> {
    let (from, to) = name.split_once("..")?;
    let prefix = from.trim_end_matches(|c: char| c.is_ascii_digit());
    let to = to.strip_prefix(prefix).unwrap_or(to);
    Some((prefix, from[prefix.len()..].parse().ok()?, to.parse().ok()?))
}

/// Stands in for the SHA-256 of something that exists only in the story: 32 bytes that differ for
/// different texts. It proves nothing and need not.
pub(super) fn stand_in(text: &str) -> Digest {
    let mut digest = Digest::default();
    for (lane, out) in digest.chunks_exact_mut(8).enumerate() {
        let start = 0xcbf2_9ce4_8422_2325_u64.wrapping_add(lane as u64);
        let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        out.copy_from_slice(&text.bytes().fold(start, mix).to_be_bytes());
    }
    digest
}

/// In lower-case hexadecimal.
pub(super) fn hex(digest: &Digest) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What an agent would read from the thing itself: the root of a snapshot, or the device identity
/// that was recorded; for a thing without one, what stands on it, or something it is not bound to.
pub(super) fn subject(state: &State, id: AssetId) -> Digest {
    let Some(asset) = state.assets.get(id) else { return Digest::default() };
    match asset.snapshot.and_then(|id| state.snapshots.get(id)) {
        Some(snapshot) => snapshot.root,
        None => identity(asset).or(on_it(asset)).unwrap_or_else(|| stand_in(&asset.label)),
    }
}

fn on_it(asset: &Asset) -> Option<Digest> {
    asset.identifiers.first().map(|identifier| identifier_subject(&identifier.value))
}

fn identity(asset: &Asset) -> Option<Digest> {
    let text = &asset.device()?.value;
    let mut digest = Digest::default();
    for (i, out) in digest.iter_mut().enumerate() {
        *out = u8::from_str_radix(text.get(2 * i..2 * i + 2)?, 16).ok()?;
    }
    Some(digest)
}
