//! Every store passes the one conformance suite, and random sequences of calls cannot tell the
//! stores apart.

mod models;
mod suites;
