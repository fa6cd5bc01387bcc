//! Whether packs are there: asked for one by one, then listed, and a list that lags loses nothing.

use std::io::Read;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bailee_store::{MemoryObjects, ObjectError, Objects, Put};
use bailee_vault::{Source, Vault};

use crate::support::{kek, memory_vault, noise};

/// Counts questions for sizes of packs; its lists of packs may lack the last of them.
struct Counting {
    inner: Arc<MemoryObjects>,
    sizes: AtomicUsize,
    lags: usize,
}

impl Objects for Counting {
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
    fn open(&self, name: &str) -> Result<Box<dyn Read + Send>, ObjectError> {
        self.inner.open(name)
    }
    fn size(&self, name: &str) -> Result<u64, ObjectError> {
        if name.contains("/data/") || name.contains("/meta/") {
            self.sizes.fetch_add(1, Ordering::Relaxed);
        }
        self.inner.size(name)
    }
    fn list(&self, prefix: &str) -> Result<Vec<String>, ObjectError> {
        let mut all = self.inner.list(prefix)?;
        if prefix.ends_with("/data/") {
            all.truncate(all.len().saturating_sub(self.lags));
        }
        Ok(all)
    }
    fn delete(&self, name: &str) -> Result<(), ObjectError> {
        self.inner.delete(name)
    }
}

#[test]
fn many_packs_are_listed_and_one_that_a_list_lacks_is_asked_for() {
    const FILES: usize = 60;
    let dir = tempfile::tempdir().unwrap();
    let (inner, vault) = memory_vault();
    let mut last = None;
    for n in 0..FILES {
        // Each time one file more: a pack of its own for it.
        std::fs::write(dir.path().join(n.to_string()), noise(n as u64 + 1, 1000)).unwrap();
        let kept = vault.preserve("t", "u", &Source::Tree(dir.path().into()), &mut ()).unwrap();
        last = Some(kept.id);
    }
    let packs = inner.list("vault/t/").unwrap();
    let packs = packs.iter().filter(|name| name.contains("/data/")).count();
    assert!(packs >= FILES, "{packs} packs");
    for lags in [0, 5] {
        let store = Arc::new(Counting { inner: inner.clone(), sizes: AtomicUsize::new(0), lags });
        let vault = Vault::open(store.clone() as Arc<dyn Objects>, &kek()).unwrap();
        assert!(vault.verify("t", &last.unwrap()).unwrap().is_intact());
        let asked = store.sizes.load(Ordering::Relaxed);
        // Several threads may ask while the sixteenth answer comes in.
        assert!((16..=16 + lags + 16).contains(&asked), "{asked} of {packs} asked for");
    }
    // One that is gone is found out, listed or not.
    let all = inner.list("vault/t/").unwrap();
    let gone = all.iter().rfind(|name| name.contains("/data/")).unwrap();
    inner.delete(gone).unwrap();
    let vault = Vault::open(inner as Arc<dyn Objects>, &kek()).unwrap();
    assert_eq!(vault.verify("t", &last.unwrap()).unwrap().problems.len(), 1);
}
