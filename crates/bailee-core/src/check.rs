//! Check: every rule that a state can break, looked for by scan, not by index.
//!
//! Ends every test and every scenario, and ships to users as `bailee check`. It shares no code with
//! the deciders beyond reading the tables, so that one mistake does not hide another.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::asset::{Fate, normal};
use crate::copies;
use crate::coverage;
use crate::custody;
use crate::demand::DemandStatus;
use crate::disposition::{Approval, Clearance, ClearanceStatus, Disposition, Radius};
use crate::hold::{Hold, HoldStatus};
use crate::id::{AccountId, AssetId, ClearanceId, DispositionId, HoldId, PartyId};
use crate::matching;
use crate::owner::{self, all_names};
use crate::party::{Role, person};
use crate::rotation::RotationStatus;
use crate::state::{Due, Key, Named, State};
use crate::view;

/// A broken rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Number of the rule in the domain's list; 0 for the state's own indices.
    pub rule: u8,
    /// The thing.
    pub about: String,
    /// What is wrong with it.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rule {}: {} {}", self.rule, self.about, self.what)
    }
}

/// Every violation there is; empty is good.
pub fn check(state: &State) -> Vec<Violation> {
    let mut found = Found(Vec::new());
    asked(state, &mut found);
    held(state, &mut found);
    wanted(state, &mut found);
    let_go(state, &mut found);
    released(state, &mut found);
    rotated(state, &mut found);
    private(state, &mut found);
    indexed(state, &mut found);
    found.0
}

struct Found(Vec<Violation>);

impl Found {
    fn unless(&mut self, good: bool, rule: u8, about: impl fmt::Display, what: &str) {
        if !good {
            self.0.push(Violation { rule, about: about.to_string(), what: what.to_owned() });
        }
    }
}

/// Rule 1: every demand blocks, from its entry on, until a person's decision has cooled.
fn asked(s: &State, found: &mut Found) {
    for (id, demand) in s.demands.iter() {
        let Some(hold) = s.holds.get(demand.hold) else {
            found.unless(false, 1, id, "has no hold");
            continue;
        };
        found.unless(hold.demands.contains(&id), 1, id, "is not what its hold rests on");
        found.unless(hold.placed == demand.received, 1, id, "did not block when it was received");
        let open = matches!(demand.status, DemandStatus::Received | DemandStatus::Clarifying);
        found.unless(!open || hold.in_force(), 1, id, "is undecided and does not block");
        let Some(papers) = demand.papers.as_ref().filter(|_| hold.in_force()) else { continue };
        let named = matching::named(s, &papers.words);
        let accounts = named.accounts.iter().all(|a| hold.scope.accounts.contains(a));
        found.unless(accounts, 1, id, "names an account that its hold does not reach");
        let reached = |a: &AssetId| coverage::reaches(s, demand.hold, *a);
        let assets = named.assets.iter().all(reached);
        found.unless(assets, 1, id, "names an asset that its hold does not reach");
    }
}

/// Rules 2, 3, 8: what a hold names, it reaches; every clock is on the agenda.
fn held(s: &State, found: &mut Found) {
    for (id, hold) in s.holds.iter() {
        let by_asset = |a: &AssetId| s.assets.get(*a).is_some_and(|x| x.holds.contains(&id));
        found.unless(hold.scope.assets.iter().all(by_asset), 3, id, "does not reach its assets");
        let accounts = hold.scope.accounts.iter();
        let by_account = accounts.filter_map(|a| s.accounts.get(*a)).all(|a| a.holds.contains(&id));
        found.unless(by_account, 3, id, "does not reach its accounts");
        found.unless(!hold.bases.is_empty(), 2, id, "has no reason");
        for (n, basis) in hold.bases.iter().enumerate() {
            let Some(due) = basis.due.filter(|_| hold.in_force() && basis.ended.is_none()) else {
                continue;
            };
            let clock = s.agenda.contains(&(due, Due::Basis(id, n as u8)));
            found.unless(clock, 8, id, "has a clock that is not on the agenda");
        }
        if let HoldStatus::Cooling(until) = hold.status {
            let clock = s.agenda.contains(&(until, Due::Cooling(id)));
            found.unless(clock, 8, id, "cools and is not on the agenda");
        }
    }
}

