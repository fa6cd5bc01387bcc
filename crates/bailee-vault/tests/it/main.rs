//! Integration tests of the vault: real trees, real damage, real crashes.

#![allow(clippy::unwrap_used)] // helpers of tests are tests

mod again;
mod arrive;
mod bag;
mod bucket;
mod canary;
mod clear;
mod compact;
mod crash;
mod doubt;
mod export;
mod format;
mod full;
mod half_erased;
mod holes;
mod hostile;
mod interrupt;
mod keks;
mod kill;
mod letgo;
mod member;
mod ordinary;
mod power;
mod presence;
mod prune;
#[allow(dead_code, reason = "the store's tests use all of it")]
#[path = "../../../bailee-store/tests/it/radosgw.rs"]
mod radosgw;
mod ranges;
mod rescue;
mod rested;
mod roundtrip;
mod scrub;
mod sealed;
mod seen;
mod segments;
mod sets;
mod shelf;
mod splice;
mod stopped;
mod strange;
mod support;
mod tamper;
mod transfer;
mod trouble;
mod unlisted;
mod volumes;

use bailee_store as store;
