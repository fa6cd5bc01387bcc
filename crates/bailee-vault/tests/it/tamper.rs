//! Whoever holds the store can change any byte; nobody is ever served the result.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use bailee_store::{MemoryObjects, Objects};
use bailee_vault::{Damage, Kek, Problem, SnapshotId, Source, Vault, VaultError, scrub_packs};

use crate::support::{kek, memory_vault, noise, sweep};

/// What is in the small vault; neither shrinks, so a chunk is stored as it is.
const FILES: [(&str, &[u8]); 2] =
    [("f", b"the content under hold"), ("g", b"what else lay in the same drawer, and is kept")];

/// Both files in one pack. Each worker has a pack of its own, so they are kept anew until one of
/// the workers took both.
fn small() -> (Arc<MemoryObjects>, SnapshotId) {
    let dir = tempfile::tempdir().unwrap();
    for (path, content) in FILES {
        std::fs::write(dir.path().join(path), content).unwrap();
    }
    for _ in 0..1000 {
        let (objects, vault) = memory_vault();
        let report = vault.preserve("t", "A-1", &Source::Tree(dir.path().to_owned()), &mut ());
        let packs = objects.list("").unwrap().into_iter().filter(|name| name.contains("/data/"));
        if packs.count() == 1 {
            return (objects, report.unwrap().id);
        }
    }
    panic!("no worker ever took both files");
}

fn replace(objects: &MemoryObjects, name: &str, bytes: &[u8]) {
    objects.delete(name).unwrap();
    objects.put(name, bytes).unwrap();
}

/// What opening everything anew shows.
#[derive(Debug)]
struct Found {
    /// Everything that is said to be wrong.
    said: Vec<String>,
    /// Files and ranges that are hit, if the vault comes as far as that.
    hit: Option<Vec<Damage>>,
}

/// Wrong content fails the test.
fn look(objects: &Arc<MemoryObjects>, id: &SnapshotId) -> Found {
    let told = |p: Problem| format!("{}: {}", p.path.display(), p.what);
    let mut said: Vec<String> =
        scrub_packs(&**objects).unwrap().problems.into_iter().map(told).collect();
    let vault = match Vault::open(Arc::clone(objects) as Arc<dyn Objects>, &kek()) {
        Ok(vault) => vault,
        Err(e) => {
            said.push(e.to_string());
            return Found { said, hit: None };
        }
    };
    for (path, content) in FILES {
        match vault.read_range("t", id, path.as_bytes(), 0..content.len() as u64) {
            Ok(read) => assert_eq!(read, content, "tampered content was served"),
            Err(e) => said.push(e.to_string()),
        }
    }
    match vault.verify("t", id) {
        Ok(verified) => said.extend(verified.problems.iter().map(ToString::to_string)),
        Err(e) => said.push(e.to_string()),
    }
    Found { said, hit: vault.damage("t", id).ok() }
}

fn detected(objects: &Arc<MemoryObjects>, id: &SnapshotId) -> bool {
    !look(objects, id).said.is_empty()
}

/// Which files are hit, each from its first byte to its last.
fn whole_files(hit: &[Damage]) -> Vec<&'static str> {
    let file = |damage: &Damage| {
        let (path, content) = *FILES.iter().find(|(p, _)| damage.path == Path::new(p)).unwrap();
        let whole = std::slice::from_ref(&(0..content.len() as u64)) == damage.ranges;
        assert!(whole, "{path} is one chunk: {damage:?}");
        path
    };
    hit.iter().map(file).collect()
}

