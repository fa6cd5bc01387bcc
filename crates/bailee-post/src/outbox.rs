//! The outbox: letters to be sent, one file `<idempotency key>.eml` each.
//!
//! Invariants
//! 1. A file with its name is whole and durable. Order of writes: temporary file, `fdatasync`,
//!    `link` under its name (which never replaces), removal of the temporary name, `fsync` of the
//!    directory. Only then `put` answers.
//! 2. A key names one letter: what is put first stays, until it is removed. Doing it twice is
//!    harmless, and a second letter under the same key is told apart in the answer.
//! 3. Temporary files left by a crash are removed at open; one process uses an outbox at a time
//!    (the lock of the data directory sees to that).
//!
//! Out of scope: sending.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Longest key, bytes.
pub const MAX_KEY: usize = 128;
const LETTER: &str = ".eml";
/// `~` is no letter of keys, so no key ends like this.
const PART: &str = "~part";

/// Distinguishes the temporary files of this process.
static NEXT_PART: AtomicU64 = AtomicU64::new(0);

/// What `put` found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// Stored now.
    Stored,
    /// The same letter was there before.
    AlreadyThere,
    /// Another letter has this key; it was kept, the new one was not stored.
    OtherKept,
}

/// Why the outbox did not answer.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// Keys have 1 to 128 letters, digits, `.`, `_`, `-`, and do not begin with `.`.
    #[error("{key:?} is no key of a letter: use 1 to 128 of A-Z a-z 0-9 . _ - and no leading dot")]
    BadKey {
        /// As given.
        key: String,
    },
    /// No letter has this key.
    #[error("the outbox has no letter {key}")]
    NotFound {
        /// The key.
        key: String,
    },
    /// The directory failed.
    #[error("could not {doing} {path}: {detail}", path = path.display())]
    Io {
        /// The operation, as a verb.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// The medium's own words.
        detail: String,
    },
}

/// A directory of letters.
#[derive(Debug)]
pub struct Outbox {
    dir: PathBuf,
}

impl Outbox {
    /// Opens a directory, creating it (mode 0700) if it is not there; its parent must be.
    pub fn open(dir: &Path) -> Result<Outbox, OutboxError> {
        match DirBuilder::new().mode(0o700).create(dir) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(failed("create", dir)(error));
            }
            _ => {}
        }
        // Also when it was there: whoever created it may have died before this.
        let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty());
        let parent = parent.unwrap_or(Path::new("."));
        sync_dir(parent)?;
        for name in file_names(dir)? {
            if name.ends_with(PART) {
                let path = dir.join(name);
                fs::remove_file(&path).map_err(failed("remove", &path))?;
            }
        }
        Ok(Outbox { dir: dir.to_owned() })
    }

    /// Stores a letter under its idempotency key, durable on return.
    pub fn put(&self, key: &str, letter: &[u8]) -> Result<Put, OutboxError> {
        let path = self.path(key)?;
        if path.exists() {
            return self.compare(&path, letter);
        }
        let number = NEXT_PART.fetch_add(1, Ordering::Relaxed);
        let part = self.dir.join(format!("{key}-{}-{number}{PART}", std::process::id()));
        let written = write_synced(&part, letter).map_err(failed("write", &part));
        let linked = written.map(|()| fs::hard_link(&part, &path));
        // If this fails, the name is swept at the next open.
        let _ = fs::remove_file(&part);
        match linked? {
            Ok(()) => sync_dir(&self.dir).map(|()| Put::Stored),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.compare(&path, letter)
            }
            Err(error) => Err(failed("store", &path)(error)),
        }
    }

    /// The letter with this key.
    pub fn get(&self, key: &str) -> Result<Vec<u8>, OutboxError> {
        let path = self.path(key)?;
        match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(OutboxError::NotFound { key: key.to_owned() })
            }
            read => read.map_err(failed("read", &path)),
        }
    }

    /// Takes a letter out, durable on return; one that is not there is as good.
    pub fn remove(&self, key: &str) -> Result<(), OutboxError> {
        let path = self.path(key)?;
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(failed("remove", &path)(error))
            }
            _ => sync_dir(&self.dir),
        }
    }

    /// All keys, sorted.
    pub fn keys(&self) -> Result<Vec<String>, OutboxError> {
        let names = file_names(&self.dir)?;
        let keys = names.iter().filter_map(|name| name.strip_suffix(LETTER));
        let mut keys: Vec<String> = keys.filter(|key| is_key(key)).map(str::to_owned).collect();
        keys.sort_unstable();
        Ok(keys)
    }

    fn path(&self, key: &str) -> Result<PathBuf, OutboxError> {
        if is_key(key) {
            Ok(self.dir.join(format!("{key}{LETTER}")))
        } else {
            Err(OutboxError::BadKey { key: key.chars().take(MAX_KEY).collect() })
        }
    }

    /// The key is taken: say by what, and make sure that it survives power loss.
    fn compare(&self, path: &Path, letter: &[u8]) -> Result<Put, OutboxError> {
        let mut kept = Vec::new();
        File::open(path)
            .and_then(|mut file| file.read_to_end(&mut kept))
            .map_err(failed("read", path))?;
        sync_dir(&self.dir)?;
        Ok(if kept == letter { Put::AlreadyThere } else { Put::OtherKept })
    }
}

fn is_key(key: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=MAX_KEY).contains(&key.len()) && !key.starts_with('.') && key.bytes().all(is_letter)
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_data()
}

fn sync_dir(dir: &Path) -> Result<(), OutboxError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed("sync", dir))
}

fn file_names(dir: &Path) -> Result<Vec<String>, OutboxError> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed("list", dir))? {
        let entry = entry.map_err(failed("list", dir))?;
        names.extend(entry.file_name().into_string());
    }
    Ok(names)
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> OutboxError {
    let path = path.to_owned();
    move |error| OutboxError::Io { doing, path, detail: error.to_string() }
}
