//! Integration tests of the vault: real trees, real damage, real crashes.

#![allow(clippy::unwrap_used)] // helpers of tests are tests

mod again;
mod arrive;
mod bag;
mod canary;
mod clear;
mod compact;
mod crash;
mod export;
mod format;
mod holes;
mod interrupt;
mod keks;
mod kill;
mod letgo;
mod power;
mod presence;
mod prune;
mod ranges;
mod rescue;
mod roundtrip;
mod scrub;
mod shelf;
mod strange;
mod support;
mod tamper;
mod trouble;
mod volumes;
