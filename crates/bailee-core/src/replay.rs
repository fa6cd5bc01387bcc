//! Replay: a whole log into a state, faster than record by record.
//!
//! Invariant: the state is the one that [`crate::apply`] gives, record by record, for every log
//! that `decide` made; the property tests compare the two. Half-built it is not to be seen, because
//! its indices are filled at the end: so the only way to the state is [`Replay::finish`].

pub use crate::apply::Half;
use crate::apply::{Filing, Misfit, file, take};
use crate::event::Record;
use crate::state::State;

/// A state on its way from the first record to the last.
#[derive(Debug)]
pub struct Replay {
    state: State,
}

impl Default for Replay {
    fn default() -> Replay {
        Replay::new()
    }
}

impl Replay {
    /// Nothing applied yet.
    pub fn new() -> Replay {
        let filing = Some(Box::<Filing>::default());
        Replay { state: State { filing, ..State::default() } }
    }

    /// Log position of the next record.
    pub fn head(&self) -> u64 {
        self.state.head
    }

    /// Applies the next record, which is taken apart. Error: it does not fit the log before it.
    pub fn apply(&mut self, record: Record) -> Result<(), Misfit> {
        take(&mut self.state, record)
    }

    /// Fills the indices; the state can be decided on from here.
    pub fn finish(self) -> State {
        self.finish_with(|names, letters| {
            names();
            letters();
        })
    }

    /// The same by a caller who has two threads: `join` is handed two halves of the work and runs
    /// each, at once if it can.
    pub fn finish_with(mut self, join: impl FnOnce(Half<'_>, Half<'_>)) -> State {
        file(&mut self.state, join);
        self.state
    }
}
