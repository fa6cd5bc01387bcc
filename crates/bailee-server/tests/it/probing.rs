//! What keeps the packs, looked at by a running service: at its start, each day by the house's
//! clock, and with an alarm when something held is lost.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bailee_core::id::{AccountId, SnapshotId};
use bailee_core::{Action, DutyKind};
use bailee_server::api::words::TokenScope;
use bailee_server::{Clock, House, api, keeping, probing};
use bailee_store::Objects;
use serde_json::{Value, json};

use crate::common::{
    keep_a_film, letter_with, on_disk, pass_days, people, register_account, take, yes,
};
use crate::http::{Served, checked, token};

/// A house with one snapshot of an asset of an account, under a demand.
struct Stage {
    dir: tempfile::TempDir,
    house: House,
    token: String,
    clock: Clock,
    objects: Arc<dyn Objects>,
}

fn stage() -> Stage {
    let dir = tempfile::tempdir().unwrap();
    let house = on_disk(&dir.path().join("house"));
    let people = people(&house);
    register_account(&house, &people);
    keep_a_film(&house, people.ada, vec![AccountId(1)], dir.path());
    take(&house, &letter_with(1, "Keep everything of otto store.\r\n")).unwrap();
    let token = token(&house, people.ada, TokenScope::Operator);
    let (clock, objects) = (house.clock().clone(), house.objects().clone());
    Stage { dir, house, token, clock, objects }
}

fn get(served: &Served, path: &str, token: &str) -> Value {
    serde_json::from_str(&served.get(path, token).text()).unwrap()
}

