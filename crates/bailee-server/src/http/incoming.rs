//! Bodies that are worked on while they come: data on its way into the vault, large documents.
//!
//! Invariants
//! 1. A body that is cut, falls silent, or comes while the service ends, is an error to whoever
//!    reads it, and stays one; its end is only what the client ended.
//! 2. Not one byte is asked for before somebody reads: a client that waits for `100 Continue` is
//!    refused without having sent anything.
//! 3. A few pieces wait, never the whole; a slow reader slows the client down and is no silence.
//! 4. What is left of a body that is refused in its middle is taken and thrown away for a while,
//!    for a client that sends does not listen.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use tokio::runtime::Handle;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::api::Problem;
use crate::http::body;

/// Longest silence in the middle: a disk that struggles over a bad place, a dump that sorts.
const SILENCE: Duration = Duration::from_secs(120);
/// How long the rest of a refused body is taken.
const REST: Duration = Duration::from_secs(30);
/// Pieces that wait for the reader; the connection gives them in up to 16 KiB.
const WAITING: usize = 64;

/// Why a body has no end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Broke {
    /// The client, or the network, is gone.
    Cut(String),
    /// Nothing came for [`SILENCE`].
    Silent,
    /// The service was told to end.
    Ending,
}

impl From<Broke> for Problem {
    fn from(broke: Broke) -> Problem {
        match broke {
            Broke::Cut(detail) => Problem::bad_request("the body", detail),
            Broke::Silent => body::too_slow(),
            Broke::Ending => {
                let detail = "ends; nothing was recorded";
                let change = "ask again when it runs: what came already is not stored twice";
                Problem::new(503, "unavailable", "the service", detail, change)
            }
        }
    }
}

/// A body nobody has asked for yet.
#[derive(Debug)]
pub(crate) struct Flow {
    body: Body,
    ending: watch::Receiver<bool>,
    silence: Duration,
}

enum Piece {
    Bytes(Bytes),
    Last(Result<(), Broke>),
}

/// A body as a reader. Clones share it.
#[derive(Clone)]
pub(crate) struct Incoming(Arc<Mutex<Inner>>);

struct Inner {
    waiting: Option<(Flow, Handle)>,
    pieces: Option<Receiver<Piece>>,
    held: Bytes,
    last: Option<Result<(), Broke>>,
}

impl Flow {
    /// `ending`: whether the service was told to end.
    pub(crate) fn new(body: Body, ending: watch::Receiver<bool>) -> Flow {
        Flow { body, ending, silence: SILENCE }
    }

    /// A reader; call it on a thread of the service.
    pub(crate) fn reader(self) -> Incoming {
        let waiting = Some((self, Handle::current()));
        let inner = Inner { waiting, pieces: None, held: Bytes::new(), last: None };
        Incoming(Arc::new(Mutex::new(inner)))
    }

    /// Moves pieces to the reader until one is the last.
    async fn pump(mut self, sender: Sender<Piece>) {
        loop {
            let piece = tokio::select! {
                _ = self.ending.wait_for(|ending| *ending) => Piece::Last(Err(Broke::Ending)),
                next = timeout(self.silence, body::next(&mut self.body)) => match next {
                    Err(_) => Piece::Last(Err(Broke::Silent)),
                    Ok(Ok(Some(bytes))) => Piece::Bytes(bytes),
                    Ok(Ok(None)) => Piece::Last(Ok(())),
                    Ok(Err(problem)) => Piece::Last(Err(Broke::Cut(problem.detail))),
                },
            };
            let is_last = matches!(piece, Piece::Last(_));
            if sender.send(piece).await.is_err() || is_last {
                return;
            }
        }
    }
}

impl Incoming {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why nothing came of it: what ended the body counts before what followed from it.
    pub(crate) fn refused(&self, error: impl Into<Problem>) -> Problem {
        match self.broke() {
            None => {
                self.discard();
                error.into()
            }
            Some(broke) => {
                tracing::warn!(?broke, "a body did not come to its end; nothing was recorded");
                broke.into()
            }
        }
    }

    /// Why it has no end, if that is known.
    fn broke(&self) -> Option<Broke> {
        self.inner().last.clone().and_then(Result::err)
    }

