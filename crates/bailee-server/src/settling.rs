//! Settling when somebody asks: everything that is due is carried out now, and what could not be
//! is said.
//!
//! Invariant: nothing here is done that the service does not do by itself; asking twice is
//! harmless.

use std::time::Duration;

use crate::api::expired::Settled;
use crate::house::House;

/// Longest wait for timestamp authorities.
const PATIENCE: Duration = Duration::from_secs(60);

/// Clocks, receipts, notices, pages, erasures; then what is to be stamped.
pub fn settle(house: &House) -> Settled {
    let mut remarks: Vec<String> = house.settle().iter().map(ToString::to_string).collect();
    remarks.extend(house.stamp(PATIENCE));
    Settled { still_pending: remarks.len(), remarks }
}
