//! A machine in trouble, and a store that somebody put old bytes into: the error has a name, what
//! was acknowledged is whole, and work goes on once the cause is gone.
//!
//! File systems are real: a tmpfs that is full, an ext4 on a loop device that the kernel turns
//! read-only, one whose medium ends early. They need root; without it these tests fail and say so.
//! Wrong keys, swapped and truncated packs are in `tamper`, calls of a store that fail in `crash`
//! and `prune`.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use bailee_ledger::clearance::Act;
use bailee_store::{DiskObjects, ObjectError, Objects};
use bailee_vault::{
    SnapshotId, SnapshotReport, Source, Unchanged, Vault, VaultError, no_catalogue, scrub_packs,
};

use crate::support::{clear, disk_vault, kek, memory_vault, noise, sweep};

const MIB: usize = 1 << 20;

/// Runs a program of the system; what it printed.
fn sh(program: &str, args: &[&str]) -> String {
    let out = Command::new(program).args(args).output();
    let out = out.unwrap_or_else(|e| panic!("{program}: {e}"));
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.success(), "{program} {args:?} (are you root?): {said}");
    String::from_utf8(out.stdout).unwrap()
}

/// A file system of its own, gone when dropped.
pub(crate) struct Mounted {
    dir: tempfile::TempDir,
    device: Option<String>,
}

impl Mounted {
    pub(crate) fn tmpfs(size: &str) -> Mounted {
        let mounted = Mounted { dir: tempfile::tempdir().unwrap(), device: None };
        sh("mount", &["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs", mounted.path()]);
        mounted
    }

    /// An ext4 in one block group, so that all of its metadata lies before all data.
    pub(crate) fn ext4(image: &Path) -> Mounted {
        let image = image.to_str().unwrap();
        sh("mkfs.ext4", &["-q", "-b", "4096", "-O", "^has_journal", image]);
        let device = sh("losetup", &["--find", "--show", image]).trim().to_owned();
        let mounted = Mounted { dir: tempfile::tempdir().unwrap(), device: Some(device) };
        mounted.mount();
        mounted
    }

    fn mount(&self) {
        sh("mount", &[self.device.as_deref().unwrap(), self.path()]);
    }

    /// From here on the medium gives and takes nothing from `at` on.
    pub(crate) fn cut(&self, image: &Path, at: u64) {
        sh("umount", &[self.path()]);
        std::fs::File::options().write(true).open(image).unwrap().set_len(at).unwrap();
        self.mount();
    }

    pub(crate) fn path(&self) -> &str {
        self.dir.path().to_str().unwrap()
    }

    fn store(&self) -> PathBuf {
        self.dir.path().join("store")
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        _ = Command::new("umount").arg(self.dir.path()).status();
        if let Some(device) = &self.device {
            _ = Command::new("losetup").args(["-d", device]).status();
        }
    }
}

/// One file in the place of another, until dropped.
struct Bound<'a>(&'a Path);

impl Bound<'_> {
    fn over<'a>(file: &Path, place: &'a Path) -> Bound<'a> {
        sh("mount", &["--bind", file.to_str().unwrap(), place.to_str().unwrap()]);
        Bound(place)
    }
}

impl Drop for Bound<'_> {
    fn drop(&mut self) {
        _ = Command::new("umount").arg(self.0).status();
    }
}

fn tree(bytes: &[u8]) -> (tempfile::TempDir, Source) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("f"), bytes).unwrap();
    let source = Source::Tree(dir.path().to_owned());
    (dir, source)
}

fn preserve(vault: &Vault, source: &Source) -> Result<SnapshotReport, VaultError> {
    vault.preserve_with("t", "A-1", source, Unchanged::Rehash, &mut ())
}

fn intact(vault: &Vault, id: &SnapshotId) -> bool {
    vault.verify("t", id).is_ok_and(|report| report.is_intact())
}

#[test]
fn a_full_disk_is_named_and_costs_nothing_that_was_kept() {
    let disk = Mounted::tmpfs("24m");
    let (objects, vault) = disk_vault(&disk.store());
    let (_small, small) = tree(&noise(1, 300_000));
    let kept = preserve(&vault, &small).unwrap();
    let (_large, large) = tree(&noise(2, 40 * MIB));
    let refused = preserve(&vault, &large).unwrap_err();
    assert!(matches!(refused, VaultError::Store(ObjectError::Full { .. })), "{refused:?}");
    assert_eq!(vault.list("t").unwrap().len(), 1, "half a snapshot is none");
    assert_eq!(std::fs::read_dir(disk.store().join("~part")).unwrap().count(), 1, "its lock");
    assert!(intact(&vault, &kept.id));
    sweep(&vault).unwrap();
    let (_next, next) = tree(&noise(3, 10 * MIB));
    let next = preserve(&vault, &next).expect("space came back");
    assert!(intact(&vault, &kept.id) && intact(&vault, &next.id));
    assert_eq!(scrub_packs(&*objects).unwrap().problems, []);
}

