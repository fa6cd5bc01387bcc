//! A pack of which both copies are damaged is put together of what is whole in either; what is
//! whole in neither is named, and nothing else goes with it.

use std::sync::Arc;

use bailee_store::{Fault, FaultPlan, FaultyObjects, MemoryObjects, Objects};
use bailee_vault::{
    Problem, RepairReport, SnapshotReport, Source, Vault, repair_packs, scrub_packs,
};

use crate::support::{kek, memory_vault, noise, sweep};

/// Places of a pack that are further apart than 1 MiB are of different records.
const SIZE: usize = 6_000_000;

struct Kept {
    objects: Arc<MemoryObjects>,
    copy: MemoryObjects,
    last: SnapshotReport,
    pack: String,
    /// The pack as it was put.
    good: Vec<u8>,
}

/// A file in one pack of several records, and a copy of the store.
fn kept() -> Kept {
    let dir = tempfile::tempdir().unwrap();
    let (objects, vault) = memory_vault();
    std::fs::write(dir.path().join("film"), noise(1, SIZE)).unwrap();
    let source = Source::Tree(dir.path().to_owned());
    let last = vault.preserve("t", "A-1", &source, &mut ()).unwrap();
    let pack = objects.list("").unwrap().into_iter().find(|n| n.contains("/data/")).unwrap();
    let (copy, good) = (objects.copied(), objects.get(&pack).unwrap());
    assert!(good.len() > SIZE);
    Kept { objects, copy, last, pack, good }
}

fn replace(objects: &MemoryObjects, name: &str, bytes: &[u8]) {
    objects.delete(name).unwrap();
    objects.put(name, bytes).unwrap();
}

/// Flips bits of a pack at these places; a negative one counts from its end.
fn spoil(objects: &MemoryObjects, name: &str, places: &[i64]) {
    let mut bytes = objects.get(name).unwrap();
    for place in places {
        let from_end = usize::try_from(-place).map(|back| bytes.len() - back);
        let at = usize::try_from(*place).or(from_end).unwrap();
        bytes[at] ^= 1;
    }
    replace(objects, name, &bytes);
}

fn repair(objects: Arc<dyn Objects>, copy: &MemoryObjects, found: &[Problem]) -> RepairReport {
    let mut report = repair_packs(&*objects, copy, found).unwrap();
    let vault = Vault::open(objects, &kek()).unwrap();
    vault.splice_packs("t", copy, &mut report).unwrap();
    report
}

fn check_whole(kept: &Kept) {
    assert_eq!(kept.objects.get(&kept.pack).unwrap(), kept.good, "byte for byte");
    assert_eq!(scrub_packs(&*kept.objects).unwrap().problems, []);
    let left = kept.objects.list("").unwrap();
    assert!(!left.iter().any(|n| n.contains("/mended/") || n.contains("/doubt/")), "{left:?}");
    let vault = Vault::open(kept.objects.clone(), &kek()).unwrap();
    assert!(vault.verify("t", &kept.last.id).unwrap().is_intact());
}

#[test]
fn copies_damaged_in_different_records_give_the_whole_pack() {
    // Records, header, directory, trailer: here and in the copy.
    let places: [(&[i64], &[i64]); 6] = [
        (&[5_000], &[4_500_000]),
        (&[5_000, 3_000_000, -30], &[4_500_000, 1_500_000, 70]),
        (&[70, 110], &[-3, 2_000_000]),
        (&[-30, -3], &[2, 5_000]),
        (&[-3], &[-30]),
        (&[3, 100], &[70]),
    ];
    for (here, there) in places {
        let kept = kept();
        spoil(&kept.objects, &kept.pack, here);
        spoil(&kept.copy, &kept.pack, there);
        let found = scrub_packs(&*kept.objects).unwrap().problems;
        let alone = repair_packs(&*kept.objects, &kept.copy, &found).unwrap();
        assert_eq!((alone.packs, alone.problems.len()), (0, 1), "not without the key");
        let report = repair(kept.objects.clone(), &kept.copy, &found);
        assert_eq!((report.packs, &report.problems[..]), (1, &[][..]), "{here:?} {there:?}");
        assert_eq!((report.bytes, report.stored_again), (kept.good.len() as u64, 0));
        check_whole(&kept);
    }
    // One that ends early, and one of which the first part is gone.
    let kept = kept();
    replace(&kept.objects, &kept.pack, &kept.good[..4_000_000]);
    spoil(&kept.copy, &kept.pack, &[200, 2_500_000]);
    let found = scrub_packs(&*kept.objects).unwrap().problems;
    assert_eq!(repair(kept.objects.clone(), &kept.copy, &found).packs, 1);
    check_whole(&kept);
}

/// What is lost is one chunk; what only the copy has is there again, and what is here stays.
fn check_lost(kept: &Kept, report: &RepairReport, before: &[u8]) {
    assert_eq!((report.packs, report.problems.len()), (0, 1), "{report:?}");
    let [loss] = &report.lost[..] else { panic!("{report:?}") };
    let [lost] = &loss.damage.ranges[..] else { panic!("{report:?}") };
    assert_eq!(kept.objects.get(&kept.pack).unwrap(), before, "nothing is thrown away");
    let vault = Vault::open(kept.objects.clone(), &kek()).unwrap();
    let read = |range| vault.read_range("t", &kept.last.id, b"film", range);
    assert_eq!((loss.snapshot, loss.damage.path.to_str()), (kept.last.id, Some("film")));
    assert!(lost.end - lost.start <= 1 << 20 && read(lost.clone()).is_err(), "{lost:?}");
    let (all, at) = (noise(1, SIZE), |n: u64| usize::try_from(n).unwrap());
    assert!(read(0..lost.start).unwrap() == all[..at(lost.start)]);
    assert!(read(lost.end..SIZE as u64).unwrap() == all[at(lost.end)..]);
    assert_eq!(vault.damage("t", &kept.last.id).unwrap()[0].ranges, loss.damage.ranges);
}

