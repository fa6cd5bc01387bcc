//! A product: what was asked for is on standard output itself (data, receipts, tokens, scripts).
//!
//! Invariants: [`Product::end`] is a yes only after every byte was taken; a reader that left is
//! told apart from a failure of the medium, also through callers that keep only an error's words.

use std::io::{self, ErrorKind, StdoutLock, Write};

use crate::trouble::Trouble;

/// Standard output, on which nothing else is written meanwhile.
pub(crate) struct Product {
    out: StdoutLock<'static>,
    left: bool,
}

impl Product {
    /// Takes standard output.
    pub(crate) fn open() -> Product {
        Product { out: io::stdout().lock(), left: false }
    }

    /// Writes some of it.
    pub(crate) fn put(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        self.write_all(bytes).map_err(|e| Trouble::unread(&e))
    }

    /// That was all of it.
    pub(crate) fn end(&mut self) -> Result<(), Trouble> {
        self.flush().map_err(|e| Trouble::unread(&e))
    }

    /// True if the reader left.
    pub(crate) fn left(&self) -> bool {
        self.left
    }

    fn seen<T>(&mut self, done: io::Result<T>) -> io::Result<T> {
        self.left |= done.as_ref().is_err_and(|e| e.kind() == ErrorKind::BrokenPipe);
        done
    }
}

impl Write for Product {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let done = self.out.write(bytes);
        self.seen(done)
    }

    fn flush(&mut self) -> io::Result<()> {
        let done = self.out.flush();
        self.seen(done)
    }
}
