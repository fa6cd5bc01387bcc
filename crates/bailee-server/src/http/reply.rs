//! Replies: status, media type, caching and bytes of an answer.
//!
//! Invariants: nothing is cached unless its route says so; a problem is `application/problem+json`
//! whoever speaks it; an unauthenticated request learns how to authenticate and nothing else.

use axum::body::Body;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{Response, StatusCode};
use serde::Serialize;

use crate::api::Problem;
use crate::api::problem::PROBLEM_JSON;
use crate::http::stream::Stream;

pub(crate) const JSON: &str = "application/json";
pub(crate) const TEXT: &str = "text/plain; charset=utf-8";
pub(crate) const ZIP: &str = "application/zip";
pub(crate) const BYTES: &str = "application/octet-stream";

/// How long others may keep an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cache {
    /// Not at all.
    Never,
    /// For ever: these bytes never change.
    Forever,
}

/// An answer on its way out.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) media: &'static str,
    pub(crate) cache: Cache,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Content,
}

/// What an answer says.
#[derive(Debug)]
pub(crate) enum Content {
    /// Ready bytes.
    Bytes(Vec<u8>),
    /// Bytes that are still being made.
    Stream(Stream),
}

impl Reply {
    pub(crate) fn bytes(media: &'static str, body: Vec<u8>) -> Reply {
        let body = Content::Bytes(body);
        Reply { status: 200, media, cache: Cache::Never, headers: Vec::new(), body }
    }

    pub(crate) fn stream(media: &'static str, body: Stream) -> Reply {
        let body = Content::Stream(body);
        Reply { status: 200, media, cache: Cache::Never, headers: Vec::new(), body }
    }

    pub(crate) fn json(status: u16, value: &impl Serialize) -> Result<Reply, Problem> {
        let body = serde_json::to_vec(value)
            .map_err(|e| Problem::failure("answer_failed", "the answer", e.to_string()))?;
        Ok(Reply { status, ..Reply::bytes(JSON, body) })
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Reply {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn forever(mut self) -> Reply {
        self.cache = Cache::Forever;
        self
    }
}

impl From<Reply> for Response<Body> {
    fn from(reply: Reply) -> Response<Body> {
        let body = match reply.body {
            Content::Bytes(bytes) => Body::from(bytes),
            Content::Stream(stream) => Body::new(stream),
        };
        let mut response = Response::new(body);
        *response.status_mut() =
            StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(reply.media));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        let cache = match reply.cache {
            Cache::Never => "no-store",
            Cache::Forever => "public, max-age=31536000, immutable",
        };
        headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
        for (name, value) in reply.headers {
            // A value that cannot stand in a header is left out: the body says it too.
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        response
    }
}

/// A problem as an answer.
pub(crate) fn problem(problem: &Problem) -> Response<Body> {
    let body = serde_json::to_vec(problem).unwrap_or_default();
    let reply = Reply { status: problem.status, ..Reply::bytes(PROBLEM_JSON, body) };
    let mut response = Response::from(reply);
    if problem.status == 401 {
        let how = HeaderValue::from_static("Bearer realm=\"bailee\"");
        response.headers_mut().insert(WWW_AUTHENTICATE, how);
    }
    if let Some(seconds) = problem.after.or((problem.status == 503).then_some(1)) {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}
