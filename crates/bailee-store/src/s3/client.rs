//! Questions to an engine: signed, repeated if it did not answer, its answers named.
//!
//! Invariants
//! 1. A question is repeated only if asking twice is harmless (all of ours are: the same bytes
//!    under the same key) and only if the engine did not answer, or answered that it is busy or
//!    broken (5xx, 429, 408). Any other answer is final.
//! 2. Every step has a limit of time, and an answer one of length.
//! 3. Errors say what the engine said, by code; never a header, a signature or a URL.
//!
//! Redirects are not followed: a signature is for the host it was made for.

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sha2::{Digest as _, Sha256};
use ureq::http::{self, Response};
use ureq::tls::RootCerts;
use ureq::{Agent, Body};

use super::listing::read_error;
use super::settings::PATIENCE;
use super::sign::{Request, amz_date, authorization};
use super::{Credentials, S3Error, S3Settings};
use crate::{hex, https};

/// How often a question is asked.
const ATTEMPTS: u32 = 7;
/// Pause before the first repetition; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(100);
/// Longest answer that is not an object's bytes.
const LONGEST: u64 = 8 << 20;
/// What [`https::roots`] found nothing in.
const NO_ROOTS: S3Error = S3Error::Settings { what: "certificates to trust", why: "are none" };
/// Unreserved characters and `/`: what need not be encoded in a path.
const PLAIN: &[u8] = b"-._~/";

/// A question.
#[derive(Default)]
pub(super) struct Call<'a> {
    pub(super) method: &'static str,
    /// Key in the bucket; empty: the bucket itself.
    pub(super) key: &'a str,
    pub(super) query: &'a [(&'a str, &'a str)],
    /// Names in lower case.
    pub(super) headers: &'a [(&'a str, &'a str)],
    pub(super) body: &'a [u8],
    /// Longest body of a good answer.
    pub(super) most: Option<u64>,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    headers: BTreeMap<String, String>,
    pub(super) body: Vec<u8>,
}

impl Reply {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    pub(super) fn is_good(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// What a refusal says.
    pub(super) fn refusal(&self) -> S3Error {
        let (code, message) = read_error(&self.body);
        S3Error::Refused { status: self.status, code, message }
    }

    fn is_transient(&self) -> bool {
        let code = || read_error(&self.body).0;
        matches!(self.status, 408 | 429 | 500 | 502..=504)
            || (self.status == 400 && code() == "RequestTimeout")
    }
}

/// An engine's bucket, and who asks.
pub(super) struct Client {
    agent: Agent,
    base: String,
    host: String,
    bucket: String,
    region: String,
    credentials: Credentials,
}

impl Client {
    pub(super) fn new(settings: &S3Settings) -> Result<Client, S3Error> {
        let (scheme, host) = settings.check()?;
        let roots = match settings.roots.as_deref() {
            None => RootCerts::WebPki,
            Some(pem) => https::roots(pem).ok_or(NO_ROOTS)?,
        };
        let patience = Some(settings.patience.unwrap_or(PATIENCE));
        let config = https::asking(roots)
            .timeout_connect(patience)
            .timeout_send_request(patience)
            .timeout_send_body(patience)
            .timeout_recv_response(patience)
            .timeout_recv_body(patience)
            .build();
        Ok(Client {
            agent: config.new_agent(),
            base: format!("{scheme}://{host}"),
            host: host.to_owned(),
            bucket: settings.bucket.clone(),
            region: settings.region.clone(),
            credentials: settings.credentials.clone(),
        })
    }

    /// Asks until there is an answer.
    pub(super) fn ask(&self, call: &Call<'_>) -> Result<Reply, S3Error> {
        let mut pause = PAUSE;
        for attempt in 1.. {
            let answer = self.once(call);
            let last = attempt >= ATTEMPTS;
            match answer {
                Ok(reply) if last || !reply.is_transient() => return Ok(reply),
                Err(error) if last || !matches!(error, S3Error::Silent { .. }) => {
                    return Err(error);
                }
                _ => {}
            }
            // Up to a quarter less, so that many who wait do not come back at once.
            let some =
                SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |t| t.subsec_micros());
            sleep(pause - pause / 400 * (some % 100));
            pause *= 2;
        }
        unreachable!("the last attempt returns")
    }

    fn once(&self, call: &Call<'_>) -> Result<Reply, S3Error> {
        let body = hex(&Sha256::digest(call.body));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |t| t.as_secs());
        let date = amz_date(now);
        let slash = if call.key.is_empty() { "" } else { "/" };
        let path = https::encoded(format!("/{}{slash}{}", self.bucket, call.key), PLAIN);
        let query = query(call.query);
        let own = [("host", &*self.host), ("x-amz-content-sha256", &body), ("x-amz-date", &date)];
        let token = self.credentials.token().map(|token| ("x-amz-security-token", token));
        let all = call.headers.iter().copied().chain(own).chain(token);
        let mut headers: Vec<_> = all.map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
        headers.sort();
        let (method, path) = (call.method, path.as_str());
        let signed =
            Request { method, path, query: &query, headers: &headers, body: &body, date: &date };
        let authorization = authorization(&signed, &self.credentials, &self.region);
        let mark = if query.is_empty() { "" } else { "?" };
        let mut request = http::Request::builder()
            .method(method)
            .uri(format!("{}{path}{mark}{query}", self.base))
            .header("authorization", authorization);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let unfit = |_| S3Error::Settings { what: "request", why: "cannot be written as HTTP" };
        let sent = if matches!(method, "PUT" | "POST") {
            self.agent.run(request.body(call.body).map_err(unfit)?)
        } else {
            self.agent.run(request.body(()).map_err(unfit)?)
        };
        whole(sent, call.most.unwrap_or(LONGEST))
    }
}

fn whole(sent: Result<Response<Body>, ureq::Error>, most: u64) -> Result<Reply, S3Error> {
    let failed = |error: ureq::Error| match error {
        ureq::Error::BodyExceedsLimit(_) => S3Error::Large { most },
        other => S3Error::Silent { attempts: ATTEMPTS, last: other.to_string() },
    };
    let mut response = sent.map_err(failed)?;
    let read = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
    };
    let headers = response.headers().iter().filter_map(read).collect();
    let status = response.status().as_u16();
    let most = if (200..300).contains(&status) { most } else { LONGEST };
    // One more than is taken, because the reader fails at its limit, not beyond it.
    let read = response.body_mut().with_config().limit(most.saturating_add(1)).read_to_vec();
    match read.map_err(failed)? {
        body if body.len() as u64 > most => Err(S3Error::Large { most }),
        body => Ok(Reply { status, headers, body }),
    }
}

/// Pairs as they stand in a URL and in what is signed.
fn query(pairs: &[(&str, &str)]) -> String {
    let free = b"-._~";
    let pair = |(name, value): &(&str, &str)| {
        format!("{}={}", https::encoded(name, free), https::encoded(value, free))
    };
    let mut all: Vec<String> = pairs.iter().map(pair).collect();
    all.sort();
    all.join("&")
}
