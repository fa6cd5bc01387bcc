//! A second model of the custody rules, written from the rules and not from the core: plain lists,
//! no index, closures by fixpoint. Slow and obvious.
//!
//! It is told each command and the facts it gave. Of the facts it takes ids, decisions of persons
//! and ends of clearances; what a demand or a hold covers it works out by itself, from what was
//! asked. Out of scope: who may do what, and when notices are owed.

use std::collections::BTreeSet;

use bailee_core::demand::Scope;
use bailee_core::disposition::DispositionKind;
use bailee_core::party::{ChannelKind, Who};
use bailee_core::{Action, Event, NewDemand, Record, Time};

#[derive(Default, Debug)]
pub(crate) struct Naive {
    /// Times of all entries.
    entries: Vec<Time>,
    addresses: Vec<(u32, Vec<String>)>,
    /// Those that were changed since, of who is not erased.
    former: Vec<(u32, Vec<String>)>,
    logins: Vec<Login>,
    accounts: Vec<Account>,
    pub(crate) assets: Vec<Asset>,
    holds: Vec<Hold>,
    snapshots: Vec<Snapshot>,
    demand_holds: Vec<u32>,
    kinds: Vec<DispositionKind>,
    clearances: Vec<(u32, u32)>,
}

/// A party: whose first login it is one of, and every name and mail address it had.
#[derive(Debug)]
struct Login {
    human: u32,
    names: Vec<Vec<String>>,
}

#[derive(Debug)]
struct Account {
    owner: u32,
    label: Option<Vec<String>>,
    ended: Option<Time>,
    retention: u32,
}

#[derive(Default, Debug)]
pub(crate) struct Asset {
    /// Every label and identifier it ever had, in words.
    called: Vec<Vec<String>>,
    /// Identifiers without punctuation, with the moment each was claimed.
    known_as: Vec<(String, u64)>,
    accounts: BTreeSet<u32>,
    inside: Option<u32>,
    sources: BTreeSet<u32>,
    gone: bool,
    damaged: bool,
    open: Option<u32>,
    /// The account under whose keys it is.
    first: Option<u32>,
    grown: Option<Time>,
    /// When an account or a source came to itself, not to a part of it.
    joined: Option<Time>,
}

#[derive(Debug)]
struct Hold {
    released: bool,
    cooling: Option<Time>,
    accounts: BTreeSet<u32>,
    assets: BTreeSet<u32>,
    wanted: BTreeSet<String>,
    letter: Vec<String>,
    copy_will_do: bool,
    placed: Time,
}

#[derive(Debug)]
struct Snapshot {
    source: u32,
    asset: u32,
    taken: Time,
    whole: bool,
    empty: bool,
    verified: bool,
}

/// All that a hold asks for by name.
type Meant = BTreeSet<String>;

/// What the model says of one asset.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) clear: bool,
    pub(crate) holds: BTreeSet<String>,
}