/// Rules 1, 3: what a hold in force wants by an identifier, it reaches under each of its names.
fn wanted(s: &State, found: &mut Found) {
    let mut holds = BTreeMap::<&str, Vec<HoldId>>::new();
    for (id, hold) in s.holds.iter().filter(|(_, hold)| hold.in_force()) {
        hold.scope.identifiers.iter().for_each(|form| holds.entry(form).or_default().push(id));
    }
    if holds.is_empty() {
        return;
    }
    let of = |name: &str| {
        let named = matching::phrase(name).map(|_| normal(name));
        named.and_then(|form| holds.get(form.as_str())).map_or(&[][..], Vec::as_slice)
    };
    // A snapshot is found through what it is of: nobody calls it by its label.
    for (id, asset) in s.assets.iter().filter(|(_, asset)| asset.snapshot.is_none()) {
        let reached = of(&asset.label).iter().all(|hold| coverage::reaches(s, *hold, id));
        found.unless(reached, 3, id, "is called what a hold wants that does not reach it");
    }
    for (id, account) in s.accounts.iter() {
        let of_owner = owner::logins(s, account.owner).flat_map(|(_, login)| all_names(login));
        let names = account.label.as_deref().into_iter().chain(of_owner);
        let reached = names.flat_map(of).all(|hold| account.holds.contains(hold));
        found.unless(reached, 3, id, "is called what a hold wants that does not reach it");
    }
}

/// Rules 5, 6, 7: nothing was let go of without everything.
fn let_go(s: &State, found: &mut Found) {
    for (id, clearance) in s.clearances.iter() {
        let Some(disposition) = s.dispositions.get(clearance.disposition) else {
            found.unless(false, 5, id, "has no disposition");
            continue;
        };
        found.unless(clearance.against.is_empty(), 5, id, "was leased against a hold in force");
        approved(s, found, id, disposition);
        notified(s, found, id, clearance, disposition);
        let marked = |a: &AssetId| s.assets.get(*a).is_some_and(|a| a.clearance == Some(id));
        let agree = match clearance.is_open() {
            true => custody::under(s, clearance).iter().all(marked),
            false => !custody::under(s, clearance).iter().any(marked),
        };
        found.unless(agree, 5, id, "and its asset disagree");
        found.unless(
            clearance.is_open() == s.open_clearances.contains(&id),
            0,
            id,
            "is open and not listed, or listed and not open",
        );
        let finished = clearance.status == ClearanceStatus::Finished;
        found.unless(finished == clearance.certificate.is_some(), 5, id, "lacks its certificate");
        if let ClearanceStatus::Begun(lease) | ClearanceStatus::Stopping(lease) = clearance.status {
            let longest = s.clock.plus_seconds(crate::policy::LONGEST_LEASE);
            found.unless(lease <= longest, 5, id, "has a lease of more than sixty seconds");
        }
    }
    for (id, asset) in s.assets.iter() {
        let clearance = match asset.fate {
            Fate::Kept => continue,
            Fate::Destroyed(c) | Fate::HandedOver(c, _) | Fate::Unknown(c) | Fate::Partial(c) => c,
        };
        let status = s.clearances.get(clearance).map(|c| c.status);
        let fits = match asset.fate {
            Fate::Destroyed(_) | Fate::HandedOver(..) => status == Some(ClearanceStatus::Finished),
            Fate::Unknown(_) => {
                matches!(status, Some(ClearanceStatus::Lost | ClearanceStatus::Aborted))
            }
            Fate::Partial(_) => status == Some(ClearanceStatus::Aborted),
            Fate::Kept => true,
        };
        found.unless(fits, 5, id, "met a fate that its clearance does not explain");
    }
}

fn approved(s: &State, found: &mut Found, id: ClearanceId, disposition: &Disposition) {
    let good = four_eyes(s, disposition.proposer, &disposition.approvals);
    found.unless(good, 7, id, "was granted without three persons, counsel among the approvers");
}

/// Two approvers of one radius, different persons, neither the proposer, one of them counsel.
fn four_eyes(s: &State, proposer: PartyId, approvals: &[Approval]) -> bool {
    let mut by_radius: Vec<(&Radius, BTreeSet<PartyId>, bool)> = Vec::new();
    for approval in approvals {
        let counsel = s.parties.get(approval.by).is_some_and(|p| p.is(Role::Counsel));
        let human = person(&s.parties, approval.by);
        if human == person(&s.parties, proposer) {
            return false;
        }
        match by_radius.iter_mut().find(|(radius, ..)| **radius == approval.radius) {
            Some((_, humans, has_counsel)) => {
                humans.insert(human);
                *has_counsel |= counsel;
            }
            None => by_radius.push((&approval.radius, [human].into(), counsel)),
        }
    }
    by_radius.iter().any(|(_, humans, counsel)| humans.len() >= 2 && *counsel)
}

