//! A snapshot expires through the running service: under a clearance, once, whoever goes away; and
//! what else is asked of a service beside it.

use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use bailee_core::Action;
use bailee_core::asset::Fate;
use bailee_core::disposition::DispositionKind;
use bailee_core::id::{AccountId, AssetId, ClearanceId};
use bailee_server::api::words::TokenScope;
use bailee_server::{Clock, House, keeping};
use bailee_vault::{Source, Unchanged};
use serde_json::{Value, json};

use crate::common::{
    People, because, keep_a_film, letter_with, make_ready, on_disk, pass_days, people,
    register_account, yes,
};
use crate::http::{Answered, Served, checked, head, token};

/// A served house: A-1 with two snapshots, A-2 and A-3, each of which may expire (X-1, X-2).
struct Stage {
    served: Served,
    operator: String,
    clock: Clock,
    dir: tempfile::TempDir,
}

fn proposed(house: &House, people: &People, copy: AssetId) {
    let disposition = house.with_state(|s| s.dispositions.next()).unwrap();
    let (kind, assets) = (DispositionKind::Expire, vec![copy]);
    let action = Action::ProposeDisposition { kind, assets, to: None, reason: because() };
    yes(house, people.ada, action);
    make_ready(house, people, disposition);
}

fn stage() -> Stage {
    let dir = tempfile::tempdir().unwrap();
    let house = on_disk(dir.path());
    let people = people(&house);
    register_account(&house, &people);
    let tree = keep_a_film(&house, people.ada, vec![AccountId(1)], dir.path());
    std::fs::write(tree.join("film"), vec![8; 1 << 20]).unwrap();
    let (source, asset) = (Source::Tree(tree), AssetId(1));
    keeping::preserve(&house, asset, source, Unchanged::Skip, people.ada, &mut ()).unwrap();
    yes(&house, people.ada, Action::TerminateAccount { account: AccountId(1) });
    pass_days(&house, 2);
    for copy in [AssetId(2), AssetId(3)] {
        proposed(&house, &people, copy);
    }
    let operator = token(&house, people.ada, TokenScope::Operator);
    let clock = house.clock().clone();
    Stage { served: Served::start(house), operator, clock, dir }
}

fn order(disposition: &str, asset: &str) -> String {
    json!({ "disposition": disposition, "asset": asset }).to_string()
}

impl Stage {
    fn expire(&self, disposition: &str, asset: &str) -> Answered {
        let body = order(disposition, asset);
        self.served.post("/v1/expiries", &self.operator, body.as_bytes())
    }

    fn get(&self, path: &str) -> Value {
        self.served.get(path, &self.operator).json()
    }

    /// Ends the service; the house, checked.
    fn end(self) -> (House, tempfile::TempDir) {
        self.served.end();
        (checked(self.dir.path(), self.clock), self.dir)
    }
}

fn reservations(house: &House) -> usize {
    house.with_state(|s| s.clearances.len()).unwrap()
}

#[test]
fn a_snapshot_expires_through_the_service_and_a_repeat_is_the_same() {
    let stage = stage();
    let first = stage.expire("X-1", "A-2");
    assert_eq!((first.status, first.header("location")), (201, "/v1/clearances/c-1/certificate"));
    let told = first.json();
    assert_eq!((&told["clearance"], &told["snapshots"]), (&json!("C-1"), &json!(1)));
    assert!(told["freed_bytes"].as_u64().unwrap() > 0, "{told}");
    let certificate = || stage.served.get("/v1/clearances/C-1/certificate", &stage.operator).body;
    let before = certificate();
    let again = stage.expire("X-1", "A-2");
    assert_eq!((again.status, again.json()), (201, told), "{}", again.text());
    assert!(certificate() == before, "another certificate");
    // The other copy is there, and is not to be had under this disposition.
    let other = stage.expire("X-1", "A-3");
    assert_eq!(other.code(), "disposition_closed", "{}", other.text());
    assert_eq!(stage.get("/v1/A-3")["fate"], json!({ "is": "kept" }));
    let read = stage.served.post("/v1/snapshots/S-2/verify", &stage.operator, b"{}").json();
    assert_eq!(read["intact"], true, "{read}");
    let (house, _dir) = stage.end();
    assert_eq!(reservations(&house), 1);
}

#[test]
fn what_is_held_stays_and_the_service_says_why() {
    let stage = stage();
    let letter = letter_with(1, "Keep everything of account otto store.\r\n");
    assert_eq!(stage.served.post("/v1/intake", &stage.operator, &letter).status, 201);
    let refused = stage.expire("X-1", "A-2");
    assert_eq!((refused.status, refused.code().as_str()), (409, "hold_provisional"));
    let missing = stage.expire("X-1", "A-9");
    assert_eq!((missing.status, missing.code().as_str()), (404, "not_found"));
    let unread = stage.expire("A-2", "X-1");
    assert_eq!((unread.status, unread.code().as_str()), (400, "bad_request"));
    assert_eq!(stage.get("/v1/A-2")["fate"], json!({ "is": "kept" }));
    let (house, _dir) = stage.end();
    assert_eq!(reservations(&house), 0);
}

