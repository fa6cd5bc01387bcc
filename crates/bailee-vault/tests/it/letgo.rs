//! Nothing is let go without the right clearance, nothing that is pinned, nothing else besides.

use std::sync::Arc;

use bailee_ledger::clearance::Act;
use bailee_store::{MemoryObjects, Objects};
use bailee_vault::{Source, Vault, VaultError, no_catalogue};

use crate::support::{clear, kek, memory_vault, noise, sweep};

fn free(_: &bailee_vault::SnapshotId) -> Option<String> {
    None
}

#[test]
fn expiry_asks_pins_and_clearance_and_spares_what_others_need() {
    let dir = tempfile::tempdir().unwrap();
    let source = Source::Tree(dir.path().to_owned());
    std::fs::write(dir.path().join("both"), noise(1, 2 << 20)).unwrap();
    let (objects, vault) = memory_vault();
    let first = vault.preserve("t", "A-7", &source, &mut ()).unwrap();
    std::fs::write(dir.path().join("only-second"), noise(2, 2 << 20)).unwrap();
    let second = vault.preserve("t", "A-7", &source, &mut ()).unwrap();

    let held = |id: &bailee_vault::SnapshotId| (*id == second.id).then(|| "H-17".to_owned());
    let pinned =
        vault.expire("t", &second.id, clear(7, Act::Expire, second.root), &held, &no_catalogue);
    let message = pinned.unwrap_err().to_string();
    assert!(message.contains("H-17"), "{message}");
    for (wrong, why) in [
        (clear(7, Act::Sanitize, second.root), "act"),
        (clear(7, Act::Expire, first.root), "subject"),
        (clear(8, Act::Expire, second.root), "asset"),
    ] {
        let refused = vault.expire("t", &second.id, wrong, &free, &no_catalogue);
        assert!(matches!(refused, Err(VaultError::WrongClearance { .. })), "wrong {why}");
    }
    assert_eq!(vault.list("t").unwrap().len(), 2);

    let before = objects.list("").unwrap().len();
    let done = vault
        .expire("t", &second.id, clear(7, Act::Expire, second.root), &free, &no_catalogue)
        .unwrap();
    assert!(done.freed_bytes > 2 << 20 && done.freed_bytes < 3 << 20, "{done:?}");
    assert!(objects.list("").unwrap().len() < before);
    for vault in [&vault, &Vault::open(Arc::clone(&objects) as Arc<dyn Objects>, &kek()).unwrap()] {
        assert!(vault.verify("t", &first.id).unwrap().is_intact());
        assert!(matches!(vault.verify("t", &second.id), Err(VaultError::UnknownSnapshot { .. })));
    }
    let third = vault.preserve("t", "A-7", &source, &mut ()).unwrap();
    assert!(vault.verify("t", &third.id).unwrap().is_intact(), "no hit on an expired chunk");
}

