//! `bailee prune`, and what stops all letting go: an index object or a snapshot that is not there.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::room::{Room, Said, text};
use crate::wire::{Server, token};

/// Files of the vault below a directory of that name.
fn files(room: &Room, kind: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut below = vec![room.path("house/objects/vault")];
    while let Some(dir) = below.pop() {
        let Ok(entries) = fs::read_dir(&dir) else { continue };
        for path in entries.map(|entry| entry.expect("a name").path()) {
            match path.is_dir() {
                true => below.push(path),
                false if dir.ends_with(kind) => found.push(path),
                false => {}
            }
        }
    }
    found
}

/// A house with S-1 and S-2 of A-1, a hold on A-3, and the expiry of A-2 approved.
/// Gives what of the vault came with S-2: its index objects, and itself.
fn approved() -> (Room, Vec<PathBuf>, PathBuf) {
    let room = Room::with_house();
    room.run_as("P-2", &["asset", "add", "spare", "--kind", "dataset"]).ok();
    fs::create_dir_all(room.path("data")).expect("a directory");
    let mut before = (Vec::new(), Vec::new());
    for n in 1..=2u32 {
        before = (files(&room, "sorted"), files(&room, "s"));
        let bytes: Vec<u8> = (0..200_000u32).map(|k| (k.wrapping_mul(k + n) >> 7) as u8).collect();
        room.file("data/notes", &bytes);
        room.run_as("P-2", &["preserve", "A-1", text(&room.path("data"))]).ok();
    }
    room.run_as("P-1", &["hold", "place", "--asset", "A-3", "--instrument", "letter"]).ok();
    let propose = ["disposition", "propose", "expire", "A-2", "--note", "Superseded"];
    room.run_as("P-2", &propose).ok();
    room.run_as("P-3", &["disposition", "approve", "X-1"]).ok();
    room.run_as("P-1", &["disposition", "approve", "X-1"]).ok();
    let mut sorted = files(&room, "sorted");
    sorted.retain(|path| !before.0.contains(path));
    let mut snapshot = files(&room, "s");
    snapshot.retain(|path| !before.1.contains(path));
    (room, sorted, snapshot.remove(0))
}

fn expire(room: &Room) -> Said {
    room.run_as("P-2", &["--json", "expire", "A-2", "--disposition", "X-1"])
}

/// Packs that are there, by name.
fn packs(room: &Room) -> Vec<PathBuf> {
    let mut all = [files(room, "data"), files(room, "meta")].concat();
    all.sort();
    all
}

#[test]
fn a_lost_index_object_stops_an_expiry_before_anything_is_let_go() {
    let (room, sorted, _) = approved();
    assert_eq!(sorted.len(), 2, "one for the data, one for the manifest");
    let before = packs(&room);
    let aside = room.path("aside");
    for lost in &sorted {
        fs::rename(lost, &aside).expect("moved away");
        let refused = expire(&room);
        assert!(refused.code != 0 && refused.err.contains("reindex"), "{refused:?}");
        let pruned = room.run(&["prune"]);
        assert!(pruned.code == 1 && pruned.err.contains("reindex"), "{pruned:?}");
        assert_eq!(packs(&room), before, "not one pack went");
        fs::rename(&aside, lost).expect("put back");
    }
    for snapshot in ["S-1", "S-2"] {
        room.run_as("P-2", &["snapshot", "verify", snapshot]).ok();
    }
    // Lost for good: the index is made again, and then the expiry goes through.
    sorted.iter().for_each(|lost| fs::remove_file(lost).expect("deleted"));
    assert_ne!(expire(&room).code, 0);
    assert_eq!(room.run(&["--json", "reindex"]).json()["packs"], 2);
    let done = expire(&room);
    assert_eq!((done.code, &done.json()["snapshots"]), (0, &1.into()), "{done:?}");
    room.run_as("P-2", &["snapshot", "verify", "S-2"]).ok();
    room.run(&["check"]).ok();
}

