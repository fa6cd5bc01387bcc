//! Packs that gave wrong bytes: what they held is stored again from the source, and read there.

use std::sync::Arc;

use bailee_ledger::clearance::Act;
use bailee_store::{MemoryObjects, Objects};
use bailee_vault::{
    Problem, SnapshotId, SnapshotReport, Source, Unchanged, Vault, no_catalogue, repair_packs,
    scrub_packs,
};

use super::clear::clear;
use super::support::{kek, memory_vault, sweep};

fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut out = vec![0; len];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut out);
    out
}

fn names(objects: &MemoryObjects, part: &str) -> Vec<String> {
    objects.list("").unwrap().into_iter().filter(|name| name.contains(part)).collect()
}

/// Flips a bit in the middle.
fn spoil(objects: &MemoryObjects, name: &str) {
    let mut bytes = objects.get(name).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    objects.delete(name).unwrap();
    objects.put(name, &bytes).unwrap();
}

/// The same store, by another process.
fn again(objects: &Arc<MemoryObjects>) -> Vault {
    Vault::open(Arc::clone(objects) as Arc<dyn Objects>, &kek()).unwrap()
}

fn preserve(vault: &Vault, dir: &tempfile::TempDir, unchanged: Unchanged) -> SnapshotReport {
    let source = Source::Tree(dir.path().to_owned());
    vault.preserve_with("t", "A-1", &source, unchanged, &mut ()).unwrap()
}

fn intact(vault: &Vault, id: &SnapshotId) -> bool {
    vault.verify("t", id).unwrap().is_intact()
}

/// A file, kept, and its pack.
fn kept(file: &[u8]) -> (tempfile::TempDir, Arc<MemoryObjects>, Vault, SnapshotReport, String) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("f"), file).unwrap();
    let (objects, vault) = memory_vault();
    let first = preserve(&vault, &dir, Unchanged::Rehash);
    let pack = names(&objects, "/data/").remove(0);
    (dir, objects, vault, first, pack)
}

/// Whoever finds it: the key's owner who reads it back, or a scrub without a key.
#[test]
fn what_a_damaged_pack_held_is_stored_again_and_every_copy_is_whole() {
    for by_scrub in [false, true] {
        let (dir, objects, vault, first, pack) = kept(&noise(1, 300_000));
        spoil(&objects, &pack);
        if by_scrub {
            assert_eq!(scrub_packs(&*objects).unwrap().problems.len(), 1);
        } else {
            assert!(!intact(&vault, &first.id));
        }
        assert_eq!(names(&objects, "/doubt/").len(), 1, "it is written down");
        let vault = again(&objects);
        let second = preserve(&vault, &dir, Unchanged::Rehash);
        assert!(second.stored_bytes > 300_000, "{second:?}");
        assert!(intact(&vault, &second.id) && intact(&vault, &first.id));
        assert_eq!(scrub_packs(&*objects).unwrap().problems.len(), 1, "it is still there");
        sweep(&vault).unwrap();
        assert!(intact(&vault, &second.id) && intact(&vault, &first.id));
        assert_eq!(scrub_packs(&*objects).unwrap().problems, [], "the damaged pack is gone");
        assert_eq!(names(&objects, "/doubt/"), [""; 0], "and the doubt with it");
    }
}

/// The process that found it goes on with the table it has.
#[test]
fn a_doubt_counts_at_once_and_for_the_same_process() {
    let (dir, objects, vault, first, pack) = kept(&noise(3, 300_000));
    spoil(&objects, &pack);
    assert!(!intact(&vault, &first.id));
    let second = preserve(&vault, &dir, Unchanged::Rehash);
    assert!(intact(&vault, &second.id) && intact(&vault, &first.id));
}

#[test]
fn a_pack_that_is_repaired_is_doubted_no_more() {
    let (_dir, objects, vault, first, pack) = kept(&noise(4, 300_000));
    let copy = MemoryObjects::new();
    copy.put(&pack, &objects.get(&pack).unwrap()).unwrap();
    spoil(&objects, &pack);
    let found: Vec<Problem> = scrub_packs(&*objects).unwrap().problems;
    assert_eq!(repair_packs(&*objects, &copy, &found).unwrap().packs, 1);
    assert_eq!(names(&objects, "/doubt/"), [""; 0]);
    assert!(intact(&vault, &first.id));
    // By hand, and a scrub finds it whole.
    spoil(&objects, &pack);
    scrub_packs(&*objects).unwrap();
    assert_eq!(names(&objects, "/doubt/").len(), 1);
    spoil(&objects, &pack);
    assert_eq!(scrub_packs(&*objects).unwrap().problems, []);
    assert_eq!(names(&objects, "/doubt/"), [""; 0]);
}

/// Whoever can write into the store can plant doubts. All it costs is space and a copy.
#[test]
fn planted_doubts_lose_nothing() {
    let (dir, objects, vault, first, _) = kept(&noise(5, 300_000));
    std::fs::write(dir.path().join("g"), noise(6, 200_000)).unwrap();
    let second = preserve(&vault, &dir, Unchanged::Rehash);
    let packs: Vec<String> =
        ["/data/", "/meta/"].iter().flat_map(|part| names(&objects, part)).collect();
    for pack in &packs {
        let doubt = pack.replace("/data/", "/doubt/").replace("/meta/", "/doubt/");
        objects.put(&doubt, b"planted\n").unwrap();
    }
    let vault = again(&objects);
    assert!(intact(&vault, &first.id) && intact(&vault, &second.id), "all of it is read");
    sweep(&vault).unwrap();
    assert!(intact(&vault, &first.id) && intact(&vault, &second.id), "all of it is copied");
    let left = packs.iter().filter(|pack| objects.size(pack).is_ok()).count();
    assert_eq!((left, names(&objects, "/doubt/").len()), (0, 0), "they went as dead ones do");
    let clearance = clear(1, Act::Expire, second.root);
    vault.expire("t", &second.id, clearance, &|_| None, &no_catalogue).unwrap();
    assert!(intact(&vault, &first.id));
}

/// A good copy in a pack that is mostly dead is not given up for one in a doubted pack.
#[test]
fn no_copy_counts_as_safe_in_a_doubted_pack() {
    let (dir, objects, vault, first, pack) = kept(&noise(7, 100_000));
    scrub_packs(&*objects).unwrap();
    spoil(&objects, &pack);
    assert!(!intact(&vault, &first.id));
    std::fs::write(dir.path().join("big"), noise(8, 600_000)).unwrap();
    let second = preserve(&vault, &dir, Unchanged::Rehash);
    assert!(intact(&vault, &first.id));
    // What is good of the first lies beside much that dies now.
    let clearance = clear(1, Act::Expire, second.root);
    vault.expire("t", &second.id, clearance, &|_| None, &no_catalogue).unwrap();
    sweep(&vault).unwrap();
    assert!(intact(&vault, &first.id));
    assert_eq!(scrub_packs(&*objects).unwrap().problems, []);
}
