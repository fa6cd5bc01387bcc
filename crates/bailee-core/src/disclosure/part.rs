//! A party's part in a matter: what it asked for, what is done to its data, what it was told.
//!
//! Invariant: nothing here is found through a hold that the party must not know of: a silent hold
//! reaches no asset, brings no disposition in and makes no party of anybody, unless it rests on the
//! party's own demand or was accepted by it, by name.

use std::collections::BTreeSet;

use super::guard::Guard;
use crate::asset::AssetKind;
use crate::coverage;
use crate::custody;
use crate::disposition::{ClearanceStatus, Disposition, DispositionKind};
use crate::event::Event;
use crate::hold::Hold;
use crate::id::{
    AccessId, AccountId, AssetId, ClearanceId, DemandId, DispositionId, HoldId, MatterId, NoticeId,
    ObjectionId, PartyId,
};
use crate::notice::About;
use crate::party::person;
use crate::policy::DutyKind;
use crate::state::State;
use crate::view;

/// True if the hold is one of the matter's.
pub(super) fn belongs(s: &State, matter: MatterId, hold: &Hold) -> bool {
    let demands = s.matters.get(matter).map_or(&[][..], |found| &found.demands);
    hold.matter == Some(matter) || hold.demands.iter().any(|demand| demands.contains(demand))
}

/// True if one of the holds, past or present, reaches the asset.
pub(super) fn reached(s: &State, asset: AssetId, holds: &BTreeSet<HoldId>) -> bool {
    !holds.is_empty() && coverage::holds(s, asset).keys().any(|hold| holds.contains(hold))
}

/// True if a letter of the party is filed in the matter, and not erased.
pub(super) fn wrote(s: &State, matter: MatterId, party: PartyId) -> bool {
    let Some(found) = s.parties.get(party) else { return false };
    // Positions come in the order of the log, so they are sorted.
    let filed = s.matters.get(matter).map_or(&[][..], |matter| &matter.correspondence);
    !filed.is_empty() && found.papers.iter().any(|at| filed.binary_search(at).is_ok())
}

/// Assets that the holds name, by themselves, by account or by identifier.
pub(super) fn named(s: &State, holds: &BTreeSet<HoldId>) -> BTreeSet<AssetId> {
    let scopes: Vec<_> =
        holds.iter().filter_map(|id| s.holds.get(*id)).map(|hold| &hold.scope).collect();
    let accounts: BTreeSet<AccountId> =
        scopes.iter().flat_map(|scope| &scope.accounts).copied().collect();
    let mut found: BTreeSet<AssetId> =
        scopes.iter().flat_map(|scope| &scope.assets).copied().collect();
    let forms = scopes.iter().flat_map(|scope| &scope.identifiers);
    found.extend(forms.filter_map(|form| s.identifiers.get(form.as_str())));
    if !accounts.is_empty() {
        let on = |account: &AccountId| accounts.contains(account);
        let of_accounts = s.assets.iter().filter(|(_, asset)| asset.accounts.iter().any(on));
        found.extend(of_accounts.map(|(id, _)| id));
    }
    found
}

/// What a disposition concerns, also after it was carried out.
fn concerned(s: &State, kind: DispositionKind, assets: &[AssetId]) -> BTreeSet<AssetId> {
    match kind {
        DispositionKind::Erase => {
            assets.iter().flat_map(|id| custody::all_of_unit(s, *id)).collect()
        }
        _ => assets.iter().copied().collect(),
    }
}

