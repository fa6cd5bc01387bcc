//! A custody unit is erased: proposed, told, approved, cleared, destroyed, certified.
//! Without any of it, nothing is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bailee_core::asset::{AssetKind, Fate};
use bailee_core::disposition::DispositionKind;
use bailee_core::id::{AccountId, AssetId, ClearanceId, DispositionId, SnapshotId};
use bailee_core::{Action, By, NewAsset, Triage, check};
use bailee_ledger::clearance::{Act, ClearanceError};
use bailee_ledger::{Trust, verify_bundle};
use bailee_sanitize::{ErasureCertificate, ShelvedSet};
use bailee_server::api::words::TokenScope;
use bailee_server::api::{self, Problem, Request};
use bailee_server::keeping::{Kept, UnitPlace};
use bailee_server::letting_go::{self, EraseStep, ErasedUnit, LetGoError, Reserved};
use bailee_server::{House, keeping, pruning, receipt, volumes};
use bailee_vault::{Budget, Erasure, Kek, Source, Sweep, Unchanged, VaultError};
use serde_json::json;

use crate::common::{
    People, because, demand, letter_with, make_ready, next_asset, on_disk, pass_days, people,
    register_account, reopened, take, verified, yes,
};
use crate::http::{Served, token};

/// A house that keeps two snapshots of one server of an account that has ended, and one of another.
struct Stage {
    house: House,
    people: People,
    files: Vec<u8>,
    kept: Vec<Kept>,
    dir: tempfile::TempDir,
}

fn server(house: &House, people: &People, n: u32) -> AssetId {
    let asset = next_asset(house);
    let new = NewAsset {
        kind: AssetKind::Server,
        label: format!("server {n}"),
        accounts: vec![AccountId(1)],
        identifiers: Vec::new(),
        part_of: None,
        copy_of: Vec::new(),
        place: "rack 1".into(),
        bytes: 1 << 20,
    };
    yes(house, people.ada, Action::RegisterAsset(new));
    asset
}

fn stage() -> Stage {
    let dir = tempfile::tempdir().unwrap();
    let house = on_disk(&dir.path().join("house"));
    let people = people(&house);
    register_account(&house, &people);
    let assets = [server(&house, &people, 1), server(&house, &people, 2)];
    yes(&house, people.ada, Action::TerminateAccount { account: AccountId(1) });
    pass_days(&house, 2);
    let files: Vec<u8> =
        (0..40_000_u32).flat_map(|n| bailee_store::digest(&n.to_be_bytes())).collect();
    let mut stage = Stage { house, people, files, kept: Vec::new(), dir };
    for (n, asset) in [(0, assets[0]), (1, assets[0]), (2, assets[1])] {
        let kept = stage.preserve(asset, n);
        stage.kept.push(kept);
    }
    stage
}

impl Stage {
    fn preserve(&self, asset: AssetId, n: u8) -> Kept {
        let tree = self.dir.path().join("files");
        std::fs::create_dir_all(&tree).unwrap();
        std::fs::write(tree.join("film"), &self.files).unwrap();
        std::fs::write(tree.join("note"), [n; 99]).unwrap();
        let source = Source::Tree(tree);
        let ada = self.people.ada;
        keeping::preserve(&self.house, asset, source, Unchanged::Skip, ada, &mut ()).unwrap()
    }

    /// Writes a snapshot to archive volumes: their paths, and what a certificate is to say of them.
    fn leave_on_volumes(&self, n: usize) -> (Vec<PathBuf>, ShelvedSet) {
        let (house, snapshot) = (&self.house, self.kept[n].snapshot);
        let shelf = self.dir.path().join(format!("shelf-{n}"));
        std::fs::create_dir(&shelf).unwrap();
        let (key, to) = (Kek::from_bytes([3; 32]), (shelf.as_path(), 1 << 20));
        let by = (snapshot, self.people.ada);
        let report = volumes::export(house, by, &key, to, &mut ()).unwrap();
        let (position, at) = house.with_state(|s| (s.head - 1, s.clock)).unwrap();
        let set = ShelvedSet {
            set: bailee_ledger::to_hex(&report.set.bytes()),
            snapshot: snapshot.to_string(),
            position,
            logged_unix: at.unix(),
            volumes: u32::try_from(report.volumes.len()).unwrap(),
            bytes: report.volumes.iter().map(|volume| volume.size).sum(),
        };
        (report.volumes.into_iter().map(|volume| volume.path).collect(), set)
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("house")
    }