fn tokens(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let words = lower.split(|c: char| !c.is_alphanumeric());
    words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// Without punctuation; of a world wide name only its hex digits, whatever is in front of them.
fn bare(text: &str) -> String {
    let whole = tokens(text).concat();
    for digits in [32, 16] {
        let Some(at) = whole.len().checked_sub(digits).filter(|at| *at > 0) else { continue };
        let (mut front, name) = whole.split_at(at);
        while let Some(rest) =
            ["0x", "naa", "eui", "uuid", "wwn", "nvme"].iter().find_map(|s| front.strip_suffix(s))
        {
            front = rest;
        }
        if front.is_empty() && name.chars().all(|c| c.is_ascii_hexdigit()) {
            return name.to_owned();
        }
    }
    whole
}

/// What a label that is a world wide name is called, too.
fn spelt(label: &str) -> Option<Vec<String>> {
    let name = bare(label);
    (name != tokens(label).concat()).then(|| vec![name])
}

fn stands_in(phrase: &[String], letter: &[String]) -> bool {
    // A label of two letters names nothing.
    long_enough(phrase) && letter.windows(phrase.len()).any(|window| window == phrase)
}

fn long_enough(phrase: &[String]) -> bool {
    phrase.join(" ").len() >= 3
}

/// What letters may call somebody.
fn names_of(who: &Who) -> Vec<Vec<String>> {
    let mut names = Vec::new();
    let name = tokens(&who.name);
    if name.len() >= 2 || name.concat().chars().filter(|c| c.is_alphabetic()).count() >= 5 {
        names.push(name);
    }
    for channel in &who.channels {
        if channel.kind == ChannelKind::Email {
            names.push(tokens(&channel.address));
        }
    }
    names
}

impl Naive {
    /// What happened.
    pub(crate) fn learn(&mut self, action: &Action, records: &[Record]) {
        for record in records {
            let before: Vec<Meant> = self.holds.iter().map(|hold| self.meant(hold)).collect();
            self.learn_one(action, record);
            let after: Vec<Meant> = self.holds.iter().map(|hold| self.meant(hold)).collect();
            for (n, (before, after)) in before.iter().zip(after).enumerate() {
                // What was decided of the hold was decided of less.
                if !after.is_subset(before) && !self.holds[n].released {
                    (self.holds[n].copy_will_do, self.holds[n].cooling) = (false, None);
                }
            }
        }
    }

    /// All that a hold asks for by name.
    fn meant(&self, hold: &Hold) -> Meant {
        let assets = (1..=self.assets.len() as u32).filter(|n| self.names(hold, *n));
        let accounts = hold.accounts.iter().map(|n| format!("AC-{n}"));
        let all = accounts.chain(hold.wanted.iter().cloned());
        all.chain(assets.map(|n| format!("A-{n}"))).collect()
    }

    /// True if the hold asks for the asset itself, by any name it ever had.
    fn names(&self, hold: &Hold, asset: u32) -> bool {
        let one = &self.assets[asset as usize - 1];
        let wanted = |name: &Vec<String>| long_enough(name) && hold.wanted.contains(&name.concat());
        hold.assets.contains(&asset)
            || one.known_as.iter().any(|(form, _)| hold.wanted.contains(form))
            || one.called.iter().any(wanted)
            || self.named_by(asset, &hold.letter)
    }

    fn learn_one(&mut self, action: &Action, record: &Record) {
        let at = record.at;
        self.entries.push(at);
        match &record.fact.event {
            Event::PartyRegistered { party, same_person_as, .. } => {
                let human =
                    same_person_as.map_or(party.0, |id| self.logins[id.0 as usize - 1].human);
                self.logins.push(Login { human, names: Vec::new() });
                self.learn_of_names(party.0, record);
            }
            Event::PartyChanged { party } => self.learn_of_names(party.0, record),
            Event::DetailsErased { party, .. } => {
                self.logins[party.0 as usize - 1].names.clear();
                self.addresses.retain(|(known, _)| *known != party.0);
                self.former.retain(|(known, _)| *known != party.0);
                for account in self.accounts.iter_mut().filter(|a| a.owner == party.0) {
                    account.label = None;
                }
            }
            Event::AccountRegistered { account, owner, retention_days, .. } => {
                let label = Some(tokens(&record.fact.who.as_ref().unwrap().name));
                let retention = *retention_days;
                self.accounts.push(Account { owner: owner.0, label, ended: None, retention });
                self.hold_accounts(&[account.0]);
            }
            Event::AccountTerminated { account } => {
                self.accounts[account.0 as usize - 1].ended = Some(at);
            }
            Event::DemandReceived { .. } => {
                let Action::ReceiveDemand(new) = action else { panic!("a demand from nowhere") };
                self.demand(new, at);
            }
            Event::HoldPlaced { demand: None, .. } => {
                let Action::PlaceHold { scope, .. } = action else { panic!("a hold from nowhere") };
                let mut hold = empty_hold(at);
                self.ask(&mut hold, scope);
                self.holds.push(hold);
            }
            Event::DemandMatched { demand, .. } => {
                // Only a person's matching tells something new; the rest is the model's own work.
                if let Action::MatchDemand { scope, .. } = action {
                    let n = self.demand_holds[demand.0 as usize - 1] as usize;
                    let mut hold = std::mem::replace(&mut self.holds[n], empty_hold(at));
                    self.ask(&mut hold, scope);
                    self.holds[n] = hold;
                }
            }
            // What was decided of the hold was decided without this reason.
            Event::BasisAdded { hold, .. } => self.holds[hold.0 as usize - 1].copy_will_do = false,
            Event::CopyAllowed { hold } => self.holds[hold.0 as usize - 1].copy_will_do = true,
            // Who approves sees all that would be free.
            Event::ReleaseApproved { hold, radius } => {
                let hold = &self.holds[hold.0 as usize - 1];
                let here = (1..=self.assets.len() as u32)
                    .filter(|n| !self.assets[*n as usize - 1].gone && self.reaches(hold, *n));
                assert_eq!(radius.assets, here.count() as u32, "{record:?}");
            }
            Event::HoldCooling { hold, until } => {
                let hold = &mut self.holds[hold.0 as usize - 1];
                assert_eq!(hold.cooling, None, "a hold cools once");
                hold.cooling = Some(*until);
            }
            Event::HoldReleased { hold } => {
                let sure = self.sure(at);
                let hold = &mut self.holds[hold.0 as usize - 1];
                assert!(hold.cooling.is_some_and(|until| until <= sure), "thawed before its time");
                hold.released = true;
            }
            _ => self.learn_of_assets(record),
        }
    }

    fn learn_of_names(&mut self, party: u32, record: &Record) {
        let old = self.addresses.iter().filter(|(known, _)| *known == party);
        self.former.extend(old.cloned());
        self.addresses.retain(|(known, _)| *known != party);
        let who = record.fact.who.as_ref().unwrap();
        let lower = |c: &bailee_core::party::Channel| c.address.trim().to_lowercase();
        self.addresses.push((party, who.channels.iter().map(lower).collect()));
        self.logins[party as usize - 1].names.extend(names_of(who));
        let theirs = (1..=self.accounts.len() as u32).filter(|n| self.is_of(*n, party));
        self.hold_accounts(&theirs.collect::<Vec<_>>());
    }

    /// True if the account is that of the human who has this login.
    fn is_of(&self, account: u32, login: u32) -> bool {
        let human = |login: u32| self.logins[login as usize - 1].human;
        human(self.accounts[account as usize - 1].owner) == human(login)
    }

    /// Everything an account is called: its label, and every name of its owner.
    fn account_names(&self, account: u32) -> Vec<Vec<String>> {
        let mut names: Vec<_> =
            self.accounts[account as usize - 1].label.clone().into_iter().collect();
        names.extend(names.first().and_then(|label| spelt(&label.join(" "))));
        for (n, login) in (1u32..).zip(&self.logins) {
            if self.is_of(account, n) {
                names.extend(login.names.iter().cloned());
            }
        }
        names
    }

    /// Holds in force that mean one of the accounts by a name of today reach it from now on.
    fn hold_accounts(&mut self, accounts: &[u32]) {
        for account in accounts {
            let names = self.account_names(*account);
            for hold in self.holds.iter_mut().filter(|hold| !hold.released) {
                let wanted =
                    |name: &Vec<String>| long_enough(name) && hold.wanted.contains(&name.concat());
                if names.iter().any(|name| stands_in(name, &hold.letter) || wanted(name)) {
                    hold.accounts.insert(*account);
                }
            }
        }
    }

    fn learn_of_assets(&mut self, record: &Record) {
        let (at, seq) = (record.at, record.seq);
        match &record.fact.event {
            Event::AssetRegistered { label, accounts, identifiers, part_of, copy_of, .. } => {
                let values = identifiers.iter().map(|i| i.value.as_str());
                self.assets.push(Asset {
                    called: std::iter::once(label.as_str())
                        .chain(values)
                        .map(tokens)
                        .chain(identifiers.iter().map(|i| vec![bare(&i.value)]))
                        .chain(spelt(label))
                        .collect(),
                    known_as: identifiers.iter().map(|i| (bare(&i.value), seq)).collect(),
                    accounts: accounts.iter().map(|id| id.0).collect(),
                    inside: part_of.map(|id| id.0),
                    sources: copy_of.iter().map(|id| id.0).collect(),
                    first: accounts.first().map(|id| id.0),
                    grown: Some(at),
                    ..Asset::default()
                });
                if let Some(parent) = part_of {
                    self.grow(parent.0, at);
                }
            }
            Event::AssetRelabelled { asset, label, identifiers, .. } => {
                let asset = &mut self.assets[asset.0 as usize - 1];
                asset.called.push(tokens(label));
                asset.called.extend(spelt(label));
                for identifier in identifiers {
                    asset.called.push(tokens(&identifier.value));
                    asset.called.push(vec![bare(&identifier.value)]);
                    asset.known_as.push((bare(&identifier.value), seq));
                }
            }
            Event::AssetAssigned { asset, account } => {
                let found = &mut self.assets[asset.0 as usize - 1];
                found.accounts.insert(account.0);
                found.joined = Some(at);
                found.first.get_or_insert(account.0);
                self.grow(asset.0, at);
            }
            Event::AssetCopied { asset, source } => {
                self.assets[asset.0 as usize - 1].sources.insert(source.0);
                self.assets[asset.0 as usize - 1].joined = Some(at);
                self.grow(asset.0, at);
            }
            Event::SnapshotRecorded {
                asset, source, unreadable, taken, bytes, changed, ..
            } => {
                let of = &self.assets[source.0 as usize - 1];
                let (accounts, first, sources) = (of.accounts.clone(), of.first, [source.0].into());
                self.assets.push(Asset { accounts, first, sources, ..Asset::default() });
                self.snapshots.push(Snapshot {
                    source: source.0,
                    asset: asset.0,
                    taken: *taken,
                    whole: *unreadable == 0 && changed.is_none(),
                    empty: *bytes == 0,
                    verified: false,
                });
            }
            Event::SnapshotVerified { snapshot, intact } => {
                self.snapshots[snapshot.0 as usize - 1].verified = *intact;
            }
            Event::DispositionProposed { kind, .. } => self.kinds.push(*kind),
            _ => self.learn_of_clearances(record),
        }
    }

    fn learn_of_clearances(&mut self, record: &Record) {
        match &record.fact.event {
            Event::ClearanceReserved { clearance, disposition, asset, .. } => {
                self.clearances.push((disposition.0, asset.0));
                self.permitted(clearance.0, record.at);
                for asset in self.going(clearance.0) {
                    self.assets[asset as usize - 1].open = Some(clearance.0);
                }
            }
            Event::ClearanceBegun { clearance, lease }
            | Event::ClearanceRenewed { clearance, lease } => {
                assert!(*lease <= record.at.plus_seconds(60), "a lease of over a minute");
                self.permitted(clearance.0, record.at);
            }
            Event::ClearanceFinished { clearance, .. } => {
                for asset in self.close(clearance.0) {
                    for n in 1..=self.assets.len() as u32 {
                        if self.is_inside(n, asset) {
                            self.assets[n as usize - 1].gone = true;
                        }
                    }
                }
            }
            Event::ClearanceAborted { clearance, gone } => {
                for asset in self.close(clearance.0) {
                    self.assets[asset as usize - 1].damaged |= *gone > 0;
                }
            }
            Event::ClearanceLost { clearance } => {
                for asset in self.close(clearance.0) {
                    self.assets[asset as usize - 1].damaged = true;
                }
            }
            Event::ClearanceExpired { clearance } => drop(self.close(clearance.0)),
            Event::ClearanceRevoked { .. } => {}
            _ => {}
        }
    }

    /// A revocation ends a reservation at once, a begun clearance only when the agent reports.
    pub(crate) fn revoked_unbegun(&mut self, clearance: u32) {
        self.close(clearance);
    }

    /// Every permission the core gives must be one the model would give too (rules 3 and 5).
    fn permitted(&self, clearance: u32, at: Time) {
        let (disposition, _) = self.clearances[clearance as usize - 1];
        if self.kinds[disposition as usize - 1] == DispositionKind::Transfer {
            return;
        }
        for asset in self.going(clearance) {
            let answer = self.answer(asset, at, Some(clearance));
            assert!(answer.clear, "C-{clearance} was granted, A-{asset} is blocked: {answer:?}");
        }
    }

    /// What goes under a clearance: with a key, all that it opens.
    fn going(&self, clearance: u32) -> Vec<u32> {
        let (disposition, asset) = self.clearances[clearance as usize - 1];
        if self.kinds[disposition as usize - 1] != DispositionKind::Erase {
            return vec![asset];
        }
        let of = |n: u32| self.snapshots.iter().find(|snapshot| snapshot.asset == n);
        let source = of(asset).unwrap().source;
        let first = |n: u32| self.assets[n as usize - 1].first;
        let all = self.snapshots.iter().filter(|s| s.source == source).map(|s| s.asset);
        let here = |n: &u32| *n == asset || !self.assets[*n as usize - 1].gone;
        all.filter(|n| first(*n) == first(asset)).filter(here).collect()
    }

    fn close(&mut self, clearance: u32) -> Vec<u32> {
        let going = self.going(clearance);
        for asset in &going {
            let found = &mut self.assets[*asset as usize - 1];
            if found.open == Some(clearance) {
                found.open = None;
            }
        }
        going
    }

    fn grow(&mut self, asset: u32, at: Time) {
        for n in 1..=self.assets.len() as u32 {
            if self.is_inside(asset, n) {
                self.assets[n as usize - 1].grown = Some(at);
            }
        }
    }

    /// True if `inner` is `outer` or somewhere in it.
    fn is_inside(&self, inner: u32, outer: u32) -> bool {
        let up = self.assets[inner as usize - 1].inside;
        inner == outer || up.is_some_and(|up| self.is_inside(up, outer))
    }

    fn demand(&mut self, new: &NewDemand, at: Time) {
        let mut hold = empty_hold(at);
        hold.letter = tokens(&new.text);
        // An identifier may be written with punctuation or without.
        let runs = new.text.split_whitespace();
        let runs = runs.filter(|run| run.contains(char::is_numeric) && tokens(run).len() > 1);
        hold.letter.extend(runs.map(bare));
        let names: Vec<String> = hold
            .letter
            .iter()
            .map(|word| bare(word))
            .filter(|n| !hold.letter.contains(n))
            .collect();
        hold.letter.extend(names);
        self.ask(&mut hold, &new.scope);
        for n in 1..=self.accounts.len() as u32 {
            if self.account_names(n).iter().any(|name| stands_in(name, &hold.letter)) {
                hold.accounts.insert(n);
            }
        }
        let named: Vec<u32> = (1..=self.assets.len() as u32)
            .filter(|n| hold.assets.contains(n) || self.named_by(*n, &hold.letter))
            .collect();
        // What cannot be read, or names nothing, freezes accounts (rule 1).
        if new.damaged || self.is_slip(&new.scope) || (named.is_empty() && hold.accounts.is_empty())
        {
            for asset in named {
                hold.accounts.extend(self.accounts_of(asset));
            }
            let sender = new.from.channels.iter().find_map(|channel| {
                let address = channel.address.trim().to_lowercase();
                let has = |(_, all): &&(u32, Vec<String>)| all.contains(&address);
                let first = |all: &[(u32, Vec<String>)]| {
                    all.iter().filter(has).map(|(party, _)| *party).min()
                };
                first(&self.addresses).or_else(|| first(&self.former))
            });
            let human = |login: u32| self.logins[login as usize - 1].human;
            for (n, account) in self.accounts.iter().enumerate() {
                if sender.map(human) == Some(human(account.owner)) {
                    hold.accounts.insert(n as u32 + 1);
                }
            }
        }
        self.demand_holds.push(self.holds.len() as u32);
        self.holds.push(hold);
    }

    /// A demand that was not recorded must ask for nothing that one hold does not hold already.
    pub(crate) fn adds_nothing(&mut self, new: &NewDemand, at: Time) {
        self.demand(new, at);
        self.demand_holds.pop();
        let Some(hold) = self.holds.pop() else { return };
        let assets = 1..=self.assets.len() as u32;
        let reached: Vec<u32> = assets.filter(|n| self.reaches(&hold, *n)).collect();
        let as_wide = |other: &Hold| {
            let wide = reached.iter().all(|n| self.reaches(other, *n));
            other.cooling.is_none() && wide && hold.wanted.is_subset(&other.wanted)
        };
        assert!(self.holds.iter().any(as_wide), "a demand was dropped: {new:?}");
    }

    fn named_by(&self, asset: u32, letter: &[String]) -> bool {
        self.assets[asset as usize - 1].called.iter().any(|name| stands_in(name, letter))
    }

    /// Adds what somebody asked for by form.
    /// A form in which something is not there, or nothing.
    fn is_slip(&self, scope: &Scope) -> bool {
        let free = |n: u32, len: usize| n == 0 || n as usize > len;
        scope.accounts.iter().any(|id| free(id.0, self.accounts.len()))
            || scope.assets.iter().any(|id| free(id.0, self.assets.len()))
            || scope.identifiers.iter().any(|value| bare(value).len() < 3)
    }

    fn ask(&self, hold: &mut Hold, scope: &Scope) {
        let known = |n: u32, len: usize| n > 0 && n as usize <= len;
        let accounts = scope.accounts.iter().map(|id| id.0);
        hold.accounts.extend(accounts.filter(|n| known(*n, self.accounts.len())));
        let assets = scope.assets.iter().map(|id| id.0);
        hold.assets.extend(assets.filter(|n| known(*n, self.assets.len())));
        for value in &scope.identifiers {
            let form = bare(value);
            if form.is_empty() {
                continue;
            }
            // The asset that claimed the identifier last has it.
            let claims = self.assets.iter().enumerate().flat_map(|(n, asset)| {
                let its = asset.known_as.iter().filter(|(known, _)| *known == form);
                its.map(move |(_, seq)| (*seq, n as u32 + 1))
            });
            hold.assets.extend(claims.max().map(|(_, n)| n));
            let is_it = |name: &Vec<String>| long_enough(name) && name.concat() == form;
            for n in 1..=self.assets.len() as u32 {
                if self.assets[n as usize - 1].called.iter().any(is_it) {
                    hold.assets.insert(n);
                }
            }
            for n in 1..=self.accounts.len() as u32 {
                if self.account_names(n).iter().any(is_it) {
                    hold.accounts.insert(n);
                }
            }
            hold.wanted.insert(form);
        }
    }

    /// Whole assets and outer assets whose data may be on the asset: a fixpoint.
    fn family(&self, asset: u32) -> BTreeSet<u32> {
        let (whole, outer) = self.kin(asset);
        whole.union(&outer).copied().collect()
    }

    fn kin(&self, asset: u32) -> (BTreeSet<u32>, BTreeSet<u32>) {
        let (mut whole, mut outer) = (BTreeSet::from([asset]), BTreeSet::new());
        loop {
            let before = (whole.len(), outer.len());
            for (n, one) in (1u32..).zip(&self.assets) {
                if one.inside.is_some_and(|up| whole.contains(&up)) {
                    whole.insert(n);
                }
                if whole.contains(&n) || outer.contains(&n) {
                    outer.extend(one.inside);
                    whole.extend(&one.sources);
                }
            }
            if before == (whole.len(), outer.len()) {
                return (whole, outer);
            }
        }
    }

    fn accounts_of(&self, asset: u32) -> BTreeSet<u32> {
        let family = self.family(asset);
        family.iter().flat_map(|n| self.assets[*n as usize - 1].accounts.clone()).collect()
    }

    fn reaches(&self, hold: &Hold, asset: u32) -> bool {
        self.family(asset).into_iter().any(|n| {
            let accounts = &self.assets[n as usize - 1].accounts;
            self.names(hold, n) || !hold.accounts.is_disjoint(accounts)
        })
    }

    /// A whole, verified copy of it or of what it is in, not older than the hold or any data that
    /// may be on it.
    fn satisfied(&self, hold: &Hold, asset: u32) -> bool {
        let one = |n: &u32| &self.assets[*n as usize - 1];
        let (whole, outer) = self.kin(asset);
        let grown = whole.iter().filter_map(|n| one(n).grown);
        let last = grown.chain(outer.iter().filter_map(|n| one(n).joined)).max();
        hold.copy_will_do
            && self.snapshots.iter().any(|copy| {
                let kept = &self.assets[copy.asset as usize - 1];
                let source = &self.assets[copy.source as usize - 1];
                self.is_inside(asset, copy.source)
                    && copy.verified
                    && copy.whole
                    && !copy.empty
                    && copy.taken >= hold.placed
                    && source.grown.is_none_or(|grown| copy.taken >= grown)
                    && last.is_none_or(|last| copy.taken >= last)
                    && !kept.gone
                    && !kept.damaged
                    && kept.open.is_none()
            })
    }

    /// The time that is believed, if the next entry is made at `now`.
    pub(crate) fn sure(&self, now: Time) -> Time {
        let day = 86_400_000_000;
        let times: Vec<Time> = self.entries.iter().copied().chain([now]).collect();
        // Where the doubted stretch begins, and how long the clock was seen running in it.
        let (mut doubted, mut seen) = (None, 0);
        for pair in times.windows(2) {
            let step = pair[1].0 - pair[0].0;
            if step > 8 * day {
                doubted = doubted.or(Some(pair[0]));
            } else if doubted.is_some() && step <= day + day / 12 {
                seen += step;
            }
            if seen >= 2 * day {
                (doubted, seen) = (None, 0);
            }
        }
        doubted.unwrap_or(now)
    }

    /// May the asset be let go of?
    pub(crate) fn answer(&self, asset: u32, now: Time, mine: Option<u32>) -> Answer {
        let (mut holds, sure) = (BTreeSet::new(), self.sure(now));
        for (n, hold) in self.holds.iter().enumerate() {
            if !hold.released && self.reaches(hold, asset) && !self.satisfied(hold, asset) {
                holds.insert(format!("H-{}", n + 1));
            }
        }
        let accounts = self.accounts_of(asset).into_iter().all(|n| {
            let account = &self.accounts[n as usize - 1];
            account.ended.is_some_and(|end| end.plus_days(account.retention) <= sure)
        });
        let quiet = (1u32..).zip(&self.assets).all(|(n, one)| {
            let near = self.is_inside(n, asset) || self.is_inside(asset, n);
            !near || one.open.is_none() || one.open == mine
        });
        let here = !self.assets[asset as usize - 1].gone;
        Answer { clear: holds.is_empty() && accounts && quiet && here, holds }
    }
}

fn empty_hold(placed: Time) -> Hold {
    Hold {
        released: false,
        cooling: None,
        accounts: BTreeSet::new(),
        assets: BTreeSet::new(),
        wanted: BTreeSet::new(),
        letter: Vec::new(),
        copy_will_do: false,
        placed,
    }
}