#[test]
fn what_neither_copy_gives_is_named_and_the_rest_is_saved() {
    let kept = kept();
    spoil(&kept.objects, &kept.pack, &[200, 3_000_000]);
    spoil(&kept.copy, &kept.pack, &[210, 4_500_000]);
    let before = kept.objects.get(&kept.pack).unwrap();
    let found = scrub_packs(&*kept.objects).unwrap().problems;
    let report = repair(kept.objects.clone(), &kept.copy, &found);
    assert_eq!(report.stored_again, 1, "{report:?}");
    let what = &report.problems[0].what;
    assert!(
        what.starts_with("neither copy gives 1 of its ") && what.contains(" records; 1 "),
        "{what}"
    );
    check_lost(&kept, &report, &before);
    let again = repair(kept.objects.clone(), &kept.copy, &found);
    assert_eq!(again.stored_again, 0, "it is there already: {again:?}");
    check_lost(&kept, &again, &before);
    // Nothing is let go with a chunk that is needed and lost.
    sweep(&Vault::open(kept.objects.clone(), &kek()).unwrap()).unwrap();
    check_lost(&kept, &again, &before);
}

/// The directory is gone in both: where chunks lie is in the index, and what is needed is saved.
#[test]
fn without_a_directory_the_index_says_where_records_are() {
    let kept = kept();
    spoil(&kept.objects, &kept.pack, &[3_000_000, -40]);
    spoil(&kept.copy, &kept.pack, &[4_500_000, -40]);
    let found = scrub_packs(&*kept.objects).unwrap().problems;
    let report = repair(kept.objects.clone(), &kept.copy, &found);
    assert_eq!((report.packs, report.stored_again, &report.lost[..]), (0, 1, &[][..]));
    assert!(report.problems[0].what.contains("nothing is lost"), "{report:?}");
    let vault = Vault::open(kept.objects.clone(), &kek()).unwrap();
    assert!(vault.verify("t", &kept.last.id).unwrap().is_intact());
    // Gone altogether: all of all files is lost, and said to be.
    let kept = self::kept();
    kept.objects.delete(&kept.pack).unwrap();
    kept.copy.delete(&kept.pack).unwrap();
    let found = scrub_packs(&*kept.objects).unwrap().problems;
    let report = repair(kept.objects.clone(), &kept.copy, &found);
    assert_eq!(report.lost[0].damage.spans(), [format!("0..{SIZE}")], "{report:?}");
    assert_eq!((report.lost.len(), report.problems.len()), (1, 1));
}

/// The list of files is in a pack as well.
#[test]
fn a_damaged_list_of_files_is_put_together_or_named() {
    for (here, there, whole) in [(130, -30, true), (130, 130, false)] {
        let mut kept = kept();
        let names = kept.objects.list("").unwrap();
        kept.pack = names.into_iter().find(|n| n.contains("/meta/")).unwrap();
        kept.good = kept.objects.get(&kept.pack).unwrap();
        spoil(&kept.objects, &kept.pack, &[here]);
        spoil(&kept.copy, &kept.pack, &[there]);
        let found = scrub_packs(&*kept.objects).unwrap().problems;
        let report = repair(kept.objects.clone(), &kept.copy, &found);
        assert_eq!(report.packs, u64::from(whole), "{report:?}");
        if whole {
            check_whole(&kept);
            continue;
        }
        let [loss] = &report.lost[..] else { panic!("{report:?}") };
        assert!(loss.damage.what.starts_with("the list of its files cannot be read"), "{loss:?}");
    }
}

#[test]
fn a_splice_that_fails_at_any_step_is_done_by_the_next() {
    let (mut call, mut failed) = (0, 0);
    loop {
        let kept = kept();
        spoil(&kept.objects, &kept.pack, &[5_000]);
        spoil(&kept.copy, &kept.pack, &[4_500_000]);
        let found = scrub_packs(&*kept.objects).unwrap().problems;
        let plan = FaultPlan::one(call, Fault::Crash);
        let faulty = Arc::new(FaultyObjects::new((*kept.objects).clone(), plan.clone()));
        let ended = repair_packs(&*faulty, &kept.copy, &found).is_ok_and(|mut report| {
            let vault = Vault::open(faulty.clone(), &kek());
            vault.is_ok_and(|vault| vault.splice_packs("t", &kept.copy, &mut report).is_ok())
        });
        if ended && plan.calls() <= call {
            break;
        }
        failed += 1;
        let found = scrub_packs(&*kept.objects).unwrap().problems;
        let report = repair(kept.objects.clone(), &kept.copy, &found);
        assert_eq!(report.problems, [], "call {call}");
        check_whole(&kept);
        call += 1;
    }
    assert!(failed > 8, "only {failed} calls were made to fail");
}