    /// Proposed only.
    fn propose(&self, asset: AssetId) -> DispositionId {
        let id = self.house.with_state(|s| s.dispositions.next()).unwrap();
        let (kind, assets, reason) = (DispositionKind::Erase, vec![asset], because());
        let action = Action::ProposeDisposition { kind, assets, to: None, reason };
        yes(&self.house, self.people.ada, action);
        id
    }

    /// A reservation for the unit of the first snapshot, where that is, and the subject.
    fn reserve(&self, x: DispositionId) -> (Reserved, UnitPlace, [u8; 32]) {
        let (house, asset) = (&self.house, self.kept[0].asset);
        let place = keeping::unit_place(house, asset).unwrap();
        let vault = keeping::vault(house).unwrap();
        let subject = vault.erase_subject(&place.tenant, &place.unit).unwrap();
        let by = By::Party(self.people.ada);
        (letting_go::reserve(house, x, asset, subject, by).unwrap(), place, subject)
    }

    /// Proposed, told and approved.
    fn ready(&self, asset: AssetId) -> DispositionId {
        let id = self.propose(asset);
        make_ready(&self.house, &self.people, id);
        id
    }

    fn erase(&self, x: DispositionId) -> Result<ErasedUnit, LetGoError> {
        let (asset, ada) = (self.kept[0].asset, self.people.ada);
        letting_go::erase(&self.house, x, asset, ada, &mut |_| ())
    }

    fn fate(&self, n: usize) -> Fate {
        self.house.with_state(|s| s.assets.get(self.kept[n].asset).unwrap().fate.clone()).unwrap()
    }

    /// All three snapshots are there and read whole.
    #[track_caller]
    fn nothing_is_destroyed(&self) {
        for (n, kept) in self.kept.iter().enumerate() {
            assert_eq!(self.fate(n), Fate::Kept);
            let read = keeping::verify(&self.house, kept.snapshot, self.people.ada).unwrap();
            assert!(read.is_intact(), "{read:?}");
        }
        assert_eq!(self.house.with_state(check).unwrap(), []);
    }
}

/// The code of a refusal of the core.
#[track_caller]
fn refused(result: Result<ErasedUnit, LetGoError>) -> String {
    problem(result).code
}

#[track_caller]
fn problem(result: Result<ErasedUnit, LetGoError>) -> Problem {
    match result {
        Err(error @ LetGoError::Command(_)) => Problem::from(error),
        other => panic!("not refused: {other:?}"),
    }
}

/// Every file below a directory. The house is open and puts files of its own under their names
/// meanwhile: one that went between its listing and its reading is looked for once more.
fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut tries = (0..100).map(|_| walk(dir));
    let gone = |found: &std::io::Result<_>| {
        found.as_ref().is_err_and(|e| e.kind() == std::io::ErrorKind::NotFound)
    };
    tries.find(|found| !gone(found)).expect("the house comes to rest").unwrap()
}

fn walk(dir: &Path) -> std::io::Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        match path.is_dir() {
            true => found.extend(walk(&path)?),
            false => drop(found.insert(path.clone(), std::fs::read(&path)?)),
        }
    }
    Ok(found)
}

/// True if any piece of the plaintext lies in the bytes.
fn has_plaintext(stage: &Stage, bytes: &[u8]) -> bool {
    let pieces: std::collections::BTreeSet<&[u8]> =
        stage.files.chunks_exact(32).step_by(1000).collect();
    bytes.windows(32).any(|window| pieces.contains(window))
}

