//! A destination that is full: that is no damage, and nothing half stays.

use std::path::{Path, PathBuf};
use std::process::Command;

use bailee_vault::{Kek, Pattern, Source, VaultError, restore_volumes};

use crate::support::{memory_vault, noise};

const MARKER: &str = ".bailee-restore-incomplete";

/// A file system of 8 MiB in memory.
struct Small(PathBuf);

impl Small {
    fn mount(at: &Path) -> Option<Small> {
        std::fs::create_dir(at).unwrap();
        let mut mount = Command::new("mount");
        let done = mount.args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"]).arg(at).output().unwrap();
        done.status.success().then(|| Small(at.to_owned()))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        Command::new("umount").arg(&self.0).status().unwrap();
    }
}

/// Sizes of what was left, but for the marker.
fn left(dir: &Path) -> Vec<(String, u64)> {
    let items = std::fs::read_dir(dir).unwrap().map(|item| item.unwrap());
    let one = |item: std::fs::DirEntry| {
        (item.file_name().into_string().unwrap(), item.metadata().unwrap().len())
    };
    items.map(one).filter(|(name, _)| name != MARKER).collect()
}

#[test]
#[allow(clippy::print_stderr)] // a check that was left out is said
fn a_full_destination_ends_the_restore_and_is_no_damage() {
    let dir = tempfile::tempdir().unwrap();
    let from = dir.path().join("from");
    std::fs::create_dir(&from).unwrap();
    for (n, size) in [1 << 20, 6 << 20, 6 << 20, 1 << 20].into_iter().enumerate() {
        std::fs::write(from.join(format!("f{n}")), noise(n as u64, size)).unwrap();
    }
    let (_, vault) = memory_vault();
    let kept = vault.preserve("t", "A-1", &Source::Tree(from), &mut ()).unwrap();
    let Some(small) = Small::mount(&dir.path().join("small")) else {
        assert!(!rustix::process::geteuid().is_root(), "root mounts");
        eprintln!("nothing can be mounted here: a full destination was not tried");
        return;
    };
    let (key, shelf) = (Kek::from_bytes([9; 32]), dir.path().join("shelf"));
    let set = vault
        .export_volumes(("t", &[kept.id][..]), ("o", &key), (&shelf, 1 << 30), &mut ())
        .unwrap();
    let volumes: Vec<PathBuf> = set.volumes.into_iter().map(|v| v.path).collect();
    for way in ["here", "there", "volumes"] {
        let into = small.0.join(way);
        let failed = match way {
            "here" => vault.restore("t", &kept.id, &into, None).map(|_| ()),
            "there" => crate::transfer::depart(&vault, &kept.id, &into).map(|_| ()),
            _ => restore_volumes(&volumes, &key, (&into, None), &mut ()).map(|_| ()),
        };
        let failed = failed.unwrap_err();
        assert!(matches!(failed, VaultError::Destination { .. }), "{way}: {failed}");
        let said = failed.to_string();
        assert!(said.contains("No space left on device"), "{way}: {said}");
        assert!(way == "volumes" || said.contains("bytes of files are not there, "), "{said}");
        let mut below = into.clone();
        if way == "volumes" {
            below.push(kept.id.to_string());
        }
        let left = left(&below);
        let whole = |(name, size): &(String, u64)| match name.as_str() {
            "f0" | "f3" => *size == 1 << 20,
            _ => *size == 6 << 20,
        };
        assert!(left.iter().all(whole) && left.len() < 4, "{way}: {left:?}");
        assert!(into.join(MARKER).exists(), "{way}");
        let again = vault.restore("t", &kept.id, &into, None).unwrap_err();
        assert!(matches!(again, VaultError::CutOff { .. }), "{way}: {again}");
        assert!(again.to_string().contains("empty it and restore again"), "{again}");
        std::fs::remove_dir_all(&into).unwrap();
    }
    let few = Pattern::new("f3").unwrap();
    let back = vault.restore("t", &kept.id, &small.0.join("few"), Some(&few)).unwrap();
    assert!(back.is_complete() && !small.0.join("few").join(MARKER).exists());
}

#[test]
fn a_marker_that_was_kept_is_a_file_like_any() {
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    std::fs::create_dir(&from).unwrap();
    std::fs::write(from.join(MARKER), "kept").unwrap();
    let (_, vault) = memory_vault();
    let kept = vault.preserve("t", "A-1", &Source::Tree(from.clone()), &mut ()).unwrap();
    assert!(vault.restore("t", &kept.id, &to, None).unwrap().is_complete());
    assert_eq!(left(&to), []);
    assert_eq!(std::fs::read(to.join(MARKER)).unwrap(), b"kept");
    let times = |path: &Path| path.metadata().unwrap().modified().unwrap();
    assert_eq!(times(&to), times(&from), "and the directory has its own time");
}
