//! A copy that nobody can read satisfies no hold: whoever sees that it is lost, at whatever object
//! or key, the gate hears it, and nothing that rests on it goes.

use std::path::{Path, PathBuf};

use bailee_core::demand::Scope;
use bailee_core::disposition::DispositionKind;
use bailee_core::gate::{Verb, verdict};
use bailee_core::id::{AccountId, AssetId, DispositionId, HoldId, SnapshotId};
use bailee_core::{Action, By, Command, check};
use bailee_sanitize::Identity;
use bailee_server::api::{self, Problem};
use bailee_server::keeping::{self, KeepError, Why};
use bailee_server::letting_go::{self, LetGoError};
use bailee_server::{Failure, House, probing};
use bailee_store::Unwritable;
use bailee_vault::{Budget, Source, Unchanged};

use crate::common::{
    People, because, bound, make_ready, next_asset, on_disk, pass_days, people, register_account,
    reopened, yes,
};

const DRIVE: AssetId = AssetId(1);
const COPY: SnapshotId = SnapshotId(1);
const SALE: DispositionId = DispositionId(1);

/// A house whose held drive may go, because its verified copy satisfies the hold.
struct Stage {
    people: People,
    subject: [u8; 32],
    at: bailee_core::Time,
    dir: tempfile::TempDir,
}

fn stage() -> Stage {
    let dir = tempfile::tempdir().unwrap();
    let drive = dir.path().join("drive.img");
    let bytes: Vec<u8> =
        (0..60_000_u32).flat_map(|n| bailee_store::digest(&n.to_be_bytes())).collect();
    std::fs::write(&drive, bytes).unwrap();
    let house = on_disk(&dir.path().join("house"));
    let people = people(&house);
    register_account(&house, &people);
    let identity = Identity::of_path(&drive).unwrap();
    assert_eq!(next_asset(&house), DRIVE);
    yes(&house, people.ada, Action::RegisterAsset(bound(&identity)));
    let (scope, reason) = (Scope { assets: vec![DRIVE], ..Scope::default() }, because());
    let (instrument, matter, silent) = ("letter".into(), None, None);
    let hold = Action::PlaceHold { scope, instrument, matter, silent, reason };
    yes(&house, people.ada, hold);
    yes(&house, people.cora, Action::AllowCopy { hold: HoldId(1), reason: because() });
    let source = Source::File(drive);
    let kept = keeping::preserve(&house, DRIVE, source, Unchanged::Rehash, people.ada, &mut ());
    assert!(kept.unwrap().verified.is_intact());
    yes(&house, people.ada, Action::TerminateAccount { account: AccountId(1) });
    pass_days(&house, 2);
    let (kind, assets, reason) = (DispositionKind::Sanitize, vec![DRIVE], because());
    let propose = Action::ProposeDisposition { kind, assets, to: None, reason };
    yes(&house, people.ada, propose);
    make_ready(&house, &people, SALE);
    assert_eq!(refusals(&house), Vec::<String>::new(), "the control: it is clear");
    let (at, subject) = (house.clock().now(), identity.digest());
    drop(house);
    Stage { people, subject, at, dir }
}

/// Why the gate keeps the drive.
fn refusals(house: &House) -> Vec<String> {
    let verdict = house.with_state(|s| verdict(s, DRIVE, Verb::LetGo, s.clock, None)).unwrap();
    verdict.unwrap().reasons.iter().map(|r| format!("{}: {}", r.code.as_str(), r.text)).collect()
}

fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { walk(&path, found) } else { found.push(path) }
    }
}

fn copy(from: &Path, to: &Path) {
    let mut all = Vec::new();
    walk(from, &mut all);
    for path in all {
        let there = to.join(path.strip_prefix(from).unwrap());
        std::fs::create_dir_all(there.parent().unwrap()).unwrap();
        std::fs::copy(&path, &there).unwrap();
    }
}

/// What happened to objects whose path has all these parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hit {
    Gone,
    Damaged,
    /// Its end is missing, as after a crash.
    Cut,
}

