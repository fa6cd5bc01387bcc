//! The log of a run: JSON lines, appended, durable where it matters.
//!
//! Order: `intent` is durable before the gate is asked, `begun` before the first write, each
//! `synced` after the medium confirmed the bytes it names, `finished` or `stopped` at the end. A
//! machine that freezes between leaves a file whose last line says how far the run surely came;
//! bytes beyond may be gone, too.
//!
//! Invariant: lines are only appended (O_APPEND), one `write` each. Several runs may share a file;
//! the SHA-256 is over the lines of this run.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::error::SanitizeError;
use crate::span::Span;

/// What a line says.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Event {
    /// A run is about to ask the gate.
    Intent {
        clearance: u32,
        disposition: u32,
        asset: u32,
        origin: String,
        subject: String,
        identity: String,
        path: String,
        seed: String,
        tool: &'static str,
    },
    /// Nothing was or will be written.
    Abandoned { code: &'static str, detail: String },
    /// The next thing that happens is a write.
    Begun { io: String },
    /// These bytes are the pattern now, durably.
    Synced { spans: Vec<Span> },
    /// The pass ended early; `unwritable` bytes are in an unknown state.
    Stopped { code: &'static str, detail: String, written: Vec<Span>, unwritable: Vec<Span> },
    /// The pass reached its end, and was read back or not.
    Finished {
        achieved: &'static str,
        verified: &'static str,
        unwritable: Vec<Span>,
        mismatched: Vec<Span>,
        unreadable: Vec<Span>,
    },
}

#[derive(Serialize)]
struct Line<'a> {
    at: i64,
    #[serde(flatten)]
    event: &'a Event,
}

/// An open log.
pub(crate) struct Log {
    file: File,
    path: PathBuf,
    digest: Sha256,
}

impl Log {
    /// Opens or creates the file, and makes its name durable.
    pub(crate) fn open(path: &Path) -> Result<Log, SanitizeError> {
        let open = || -> io::Result<File> {
            let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
            let parent = path.parent().filter(|p| !p.as_os_str().is_empty());
            File::open(parent.unwrap_or(Path::new(".")))?.sync_all()?;
            Ok(file)
        };
        match open() {
            Ok(file) => Ok(Log { file, path: path.into(), digest: Sha256::new() }),
            Err(source) => Err(SanitizeError::Log { path: path.into(), source }),
        }
    }

    /// The descriptor, to tell it from the device.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Appends a line and returns when it survives power loss.
    pub(crate) fn append(&mut self, at: i64, event: &Event) -> io::Result<()> {
        let mut line = serde_json::to_vec(&Line { at, event })?;
        line.push(b'\n');
        self.file.write_all(&line)?;
        self.digest.update(&line);
        self.file.sync_data()
    }

    /// Like [`Log::append`], as a refusal before the first write.
    pub(crate) fn append_first(&mut self, at: i64, event: &Event) -> Result<(), SanitizeError> {
        let path = self.path.clone();
        self.append(at, event).map_err(|source| SanitizeError::Log { path, source })
    }

    /// SHA-256 of the lines so far.
    pub(crate) fn sha256(&self) -> [u8; 32] {
        self.digest.clone().finalize().into()
    }
}
