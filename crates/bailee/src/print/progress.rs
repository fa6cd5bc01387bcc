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
    /// What is being done, and of how many bytes (0: not known).
    doing: (&'static str, u64),
}

impl Bar {
    /// A line that appears with the first progress, if standard error is a terminal.
    pub(crate) fn new() -> Bar {
        let (began, shown) = (Instant::now(), io::stderr().is_terminal());
        Bar { began, last: None, shown, doing: ("preserving", 0) }
    }

    /// Bytes done of how many (0: not known).
    pub(crate) fn bytes(&mut self, doing: &str, done: u64, total: u64) {
        if !self.is_due() {
            return;
        }
        let elapsed = self.began.elapsed();
        let rate = done as f64 / elapsed.as_secs_f64().max(0.001);
        let part = match total {
            0 => String::new(),
            _ => format!(" {:>3} % of {}", done.saturating_mul(100) / total, bytes(total)),
        };
        let left = left(elapsed, done, total);
        self.line(&format!("{doing}: {}{part}, {}/s{left}", bytes(done), bytes(rate as u64)));
    }

    /// Things done of how many.
    pub(crate) fn count(&mut self, doing: &str, done: u64, total: u64) {
        self.line(&format!("{doing}: {done} of {total}"));
    }

    /// Whoever restores many small files calls often, and a line costs more than a file.
    fn is_due(&self) -> bool {
        self.shown && self.last.is_none_or(|last| last.elapsed() >= EVERY)
    }

    fn line(&mut self, text: &str) {
        if !self.is_due() {
            return;
        }
        self.last = Some(Instant::now());
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

/// How long it will take, once that can be told.
fn left(elapsed: Duration, done: u64, total: u64) -> String {
    if done == 0 || done >= total || elapsed < Duration::from_secs(1) {
        return String::new();
    }
    let left = elapsed.as_secs_f64() * (total - done) as f64 / done as f64;
    match left as u64 {
        seconds @ 0..120 => format!(", {seconds} s left"),
        seconds @ 120..7200 => format!(", {} min left", seconds / 60),
        seconds => format!(", {} h left", seconds / 3600),
    }
}

impl bailee_server::vault::Progress for Bar {
    fn advance(&mut self, files: u64, bytes: u64) {
        let (doing, total) = self.doing;
        match files {
            0 => self.bytes(doing, bytes, total),
            _ => self.bytes(&format!("{doing}, {files} files"), bytes, total),
        }
    }

    fn begin(&mut self, doing: &'static str, bytes: u64) {
        self.doing = (doing, bytes);
        self.began = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_is_told_once_it_can_be_known() {
        let after = |seconds, done, total| left(Duration::from_secs(seconds), done, total);
        assert_eq!(after(10, 10, 100), ", 90 s left");
        assert_eq!(after(600, 10, 100), ", 90 min left");
        assert_eq!(after(7200, 10, 100), ", 18 h left");
        for none in [after(0, 10, 100), after(10, 0, 100), after(10, 100, 100), after(10, 5, 0)] {
            assert_eq!(none, "");
        }
    }
}