/// Name, parts of the path, what happened, and whether that shows without reading and a key.
const HITS: [(&[&str], Hit, bool); 16] = [
    (&["objects/vault/t/", "/u/", "/key/"], Hit::Gone, true),
    (&["objects/vault/t/", "/u/", "/key/"], Hit::Damaged, false),
    (&["objects/vault/t/", "/s/"], Hit::Gone, true),
    (&["objects/vault/t/", "/s/"], Hit::Damaged, false),
    (&["objects/vault/t/", "/key/", "TENANT"], Hit::Gone, true),
    (&["objects/vault/t/", "/key/", "TENANT"], Hit::Damaged, false),
    (&["objects/vault/kek/"], Hit::Gone, true),
    (&["objects/vault/t/", "/meta/"], Hit::Gone, true),
    (&["objects/vault/t/", "/meta/"], Hit::Damaged, true),
    (&["objects/vault/t/", "/sorted/"], Hit::Gone, true),
    (&["objects/vault/t/", "/sorted/"], Hit::Damaged, true),
    (&["objects/vault/t/", "/data/"], Hit::Gone, true),
    (&["objects/vault/"], Hit::Gone, true),
    (&["keys/vault.key"], Hit::Gone, true),
    (&["objects/vault/t/", "/meta/"], Hit::Cut, true),
    (&["objects/vault/t/", "/data/"], Hit::Cut, true),
];

impl Stage {
    /// A copy of the house that was hit.
    fn hit(&self, n: usize, (parts, hit, _): (&[&str], Hit, bool)) -> (House, tempfile::TempDir) {
        let (dir, mut all) = (tempfile::tempdir_in(self.dir.path()).unwrap(), Vec::new());
        let house = dir.path().join("house");
        copy(&self.dir.path().join("house"), &house);
        walk(&house, &mut all);
        let mut many = 0;
        for path in all {
            let text = path.to_str().unwrap();
            let all = parts.iter().all(|part| match *part {
                "TENANT" => !text.contains("/u/"),
                part => text.contains(part),
            });
            if !all {
                continue;
            }
            many += 1;
            match hit {
                Hit::Gone => std::fs::remove_file(&path).unwrap(),
                Hit::Cut => {
                    let file = std::fs::File::options().write(true).open(&path).unwrap();
                    file.set_len(file.metadata().unwrap().len() / 2).unwrap();
                }
                Hit::Damaged => {
                    let mut bytes = std::fs::read(&path).unwrap();
                    let at = bytes.len() * 2 / 3;
                    bytes[at] ^= 1;
                    std::fs::write(&path, bytes).unwrap();
                }
            }
        }
        assert!(many > 0, "{n}: nothing was hit");
        (reopened(&house, self.at).unwrap(), dir)
    }

    fn reserve(&self, house: &House) -> Result<(), Failure> {
        let (disposition, asset, subject) = (SALE, DRIVE, self.subject);
        // As whoever sanitizes a device asks.
        let action = Action::ReserveDevice { disposition, asset, subject, media: Vec::new() };
        house.submit(Command { by: By::Party(self.people.ada), action }, Vec::new()).map(drop)
    }

    #[track_caller]
    fn blocks(&self, house: &House, context: &str) {
        let said = refusals(house);
        assert_eq!(said.len(), 1, "{context}: {said:?}");
        let words = "hold_in_force: H-1 is in force; a copy is allowed, and S-1 is not verified";
        let words = words.replace("H-1 ", "");
        assert_eq!(said[0], words, "{context}");
        assert_eq!(house.with_state(check).unwrap(), [], "{context}");
    }
}

