//! Real loop devices: bound by the file behind them, refused while anything uses them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use bailee_sanitize::{Achieved, Identity, Kind, Outcome, Pattern, SanitizeError, Verified};

use crate::common::{Image, SEED, clearance_of, cleared, code, image, run, terms};

const SIZE: usize = 16 << 20;

/// Whether loop devices can be had; says so if not.
pub(crate) fn can_attach() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        println!("NOT RUN: loop devices need root");
    }
    root
}

pub(crate) fn tool(name: &str, args: &[&str]) -> String {
    let out = Command::new(name).args(args).output().unwrap_or_else(|e| panic!("{name}: {e}"));
    assert!(out.status.success(), "{name} {args:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap().trim().to_string()
}

/// Attached until dropped.
pub(crate) struct LoopDevice(pub(crate) PathBuf);

impl LoopDevice {
    pub(crate) fn over(file: &Path, more: &[&str]) -> LoopDevice {
        let file = file.to_str().unwrap();
        LoopDevice(tool("losetup", &[&["-f", "--show"], more, &[file]].concat()).into())
    }
    pub(crate) fn name(&self) -> &str {
        self.0.to_str().unwrap()
    }
    /// The same name over another file; `None` if another test took the name in between.
    fn moved_to(self, file: &Path) -> Option<LoopDevice> {
        tool("losetup", &["-d", self.name()]);
        let moved = Command::new("losetup").arg(&self.0).arg(file).status().unwrap();
        if moved.success() {
            return Some(self);
        }
        // Whoever has the name now detaches it.
        std::mem::forget(self);
        None
    }
}

impl Drop for LoopDevice {
    fn drop(&mut self) {
        let _ = Command::new("losetup").args(["-d", self.name()]).status();
    }
}

pub(crate) struct Mounted(pub(crate) PathBuf);

impl Mounted {
    pub(crate) fn at(device: &str, dir: PathBuf, options: &str) -> Mounted {
        fs::create_dir_all(&dir).unwrap();
        tool("mount", &["-o", options, device, dir.to_str().unwrap()]);
        Mounted(dir)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

/// An image with a file system on it.
fn formatted() -> Image {
    let mut image = image(SIZE);
    tool("mkfs.ext4", &["-q", "-F", image.path.to_str().unwrap()]);
    image.old = image.bytes();
    image
}

#[test]
fn a_loop_device_is_overwritten_through_to_its_file() {
    if !can_attach() {
        return;
    }
    for more in [&["--direct-io=on"][..], &["--direct-io=off"], &["--sector-size", "4096"]] {
        let image = image(SIZE);
        let device = LoopDevice::over(&image.path, more);
        let identity = Identity::of_path(&device.0).unwrap();
        assert_eq!((identity.kind, identity.size), (Kind::Loop, SIZE as u64));
        let record = run(&device.0, clearance_of(&device.0), &image.log(), |_| {}).unwrap();
        assert_eq!(record.outcome, Outcome::Complete);
        assert_eq!((record.achieved, record.verified), (Achieved::Clear, Verified::Whole));
        let mut pattern = vec![0; SIZE];
        Pattern::from_seed(SEED).fill(0, &mut pattern);
        assert!(image.bytes() == pattern, "{more:?}");
        let through_cache = record.limits.iter().any(|l| l.contains("page cache"));
        assert_eq!(through_cache, more == ["--direct-io=off"] || more.len() == 2, "{more:?}");
    }
}

#[test]
fn a_window_on_a_file_leaves_the_rest_of_it() {
    if !can_attach() {
        return;
    }
    let image = image(SIZE);
    let (mib, end) = (1 << 20, 5 << 20);
    let device = LoopDevice::over(&image.path, &["--offset", "1048576", "--sizelimit", "4194304"]);
    run(&device.0, clearance_of(&device.0), &image.log(), |_| {}).unwrap();
    let bytes = image.bytes();
    assert!(bytes[..mib] == image.old[..mib] && bytes[end..] == image.old[end..]);
    let mut pattern = vec![0; end - mib];
    Pattern::from_seed(SEED).fill(0, &mut pattern);
    assert!(bytes[mib..end] == pattern);
}

#[test]
fn the_same_name_over_another_file_is_another_device() {
    if !can_attach() {
        return;
    }
    let (first, second) = (image(SIZE), image(SIZE));
    let tries = (0..20).find_map(|_| {
        let device = LoopDevice::over(&first.path, &[]);
        let digest = Identity::of_path(&device.0).unwrap().digest();
        device.moved_to(&second.path).map(|device| (device, digest))
    });
    let (device, cleared_digest) = tries.expect("a name stays free for a moment, once in a while");
    let refused = run(&device.0, cleared(&terms(cleared_digest)), &first.log(), |_| {});
    assert_eq!(code(refused), "wrong_subject");
    first.assert_untouched();
    second.assert_untouched();
    let again = LoopDevice::over(&first.path, &[]);
    let digest = Identity::of_path(&again.0).unwrap().digest();
    assert_eq!(digest, cleared_digest, "the same file under another name is the same device");
}

#[test]
fn a_mounted_file_system_is_refused_and_free_after_unmounting() {
    if !can_attach() {
        return;
    }
    let image = formatted();
    let device = LoopDevice::over(&image.path, &[]);
    let mount = Mounted::at(device.name(), image.dir.path().join("mnt"), "ro,noload");
    let refused = run(&device.0, clearance_of(&device.0), &image.log(), |_| {});
    match refused.unwrap_err() {
        SanitizeError::Mounted { at, .. } => assert!(at.ends_with("/mnt"), "{at}"),
        other => panic!("{other}"),
    }
    image.assert_untouched();
    assert!(!image.log().exists());
    drop(mount);
    let record = run(&device.0, clearance_of(&device.0), &image.log(), |_| {}).unwrap();
    assert_eq!(record.verified, Verified::Whole);
}

#[test]
fn two_ways_to_the_same_bytes_are_refused() {
    if !can_attach() {
        return;
    }
    let image = image(SIZE);
    let device = LoopDevice::over(&image.path, &[]);
    let by_file = run(&image.path, clearance_of(&image.path), &image.log(), |_| {});
    assert_eq!(code(by_file), "shared", "the file under an attached loop device");
    let twin = LoopDevice::over(&image.path, &[]);
    let refused = run(&device.0, clearance_of(&device.0), &image.log(), |_| {});
    assert_eq!(code(refused), "shared", "two loop devices on one file");
    drop(twin);
    let upper = LoopDevice::over(&device.0, &[]);
    let refused = run(&device.0, clearance_of(&device.0), &image.log(), |_| {});
    assert_eq!(code(refused), "shared", "a loop device on the loop device");
    assert_eq!(Identity::of_path(&upper.0).unwrap_err().code(), "stacked_device");
    image.assert_untouched();
}

#[test]
fn read_only_and_swap_are_refused() {
    if !can_attach() {
        return;
    }
    let image = image(SIZE);
    let device = LoopDevice::over(&image.path, &["-r"]);
    let refused = run(&device.0, clearance_of(&device.0), &image.log(), |_| {});
    assert_eq!(code(refused), "read_only");
    image.assert_untouched();
    drop(device);
    let device = LoopDevice::over(&image.path, &[]);
    tool("mkswap", &[device.name()]);
    tool("swapon", &[device.name()]);
    let before = image.bytes();
    let refused = run(&device.0, clearance_of(&device.0), &image.log(), |_| {});
    tool("swapoff", &[device.name()]);
    assert_eq!(code(refused), "in_use_as_swap");
    assert!(image.bytes() == before);
}

#[test]
fn a_partition_is_no_device_and_keeps_its_disk_from_being_one() {
    if !can_attach() {
        return;
    }
    let image = image(SIZE);
    let device = LoopDevice::over(&image.path, &["-P"]);
    // Told to the kernel, not read from a table: works without any partition parser built in.
    tool("addpart", &[device.name(), "1", "2048", "30720"]);
    let part = PathBuf::from(format!("{}p1", device.name()));
    assert_eq!(Identity::of_path(&part).unwrap_err().code(), "is_partition");
    let clearance = clearance_of(&device.0);
    tool("mkfs.ext4", &["-q", "-F", part.to_str().unwrap()]);
    let mount = Mounted::at(part.to_str().unwrap(), image.dir.path().join("mnt"), "ro,noload");
    let before = image.bytes();
    assert_eq!(code(run(&device.0, clearance, &image.log(), |_| {})), "mounted");
    assert!(image.bytes() == before);
    drop(mount);
    let record = run(&device.0, clearance_of(&device.0), &image.log(), |_| {}).unwrap();
    assert_eq!(record.verified, Verified::Whole);
}

/// The disk this machine runs from, if it is one: it is only looked at.
#[test]
fn the_running_system_is_refused() {
    if !can_attach() {
        return;
    }
    let root = tool("findmnt", &["-n", "-o", "SOURCE", "/"]);
    let digest = match Identity::of_path(Path::new(&root)) {
        Ok(identity) => identity.digest(),
        Err(e) => {
            println!("NOT RUN: / is on {root}, which is no whole disk ({e})");
            return assert!(!e.to_string().is_empty());
        }
    };
    // Another subject: even if the guards failed, nothing could be written.
    let mut wrong = digest;
    wrong[0] ^= 1;
    let image = image(4096);
    let refused = run(Path::new(&root), cleared(&terms(wrong)), &image.log(), |_| {});
    assert!(["mounted", "wrong_subject"].contains(&code(refused)));
}
