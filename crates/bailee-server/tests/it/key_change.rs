//! The log's keys change: a rotation by overlap, cut off after each step; a lost key; keys that
//! were exchanged by hand. Real directories, real signatures, a told clock.

use std::fs;
use std::io::Cursor;
use std::path::Path;

use bailee_core::id::{PartyId, RotationId};
use bailee_core::party::Role;
use bailee_core::rotation::KeyEnd;
use bailee_core::{Action, By, Reason, Time};
use bailee_ledger::proof::verify_consistency;
use bailee_ledger::report::ClaimState;
use bailee_ledger::{Checkpoint, Note, Policy, Trust, Verifier, verify_bundle};
use bailee_server::api::words::KeyEnd as Word;
use bailee_server::api::{Request, check, perform};
use bailee_server::keys::{Secrets, lost, rotate};
use bailee_server::receipt::{self, KeyChange};
use bailee_server::witness::{Init, Witness};
use bailee_server::{Clock, House, HouseError};
use bailee_store::Journal as _;

use crate::common::*;
use crate::standing::Standing;

const R1: RotationId = RotationId(1);
const NEXT: &str = "log.example.org/2027";

struct People {
    counsel: PartyId,
    staff: PartyId,
}

fn people(house: &House) -> People {
    People { counsel: party(house, "Cora", Role::Counsel), staff: party(house, "Ada", Role::Staff) }
}

fn propose(house: &House, by: PartyId) -> Result<(), HouseError> {
    rotate::propose(house, by, 30, &because(), Vec::new()).map(|_| ())
}

/// Through the door, which asks whether the new keys sign here.
fn approve(house: &House, by: PartyId) -> Result<(), String> {
    let request = Request::ApproveRotation { rotation: R1.to_string() };
    perform(house, request, By::Party(by)).map(|_| ()).map_err(|problem| problem.to_string())
}

fn retire(house: &House, by: PartyId) -> Result<(), String> {
    let (rotation, why) = (R1.to_string(), Word::Retired);
    let request = Request::EndRotation { rotation, why, reason: Default::default() };
    perform(house, request, By::Party(by)).map(|_| ()).map_err(|problem| problem.to_string())
}

/// The checkpoint over everything.
fn signed(house: &House) -> Note {
    let head = house.with_state(|s| s.head).unwrap();
    house.checkpoint_over(head).unwrap().1
}

/// Key ids of the signatures, in order.
fn by(note: &Note) -> Vec<u32> {
    note.signatures().iter().map(|signature| signature.key_id).collect()
}

fn trust(policy: &Policy) -> Trust {
    Trust::pinned(policy.clone())
}

/// The receipt of a new letter.
fn receipt_of_letter(house: &House, n: usize) -> Vec<u8> {
    let (demand, _) = demand(take(house, &letter(n)).unwrap());
    receipt_of(house, demand)
}

#[track_caller]
fn verifies(bundle: &[u8], policy: &Policy) -> bool {
    let report = verify_bundle(Cursor::new(bundle), &trust(policy));
    report.is_ok_and(|report| {
        assert!(!report.failed(), "{report}");
        report.claims[1].state == ClaimState::Proven
    })
}

/// Nothing is wrong with the house, and its keys are what they should be.
#[track_caller]
fn good(house: &House) {
    let report = check(house, &mut |_| {}).unwrap();
    assert!(report.good, "{report:?}");
}

fn later() -> Time {
    start().plus_days(31)
}

#[test]
fn a_new_house_signs_with_both_keys_and_a_reader_can_check_each() {
    let dir = tempfile::tempdir().unwrap();
    let house = on_disk(dir.path());
    let note = signed(&house);
    let policy = house.policy().unwrap();
    let second = &policy.witnesses()[0].key;
    assert_eq!(by(&note), [house.log_key().unwrap().id(), second.id()]);
    assert_eq!(second.name(), ORIGIN);
    assert_eq!(
        note.verify(std::slice::from_ref(second)).unwrap()[0].time,
        None,
        "it states no time"
    );
    let seen = policy.evaluate(&note).unwrap();
    assert!(seen.cosigned.is_empty(), "a log is no witness of itself");
    let dir_policy = fs::read(dir.path().join(format!("policies/{:020}.tlog-policy", 0))).unwrap();
    assert_eq!(Policy::parse(&dir_policy).unwrap(), policy);
    good(&house);
}

