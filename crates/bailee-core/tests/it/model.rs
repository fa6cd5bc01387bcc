//! Random histories: the core against the naive model, after every step.
//!
//! Steps are numbers that are read against the state as it is, so that most of them mean
//! something; some push a disposition by whatever it lacks next, so that histories get deep. A
//! failing history shrinks to the few steps that matter.

use std::cell::RefCell;
use std::collections::BTreeSet;

use bailee_core::asset::{AssetKind, Identifier, IdentifierKind, Lifecycle};
use bailee_core::demand::{Medium, Scope};
use bailee_core::disposition::{ClearanceStatus, DispositionKind};
use bailee_core::gate::{self, Verb};
use bailee_core::id::*;
use bailee_core::notice::Evidence;
use bailee_core::party::Role;
use bailee_core::table::Table;
use bailee_core::volume::{MOST, Written};
use bailee_core::{
    Action, By, Code, Command, Event, NewAsset, NewDemand, Policy, Reason, State, Time, TokenScope,
    Triage, apply, check, decide, record,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::house::{self, House, because, hex, letter, proof, replay, subject, who};
use crate::naive::Naive;

/// One step: what to do, and three choices for it.
type Step = (u8, u16, u16, u16);

struct Play {
    house: House,
    naive: Naive,
    seen: BTreeSet<&'static str>,
}

const PEOPLE: [&str; 5] = ["Rita Requester", "Otto Owner", "Nora New", "Max More", "Sam Stranger"];
const LABELS: [&str; 9] = [
    "alpha box",
    "alpha",
    "beta-7",
    "gamma ray 3",
    "delta",
    "mega mail",
    "alpha box two",
    "ÅNGSTRÖM",
    "wwn-0x5000c500a1b2c3d5",
];
const SERIALS: [&str; 10] = [
    "WD-77 A",
    "wd77b",
    "50:01:43:80",
    "ST 9000",
    "naa.5000c5",
    "ZX-1",
    "0x5000c500a1b2c3d4",
    "naa.5000c500a1b2c3d4",
    "5000C500A1B2C3D4",
    "50:00:c5:00:a1:b2:c3:d5",
];

/// What a form may call something of ours that is no hard identifier.
const NAMES: [&str; 8] = [
    "Alpha Box",
    "beta7",
    "new customer 3",
    "Otto Owner",
    "nora.new@example.org",
    "MEGA store",
    "x-1",
    "sam stranger",
];

fn pick<T: Copy>(from: &[T], n: u16) -> T {
    from[usize::from(n) % from.len()]
}

/// True for one choice in `many`.
fn one_in(many: u16, choice: u16) -> bool {
    choice.is_multiple_of(many)
}

fn id<I: Id, T>(table: &Table<I, T>, n: u16) -> I {
    I::nth(u32::from(n) % table.len().max(1) as u32 + 1)
}

impl Play {
    fn new() -> Play {
        let house = House::new();
        let mut naive = Naive::default();
        naive.learn(&Action::Tick, &house.records);
        Play { house, naive, seen: BTreeSet::new() }
    }

    fn state(&self) -> &State {
        &self.house.state
    }

    /// Runs one command through both models and compares them.
    fn run(&mut self, by: By, action: Action) -> Option<Code> {
        let command = Command { by, action };
        let facts = match decide(self.state(), &command, self.house.now) {
            Ok(facts) => facts,
            Err(refusal) => return Some(refusal.code),
        };
        let mut records = Vec::new();
        for fact in facts {
            let record = record(self.state(), &command, self.house.now, fact);
            if let Event::ClearanceRevoked { clearance, .. } = record.fact.event {
                let status = self.state().clearances.get(clearance).unwrap().status;
                if matches!(status, ClearanceStatus::Reserved(_)) {
                    self.naive.revoked_unbegun(clearance.0);
                }
            }
            // The certificate of a clearance that was granted is judged before it takes effect.
            self.naive.learn(&command.action, std::slice::from_ref(&record));
            self.seen.insert(record.fact.event.name());
            apply(&mut self.house.state, &record).unwrap();
            records.push(record);
        }
        self.house.records.extend(records);
        assert_eq!(check(self.state()), [], "after {command:?}");
        self.compare(&command);
        None
    }

    fn compare(&self, command: &Command) {
        let (s, now) = (self.state(), self.house.now);
        for (asset, _) in s.assets.iter() {
            let verdict = gate::verdict(s, asset, Verb::LetGo, now, None).unwrap();
            let expected = self.naive.answer(asset.0, now, None);
            let held = [Code::HoldInForce, Code::HoldProvisional, Code::HoldCooling];
            let holds = verdict.reasons.iter().filter(|reason| held.contains(&reason.code));
            let holds: BTreeSet<String> = holds.map(|reason| reason.about.clone()).collect();
            assert_eq!(holds, expected.holds, "{asset} after {command:?}");
            assert_eq!(verdict.is_clear(), expected.clear, "{asset} after {command:?}");
            let again = gate::verdict(s, asset, Verb::LetGo, now, None).unwrap();
            assert_eq!(again, verdict);
        }
    }

    fn person(&self, n: u16) -> By {
        By::Party(pick(&[house::COUNSEL, house::STAFF, house::OPS, house::ALIAS], n))
    }

    fn staff(&mut self, action: Action) -> Option<Code> {
        self.run(By::Party(house::STAFF), action)
    }

    fn step(&mut self, (op, a, b, c): Step) {
        match op % 48 {
            0..=4 => self.register(a, b, c),
            5..=8 => self.change_asset(a, b, c),
            9..=13 => self.demand(a, b, c),
            14..=21 => self.hold(a, b, c),
            22..=24 => self.snapshot(a, b, c),
            25..=26 => self.propose(a, b, c),
            27..=36 => self.push(a, b),
            37..=40 => self.clearance(a, b, c),
            41 => self.notice(a, b, c),
            42..=44 => self.time(a, b),
            45 => self.party(a, b, c),
            46 => self.accounts_of_keeping(a, b, c),
            _ => self.object(a, b, c),
        }
    }

    fn identifiers(&self, b: u16, c: u16, n: u32) -> Vec<Identifier> {
        let mut all = vec![house::identifier(IdentifierKind::Identity, &hex(&subject(n)))];
        if !one_in(3, b) {
            all.push(house::identifier(IdentifierKind::Serial, pick(&SERIALS, c)));
        }
        all
    }

    fn register(&mut self, a: u16, b: u16, c: u16) {
        let s = self.state();
        let accounts = if one_in(3, a) { vec![] } else { vec![id(&s.accounts, a / 3)] };
        let part_of = (a % 5 < 2).then(|| id(&s.assets, b / 2));
        let copy_of = if b % 7 < 2 { vec![id(&s.assets, c / 2)] } else { vec![] };
        let kind = pick(&[AssetKind::Server, AssetKind::Drive, AssetKind::Volume], c);
        let identifiers = self.identifiers(b, c, s.assets.next().0);
        let label = pick(&LABELS, b / 4).into();
        let place = "rack".into();
        let bytes = u64::from(a);
        self.run(
            By::System,
            Action::RegisterAsset(NewAsset {
                kind,
                label,
                accounts,
                identifiers,
                part_of,
                copy_of,
                place,
                bytes,
            }),
        );
    }

    fn change_asset(&mut self, a: u16, b: u16, c: u16) {
        let s = self.state();
        let asset = id(&s.assets, b);
        let action = match a % 4 {
            0 => {
                let identifiers = match c % 2 {
                    0 => vec![],
                    _ => vec![house::identifier(IdentifierKind::Wwn, pick(&SERIALS, c / 2))],
                };
                let label = pick(&LABELS, c / 4).into();
                Action::RelabelAsset { asset, label, identifiers, bytes: None }
            }
            1 => Action::AssignAsset { asset, account: id(&s.accounts, c) },
            2 => Action::CopyAsset { asset, source: id(&s.assets, c) },
            _ => Action::MoveAsset { asset, lifecycle: Lifecycle::Stored, place: "hall".into() },
        };
        self.staff(action);
    }

    fn scope(&self, a: u16, b: u16, c: u16) -> Scope {
        let s = self.state();
        let mut scope = Scope::default();
        match a % 4 {
            0 => scope.accounts.push(id(&s.accounts, b)),
            1 => scope.assets.push(id(&s.assets, b)),
            2 if one_in(2, b) => scope.identifiers.push(pick(&NAMES, c).replace(' ', "_")),
            2 => scope.identifiers.push(pick(&SERIALS, c).to_uppercase()),
            _ => {
                scope.assets.push(AssetId(u32::from(b) + 500));
                scope.identifiers.push(pick(&SERIALS, b).replace(' ', "-"));
            }
        }
        scope
    }

    fn demand(&mut self, a: u16, b: u16, c: u16) {
        let text = match a % 7 {
            5 => format!("all of your customer {}, please", pick(&PEOPLE, b)),
            6 if one_in(2, b) => format!("data of <{}>", who(pick(&PEOPLE, c)).channels[0].address),
            0 => "please keep everything".to_owned(),
            1 => format!("Keep {} and {}!", pick(&LABELS, b), pick(&LABELS, c)),
            2 => format!("serial {}, thanks", pick(&SERIALS, b)),
            3 => "all of MEGA  STORE, and of new customer 3".to_owned(),
            4 => format!("Keep {}", pick(&LABELS, b).to_uppercase()),
            _ => String::new(),
        };
        let scope = if one_in(2, a / 7) { Scope::default() } else { self.scope(b, c, b) };
        let instrument = pick(&[None, Some("epoc-pr"), Some("us-2703f"), Some("papal-bull")], c);
        let demand = NewDemand {
            scope,
            instrument: instrument.map(str::to_owned),
            damaged: one_in(11, b),
            silent: (one_in(5, c)).then_some(one_in(2, c)),
            entity: (one_in(4, b)).then(|| EntityId(u32::from(c % 3) + 1)),
            ..letter(pick(&PEOPLE, c / 3), &text)
        };
        let refused = self.run(By::System, Action::ReceiveDemand(demand.clone()));
        if refused.is_some() {
            self.naive.adds_nothing(&demand, self.house.now);
        }
        let twice = refused == Some(Code::AlreadyDone);
        assert!(twice || refused.is_none(), "a demand cannot be refused: {refused:?}");
    }

    fn hold(&mut self, a: u16, b: u16, c: u16) {
        let s = self.state();
        let (hold, demand, basis) = (id(&s.holds, b), id(&s.demands, b), (c % 3) as u8);
        let matter = (!s.matters.is_empty() && one_in(2, c)).then(|| id(&s.matters, c));
        let instrument = pick(&["letter", "epoc-pr", "us-2703f"], c).to_owned();
        let reason = because();
        let action = match a % 16 {
            0 => {
                let scope = self.scope(b, c, a / 16);
                let silent = (one_in(5, a)).then_some(true);
                Action::PlaceHold { scope, instrument, matter, silent, reason }
            }
            1 => Action::AddBasis { hold, instrument, reason },
            2 => Action::ExtendBasis { hold, basis, reason },
            3 => Action::EndBasis { hold, basis, reason },
            4 | 5 => Action::AllowCopy { hold, reason },
            6 => Action::SetGag {
                hold,
                until: (one_in(2, c)).then(|| self.house.now.plus_days(u32::from(c % 50))),
                reason,
            },
            7 | 8 => {
                let triage = pick(&[Triage::Refuse, Triage::Clarify, Triage::Accept(matter)], c);
                Action::DecideDemand { demand, triage, reason }
            }
            9 => {
                let triage = Triage::Accept(matter);
                Action::DecideDemand { demand, triage, reason }
            }
            10 => Action::MatchDemand { demand, scope: self.scope(c, a / 16, b) },
            11 if one_in(2, c) => Action::ReceiptSent { demand },
            11 => {
                let medium = pick(&[Medium::Post, Medium::Fax, Medium::Oral], b);
                Action::CorrectMedium { demand, medium, reason }
            }
            12 => Action::ProposeRelease { hold, reason },
            _ => Action::ApproveRelease { hold },
        };
        let by = if a % 16 < 10 { By::Party(house::COUNSEL) } else { self.person(c) };
        self.run(by, action);
    }

    fn snapshot(&mut self, a: u16, b: u16, c: u16) {
        let s = self.state();
        let action = match a % 5 {
            0 => Action::VerifySnapshot { snapshot: id(&s.snapshots, b), intact: !one_in(6, c) },
            1 => {
                let one = Written { size: u64::from(c) + 1, sha256: [b as u8; 32].into() };
                let volumes = vec![one; usize::from(c % 3) * MOST + usize::from(b % 5)];
                Action::RecordVolumes { snapshot: id(&s.snapshots, b), set: [c as u8; 16], volumes }
            }
            _ => {
                let snapshot = s.snapshots.next();
                let back = Time(self.house.now.0 - i64::from(c % 4) * 86_400_000_000);
                let action = Action::RecordSnapshot {
                    source: id(&s.assets, b),
                    root: subject(s.assets.next().0),
                    vault_id: format!("v{b}"),
                    bytes: if one_in(7, b) { 0 } else { 1 << 40 },
                    unreadable: u32::from(one_in(9, c)),
                    changed: u32::from(one_in(11, c)),
                    taken: back,
                };
                self.run(By::System, action);
                Action::VerifySnapshot { snapshot, intact: true }
            }
        };
        self.run(By::System, action);
    }

    fn propose(&mut self, a: u16, b: u16, c: u16) {
        let s = self.state();
        let assets = match a % 3 {
            0 => vec![id(&s.assets, b), id(&s.assets, c)],
            _ => vec![id(&s.assets, b)],
        };
        let snapshot = |id: &AssetId| s.assets.get(*id).is_some_and(|a| a.snapshot.is_some());
        let (kind, to) = match a / 3 % 6 {
            0 => (DispositionKind::Return, Some(pick(&[house::OWNER, house::STRANGER], c))),
            1 => (DispositionKind::Transfer, Some(house::TRANSFEREE)),
            _ if assets.iter().all(snapshot) && c.is_multiple_of(2) => {
                (DispositionKind::Erase, None)
            }
            _ if assets.iter().all(snapshot) => (DispositionKind::Expire, None),
            _ => (DispositionKind::Sanitize, None),
        };
        self.staff(Action::ProposeDisposition { kind, assets, to, reason: because() });
    }

    /// Gives a disposition whatever it lacks next.
    fn push(&mut self, a: u16, b: u16) {
        let s = self.state();
        if s.dispositions.is_empty() {
            return;
        }
        let x = match a % 4 {
            0 => id(&s.dispositions, b),
            n => id(&s.dispositions, (s.dispositions.len() as u16).saturating_sub(n)),
        };
        let found = s.dispositions.get(x).unwrap().clone();
        let todo = found.assets.iter().copied().find(|asset| !found.done.contains(asset));
        let Some(asset) = todo else { return };
        if let Some(clearance) = s.assets.get(asset).unwrap().clearance {
            let status = s.clearances.get(clearance).unwrap().status;
            let action = match status {
                ClearanceStatus::Reserved(_) => Action::Begin { clearance },
                _ if one_in(3, b) => Action::Renew { clearance },
                _ => Action::Finish { clearance, verified: true, reason: because() },
            };
            self.run(By::System, action);
            return;
        }
        let subject = self.subject_of(asset);
        let reserve = Action::Reserve { disposition: x, asset, subject };
        let Some(code) = self.run(By::System, reserve) else { return };
        self.remedy(code, x, asset, b);
    }

    fn subject_of(&self, asset: AssetId) -> [u8; 32] {
        let found = self.state().assets.get(asset).unwrap();
        let snapshot = found.snapshot.and_then(|id| self.state().snapshots.get(id));
        snapshot.map_or(subject(asset.0), |snapshot| snapshot.root)
    }

    fn remedy(&mut self, code: Code, x: DispositionId, asset: AssetId, b: u16) {
        let found = self.state().dispositions.get(x).unwrap().clone();
        let reached = bailee_core::coverage::holds(self.state(), asset).into_keys();
        let in_force = |id: &HoldId| self.state().holds.get(*id).unwrap().in_force();
        let reached: Vec<HoldId> = reached.filter(in_force).collect();
        match code {
            Code::AccountActive => {
                let accounts = bailee_core::coverage::accounts(self.state(), asset);
                let ids: Vec<AccountId> = accounts.into_keys().collect();
                for account in ids {
                    self.staff(Action::TerminateAccount { account });
                }
            }
            Code::RetentionRunning | Code::WaitingPeriod | Code::HoldCooling => {
                self.time(5, 31);
            }
            Code::ClockInDoubt => self.time(5, 4),
            Code::HoldProvisional | Code::HoldInForce => {
                for hold in reached {
                    self.satisfy_or_release(hold, asset, b);
                }
            }
            Code::NoticeMissing => _ = self.staff(Action::QueueNotices { disposition: x }),
            Code::NoticeNotDelivered => {
                for notice in found.notices {
                    let (attempt, evidence, reason) = (0, Evidence::Acknowledged, proof());
                    self.staff(Action::RecordEvidence { notice, attempt, evidence, reason });
                }
            }
            Code::ApprovalsMissing | Code::CounselMissing | Code::RadiusChanged => {
                for by in [house::OPS, house::COUNSEL] {
                    self.run(By::Party(by), Action::ApproveDisposition { disposition: x });
                }
            }
            Code::HoldNotAccepted => {
                for hold in reached {
                    let accept = Action::AcceptHold { disposition: x, hold };
                    self.run(By::Party(house::TRANSFEREE), accept);
                }
            }
            Code::ObjectionOpen => {
                for objection in found.objections {
                    let (upheld, reason) = (one_in(5, b), because());
                    let decide = Action::DecideObjection { objection, upheld, reason };
                    self.run(By::Party(house::COUNSEL), decide);
                }
            }
            _ => {}
        }
    }

    fn satisfy_or_release(&mut self, hold: HoldId, asset: AssetId, b: u16) {
        let counsel = By::Party(house::COUNSEL);
        let reason = because();
        let demands = self.state().holds.get(hold).unwrap().demands.clone();
        if one_in(2, b) {
            self.run(counsel, Action::AllowCopy { hold, reason });
            let source = asset.0 as u16 - 1;
            self.snapshot(1, source, 0x4000);
            return;
        }
        for demand in demands {
            let triage = Triage::Accept(None);
            self.staff(Action::DecideDemand { demand, triage, reason: because() });
        }
        self.staff(Action::ProposeRelease { hold, reason });
        self.run(By::Party(house::OPS), Action::ApproveRelease { hold });
        self.run(counsel, Action::ApproveRelease { hold });
    }

    fn clearance(&mut self, a: u16, b: u16, c: u16) {
        let s = self.state();
        let last = s.clearances.len() as u16;
        let clearance =
            if one_in(3, b) { id(&s.clearances, b) } else { id(&s.clearances, last.max(1) - 1) };
        let (disposition, asset) = (id(&s.dispositions, b), id(&s.assets, c));
        let action = match a % 8 {
            0 | 1 => Action::Begin { clearance },
            2 | 3 => Action::Renew { clearance },
            4 => {
                let reason = if one_in(4, c) { Reason::default() } else { because() };
                Action::Finish { clearance, verified: !one_in(3, c), reason }
            }
            5 => Action::Abort { clearance, gone: u64::from(c % 3), reason: because() },
            6 => {
                let subject = self.subject_of_any(asset);
                Action::Reserve { disposition, asset, subject }
            }
            _ => Action::CancelDisposition { disposition, reason: because() },
        };
        self.staff(action);
    }

    fn subject_of_any(&self, asset: AssetId) -> [u8; 32] {
        if self.state().assets.get(asset).is_some() { self.subject_of(asset) } else { [0; 32] }
    }

    fn notice(&mut self, a: u16, b: u16, c: u16) {
        let s = self.state();
        let (notice, attempt) = (id(&s.notices, b), (c % 2) as u8);
        let action = match a % 3 {
            0 => Action::NoticeSent { notice, attempt },
            _ => {
                let evidence = pick(
                    &[Evidence::Bounced, Evidence::Relayed, Evidence::Served, Evidence::Opened],
                    c / 2,
                );
                Action::RecordEvidence { notice, attempt, evidence, reason: proof() }
            }
        };
        self.run(By::System, action);
    }

    fn time(&mut self, a: u16, b: u16) {
        let (day, days) = (86_400, u32::from(b % 100));
        match a % 6 {
            0 => self.later(1),
            1 => self.later(30),
            2 => self.later(61),
            3 => self.later(901),
            4 => self.later(day),
            // While nobody looks, or in a house that is looked at.
            _ if one_in(3, b) => self.later(days * day),
            _ => (0..days.div_ceil(4)).for_each(|_| self.later(4 * day)),
        }
    }

    fn later(&mut self, seconds: u32) {
        self.house.now = self.house.now.plus_seconds(seconds);
        self.run(By::System, Action::Tick);
        let (next, now) = (self.state().next_due(), self.house.now);
        let sure = self.naive.sure(now);
        assert!(next.is_none_or(|due| due > sure), "a tick leaves nothing due: {next:?}");
        let idle = decide(self.state(), &Command::system(Action::Tick), now).unwrap();
        assert_eq!(idle, [], "a second tick at the same time does nothing");
    }

    fn party(&mut self, a: u16, b: u16, c: u16) {
        let s = self.state();
        let party = id(&s.parties, b);
        let counsel = By::Party(house::COUNSEL);
        let action = match a % 6 {
            0 => {
                // Nothing rests on the newest, as a rule.
                let newest = s.parties.iter().last().map_or(party, |(id, _)| id);
                let party = if one_in(2, c) { newest } else { party };
                Action::EraseDetails { party: PartyId(party.0.max(5)) }
            }
            1 => Action::ChangeParty { party, who: who(pick(&PEOPLE, c)) },
            2 => Action::RegisterParty {
                who: who(pick(&PEOPLE, c)),
                roles: vec![Role::Owner],
                same_person_as: (one_in(2, c)).then_some(party),
            },
            3 => Action::RegisterAccount {
                owner: party,
                entity: EntityId(2),
                label: if one_in(2, c) { "new customer 3".into() } else { pick(&LABELS, c).into() },
                law: "US".into(),
                retention_days: u32::from(c % 40),
            },
            4 => Action::TerminateAccount { account: id(&s.accounts, b) },
            _ => {
                Action::IssueToken { party, scope: TokenScope::Agent, hash: subject(u32::from(c)) }
            }
        };
        self.run(counsel, action);
    }

    fn accounts_of_keeping(&mut self, a: u16, b: u16, c: u16) {
        let s = self.state();
        let matter = id(&s.matters, b);
        let (what, currency) = ("server-days".to_owned(), "EUR".to_owned());
        let reason = because();
        let action = match a % 10 {
            0 | 1 => Action::OpenMatter { title: "a case".into() },
            2 => Action::CloseMatter { matter },
            3 => Action::StartMeter { matter, what, units: 3, daily: 250, currency },
            4 => Action::StopMeter { meter: id(&s.meters, c) },
            5 => Action::BookCost { matter, what, milli_units: 1, amount: 2, currency },
            6 => Action::DutyPaged { duty: id(&s.duties, c) },
            7 => Action::DischargeDuty { duty: id(&s.duties, c), reason },
            8 => Action::FileCorrespondence { matter, from: id(&s.parties, c), reason },
            _ if one_in(2, c) => Action::RevokeToken { token: id(&s.tokens, b) },
            _ => {
                let waiting_days = u32::from(c % 20) + 1;
                Action::SetPolicy(Policy { waiting_days, ..Policy::default() })
            }
        };
        self.run(By::Party(house::COUNSEL), action);
    }

    fn object(&mut self, a: u16, b: u16, c: u16) {
        let s = self.state();
        let disposition = id(&s.dispositions, b);
        let (access, reason) = (id(&s.accesses, b), because());
        let owner = pick(&[house::OWNER, house::STRANGER], c);
        let action = match a % 7 {
            0 | 1 => Action::FileObjection { disposition, by: owner, reason },
            2 => Action::DecideObjection {
                objection: id(&s.objections, b),
                upheld: one_in(3, c),
                reason,
            },
            3 => Action::RequestAccess { owner, asset: id(&s.assets, b), reason },
            4 => Action::DecideAccess { access, granted: one_in(2, c), reason },
            5 => Action::FulfilAccess { access, reason },
            _ => Action::QueueNotices { disposition },
        };
        self.run(By::Party(house::COUNSEL), action);
    }
}

/// Steps that every run must reach, or the generator has gone shallow.
const DEEP: [&str; 15] = [
    "ClearanceFinished",
    "ClearanceLost",
    "ClearanceRevoked",
    "ClearanceExpired",
    "ClearanceAborted",
    "HoldReleased",
    "BasisEnded",
    "BasisExtended",
    "CopyAllowed",
    "ObjectionDecided",
    "DetailsErased",
    "HoldAccepted",
    "NoticeEscalated",
    "DemandMatched",
    "HoldMatched",
];

/// Plays so many random histories; what they reached.
fn check_histories(cases: u32) -> BTreeSet<&'static str> {
    let seen = RefCell::new(BTreeSet::new());
    let config = Config { cases, max_shrink_iters: 500, ..Config::default() };
    let step = (any::<u8>(), any::<u16>(), any::<u16>(), any::<u16>());
    let steps = proptest::collection::vec(step, 1..400);
    TestRunner::new(Config { failure_persistence: None, ..config })
        .run(&steps, |steps| {
            let mut play = Play::new();
            for step in steps {
                play.step(step);
            }
            let again = replay(&play.house.records, |_, _| false);
            assert!(again == play.house.state, "a replay of the bytes gives the same state");
            seen.borrow_mut().extend(play.seen);
            Ok(())
        })
        .unwrap();
    seen.into_inner()
}

#[test]
fn the_core_and_the_naive_model_agree_after_every_step() {
    // `PROPTEST_CASES=250` is the long run; fewer than the usual ones are not enough to go deep.
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok());
    let cases = asked.unwrap_or(0).max(24);
    let mut missed: BTreeSet<&str> = DEEP.into();
    // Histories are random: one run in two misses something by chance, sixteen in a row do not.
    for _ in 0..16 {
        let seen = check_histories(cases);
        missed.retain(|name| !seen.contains(name));
        if missed.is_empty() {
            return;
        }
    }
    assert!(missed.is_empty(), "never reached in any history: {missed:?}");
}
