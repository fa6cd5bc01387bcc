//! What goes in comes out, with names, times, owners, links, holes.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use bailee_vault::{Kek, Node, Pattern, Progress, Source, SourceKind, VaultError, restore_volumes};
use proptest::prelude::*;
use rustix::fs::{CWD, FileType, Mode, Timespec, Timestamps, XattrFlags};

use crate::support::{describe, disk_vault, memory_vault, noise};

#[derive(Clone, Debug)]
enum Make {
    Dir,
    File { len: usize, hole: bool, mode: u32, owner: u32, xattr: Option<(Vec<u8>, Vec<u8>)> },
    HardLink(usize),
    Symlink(Vec<u8>),
    Fifo,
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        "[a-c]{1,2}".prop_map(String::into_bytes),
        "[a-c][-. ]\u{e9}?".prop_map(String::into_bytes),
        prop::collection::vec(prop_oneof![Just(0xffu8), Just(b'\n'), Just(b'x')], 1..4),
    ]
}

fn make() -> impl Strategy<Value = Make> {
    let len = prop_oneof![0usize..50, Just(65_536), 100_000usize..700_000];
    let odd = prop_oneof![Just(b'='), Just(b'%'), Just(b'3'), Just(b'D'), 1u8..=255];
    let value = prop::collection::vec(any::<u8>(), 0..40);
    let xattr = prop::option::of((prop::collection::vec(odd, 1..12), value));
    prop_oneof![
        3 => Just(Make::Dir),
        5 => (len, any::<bool>(), 0u32..0o10000, 0u32..3, xattr).prop_map(
            |(len, hole, mode, owner, xattr)| Make::File { len, hole, mode, owner, xattr }
        ),
        2 => (0usize..20).prop_map(Make::HardLink),
        2 => prop::collection::vec(1u8..=255, 1..20).prop_map(Make::Symlink),
        1 => Just(Make::Fifo),
    ]
}

/// Builds a tree; a node whose name is taken or that makes no sense is left out.
fn build(root: &Path, nodes: &[(usize, Vec<u8>, Make, i64)]) {
    let (mut dirs, mut files) = (vec![root.to_owned()], Vec::<PathBuf>::new());
    for (number, (into, name, make, time)) in nodes.iter().enumerate() {
        let path = dirs[into % dirs.len()].join(OsStr::from_bytes(name));
        if path.symlink_metadata().is_ok() {
            continue;
        }
        match make {
            Make::Dir => {
                std::fs::create_dir(&path).unwrap();
                dirs.push(path);
                continue;
            }
            Make::File { len, hole, mode, owner, xattr } => {
                let file = std::fs::File::create(&path).unwrap();
                let start = if *hole { 300_000 } else { 0 };
                file.write_all_at(&noise(number as u64, *len), start).unwrap();
                if let Some((name, value)) = xattr {
                    let (name, flags) = ([b"user.", &name[..]].concat(), XattrFlags::empty());
                    rustix::fs::fsetxattr(&file, &*name, value, flags).unwrap();
                }
                if rustix::process::geteuid().is_root() {
                    std::os::unix::fs::fchown(&file, Some(*owner), Some(*owner)).unwrap();
                }
                file.set_permissions(PermissionsExt::from_mode(*mode)).unwrap();
                files.push(path.clone());
            }
            Make::HardLink(to) if !files.is_empty() => {
                std::fs::hard_link(&files[to % files.len()], &path).unwrap();
            }
            Make::HardLink(_) => continue,
            Make::Symlink(target) => symlink(OsStr::from_bytes(target), &path).unwrap(),
            Make::Fifo => rustix::fs::mknodat(CWD, &path, FileType::Fifo, Mode::RUSR, 0).unwrap(),
        }
        let time = Timespec { tv_sec: *time, tv_nsec: 123_456_789 };
        let times = Timestamps { last_access: time, last_modification: time };
        let flags = rustix::fs::AtFlags::SYMLINK_NOFOLLOW;
        rustix::fs::utimensat(CWD, &path, &times, flags).unwrap();
    }
}

