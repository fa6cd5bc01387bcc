//! Bodies that stream in: read by the handler's thread while they arrive, a few pieces in memory.
//!
//! Invariants: no silence in the middle is longer than [`PATIENCE`]; a body that breaks off is an
//! error to its reader, never its end; nothing is asked for before the handler reads, so that who
//! is refused is refused unread; a handler that stops reading ends the transfer.

use std::io::{self, Read};

use axum::body::{Body, Bytes};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use crate::api::Problem;
use crate::http::body::{PATIENCE, next, too_slow};

/// Pieces that wait for the handler.
const WAITING: usize = 4;

type Piece = Result<Bytes, Problem>;

/// A body on its way in.
#[derive(Debug)]
pub(crate) struct Inflow {
    /// Says that somebody reads.
    begin: Option<oneshot::Sender<()>>,
    pieces: Receiver<Piece>,
    held: Bytes,
    /// What broke it off, if something did.
    pub(crate) broken: Option<Problem>,
}

/// The end that [`pump`] feeds.
#[derive(Debug)]
pub(crate) struct Source {
    begun: oneshot::Receiver<()>,
    to: Sender<Piece>,
}

/// The two ends: one that is fed, one that is read.
pub(crate) fn pipe() -> (Source, Inflow) {
    let ((begin, begun), (to, pieces)) = (oneshot::channel(), channel(WAITING));
    let begin = Some(begin);
    (Source { begun, to }, Inflow { begin, pieces, held: Bytes::new(), broken: None })
}

/// Feeds a body to its reader, from when it reads until either ends.
pub(crate) async fn pump(mut body: Body, Source { begun, to }: Source) {
    if begun.await.is_err() {
        return;
    }
    loop {
        let piece = match timeout_at(Instant::now() + PATIENCE, next(&mut body)).await {
            Err(_) => Err(too_slow()),
            Ok(Ok(None)) => return,
            Ok(Ok(Some(bytes))) => Ok(bytes),
            Ok(Err(problem)) => Err(problem),
        };
        let broken = piece.is_err();
        if to.send(piece).await.is_err() || broken {
            return;
        }
    }
}

impl Read for Inflow {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        if let Some(begin) = self.begin.take() {
            // Nobody feeds it any more: then there are no pieces either.
            _ = begin.send(());
        }
        while self.held.is_empty() {
            match self.pieces.blocking_recv() {
                None if self.broken.is_some() => return Err(io::Error::other("it broke off")),
                None => return Ok(0),
                Some(Ok(bytes)) => self.held = bytes,
                Some(Err(problem)) => {
                    let error = io::Error::other(problem.detail.clone());
                    self.broken = Some(problem);
                    return Err(error);
                }
            }
        }
        let n = room.len().min(self.held.len());
        room[..n].copy_from_slice(&self.held.split_to(n));
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_come_in_order_and_a_break_is_no_end() {
        let (Source { to: sender, .. }, mut inflow) = pipe();
        sender.blocking_send(Ok(Bytes::from_static(b"one "))).unwrap();
        sender.blocking_send(Ok(Bytes::from_static(b"two"))).unwrap();
        drop(sender);
        let mut all = String::new();
        inflow.read_to_string(&mut all).unwrap();
        assert_eq!(all, "one two");

        let (Source { to: sender, .. }, mut inflow) = pipe();
        sender.blocking_send(Ok(Bytes::from_static(b"half"))).unwrap();
        sender.blocking_send(Err(too_slow())).unwrap();
        drop(sender);
        let mut some = Vec::new();
        assert!(inflow.read_to_end(&mut some).is_err(), "a break was taken for the end");
        assert!(inflow.read(&mut [0; 8]).is_err(), "and stays one");
        assert_eq!((some.as_slice(), inflow.broken.unwrap().status), (&b"half"[..], 408));
    }
}
