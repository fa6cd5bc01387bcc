//! The service as stories see it: each line is the request that a program or a person would send,
//! with the token of whoever acts, and the records are those at the positions that were answered.
//!
//! Invariants: nothing else may be recorded meanwhile but refusals and what this player sends
//! beside the story (tokens, further addresses of a sender); a refusal is the problem document's,
//! word for word. What has no door is done as the service does it itself: `Bailee`'s own clocks and
//! post, and the first people and rules (the installation). Nobody is `Bailee` at the door: that is
//! tried first.

use std::collections::BTreeMap;
use std::sync::Arc;

use bailee_core::asset::IdentifierKind;
use bailee_core::disposition::DispositionKind;
use bailee_core::id::{ClearanceId, PartyId};
use bailee_core::party::Role;
use bailee_core::scenario::{self, Question};
use bailee_core::{Action, By, Code, Command, Event, NewDemand, Record, Refusal, State, Time};
use bailee_core::{decide, wire};
use bailee_ledger::to_hex;
use bailee_sanitize::Identity;
use bailee_server::api::{Request, perform, words::TokenScope};
use bailee_server::{Failure, House};
use bailee_store::Exhibit;
use serde_json::{Value, json};

use super::line::{Connection, Said};
use super::{letter, paper, request};

pub(super) struct Player {
    pub(super) house: Arc<House>,
    pub(super) door: Connection,
    tokens: BTreeMap<(PartyId, &'static str), String>,
    /// Signed permissions, as they were given.
    permits: BTreeMap<ClearanceId, String>,
    /// Devices by the digest that names them in the log.
    devices: BTreeMap<[u8; 32], Identity>,
    /// The answer that was expected last, and how often in a row.
    row: (String, u64),
    /// What was done inside for want of a door, by name of the action.
    pub(super) inside: BTreeMap<String, u64>,
}

type Outcome = Result<Vec<Record>, Refusal>;

impl Player {
    pub(super) fn new(house: Arc<House>, door: Connection) -> Player {
        let (tokens, permits) = (BTreeMap::new(), BTreeMap::new());
        let (devices, inside) = (BTreeMap::new(), BTreeMap::new());
        let row = (String::new(), 0);
        Player { house, door, tokens, permits, devices, row, inside }
    }

    fn state<R>(&self, look: impl FnOnce(&State) -> R) -> R {
        self.house.with_state(look).unwrap()
    }

    /// A person of the house: counsel if there has to be.
    pub(super) fn person(&self, role: Role) -> Option<PartyId> {
        self.state(|s| {
            let of = |role| {
                move |(id, party): (PartyId, &bailee_core::party::Party)| {
                    party.is(role).then_some(id)
                }
            };
            let counsel = s.parties.iter().find_map(of(Role::Counsel));
            counsel.or_else(|| match role {
                Role::Counsel => None,
                _ => s.parties.iter().find_map(of(Role::Staff)),
            })
        })
    }

    /// A token of the party, issued by counsel over the door, or where the house is by who runs it.
    pub(super) fn token(&mut self, party: PartyId, scope: TokenScope) -> String {
        if let Some(token) = self.tokens.get(&(party, scope.word())) {
            return token.clone();
        }
        let ask = Request::IssueToken { party: party.to_string(), scope };
        let counsel = self.person(Role::Counsel).filter(|counsel| {
            *counsel != party || self.tokens.contains_key(&(*counsel, TokenScope::Operator.word()))
        });
        let token = match counsel {
            None => perform(&self.house, ask, By::System).unwrap().token.unwrap(),
            Some(counsel) => {
                let key = self.token(counsel, TokenScope::Operator);
                let said = self.send("/v1/commands", &key, &json!(ask));
                assert_eq!(said.status, 201, "{}", said.json());
                said.json()["token"].as_str().unwrap().to_owned()
            }
        };
        self.tokens.insert((party, scope.word()), token.clone());
        token
    }

    fn send(&mut self, path: &str, token: &str, body: &Value) -> Said {
        self.door.post(path, token, "application/json", body.to_string().as_bytes())
    }

    /// As the service does it itself.
    fn inside(&mut self, command: &Command) -> Outcome {
        self.inside_with(command, Vec::new())
    }

