//! The proof of the core: every rule by example, all of them against a second model at random,
//! every refusal by name, every byte of the wire format.

#![allow(clippy::unwrap_used, reason = "in a test a missing thing is a failure")]

mod advice;
mod answers;
mod binding;
mod clocks;
mod codes;
mod copies;
mod custody;
mod demands;
mod disclosure;
mod engine;
mod erasure;
mod house;
mod instruments;
mod later;
mod leaps;
mod letting_go;
mod many;
mod model;
mod naive;
mod names;
mod owed;
mod permission;
mod radius;
mod refusals;
mod rotation;
mod strangers;
mod subjects;
mod views;
mod volume;
mod widening;
mod wire;
mod wwn;
