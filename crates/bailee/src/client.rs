//! The client: the same requests over HTTP.
//!
//! Invariants: the token goes to the named server only, so redirects are not followed, and in clear
//! to no other machine unless that was asked for; an answer is read up to a limit; a problem the
//! server states is passed on word for word, but for what to do about a token; anything that is no
//! answer of Bailee is a failure, never taken for a yes. TLS is rustls over aws-lc.
//!
//! Out of scope: retries, but for a receipt that is about to be signed. Requests are recognised
//! when repeated, so the person may simply repeat.

mod silence;

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use bailee_ledger::to_hex;
use bailee_server::api::{Problem, Received};
use bailee_server::store::https;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use ureq::http::Response;
use ureq::tls::RootCerts;
use ureq::typestate::WithBody;
use ureq::{Agent, Body, RequestBuilder, SendBody};

use self::silence::{Heard, SILENCE};
use crate::cli::Reach;
use crate::door::Bundle;
use crate::letter::Letter;
use crate::token::{TOKEN, in_clear, token};
use crate::trouble::Trouble;

/// Longest answer read, bytes (bundles are streamed and have no limit).
const LONGEST_ANSWER: u64 = 64 << 20;

/// Media type of a bundle.
const ZIP: &str = "application/zip";
/// Media type of data.
const BYTES: &str = "application/octet-stream";

/// How long a connection may take. A lease lasts a minute at most, so a step of it must be short.
const CONNECT: Duration = Duration::from_secs(10);

/// How long until an answer begins.
const ANSWER: Duration = Duration::from_secs(20);

/// How long until an answer begins to what reads the whole log or vault, or deletes a unit of it.
const LONG_ANSWER: Duration = Duration::from_secs(6 * 3600);

/// How long a receipt that is not signed yet is asked for again.
const PATIENCE: Duration = Duration::from_secs(5);

/// What to do when there is no answer.
const LOOK: &str = "look at --server, at the network, and whether `bailee serve` runs there";

/// What to do when there is no answer to data that was sent.
const LOOK_INTO_LOG: &str = "look at the network, and into the log of the service, which says why; \
    `bailee snapshot list` shows what was recorded; send it again: nothing is stored twice";

/// What to do when there is no answer to an erasure.
const LOOK_FOR_END: &str = "the server may still be at work, do not start it anew yet: `bailee \
    clearance list` names its clearance, `bailee clearance show C-1` with that id how it ended";

/// What to do when there is no answer to an expiry.
const REPEAT: &str = "the server may still be at work: give the same command again; it is `busy` \
    until that ends, and then answers with what was done, from its certificate";

/// A server and who speaks to it.
pub(crate) struct Client {
    agent: Agent,
    base: String,
    /// `Bearer …`; never shown.
    authorization: Option<String>,
    /// See [`SILENCE`].
    silence: Duration,
}

