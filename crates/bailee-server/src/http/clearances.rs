//! Clearances for agents on other machines: reserve, begin, renew, finish, abort.
//!
//! Invariants (rule 5): each step is the core's answer, and an answer that does not arrive means
//! no; `begin` takes the signed token and verifies it against the clearance named in the path, once
//! the core would let it begin, so that a token that lapsed is named by why it lapsed; the
//! certificate's exact bytes are the exhibit of the finish, which it has to prove
//! (api/certified.rs); a finish told again is recognised. Lease lengths are given in seconds, to be
//! counted on the agent's own clock from before it asked: clocks are never compared.

use bailee_core::id::ClearanceId;
use bailee_core::{Action, By, Command, decide};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::parts::{Reason, Upload};
use crate::api::{Answer, Problem, Recorded, Request, perform};
use crate::http::handlers::{Ask, Shared};
use crate::http::reply::Reply;
use crate::letting_go;

/// Asks for a clearance.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reserve {
    /// `X-n`.
    pub(crate) disposition: String,
    /// `A-n`.
    pub(crate) asset: String,
    /// SHA-256 of the identity of the thing itself, hex.
    pub(crate) subject: String,
    /// Of a device, all by which it is known again (docs/sanitize.md); none may be another asset's.
    #[serde(default)]
    pub(crate) media: Vec<String>,
}

/// A clearance that is reserved.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Reserved {
    /// `C-n`.
    pub(crate) clearance: String,
    /// The signed token; needed to begin.
    pub(crate) token: String,
}

/// The token that `reserve` gave.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Begin {
    /// As it was given.
    pub(crate) token: String,
}

/// A lease.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Leased {
    /// `C-n`.
    pub(crate) clearance: String,
    /// Seconds it runs, from before the question was sent.
    pub(crate) lease_seconds: u32,
    /// What was recorded.
    pub(crate) entries: Vec<Recorded>,
}

/// The end of a run.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Finish {
    /// True if all of it was read back and found overwritten.
    pub(crate) verified: bool,
    /// The certificate of the run, its exact text (docs/sanitize.md). To sanitize, it must be of
    /// this clearance and its device, overwritten and read back whole.
    pub(crate) certificate: String,
}

/// A run that stopped.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Abort {
    /// Bytes that are gone already.
    pub(crate) gone: u64,
    /// Why, in words.
    #[serde(default)]
    pub(crate) note: String,
    /// The record of the run, its exact text: what was reached, and which bytes are gone.
    #[serde(default)]
    pub(crate) record: Option<String>,
}

pub(crate) fn reserve(shared: &Shared, ask: &Ask) -> Result<Reply, Problem> {
    let Reserve { disposition, asset, subject, media } = ask.json()?;
    let request = Request::Reserve { disposition, asset, subject, media };
    let Answer { new, token, .. } = perform(&shared.house, request, ask.by())?;
    let made = new.into_iter().next().zip(token);
    let missing = || Problem::failure("house_failed", "the reservation", "left no entry");
    let (clearance, token) = made.ok_or_else(missing)?;
    let place = format!("/v1/clearances/{clearance}");
    Ok(Reply::json(201, &Reserved { clearance, token })?.with("location", place))
}

/// The token again, for an agent that lost the answer.
pub(crate) fn token(shared: &Shared, ask: &Ask) -> Result<Reply, Problem> {
    let id = ask.id::<ClearanceId>()?;
    let token = letting_go::token(&shared.house, id)?;
    Reply::json(200, &Reserved { clearance: id.to_string(), token })
}

pub(crate) fn begin(shared: &Shared, ask: &Ask) -> Result<Reply, Problem> {
    let id = ask.id::<ClearanceId>()?;
    let Begin { token } = ask.json()?;
    let found = shared.house.with_state(|s| {
        let clearance = s.clearances.get(id)?;
        let kind = s.dispositions.get(clearance.disposition)?.kind;
        Some((clearance.asset, letting_go::act(kind), clearance.subject))
    })?;
    let (asset, act, subject) = found.ok_or_else(|| Problem::not_found(id.to_string()))?;
    let (by, action, now) = (ask.by(), Action::Begin { clearance: id }, shared.house.clock().now());
    let command = Command { by, action };
    if let Some(refusal) = shared.house.with_state(|s| decide(s, &command, now).err())? {
        return Err(shared.house.refused(&command, refusal).into());
    }
    let opened = letting_go::open_token(&shared.house, token.as_bytes(), asset, act, subject)?;
    if opened.terms().clearance != id.0 {
        let detail = format!("is the token of C-{}", opened.terms().clearance);
        let change = "use the token that reserving this clearance gave";
        return Err(Problem::new(403, "token_refused", id.to_string(), detail, change));
    }
    lease(shared, id, Request::Begin { clearance: id.to_string() }, by)
}

pub(crate) fn renew(shared: &Shared, ask: &Ask) -> Result<Reply, Problem> {
    let id = ask.id::<ClearanceId>()?;
    lease(shared, id, Request::Renew { clearance: id.to_string() }, ask.by())
}

fn lease(shared: &Shared, id: ClearanceId, request: Request, by: By) -> Result<Reply, Problem> {
    let answer = perform(&shared.house, request, by)?;
    let lease_seconds = shared.house.with_state(|s| s.policy.lease_seconds)?;
    let leased = Leased { clearance: id.to_string(), lease_seconds, entries: answer.entries };
    Reply::json(200, &leased)
}

pub(crate) fn finish(shared: &Shared, ask: &Ask) -> Result<Reply, Problem> {
    let id = ask.id::<ClearanceId>()?;
    let Finish { verified, certificate } = ask.json()?;
    if serde_json::from_str::<serde_json::Value>(&certificate).is_err() {
        return Err(Problem::bad_request("certificate", "is not the text of a JSON document"));
    }
    let upload = Upload::of("certificate.json", "application/json", certificate.as_bytes());
    let reason = Reason { note: String::new(), exhibits: vec![upload] };
    let request = Request::Finish { clearance: id.to_string(), verified, reason };
    Reply::json(200, &perform(&shared.house, request, ask.by())?)
}

pub(crate) fn abort(shared: &Shared, ask: &Ask) -> Result<Reply, Problem> {
    let id = ask.id::<ClearanceId>()?;
    let Abort { gone, note, record } = ask.json()?;
    let paper = |text: String| Upload::of("record.json", "application/json", text.as_bytes());
    let reason = Reason { note, exhibits: record.into_iter().map(paper).collect() };
    let request = Request::Abort { clearance: id.to_string(), gone, reason };
    Reply::json(200, &perform(&shared.house, request, ask.by())?)
}
