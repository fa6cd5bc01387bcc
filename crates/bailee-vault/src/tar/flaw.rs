//! Why an archive is not taken: the first thing that is wrong with it, and where.

use crate::error::VaultError;

/// Why an archive is not taken.
#[derive(Debug)]
pub(crate) enum Flaw {
    /// The stream could not be read.
    Read(std::io::Error),
    /// It is no whole archive, or has what cannot be kept.
    Archive { at: u64, what: String },
}

impl std::fmt::Display for Flaw {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Read(e) => e.fmt(f),
            Self::Archive { what, .. } => f.write_str(what),
        }
    }
}

impl Flaw {
    /// As an error about the archive that people call `name`.
    pub(crate) fn of(self, name: &str) -> VaultError {
        match self {
            Self::Read(e) => unread(name, &e),
            Self::Archive { at, what } => {
                VaultError::Archive { name: name.to_owned(), at, detail: what }
            }
        }
    }
}

/// A stream that failed before its end.
pub(crate) fn unread(name: &str, e: &std::io::Error) -> VaultError {
    let (path, detail) = (name.to_owned(), e.to_string());
    VaultError::Source { path, doing: "read it to its end", detail }
}