fn config() -> ProptestConfig {
    ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_tree_comes_back(
        nodes in prop::collection::vec((0usize..8, name(), make(), -5i64..2_000_000_000), 0..40)
    ) {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        std::fs::create_dir(&from).unwrap();
        build(&from, &nodes);
        let (_, vault) = memory_vault();
        let report = vault.preserve("t", "A-1", &Source::Tree(from.clone()), &mut ()).unwrap();
        prop_assert_eq!(&report.unreadable, &[]);
        prop_assert_eq!(&report.changed, &Vec::<PathBuf>::new());
        let restored = vault.restore("t", &report.id, &to, None).unwrap();
        prop_assert_eq!(&restored.not_restored, &[]);
        prop_assert_eq!(restored.bytes, report.bytes);
        prop_assert_eq!(describe(&to), describe(&from));
        let verified = vault.verify("t", &report.id).unwrap();
        prop_assert!(verified.is_intact());
        prop_assert_eq!((verified.files, verified.bytes), (report.files, report.bytes));
        let (shelf, key) = (dir.path().join("shelf"), Kek::from_bytes([9; 32]));
        let (of, sealed) = (("t", &[report.id][..]), ("example.org", &key));
        let set = vault.export_volumes(of, sealed, (&shelf, 200_000), &mut ()).unwrap();
        let volumes: Vec<PathBuf> = set.volumes.into_iter().map(|v| v.path).collect();
        let back = dir.path().join("back");
        let given = restore_volumes(&volumes, &key, (&back, None), &mut ()).unwrap();
        prop_assert!(given.is_complete() && given.not_restored.is_empty(), "{:?}", given);
        prop_assert_eq!(describe(&back.join(report.id.to_string())), describe(&from));
        // And from one machine to another, in and out.
        let source = Source::Tree(from.clone());
        let arrived = crate::transfer::arrive(&vault, &source, SourceKind::Tree);
        prop_assert_eq!(&arrived.unreadable, &[]);
        let manifest = |id| vault.manifest("t", id).unwrap();
        prop_assert_eq!(manifest(&arrived.id), manifest(&report.id));
        prop_assert!(arrived.stored_bytes < 20_000, "the same chunks: {}", arrived.stored_bytes);
        let there = dir.path().join("there");
        let taken = crate::transfer::depart(&vault, &arrived.id, &there).unwrap();
        prop_assert_eq!((taken.files, taken.bytes), (report.files, report.bytes));
        prop_assert_eq!(&taken.not_restored, &[]);
        prop_assert_eq!(describe(&there), describe(&from));
    }
}

#[test]
fn large_and_sparse_files_come_back_whole_and_sparse() {
    check_large_and_sparse(&memory_vault().1);
    let dir = tempfile::tempdir().unwrap();
    check_large_and_sparse(&disk_vault(dir.path()).1);
}

fn check_large_and_sparse(vault: &bailee_vault::Vault) {
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    std::fs::create_dir(&from).unwrap();
    std::fs::write(from.join("big"), noise(1, 20 << 20)).unwrap();
    let sparse = std::fs::File::create(from.join("sparse")).unwrap();
    sparse.write_all_at(b"start", 0).unwrap();
    sparse.write_all_at(&noise(2, 3_000_000), 100_000_123).unwrap();
    sparse.set_len(300 << 20).unwrap();
    let report = vault.preserve("t", "A-1", &Source::Tree(from.clone()), &mut ()).unwrap();
    assert!(report.stored_bytes < 30 << 20, "holes are not stored: {}", report.stored_bytes);
    vault.restore("t", &report.id, &to, None).unwrap();
    for name in ["big", "sparse"] {
        assert!(std::fs::read(to.join(name)).unwrap() == std::fs::read(from.join(name)).unwrap());
    }
    let blocks = std::fs::metadata(to.join("sparse")).unwrap().blocks();
    assert!(blocks * 512 < 8 << 20, "{blocks} blocks of a file with 3 MB of content");
    let manifest = vault.manifest("t", &report.id).unwrap();
    let big = manifest.iter().find(|e| e.path == b"big").unwrap();
    let wanted = bailee_ledger::hash_from_hex(&sha256sum(&from.join("big"))).unwrap();
    assert_eq!(big.content().unwrap().sha256, wanted, "the flat SHA-256 is what sha256sum says");
}

