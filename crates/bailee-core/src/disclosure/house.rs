//! The whole of a matter, for the house's counsel: every entry about it, and the registrations of
//! the parties, accounts and assets that it is about.
//!
//! Invariant: it is found by ids alone, over the whole log; what counsel sees of a party, account
//! or asset is its registration, not what it does in other matters.

use std::collections::BTreeSet;

use super::part::{belongs, named, reached, wrote};
use crate::event::Event;
use crate::id::{AccountId, AssetId, HoldId, MatterId, PartyId};
use crate::notice::About;
use crate::state::State;

/// Everything about a matter, by id.
#[derive(Debug)]
pub(super) struct Whole {
    /// Ids whose every mention counts.
    keys: BTreeSet<String>,
    parties: BTreeSet<PartyId>,
    accounts: BTreeSet<AccountId>,
    assets: BTreeSet<AssetId>,
}

impl Whole {
    pub(super) fn of(s: &State, matter: MatterId) -> Option<Whole> {
        s.matters.get(matter)?;
        let holds: BTreeSet<HoldId> =
            s.holds.iter().filter(|(_, hold)| belongs(s, matter, hold)).map(|(id, _)| id).collect();
        let mut whole = Whole {
            keys: [matter.to_string()].into(),
            parties: BTreeSet::new(),
            accounts: BTreeSet::new(),
            assets: named(s, &holds),
        };
        whole.asked(s, &holds);
        whole.let_go(s, &holds);
        whole.kept(s, matter, &holds);
        whole.people(s, matter);
        Some(whole)
    }

    /// Holds, the demands they rest on, decisions on these.
    fn asked(&mut self, s: &State, holds: &BTreeSet<HoldId>) {
        for (id, hold) in holds.iter().filter_map(|id| Some((id, s.holds.get(*id)?))) {
            self.keys.insert(id.to_string());
            self.accounts.extend(&hold.scope.accounts);
            for demand in &hold.demands {
                self.keys.insert(demand.to_string());
                self.parties.extend(s.demands.get(*demand).map(|demand| demand.from));
            }
        }
        for (id, notice) in s.notices.iter() {
            if let About::Decision(demand) = notice.about
                && self.keys.contains(&demand.to_string())
            {
                self.keys.insert(id.to_string());
            }
        }
    }

    /// Dispositions of what the holds reach, with their notices, objections and clearances.
    fn let_go(&mut self, s: &State, holds: &BTreeSet<HoldId>) {
        for (id, disposition) in s.dispositions.iter() {
            if !disposition.assets.iter().any(|asset| reached(s, *asset, holds)) {
                continue;
            }
            self.keys.insert(id.to_string());
            self.keys.extend(disposition.notices.iter().map(ToString::to_string));
            self.keys.extend(disposition.objections.iter().map(ToString::to_string));
            self.assets.extend(&disposition.assets);
            self.parties.extend(disposition.to);
            let told = disposition.notices.iter().filter_map(|id| s.notices.get(*id));
            self.parties.extend(told.map(|notice| notice.to));
            let objections = disposition.objections.iter().filter_map(|id| s.objections.get(*id));
            self.parties.extend(objections.map(|objection| objection.by));
        }
        for (id, notice) in s.notices.iter() {
            if let About::Objection(objection) = notice.about
                && self.keys.contains(&objection.to_string())
            {
                self.keys.insert(id.to_string());
            }
        }
        for (id, clearance) in s.clearances.iter() {
            if self.keys.contains(&clearance.disposition.to_string()) {
                self.keys.insert(id.to_string());
            }
        }
    }

    /// Snapshots and accesses of what the holds reach; what keeping has cost.
    fn kept(&mut self, s: &State, matter: MatterId, holds: &BTreeSet<HoldId>) {
        for (id, snapshot) in s.snapshots.iter() {
            if reached(s, snapshot.source, holds) {
                self.keys.insert(id.to_string());
                self.assets.insert(snapshot.source);
            }
        }
        for (id, access) in s.accesses.iter() {
            if reached(s, access.asset, holds) {
                self.keys.insert(id.to_string());
                self.assets.insert(access.asset);
                self.parties.insert(access.owner);
            }
        }
        let meters = s.meters.iter().filter(|(_, meter)| meter.matter == matter);
        self.keys.extend(meters.map(|(id, _)| id.to_string()));
    }

    /// Accounts on the assets, whose they are, and who wrote to the matter.
    fn people(&mut self, s: &State, matter: MatterId) {
        let wrote = s.parties.iter().filter(|(id, _)| wrote(s, matter, *id));
        self.parties.extend(wrote.map(|(id, _)| id));
        let assets = self.assets.iter().filter_map(|id| s.assets.get(*id));
        self.accounts.extend(assets.flat_map(|asset| &asset.accounts));
        let accounts = self.accounts.iter().filter_map(|id| s.accounts.get(*id));
        self.parties.extend(accounts.map(|account| account.owner));
    }

    pub(super) fn has(&mut self, event: &Event) -> bool {
        match event {
            Event::PartyRegistered { party, .. }
            | Event::PartyChanged { party }
            | Event::DetailsErased { party, .. } => self.parties.contains(party),
            Event::AccountRegistered { account, .. } | Event::AccountTerminated { account } => {
                self.accounts.contains(account)
            }
            Event::AssetRegistered { asset, .. }
            | Event::AssetMoved { asset, .. }
            | Event::AssetRelabelled { asset, .. }
            | Event::AssetAssigned { asset, .. }
            | Event::AssetCopied { asset, .. } => self.assets.contains(asset),
            other => other.mentions().iter().any(|id| self.keys.contains(id)),
        }
    }
}
