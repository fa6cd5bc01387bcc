//! A small house that every test starts from, and the two words tests speak: `yes` and `no`.
//!
//! Invariant: after every step, accepted or refused, `check` finds no broken rule; a refused
//! command has changed nothing.

use bailee_core::asset::{AssetKind, Identifier, IdentifierKind};
use bailee_core::demand::{Exhibit, Medium, Scope};
use bailee_core::disposition::DispositionKind;
use bailee_core::engine::{Harm, Lost, Outcome, Trial};
use bailee_core::id::{
    AccountId, AssetId, ClearanceId, DemandId, DispositionId, EntityId, HoldId, PartyId, SnapshotId,
};
use bailee_core::instrument::{Catalogue, Ends, Instrument, Privacy};
use bailee_core::notice::Evidence;
use bailee_core::party::{Channel, ChannelKind, Role, Who};
use bailee_core::rotation::LogKeys;
use bailee_core::{
    Action, By, Code, Command, Continue, DayRule, Event, NewAsset, NewDemand, Reason, Record,
    Refusal, Replay, State, Time, Triage, Until, Weekend, check, decide, run,
};

pub(crate) const COUNSEL: PartyId = PartyId(1);
pub(crate) const STAFF: PartyId = PartyId(2);
pub(crate) const OPS: PartyId = PartyId(3);
/// A second login of `STAFF`.
pub(crate) const ALIAS: PartyId = PartyId(4);
pub(crate) const OWNER: PartyId = PartyId(5);
pub(crate) const REQUESTER: PartyId = PartyId(6);
pub(crate) const TRANSFEREE: PartyId = PartyId(7);
pub(crate) const STRANGER: PartyId = PartyId(8);
/// Account of `OWNER`, label "mega store".
pub(crate) const MEGA: AccountId = AccountId(1);
/// Account of `STRANGER`, label "blue shop".
pub(crate) const BLUE: AccountId = AccountId(2);

pub(crate) struct House {
    pub(crate) state: State,
    pub(crate) now: Time,
    pub(crate) records: Vec<Record>,
}

pub(crate) fn instrument(
    code: &str,
    days: Option<u32>,
    ends: Ends,
    privacy: Privacy,
) -> Instrument {
    Instrument {
        code: code.into(),
        title: code.to_uppercase(),
        citation: "art. 1".into(),
        days,
        extension_days: days.map(|days| days / 2),
        max_extensions: 1,
        gag_days: None,
        keeps: None,
        ends,
        privacy,
        rule: DayRule::plain(),
        duties: "Keep.".into(),
    }
}

pub(crate) fn catalogue() -> Catalogue {
    let mut epoc = instrument("epoc-pr", Some(60), Ends::Ceiling, Privacy::Silent);
    epoc.rule = DayRule {
        zone: "Europe/Brussels".into(),
        until: Until::EndOfDay,
        weekend: Weekend::Counts,
    };
    let instruments = vec![
        instrument("letter", None, Ends::Floor, Privacy::Open),
        epoc,
        instrument("us-2703f", Some(90), Ends::Floor, Privacy::Open),
    ];
    Catalogue { version: "test".into(), instruments }
}

pub(crate) fn who(name: &str) -> Who {
    let address = format!("{}@example.org", name.to_lowercase().replace(' ', "."));
    let email = Channel { kind: ChannelKind::Email, address };
    let post = Channel { kind: ChannelKind::Post, address: format!("{name}, 1 Main Street") };
    Who { name: name.into(), channels: vec![email, post] }
}

pub(crate) fn exhibit(n: u8) -> Exhibit {
    Exhibit { digest: [n; 32], size: 1, media: "application/pdf".into(), name: "x.pdf".into() }
}

/// The bytes of a letter are told apart by sender and text.
fn letter_of(from: &str, text: &str) -> Exhibit {
    let mut digest = [1u8; 32];
    for (n, byte) in from.bytes().chain(text.bytes()).enumerate() {
        digest[n % 32] = digest[n % 32].wrapping_mul(31).wrapping_add(byte);
    }
    Exhibit { digest, ..exhibit(1) }
}

/// The document that delivery is proven by.
pub(crate) fn proof() -> Reason {
    Reason { note: String::new(), exhibits: vec![exhibit(9)] }
}

pub(crate) fn because() -> Reason {
    Reason { note: "because".into(), exhibits: vec![exhibit(9)] }
}

