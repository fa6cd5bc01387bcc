//! Every store passes the one conformance suite, and random sequences of calls cannot tell the
//! stores apart.

mod garage;
mod models;
#[allow(clippy::unwrap_used, reason = "helpers of one test")]
mod overloaded;
mod radosgw;
#[allow(clippy::unwrap_used, reason = "helpers of one test")]
mod s3;
mod suites;
#[allow(clippy::unwrap_used, reason = "a fault of the way is a fault of the test")]
mod way;

use bailee_store as store;
