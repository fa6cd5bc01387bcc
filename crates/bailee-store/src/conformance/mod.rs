//! The suites every implementation of [`crate::Journal`] and [`crate::Objects`] passes.
//!
//! A suite gets a *store maker*: each call makes a fresh, empty store and returns an *opener*,
//! and each call of the opener gives one more handle to that store. Dropping all handles and
//! opening again is a restart. A suite panics, naming what it expected, when a store does not
//! hold what its trait promises: call it from a test.
//! Out of scope: power loss and damage, which each store tests in its own way.

mod journal;
mod objects;

pub use journal::journal;
pub use objects::objects;

use crate::{Journal, Objects};

/// Gives one more handle to the same journal.
pub type OpenJournal = Box<dyn Fn() -> Box<dyn Journal>>;
/// Gives one more handle to the same object store.
pub type OpenObjects = Box<dyn Fn() -> Box<dyn Objects>>;

/// The answer, or a panic that names the call.
fn must<T, E: std::fmt::Display>(answer: Result<T, E>, call: &str) -> T {
    match answer {
        Ok(answer) => answer,
        Err(error) => panic!("{call}: {error}"),
    }
}

/// Panics unless `$answer` is the error `$pattern`.
macro_rules! refused {
    ($answer:expr, $pattern:pat $(if $guard:expr)?) => {
        match $answer {
            Err($pattern) $(if $guard)? => {}
            other => panic!("expected {}, got {other:?}", stringify!($pattern)),
        }
    };
}
use refused;
