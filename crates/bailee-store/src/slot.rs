//! A slot: one small file that is replaced whole, and lies outside of every database.
//!
//! Invariants: a reader sees the old bytes or the new, never a mixture; `replace` returns only when
//! the new ones survive power loss. An error may mean "failed" or "failed, but replaced": whoever
//! must know reads again.
//!
//! Order of writes on disk: temporary file, `fdatasync`, `rename`, `fsync` of the directory.
//! Out of scope: several writers (a house holds the lock of its directory).

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::durable::{Kernel, Moves};

/// Why the slot did not answer.
#[derive(Debug, thiserror::Error)]
#[error("could not {doing} {path}: {detail}")]
pub struct SlotError {
    /// The operation, as a verb.
    pub doing: &'static str,
    /// The file.
    pub path: String,
    /// The system's words.
    pub detail: String,
}

/// A file that is replaced whole.
pub trait Slot: Send + Sync {
    /// Its bytes; `None` before the first.
    fn read(&self) -> Result<Option<Vec<u8>>, SlotError>;
    /// Replaces them; durable on return.
    fn replace(&self, bytes: &[u8]) -> Result<(), SlotError>;
}

/// A slot that is a file.
#[derive(Clone, Debug)]
pub struct DiskSlot<M: Moves = Kernel> {
    path: PathBuf,
    moves: M,
}

impl DiskSlot {
    /// The file of that name in a directory that exists.
    pub fn new(dir: &Path, name: &str) -> DiskSlot {
        DiskSlot::with(dir, name, Kernel)
    }
}

impl<M: Moves> DiskSlot<M> {
    /// As [`DiskSlot::new`], with other moves: a recorder of them, in tests.
    pub fn with(dir: &Path, name: &str, moves: M) -> DiskSlot<M> {
        DiskSlot { path: dir.join(name), moves }
    }

    fn failed(&self, doing: &'static str) -> impl Fn(std::io::Error) -> SlotError {
        let path = self.path.display().to_string();
        move |error| SlotError { doing, path: path.clone(), detail: error.to_string() }
    }
}

impl<M: Moves> Slot for DiskSlot<M> {
    fn read(&self) -> Result<Option<Vec<u8>>, SlotError> {
        match fs::read(&self.path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.failed("read")(error)),
        }
    }

    fn replace(&self, bytes: &[u8]) -> Result<(), SlotError> {
        let aside = self.path.with_extension("new");
        let dir = self.path.parent().unwrap_or(Path::new("."));
        let written = self.moves.create_over(&aside).and_then(|mut file| {
            file.write_all(bytes)?;
            self.moves.sync_file(&aside, &file)?;
            self.moves.replace(&aside, &self.path)?;
            self.moves.sync_dir(dir)
        });
        written.map_err(self.failed("replace"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Fault, FaultPlan, FaultySlot};

    #[test]
    fn what_is_put_last_is_there_and_nothing_else_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let slot = DiskSlot::new(dir.path(), "checkpoint");
        assert_eq!(slot.read().unwrap(), None);
        for bytes in [&b"first"[..], b"the second is longer", b""] {
            slot.replace(bytes).unwrap();
            assert_eq!(slot.read().unwrap().as_deref(), Some(bytes));
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        fs::create_dir(dir.path().join("checkpoint.new")).unwrap();
        let error = slot.replace(b"third").unwrap_err().to_string();
        assert!(error.contains("checkpoint"), "{error}");
        assert_eq!(slot.read().unwrap().as_deref(), Some(&b""[..]));
    }

    #[test]
    fn each_fault_leaves_what_it_says() {
        for (fault, left) in
            [(Fault::Fail, &b"old"[..]), (Fault::FailButPersisted, b"new"), (Fault::Crash, b"old")]
        {
            let dir = tempfile::tempdir().unwrap();
            let disk = DiskSlot::new(dir.path(), "checkpoint");
            disk.replace(b"old").unwrap();
            let plan = FaultPlan::one(0, fault);
            let slot = FaultySlot::new(disk.clone(), plan.clone());
            assert!(slot.replace(b"new").is_err());
            assert_eq!(disk.read().unwrap().as_deref(), Some(left), "{fault:?}");
            assert_eq!(slot.read().is_err(), fault == Fault::Crash);
        }
    }
}
