//! One question to one authority, and whether its answer may be kept.
//!
//! Invariants: what leaves is a SHA-256, a fresh nonce and the policy; an answer is read up to the
//! size of the largest token and within its time; it is verified whole (`timestamp::accept`) before
//! anybody sees it. Out of scope: when to ask, and again.

use std::time::Duration;

use bailee_ledger::Hash;
use bailee_ledger::timestamp::{self, MAX_RESPONSE, Request, TimestampError, Token};

use super::settings::Desk;
use crate::clock::Clock;
use crate::web::{Web, WebError};

const QUERY: &str = "application/timestamp-query";

/// Why there is no token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lapse {
    /// No connection, no HTTP, not in time, or far too much.
    #[error("{0}")]
    Silent(#[from] WebError),
    /// It answers with something else.
    #[error("answered with HTTP status {0}")]
    Status(u16),
    /// It refuses, or its token does not hold.
    #[error("{0}")]
    Unfit(#[from] TimestampError),
    /// A renewal that lasts no longer than what it renews.
    #[error("its chain of certificates ends at {until} and it has no newer one yet")]
    Worn {
        /// RFC 3339.
        until: String,
    },
    /// The machine has no randomness or threads to give.
    #[error("this machine could not ask: {0}")]
    NotAsked(String),
    /// The token could not be kept.
    #[error("its token was not kept: {0}")]
    NotKept(String),
}

/// Asks for a token over what has this hash; the raw answer, and what it says.
pub(super) fn ask(
    web: &Web,
    desk: &Desk,
    imprint: &Hash,
    clock: &Clock,
    within: Duration,
) -> Result<(Vec<u8>, Token), Lapse> {
    let mut nonce = [0; 8];
    getrandom::fill(&mut nonce).map_err(|e| Lapse::NotAsked(e.to_string()))?;
    let mut request = Request::new(*imprint, u64::from_be_bytes(nonce));
    if let Some(policy) = &desk.policy {
        request = request.under(policy)?;
    }
    let answer = web.post(&desk.url, QUERY, &request.to_der(), MAX_RESPONSE as u64, within)?;
    if answer.status != 200 {
        return Err(Lapse::Status(answer.status));
    }
    let now = u64::try_from(clock.now().unix()).unwrap_or_default();
    let token = timestamp::accept(&answer.body, &request, &desk.roots, now)?;
    Ok((answer.body, token))
}
