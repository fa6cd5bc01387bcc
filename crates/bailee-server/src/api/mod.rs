//! The edge: what comes in and goes out as JSON, the same for the command line and for HTTP.
//!
//! Invariants: no type of the core has a serialised form of its own; each has one here, so that a
//! change of the domain is not by accident a change of what programs out there rely on. Nothing
//! here decides; a request becomes a command, records become an answer, a refusal a problem.

pub mod answer;
mod certified;
pub mod check;
pub mod erased;
pub mod expired;
mod in_the_way;
pub mod kept;
pub mod listing;
mod of_the_vault;
pub mod parts;
mod perform;
pub mod problem;
mod request;
pub mod secret;
mod show;
pub mod upkeep;
pub mod words;

pub use answer::{Answer, Received, Recorded};
pub use check::{CheckReport, check};
pub use perform::perform;
pub use problem::Problem;
pub use request::Request;
pub use show::{finding, gate, mine, show};
