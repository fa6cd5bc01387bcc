//! What the tests of the runner share: houses of given parts, letters, and the one judgement at the
//! end of each: every rule holds, what was acknowledged is there and provable, replay is the state.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bailee_core::asset::{AssetKind, Identifier, IdentifierKind};
use bailee_core::id::{AccountId, AssetId, DemandId, DispositionId, EntityId, PartyId};
use bailee_core::notice::Evidence;
use bailee_core::party::{Channel, ChannelKind, Role, Who};
use bailee_core::{Action, By, Command, NewAsset, Reason, Record, Time, check};
use bailee_ledger::{Checkpoint, Signer, Trust, Verifier, verify_bundle};
use bailee_sanitize::Identity;
use bailee_server::house::Parts;
use bailee_server::intake::{self, Cover, Taken};
use bailee_server::keys::Keys;
use bailee_server::{
    Clock, Config, Failure, House, HouseError, Projection, catalogue, keeping, receipt,
};
use bailee_store::{Journal, MemoryJournal, MemoryObjects, Objects, SqliteJournal};
use bailee_vault::{Source, Unchanged};

pub(crate) const ORIGIN: &str = "log.example.org/2026";

pub(crate) fn start() -> Time {
    Time::parse("2026-09-01 12:00").unwrap()
}

pub(crate) fn keys() -> Keys {
    Keys::from_seeds(ORIGIN, &[1; 32], &[2; 32]).unwrap()
}

/// The public half of the log's key in [`keys`].
pub(crate) fn log_signer() -> Signer {
    Signer::from_seed(ORIGIN, &[1; 32]).unwrap()
}

pub(crate) fn log_verifier() -> Verifier {
    log_signer().verifier().clone()
}

pub(crate) fn parts(
    dir: Option<&Path>,
    journal: Arc<dyn Journal>,
    objects: Arc<dyn Objects>,
) -> Parts {
    Parts {
        dir: dir.map(Path::to_owned),
        config: Config::for_origin(ORIGIN),
        keys: keys(),
        clock: Clock::told(start()),
        journal,
        objects,
    }
}

/// A house in memory with instruments.
pub(crate) fn in_memory() -> House {
    let (journal, objects) = (Arc::new(MemoryJournal::new()), Arc::new(MemoryObjects::new()));
    let house = House::of(parts(None, journal, objects)).unwrap();
    load(&house).unwrap();
    house
}

/// A new house in a directory, with a told clock.
pub(crate) fn on_disk(dir: &Path) -> House {
    House::create(dir, &Config::for_origin(ORIGIN), Clock::told(start())).unwrap()
}

pub(crate) fn reopened(dir: &Path, at: Time) -> Result<House, HouseError> {
    House::open(dir, Clock::told(at))
}

pub(crate) fn sqlite(dir: &Path) -> Arc<SqliteJournal> {
    Arc::new(SqliteJournal::open(&dir.join("journal.sqlite")).unwrap())
}

pub(crate) fn load(house: &House) -> Result<(), Failure> {
    if house.with_state(|s| s.head)? == 0 {
        act(house, By::System, Action::LoadInstruments(catalogue::standard()))?;
    }
    Ok(())
}

pub(crate) fn act(house: &House, by: By, action: Action) -> Result<Vec<Record>, Failure> {
    Ok(house.submit(Command { by, action }, Vec::new())?.records)
}

#[track_caller]
pub(crate) fn yes(house: &House, by: PartyId, action: Action) -> Vec<Record> {
    let shown = format!("{action:?}");
    match act(house, By::Party(by), action) {
        Ok(records) => records,
        Err(failure) => panic!("{shown} by {by}: {failure}"),
    }
}

/// The code with which the core refuses.
#[track_caller]
pub(crate) fn no(house: &House, by: PartyId, action: Action) -> &'static str {
    match act(house, By::Party(by), action) {
        Err(Failure::Refused(refusal)) => refusal.code.as_str(),
        other => panic!("not refused: {other:?}"),
    }
}

