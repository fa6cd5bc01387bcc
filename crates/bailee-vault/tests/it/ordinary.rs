//! What an ordinary user cannot restore: nodes that are missing are named, owners are counted.

use std::fs::Permissions;
use std::io::Cursor;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use bailee_vault::{Input, Kek, Missed, Problem, SnapshotId, Source, Vault, restore_volumes};
use rustix::process::{Gid, Uid, geteuid};
use rustix::thread::{set_thread_gid, set_thread_groups, set_thread_uid};

use crate::support::memory_vault;
use crate::transfer::depart;
use crate::volumes::{MOST, ORIGIN, interpreter, reader};

/// Whoever owns nothing.
const NOBODY: u32 = 65_534;

/// Does something as an ordinary user, and so do all threads that are started by it.
fn ordinarily<T: Send>(act: impl FnOnce() -> T + Send) -> T {
    let become_ordinary = || {
        if geteuid().is_root() {
            set_thread_groups(&[]).unwrap();
            set_thread_gid(Gid::from_raw(NOBODY)).unwrap();
            set_thread_uid(Uid::from_raw(NOBODY)).unwrap();
        }
    };
    std::thread::scope(|scope| {
        let done = scope.spawn(|| {
            become_ordinary();
            act()
        });
        done.join().unwrap()
    })
}

/// A member of an archive, of somebody else.
fn member(name: &str, mode: u32, (kind, device): (u8, (u32, u32)), content: &[u8]) -> Vec<u8> {
    let mut header = [0u8; 512];
    let mut put =
        |at: usize, text: String| header[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, name.to_owned());
    put(100, format!("{mode:07o}\0{:07o}\0{:07o}\0", 1234, 1234));
    put(124, format!("{:011o}\0{:011o}\0        {}", content.len(), 1_000_000, char::from(kind)));
    put(257, "ustar\x0000".to_owned());
    put(329, format!("{:07o}\0{:07o}\0", device.0, device.1));
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut all = [&header[..], content].concat();
    all.resize(all.len().next_multiple_of(512), 0);
    all
}

/// Records before a member.
fn records(all: &[(&str, &str)]) -> Vec<u8> {
    let record = |(name, value): &(&str, &str)| {
        let rest = format!(" {name}={value}\n");
        let len = (rest.len() + 1..).find(|len| len.to_string().len() + rest.len() == *len);
        format!("{}{rest}", len.unwrap())
    };
    let text: String = all.iter().map(record).collect();
    member("records", 0o644, (b'x', (0, 0)), text.as_bytes())
}

/// A file with set-id bits and attributes, a device node and a fifo, all of user 1234.
fn archive() -> Vec<u8> {
    let attributes = [
        ("SCHILY.xattr.user.own", "of anybody"),
        ("SCHILY.xattr.trusted.own", "of root"),
        ("SCHILY.xattr.strange.own", "of nobody: no file system has it"),
    ];
    let none = (0, 0);
    [
        member("d/", 0o755, (b'5', none), b""),
        member("d/fifo", 0o640, (b'6', none), b""),
        records(&attributes),
        member("d/letter", 0o4755, (b'0', none), b"Keep this."),
        member("d/null", 0o666, (b'3', (1, 3)), b""),
        vec![0; 1024],
    ]
    .concat()
}

fn kept() -> (Vault, SnapshotId) {
    let (_, vault) = memory_vault();
    let source = Source::Tar(Input::new("archive", Cursor::new(archive())));
    let id = vault.preserve("t", "A-1", &source, &mut ()).unwrap().id;
    (vault, id)
}

/// A directory that anybody may write to.
fn open_to_all() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), Permissions::from_mode(0o777)).unwrap();
    dir
}

/// What is missing below this path, whoever restored.
fn check(missed: &Missed, below: &str) {
    let at = |name: &str, what: &str| Problem {
        path: format!("{below}{name}").into(),
        what: what.to_owned(),
    };
    let (node, attribute) = (
        "the character-device was not made: Operation not permitted (os error 1): only root may \
         make one",
        "attribute strange.own: Operation not supported (os error 95)",
    );
    assert_eq!(missed.not_made, [at("d/letter", attribute), at("d/null", node)]);
    assert_eq!((missed.not_made_more, missed.attributes), (0, 1), "{missed:?}");
    assert_eq!(missed.owners, 4, "two directories, a fifo and a file: {missed:?}");
}