#[test]
fn a_held_snapshot_that_is_not_there_stops_an_expiry_of_another() {
    let (room, _, snapshot) = approved();
    let (before, aside) = (packs(&room), room.path("aside"));
    fs::rename(&snapshot, &aside).expect("moved away");
    let refused = expire(&room);
    assert!(refused.code == 1 && refused.err.contains("is not in the store"), "{refused:?}");
    let pruned = room.run(&["--json", "prune"]);
    assert_eq!((pruned.code, &pruned.json()["refused"]), (1, &1.into()), "{pruned:?}");
    assert_eq!(packs(&room), before, "not one pack went");
    fs::rename(&aside, &snapshot).expect("put back");
    let done = expire(&room);
    assert_eq!((done.code, &done.json()["snapshots"]), (0, &1.into()), "{done:?}");
    assert!(done.json()["freed_bytes"].as_u64().expect("a number") > 30_000, "{done:?}");
    room.run_as("P-2", &["snapshot", "verify", "S-2"]).ok();
    room.run(&["check"]).ok();
}

#[test]
fn what_a_killed_preservation_left_comes_back() {
    let room = Room::with_house();
    room.run_as("P-2", &["asset", "add", "spare", "--kind", "dataset"]).ok();
    let mut child = room
        .command(&["--as", "P-2", "preserve", "A-1", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary starts");
    let mut pipe = child.stdin.take().expect("piped");
    let (start, mut state) = (Instant::now(), 1u64);
    while packs(&room).len() < 2 {
        assert!(start.elapsed() < Duration::from_secs(60), "no packs");
        let noise: Vec<u8> = (0..1 << 17)
            .flat_map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state.to_le_bytes()
            })
            .collect();
        pipe.write_all(&noise).expect("it reads");
    }
    child.kill().expect("SIGKILL");
    child.wait().expect("it is gone");
    let left = packs(&room).len() as u64;
    let foreseen = room.run(&["--json", "prune", "--dry-run"]).json();
    assert_eq!((&foreseen["packs"], &foreseen["dry_run"]), (&left.into(), &true.into()));
    assert_eq!(packs(&room).len() as u64, left, "nothing was changed");
    let words = room.run(&["prune", "--dry-run"]).ok();
    assert!(words.contains("data-A-1") && words.contains("would be freed"), "{words}");
    let done = room.run(&["--json", "prune"]).json();
    assert_eq!(done["freed_bytes"], foreseen["freed_bytes"]);
    assert!(done["freed_bytes"].as_u64().expect("a number") > 32_000_000, "{done}");
    assert!(packs(&room).is_empty(), "all of it came back");
    let again = room.run(&["prune"]).ok();
    assert!(again.contains("0 B in 0 packs freed"), "{again}");
}

#[test]
fn an_expiry_and_a_prune_go_through_a_running_service() {
    let (room, _, _) = approved();
    let (operator, reader) = (token(&room, "P-2", "operator"), token(&room, "P-2", "reader"));
    let server = Server::start(&room);
    let ask = |args: &[&str]| server.run(&operator, &[&["--json"], args].concat());
    let order = ["expire", "A-2", "--disposition", "X-1"];
    let refused = server.run(&reader, &order);
    assert!(refused.code == 1 && refused.err.contains("scope"), "{refused:?}");
    let held = ask(&["expire", "A-3", "--disposition", "X-1"]);
    assert_eq!(held.code, 1, "{held:?}");
    let done = ask(&order);
    assert_eq!((done.code, &done.json()["snapshots"]), (0, &1.into()), "{done:?}");
    assert_eq!(ask(&order).json(), done.json(), "asked again, it is the same");
    let bundle = room.path("C-1.bailee.zip");
    assert_eq!(ask(&["certificate", "C-1", "-o", text(&bundle)]).code, 0);
    let pruned = ask(&["prune"]);
    assert_eq!((pruned.code, &pruned.json()["refused"]), (0, &0.into()), "{pruned:?}");
    let rehearsed = server.run(&operator, &["prune", "--dry-run"]).ok();
    assert!(rehearsed.contains("would be freed at most"), "{rehearsed}");
    assert_eq!(ask(&["settle"]).json()["still_pending"], 0);
    assert_eq!(ask(&["snapshot", "verify", "S-2"]).json()["intact"], true);
    drop(server);
    // On the directory it is the same too, and the certificate verifies.
    assert_eq!(expire(&room).json(), done.json());
    let key = room.run(&["--json", "status"]).json()["log_key"].as_str().map(str::to_owned);
    room.run(&["verify", text(&bundle), "--key", &key.expect("a key")]).ok();
    room.run(&["check"]).ok();
}