/// What of a matter a party has to do with.
#[derive(Debug, Default)]
pub(super) struct Part {
    /// Every login of the human being.
    pub(super) logins: BTreeSet<PartyId>,
    pub(super) party: Option<PartyId>,
    pub(super) matter: Option<MatterId>,
    /// Its demands.
    pub(super) demands: BTreeSet<DemandId>,
    /// Holds that rest on these alone.
    pub(super) asked: BTreeSet<HoldId>,
    /// Holds over its own data that it may know of.
    pub(super) covering: BTreeSet<HoldId>,
    /// Demands those rest on; their ids stand in the entries that place them.
    pub(super) grounds: BTreeSet<DemandId>,
    /// Holds it has accepted with the assets it took over.
    pub(super) accepted: BTreeSet<HoldId>,
    /// Its accounts.
    pub(super) accounts: BTreeSet<AccountId>,
    /// Its assets, without the house's snapshots of them.
    pub(super) own: BTreeSet<AssetId>,
    /// Assets it may know of for another reason: reached by what it asked, or handed to it.
    pub(super) told_of: BTreeSet<AssetId>,
    /// Dispositions it has a notice of, or takes over by.
    pub(super) dispositions: BTreeSet<DispositionId>,
    pub(super) notices: BTreeSet<NoticeId>,
    pub(super) objections: BTreeSet<ObjectionId>,
    pub(super) accesses: BTreeSet<AccessId>,
    /// Clearances whose certificate it may see.
    pub(super) certified: BTreeSet<ClearanceId>,
    /// Of these, those whose papers it may see too.
    pub(super) with_papers: BTreeSet<ClearanceId>,
    /// Clearances that what it asked has revoked; found on the way.
    pub(super) revoked: BTreeSet<ClearanceId>,
    /// True if it wrote to the matter.
    wrote: bool,
}

impl Part {
    /// `None` if it has none, or none that it may know of.
    pub(super) fn of(s: &State, matter: MatterId, party: PartyId) -> Option<Part> {
        s.matters.get(matter)?;
        s.parties.get(party)?;
        let human = person(&s.parties, party);
        let same = |id: &PartyId| person(&s.parties, *id) == human;
        let logins = s.parties.iter().map(|(id, _)| id).filter(same).collect();
        let (party_and, matter_and) = (Some(party), Some(matter));
        let mut part = Part { logins, party: party_and, matter: matter_and, ..Part::default() };
        part.asked(s, matter, party);
        part.owned(s, matter, party);
        part.told(s, matter, party);
        part.accesses(s, party);
        part.certificates(s, party);
        part.wrote = wrote(s, matter, party);
        let nothing = part.demands.is_empty()
            && part.covering.is_empty()
            && part.accepted.is_empty()
            && !part.wrote;
        (!nothing).then_some(part)
    }

    /// What a letter to the party may name, whatever the matter: its own things, and what it was
    /// told of.
    pub(super) fn of_reader(s: &State, party: PartyId) -> Part {
        let human = person(&s.parties, party);
        let same = |id: &PartyId| person(&s.parties, *id) == human;
        let seen = view::owner(s, party);
        let from = |id: &DemandId| s.demands.get(*id).is_some_and(|demand| demand.from == party);
        let only_its = |hold: &Hold| !hold.demands.is_empty() && hold.demands.iter().all(from);
        let mut part = Part {
            logins: s.parties.iter().map(|(id, _)| id).filter(same).collect(),
            party: Some(party),
            demands: s.demands.iter().map(|(id, _)| id).filter(from).collect(),
            asked: s.holds.iter().filter(|(_, h)| only_its(h)).map(|(id, _)| id).collect(),
            covering: seen.holds.iter().copied().collect(),
            accounts: seen.accounts.iter().copied().collect(),
            own: seen.assets.iter().copied().collect(),
            ..Part::default()
        };
        for (id, notice) in s.notices.iter().filter(|(_, notice)| notice.to == party) {
            part.notices.insert(id);
            if let About::Disposition(about) = notice.about {
                part.dispositions.insert(about);
            }
        }
        let proposed = part.dispositions.iter().filter_map(|id| s.dispositions.get(*id));
        let assets: BTreeSet<AssetId> = proposed.flat_map(|found| &found.assets).copied().collect();
        let known = assets.into_iter().filter(|asset| reached(s, *asset, &part.asked));
        part.told_of = known.collect();
        let own = s.objections.iter().filter(|(_, objection)| objection.by == party);
        part.objections = own.map(|(id, _)| id).collect();
        part
    }