fn check_there(dir: &Path) {
    let mode = |name: &str| std::fs::symlink_metadata(dir.join(name)).unwrap().mode() & 0o7777;
    assert!(std::fs::symlink_metadata(dir.join("d/fifo")).unwrap().file_type().is_fifo());
    assert_eq!((mode("d/letter"), mode("d/fifo")), (0o755, 0o640), "set-id bits go with the owner");
    assert!(!dir.join("d/null").exists());
}

#[test]
fn a_node_that_was_not_made_is_named_and_owners_are_counted() {
    let ((vault, id), dir) = (kept(), open_to_all());
    let to = dir.path().join("to");
    let report = ordinarily(|| vault.restore("t", &id, &to, None).unwrap());
    check(&report.missed, "");
    assert!(!report.is_complete() && report.damaged.is_empty(), "{report:?}");
    let said: Vec<&str> = report.not_restored.iter().map(|p| p.what.as_str()).collect();
    assert_eq!(said, ["set-id bits of mode 4755: without its owner they mean another"]);
    check_there(&to);
    let again = dir.path().join("again");
    let taken = ordinarily(|| depart(&vault, &id, &again).unwrap());
    assert_eq!((&taken.missed, &taken.not_restored), (&report.missed, &report.not_restored));
    check_there(&again);
    let letter = bailee_vault::Pattern::new("d/fifo").unwrap();
    let part = dir.path().join("part");
    let part = ordinarily(|| vault.restore("t", &id, &part, Some(&letter)).unwrap());
    assert!(part.is_complete() && part.missed.owners == 3, "nobody asked for the node: {part:?}");
}

#[test]
fn both_readers_of_volumes_say_the_same() {
    let ((vault, id), dir) = (kept(), open_to_all());
    let (key_file, shelf) = (dir.path().join("key"), dir.path().join("shelf"));
    let key = Kek::generate_file(&key_file).unwrap();
    let to = ((ORIGIN, &key), (&*shelf, MOST));
    let set = vault.export_volumes(("t", &[id]), to.0, to.1, &mut ()).unwrap();
    let paths: Vec<_> = set.volumes.iter().map(|volume| volume.path.clone()).collect();
    for path in [&key_file, &shelf].into_iter().chain(&paths) {
        let mode = if path.is_dir() { 0o755 } else { 0o644 };
        std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }
    let into = dir.path().join("rust");
    let given = ordinarily(|| restore_volumes(&paths, &key, (&into, None), &mut ()).unwrap());
    check(&given.missed, &format!("{id}/"));
    assert!(!given.is_complete() && given.damaged.is_empty(), "{given:?}");
    check_there(&into.join(id.to_string()));

    // What it imports may lie where only its owner reads.
    let as_ordinary = "import os, runpy, sys\n\
                       reader = runpy.run_path(sys.argv[1], run_name='reader')\n\
                       if os.geteuid() == 0:\n    \
                           os.setgroups([]), os.setgid(65534), os.setuid(65534)\n\
                       reader['main'](sys.argv[2:])\n\
                       sys.exit(1 if reader['problems'] else 0)";
    let (mut python, into) = (Command::new(interpreter()), dir.path().join("python"));
    python
        .args(["-c", as_ordinary])
        .arg(reader())
        .arg(&key_file)
        .arg("--to")
        .arg(&into)
        .args(&paths);
    let out = python.output().unwrap();
    let said = String::from_utf8(out.stderr).unwrap();
    let wanted = [
        format!("{id}/d/letter: could not set its attribute strange.own: [Errno 95]"),
        format!("{id}/d/null: [Errno 1] Operation not permitted"),
        "d/letter': no set-id bits".to_owned(),
        "only root may set {'owners': 4, 'attributes': 1}".to_owned(),
    ];
    wanted.iter().for_each(|line| assert!(said.contains(line), "{line} in {said}"));
    assert_eq!((out.status.code(), said.lines().count()), (Some(1), 4), "{said}");
    check_there(&into.join(id.to_string()));
}