#[test]
fn whoever_goes_away_in_the_middle_gets_the_same_by_asking_again() {
    let stage = stage();
    let body = order("X-1", "A-2");
    let length = body.len().to_string();
    let headers = [("content-length", length.as_str())];
    let request = head("POST", "/v1/expiries", &stage.operator, &headers) + &body;
    let mut stream = TcpStream::connect(stage.served.address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    drop(stream); // nobody waits for the answer
    let until = Instant::now() + Duration::from_secs(60);
    let answer = loop {
        let answer = stage.expire("X-1", "A-2");
        if answer.status != 503 {
            break answer;
        }
        assert_eq!(answer.code(), "busy");
        assert!(Instant::now() < until, "busy for ever");
        std::thread::sleep(Duration::from_millis(20));
    };
    assert_eq!((answer.status, answer.json()["clearance"].as_str()), (201, Some("C-1")));
    let (house, _dir) = stage.end();
    assert_eq!(reservations(&house), 1, "it expired twice");
    let fate = house.with_state(|s| s.assets.get(AssetId(2)).unwrap().fate.clone()).unwrap();
    assert_eq!(fate, Fate::Destroyed(ClearanceId(1)));
}

#[test]
fn many_at_once_are_one_expiry_and_the_others_are_busy_or_the_same() {
    let stage = stage();
    let answers: Vec<Answered> = std::thread::scope(|scope| {
        let ask = || stage.expire("X-1", "A-2");
        let asking: Vec<_> = (0..6).map(|_| scope.spawn(ask)).collect();
        asking.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let done: Vec<Value> =
        answers.iter().filter(|answer| answer.status == 201).map(Answered::json).collect();
    assert!(!done.is_empty() && done.iter().all(|one| *one == done[0]), "{done:?}");
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        assert_eq!((answer.status, answer.code().as_str()), (503, "busy"));
    }
    let busy = answers.len() - done.len();
    let line = format!("bailee_turned_away_total{{what=\"upkeep\"}} {busy}\n");
    let metrics = stage.served.get("/metrics", &stage.operator).text();
    assert!(metrics.contains(&line), "{line}: {metrics}");
    let (house, _dir) = stage.end();
    assert_eq!(reservations(&house), 1);
}

#[test]
fn an_expiry_through_the_service_leaves_no_byte_that_only_it_had() {
    let stage = stage();
    let packs = |dir: &Path| -> u64 {
        let mut below = vec![dir.join("objects/vault")];
        let mut bytes = 0;
        while let Some(dir) = below.pop() {
            for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
                let meta = entry.metadata().unwrap();
                if meta.is_dir() { below.push(entry.path()) } else { bytes += meta.len() }
            }
        }
        bytes
    };
    let before = packs(stage.dir.path());
    let freed = stage.expire("X-1", "A-2").json()["freed_bytes"].as_u64().unwrap();
    assert!(packs(stage.dir.path()) <= before - freed, "less came back than was told");
    stage.end();
}

#[test]
fn space_comes_back_and_what_is_due_is_done_when_it_is_asked_for() {
    let stage = stage();
    let post = |path: &str, body: &str| stage.served.post(path, &stage.operator, body.as_bytes());
    let rehearsed = post("/v1/prunes", r#"{"dry_run":true}"#).json();
    assert_eq!((&rehearsed["dry_run"], &rehearsed["refused"]), (&json!(true), &json!(0)));
    let pruned = post("/v1/prunes", "{}").json();
    assert_eq!((&pruned["dry_run"], &pruned["units"]), (&json!(false), &json!(1)), "{pruned}");
    let strange = post("/v1/prunes", r#"{"force":true}"#);
    assert_eq!((strange.status, strange.code().as_str()), (400, "bad_request"));
    // The receipt has left when the answer is there.
    let letter = letter_with(1, "Keep everything of account otto store.\r\n");
    let taken = stage.served.post("/v1/intake", &stage.operator, &letter).json();
    let settled = post("/v1/settlements", "{}").json();
    assert_eq!(settled, json!({ "still_pending": 0, "remarks": [] }));
    let demand = stage.get(&format!("/v1/{}", taken["demand"].as_str().unwrap()));
    assert_eq!(demand["receipt_sent"], true);
    assert!(stage.dir.path().join("outbox/receipt-D-1.eml").exists());
    stage.end();
}