pub(crate) fn party(house: &House, name: &str, role: Role) -> PartyId {
    let address = format!("{}@people.example", name.to_lowercase().replace(' ', "."));
    let channels = vec![Channel { kind: ChannelKind::Email, address }];
    let who = Who { name: name.into(), channels };
    let id = house.with_state(|s| s.parties.next()).unwrap();
    let action = Action::RegisterParty { who, roles: vec![role], same_person_as: None };
    act(house, By::System, action).unwrap();
    id
}

/// A letter of this number, from a sender of its own.
pub(crate) fn letter(n: usize) -> Vec<u8> {
    letter_with(n, &format!("Please keep everything of account shop-{n}.\r\n"))
}

pub(crate) fn letter_with(n: usize, text: &str) -> Vec<u8> {
    format!(
        "From: Requester {n} <requester-{n}@law.example>\r\nTo: legal@host.example\r\n\
         Date: Tue, 1 Sep 2026 12:00:00 +0000\r\nSubject: Demand {n} to preserve\r\n\
         Message-ID: <{n}@law.example>\r\nMIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=utf-8\r\n\r\n{text}"
    )
    .into_bytes()
}

pub(crate) fn take(house: &House, raw: &[u8]) -> Result<Taken, Failure> {
    intake::take(house, raw.to_vec(), Cover::default(), By::System)
}

#[track_caller]
pub(crate) fn demand(taken: Taken) -> (DemandId, u64) {
    match taken {
        Taken::Demand { demand, position, .. } => (demand, position),
        other => panic!("taken for a report: {other:?}"),
    }
}

pub(crate) fn because() -> Reason {
    Reason { note: "because".into(), exhibits: Vec::new() }
}

/// Verifies a bundle offline against the key of the log, as a stranger would.
#[track_caller]
pub(crate) fn verified(house: &House, bundle: &[u8]) -> bailee_ledger::Report {
    let trust = Trust::pinned_key(&house.log_key().unwrap().to_vkey()).unwrap();
    let report = verify_bundle(Cursor::new(bundle), &trust).unwrap();
    assert!(!report.failed(), "{report}");
    assert!(report.entries.iter().all(|entry| entry.included), "{report}");
    report
}

pub(crate) fn receipt_of(house: &House, id: DemandId) -> Vec<u8> {
    let mut bundle = Vec::new();
    receipt::demand(house, id, &mut bundle).unwrap();
    bundle
}

/// The judgement: rules hold, replay is the state, the checkpoint is of this very tree, and every
/// acknowledged letter is a demand at its position with a receipt that verifies.
#[track_caller]
pub(crate) fn judge(house: &House, journal: &dyn Journal, acknowledged: &BTreeMap<Vec<u8>, u64>) {
    assert_eq!(house.with_state(check).unwrap(), []);
    let replayed = Projection::replay(journal).unwrap();
    house.with_state(|state| assert!(*state == replayed.state, "replay differs")).unwrap();
    let size = replayed.state.head;
    let (covered, note) = house.checkpoint_over(size).unwrap();
    assert!(covered >= size);
    let key = house.log_key().unwrap();
    let (signed, _) = Checkpoint::open(note.to_string().as_bytes(), &key).unwrap();
    assert_eq!(replayed.tree.root_at(signed.size).unwrap(), signed.root);
    for (raw, position) in acknowledged {
        let found = house.with_state(|s| {
            let mut demands = s.demands.iter();
            demands.find(|(_, demand)| demand.position == *position).map(|(id, _)| id)
        });
        let id = found.unwrap().unwrap_or_else(|| panic!("nothing at {position}"));
        assert_eq!(house.exhibit(&bailee_store::digest(raw)).unwrap().as_ref(), Some(raw));
        let report = verified(house, &receipt_of(house, id));
        assert_eq!(report.exhibits, [bailee_store::digest(raw)]);
    }
}

/// Staff, staff, counsel: who lets go of things.
pub(crate) struct People {
    pub(crate) ada: PartyId,
    pub(crate) ben: PartyId,
    pub(crate) cora: PartyId,
}

