//! The directory of a witness: keys, the logs it watches, its records.
//!
//! Layout: `keys/cosign.key` and, if asked for, `keys/ml-dsa.key` (0600, one encoded key each),
//! `logs.tlog-policy` (a `log` line for each key that is watched), `witness.sqlite` (records).
//!
//! Invariants: a key is created new, durable, and never replaced; a key file that others can read
//! is refused; a witness without its records does not open, because it could cosign a second tree.
//! Order of `init`: directory, records, list, keys last. A crash in between leaves a directory that
//! is no witness yet; `init` goes on with it.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use bailee_ledger::{KeyKind, Policy, PqSigner, Signer, Verifier};
use bailee_store::SqliteJournal;
use zeroize::Zeroizing;

use super::{Cosigner, Witness, WitnessError};

const KEY: &str = "keys/cosign.key";
const PQ_KEY: &str = "keys/ml-dsa.key";
const LOGS: &str = "logs.tlog-policy";
const RECORDS: &str = "witness.sqlite";
/// Largest key file read.
const KEY_FILE: u64 = 4 << 10;

/// What a new witness is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Init {
    /// With an Ed25519 key.
    Ed25519,
    /// With an ML-DSA-44 key as well.
    WithMlDsa,
}

impl Witness {
    /// Makes a new witness in `dir`, watching nothing yet.
    ///
    /// # Errors
    /// There is one, the name is unfit, or the file system says no.
    pub fn init(dir: &Path, name: &str, with: Init) -> Result<Witness, WitnessError> {
        if dir.join(KEY).exists() {
            return Err(WitnessError::AlreadyAWitness(dir.to_owned()));
        }
        let unfit = |e: bailee_ledger::Error| WitnessError::Key(e.to_string());
        let key = Signer::witness_from_seed(name, &*seed()?).map_err(unfit)?;
        let pq = match with {
            Init::Ed25519 => None,
            Init::WithMlDsa => Some(PqSigner::from_seed(name, &*seed()?).map_err(unfit)?),
        };
        let private = |dir: &Path| DirBuilder::new().recursive(true).mode(0o700).create(dir);
        private(&dir.join("keys")).map_err(|e| io("create the directory", dir, &e))?;
        SqliteJournal::open(&dir.join(RECORDS))?;
        let list = dir.join(LOGS);
        if !list.exists() {
            let text =
                "# Logs this witness watches; `bailee witness watch` adds one.\nquorum none\n";
            replace(&list, text)?;
        }
        if let Some(pq) = &pq {
            write_key(&dir.join(PQ_KEY), &pq.to_skey())?;
        }
        write_key(&dir.join(KEY), &key.to_skey())?;
        sync(&dir.join("keys"))?;
        sync(dir)?;
        Witness::open(dir)
    }

    /// Opens the witness in `dir`.
    ///
    /// # Errors
    /// There is none, or a part of it is missing or unfit.
    pub fn open(dir: &Path) -> Result<Witness, WitnessError> {
        if !dir.join(KEY).exists() {
            return Err(WitnessError::NotAWitness(dir.to_owned()));
        }
        let unfit = |e: bailee_ledger::Error| WitnessError::Key(e.to_string());
        let key = Signer::parse(&read_key(&dir.join(KEY))?).map_err(unfit)?;
        if key.verifier().kind() != KeyKind::Cosignature {
            return Err(WitnessError::Key(format!("{KEY} is not a witness's key")));
        }
        let pq = match dir.join(PQ_KEY) {
            path if path.exists() => Some(PqSigner::parse(&read_key(&path)?).map_err(unfit)?),
            _ => None,
        };
        let logs = watched(&dir.join(LOGS))?;
        let records = dir.join(RECORDS);
        if !records.exists() {
            return Err(WitnessError::NoRecords(records));
        }
        let records = Arc::new(SqliteJournal::open(&records)?);
        Ok(Witness::of(Cosigner { key, pq }, logs, records))
    }

    /// Adds a log's key to those that are watched. A witness that serves reads the list at its next
    /// start.
    ///
    /// # Errors
    /// It is no log's key, or there already.
    pub fn watch(dir: &Path, vkey: &str) -> Result<(), WitnessError> {
        let path = dir.join(LOGS);
        let text = fs::read_to_string(&path).map_err(|e| io("read", &path, &e))?;
        let wrong = |detail: String| WitnessError::Logs { path: path.clone(), detail };
        let key = Verifier::parse(vkey).map_err(|e| wrong(e.to_string()))?;
        let text = format!("log {}\n{text}", key.to_vkey());
        Policy::parse(text.as_bytes()).map_err(|e| wrong(e.to_string()))?;
        replace(&path, &text)?;
        sync(dir)
    }
}

