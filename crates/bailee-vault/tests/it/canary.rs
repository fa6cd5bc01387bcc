//! Canaries: what is whole is found whole, and each way to lose an object is told by its name.

use std::sync::Arc;

use bailee_store::{MemoryObjects, Objects};
use bailee_vault::{Canary, Draw, Harm, SnapshotId, Source, Vault};

use crate::support::{kek, memory_vault, noise};

fn draw(packs: usize, again: &[String]) -> Draw {
    Draw { seed: [7; 32], packs, again: again.to_vec() }
}

/// A tree over several packs, and the store it is in.
fn kept() -> (Arc<MemoryObjects>, Vault, SnapshotId) {
    let dir = tempfile::tempdir().unwrap();
    for n in 0..5 {
        std::fs::write(dir.path().join(format!("{n}")), noise(n + 1, 9 << 20)).unwrap();
    }
    let (objects, vault) = memory_vault();
    let id = vault.preserve("t", "u", &Source::Tree(dir.path().into()), &mut ()).unwrap().id;
    (objects, vault, id)
}

fn look(objects: &Arc<MemoryObjects>, id: &SnapshotId, draw: &Draw) -> Vec<Canary> {
    // Opened anew, as the next day's process does.
    let vault = Vault::open(Arc::clone(objects) as Arc<dyn Objects>, &kek()).unwrap();
    vault.canaries("t", id, draw).unwrap()
}

fn lost(seen: &[Canary]) -> Vec<(&str, Harm)> {
    seen.iter().filter_map(|one| Some((one.object.as_str(), one.harm?))).collect()
}

fn packs(objects: &MemoryObjects) -> Vec<String> {
    let all = objects.list("vault/t/").unwrap();
    all.into_iter().filter(|name| name.contains("/data/")).collect()
}

#[test]
fn what_is_whole_is_found_whole_and_no_more_is_read_than_was_asked_for() {
    let (objects, _vault, id) = kept();
    let seen = look(&objects, &id, &draw(2, &[]));
    assert_eq!((lost(&seen), seen.len()), (vec![], 3), "two packs, and the snapshot itself");
    assert!(seen.iter().all(|one| one.bytes > 0));
    let all = look(&objects, &id, &draw(60, &[]));
    assert_eq!(lost(&all), []);
    let data = all.iter().filter(|one| one.object.contains("/data/")).count();
    assert_eq!(data, packs(&objects).len(), "with enough draws each is reached");
    let other = look(&objects, &id, &Draw { seed: [8; 32], packs: 1, again: Vec::new() });
    assert_eq!(lost(&other), []);
}

#[test]
fn of_a_small_snapshot_both_packs_are_read_whatever_is_drawn() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a"), noise(1, 3 << 20)).unwrap();
    let (objects, vault) = memory_vault();
    let id = vault.preserve("t", "u", &Source::Tree(dir.path().into()), &mut ()).unwrap().id;
    assert_eq!(packs(&objects).len(), 1, "and one with the manifest");
    for seed in 0..=255 {
        let drawn = Draw { seed: [seed; 32], packs: 2, again: Vec::new() };
        let seen = vault.canaries("t", &id, &drawn).unwrap();
        assert_eq!(seen.len(), 3, "the snapshot and its two packs, seed {seed}: {seen:?}");
    }
}

