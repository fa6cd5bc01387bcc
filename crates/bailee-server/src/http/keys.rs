//! What others need of the log's keys: the policy that they pin, and the proof of a change.
//!
//! Invariant: public halves only; the keys themselves never pass here.

use bailee_core::id::BadId;

use crate::api::Problem;
use crate::http::handlers::{Ask, Shared};
use crate::http::reply::{Reply, TEXT, ZIP};
use crate::receipt;

pub(crate) fn policy(shared: &Shared, _: &Ask) -> Result<Reply, Problem> {
    Ok(Reply::bytes(TEXT, shared.house.policy()?.to_string().into_bytes()))
}

pub(crate) fn announcement(shared: &Shared, ask: &Ask) -> Result<Reply, Problem> {
    let change = ask.param.parse();
    let change = change.map_err(|e: BadId| Problem::bad_request("the path", e.to_string()))?;
    let mut bundle = Vec::new();
    receipt::key_change(&shared.house, change, &mut bundle)?;
    Ok(Reply::bytes(ZIP, bundle))
}
