//! Snapshots that the vault has and the log does not: named, never freed, adopted when asked for.

use bailee_core::id::{AssetId, SnapshotId};
use bailee_server::{House, keeping, pruning};
use bailee_vault::{Budget, Source, Sweep};

use crate::common::{keep_a_film, on_disk, people};

fn data_packs(house: &House) -> usize {
    let names = house.objects().list("vault/t/").unwrap();
    names.iter().filter(|name| name.contains("/data/")).count()
}

#[test]
fn what_a_kill_left_between_vault_and_log_is_named_kept_and_adopted() {
    let dir = tempfile::tempdir().unwrap();
    let house = on_disk(&dir.path().join("house"));
    let people = people(&house);
    assert_eq!(keeping::unrecorded(&house).unwrap(), []);
    let tree = keep_a_film(&house, people.ada, Vec::new(), dir.path());
    assert_eq!(keeping::unrecorded(&house).unwrap(), []);
    assert!(keeping::adopt(&house, AssetId(1), people.ada).unwrap().is_empty());
    // The process dies after the vault has it, and before the log hears of it.
    std::fs::write(tree.join("film"), vec![8; 3 << 20]).unwrap();
    let vault = keeping::vault(&house).unwrap();
    let put = vault.preserve("house", "data-A-1", &Source::Tree(tree.clone()), &mut ()).unwrap();
    let elsewhere = vault.preserve("house", "data-A-9", &Source::Tree(tree), &mut ()).unwrap();
    let mut both = [put.id, elsewhere.id];
    both.sort();
    assert_eq!(keeping::unrecorded(&house).unwrap(), both);
    let scrubbed = keeping::scrub(&house, Budget::Everything).unwrap();
    assert_eq!((&scrubbed.unrecorded[..], &scrubbed.run.report.problems[..]), (&both[..], &[][..]));
    // Pruning frees nothing of it.
    let packs = data_packs(&house);
    for one in pruning::prune(&house, Sweep::Now, &mut |_, _, _| ()).unwrap() {
        assert_eq!(one.swept.outcome.unwrap().packs, 0, "{}", one.swept.unit);
    }
    assert_eq!(data_packs(&house), packs);
    // Adopted, it is a copy like any other.
    let adopted = keeping::adopt(&house, AssetId(1), people.ada).unwrap();
    assert_eq!(adopted.len(), 1, "{adopted:?}");
    let one = &adopted[0];
    assert_eq!((one.snapshot, one.vault_id, one.intact), (SnapshotId(2), put.id, true));
    let known = house.with_state(|s| s.snapshots.get(SnapshotId(2)).unwrap().clone()).unwrap();
    assert_eq!((known.root, known.bytes, known.source), (put.root, put.bytes, AssetId(1)));
    assert!(known.verified.is_some() && known.taken <= house.clock().now());
    assert!(keeping::verify(&house, SnapshotId(2), people.ada).unwrap().is_intact());
    assert!(keeping::adopt(&house, AssetId(1), people.ada).unwrap().is_empty(), "once");
    assert_eq!(keeping::unrecorded(&house).unwrap(), [elsewhere.id]);
    let no = keeping::adopt(&house, AssetId(2), people.ada).unwrap_err();
    assert!(matches!(no, keeping::KeepError::IsSnapshot { .. }), "{no:?}");
    assert_eq!(house.with_state(bailee_core::check).unwrap(), []);
}
