//! Another KEK, with the power failing at every step: something always opens everything, packs are
//! not touched, and at the end the old KEK opens nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use bailee_store::{Fault, FaultPlan, FaultyObjects, MemoryObjects, Objects};
use bailee_vault::{Kek, RewrapReport, SnapshotId, Source, Vault, VaultError};

use crate::support::{kek, noise};

type Everything = BTreeMap<String, Vec<u8>>;

const TENANTS: [&str; 3] = ["P-1", "P-2", "P-3"];

fn next() -> Kek {
    Kek::from_bytes([43; 32])
}

fn all(objects: &MemoryObjects) -> Everything {
    let names = objects.list("").unwrap();
    names.into_iter().map(|name| (name.clone(), objects.get(&name).unwrap())).collect()
}

fn copy(of: &Everything) -> MemoryObjects {
    let objects = MemoryObjects::new();
    for (name, bytes) in of {
        objects.put(name, bytes).unwrap();
    }
    objects
}

/// A vault of three tenants with two units each.
fn filled() -> (Everything, Vec<(&'static str, SnapshotId)>) {
    let objects = Arc::new(MemoryObjects::new());
    let vault = Vault::create(Arc::clone(&objects) as Arc<dyn Objects>, &kek()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let mut ids = Vec::new();
    for (i, tenant) in TENANTS.into_iter().enumerate() {
        for unit in ["A-1", "A-2"] {
            std::fs::write(dir.path().join("f"), noise(i as u64, 100_000)).unwrap();
            let source = Source::Tree(dir.path().to_owned());
            ids.push((tenant, vault.preserve(tenant, unit, &source, &mut ()).unwrap().id));
        }
    }
    (all(&objects), ids)
}

fn opens_all(objects: Arc<dyn Objects>, kek: &Kek, ids: &[(&str, SnapshotId)]) -> bool {
    let Ok(vault) = Vault::open(objects, kek) else { return false };
    ids.iter().all(|(tenant, id)| vault.verify(tenant, id).is_ok_and(|r| r.is_intact()))
}

/// What an operator does, and does again.
fn rotate(objects: &Arc<dyn Objects>) -> Result<RewrapReport, VaultError> {
    match Vault::open(Arc::clone(objects), &kek()) {
        Err(VaultError::WrongKek) => {}
        opened => drop(opened?.add_kek(&next())?),
    }
    Vault::open(Arc::clone(objects), &next())?.retire_other_keks()
}

#[test]
fn rotation_survives_a_crash_at_every_call_and_touches_no_pack() {
    let (before, ids) = filled();
    let mut crashes = 0;
    for call in 0.. {
        let plan = FaultPlan::one(call, Fault::Crash);
        let faulty = Arc::new(FaultyObjects::new(copy(&before), plan.clone()));
        let shared = Arc::clone(&faulty) as Arc<dyn Objects>;
        let first = rotate(&shared);
        if !plan.crashed() {
            let report = first.unwrap();
            assert_eq!((report.tenants, report.destroyed.len()), (3, 4), "{report:?}");
            break;
        }
        assert!(first.is_err(), "call {call}");
        plan.revive();
        crashes += 1;
        let old = opens_all(Arc::clone(&shared), &kek(), &ids);
        let new = opens_all(Arc::clone(&shared), &next(), &ids);
        assert!(old || new, "call {call}: neither opens everything");
        rotate(&shared).unwrap();
        assert!(opens_all(Arc::clone(&shared), &next(), &ids), "call {call}");
        let refused = Vault::open(Arc::clone(&shared), &kek());
        assert!(matches!(refused, Err(VaultError::WrongKek)), "call {call}");
        let after = all(faulty.inner());
        let kept = |m: &Everything| -> Vec<(String, Vec<u8>)> {
            let no_wrap = |n: &str| n.contains("/u/") || n.contains("/s/");
            m.iter().filter(|(n, _)| no_wrap(n)).map(|(n, b)| (n.clone(), b.clone())).collect()
        };
        assert_eq!(kept(&before), kept(&after), "call {call}: nothing but wrapped roots changes");
        assert_eq!(before.len(), after.len(), "call {call}: no copy is left, none is missing");
    }
    assert!(crashes > 15, "{crashes}");
}

#[test]
fn while_it_changes_both_open_and_what_cannot_be_opened_is_never_retired() {
    let (before, ids) = filled();
    let objects = Arc::new(copy(&before)) as Arc<dyn Objects>;
    let vault = Vault::open(Arc::clone(&objects), &kek()).unwrap();
    assert!(matches!(vault.add_kek(&kek()), Err(VaultError::SameKek)));
    assert_eq!(vault.add_kek(&next()).unwrap().tenants, 3);
    assert_eq!(vault.keks().unwrap().len(), 2);
    assert!(opens_all(Arc::clone(&objects), &kek(), &ids));
    assert!(opens_all(Arc::clone(&objects), &next(), &ids));
    // A tenant that came in between is under the old one only.
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("f"), b"late").unwrap();
    let late = vault.preserve("P-4", "A-1", &Source::Tree(dir.path().to_owned()), &mut ()).unwrap();
    let new = Vault::open(Arc::clone(&objects), &next()).unwrap();
    assert!(matches!(new.retire_other_keks(), Err(VaultError::KeyMissing { .. })));
    assert!(opens_all(Arc::clone(&objects), &kek(), &[("P-4", late.id)]), "nothing was destroyed");
    let refused = new.preserve("P-4", "A-2", &Source::Tree(dir.path().to_owned()), &mut ());
    assert!(matches!(refused, Err(VaultError::KeyMissing { .. })), "no second root is made");
    vault.add_kek(&next()).unwrap();
    assert_eq!(new.retire_other_keks().unwrap().destroyed.len(), 5);
    assert!(opens_all(objects, &next(), &[("P-4", late.id)]));
}

#[test]
fn a_forged_or_swapped_copy_under_the_new_kek_is_not_taken() {
    let (before, _) = filled();
    let objects = Arc::new(copy(&before));
    let shared = Arc::clone(&objects) as Arc<dyn Objects>;
    let vault = Vault::open(Arc::clone(&shared), &kek()).unwrap();
    vault.add_kek(&next()).unwrap();
    let fresh: Vec<String> =
        objects.list("").unwrap().into_iter().filter(|n| !before.contains_key(n)).collect();
    let roots: Vec<&String> = fresh.iter().filter(|n| n.contains("/key/")).collect();
    assert_eq!((fresh.len(), roots.len()), (4, 3));
    let swapped = objects.get(roots[1]).unwrap();
    objects.delete(roots[0]).unwrap();
    objects.put(roots[0], &swapped).unwrap();
    for outcome in
        [vault.add_kek(&next()), Vault::open(shared, &next()).unwrap().retire_other_keks()]
    {
        assert!(matches!(outcome, Err(VaultError::Damaged { .. })), "{outcome:?}");
    }
    let lost: Vec<&String> = before.keys().filter(|n| objects.get(n).is_err()).collect();
    assert!(lost.is_empty(), "{lost:?}");
}
