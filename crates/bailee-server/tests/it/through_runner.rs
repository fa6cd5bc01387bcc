//! The stories of `scenarios/` through the durable runner: the same transcript, word for word.

use std::path::PathBuf;
use std::sync::Arc;

use bailee_core::Time;
use bailee_core::scenario::{InMemory, parse, play};
use bailee_server::scenario::PlayError;
use bailee_server::{Clock, House, catalogue, scenario};
use bailee_store::MemoryObjects;

use crate::common::{parts, sqlite};

pub(crate) fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../scenarios")
}

pub(crate) fn stories() -> Vec<(String, String)> {
    let files = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let texts = files.filter(|file| file.extension().is_some_and(|e| e == "txt"));
    let mut stories: Vec<(String, String)> = texts
        .map(|file| {
            let text = std::fs::read_to_string(&file).unwrap();
            (file.file_stem().unwrap().to_string_lossy().into_owned(), text)
        })
        .collect();
    stories.sort();
    stories
}

#[test]
fn every_story_has_the_same_transcript_in_a_real_house() {
    let standard = catalogue::standard();
    let stories = stories();
    assert!(stories.len() >= 14, "only {} stories", stories.len());
    for (name, text) in stories {
        let story = parse(&text).unwrap();
        let alone = play(&story, &mut InMemory::default(), &standard)
            .unwrap_or_else(|failure| panic!("{name} alone: {failure}"));
        let dir = tempfile::tempdir().unwrap();
        let (journal, objects) = (sqlite(dir.path()), Arc::new(MemoryObjects::new()));
        let mut parts = parts(None, journal.clone(), objects.clone());
        parts.clock = Clock::told(Time(0));
        let house = House::of(parts).unwrap();
        let told = scenario::play(&house, &story, &standard)
            .unwrap_or_else(|failure| panic!("{name} through the runner: {failure}"));
        assert_eq!(told.to_string(), alone.to_string(), "{name}");
        // And what is on disk afterwards is that very state.
        let state = house.with_state(Clone::clone).unwrap();
        drop(house);
        let again = House::of(crate::common::parts(None, journal, objects)).unwrap();
        assert!(
            again.with_state(|s| *s == state).unwrap(),
            "{name}: another state after a restart"
        );
    }
}

#[test]
fn a_story_is_not_played_in_real_time() {
    let mut parts =
        parts(None, Arc::new(bailee_store::MemoryJournal::new()), Arc::new(MemoryObjects::new()));
    parts.clock = Clock::Wall;
    let house = House::of(parts).unwrap();
    let story = parse("2026-01-01 staff Ada\n").unwrap();
    let played = scenario::play(&house, &story, &catalogue::standard());
    assert!(matches!(played, Err(PlayError::WallClock)));
    assert_eq!(house.with_state(|s| s.head).unwrap(), 0);
}