impl Client {
    /// A client of the server at `url`.
    pub(crate) fn new(url: &str, reach: &Reach) -> Result<Client, Trouble> {
        let base = url.trim_end_matches('/').to_owned();
        if !base.starts_with("http://") && !base.starts_with("https://") {
            let change = "write it like https://custody.example.org";
            return Err(Trouble::usage(format!("--server {url}"), "is not a URL", change));
        }
        if !reach.insecure_http && in_clear(&base) {
            let change = "put TLS in front of it and write https://; inside a network that nobody \
                          else is in, --insecure-http";
            let detail = "goes to another machine in clear, the token and all data with it";
            return Err(Trouble::usage(format!("--server {url}"), detail, change));
        }
        let roots = match &reach.ca {
            None => RootCerts::WebPki,
            Some(path) => certificates(path)?,
        };
        let config = https::asking(roots)
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(ANSWER))
            .build();
        let authorization = token(reach)?.map(|token| format!("Bearer {token}"));
        let agent = config.new_agent();
        Ok(Client { agent, base, authorization, silence: SILENCE })
    }

    /// Posts JSON and reads the answer.
    pub(crate) fn ask<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Trouble> {
        let body = serde_json::to_vec(body).map_err(|e| not_ours(&self.base, &e))?;
        let response = self.post(path, "application/json", "application/json", &body)?;
        self.read(response)
    }

    /// Has a custody unit erased, which takes as long as it takes.
    pub(crate) fn erase<T: DeserializeOwned>(&self, order: &impl Serialize) -> Result<T, Trouble> {
        self.patiently("/v1/erasures", order, LOOK_FOR_END)
    }

    /// Has a snapshot expire, which takes as long as it takes.
    pub(crate) fn expire<T: DeserializeOwned>(&self, order: &impl Serialize) -> Result<T, Trouble> {
        self.patiently("/v1/expiries", order, REPEAT)
    }

    /// Hands a document in by itself, a piece at a time.
    pub(crate) fn hand_in_document(&self, digest: &[u8; 32], file: File) -> Result<(), Trouble> {
        let path = format!("/v1/exhibits/{}", to_hex(digest));
        self.send(&path, file, LOOK).map(drop)
    }

    /// Asks for what reads the whole log or vault, which takes as long as it takes.
    pub(crate) fn wait<T: DeserializeOwned>(
        &self,
        path: &str,
        order: &impl Serialize,
    ) -> Result<T, Trouble> {
        self.patiently(path, order, LOOK)
    }

    fn patiently<T: DeserializeOwned>(
        &self,
        path: &str,
        order: &impl Serialize,
        change: &str,
    ) -> Result<T, Trouble> {
        let body = serde_json::to_vec(order).map_err(|e| not_ours(&self.base, &e))?;
        let request = self.posting(path, "application/json", "application/json");
        let request = request.config().timeout_recv_response(Some(LONG_ANSWER)).build();
        let response = request.send(&body).map_err(|e| self.silent(&e, change))?;
        self.read(response)
    }

    /// The signed token of a reservation, again.
    pub(crate) fn token(&self, clearance: &str) -> Result<String, Trouble> {
        let answer = self.get(&format!("/v1/clearances/{}/token", encoded(clearance)))?;
        let token = answer["token"].as_str().map(str::to_owned);
        token.ok_or_else(|| not_ours(&self.base, &"a reservation without its token"))
    }

    /// Looks at something.
    pub(crate) fn get(&self, path: &str) -> Result<Value, Trouble> {
        self.fetch_as(path)
    }

    /// Looks at something that is plain text.
    pub(crate) fn text(&self, path: &str) -> Result<String, Trouble> {
        let mut bytes = Vec::new();
        self.stream(self.fetch(path)?, &mut bytes)?;
        String::from_utf8(bytes).map_err(|e| not_ours(&self.base, &e))
    }

    /// Reads an answer of a known form.
    pub(crate) fn fetch_as<T: DeserializeOwned>(&self, path: &str) -> Result<T, Trouble> {
        let response = self.fetch(path)?;
        self.read(response)
    }

    /// Hands a letter in.
    pub(crate) fn intake(&self, letter: &Letter) -> Result<Received, Trouble> {
        let response = self.hand_in(letter, "application/json")?;
        self.read(response)
    }

    /// Hands a letter in again, which records nothing, and takes its receipt: a token that only
    /// opens intake is enough.
    pub(crate) fn receipt(&self, letter: &Letter, out: &mut dyn Write) -> Result<(), Trouble> {
        let asked = Instant::now();
        loop {
            let response = self.hand_in(letter, ZIP)?;
            let is_receipt = response.headers().get("content-type").is_some_and(|m| m == ZIP);
            if is_receipt || !response.status().is_success() {
                return self.stream(response, out);
            }
            // Recorded, and not signed yet: an agent may just have been unlocked.
            if asked.elapsed() > PATIENCE {
                return Err(not_ours(&self.base, &"there is no receipt yet; ask again"));
            }
            std::thread::sleep(PATIENCE / 25);
        }
    }

    fn hand_in(&self, letter: &Letter, accept: &str) -> Result<Response<Body>, Trouble> {
        let path = match letter.query() {
            query if query.is_empty() => "/v1/intake".to_owned(),
            query => format!("/v1/intake?{query}"),
        };
        self.post(&path, "message/rfc822", accept, &letter.raw)
    }

    /// Sends a body of any length, as `from` gives it, and reads the answer, which takes as long
    /// as it takes. A refusal comes before the first byte.
    pub(crate) fn deliver(&self, path: &str, from: impl Read + 'static) -> Result<Value, Trouble> {
        self.send(path, from, LOOK_INTO_LOG)
    }

    /// `change`: what to do if there is no answer.
    fn send(&self, path: &str, from: impl Read + 'static, change: &str) -> Result<Value, Trouble> {
        // Who is refused hears it before the first byte, and not as a broken line.
        let request =
            self.posting(path, BYTES, "application/json").header("expect", "100-continue");
        let request = request.config();
        let request = request.timeout_recv_response(Some(LONG_ANSWER));
        let request = request.timeout_per_write(Some(self.silence));
        let request = request.timeout_await_100(Some(ANSWER)).build();
        let response = request.send(SendBody::from_owned_reader(from));
        self.read(response.map_err(|e| self.silent(&e, change))?)
    }

    /// A body of any length, as it comes.
    pub(crate) fn take(&self, path: &str) -> Result<impl Read + Send + use<>, Trouble> {
        let response = self.fetch_within(path, LONG_ANSWER, self.silence)?;
        if !response.status().is_success() {
            return Err(self.problem(response));
        }
        Ok(Heard { body: response.into_body().into_reader(), silence: self.silence })
    }

    /// The server's URL.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// Streams a bundle.
    pub(crate) fn bundle(
        &self,
        kind: Bundle,
        id: &str,
        out: &mut dyn Write,
    ) -> Result<(), Trouble> {
        let id = encoded(id);
        let path = match kind {
            Bundle::Receipt => format!("/v1/demands/{id}/receipt"),
            Bundle::Matter(None) => format!("/v1/matters/{id}/bundle"),
            Bundle::Matter(Some(reader)) => format!("/v1/matters/{id}/bundle?for={reader}"),
            Bundle::Certificate => format!("/v1/clearances/{id}/certificate"),
            Bundle::Keys => format!("/v1/keys/{id}/announcement"),
        };
        // Its documents are read through before its first byte.
        let response = self.fetch_within(&path, LONG_ANSWER, LONG_ANSWER)?;
        self.stream(response, out)
    }

    fn stream(&self, mut response: Response<Body>, out: &mut dyn Write) -> Result<(), Trouble> {
        if !response.status().is_success() {
            return Err(self.problem(response));
        }
        let mut body = response.body_mut().as_reader();
        io::copy(&mut body, out).map_err(|e| Trouble::io("fetch the bundle", &e))?;
        Ok(())
    }

    fn fetch(&self, path: &str) -> Result<Response<Body>, Trouble> {
        self.fetch_within(path, ANSWER, self.silence)
    }

    /// `answer`: how long until one begins; `silence`: how long between two bytes.
    fn fetch_within(
        &self,
        path: &str,
        answer: Duration,
        silence: Duration,
    ) -> Result<Response<Body>, Trouble> {
        let mut request = self.agent.get(format!("{}{path}", self.base));
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        let request = request.config().timeout_recv_response(Some(answer));
        let request = request.timeout_per_read(Some(silence)).build();
        request.call().map_err(|e| self.unreachable(format!("no answer: {e}"), LOOK))
    }

    fn post(
        &self,
        path: &str,
        media: &str,
        accept: &str,
        body: &[u8],
    ) -> Result<Response<Body>, Trouble> {
        let request = self.posting(path, media, accept);
        request.send(body).map_err(|e| self.silent(&e, LOOK))
    }

    fn posting(&self, path: &str, media: &str, accept: &str) -> RequestBuilder<WithBody> {
        let request = self.agent.post(format!("{}{path}", self.base));
        let mut request = request.header("content-type", media).header("accept", accept);
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        request
    }

    /// No answer to what may have changed something.
    fn silent(&self, error: &ureq::Error, change: &str) -> Trouble {
        if unheard(error) {
            return self.unreachable(format!("no connection: {error}; nothing was sent"), LOOK);
        }
        let unknown = "whether anything was recorded is unknown";
        self.unreachable(format!("no answer: {error}; {unknown}"), change)
    }

    fn unreachable(&self, detail: String, change: &str) -> Trouble {
        Trouble::failed("server_unreachable", &self.base, detail, change)
    }

    fn read<T: DeserializeOwned>(&self, response: Response<Body>) -> Result<T, Trouble> {
        if !response.status().is_success() {
            return Err(self.problem(response));
        }
        let bytes = limited(response).map_err(|e| Trouble::io("read the server's answer", &e))?;
        serde_json::from_slice(&bytes).map_err(|e| not_ours(&self.base, &e))
    }

    /// The problem that the server states, or that it is none of ours.
    fn problem(&self, response: Response<Body>) -> Trouble {
        let status = response.status();
        let stated: Option<Problem> =
            limited(response).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        match stated {
            Some(problem) if status == 401 => {
                Problem { change: TOKEN.to_owned(), ..problem }.into()
            }
            Some(problem) => problem.into(),
            None => not_ours(&self.base, &format!("HTTP status {status} without a problem")),
        }
    }
}

