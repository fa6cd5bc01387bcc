//! Proof of the runner: faults, kills, old copies, erasure, hostile letters, stories, letting go.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod acceptance;
mod answers;
mod arrows;
#[allow(dead_code, reason = "the ledger's tests use all of it")]
#[path = "../../../bailee-ledger/tests/it/authority.rs"]
mod authority;
mod checks;
mod clock;
mod common;
mod documents;
mod erase_unit;
mod erasure;
mod faults;
mod formats;
mod hostile;
mod hostile_witness;
mod http;
mod http_bundles;
mod http_clearance;
mod http_doors;
mod http_end;
mod http_expire;
mod http_intake;
mod key_change;
mod kill;
mod let_go;
mod letters;
mod lost_copies;
mod matter;
mod monitors;
mod names;
mod over_http;
mod pages;
mod probing;
mod pruning;
mod refusals;
mod restored;
mod silence;
mod split_view;
mod stamps;
mod standing;
mod through_runner;
mod tsa;
mod unrecorded;
mod whole_day;
mod witness_server;
mod witnessed;