#[test]
fn every_flipped_bit_and_every_cut_is_detected() {
    let (objects, id) = small();
    assert!(!detected(&objects, &id));
    let names = objects.list("").unwrap();
    assert_eq!(names.len(), 8, "config, 2 keys, 2 packs, 2 indexes, 1 snapshot: {names:?}");
    for name in names {
        let good = objects.get(&name).unwrap();
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
fn every_flipped_byte_is_located_in_its_object_and_in_a_pack_to_file_and_range() {
    let (objects, id) = small();
    for name in objects.list("").unwrap() {
        let good = objects.get(&name).unwrap();
        let mut hits = BTreeMap::<Vec<&str>, usize>::new();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1 << (at % 8);
            replace(&objects, &name, &bad);
            let found = look(&objects, &id);
            let named = found.said.iter().any(|text| text.contains(&name));
            assert!(named, "byte {at} of {name} is not located: {found:?}");
            let in_data = name.contains("/data/");
            let hit = found.hit.as_deref().map(whole_files).unwrap_or_default();
            *hits.entry(hit).or_default() += 1;
            if in_data && at < HEADER {
                assert_eq!(hits.len(), 1, "without its header no chunk of a pack opens");
            }
        }
        replace(&objects, &name, &good);
        if name.contains("/data/") {
            // Of the bytes of a pack: its header is everybody's, each record is one file's, and its
            // directory and trailer are nobody's.
            let records = FILES.map(|(path, content)| (vec![path], content.len() + TAG));
            let rest = good.len() - HEADER - records.iter().map(|(_, len)| len).sum::<usize>();
            let all = FILES.map(|(path, _)| path).to_vec();
            let wanted = records.into_iter().chain([(all, HEADER), (vec![], rest)]);
            assert_eq!(hits, wanted.collect::<BTreeMap<_, _>>());
        }
    }
    assert!(!detected(&objects, &id));
}

/// Of a pack's header, and of what follows each record.
const HEADER: usize = 128;
const TAG: usize = 16;

#[test]
fn damage_anywhere_in_a_large_file_is_located_to_one_chunk_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let size: u64 = 3_000_000;
    for n in 0..2 {
        std::fs::write(dir.path().join(format!("film-{n}")), noise(n, 3_000_000)).unwrap();
    }
    let (objects, vault) = memory_vault();
    let source = Source::Tree(dir.path().to_owned());
    let id = vault.preserve("t", "A-1", &source, &mut ()).unwrap().id;
    let packs = objects.list("").unwrap().into_iter().filter(|name| name.contains("/data/"));
    let mut places = BTreeSet::new();
    for name in packs {
        let good = objects.get(&name).unwrap();
        for at in (HEADER..good.len() - 10_000).step_by(97_001) {
            let mut bad = good.clone();
            bad[at] ^= 1;
            replace(&objects, &name, &bad);
            let damage = vault.damage("t", &id).unwrap();
            let [Damage { path, ranges, .. }] = &damage[..] else { panic!("{damage:?}") };
            let [hit] = &ranges[..] else { panic!("{ranges:?}") };
            assert!(hit.end - hit.start <= 1 << 20, "{hit:?} is more than a chunk");
            let path = path.to_str().unwrap();
            let read = |range| vault.read_range("t", &id, path.as_bytes(), range);
            assert!(read(0..hit.start).is_ok() && read(hit.end..size).is_ok(), "{hit:?}");
            assert!(read(hit.start..hit.start + 1).is_err() && read(hit.end - 1..hit.end).is_err());
            places.insert((path.to_owned(), hit.start));
        }
        replace(&objects, &name, &good);
    }
    assert!(places.len() > 10, "{places:?}");
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
    let Damage { path: bad, ranges, .. } = &verified.problems[0];
    let [range] = &ranges[..] else { panic!("{ranges:?}") };
    let bytes = format!("bytes {}..{} of it cannot be given: ", range.start, range.end);
    let named = |p: &Problem| p.path == *bad && p.what.starts_with(&bytes);
    assert!(restored.damaged.iter().any(named), "{restored:?}");
    // Whatever leaves says the same: through a service, in an archive, in a bag.
    let there = crate::transfer::depart(&vault, &report.id, &dir.path().join("there")).unwrap();
    assert!(there.damaged.iter().any(named), "{there:?}");
    let tar = vault.export_tar("t", &report.id, &mut std::io::sink(), &mut ()).unwrap_err();
    let bag = ("example.org", &*dir.path().join("bag"));
    let bag = vault.export_bag("t", &report.id, bag, &mut ()).unwrap_err();
    for said in [tar.to_string(), bag.to_string()] {
        assert!(said.contains(&format!("{:?} is not whole: {bytes}", bad)), "{said}");
    }
    assert_eq!(restored.files, 7);
    assert!(!to.join(bad).exists());
    assert_eq!(to.join("link").exists(), bad != std::path::Path::new("0"));
}

#[test]
fn a_lost_or_damaged_index_is_rebuilt_from_the_packs() {
    let (objects, id) = small();
    let indexes: Vec<String> =
        objects.list("").unwrap().into_iter().filter(|n| n.contains("/sorted/")).collect();
    let lost = objects.get(&indexes[0]).unwrap();
    objects.delete(&indexes[0]).unwrap();
    let vault = Vault::open(Arc::clone(&objects) as Arc<dyn Objects>, &kek()).unwrap();
    let before = objects.list("").unwrap();
    let swept = sweep(&vault);
    assert!(swept.is_err(), "one that is lost is as one that is damaged: {swept:?}");
    assert_eq!(objects.list("").unwrap(), before);
    objects.put(&indexes[0], &lost).unwrap();
    assert_eq!(sweep(&vault).unwrap().packs, 0);
    objects.delete(&indexes[0]).unwrap();
    replace(&objects, &indexes[1], &[0; 300]);
    let vault = Vault::open(Arc::clone(&objects) as Arc<dyn Objects>, &kek()).unwrap();
    assert!(matches!(vault.verify("t", &id), Err(VaultError::MissingChunk { .. })));
    let before = objects.list("").unwrap().len();
    assert!(sweep(&vault).is_err(), "with a damaged index nothing is swept");
    assert_eq!(objects.list("").unwrap().len(), before);
    let report = vault.reindex("t").unwrap();
    assert_eq!((report.packs, report.problems.len()), (2, 0));
    assert!(vault.verify("t", &id).unwrap().is_intact());
    assert!(!detected(&objects, &id));
    assert_eq!(vault.reindex("t").unwrap().packs, 0);
}
