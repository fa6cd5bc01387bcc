//! Streams: answers too large to be held, sent while they are made.
//!
//! Invariants: the maker runs on a thread of its own and waits when the client is slow, so that a
//! few pieces are in memory, never the whole; if it fails before the first byte, that is the
//! answer; if it fails later, the connection is cut, and what the client has is not a whole
//! archive and does not verify. A client that goes away ends the maker at its next piece.

use std::io::{self, Write};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread;

use axum::body::Bytes;
use hyper::body::{Body, Frame};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::api::Problem;

/// Bytes of a piece.
const PIECE: usize = 256 * 1024;
/// Pieces that wait for the client.
const WAITING: usize = 4;

/// A piece, the end, or why there is none.
type Made = Result<Option<Bytes>, Problem>;

/// Bytes on their way from a maker.
#[derive(Debug)]
pub(crate) struct Stream {
    first: Option<Bytes>,
    rest: Receiver<Made>,
    ended: bool,
}

impl Stream {
    /// Starts the maker and waits for its first piece. Call it on a thread that may wait.
    ///
    /// # Errors
    /// Whatever stops the maker before that.
    pub(crate) fn begin(
        make: impl FnOnce(&mut dyn Write) -> Result<(), Problem> + Send + 'static,
    ) -> Result<Stream, Problem> {
        let (sender, mut rest) = channel(WAITING);
        let maker = move || {
            let mut pieces = Pieces { held: Vec::with_capacity(PIECE), sender };
            let made = make(&mut pieces)
                .and_then(|()| pieces.flush().map_err(|e| stopped(&e.to_string())));
            // Nobody listens any more: then nobody misses it.
            _ = pieces.sender.blocking_send(made.map(|()| None));
        };
        let started = thread::Builder::new().name("answer".into()).spawn(maker);
        started.map_err(|e| stopped(&e.to_string()))?;
        match rest.blocking_recv() {
            Some(Ok(Some(first))) => Ok(Stream { first: Some(first), rest, ended: false }),
            Some(Err(problem)) => Err(problem),
            Some(Ok(None)) | None => Err(stopped("it ended without a byte")),
        }
    }
}

fn stopped(why: &str) -> Problem {
    Problem::failure("answer_failed", "the answer", format!("stopped: {why}"))
}

impl Body for Stream {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        if self.ended {
            return Poll::Ready(None);
        }
        let made = std::task::ready!(self.rest.poll_recv(context));
        // A maker that panicked is gone without a word.
        Poll::Ready(match made.unwrap_or_else(|| Err(stopped("its thread ended"))) {
            Ok(Some(bytes)) => Some(Ok(Frame::data(bytes))),
            Ok(None) => {
                self.ended = true;
                None
            }
            Err(problem) => {
                self.ended = true;
                tracing::error!(code = problem.code, detail = problem.detail, "a stream broke");
                Some(Err(io::Error::other("the answer could not be made to its end")))
            }
        })
    }
}

/// Gathers what the maker writes into pieces.
struct Pieces {
    held: Vec<u8>,
    sender: Sender<Made>,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(PIECE - self.held.len());
        self.held.extend_from_slice(&bytes[..taken]);
        if self.held.len() == PIECE {
            self.flush()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.held.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.held, Vec::with_capacity(PIECE));
        let gone = |_| io::Error::new(io::ErrorKind::BrokenPipe, "the client went away");
        self.sender.blocking_send(Ok(Some(Bytes::from(piece)))).map_err(gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything that comes out, and whether it came to its end.
    fn drained(mut stream: Stream) -> (Vec<u8>, bool) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut next =
            || runtime.block_on(std::future::poll_fn(|cx| Pin::new(&mut stream).poll_frame(cx)));
        let mut all = Vec::new();
        while let Some(piece) = next() {
            match piece {
                Ok(frame) => all.extend_from_slice(&frame.into_data().unwrap()),
                Err(_) => return (all, false),
            }
        }
        (all, true)
    }

    fn refused() -> Problem {
        Problem::not_found("M-9")
    }

    #[test]
    fn all_of_it_comes_in_order() {
        let whole: Vec<u8> = (0..3 * PIECE + 7).map(|n| n as u8).collect();
        let sent = whole.clone();
        let write = move |out: &mut dyn Write| out.write_all(&sent).map_err(|_| refused());
        assert_eq!(drained(Stream::begin(write).unwrap()), (whole, true));
    }

    #[test]
    fn a_failure_before_the_first_byte_is_the_answer_and_later_cuts_it_off() {
        let problem = Stream::begin(|_| Err(refused())).unwrap_err();
        assert_eq!(problem.status, 404);
        let late = |out: &mut dyn Write| {
            out.write_all(&vec![1; PIECE]).map_err(|_| refused())?;
            Err(refused())
        };
        let (bytes, whole) = drained(Stream::begin(late).unwrap());
        assert_eq!((bytes.len(), whole), (PIECE, false));
    }

    #[test]
    fn a_maker_that_panics_cuts_it_off() {
        let panics = |out: &mut dyn Write| {
            out.write_all(&vec![1; PIECE]).map_err(|_| refused())?;
            panic!("in a test")
        };
        let (bytes, whole) = drained(Stream::begin(panics).unwrap());
        assert_eq!((bytes.len(), whole), (PIECE, false));
    }

    #[test]
    fn a_client_that_goes_away_ends_the_maker() {
        let (told, ended) = std::sync::mpsc::channel();
        let write = move |out: &mut dyn Write| {
            let mut wrote = Ok(());
            while wrote.is_ok() {
                wrote = out.write_all(&vec![1; PIECE]);
            }
            told.send(wrote.unwrap_err().kind()).unwrap();
            Ok(())
        };
        drop(Stream::begin(write).unwrap());
        assert_eq!(ended.recv().unwrap(), io::ErrorKind::BrokenPipe);
    }
}