#[test]
fn both_pairs_sign_while_they_overlap_and_receipts_verify_under_the_keys_of_their_time() {
    let dir = tempfile::tempdir().unwrap();
    let house = on_disk(dir.path());
    let people = people(&house);
    let (old, before) = (house.policy().unwrap(), receipt_of_letter(&house, 1));
    let first = signed(&house);
    propose(&house, people.staff).unwrap();
    assert_eq!(by(&signed(&house)).len(), 2, "nobody has approved it");
    assert!(approve(&house, people.counsel).unwrap_err().contains("keys_not_ready"));
    drop(house);

    let house = reopened(dir.path(), start()).unwrap();
    approve(&house, people.counsel).unwrap();
    let both = house.policy().unwrap();
    let note = signed(&house);
    assert_eq!((by(&note).len(), both.logs().len(), both.witnesses().len()), (4, 2, 2));
    assert_eq!(both.logs()[0], old.logs()[0]);
    let during = receipt_of_letter(&house, 2);
    assert!(verifies(&during, &old) && verifies(&during, &both));
    let mut proof = Vec::new();
    receipt::key_change(&house, KeyChange::Rotation(R1), &mut proof).unwrap();
    assert!(verifies(&proof, &old), "who knows the old key learns of the new one");
    assert!(retire(&house, people.staff).unwrap_err().contains("overlap_running"));
    good(&house);
    drop(house);

    let house = reopened(dir.path(), later()).unwrap();
    retire(&house, people.staff).unwrap();
    let new = house.policy().unwrap();
    assert_eq!(new.logs(), &both.logs()[1..]);
    assert_eq!(by(&signed(&house)), [new.logs()[0].key.id(), new.witnesses()[0].key.id()]);
    let after = receipt_of_letter(&house, 3);
    assert!(verifies(&after, &new) && verifies(&after, &both) && !verifies(&after, &old));
    assert!(verifies(&before, &old) && verifies(&before, &both) && !verifies(&before, &new));
    good(&house);
    drop(house);

    let house = reopened(dir.path(), later()).unwrap();
    assert_eq!(house.policy().unwrap(), new);
    good(&house);
    let files = |name: &str| dir.path().join("keys").join(name).exists();
    assert!(files("log.key") && !files("log.next.key") && !files("log-ml-dsa.next.key"));
    assert_eq!(fs::read_dir(dir.path().join("policies")).unwrap().count(), 3);
    consistent(&house, &first, &signed(&house));
}

/// The larger tree contains the smaller one.
fn consistent(house: &House, small: &Note, large: &Note) {
    let [small, large] = [small, large].map(|note| Checkpoint::parse(note.text()).unwrap());
    let path = house.with_projection(|p| p.tree.consistency(small.size, large.size)).unwrap();
    let path = path.unwrap();
    verify_consistency(small.size, &small.root, large.size, &large.root, &path).unwrap();
}

/// Copies the directory: what a crash at this moment leaves.
fn crashed(dir: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    copy_into(dir, copy.path());
    copy
}

fn copy_into(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let into = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir_all(&into).unwrap();
            copy_into(&entry.path(), &into);
        } else {
            fs::copy(entry.path(), into).unwrap();
        }
    }
}

