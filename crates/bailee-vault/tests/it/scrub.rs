//! A scrub with a budget comes to every pack in its turn; damage is located and put right from a
//! second copy, and only from one that is whole.

use std::collections::BTreeSet;
use std::sync::Arc;

use bailee_store::{DiskSlot, Fault, FaultPlan, FaultyObjects, MemoryObjects, Objects, Slot};
use bailee_vault::{Budget, Source, Unchanged, Vault, repair_packs, scrub_packs, scrub_some};

use crate::support::{kek, memory_vault, noise};

struct Kept {
    objects: Arc<MemoryObjects>,
    vault: Vault,
    last: bailee_vault::SnapshotReport,
    dir: tempfile::TempDir,
}

/// Six snapshots, each with packs of its own.
fn kept() -> Kept {
    let dir = tempfile::tempdir().unwrap();
    let (objects, vault) = memory_vault();
    let source = dir.path().join("source");
    std::fs::create_dir(&source).unwrap();
    let mut preserve = |n: u64| {
        std::fs::write(source.join(format!("f{n}")), noise(n, 600_000)).unwrap();
        let source = Source::Tree(source.clone());
        vault.preserve_with("t", "A-1", &source, Unchanged::Rehash, &mut ()).unwrap()
    };
    let last = (0..6).map(&mut preserve).last().unwrap();
    Kept { objects, vault, last, dir }
}

fn packs(objects: &MemoryObjects, part: &str) -> Vec<String> {
    objects.list("").unwrap().into_iter().filter(|n| n.contains(part)).collect()
}

fn replace(objects: &MemoryObjects, name: &str, bytes: &[u8]) {
    objects.delete(name).unwrap();
    objects.put(name, bytes).unwrap();
}

/// Flips a bit in the middle.
fn spoil(objects: &MemoryObjects, name: &str) {
    let mut bytes = objects.get(name).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    replace(objects, name, &bytes);
}

#[test]
fn a_scrub_goes_on_where_it_stopped_until_it_has_seen_all() {
    let kept = kept();
    let place = DiskSlot::new(kept.dir.path(), "place");
    let all: BTreeSet<String> =
        packs(&kept.objects, "/data/").into_iter().chain(packs(&kept.objects, "/meta/")).collect();
    all.iter().for_each(|name| spoil(&kept.objects, name));
    let (mut seen, mut runs) = (Vec::new(), 0);
    loop {
        // A new process each time: only the place is left of the one before.
        let run = scrub_some(&*kept.objects, &place, Budget::Percent(10)).unwrap();
        assert!(run.report.packs >= 1 && run.report.bytes == 0);
        let most = run.of_bytes / 10 + 610_000;
        let sizes = run.report.problems.iter().map(|p| p.path.to_string_lossy().into_owned());
        let spent: u64 = sizes.map(|name| kept.objects.size(&name).unwrap()).sum();
        assert!(spent < most, "a tenth and the pack that crosses the line: {run:?}");
        let paths = run.report.problems.iter().map(|p| p.path.to_string_lossy().into_owned());
        seen.extend(paths);
        runs += 1;
        if run.rounds_ended > 0 {
            break;
        }
    }
    assert!(runs >= 5, "{runs}");
    assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), all);
    let one = scrub_some(&*kept.objects, &place, Budget::Bytes(1)).unwrap();
    assert_eq!(one.report.packs, 1, "the smallest budget is one pack");
    let whole = scrub_some(&*kept.objects, &place, Budget::Everything).unwrap();
    assert_eq!((whole.report.packs, whole.rounds_ended), (all.len() as u64, 1));
    for nonsense in [&b"\xff\n"[..], b"", b"vault/t/", b"../x\n", &[b'a'; 9000]] {
        place.replace(nonsense).unwrap();
        let run = scrub_some(&*kept.objects, &place, Budget::Bytes(1)).unwrap();
        let first = run.report.problems[0].path.to_string_lossy().into_owned();
        assert_eq!(Some(&first), all.first(), "a place that says nothing is the beginning");
    }
}

