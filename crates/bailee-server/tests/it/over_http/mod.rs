//! The stories of `scenarios/` over HTTP: a real service, the golden transcript word for word, and
//! at the end the service's own check.

mod asked;
mod letter;
mod line;
mod paper;
mod player;
mod request;

use std::collections::BTreeMap;
use std::sync::{Arc, mpsc};

use bailee_core::Time;
use bailee_core::id::EntityId;
use bailee_core::scenario::{parse, play};
use bailee_server::api::words::TokenScope;
use bailee_server::http::{Stop, serve_until};
use bailee_server::{Clock, Config, House, catalogue};
use bailee_store::{MemoryJournal, MemoryObjects};
use serde_json::json;

use crate::common::{ORIGIN, parts};
use line::Connection;
use player::Player;

/// What is done where the service runs, and at no door: its own clocks and post, the installation's
/// rules and first people, and what `Bailee` itself is refused.
const INSIDE: &[&str] = &[
    "ApproveRelease",
    "Begin",
    "DutyPaged",
    "Finish",
    "LoadInstruments",
    "NoticeSent",
    "ReceiptSent",
    "RecordSnapshot",
    "RegisterParty",
    "Reserve",
    "Tick",
    "VerifySnapshot",
];

fn house() -> Arc<House> {
    let mut parts = parts(None, Arc::new(MemoryJournal::new()), Arc::new(MemoryObjects::new()));
    let address = |n: u32| (format!("e-{n}@{}", letter::HOST), EntityId(n).to_string());
    parts.config =
        Config { entities: (1..10).map(address).collect(), ..Config::for_origin(ORIGIN) };
    parts.clock = Clock::told(Time(0));
    Arc::new(House::of(parts).unwrap())
}

/// Plays one; how many requests it took, and what was done inside.
fn over_http(name: &str, text: &str, golden: &str) -> (u64, BTreeMap<String, u64>) {
    let (house, stop, (tell, told)) = (house(), Stop::default(), mpsc::channel());
    let (served, until) = (house.clone(), stop.clone());
    let service = std::thread::spawn(move || {
        let listen = "127.0.0.1:0".parse().unwrap();
        serve_until(served, listen, &until, |address| tell.send(address).unwrap())
    });
    let mut player = Player::new(house.clone(), Connection::to(told.recv().unwrap()));
    let waiting = house.executors_wait();
    let played = play(&parse(text).unwrap(), &mut player, &catalogue::standard());
    drop(waiting);
    let transcript = played.unwrap_or_else(|failure| {
        let lines = &failure.transcript.lines;
        let tail = lines[lines.len().saturating_sub(12)..].join("\n");
        panic!("{name} over HTTP: {failure}, after\n{tail}")
    });
    assert_eq!(transcript.to_string(), golden, "{name}");
    // What is due is carried out now; then the service looks at all of it by itself.
    let person = player.person(bailee_core::party::Role::Staff).unwrap();
    let token = player.token(person, TokenScope::Operator);
    let checked = player.door.post("/v1/checks", &token, "application/json", b"");
    assert_eq!(
        (checked.status, &checked.json()["good"]),
        (200, &json!(true)),
        "{name}: {}",
        checked.json()
    );
    let sent = player.door.sent;
    let inside = player.inside.clone();
    drop(player);
    stop.now();
    service.join().unwrap().unwrap();
    (sent, inside)
}

#[test]
fn every_story_has_its_golden_transcript_over_http() {
    let stories = crate::through_runner::stories();
    assert!(stories.len() >= 14, "only {} stories", stories.len());
    let folder = crate::through_runner::folder();
    let (mut all, mut inside) = (0, BTreeMap::new());
    for (name, text) in stories {
        let golden = std::fs::read_to_string(folder.join(format!("{name}.out"))).unwrap();
        let (sent, within) = over_http(&name, &text, &golden);
        all += sent;
        for (action, times) in within {
            *inside.entry(action).or_insert(0) += times;
        }
    }
    let names: Vec<&str> = inside.keys().map(String::as_str).collect();
    assert_eq!(names, INSIDE, "what has no door has changed: docs/scenarios.md lists it");
    assert!(all > 5_000, "only {all} requests");
    println!("{all} requests; inside: {inside:?}");
}