/// Each step of a rotation, then a copy of the directory as a crash leaves it, once with and once
/// without the checkpoint that follows; a house opens on each and signs as the log says.
#[test]
fn a_rotation_cut_off_after_any_step_goes_on_with_the_keys_that_the_log_names() {
    let dir = tempfile::tempdir().unwrap();
    let house = on_disk(dir.path());
    let people = people(&house);
    signed(&house);
    drop(house);
    type Step = fn(&House, &People);
    let steps: [(&str, usize, Step); 3] = [
        ("proposed", 2, |house, people| propose(house, people.staff).unwrap()),
        ("begun", 4, |house, people| approve(house, people.counsel).unwrap()),
        ("ended", 2, |house, people| retire(house, people.staff).unwrap()),
    ];
    let end = later().plus_days(31);
    for (name, signatures, step) in steps {
        let old_checkpoint = fs::read(dir.path().join("checkpoint")).unwrap();
        // The days of the overlap are over when it is to end.
        let at = if name == "ended" { end } else { later() };
        let house = reopened(dir.path(), at).unwrap();
        step(&house, &people);
        drop(house);
        let copy = crashed(dir.path());
        // The entry is durable, its checkpoint was not signed: cell and file are those of before.
        for lost in [false, true] {
            let at = crashed(copy.path());
            if lost {
                fs::write(at.path().join("checkpoint"), &old_checkpoint).unwrap();
                let journal = sqlite(at.path());
                let cell = journal.cell("checkpoint").unwrap();
                journal.swap_cell("checkpoint", cell.as_deref(), &old_checkpoint).unwrap();
            }
            let house = reopened(at.path(), end).unwrap();
            let now = house.policy().unwrap();
            take(&house, &letter(7)).unwrap();
            let note = signed(&house);
            assert_eq!(note.signatures().len(), signatures, "{name}, {lost}");
            now.evaluate(&note).unwrap();
            good(&house);
            drop(house);
            let house = reopened(at.path(), end).unwrap();
            assert_eq!(house.policy().unwrap(), now, "{name}, {lost}");
        }
    }
}

#[test]
fn files_that_no_entry_names_and_keys_that_are_gone_are_told_of() {
    let dir = tempfile::tempdir().unwrap();
    let house = on_disk(dir.path());
    let people = people(&house);
    drop(house);
    let keys = dir.path().join("keys");
    // A crash between the files and the proposal: they are nobody's, and are made anew.
    fs::write(keys.join("log.next.key"), [5; 32]).unwrap();
    fs::write(keys.join("log-ml-dsa.next.key"), [6; 32]).unwrap();
    for name in ["log.next.key", "log-ml-dsa.next.key"] {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(keys.join(name), PermissionsExt::from_mode(0o600)).unwrap();
    }
    let house = reopened(dir.path(), start()).unwrap();
    assert_eq!(by(&signed(&house)).len(), 2);
    propose(&house, people.staff).unwrap();
    assert_ne!(fs::read(keys.join("log.next.key")).unwrap(), [5; 32]);
    let again = propose(&house, people.staff).unwrap_err().to_string();
    assert!(again.contains("rotation_open"), "{again}");
    drop(house);
    let house = reopened(dir.path(), start()).unwrap();
    approve(&house, people.counsel).unwrap();
    signed(&house);
    drop(house);

    // The new keys vanish while both sign: the old ones go on, and it is named.
    fs::rename(keys.join("log.next.key"), dir.path().join("aside")).unwrap();
    let house = reopened(dir.path(), later()).unwrap();
    take(&house, &letter(1)).unwrap();
    let half = signed(&house);
    assert_eq!(by(&half).len(), 3, "the new ML-DSA key is here");
    let told = check(&house, &mut |_| {}).unwrap().keys.join("\n");
    assert!(told.contains("R-1") && told.contains("is not here"), "{told}");
    let refused = retire(&house, people.staff).unwrap_err();
    assert!(refused.contains("keys_not_ready"), "a house that could not sign: {refused}");
    drop(house);

    fs::rename(dir.path().join("aside"), keys.join("log.next.key")).unwrap();
    fs::remove_file(keys.join("log-ml-dsa.key")).unwrap();
    let house = reopened(dir.path(), later()).unwrap();
    take(&house, &letter(2)).unwrap();
    assert_eq!(by(&signed(&house)).len(), 3);
    let told = check(&house, &mut |_| {}).unwrap().keys.join("\n");
    assert!(told.contains("second key (ML-DSA-44) is not here"), "{told}");
}

