//! What a monitor has seen, in its directory: `seen.json`, and `proof-…` files.
//!
//! Invariants: the file is replaced whole (written aside, synced, renamed, directory synced), so a
//! crash leaves the old state or the new; the tree in it is the one its checkpoint signs; a proof
//! is put once under the hash of its bytes and never replaced.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::Path;

use bailee_ledger::frontier::Frontier;
use bailee_ledger::hash::sha256;
use bailee_ledger::{Checkpoint, Hash, Note, hash_from_hex, to_hex};
use serde::{Deserialize, Serialize};

use crate::monitor::MonitorError;

const FILE: &str = "seen.json";

/// What was seen last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The log.
    pub origin: String,
    /// The newest checkpoint whose tree was recomputed.
    pub note: Option<Note>,
    /// The edge of its tree.
    pub(super) edge: Frontier,
    /// Unix seconds at which it was first seen; when the monitor began, before the first.
    pub grown_at: u64,
    /// Witnesses that were ahead of the log at the last look, with their sizes.
    pub(super) ahead: BTreeMap<String, u64>,
    /// The alarms that were told last, so that nobody is told twice.
    pub told: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    origin: String,
    checkpoint: Option<String>,
    peaks: Vec<String>,
    grown_at: u64,
    ahead: BTreeMap<String, u64>,
    told: Vec<String>,
}

impl Seen {
    /// Leaves of the tree seen last.
    pub fn size(&self) -> u64 {
        self.edge.size()
    }

    /// Reads the state of a directory; a new one has seen nothing.
    pub(super) fn read(dir: &Path, origin: &str, now: u64) -> Result<Seen, MonitorError> {
        let path = dir.join(FILE);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                fs::create_dir_all(dir).map_err(|e| io("create", dir, &e))?;
                let new = Seen {
                    origin: origin.to_owned(),
                    note: None,
                    edge: Frontier::default(),
                    grown_at: now,
                    ahead: BTreeMap::new(),
                    told: Vec::new(),
                };
                // Silence counts from here, also of a log that never answers.
                new.write(dir)?;
                return Ok(new);
            }
            Err(error) => return Err(io("read", &path, &error)),
        };
        let wrong = |detail: String| MonitorError::State { path: path.clone(), detail };
        let form: Form = serde_json::from_slice(&bytes).map_err(|e| wrong(e.to_string()))?;
        if form.origin != origin {
            let detail =
                format!("it has seen {}, not {origin}: use another directory", form.origin);
            return Err(wrong(detail));
        }
        let seen = form.read().map_err(wrong)?;
        Ok(seen)
    }

    /// Replaces the state.
    ///
    /// # Errors
    /// The file system says no.
    pub fn write(&self, dir: &Path) -> Result<(), MonitorError> {
        let form = Form {
            origin: self.origin.clone(),
            checkpoint: self.note.as_ref().map(Note::to_string),
            peaks: self.edge.peaks().iter().map(|hash| to_hex(hash)).collect(),
            grown_at: self.grown_at,
            ahead: self.ahead.clone(),
            told: self.told.clone(),
        };
        let path = dir.join(FILE);
        let text = serde_json::to_vec_pretty(&form).unwrap_or_default();
        replace(dir, &path, &text).map_err(|e| io("write", &path, &e))
    }
}

impl Form {
    fn read(self) -> Result<Seen, String> {
        let peaks: Option<Vec<Hash>> = self.peaks.iter().map(|hex| hash_from_hex(hex)).collect();
        let peaks = peaks.ok_or("a hash in it is none")?;
        let note = self.checkpoint.map(|text| Note::parse(text.as_bytes())).transpose();
        let note = note.map_err(|e| e.to_string())?;
        let tree = note.as_ref().map(|note| Checkpoint::parse(note.text())).transpose();
        let tree = tree.map_err(|e| e.to_string())?;
        let size = tree.as_ref().map_or(0, |tree| tree.size);
        let edge = Frontier::of(size, peaks).map_err(|e| e.to_string())?;
        if tree.is_some_and(|tree| tree.root != edge.root()) {
            return Err("its hashes are not those of its checkpoint".to_owned());
        }
        let Form { origin, grown_at, ahead, told, .. } = self;
        Ok(Seen { origin, note, edge, grown_at, ahead, told })
    }
}

/// Keeps a proof, under a name that its bytes give.
pub(super) fn keep_proof(dir: &Path, word: &str, text: &[u8]) -> Result<(), MonitorError> {
    let path = dir.join(format!("proof-{word}-{}.txt", &to_hex(&sha256(text))[..16]));
    if path.exists() {
        return Ok(());
    }
    replace(dir, &path, text).map_err(|e| io("write", &path, &e))
}

fn replace(dir: &Path, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let aside = path.with_extension("new");
    let mut file = File::create(&aside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&aside, path)?;
    File::open(dir)?.sync_all()
}

fn io(doing: &str, path: &Path, error: &std::io::Error) -> MonitorError {
    MonitorError::Io { doing: format!("{doing} {}", path.display()), detail: error.to_string() }
}