fn notified(
    s: &State,
    found: &mut Found,
    id: ClearanceId,
    clearance: &Clearance,
    disposition: &Disposition,
) {
    let proven = |n: &crate::id::NoticeId| {
        let proven = s.notices.get(*n).and_then(|notice| notice.proven);
        proven.is_some_and(|(at, evidence)| at < clearance.reserved && evidence.proves())
    };
    let early = disposition.notices.iter().filter(|n| {
        // Notices queued after the reservation could not have been waited for.
        let first = s.notices.get(**n).and_then(|notice| notice.attempts.first());
        first.is_some_and(|attempt| attempt.at < clearance.reserved)
    });
    let all = early.into_iter().all(proven);
    found.unless(all, 6, id, "was granted before every notice was proven");
    found.unless(clearance.untold.is_empty(), 6, id, "was granted with an owner not told");
}

/// Rule 7: what thawed was refused by a person, or released by three.
fn released(s: &State, found: &mut Found) {
    for (id, hold) in s.holds.iter() {
        if matches!(hold.status, HoldStatus::Provisional | HoldStatus::Active) {
            continue;
        }
        let refused = |hold: &Hold| {
            let mut demands = hold.demands.iter().filter_map(|d| s.demands.get(*d));
            demands.any(|demand| demand.status == DemandStatus::Refused)
        };
        let approved = hold.release.as_ref();
        let approved = approved.is_some_and(|r| four_eyes(s, r.proposer, &r.approvals));
        found.unless(refused(hold) || approved, 7, id, "thaws without a decision of persons");
    }
}

/// Rule 7: no pair of keys came to sign the log through one person.
fn rotated(s: &State, found: &mut Found) {
    for (id, rotation) in s.ring.rotations.iter() {
        let begun = matches!(
            rotation.status,
            RotationStatus::Overlap { .. } | RotationStatus::Ended { .. }
        );
        let Some(approver) = rotation.approver else {
            found.unless(!begun, 7, id, "began and nobody approved it");
            continue;
        };
        let two = person(&s.parties, approver) != person(&s.parties, rotation.proposer);
        found.unless(two, 7, id, "was approved by its proposer");
        let counsel = |party| s.parties.get(party).is_some_and(|p| p.is(Role::Counsel));
        let seen = counsel(approver) || counsel(rotation.proposer);
        found.unless(seen, 7, id, "was approved without counsel");
    }
}

/// Rules 9 and 10.
fn private(s: &State, found: &mut Found) {
    let owners: BTreeSet<PartyId> = s.accounts.iter().map(|(_, a)| a.owner).collect();
    let silent = |id: &crate::id::HoldId| s.holds.get(*id).is_some_and(|hold| hold.silent);
    // An owner's view scans every asset; a large house is sampled by its first owners.
    for owner in owners.into_iter().take(64) {
        let seen = view::owner(s, owner).holds.iter().any(silent);
        found.unless(!seen, 9, owner, "can see a silent hold");
    }
    for (id, party) in s.parties.iter().filter(|(_, party)| party.erased.is_some()) {
        let described = party.who.is_some() || !party.before.is_empty();
        found.unless(!described, 10, id, "is erased and still described");
    }
}

/// The state's own indices against a scan of its tables.
fn indexed(s: &State, found: &mut Found) {
    for (id, duty) in s.duties.iter() {
        let listed = duty.discharged != s.open_duties.contains(&id);
        found.unless(listed, 0, id, "is open and not listed, or listed and not open");
    }
    let mut identifiers = BTreeMap::<Key, AssetId>::new();
    for (id, asset) in s.assets.iter() {
        for identifier in &asset.identifiers {
            identifiers.insert(identifier.normal().into(), id);
        }
        let parts = asset.parts.iter().filter_map(|part| s.assets.get(*part));
        found.unless(parts.into_iter().all(|p| p.part_of == Some(id)), 3, id, "has a false part");
    }
    let same = identifiers.keys().eq(s.identifiers.keys());
    found.unless(same, 0, "the index of identifiers", "differs from the assets");
    names_indexed(s, found);
    let mut former = BTreeMap::<Key, BTreeSet<PartyId>>::new();
    for (id, party) in s.parties.iter() {
        for channel in party.before.iter().flat_map(|who| &who.channels) {
            let address = channel.address.trim().to_lowercase();
            former.entry(address.into()).or_default().insert(id);
        }
    }
    found.unless(former == s.former, 0, "the index of former addresses", "differs from parties");
    for (hash, token) in &s.token_hashes {
        let good = s.tokens.get(*token).is_some_and(|t| t.hash == *hash);
        found.unless(good, 0, token, "is found under a false hash");
    }
    for (_, due) in &s.agenda {
        if let Due::Clearance(id) = due {
            let open = s.clearances.get(*id).is_some_and(Clearance::is_open);
            found.unless(open, 0, id, "is over and still on the agenda");
        }
    }
}

