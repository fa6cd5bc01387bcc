//! Integration tests of the vault: real trees, real damage, real crashes.

#![allow(clippy::unwrap_used)] // helpers of tests are tests

mod again;
mod bag;
mod crash;
mod export;
mod format;
mod letgo;
mod roundtrip;
mod support;
mod tamper;
mod volumes;
