//! Questions to machines of others (witnesses, logs that are followed), and their answers.
//!
//! Invariants: every question ends within its time, body included; an answer is read up to a limit
//! and no further; redirects are not followed, so a question reaches whom it was meant for; status
//! and body are handed on as they are, because what they mean is the caller's. TLS is that of
//! [`bailee_store::https`].
//!
//! Out of scope: retries, and any belief in what was answered.

use std::time::Duration;

use bailee_store::https;
use ureq::http::Response;
use ureq::tls::RootCerts;
use ureq::{Agent, Body};

/// How long a connection without a question is kept.
const IDLE: Duration = Duration::from_secs(10);

/// Asks others. Clones share their connections.
#[derive(Clone, Debug)]
pub struct Web {
    agent: Agent,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Media type, as sent; empty if none was.
    pub media: String,
    /// The body, whole.
    pub body: Vec<u8>,
}

/// Why nothing came back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebError {
    /// Not within the time.
    #[error("no whole answer within {} ms", .0.as_millis())]
    Late(Duration),
    /// More than is read.
    #[error("an answer of more than {0} bytes")]
    Large(u64),
    /// The connection or the protocol fails.
    #[error("no answer: {0}")]
    Silent(String),
    /// The certificates to trust are none.
    #[error("there is no certificate in the file; give one with -----BEGIN CERTIFICATE-----")]
    NoCertificate,
}

impl Default for Web {
    fn default() -> Web {
        Web::with(RootCerts::WebPki)
    }
}

impl Web {
    /// Trusts these certificates (PEM) instead of the public ones.
    ///
    /// # Errors
    /// There is no certificate in it.
    pub fn trusting(pem: &[u8]) -> Result<Web, WebError> {
        https::roots(pem).map(Web::with).ok_or(WebError::NoCertificate)
    }

    fn with(roots: RootCerts) -> Web {
        let config = https::asking(roots)
            // Shorter than servers wait for the next request, ours too.
            .max_idle_age(IDLE)
            .build();
        Web { agent: config.new_agent() }
    }

    /// Posts a body; the answer has at most `most` bytes and is whole `within` that time.
    ///
    /// # Errors
    /// There was no such answer.
    pub fn post(
        &self,
        url: &str,
        media: &str,
        body: &[u8],
        most: u64,
        within: Duration,
    ) -> Result<Answer, WebError> {
        let request = self.agent.post(url).config().timeout_global(Some(within)).build();
        let sent = request.header("content-type", media).send(body);
        whole(sent, most, within)
    }

    /// Fetches; the answer has at most `most` bytes and is whole `within` that time.
    ///
    /// # Errors
    /// There was no such answer.
    pub fn get(&self, url: &str, most: u64, within: Duration) -> Result<Answer, WebError> {
        let request = self.agent.get(url).config().timeout_global(Some(within)).build();
        whole(request.call(), most, within)
    }
}

fn whole(
    sent: Result<Response<Body>, ureq::Error>,
    most: u64,
    within: Duration,
) -> Result<Answer, WebError> {
    let failed = |error: ureq::Error| match error {
        ureq::Error::Timeout(_) => WebError::Late(within),
        ureq::Error::BodyExceedsLimit(_) => WebError::Large(most),
        other => WebError::Silent(other.to_string()),
    };
    let mut response = sent.map_err(failed)?;
    let media = response.headers().get("content-type").and_then(|media| media.to_str().ok());
    let (status, media) = (response.status().as_u16(), media.unwrap_or_default().to_owned());
    // One more than is taken, because the reader fails at its limit, not beyond it.
    let read = response.body_mut().with_config().limit(most.saturating_add(1)).read_to_vec();
    match read.map_err(failed)? {
        body if body.len() as u64 > most => Err(WebError::Large(most)),
        body => Ok(Answer { status, media, body }),
    }
}
