//! Writing volumes is cut off: by SIGKILL at random moments, by a full disk, by a directory that
//! takes nothing. What is left is never taken for a set, no volume that was there is touched, and
//! writing again makes a whole set beside it.

use std::collections::BTreeMap;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use bailee_vault::{
    Kek, SnapshotId, Source, Vault, VaultError, VolumeProblem, check_volumes, restore_volumes,
};

use crate::support::{disk_vault, noise};
use crate::trouble::{Mounted, physical};
use crate::volumes::{ORIGIN, interpreter, reader};

const ROOM: &str = "BAILEE_TEST_ROOM_OF_THE_CHILD";
/// How often the writer is killed.
const KILLS: u64 = 25;
/// Microseconds that the moment of a kill is drawn from, beyond the first 20,000.
const SPAN: u64 = 400_000;

fn key() -> Kek {
    Kek::from_bytes([5; 32])
}

/// A vault with one snapshot of 3 MB in `room`.
fn furnish(room: &Path) -> (Vault, SnapshotId) {
    let (from, store) = (room.join("from"), room.join("store"));
    std::fs::create_dir(&from).unwrap();
    for n in 0..30 {
        std::fs::write(from.join(format!("f{n}")), noise(n + 1, 100_000)).unwrap();
    }
    let (_, vault) = disk_vault(&store);
    let id = vault.preserve("t", "A-1", &Source::Tree(from), &mut ()).unwrap().id;
    (vault, id)
}

fn write(vault: &Vault, id: SnapshotId, out: &Path) -> Result<Vec<PathBuf>, VaultError> {
    write_of(200_000, vault, id, out)
}

fn write_of(
    most: u64,
    vault: &Vault,
    id: SnapshotId,
    out: &Path,
) -> Result<Vec<PathBuf>, VaultError> {
    let to = ((ORIGIN, &key()), (out, most));
    let report = vault.export_volumes(("t", &[id]), to.0, to.1, &mut ())?;
    Ok(report.volumes.into_iter().map(|v| v.path).collect())
}

/// What is in `out`, by set.
fn sets(out: &Path) -> BTreeMap<String, Vec<PathBuf>> {
    let mut sets: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for item in std::fs::read_dir(out).unwrap() {
        let path = item.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        assert!(name.ends_with(".bvol"), "nothing else is left: {name}");
        sets.entry(name[..32].to_owned()).or_default().push(path);
    }
    sets
}

/// Whether a set is whole: then with every file, else with a word about what is missing.
fn is_whole(paths: &[PathBuf]) -> bool {
    let given = check_volumes(paths, Some(&key()), &mut ()).unwrap();
    if given.is_complete() {
        assert_eq!((given.files, given.bytes), (30, 3_000_000));
    } else {
        assert!(!given.volumes.problems.is_empty(), "it is named: {given:?}");
    }
    given.is_complete()
}

/// Started by the test below; run by itself, it writes two sets in a room of its own.
#[test]
fn the_child() {
    let own = tempfile::tempdir().unwrap();
    let (room, rounds) = match std::env::var(ROOM) {
        Ok(room) => (PathBuf::from(room), u64::MAX),
        Err(_) => {
            furnish(own.path());
            (own.path().to_owned(), 2)
        }
    };
    let out = room.join("out");
    std::fs::create_dir_all(&out).unwrap();
    let (_, vault) = disk_vault(&room.join("store"));
    let id = vault.list("t").unwrap()[0].id;
    for _ in 0..rounds {
        write(&vault, id, &out).unwrap();
    }
    assert_eq!(sets(&out).values().filter(|paths| is_whole(paths)).count(), 2);
}

#[test]
fn a_killed_writer_leaves_nothing_that_is_taken_for_a_set() {
    let room = tempfile::tempdir().unwrap();
    let out = room.path().join("out");
    std::fs::create_dir(&out).unwrap();
    let (vault, id) = furnish(room.path());
    let first = write(&vault, id, &out).unwrap();
    drop(vault);
    let bytes = |path: &PathBuf| std::fs::read(path).unwrap();
    let before: Vec<Vec<u8>> = first.iter().map(bytes).collect();
    let mut cut_off = 0;
    for kill in 0..KILLS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "interrupt::the_child", "--nocapture"])
            .env(ROOM, room.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let random = u64::from_le_bytes(noise(kill + 1, 8).try_into().unwrap());
        std::thread::sleep(Duration::from_micros(20_000 + random % SPAN));
        assert_eq!(child.try_wait().unwrap(), None, "it ended by itself");
        child.kill().unwrap(); // SIGKILL
        child.wait().unwrap();
        for (set, paths) in sets(&out) {
            if !first[0].display().to_string().contains(&set) {
                cut_off += u64::from(!is_whole(&paths));
                paths.iter().for_each(|path| std::fs::remove_file(path).unwrap());
            }
        }
        assert!(first.iter().map(bytes).eq(before.iter().cloned()), "the first set is untouched");
    }
    assert!(cut_off >= 3, "{cut_off} of {KILLS} kills hit while a set was written");
    let (_, vault) = disk_vault(&room.path().join("store"));
    assert!(is_whole(&write(&vault, id, &out).unwrap()), "and then it is written again");
}