#[test]
fn a_stolen_key_ends_at_once_and_a_cancelled_rotation_leaves_the_old_one() {
    let dir = tempfile::tempdir().unwrap();
    let house = on_disk(dir.path());
    let people = people(&house);
    let old = house.policy().unwrap();
    propose(&house, people.staff).unwrap();
    let reason = because();
    yes(&house, people.staff, Action::CancelRotation { rotation: R1, reason });
    assert_eq!(house.policy().unwrap(), old);
    propose(&house, people.staff).unwrap();
    drop(house);
    let house = reopened(dir.path(), start()).unwrap();
    let rotation = RotationId(2);
    yes(&house, people.counsel, Action::ApproveRotation { rotation });
    let (why, reason) = (KeyEnd::Stolen, because());
    yes(&house, people.staff, Action::EndRotation { rotation, why, reason });
    let new = house.policy().unwrap();
    assert_ne!(new.logs(), old.logs());
    let note = signed(&house);
    assert!(old.evaluate(&note).is_err() && new.evaluate(&note).is_ok());
    drop(house);
    good(&reopened(dir.path(), start()).unwrap());
}

#[test]
fn a_lost_second_key_is_named_and_comes_back_with_a_rotation_however_often() {
    let dir = tempfile::tempdir().unwrap();
    let house = on_disk(dir.path());
    let people = people(&house);
    drop(house);
    for n in 1..=2 {
        fs::remove_file(dir.path().join("keys/log-ml-dsa.key")).unwrap();
        let house = reopened(dir.path(), start()).unwrap();
        take(&house, &letter(n)).unwrap();
        assert_eq!(signed(&house).signatures().len(), 1, "Ed25519 is enough to go on");
        let told = check(&house, &mut |_| {}).unwrap().keys.join("\n");
        assert!(told.contains("second key (ML-DSA-44) is not here"), "{told}");
        propose(&house, people.staff).unwrap();
        drop(house);
        let house = reopened(dir.path(), start()).unwrap();
        let rotation = RotationId(n as u32);
        yes(&house, people.counsel, Action::ApproveRotation { rotation });
        assert_eq!(signed(&house).signatures().len(), 3);
        let (why, reason) = (KeyEnd::Stolen, because());
        yes(&house, people.staff, Action::EndRotation { rotation, why, reason });
        drop(house);
        let house = reopened(dir.path(), start()).unwrap();
        assert_eq!(signed(&house).signatures().len(), 2);
        assert_eq!(check(&house, &mut |_| {}).unwrap().keys.len(), 4, "four plain files, no more");
    }
}

/// What a receipt says of witnesses, under a policy that is the reader's own.
fn witnessed(bundle: &[u8], policy: &Policy) -> ClaimState {
    let report = verify_bundle(Cursor::new(bundle), &trust(policy)).unwrap();
    report.claims[2].state
}

