//! Integration tests of the ledger: one binary, real keys, real archives, other people's tools.
#![allow(clippy::unwrap_used)] // a test that cannot go on should stop right there
#![allow(clippy::print_stderr)] // to say that a test of foreign programs did not run

#[allow(dead_code, reason = "the tests of the server use all of it")]
mod authority;
mod bagit;
mod bundle;
mod clearance;
mod common;
mod dishonest;
mod formats;
mod holes;
mod hostile;
mod issuer;
mod large;
mod merkle;
mod notes;
mod policy;
mod sign;
mod stamps;
mod strangers;
mod tiles;
mod timestamp;
mod upstream;
mod witness;