#[test]
fn where_something_is_kept_no_key_is_made_anew() {
    let stage = stage();
    let ways: [(&[&str], &str); 7] = [
        (&["objects/vault/"], "vault_away"),
        (&["objects/vault/kek/"], "vault_away"),
        (&["objects/vault/t/"], "vault_away"),
        (&["objects/vault/t/", "/u/"], "vault_away"),
        (&["objects/vault/t/", "/u/", "/key/"], "vault_away"),
        (&["objects/vault/t/", "/key/", "TENANT"], "vault_failed"),
        (&["objects/vault/", "/ke"], "vault_away"),
    ];
    for (n, (parts, code)) in ways.into_iter().enumerate() {
        let (house, dir) = stage.hit(n, (parts, Hit::Gone, true));
        let objects = || house.objects().list("vault/").unwrap();
        let (before, source) = (objects(), Source::File(stage.dir.path().join("drive.img")));
        let ada = stage.people.ada;
        let no = keeping::preserve(&house, DRIVE, source, Unchanged::Skip, ada, &mut ());
        let no = Problem::from(no.unwrap_err());
        assert_eq!((no.code.as_str(), objects()), (code, before.clone()), "{parts:?}: {no}");
        assert!(no.change.contains("from a copy"), "{parts:?}: {no}");
        drop(keeping::adopt(&house, DRIVE, ada));
        drop(keeping::reindex(&house));
        assert_eq!(objects(), before, "{parts:?}: nor by anybody else");
        // Brought back as it was, everything is read.
        copy(&stage.dir.path().join("house/objects"), &dir.path().join("house/objects"));
        assert!(keeping::verify(&house, COPY, ada).unwrap().is_intact(), "{parts:?}");
    }
}

#[test]
fn whoever_sees_that_a_copy_is_lost_has_the_gate_hear_it() {
    let stage = stage();
    for (n, hit) in HITS.into_iter().enumerate() {
        let context = format!("{:?} {:?}", hit.0, hit.1);
        // Read back.
        let (house, _dir) = stage.hit(n, hit);
        let read = keeping::verify(&house, COPY, stage.people.ada);
        match read {
            Ok(report) => assert!(!report.is_intact() && context.contains("data"), "{context}"),
            Err(error @ KeepError::Unread { why: Why::Lost, .. }) => {
                let told = Problem::from(error);
                let lost = (told.status, &told.code[..], &told.about[..]);
                assert_eq!(lost, (500, "snapshot_lost", "S-1"), "{context}: {told}");
                assert!(!told.change.contains("snapshot list"), "{context}: {told}");
            }
            Err(other) => panic!("{context}: {other:?}"),
        }
        stage.blocks(&house, &format!("{context}, read back"));
        let seen = house.entries(0, 10_000).unwrap().len();
        drop(keeping::verify(&house, COPY, stage.people.ada));
        let again = house.entries(0, 10_000).unwrap().len();
        assert!(again == seen || context.contains("data"), "{context}: once is enough");
        drop(house);
        // Relied on.
        let (house, _dir) = stage.hit(n, hit);
        let whole = hit.1 == Hit::Damaged && (hit.0[1] == "/meta/");
        match stage.reserve(&house) {
            // What is in a pack is not looked at before each letting-go.
            Ok(()) => assert!(whole, "{context}"),
            Err(Failure::Refused(no)) => {
                assert_eq!(no.code.as_str(), "hold_in_force", "{context}: {no}");
                assert!(no.change.contains("preserve the asset again"), "{context}: {no}");
                stage.blocks(&house, &format!("{context}, relied on"));
            }
            Err(other) => panic!("{context}: {other:?}"),
        }
        drop(house);
        // Scrubbed, and checked without a change.
        let (house, _dir) = stage.hit(n, hit);
        let before = house.entries(0, 10_000).unwrap().len();
        let found = api::check(&house, &mut |_| ()).unwrap().findings;
        let about = found.iter().find(|line| line.starts_with("S-1: "));
        let by_names = hit.2 && hit.1 == Hit::Gone && !context.contains("data");
        assert_eq!(about.is_some(), by_names, "{context}: {found:?}");
        assert!(about.is_none_or(|line| line.contains("H-1")), "{context}: {found:?}");
        assert_eq!(house.entries(0, 10_000).unwrap().len(), before, "{context}: only looked");
        let scrubbed = keeping::scrub(&house, Budget::Everything).unwrap();
        assert!(!scrubbed.run.report.problems.is_empty(), "{context}: {scrubbed:?}");
        assert_eq!(scrubbed.unlooked, Vec::<String>::new(), "{context}");
        stage.blocks(&house, &format!("{context}, scrubbed"));
    }
}