#[test]
fn witnesses_go_on_through_a_rotation_once_they_are_told_the_new_key() {
    let dir = tempfile::tempdir().unwrap();
    let house = on_disk(dir.path());
    let people = people(&house);
    let old_key = house.log_key().unwrap();
    drop(house);
    let mut witness = Standing::watching("w1", Init::Ed25519, &old_key);
    let policy = format!("{}quorum w1\n", witness.lines());
    fs::write(dir.path().join("w.tlog-policy"), policy).unwrap();
    let settings = dir.path().join("bailee.toml");
    let text = fs::read_to_string(&settings).unwrap();
    let section = "[witnesses]\npolicy = \"w.tlog-policy\"\ntimeout_ms = 60000\n";
    fs::write(&settings, format!("{text}\n{section}")).unwrap();

    let house = reopened(dir.path(), start()).unwrap();
    let old = house.policy().unwrap();
    assert_eq!(witnessed(&receipt_of_letter(&house, 1), &old), ClaimState::Proven);
    propose(&house, people.staff).unwrap();
    drop(house);
    let house = reopened(dir.path(), start()).unwrap();
    approve(&house, people.counsel).unwrap();
    let both = house.policy().unwrap();
    let during = receipt_of_letter(&house, 2);
    assert_eq!([&old, &both].map(|p| witnessed(&during, p)), [ClaimState::Proven; 2]);
    drop(house);

    // The witness learns of the key before the old one ends, as the runbook says.
    witness.end();
    Witness::watch(witness.dir.path(), &both.logs()[1].key.to_vkey()).unwrap();
    witness.begin();
    let house = reopened(dir.path(), later()).unwrap();
    retire(&house, people.staff).unwrap();
    let new = house.policy().unwrap();
    assert_eq!(new.quorum_name(), "w1");
    assert_eq!(witnessed(&receipt_of_letter(&house, 3), &new), ClaimState::Proven);
    // What the witness saw under the old key is not handed to those who know the new one only.
    let first = receipt_of(&house, bailee_core::id::DemandId(1));
    assert!(verifies(&first, &new));
    assert_eq!(witnessed(&first, &new), ClaimState::Proven);
    assert_eq!(witness.on_record(), house.with_state(|s| s.head).unwrap());
}

#[test]
fn a_key_exchanged_by_hand_is_not_taken_for_the_logs() {
    let dir = tempfile::tempdir().unwrap();
    let house = on_disk(dir.path());
    signed(&house);
    drop(house);
    let other = tempfile::tempdir().unwrap();
    drop(on_disk(other.path()));
    fs::copy(other.path().join("keys/log.key"), dir.path().join("keys/log.key")).unwrap();
    let refused = reopened(dir.path(), start()).err().unwrap();
    assert!(matches!(refused, HouseError::Key(_)), "{refused}");
    assert!(refused.to_string().contains("is another key"), "{refused}");
}

struct Lost {
    dir: tempfile::TempDir,
    people: People,
    /// What a friend kept.
    checkpoint: Vec<u8>,
    receipt: Vec<u8>,
    policy: Policy,
}

/// A house whose log key is gone, two letters after its last checkpoint was kept elsewhere.
fn lost_key() -> Lost {
    let dir = tempfile::tempdir().unwrap();
    let house = on_disk(dir.path());
    let people = people(&house);
    let receipt = receipt_of_letter(&house, 1);
    let (checkpoint, policy) = (signed(&house).to_string().into_bytes(), house.policy().unwrap());
    take(&house, &letter(2)).unwrap();
    take(&house, &letter(3)).unwrap();
    signed(&house);
    drop(house);
    fs::remove_file(dir.path().join("keys/log.key")).unwrap();
    Lost { dir, people, checkpoint, receipt, policy }
}

fn go_on(lost: &Lost, by: PartyId, checkpoint: &[u8], key: Option<Verifier>) -> Result<(), String> {
    let reason = Reason { note: "the disk is gone".into(), exhibits: Vec::new() };
    let to = lost::GoOn { origin: NEXT, checkpoint, key, by, reason, exhibits: Vec::new() };
    let secrets = Secrets::told(b"unused");
    let done = lost::go_on(lost.dir.path(), to, &Clock::told(start()), &secrets);
    done.map(|_| ()).map_err(|error| error.to_string())
}