fn sha256sum(path: &Path) -> String {
    let out = Command::new("sha256sum").arg(path).output().unwrap();
    String::from_utf8(out.stdout).unwrap()[..64].to_owned()
}

#[test]
fn a_second_copy_stores_next_to_nothing_and_has_a_root_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a"), noise(3, 5 << 20)).unwrap();
    std::fs::write(dir.path().join("b"), noise(3, 5 << 20)).unwrap();
    let (objects, vault) = memory_vault();
    let source = Source::Tree(dir.path().to_owned());
    let first = vault.preserve("t", "A-1", &source, &mut ()).unwrap();
    assert!(first.stored_bytes < 6 << 20, "the twin is stored once: {}", first.stored_bytes);
    let second = vault.preserve("t", "A-1", &source, &mut ()).unwrap();
    assert!(second.stored_bytes < 10_000, "{}", second.stored_bytes);
    assert_ne!(first.root, second.root, "roots are blinded: they do not confirm content");
    let other = vault.preserve("t", "A-2", &source, &mut ()).unwrap();
    assert!(other.stored_bytes > 5 << 20, "units share nothing, so erasing one erases it");
    assert_eq!(vault.list("t").unwrap().len(), 3);
    let again = bailee_vault::Vault::open(objects, &crate::support::kek()).unwrap();
    assert_eq!(again.list("t").unwrap(), vault.list("t").unwrap());
    assert!(again.verify("t", &second.id).unwrap().is_intact());
    assert!(matches!(again.list("other"), Err(VaultError::UnknownTenant { .. })));
}

#[test]
fn a_file_and_a_device_image_come_back_as_one_file() {
    let dir = tempfile::tempdir().unwrap();
    let image = dir.path().join("disk.img");
    std::fs::File::create(&image).unwrap().set_len(32 << 20).unwrap();
    let made = Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image).status();
    if !made.is_ok_and(|s| s.success()) {
        // Without e2fsprogs: anything with structure and long zero runs.
        let file = std::fs::File::options().write(true).open(&image).unwrap();
        file.write_all_at(&noise(5, 100_000), 1 << 20).unwrap();
    }
    let (_, vault) = memory_vault();
    for source in [Source::Device(image.clone()), Source::File(image.clone())] {
        let report = vault.preserve("t", "A-1", &source, &mut ()).unwrap();
        let to = dir.path().join(report.id.to_string());
        vault.restore("t", &report.id, &to, None).unwrap();
        assert!(std::fs::read(to.join("disk.img")).unwrap() == std::fs::read(&image).unwrap());
    }
    // A real block device, where the test may attach one.
    let image = dir.path().join("small.img");
    std::fs::write(&image, noise(6, 3 << 20)).unwrap();
    let attached = Command::new("losetup").args(["--find", "--show", "-r"]).arg(&image).output();
    if let Some(out) = attached.ok().filter(|o| o.status.success()) {
        let device = PathBuf::from(String::from_utf8(out.stdout).unwrap().trim());
        let kept = vault.preserve("t", "A-1", &Source::Device(device.clone()), &mut ());
        Command::new("losetup").arg("-d").arg(&device).status().unwrap();
        let kept = kept.unwrap();
        let name = device.file_name().unwrap().as_bytes();
        let got = vault.read_range("t", &kept.id, name, 0..3 << 20).unwrap();
        assert!(got == noise(6, 3 << 20));
    }
    let kinds: Vec<SourceKind> = vault.list("t").unwrap().iter().map(|i| i.kind).collect();
    assert!(kinds.contains(&SourceKind::Device) && kinds.contains(&SourceKind::File));
    let refused = vault.preserve("t", "A-1", &Source::File("/dev/null".into()), &mut ());
    assert!(matches!(refused, Err(VaultError::Source { .. })));
}

