//! Scenarios: the shipped stories, against the core and through a whole house.

use std::path::{Path, PathBuf};

use crate::room::{Room, text};

fn story(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios").join(name)
}

#[test]
fn a_story_gives_the_same_transcript_through_a_whole_house() {
    let room = Room::empty();
    let file = story("race-with-wipe.txt");
    let core = room.run(&["scenario", "run", text(&file)]).ok();
    let house = room.run(&["scenario", "run", "--through-runner", text(&file)]).ok();
    assert_eq!(core, house);
    let golden = std::fs::read_to_string(file.with_extension("out")).unwrap();
    assert_eq!(core, golden);
}

#[test]
fn a_story_that_comes_out_differently_is_one_and_a_sentence_not_understood_is_two() {
    let room = Room::empty();
    let said = room.pipe(&["scenario", "run", "-"], b"2026-01-01 the moon is a cheese\n");
    assert_eq!(said.status.code(), Some(2), "{said:?}");
    assert!(String::from_utf8_lossy(&said.stderr).contains("line 1"), "{said:?}");
    let wrong = b"2026-01-01 entity \"Example Host B.V.\" in NL -> refused bad_value\n";
    let said = room.pipe(&["scenario", "run", "-"], wrong);
    assert_eq!(said.status.code(), Some(1), "{said:?}");
}