#[test]
fn a_full_disk_and_a_directory_that_takes_nothing_are_named() {
    let room = tempfile::tempdir().unwrap();
    let (vault, id) = furnish(room.path());
    let disk = Mounted::tmpfs("1m");
    let out = Path::new(disk.path());
    let refused = write(&vault, id, out);
    let Err(VaultError::Destination { detail, path, .. }) = refused else { panic!("{refused:?}") };
    assert!(detail.contains("No space left") && path.ends_with(".bvol"), "{path}: {detail}");
    let left = sets(out);
    assert_eq!(left.len(), 1);
    assert!(!is_whole(left.values().next().unwrap()), "it is not taken for a set");
    // A new directory with room, and the disk as it is but read-only.
    let good = room.path().join("good");
    std::fs::create_dir(&good).unwrap();
    assert!(is_whole(&write(&vault, id, &good).unwrap()));
    let remount = ["-o", "remount,ro", disk.path()];
    assert!(Command::new("mount").args(remount).status().unwrap().success());
    let refused = write(&vault, id, out);
    let Err(VaultError::Destination { detail, doing, .. }) = refused else { panic!("{refused:?}") };
    assert!(doing == "create it" && detail.contains("Read-only"), "{doing}: {detail}");
    assert_eq!(sets(out), left, "nothing was touched");
    let nowhere = write(&vault, id, &room.path().join("nowhere/in it"));
    assert!(matches!(nowhere, Err(VaultError::Destination { .. })), "{nowhere:?}");
}

/// Copies a file so that its end lies before its beginning on the medium.
fn tail_first(from: &Path, to: &Path) {
    let (bytes, file) = (std::fs::read(from).unwrap(), std::fs::File::create_new(to).unwrap());
    let tail = 100 * 4096;
    file.write_all_at(&bytes[tail..], tail as u64).unwrap();
    file.sync_all().unwrap();
    // Nothing is free before it: all is filled, and of what lies behind some is given back.
    let mut fillers: Vec<PathBuf> = Vec::new();
    for size in [256 << 10, 16 << 10] {
        loop {
            let path = to.with_extension(fillers.len().to_string());
            let written = std::fs::write(&path, noise(1, size));
            if written.and_then(|()| std::fs::File::open(&path)?.sync_all()).is_err() {
                std::fs::remove_file(path).unwrap();
                break;
            }
            fillers.push(path);
        }
    }
    for path in &fillers[..2] {
        assert!(physical(path) > physical(to), "the first of them lie behind it");
        std::fs::remove_file(path).unwrap();
    }
    file.write_all_at(&bytes[..tail], 0).unwrap();
    file.sync_all().unwrap();
}

#[test]
fn a_medium_that_answers_eio_costs_what_it_does_not_give() {
    let room = tempfile::tempdir().unwrap();
    let (vault, id) = furnish(room.path());
    let image = room.path().join("image");
    std::fs::File::create_new(&image).unwrap().set_len(16 << 20).unwrap();
    let disk = Mounted::ext4(&image);
    let mut paths = write_of(700_000, &vault, id, &room.path().join("good")).unwrap();
    let bad = Path::new(disk.path()).join("volume");
    tail_first(&paths[2], &bad);
    paths[2].clone_from(&bad);
    disk.cut(&image, physical(&bad) + (64 << 10));
    let read = std::fs::read(&bad).err().and_then(|e| e.raw_os_error());
    assert_eq!(read, Some(5), "the kernel does say EIO");
    let end = std::fs::File::open(&bad).unwrap().read_exact_at(&mut [0; 300], 699_700);
    end.expect("only the middle cannot be read");
    // Reading goes on behind it: what it hits is named, and everything else comes back.
    let given = check_volumes(&paths, Some(&key()), &mut ()).unwrap();
    let unreadable = |p: &VolumeProblem| {
        matches!(p, VolumeProblem::Unreadable { volume, why, .. }
            if *volume == bad && why.contains("Input/output error"))
    };
    assert!(given.volumes.problems.iter().any(unreadable), "{given:?}");
    assert!((24..30).contains(&given.files), "two frames of a volume of three: {given:?}");
    let into = room.path().join("back");
    let back = restore_volumes(&paths, &key(), (&into, None), &mut ()).unwrap();
    assert_eq!((back.files, &back.damaged), (given.files, &given.damaged));
    for n in 0..30 {
        let file = into.join(id.to_string()).join(format!("f{n}"));
        let whole = std::fs::read(&file).map(|bytes| bytes == noise(n + 1, 100_000));
        assert!(whole.unwrap_or(true), "f{n} is there and is not whole");
    }
    // The reader in Python gives the same files; without a key the others are read all the same.
    let (key_file, to) = (room.path().join("key"), room.path().join("python"));
    std::fs::write(&key_file, format!("{}\n", "05".repeat(32))).unwrap();
    let mut run = Command::new(interpreter());
    let said = run.arg(reader()).arg(key_file).arg("--to").arg(&to).args(&paths).output().unwrap();
    let told = String::from_utf8_lossy(&said.stderr);
    assert_eq!(said.status.code(), Some(1), "{told}");
    assert!(told.contains("Input/output error") && !told.contains("Traceback"), "{told}");
    let there = |root: &Path| {
        let names = std::fs::read_dir(root.join(id.to_string())).unwrap();
        names.map(|item| item.unwrap().file_name()).collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(there(&to), there(&into), "{told}");
    let seen = check_volumes(&paths, None, &mut ()).unwrap().volumes;
    assert!(seen.problems.iter().all(unreadable) && !seen.problems.is_empty(), "{seen:?}");
    assert_eq!(seen.volumes.len() + 1, paths.len(), "each other with its SHA-256");
    assert!(!seen.volumes.iter().any(|facts| facts.path == bad), "of a part of it there is none");
    // A copy of that volume puts it right; without the volume, it is the one that is missing.
    paths.retain(|path| *path != bad);
    let given = check_volumes(&paths, Some(&key()), &mut ()).unwrap();
    let missing = |p: &VolumeProblem| matches!(p, VolumeProblem::Missing { .. });
    assert!(given.volumes.problems.iter().any(missing), "{given:?}");
}
