//! `bailee erase`: the key of a custody unit is destroyed, and what is left says so.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use bailee_server::core::id::{AssetId, DispositionId, PartyId};
use bailee_server::core::{Action, By, Command, Policy};
use bailee_server::{Clock, House, keeping, letting_go};
use serde_json::json;

use crate::room::{LETTER, Room, text};

/// A house whose A-1 has two snapshots, A-2 and A-3, and an erasure of them that is approved.
fn approved() -> Room {
    let room = Room::with_house();
    room.run_as("P-2", &["asset", "add", "spare", "--kind", "dataset"]).ok();
    fs::create_dir_all(room.path("data")).expect("a directory");
    for n in 1..=2u8 {
        room.file("data/notes", &[n; 5000]);
        room.run_as("P-2", &["preserve", "A-1", text(&room.path("data"))]).ok();
    }
    let propose = ["disposition", "propose", "erase", "A-2", "--note", "Contract ended"];
    room.run_as("P-2", &propose).ok();
    let own = room.run_as("P-2", &["disposition", "approve", "X-1"]);
    assert!(own.code == 1 && own.err.contains("approver_is_proposer"), "{own:?}");
    room.run_as("P-3", &["disposition", "approve", "X-1"]).ok();
    room
}

/// Leaves S-1 on volumes; says how many.
fn shelved(room: &Room) -> usize {
    fs::create_dir_all(room.path("tape")).expect("a directory");
    let (to, key) = (room.path("tape"), room.path("shelf.key"));
    let args = ["export", "S-1", "--form", "volumes", "--to", text(&to), "--key", text(&key)];
    room.run_as("P-2", &[&args[..], &["--size", "70000"]].concat()).ok();
    let shown = room.run(&["--json", "snapshot", "show", "S-1"]).json();
    assert_eq!(shown["volume_sets"].as_array().map(Vec::len), Some(1), "{shown}");
    let volumes = fs::read_dir(to).expect("a listing").count();
    assert_eq!(shown["volume_sets"][0]["volumes"], volumes, "{shown}");
    volumes
}

const ERASE: [&str; 4] = ["erase", "A-2", "--disposition", "X-1"];

#[test]
fn a_unit_is_erased_with_four_eyes_and_its_certificate_verifies() {
    let room = approved();
    let early = room.run_as("P-2", &ERASE);
    assert!(early.code == 1 && early.err.contains("approvals_missing"), "{early:?}");
    room.run_as("P-1", &["disposition", "approve", "X-1"]).ok();
    assert_eq!(room.run(&["gate", "check", "A-2", "--erase"]).code, 0);
    let volumes = shelved(&room);
    let done = room.run_as("P-2", &["--json", "erase", "A-2", "--disposition", "X-1"]);
    assert_eq!(done.code, 0, "{done:?}");
    let done = done.json();
    assert_eq!(done["snapshots"], json!(["S-1", "S-2"]));
    assert_eq!(done["keys_destroyed"].as_array().unwrap().len(), 1);
    assert_eq!(done["not_reached"].as_array().unwrap().len(), 3);
    let left = done["volumes_not_reached"].as_array().unwrap();
    let named: Vec<_> = left.iter().map(|set| (&set["snapshot"], &set["volumes"])).collect();
    assert_eq!(named, [(&json!("S-1"), &json!(volumes))]);
    assert_eq!(left[0]["set"].as_str().unwrap().len(), 32);
    let out = room.run(&["restore", "S-2", text(&room.path("out"))]);
    assert!(out.code == 1 && out.err.contains("S-2: was erased under C-1"), "{out:?}");
    let listed = room.run(&["--json", "snapshot", "list"]).json();
    let fates: Vec<_> = listed["items"].as_array().unwrap().iter().map(|s| &s["fate"]).collect();
    assert!(fates.iter().all(|fate| fate["is"] == "erased" && fate["under"] == "C-1"), "{fates:?}");
    assert!(room.run(&["snapshot", "show", "S-1"]).ok().contains("erased"), "in words, too");

    let bundle = room.path("C-1.bailee.zip");
    room.run(&["certificate", "C-1", "-o", text(&bundle)]).ok();
    let key = room.run(&["--json", "status"]).json()["log_key"].as_str().unwrap().to_owned();
    let good = room.run(&["verify", text(&bundle), "--key", &key]).ok();
    assert!(good.contains("certificate of log"), "{good}");
    let mut altered = fs::read(&bundle).unwrap();
    let word = b"keys_destroyed";
    let at = altered.windows(word.len()).position(|window| window == word).unwrap();
    altered[at] ^= 1;
    let altered = room.file("altered.zip", &altered);
    assert_ne!(room.run(&["verify", text(&altered), "--key", &key]).code, 0);
    let again = room.run_as("P-2", &ERASE);
    assert!(again.code == 1 && again.err.contains("disposition_closed"), "{again:?}");
    assert_eq!(room.run(&["check"]).code, 0);
}