#[test]
fn a_directory_that_became_read_only_is_named_and_still_read() {
    let dir = tempfile::tempdir().unwrap();
    let image = dir.path().join("image");
    std::fs::File::create_new(&image).unwrap().set_len(32 << 20).unwrap();
    let disk = Mounted::ext4(&image);
    let (objects, vault) = disk_vault(&disk.store());
    let (_small, small) = tree(&noise(1, 300_000));
    let kept = preserve(&vault, &small).unwrap();
    sh("mount", &["-o", "remount,abort", disk.path()]); // as the kernel does after an error
    let clearance = clear(1, Act::Expire, kept.root);
    let expired = vault.expire("t", &kept.id, clearance, &|_| None, &no_catalogue).map(drop);
    let opened = DiskObjects::open(&disk.store()).map(drop).map_err(VaultError::from);
    for refused in [preserve(&vault, &small).map(drop), expired, opened] {
        let Err(VaultError::Store(ObjectError::Io { detail, .. })) = refused else {
            panic!("{refused:?}");
        };
        assert!(detail.contains("Read-only file system"), "{detail}");
    }
    assert!(intact(&vault, &kept.id));
    drop((objects, vault));
    let copy = DiskObjects::read_only(&disk.store()).unwrap();
    assert!(intact(&Vault::open(Arc::new(copy), &kek()).unwrap(), &kept.id));
    sh("umount", &[disk.path()]);
    sh("sh", &["-c", "fsck.ext4 -fy \"$0\" || test $? = 1", disk.device.as_deref().unwrap()]);
    disk.mount();
    let (_, vault) = disk_vault(&disk.store());
    let next = preserve(&vault, &small).unwrap();
    assert!(intact(&vault, &kept.id) && intact(&vault, &next.id));
}

/// Where a file begins on its device, in bytes.
pub(crate) fn physical(file: &Path) -> u64 {
    let listed = sh("filefrag", &["-v", "-b4096", file.to_str().unwrap()]);
    let row = listed.lines().find(|line| line.trim_start().starts_with("0:")).unwrap();
    let start = row.split(':').nth(2).unwrap().split("..").next().unwrap();
    start.trim().parse::<u64>().unwrap() * 4096
}

#[test]
fn a_medium_that_answers_eio_is_named_and_hides_no_other_pack() {
    let dir = tempfile::tempdir().unwrap();
    let (image, store) = (dir.path().join("image"), dir.path().join("store"));
    let (objects, vault) = disk_vault(&store);
    let sources = [1, 2, 3].map(|seed| tree(&noise(seed, 4 * MIB)));
    let kept = [0, 1, 2].map(|n| preserve(&vault, &sources[n].1).unwrap().id);
    drop(vault);
    let packs = objects.list("").unwrap().into_iter().filter(|name| name.contains("/data/"));
    let pack = store.join(packs.max_by_key(|name| objects.size(name).unwrap()).unwrap());
    std::fs::File::create_new(&image).unwrap().set_len(64 << 20).unwrap();
    let disk = Mounted::ext4(&image);
    let bad = disk.dir.path().join("pack");
    std::fs::copy(&pack, &bad).unwrap();
    std::fs::File::open(&bad).unwrap().sync_all().unwrap();
    disk.cut(&image, physical(&bad) + (2 << 20));
    let _bound = Bound::over(&bad, &pack);

    let mut bytes = Vec::new();
    let read = std::fs::File::open(&pack).unwrap().read_to_end(&mut bytes);
    assert_eq!(read.unwrap_err().raw_os_error(), Some(5), "the kernel does say EIO");
    drop(objects);
    let (objects, vault) = disk_vault(&store);
    let named = |text: String| text.contains("Input/output error");
    let whole = kept.iter().filter(|id| intact(&vault, id)).count();
    assert_eq!(whole, 2, "two of three are elsewhere");
    let bad = kept.iter().find(|id| !intact(&vault, id)).unwrap();
    match vault.verify("t", bad) {
        Ok(report) => assert!(report.problems.iter().any(|p| named(p.what.clone()))),
        Err(error) => assert!(named(error.to_string()), "{error}"),
    }
    let mut file = vault.open_file("t", bad, b"f").unwrap();
    let reads = (0..4 * MIB as u64).step_by(1 << 16).map(|at| file.read_at(at, 1000));
    let (served, refused): (Vec<_>, Vec<_>) = reads.partition(Result::is_ok);
    assert!(!served.is_empty(), "what can be read is served");
    assert!(!refused.is_empty());
    assert!(refused.into_iter().all(|read| named(read.unwrap_err().to_string())));
    match scrub_packs(&*objects) {
        Ok(report) => assert_eq!(report.problems.len(), 1, "{:?}", report.problems),
        Err(error) => assert!(named(error.to_string()), "{error}"),
    }
}