/// Waits for a finding after that entry.
fn finding_after(served: &Served, token: &str, entry: u64) -> Value {
    let start = Instant::now();
    loop {
        let found = get(served, "/v1/engines", token)["items"][0].clone();
        if found["entry"].as_u64().is_some_and(|at| at > entry) {
            return found;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "no finding after {entry}: {found}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn entry(found: &Value) -> u64 {
    found["entry"].as_u64().unwrap()
}

/// The pack with the film in it, and its bytes.
fn pack(objects: &dyn Objects) -> (String, Vec<u8>) {
    let all = objects.list("vault/t/").unwrap();
    let name = all.into_iter().find(|name| name.contains("/data/")).unwrap();
    let bytes = objects.get(&name).unwrap();
    (name, bytes)
}

#[test]
fn a_lost_canary_is_an_alarm_until_it_is_put_right() {
    let Stage { dir, house, token, clock, objects } = stage();
    let served = Served::start(house);
    let first = finding_after(&served, &token, 0);
    assert_eq!((&first["engine"], &first["bad"]), (&json!("disk"), &json!([])), "{first}");
    // The snapshot itself, the pack with the film, the pack with the manifest.
    assert_eq!((&first["read_back"], &first["lost"]), (&json!(3), &json!([])), "{first}");
    assert!(!served.get("/readyz", "").text().contains("packs"));
    // Damaged, found a day later: by the house's clock, though no real time has passed.
    let (name, sound) = pack(&*objects);
    let mut damaged = sound.clone();
    damaged[150] ^= 1;
    objects.delete(&name).unwrap();
    objects.put(&name, &damaged).unwrap();
    clock.tell(clock.now().plus_days(1));
    let second = finding_after(&served, &token, entry(&first));
    let lost = json!([{ "snapshot": "S-1", "object": name, "harm": "damaged" }]);
    assert_eq!((&second["lost"], &second["worse"]), (&lost, &json!([name])));
    assert!(served.get("/readyz", "").text().contains("packs: what keeps them"));
    let metrics = served.get("/metrics", &token).text();
    assert!(
        metrics.contains("bailee_engine_probe_canaries_lost{engine=\"disk\"} 1\n"),
        "{metrics}"
    );
    let status = get(&served, "/v1/status", &token);
    assert_eq!(status["engine_bad"], json!([format!("{name} of S-1 is damaged")]));
    // Put right, seen a day later; in between the end of the service, which forgets nothing.
    served.end();
    let house = House::open(&dir.path().join("house"), clock.clone()).unwrap();
    let duties: Vec<DutyKind> =
        house.with_state(|s| s.duties.iter().map(|(_, duty)| duty.kind).collect()).unwrap();
    let inspect = DutyKind::InspectEngine(entry(&second));
    assert!(duties.contains(&inspect), "{duties:?}");
    assert!(duties.contains(&DutyKind::RepairSnapshot(SnapshotId(1))), "{duties:?}");
    let report = api::check(&house, &mut |_| ()).unwrap();
    assert!(!report.good && report.findings[0].contains("is damaged"), "{report:?}");
    objects.delete(&name).unwrap();
    objects.put(&name, &sound).unwrap();
    clock.tell(clock.now().plus_days(1));
    let served = Served::start(house);
    let third = finding_after(&served, &token, entry(&second));
    assert_eq!((&third["bad"], &third["worse"]), (&json!([]), &json!([])));
    assert!(!served.get("/readyz", "").text().contains("packs"));
    served.end();
    checked(&dir.path().join("house"), clock);
}

#[test]
fn a_start_within_the_hour_adds_nothing_and_a_probe_by_hand_does() {
    let Stage { dir, house, token, clock, .. } = stage();
    let (engine, by_hand) = probing::probe(&house).unwrap();
    assert_eq!((engine.as_str(), by_hand.bad()), ("disk", vec![]));
    let served = Served::start(house);
    std::thread::sleep(Duration::from_millis(1_200));
    let found = get(&served, "/v1/engines", &token);
    assert_eq!(found["items"].as_array().unwrap().len(), 1);
    assert_eq!(entry(&found["items"][0]), by_hand.position, "younger than an hour");
    served.end();
    clock.tell(clock.now().plus_seconds(3_600));
    let house = House::open(&dir.path().join("house"), clock.clone()).unwrap();
    let served = Served::start(house);
    finding_after(&served, &token, by_hand.position);
    served.end();
    checked(&dir.path().join("house"), clock);
}

#[test]
fn what_no_hold_reaches_is_not_drawn_and_what_is_lost_and_let_go_of_is_no_alarm() {
    let Stage { dir: _dir, house, objects, .. } = stage();
    let (name, _) = pack(&*objects);
    objects.delete(&name).unwrap();
    let (_, found) = probing::probe(&house).unwrap();
    assert_eq!(found.canaries.lost[0].object, name, "{found:?}");
    assert_eq!(found.bad(), [format!("{name} of S-1 is missing")]);
    // The demand is refused and its hold thaws: nothing is under hold any more.
    let demand = house.with_state(|s| s.demands.iter().next().map(|(id, _)| id)).unwrap().unwrap();
    let triage = bailee_core::Triage::Refuse;
    let reason = crate::common::because();
    let counsel = bailee_core::id::PartyId(3);
    yes(&house, counsel, Action::DecideDemand { demand, triage, reason });
    pass_days(&house, 30);
    let (_, found) = probing::probe(&house).unwrap();
    assert_eq!((found.canaries.objects, found.bad()), (0, vec![]));
}

#[test]
fn a_key_or_a_file_that_is_missing_is_a_finding_too_and_hides_no_loss() {
    let Stage { dir, house, clock, objects, .. } = stage();
    let (name, _) = pack(&*objects);
    objects.delete(&name).unwrap();
    let (_, found) = probing::probe(&house).unwrap();
    assert_eq!(found.canaries.lost.len(), 1, "{found:?}");
    drop(house);
    let at = dir.path().join("house");
    let (key, away) = (at.join("keys/vault.key"), dir.path().join("away"));
    std::fs::rename(&key, &away).unwrap();
    let house = House::open(&at, clock.clone()).unwrap();
    let (_, found) = probing::probe(&house).unwrap();
    let bad = found.bad();
    assert!(bad[0].starts_with("read held data silent: the vault's key is missing"), "{bad:?}");
    assert_eq!(found.canaries.lost[0].object, name, "it is not back because nobody can look");
    drop(house);
    std::fs::rename(&away, &key).unwrap();
    // A bucket whose credentials cannot be read: another engine, and no path in the log.
    let settings = std::fs::read_to_string(at.join("bailee.toml")).unwrap();
    let section = "\n[vault]\nobjects = \"s3\"\nendpoint = \"http://127.0.0.1:1\"\n\
                   bucket = \"kept\"\ncredentials = \"keys/none\"\n";
    std::fs::write(at.join("bailee.toml"), settings + section).unwrap();
    let house = House::open(&at, clock).unwrap();
    let (engine, found) = probing::probe(&house).unwrap();
    assert_eq!(engine, "http://127.0.0.1:1/kept");
    let bad = found.bad();
    assert!(bad[0].starts_with("answers silent: its credentials"), "{bad:?}");
    assert!(!bad[0].contains(at.to_str().unwrap()), "{bad:?}");
}

#[test]
fn a_copy_that_was_put_right_and_verified_is_not_lost_again_unread() {
    let Stage { dir, house, clock, objects, .. } = stage();
    let (name, sound) = pack(&*objects);
    objects.delete(&name).unwrap();
    let (_, found) = probing::probe(&house).unwrap();
    assert_eq!(found.canaries.lost.len(), 1, "{found:?}");
    objects.put(&name, &sound).unwrap();
    let ada = bailee_core::id::PartyId(2);
    assert!(keeping::verify(&house, SnapshotId(1), ada).unwrap().is_intact());
    drop(house);
    let at = dir.path().join("house");
    std::fs::rename(at.join("keys/vault.key"), dir.path().join("away")).unwrap();
    let house = House::open(&at, clock).unwrap();
    let duties = || house.with_state(|s| s.duties.iter().count()).unwrap();
    let before = duties();
    let (_, found) = probing::probe(&house).unwrap();
    assert!(found.bad()[0].starts_with("read held data silent"), "{found:?}");
    assert_eq!((found.canaries.objects, found.canaries.lost.len()), (0, 0), "nothing was read");
    let verified = |s: &bailee_core::State| s.snapshots.get(SnapshotId(1)).unwrap().verified;
    assert!(house.with_state(verified).unwrap().is_some(), "nobody saw that it is not intact");
    assert_eq!(duties() - before, 1, "one for the silence");
}

#[test]
fn an_engine_that_was_left_behind_is_no_alarm() {
    let Stage { dir, house, clock, token, objects } = stage();
    objects.delete(&pack(&*objects).0).unwrap();
    let (_, found) = probing::probe(&house).unwrap();
    assert_eq!(found.canaries.lost.len(), 1, "{found:?}");
    drop(house);
    let at = dir.path().join("house");
    let settings = std::fs::read_to_string(at.join("bailee.toml")).unwrap();
    let section = "\n[vault]\nobjects = \"s3\"\nendpoint = \"http://127.0.0.1:1\"\n\
                   bucket = \"kept\"\ncredentials = \"keys/none\"\n";
    std::fs::write(at.join("bailee.toml"), settings + section).unwrap();
    let house = House::open(&at, clock).unwrap();
    probing::probe(&house).unwrap();
    let served = Served::start(house);
    let metrics = served.get("/metrics", &token).text();
    let silent = "bailee_engine_probe_silent{engine=\"http://127.0.0.1:1/kept\"} 1\n";
    assert!(metrics.contains(silent), "{metrics}");
    assert!(!metrics.contains("engine=\"disk\""), "{metrics}");
    let all = get(&served, "/v1/engines", &token);
    assert_eq!(all["items"].as_array().unwrap().len(), 2, "{all}");
    served.end();
}

#[test]
fn an_engine_that_never_answers_keeps_neither_letters_nor_the_end_waiting() {
    let Stage { dir, house, clock, token, .. } = stage();
    drop(house);
    let engine = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = dir.path().join("house");
    let settings = std::fs::read_to_string(at.join("bailee.toml")).unwrap();
    let section = format!(
        "\n[vault]\nobjects = \"s3\"\nendpoint = \"http://{}\"\nbucket = \"kept\"\n\
         credentials = \"keys/s3.toml\"\n",
        engine.local_addr().unwrap()
    );
    std::fs::write(at.join("bailee.toml"), settings + &section).unwrap();
    let secrets = at.join("keys/s3.toml");
    std::fs::write(&secrets, "access_key_id = \"a\"\nsecret_access_key = \"b\"\n").unwrap();
    let closed = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&secrets, closed).unwrap();
    let served = Served::start(House::open(&at, clock.clone()).unwrap());
    // The prober has come, and waits for an answer.
    let (_asked, _) = engine.accept().unwrap();
    let letter = letter_with(2, "Keep everything of otto store.\r\n");
    assert_eq!(served.post("/v1/intake", &token, &letter).status, 201);
    let start = Instant::now();
    served.end();
    assert!(start.elapsed() < Duration::from_secs(9), "{:?}", start.elapsed());
    let house = House::open(&at, clock).unwrap();
    assert!(probing::last(&house).unwrap().is_none(), "after the end nothing is recorded");
}
