//! Ledger: proofs that anyone can check offline.

pub mod clearance;