    fn inside_with(&mut self, command: &Command, papers: Vec<Exhibit>) -> Outcome {
        let name = format!("{:?}", command.action);
        let name = name.split(['(', ' ']).next().unwrap_or_default().to_owned();
        *self.inside.entry(name).or_default() += 1;
        match self.house.submit(command.clone(), papers) {
            Ok(done) => Ok(done.records),
            Err(Failure::Refused(refusal)) => Err(refusal),
            Err(failure) => panic!("{command:?}: {failure}"),
        }
    }

    /// What was recorded from here on, which has to be what was answered.
    fn outcome(&self, from: u64, said: &Said) -> Outcome {
        let records = self.records(from);
        if !said.is_good() {
            assert!(records.is_empty(), "refused, and yet {records:?}");
            return Err(refusal(&said.json()));
        }
        if let Some(entries) = said.json()["entries"].as_array() {
            let told = entries.iter().map(|e| (e["position"].as_u64(), e["event"].as_str()));
            let found = records.iter().map(|r| (Some(r.seq), Some(r.fact.event.name())));
            assert!(told.eq(found), "{entries:?} is not {records:?}");
        }
        Ok(records)
    }

    /// Entries from a position on, but refusals that the log keeps.
    fn records(&self, from: u64) -> Vec<Record> {
        let entries = self.house.entries(from, 100_000).unwrap();
        let read = |(seq, entry): (u64, bailee_store::Entry)| {
            let sections = [0, 1, 2].map(|n: usize| entry.sections[n].as_ref());
            wire::decode(seq, sections.map(|section| section.map(|s| s.bytes.as_slice()))).unwrap()
        };
        let all = (from..).zip(entries).map(read);
        all.filter(|record| !matches!(record.fact.event, Event::RequestRefused { .. })).collect()
    }

    fn head(&self) -> u64 {
        self.state(|s| s.head)
    }

    fn command(&mut self, by: PartyId, action: &Action) -> Outcome {
        let request = request::of(action).unwrap_or_else(|| panic!("no request: {action:?}"));
        let token = self.token(by, TokenScope::Operator);
        let from = self.head();
        let said = self.send("/v1/commands", &token, &json!(request));
        if self.state(|s| s.parties.get(by).is_some_and(|party| party.erased.is_some())) {
            return self.erased(&Command::by(by, action.clone()), &said);
        }
        let mut done = self.outcome(from, &said)?;
        // A story has no tokens; here everybody has one, which goes with the person.
        if matches!(action, Action::EraseDetails { .. }) {
            done.retain(|record| !matches!(record.fact.event, Event::TokenRevoked { .. }));
        }
        Ok(done)
    }

    /// Who is erased has no token any more: no door opens, and the core says no too.
    fn erased(&self, command: &Command, said: &Said) -> Outcome {
        assert_eq!((said.status, &said.json()["code"]), (401, &json!("token_unknown")));
        match self.house.submit(command.clone(), Vec::new()) {
            Err(Failure::Refused(refusal)) => Err(refusal),
            other => panic!("{command:?}: {other:?}"),
        }
    }

    fn intake(&mut self, new: &NewDemand) -> Outcome {
        let raw = letter::of(new);
        let clerk = self.person(Role::Staff).unwrap();
        // Who has no address that a letter could name comes with a token of its own.
        let own = self.state(|s| {
            let is_own = |id: PartyId| s.parties.get(id).map(|p| p.name()) == Some(&new.from.name);
            s.parties.iter().map(|(id, _)| id).find(|id| is_own(*id))
        });
        let (caller, media) = match letter::address(new) {
            Some(_) => (clerk, "message/rfc822"),
            None => (own.unwrap(), "application/octet-stream"),
        };
        let token = self.token(caller, TokenScope::Intake);
        let (from, next) = (self.head(), self.state(|s| s.parties.next()));
        let path = format!("/v1/intake{}", letter::query(new));
        let said = self.door.post(&path, &token, media, &raw);
        let records = self.outcome(from, &said)?;
        if said.json()["again"] == json!(true) {
            let mut again = new.clone();
            again.exhibits[0].digest = bailee_store::digest(&raw);
            let (command, now) = (Command::system(Action::ReceiveDemand(again)), self.now());
            let known = self.state(|s| decide(s, &command, now)).unwrap_err();
            assert_eq!(said.json()["demand"], json!(known.about));
            return Err(known);
        }
        assert_eq!((said.status, &said.json()["taken"]), (201, &json!("demand")));
        let last = self.state(|s| s.demands.iter().last().map(|(_, demand)| demand.medium));
        assert_eq!(last, Some(new.medium));
        if new.from.channels.len() > 1 && self.state(|s| s.parties.next()) != next {
            let (party, who) = (next, new.from.clone());
            self.command(clerk, &Action::ChangeParty { party, who }).unwrap();
        }
        Ok(records)
    }

