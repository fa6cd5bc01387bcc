//! Bodies: no larger than the route allows, no slower than [`PATIENCE`], and not many large ones
//! at once.
//!
//! Why it is safe: a length announced above the limit is refused before a byte is read; one that is
//! not announced is counted while it comes in; beyond [`SMALL`] a body needs one of a few places,
//! so that memory is bounded by places x largest body, whatever strangers send.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_LENGTH;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use crate::api::Problem;

/// Bodies up to this size need no place.
pub(crate) const SMALL: usize = 1 << 20;
/// Longest silence in the middle of a body.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);
/// Longest time for a whole body.
const WHOLE: Duration = Duration::from_secs(600);

/// A body that was read, and the place it takes while it is worked on.
#[derive(Debug, Default)]
pub(crate) struct Read {
    pub(crate) bytes: Vec<u8>,
    pub(crate) place: Option<OwnedSemaphorePermit>,
}

/// Reads a body of at most `most` bytes.
pub(crate) async fn read(
    headers: &HeaderMap,
    mut body: Body,
    most: usize,
    places: &Arc<Semaphore>,
) -> Result<Read, Problem> {
    let announced =
        headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let announced: usize = announced.unwrap_or(0);
    if announced > most {
        return Err(too_large(most));
    }
    let mut read = Read { bytes: Vec::with_capacity(announced.min(SMALL)), place: None };
    let end = Instant::now() + WHOLE;
    loop {
        let limit = end.min(Instant::now() + PATIENCE);
        let frame = timeout_at(limit, next(&mut body)).await.map_err(|_| too_slow())?;
        let Some(bytes) = frame? else { return Ok(read) };
        if read.bytes.len() + bytes.len() > most {
            return Err(too_large(most));
        }
        if read.place.is_none() && read.bytes.len() + bytes.len() > SMALL {
            read.place = Some(places.clone().try_acquire_owned().map_err(|_| busy())?);
            // Once, and not by doubling: a large body must not stand in memory twice.
            read.bytes.reserve_exact(announced.saturating_sub(read.bytes.len()));
        }
        read.bytes.extend_from_slice(&bytes);
    }
}

/// The next bytes; `None` at the end.
pub(crate) async fn next(body: &mut Body) -> Result<Option<Bytes>, Problem> {
    loop {
        let frame = std::future::poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await;
        match frame {
            None => return Ok(None),
            Some(Ok(frame)) => {
                if let Ok(bytes) = frame.into_data() {
                    return Ok(Some(bytes));
                }
            }
            Some(Err(error)) => {
                let detail = format!("ended too early: {error}");
                return Err(Problem::bad_request("the body", detail));
            }
        }
    }
}

fn too_large(most: usize) -> Problem {
    let detail = format!("has more than {most} bytes, the most this route takes");
    Problem::new(413, "body_too_large", "the body", detail, "split it, or send it as a file")
}

pub(crate) fn too_slow() -> Problem {
    let detail = "came too slowly and was given up";
    Problem::new(408, "body_too_slow", "the body", detail, "send it again without a pause")
}

/// No room now.
pub(crate) fn busy() -> Problem {
    let detail = "has no room for this request now";
    Problem::new(503, "busy", "the service", detail, "ask again in a second")
}