    /// Its demands in the matter, and the holds that rest on nothing else.
    fn asked(&mut self, s: &State, matter: MatterId, party: PartyId) {
        let from = |id: &DemandId| s.demands.get(*id).is_some_and(|demand| demand.from == party);
        for (id, hold) in s.holds.iter().filter(|(_, hold)| belongs(s, matter, hold)) {
            self.demands.extend(hold.demands.iter().copied().filter(from));
            if !hold.demands.is_empty() && hold.demands.iter().all(from) {
                self.asked.insert(id);
            }
        }
    }

    /// Its data that the matter's open holds are on.
    fn owned(&mut self, s: &State, matter: MatterId, party: PartyId) {
        let seen = view::owner(s, party);
        let theirs = |hold: &Hold| {
            hold.scope.accounts.iter().any(|id| seen.accounts.contains(id))
                || hold.scope.assets.iter().any(|id| seen.assets.contains(id))
        };
        for (id, hold) in s.holds.iter() {
            if !hold.silent && belongs(s, matter, hold) && theirs(hold) {
                self.covering.insert(id);
                self.grounds.extend(&hold.demands);
            }
        }
        let named = named(s, &self.covering);
        self.own = seen.assets.iter().copied().filter(|id| named.contains(id)).collect();
        let scopes = self.covering.iter().filter_map(|id| s.holds.get(*id));
        self.accounts = scopes.flat_map(|hold| &hold.scope.accounts).copied().collect();
        let on = self.own.iter().filter_map(|id| s.assets.get(*id));
        self.accounts.extend(on.flat_map(|asset| &asset.accounts));
        self.accounts.retain(|id| seen.accounts.contains(id));
    }

    /// Dispositions it has a notice of or takes over by, and what it wrote and was told about them.
    fn told(&mut self, s: &State, matter: MatterId, party: PartyId) {
        for (id, notice) in s.notices.iter().filter(|(_, notice)| notice.to == party) {
            match notice.about {
                About::Decision(demand) if self.demands.contains(&demand) => {
                    self.notices.insert(id);
                }
                About::Disposition(about) => {
                    let found = s.dispositions.get(about);
                    if found.is_some_and(|found| self.concerns(s, party, found)) {
                        self.dispositions.insert(about);
                        self.notices.insert(id);
                    }
                }
                About::Decision(_) | About::Objection(_) => {}
            }
        }
        let of_matter = |id: &HoldId| s.holds.get(*id).is_some_and(|h| belongs(s, matter, h));
        for (id, found) in s.dispositions.iter().filter(|(_, found)| found.to == Some(party)) {
            // A hold can be accepted by number that has nothing to do with the assets: no window.
            let on = |hold: &HoldId| {
                found.assets.iter().any(|asset| reached(s, *asset, &[*hold].into()))
            };
            let accepted = found.accepted.iter().copied().filter(of_matter).filter(on);
            let accepted: Vec<HoldId> = accepted.collect();
            if found.kind == DispositionKind::Transfer && !accepted.is_empty() {
                self.accepted.extend(accepted);
                self.dispositions.insert(id);
                self.told_of.extend(&found.assets);
            }
        }
        for id in &self.dispositions {
            let filed = s.dispositions.get(*id).map_or(&[][..], |found| &found.objections);
            let by = |id: &ObjectionId| s.objections.get(*id).is_some_and(|o| o.by == party);
            self.objections.extend(filed.iter().copied().filter(by));
        }
        let answers = s.notices.iter().filter(|(_, notice)| match notice.about {
            About::Objection(id) => notice.to == party && self.objections.contains(&id),
            _ => false,
        });
        self.notices.extend(answers.map(|(id, _)| id).collect::<Vec<_>>());
    }

