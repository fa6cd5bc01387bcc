//! Attributes and names that hardly anybody has: what leaves in an archive or in volumes comes back
//! the same, whoever reads it.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;

use bailee_vault::{Input, Source, check_volumes, restore_volumes};
use rustix::fs::{XattrFlags, lsetxattr};

use crate::support::{describe, memory_vault, noise};
use crate::volumes::Shelf;

/// Files with an attribute each, and names that end where a header's field does.
fn strange(root: &Path) {
    let long = [&b"user."[..], &[b'n'; 250]].concat();
    let binary: Vec<u8> = (0..=255).chain([0, b'\n', b'=', 0]).collect();
    let attributes: [(&[u8], &[u8]); 12] = [
        (b"user.\xff\xfe", b"not UTF-8"),
        (b"user.a=b", b"value"),
        (b"user.=", b"=="),
        (b"user.%3D%25%", b"as it stands"),
        (b"user.100%", b"%3D"),
        (b"user.line\nend", b"\n"),
        (b"user.\xc3\xbc", "\u{fc}".as_bytes()),
        (b"user.empty", b""),
        (b"user.binary", &binary),
        (b"user.charset", b"19 hdrcharset=\xff\xfe\n20 hdrcharset=BINARY\n"),
        (&long, b"long name"),
        (b"user.long", &noise(1, 3_500)),
    ];
    let set = |path: &Path, name: &[u8], value: &[u8]| {
        lsetxattr(path, name, value, XattrFlags::empty()).unwrap();
    };
    for (n, (name, value)) in attributes.iter().enumerate() {
        let path = root.join(format!("file-{n:02}"));
        std::fs::write(&path, noise(n as u64 + 1, 20_000)).unwrap();
        set(&path, name, value);
    }
    let all = root.join("several");
    std::fs::create_dir(&all).unwrap();
    attributes[..10].iter().for_each(|(name, value)| set(&all, name, value));
    std::os::unix::fs::symlink("nowhere", root.join("link")).unwrap();
    if rustix::process::geteuid().is_root() {
        set(&root.join("link"), b"trusted.a=b", b"of a link");
    }
    // With 33 bytes for the snapshot's name, a slash at and about the end of the name's field.
    for len in 64..70 {
        let deep = root.join("d".repeat(len));
        std::fs::create_dir(&deep).unwrap();
        std::fs::write(deep.join("file"), noise(len as u64, 3000)).unwrap();
        let sparse = File::create(deep.join("sparse")).unwrap();
        sparse.set_len(1 << 20).unwrap();
    }
    for len in [16, 99, 100] {
        let deep = root.join("e".repeat(len));
        std::fs::create_dir(&deep).unwrap();
        std::fs::write(deep.join(OsStr::from_bytes(b"a=b %3D\xff")), "odd").unwrap();
    }
}

#[test]
fn an_archive_gives_back_what_is_strange_to_gnu_tar_and_to_us() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    ["from", "tar"].iter().for_each(|name| std::fs::create_dir(at(name)).unwrap());
    strange(&at("from"));
    let (_, vault) = memory_vault();
    let kept = vault.preserve("t", "A-1", &Source::Tree(at("from")), &mut ()).unwrap();
    let mut out = File::create(at("archive")).unwrap();
    vault.export_tar("t", &kept.id, &mut out, &mut ()).unwrap();
    let mut tar = Command::new("tar");
    tar.args(["-xp", "--xattrs", "--xattrs-include=*", "-f"]).arg(at("archive"));
    let said = tar.arg("-C").arg(at("tar")).output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    assert_eq!(describe(&at("tar")), describe(&at("from")));
    // In again: our own archive, and one that GNU tar made.
    let mut tar = Command::new("tar");
    tar.args(["--format=posix", "--xattrs", "--xattrs-include=*", "-cf"]).arg(at("theirs"));
    assert!(tar.arg("-C").arg(at("from")).arg(".").status().unwrap().success());
    for archive in ["archive", "theirs"] {
        let input = Input::new("tar", File::open(at(archive)).unwrap());
        let back = vault.preserve("t", "A-1", &Source::Tar(input), &mut ()).unwrap();
        let to = at(&format!("back of {archive}"));
        vault.restore("t", &back.id, &to, None).unwrap();
        assert_eq!(describe(&to), describe(&at("from")), "{archive}");
    }
}

#[test]
fn volumes_give_back_what_is_strange_to_both_readers() {
    let shelf = Shelf::new(strange);
    let (paths, from) = (shelf.paths(), describe(&shelf.dir.path().join("from")));
    let given = check_volumes(&paths, Some(&shelf.key), &mut ()).unwrap();
    assert!(given.is_complete(), "{given:?}");
    let export = &shelf.report.export;
    assert_eq!((given.files, given.bytes), (export.files, export.bytes));
    assert_eq!(given.files, 12 + 12 + 3, "files, in directories of seventy, of a hundred");
    let into = shelf.dir.path().join("rust");
    let given = restore_volumes(&paths, &shelf.key, (&into, None), &mut ()).unwrap();
    assert!(given.is_complete() && given.not_restored.is_empty(), "{given:?}");
    assert_eq!(describe(&shelf.restored("rust")), from);
    assert_eq!(shelf.python("python", &paths), (Some(0), String::new()));
    assert_eq!(describe(&shelf.restored("python")), from);
}

/// Sixty files, of which one has an attribute whose name is not UTF-8: as a customer may have it.
#[test]
fn one_strange_attribute_costs_no_file() {
    let shelf = Shelf::new(|root| {
        for n in 0..60 {
            std::fs::write(root.join(format!("f{n:02}")), noise(n + 1, 20_000)).unwrap();
        }
        lsetxattr(root.join("f07"), &b"user.\xff\xfe"[..], b"v", XattrFlags::empty()).unwrap();
    });
    let given = check_volumes(&shelf.paths(), Some(&shelf.key), &mut ()).unwrap();
    assert!(given.is_complete(), "{given:?}");
    assert_eq!((given.files, given.bytes), (60, 1_200_000));
}

#[test]
fn a_file_that_says_it_is_empty_and_is_not_is_kept_as_one_that_changed() {
    let (_, vault) = memory_vault();
    let source = Source::Tree("/proc/sys/net/core".into());
    let report = vault.preserve("t", "A-1", &source, &mut ()).unwrap();
    assert!(report.files > 5 && report.changed.len() > 5, "{report:?}");
    let dir = tempfile::tempdir().unwrap();
    File::create(dir.path().join("empty")).unwrap();
    let report = vault.preserve("t", "A-2", &Source::Tree(dir.path().into()), &mut ()).unwrap();
    assert_eq!((report.files, &report.changed[..]), (1, &[][..]));
}
