//! Large files, which are read back and written by several threads, a segment each.

use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use bailee_store::{MemoryObjects, Objects};
use bailee_vault::{Source, Vault};

use crate::support::{describe, kek, memory_vault, noise};

const MIB: u64 = 1 << 20;
/// From one waypoint to the next, at least (docs/vault-format.md, 5).
const STRETCH: u64 = 16 * MIB;

/// Several segments of data at odd places; wide gaps at the start, within, and at the end.
fn image(root: &Path) -> u64 {
    let size = 150 * MIB + 77;
    let file = File::create(root.join("image")).unwrap();
    file.set_len(size).unwrap();
    for (n, (offset, len)) in
        [(3 * MIB + 5, 40 * MIB + 11), (60 * MIB, 70_001), (90 * MIB + 4096, 33 * MIB)]
            .into_iter()
            .enumerate()
    {
        let bytes = noise(n as u64 + 1, usize::try_from(len).unwrap());
        file.write_all_at(&bytes, offset).unwrap();
    }
    size
}

fn room(path: &Path) -> u64 {
    path.metadata().unwrap().blocks() * 512
}

#[test]
fn a_large_file_comes_back_with_its_gaps() {
    let dir = tempfile::tempdir().unwrap();
    let (tree, back) = (dir.path().join("tree"), dir.path().join("back"));
    std::fs::create_dir(&tree).unwrap();
    let size = image(&tree);
    std::fs::write(tree.join("solid"), noise(9, 33 << 20)).unwrap();
    std::fs::write(tree.join("zeros"), vec![0; 50 << 20]).unwrap();
    let (_, vault) = memory_vault();
    let kept = vault.preserve("t", "u", &Source::Tree(tree.clone()), &mut ()).unwrap();
    let verified = vault.verify("t", &kept.id).unwrap();
    assert_eq!((verified.problems.len(), verified.bytes), (0, kept.bytes));
    let mut far = Far(0);
    let report = vault.restore_with("t", &kept.id, &back, None, &mut far).unwrap();
    assert_eq!((report.damaged, report.bytes, far.0), (vec![], kept.bytes, kept.bytes));
    assert_eq!(describe(&back), describe(&tree));
    let used = room(&back.join("image"));
    assert!(used <= 75 * MIB && used < size, "{used} bytes of disk for 73 MiB of data");
    assert_eq!(room(&back.join("zeros")), 0);
}

/// How far it was said to be.
struct Far(u64);

impl bailee_vault::Progress for Far {
    fn advance(&mut self, _: u64, bytes: u64) {
        self.0 = bytes;
    }
}

/// One bit of each pack is another, in the middle.
fn harm(objects: &MemoryObjects) {
    for name in objects.list("").unwrap().into_iter().filter(|name| name.contains("/data/")) {
        let mut bytes = objects.get(&name).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 4;
        objects.delete(&name).unwrap();
        objects.put(&name, &bytes).unwrap();
    }
}

#[test]
fn damage_in_any_segment_is_named_and_the_file_does_not_stay() {
    let dir = tempfile::tempdir().unwrap();
    let (tree, back) = (dir.path().join("tree"), dir.path().join("back"));
    std::fs::create_dir(&tree).unwrap();
    image(&tree);
    let (objects, vault) = memory_vault();
    let kept = vault.preserve("t", "u", &Source::Tree(tree), &mut ()).unwrap();
    harm(&objects);
    let vault = Vault::open(objects, &kek()).unwrap(); // no pack is open
    let report = vault.restore("t", &kept.id, &back, None).unwrap();
    let named: Vec<_> = report.damaged.iter().map(|problem| problem.path.clone()).collect();
    assert!(named.contains(&"image".into()), "{named:?}");
    assert!(!back.join("image").exists() && !report.is_complete());
    let verified = vault.verify("t", &kept.id).unwrap();
    let image = verified.problems.iter().find(|one| one.path == Path::new("image")).unwrap();
    assert!(image.ranges.len() > 1, "{image:?}");
    let lost: u64 = image.ranges.iter().map(|range| range.end - range.start).sum();
    assert!(lost < 2 * STRETCH, "what is not hit is not named: {:?}", image.ranges);
}
