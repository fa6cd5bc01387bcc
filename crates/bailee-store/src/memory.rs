//! A journal and an object store in memory: for simulation, and for tests of what stands above.
//!
//! Clones are handles to the same store, as two connections are to one database. "Durable" means
//! "for as long as one handle lives". Everything is checked before anything is changed, so a
//! refused call leaves no trace, and a poisoned lock holds a whole state.
//! Out of scope: faults (see `faulty`, which wraps these).

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Cursor, Read};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::objects::{bad_range, check_name, folders, name_is_folder, read_all};
use crate::{
    Batch, Digest, Entry, Journal, JournalError, ObjectError, Objects, Put, verify_exhibits,
    verify_sections,
};

/// A journal in memory.
#[derive(Clone, Default)]
pub struct MemoryJournal {
    inner: Arc<Mutex<JournalState>>,
}

#[derive(Default)]
struct JournalState {
    entries: Vec<Entry>,
    exhibits: BTreeMap<Digest, Vec<u8>>,
    cells: BTreeMap<String, Vec<u8>>,
}

impl JournalState {
    fn head(&self) -> u64 {
        self.entries.len() as u64
    }
}

impl MemoryJournal {
    /// An empty journal.
    pub fn new() -> MemoryJournal {
        MemoryJournal::default()
    }

    fn state(&self) -> MutexGuard<'_, JournalState> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Journal for MemoryJournal {
    fn head(&self) -> Result<u64, JournalError> {
        Ok(self.state().head())
    }

    fn append(&self, expected: u64, batch: &Batch) -> Result<u64, JournalError> {
        let mut state = self.state();
        let head = state.head();
        if head != expected {
            return Err(JournalError::Conflict { expected, head });
        }
        verify_exhibits(&batch.exhibits)?;
        state.entries.extend_from_slice(&batch.entries);
        for exhibit in &batch.exhibits {
            state.exhibits.entry(exhibit.digest).or_insert_with(|| exhibit.bytes.clone());
        }
        Ok(state.head())
    }

    fn read(&self, from: u64, limit: usize) -> Result<Vec<Entry>, JournalError> {
        let state = self.state();
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        Ok(state.entries.iter().skip(from).take(limit).cloned().collect())
    }

    fn erase(&self, sections: &[(u64, usize)], exhibits: &[Digest]) -> Result<(), JournalError> {
        let mut state = self.state();
        verify_sections(sections, state.head())?;
        for (seq, section) in sections {
            let entry = usize::try_from(*seq).ok().and_then(|at| state.entries.get_mut(at));
            if let Some(slot) = entry.and_then(|entry| entry.sections.get_mut(*section)) {
                *slot = None;
            }
        }
        for digest in exhibits {
            state.exhibits.remove(digest);
        }
        Ok(())
    }

    fn exhibit(&self, digest: &Digest) -> Result<Option<Vec<u8>>, JournalError> {
        Ok(self.state().exhibits.get(digest).cloned())
    }

    fn cell(&self, name: &str) -> Result<Option<Vec<u8>>, JournalError> {
        Ok(self.state().cells.get(name).cloned())
    }

    fn swap_cell(
        &self,
        name: &str,
        expected: Option<&[u8]>,
        new: &[u8],
    ) -> Result<(), JournalError> {
        let mut state = self.state();
        if state.cells.get(name).map(Vec::as_slice) != expected {
            return Err(JournalError::CellConflict { name: name.to_owned() });
        }
        state.cells.insert(name.to_owned(), new.to_vec());
        Ok(())
    }
}

/// Objects in memory.
#[derive(Clone, Default)]
pub struct MemoryObjects {
    inner: Arc<Mutex<ObjectState>>,
}

#[derive(Clone, Default)]
struct ObjectState {
    objects: BTreeMap<String, Arc<[u8]>>,
    /// Every folder an object was ever put into: invariant 5 of `objects`.
    folders: BTreeSet<String>,
}

impl MemoryObjects {
    /// An empty store.
    pub fn new() -> MemoryObjects {
        MemoryObjects::default()
    }

    /// The same objects in a store of its own; a clone shares them.
    pub fn copied(&self) -> MemoryObjects {
        MemoryObjects { inner: Arc::new(Mutex::new(self.state().clone())) }
    }

    fn state(&self) -> MutexGuard<'_, ObjectState> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn bytes(&self, name: &str) -> Result<Arc<[u8]>, ObjectError> {
        check_name(name)?;
        let found = self.state().objects.get(name).cloned();
        found.ok_or_else(|| ObjectError::NotFound { name: name.to_owned() })
    }
}

impl Objects for MemoryObjects {
    fn put(&self, name: &str, bytes: &[u8]) -> Result<Put, ObjectError> {
        check_name(name)?;
        let mut state = self.state();
        if state.objects.contains_key(name) {
            return Ok(Put::AlreadyThere);
        }
        let below_an_object = folders(name).any(|folder| state.objects.contains_key(folder));
        if below_an_object || state.folders.contains(name) {
            return Err(name_is_folder(name));
        }
        state.folders.extend(folders(name).map(str::to_owned));
        state.objects.insert(name.to_owned(), bytes.into());
        Ok(Put::Stored)
    }

    fn put_stream(&self, name: &str, from: &mut dyn Read) -> Result<Put, ObjectError> {
        check_name(name)?;
        if self.state().objects.contains_key(name) {
            return Ok(Put::AlreadyThere);
        }
        self.put(name, &read_all(name, from)?)
    }

    fn get(&self, name: &str) -> Result<Vec<u8>, ObjectError> {
        Ok(self.bytes(name)?.to_vec())
    }

    fn get_range(&self, name: &str, range: Range<u64>) -> Result<Vec<u8>, ObjectError> {
        let bytes = self.bytes(name)?;
        let bounds = usize::try_from(range.start).ok().zip(usize::try_from(range.end).ok());
        bounds
            .and_then(|(start, end)| bytes.get(start..end))
            .map(<[u8]>::to_vec)
            .ok_or_else(|| bad_range(name, bytes.len() as u64, &range))
    }

    fn open(&self, name: &str) -> Result<Box<dyn Read + Send>, ObjectError> {
        Ok(Box::new(Cursor::new(self.bytes(name)?)))
    }

    fn size(&self, name: &str) -> Result<u64, ObjectError> {
        Ok(self.bytes(name)?.len() as u64)
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, ObjectError> {
        let state = self.state();
        let from = state.objects.range(prefix.to_owned()..).map(|(name, _)| name);
        Ok(from.take_while(|name| name.starts_with(prefix)).cloned().collect())
    }

    fn delete(&self, name: &str) -> Result<(), ObjectError> {
        check_name(name)?;
        self.state().objects.remove(name);
        Ok(())
    }
}
