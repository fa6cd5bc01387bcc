//! Steps of a clearance over the wire: by the routes that an agent's token opens, and no others.
//!
//! Invariants: `begin` presents the signed token, which the server verifies; what these routes
//! cannot carry (several documents, or one that is no JSON) goes the way of every
//! request, which takes an operator's token.

use std::time::Duration;

use bailee_server::api::parts::Upload;
use bailee_server::api::{Answer, Recorded, Request};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::client::{Client, encoded};
use crate::trouble::Trouble;

/// A clearance that is reserved.
#[derive(Deserialize)]
struct Reserved {
    clearance: String,
    token: String,
}

/// A lease.
#[derive(Deserialize)]
struct Leased {
    lease_seconds: u64,
    entries: Vec<Recorded>,
}

impl Client {
    /// Records a request, by the route that is meant for it.
    pub(crate) fn perform(&self, request: &Request) -> Result<Answer, Trouble> {
        match request {
            Request::Reserve { disposition, asset, subject, media } => {
                let body = json!({
                    "disposition": disposition, "asset": asset, "subject": subject, "media": media,
                });
                let Reserved { clearance, token } = self.ask("/v1/clearances", &body)?;
                Ok(Answer { new: vec![clearance], token: Some(token), ..Answer::default() })
            }
            Request::Begin { clearance } => {
                let reserved: Reserved = self.fetch_as(&format!("{}/token", path(clearance)))?;
                Ok(leased(self.begin_step(clearance, &reserved.token)?))
            }
            Request::Renew { clearance } => Ok(leased(self.renew_step(clearance)?)),
            Request::Finish { clearance, verified, reason } => match json_text(&reason.exhibits) {
                Some(text) => {
                    let body = json!({ "verified": verified, "certificate": text });
                    self.ask(&format!("{}/finish", path(clearance)), &body)
                }
                None => self.ask("/v1/commands", request),
            },
            Request::Abort { clearance, gone, reason } => {
                let record = json_text(&reason.exhibits);
                if record.is_none() && !reason.exhibits.is_empty() {
                    return self.ask("/v1/commands", request);
                }
                let body = json!({ "gone": gone, "note": reason.note, "record": record });
                self.ask(&format!("{}/abort", path(clearance)), &body)
            }
            _ => self.ask("/v1/commands", request),
        }
    }

    /// Begins with its token; how long the lease is.
    pub(crate) fn begin(&self, clearance: &str, token: &str) -> Result<Duration, Trouble> {
        Ok(Duration::from_secs(self.begin_step(clearance, token)?.lease_seconds))
    }

    /// Renews; how long the lease is.
    pub(crate) fn renew(&self, clearance: &str) -> Result<Duration, Trouble> {
        Ok(Duration::from_secs(self.renew_step(clearance)?.lease_seconds))
    }

    fn begin_step(&self, clearance: &str, token: &str) -> Result<Leased, Trouble> {
        self.ask(&format!("{}/begin", path(clearance)), &json!({ "token": token }))
    }

    fn renew_step(&self, clearance: &str) -> Result<Leased, Trouble> {
        self.ask(&format!("{}/renew", path(clearance)), &json!({}))
    }
}

fn path(clearance: &str) -> String {
    format!("/v1/clearances/{}", encoded(clearance))
}

fn leased(leased: Leased) -> Answer {
    Answer { entries: leased.entries, ..Answer::default() }
}

/// The text of the document, if it is the only one and JSON: a certificate, or a run's record.
fn json_text(exhibits: &[Upload]) -> Option<String> {
    let [one] = exhibits else { return None };
    let text = String::from_utf8(STANDARD.decode(one.base64.as_ref()?).ok()?).ok()?;
    serde_json::from_str::<Value>(&text).ok().map(|_| text)
}