#[test]
fn a_log_whose_key_is_lost_goes_on_with_the_same_entries_and_says_where_it_ended() {
    let lost = lost_key();
    let refused = reopened(lost.dir.path(), start()).err().unwrap();
    assert!(refused.to_string().contains("docs/keys.md"), "{refused}");
    let not_counsel = go_on(&lost, lost.people.staff, &lost.checkpoint, None).unwrap_err();
    assert!(not_counsel.contains("not_permitted"), "{not_counsel}");
    go_on(&lost, lost.people.counsel, &lost.checkpoint, None).unwrap();

    let house = reopened(lost.dir.path(), start()).unwrap();
    assert_eq!(house.config().origin, NEXT);
    let note = signed(&house);
    let now = house.policy().unwrap();
    now.evaluate(&note).unwrap();
    assert_eq!(Checkpoint::parse(note.text()).unwrap().origin, NEXT);
    // The old tree, which others have seen, is a prefix of the new one.
    consistent(&house, &Note::parse(&lost.checkpoint).unwrap(), &note);
    assert!(verifies(&lost.receipt, &lost.policy), "old receipts are worth what they were");
    // Old demands get receipts under the new name; the bundle of the change opens the old end.
    let new = receipt_of(&house, bailee_core::id::DemandId(1));
    assert!(verifies(&new, &now));
    let mut proof = Vec::new();
    receipt::key_change(&house, KeyChange::Continuation, &mut proof).unwrap();
    let report = verify_bundle(Cursor::new(&proof), &trust(&now)).unwrap();
    assert_eq!(report.exhibits, [bailee_store::digest(&lost.checkpoint)]);
    good(&house);
    drop(house);
    let text = fs::read_to_string(lost.dir.path().join("bailee.toml")).unwrap();
    assert!(text.contains(&format!("origin = {NEXT:?}")) && text.starts_with('#'), "{text}");
    good(&reopened(lost.dir.path(), start()).unwrap());
}

#[test]
fn a_log_goes_on_only_from_what_it_signed() {
    let lost = lost_key();
    let counsel = lost.people.counsel;
    let other = tempfile::tempdir().unwrap();
    let house = on_disk(other.path());
    let foreign = signed(&house).to_string().into_bytes();
    let key = house.log_key().unwrap();
    let refused = go_on(&lost, counsel, &foreign, None).unwrap_err();
    assert!(refused.contains("no signature by a known key"), "{refused}");
    // Of the same name, by a key that the operator vouches for, over other entries.
    let refused = go_on(&lost, counsel, &foreign, Some(key)).unwrap_err();
    assert!(refused.contains("altered or forked"), "{refused}");
    let mut altered = lost.checkpoint.clone();
    altered[ORIGIN.len() + 1] ^= 1;
    assert!(go_on(&lost, counsel, &altered, None).is_err());
    fs::remove_dir_all(lost.dir.path().join("policies")).unwrap();
    let unknown = go_on(&lost, counsel, &lost.checkpoint, None).unwrap_err();
    assert!(unknown.contains("--key"), "{unknown}");
    let key = lost.policy.logs()[0].key.clone();
    go_on(&lost, counsel, &lost.checkpoint, Some(key)).unwrap();
    good(&reopened(lost.dir.path(), start()).unwrap());
}

#[test]
fn a_lost_key_procedure_cut_off_after_any_step_can_be_begun_again_or_goes_on_by_itself() {
    let lost = lost_key();
    let counsel = lost.people.counsel;
    let keys = lost.dir.path().join("keys");
    // After the new files, before the entry: the house is as it was.
    fs::write(keys.join("log.next.key"), [5; 32]).unwrap();
    let refused = reopened(lost.dir.path(), start()).err().unwrap().to_string();
    assert!(refused.contains("key"), "{refused}");
    go_on(&lost, counsel, &lost.checkpoint, None).unwrap();
    // After the entry, before anything else: any start does the rest, in any state of the files.
    let copy = crashed(lost.dir.path());
    let again = go_on(&lost, counsel, &lost.checkpoint, None).unwrap_err();
    assert!(again.contains("goes on already"), "{again}");
    for _ in 0..2 {
        let house = reopened(copy.path(), start()).unwrap();
        assert_eq!(house.config().origin, NEXT);
        good(&house);
    }
    // The settings were written, the key files had not got their names yet.
    let at = crashed(lost.dir.path());
    let settings = fs::read_to_string(at.path().join("bailee.toml")).unwrap();
    fs::write(at.path().join("bailee.toml"), settings.replace(ORIGIN, NEXT)).unwrap();
    let house = reopened(at.path(), start()).unwrap();
    assert_eq!(signed(&house).signatures().len(), 2);
    good(&house);
}