    /// True if the disposition has to do with the party's part in the matter; learns what of it
    /// the party may know.
    fn concerns(&mut self, s: &State, party: PartyId, found: &Disposition) -> bool {
        let mut any = false;
        for id in &concerned(s, found.kind, &found.assets) {
            let Some(asset) = s.assets.get(*id) else { continue };
            let mine = |account: &AccountId| {
                s.accounts.get(*account).is_some_and(|account| account.owner == party)
            };
            if asset.accounts.iter().any(mine) && reached(s, *id, &self.covering) {
                any = true;
                // That a snapshot was taken could tell of a silent hold: it stays unnamed.
                if asset.kind != AssetKind::Snapshot {
                    self.own.insert(*id);
                    self.accounts.extend(asset.accounts.iter().copied().filter(mine));
                }
            }
            if reached(s, *id, &self.asked) {
                any = true;
                self.told_of.insert(*id);
            }
        }
        any
    }

    /// Its own requests for its own data of the matter.
    fn accesses(&mut self, s: &State, party: PartyId) {
        let own = s.accesses.iter().filter(|(_, access)| access.owner == party);
        let of_matter = own.filter(|(_, access)| {
            self.own.contains(&access.asset) || reached(s, access.asset, &self.covering)
        });
        let found: Vec<(AccessId, AssetId)> =
            of_matter.map(|(id, access)| (id, access.asset)).collect();
        for (id, asset) in found {
            self.accesses.insert(id);
            // The request names it, and it is the party's own.
            self.told_of.insert(asset);
        }
    }

    /// Certificates about assets that it may know of.
    fn certificates(&mut self, s: &State, party: PartyId) {
        let late = |id: ClearanceId| {
            s.duties.iter().any(|(_, duty)| duty.kind == DutyKind::ExplainLoss(id))
        };
        for (id, clearance) in s.clearances.iter() {
            let finished = clearance.status == ClearanceStatus::Finished;
            let Some(found) = s.dispositions.get(clearance.disposition) else { continue };
            let going = concerned(s, found.kind, &[clearance.asset]);
            let known = going.iter().filter(|asset| self.knows_asset(**asset)).count();
            if !finished || known == 0 || !self.dispositions.contains(&clearance.disposition) {
                continue;
            }
            self.certified.insert(id);
            // An erasure's papers name every copy of the unit, some perhaps of a silent hold.
            if known < going.len() {
                continue;
            }
            // A handover's papers name the receiver. A certificate of work that a demand overtook
            // tells of that demand, which may be silent: it stays closed, whosever it was.
            let handover =
                matches!(found.kind, DispositionKind::Transfer | DispositionKind::Return);
            if (!handover || found.to == Some(party)) && !late(id) {
                self.with_papers.insert(id);
            }
        }
    }

    pub(super) fn knows_asset(&self, asset: AssetId) -> bool {
        self.own.contains(&asset) || self.told_of.contains(&asset)
    }

    pub(super) fn is(&self, party: PartyId) -> bool {
        self.party == Some(party)
    }

    /// What only the entries tell: which clearances the party's own demand has revoked.
    pub(super) fn learn(&mut self, event: &Event, guard: &mut Guard) {
        if let Event::ClearanceRevoked { clearance, hold } = event
            && self.asked.contains(hold)
        {
            self.revoked.insert(*clearance);
            guard.knows(clearance);
        }
    }

    /// Every id that may stand in what the party is shown.
    pub(super) fn ids(&self) -> BTreeSet<String> {
        fn all<I: std::fmt::Display>(ids: &BTreeSet<I>) -> impl Iterator<Item = String> + '_ {
            ids.iter().map(ToString::to_string)
        }
        let mut known: BTreeSet<String> = self.matter.iter().map(ToString::to_string).collect();
        known.extend(all(&self.logins));
        known.extend(all(&self.demands).chain(all(&self.grounds)));
        known.extend(all(&self.asked).chain(all(&self.covering)).chain(all(&self.accepted)));
        known.extend(all(&self.accounts).chain(all(&self.own)).chain(all(&self.told_of)));
        known.extend(all(&self.dispositions).chain(all(&self.notices)));
        known.extend(all(&self.objections).chain(all(&self.accesses)));
        known.extend(all(&self.certified).chain(all(&self.revoked)));
        known
    }
}