#[test]
fn damage_is_located_and_repaired_from_a_second_copy() {
    let kept = kept();
    let copy = kept.objects.copied();
    assert_eq!(kept.vault.damage("t", &kept.last.id).unwrap(), []);
    let data = packs(&kept.objects, "/data/");
    spoil(&kept.objects, &data[0]);
    kept.objects.delete(&data[1]).unwrap();
    let damage = kept.vault.damage("t", &kept.last.id).unwrap();
    assert_eq!(damage.len(), 2, "{damage:?}");
    let verified = kept.vault.verify("t", &kept.last.id).unwrap();
    let paths = |damage: &[bailee_vault::Damage]| -> BTreeSet<_> {
        damage.iter().map(|d| d.path.clone()).collect()
    };
    assert_eq!(paths(&damage), verified.problems.iter().map(|p| p.path.clone()).collect());
    for one in &damage {
        // What is said to be hit cannot be read, and all the rest can.
        let path = one.path.to_string_lossy().into_owned();
        let read = |range| kept.vault.read_range("t", &kept.last.id, path.as_bytes(), range);
        let mut whole_to = 0;
        for hit in &one.ranges {
            assert!(hit.start < hit.end && hit.end <= 600_000);
            assert!(read(whole_to..hit.start).is_ok(), "{path} {hit:?}");
            assert!(read(hit.clone()).is_err(), "{path} {hit:?}");
            whole_to = hit.end;
        }
        assert!(read(whole_to..600_000).is_ok());
    }
    let found = scrub_packs(&*kept.objects).unwrap().problems;
    assert_eq!(found.len(), 2);
    let report = repair_packs(&*kept.objects, &copy, &found).unwrap();
    assert_eq!((report.packs, &report.problems[..]), (2, &[][..]));
    assert_eq!(scrub_packs(&*kept.objects).unwrap().problems, []);
    let vault = Vault::open(kept.objects.clone(), &kek()).unwrap();
    assert!(vault.verify("t", &kept.last.id).unwrap().is_intact());
    assert_eq!(vault.damage("t", &kept.last.id).unwrap(), []);
    let again = repair_packs(&*kept.objects, &copy, &found).unwrap();
    assert_eq!(again.packs, 0, "what is whole is not touched");
}

#[test]
fn a_copy_that_is_no_better_changes_nothing() {
    let kept = kept();
    let copy = kept.objects.copied();
    let data = packs(&kept.objects, "/data/");
    data[..3].iter().for_each(|name| spoil(&kept.objects, name));
    copy.delete(&data[0]).unwrap();
    spoil(&copy, &data[1]);
    let mut short = copy.get(&data[2]).unwrap();
    short.pop();
    replace(&copy, &data[2], &short);
    let before: Vec<_> = data.iter().map(|n| kept.objects.get(n).unwrap()).collect();
    let found = scrub_packs(&*kept.objects).unwrap().problems;
    let report = repair_packs(&*kept.objects, &copy, &found).unwrap();
    assert_eq!((report.packs, report.problems.len()), (0, 3));
    let after: Vec<_> = data.iter().map(|n| kept.objects.get(n).unwrap()).collect();
    assert_eq!(before, after);
}

#[test]
fn a_repair_that_fails_at_any_step_is_done_by_the_next() {
    let (mut call, mut failed) = (0, 0);
    loop {
        let kept = kept();
        let copy = kept.objects.copied();
        let data = packs(&kept.objects, "/data/");
        data[..2].iter().for_each(|name| spoil(&kept.objects, name));
        let found = scrub_packs(&*kept.objects).unwrap().problems;
        let plan = FaultPlan::one(call, Fault::Crash);
        let faulty = FaultyObjects::new((*kept.objects).clone(), plan.clone());
        drop(repair_packs(&faulty, &copy, &found));
        if plan.calls() <= call {
            break;
        }
        failed += 1;
        let found = scrub_packs(&*kept.objects).unwrap().problems;
        let report = repair_packs(&*kept.objects, &copy, &found).unwrap();
        assert_eq!(report.problems, [], "call {call}");
        assert_eq!(scrub_packs(&*kept.objects).unwrap().problems, [], "call {call}");
        call += 3;
    }
    assert!(failed > 3, "only {failed} calls were made to fail");
}