/// All objects of one kind, with their bytes.
fn copies(objects: &dyn Objects, part: &str) -> Vec<(String, Vec<u8>)> {
    let names = objects.list("").unwrap().into_iter().filter(|name| name.contains(part));
    names.map(|name| (name.clone(), objects.get(&name).unwrap())).collect()
}

#[test]
fn an_old_index_that_is_put_back_misleads_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let name = |n: u64| dir.path().join(format!("f{n}"));
    (0..40).for_each(|n| std::fs::write(name(n), noise(n, 10_000)).unwrap());
    let source = Source::Tree(dir.path().to_owned());
    let (objects, vault) = memory_vault();
    let gone = preserve(&vault, &source).unwrap();
    (0..40).filter(|n| n % 8 > 0).for_each(|n| std::fs::remove_file(name(n)).unwrap());
    let kept = preserve(&vault, &source).unwrap();
    let old = copies(&*objects, "/sorted/");
    vault
        .expire("t", &gone.id, clear(1, Act::Expire, gone.root), &|_| None, &no_catalogue)
        .unwrap();
    sweep(&vault).unwrap();
    let new = copies(&*objects, "/sorted/");
    let replayed: Vec<_> = old.into_iter().filter(|one| !new.contains(one)).collect();
    assert!(!replayed.is_empty(), "the prune has replaced an index");
    for (name, bytes) in &replayed {
        objects.put(name, bytes).unwrap();
    }
    let vault = Vault::open(Arc::clone(&objects) as Arc<dyn Objects>, &kek()).unwrap();
    let missing = scrub_packs(&*objects).unwrap().problems;
    assert!(!missing.is_empty() && missing.iter().all(|p| p.what.contains("is not there")));
    for n in (0..40).filter(|n| n % 8 == 0) {
        let read = vault.read_range("t", &kept.id, format!("f{n}").as_bytes(), 0..10_000);
        assert!(read.unwrap() == noise(n, 10_000), "read where it lies now");
    }
    assert!(intact(&vault, &kept.id));
    (1..8).for_each(|n| std::fs::write(name(n), noise(n, 10_000)).unwrap());
    let again = preserve(&vault, &source).unwrap();
    assert!(intact(&vault, &again.id), "what only the old index has is stored again");
    sweep(&vault).unwrap();
    assert_eq!(scrub_packs(&*objects).unwrap().problems, [], "a prune takes out what is gone");
    assert_eq!(vault.list("t").unwrap().len(), 2, "nobody comes back from the dead");
    let next = preserve(&vault, &source).unwrap();
    assert!(intact(&vault, &kept.id) && intact(&vault, &next.id));
}

/// By the old index a pack that is gone has everything, all of it alive, and the pack that really
/// has it is mostly dead.
#[test]
fn a_prune_does_not_count_on_a_pack_that_only_an_old_index_has() {
    let dir = tempfile::tempdir().unwrap();
    let name = |n: u64| dir.path().join(format!("f{n}"));
    let fill = |n: u64| std::fs::write(name(n), noise(n, 10_000)).unwrap();
    let source = Source::Tree(dir.path().to_owned());
    let (objects, vault) = memory_vault();
    let expire = |gone: &SnapshotReport| {
        vault
            .expire("t", &gone.id, clear(1, Act::Expire, gone.root), &|_| None, &no_catalogue)
            .unwrap();
        sweep(&vault).unwrap();
    };
    (0..40).for_each(fill);
    let first = preserve(&vault, &source).unwrap();
    let old = copies(&*objects, "/sorted/");
    (5..40).for_each(|n| std::fs::remove_file(name(n)).unwrap());
    preserve(&vault, &source).unwrap();
    expire(&first);
    (5..140).for_each(fill);
    let large = preserve(&vault, &source).unwrap();
    (40..140).for_each(|n| std::fs::remove_file(name(n)).unwrap());
    let kept = preserve(&vault, &source).unwrap();
    for (name, bytes) in &old {
        objects.put(name, bytes).unwrap();
    }
    let vault = Vault::open(Arc::clone(&objects) as Arc<dyn Objects>, &kek()).unwrap();
    vault
        .expire("t", &large.id, clear(1, Act::Expire, large.root), &|_| None, &no_catalogue)
        .unwrap();
    for round in 0..3 {
        sweep(&vault).unwrap();
        assert!(intact(&vault, &kept.id), "round {round}: {:?}", vault.verify("t", &kept.id));
    }
    assert_eq!(scrub_packs(&*objects).unwrap().problems, []);
}

