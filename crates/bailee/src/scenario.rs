//! `bailee scenario`: plays a story of custody, against the core alone or through a whole house in
//! memory, with journal, log and signatures.
//!
//! Invariants: both plays give the same transcript, since the house adds no decision; time is told
//! by the story.

use std::sync::Arc;

use bailee_server::core::Time;
use bailee_server::core::scenario::{self, InMemory, Scenario, ScenarioFailure, Transcript};
use bailee_server::house::Parts;
use bailee_server::keys::Keys;
use bailee_server::scenario::PlayError;
use bailee_server::store::{MemoryJournal, MemoryObjects};
use bailee_server::{Clock, Config, House, catalogue};
use serde_json::json;

use crate::cli::ask;
use crate::cli::run::ScenarioVerb;
use crate::print::{self, Style};
use crate::trouble::Trouble;

/// Name of the log that a story is played on.
const ORIGIN: &str = "scenario.example/log";

/// Does what the verb says.
pub(crate) fn run(verb: &ScenarioVerb, style: Style) -> Result<(), Trouble> {
    let (file, through_runner) = match verb {
        ScenarioVerb::Sentences => return sentences(style),
        ScenarioVerb::Run { file, through_runner } => (file, *through_runner),
    };
    let bytes = ask::read(file)?;
    let not_read = |what: String| {
        let change = "correct the line; `bailee scenario sentences` shows what is understood";
        Trouble::usage(file.display(), what, change)
    };
    let text = String::from_utf8(bytes).map_err(|_| not_read("it is not UTF-8 text".into()))?;
    let story = scenario::parse(&text).map_err(|e| not_read(e.to_string()))?;
    let played = match through_runner {
        true => play_whole(&story)?,
        false => scenario::play(&story, &mut InMemory::default(), &catalogue::standard()),
    };
    match played {
        Ok(transcript) => told(&transcript, style),
        Err(failure) => {
            told(&failure.transcript, style)?;
            let change = "correct the story, or the rules if they are wrong";
            Err(Trouble::refused("scenario_differs", file.display(), &failure, change))
        }
    }
}

fn told(transcript: &Transcript, style: Style) -> Result<(), Trouble> {
    match style {
        Style::Words => print::out(&transcript.to_string()),
        Style::Json => print::json(&json!({ "transcript": transcript.lines })),
    }
}

fn sentences(style: Style) -> Result<(), Trouble> {
    if style == Style::Json {
        let all: Vec<_> = scenario::sentences()
            .map(|(pattern, example)| json!({ "pattern": pattern, "example": example }))
            .collect();
        return print::json(&json!(all));
    }
    let each =
        scenario::sentences().map(|(pattern, example)| format!("{pattern}\n    {example}\n"));
    print::out(&each.collect::<String>())
}

type Played = Result<Transcript, ScenarioFailure>;

/// Plays it through the one loop of a house in memory.
fn play_whole(story: &Scenario) -> Result<Played, Trouble> {
    let house = House::of(Parts {
        dir: None,
        config: Config::for_origin(ORIGIN),
        keys: Keys::from_seeds(ORIGIN, &[1; 32], &[2; 32])?,
        clock: Clock::told(Time(0)),
        journal: Arc::new(MemoryJournal::new()),
        objects: Arc::new(MemoryObjects::new()),
    })?;
    match bailee_server::scenario::play(&house, story, &catalogue::standard()) {
        Ok(transcript) => Ok(Ok(transcript)),
        Err(PlayError::Differs(failure)) => Ok(Err(failure)),
        Err(PlayError::House(failure)) => Err(failure.into()),
        Err(error @ PlayError::WallClock) => {
            Err(Trouble::failed("not_played", "the story", error, "report it with the story"))
        }
    }
}
