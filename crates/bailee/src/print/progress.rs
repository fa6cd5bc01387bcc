//! A line on standard error that says how far something is; only on a terminal.
//!
//! Out of scope: the answer. Whoever reads standard error from a pipe gets remarks, not progress.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use super::bytes;

/// How often the line is written anew.
const EVERY: Duration = Duration::from_millis(200);

/// A line that is written over and over.
pub(crate) struct Bar {
    began: Instant,
    last: Option<Instant>,
    shown: bool,
}

impl Bar {
    /// A line that appears with the first progress, if standard error is a terminal.
    pub(crate) fn new() -> Bar {
        Bar { began: Instant::now(), last: None, shown: io::stderr().is_terminal() }
    }

    /// Bytes done of how many (0: not known).
    pub(crate) fn bytes(&mut self, doing: &str, done: u64, total: u64) {
        let rate = done as f64 / self.began.elapsed().as_secs_f64().max(0.001);
        let part = match total {
            0 => String::new(),
            _ => format!(" {:>3} % of {}", done.saturating_mul(100) / total, bytes(total)),
        };
        self.line(&format!("{doing}: {}{part}, {}/s", bytes(done), bytes(rate as u64)));
    }

    /// Things done of how many.
    pub(crate) fn count(&mut self, doing: &str, done: u64, total: u64) {
        self.line(&format!("{doing}: {done} of {total}"));
    }

    fn line(&mut self, text: &str) {
        let now = Instant::now();
        if !self.shown || self.last.is_some_and(|last| now - last < EVERY) {
            return;
        }
        self.last = Some(now);
        // Progress that cannot be shown is not missed.
        _ = write!(io::stderr(), "\r{text}\u{1b}[K");
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if self.last.is_some() {
            _ = write!(io::stderr(), "\r\u{1b}[K");
        }
    }
}

impl bailee_server::vault::Progress for Bar {
    fn advance(&mut self, files: u64, bytes: u64) {
        self.bytes(&format!("preserving, {files} files"), bytes, 0);
    }
}