#[test]
fn ranges_and_filters_and_links_to_filtered_files() {
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    std::fs::create_dir_all(from.join("a")).unwrap();
    std::fs::create_dir_all(from.join("z")).unwrap();
    let mut bytes = noise(4, 2_000_000);
    bytes.extend(vec![0; 200_000]);
    std::fs::write(from.join("a/one"), &bytes).unwrap();
    std::fs::hard_link(from.join("a/one"), from.join("z/two")).unwrap();
    std::fs::hard_link(from.join("a/one"), from.join("z/three")).unwrap();
    let (_, vault) = memory_vault();
    let report = vault.preserve("t", "A-1", &Source::Tree(from), &mut ()).unwrap();
    for range in [0..0, 0..10, 999_999..1_500_001, 1_999_990..2_200_000] {
        let got = vault.read_range("t", &report.id, b"z/two", range.start..range.end).unwrap();
        let (start, end) =
            (usize::try_from(range.start).unwrap(), usize::try_from(range.end).unwrap());
        assert!(got == bytes[start..end], "{range:?}");
    }
    let beyond = vault.read_range("t", &report.id, b"a/one", 5..3_000_000);
    assert!(matches!(beyond, Err(VaultError::BadRange { size: 2_200_000, .. })));
    let nothing = vault.read_range("t", &report.id, b"a", 0..0);
    assert!(matches!(nothing, Err(VaultError::UnknownPath { .. })));
    let only = Pattern::new("z").unwrap();
    let mut heard = Heard::default();
    vault.restore_with("t", &report.id, &to, Some(&only), &mut heard).unwrap();
    let size = bytes.len() as u64;
    assert_eq!(heard.begun, [("restoring", size)], "two names, and one file to write");
    assert_eq!(heard.last, (1, size));
    assert!(heard.steps > 2, "it is told on the way, also within a file");
    assert!(!to.join("a").exists());
    assert!(std::fs::read(to.join("z/two")).unwrap() == bytes);
    let (two, three) =
        (to.join("z/two").metadata().unwrap(), to.join("z/three").metadata().unwrap());
    assert_eq!(two.ino(), three.ino(), "the links are still links of each other");
    let again = vault.restore("t", &report.id, &to, None);
    assert!(matches!(again, Err(VaultError::Occupied { .. })), "never into a full directory");
}

/// What was told of how far it is.
#[derive(Default)]
struct Heard {
    begun: Vec<(&'static str, u64)>,
    last: (u64, u64),
    steps: u32,
}

impl Progress for Heard {
    fn advance(&mut self, files: u64, bytes: u64) {
        assert!(files >= self.last.0 && bytes >= self.last.1, "it never goes back");
        (self.last, self.steps) = ((files, bytes), self.steps + 1);
    }

    fn begin(&mut self, doing: &'static str, bytes: u64) {
        self.begun.push((doing, bytes));
    }
}

#[test]
fn what_cannot_be_read_is_named_and_devices_are_kept_as_nodes() {
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    std::fs::create_dir(&from).unwrap();
    let node = rustix::fs::mknodat(
        CWD,
        from.join("null"),
        FileType::CharacterDevice,
        Mode::RUSR,
        rustix::fs::makedev(1, 3),
    );
    std::fs::write(from.join("secret"), b"x").unwrap();
    std::fs::set_permissions(from.join("secret"), PermissionsExt::from_mode(0o000)).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(from.join("socket")).unwrap();
    let (_, vault) = memory_vault();
    let report = vault.preserve("t", "A-1", &Source::Tree(from.clone()), &mut ()).unwrap();
    let manifest = vault.manifest("t", &report.id).unwrap();
    assert!(manifest.iter().any(|e| matches!(e.node, Node::Socket { .. })));
    if rustix::process::geteuid().is_root() && node.is_ok() {
        vault.restore("t", &report.id, &to, None).unwrap();
        assert_eq!(describe(&to), describe(&from));
    } else {
        assert_eq!(report.unreadable.len(), 1, "the file of mode 0000: {:?}", report.unreadable);
    }
}