#[test]
fn a_unit_is_erased_and_the_certificate_says_what_went() {
    let stage = stage();
    let house = &stage.house;
    let x = stage.ready(stage.kept[0].asset);
    let (shelf, left) = stage.leave_on_volumes(1);
    stage.leave_on_volumes(2);
    let done = stage.erase(x).unwrap();
    assert_eq!((done.erasure.keys.len(), done.erasure.let_go.snapshots), (1, 2));
    for n in 0..2 {
        assert_eq!(stage.fate(n), Fate::Destroyed(done.clearance));
        let gone = keeping::verify(house, stage.kept[n].snapshot, stage.people.ada);
        assert!(gone.is_err(), "{gone:?}");
    }
    assert_eq!(stage.fate(2), Fate::Kept);
    let other = keeping::verify(house, stage.kept[2].snapshot, stage.people.ada).unwrap();
    assert!(other.is_intact(), "another unit is as it was");
    let mut bundle = Vec::new();
    receipt::certificate(house, done.clearance, &mut bundle).unwrap();
    verified(house, &bundle);
    let json = done.certificate.to_json();
    assert_eq!(ErasureCertificate::from_json(&json).unwrap(), done.certificate);
    let copies: Vec<&str> = done.certificate.copies().iter().map(|c| &c.snapshot[..]).collect();
    assert_eq!(copies, ["S-1", "S-2"]);
    assert!(json.contains("counsel") && json.contains("backups"), "{json}");
    assert_eq!(
        done.certificate.shelved(),
        std::slice::from_ref(&left),
        "of this unit, and of no other"
    );
    let last = done.certificate.not_reached().last().unwrap();
    assert!(last.contains(&format!("{} in 1 of their sets", left.volumes)), "{last}");
    // It says the truth: the volumes and their key file give the data back.
    let read = bailee_vault::check_volumes(&shelf, Some(&Kek::from_bytes([3; 32])), &mut ());
    assert!(read.unwrap().is_complete());
    assert_eq!(refused(stage.erase(x)), "disposition_closed");
    assert_eq!(house.with_state(check).unwrap(), []);
    // The source goes on: its next snapshot is in a unit of its own, with a key of its own.
    let source = house.with_state(|s| s.snapshots.get(stage.kept[0].snapshot).unwrap().source);
    let again = stage.preserve(source.unwrap(), 9);
    assert!(again.verified.is_intact());
    let place = keeping::unit_place(house, again.asset).unwrap();
    assert!(place.unit.ends_with(".2"), "{place:?}");
}

