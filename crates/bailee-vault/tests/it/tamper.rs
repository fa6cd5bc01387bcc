//! Whoever holds the store can change any byte; nobody is ever served the result.

use std::sync::Arc;

use bailee_store::{MemoryObjects, Objects};
use bailee_vault::{Kek, SnapshotId, Source, Vault, VaultError, scrub_packs};

use crate::support::{kek, memory_vault, noise};

fn small() -> (Arc<MemoryObjects>, SnapshotId) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("f"), b"the content under hold").unwrap();
    let (objects, vault) = memory_vault();
    let report = vault.preserve("t", "A-1", &Source::Tree(dir.path().to_owned()), &mut ());
    (objects, report.unwrap().id)
}

fn replace(objects: &MemoryObjects, name: &str, bytes: &[u8]) {
    objects.delete(name).unwrap();
    objects.put(name, bytes).unwrap();
}

/// Whether opening everything anew shows that something is wrong. Wrong content fails the test.
fn detected(objects: &Arc<MemoryObjects>, id: &SnapshotId) -> bool {
    let scrubbed = scrub_packs(&**objects).unwrap();
    let read = Vault::open(Arc::clone(objects) as Arc<dyn Objects>, &kek()).and_then(|vault| {
        let content = vault.read_range("t", id, b"f", 0..22);
        if let Ok(content) = &content {
            assert_eq!(content, b"the content under hold", "tampered content was served");
        }
        let verified = vault.verify("t", id)?;
        content.map(|_| verified)
    });
    !scrubbed.problems.is_empty() || !read.is_ok_and(|v| v.is_intact())
}

#[test]
fn every_flipped_bit_and_every_cut_is_detected() {
    let (objects, id) = small();
    assert!(!detected(&objects, &id));
    let names = objects.list("").unwrap();
    assert_eq!(names.len(), 8, "config, 2 keys, 2 packs, 2 indexes, 1 snapshot: {names:?}");
    for name in names {
        let good = objects.get(&name).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1 << (at % 8);
            replace(&objects, &name, &bad);
            assert!(detected(&objects, &id), "{name} byte {at}");
        }
        for len in (0..good.len()).step_by(7) {
            replace(&objects, &name, &good[..len]);
            assert!(detected(&objects, &id), "{name} cut to {len}");
        }
        let mut longer = good.clone();
        longer.push(0);
        replace(&objects, &name, &longer);
        assert!(detected(&objects, &id), "{name} with a byte more");
        objects.delete(&name).unwrap();
        assert!(detected(&objects, &id), "{name} deleted");
        objects.put(&name, &good).unwrap();
    }
    assert!(!detected(&objects, &id));
}

#[test]
fn a_wrong_key_opens_nothing_and_a_vault_is_made_once() {
    let (objects, _) = small();
    let objects = objects as Arc<dyn Objects>;
    let wrong = Vault::open(Arc::clone(&objects), &Kek::from_bytes([1; 32]));
    assert!(matches!(wrong, Err(VaultError::WrongKek)));
    assert!(matches!(Vault::create(objects, &kek()), Err(VaultError::AlreadyAVault)));
    let none = Vault::open(Arc::new(MemoryObjects::new()), &kek());
    assert!(matches!(none, Err(VaultError::NoVault)));
}

#[test]
fn objects_of_one_tenant_do_not_open_for_another() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("f"), noise(1, 1000)).unwrap();
    let (objects, vault) = memory_vault();
    let source = Source::Tree(dir.path().to_owned());
    let mine = vault.preserve("mine", "A-1", &source, &mut ()).unwrap();
    let before = objects.list("").unwrap();
    vault.preserve("yours", "A-1", &source, &mut ()).unwrap();
    let pick = |names: &[String], part: &str| -> Vec<String> {
        names.iter().filter(|n| n.contains(part)).cloned().collect()
    };
    let after: Vec<String> =
        objects.list("").unwrap().into_iter().filter(|n| !before.contains(n)).collect();
    for part in ["/data/", "/meta/", "/sorted/", "/s/"] {
        let (ours, theirs) = (pick(&before, part), pick(&after, part));
        let good = objects.get(&ours[0]).unwrap();
        replace(&objects, &ours[0], &objects.get(&theirs[0]).unwrap());
        let vault = Vault::open(Arc::clone(&objects) as Arc<dyn Objects>, &kek()).unwrap();
        let bad = vault.verify("mine", &mine.id);
        assert!(!bad.is_ok_and(|v| v.is_intact()), "{part} of another tenant was accepted");
        replace(&objects, &ours[0], &good);
    }
    assert!(matches!(vault.verify("yours", &mine.id), Err(VaultError::UnknownSnapshot { .. })));
    let shown = after.concat() + &before.concat();
    assert!(!shown.contains("yours") && !shown.contains("A-1"), "names are not in the store");
}

#[test]
fn a_damaged_file_is_not_left_behind_and_hides_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    std::fs::create_dir(&from).unwrap();
    for n in 0..8 {
        std::fs::write(from.join(n.to_string()), noise(n, 300_000)).unwrap();
    }
    std::fs::hard_link(from.join("0"), from.join("link")).unwrap();
    let (objects, vault) = memory_vault();
    let report = vault.preserve("t", "A-1", &Source::Tree(from), &mut ()).unwrap();
    let pack = objects.list("").unwrap().into_iter().find(|n| n.contains("/data/")).unwrap();
    let mut bytes = objects.get(&pack).unwrap();
    bytes[200] ^= 1;
    replace(&objects, &pack, &bytes);
    let verified = vault.verify("t", &report.id).unwrap();
    assert_eq!(verified.problems.len(), 1, "{:?}", verified.problems);
    let restored = vault.restore("t", &report.id, &to, None).unwrap();
    let bad = &verified.problems[0].path;
    assert!(restored.damaged.iter().any(|p| p.path == *bad));
    assert_eq!(restored.files, 7);
    assert!(!to.join(bad).exists());
    assert_eq!(to.join("link").exists(), bad != std::path::Path::new("0"));
}

#[test]
fn a_lost_or_damaged_index_is_rebuilt_from_the_packs() {
    let (objects, id) = small();
    let indexes: Vec<String> =
        objects.list("").unwrap().into_iter().filter(|n| n.contains("/sorted/")).collect();
    objects.delete(&indexes[0]).unwrap();
    replace(&objects, &indexes[1], &[0; 300]);
    let vault = Vault::open(Arc::clone(&objects) as Arc<dyn Objects>, &kek()).unwrap();
    assert!(matches!(vault.verify("t", &id), Err(VaultError::MissingChunk { .. })));
    let before = objects.list("").unwrap().len();
    assert!(vault.sweep("t").is_err(), "with a damaged index nothing is swept");
    assert_eq!(objects.list("").unwrap().len(), before);
    let report = vault.reindex("t").unwrap();
    assert_eq!((report.packs, report.problems.len()), (2, 0));
    assert!(vault.verify("t", &id).unwrap().is_intact());
    assert!(!detected(&objects, &id));
    assert_eq!(vault.reindex("t").unwrap().packs, 0);
}