/// Names of owners and labels of accounts: what letters find them by, and nothing else.
fn names_indexed(s: &State, found: &mut Found) {
    let mut scanned = BTreeSet::<(Key, Named)>::new();
    let mut owned = BTreeMap::<PartyId, Vec<AccountId>>::new();
    for (id, account) in s.accounts.iter() {
        owned.entry(account.owner).or_default().push(id);
        let label = account.label.iter().flat_map(|label| matching::phrases(label));
        scanned.extend(label.map(|phrase| (phrase.into(), Named::Account(id))));
    }
    let owners: BTreeSet<PartyId> = owned.keys().map(|id| person(&s.parties, *id)).collect();
    for (id, party) in s.parties.iter() {
        let accounts = owned.get(&id).map_or(&[][..], Vec::as_slice);
        found.unless(party.accounts == accounts, 0, id, "has other accounts than are its own");
        let first = person(&s.parties, id);
        let login = first == id || s.parties.get(first).is_some_and(|p| p.logins.contains(&id));
        found.unless(login, 0, id, "is not among the logins of its person");
        if owners.contains(&first) {
            let phrases = all_names(party).flat_map(matching::phrases);
            scanned.extend(phrases.map(|phrase| (phrase.into(), Named::Owner(id))));
        }
    }
    // Labels that an asset had before are not kept beside the index.
    let of_asset = |named: &Named| matches!(named, Named::Asset(_));
    let filed = s.phrases.iter().flat_map(|(key, all)| all.iter().map(move |one| (key, one)));
    let filed = filed.filter(|(_, named)| !of_asset(named)).map(|(key, one)| (key.clone(), *one));
    found.unless(filed.eq(scanned), 0, "the index of names", "differs from owners and accounts");
}

/// Owners of data on the asset who have no notice of the disposition: those whom a reservation
/// passes over. Used by `apply` to keep the evidence that `check` looks at, because owners may
/// become known later.
pub(crate) fn untold(s: &State, disposition: DispositionId, asset: AssetId) -> Vec<PartyId> {
    let notices = s.dispositions.get(disposition).map_or(&[][..], |d| &d.notices);
    let told = |owner: &PartyId| {
        notices.iter().filter_map(|n| s.notices.get(*n)).any(|notice| notice.to == *owner)
    };
    let kind = s.dispositions.get(disposition).map(|d| d.kind);
    let going = kind.map_or_else(|| vec![asset], |kind| custody::going(s, kind, &[asset]));
    let owners: BTreeSet<PartyId> =
        going.into_iter().flat_map(|asset| coverage::owners(s, asset)).collect();
    let gone = |owner: &PartyId| custody::is_gone(s, &[asset], *owner);
    owners.into_iter().filter(|owner| !told(owner) && !gone(owner)).collect()
}

/// Holds in force that reach what is to go and that no copy satisfies, or that the transferee has
/// not accepted: what a lease must not be given against. Used by `apply` to keep the evidence that
/// `check` looks at.
pub(crate) fn against(s: &State, clearance: ClearanceId) -> Vec<crate::id::HoldId> {
    let Some(clearance) = s.clearances.get(clearance) else { return Vec::new() };
    let transfer = s
        .dispositions
        .get(clearance.disposition)
        .filter(|d| d.kind == crate::disposition::DispositionKind::Transfer);
    let mut found = BTreeSet::new();
    for asset in custody::under(s, clearance) {
        let holds = coverage::holds(s, asset).into_keys();
        let holds = holds.filter_map(|id| Some((id, s.holds.get(id)?)));
        let standing =
            holds.filter(|(_, hold)| hold.in_force()).filter(|(id, hold)| match transfer {
                Some(transfer) => !transfer.accepted.contains(id),
                None => copies::satisfying(s, hold, asset).is_none(),
            });
        found.extend(standing.map(|(id, _)| id));
    }
    found.into_iter().collect()
}