#[test]
fn an_erasure_that_was_cut_off_goes_on_by_the_same_command_once_its_lease_is_over() {
    let room = approved();
    room.run_as("P-1", &["disposition", "approve", "X-1"]).ok();
    let (disposition, asset, by) = (DispositionId(1), AssetId(2), By::Party(PartyId(2)));
    {
        let house = House::open(&room.house(), Clock::Wall).expect("the house");
        let policy = Policy { lease_seconds: 1, ..house.with_state(|s| s.policy.clone()).unwrap() };
        let counsel = By::Party(PartyId(1));
        let set = Command { by: counsel, action: Action::SetPolicy(policy) };
        house.submit(set, Vec::new()).expect("a policy");
        let place = keeping::unit_place(&house, asset).expect("a unit");
        let vault = keeping::vault(&house).expect("the vault");
        let subject = vault.erase_subject(&place.tenant, &place.unit).expect("a subject");
        let reserved = letting_go::reserve(&house, disposition, asset, subject, by).expect("C-1");
        let begin = Command { by, action: Action::Begin { clearance: reserved.clearance } };
        house.submit(begin, Vec::new()).expect("a lease");
    }
    // Nobody settles: the command itself sees that the time is over.
    let done = loop {
        let said = room.run_as("P-2", &ERASE);
        if said.code == 0 {
            break said;
        }
        assert!(said.code == 1 && said.err.contains("clearance_outstanding"), "{said:?}");
    };
    assert!(done.out.contains("C-2"), "{done:?}");
    let lost = room.run(&["--json", "clearance", "show", "C-1"]).json();
    assert_eq!(lost["status"], "lost", "{lost}");
}

#[test]
fn a_list_shows_what_is_so_now() {
    let room = approved();
    room.run_as("P-1", &["disposition", "approve", "X-1"]).ok();
    {
        let house = House::open(&room.house(), Clock::Wall).expect("the house");
        let policy =
            Policy { reservation_seconds: 1, ..house.with_state(|s| s.policy.clone()).unwrap() };
        let set = Command { by: By::Party(PartyId(1)), action: Action::SetPolicy(policy) };
        house.submit(set, Vec::new()).expect("a policy");
        let (x, by) = (DispositionId(1), By::Party(PartyId(2)));
        letting_go::reserve(&house, x, AssetId(2), [7; 32], by).expect("C-1");
    }
    let status = || {
        let listed = room.run(&["--json", "clearance", "list"]).json();
        listed["items"][0]["status"].as_str().expect("a status").to_owned()
    };
    while status() == "reserved" {}
    assert_eq!(status(), "expired");
}

#[test]
fn a_letter_between_approval_and_erasure_keeps_the_unit() {
    let room = approved();
    room.run_as("P-1", &["disposition", "approve", "X-1"]).ok();
    let letter = LETTER.replace("Vos Photography", "the dataset spare");
    let letter = room.file("letter.eml", letter.as_bytes());
    room.run(&["intake", text(&letter)]).ok();
    let gate = room.run(&["gate", "check", "A-2", "--erase"]);
    assert!(gate.code == 1 && gate.out.contains("to change"), "{gate:?}");
    let said = room.run_as("P-2", &ERASE);
    assert!(said.code == 1 && said.err.contains("hold_provisional"), "{said:?}");
    for snapshot in ["S-1", "S-2"] {
        room.run_as("P-2", &["snapshot", "verify", snapshot]).ok();
    }
}

#[test]
fn a_long_erasure_is_waited_for_and_one_without_an_answer_says_where_to_look() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let server = std::thread::spawn(move || {
        // Longer than any other answer is waited for; then none at all.
        for (wait, answer) in [(22, "HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\n{}"), (0, "")]
        {
            let (mut stream, _) = listener.accept().expect("a connection");
            let mut asked = Vec::new();
            while !asked.ends_with(b"}") {
                let mut some = [0; 1024];
                let n = stream.read(&mut some).expect("a request");
                asked.extend_from_slice(&some[..n]);
            }
            std::thread::sleep(Duration::from_secs(wait));
            stream.write_all(answer.as_bytes()).expect("an answer");
        }
    });
    let room = Room::empty();
    let erase = ["--server", &url, "--json", "erase", "A-2", "--disposition", "X-1"];
    let late = room.run(&erase);
    assert_eq!(late.code, 0, "{late:?}");
    let none = room.run(&erase[..]);
    server.join().expect("the server");
    assert!(none.code == 3 && none.err.contains("server_unreachable"), "{none:?}");
    assert!(none.err.contains("may still be at work"), "{none:?}");
    assert!(none.err.contains("bailee clearance list"), "{none:?}");
}
