//! What is the same medium is known again, and what a house stands on is never overwritten: with
//! real files, links and loop devices.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use bailee_ledger::to_hex;
use bailee_sanitize::{Binding, Options, Record, SanitizeError, keep_apart, sanitize};

use crate::common::{ASSET, Image, SEED, clearance_of, clock, code, granting, image};
use crate::loops::{LoopDevice, Mounted, can_attach, tool};

const SIZE: usize = 16 << 20;

fn keys(path: &Path) -> BTreeSet<String> {
    let binding = Binding::of_path(path).unwrap();
    let whole = to_hex(&binding.identity.digest());
    binding.media.into_iter().chain([whole]).collect()
}

fn share(a: &BTreeSet<String>, b: &BTreeSet<String>) -> bool {
    a.intersection(b).next().is_some()
}

#[test]
fn a_file_that_grew_is_the_same_and_another_file_is_not() {
    let (one, two) = (image(SIZE), image(SIZE));
    let before = keys(&one.path);
    OpenOptions::new().write(true).open(&one.path).unwrap().set_len(SIZE as u64 + 7).unwrap();
    assert!(share(&before, &keys(&one.path)));
    let copy = two.dir.path().join("copy.img");
    fs::copy(&one.path, &copy).unwrap();
    for other in [&two.path, &copy] {
        assert!(!share(&before, &keys(other)), "{}", other.display());
    }
    // A new file under the old name is another one, also with the old inode number.
    fs::remove_file(&one.path).unwrap();
    fs::write(&one.path, &one.old).unwrap();
    assert!(!share(&before, &keys(&one.path)));
}

#[test]
fn every_window_on_a_file_is_that_file() {
    if !can_attach() {
        return;
    }
    let (image, other) = (image(SIZE), image(SIZE));
    let file = keys(&image.path);
    let whole_file = to_hex(&Binding::of_path(&image.path).unwrap().identity.digest());
    let windows: [&[&str]; 3] = [&[], &["-o", "4096"], &["-o", "8388608", "--sizelimit", "4096"]];
    let all: Vec<_> = windows.map(|more| LoopDevice::over(&image.path, more)).into();
    for device in &all {
        let window = keys(&device.0);
        assert!(share(&file, &window), "{}", device.name());
        assert!(window.contains(&whole_file), "what was bound before there were keys");
        assert!(!share(&window, &keys(&other.path)));
    }
    // No loop device on a loop device, and no partition, has an identity at all.
    let upper = LoopDevice::over(&all[0].0, &[]);
    assert_eq!(Binding::of_path(&upper.0).unwrap_err().code(), "stacked_device");
}

#[test]
fn a_file_is_the_same_when_its_file_system_comes_back_under_another_number() {
    if !can_attach() {
        return;
    }
    let disk = formatted();
    let place = disk.dir.path().join("mnt");
    let inside = place.join("inside.img");
    let first = LoopDevice::over(&disk.path, &[]);
    let mount = Mounted::at(first.name(), place.clone(), "rw");
    fs::write(&inside, [7; 8192]).unwrap();
    let before = Binding::of_path(&inside).unwrap();
    drop(mount);
    // The name is taken while the other one is made, so that the number is another one.
    let second = LoopDevice::over(&disk.path, &[]);
    drop(first);
    let _mount = Mounted::at(second.name(), place, "rw");
    let after = Binding::of_path(&inside).unwrap();
    assert_ne!(before.identity.digest(), after.identity.digest());
    assert!(after.media.iter().any(|key| before.media.contains(key)));
}

fn formatted() -> Image {
    let mut image = image(SIZE);
    tool("mkfs.ext4", &["-q", "-F", image.path.to_str().unwrap()]);
    image.old = image.bytes();
    image
}

/// A run on a machine that has a house.
fn beside(device: &Path, house: &Path, log: &Path) -> Result<Record, SanitizeError> {
    let (clock, house) = (clock(0), Some(house));
    let options =
        Options { buffer: 1 << 20, house, clock: &clock, ..Options::new(ASSET, SEED, log) };
    sanitize(device, clearance_of(device), &mut granting(), &options, &mut |_| {})
}

/// Both ways to ask: by the open device, and by the keys alone, as a server is asked.
#[track_caller]
fn refused(device: &Path, house: &Path, log: &Path, expected: &str) {
    assert_eq!(code(beside(device, house, log)), expected, "{}", device.display());
    let keys = keys(device);
    let answer = keep_apart(house, true, &|key| keys.contains(key)).map_err(|e| e.code());
    assert_eq!(answer, Err(expected), "{}", device.display());
}

/// A house with a key, and a pack behind a link in it.
fn house(at: &Path) -> (PathBuf, PathBuf) {
    fs::create_dir_all(at.join("house/keys")).unwrap();
    fs::create_dir_all(at.join("packs/ab")).unwrap();
    symlink(at.join("packs"), at.join("house/objects")).unwrap();
    symlink("nothing", at.join("house/dangling")).unwrap();
    symlink(".", at.join("house/round")).unwrap();
    let (key, pack) = (at.join("house/keys/vault.key"), at.join("packs/ab/pack"));
    fs::write(&key, [1; 4096]).unwrap();
    fs::write(&pack, [2; 8192]).unwrap();
    (key, pack)
}

#[test]
fn what_lies_in_the_data_directory_is_refused_by_whatever_name() {
    let image = image(4096);
    let at = image.dir.path();
    let (key, pack) = house(at);
    let (linked, hard) = (at.join("linked"), at.join("hard"));
    symlink(&key, &linked).unwrap();
    fs::hard_link(&key, &hard).unwrap();
    let dir = at.join("house");
    for name in [&key, &linked, &hard, &pack] {
        refused(name, &dir, &image.log(), "in_data_directory");
    }
    if can_attach() {
        let device = LoopDevice::over(&hard, &[]);
        refused(&device.0, &dir, &image.log(), "in_data_directory");
    }
    assert!(fs::read(&key).unwrap() == [1; 4096] && fs::read(&pack).unwrap() == [2; 8192]);
    assert!(!image.log().exists());
    let done = beside(&image.path, &dir, &image.log());
    assert!(done.is_ok(), "what lies beside it is not it: {done:?}");
}

#[test]
fn what_carries_the_data_directory_is_refused() {
    if !can_attach() {
        return;
    }
    let disk = formatted();
    let device = LoopDevice::over(&disk.path, &[]);
    let mount = Mounted::at(device.name(), disk.dir.path().join("mnt"), "rw");
    house(&mount.0);
    let dir = mount.0.join("house");
    for name in [&device.0, &disk.path] {
        refused(name, &dir, &disk.log(), "carries_data_directory");
    }
    let window = LoopDevice::over(&disk.path, &["-o", "4096"]);
    refused(&window.0, &dir, &disk.log(), "carries_data_directory");
    assert!(dir.join("keys/vault.key").exists());
}