    fn now(&self) -> Time {
        self.house.clock().now()
    }

    /// True of a step whose work is in the vault, so that only the service itself takes it.
    fn is_of_the_vault(&self, action: &Action) -> bool {
        self.state(|s| {
            let of = match action {
                Action::Reserve { disposition, .. } => Some(*disposition),
                Action::Begin { clearance } | Action::Finish { clearance, .. } => {
                    s.clearances.get(*clearance).map(|found| found.disposition)
                }
                _ => None,
            };
            let kind = of.and_then(|of| s.dispositions.get(of)).map(|found| found.kind);
            matches!(kind, Some(DispositionKind::Expire | DispositionKind::Erase))
        })
    }

    /// As the service does it itself; its certificate has bytes here.
    fn in_the_vault(&mut self, command: &Command) -> Outcome {
        let mut command = command.clone();
        let mut papers = Vec::new();
        if let Action::Finish { reason, .. } = &mut command.action {
            for named in &mut reason.exhibits {
                let bytes = named.name.clone().into_bytes();
                (named.digest, named.size) = (bailee_store::digest(&bytes), bytes.len() as u64);
                papers.push(Exhibit { digest: named.digest, bytes });
            }
        }
        self.inside_with(&command, papers)
    }

    /// An agent's step: at its own route.
    fn step(&mut self, by: PartyId, command: &Command) -> Outcome {
        let token = self.token(by, TokenScope::Agent);
        let from = self.head();
        if self.is_of_the_vault(&command.action) {
            if let Action::Reserve { disposition, asset, subject } = &command.action {
                let (disposition, asset) = (disposition.to_string(), asset.to_string());
                let body = json!({
                    "disposition": disposition, "asset": asset, "subject": to_hex(subject),
                });
                let said = self.send("/v1/clearances", &token, &body);
                let no = (403, &json!("done_by_the_vault"));
                assert_eq!((said.status, &said.json()["code"]), no);
            }
            return self.in_the_vault(command);
        }
        let (path, body) = match &command.action {
            Action::Reserve { disposition, asset, subject } => {
                let (disposition, asset) = (disposition.to_string(), asset.to_string());
                let subject = to_hex(subject);
                let body =
                    json!({ "disposition": disposition, "asset": asset, "subject": subject });
                ("/v1/clearances".to_owned(), body)
            }
            Action::Begin { clearance } => {
                let permit = self.permit(*clearance, &token);
                (format!("/v1/clearances/{clearance}/begin"), json!({ "token": permit }))
            }
            Action::Renew { clearance } => (format!("/v1/clearances/{clearance}/renew"), json!({})),
            Action::Abort { clearance, gone, reason } => {
                let body = json!({ "gone": gone, "note": reason.note });
                (format!("/v1/clearances/{clearance}/abort"), body)
            }
            Action::Finish { clearance, verified, .. } => {
                let certificate = paper::certificate(&self.house, *clearance, &self.devices);
                let body = json!({ "verified": verified, "certificate": certificate });
                (format!("/v1/clearances/{clearance}/finish"), body)
            }
            other => panic!("no step of an agent: {other:?}"),
        };
        let said = self.send(&path, &token, &body);
        if let (201, Action::Reserve { .. }) = (said.status, &command.action) {
            let told = said.json();
            let id = told["clearance"].as_str().unwrap().parse().unwrap();
            self.permits.insert(id, told["token"].as_str().unwrap().to_owned());
        }
        self.outcome(from, &said)
    }

    /// The signed token: as it was given, or asked for again.
    fn permit(&mut self, clearance: ClearanceId, token: &str) -> String {
        if let Some(permit) = self.permits.get(&clearance) {
            return permit.clone();
        }
        let said = self.door.get(&format!("/v1/clearances/{clearance}/token"), token);
        let text = said.json()["token"].as_str().map(ToOwned::to_owned);
        text.unwrap_or_else(|| "none".to_owned())
    }