#[test]
fn a_probe_counts_what_is_lost_against_the_copy() {
    let stage = stage();
    for (n, hit) in HITS.into_iter().enumerate().filter(|(_, hit)| hit.0[0] != "keys/vault.key") {
        let context = format!("{:?} {:?}", hit.0, hit.1);
        let (house, _dir) = stage.hit(n, hit);
        let (_, found) = probing::probe(&house).unwrap();
        assert!(!found.canaries.lost.is_empty(), "{context}: {found:?}");
        stage.blocks(&house, &context);
    }
}

#[test]
fn what_could_not_be_looked_at_changes_no_record_and_is_said() {
    let stage = stage();
    let data = stage.dir.path().join("house");
    // Another key: somebody gave the wrong one, and nothing is known to be lost.
    let other = tempfile::tempdir().unwrap();
    drop(on_disk(&other.path().join("other")));
    let key = data.join("keys/vault.key");
    let right = std::fs::read(&key).unwrap();
    std::fs::copy(other.path().join("other/keys/vault.key"), &key).unwrap();
    let house = reopened(&data, stage.at).unwrap();
    let before = house.entries(0, 10_000).unwrap().len();
    let error = keeping::verify(&house, COPY, stage.people.ada).unwrap_err();
    assert!(matches!(error, KeepError::Unread { why: Why::NotLooked, .. }), "{error:?}");
    let told = Problem::from(error);
    assert!(told.detail.contains("its record is as it was"), "{told}");
    let no = stage.reserve(&house).unwrap_err();
    assert!(matches!(no, Failure::Unseen(_)), "{no:?}");
    let told = Problem::from(no);
    assert_eq!((told.status, &told.code[..]), (503, "copy_unseen"), "{told}");
    assert!(Unwritable::said(&told.detail).is_none());
    assert_eq!(house.entries(0, 10_000).unwrap().len(), before, "nothing is recorded");
    assert_eq!(refusals(&house), Vec::<String>::new());
    drop(house);
    std::fs::write(&key, right).unwrap();
    let house = reopened(&data, stage.at).unwrap();
    stage.reserve(&house).unwrap();
}

#[test]
fn a_copy_that_goes_between_reserving_and_beginning_is_missed() {
    let stage = stage();
    let house = reopened(&stage.dir.path().join("house"), stage.at).unwrap();
    let by = By::Party(stage.people.ada);
    let reserved = letting_go::reserve(&house, SALE, DRIVE, stage.subject, by).unwrap();
    let objects = house.objects();
    for name in objects.list("vault/t/").unwrap().iter().filter(|name| name.contains("/data/")) {
        objects.delete(name).unwrap();
    }
    let begin = Action::Begin { clearance: reserved.clearance };
    let no = house.submit(Command { by, action: begin }, Vec::new()).unwrap_err();
    let told = Problem::from(LetGoError::from(no));
    assert_eq!(told.code, "clearance_revoked", "{told}");
    stage.blocks(&house, "begun");
}

#[test]
fn what_is_wanted_and_lost_is_not_called_a_wrong_name() {
    let stage = stage();
    let (house, dir) = stage.hit(0, HITS[2]);
    let into = dir.path().join("out");
    let error = keeping::restore(&house, COPY, &into, None, &mut ()).unwrap_err();
    assert!(matches!(error, KeepError::Unread { why: Why::Gone, .. }), "{error:?}");
    let told = Problem::from(error);
    assert_eq!((&told.code[..], &told.about[..]), ("snapshot_lost", "S-1"));
    assert!(told.detail.contains("is kept, by the log, and cannot be read"), "{told}");
    let entries = keeping::entries(&house, COPY).unwrap_err();
    assert_eq!(Problem::from(entries).code, "snapshot_lost");
    assert_eq!(refusals(&house), Vec::<String>::new(), "wanting it is no look at it");
}
