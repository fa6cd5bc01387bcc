//! The imperative shell of Bailee. It wires; it has no opinions.
//!
//! One demand's way from bytes to receipt: [`intake`] reads the letter and builds a command ->
//! [`runner`] decides and appends, durable -> [`publish`] signs a checkpoint over it ->
//! [`attest`] asks the witnesses, [`stamping`] the timestamp authorities -> [`receipt`] builds the
//! bundle -> [`steward`] mails it. Nothing on this way chooses anything.

pub mod api;
pub mod attest;
pub mod binding;
pub mod catalogue;
mod clock;
mod commit;
mod config;
pub mod documents;
mod end;
mod erasing;
mod error;
pub mod house;
pub mod http;
mod image;
pub mod intake;
pub mod keeping;
pub mod keys;
pub mod letting_go;
pub mod matter;
pub mod monitor;
mod notices;
mod opened;
mod packs;
mod pages;
mod paper;
pub mod probing;
mod projection;
mod provider;
pub mod pruning;
mod publish;
pub mod receipt;
mod remains;
mod room;
mod runner;
pub mod scenario;
pub mod secrecy;
pub mod settling;
pub mod span;
pub mod stamping;
mod steward;
pub mod volumes;
pub mod web;
pub mod witness;

pub use clock::Clock;
pub use config::Config;
pub use house::{House, HouseError};
pub use packs::{Engine, Packs};
pub use projection::{Projection, ReplayError};
pub use runner::{Done, Failure};

// What the binary needs of the crates below, so that its only arrows are to here and the ledger.
pub use {
    bailee_core as core, bailee_mount as mount, bailee_sanitize as sanitize, bailee_store as store,
    bailee_vault as vault,
};
