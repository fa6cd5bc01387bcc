//! The drill: whatever only says where things are is deleted; packs and log bring it back, typed as
//! docs/operating.md says it.

use std::fs;
use std::path::Path;

use crate::keys::shell;
use crate::room::{LETTER, Room, text};

/// The commands of the page's one runbook.
fn runbook() -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operating.md");
    let page = fs::read_to_string(page).expect("the page");
    let (_, after) = page.split_once("## When the index is lost").expect("the section");
    let (block, _) =
        after.split_once("```sh\n").and_then(|(_, b)| b.split_once("```")).expect("sh");
    block.to_owned()
}

/// Deletes all index objects of the vault.
fn lose_index(room: &Room) {
    let lost = shell(
        room,
        "find house/objects/vault -type f -path '*/sorted/*' -print -delete; rm -rf house/image",
    );
    assert!(lost.out.contains("/sorted/"), "there was no index: {lost:?}");
}

#[test]
fn a_lost_index_comes_back_from_packs_and_log() {
    let room = Room::with_house();
    room.furnish();
    fs::create_dir_all(room.path("data")).unwrap();
    let bytes: Vec<u8> = (0..700_000u32).map(|n| (n.wrapping_mul(n) >> 7) as u8).collect();
    room.file("data/a.raw", &bytes);
    room.run_as("P-2", &["preserve", "A-1", text(&room.path("data"))]).ok();
    let letter = room.file("letter.eml", LETTER.as_bytes());
    room.run_as("P-2", &["intake", text(&letter)]).ok();
    let copy = room.run(&["--json", "snapshot", "show", "S-1"]).json();
    let copy = copy["asset"].as_str().unwrap_or_else(|| panic!("{copy}")).to_owned();
    assert_eq!(room.run(&["gate", "check", &copy]).code, 1, "held");
    let before = room.run(&["--json", "snapshot", "show", "S-1"]).json();
    lose_index(&room);
    let blind = room.run_as("P-2", &["restore", "S-1", text(&room.path("blind"))]);
    assert_ne!(blind.code, 0, "nothing says where it lies: {blind:?}");
    let done = shell(&room, &format!("export BAILEE_AS=P-2\n{}", runbook()));
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(room.run(&["--json", "reindex"]).json()["packs"], 0, "all of it was done");
    room.run_as("P-2", &["restore", "S-1", text(&room.path("back"))]).ok();
    assert!(fs::read(room.path("back/a.raw")).unwrap() == bytes);
    assert_eq!(room.run(&["gate", "check", &copy]).code, 1, "still held");
    let after = room.run(&["--json", "snapshot", "show", "S-1"]).json();
    assert_eq!(after["root"], before["root"]);
    // Truncated instead of gone: the damaged object goes when its packs are indexed again.
    let cut = "for f in $(find house/objects/vault -type f -path '*/sorted/*'); do \
               chmod 600 $f; truncate -s 200 $f; done";
    shell(&room, cut).ok();
    assert_ne!(room.run_as("P-2", &["restore", "S-1", text(&room.path("cut"))]).code, 0);
    let done = shell(&room, &format!("export BAILEE_AS=P-2\n{}", runbook()));
    assert_eq!(done.code, 0, "{done:?}");
}
