//! Whole runs on real files and real loop devices.
//!
//! Needs a directory whose file system writes in place (ext4 or tmpfs). Loop devices need root;
//! without it those tests say plainly that they did not run.

// Helpers of tests are tests, which clippy's own exception does not know.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod bound;
mod common;
mod files;
mod loops;
