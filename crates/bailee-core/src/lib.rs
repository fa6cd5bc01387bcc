//! Custody rules, pure: `decide` says what a command means, `apply` makes it so, `plan` says what
//! the shell has to do, `check` says whether any rule is broken.
//!
//! This crate knows no clock, no randomness, no file, no network and no hash order. Time comes in
//! as a parameter, ids come from state, salts and signatures belong to others.
//!
//! ```
//! use bailee_core::{Action, Command, State, Time, apply, decide, record};
//!
//! let mut state = State::default();
//! let now = Time::parse("2026-08-18").unwrap();
//! let entity = Action::RegisterEntity { name: "Example Host B.V.".into(), country: "NL".into() };
//! let command = Command::system(entity);
//! for fact in decide(&state, &command, now).unwrap() {
//!     let next = record(&state, &command, now, fact);
//!     apply(&mut state, &next).unwrap();
//! }
//! assert_eq!(state.entities.len(), 1);
//! ```

mod apply;
pub mod asset;
mod check;
mod command;
pub mod copies;
mod counted;
pub mod coverage;
pub mod custody;
mod decide;
pub mod demand;
pub mod disclosure;
pub mod disposition;
pub mod engine;
mod event;
pub mod gate;
pub mod hold;
pub mod id;
mod image;
pub mod instrument;
mod leap;
pub mod matching;
mod meaning;
mod mention;
mod money;
pub mod notice;
mod owner;
pub mod party;
mod plain;
mod plan;
mod policy;
mod range;
mod refusal;
pub mod refused;
mod replay;
pub mod rotation;
pub mod scenario;
mod state;
pub mod table;
mod time;
pub mod timeline;
pub mod view;
pub mod volume;
pub mod wire;

pub use apply::{Misfit, apply};
pub use check::{Violation, check};
pub use command::{Action, Command, Continue, NewAsset, NewDemand, Reason, Triage};
pub use counted::counted;
pub use custody::coming_with;
pub use decide::{
    Answered, Decision, LONGEST_EXHIBIT_NAME, LONGEST_NOTE, MOST_EXHIBITS, answers, decide,
    names_something, owed, radius, unnotified, verb,
};
pub use event::{By, Event, Fact, Record};
pub use image::{ImageError, from_image, to_image};
pub use money::money;
pub use plan::{Intent, plan};
pub use policy::{Duty, DutyKind, LONGEST_LEASE, Policy, Token, TokenScope};
pub use refusal::{Code, Refusal};
pub use replay::{Half, Replay};
pub use state::{Due, Named, State};
pub use time::{DayRule, Time, Until, Weekend};

/// Gives a decided fact its place in the log.
pub fn record(state: &State, command: &Command, now: Time, fact: Fact) -> Record {
    Record { seq: state.head, at: state.now(now), by: command.by, fact }
}

/// Decides and applies: what happens when nothing can fail. For scenarios, tests and benchmarks.
pub fn run(state: &mut State, command: &Command, now: Time) -> Result<Vec<Record>, Refusal> {
    let facts = decide(state, command, now)?;
    let mut records = Vec::with_capacity(facts.len());
    for fact in facts {
        let record = record(state, command, now, fact);
        if let Err(misfit) = apply(state, &record) {
            unreachable!("decide and apply agree: {misfit}");
        }
        records.push(record);
    }
    Ok(records)
}
