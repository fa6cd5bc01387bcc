//! Range reads: what they cost, and what they say of damage.

use std::io::Read;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bailee_store::{MemoryObjects, ObjectError, Objects, Put};
use bailee_vault::{Source, Vault, VaultError};

use crate::support::{kek, memory_vault, noise};

const MIB: usize = 1 << 20;
/// The smallest and the largest chunk (docs/vault-format.md, 6).
const CHUNK: (u64, u64) = (128 << 10, 1 << 20);
/// A pack's header, read when the pack is opened, and a record's tag.
const AROUND: u64 = 128 + 16;

/// Counts what is read of packs of content.
struct Counting {
    inner: Arc<MemoryObjects>,
    reads: AtomicU64,
    bytes: AtomicU64,
}

impl Counting {
    /// Reads and bytes since the last call.
    fn taken(&self) -> (u64, u64) {
        (self.reads.swap(0, Ordering::SeqCst), self.bytes.swap(0, Ordering::SeqCst))
    }

    fn count(&self, name: &str, len: u64) {
        if name.contains("/data/") {
            self.reads.fetch_add(1, Ordering::SeqCst);
            self.bytes.fetch_add(len, Ordering::SeqCst);
        }
    }
}

impl Objects for Counting {
    fn put(&self, name: &str, bytes: &[u8]) -> Result<Put, ObjectError> {
        self.inner.put(name, bytes)
    }
    fn put_stream(&self, name: &str, from: &mut dyn Read) -> Result<Put, ObjectError> {
        self.inner.put_stream(name, from)
    }
    fn get(&self, name: &str) -> Result<Vec<u8>, ObjectError> {
        self.inner.get(name).inspect(|bytes| self.count(name, bytes.len() as u64))
    }
    fn get_range(&self, name: &str, range: Range<u64>) -> Result<Vec<u8>, ObjectError> {
        self.count(name, range.end - range.start);
        self.inner.get_range(name, range)
    }
    fn open(&self, name: &str) -> Result<Box<dyn Read + Send>, ObjectError> {
        self.count(name, self.inner.size(name)?);
        self.inner.open(name)
    }
    fn size(&self, name: &str) -> Result<u64, ObjectError> {
        self.inner.size(name)
    }
    fn list(&self, prefix: &str) -> Result<Vec<String>, ObjectError> {
        self.inner.list(prefix)
    }
    fn delete(&self, name: &str) -> Result<(), ObjectError> {
        self.inner.delete(name)
    }
}

#[test]
fn a_range_costs_at_most_one_chunk_on_each_side_and_a_hole_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut whole = noise(1, 12 * MIB);
    whole.resize(20 * MIB, 0);
    whole.extend(noise(2, 5 * MIB + 77));
    std::fs::write(dir.path().join("f"), &whole).unwrap();
    let (inner, vault) = memory_vault();
    let kept = vault.preserve("t", "A-1", &Source::Tree(dir.path().into()), &mut ()).unwrap();
    let objects = Arc::new(Counting { inner, reads: 0.into(), bytes: 0.into() });
    let vault = Vault::open(Arc::clone(&objects) as Arc<dyn Objects>, &kek()).unwrap();
    let mut file = vault.open_file("t", &kept.id, b"f").unwrap();
    assert_eq!(file.content().size, whole.len() as u64);
    assert_eq!(objects.taken(), (0, 0), "opening reads no content");

    assert!(file.read_at(12 << 20, 8 * MIB).unwrap() == vec![0; 8 * MIB]);
    assert_eq!(objects.taken(), (0, 0), "a hole costs nothing");

    let mut seed = 5u64;
    let mut below = |n: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap() % n
    };
    for _ in 0..300 {
        let offset = below(whole.len());
        let len = [1, 4096, 100_000, 3 * MIB][below(4)];
        let want = &whole[offset..whole.len().min(offset + len)];
        assert!(file.read_at(offset as u64, len).unwrap() == want, "{offset} {len}");
        let (reads, bytes) = objects.taken();
        let want = want.len() as u64;
        let records = want / CHUNK.0 + 2;
        assert!(bytes <= want + 2 * CHUNK.1 + (records + 1) * AROUND, "{offset} {len}: {bytes}");
        assert!(reads <= records + 3, "{offset} {len}: {reads} reads, headers of packs among them");
    }

    objects.taken();
    let mut again = vault.open_file("t", &kept.id, b"f").unwrap();
    let mut got = Vec::new();
    let mut small = vec![0; 1000];
    while let n @ 1.. = again.read(&mut small).unwrap() {
        got.extend_from_slice(&small[..n]);
    }
    assert!(got == whole);
    let most = (17 << 20) + 77 + 200 * AROUND;
    assert!(objects.taken().1 <= most, "small reads in order open each chunk once");
    assert_eq!(again.read_at(whole.len() as u64, 9).unwrap(), b"");
    assert_eq!(again.read_at(u64::MAX, usize::MAX).unwrap(), b"");
}

#[test]
fn damage_is_told_by_file_and_range_and_the_rest_is_served() {
    let dir = tempfile::tempdir().unwrap();
    let whole = noise(3, 6 * MIB);
    std::fs::write(dir.path().join("f"), &whole).unwrap();
    let (objects, vault) = memory_vault();
    let kept = vault.preserve("t", "A-1", &Source::Tree(dir.path().into()), &mut ()).unwrap();
    let pack = objects.list("").unwrap().into_iter().find(|n| n.contains("/data/")).unwrap();
    let mut bytes = objects.get(&pack).unwrap();
    bytes[2 * MIB] ^= 1;
    objects.delete(&pack).unwrap();
    objects.put(&pack, &bytes).unwrap();
    let vault = Vault::open(objects, &kek()).unwrap();
    let mut file = vault.open_file("t", &kept.id, b"f").unwrap();
    let mut bad = Vec::new();
    for at in (0..whole.len()).step_by(4096) {
        match file.read_at(at as u64, 4096) {
            Ok(got) => assert!(got == whole[at..at + 4096], "{at}"),
            Err(VaultError::DamagedRange { path, start, end, .. }) => {
                assert_eq!(path, "f");
                assert!(start < at as u64 + 4096 && (at as u64) < end, "{at} {start}..{end}");
                bad.push((start, end));
            }
            Err(other) => panic!("{other}"),
        }
    }
    let (start, end) = bad[0];
    assert!(bad.iter().all(|b| *b == (start, end)), "one chunk: {bad:?}");
    let blocks = (end.div_ceil(4096) - start / 4096) as usize;
    assert_eq!(bad.len(), blocks, "every read that touches it is refused");
}
