//! Objects whose list lags behind, as an engine's may: for tests of who must not take a list for
//! all there is.
//!
//! Invariants: only lists lie, and only while the wrapper lags; whatever is asked for by its name
//! is answered by the store behind. What was put since is not listed, what was deleted since still
//! is.

use std::collections::BTreeSet;
use std::io::Read;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::{ObjectError, Objects, Put, Ranges};

/// A store behind a list of its own.
#[derive(Debug)]
pub struct LaggingObjects<O> {
    inner: O,
    /// What is listed; `None`: what is there.
    listed: Mutex<Option<BTreeSet<String>>>,
}

impl<O: Objects> LaggingObjects<O> {
    /// Wraps `inner`; its list does not lag yet.
    pub fn new(inner: O) -> LaggingObjects<O> {
        LaggingObjects { inner, listed: Mutex::default() }
    }

    /// The store behind.
    pub fn inner(&self) -> &O {
        &self.inner
    }

    /// From here on lists say what there is now, but for the names that `hidden` has.
    ///
    /// # Errors
    /// The store cannot be listed.
    pub fn lag(&self, hidden: &[String]) -> Result<(), ObjectError> {
        let all = self.inner.list("")?.into_iter().filter(|name| !hidden.contains(name));
        *self.view() = Some(all.collect());
        Ok(())
    }

    /// From here on lists say what there is.
    pub fn catch_up(&self) {
        *self.view() = None;
    }

    fn view(&self) -> MutexGuard<'_, Option<BTreeSet<String>>> {
        self.listed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<O: Objects> Objects for LaggingObjects<O> {
    fn put(&self, name: &str, bytes: &[u8]) -> Result<Put, ObjectError> {
        self.inner.put(name, bytes)
    }

    fn put_stream(&self, name: &str, from: &mut dyn Read) -> Result<Put, ObjectError> {
        self.inner.put_stream(name, from)
    }

    fn get(&self, name: &str) -> Result<Vec<u8>, ObjectError> {
        self.inner.get(name)
    }

    fn get_range(&self, name: &str, range: Range<u64>) -> Result<Vec<u8>, ObjectError> {
        self.inner.get_range(name, range)
    }

    fn ranges(&self, name: &str) -> Result<Option<Box<dyn Ranges>>, ObjectError> {
        self.inner.ranges(name)
    }

    fn open(&self, name: &str) -> Result<Box<dyn Read + Send>, ObjectError> {
        self.inner.open(name)
    }

    fn size(&self, name: &str) -> Result<u64, ObjectError> {
        self.inner.size(name)
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, ObjectError> {
        let view = self.view().clone();
        match view {
            None => self.inner.list(prefix),
            Some(view) => Ok(view.into_iter().filter(|name| name.starts_with(prefix)).collect()),
        }
    }

    fn delete(&self, name: &str) -> Result<(), ObjectError> {
        self.inner.delete(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryObjects;

    #[test]
    fn only_the_list_lags() {
        let objects = LaggingObjects::new(MemoryObjects::new());
        for name in ["a/1", "a/2", "b"] {
            objects.put(name, b"x").unwrap();
        }
        objects.lag(&["a/2".to_owned()]).unwrap();
        objects.put("a/3", b"y").unwrap();
        objects.delete("a/1").unwrap();
        assert_eq!(objects.list("a/").unwrap(), ["a/1"]);
        assert!(objects.get("a/1").is_err());
        assert_eq!(objects.get("a/3").unwrap(), b"y");
        assert_eq!(objects.size("a/2").unwrap(), 1);
        objects.catch_up();
        assert_eq!(objects.list("a/").unwrap(), ["a/2", "a/3"]);
    }
}
