//! How far a long operation is, for whoever waits for it.

/// Hears how far a long operation is.
pub trait Progress {
    /// So far done: files, and bytes of their content.
    fn advance(&mut self, files: u64, bytes: u64);
    /// Something else begins, of so many bytes; what is done counts from zero.
    fn begin(&mut self, _doing: &'static str, _bytes: u64) {}
}

/// Nobody listens.
impl Progress for () {
    fn advance(&mut self, _files: u64, _bytes: u64) {}
}
