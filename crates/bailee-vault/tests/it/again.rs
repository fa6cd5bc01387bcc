//! Second copies: what is at rest is not read again, what was interrupted is taken up again, and
//! a process killed at any moment leaves no snapshot that is not whole.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use bailee_store::Objects;
use bailee_vault::{Source, Unchanged, scrub_packs};

use crate::support::{disk_vault, memory_vault, noise, sweep};

/// Tells the child process where its vault is.
const CHILD: &str = "BAILEE_VAULT_TEST_CHILD";

/// Files nobody has touched for a while: programs beside the compiler's libraries, about 20 MB.
fn at_rest() -> PathBuf {
    let out = Command::new("rustc").args(["--print", "target-libdir"]).output().unwrap();
    assert!(out.status.success());
    PathBuf::from(String::from_utf8(out.stdout).unwrap().trim()).with_file_name("bin")
}

#[test]
fn what_is_at_rest_is_taken_over_and_a_rehash_reads_it() {
    let (_, vault) = memory_vault();
    let source = Source::Tree(at_rest());
    let first = vault.preserve("t", "A-1", &source, &mut ()).unwrap();
    assert_eq!(first.unchanged, (0, 0));
    let second = vault.preserve("t", "A-1", &source, &mut ()).unwrap();
    assert_eq!(second.unchanged, (first.files, first.bytes), "nothing was read");
    assert!(second.stored_bytes < 100_000, "{}", second.stored_bytes);
    let third = vault.preserve_with("t", "A-1", &source, Unchanged::Rehash, &mut ()).unwrap();
    assert_eq!(third.unchanged, (0, 0), "everything was read");
    let manifest = |id| vault.manifest("t", id).unwrap();
    assert!(manifest(&second.id) == manifest(&first.id), "the evidence is the same");
    assert!(manifest(&third.id) == manifest(&first.id));
    assert!(vault.verify("t", &second.id).unwrap().is_intact());
    let other = vault.preserve("t", "A-2", &source, &mut ()).unwrap();
    assert_eq!(other.unchanged, (0, 0), "units know nothing of each other");
}

#[test]
fn what_was_just_written_is_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f");
    std::fs::write(&path, noise(1, 300_000)).unwrap();
    let (_, vault) = memory_vault();
    let source = Source::Tree(dir.path().to_owned());
    vault.preserve("t", "A-1", &source, &mut ()).unwrap();
    // As if within one tick of the clock, or through a mapping: other bytes, same times and size.
    let modified = std::fs::metadata(&path).unwrap().modified().unwrap();
    std::fs::write(&path, noise(2, 300_000)).unwrap();
    std::fs::File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
    let second = vault.preserve("t", "A-1", &source, &mut ()).unwrap();
    let kept = vault.read_range("t", &second.id, b"f", 0..300_000).unwrap();
    assert!(kept == noise(2, 300_000) && second.unchanged == (0, 0));
}

/// Preserves and dies, or is killed before; only as a child of the test below.
fn child(store: &Path) -> ! {
    let (_, vault) = disk_vault(store);
    let kept = vault.preserve("t", "A-1", &Source::Tree(at_rest()), &mut ());
    std::process::exit(i32::from(kept.is_err()));
}

#[test]
fn a_killed_preservation_leaves_whole_snapshots_and_is_taken_up_again() {
    if let Some(store) = std::env::var_os(CHILD) {
        child(Path::new(&store));
    }
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    disk_vault(&store);
    let me = std::env::current_exe().unwrap();
    let name = "again::a_killed_preservation_leaves_whole_snapshots_and_is_taken_up_again";
    let (mut taken_up, mut killed) = (false, 0);
    for round in 0u64..12 {
        let mut child = Command::new(&me)
            .args(["--exact", name])
            .env(CHILD, &store)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(20 + round * 60));
        killed += u32::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
        let (objects, vault) = disk_vault(&store);
        let drafts = objects.list("").unwrap().iter().filter(|n| n.contains("/draft/")).count();
        taken_up |= drafts > 0;
        for info in vault.list("t").unwrap_or_default() {
            let report = vault.verify("t", &info.id).unwrap();
            assert!(report.is_intact(), "round {round}: {:?}", report.problems);
        }
        assert_eq!(scrub_packs(&*objects).unwrap().problems, [], "round {round}");
    }
    assert!(killed > 0, "at least one was killed before it was done");
    let (objects, vault) = disk_vault(&store);
    let last = vault.preserve("t", "A-1", &Source::Tree(at_rest()), &mut ()).unwrap();
    assert!(!taken_up || last.unchanged.0 > 0, "drafts were there and nothing was taken over");
    assert!(vault.verify("t", &last.id).unwrap().is_intact());
    assert!(objects.list("").unwrap().iter().all(|n| !n.contains("/draft/")), "superseded");
    sweep(&vault).unwrap();
    let scrubbed = scrub_packs(&*objects).unwrap();
    let packs = objects.list("").unwrap();
    let packs = packs.iter().filter(|n| n.contains("/data/") || n.contains("/meta/")).count();
    assert_eq!((scrubbed.problems.len(), scrubbed.packs), (0, packs as u64));
}