/// Keys of the logs in the list.
fn watched(path: &Path) -> Result<Vec<Verifier>, WitnessError> {
    let bytes = fs::read(path).map_err(|e| io("read", path, &e))?;
    let policy = Policy::parse(&bytes)
        .map_err(|e| WitnessError::Logs { path: path.to_owned(), detail: e.to_string() })?;
    Ok(policy.logs().iter().map(|log| log.key.clone()).collect())
}

fn seed() -> Result<Zeroizing<[u8; 32]>, WitnessError> {
    let mut seed = Zeroizing::new([0u8; 32]);
    getrandom::fill(&mut *seed).map_err(|e| WitnessError::Key(e.to_string()))?;
    Ok(seed)
}

fn write_key(path: &Path, encoded: &str) -> Result<(), WitnessError> {
    let mut options = OpenOptions::new();
    let created = options.write(true).create_new(true).mode(0o600).open(path);
    let written = created.and_then(|mut file| {
        file.write_all(encoded.as_bytes())?;
        file.write_all(b"\n")?;
        file.sync_all()
    });
    written.map_err(|e| io("create", path, &e))
}

fn read_key(path: &Path) -> Result<Zeroizing<String>, WitnessError> {
    let failed = |e: std::io::Error| io("read", path, &e);
    let mut file = File::open(path).map_err(failed)?;
    let meta = file.metadata().map_err(failed)?;
    if meta.mode() & 0o077 != 0 {
        let shown = path.display();
        return Err(WitnessError::Key(format!("{shown} can be read by others; chmod 600 it")));
    }
    let mut text = Zeroizing::new(String::new());
    Read::by_ref(&mut file).take(KEY_FILE).read_to_string(&mut text).map_err(failed)?;
    Ok(Zeroizing::new(text.trim_end().to_owned()))
}

/// Written aside, synced, renamed.
fn replace(path: &Path, text: &str) -> Result<(), WitnessError> {
    let aside = path.with_extension("new");
    let written = File::create(&aside).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&aside, path)
    });
    written.map_err(|e| io("write", path, &e))
}

fn sync(dir: &Path) -> Result<(), WitnessError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(|e| io("sync", dir, &e))
}

fn io(doing: &str, path: &Path, error: &std::io::Error) -> WitnessError {
    WitnessError::Io { doing: format!("{doing} {}", path.display()), detail: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_directory_is_a_witness_s_or_says_why_not() {
        let room = tempfile::tempdir().unwrap();
        let dir = room.path().join("witness");
        assert!(matches!(Witness::open(&dir), Err(WitnessError::NotAWitness(_))));
        assert!(matches!(Witness::init(&dir, "a b", Init::Ed25519), Err(WitnessError::Key(_))));
        let made = Witness::init(&dir, "w.example", Init::WithMlDsa).unwrap();
        let keys: Vec<String> = made.keys().iter().map(|key| key.to_vkey()).collect();
        assert_eq!(keys.len(), 2);
        assert!(matches!(
            Witness::init(&dir, "other.example", Init::Ed25519),
            Err(WitnessError::AlreadyAWitness(_))
        ));
        let log = Signer::from_seed("log.example.org/2026", &[1; 32]).unwrap();
        Witness::watch(&dir, &log.verifier().to_vkey()).unwrap();
        assert!(Witness::watch(&dir, &log.verifier().to_vkey()).is_err(), "twice");
        assert!(Witness::watch(&dir, &keys[0]).is_err(), "not a log's");
        let again = Witness::open(&dir).unwrap();
        let found: Vec<String> = again.keys().iter().map(|key| key.to_vkey()).collect();
        assert_eq!((found, again.origins()), (keys, vec!["log.example.org/2026"]));
        drop((made, again));

        let key = dir.join(KEY);
        let mode = |mode| fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
        mode(0o640);
        assert!(matches!(Witness::open(&dir), Err(WitnessError::Key(why)) if why.contains("600")));
        mode(0o600);
        fs::remove_file(dir.join(RECORDS)).unwrap();
        assert!(matches!(Witness::open(&dir), Err(WitnessError::NoRecords(_))));
    }
}
