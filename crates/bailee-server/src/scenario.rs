//! Scenarios through the durable runner: the stories of `scenarios/` played in a real house.
//!
//! Invariants: the house decides at the time the story says, so its clock must be a told one that
//! does not stand behind the story; a failure of the log ends the play by its own name and is never
//! taken for a refusal. A fresh house gives the transcript that the core alone gives.
//!
//! Out of scope: executors. A story says itself what was sent and delivered.

use std::cell::RefCell;

use bailee_core::instrument::Catalogue;
use bailee_core::scenario::{self, Scenario, ScenarioFailure, Transcript};
use bailee_core::{Code, Command, Record, Refusal, State, Time};

use crate::clock::Clock;
use crate::house::House;
use crate::runner::Failure;

/// Why a story was not played to its end.
#[derive(Debug, thiserror::Error)]
pub enum PlayError {
    /// It came out differently.
    #[error(transparent)]
    Differs(#[from] ScenarioFailure),
    /// The log did not answer.
    #[error(transparent)]
    House(#[from] Failure),
    /// The house lives in real time.
    #[error("a story needs a house whose clock is told the time; this one has the machine's clock")]
    WallClock,
}

/// Plays a story in a house; `standard` is what `instruments standard` loads.
pub fn play(
    house: &House,
    story: &Scenario,
    standard: &Catalogue,
) -> Result<Transcript, PlayError> {
    if matches!(house.clock(), Clock::Wall) {
        return Err(PlayError::WallClock);
    }
    let mut player = Player { house, failure: RefCell::new(None) };
    let played = scenario::play(story, &mut player, standard);
    match player.failure.into_inner() {
        Some(failure) => Err(failure.into()),
        None => Ok(played?),
    }
}

/// A house as stories see it.
struct Player<'a> {
    house: &'a House,
    /// The first failure; after it nothing that is played counts.
    failure: RefCell<Option<Failure>>,
}

impl Player<'_> {
    fn fail(&self, failure: Failure) {
        self.failure.borrow_mut().get_or_insert(failure);
    }
}

impl scenario::House for Player<'_> {
    fn submit(&mut self, command: &Command, now: Time) -> Result<Vec<Record>, Refusal> {
        self.house.clock().tell(now);
        match self.house.submit(command.clone(), Vec::new()) {
            Ok(done) => Ok(done.records),
            Err(Failure::Refused(refusal)) => Err(refusal),
            Err(failure) => {
                let refusal = Refusal::new(Code::BadValue, "the log", failure.to_string());
                self.fail(failure);
                Err(refusal)
            }
        }
    }

    fn with_state<R>(&self, look: impl FnOnce(&State) -> R) -> R {
        let mut look = Some(look);
        let seen = self.house.with_state(|state| look.take().map(|look| look(state)));
        match (seen, look) {
            (Ok(Some(answer)), _) => answer,
            (Err(failure), Some(look)) => {
                self.fail(failure);
                look(&State::default())
            }
            _ => unreachable!("a state is looked at once, or not at all"),
        }
    }
}