#[test]
fn who_has_the_directory_and_every_old_pack_reads_nothing() {
    let stage = stage();
    let before = files(&stage.data());
    let x = stage.ready(stage.kept[0].asset);
    let done = stage.erase(x).unwrap();
    let after = files(&stage.data());
    for (path, bytes) in &after {
        assert!(!has_plaintext(&stage, bytes), "plaintext is left in {}", path.display());
    }
    assert!(has_plaintext(&stage, &stage.files), "the control");
    // Packs, indexes and snapshots as in an old backup, and no tombstone; the key is what is gone.
    let is_key = |path: &Path| path.to_string_lossy().ends_with(&done.erasure.keys[0].object);
    assert_eq!(
        before.keys().filter(|path| is_key(path)).count(),
        1,
        "the key lay in the directory"
    );
    for (path, bytes) in
        before.iter().filter(|(path, _)| !is_key(path) && !after.contains_key(*path))
    {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    for path in after.keys().filter(|path| path.to_string_lossy().contains("/erased/")) {
        std::fs::remove_file(path).unwrap();
    }
    let vault = keeping::vault(&stage.house).unwrap();
    for kept in &stage.kept[..2] {
        let into = stage.dir.path().join("out");
        let named = keeping::restore(&stage.house, kept.snapshot, &into, None, &mut ());
        assert!(matches!(named, Err(keeping::KeepError::LetGo { how: "erased", .. })), "{named:?}");
        // And not only by the log's word.
        let place = keeping::unit_place(&stage.house, kept.asset).unwrap();
        let read = vault.restore_with(&place.tenant, &kept.preserved.id, &into, None, &mut ());
        assert!(matches!(read, Err(VaultError::KeyMissing { .. })), "{read:?}");
    }
}

#[test]
fn without_a_clearance_nothing_is_destroyed() {
    let stage = stage();
    let x = stage.propose(stage.kept[0].asset);
    assert_eq!(refused(stage.erase(x)), "notice_not_delivered");
    assert_eq!(refused(stage.erase(DispositionId(9))), "not_found");
    stage.nothing_is_destroyed();
    // A token for something else, forged, or too old.
    let x = stage.ready(stage.kept[0].asset);
    let (house, asset, ada) = (&stage.house, stage.kept[0].asset, stage.people.ada);
    let reserved = letting_go::reserve(house, x, asset, [7; 32], By::Party(ada)).unwrap();
    let with = |token: &str, asset| {
        let result = letting_go::erase_under(house, token, asset, ada, &mut |_| ());
        match result {
            Err(LetGoError::Token(error)) => error,
            other => panic!("not refused: {other:?}"),
        }
    };
    let token = reserved.token;
    assert!(matches!(with(&token, asset), ClearanceError::WrongSubject { .. }));
    assert!(matches!(with(&token, stage.kept[2].asset), ClearanceError::WrongAsset { .. }));
    let forged = token.replacen("asset", "Asset", 1);
    assert!(matches!(with(&forged, asset), ClearanceError::Note(_)));
    let open = letting_go::open_token(house, token.as_bytes(), asset, Act::Expire, [7; 32]);
    assert!(matches!(open, Err(LetGoError::Token(ClearanceError::WrongAct { .. }))), "{open:?}");
    stage.nothing_is_destroyed_but(reserved.clearance);
}

impl Stage {
    /// Nothing is destroyed, with a reservation given back first.
    #[track_caller]
    fn nothing_is_destroyed_but(&self, clearance: ClearanceId) {
        let reason = because();
        yes(&self.house, self.people.ada, Action::Abort { clearance, gone: 0, reason });
        self.nothing_is_destroyed();
    }
}

#[test]
fn a_hold_on_one_of_the_snapshots_keeps_the_unit_and_says_what_would_change_that() {
    let stage = stage();
    let x = stage.ready(stage.kept[0].asset);
    take(&stage.house, &letter_with(1, "Keep everything of otto store.\r\n")).unwrap();
    let refusal = problem(stage.erase(x));
    assert_eq!((refusal.status, refusal.code.as_str()), (409, "hold_provisional"));
    assert!(refusal.change.contains("demand"), "{}", refusal.change);
    stage.nothing_is_destroyed();
}

#[test]
fn a_demand_or_the_end_of_the_lease_after_the_beginning_stops_it_untouched() {
    let stage = stage();
    let (house, asset, ada) = (&stage.house, stage.kept[0].asset, stage.people.ada);
    let x = stage.ready(asset);
    let late = letting_go::erase(house, x, asset, ada, &mut |step| {
        if step == EraseStep::Begun {
            house.clock().tell(house.clock().now().plus_seconds(61));
        }
    });
    assert_eq!(refused(late), "lease_lapsed");
    stage.nothing_is_destroyed();
    let asked = letting_go::erase(house, x, asset, ada, &mut |step| {
        if step == EraseStep::Begun {
            take(house, &letter_with(1, "Keep everything of otto store.\r\n")).unwrap();
        }
    });
    assert_eq!(refused(asked), "clearance_revoked");
    stage.nothing_is_destroyed();
}

#[test]
fn a_token_is_used_once() {
    let stage = stage();
    let (house, asset, ada) = (&stage.house, stage.kept[0].asset, stage.people.ada);
    let (reserved, _, _) = stage.reserve(stage.ready(asset));
    yes(house, ada, Action::Begin { clearance: reserved.clearance });
    let replayed = letting_go::erase_under(house, &reserved.token, asset, ada, &mut |_| ());
    assert_eq!(refused(replayed), "clearance_used");
    stage.nothing_is_destroyed_but(reserved.clearance);
}

#[test]
fn a_snapshot_taken_after_the_reservation_voids_the_token() {
    let stage = stage();
    let (house, asset, ada) = (&stage.house, stage.kept[0].asset, stage.people.ada);
    let (reserved, place, _) = stage.reserve(stage.ready(asset));
    let tree = stage.dir.path().join("late");
    std::fs::create_dir(&tree).unwrap();
    std::fs::write(tree.join("late"), b"late").unwrap();
    let source = Source::Tree(tree);
    let before = files(&stage.data().join("objects"));
    let early =
        keeping::preserve(house, place.source, source.clone(), Unchanged::Skip, ada, &mut ());
    let code = Problem::from(early.unwrap_err()).code;
    assert_eq!(code, "clearance_outstanding", "the log takes no snapshot of it now");
    assert_eq!(files(&stage.data().join("objects")), before, "nor is anything kept of it");
    // One that was on its way.
    let vault = keeping::vault(house).unwrap();
    vault.preserve(&place.tenant, &place.unit, &source, &mut ()).unwrap();
    let token = &reserved.token;
    let stale = letting_go::erase_under(house, token, asset, ada, &mut |_| ());
    let wrong = matches!(stale, Err(LetGoError::Token(ClearanceError::WrongSubject { .. })));
    assert!(wrong, "{stale:?}");
    stage.nothing_is_destroyed_but(reserved.clearance);
}

#[test]
fn what_the_log_does_not_know_of_a_unit_is_adopted_before_it_goes() {
    let stage = stage();
    let (house, asset, ada) = (&stage.house, stage.kept[0].asset, stage.people.ada);
    let (x, place) = (stage.ready(asset), keeping::unit_place(house, asset).unwrap());
    let tree = stage.dir.path().join("late");
    std::fs::create_dir(&tree).unwrap();
    std::fs::write(tree.join("late"), b"late").unwrap();
    // Its preservation was killed before the log had it.
    let vault = keeping::vault(house).unwrap();
    let late = vault.preserve(&place.tenant, &place.unit, &Source::Tree(tree), &mut ()).unwrap();
    let no = Problem::from(stage.erase(x).unwrap_err());
    assert_eq!((&no.code[..], &no.about[..]), ("snapshot_unrecorded", "A-1"), "{no}");
    assert!(no.detail.contains(&late.id.to_string()), "{no}");
    assert!(no.change.contains("`bailee snapshot adopt A-1`"), "{no}");
    stage.nothing_is_destroyed();
    let adopted = keeping::adopt(house, place.source, ada).unwrap();
    assert_eq!((adopted.len(), adopted[0].vault_id, adopted[0].intact), (1, late.id, true));
    assert_eq!(keeping::unrecorded(house).unwrap(), []);
}

#[test]
fn what_a_crash_interrupted_is_finished_with_the_same_list_of_keys() {
    let stage = stage();
    let x = stage.ready(stage.kept[0].asset);
    let (stage, lost, first) = dead_after_the_tombstone(stage, x, Left::Nothing);
    bailee_server::api::show(&stage.house, "status").unwrap();
    assert_eq!(stage.fate(1), Fate::Unknown(lost));
    let rest = stage.erase(x).unwrap();
    assert_eq!(rest.erasure.keys, first.keys);
    assert!(rest.certificate.to_json().contains("\"resumed\": true"));
    assert_eq!([0, 1].map(|n| stage.fate(n)), [0, 1].map(|_| Fate::Destroyed(rest.clearance)));
    assert_eq!(stage.house.with_state(check).unwrap(), []);
}

#[test]
fn what_is_in_the_vault_is_stated_by_nobody_who_only_says_so() {
    let stage = stage();
    let (house, ada) = (&stage.house, stage.people.ada);
    let before = house.entries(0, 10_000).unwrap().len();
    for said in [
        json!({ "do": "record-snapshot", "source": "A-1", "root": "07".repeat(32), "bytes": 9,
                "vault_id": "07".repeat(16), "unreadable": 0, "taken": "2026-09-01 12:00" }),
        json!({ "do": "verify-snapshot", "snapshot": "S-1", "intact": true }),
        json!({ "do": "verify-snapshot", "snapshot": "S-1", "intact": false }),
    ] {
        let request: Request = serde_json::from_value(said).unwrap();
        let problem = api::perform(house, request, By::Party(ada)).unwrap_err();
        assert_eq!((problem.status, problem.code.as_str()), (403, "done_by_the_vault"));
    }
    assert_eq!(house.entries(0, 10_000).unwrap().len(), before, "nothing is recorded");
}

#[test]
fn a_kept_snapshot_whose_object_is_away_is_a_finding_without_a_key() {
    let stage = stage();
    let house = &stage.house;
    let found = || api::check(house, &mut |_| ()).unwrap().findings;
    let scrubbed = || keeping::scrub(house, Budget::Everything).unwrap().run.report.problems;
    let about = |name: &str| {
        let vault_id =
            house.with_state(|s| s.snapshots.get(SnapshotId(1)).unwrap().vault_id.clone());
        name.ends_with(&format!("/s/{}", vault_id.unwrap()))
    };
    let objects = house.objects();
    let name = objects.list("vault/t/").unwrap().into_iter().find(|name| about(name)).unwrap();
    assert!(!found().iter().any(|line| line.contains("S-1")) && scrubbed().is_empty());
    let bytes = objects.get(&name).unwrap();
    objects.delete(&name).unwrap();
    assert!(found().iter().any(|line| line.starts_with("S-1: ")), "{:?}", found());
    assert_eq!(scrubbed()[0].path.to_str(), Some("S-1"));
    objects.put(&name, &bytes).unwrap();
    assert!(!found().iter().any(|line| line.contains("S-1")) && scrubbed().is_empty());
}

#[test]
fn no_single_step_of_it_or_of_an_expiry_is_an_agents() {
    let stage = stage();
    let (house, ada) = (&stage.house, stage.people.ada);
    let (one, other) = (stage.kept[0].asset, stage.kept[2].asset);
    let erase = stage.ready(one);
    let expire = house.with_state(|s| s.dispositions.next()).unwrap();
    let (kind, assets, reason) = (DispositionKind::Expire, vec![other], because());
    yes(house, ada, Action::ProposeDisposition { kind, assets, to: None, reason });
    make_ready(house, &stage.people, expire);
    let refused = |request: Request| {
        let before = house.entries(0, 10_000).unwrap().len();
        let problem = api::perform(house, request, By::Party(ada)).unwrap_err();
        assert_eq!((problem.status, problem.code.as_str()), (403, "done_by_the_vault"));
        assert_eq!(house.entries(0, 10_000).unwrap().len(), before, "nothing is recorded");
    };
    for (disposition, asset) in [(erase, one), (expire, other)] {
        let (disposition, asset) = (disposition.to_string(), asset.to_string());
        let subject = "07".repeat(32);
        refused(Request::Reserve { disposition, asset, subject, media: Vec::new() });
    }
    let reserved = letting_go::reserve(house, erase, one, [7; 32], By::Party(ada)).unwrap();
    let clearance = reserved.clearance;
    yes(house, ada, Action::Begin { clearance });
    let finish = json!({ "do": "finish", "clearance": clearance.to_string(), "verified": true });
    refused(serde_json::from_value(finish).unwrap());
    stage.nothing_is_destroyed_but(clearance);
}

/// What is left of what goes after the tombstone.
#[derive(PartialEq, Eq)]
enum Left {
    Nothing,
    Everything,
}

/// The vault's tombstone is put, and the process dies before the log hears of it.
fn dead_after_the_tombstone(
    stage: Stage,
    x: DispositionId,
    left: Left,
) -> (Stage, ClearanceId, Erasure) {
    let (house, ada) = (&stage.house, stage.people.ada);
    let (reserved, place, subject) = stage.reserve(x);
    let (token, asset) = (reserved.token.as_bytes(), stage.kept[0].asset);
    let clearance = letting_go::open_token(house, token, asset, Act::Erase, subject).unwrap();
    yes(house, ada, Action::Begin { clearance: reserved.clearance });
    let before = files(&stage.data());
    let vault = keeping::vault(house).unwrap();
    let first = vault.erase_unit(&place.tenant, &place.unit, clearance, &|_| None).unwrap();
    drop(vault);
    let after = files(&stage.data());
    let gone = before.iter().filter(|(path, _)| !after.contains_key(*path));
    for (path, bytes) in gone.filter(|_| left == Left::Everything) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    let (later, data) = (house.clock().now().plus_seconds(61), stage.data());
    let Stage { house, people, files, kept, dir } = stage;
    drop(house);
    let house = reopened(&data, later).unwrap();
    yes(&house, ada, Action::Tick);
    (Stage { house, people, files, kept, dir }, reserved.clearance, first)
}

#[test]
fn what_is_kept_after_a_crash_is_in_the_next_unit_which_the_rest_of_the_erasure_spares() {
    let stage = stage();
    let x = stage.ready(stage.kept[0].asset);
    let (stage, lost, first) = dead_after_the_tombstone(stage, x, Left::Everything);
    assert_eq!([0, 1].map(|n| stage.fate(n)), [0, 1].map(|_| Fate::Unknown(lost)));
    let house = &stage.house;
    let asked = take(house, &letter_with(1, "Keep everything of otto store.\r\n")).unwrap();
    let source = keeping::unit_place(house, stage.kept[0].asset).unwrap().source;
    let kept = stage.preserve(source, 9);
    let place = keeping::unit_place(house, kept.asset).unwrap();
    assert!(kept.verified.is_intact() && place.unit.ends_with(".2"), "{place:?}");
    assert_eq!(refused(stage.erase(x)), "hold_provisional");
    let (triage, reason) = (Triage::Refuse, because());
    let demand = demand(asked).0;
    yes(house, stage.people.cora, Action::DecideDemand { demand, triage, reason });
    pass_days(house, 31);
    let x = stage.ready(stage.kept[0].asset);
    let rest = stage.erase(x).unwrap();
    assert_eq!(rest.erasure.keys, first.keys);
    assert_eq!([0, 1].map(|n| stage.fate(n)), [0, 1].map(|_| Fate::Destroyed(rest.clearance)));
    let key = &rest.erasure.keys[0].object;
    assert!(!files(&stage.data()).keys().any(|path| path.to_string_lossy().ends_with(&key[..])));
    let fate = house.with_state(|s| s.assets.get(kept.asset).unwrap().fate.clone()).unwrap();
    assert_eq!(fate, Fate::Kept);
    let read = keeping::verify(house, kept.snapshot, stage.people.ada).unwrap();
    assert!(read.is_intact(), "{read:?}");
    assert_eq!(house.with_state(check).unwrap(), []);
}

/// All of a unit lies there under a tombstone, and the log has it as kept: as after a kill and the
/// end of the clearance with nothing gone.
fn half_erased_and_kept(stage: &Stage) {
    let (house, asset) = (&stage.house, stage.kept[0].asset);
    let (reserved, place, subject) = stage.reserve(stage.ready(asset));
    let token = reserved.token.as_bytes();
    let clearance = letting_go::open_token(house, token, asset, Act::Erase, subject).unwrap();
    let before = files(&stage.data());
    let vault = keeping::vault(house).unwrap();
    vault.erase_unit(&place.tenant, &place.unit, clearance, &|_| None).unwrap();
    drop(vault);
    let after = files(&stage.data());
    for (path, bytes) in before.iter().filter(|(path, _)| !after.contains_key(*path)) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    let (clearance, reason) = (reserved.clearance, because());
    yes(house, stage.people.ada, Action::Abort { clearance, gone: 0, reason });
}

/// What pruning refused, and the bytes it freed.
fn pruned(house: &House, how: Sweep) -> (Vec<String>, u64) {
    let all = pruning::prune(house, how, &mut |_, _, _| ()).unwrap();
    let freed = all.iter().filter_map(|one| one.swept.outcome.as_ref().ok());
    let freed = freed.map(|report| report.freed_bytes).sum();
    let no = |one: &pruning::Pruned| Some(one.swept.outcome.as_ref().err()?.to_string());
    (all.iter().filter_map(no).collect(), freed)
}

#[test]
fn what_is_held_is_not_pruned_for_the_tombstone_of_a_killed_erasure() {
    let stage = stage();
    half_erased_and_kept(&stage);
    let house = &stage.house;
    take(house, &letter_with(1, "Keep everything of otto store.\r\n")).unwrap();
    // Whoever looks is told.
    let half = |lines: &[String]| {
        let about = |n| lines.iter().any(|l| l.contains(n) && l.contains("half erased"));
        ["S-1", "S-2", "S-3"].map(about)
    };
    let scrubbed = keeping::scrub(house, Budget::Everything).unwrap().run.report.problems;
    let scrubbed: Vec<String> =
        scrubbed.iter().map(|p| format!("{}: {}", p.path.display(), p.what)).collect();
    assert_eq!(half(&scrubbed), [true, true, false], "{scrubbed:?}");
    let checked = api::check(house, &mut |_| ()).unwrap().findings;
    assert_eq!(half(&checked), [true, true, false], "{checked:?}");
    let read = keeping::verify(house, stage.kept[0].snapshot, stage.people.ada).unwrap();
    assert!(read.is_intact() && read.half_erased, "{read:?}");
    // Nothing goes, by name; and it comes back.
    let before = files(&stage.data().join("objects"));
    let (no, freed) = pruned(house, Sweep::Rehearse);
    assert!(no.len() == 1 && no[0].contains("\"data-A-1\" is half erased"), "{no:?}");
    assert_eq!((freed, files(&stage.data().join("objects"))), (0, before));
    let (no, freed) = pruned(house, Sweep::Now);
    assert!(no.len() == 1 && no[0].contains("nothing was let go"), "{no:?}");
    assert_eq!((freed, pruned(house, Sweep::Now)), (0, (Vec::new(), 0)));
    stage.nothing_is_destroyed();
    let read = keeping::verify(house, stage.kept[0].snapshot, stage.people.ada).unwrap();
    assert!(!read.half_erased);
    assert_eq!(half(&api::check(house, &mut |_| ()).unwrap().findings), [false; 3]);
}

#[test]
fn what_is_kept_next_joins_a_unit_whose_erasure_was_killed_and_given_up() {
    let stage = stage();
    half_erased_and_kept(&stage);
    let source = keeping::unit_place(&stage.house, stage.kept[0].asset).unwrap().source;
    let next = stage.preserve(source, 9);
    let place = keeping::unit_place(&stage.house, next.asset).unwrap();
    assert!(next.verified.is_intact() && !next.verified.half_erased, "{:?}", next.verified);
    assert_eq!(place.unit, "data-A-1");
    assert_eq!(pruned(&stage.house, Sweep::Now), (Vec::new(), 0));
    stage.nothing_is_destroyed();
}

#[test]
fn an_erasure_of_unknown_end_is_not_finished_by_pruning_and_may_begin_anew() {
    let stage = stage();
    let x = stage.ready(stage.kept[0].asset);
    let (stage, lost, first) = dead_after_the_tombstone(stage, x, Left::Everything);
    let house = &stage.house;
    let asked = take(house, &letter_with(1, "Keep everything of otto store.\r\n")).unwrap();
    let (no, freed) = pruned(house, Sweep::Now);
    assert!(no.len() == 1 && no[0].contains("taken back"), "{no:?}");
    assert_eq!((freed, pruned(house, Sweep::Now)), (0, (Vec::new(), 0)));
    assert_eq!([0, 1].map(|n| stage.fate(n)), [0, 1].map(|_| Fate::Unknown(lost)));
    for kept in &stage.kept {
        let read = keeping::verify(house, kept.snapshot, stage.people.ada).unwrap();
        assert!(read.is_intact() && !read.half_erased, "{read:?}");
    }
    assert_eq!(refused(stage.erase(x)), "hold_provisional");
    let (triage, reason, demand) = (Triage::Refuse, because(), demand(asked).0);
    yes(house, stage.people.cora, Action::DecideDemand { demand, triage, reason });
    pass_days(house, 31);
    let x = stage.ready(stage.kept[0].asset);
    let done = stage.erase(x).unwrap();
    assert_eq!((done.erasure.keys, done.erasure.let_go.snapshots), (first.keys, 2));
    assert!(done.certificate.to_json().contains("\"resumed\": false"));
    assert_eq!([0, 1].map(|n| stage.fate(n)), [0, 1].map(|_| Fate::Destroyed(done.clearance)));
    assert_eq!(pruned(house, Sweep::Now), (Vec::new(), 0));
}

#[test]
fn over_http_it_is_one_request_and_its_bundle_fails_for_any_flipped_byte() {
    let stage = stage();
    let x = stage.ready(stage.kept[0].asset);
    let (_, left) = stage.leave_on_volumes(0);
    let asset = stage.kept[0].asset.to_string();
    let operator = token(&stage.house, stage.people.ada, TokenScope::Operator);
    let agent = token(&stage.house, stage.people.ada, TokenScope::Agent);
    let trust = Trust::pinned_key(&stage.house.log_key().unwrap().to_vkey()).unwrap();
    let served = Served::start(stage.house);
    let order = json!({ "disposition": x.to_string(), "asset": asset }).to_string();
    let not_theirs = served.post("/v1/erasures", &agent, order.as_bytes());
    assert_eq!(not_theirs.status, 403, "{}", not_theirs.text());
    let bad = served.post("/v1/erasures", &operator, br#"{"disposition":"X","asset":"A-1"}"#);
    assert_eq!((bad.status, bad.code().as_str()), (400, "bad_request"));
    let gate = served.get(&format!("/v1/gate/{asset}?verb=erase"), &operator);
    assert_eq!(gate.json()["clear"], true, "{}", gate.text());
    let done = served.post("/v1/erasures", &operator, order.as_bytes());
    assert_eq!(done.status, 201, "{}", done.text());
    assert_eq!(done.json()["snapshots"], json!(["S-1", "S-2"]));
    assert_eq!(done.json()["keys_destroyed"].as_array().unwrap().len(), 1);
    let named = &done.json()["volumes_not_reached"];
    assert_eq!(named.as_array().unwrap().len(), 1, "{named}");
    assert_eq!((&named[0]["set"], &named[0]["entry"]), (&json!(left.set), &json!(left.position)));
    assert_eq!(named[0]["volumes"], left.volumes);
    let again = served.post("/v1/erasures", &operator, order.as_bytes());
    assert_eq!((again.status, again.code().as_str()), (409, "disposition_closed"));

    let bundle = served.get("/v1/clearances/C-1/certificate", &operator).body;
    let good = |bundle: &[u8]| {
        verify_bundle(std::io::Cursor::new(bundle), &trust).is_ok_and(|report| !report.failed())
    };
    assert!(good(&bundle));
    let text = b"bailee/certificate-of-erasure/v1";
    let at = bundle.windows(text.len()).position(|window| window == text).unwrap();
    // Every byte of the certificate, and one in 61 of all else.
    for n in (0..bundle.len()).filter(|n| (at..at + 1500).contains(n) || n % 61 == 0) {
        let mut altered = bundle.clone();
        altered[n] ^= 1;
        assert!(!good(&altered), "byte {n} does not matter");
    }
}