#[test]
fn what_a_lost_pack_held_is_stored_again_from_the_source() {
    let (_dir, source) = tree(&noise(1, 300_000));
    let (objects, vault) = memory_vault();
    let first = preserve(&vault, &source).unwrap();
    let lost = copies(&*objects, "/data/").remove(0).0;
    objects.delete(&lost).unwrap();
    let vault = Vault::open(Arc::clone(&objects) as Arc<dyn Objects>, &kek()).unwrap();
    let problems = vault.verify("t", &first.id).unwrap().problems;
    assert!(problems.len() == 1 && problems[0].what.contains(&lost), "{problems:?}");
    let second = preserve(&vault, &source).unwrap();
    assert!(second.stored_bytes > 300_000, "{second:?}");
    sweep(&vault).unwrap();
    assert!(intact(&vault, &second.id) && intact(&vault, &first.id));
    assert_eq!(scrub_packs(&*objects).unwrap().problems, [], "it is named no more");
}

const CLOCK: &str = "BAILEE_TEST_STORE_OF_A_CHILD_WITH_A_WRONG_CLOCK";
const TEN_YEARS: i64 = 10 * 365 * 86_400;

/// The clock says when a snapshot was taken and whether a file was at rest; nothing is let go of by
/// it. The child runs ten years ago (`faketime`), between two copies that do not.
#[test]
fn a_clock_that_jumps_back_ten_years_loses_nothing() {
    let file = |dir: &Path| dir.join("source/f");
    if let Some(dir) = std::env::var_os(CLOCK).map(PathBuf::from) {
        let (_, vault) = disk_vault(&dir.join("store"));
        std::fs::write(file(&dir), noise(2, 300_000)).unwrap();
        let source = Source::Tree(dir.join("source"));
        let kept = vault.preserve("t", "A-1", &source, &mut ()).unwrap();
        sweep(&vault).unwrap();
        assert!(intact(&vault, &kept.id));
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("source")).unwrap();
    std::fs::write(file(dir.path()), noise(1, 300_000)).unwrap();
    let source = Source::Tree(dir.path().join("source"));
    let first = disk_vault(&dir.path().join("store")).1.preserve("t", "A-1", &source, &mut ());
    let first = first.unwrap().id;
    let me = std::env::current_exe().unwrap();
    let test = "trouble::a_clock_that_jumps_back_ten_years_loses_nothing";
    let child = Command::new("faketime")
        .args(["--exclude-monotonic", "-f", "-3650d"])
        .arg(me)
        .args(["--exact", test])
        .env(CLOCK, dir.path())
        .env("NO_FAKE_STAT", "1")
        .output();
    let child = child.expect("faketime is missing: apt-get install -y faketime");
    assert!(child.status.success(), "{child:?}");

    let (objects, vault) = disk_vault(&dir.path().join("store"));
    let listed = vault.list("t").unwrap();
    let back = listed.iter().find(|info| info.id != first).unwrap();
    let then = listed.iter().find(|info| info.id == first).unwrap().taken_at;
    assert!((then - back.taken_at - TEN_YEARS).abs() < 600, "the clock did jump: {listed:?}");
    std::fs::write(file(dir.path()), noise(3, 300_000)).unwrap();
    let third = vault.preserve("t", "A-1", &source, &mut ()).unwrap().id;
    sweep(&vault).unwrap();
    for (id, seed) in [(first, 1), (back.id, 2), (third, 3)] {
        let bytes = vault.read_range("t", &id, b"f", 0..300_000).unwrap();
        assert!(bytes == noise(seed, 300_000) && intact(&vault, &id), "copy {seed}");
    }
    assert_eq!(scrub_packs(&*objects).unwrap().problems, []);
}