#[test]
fn erasing_a_unit_destroys_its_key_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("f"), noise(1, 1 << 20)).unwrap();
    let source = Source::Tree(dir.path().to_owned());
    let (packs, keys) = (Arc::new(MemoryObjects::new()), Arc::new(MemoryObjects::new()));
    let stores = || (Arc::clone(&packs) as Arc<dyn Objects>, Arc::clone(&keys) as Arc<dyn Objects>);
    let (p, k) = stores();
    let vault = Vault::create_with_keys(p, k, &kek()).unwrap();
    let gone = vault.preserve("t", "A-1", &source, &mut ()).unwrap();
    let kept = vault.preserve("t", "A-2", &source, &mut ()).unwrap();

    let stale = vault.erase_subject("t", "A-1").unwrap();
    let late = vault.preserve("t", "A-1", &source, &mut ()).unwrap();
    let refused = vault.erase_unit("t", "A-1", clear(1, Act::Erase, stale), &free);
    assert!(
        matches!(refused, Err(VaultError::WrongClearance { .. })),
        "a snapshot taken since voids the clearance"
    );
    let subject = vault.erase_subject("t", "A-1").unwrap();
    let held = |id: &bailee_vault::SnapshotId| (*id == late.id).then(|| "H-1".to_owned());
    let pinned = vault.erase_unit("t", "A-1", clear(1, Act::Erase, subject), &held);
    assert!(matches!(pinned, Err(VaultError::Pinned { .. })));
    assert_eq!(vault.list("t").unwrap().len(), 3);

    // The store keeps a copy of everything, as a store with versions would.
    let copies: Vec<(String, Vec<u8>)> =
        packs.list("").unwrap().into_iter().map(|n| (n.clone(), packs.get(&n).unwrap())).collect();
    let done = vault.erase_unit("t", "A-1", clear(1, Act::Erase, subject), &free).unwrap();
    assert_eq!((done.let_go.snapshots, done.keys.len()), (2, 1));
    for (name, bytes) in copies {
        packs.put(&name, &bytes).unwrap();
    }
    let (p, k) = stores();
    let vault = Vault::open_with_keys(p, k, &kek()).unwrap();
    assert!(matches!(vault.verify("t", &gone.id), Err(VaultError::UnknownSnapshot { .. })));
    assert_eq!(vault.list("t").unwrap().len(), 1);
    assert!(vault.verify("t", &kept.id).unwrap().is_intact());
    let again = vault.preserve("t", "A-1", &source, &mut ());
    assert!(matches!(again, Err(VaultError::UnitErased { .. })), "an erased name stays erased");
    assert!(sweep(&vault).unwrap().packs > 0, "the copies are deleted as well");
    assert!(vault.verify("t", &kept.id).unwrap().is_intact());
}

#[test]
fn a_lost_key_is_not_taken_for_an_erasure() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("f"), b"x").unwrap();
    let source = Source::Tree(dir.path().to_owned());
    let (objects, vault) = memory_vault();
    let report = vault.preserve("t", "A-1", &source, &mut ()).unwrap();
    let key =
        objects.list("").unwrap().into_iter().find(|n| n.contains("/u/") && n.contains("/key/"));
    let key = key.unwrap();
    let bytes = objects.get(&key).unwrap();
    objects.delete(&key).unwrap();
    let count = objects.list("").unwrap().len();
    let vault = Vault::open(Arc::clone(&objects) as Arc<dyn Objects>, &kek()).unwrap();
    for outcome in [
        vault.preserve("t", "A-1", &source, &mut ()).map(drop),
        sweep(&vault).map(drop),
        vault.list("t").map(drop),
    ] {
        assert!(matches!(outcome, Err(VaultError::KeyMissing { .. })), "{outcome:?}");
    }
    assert_eq!(objects.list("").unwrap().len(), count, "nothing was deleted or made");
    objects.put(&key, &bytes).unwrap();
    assert!(vault.verify("t", &report.id).unwrap().is_intact());
}

#[test]
fn the_last_look_at_the_gate_is_directly_before_the_tombstone() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("f"), noise(1, 1 << 20)).unwrap();
    let (packs, keys) = (Arc::new(MemoryObjects::new()), Arc::new(MemoryObjects::new()));
    let stores = (Arc::clone(&packs) as Arc<dyn Objects>, Arc::clone(&keys) as Arc<dyn Objects>);
    let vault = Vault::create_with_keys(stores.0, stores.1, &kek()).unwrap();
    vault.preserve("t", "A-1", &Source::Tree(dir.path().to_owned()), &mut ()).unwrap();
    let subject = vault.erase_subject("t", "A-1").unwrap();
    // Were the keys listed after the last question, the list would miss what goes away in it.
    let asked = |_: &bailee_vault::SnapshotId| {
        for object in keys.list("").unwrap().iter().filter(|name| name.contains("/key/")) {
            keys.delete(object).unwrap();
        }
        None
    };
    let done = vault.erase_unit("t", "A-1", clear(1, Act::Erase, subject), &asked).unwrap();
    assert_eq!(done.keys.len(), 1, "{done:?}");
    assert!(keys.get(&done.keys[0].object).is_err());
}