    /// By nobody: what `Bailee` itself does, or somebody whom the story does not name.
    fn unnamed(&mut self, command: &Command) -> Outcome {
        let role = match &command.action {
            Action::ReceiptSent { .. } | Action::NoticeSent { .. } | Action::DutyPaged { .. } => {
                None
            }
            Action::Tick | Action::LoadInstruments(_) => None,
            Action::RegisterParty { roles, .. }
                if roles.contains(&Role::Staff) || roles.contains(&Role::Counsel) =>
            {
                Some(Role::Counsel)
            }
            Action::RegisterParty { .. }
            | Action::RegisterEntity { .. }
            | Action::RecordEvidence { .. } => Some(Role::Staff),
            // What is in the vault is stated by whoever has it, and through no door.
            Action::RecordSnapshot { .. } | Action::VerifySnapshot { .. } => {
                if let Some(staff) = self.person(Role::Staff) {
                    let token = self.token(staff, TokenScope::Operator);
                    let body = json!(request::of(&command.action));
                    let said = self.send("/v1/commands", &token, &body);
                    let no = (403, &json!("done_by_the_vault"));
                    assert_eq!((said.status, &said.json()["code"]), no);
                }
                None
            }
            // Nobody has a token of Bailee's: the door does not open, and the core says no too.
            action => {
                let body = json!(request::of(action));
                let said = self.send("/v1/commands", "", &body);
                assert_eq!((said.status, &said.json()["code"]), (401, &json!("token_missing")));
                let refused = self.inside(command);
                assert!(refused.is_err(), "{command:?}");
                return refused;
            }
        };
        match role.and_then(|role| self.person(role)) {
            Some(person) => self.command(person, &command.action),
            None => self.inside(command),
        }
    }

    /// The device of a new asset is one that a certificate can be of.
    fn with_device(&mut self, command: &Command) -> Command {
        let mut command = command.clone();
        let Action::RegisterAsset(new) = &mut command.action else { return command };
        for one in new.identifiers.iter_mut().filter(|one| one.kind == IdentifierKind::Identity) {
            let device = paper::device(&new.label, new.bytes);
            one.value = to_hex(&device.digest());
            self.devices.insert(device.digest(), device);
        }
        command
    }
}

/// The refusal that a problem document is.
fn refusal(problem: &Value) -> Refusal {
    let text = |name: &str| problem[name].as_str().unwrap_or_default();
    let code = Code::ALL.iter().find(|code| code.as_str() == text("code"));
    let code = code.unwrap_or_else(|| panic!("no refusal of the rules: {problem}"));
    assert!(!text("change").is_empty());
    // What would change it is known better than by the code alone, of some.
    let change: &'static str = text("change").to_owned().leak();
    Refusal { change, ..Refusal::new(*code, text("about"), text("detail")) }
}

impl scenario::House for Player {
    fn submit(&mut self, command: &Command, now: Time) -> Outcome {
        self.house.clock().tell(now);
        let command = self.with_device(command);
        let bare = matches!(&command.action, Action::Finish { reason, .. }
            if reason.exhibits.is_empty());
        match (command.by, &command.action) {
            (_, Action::ReceiveDemand(new)) => self.intake(new),
            (By::System, _) => self.unnamed(&command),
            (By::Party(by), Action::Finish { .. }) if bare => self.command(by, &command.action),
            (
                By::Party(by),
                Action::Reserve { .. }
                | Action::Begin { .. }
                | Action::Renew { .. }
                | Action::Finish { .. }
                | Action::Abort { .. },
            ) => self.step(by, &command),
            (By::Party(by), action) => self.command(by, action),
        }
    }

    fn with_state<R>(&self, look: impl FnOnce(&State) -> R) -> R {
        self.state(look)
    }

    fn asked(&mut self, question: &Question, now: Time) -> Result<(), String> {
        self.house.clock().tell(now);
        // Of a long row of things to which one answer is expected, one in eight is asked about.
        let row = match question {
            Question::Gate(_, verdict) => format!("{:?}", verdict.reasons.len()),
            Question::Thing(_, words) => words.join(" "),
            Question::Count(..) | Question::Owner(..) => String::new(),
        };
        let again = !row.is_empty() && row == self.row.0;
        self.row = (row, if again { self.row.1 + 1 } else { 0 });
        match self.row.1 < 8 || self.row.1.is_multiple_of(8) {
            true => self.at_the_door(question),
            false => Ok(()),
        }
    }
}