pub(crate) fn people(house: &House) -> People {
    People {
        ada: party(house, "Ada", Role::Staff),
        ben: party(house, "Ben", Role::Staff),
        cora: party(house, "Cora", Role::Counsel),
    }
}

/// Registers an owner, a legal entity and account `AC-1` between them, kept for a day after its
/// end.
pub(crate) fn register_account(house: &House, people: &People) {
    let owner = party(house, "Otto", Role::Owner);
    yes(house, people.ada, Action::RegisterEntity { name: "Host".into(), country: "NL".into() });
    let (entity, label, law) = (EntityId(1), "otto store".into(), "NL".into());
    let account = Action::RegisterAccount { owner, entity, label, law, retention_days: 1 };
    yes(house, people.ada, account);
}

/// Days pass in a house that is served; clocks ring.
pub(crate) fn pass_days(house: &House, days: u32) {
    for _ in 0..days {
        house.clock().tell(house.clock().now().plus_days(1));
        act(house, By::System, Action::Tick).unwrap();
    }
}

/// Notices of the disposition proven, the wait over, approved by two others.
pub(crate) fn make_ready(house: &House, people: &People, disposition: DispositionId) {
    let notices =
        house.with_state(|s| s.dispositions.get(disposition).unwrap().notices.clone()).unwrap();
    for notice in notices {
        let report = format!("Action: delivered\nof {notice}\n").into_bytes();
        let (digest, size) = (bailee_store::digest(&report), report.len() as u64);
        let (media, name) = ("message/delivery-status".into(), "report.txt".into());
        let named = bailee_core::demand::Exhibit { digest, size, media, name };
        let reason = Reason { note: String::new(), exhibits: vec![named] };
        let (attempt, evidence) = (0, Evidence::Delivered);
        let action = Action::RecordEvidence { notice, attempt, evidence, reason };
        let exhibits = vec![bailee_store::Exhibit { digest, bytes: report }];
        house.submit(Command { by: By::System, action }, exhibits).unwrap();
    }
    pass_days(house, 31);
    yes(house, people.ben, Action::ApproveDisposition { disposition });
    yes(house, people.cora, Action::ApproveDisposition { disposition });
}

/// Registers an asset of these accounts and keeps a film of it, from a tree below `dir`: that tree.
pub(crate) fn keep_a_film(
    house: &House,
    by: PartyId,
    accounts: Vec<AccountId>,
    dir: &Path,
) -> PathBuf {
    let asset = next_asset(house);
    let new = NewAsset {
        kind: AssetKind::Dataset,
        label: "films".into(),
        accounts,
        identifiers: Vec::new(),
        part_of: None,
        copy_of: Vec::new(),
        place: "rack 1".into(),
        bytes: 1 << 20,
    };
    yes(house, by, Action::RegisterAsset(new));
    let tree = dir.join("files");
    std::fs::create_dir(&tree).unwrap();
    std::fs::write(tree.join("film"), vec![7; 1 << 20]).unwrap();
    let source = Source::Tree(tree.clone());
    keeping::preserve(house, asset, source, Unchanged::Skip, by, &mut ()).unwrap();
    tree
}

/// A drive of these accounts, known by these identifiers.
pub(crate) fn drive(n: u32, accounts: Vec<AccountId>, identifiers: Vec<Identifier>) -> NewAsset {
    NewAsset {
        kind: AssetKind::Drive,
        label: format!("drive {n}"),
        accounts,
        identifiers,
        part_of: None,
        copy_of: Vec::new(),
        place: "rack 1".into(),
        bytes: 4096,
    }
}

/// A drive of the first account that is bound to this device.
pub(crate) fn bound(device: &Identity) -> NewAsset {
    let value = bailee_ledger::to_hex(&device.digest());
    let identity = Identifier { kind: IdentifierKind::Identity, value };
    NewAsset { bytes: device.size, ..drive(1, vec![AccountId(1)], vec![identity]) }
}

pub(crate) fn next_asset(house: &House) -> AssetId {
    house.with_state(|s| s.assets.next()).unwrap()
}
