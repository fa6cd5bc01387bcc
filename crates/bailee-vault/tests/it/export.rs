//! The way out: what any tar makes of the archive is what was preserved.

use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use bailee_store::Objects;
use bailee_vault::{Source, Vault, VaultError};
use rustix::fs::{CWD, FileType, Mode, Timespec, Timestamps, XattrFlags};

use crate::support::{describe, kek, memory_vault, noise};

pub(crate) fn tree(root: &Path) {
    let deep = root.join("a".repeat(90)).join("b".repeat(90));
    std::fs::create_dir_all(&deep).unwrap();
    std::fs::write(deep.join("long"), noise(1, 700_001)).unwrap();
    std::fs::write(root.join(OsStr::from_bytes(b"odd\xff\nname")), "odd").unwrap();
    std::fs::write(root.join("empty"), "").unwrap();
    std::fs::hard_link(deep.join("long"), root.join("link")).unwrap();
    symlink("x".repeat(150), root.join("symlink")).unwrap();
    let mode = Mode::from_raw_mode(0o640);
    rustix::fs::mknodat(CWD, root.join("pipe"), FileType::Fifo, mode, 0).unwrap();
    let sparse = std::fs::File::create(root.join("sparse")).unwrap();
    sparse.set_len(40 << 20).unwrap();
    (&sparse).write_all(&noise(2, 100_000)).unwrap();
    rustix::fs::fsetxattr(&sparse, "user.note", b"kept\0too", XattrFlags::empty()).unwrap();
    std::fs::set_permissions(root.join("sparse"), PermissionsExt::from_mode(0o4750)).unwrap();
    let time = Timespec { tv_sec: -5, tv_nsec: 999_999_999 };
    let times = Timestamps { last_access: time, last_modification: time };
    rustix::fs::futimens(&sparse, &times).unwrap();
}

#[test]
fn tar_gives_back_what_was_preserved() {
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    [&from, &to].iter().for_each(|dir| std::fs::create_dir(dir).unwrap());
    tree(&from);
    let (_, vault) = memory_vault();
    let kept = vault.preserve("t", "A-1", &Source::Tree(from.clone()), &mut ()).unwrap();
    let mut tar = Command::new("tar")
        .args(["-xp", "--xattrs", "--xattrs-include=*", "-f", "-", "-C"])
        .arg(&to)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let report = vault.export_tar("t", &kept.id, &mut tar.stdin.take().unwrap(), &mut ()).unwrap();
    assert!(tar.wait().unwrap().success(), "tar had something to say");
    assert_eq!((report.files, report.bytes, report.left_out.len()), (kept.files, kept.bytes, 0));
    assert_eq!(describe(&to), describe(&from));
}

#[test]
fn a_damaged_snapshot_gives_no_whole_archive() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("f"), noise(3, 400_000)).unwrap();
    let (objects, vault) = memory_vault();
    let kept = vault.preserve("t", "A-1", &Source::Tree(dir.path().into()), &mut ()).unwrap();
    let pack = objects.list("").unwrap().into_iter().find(|n| n.contains("/data/")).unwrap();
    let mut bytes = objects.get(&pack).unwrap();
    bytes[5000] ^= 1;
    objects.delete(&pack).unwrap();
    objects.put(&pack, &bytes).unwrap();
    let vault_again = Vault::open(objects, &kek()).unwrap();
    let mut archive = Vec::new();
    let refused = vault_again.export_tar("t", &kept.id, &mut archive, &mut ());
    assert!(matches!(refused, Err(VaultError::Lost { .. })), "{refused:?}");
    assert!(!archive.ends_with(&[0; 1024]), "it has an end");
}