/// A pair of log keys, told apart by a number.
pub(crate) fn log_keys(n: u8) -> LogKeys {
    LogKeys { ed25519: [n; 32].into(), ml_dsa: Some([n + 100; 32].into()) }
}

/// Proposes to replace one pair by another, with thirty days of overlap.
pub(crate) fn rotate(from: u8, to: u8) -> Action {
    let (from, to) = (log_keys(from), log_keys(to));
    Action::ProposeRotation { from, to, overlap_days: 30, reason: because() }
}

/// The log goes on under another name, with the pair of that number, after `size` entries.
pub(crate) fn go_on(n: u8, size: u64) -> Continue {
    Continue {
        origin: "log.example/2027".into(),
        keys: log_keys(n),
        before: "log.example/2026".into(),
        key: [1; 32],
        size,
        root: [5; 32],
        note: [6; 32],
    }
}

/// One thing that was tried on an engine.
pub(crate) fn trial(what: &str, outcome: Outcome, saw: &str) -> Trial {
    Trial { what: what.into(), outcome, saw: saw.into() }
}

/// An object of that snapshot which is not there.
pub(crate) fn lost(snapshot: u32, object: &str) -> Lost {
    Lost { snapshot: SnapshotId(snapshot), object: object.into(), harm: Harm::Missing }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The identity every asset of a test is bound to.
pub(crate) fn subject(n: u32) -> [u8; 32] {
    let mut digest = [7; 32];
    digest[..4].copy_from_slice(&n.to_be_bytes());
    digest
}

pub(crate) fn identifier(kind: IdentifierKind, value: &str) -> Identifier {
    Identifier { kind, value: value.into() }
}

/// An asset with this number's label, serial and identity.
pub(crate) fn new_asset(n: u32) -> NewAsset {
    NewAsset {
        kind: AssetKind::Server,
        label: format!("srv-{n:04}"),
        accounts: vec![MEGA],
        identifiers: vec![
            identifier(IdentifierKind::Serial, &format!("SN{n:04}X")),
            identifier(IdentifierKind::Identity, &hex(&subject(n))),
        ],
        part_of: None,
        copy_of: Vec::new(),
        place: "rack 1".into(),
        bytes: 1000,
    }
}

pub(crate) fn letter(from: &str, text: &str) -> NewDemand {
    NewDemand {
        from: who(from),
        entity: None,
        instrument: None,
        medium: Medium::Email,
        scope: Scope::default(),
        text: text.into(),
        exhibits: vec![letter_of(from, text)],
        silent: None,
        damaged: false,
        unread: false,
        automatic: false,
    }
}

pub(crate) fn on_assets(assets: &[AssetId]) -> Scope {
    Scope { assets: assets.to_vec(), ..Scope::default() }
}

pub(crate) fn on_accounts(accounts: &[AccountId]) -> Scope {
    Scope { accounts: accounts.to_vec(), ..Scope::default() }
}

impl House {
    /// Catalogue, eight parties, two entities, two accounts, no assets.
    pub(crate) fn new() -> House {
        let now = Time::parse("2026-09-01 12:00").unwrap();
        let mut house = House { state: State::default(), now, records: Vec::new() };
        house.system(Action::LoadInstruments(catalogue()));
        let parties = [
            ("Carla Counsel", Role::Counsel, None),
            ("Stan Staff", Role::Staff, None),
            ("Olga Ops", Role::Staff, None),
            ("Stan Alias", Role::Staff, Some(STAFF)),
            ("Otto Owner", Role::Owner, None),
            ("Rita Requester", Role::Requester, None),
            ("Tess Transferee", Role::Transferee, None),
            ("Sam Stranger", Role::Owner, None),
        ];
        for (name, role, same_person_as) in parties {
            house.system(Action::RegisterParty {
                who: who(name),
                roles: vec![role],
                same_person_as,
            });
        }
        for (name, country) in [("Example Host B.V.", "NL"), ("Example Host Inc.", "US")] {
            house.system(Action::RegisterEntity { name: name.into(), country: country.into() });
        }
        for (owner, label) in [(OWNER, "mega store"), (STRANGER, "blue shop")] {
            house.system(Action::RegisterAccount {
                owner,
                entity: EntityId(1),
                label: label.into(),
                law: "NL".into(),
                retention_days: 10,
            });
        }
        house
    }

    pub(crate) fn try_run(&mut self, by: By, action: Action) -> Result<Vec<Record>, Refusal> {
        let command = Command { by, action };
        match run(&mut self.state, &command, self.now) {
            Ok(records) => {
                self.records.extend(records.iter().cloned());
                assert_eq!(check(&self.state), [], "after {command:?}");
                Ok(records)
            }
            Err(refusal) => Err(refusal),
        }
    }

    pub(crate) fn yes(&mut self, by: PartyId, action: Action) -> Vec<Record> {
        let shown = format!("{action:?}");
        match self.try_run(By::Party(by), action) {
            Ok(records) => records,
            Err(refusal) => panic!("{shown} by {by} was refused: {refusal}"),
        }
    }

    pub(crate) fn system(&mut self, action: Action) -> Vec<Record> {
        let shown = format!("{action:?}");
        match self.try_run(By::System, action) {
            Ok(records) => records,
            Err(refusal) => panic!("{shown} by the system was refused: {refusal}"),
        }
    }

    pub(crate) fn no(&self, by: PartyId, action: Action) -> Code {
        let command = Command::by(by, action);
        match decide(&self.state, &command, self.now) {
            Ok(facts) => panic!("{command:?} gave {facts:?}"),
            Err(refusal) => refusal.code,
        }
    }

    pub(crate) fn names(records: &[Record]) -> Vec<&'static str> {
        records.iter().map(|record| record.fact.event.name()).collect()
    }

    /// Days pass in a house that is served: the clock ticks on each.
    pub(crate) fn days(&mut self, days: u32) -> Vec<Record> {
        let mut records = Vec::new();
        for _ in 0..days {
            records.extend(self.leap(1));
        }
        records.retain(|record| !matches!(record.fact.event, Event::TimePassed {}));
        records
    }

    /// Days pass while nobody looks, and the clock ticks at the end of them.
    pub(crate) fn leap(&mut self, days: u32) -> Vec<Record> {
        self.now = self.now.plus_days(days);
        self.system(Action::Tick)
    }

    pub(crate) fn asset(&mut self, new: NewAsset) -> AssetId {
        let id = self.state.assets.next();
        self.system(Action::RegisterAsset(new));
        id
    }

    pub(crate) fn server(&mut self, n: u32) -> AssetId {
        self.asset(new_asset(n))
    }

    pub(crate) fn demand(&mut self, new: NewDemand) -> (DemandId, HoldId) {
        let ids = (self.state.demands.next(), self.state.holds.next());
        self.system(Action::ReceiveDemand(new));
        ids
    }

    pub(crate) fn accept(&mut self, demand: DemandId) {
        let triage = Triage::Accept(None);
        self.yes(STAFF, Action::DecideDemand { demand, triage, reason: because() });
    }

    pub(crate) fn hold(&mut self, scope: Scope, instrument: &str) -> HoldId {
        self.place(scope, instrument, None)
    }

    pub(crate) fn silent_hold(&mut self, scope: Scope, instrument: &str) -> HoldId {
        self.place(scope, instrument, Some(true))
    }

    fn place(&mut self, scope: Scope, instrument: &str, silent: Option<bool>) -> HoldId {
        let hold = self.state.holds.next();
        let (instrument, reason) = (instrument.into(), Reason::default());
        self.yes(STAFF, Action::PlaceHold { scope, instrument, matter: None, silent, reason });
        hold
    }

    pub(crate) fn release(&mut self, hold: HoldId) {
        self.yes(STAFF, Action::ProposeRelease { hold, reason: because() });
        self.yes(OPS, Action::ApproveRelease { hold });
        self.yes(COUNSEL, Action::ApproveRelease { hold });
    }

    pub(crate) fn snapshot(&mut self, source: AssetId) -> SnapshotId {
        let bytes = self.state.assets.get(source).unwrap().bytes.max(10);
        self.copy_of(source, bytes)
    }

    /// A verified copy with so many bytes.
    pub(crate) fn copy_of(&mut self, source: AssetId, bytes: u64) -> SnapshotId {
        let snapshot = self.state.snapshots.next();
        self.system(Action::RecordSnapshot {
            source,
            root: [snapshot.0 as u8; 32],
            vault_id: format!("v{}", snapshot.0),
            bytes,
            unreadable: 0,
            changed: 0,
            taken: self.now,
        });
        self.system(Action::VerifySnapshot { snapshot, intact: true });
        snapshot
    }

    /// Both accounts end, and their retention passes.
    pub(crate) fn end_accounts(&mut self) {
        for account in [MEGA, BLUE] {
            self.yes(STAFF, Action::TerminateAccount { account });
        }
        self.days(11);
    }

    pub(crate) fn propose(&mut self, kind: DispositionKind, assets: &[AssetId]) -> DispositionId {
        let id = self.state.dispositions.next();
        let to = match kind {
            DispositionKind::Return => Some(OWNER),
            DispositionKind::Transfer => Some(TRANSFEREE),
            DispositionKind::Sanitize | DispositionKind::Expire | DispositionKind::Erase => None,
        };
        let assets = assets.to_vec();
        self.yes(STAFF, Action::ProposeDisposition { kind, assets, to, reason: because() });
        id
    }

    pub(crate) fn prove_notices(&mut self, disposition: DispositionId) {
        let notices = self.state.dispositions.get(disposition).unwrap().notices.clone();
        for notice in notices {
            if self.state.notices.get(notice).unwrap().proven.is_none() {
                let (attempt, evidence, reason) = (0, Evidence::Delivered, proof());
                self.system(Action::RecordEvidence { notice, attempt, evidence, reason });
            }
        }
    }

    pub(crate) fn approve(&mut self, disposition: DispositionId) {
        self.yes(OPS, Action::ApproveDisposition { disposition });
        self.yes(COUNSEL, Action::ApproveDisposition { disposition });
    }

    /// Proposed, notified, waited for and approved: all that is missing is the reservation.
    pub(crate) fn ready(&mut self, kind: DispositionKind, assets: &[AssetId]) -> DispositionId {
        let disposition = self.propose(kind, assets);
        self.prove_notices(disposition);
        self.days(31);
        self.approve(disposition);
        disposition
    }

    pub(crate) fn reserve_action(
        &self,
        disposition: DispositionId,
        asset: AssetId,
        n: u32,
    ) -> Action {
        Action::Reserve { disposition, asset, subject: subject(n) }
    }

    pub(crate) fn reserve(&mut self, x: DispositionId, asset: AssetId, n: u32) -> ClearanceId {
        let clearance = self.state.clearances.next();
        let action = self.reserve_action(x, asset, n);
        self.system(action);
        clearance
    }

    pub(crate) fn begin(&mut self, x: DispositionId, asset: AssetId, n: u32) -> ClearanceId {
        let clearance = self.reserve(x, asset, n);
        self.system(Action::Begin { clearance });
        clearance
    }

    pub(crate) fn finish(&mut self, clearance: ClearanceId) -> Vec<Record> {
        self.system(Action::Finish { clearance, verified: true, reason: because() })
    }

    /// A server of ended accounts with a disposition that is ready.
    pub(crate) fn about_to_go(n: u32) -> (House, AssetId, DispositionId) {
        let mut house = House::new();
        let asset = house.server(n);
        house.end_accounts();
        let disposition = house.ready(DispositionKind::Sanitize, &[asset]);
        (house, asset, disposition)
    }

    /// Codes of the gate's reasons for letting go.
    pub(crate) fn gate(&self, asset: AssetId) -> Vec<Code> {
        let verb = bailee_core::gate::Verb::LetGo;
        let verdict = bailee_core::gate::verdict(&self.state, asset, verb, self.now, None).unwrap();
        verdict.reasons.iter().map(|reason| reason.code).collect()
    }
}

/// What a replay of the journal gives, through the bytes: record by record, all at once, and
/// through an image; the three must be one.
pub(crate) fn replay(records: &[Record], erased: impl Fn(usize, u64) -> bool) -> State {
    let (mut state, mut replay) = (State::default(), Replay::new());
    for record in records {
        let sections = bailee_core::wire::encode(record.at, record.by, &record.fact);
        let mut kept = [None, None, None];
        for (n, section) in sections.iter().enumerate() {
            kept[n] = section.as_deref().filter(|_| !erased(n, record.seq));
        }
        let read = bailee_core::wire::decode(record.seq, kept).unwrap();
        bailee_core::apply(&mut state, &read).unwrap();
        replay.apply(read).unwrap();
    }
    assert!(replay.finish() == state, "a replay differs from its records applied one by one");
    let image = bailee_core::from_image(&bailee_core::to_image(&state));
    assert!(image.as_ref() == Ok(&state), "an image differs from its state");
    state
}
