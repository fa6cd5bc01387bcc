//! Keys and snapshots that are damaged are named, and put right from a copy of the store.

use std::collections::BTreeSet;
use std::sync::Arc;

use bailee_store::{MemoryObjects, Objects};
use bailee_vault::{Source, Vault, is_sealed, repair_sealed, unopened};

use crate::support::kek;

fn tenants() -> BTreeSet<String> {
    ["t".to_owned()].into()
}

/// A store with a snapshot of a tree, and the snapshot.
fn kept() -> (Arc<dyn Objects>, bailee_vault::SnapshotId) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a"), [7; 5_000]).unwrap();
    let objects: Arc<dyn Objects> = Arc::new(MemoryObjects::new());
    let vault = Vault::create(Arc::clone(&objects), &kek()).unwrap();
    let source = Source::Tree(dir.path().to_owned());
    let report = vault.preserve("t", "u", &source, &mut ()).unwrap();
    (objects, report.id)
}

fn copied(objects: &dyn Objects) -> MemoryObjects {
    let copy = MemoryObjects::new();
    for name in objects.list("").unwrap() {
        copy.put(&name, &objects.get(&name).unwrap()).unwrap();
    }
    copy
}

fn write(objects: &dyn Objects, name: &str, bytes: &[u8]) {
    objects.delete(name).unwrap();
    objects.put(name, bytes).unwrap();
}

fn is_whole(objects: &Arc<dyn Objects>, id: &bailee_vault::SnapshotId) -> bool {
    let vault = Vault::open(Arc::clone(objects), &kek());
    vault.and_then(|vault| vault.verify("t", id)).is_ok_and(|report| report.is_intact())
}

#[test]
fn each_key_and_snapshot_that_is_damaged_is_named_and_put_back() {
    let (objects, id) = kept();
    let copy = copied(&*objects);
    let sealed: Vec<String> =
        objects.list("").unwrap().into_iter().filter(|name| is_sealed(name)).collect();
    assert_eq!(sealed.len(), 4, "of vault, tenant and unit, and the snapshot: {sealed:?}");
    assert_eq!(unopened((&objects, &objects), &kek(), &tenants()).unwrap(), []);
    for name in &sealed {
        let good = objects.get(name).unwrap();
        let mut flipped = good.clone();
        flipped[good.len() - 3] ^= 4;
        let mut newer = good.clone();
        newer[8] ^= 1;
        for bad in [&flipped[..], &newer, &good[..40], &[]] {
            write(&*objects, name, bad);
            assert!(!is_whole(&objects, &id), "{name}");
            let found = unopened((&objects, &objects), &kek(), &tenants()).unwrap();
            let names: Vec<_> = found.iter().map(|p| p.path.display().to_string()).collect();
            assert_eq!(names, std::slice::from_ref(name), "{found:?}");
            let stores = (&objects, &objects);
            let done = repair_sealed(stores, &copy, &kek(), &tenants()).unwrap();
            assert_eq!((done.put_back, &done.problems[..]), (vec![name.clone()], &[][..]));
            assert!(is_whole(&objects, &id), "{name}");
        }
    }
}

#[test]
fn several_at_once_are_put_right_and_a_copy_that_is_no_better_changes_nothing() {
    let (objects, id) = kept();
    let copy = copied(&*objects);
    let sealed: Vec<String> =
        objects.list("").unwrap().into_iter().filter(|name| is_sealed(name)).collect();
    for name in &sealed {
        write(&*objects, name, b"nothing");
    }
    let spoilt = copied(&*objects);
    let done = repair_sealed((&objects, &objects), &spoilt, &kek(), &tenants()).unwrap();
    assert_eq!((done.put_back.len(), done.problems.len()), (0, 1), "what is behind it is unseen");
    assert_eq!(objects.get(&sealed[0]).unwrap(), b"nothing");
    let done = repair_sealed((&objects, &objects), &copy, &kek(), &tenants()).unwrap();
    assert_eq!((done.put_back.len(), &done.problems[..]), (sealed.len(), &[][..]));
    assert!(is_whole(&objects, &id));
}

#[test]
fn a_key_that_a_killed_repair_left_away_is_put_by_the_next() {
    let (objects, id) = kept();
    let copy = copied(&*objects);
    let key = |name: &String| name.contains("/key/");
    for name in objects.list("").unwrap().into_iter().filter(key) {
        objects.delete(&name).unwrap();
        let done = repair_sealed((&objects, &objects), &copy, &kek(), &tenants()).unwrap();
        assert_eq!((&done.put_back[..], &done.problems[..]), (&[name][..], &[][..]));
        assert!(is_whole(&objects, &id));
    }
}

#[test]
fn a_snapshot_that_is_not_there_is_not_put() {
    let (objects, _) = kept();
    let copy = copied(&*objects);
    let snapshot = objects.list("").unwrap().into_iter().rfind(|name| name.contains("/s/"));
    let snapshot = snapshot.unwrap();
    objects.delete(&snapshot).unwrap();
    let done = repair_sealed((&objects, &objects), &copy, &kek(), &tenants()).unwrap();
    assert_eq!(done.put_back, Vec::<String>::new(), "it may have been let go of");
    assert!(objects.size(&snapshot).is_err());
}