#[test]
fn each_flipped_byte_and_each_missing_pack_is_named_and_looked_for_again() {
    let (objects, _vault, id) = kept();
    let all = draw(60, &[]);
    let names = packs(&objects);
    let sound: Vec<Vec<u8>> = names.iter().map(|name| objects.get(name).unwrap()).collect();
    // How much lies in which depends on who was quicker.
    let [middle, end] = [sound[0].len() / 2, sound[1].len()];
    for (n, at) in [(0, 5), (0, middle), (1, end - 3), (1, end - 40)] {
        let mut bytes = sound[n].clone();
        bytes[at] ^= 1;
        objects.delete(&names[n]).unwrap();
        objects.put(&names[n], &bytes).unwrap();
        let seen = look(&objects, &id, &all);
        assert_eq!(lost(&seen), [(names[n].as_str(), Harm::Damaged)], "byte {at}");
        // None is drawn, and it is found all the same, until it is put right.
        let again = draw(0, &names[n..=n]);
        assert_eq!(lost(&look(&objects, &id, &again)), [(names[n].as_str(), Harm::Damaged)]);
        objects.delete(&names[n]).unwrap();
        objects.put(&names[n], &sound[n]).unwrap();
        assert_eq!(lost(&look(&objects, &id, &again)), []);
    }
    objects.delete(&names[0]).unwrap();
    assert_eq!(lost(&look(&objects, &id, &all)), [(names[0].as_str(), Harm::Missing)]);
    let again = draw(0, &names[..1]);
    assert_eq!(lost(&look(&objects, &id, &again)), [(names[0].as_str(), Harm::Missing)]);
    let foreign = draw(0, &["vault/t/x/u/y/data/00".into(), "chunk 00".into()]);
    assert_eq!(lost(&look(&objects, &id, &foreign)), []);
}

#[test]
fn what_a_canary_finds_damaged_is_stored_again_and_not_lost_any_more() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("film"), noise(1, 9 << 20)).unwrap();
    let (objects, vault) = memory_vault();
    let source = Source::Tree(dir.path().into());
    let id = vault.preserve("t", "u", &source, &mut ()).unwrap().id;
    let name = packs(&objects).remove(0);
    let mut bytes = objects.get(&name).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    objects.delete(&name).unwrap();
    objects.put(&name, &bytes).unwrap();
    let (all, again) = (draw(60, &[]), draw(0, std::slice::from_ref(&name)));
    let found = [(name.as_str(), Harm::Damaged)];
    assert_eq!(lost(&look(&objects, &id, &all)), found);
    let opened = Vault::open(Arc::clone(&objects) as Arc<dyn Objects>, &kek()).unwrap();
    assert_eq!(lost(&look(&objects, &id, &again)), found, "until it is put right");
    let second = opened.preserve("t", "u", &source, &mut ()).unwrap();
    assert!(second.stored_bytes > 1 << 20, "stored again: {}", second.stored_bytes);
    assert!(objects.get(&name).is_ok(), "nobody has pruned it yet");
    for kept in [&id, &second.id] {
        assert!(opened.verify("t", kept).unwrap().is_intact());
        for drawn in [&all, &again] {
            assert_eq!(lost(&look(&objects, kept, drawn)), [], "the pack is read by nobody");
        }
    }
}

#[test]
fn a_snapshot_that_is_gone_or_changed_is_lost_and_so_is_one_whose_key_is() {
    let (objects, _vault, id) = kept();
    let named = |parts: [&str; 2]| {
        let mut all = objects.list("vault/t/").unwrap().into_iter();
        all.find(|name| parts.iter().all(|part| name.contains(part))).unwrap()
    };
    let (snapshot, unit_key) = (named(["/s/", ""]), named(["/u/", "/key/"]));
    let sound = objects.get(&snapshot).unwrap();
    objects.delete(&snapshot).unwrap();
    let gone = look(&objects, &id, &draw(1, &[]));
    assert_eq!(lost(&gone), [(format!("snapshot {id}").as_str(), Harm::Missing)]);
    let mut changed = sound.clone();
    *changed.last_mut().unwrap() ^= 1;
    objects.put(&snapshot, &changed).unwrap();
    let seen = look(&objects, &id, &draw(1, &[]));
    assert_eq!(lost(&seen), [(snapshot.as_str(), Harm::Damaged)]);
    objects.delete(&snapshot).unwrap();
    objects.put(&snapshot, &sound).unwrap();
    assert_eq!(lost(&look(&objects, &id, &draw(1, &[]))), []);
    objects.delete(&unit_key).unwrap();
    let seen = look(&objects, &id, &draw(1, &[]));
    assert_eq!(lost(&seen), [(unit_key.as_str(), Harm::Missing)]);
}