    /// Takes and throws away what is left, for a while.
    fn discard(&self) {
        let inner = &mut *self.inner();
        let (None, Some(pieces)) = (&inner.last, &mut inner.pieces) else { return };
        let rest = async { while let Some(Piece::Bytes(_)) = pieces.recv().await {} };
        // Whether it came to its end does not matter: it is refused.
        _ = Handle::current().block_on(async { timeout(REST, rest).await });
    }
}

impl Inner {
    fn next(&mut self) -> Piece {
        if let Some((flow, handle)) = self.waiting.take() {
            let (sender, pieces) = channel(WAITING);
            handle.spawn(flow.pump(sender));
            self.pieces = Some(pieces);
        }
        let next = self.pieces.as_mut().and_then(Receiver::blocking_recv);
        let lost = || Piece::Last(Err(Broke::Cut("was lost in the service".to_owned())));
        next.unwrap_or_else(lost)
    }
}

impl Read for Incoming {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let mut inner = self.inner();
        while inner.held.is_empty() {
            match &inner.last {
                Some(Ok(())) => return Ok(0),
                Some(Err(broke)) => {
                    return Err(io::Error::other(Problem::from(broke.clone()).detail));
                }
                None => {}
            }
            match inner.next() {
                Piece::Bytes(bytes) => inner.held = bytes,
                Piece::Last(last) => inner.last = Some(last),
            }
        }
        let n = room.len().min(inner.held.len());
        room[..n].copy_from_slice(&inner.held.split_to(n));
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use hyper::body::Frame;
    use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

    use super::*;

    /// A body that gives what it is told to, when it is told.
    struct Told(UnboundedReceiver<io::Result<Bytes>>);

    impl hyper::body::Body for Told {
        type Data = Bytes;
        type Error = io::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
            self.0.poll_recv(context).map(|next| next.map(|piece| piece.map(Frame::data)))
        }
    }

    type Teller = UnboundedSender<io::Result<Bytes>>;

    fn told(ending: &watch::Sender<bool>) -> (Teller, Incoming) {
        let (teller, pieces) = unbounded_channel();
        let flow = Flow::new(Body::new(Told(pieces)), ending.subscribe());
        (teller, flow.reader())
    }

    async fn read(mut incoming: Incoming) -> io::Result<Vec<u8>> {
        let read = move || {
            let mut all = Vec::new();
            incoming.read_to_end(&mut all).map(|_| all)
        };
        tokio::task::spawn_blocking(read).await.unwrap()
    }

    #[tokio::test]
    async fn what_comes_is_read_and_a_body_that_is_cut_is_never_at_its_end() {
        let ending = watch::Sender::new(false);
        let (teller, whole) = told(&ending);
        for piece in ["one ", "and ", "two"] {
            teller.send(Ok(Bytes::from(piece))).unwrap();
        }
        drop(teller);
        assert_eq!(read(whole).await.unwrap(), b"one and two");
        let (teller, cut) = told(&ending);
        teller.send(Ok(Bytes::from("one"))).unwrap();
        teller.send(Err(io::Error::other("gone"))).unwrap();
        assert!(read(cut.clone()).await.unwrap_err().to_string().contains("gone"));
        assert!(read(cut.clone()).await.is_err(), "and it stays so");
        assert!(matches!(cut.broke(), Some(Broke::Cut(_))));
    }

    #[tokio::test]
    async fn a_service_that_ends_ends_what_comes_in() {
        let ending = watch::Sender::new(false);
        let (teller, incoming) = told(&ending);
        teller.send(Ok(Bytes::from("one"))).unwrap();
        let reading = tokio::spawn(read(incoming.clone()));
        tokio::task::yield_now().await;
        ending.send_replace(true);
        assert!(reading.await.unwrap().is_err());
        assert_eq!(incoming.broke(), Some(Broke::Ending));
    }

    #[tokio::test]
    async fn silence_ends_a_body() {
        let (ending, (_teller, pieces)) = (watch::Sender::new(false), unbounded_channel());
        let flow = Flow::new(Body::new(Told(pieces)), ending.subscribe());
        let incoming = Flow { silence: Duration::from_millis(30), ..flow }.reader();
        assert!(read(incoming.clone()).await.is_err());
        assert_eq!(incoming.broke(), Some(Broke::Silent));
    }
}
