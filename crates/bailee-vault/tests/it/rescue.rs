//! A medium with bad places: what it gave is kept, what it did not is named, never zeros.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use bailee_vault::{Content, Kek, Source, SourceKind, VaultError, check_volumes, rescue_map};

use crate::support::{memory_vault, noise};

const MIB: u64 = 1 << 20;

/// A block device over a file.
struct Loop(PathBuf);

impl Loop {
    fn attach(image: &Path) -> Option<Loop> {
        let attach = Command::new("losetup").args(["--find", "--show", "-r"]).arg(image).output();
        let out = attach.ok().filter(|out| out.status.success())?;
        Some(Loop(PathBuf::from(String::from_utf8(out.stdout).unwrap().trim())))
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        Command::new("losetup").arg("-d").arg(&self.0).status().unwrap();
    }
}

/// Has the map read by ddrescue's own tool, where it is; gives the bad bytes in it.
#[allow(clippy::print_stderr)] // a check that was left out is said
fn second_opinion(map: &Path) -> Option<Vec<String>> {
    let listed = Command::new("ddrescuelog").args(["-b", "1", "-l", "-"]).arg(map).output();
    let Ok(listed) = listed else {
        eprintln!("ddrescuelog is not here: nobody else read the map");
        return None;
    };
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    Some(String::from_utf8(listed.stdout).unwrap().lines().map(str::to_owned).collect())
}

#[test]
fn ddrescue_reads_the_map() {
    let dir = tempfile::tempdir().unwrap();
    let unreadable = vec![(3, 2), (90, 10)];
    let map = rescue_map(&Content { size: 100, unreadable, ..Content::default() });
    assert_eq!(map.lines().filter(|line| line.ends_with("  -")).count(), 2);
    let path = dir.path().join("map");
    std::fs::write(&path, map).unwrap();
    if let Some(bad) = second_opinion(&path) {
        let want = [3, 4].into_iter().chain(90..100).map(|n: u32| n.to_string());
        assert_eq!(bad, want.collect::<Vec<_>>());
    }
}

/// The image is cut short below the device: the kernel answers EIO from there on.
#[test]
fn a_device_that_fails_half_way_is_kept_as_far_as_it_goes() {
    let dir = tempfile::tempdir().unwrap();
    let (image, to) = (dir.path().join("image"), dir.path().join("to"));
    let bytes = noise(9, 3 << 20);
    std::fs::write(&image, &bytes).unwrap();
    let Some(device) = Loop::attach(&image) else {
        assert!(!rustix::process::geteuid().is_root() || !Path::new("/dev/loop-control").exists());
        eprintln!("no loop devices here: a device that fails was not tried");
        return;
    };
    std::fs::File::options().write(true).open(&image).unwrap().set_len(MIB).unwrap();
    let (_, vault) = memory_vault();
    let kept = vault.preserve("t", "A-1", &Source::Device(device.0.clone()), &mut ()).unwrap();
    assert_eq!(kept.unreadable.len(), 1, "{:?}", kept.unreadable);

    let name = device.0.file_name().unwrap().as_bytes();
    let mut file = vault.open_file("t", &kept.id, name).unwrap();
    assert_eq!(
        (file.content().size, &*file.content().unreadable),
        (3 * MIB, &[(MIB, 2 * MIB)][..])
    );
    assert!(file.read_at(0, 1 << 20).unwrap() == bytes[..1 << 20]);
    let beyond = file.read_at(MIB - 1, 2);
    assert!(matches!(beyond, Err(VaultError::NeverRead { offset: MIB, .. })), "{beyond:?}");
    let map = rescue_map(file.content());
    assert!(map.ends_with("\n0x00000000  0x00100000  +\n0x00100000  0x00200000  -\n"), "{map}");

    assert!(vault.verify("t", &kept.id).unwrap().is_intact(), "what was read is whole");
    let restored = vault.restore("t", &kept.id, &to, None).unwrap();
    let said: Vec<&str> = restored.not_restored.iter().map(|p| p.what.as_str()).collect();
    assert!(said.contains(&"bytes 1048576..3145728 were unreadable when preserved"), "{said:?}");
    assert_eq!((restored.never_read, restored.is_complete()), (2 * MIB, false));

    // It leaves as such, in every form.
    let mut tar = Vec::new();
    let out = vault.export_tar("t", &kept.id, &mut tar, &mut ()).unwrap();
    assert_eq!((out.never_read, out.is_complete(), out.left_out.len()), (2 * MIB, false, 1));
    let record = b"BAILEE.unreadable=1048576,2097152\n";
    assert!(tar.windows(record.len()).any(|w| w == record));
    let to_bag = dir.path().join("bag");
    let bag = vault.export_bag("t", &kept.id, ("example.org", &to_bag), &mut ()).unwrap();
    assert_eq!((bag.never_read, bag.left_out), (2 * MIB, out.left_out.clone()));
    let (key, shelf) = (Kek::from_bytes([9; 32]), dir.path().join("shelf"));
    let (named, to) = (("t", &[kept.id][..]), (&*shelf, 1 << 20));
    let set = vault.export_volumes(named, ("example.org", &key), to, &mut ()).unwrap();
    assert_eq!((set.export.never_read, set.export.left_out), (2 * MIB, out.left_out));
    let paths: Vec<PathBuf> = set.volumes.iter().map(|v| v.path.clone()).collect();
    let given = check_volumes(&paths, Some(&key), &mut ()).unwrap();
    assert_eq!((given.never_read, given.is_complete()), (2 * MIB, false), "{given:?}");

    // Read on one machine and kept on another, what it did not give is named all the same.
    let there =
        crate::transfer::arrive(&vault, &Source::Device(device.0.clone()), SourceKind::Device);
    assert_eq!(there.unreadable, kept.unreadable);
    let ranges = |id| vault.manifest("t", id).unwrap()[0].content().unwrap().unreadable.clone();
    assert_eq!(ranges(&there.id), ranges(&kept.id));
    let given = crate::transfer::depart(&vault, &there.id, &dir.path().join("back")).unwrap();
    assert_eq!((given.never_read, given.not_restored.len()), (2 * MIB, 1), "{given:?}");
}
