//! A document handed in by itself, as its exact bytes, ahead of the command that names it.
//!
//! Invariants (documents.rs): durable before the answer; under the digest it was announced by, or
//! not at all; handed in twice is harmless.

use axum::http::header::CONTENT_LENGTH;
use bailee_ledger::hash_from_hex;
use serde_json::json;

use crate::api::Problem;
use crate::documents::{self, DocumentError};
use crate::http::body::busy;
use crate::http::handlers::{Ask, Shared};
use crate::http::reply::Reply;
use crate::http::upkeep::person;

pub(crate) fn hand_in(shared: &Shared, ask: &Ask) -> Result<Reply, Problem> {
    let by = person(ask)?;
    let digest = hash_from_hex(&ask.param).ok_or_else(|| {
        let detail = format!("{:?} is not 64 lower-case hex digits", ask.param);
        Problem::bad_request("the path", detail)
    })?;
    let most = shared.house.config().documents.largest_bytes;
    let length = ask.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    if length.and_then(|length| length.parse::<u64>().ok()).is_some_and(|length| length > most) {
        return Err(DocumentError::TooLarge(most).into());
    }
    let _place = shared.handing_in.try_acquire().map_err(|_| busy())?;
    let missing = || Problem::failure("house_failed", "the request", "came in without a body");
    let incoming = ask.flow.take().ok_or_else(missing)?.reader();
    let taken = documents::hand_in(&shared.house, by, &digest, &mut incoming.clone());
    let size = taken.map_err(|error| incoming.refused(error))?;
    Reply::json(201, &json!({ "sha256": ask.param, "size": size }))
}