/// True if the server never heard of it.
fn unheard(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::Io(e) => e.kind() == io::ErrorKind::ConnectionRefused,
        ureq::Error::HostNotFound | ureq::Error::ConnectionFailed => true,
        ureq::Error::Timeout(at) => matches!(at, ureq::Timeout::Resolve | ureq::Timeout::Connect),
        _ => false,
    }
}

fn limited(mut response: Response<Body>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    response.body_mut().as_reader().take(LONGEST_ANSWER).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn not_ours(base: &str, what: &dyn std::fmt::Display) -> Trouble {
    let detail = format!("answered what is no answer of this version of Bailee: {what}");
    Trouble::failed("strange_answer", base, detail, LOOK)
}

/// The certificates in a PEM file.
fn certificates(path: &Path) -> Result<RootCerts, Trouble> {
    let pem = std::fs::read(path)
        .map_err(|e| Trouble::io(format!("read the certificates {}", path.display()), &e))?;
    https::roots(&pem).ok_or_else(|| {
        let change = "give a file with -----BEGIN CERTIFICATE-----";
        Trouble::usage(path.display(), "has no certificate in it", change)
    })
}

/// Percent-encodes all but letters, digits, `-`, `.` and `_`.
pub(crate) fn encoded(text: impl AsRef<[u8]>) -> String {
    https::encoded(text, b"-._")
}

#[cfg(test)]
mod tests {
    use super::encoded;

    #[test]
    fn what_is_typed_cannot_change_the_query() {
        assert_eq!(encoded("epoc-pr"), "epoc-pr");
        assert_eq!(encoded("a&silent=false"), "a%26silent%3Dfalse");
    }
}
