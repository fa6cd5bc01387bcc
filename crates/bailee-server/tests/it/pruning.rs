//! Pruning by a running service: each day by the house's clock, what a kill left; and what the log
//! has as kept and the vault has not stops it, by name.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bailee_core::Action;
use bailee_core::asset::Fate;
use bailee_core::demand::Scope;
use bailee_core::disposition::DispositionKind;
use bailee_core::id::{AssetId, ClearanceId, DispositionId};
use bailee_server::api::words::TokenScope;
use bailee_server::{House, keeping, pruning};
use bailee_store::Objects;
use bailee_vault::{Source, Sweep, VaultError};

use crate::common::{because, keep_a_film, make_ready, on_disk, people, yes};
use crate::http::{Served, token};

fn packs(objects: &dyn Objects) -> Vec<String> {
    let mut all = objects.list("vault/t/").unwrap();
    all.retain(|name| name.contains("/data/") || name.contains("/meta/"));
    all
}

/// A house that keeps one snapshot, and packs of one that was never finished.
fn stage(dir: &std::path::Path) -> (House, String) {
    let house = on_disk(&dir.join("house"));
    let people = people(&house);
    let tree = keep_a_film(&house, people.ada, Vec::new(), dir);
    let before = house.objects().list("vault/t/").unwrap();
    // Of an asset that nothing was ever kept of, and so of a unit that the log does not know.
    std::fs::write(tree.join("film"), vec![8; 2 << 20]).unwrap();
    let vault = keeping::vault(&house).unwrap();
    vault.preserve("house", "data-A-9", &Source::Tree(tree), &mut ()).unwrap();
    for name in house.objects().list("vault/t/").unwrap() {
        let left = ["/s/", "/sorted/"].iter().any(|part| name.contains(part));
        if left && !before.contains(&name) {
            house.objects().delete(&name).unwrap();
        }
    }
    let token = token(&house, people.ada, TokenScope::Operator);
    (house, token)
}

fn wait_for(what: &str, mut is: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is() {
        assert!(start.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn what_a_kill_left_goes_within_a_day_and_what_is_missing_stops_it() {
    let dir = tempfile::tempdir().unwrap();
    let (house, token) = stage(dir.path());
    let (clock, objects) = (house.clock().clone(), Arc::clone(house.objects()));
    let all = packs(&*objects);
    assert_eq!(all.len(), 4, "two of each: {all:?}");
    let served = Served::start(house);
    let metrics = || served.get("/metrics", &token).text();
    std::thread::sleep(Duration::from_millis(1_200));
    assert!(!metrics().contains("bailee_prune"), "not at once");
    clock.tell(clock.now().plus_seconds(601));
    wait_for("nothing was pruned", || metrics().contains("bailee_prune_packs 2\n"));
    assert_eq!(packs(&*objects).len(), 2);
    let said = metrics();
    assert!(said.contains("bailee_prune_refused_units 0\n"), "{said}");
    // The log has the snapshot, and the vault does not show it.
    let snapshot = objects.list("vault/t/").unwrap();
    let snapshot = snapshot.into_iter().find(|name| name.contains("/s/")).unwrap();
    let bytes = objects.get(&snapshot).unwrap();
    objects.delete(&snapshot).unwrap();
    clock.tell(clock.now().plus_days(1));
    let refused = "bailee_prune_refused_units 1\n";
    wait_for("nothing was refused", || metrics().contains(refused));
    assert_eq!(packs(&*objects).len(), 2, "what is kept is there");
    objects.put(&snapshot, &bytes).unwrap();
    served.end();
    let house = House::open(&dir.path().join("house"), clock).unwrap();
    let id = house.with_state(|s| s.snapshots.iter().next().unwrap().0).unwrap();
    let ada = house.with_state(|s| s.parties.iter().next().unwrap().0).unwrap();
    assert!(keeping::verify(&house, id, ada).unwrap().is_intact());
}

#[test]
fn every_unit_is_told_with_its_owner_and_an_empty_house_has_none() {
    let dir = tempfile::tempdir().unwrap();
    let empty = on_disk(&dir.path().join("empty"));
    assert!(pruning::prune(&empty, Sweep::Now, &mut |_, _, _| ()).unwrap().is_empty());
    let (house, _) = stage(dir.path());
    let mut told = Vec::new();
    let mut progress = |tenant: &str, done, many| told.push((tenant.to_owned(), done, many));
    let rehearsed = pruning::prune(&house, Sweep::Rehearse, &mut progress).unwrap();
    assert_eq!(told, [("house".to_owned(), 1, 2), ("house".to_owned(), 2, 2)]);
    let freed = |all: &[pruning::Pruned]| -> u64 {
        all.iter().map(|one| one.swept.outcome.as_ref().unwrap().freed_bytes).sum()
    };
    let mut units: Vec<&str> = rehearsed.iter().map(|one| &*one.swept.unit).collect();
    units.sort_unstable();
    assert_eq!(units, ["data-A-1", "data-A-9"]);
    let done = pruning::prune(&house, Sweep::Now, &mut |_, _, _| ()).unwrap();
    assert!(freed(&done) > 0 && freed(&done) == freed(&rehearsed), "{done:?}");
    assert_eq!(freed(&pruning::prune(&house, Sweep::Now, &mut |_, _, _| ()).unwrap()), 0);
}

/// An expiry that is killed when the snapshot is out of sight, and nothing else is gone.
#[test]
fn what_is_held_of_an_expiry_that_was_killed_is_pruned_by_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let house = on_disk(&dir.path().join("house"));
    let people = people(&house);
    keep_a_film(&house, people.ada, Vec::new(), dir.path());
    let (source, copy, disposition) = (AssetId(1), AssetId(2), DispositionId(1));
    let (kind, assets, reason) = (DispositionKind::Expire, vec![copy], because());
    yes(&house, people.ada, Action::ProposeDisposition { kind, assets, to: None, reason });
    make_ready(&house, &people, disposition);
    let subject = house.with_state(|s| s.snapshots.iter().next().unwrap().1.root).unwrap();
    yes(&house, people.ada, Action::Reserve { disposition, asset: copy, subject });
    yes(&house, people.ada, Action::Begin { clearance: ClearanceId(1) });
    house.clock().tell(house.clock().now().plus_seconds(61));
    house.tick().unwrap();
    let fate = |id| house.with_state(|s| s.assets.get(id).unwrap().fate.clone()).unwrap();
    assert_eq!(fate(copy), Fate::Unknown(ClearanceId(1)));
    let objects = house.objects();
    let all = objects.list("vault/t/").unwrap();
    let snapshot = all.into_iter().find(|name| name.contains("/s/")).unwrap();
    objects.delete(&snapshot).unwrap();
    let (scope, reason) = (Scope { assets: vec![source], ..Scope::default() }, because());
    let (instrument, matter, silent) = ("letter".into(), None, None);
    yes(&house, people.ada, Action::PlaceHold { scope, instrument, matter, silent, reason });
    let before = packs(&**objects);
    let pruned = pruning::prune(&house, Sweep::Now, &mut |_, _, _| ()).unwrap();
    let [unit] = &pruned[..] else { panic!("{pruned:?}") };
    assert!(matches!(unit.swept.outcome, Err(VaultError::SnapshotMissing { .. })), "{unit:?}");
    assert_eq!(packs(&**objects), before);
}
